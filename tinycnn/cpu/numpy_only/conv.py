"""Convolution by products of matrices, where Numba is not installed: the formulas of `ops/conv.py`, arranged for caches.

- Channels last. A row of a window is one run of KW * C numbers to copy, and the product of columns and weights *is* the
  image, pixel by pixel: nothing to move (1.3 to 2 times as fast; see `layout.py`).
- Pieces. Columns are made for as many images, or rows of one image, as fill PIECE numbers, multiplied while they are still
  in the cache, and overwritten by the next (1.5 to 2 times, and K times less memory). The cores share them.
- Pictures have few channels, and runs of KW * 1 numbers are too short. For up to FEW channels the columns are copied as
  whole rows of pixels, one for every weight, and the product reads them transposed (2 times for one channel).
- No adjoint where the stride is 1: the gradient of the input is then itself a convolution, of dy with the kernel reversed,
  and takes its road instead of adding up windows (1.2 to 1.4 times).
"""
import functools
import math
import operator

import numpy as np

from ...engine.arrays import sliding_windows
from ...ops import conv as formulas
from ...ops.unfold import im2col, inside, pad
from ..layout import channels_first, channels_last, contiguous
from ..matmul import product
from ..serving import on_cpu
from ..workers import aligned, parallel

PIECE = 2**19             # numbers, half of a usual second-level cache
WINDOWS = 512             # but as many windows at least, for products to be efficient
MANY = 2**18              # weights that take as long to lay out as to use
PIXELS = 128              # for less pixels than these
FEW = 4                   # channels, up to which columns are copied as whole rows of pixels


def framed(x, padding):
    """x (N, C, *S) within zeros, channels last in memory."""
    x = channels_first(channels_last(x))
    if not any(map(any, padding)):
        return x
    y = channels_first(np.zeros((len(x), *[s + sum(p) for s, p in zip(x.shape[2:], padding)], x.shape[1]), x.dtype))
    y[inside(y, padding)] = x
    return y


class Columns:
    """The columns of x (N, C, *S), piece by piece: `pieces` index an array (N, *O, F), `self[piece]` are its columns."""

    def __init__(self, x, kernel, out, stride, padding, dilation, groups):
        self.few, dims, channels = x.shape[1] <= FEW, len(out), x.shape[1] // groups
        y = pad(x, padding) if self.few else framed(x, padding)
        windows = sliding_windows(y, kernel, stride, dilation)[..., *map(slice, out)]
        self.windows = windows.reshape(len(x), groups, channels, *windows.shape[2:])
        self.kernel, self.out = range(3, 3 + dims), range(3 + dims, 3 + 2 * dims)
        self.length, row = channels * math.prod(kernel), math.prod(out[1:])
        wanted = max(WINDOWS, PIECE // (self.length * groups))
        images, rows = max(1, wanted // (row * out[0])), max(1, wanted // row)
        self.pieces = [(slice(n, n + images), slice(o, o + rows))
                       for n in range(0, max(1, len(x)), images) for o in range(0, out[0], rows)]

    def __getitem__(self, piece):
        """The columns (G, P, C/G * K) for the P windows of a piece."""
        images, rows = piece
        windows = self.windows[images, ..., rows, *[slice(None)] * (len(self.out) - 1)]
        groups = windows.shape[1]
        if self.few:
            return windows.transpose(1, *self.kernel, 2, 0, *self.out).reshape(groups, self.length, -1).swapaxes(1, 2)
        return windows.transpose(1, 0, *self.out, *self.kernel, 2).reshape(groups, -1, self.length)


@formulas.convolve.road(on_cpu)
def convolve_on_cpu(x, w, out, stride, padding, dilation, groups, b=None):
    """Products of matrices, piece by piece: y = cols @ w + b."""
    columns = Columns(x, w.shape[2:], out, stride, padding, dilation, groups)
    matrix = contiguous(np.moveaxis(w, 1, -1)).reshape(groups, len(w) // groups, -1).swapaxes(1, 2)
    y = aligned((len(x), *out, len(w)), matrix.dtype)

    def work(start, stop):
        for piece in columns.pieces[start:stop]:
            product(columns[piece], matrix, out=y[piece].reshape(-1, groups, matrix.shape[2]).swapaxes(0, 1))
            if b is not None:
                y[piece] += b

    parallel(work, len(columns.pieces), flops=2 * y.size * matrix.shape[1], moved=4 * y.nbytes)
    return channels_first(y)


def few_pixels(x, w, out, stride, padding, dilation, groups, b=None):
    """NumPy arrays where few pixels meet many weights: to lay the weights out takes as long as to use them."""
    return type(x) is np.ndarray and w.size >= MANY and 0 < len(x) * math.prod(out) < PIXELS and groups == 1


@formulas.convolve.road(few_pixels)
def convolve_few_pixels(x, w, out, stride, padding, dilation, groups, b=None):
    """The formula as it stands, y = w @ cols, in which the weights are read where they lie: 2 to 3 times as fast."""
    cols = formulas.as_matrix(im2col(x, w.shape[2:], stride, padding, dilation, out), 1, len(out))[0]
    y = contiguous(product(w.reshape(len(w), -1), cols).T).reshape(len(x), *out, len(w))
    return channels_first(y if b is None else y + b)


@formulas.weight_gradient.road(on_cpu)
def weight_gradient_on_cpu(x, dy, kernel, stride, padding, dilation, groups):
    """Products of matrices, summed over the pieces: dw = dy^T @ cols."""
    channels, filters = x.shape[1] // groups, dy.shape[1]
    columns = Columns(x, kernel, dy.shape[2:], stride, padding, dilation, groups)
    dy = channels_last(dy)

    def part(piece):
        rows = dy[piece].reshape(-1, groups, filters // groups)
        return product(rows.transpose(1, 2, 0), columns[piece])

    def total(arrays):
        return functools.reduce(operator.iadd, arrays)

    dw = total(parallel(lambda start, stop: total(map(part, columns.pieces[start:stop])), len(columns.pieces),
                        flops=2 * dy.size * math.prod(kernel) * channels, most=4))
    return contiguous(np.moveaxis(dw.reshape(filters, *kernel, channels), -1, 1))


def outside(dy, size, kernel, padding, dilation):
    """The padding of dy in the convolution whose result is dx: counting k from the other end in

        dx[i] = sum_k w[k] dy[i + p - k d]    gives    dx[i] = sum_k w[K - 1 - k] dy[i + k d - (d (K - 1) - p)].
    """
    return [(d * (k - 1) - p, s - o + p)
            for s, o, k, d, (p, _) in zip(size, dy.shape[2:], kernel, dilation, padding)]


def steps_of_one(dy, w, size, stride, padding, dilation, groups):
    """NumPy arrays, for a convolution with stride 1 and no more padding than its kernel has reach."""
    return (type(dy) is np.ndarray and max(stride) == 1
            and min(map(min, outside(dy, size, w.shape[2:], padding, dilation))) >= 0)


@formulas.input_gradient.road(steps_of_one)
def input_gradient_by_convolution(dy, w, size, stride, padding, dilation, groups):
    """A convolution of dy with the kernel reversed, which has roads of its own."""
    filters, channels, *kernel = w.shape
    reverse = w[(..., *[slice(None, None, -1)] * len(kernel))]
    reverse = reverse.reshape(groups, -1, channels, *kernel).swapaxes(1, 2).reshape(-1, filters // groups, *kernel)
    return formulas.convolve(dy, reverse, size, stride, outside(dy, size, kernel, padding, dilation), dilation, groups)


@formulas.bias_gradient.road(on_cpu)
def bias_gradient_on_cpu(dy):
    """The sum over images and places as a product with a row of ones."""
    dy = channels_last(dy).reshape(-1, dy.shape[1])
    return sum(parallel(lambda start, stop: np.ones(stop - start, dy.dtype) @ dy[start:stop], len(dy), moved=dy.nbytes))
