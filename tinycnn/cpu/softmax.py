"""Softmax, its logarithm and cross-entropy in loops over rows, where Numba is installed.

A row is what lies along the axis, brought to the end; behind a convolution it lies there already. Exponentials are computed
of about a thousand numbers at once, many rows where they are short, so that vector instructions are full. Measured on one
thread, both ways, the time of the formula is divided by 3.0 for rows of 16, 2.8 for 65, 2.1 for 1000, and by 2.1 for the
cross-entropy of 1000 classes; for two classes it is better than a loop.
"""
import math

import numpy as np

from ..ops import softmax as formulas
from ..ops.softmax import CrossEntropy, LogSoftmax, Softmax
from .compiled import exactly, missing
from .elementwise import exp, narrow
from .layout import contiguous
from .serving import compiled_floats
from .sums import dot, total
from .workers import parallel

BLOCK = 1024  # numbers whose exponentials are computed at once
LEAST = 8     # numbers in a row from which a loop is worth it


# ---- parts of the loops ----------------------------------------------------------------------------------------------

@exactly
def in_order(bits):
    """A number's bits as an integer that is in order with the number, and back: negative ones are in order backwards."""
    return bits ^ ((bits >> np.int32(31)) & np.int32(2**31 - 1))


@exactly
def highest(x, n):
    """The largest number of row n, but at least -3e38, as -inf - -inf would be NaN. Integers LLVM compares many at once."""
    top = x.dtype.type(-3e38)
    if narrow(top):
        bits, most = x.view(np.int32), np.int32(-2**31)
        for i in range(x.shape[1]):
            most = max(most, in_order(bits[n, i]))
        return max(np.int32(in_order(most)).view(np.float32), top)
    for i in range(x.shape[1]):
        top = max(top, x[n, i])
    return top


@exactly
def shift(x, y):
    """y = x - max x, row by row."""
    for n in range(len(x)):
        top = highest(x, n)
        for i in range(x.shape[1]):
            y[n, i] = x[n, i] - top


@exactly
def exponentials(x, y):
    """y = e^x, for x <= 0."""
    x, y = x.reshape(-1), y.reshape(-1)
    for i in range(x.size):
        y[i] = exp(x[i])


@exactly
def step(x):
    """How many rows of x make a block."""
    return max(1, BLOCK // x.shape[1])


# ---- the loops, as the formulas of `ops/softmax.py` ------------------------------------------------------------------

@exactly
def softmax(x, p, of_nothing):
    """p; a row of -inf, which sums up to 0, is multiplied by `of_nothing`."""
    room = np.empty((step(x), x.shape[1]), x.dtype)
    for first in range(0, len(x), step(x)):
        block = p[first:first + step(x)]
        z = room[:len(block)]
        shift(x[first:first + step(x)], z)
        exponentials(z, block)
        for n in range(len(block)):
            whole = total(block[n])
            share = x.dtype.type(1 / whole if whole != 0 else of_nothing)
            for i in range(x.shape[1]):
                block[n, i] *= share


@exactly
def softmax_gradient(dp, p, dx):
    for n in range(len(p)):
        mean = p.dtype.type(dot(dp[n], p[n]))
        for i in range(p.shape[1]):
            dx[n, i] = p[n, i] * (dp[n, i] - mean)


@exactly
def log_softmax(x, logp):
    room = np.empty((step(x), x.shape[1]), x.dtype)
    for first in range(0, len(x), step(x)):
        block = logp[first:first + step(x)]
        p = room[:len(block)]
        shift(x[first:first + step(x)], block)
        exponentials(block, p)
        for n in range(len(block)):
            log = x.dtype.type(math.log(total(p[n])))
            for i in range(x.shape[1]):
                block[n, i] -= log


@exactly
def log_softmax_gradient(dl, logp, dx):
    for first in range(0, len(dl), step(dl)):
        p = dx[first:first + step(dl)]
        exponentials(logp[first:first + step(dl)], p)
        for n in range(len(p)):
            whole = dl.dtype.type(total(dl[first + n]))
            for i in range(dl.shape[1]):
                p[n, i] = dl[first + n, i] - p[n, i] * whole


@exactly
def cross_entropy(logp, y, l):
    """l = -sum y log p, where nothing counts of a class that is impossible and whose y is 0."""
    for n in range(len(y)):
        whole = 0.0
        for i in range(y.shape[1]):
            if y[n, i] != 0:
                whole -= y[n, i] * logp[n, i]
        l[n] = whole


@exactly
def cross_entropy_gradient(dl, logp, y, dx):
    for first in range(0, len(dl), step(y)):
        p = dx[first:first + step(y)]
        exponentials(logp[first:first + step(y)], p)
        for n in range(len(p)):
            whole = y.dtype.type(total(y[first + n]))
            for i in range(y.shape[1]):
                p[n, i] = dl[first + n] * (p[n, i] * whole - y[first + n, i])


@exactly
def one_hot(labels, weights, y, ignored, smoothing):
    """The y (N, C) of `targets` from labels (N) and the weights (C) of classes; the sum of the weights of labels."""
    classes, whole, everywhere = len(weights), 0.0, smoothing / len(weights)
    for n in range(len(labels)):
        label = labels[n]
        if label == ignored:
            y[n] = 0
        elif label < 0 or label >= classes:
            y[n], whole = np.nan, np.nan
        else:
            for c in range(classes):
                y[n, c] = everywhere * weights[c] if everywhere else 0  # a weight may be infinite
            y[n, label] += weights[label] * (1 - smoothing)
            whole += weights[label]
    return whole


# ---- the roads -------------------------------------------------------------------------------------------------------

def rows(x, axis):
    """x as a matrix of rows along an axis, counted from 0."""
    x = x if axis == x.ndim - 1 else np.moveaxis(x, axis, -1)
    return contiguous(x).reshape(math.prod(x.shape[:-1]), x.shape[-1])


def unrolled(y, shape, axis):
    """The inverse: rows as an array of that shape, a view."""
    if axis == len(shape) - 1:
        return y.reshape(shape)
    return np.moveaxis(y.reshape(*shape[:axis], *shape[axis + 1:], shape[axis]), -1, axis)


def in_parts(loop, *arrays, numbers=()):
    """Run the loop on parts of the arrays, which have as many rows each."""
    parallel(lambda i, j: loop(*[a[i:j] for a in arrays], *numbers), len(arrays[0]),
             moved=2 * sum(a.nbytes for a in arrays))


def along(loop, axis, *arrays, numbers=()):
    """y, of the shape of the arrays, from loop(*rows, y, *numbers)."""
    matrices = [rows(a, axis) for a in arrays]
    y = np.empty_like(matrices[0])
    in_parts(loop, *matrices, y, numbers=numbers)
    return unrolled(y, arrays[0].shape, axis)


def floats(ctx, x, axis):
    """NumPy arrays of float32 or float64, in rows of 8 or more, where Numba is installed."""
    return compiled_floats(x) and x.ndim > 0 and x.shape[axis] >= LEAST


def gradients(ctx, dy):
    """Their gradients."""
    return floats(ctx, dy, ctx.axis)


def roads_for(function, forward, backward, numbers=()):
    """Give a function of x and an axis, which saves its result, two loops as roads."""
    @function.forward.road(floats)
    def forward_in_a_loop(ctx, x, axis):
        """A compiled loop."""
        ctx.axis, y = axis, along(forward, axis % x.ndim, x, numbers=numbers)
        ctx.save_for_backward(y)
        return y

    @function.backward.road(gradients)
    def backward_in_a_loop(ctx, dy):
        """A compiled loop."""
        return along(backward, ctx.axis % dy.ndim, dy, *ctx.saved_tensors)


roads_for(Softmax, softmax, softmax_gradient, (math.inf,))
roads_for(LogSoftmax, log_softmax, log_softmax_gradient)


def scores(ctx, x, y, axis):
    """NumPy arrays of float32 or float64, of 8 classes or more, where Numba is installed."""
    return floats(ctx, x, axis)


@CrossEntropy.forward.road(scores)
def cross_entropy_in_loops(ctx, x, y, axis):
    """Compiled loops."""
    matrix = rows(x, axis)
    logp, loss = np.empty_like(matrix), np.empty(len(matrix), x.dtype)
    in_parts(log_softmax, matrix, logp)
    in_parts(cross_entropy, logp, rows(y, axis), loss)
    ctx.axis = axis
    ctx.save_for_backward(unrolled(logp, x.shape, axis), y)
    return loss.reshape(x.shape[:axis] + x.shape[axis:][1:])


def losses(ctx, dl):
    """The gradients of their losses."""
    return type(dl) is np.ndarray and floats(ctx, ctx.saved_tensors[0], ctx.axis)


@CrossEntropy.backward.road(losses)
def cross_entropy_gradient_in_a_loop(ctx, dl):
    """A compiled loop."""
    (logp, y), axis = ctx.saved_tensors, ctx.axis
    matrix = rows(logp, axis)
    dx = np.empty_like(matrix)
    in_parts(cross_entropy_gradient, contiguous(dl).reshape(-1), matrix, rows(y, axis), dx)
    return unrolled(dx, logp.shape, axis), -np.expand_dims(dl, axis) * logp if ctx.needs_input_grad[1] else None


def labels_of_classes(labels, shape, axis, weight, dtype, ignored, smoothing):
    """NumPy arrays of labels of 8 classes or more, for scores of float32 or float64, where Numba is installed."""
    return (type(labels) is np.ndarray and np.dtype(dtype).char in "fd" and labels.size > 0 and shape[axis] >= LEAST
            and not missing())


@formulas.targets.road(labels_of_classes)
def targets_in_a_loop(labels, shape, axis, weight, dtype, ignored, smoothing):
    """A compiled loop."""
    classes = shape[axis]
    weights, y = np.ones(classes, dtype) if weight is None else weight.reshape(-1), np.empty((labels.size, classes), dtype)
    whole = one_hot(labels.astype(np.int64).reshape(-1), weights, y, int(ignored), float(smoothing))
    return unrolled(y, shape, axis), np.asarray(whole, dtype)
