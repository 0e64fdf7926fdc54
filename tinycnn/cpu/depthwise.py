"""Depthwise convolution as loops: every channel has filters of its own, and there is no matrix product to be made of it.

    y[n, o, c] = b[c] + sum_k w[k, c] x[n, o * stride + k * dilation - padding, c]

The channels of a pixel stand side by side in memory, and the innermost loop runs along them. Where the windows stand is a
list (`windows.py`), borders included, so nothing is framed with zeros. The same loop gives dx: given the list read the other
way round, which window holds pixel i at weight k, the sum is sum_k w[k, c] dy[n, o, c].

A channel that has several filters is repeated so many times, and then each has one.
"""
import math

import numpy as np

from ..ops import conv as formulas
from .compiled import loop
from .serving import compiled_floats
from .windows import as_images, as_rows, holders, pixels
from .numpy_only.depthwise import gradient_of_own_filters, own_filters, repeated  # whose roads these are asked before
from .workers import aligned, parallel

BLOCK = 128  # products that are summed in the dtype of x, beyond in float64


# ---- the loops -------------------------------------------------------------------------------------------------------

@loop
def add_products(x, w, b, rows, columns, y, first, last):
    """y[n, r, j] = b + sum_{a, k} w[a, k] x[n, rows[r, a], columns[j, k]], for rows first to last of all images.

    Each channel by itself: w (A, K, C), b (C).
    """
    channels = x.shape[3]
    for row in range(first, last):
        n, r = row // len(rows), row % len(rows)
        for j in range(len(columns)):
            for c in range(channels):
                y[n, r, j, c] = b[c]
            for a in range(w.shape[0]):
                for k in range(w.shape[1]):
                    h, v = rows[r, a], columns[j, k]
                    if h >= 0 and v >= 0:
                        for c in range(channels):
                            y[n, r, j, c] += w[a, k, c] * x[n, h, v, c]


@loop
def sum_products(x, dy, rows, columns, first, last):
    """dw[a, k] = sum_{n, r, j} dy[n, r, j] x[n, rows[r, a], columns[j, k]], over rows first to last of all images."""
    shape = rows.shape[1], columns.shape[1], x.shape[3]
    total, dw, count = np.zeros(shape), np.zeros(shape, x.dtype), 0
    for row in range(first, last):
        n, r = row // len(rows), row % len(rows)
        for block in range(0, len(columns), BLOCK):
            end = min(block + BLOCK, len(columns))
            for a in range(shape[0]):
                for j in range(block, end):
                    for k in range(shape[1]):
                        h, v = rows[r, a], columns[j, k]
                        if h >= 0 and v >= 0:
                            for c in range(shape[2]):
                                dw[a, k, c] += dy[n, r, j, c] * x[n, h, v, c]
            count += end - block
            if count >= BLOCK:
                total += dw
                dw[:] = 0
                count = 0
    return total + dw


# ---- the roads -------------------------------------------------------------------------------------------------------

def filters_of_channels(x, w, out, stride, padding, dilation, groups, b=None):
    """NumPy arrays of float32 or float64, a group for each of several channels, where Numba is installed."""
    return own_filters(x, w, out, stride, padding, dilation, groups) and compiled_floats(x)


def gradient_of_filters_of_channels(x, dy, kernel, stride, padding, dilation, groups):
    """NumPy arrays of float32 or float64, a group for each of several channels, where Numba is installed."""
    return gradient_of_own_filters(x, dy, kernel, stride, padding, dilation, groups) and compiled_floats(x)


def convolve_rows(x, w, b, rows, columns):
    """`add_products` of x (N, rows, columns, C) and w (C, 1, *K)."""
    w = np.ascontiguousarray(w.reshape(len(w), rows.shape[1], -1).transpose(1, 2, 0))
    b = np.zeros(x.shape[3], x.dtype) if b is None else b
    y = aligned((len(x), len(rows), len(columns), x.shape[3]), x.dtype)
    parallel(lambda i, j: add_products(x, w, b, rows, columns, y, i, j), len(x) * len(rows),
             moved=y.nbytes * w[..., 0].size // 4)
    return y


@formulas.convolve.road(filters_of_channels)
def convolve_channels(x, w, out, stride, padding, dilation, groups, b=None):
    """All channels of a pixel at once."""
    windows = pixels(x.shape[2:], out, w.shape[2:], stride, tuple(p for p, _ in padding), dilation)
    return as_images(convolve_rows(as_rows(repeated(x, len(w))), w, b, *windows), out)


@formulas.input_gradient.road(filters_of_channels)
def input_gradient_of_channels(dy, w, size, stride, padding, dilation, groups):
    """All channels of a pixel at once."""
    windows = holders(size, dy.shape[2:], w.shape[2:], stride, tuple(p for p, _ in padding), dilation)
    dx = convolve_rows(as_rows(dy), w, None, *windows)
    if len(w) > groups:
        dx = dx.reshape(*dx.shape[:3], groups, -1).sum(-1)
    return as_images(dx, size)


@formulas.weight_gradient.road(gradient_of_filters_of_channels)
def weight_gradient_of_channels(x, dy, kernel, stride, padding, dilation, groups):
    """All channels of a pixel at once."""
    rows, columns = pixels(x.shape[2:], dy.shape[2:], kernel, stride, tuple(p for p, _ in padding), dilation)
    x, dy = as_rows(repeated(x, dy.shape[1])), as_rows(dy)
    parts = parallel(lambda i, j: sum_products(x, dy, rows, columns, i, j), len(x) * len(rows),
                     moved=dy.nbytes * math.prod(kernel) // 4)
    dw = sum(parts).astype(x.dtype)
    return np.ascontiguousarray(dw.transpose(2, 0, 1)).reshape(-1, 1, *kernel)
