"""Softmax and cross-entropy on a GPU: a warp for every row, one launch each."""
import math

import numpy as np

from ..engine.arrays import array_module, is_array
from ..ops import softmax as formulas
from ..ops.softmax import CrossEntropy, LogSoftmax, Softmax
from .launch import DTYPES, launch, like, serves, threads, warps


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


# ---- the roads -------------------------------------------------------------------------------------------------------

def in_rows(ctx, x, axis):
    """An array on a GPU, summed along its last axis."""
    return axis in (-1, x.ndim - 1) and serves(x)


def gradient_in_rows(ctx, dy):
    """The gradient of such an array."""
    return ctx.axis in (-1, dy.ndim - 1) and serves(dy)


@Softmax.forward.road(in_rows)
def softmax_in_rows(ctx, x, axis):
    """In one launch."""
    ctx.axis, p = axis, softmax(x)
    ctx.save_for_backward(p)
    return p


@Softmax.backward.road(gradient_in_rows)
def softmax_in_rows_backward(ctx, dp):
    """In one launch."""
    return softmax_backward(dp, *ctx.saved_tensors)


@LogSoftmax.forward.road(in_rows)
def log_softmax_in_rows(ctx, x, axis):
    """In one launch."""
    ctx.axis, logp = axis, log_softmax(x)
    ctx.save_for_backward(logp)
    return logp


def scores_in_rows(ctx, x, y, axis):
    """Scores on a GPU, one row for each target."""
    return in_rows(ctx, x, axis)


@CrossEntropy.forward.road(scores_in_rows)
def cross_entropy_in_rows(ctx, x, y, axis):
    """In one launch."""
    ctx.axis = axis
    logp, loss = cross_entropy(x, y)
    ctx.save_for_backward(logp, y)
    return loss


def losses_of_rows(ctx, dl):
    """The gradient of their losses."""
    return ctx.axis in (-1, dl.ndim) and serves(dl)


@CrossEntropy.backward.road(losses_of_rows)
def cross_entropy_in_rows_backward(ctx, dl):
    """In one launch."""
    logp, y = ctx.saved_tensors
    dy = -array_module(dl).expand_dims(dl, ctx.axis) * logp if ctx.needs_input_grad[1] else None
    return cross_entropy_backward(dl, logp, y), dy


def labels_on_gpu(labels, shape, axis, weight, dtype, ignored, smoothing):
    """Labels on a GPU."""
    return (type(labels) is not np.ndarray and is_array(labels) and math.prod(shape) > 0 and dtype in DTYPES
            and hasattr(array_module(labels), "RawModule"))


@formulas.targets.road(labels_on_gpu)
def targets_on_gpu(labels, shape, axis, weight, dtype, ignored, smoothing):
    """In one launch."""
    xp = array_module(labels)
    y, counts = xp.empty(shape, dtype), xp.empty(labels.shape, dtype)
    (weight,), labels = like(y, weight), xp.ascontiguousarray(labels, np.int64)
    launch("softmax", "one_hot", xp, y.dtype, threads(y.size), labels, weight, y, counts, y.size, shape[axis],
           math.prod(shape[axis + 1:]), int(ignored), float(smoothing))
    return y, counts.sum()
