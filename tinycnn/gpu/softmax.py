"""Softmax and cross-entropy on a GPU: a warp for every row, one launch each."""
import math

import numpy as np

from ..engine.arrays import array_module
from .launch import launch, like, threads, warps


def _rows(name, x, *arrays, options=()):
    """Run a kernel with a warp for every row; the result is shaped like x."""
    xp, y, rows = array_module(x), array_module(x).empty(x.shape, x.dtype), x.size // x.shape[-1]
    launch("softmax", name, xp, x.dtype, warps(rows), *like(x, x, *arrays), y, rows, x.shape[-1], *options)
    return y


def softmax(x, zeros=False):
    """p = e^x / sum e^x; with `zeros`, 0 in a row where every x is -inf."""
    return _rows("softmax", x, options=(zeros,))


def log_softmax(x):
    """log p."""
    return _rows("log_softmax", x)


def softmax_backward(dp, p):
    """p (dp - sum dp p)."""
    return _rows("softmax_backward", dp, p)


def one_hot(labels, shape, axis, weight, dtype, ignored, smoothing):
    """Targets y of `shape` from labels (y's shape without `axis`), and how much each label counts."""
    xp = array_module(labels)
    y, counts = xp.empty(shape, dtype), xp.empty(labels.shape, dtype)
    (weight,), labels = like(y, weight), xp.ascontiguousarray(labels, np.int64)
    launch("softmax", "one_hot", xp, y.dtype, threads(y.size), labels, weight, y, counts, y.size, shape[axis],
           math.prod(shape[axis + 1:]), int(ignored), float(smoothing))
    return y, counts


def cross_entropy(x, y):
    """log p, and -sum y log p of every row."""
    (x, y), xp = like(x, x, y), array_module(x)
    logp, l = xp.empty(x.shape, x.dtype), xp.empty(x.shape[:-1], x.dtype)
    launch("softmax", "cross_entropy", xp, x.dtype, warps(l.size), x, y, logp, l, l.size, x.shape[-1])
    return logp, l


def cross_entropy_backward(dl, logp, y):
    """dl (p sum y - y), with a dl for every row."""
    xp, dx = array_module(logp), array_module(logp).empty(logp.shape, logp.dtype)
    launch("softmax", "cross_entropy_backward", xp, logp.dtype, warps(dl.size), *like(logp, dl, logp, y), dx, dl.size,
           logp.shape[-1])
    return dx
