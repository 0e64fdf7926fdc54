"""Layer norm and RMS norm as loops over a matrix, with a mean for each row and a weight for each column.

`ops/norm.py` says what is computed, `norm.py` how sums stay exact.
"""
import math

import numpy as np

from ..ops.norm import Normalize, RMSNorm
from .layout import contiguous
from .compiled import loop
from .norm import RUN, moments_of_row
from .serving import compiled_floats
from .sums import BLOCK
from .numpy_only import layer_norm  # noqa: F401  whose roads are the older ones, so these are asked first
from .workers import aligned, parallel


@loop
def normalise_rows(x, w, b, y, mu, r, eps, first, last):
    """y = w (x - mu) r + b; mu and r (R), w and b (D)."""
    for row in range(first, last):
        mu[row], squares = moments_of_row(x, row)
        r[row] = 1 / np.sqrt(squares / x.shape[1] + eps)
        u, scale = mu[row], r[row]
        for d in range(x.shape[1]):
            y[row, d] = (x[row, d] - u) * scale * w[d] + b[d]


@loop
def normalise_rms_of_rows(x, w, xhat, y, r, eps, first, last):
    """xhat = x r, y = w xhat; r (R), w (D)."""
    size = x.shape[1]
    for row in range(first, last):
        total = 0.0
        for run in range(0, size, RUN):
            q = x.dtype.type(0)
            for d in range(run, min(size, run + RUN)):
                q += x[row, d] * x[row, d]
            total += q
        r[row] = 1 / np.sqrt(total / size + eps)
        scale = r[row]
        for d in range(size):
            xhat[row, d] = x[row, d] * scale
            y[row, d] = x[row, d] * scale * w[d]


@loop
def gradients_of_rows(dy, x, mu, scale, r, w, centred, dx, first, last):
    """dx = r (g - mean(g) - xhat mean(g xhat)), g = w dy, xhat = scale (x - mu), without mean(g) unless centred.

    Returns dw = sum dy xhat and db = sum dy over rows first to last, (2, D). mu, scale and r (R), w (D).
    """
    size = x.shape[1]
    total, (dw, db) = np.zeros((2, size)), np.empty((2, size), x.dtype)
    for block in range(first, last, BLOCK):
        dw[:], db[:] = 0, 0
        for row in range(block, min(last, block + BLOCK)):
            s, t, u, rate = 0.0, 0.0, mu[row], scale[row]
            for run in range(0, size, RUN):
                s_run = t_run = x.dtype.type(0)
                for d in range(run, min(size, run + RUN)):
                    xhat = (x[row, d] - u) * rate
                    g = dy[row, d] * w[d]
                    s_run += g
                    t_run += g * xhat
                s += s_run
                t += t_run
            mean, mean_t, factor = x.dtype.type(s / size if centred else 0), x.dtype.type(t / size), r[row]
            for d in range(size):
                xhat = (x[row, d] - u) * rate
                dx[row, d] = (dy[row, d] * w[d] - mean - xhat * mean_t) * factor
            for d in range(size):
                dw[d] += dy[row, d] * (x[row, d] - u) * rate
                db[d] += dy[row, d]
        total[0] += dw
        total[1] += db
    return total


def rows(x, axes):
    """x with the last axes, `axes`, as rows."""
    return contiguous(x).reshape(-1, math.prod(x.shape[axes[0]:]))


def row(v, x, default):
    """v as a row of x, the default where it is None."""
    return np.full(x.shape[1], default, x.dtype) if v is None else np.ascontiguousarray(v, x.dtype).reshape(-1)


def gradients(dy, x, mu, scale, r, w, axes, centred):
    """dx, dw and db by `gradients_of_rows`."""
    shape, dy, x = dy.shape, rows(dy, axes), rows(x, axes)
    w, dx, (mu, scale, r) = row(w, x, 1), aligned(x.shape, x.dtype), (v.reshape(-1) for v in (mu, scale, r))
    work = lambda i, j: gradients_of_rows(dy, x, mu, scale, r, w, centred, dx, i, j)
    dw, db = sum(parallel(work, len(x), moved=4 * x.nbytes)).astype(x.dtype)
    return dx.reshape(shape), dw.reshape(shape[axes[0]:]), db.reshape(shape[axes[0]:])


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
    found = gradients(dy, x, mu, r, r, w, ctx.axes, True)
    return [g if need else None for g, need in zip(found, ctx.needs_input_grad)]


def floats(ctx, x, *rest, **options):
    """NumPy arrays of float32 or float64."""
    return compiled_floats(x)


@RMSNorm.forward.road(floats)
def normalise_rms_by_loops(ctx, x, w, axes, eps):
    """One walk through memory."""
    m = rows(x, axes)
    xhat, y, r, w_row = aligned(m.shape, m.dtype), aligned(m.shape, m.dtype), np.empty(len(m), m.dtype), row(w, m, 1)
    parallel(lambda i, j: normalise_rms_of_rows(m, w_row, xhat, y, r, eps, i, j), len(m), moved=3 * m.nbytes)
    ctx.axes, ctx.eps, xhat = axes, eps, xhat.reshape(x.shape)
    ctx.save_for_backward(xhat, r.reshape(*x.shape[:axes[0]], *[1] * len(axes)), w)
    return xhat if w is None else y.reshape(x.shape)


@RMSNorm.backward.road(floats)
def rms_gradients_by_loops(ctx, dy):
    """One walk through memory."""
    xhat, r, w = ctx.saved_tensors
    one = np.ones(r.size, r.dtype)
    found = gradients(dy, xhat, np.zeros_like(one), one, r, w, ctx.axes, False)
    return [g if need else None for g, need in zip(found, ctx.needs_input_grad)]
