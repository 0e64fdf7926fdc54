"""The loop: forward, loss, backward, step."""
import itertools
import math
import sys

import numpy as np

from ..engine.arrays import CPU, on, to_numpy
from ..engine.checks import check_callable, check_iterable, check_number
from ..engine.grad_mode import no_grad
from ..engine.tensor import Tensor
from ..nn import Module
from ..nn import functional as F
from ..nn.utils import clip_grad_norm_
from ..ops.assemble import cat
from ..ops.creation import zeros_like
from ..optim.optimizer import Optimizer
from ..optim.lr_scheduler import ReduceLROnPlateau
from .mean import Mean
from .ranks import Ranks, Together
from .state import Keeper, State


def fit(model, train, val=None, *, epochs, optimizer, schedule=None, loss=F.cross_entropy, augment=None, mix=None,
        clip_norm=None, accumulate=1, after_step=(), after_epoch=(), checkpoint=None, checkpoint_seconds=60, resume=False,
        settings=None, progress=True):
    """Train `model` on the batches (x, y) of `train` and return the history, a list with one dictionary an epoch.

    - `train`, `val`: loaders; `val`, where given, is looked at after every epoch and never learnt from;
    - `optimizer`: changes the parameters of `model` after every batch;
    - `schedule`: a scheduler of the learning rate, stepped after every *step*: count its times in steps, as in
      `CosineAnnealingLR(optimizer, epochs * len(train))`; ReduceLROnPlateau is stepped after every epoch, with its val_loss;
    - `loss(scores, y)`: what is made small, a mean over the batch;
    - `augment(x)`, `mix(x, y)`: change each training batch at random; `mix` may make y probabilities, as MixUp does;
    - `clip_norm`: shorten the gradient of all parameters together to at most this length;
    - `accumulate`: take one step for so many batches, with the mean of their gradients;
    - `after_step(info)`: called with a dictionary of epoch, batch, loss and lr, while the gradients are still there;
      `after_epoch(history)`: called with the history, for instance to save the model; several in a list. A function that
      returns True ends the training (see `callbacks.py`);
    - `checkpoint`: a file that holds all the training needs to go on, written every `checkpoint_seconds`, after every epoch,
      and on Ctrl-C, SIGTERM or SIGHUP, which then wait for the end of the step. With `resume`, what that file holds is
      continued, bit for bit as if nothing had happened, by a call with arguments built alike; where there is no such file,
      the training begins. ValueError saying what differs where the optimizer has other defaults, or the data are others:
      their number, classes, or the bytes of some samples;
    - `settings`: a dictionary of numbers, strings and lists; they are kept in `checkpoint`, and compared in the same way;
    - `progress`: a progress bar on stderr; where that is no terminal, a line at the end of every epoch.

    On a GPU the steps are queued, and nobody waits for a number before somebody looks at it: the bar when it is drawn, the
    row at the end of the epoch, a checkpoint, `after_step` where it is given. With `pin_memory=True` in the loader the next
    batch is copied there meanwhile.

    On every rank of a process group (`tinycnn.distributed`), with loaders that are `shared`, the history and the weights are
    those that one process would get: rank 0 calls the functions, writes the checkpoint and shows the bar. Batch norm looks
    at a rank's own part only, unless it is a SyncBatchNorm.

    A row holds epoch, train_loss, train_acc (running means over the epoch, while the model changed; `Mean` says of which
    scores and labels there is an accuracy, of others it is NaN), val_loss, val_acc,
    lr (at the start of the epoch) and seconds. Raises FloatingPointError when the loss is no longer a finite number (on a
    GPU: when somebody looks).
    """
    _check_fit(model, train, val, epochs, optimizer, schedule, loss, accumulate, checkpoint_seconds, settings)
    batches, each_epoch = _length(train), isinstance(schedule, ReduceLROnPlateau)
    device, ranks = device_of(model), Ranks(train)
    state = State(ranks, model, optimizer, schedule, train, val,
                  {"accumulate": accumulate, "clip_norm": clip_norm, **(settings or {})})
    keeper = Keeper(checkpoint, state, checkpoint_seconds)
    if checkpoint and resume:
        keeper.resume()
    if ranks.many:
        state.check_alike()
        progress = progress and ranks.first
    with Together(model, ranks) as together, keeper, on(device):
        while state.epoch <= epochs and not state.stopped:
            row, running = state.begin_epoch(optimizer.param_groups[0]["lr"])
            model.train()
            title = f"epoch {state.epoch:{len(str(epochs))}}/{epochs}"
            with _bar(batches, running.batches, title, progress) as bar:
                for batch in train:
                    x, y = pair("fit: train", batch, device)
                    x = augment(x) if augment else x
                    x, y = mix(x, y) if mix else (x, y)
                    first = running.batches - running.batches % accumulate
                    if running.batches == first:
                        optimizer.zero_grad()
                    weight, last = ranks.weight(running.batches), running.batches + 1 in (first + accumulate, batches)
                    with together.part(weight, last) as part:
                        scores = part(x)
                        cost = one_number("fit", loss(scores, y))
                        (cost * (weight / _share(accumulate, first, batches))).backward()
                    if weight:
                        running.add(cost, scores, y, loss)
                    else:
                        running.skip()
                    if device.type == "cpu":
                        _check_finite(running, row)
                    if last:
                        if clip_norm:
                            clip_grad_norm_(model.parameters(), clip_norm)
                        optimizer.step()
                        lr = float(optimizer.param_groups[0]["lr"])
                        if schedule and not each_epoch:
                            schedule.step()
                            ranks.same_rates(optimizer)
                        if after_step and ranks.first:
                            info = dict(epoch=row["epoch"], batch=running.batches, loss=cost.item(), lr=lr)
                            state.stopped |= _call(after_step, info)
                        state.stopped, keeper.interrupted, due = ranks.agree(state.stopped, keeper.interrupted, keeper.due)
                        if not state.stopped and (due or keeper.interrupted):
                            keeper.save()
                    if bar.update() or device.type == "cpu":
                        _show(bar, running, row)
                    if state.stopped:
                        break
                _check_finite(running, row)
                running = ranks.total(running)
                row["train_loss"], row["train_acc"] = running.loss, running.accuracy
                together.send_buffers()
                if val is not None:
                    row["val_loss"], row["val_acc"] = evaluate(model, val, loss)
                state.count_time()
                _show(bar, running, row)
            if progress:
                _tell(title, running, row)
            state.end_epoch()
            if each_epoch:
                schedule.step(row["val_loss"])
            state.stopped |= ranks.first and _call(after_epoch, state.history)
            state.stopped, keeper.interrupted = ranks.agree(state.stopped, keeper.interrupted)
            keeper.save()
    return state.history


def _check_fit(model, train, val, epochs, optimizer, schedule, loss, accumulate, checkpoint_seconds, settings):
    """Raise TypeError or ValueError for the first argument of `fit` that it cannot work with."""
    check_network("fit", model)
    check_iterable("fit", train=train)
    check_callable("fit", loss=loss)
    if val is not None:
        check_iterable("fit", val=val)
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"fit: optimizer must be an optimizer of tinycnn.optim, got {type(optimizer).__name__}")
    if not isinstance(epochs, (int, np.integer)) or epochs < 0:
        raise ValueError(f"fit: epochs must be a whole number of at least 0, got {epochs!r}")
    if not isinstance(settings or {}, dict):
        raise TypeError(f"fit: settings must be a dictionary, got {type(settings).__name__}")
    check_number("fit", accumulate=accumulate, checkpoint_seconds=checkpoint_seconds)
    if accumulate < 1:
        raise ValueError(f"fit: accumulate must be at least 1 batch, got {accumulate}")
    if accumulate > 1 and _length(train) is None:
        raise ValueError(f"fit: accumulate={accumulate} needs a train loader with a length, because the last step of an "
                         "epoch takes the batches that are left")
    if isinstance(schedule, ReduceLROnPlateau) and val is None:
        raise ValueError("fit: ReduceLROnPlateau follows the validation loss, so val must be given; or leave out schedule "
                         "and step it in after_epoch")


def evaluate(model, loader, loss=F.cross_entropy):
    """(loss, accuracy) of `model`, means over the samples of `loader`, in evaluation mode; `Mean` says what is accurate."""
    check_network("evaluate", model)
    check_iterable("evaluate", loader=loader)
    check_callable("evaluate", loss=loss)
    total, ranks = Mean("evaluate: loader"), Ranks(loader)
    for number, (scores, y) in enumerate(_forward("evaluate: loader", model, loader, model)):
        if ranks.weight(number):
            total.add(one_number("evaluate", loss(scores, y)), scores, y, loss)
    total = ranks.total(total)
    return total.loss, total.accuracy


def predict(model, loader, mirror=False):
    """(probabilities (N, K), labels (N,)) of all samples of `loader`, in its order, as NumPy arrays.

    Of scores for every pixel they are (N, K, H, W) and (N, H, W); of one logit a sample, (N,) or (N, 1), the probabilities
    of the classes 0 and 1. With `mirror`, each is the mean of those of the picture (C, H, W) and of its mirror image.
    """
    check_network("predict", model)
    check_iterable("predict", loader=loader)
    if not isinstance(mirror, bool):
        raise TypeError(f"predict: mirror must be True or False, got {type(mirror).__name__}")
    probabilities, labels = [], []

    def shares_of(x):
        scores = model(x)
        scores = scores[:, None] if scores.ndim == 1 else scores
        if scores.shape[1] == 1:  # softmax(0, s) = 1 - sigmoid(s), sigmoid(s)
            scores = cat([zeros_like(scores), scores], 1)
        return F.softmax(scores, 1)

    def answer(x):
        shares = shares_of(x)
        if not mirror:
            return shares
        mirrored = shares_of(x.flip(-1))
        return (shares + (mirrored.flip(-1) if mirrored.ndim == 4 else mirrored)) / 2

    for shares, y in _forward("predict: loader", model, loader, answer):
        probabilities.append(to_numpy(shares.array))
        labels.append(to_numpy(y.array))
    if not labels:
        raise ValueError("predict: loader has no samples")
    return np.concatenate(probabilities), np.concatenate(labels)


def check_network(function, model):
    """Raise TypeError naming `function` where `model` is no network."""
    if not isinstance(model, Module):
        raise TypeError(f"{function}: model must be a tinycnn.nn.Module, got {type(model).__name__}")


def device_of(model):
    """The device of the weights of `model`; the CPU where it has none."""
    return next((t.device for t in itertools.chain(model.parameters(), model.buffers())), CPU)


def pair(function, batch, device):
    """The tensors x and y of a batch, on `device`."""
    if not isinstance(batch, (tuple, list)) or len(batch) != 2 or not all(isinstance(part, Tensor) for part in batch):
        kinds = f" of {', '.join(type(part).__name__ for part in batch)}" if isinstance(batch, (tuple, list)) else ""
        raise TypeError(f"{function} must give batches (x, y) of two tensors, got a {type(batch).__name__}{kinds}")
    return [part.to(device, non_blocking=True) for part in batch]


def one_number(function, cost):
    """The loss of a batch, which must be one number."""
    if not isinstance(cost, Tensor) or cost.numel() != 1:
        found = f"a tensor of shape {cost.shape}" if isinstance(cost, Tensor) else type(cost).__name__
        raise ValueError(f"{function}: loss(scores, y) must be one number, the mean over the batch, got {found}")
    return cost.reshape(())


def _length(loader):
    """How many batches a pass has, None where nobody knows."""
    try:
        return len(loader)
    except (NotImplementedError, TypeError):
        return None


def _share(accumulate, first, batches):
    """How many batches the step that begins with batch `first` takes: what is left of `batches`, where that is right."""
    return min(accumulate, batches - first) if batches and batches > first else accumulate


def _forward(what, model, loader, function):
    """(function(x), y) of every batch, with the model in evaluation mode and nothing recorded."""
    device = device_of(model)
    was_training = model.training
    model.eval()
    try:
        with on(device):
            for batch in loader:
                x, y = pair(what, batch, device)
                with no_grad():
                    result = function(x)
                yield result, y
    finally:
        model.train(was_training)


def _call(functions, argument):
    """Call one function, or each of several; whether any returned True."""
    functions = [functions] if callable(functions) else functions
    return any([function(argument) is True for function in functions])


def _check_finite(running, row):
    total = float(running.total)
    if not math.isfinite(total):
        raise FloatingPointError(f"fit: the loss became {total} in batch {running.batches} of epoch {row['epoch']}: lower "
                                 "the learning rate, or find the operation with detect_anomaly")


def _bar(batches, done, title, wanted):
    """A progress bar on stderr, where that is a terminal."""
    from tqdm import tqdm
    return tqdm(total=batches, initial=done, desc=title, file=sys.stderr, disable=not wanted or not sys.stderr.isatty(),
                unit=" batches",
                bar_format="{desc} {bar:20} {n_fmt}/{total_fmt}, {rate_fmt}, {elapsed}<{remaining}{postfix}")


def _tell(title, running, row):
    """The numbers of an epoch in a line, on a stderr that is a file, a pipe or a notebook."""
    if not sys.stderr.isatty():
        print(f"{title} {_text(running, row)}", file=sys.stderr, flush=True)


def _show(bar, running, row):
    """Put the numbers behind the bar; the first ones at once."""
    if bar.disable:
        return
    bar.set_postfix_str(_text(running, row), refresh=running.batches == 1 or "train_loss" in row)


def _text(running, row):
    text = _numbers(running.loss, running.accuracy)
    return text + (f" | val {_numbers(row['val_loss'], row['val_acc'])}" if "val_loss" in row else "")


def _numbers(loss, accuracy):
    """Loss and, where there is one, accuracy."""
    return f"loss {loss:.4f}" + ("" if math.isnan(accuracy) else f" acc {100 * accuracy:.2f} %")
