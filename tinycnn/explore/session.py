"""One reader's network: it runs on a picture, learns, forgets again, and may be broken on purpose."""
import contextlib
import copy
import time

import numpy as np

from ..engine.formula import plainly
from ..engine.grad_mode import no_grad
from ..engine.tensor import wrap
from ..gradcheck import registry
from ..gradcheck.checker import check_case
from ..nn import functional as F
from .record import record

BATCH = 32
UNDO = 10           # steps that can be taken back
H = 1e-5            # of finite differences
MOST = 200          # batches that one question may train on
SECONDS = 10        # that it may take, but for the batch that is at work then


class Session:
    """A copy of the subject's network, the picture it looks at and the class that it is told to see.

    All is computed plainly (no road is taken), in float64 and in evaluation mode: dropout passes everything, and batch norm
    keeps to its running statistics, so that each picture has a gradient of its own. ValueError for numbers that make no
    sense.
    """

    def __init__(self, subject):
        self.subject, self.model = subject, copy.deepcopy(subject.model).double().eval()
        self.pixels, self.label, self.mutant, self.before, self.seen = None, 0, None, [], 0
        registry.load()

    # ---- looking ----
    def look(self, pixels, label=None):
        """The Record for pixels (C, H, W) from 0 to the scale of the format; without a label, that of the best score."""
        format = self.subject.format
        shape = (format.channels, *format.size)
        pixels = np.asarray(pixels, np.float64)
        if pixels.size != np.prod(shape) or not np.isfinite(pixels).all():
            raise ValueError(f"look: a picture must be {np.prod(shape):,} finite numbers, {shape}, got {pixels.size:,}")
        self.pixels = pixels.reshape(shape).clip(0, format.scale)
        with plainly(), no_grad():
            scores = self.model(self._normalised(self.pixels[None])).array[0]
        self.label = int(scores.argmax()) if label is None else self._class(label, len(scores))
        return self.record()

    def record(self):
        """The Record of the present picture and label, by the backward that is switched on."""
        with plainly(), self._broken():
            return record(self.model, self._normalised(self.pixels[None]), self.label, _loss)

    def difference(self, name, index):
        """dL / d(entry `index` of the parameter `name`, or of the picture where name is None), by finite differences.

        (L(v + h) - L(v - h)) / 2 h, with L the loss for the present picture; only forward passes are made.
        """
        x = self._normalised(self.pixels[None])
        parameters = dict(self.model.named_parameters())
        if name is not None and name not in parameters:
            raise ValueError(f"difference: the network has no parameter {name!r}")
        array = x.array if name is None else parameters[name].array
        if not isinstance(index, int) or not 0 <= index < array.size:
            raise ValueError(f"difference: index must lie in 0 to {array.size - 1}, got {index!r}")
        place = np.unravel_index(index, array.shape)
        value, losses = array[place], []
        for v in (value + H, value - H):
            array[place] = v
            losses.append(self._loss_of(x, [self.label]))
        array[place] = value
        return (losses[0] - losses[1]) / (2 * H)

    # ---- learning ----
    def step(self, lr, on_batch=False):
        """(loss before, loss after) one step w - lr dw, on the present picture or the next batch of pictures to learn."""
        x, labels = self._batch() if on_batch else (self._normalised(self.pixels[None]), [self.label])
        self._keep()
        before = self._descend(x, labels, _rate(lr))
        return before, self._loss_of(x, labels)

    def train(self, lr, batches):
        """The loss of each of `batches` batches, each of which is learnt from; of fewer where they take long."""
        self._keep()
        losses, end = [], time.monotonic() + SECONDS
        while len(losses) < _count(batches) and (not losses or time.monotonic() < end):
            losses.append(self._descend(*self._batch(), _rate(lr)))
        return losses

    def undo(self):
        """Take the last step or training back; False where there is none."""
        if not self.before:
            return False
        state, self.seen = self.before.pop()
        for p, array in zip(self.model.parameters(), state):
            p.array[...] = array
        return True

    # ---- breaking ----
    def mutants(self, names):
        """[(operation, name of the mutant)] for the operations of these names."""
        return [(m.function.__name__, m.name) for m in registry.MUTANTS if m.function.__name__ in names]

    def switch(self, function, name):
        """Compute backward with this mutant from now on, or rightly where `name` is None."""
        found = [m for m in registry.MUTANTS if (m.function.__name__, m.name) == (function, name)]
        if name is not None and not found:
            raise ValueError(f"switch: there is no mutant {name!r} of {function!r}")
        self.mutant = found[0] if name is not None else None

    def verdict(self):
        """What the gradient checker says of the mutant that is switched on: the report on the first case that it fails."""
        with self._broken():
            for case in registry.cases_of(self.mutant.function):
                report = check_case(case, partly=False)
                if not report:
                    return str(report)
        return "The checker finds nothing wrong."

    def race(self, lr, batches):
        """(the losses of a training by the right backward, those by the mutant), from the present weights, which stay."""
        losses, mutant = [], self.mutant
        for self.mutant in (None, mutant):
            losses.append(self.train(lr, batches))
            self.undo()
        return [run[:min(map(len, losses))] for run in losses]

    # ---- what they share ----
    def _normalised(self, pixels):
        """Pixels (N, C, H, W) as the network sees them, in float64."""
        format = self.subject.format
        mean, std = (np.asarray(v, np.float64).reshape(-1, 1, 1) for v in (format.mean, format.std))
        return wrap((pixels / format.scale - mean) / std)

    def _batch(self):
        if self.subject.learnt is None:
            raise ValueError(f"train: there are no pictures to learn from. {self.subject.missing}")
        pictures, labels = self.subject.learnt
        places = (self.seen + np.arange(BATCH)) % len(pictures)
        self.seen += BATCH
        return self._normalised(pictures[places]), labels[places].tolist()

    def _loss_of(self, x, labels):
        with plainly(), no_grad():
            return _loss(self.model(x), labels).item()

    def _descend(self, x, labels, lr):
        """One step of gradient descent; the loss before it."""
        self.model.zero_grad()
        with plainly(), self._broken():
            loss = _loss(self.model(x), labels)
            loss.backward()
        for p in self.model.parameters():
            if p.grad is not None:
                p.array -= lr * p.grad.array
        return loss.item()

    def _keep(self):
        self.before.append(([p.array.copy() for p in self.model.parameters()], self.seen))
        del self.before[:-UNDO]

    def _broken(self):
        return registry.mutated(self.mutant) if self.mutant else contextlib.nullcontext()

    def _class(self, label, count):
        if not isinstance(label, int) or not 0 <= label < count:
            raise ValueError(f"look: label must lie in 0 to {count - 1}, got {label!r}")
        return label


def _loss(scores, label):
    return F.cross_entropy(scores, wrap(np.asarray(label).reshape(-1)))


def _rate(lr):
    if not isinstance(lr, (int, float)) or not 0 < lr <= 100:
        raise ValueError(f"step: lr must lie above 0 and be at most 100, got {lr!r}")
    return lr


def _count(batches):
    if not isinstance(batches, int) or not 1 <= batches <= MOST:
        raise ValueError(f"train: batches must lie in 1 to {MOST}, got {batches!r}")
    return batches
