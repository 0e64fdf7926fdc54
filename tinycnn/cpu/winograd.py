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

The price is precision: powers differ in size. Instead of numbers p the points are directions, at equal angles, with the
powers c^(k-1), c^(k-2) s, ..., s^(k-1) of their cosine and sine; so infinity is one of them, and none is large. And products
are summed over SUM channels, or tiles, at a time, and then these sums: a sum of sums has a smaller rounding error than a
long one. In float32 the error (root mean square) is 5e-7 to 8e-7 of a typical result with 64 to 512 channels. That is 2.2 to
3 times that of the formula in float32 for y, 2 to 2.7 times for dw, and 2.4 to 4.1 times for dx, whose formula sums in two
stages. (Sums of 16 take 2 to 7 % more time, and the worst of these is no better.) A pixel that is infinite or NaN makes all
outputs of its tile NaN.

Each step is `outer` of `registers.py`: a transform is a product with a small matrix, for a vector of channels at once.
Pieces of some images at a time stay in the cache; where the weights are too large to be read for each piece, all tiles go
through one step after the other, and the cores share the matrices.

Source: A. Lavin and S. Gray, Fast Algorithms for Convolutional Neural Networks, CVPR 2016, F(4x4, 3x3).
"""
import functools
import math
from types import SimpleNamespace

import numpy as np

from ..ops import conv as formulas
from .compiled import compiled, loop
from .direct import framed, volumes
from .layout import channels_first
from .numpy_only.winograd import transforms, worth  # whose roads are the older ones, so these are asked first
from .serving import compiled_floats
from .workers import aligned, parallel

LARGE = 2**17         # weights that are too many to be read for each piece
TILES = 72            # in a piece, at least
ROOM = 2**24          # numbers that tiles may take at once
SUM = 32              # channels in a sum
ROWS = 6              # tiles that share a tile of registers


@functools.cache
def loops(dtype):
    """The loops for numbers of `dtype`, by name."""
    from .registers import add, get, lanes, outer, put, put_some, zero
    lane, wide = lanes(dtype), 2 * lanes(dtype)

    def see(x, v, B, room, first, last, down, right, x_row, C, T):
        """v (36, C / wide, T, wide) = B x, for tiles first to last of x (N, 4 down + 2, 4 right + 2, C)."""
        for tile in range(first, last):
            at = (tile // (down * right) * (4 * down + 2) + tile // right % down * 4) * x_row + tile % right * 4 * C
            for c in range(0, C, lane):
                for r in range(6):
                    t = zero(6, 1, x)
                    for j in range(6):
                        t = outer(t, B, j, 6, x, at + r * x_row + j * C + c)
                    put(t, room, r * lane, 6 * lane)                          # room (column, row, lane)
                for i in range(6):
                    t = zero(6, 1, x)
                    for r in range(6):
                        t = outer(t, B, r, 6, room, (i * 6 + r) * lane)
                    put(t, v, i * T * C + c // wide * T * wide + (tile - first) * wide + c % wide, 6 * T * C)

    def spread(dy, d, A, room, first, last, down, right, y_row, F, T):
        """d (36, F / wide, T, wide) = A^T dy, for tiles first to last of dy (N, 4 down, 4 right, F)."""
        for tile in range(first, last):
            at = (tile // (down * right) * 4 * down + tile // right % down * 4) * y_row + tile % right * 4 * F
            for f in range(0, F, lane):
                for r in range(4):
                    t = zero(6, 1, dy)
                    for j in range(4):
                        t = outer(t, A, j * 6, 1, dy, at + r * y_row + j * F + f)
                    put(t, room, r * lane, 4 * lane)
                for i in range(6):
                    t = zero(6, 1, dy)
                    for r in range(4):
                        t = outer(t, A, r * 6, 1, room, (i * 4 + r) * lane)
                    put(t, d, i * T * F + f // wide * T * wide + (tile - first) * wide + f % wide, 6 * T * F)

    def weights(w, u, G, room, first, last):
        """u (36, blocks, C, wide) = G w for w (C, 3, 3, F), for channels first to last; F is a multiple of `wide`."""
        C, F = w.shape[0], w.shape[3]
        blocks, flat = F // wide, w.reshape(-1)
        for c in range(first, last):
            for block in range(blocks):
                for a in range(3):
                    t = zero(6, 2, u)
                    for b in range(3):
                        t = outer(t, G, b, 3, flat, ((c * 3 + a) * 3 + b) * F + block * wide)
                    put(t, room, a * wide, 3 * wide)
                for i in range(6):
                    t = zero(6, 2, u)
                    for a in range(3):
                        t = outer(t, G, a, 3, room, (i * 3 + a) * wide)
                    put(t, u, ((i * blocks + block) * C + c) * wide, 6 * blocks * C * wide)

    def weights_back(p, dw, G, room, first, last):
        """dw (C, 3, 3, F) = G^T p for p (36, C, F), for channels first to last."""
        C, F = dw.shape[0], dw.shape[3]
        flat = dw.reshape(-1)
        for c in range(first, last):
            for f in range(0, F, lane):
                for s in range(6):
                    t = zero(3, 1, p)
                    for k in range(6):
                        t = outer(t, G, k * 3, 1, p, ((s * 6 + k) * C + c) * F + f)
                    put(t, room, s * lane, 6 * lane)
                for b in range(3):
                    t = zero(3, 1, p)
                    for s in range(6):
                        t = outer(t, G, s * 3, 1, room, (b * 6 + s) * lane)
                    put(t, flat, (c * 9 + b) * F + f, 3 * F)

    def multiply(v, u, m, first, last, T, C, blocks):
        """m (36, T, F) = v @ u (36, blocks, C, wide), for units (matrix, block) first to last."""
        F = blocks * wide
        for unit in range(first, last):
            s, block = unit // blocks, unit % blocks
            for c0 in range(0, C, SUM):
                for r in range(0, T, ROWS):
                    t, k = zero(ROWS, 2, v), (unit * C + c0) * wide
                    for c in range(c0, min(C, c0 + SUM), wide):
                        i0 = (s * C + c) * T + r * wide
                        for i in range(i0, i0 + wide):
                            t = outer(t, v, i, wide, u, k)
                            k += wide
                    if c0 == 0:
                        put(t, m, (s * T + r) * F + block * wide, F)
                    else:
                        add(t, m, (s * T + r) * F + block * wide, F)

    def multiply_back(v, d, p, first, last, T, C, F, fresh):
        """p (36, C, F) = v^T @ d, or that added to it, for units (matrix, block of channels) first to last."""
        for unit in range(first, last):
            s, c0 = unit // (C // wide), unit % (C // wide) * wide
            for f in range(0, F, wide):
                for c in range(c0, c0 + wide, 4):
                    i, k = (s * C + c0) * T + c - c0, (s * F + f) * T
                    for first_row in range(0, T, SUM):
                        t = zero(4, 2, v)
                        for _ in range(min(SUM, T - first_row)):
                            t = outer(t, v, i, 1, d, k)
                            i += wide
                            k += wide
                        if fresh and first_row == 0:
                            put(t, p, (s * C + c) * F + f, F)
                        else:
                            add(t, p, (s * C + c) * F + f, F)

    def finish(m, y, A, b, room, first, last, down, right, height, width, filters, F, T):
        """y (N, height, width, filters) = A m + b, for tiles first to last."""
        for tile in range(first, last):
            n, i, j = tile // (down * right), tile // right % down * 4, tile % right * 4
            at = ((n * height + i) * width + j) * filters
            for f in range(0, filters, lane):
                for s in range(6):
                    t = zero(4, 1, m)
                    for k in range(6):
                        t = outer(t, A, k, 6, m, ((s * 6 + k) * T + tile - first) * F + f)
                    put(t, room, s * lane, 6 * lane)                          # room (column, row, lane)
                for column in range(min(4, width - j)):
                    t = get(zero(4, 1, m), b, f, 0)
                    for s in range(6):
                        t = outer(t, A, s, 6, room, (column * 6 + s) * lane)
                    if i + 4 <= height and f + lane <= filters:
                        put(t, y, at + column * filters + f, width * filters)
                    else:
                        put_some(t, y, at + column * filters + f, width * filters, height - i, filters - f)

    found = {f.__name__: compiled(f) for f in (see, spread, weights, weights_back, multiply, multiply_back, finish)}
    return SimpleNamespace(**found, lane=lane, wide=wide)


@loop
def arrange(w, y, first, last, back):
    """y (C, 3, 3, F') = w (F, C, 3, 3), or with `back` w (C, F, 3, 3) with its kernels reversed; zeros where w has none."""
    filters, channels = (w.shape[1], w.shape[0]) if back else (w.shape[0], w.shape[1])
    for c in range(first, last):
        for a in range(3):
            for b in range(3):
                for f in range(y.shape[3]):
                    if c >= channels or f >= filters:
                        y[c, a, b, f] = 0
                    else:
                        y[c, a, b, f] = w[c, f, 2 - a, 2 - b] if back else w[f, c, a, b]


@loop
def arrange_back(dw, y, first, last):
    """y (F, C, 3, 3) = dw (C', 3, 3, F'), for filters first to last."""
    for f in range(first, last):
        for c in range(y.shape[1]):
            for a in range(3):
                for b in range(3):
                    y[f, c, a, b] = dw[c, a, b, f]


# ---- how they are called ---------------------------------------------------------------------------------------------

class Work:
    """The tiles of a convolution of x (N, C, H, W) with `filters` filters, and what can be done with them."""

    def __init__(self, x, filters, out, padding):
        self.x, self.out, self.dtype = volumes(x), out, x.dtype
        self.loops = loops(self.dtype)
        self.count, self.channels, self.filters = len(x), x.shape[1], filters
        self.C, self.F = (-(-n // self.loops.wide) * self.loops.wide for n in (self.channels, filters))
        self.before = (0, *(before for before, _ in padding))
        self.down, self.right = (-(-o // 4) for o in out)
        self.per = self.down * self.right
        self.A, self.G, self.B = (np.ascontiguousarray(m).reshape(-1) for m in transforms(self.dtype))
        self.flops = 2 * self.count * math.prod(out) * self.channels * filters * 9 // 3
        self.large = self.C * self.F > LARGE
        most = max(1, ROOM // (36 * self.per * max(self.C, self.F)))
        self.images = min(self.count, most if self.large else -(-TILES // self.per))

    def pieces(self, start, stop):
        """(first image, images) of pieces of some images."""
        return [(n, min(self.images, stop - n)) for n in range(start, stop, self.images)]

    def rows(self, images):
        """The tiles of so many images, as a multiple of ROWS."""
        return -(-images * self.per // ROWS) * ROWS

    def room(self, n, width):
        """(36, width / wide, T, wide), with zeros in the rows that are no tiles."""
        v = aligned((36, width // self.loops.wide, self.rows(n), self.loops.wide), self.dtype)
        v[:, :, n * self.per:] = 0
        return v

    def seen(self, n, images, share=False):
        """B x of a piece."""
        v, size = self.room(images, self.C), (1, 4 * self.down + 2, 4 * self.right + 2)

        def see(i, j):
            z = framed(self.x[n + i:n + j], self.before, size, self.C)
            self.loops.see(z.reshape(-1), v.reshape(-1)[i * self.per * self.loops.wide:], self.B, self.hand(), 0,
                           (j - i) * self.per, self.down, self.right, size[2] * self.C, self.C, v.shape[2])
        share_out(see, images, v.nbytes, share)
        return v

    def spread(self, dy, n, images, share=False):
        """A^T dy of a piece of dy (N, 1, H, W, F)."""
        d, size = self.room(images, self.F), (1, 4 * self.down, 4 * self.right)

        def spread(i, j):
            z = framed(dy[n + i:n + j], (0, 0, 0), size, self.F)
            self.loops.spread(z.reshape(-1), d.reshape(-1)[i * self.per * self.loops.wide:], self.A, self.hand(), 0,
                              (j - i) * self.per, self.down, self.right, size[2] * self.F, self.F, d.shape[2])
        share_out(spread, images, d.nbytes, share)
        return d

    def finish(self, m, y, b, n, images, share=False):
        """A m + b into images n, ... of y (N, H, W, filters)."""
        def finish(i, j):
            self.loops.finish(m.reshape(-1)[i * self.per * self.F:], y[n + i:].reshape(-1), self.A, b, self.hand(), 0,
                              (j - i) * self.per, self.down, self.right, *self.out, self.filters, self.F, m.shape[1])
        share_out(finish, images, m.nbytes, share)

    def hand(self):
        """Room for half-transformed tiles."""
        return np.empty(36 * self.loops.wide, self.dtype)

    def weights(self, w, back):
        """G w for w (F, C, 3, 3), flat; with `back` for the convolution that is its adjoint."""
        y = aligned((self.C, 3, 3, self.F), self.dtype)
        u = aligned((36 * self.C * self.F,), self.dtype)

        def work(first, last):
            arrange(w, y, first, last, back)
            self.loops.weights(y, u, self.G, self.hand(), first, last)
        parallel(work, self.C, moved=8 * y.nbytes)
        return u


def share_out(work, count, moved, share):
    """work(0, count), or with `share` parts of it on all cores."""
    if share:
        parallel(work, count, moved=4 * moved)
    else:
        work(0, count)


def convolve_tiles(x, w, out, padding, b=None, back=False):
    """x (N, C, H, W), w (F, C, 3, 3) -> y (N, F, *out); with `back` w is (C, F, 3, 3), and its kernels are reversed."""
    filters = w.shape[1] if back else len(w)
    t = Work(x, filters, out, padding)
    y, u = aligned((len(x), *out, filters), x.dtype), t.weights(w, back)
    blocks, bias = t.F // t.loops.wide, np.zeros(t.F, x.dtype)
    if b is not None:
        bias[:filters] = b

    def piece(n, images, share):
        v, m = t.seen(n, images, share), aligned((36, t.rows(images), t.F), x.dtype)
        flat = v.reshape(-1), u, m.reshape(-1)
        multiply = lambda first, last: t.loops.multiply(*flat, first, last, m.shape[1], t.C, blocks)
        share_out(multiply, 36 * blocks, t.flops, share)
        t.finish(m, y, bias, n, images, share)

    in_pieces(t, piece)
    return channels_first(y)


def in_pieces(t, piece):
    """piece(n, images, share) for all pieces: one after the other by all cores, or each core some of them."""
    if t.large:
        return [piece(n, images, True) for n, images in t.pieces(0, t.count)]
    parts = parallel(lambda start, stop: [piece(n, images, False) for n, images in t.pieces(start, stop)], t.count,
                     flops=t.flops, most=8)
    return [result for part in parts for result in part]


def weight_gradient_tiles(x, dy, padding):
    """x (N, C, H, W), dy (N, F, H', W') -> dw (F, C, 3, 3)."""
    t, dys = Work(x, dy.shape[1], dy.shape[2:], padding), volumes(dy)

    def piece(n, images, share, p=None):
        v, d = t.seen(n, images, share), t.spread(dys, n, images, share)
        fresh = p is None
        p = aligned((36, t.C, t.F), x.dtype) if fresh else p
        flat = v.reshape(-1), d.reshape(-1), p.reshape(-1)
        units = 36 * t.C // t.loops.wide
        share_out(lambda i, j: t.loops.multiply_back(*flat, i, j, v.shape[2], t.C, t.F, fresh), units, t.flops, share)
        return p

    def work(start, stop, share=False):
        p = None
        for n, images in t.pieces(start, stop):
            p = piece(n, images, share, p)
        return p
    p = work(0, t.count, True) if t.large else functools.reduce(np.add, parallel(work, t.count, flops=t.flops, most=4))
    dw, y = aligned((t.C, 3, 3, t.F), x.dtype), np.empty((t.filters, t.channels, 3, 3), x.dtype)
    parallel(lambda i, j: t.loops.weights_back(p.reshape(-1), dw, t.G, t.hand(), i, j), t.C, moved=8 * dw.nbytes)
    parallel(lambda i, j: arrange_back(dw, y, i, j), t.filters, moved=8 * y.nbytes)
    return y


# ---- the roads -------------------------------------------------------------------------------------------------------

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
    return convolve_tiles(x, w, out, padding, b)


@formulas.input_gradient.road(many_channels_back)
def input_gradient_by_tiles(dy, w, size, stride, padding, dilation, groups):
    """Winograd's tiles, of the kernel reversed."""
    outside = [(2 - p, s - o + p) for s, o, (p, _) in zip(size, dy.shape[2:], padding)]
    return convolve_tiles(dy, w, size, outside, back=True)


@formulas.weight_gradient.road(many_channels_across)
def weight_gradient_by_tiles(x, dy, kernel, stride, padding, dilation, groups):
    """Winograd's tiles, transposed."""
    return weight_gradient_tiles(x, dy, padding)
