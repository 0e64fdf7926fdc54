"""`tinycnn exercises demo NAME`: a small network learns handwritten digits with the student's function inside.

The operation of the library gets the student's function in the place of its own forward or backward, in the way in which the
gradient checker's registry plants its mutants, and everything else stays the library's. A second network with the library's
own function starts from the same weights and sees the same pictures, so that the two can be compared. This runs the
student's file in this process: it is meant for one's own.
"""
import contextlib
import types
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, NamedTuple

import numpy as np

from .. import manual_seed, nn, optim
from ..data import Digits
from ..gradcheck.registry import swapped
from ..engine.grad_mode import no_grad
from ..nn import functional as F
from ..ops.attention import Attention
from ..ops.conv import Conv
from ..ops.dropout import Dropout
from ..ops.matmul import Linear
from ..ops.norm import Normalize
from ..ops.pool_average import AvgPool
from ..ops.pool_max import MaxPool
from ..ops.rectifier import ReLU
from ..ops.softmax import CrossEntropy
from ..engine.construct import tensor
from ..viz.style import BLUE, ORANGE, logarithmic, new_figure, tidy, whole_numbers
from . import wire
from .course import load
from .notebook import source_of
from .student import raised

EPOCHS, BATCH, RATE = 8, 64, 0.1
HIGHEST = 30.0     # a larger loss is drawn as this one


@dataclass
class Demo:
    """What a demo trains, and where the student's functions go; all but `net` may be left out.

    `swaps(student)` gives (Function, forward, backward) with plain functions of arrays, None for the library's own;
    `update(student)` a function (weights, gradients, step) -> weights; `rate(student)` one of the step and all steps;
    `start(student, net)` sets the weights, `batch(student)` changes pictures; `other` names what it is compared with.
    """
    net: Callable
    swaps: Callable = lambda student: ()
    update: Callable = None
    optimizer: Callable = None
    rate: Callable = None
    start: Callable = None
    batch: Callable = None
    other: str = "with the library's own"


class Training(NamedTuple):
    """What a training came to: accuracy on the test pictures, the loss of each step, and the accuracy of each epoch."""
    accuracy: float
    losses: list
    accuracies: list


# ---- networks ---------------------------------------------------------------------------------------------------------

def _mlp():
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))


def _deep():
    hidden = [layer for _ in range(6) for layer in (nn.Linear(64, 64), nn.ReLU())]
    return nn.Sequential(nn.Flatten(), *hidden, nn.Linear(64, 10))


def _cnn(pool=None, norm=None, features=8 * 3 * 3, **conv):
    return nn.Sequential(nn.Conv2d(1, 8, 3, **conv), *([norm] if norm else []), nn.ReLU(), pool or nn.MaxPool2d(2),
                         nn.Flatten(), nn.Linear(features, 10))


class _Rows(nn.Module):
    """A network in which the eight rows of a picture look at each other."""

    def __init__(self):
        super().__init__()
        self.enter, self.out = nn.Linear(8, 24), nn.Linear(64, 10)

    def forward(self, x):
        q, k, v = self.enter(x[:, 0]).chunk(3, -1)
        return self.out(F.scaled_dot_product_attention(q, k, v).reshape(len(x), 64))


# ---- the student's functions in the place of operations -----------------------------------------------------------------

def _conv(s, *options):
    return Conv, lambda x, w, b, *_, **__: s.conv2d(x, w, b, *options), None


def _conv_both(s, *options):
    return Conv, lambda x, w, b, *_, **__: s.conv2d(x, w, b, *options), (
        lambda dy, x, w, b, *_, **__: s.conv2d_backward(dy, x, w, b, *options))


def _batch_norm(s):
    def forward(x, w, b, axes, along, eps, statistics):
        mean, var = map(np.ravel, statistics)
        return s.batch_norm(x, w, b, mean, var, bool(axes), 0.1, eps)[0]
    return Normalize, forward, None


def _batch_norm_backward(s):
    return Normalize, None, lambda dy, x, w, b, *_, eps, **__: s.batch_norm_backward(dy, x, w, b, eps)


def _layer_norm(s):
    return (Normalize, lambda x, w, b, *_, eps, **__: s.layer_norm(x, w, b, eps),
            lambda dy, x, w, b, *_, eps, **__: s.layer_norm_backward(dy, x, w, b, eps))


def _cross_entropy(s):
    def forward(x, y, axis):
        return -(s.log_softmax(x) * y).sum(axis)

    def backward(dl, x, y, axis):
        return s.cross_entropy_backward(dl.sum(), x, y.argmax(1)), None
    return CrossEntropy, forward, backward


def _dropout(s):
    def forward(x, keep, scale):
        return s.dropout(x, keep.astype(x.dtype), 1 - 1 / scale, True)

    def backward(dy, x, keep, scale):
        return s.dropout_backward(dy, np.broadcast_to(keep, dy.shape).astype(dy.dtype), 1 - 1 / scale, True), None
    return Dropout, forward, backward


def _attention(s):
    return (Attention, lambda q, k, v, *_, **__: s.attention(q, k, v),
            lambda dy, q, k, v, *_, **__: (*s.attention_backward(dy, q, k, v),))


# ---- the student's functions beside the network -------------------------------------------------------------------------

def _momentum(s):
    def update(w, dw, v, t):
        w, v = s.momentum(w, dw, 0 * w if v is None else v, RATE / 2, 0.9)
        return w, v
    return update


def _rmsprop(s):
    return lambda w, dw, v, t: s.rmsprop(w, dw, 0 * w if v is None else v, 0.003, 0.9, 1e-8)


def _adam(s):
    def update(w, dw, v, t):
        m, v = v or (0 * w, 0 * w)
        w, m, v = s.adam(w, dw, m, v, t, 0.01, 0.9, 0.999, 1e-8)
        return w, (m, v)
    return update


def _he(s, net):
    rng = np.random.default_rng(0)
    for layer in net:
        if isinstance(layer, nn.Linear):
            z = rng.standard_normal(layer.weight.shape)
            layer.weight.array = np.asarray(s.he_normal(z)).astype(np.float32)
            layer.bias.array = np.zeros_like(layer.bias.array)


DEMOS = {
    "linear": Demo(_mlp, lambda s: [(Linear, s.linear_forward, s.linear_backward)]),
    "activations": Demo(_mlp, lambda s: [(ReLU, s.relu, s.relu_backward)]),
    "softmax_cross_entropy": Demo(_mlp, lambda s: [_cross_entropy(s)]),
    "momentum": Demo(_mlp, update=_momentum, optimizer=lambda p: optim.SGD(p, RATE / 2, momentum=0.9)),
    "adaptive_rates": Demo(_mlp, update=_rmsprop, optimizer=lambda p: optim.RMSprop(p, 0.003, alpha=0.9)),
    "adam": Demo(_mlp, update=_adam, optimizer=lambda p: optim.Adam(p, 0.01)),
    "initialisation": Demo(_deep, start=_he, optimizer=lambda p: optim.SGD(p, RATE / 4, momentum=0.9),
                           other="with weights between -0.01 and 0.01"),
    "im2col": Demo(_cnn, lambda s: [_conv(s, 1, 0)]),
    "conv_forward": Demo(_cnn, lambda s: [_conv(s)]),
    "conv_backward": Demo(_cnn, lambda s: [(Conv, None, lambda dy, x, w, b, *_, **__: s.conv2d_backward(dy, x, w, b))]),
    "conv_stride_padding": Demo(lambda: _cnn(stride=2, padding=1, features=8 * 2 * 2), lambda s: [_conv_both(s, 2, 1)]),
    "max_pool": Demo(_cnn, lambda s: [(MaxPool, lambda x, *_, **__: s.max_pool(x, 2, 2),
                                       lambda dy, x, *_, **__: (s.max_pool_backward(dy, x, 2, 2),))]),
    "pool_ties_split": Demo(_cnn, lambda s: [
        (MaxPool, None, lambda dy, x, *_, **__: (s.max_pool_backward(dy, x, 2, 2),))]),
    "average_pool": Demo(lambda: _cnn(nn.AvgPool2d(2)), lambda s: [
        (AvgPool, lambda x, *_, **__: s.average_pool(x, 2, 2, 0),
         lambda dy, x, *_, **__: (s.average_pool_backward(dy, x, 2, 2, 0),))]),
    "batch_norm": Demo(lambda: _cnn(norm=nn.BatchNorm2d(8)), lambda s: [_batch_norm(s)]),
    "batch_norm_backward": Demo(lambda: _cnn(norm=nn.BatchNorm2d(8)), lambda s: [_batch_norm_backward(s)]),
    "layer_norm": Demo(lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.LayerNorm(32), nn.ReLU(),
                                             nn.Linear(32, 10)), lambda s: [_layer_norm(s)]),
    "dropout": Demo(lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Dropout(0.3),
                                          nn.Linear(64, 10)), lambda s: [_dropout(s)]),
    "augmentation": Demo(_cnn, batch=lambda s: lambda x, rng: s.random_crop(x, rng.integers(0, 3, (len(x), 2)), 1),
                         other="without it"),
    "attention": Demo(_Rows, lambda s: [_attention(s)]),
    "learning_rate_schedule": Demo(
        _mlp, rate=lambda s: lambda t, steps: s.warmup_cosine(t, steps, steps // 8, 5 * RATE, 0.0),
        other="with a constant rate"),
}


# ---- training -----------------------------------------------------------------------------------------------------------

def demo(name, path=None, picture=None, seed=0):
    """Train with the student's file `path` (default: name.py), and write the two curves to `picture` (default: name.png).

    Returns {"yours": Training, "other": Training}; None where there is no demo for the exercise. Raises RuntimeError
    where the student's code fails, OSError where there is no file.
    """
    load(name)
    if name not in DEMOS:
        return None
    path = Path(path or f"{name}.py")
    student = types.ModuleType("submission")
    source = source_of(path.read_bytes(), path)
    try:
        wire.execute(source, str(path), student.__dict__)
        results = {who: _train(DEMOS[name], whose, seed) for who, whose in (("other", None), ("yours", student))}
    except Exception as error:  # of the student's code: told as in a check
        fault = wire.fault(error, str(path))
        raise RuntimeError(f"demo: {raised(fault, fault['function'] or str(path))}") from error
    _draw(name, results, Path(picture or f"{name}.png"))
    return results


def _train(demo, student, seed):
    """The Training, with the library's own functions where there is no `student`."""
    manual_seed(seed)
    rng = np.random.default_rng(seed)
    net, (x, labels), test = demo.net(), _pictures("train"), _pictures("test")
    if demo.start:
        demo.start(student or types.SimpleNamespace(he_normal=lambda z: 0.01 * np.clip(z, -1, 1)), net)
    weights = list(net.parameters())
    epoch, losses, accuracies, memory = len(x) // BATCH, [], [], [None] * len(weights)
    steps = EPOCHS * epoch
    update = demo.update(student) if student and demo.update else None
    rate = demo.rate(student) if student and demo.rate else None
    change = demo.batch(student) if student and demo.batch else None
    optimizer = (demo.optimizer or (lambda p: optim.SGD(p, RATE, momentum=0.9)))(weights)
    with contextlib.ExitStack() as stack:
        for swap in demo.swaps(student) if student else ():
            stack.enter_context(_swapped(*swap))
        for step in range(steps):
            if step % epoch == 0:
                order = rng.permutation(len(x))
            chosen = order[step % epoch * BATCH:][:BATCH]
            batch = x[chosen] if change is None else np.asarray(change(x[chosen], rng), np.float32)
            loss = F.cross_entropy(net(tensor(batch)), tensor(labels[chosen]))
            optimizer.zero_grad()
            loss.backward()
            if rate:
                optimizer.param_groups[0]["lr"] = rate(step, steps)
            if update:
                for i, w in enumerate(weights):
                    new, memory[i] = update(w.array, w.grad.array, memory[i], step + 1)
                    w.array = np.asarray(new, np.float32)
            else:
                optimizer.step()
            losses.append(loss.item())
            if (step + 1) % epoch == 0:
                accuracies.append(_accuracy(net, *test))
    return Training(accuracies[-1], losses, accuracies)


def _accuracy(net, x, labels):
    """The share of pictures whose digit `net` names, in use."""
    net.eval()
    with no_grad():
        right = net(tensor(x)).array.argmax(1) == labels
    net.train()
    return float(right.mean())


def _swapped(function, forward, backward):
    """`function` with plain functions of arrays, `forward(*inputs)` and `backward(dy, *inputs)`, None for its own."""
    def go(right, ctx, *inputs, **options):
        y = right(ctx, *inputs, **options)
        ctx.given = inputs, options
        return y if forward is None else np.asarray(forward(*inputs, **options), y.dtype)

    def back(right, ctx, dy):
        if backward is None:
            return right(ctx, dy)
        inputs, options = ctx.given
        found = backward(dy, *inputs, **options)
        found = found if isinstance(found, (tuple, list)) else (found,)
        return tuple(None if g is None else np.array(g, dy.dtype) for g in found)
    return swapped(function, forward=go, backward=back)


def _pictures(split):
    digits = Digits(split)
    return (digits.data / 16.0 - 0.3).astype(np.float32), np.asarray(digits.targets)


def _draw(name, results, picture):
    """The loss of every step and the accuracy of every epoch; the broad line lies below, where it stays to be seen."""
    figure = new_figure(9, 3.9)
    left, right = figure.subplots(1, 2)
    for who, label, line in (("other", DEMOS[name].other, dict(color=ORANGE, lw=6, alpha=0.4, solid_capstyle="butt")),
                             ("yours", "with your function", dict(color=BLUE, lw=1.5))):
        run = results[who]
        smooth = np.minimum(np.convolve(run.losses, np.ones(5) / 5, "valid"), HIGHEST)
        left.plot(np.arange(len(smooth)) + 3, smooth, **line)
        right.plot(range(1, len(run.accuracies) + 1), [100 * a for a in run.accuracies], **line, marker="o",
                   ms=9 if who == "other" else 4, label=f"{label}: {run.accuracy:.1%}")
    left.set(xlabel="step", ylabel="training loss (mean of 5 steps)")
    logarithmic(left)
    right.set(xlabel="epoch", ylabel="test digits named rightly (%)")
    whole_numbers(right)
    for axes in (left, right):
        axes.grid(True, color="#E4E4E4", lw=0.7)
        tidy(axes)
    figure.legend(*right.get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    figure.suptitle(load(name).title, fontsize=11)
    figure.savefig(picture)


__all__ = ["DEMOS", "demo"]
