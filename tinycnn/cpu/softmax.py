"""Softmax in loops over rows, where Numba is installed.

A row is what lies along the axis, brought to the end; behind a convolution it lies there already. Exponentials are computed
of about a thousand numbers at once, many rows where they are short, so that vector instructions are full. Measured on one
thread, both ways, the time of the formula is divided by 3.0 for rows of 16, 2.8 for 65, 2.1 for 1000; for two classes it is
better than a loop. Logarithms and cross-entropy, once a step, gain no hundredth of it, and have no loops.
"""
import math

import numpy as np

from ..ops.softmax import Softmax
from .compiled import exactly
from .elementwise import exp, narrow
from .layout import contiguous
from .serving import compiled_floats
from .sums import dot, total
from .workers import aligned, parallel

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


def along(loop, axis, *arrays, numbers=()):
    """y, of the shape of the arrays, from loop(*rows, y, *numbers)."""
    matrices = [rows(a, axis) for a in arrays]
    matrices.append(y := aligned(matrices[0].shape, matrices[0].dtype))
    parallel(lambda i, j: loop(*[a[i:j] for a in matrices], *numbers), len(y), moved=2 * len(matrices) * y.nbytes)
    return unrolled(y, arrays[0].shape, axis)


def floats(ctx, x, axis):
    """NumPy arrays of float32 or float64, in rows of 8 or more, where Numba is installed."""
    return compiled_floats(x) and x.ndim > 0 and x.shape[axis] >= LEAST


def gradients(ctx, dp):
    """Their gradients."""
    return floats(ctx, dp, ctx.axis)


@Softmax.forward.road(floats)
def softmax_in_a_loop(ctx, x, axis):
    """A compiled loop."""
    ctx.axis, p = axis, along(softmax, axis % x.ndim, x, numbers=(math.inf,))
    ctx.save_for_backward(p)
    return p


@Softmax.backward.road(gradients)
def softmax_gradient_in_a_loop(ctx, dp):
    """A compiled loop."""
    return along(softmax_gradient, ctx.axis % dp.ndim, dp, *ctx.saved_tensors)
