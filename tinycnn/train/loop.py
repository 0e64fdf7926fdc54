"""The loop: forward, loss, backward, step."""
import math
import sys
import time

import numpy as np

from ..backend import to_numpy
from ..grad_mode import no_grad
from ..nn import functional as F


def fit(model, train, val=None, *, epochs, optimizer, schedule=None, loss=F.cross_entropy, augment=None, after_epoch=None,
        progress=True):
    """Train `model` on the batches (x, y) of `train` and return the history, a list with one dictionary an epoch.

    - `train`, `val`: loaders; `val`, where given, is looked at after every epoch and never learnt from;
    - `optimizer`: changes the parameters of `model` after every batch;
    - `schedule`: a scheduler of the learning rate, stepped after every *batch*: count its times in batches, as in
      `CosineAnnealingLR(optimizer, epochs * len(train))`;
    - `loss(scores, y)`: what is made small;
    - `augment(x)`: changes the pictures of each training batch at random;
    - `after_epoch(row)`: called with the new row of the history, for instance to save the model;
    - `progress`: a progress bar on stderr.

    A row holds epoch, train_loss, train_acc (running means over the epoch, while the model changed), val_loss, val_acc,
    lr (at the start of the epoch) and seconds. Raises FloatingPointError when the loss is no longer a finite number.
    """
    device = next(model.parameters()).device
    history = []
    for epoch in range(1, epochs + 1):
        row = {"epoch": epoch, "lr": float(optimizer.param_groups[0]["lr"])}
        start = time.perf_counter()
        running = Mean("fit: train")
        model.train()
        with _bar(len(train), f"epoch {epoch:{len(str(epochs))}}/{epochs}", progress) as bar:
            for x, y in train:
                x, y = x.to(device), y.to(device)
                if augment:
                    x = augment(x)
                optimizer.zero_grad()
                scores = model(x)
                cost = loss(scores, y)
                cost.backward()
                optimizer.step()
                if schedule:
                    schedule.step()
                running.add(cost, scores, y)
                if not math.isfinite(running.loss):
                    raise FloatingPointError(f"fit: the loss became {cost.item()} in batch {running.batches} of epoch "
                                             f"{epoch}: lower the learning rate, or find the operation with detect_anomaly")
                bar.update()
                _show(bar, running, row)
            row["train_loss"], row["train_acc"] = running.loss, running.accuracy
            if val is not None:
                row["val_loss"], row["val_acc"] = evaluate(model, val, loss)
            row["seconds"] = time.perf_counter() - start
            _show(bar, running, row)
        history.append(row)
        if after_epoch:
            after_epoch(row)
    return history


def evaluate(model, loader, loss=F.cross_entropy):
    """(loss, accuracy) of `model`, both means over the samples of `loader`, in evaluation mode."""
    total = Mean("evaluate: loader")
    for scores, y in _forward(model, loader):
        total.add(loss(scores, y), scores, y)
    return total.loss, total.accuracy


def predict(model, loader):
    """(probabilities (N, K), labels (N,)) of all samples of `loader`, in its order, as NumPy arrays."""
    probabilities, labels = [], []
    for scores, y in _forward(model, loader):
        probabilities.append(to_numpy(F.softmax(scores, 1).array))
        labels.append(to_numpy(y.array))
    if not labels:
        raise ValueError("predict: loader has no samples")
    return np.concatenate(probabilities), np.concatenate(labels)


def _forward(model, loader):
    """(scores, y) of every batch, with the model in evaluation mode and nothing recorded."""
    device = next(model.parameters()).device
    was_training = model.training
    model.eval()
    try:
        for x, y in loader:
            with no_grad():
                scores = model(x.to(device))
            yield scores, y.to(device)
    finally:
        model.train(was_training)


class Mean:
    """The mean loss and accuracy of the batches added so far, each weighted with its samples."""

    def __init__(self, name):
        self.name = name
        self.samples = self.batches = self.correct = 0
        self.total = 0.0

    def add(self, cost, scores, y):
        self.samples += len(y)
        self.batches += 1
        self.total += cost.item() * len(y)
        self.correct += int((scores.array.argmax(1) == y.array).sum())

    @property
    def loss(self):
        return self.total / self._count()

    @property
    def accuracy(self):
        return self.correct / self._count()

    def _count(self):
        if self.samples == 0:
            raise ValueError(f"{self.name} has no samples")
        return self.samples


def _bar(batches, title, wanted):
    """A progress bar on stderr; in a file or pipe it is renewed every ten seconds only."""
    from tqdm import tqdm
    return tqdm(total=batches, desc=title, file=sys.stderr, disable=not wanted,
                mininterval=0.1 if sys.stderr.isatty() else 10,
                bar_format="{desc} {bar:20} {n_fmt}/{total_fmt}, {elapsed}<{remaining}{postfix}")


def _show(bar, running, row):
    """Put the numbers behind the bar; the first ones at once."""
    if bar.disable:
        return
    text = f"loss {running.loss:.4f} acc {100 * running.accuracy:.2f} %"
    if "val_loss" in row:
        text += f" | val loss {row['val_loss']:.4f} acc {100 * row['val_acc']:.2f} %"
    bar.set_postfix_str(text, refresh=running.batches == 1 or "seconds" in row)
