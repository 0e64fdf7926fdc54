"""Depthwise convolution as loops: every channel has a filter of its own, and there is no matrix product to be made of it.

    y[n, o, c] = b[c] + sum_k w[k, c] x[n, o * stride + k * dilation - padding, c]

The channels of a pixel stand side by side in memory. A tile of `registers.py` holds the sums of J pixels for V vectors of
them, and `each` number of x meets its weight. Where the windows stand is a list (`windows.py`), borders included, so nothing
is framed with zeros. The same loop gives dx: given the list read the other way round, which window holds pixel i at weight
k, the sum is sum_k w[k, c] dy[n, o, c]. On one core of an AMD Zen 4, forward takes 0.7 to 1.2 times PyTorch's time for 3x3
and 1.3 to 1.5 for 5x5 and 7x7, dw 0.8 to 1 times and 0.2.
"""
import functools
import math

import numpy as np

from ..ops import conv as formulas
from .compiled import compiled
from .serving import compiled_floats
from .windows import as_images, as_rows, holders, pixels
from .workers import aligned, parallel

TOGETHER = 4  # pixels in a tile, where none of their windows reaches beyond the border


# ---- the loops -------------------------------------------------------------------------------------------------------

@functools.cache
def sums_over_windows(V, dtype):
    """The loop for y[n, r, j] = b + sum_{a, k} w[a, k] x[n, rows[r, a], columns[j, k]], each channel by itself."""
    from .registers import each, get, lanes, put, zero
    wide, J = V * lanes(dtype), TOGETHER

    def run(x, w, b, y, shape, rows, columns, left, right, step, first, last):
        """Rows first to last of all images; x is (N, *shape). Columns left to right see whole windows, `step` apart."""
        height, width, C = shape
        A, K, out = rows.shape[1], columns.shape[1], len(columns)
        for row in range(first, last):
            n, r = row // len(rows) * height, row % len(rows)
            for c in range(0, C, wide):
                j = 0
                while j < out:
                    many, one = get(zero(J, V, x), b, c, 0), get(zero(1, V, x), b, c, 0)
                    whole = left <= j and j + J <= right
                    for a in range(A):
                        if rows[r, a] >= 0:
                            for k in range(K):
                                i, at = ((n + rows[r, a]) * width + columns[j, k]) * C + c, (a * K + k) * C + c
                                if whole:
                                    many = each(many, x, i, step * C, w, at)
                                elif columns[j, k] >= 0:
                                    one = each(one, x, i, 0, w, at)
                    if whole:
                        put(many, y, (row * out + j) * C + c, C)
                    else:
                        put(one, y, (row * out + j) * C + c, C)
                    j += J if whole else 1
    return compiled(run)


@functools.cache
def sums_over_pixels(V, dtype):
    """The loop for dw[a, k] = sum_{n, r, j} dy[n, r, j] x[n, rows[r, a], columns[j, k]], each channel by itself."""
    from .registers import add, each, lanes, zero
    wide = V * lanes(dtype)

    def run(x, dy, dw, shape, rows, columns, first, last):
        """Rows first to last of all images; x is (N, *shape). The sum of a row is added up with others."""
        height, width, C = shape
        A, K, out = rows.shape[1], columns.shape[1], len(columns)
        for row in range(first, last):
            n, r = row // len(rows) * height, row % len(rows)
            for c in range(0, C, wide):
                for a in range(A):
                    if rows[r, a] >= 0:
                        for k in range(K):
                            t = zero(1, V, x)
                            for j in range(out):
                                if columns[j, k] >= 0:
                                    i = ((n + rows[r, a]) * width + columns[j, k]) * C + c
                                    t = each(t, x, i, 0, dy, (row * out + j) * C + c)
                            add(t, dw, (a * K + k) * C + c, C)
    return compiled(run)


# ---- how they are called ---------------------------------------------------------------------------------------------

def own_filters(x, w, out, stride, padding, dilation, groups, b=None):
    """NumPy arrays of float32 or float64, one filter for each of several channels, where Numba is installed."""
    return w.shape[:2] == (groups, 1) != (1, 1) and compiled_floats(x)


def own_filters_across(x, dy, kernel, stride, padding, dilation, groups):
    """NumPy arrays of float32 or float64, one filter for each of several channels, where Numba is installed."""
    return x.shape[1] == dy.shape[1] == groups > 1 and compiled_floats(x)


def whole_vectors(x):
    """x (..., C) with as many channels as fill vectors, zeros among them, and V, of which that is a multiple."""
    from .registers import WIDE, lanes
    vectors = -(-x.shape[-1] // lanes(x.dtype))
    if vectors * lanes(x.dtype) != x.shape[-1]:
        x = np.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, vectors * lanes(x.dtype) - x.shape[-1])])
    return x, next(v for v in ((4, 2, 1) if WIDE else (2, 1)) if vectors % v == 0)


def convolve_rows(x, w, b, rows, columns):
    """The sums over windows of x (N, C, *S) and w (C, 1, *K): y (N, rows, columns, C)."""
    C = x.shape[1]
    (x, V), (w, _) = whole_vectors(as_rows(x)), whole_vectors(np.moveaxis(w.reshape(C, -1), 0, 1))
    b = np.zeros(x.shape[3], x.dtype) if b is None else whole_vectors(b)[0]
    y = aligned((len(x), len(rows), len(columns), x.shape[3]), x.dtype)
    whole = np.flatnonzero((columns >= 0).all(1))
    left, right = (int(whole[0]), int(whole[-1]) + 1) if whole.size and np.ptp(whole) < whole.size else (0, 0)
    step = int(columns[left + 1, 0] - columns[left, 0]) if right - left > 1 else 1
    parallel(lambda i, j: sums_over_windows(V, x.dtype)(
        x.reshape(-1), w.reshape(-1), b, y.reshape(-1), x.shape[1:], rows, columns, left, right, step, i, j),
        len(x) * len(rows), moved=y.nbytes * len(w) // 4)
    return np.ascontiguousarray(y[..., :C])


# ---- the roads -------------------------------------------------------------------------------------------------------

@formulas.convolve.road(own_filters)
def convolve_channels(x, w, out, stride, padding, dilation, groups, b=None):
    """All channels of a pixel at once."""
    windows = pixels(x.shape[2:], out, w.shape[2:], stride, tuple(p for p, _ in padding), dilation)
    return as_images(convolve_rows(x, w, b, *windows), out)


@formulas.input_gradient.road(own_filters)
def input_gradient_of_channels(dy, w, size, stride, padding, dilation, groups):
    """All channels of a pixel at once."""
    windows = holders(size, dy.shape[2:], w.shape[2:], stride, tuple(p for p, _ in padding), dilation)
    return as_images(convolve_rows(dy, w, None, *windows), size)


@formulas.weight_gradient.road(own_filters_across)
def weight_gradient_of_channels(x, dy, kernel, stride, padding, dilation, groups):
    """All channels of a pixel at once."""
    rows, columns = pixels(x.shape[2:], dy.shape[2:], kernel, stride, tuple(p for p, _ in padding), dilation)
    (x, V), (dy, _), taps = whole_vectors(as_rows(x)), whole_vectors(as_rows(dy)), math.prod(kernel)

    def work(first, last):
        dw = np.zeros((taps, x.shape[3]), x.dtype)
        sums_over_pixels(V, x.dtype)(x.reshape(-1), dy.reshape(-1), dw.reshape(-1), x.shape[1:], rows, columns, first, last)
        return dw
    dw = sum(parallel(work, len(x) * len(rows), moved=dy.nbytes * taps // 4))[:, :groups]
    return np.ascontiguousarray(dw.T).reshape(groups, 1, *kernel)
