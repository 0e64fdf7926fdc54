"""Convolution with a half or a quarter of the multiplications that seem necessary; NumPy only.

Four neighbouring outputs of a filter of three weights look at six numbers. The same 4, 3 and 6 occur when two polynomials
are multiplied: 4 coefficients u and 3 coefficients w give a product of 6, and instead of multiplying each with each (12
products) one may evaluate both polynomials at 6 points, multiply the values (6 products), and find the polynomial with these
values:

    product = V6^-1 ((V4 u) * (V3 w)),        Vk having a row of powers, 1, p, p^2, ..., p^(k-1), for each of the points p.

That is linear in u, and to convolve is its transpose: "which outputs does u reach" becomes "which inputs reach y". A chain
of matrices is transposed by transposing each and reversing the order:

    y = V4^T ((V3 w) * (V6^-T x))             or y = A ((G w) * (B x)).

Here 4 outputs of K weights look at 3 + K inputs. In two dimensions the transforms are done to rows and columns, which for
flattened tiles is the Kronecker product of each matrix with itself. The sums over the channels commute with all of this, so
each of the products of a tile becomes a product of matrices, tiles by channels with channels by filters; and so do the
transforms: one product for a whole piece of tiles. Gradients are the transposes of these steps: dw = G^T ((A^T dy) * (B x)),
the product summed over the tiles. The gradient of x is a convolution of dy with the kernel reversed, and comes here as one.

There are two ways, from LEAST channels and filters on, where products dominate (gains against `fast_conv.py`'s columns on an
Intel Xeon with vectors of 512 bits):

- `Squares`: tiles of 4x4 outputs of a 3x3 kernel, 36 products where there were 144, with enough tiles to repay the transform
  of the weights: 1.4 times at 32 channels, from 64 on 1.7 to 2 times.
- `Rows`: tiles of 1x4 outputs of a kernel 5 or 6 wide. Only the width is transformed, the other direction stays one of
  columns; 2/5 or 3/8 of the products remain: 1.3 to 2 times.

The price is precision: powers differ in size. Instead of numbers p the points are directions, at equal angles, with the
powers c^(k-1), c^(k-2) s, ..., s^(k-1) of their cosine and sine; so infinity is one of them, and none is large. In float32
the error then is 1e-6 (64 channels) to 1.6e-6 (256) of a typical output for `Squares` and up to 3e-6 for `Rows`, where it is
3e-7 for the sum of products. And a pixel that is infinite or NaN makes all outputs of its tile NaN.

Source: A. Lavin and S. Gray, Fast Algorithms for Convolutional Neural Networks, CVPR 2016, F(4x4, 3x3).
"""
import functools
import math

import numpy as np

from ..engine.arrays import sliding_windows
from .matmul import product
from .workers import aligned, parallel
from .columns import Columns, add_bias, channels_first, channels_last, product_of_transposed, total

TILE = 4            # outputs that share their products
FEWEST = 32         # tiles that repay the transform of the weights
LEAST = 32          # channels and filters, from which on products dominate


@functools.cache
def transforms(kernel, dims, dtype):
    """A, G and B for `kernel` weights, in one dimension or, for flattened tiles, in two."""
    count = TILE + kernel - 1
    angles = np.pi * np.arange(count)[:, None] / count

    def powers(k):
        return np.cos(angles) ** np.arange(k - 1, -1, -1) * np.sin(angles) ** np.arange(k)

    matrices = powers(TILE).T, powers(kernel), np.linalg.inv(powers(count)).T
    matrices = [m * (np.abs(m) > 1e-12) for m in matrices]  # for 0 there is 1e-17, which makes products too tiny to be fast
    return [(np.kron(m, m) if dims == 2 else m).astype(dtype) for m in matrices]


def way(images, channels, filters, kernel, out, stride, dilation):
    """`Squares` or `Rows`, whichever makes a convolution faster, or None; channels and filters are those of a group."""
    if len(kernel) != 2 or max(*stride, *dilation) > 1 or min(channels, filters) < LEAST:
        return None
    down, right = (-(-o // TILE) for o in out)
    if tuple(kernel) == (3, 3) and images * down * right >= FEWEST:
        return Squares
    if 5 <= kernel[1] <= 6 and TILE * right < 1.5 * out[1] and images * out[0] * right >= FEWEST:
        return Rows
    return None


def convolve(way, x, w, out, padding, b=None):
    """x (N, C, H, W), w (F, C, KH, KW), b (F) or None -> y (N, F, *out), by A ((G w) * (B x))."""
    tiles, filters = way(x, w.shape[2:], out, padding), len(w)
    weights = tiles.weights(w)
    y = aligned((len(x), *out, filters), w.dtype)

    def work(start, stop):
        for piece in tiles.pieces[start:stop]:
            products = product(tiles[piece], weights)
            tiles.put(product(tiles.a, products.reshape(len(products), -1)), tiles.pixels(y, piece))
            if b is not None:
                add_bias(tiles.pixels(y, piece), b)

    parallel(work, len(tiles.pieces), flops=tiles.flops(filters))
    return channels_first(y)


def weight_gradient(way, x, dy, kernel, padding):
    """x (N, C, H, W), dy (N, F, *O) -> dw (F, C, *kernel) = G^T (sum over the tiles of (A^T dy) * (B x))."""
    tiles, dy = way(x, kernel, dy.shape[2:], padding), channels_last(dy)
    filters = dy.shape[-1]

    def part(piece):
        values = product(tiles.a.T, tiles.get(tiles.pixels(dy, piece)))
        return product_of_transposed(values.reshape(len(values), -1, filters), tiles[piece])

    def work(start, stop):
        return total(map(part, tiles.pieces[start:stop]))

    return tiles.weight_gradient(total(parallel(work, len(tiles.pieces), flops=tiles.flops(filters), most=4)))


class Tiles(Columns):
    """The tiles of x (N, C, H, W), piece by piece: `pieces` index an array (N, rows of tiles, ...).

    Subclasses say what B x is for a piece, and what becomes of the weights: each product of a tile sums over K numbers,
    which are the channels, or those of a column of pixels.
    """
    few_windows, least_rows = 0, 96

    def __init__(self, x, kernel, out, padding):
        self.weight_shape, self.filled = kernel, [-(-o // t) * t for o, t in zip(out, self.tile)]
        self.a, self.g, self.b = transforms(kernel[1], 2 if self.tile[0] > 1 else 1, x.dtype)
        wider = [(before, f + k - 1 - s - before) for f, k, s, (before, _) in zip(self.filled, kernel, x.shape[2:], padding)]
        seen = [t + k - 1 for t, k in zip(self.tile, kernel)]
        super().__init__(x, seen, [f // t for f, t in zip(self.filled, self.tile)], self.tile, wider, (1, 1), 1)

    def flops(self, filters):
        """The operations in the products of all tiles."""
        return 2 * len(self.x) * math.prod(self.out) * math.prod(self.kernel) * self.x.shape[-1] * filters

    def pixels(self, y, piece):
        """The part of y (N, *O, F) that the tiles of a piece cover."""
        images, rows = piece
        return y[images, self.tile[0] * rows.start:self.tile[0] * rows.stop]

    def cut(self, y):
        """y (N, H, W, F) as its tiles, a view (*tile, N, H / tile, W / tile, F)."""
        (n, height, width, filters), (rows, columns) = y.shape, self.tile
        return y.reshape(n, height // rows, rows, width // columns, columns, filters).transpose(2, 4, 0, 1, 3, 5)

    def missing(self, y):
        """How many rows and columns of y (N, H, W, F) lack to fill its last tiles."""
        return [-size % t for size, t in zip(y.shape[1:3], self.tile)]

    def put(self, tiles, y):
        """Flattened tiles (16 or 4, T * F) into y (N, H, W, F), whose last row or column may lie within a tile."""
        n, height, width, filters = y.shape
        down, right = self.missing(y)
        whole = np.empty_like(y, shape=(n, height + down, width + right, filters)) if down or right else y
        seen = self.cut(whole)
        seen[...] = tiles.reshape(seen.shape)
        if whole is not y:
            y[...] = whole[:, :height, :width]

    def get(self, y):
        """The inverse of `put`: y (N, H, W, F), filled up with zeros, as flattened tiles (16 or 4, T * F)."""
        if any(self.missing(y)):
            y = np.pad(y, [(0, 0), *((0, lack) for lack in self.missing(y)), (0, 0)])
        return self.cut(y).reshape(math.prod(self.tile), -1)


class Squares(Tiles):
    """Tiles of 4x4 outputs of a 3x3 kernel."""
    tile, piece_rows = (TILE, TILE), 192

    def __getitem__(self, piece):
        """B x for the T tiles of a piece: (36, T, C)."""
        windows = self.windows(piece).transpose(2, 3, 0, 4, 5, 1)
        return product(self.b, windows.reshape(len(self.b), -1)).reshape(len(self.b), -1, self.x.shape[-1])

    def weights(self, w):
        """G w for w (F, C, 3, 3): (36, C, F)."""
        filters, channels = w.shape[:2]
        weights = aligned((channels, len(self.g), filters), w.dtype)

        def work(start, stop):
            part = w[:, start:stop].transpose(1, 2, 3, 0).reshape(stop - start, -1, filters)
            np.matmul(self.g, part, out=weights[start:stop])

        parallel(work, channels, moved=2 * weights.nbytes)
        return weights.swapaxes(0, 1)

    def weight_gradient(self, dw):
        """G^T dw for dw (36, F, C): (F, C, 3, 3)."""
        rows = dw.reshape(len(dw), -1).T
        dw = np.empty((*dw.shape[1:], *self.weight_shape), dw.dtype)
        flat = dw.reshape(len(rows), -1)
        parallel(lambda i, j: np.matmul(rows[i:j], self.g, out=flat[i:j]), len(rows), moved=2 * rows.nbytes)
        return dw


class Rows(Tiles):
    """Tiles of 1x4 outputs. What a product sums over is a column of the kernel, with its channels."""
    tile, piece_rows = (1, TILE), 64

    def __getitem__(self, piece):
        """B x for the T tiles of a piece: (n, T, KH * C), n being the number of products in a tile."""
        x, (height, count) = self.framed(*piece), self.kernel
        windows = sliding_windows(channels_first(x), (1, count), self.tile, (1, 1))[:, :, 0]
        windows = windows.transpose(2, 0, 4, 3, 1)                      # (n, N, tiles in a row, rows, C)
        values = product(self.b, windows.reshape(count, -1)).reshape(-1, *windows.shape[3:])
        columns = sliding_windows(values.swapaxes(1, 2), (height,), (1,), (1,))
        columns = columns.reshape(*windows.shape[:3], *columns.shape[1:])
        return columns.transpose(0, 1, 5, 2, 4, 3).reshape(count, -1, height * x.shape[-1])

    def weights(self, w):
        """G w for w (F, C, KH, KW): (n, KH * C, F)."""
        w = np.ascontiguousarray(w.transpose(3, 2, 1, 0))
        return product(self.g, w.reshape(len(w), -1)).reshape(len(self.g), -1, w.shape[-1])

    def weight_gradient(self, dw):
        """G^T dw for dw (n, F, KH * C): (F, C, KH, KW)."""
        filters, (height, width) = dw.shape[1], self.weight_shape
        dw = product(self.g.T, dw.reshape(len(dw), -1)).reshape(width, filters, height, -1)
        return np.ascontiguousarray(dw.transpose(1, 3, 2, 0))
