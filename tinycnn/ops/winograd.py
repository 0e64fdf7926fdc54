"""Floor 2: 3x3 convolution with 36 multiplications where 144 seem necessary; NumPy only.

Sixteen neighbouring outputs, a tile of 4x4, look at 6x6 pixels through 9 weights. In one dimension, four outputs of a filter
of three weights look at six numbers. The same 4, 3 and 6 occur when two polynomials are multiplied: of 4 coefficients u and
3 coefficients w comes a product of 6, and instead of multiplying each with each (12 products), one may evaluate both
polynomials at 6 points, multiply the values (6 products), and find the polynomial that has these values:

    product = V6^-1 ((V4 u) * (V3 w)),        the rows of Vk being 1, p, p^2, ..., p^(k-1) for each of the points p.

(The sixth point is infinity, where a polynomial has the value of its leading coefficient.) That is linear in u, and to
convolve is its transpose: "which numbers does u reach" becomes "which numbers reach y". The transpose of a chain of matrices
is the chain of their transposes, from right to left:

    y = V4^T ((V3 w) * (V6^-T x))             or y = A ((G w) * (B x)).

In two dimensions this is done to rows and columns, which for flattened tiles is the Kronecker product of each matrix with
itself, a matrix of (36, 36) for B. The sums over the channels commute with all of this: each of the 36 products of a tile
becomes a matrix product, tiles by channels with channels by filters, and so do the transforms: one product for a whole piece
of tiles. Gradients are the transposes of these steps: dw = G^T ((A^T dy) * (B x)), the product summed over the tiles. The
gradient of x is a convolution of dy with the kernel reversed, and comes here as one.

It pays from about LEAST channels and filters on, where the products dominate, as long as there are enough tiles to repay the
transform of the weights: 1.4 times against `fast_conv.py`'s columns at 32 channels, up to 2 times at 64 and more (on one core
of an Intel Xeon with vectors of 512 bits).

The price is precision. The points are as close to 1 and as far from each other as possible, for their powers to be alike; the
error in float32 is then some 3 times that of the sum of products, 9e-7 of a typical output against 3e-7 (with the usual
points 0, 1, -1, 2, -2: 6 times).

Sources: A. Lavin and S. Gray, Fast Algorithms for Convolutional Neural Networks, CVPR 2016, F(4x4, 3x3); B. Barabasz et al.,
Error analysis and improving the accuracy of Winograd convolution for deep neural networks, 2018, on the points.
"""
import functools
import math
import operator

import numpy as np

from ..workers import aligned, parallel, product
from .columns import Columns, add_bias, channels_first, channels_last

LEAST = 32       # channels and filters, from which on it pays,
FEWEST = 32      # with as many tiles at least
TILE = 4
POINTS = (0, 3/5, -3/5, 5/3, -5/3)


@functools.cache
def transforms(dtype):
    """A (16, 36), G (36, 9) and B (36, 36): of flattened tiles of products, of weights, and of tiles of pixels."""
    v4, v3, v6 = (np.vstack([np.vander(POINTS, k, increasing=True), np.eye(k)[-1]]) for k in (TILE, 3, TILE + 2))
    matrices = v4.T, v3, np.linalg.inv(v6).T
    return [np.kron(matrix, matrix).astype(dtype) for matrix in matrices]


def suits(x, filters, kernel, out, stride, dilation, groups):
    """Whether a convolution of x (N, C, *S) is one of those that get faster this way."""
    return (tuple(kernel) == (3, 3) and max(*stride, *dilation, groups) == 1 and min(x.shape[1], filters) >= LEAST
            and len(x) * math.prod(-(-o // TILE) for o in out) >= FEWEST)


def convolve(x, w, out, padding, b=None):
    """x (N, C, H, W), w (F, C, 3, 3), b (F) or None -> y (N, F, *out), by A ((G w) * (B x))."""
    tiles, filters, weights, to_pixels = Tiles(x, out, padding), len(w), transformed(w), transforms(w.dtype)[0]
    y = aligned((len(x), *out, filters), w.dtype)

    def work(start, stop):
        for piece in tiles.pieces[start:stop]:
            products = product(tiles[piece], weights).reshape(36, -1)
            put(product(to_pixels, products), tiles.pixels(y, piece))
            if b is not None:
                add_bias(tiles.pixels(y, piece), b)

    parallel(work, len(tiles.pieces), flops=tiles.flops(filters))
    return channels_first(y)


def weight_gradient(x, dy, padding):
    """x (N, C, H, W), dy (N, F, *O) -> dw (F, C, 3, 3) = G^T (sum over the tiles of (A^T dy) * (B x))."""
    tiles, dy = Tiles(x, dy.shape[2:], padding), channels_last(dy)
    of_outputs, to_weights, _ = transforms(dy.dtype)
    filters = dy.shape[-1]

    def part(piece):
        values = product(of_outputs.T, get(tiles.pixels(dy, piece))).reshape(36, -1, filters)
        return product(values.swapaxes(1, 2), tiles[piece])

    def work(start, stop):
        return functools.reduce(operator.iadd, map(part, tiles.pieces[start:stop]))

    dw = sum(parallel(work, len(tiles.pieces), flops=tiles.flops(filters), most=4))
    return product(dw.reshape(36, -1).T, to_weights).reshape(filters, -1, 3, 3)


def transformed(w):
    """G w for w (F, C, 3, 3): (36, C, F)."""
    filters, channels = w.shape[:2]
    matrix, weights = transforms(w.dtype)[1], aligned((channels, 36, filters), w.dtype)

    def work(start, stop):
        part = np.ascontiguousarray(w[:, start:stop].reshape(filters, -1).T)
        np.matmul(matrix, part.reshape(-1, 9, filters), out=weights[start:stop])

    parallel(work, channels, moved=2 * weights.nbytes)
    return weights.swapaxes(0, 1)


class Tiles(Columns):
    """The tiles of x (N, C, H, W), piece by piece: `pieces` index an array (N, rows of tiles, ...)."""
    few_windows, least_rows, piece_rows = 0, 64, 192

    def __init__(self, x, out, padding):
        tiles = [-(-o // TILE) for o in out]
        wider = [(before, TILE * t + 2 - s - before) for t, s, (before, _) in zip(tiles, x.shape[2:], padding)]
        super().__init__(x, (TILE + 2,) * 2, tiles, (TILE,) * 2, wider, (1, 1), 1)

    def __getitem__(self, piece):
        """B x for the T tiles of a piece: (36, T, C)."""
        tiles = self.windows(piece).transpose(2, 3, 0, 4, 5, 1).reshape(36, -1)
        return product(transforms(tiles.dtype)[2], tiles).reshape(36, -1, self.x.shape[-1])

    def flops(self, filters):
        """The operations in the products of all tiles."""
        return 2 * 36 * len(self.x) * math.prod(self.out) * self.x.shape[-1] * filters

    @staticmethod
    def pixels(y, piece):
        """The part of y (N, *O, F) that the tiles of a piece cover."""
        images, rows = piece
        return y[images, TILE * rows.start:TILE * rows.stop]


def put(tiles, y):
    """Flattened tiles (16, T * F) into y (N, H, W, F), whose last row or column may lie within a tile."""
    n, height, width, filters = y.shape
    whole = y if height % TILE == width % TILE == 0 else np.empty_like(y, shape=(n, *map(filled, (height, width)), filters))
    seen = cut(whole)
    seen[...] = tiles.reshape(seen.shape)
    if whole is not y:
        y[...] = whole[:, :height, :width]


def get(y):
    """The inverse of `put`: y (N, H, W, F), filled up with zeros, as flattened tiles (16, T * F)."""
    height, width = y.shape[1:3]
    if height % TILE or width % TILE:
        y = np.pad(y, [(0, 0), (0, filled(height) - height), (0, filled(width) - width), (0, 0)])
    return cut(y).reshape(TILE**2, -1)


def cut(y):
    """y (N, H, W, F) as its tiles, a view (TILE, TILE, N, H / TILE, W / TILE, F)."""
    n, height, width, filters = y.shape
    return y.reshape(n, height // TILE, TILE, width // TILE, TILE, filters).transpose(2, 4, 0, 1, 3, 5)


def filled(size):
    """The next multiple of TILE."""
    return -(-size // TILE) * TILE
