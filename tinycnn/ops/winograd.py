"""Floor 2: 3x3 convolution with 16 multiplications where 36 seem necessary; NumPy only.

Four neighbouring outputs, a tile of 2x2, look at 4x4 pixels through 9 weights. Winograd's minimal filtering computes them
from 16 products instead of 4 * 9. In one dimension, two outputs of a filter of three weights:

    y0 = x0 w0 + x1 w1 + x2 w2 = m0 + m1 + m2,        m0 = (x0 - x2) w0             m1 = (x1 + x2) (w0 + w1 + w2) / 2
    y1 = x1 w0 + x2 w1 + x3 w2 = m1 - m2 - m3,        m3 = (x1 - x3) w2             m2 = (x2 - x1) (w0 - w1 + w2) / 2

or y = A^T ((G w) * (B^T x)), with the matrices below, and in two dimensions y = A^T ((G w G^T) * (B^T x B)) A. The sums over
the channels commute with all of this: each of the 16 products of a tile becomes a matrix product, tiles by channels with
channels by filters. Adding is cheap, and the weights are transformed only once.

Gradients are the transposes of these steps: dw = G^T ((A dy A^T) * (B^T x B)) G, the product summed over the tiles. The
gradient of x is a convolution of dy with the kernel reversed, and comes here as one.

It pays where the products dominate, from about LEAST channels and filters on. The result differs from the direct one in the
last digits, where sums and differences of pixels are rounded too; the error is about as large (float32: 4e-7).

Source: A. Lavin and S. Gray, Fast Algorithms for Convolutional Neural Networks, CVPR 2016, F(2x2, 3x3).
"""
import functools
import operator

import numpy as np

from ..workers import aligned, parallel
from .columns import FEW_WINDOWS, Columns, channels_first, channels_last

LEAST = 128

G = np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]])
GG = np.kron(G, G)  # (16, 9), G w G^T of a flattened w


def suits(x, filters, kernel, out, stride, dilation, groups):
    """Whether a convolution of x (N, C, *S) is one of those that get faster this way."""
    return (tuple(kernel) == (3, 3) and max(*stride, *dilation, groups) == 1 and min(x.shape[1], filters) >= LEAST
            and len(x) * out[0] * out[1] > FEW_WINDOWS)


def convolve(x, w, out, padding, b=None):
    """x (N, C, H, W), w (F, C, 3, 3), b (F) or None -> y (N, F, *out), by A^T ((G w G^T) * (B^T x B)) A."""
    tiles, filters = Tiles(x, out, padding), len(w)
    weights = (GG.astype(w.dtype) @ w.reshape(-1, 9).T).reshape(16, filters, -1).swapaxes(1, 2)
    y = aligned((len(x), *out, filters), w.dtype)

    def work(start, stop):
        for piece in tiles.pieces[start:stop]:
            outputs(tiles[piece] @ weights, tiles.pixels(y, piece))
            if b is not None:
                tiles.pixels(y, piece)[...] += b

    parallel(work, len(tiles.pieces), flops=2 * y.size * 4 * x.shape[1], moved=8 * y.nbytes)
    return channels_first(y)


def weight_gradient(x, dy, padding):
    """x (N, C, H, W), dy (N, F, *O) -> dw (F, C, 3, 3) = G^T (sum over the tiles of (A dy A^T) * (B^T x B)) G."""
    tiles, dy = Tiles(x, dy.shape[2:], padding), channels_last(dy)

    def part(piece):
        return spread(tiles.pixels(dy, piece)).swapaxes(1, 2) @ tiles[piece]

    def work(start, stop):
        return functools.reduce(operator.iadd, map(part, tiles.pieces[start:stop]))

    dw = sum(parallel(work, len(tiles.pieces), flops=2 * dy.size * 4 * x.shape[1], moved=8 * dy.nbytes, most=4))
    return (dw.reshape(16, -1).T @ GG.astype(dw.dtype)).reshape(dy.shape[-1], x.shape[1], 3, 3)


class Tiles(Columns):
    """The tiles of x (N, C, H, W), piece by piece: `pieces` index an array (N, rows of tiles, ...)."""
    few_windows = 0

    def __init__(self, x, out, padding):
        tiles = [-(-o // 2) for o in out]
        wider = [(before, 2 * t + 2 - s - before) for t, s, (before, _) in zip(tiles, x.shape[2:], padding)]
        super().__init__(x, (4, 4), tiles, (2, 2), wider, (1, 1), 1)

    def __getitem__(self, piece):
        """B^T x B of the tiles of a piece: (16, T, C)."""
        x = self.framed(*piece)
        n, height, width, c = x.shape
        rows = aligned((4, n, height // 2 - 1, width, c), x.dtype)
        tiles = aligned((4, 4, n, height // 2 - 1, width // 2 - 1, c), x.dtype)
        differences(x, 1, rows)
        for row, tile in zip(rows, tiles):
            differences(row, 2, tile)
        return tiles.reshape(16, -1, c)

    @staticmethod
    def pixels(y, piece):
        """The part of y (N, *O, F) that the tiles of a piece cover."""
        images, rows = piece
        return y[images, 2 * rows.start:2 * rows.stop]


def differences(x, axis, out):
    """B^T x along an axis, for windows of 4 at a stride of 2, into out: x0 - x2, x1 + x2, x2 - x1, x1 - x3."""
    length = x.shape[axis] - 2
    x0, x1, x2, x3 = (x[(slice(None),) * axis + (slice(i, i + length, 2),)] for i in range(4))
    np.subtract(x0, x2, out=out[0])
    np.add(x1, x2, out=out[1])
    np.subtract(x2, x1, out=out[2])
    np.subtract(x1, x3, out=out[3])


def outputs(m, y):
    """A^T m A for the products m (16, T, F) of the tiles -> y (N, H, W, F), whose last row or column may be half a tile."""
    n, height, width, filters = y.shape
    m = m.reshape(4, 4, n, -(-height // 2), -(-width // 2), filters)
    m[1], m[2] = m[1] + m[2], m[1] - m[2]
    m[0] += m[1]
    m[2] -= m[3]
    for i, (r0, r1, r2, r3) in enumerate((m[0], m[2])):
        for j, tile in enumerate((r0 + r1 + r2, r1 - r2 - r3)):
            part = y[:, i::2, j::2]
            part[...] = tile[:, :part.shape[1], :part.shape[2]]


def spread(dy):
    """A dy A^T for the tiles of dy (N, H, W, F): (16, T, F)."""
    n, height, width, filters = dy.shape
    if height % 2 or width % 2:
        dy = np.pad(dy, [(0, 0), (0, height % 2), (0, width % 2), (0, 0)])
    tiles = aligned((4, 4, n, dy.shape[1] // 2, dy.shape[2] // 2, filters), dy.dtype)
    y0, y1 = dy[:, 0::2], dy[:, 1::2]
    for row, tile in zip((y0, y0 + y1, y0 - y1, -y1), tiles):
        left, right = row[:, :, 0::2], row[:, :, 1::2]
        tile[0] = left
        np.add(left, right, out=tile[1])
        np.subtract(left, right, out=tile[2])
        np.negative(right, out=tile[3])
    return tiles.reshape(16, -1, filters)
