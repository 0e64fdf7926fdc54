"""3x3 convolution with a quarter of the multiplications, by products of matrices. `cpu/winograd.py` says why it works.

A transform is the Kronecker product of its matrix with itself, times flattened tiles: one product for a whole piece of them.
From 64 channels on that is 1.7 to 2 times as fast as columns. In float32 its error is 7e-7 to 1.6e-6 of a typical result, 3
to 6 times that of the formula.
"""
import functools
import math

import numpy as np

from ...ops import conv as formulas
from ..layout import channels_first, channels_last, contiguous
from ..matmul import product
from ..workers import aligned, parallel
from .columns import Columns, add_bias, total

LEAST = 32            # channels and filters, from which on products dominate
FEWEST = 32           # tiles that repay the transform of the weights


@functools.cache
def transforms(dtype):
    """A (4, 6), G (6, 3) and B (6, 6)."""
    angles = np.pi * np.arange(6)[:, None] / 6

    def powers(k):
        return np.cos(angles) ** np.arange(k - 1, -1, -1) * np.sin(angles) ** np.arange(k)

    matrices = powers(4).T, powers(3), np.linalg.inv(powers(6)).T
    return [(m * (np.abs(m) > 1e-12)).astype(dtype) for m in matrices]  # 1e-17 for 0 makes products too tiny to be fast


@functools.cache
def squares(dtype):
    """A (16, 36), G (36, 9) and B (36, 36)."""
    return [np.kron(m, m).astype(dtype) for m in transforms(np.dtype(np.float64))]


class Squares(Columns):
    """Tiles of 4x4 outputs of x (N, C, H, W), piece by piece: `pieces` index an array (N, rows of tiles, ...)."""
    few_windows, least_rows, piece_rows = 0, 96, 192

    def __init__(self, x, out, padding):
        self.a, self.g, self.b = squares(x.dtype)
        down, right = (-(-o // 4) for o in out)
        around = [(before, 4 * n + 2 - s - before) for n, s, (before, _) in zip((down, right), x.shape[2:], padding)]
        super().__init__(x, (6, 6), (down, right), (4, 4), around, (1, 1), 1)

    def __getitem__(self, piece):
        """B x for the T tiles of a piece: (36, T, C)."""
        windows = self.windows(piece).transpose(2, 3, 0, 4, 5, 1)
        return product(self.b, windows.reshape(36, -1)).reshape(36, -1, self.x.shape[-1])


def pixels(y, piece):
    """The part of y (N, H, W, F) that the tiles of a piece cover."""
    images, rows = piece
    return y[images, 4 * rows.start:4 * rows.stop]


def put(tiles, y):
    """Flattened tiles (16, T * F) into y (N, H, W, F), in whose last row and column they may end."""
    n, height, width, filters = y.shape
    down, right = -(-height // 4), -(-width // 4)
    whole = tiles.reshape(4, 4, n, down, right, filters).transpose(2, 3, 0, 4, 1, 5).reshape(n, 4 * down, 4 * right, filters)
    y[...] = whole[:, :height, :width]


def get(y):
    """The inverse of `put`: y (N, H, W, F), filled up with zeros, as flattened tiles (16, T * F)."""
    if y.shape[1] % 4 or y.shape[2] % 4:
        y = np.pad(y, [(0, 0), (0, -y.shape[1] % 4), (0, -y.shape[2] % 4), (0, 0)])
    n, height, width, filters = y.shape
    return y.reshape(n, height // 4, 4, width // 4, 4, filters).transpose(2, 4, 0, 1, 3, 5).reshape(16, y.size // 16)


def worth(images, channels, filters, kernel, out, stride, dilation, groups):
    """Whether tiles make a convolution of so many channels and filters faster."""
    return (tuple(kernel) == (3, 3) and max(*stride, *dilation, groups) == 1 and min(channels, filters) >= LEAST
            and images * math.prod(-(-o // 4) for o in out) >= FEWEST)


def many_channels(x, w, out, stride, padding, dilation, groups, b=None):
    """NumPy arrays of 32 channels or more and as many filters, under a 3x3 kernel with stride 1."""
    return type(x) is np.ndarray and x.dtype.char in "fd" and worth(
        len(x), w.shape[1], len(w), w.shape[2:], out, stride, dilation, groups)


def many_channels_across(x, dy, kernel, stride, padding, dilation, groups):
    """NumPy arrays of 32 channels or more and as many filters, for a 3x3 kernel with stride 1."""
    return type(x) is np.ndarray and x.dtype.char in "fd" and worth(
        len(x), x.shape[1], dy.shape[1], kernel, dy.shape[2:], stride, dilation, groups)


@formulas.convolve.road(many_channels)
def convolve_in_squares(x, w, out, stride, padding, dilation, groups, b=None):
    """Winograd's tiles, y = A ((G w) * (B x)): a quarter of the products."""
    tiles, (filters, channels) = Squares(x, out, padding), w.shape[:2]
    weights = product(tiles.g, w.transpose(2, 3, 1, 0).reshape(9, -1)).reshape(36, channels, filters)
    y = aligned((len(x), *out, filters), w.dtype)

    def work(start, stop):
        for piece in tiles.pieces[start:stop]:
            part = pixels(y, piece)
            put(product(tiles.a, product(tiles[piece], weights).reshape(36, -1)), part)
            if b is not None:
                add_bias(part, b)

    parallel(work, len(tiles.pieces), flops=18 * y.size * channels)
    return channels_first(y)


@formulas.weight_gradient.road(many_channels_across)
def weight_gradient_in_squares(x, dy, kernel, stride, padding, dilation, groups):
    """Winograd's tiles, dw = G^T (sum over the tiles of (A^T dy) * (B x)): a quarter of the products."""
    tiles, dy = Squares(x, dy.shape[2:], padding), channels_last(dy)
    filters, channels = dy.shape[-1], x.shape[1]

    def part(piece):
        values = product(tiles.a.T, get(pixels(dy, piece)))
        return product(values.reshape(36, -1, filters).swapaxes(1, 2), tiles[piece])

    dw = total(parallel(lambda start, stop: total(map(part, tiles.pieces[start:stop])), len(tiles.pieces),
                        flops=18 * dy.size * channels, most=4))
    dw = product(tiles.g.T, dw.reshape(36, -1)).reshape(3, 3, filters, channels)
    return contiguous(dw.transpose(2, 3, 0, 1))
