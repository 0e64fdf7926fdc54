"""3x3 convolution with a quarter of the multiplications, where Numba is installed: Winograd's tiles, as sums in registers.

Four neighbouring outputs of a filter of three weights look at six numbers. The same 4, 3 and 6 occur when two polynomials
are multiplied: 4 coefficients u and 3 coefficients w give a product of 6, and instead of multiplying each with each (12
products) one may evaluate both polynomials at 6 points, multiply the values (6 products), and find the polynomial with these
values:

    product = V6^-1 ((V4 u) * (V3 w)),        Vk having a row of powers, 1, p, p^2, ..., p^(k-1), for each of the points p.

That is linear in u, and to convolve is its transpose: "which outputs does u reach" becomes "which inputs reach y". A chain
of matrices is transposed by transposing each and reversing the order:

    y = V4^T ((V3 w) * (V6^-T x))             or y = A ((G w) * (B x)).

In two dimensions this is done to rows and then to columns: a tile of 4x4 outputs sees 6x6 inputs, and takes 36 products
where there were 144. The sums over the channels commute with all of it, so each of the 36 becomes, for all tiles, a product
of matrices, v (tiles, C) @ u (C, filters). Gradients are the transposes of these steps: dw = G^T ((A^T dy) * (B x)), summed
over the tiles. The gradient of x is a convolution of dy with the kernel reversed.

The price is precision: powers differ in size. The points of 4x4 tiles are 0, 5/8, -5/8, 3/2, -3/2 and infinity (where the
value of a polynomial is its last coefficient), whose powers are exact in binary and of similar size; of all that were tried
they have the smallest errors. Products are summed over SUM channels, or PART tiles, at a time, and then these sums: a sum of
sums has a smaller rounding error than a long one. In float32 the error (root mean square) is 1.7 to 2.2 times that of the
formula for y and dw, with 32 to 512 channels, and 2.0 to 2.9 times for dx, whose formula sums in two stages: with fewer than
BACK filters, dx is made from tiles of 2x2, with the points 0, 1, -1 and infinity: 1.1 to 1.4 times the error, and 4/9 of
the products of the formula. A pixel that is infinite or NaN makes all outputs of its tile NaN.

All values at one pair of points are a plane: for tiles (or channels) in rows, and channels (or filters) in blocks of two
vectors, an array (planes, blocks, rows, wide). So there are four loops, each of them `outer` of `registers.py`: M x M^T
of tiles as planes, and of planes as tiles, for a small matrix M; and the two products of planes. Pieces of some images at a
time stay in the cache; where the weights are too large to be read for each piece, all tiles go through one step after the
other, and the cores share the matrices.

Source: A. Lavin and S. Gray, Fast Algorithms for Convolutional Neural Networks, CVPR 2016.
"""
import functools
import math
import operator

import numpy as np

from ..ops import conv as formulas
from .compiled import compiled
from .direct import as_groups, framed, packed, unpacked, volumes
from .layout import channels_first
from .serving import compiled_floats
from .workers import aligned, parallel

LEAST = 32            # channels and filters, from which on products dominate
BACK = 96             # filters, from which on dx is made from tiles of 4x4
FEWEST = 32           # tiles that repay the transform of the weights
LARGE = 2**17         # weights that are too many to be read for each piece
TILES = 72            # in a piece, at least
ROOM = 2**24          # numbers that tiles may take at once
SUM = 16              # channels in a sum
PART = 32             # tiles in a sum


@functools.cache
def transforms(size, dtype):
    """A (size, n), G (n, 3) and B (n, n) for the n = size + 2 points of tiles of 4x4 or 2x2 pixels."""
    points = np.array({4: [0, 5 / 8, -5 / 8, 3 / 2, -3 / 2], 2: [0, 1, -1]}[size])

    def powers(k):
        """(the powers of all points, scaled such that their squares sum up to about 1, what they were scaled by)."""
        values = np.vstack([points[:, None] ** np.arange(k), np.arange(k) == k - 1])
        scale = np.exp2(-np.round(np.log2(np.linalg.norm(values, axis=1))))[:, None]
        return values * scale, scale

    (a, a_scale), (g, g_scale) = powers(size), powers(3)
    values = powers(size + 2)
    b = np.linalg.inv(values[0] / values[1]).T / a_scale / g_scale
    return [np.ascontiguousarray(m * (np.abs(m) > 1e-12), dtype) for m in (a.T, g, b)]  # no 1e-17 for 0, which is slow


# ---- the loops -------------------------------------------------------------------------------------------------------

@functools.cache
def tiles_to_planes(a, b, dtype):
    """The loop for M x M^T, given M (a, b) and tiles of b x b pixels."""
    from .registers import lanes, outer, put, zero
    wide = 2 * lanes(dtype)

    def run(x, M, y, room, first, last, places, x_block, x_row, x_column, blocks, T):
        """y (a * a, blocks, T, wide) of tiles first to last, which begin at `places` of x, blocks x_block apart."""
        for tile in range(first, last):
            for block in range(blocks):
                for r in range(b):
                    t = zero(a, 2, x)
                    for k in range(b):
                        t = outer(t, M, k, b, x, places[tile] + block * x_block + r * x_row + k * x_column)
                    put(t, room, r * wide, b * wide)                          # room (column, row, wide)
                for j in range(a):
                    t = zero(a, 2, x)
                    for r in range(b):
                        t = outer(t, M, r, b, room, (j * b + r) * wide)
                    put(t, y, ((j * blocks + block) * T + tile) * wide, a * blocks * T * wide)
    return compiled(run)


@functools.cache
def planes_to_tiles(a, b, dtype):
    """The loop for M x M^T + bias, given M (a, b) and b * b planes."""
    from .registers import get, lanes, outer, put, put_some, zero
    wide = 2 * lanes(dtype)

    def run(x, M, bias, y, room, first, last, places, heights, widths, y_block, y_row, y_column, blocks, T, filters):
        """Tiles first to last of y, of which so many rows, columns and filters exist, from x (b * b, blocks, T, wide)."""
        for tile in range(first, last):
            for block in range(blocks):
                for r in range(b):
                    t = zero(a, 2, x)
                    for k in range(b):
                        t = outer(t, M, k, b, x, (((r * b + k) * blocks + block) * T + tile) * wide)
                    put(t, room, r * wide, b * wide)                          # room (column, row, wide)
                for j in range(min(a, widths[tile])):
                    t = get(zero(a, 2, x), bias, block * wide, 0)
                    for r in range(b):
                        t = outer(t, M, r, b, room, (j * b + r) * wide)
                    at = places[tile] + block * y_block + j * y_column
                    if heights[tile] >= a and filters - block * wide >= wide:
                        put(t, y, at, y_row)
                    else:
                        put_some(t, y, at, y_row, heights[tile], filters - block * wide)
    return compiled(run)


@functools.cache
def product(dtype):
    """The loop for v @ u at every point: sums over channels."""
    from .registers import add, lanes, outer, put, zero
    wide, J = 2 * lanes(dtype), rows_together()
    some = min(SUM, wide)

    def run(v, u, y, first, last, T, C, v_blocks, blocks):
        """y (planes, blocks, T, wide) of v (planes, v_blocks, T, wide), u (planes, blocks, C, wide), for blocks of it."""
        for plane in range(first, last):
            point = plane // blocks
            for c in range(0, C, some):
                for row in range(0, T, J):
                    t, k = zero(J, 2, v), (plane * C + c) * wide
                    i0 = ((point * v_blocks + c // wide) * T + row) * wide + c % wide
                    for i in range(i0, i0 + min(some, C - c)):
                        t = outer(t, v, i, wide, u, k)
                        k += wide
                    if c == 0:
                        put(t, y, (plane * T + row) * wide, wide)
                    else:
                        add(t, y, (plane * T + row) * wide, wide)
    return compiled(run)


@functools.cache
def product_of_tiles(dtype):
    """The loop for v^T @ d at every point: sums over tiles."""
    from .registers import WIDE, add, lanes, outer, put, zero
    wide, J = 2 * lanes(dtype), 8 if WIDE else 4

    def run(v, d, y, first, last, T, tiles, v_blocks, blocks, fresh):
        """y (planes, blocks, C, wide) of v (planes, v_blocks, T, wide) and d like it, for blocks of v first to last.

        It is set where it is `fresh`, and otherwise added to.
        """
        for plane in range(first, last):
            point, c0, C = plane // v_blocks, plane % v_blocks * wide, v_blocks * wide
            for block in range(blocks):
                for c in range(c0, c0 + wide, J):
                    i, k = plane * T * wide + c - c0, (point * blocks + block) * T * wide
                    at = ((point * blocks + block) * C + c) * wide
                    for tile in range(0, tiles, PART):
                        t = zero(J, 2, v)
                        for _ in range(min(PART, tiles - tile)):
                            t = outer(t, v, i, 1, d, k)
                            i += wide
                            k += wide
                        if fresh and tile == 0:
                            put(t, y, at, wide)
                        else:
                            add(t, y, at, wide)
    return compiled(run)


# ---- how they are called ---------------------------------------------------------------------------------------------

def wide_of(dtype):
    """How many channels or filters are a block."""
    from .registers import lanes
    return 2 * lanes(dtype)


def rows_together():
    """How many tiles share a tile of registers."""
    from .registers import WIDE
    return 8 if WIDE else 6


def to_planes(x, M, places, steps, blocks, T):
    """M x M^T (planes, blocks, T, wide) of tiles that begin at `places` of x, of which T may be more than there are.

    `steps` are the distances in x from block to block, row to row and column to column.
    """
    wide = wide_of(x.dtype)
    y = aligned((len(M)**2, blocks, T, wide), x.dtype)
    parallel(lambda i, j: tiles_to_planes(*M.shape, x.dtype)(
        x.reshape(-1), M.reshape(-1), y.reshape(-1), aligned((M.size * wide,), x.dtype), i, j, places, *steps, blocks, T),
        len(places), moved=4 * y.nbytes)
    return y


def from_planes(x, M, bias, y, places, steps, inside, filters):
    """M x M^T + bias into the tiles that begin at `places` of y; `inside` are the rows and columns that each has there."""
    wide = wide_of(x.dtype)
    parallel(lambda i, j: planes_to_tiles(*M.shape, x.dtype)(
        x.reshape(-1), M.reshape(-1), bias, y.reshape(-1), aligned((M.size * wide,), x.dtype), i, j, places, *inside, *steps,
        x.shape[1], x.shape[2], filters), len(places), moved=4 * x.nbytes)


@functools.lru_cache(1000)
def corners(images, size, tile, image, row, column):
    """(places, heights, widths) of tiles of tile x tile pixels of images of `size`: where each begins, what of it exists.

    `image`, `row` and `column` are the distances of images, rows and columns in memory.
    """
    n, i, j = np.ogrid[:images, :size[0]:tile, :size[1]:tile]
    return [np.broadcast_to(a, np.broadcast_shapes(n.shape, i.shape, j.shape)).reshape(-1)
            for a in (n * image + i * row + j * column, size[0] - i, size[1] - j)]


class Grid:
    """The tiles of tile x tile pixels over images of a size (height, width)."""

    def __init__(self, size, tile):
        self.size, self.tile = tuple(size), tile
        self.covered = [-(-s // tile) * tile for s in size]
        self.count = math.prod(self.covered) // tile**2           # tiles of an image

    def planes(self, x, M, before):
        """M x M^T of all tiles of x (N, 1, H, W, C) within zeros, `before` before it: themselves, or with pixels around."""
        wide, more = wide_of(x.dtype), M.shape[1] - self.tile
        blocks = -(-x.shape[4] // wide)
        z = framed(x, before, (1, *(s + more for s in self.covered)), blocks * wide)
        image, _, row, column, _ = (s // x.itemsize for s in z.strides)
        places, together = corners(len(x), self.size, self.tile, image, row, column)[0], rows_together()
        return to_planes(z, M, places, (wide, row, column), blocks, -(-len(places) // together) * together)

    def put(self, planes, M, bias, y):
        """M planes M^T + bias into all tiles of y (N, height, width, filters)."""
        image, row, column, _ = (s // y.itemsize for s in y.strides)
        places, *inside = corners(len(y), self.size, self.tile, image, row, column)
        from_planes(planes, M, bias, y, places, (wide_of(y.dtype), row, column), inside, y.shape[3])

    def in_pieces(self, work, count, channels, filters, large, most):
        """[work(first image, last, their number in a piece), ...]: each core some images, or one after the other by all."""
        planes = (self.tile + 2)**2
        flops = 8 / 3 * planes * count * self.count * channels * filters
        if channels * filters > large:
            return [work(0, count, max(1, ROOM // (planes * self.count * max(channels, filters))))]
        return parallel(lambda i, j: work(i, j, -(-TILES // self.count)), count, flops=flops, most=most)


def weight_places(C, wide):
    """Where the kernels of `packed` weights (blocks, 3, 3, C, wide) begin; how far blocks, rows and columns are apart."""
    return np.arange(C) * wide, (9 * C * wide, 3 * C * wide, C * wide)


def convolve_tiles(x, w, out, padding, tile, b=None):
    """x (N, C, H, W), w (F, C, 3, 3) -> y (N, F, *out)."""
    (filters, channels), dtype, grid, wide = w.shape[:2], x.dtype, Grid(out, tile), wide_of(x.dtype)
    A, G, B = transforms(tile, dtype)
    weights, bias, blocks = packed(as_groups(w, 1), b, 2)
    u = to_planes(weights, G, *weight_places(channels, wide), blocks, channels)
    x, before, y = volumes(x), (0, *(p for p, _ in padding)), aligned((len(x), *out, filters), dtype)

    def work(start, stop, few):
        for n in range(start, stop, few):
            piece = slice(n, min(n + few, stop))
            v = grid.planes(x[piece], B, before)
            m = aligned((len(v), blocks, *v.shape[2:]), dtype)
            parallel(lambda i, j: product(dtype)(
                v.reshape(-1), u.reshape(-1), m.reshape(-1), i, j, v.shape[2], channels, v.shape[1], blocks),
                len(v) * blocks, flops=2 * v.shape[2] * u.size)
            grid.put(m, A, bias, y[piece])

    grid.in_pieces(work, len(x), channels, filters, LARGE, 8)
    return channels_first(y)


def weight_gradient_tiles(x, dy, padding):
    """x (N, C, H, W), dy (N, F, H', W') -> dw (F, C, 3, 3)."""
    channels, filters, grid, dtype, wide = x.shape[1], dy.shape[1], Grid(dy.shape[2:], 4), x.dtype, wide_of(x.dtype)
    A, G, B = transforms(4, dtype)
    x, dy, before = volumes(x), volumes(dy), (0, *(p for p, _ in padding))

    def work(start, stop, few):
        p = None
        for n in range(start, stop, few):
            piece = slice(n, min(n + few, stop))
            v, d = grid.planes(x[piece], B, before), grid.planes(dy[piece], np.ascontiguousarray(A.T), (0, 0, 0))
            fresh, p = p is None, aligned((len(v), d.shape[1], v.shape[1] * wide, wide), dtype) if p is None else p
            tiles = grid.count * (piece.stop - n)
            parallel(lambda i, j: product_of_tiles(dtype)(
                v.reshape(-1), d.reshape(-1), p.reshape(-1), i, j, v.shape[2], tiles, v.shape[1], d.shape[1], fresh),
                len(v) * v.shape[1], flops=2 * tiles * p.size)
        return p

    p = functools.reduce(operator.iadd, grid.in_pieces(work, len(x), channels, filters, LARGE // 4, 4))
    dw = aligned((p.shape[1], 3, 3, channels, wide), dtype)
    all_rows = np.full(channels, 3)
    from_planes(p, np.ascontiguousarray(G.T), np.zeros(p.shape[1] * wide, dtype), dw, *weight_places(channels, wide),
                (all_rows, all_rows), p.shape[1] * wide)
    return unpacked(dw, 1, filters, (3, 3))


# ---- the roads -------------------------------------------------------------------------------------------------------

def worth(images, channels, filters, kernel, out, stride, dilation, groups):
    """Whether tiles make a convolution of so many channels and filters faster."""
    return (tuple(kernel) == (3, 3) and max(*stride, *dilation, groups) == 1 and min(channels, filters) >= LEAST
            and images * math.prod(-(-o // 4) for o in out) >= FEWEST)


def many_channels(x, w, out, stride, padding, dilation, groups, b=None):
    """Images of 32 channels or more and as many filters, under a 3x3 kernel with stride 1, where Numba is installed."""
    return compiled_floats(x) and worth(len(x), w.shape[1], len(w), w.shape[2:], out, stride, dilation, groups)


def many_channels_back(dy, w, size, stride, padding, dilation, groups):
    """Gradients of 32 channels or more and as many filters, under a 3x3 kernel with stride 1, where Numba is installed."""
    return (compiled_floats(dy) and max(map(max, padding)) <= 2
            and worth(len(dy), len(w), w.shape[1], w.shape[2:], size, stride, dilation, groups))


def many_channels_across(x, dy, kernel, stride, padding, dilation, groups):
    """Images of 32 channels or more and gradients of as many, for a 3x3 kernel with stride 1, where Numba is installed."""
    return compiled_floats(x) and worth(len(x), x.shape[1], dy.shape[1], kernel, dy.shape[2:], stride, dilation, groups)


@formulas.convolve.road(many_channels)
def convolve_by_tiles(x, w, out, stride, padding, dilation, groups, b=None):
    """Winograd's tiles: a quarter of the products."""
    return convolve_tiles(x, w, out, padding, 4, b)


@formulas.input_gradient.road(many_channels_back)
def input_gradient_by_tiles(dy, w, size, stride, padding, dilation, groups):
    """Winograd's tiles, of the kernel reversed."""
    outside = [(2 - p, s - o + p) for s, o, (p, _) in zip(size, dy.shape[2:], padding)]
    return convolve_tiles(dy, w[..., ::-1, ::-1].swapaxes(0, 1), size, outside, 4 if len(w) >= BACK else 2)


@formulas.weight_gradient.road(many_channels_across)
def weight_gradient_by_tiles(x, dy, kernel, stride, padding, dilation, groups):
    """Winograd's tiles, transposed."""
    return weight_gradient_tiles(x, dy, padding)
