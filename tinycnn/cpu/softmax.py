"""Softmax, its logarithm and cross-entropy in loops over the rows of a matrix, where Numba is installed.

A row is what lies along the last axis: its numbers are summed up by 1024 in their own type, and those sums in float64. The
classes of pictures lie along another: there, cross-entropy goes through all pixels of a class side by side.
"""
import math

import numpy as np

from ..ops import softmax as formulas
from ..ops.softmax import CrossEntropy, LogSoftmax, Softmax
from .compiled import exactly, loop, missing
from .elementwise import exp
from .serving import compiled_floats
from .workers import parallel

BLOCK = 1024


# ---- the loops -------------------------------------------------------------------------------------------------------

@exactly
def highest(x):
    """The largest number of a row; NaN may be passed over."""
    top = x[0]
    for i in range(x.size):
        top = max(top, x[i])
    return top


@loop
def total(x):
    """The sum of a row."""
    whole = 0.0
    for start in range(0, x.size, BLOCK):
        part = x.dtype.type(0)
        for i in range(start, min(start + BLOCK, x.size)):
            part += x[i]
        whole += part
    return whole


@loop
def dot(x, y):
    """The sum of the products of two rows."""
    whole = 0.0
    for start in range(0, x.size, BLOCK):
        part = x.dtype.type(0)
        for i in range(start, min(start + BLOCK, x.size)):
            part += x[i] * y[i]
        whole += part
    return whole


@exactly
def exponentials(x, y, top):
    """y = e^(x - top), and the sum of y."""
    for i in range(x.size):
        y[i] = exp(x[i] - top)
    return total(y)


@exactly
def softmax(x, p):
    for n in range(len(x)):
        share = x.dtype.type(1 / exponentials(x[n], p[n], highest(x[n])))
        for i in range(x.shape[1]):
            p[n, i] *= share


@exactly
def softmax_gradient(dp, p, dx):
    for n in range(len(p)):
        mean = p.dtype.type(dot(dp[n], p[n]))
        for i in range(p.shape[1]):
            dx[n, i] = p[n, i] * (dp[n, i] - mean)


@exactly
def log_softmax(x, logp):
    for n in range(len(x)):
        top = highest(x[n])
        log = x.dtype.type(math.log(exponentials(x[n], logp[n], top)))
        for i in range(x.shape[1]):
            logp[n, i] = x[n, i] - top - log


@exactly
def log_softmax_gradient(dl, logp, dx):
    for n in range(len(dl)):
        whole = dl.dtype.type(total(dl[n]))
        for i in range(dl.shape[1]):
            dx[n, i] = dl[n, i] - exp(logp[n, i]) * whole


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
    for n in range(len(y)):
        whole = y.dtype.type(total(y[n]))
        for i in range(y.shape[1]):
            dx[n, i] = dl[n] * (exp(logp[n, i]) * whole - y[n, i])


@exactly
def cross_entropy_of_pixels(x, y, logp, l):
    """`log_softmax` and `cross_entropy` of scores (N, C, S): l (N, S)."""
    t = x.dtype.type
    classes, pixels = x.shape[1:]
    top, log = np.empty(pixels, x.dtype), np.empty(pixels, x.dtype)
    for n in range(len(x)):
        for s in range(pixels):
            top[s], log[s], l[n, s] = x[n, 0, s], t(0), t(0)
        for c in range(classes):
            for s in range(pixels):
                top[s] = max(top[s], x[n, c, s])
        for c in range(classes):
            for s in range(pixels):
                log[s] += exp(x[n, c, s] - top[s])
        for s in range(pixels):
            log[s] = math.log(log[s])
        for c in range(classes):
            for s in range(pixels):
                z, share = x[n, c, s] - top[s] - log[s], y[n, c, s]
                logp[n, c, s] = z
                l[n, s] -= t(0) if share == 0 else share * z


@exactly
def cross_entropy_gradient_of_pixels(dl, logp, y, dx):
    classes, pixels = dx.shape[1:]
    whole = np.empty(pixels, dx.dtype)
    for n in range(len(dx)):
        whole[:] = 0
        for c in range(classes):
            for s in range(pixels):
                whole[s] += y[n, c, s]
        for c in range(classes):
            for s in range(pixels):
                dx[n, c, s] = dl[n, s] * (exp(logp[n, c, s]) * whole[s] - y[n, c, s])


@exactly
def one_hot(labels, weights, y, ignored, smoothing):
    """The y (N, C, S) of `targets` from labels (N, S) and the weights (C) of classes; the sum of the weights of labels."""
    classes, whole, everywhere = len(weights), 0.0, smoothing / len(weights)
    for n in range(len(labels)):
        for c in range(classes):
            for s in range(labels.shape[1]):
                y[n, c, s] = everywhere * weights[c] if everywhere else 0  # a weight may be infinite
        for s in range(labels.shape[1]):
            label = labels[n, s]
            if label == ignored:
                y[n, :, s] = 0
            elif label < 0 or label >= classes:
                y[n, :, s], whole = np.nan, np.nan
            else:
                y[n, label, s] += weights[label] * (1 - smoothing)
                whole += weights[label]
    return whole


# ---- how they are called ---------------------------------------------------------------------------------------------

def last(x, axis):
    """Whether `axis` is the last of x."""
    return axis in (-1, x.ndim - 1)


def cut(x, axis):
    """x as a matrix of rows along its last axis, or as (N, C, S) where classes lie along another."""
    rows, classes = math.prod(x.shape[:axis]), x.shape[axis]
    shape = (rows, classes) if last(x, axis) else (rows, classes, math.prod(x.shape[axis + 1:]))
    return np.ascontiguousarray(x).reshape(shape)


def in_parts(loop, *arrays):
    """Run the loop on parts of the arrays, which have as many rows, or pictures, each."""
    parallel(lambda i, j: loop(*[a[i:j] for a in arrays]), len(arrays[0]), moved=3 * arrays[-2].nbytes)


def each_row(loop, *arrays):
    """y, of the shape of the arrays, from loop(*arrays, y), where all are matrices."""
    x = [cut(a, -1) for a in arrays]
    y = np.empty_like(x[0])
    in_parts(loop, *x, y)
    return y.reshape(arrays[0].shape)


# ---- the roads -------------------------------------------------------------------------------------------------------

def in_rows(ctx, x, axis):
    """NumPy arrays of float32 or float64, along their last axis, which is not empty, where Numba is installed."""
    return compiled_floats(x) and x.ndim > 0 and last(x, axis) and x.shape[-1] > 0


def gradients_in_rows(ctx, dy):
    """Their gradients."""
    return compiled_floats(dy) and dy.ndim > 0 and last(dy, ctx.axis)


@Softmax.forward.road(in_rows)
def softmax_in_a_loop(ctx, x, axis):
    """A compiled loop."""
    ctx.axis, p = axis, each_row(softmax, x)
    ctx.save_for_backward(p)
    return p


@Softmax.backward.road(gradients_in_rows)
def softmax_gradient_in_a_loop(ctx, dp):
    """A compiled loop."""
    return each_row(softmax_gradient, dp, *ctx.saved_tensors)


@LogSoftmax.forward.road(in_rows)
def log_softmax_in_a_loop(ctx, x, axis):
    """A compiled loop."""
    ctx.axis, logp = axis, each_row(log_softmax, x)
    ctx.save_for_backward(logp)
    return logp


@LogSoftmax.backward.road(gradients_in_rows)
def log_softmax_gradient_in_a_loop(ctx, dl):
    """A compiled loop."""
    return each_row(log_softmax_gradient, dl, *ctx.saved_tensors)


def scores(ctx, x, y, axis):
    """NumPy arrays of float32 or float64, of at least one class, where Numba is installed."""
    return compiled_floats(x) and x.shape[axis] > 0


@CrossEntropy.forward.road(scores)
def cross_entropy_in_a_loop(ctx, x, y, axis):
    """Compiled loops."""
    z, y_cut = cut(x, axis), cut(y, axis)
    logp, loss = np.empty_like(z), np.empty((len(z), *z.shape[2:]), z.dtype)
    if last(x, axis):
        in_parts(log_softmax, z, logp)
        in_parts(cross_entropy, logp, y_cut, loss)
    else:
        in_parts(cross_entropy_of_pixels, z, y_cut, logp, loss)
    ctx.axis = axis
    ctx.save_for_backward(logp.reshape(x.shape), y)
    return loss.reshape(x.shape[:axis] + x.shape[axis:][1:])


def losses(ctx, dl):
    """The gradients of their losses."""
    return compiled_floats(dl)


@CrossEntropy.backward.road(losses)
def cross_entropy_gradient_in_a_loop(ctx, dl):
    """A compiled loop."""
    (logp, y), axis = ctx.saved_tensors, ctx.axis
    z = cut(logp, axis)
    dx = np.empty_like(z)
    in_parts(cross_entropy_gradient if last(logp, axis) else cross_entropy_gradient_of_pixels,
             np.ascontiguousarray(dl).reshape(len(z), *z.shape[2:]), z, cut(y, axis), dx)
    return dx.reshape(logp.shape), -np.expand_dims(dl, axis) * logp if ctx.needs_input_grad[1] else None


def labels_of_classes(labels, shape, axis, weight, dtype, ignored, smoothing):
    """NumPy arrays of labels, for scores of float32 or float64, where Numba is installed."""
    return type(labels) is np.ndarray and np.dtype(dtype).char in "fd" and math.prod(shape) > 0 and not missing()


@formulas.targets.road(labels_of_classes)
def targets_in_a_loop(labels, shape, axis, weight, dtype, ignored, smoothing):
    """A compiled loop."""
    classes, y = shape[axis], np.empty(shape, dtype)
    weights = np.ones(classes, dtype) if weight is None else weight.reshape(-1)
    y_cut = y.reshape(math.prod(shape[:axis]), classes, -1)
    labels = labels.astype(np.int64).reshape(len(y_cut), -1)
    return y, np.asarray(one_hot(labels, weights, y_cut, int(ignored), float(smoothing)), dtype)
