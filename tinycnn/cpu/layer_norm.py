"""Layer norm as loops over a matrix, with a mean for each row and a weight for each column.

`ops/norm.py` says what is computed, `norm.py` how sums stay exact. Measured on one thread, both ways, a loop takes a third
of the formula's time.
"""
import math

import numpy as np

from ..ops.norm import Normalize
from .layout import contiguous
from .compiled import loop
from .norm import moments_of_row
from .serving import compiled_floats
from .sums import BLOCK, dot, total
from .workers import aligned, parallel


@loop
def normalise_rows(x, w, b, y, mu, r, eps, first, last):
    """y = w (x - mu) r + b; mu and r (R), w and b (D)."""
    for row in range(first, last):
        mu[row], squares = moments_of_row(x[row])
        r[row] = 1 / np.sqrt(squares / x.shape[1] + eps)
        u, scale = mu[row], r[row]
        for d in range(x.shape[1]):
            y[row, d] = (x[row, d] - u) * scale * w[d] + b[d]


@loop
def gradients_of_rows(dy, x, mu, r, w, dx, first, last):
    """dx = r (g - mean(g) - xhat mean(g xhat)), g = w dy, xhat = r (x - mu); mu and r (R), w (D).

    Returns dw = sum dy xhat and db = sum dy over rows first to last, (2, D).
    """
    size, t = x.shape[1], x.dtype.type
    sums, dw, db = np.zeros((2, size)), np.empty(size, x.dtype), np.empty(size, x.dtype)
    g, xhat = np.empty(size, x.dtype), np.empty(size, x.dtype)
    for block in range(first, last, BLOCK):
        dw[:], db[:] = 0, 0
        for row in range(block, min(last, block + BLOCK)):
            u, rate = mu[row], r[row]
            for d in range(size):           # one result a loop: LLVM makes vectors of such
                g[d] = dy[row, d] * w[d]
            for d in range(size):
                xhat[d] = (x[row, d] - u) * rate
            for d in range(size):
                dw[d] += dy[row, d] * xhat[d]
            for d in range(size):
                db[d] += dy[row, d]
            mean, mean_t = t(total(g) / size), t(dot(g, xhat) / size)
            for d in range(size):
                dx[row, d] = (g[d] - mean - xhat[d] * mean_t) * rate
        for d in range(size):
            sums[0, d] += dw[d]
            sums[1, d] += db[d]
    return sums


def rows(x, axes):
    """x with the last axes, `axes`, as rows."""
    return contiguous(x).reshape(-1, math.prod(x.shape[axes[0]:]))


def row(v, x, default):
    """v as a row of x, the default where it is None."""
    return np.full(x.shape[1], default, x.dtype) if v is None else np.ascontiguousarray(v, x.dtype).reshape(-1)


def last_axes(ctx, x, w, b, axes, along, eps, statistics=None):
    """NumPy arrays of float32 or float64, layer norm."""
    return axes == along and axes == tuple(range(x.ndim - len(axes), x.ndim)) and compiled_floats(x) and statistics is None


@Normalize.forward.road(last_axes)
def normalise_rows_by_loops(ctx, x, w, b, axes, along, eps, statistics=None):
    """One walk through memory."""
    m, shape = rows(x, axes), (*x.shape[:axes[0]], *[1] * len(axes))
    y, (mu, r), w_row, b_row = aligned(m.shape, m.dtype), np.empty((2, len(m)), m.dtype), row(w, m, 1), row(b, m, 0)
    parallel(lambda i, j: normalise_rows(m, w_row, b_row, y, mu, r, eps, i, j), len(m), moved=3 * m.nbytes)
    ctx.axes, ctx.along, ctx.eps = axes, along, eps
    ctx.save_for_backward(x, mu.reshape(shape), r.reshape(shape), w)
    return y.reshape(x.shape)


def gradient_of_last_axes(ctx, dy):
    """NumPy arrays of float32 or float64, layer norm."""
    return last_axes(ctx, dy, None, None, ctx.axes, ctx.along, ctx.eps)


@Normalize.backward.road(gradient_of_last_axes)
def gradients_of_rows_by_loops(ctx, dy):
    """One walk through memory."""
    x, mu, r, w = ctx.saved_tensors
    dys, xs = rows(dy, ctx.axes), rows(x, ctx.axes)
    w, dx, mu, r = row(w, xs, 1), aligned(xs.shape, x.dtype), mu.reshape(-1), r.reshape(-1)
    parts = parallel(lambda i, j: gradients_of_rows(dys, xs, mu, r, w, dx, i, j), len(xs), moved=5 * x.nbytes)
    dw, db = sum(parts).astype(x.dtype).reshape(2, *x.shape[ctx.axes[0]:])
    found = dx.reshape(x.shape), dw, db
    return [g if need else None for g, need in zip(found, ctx.needs_input_grad)]
