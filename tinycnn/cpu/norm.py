"""Normalisation as loops over a matrix. `ops/norm.py` says what is computed.

Batch, instance and group norm have a mean for each channel, or for some channels of each image. In memory x (N, C, *S) is a
matrix of one of two kinds (`Matrix`): of pixels and channels where the channels of a pixel stand side by side, as those of a
convolution's result, and then sums run down the columns; or of channels and pixels, as photographs come, and then they run
along the rows. The loops sum each channel of a *part*, some pixels, and then add up the parts that share a mean.

All of it waits for main memory, so a loop reads each number once. A variance needs its mean first: the squares are summed of
what is left without a number `near` the mean, and corrected by what the sum tells of the difference (Chan, Golub, LeVeque,
Algorithms for computing the sample variance, 1983). For a part that is the mean of its first pixels; a row is read twice,
the second time from the cache. Measured on one thread, both ways, batch norm takes a fifth of the formula's time where
rows are summed and a third where columns are, group norm a third.
"""
import math

import numpy as np

from ..ops.conv import bias_gradient
from ..ops.norm import Normalize, moments
from .layout import channels_first, channels_last, contiguous
from .compiled import inlined, loop
from .serving import compiled_floats
from .sums import BLOCK, RUN, column_sums, packed, total
from .workers import aligned, parallel

NEAR = 8          # rows that tell what is near the mean
LONG = 128        # of so many: without it numbers are small, so that more can be summed in their own type
ROWS = 512        # in a part of a batch, at least


# ---- down the columns of x (P, M, C), a part after the other -----------------------------------------------------------

@loop
def moments_of_columns(x, mean, squares, first, last):
    """mean = sum x / M, squares = sum (x - mean)^2 of parts first to last: (P, C)."""
    rows, channels = x.shape[1:]
    near, s, q = np.empty((3, channels), x.dtype)
    for part in range(first, last):
        few, sums, sums_q = min(NEAR, rows), np.zeros(channels), np.zeros(channels)
        near[:] = 0
        for m in range(few):
            for c in range(channels):
                near[c] += x[part, m, c]
        for c in range(channels):
            near[c] = near[c] / few if np.isfinite(near[c]) else 0
        for block in range(0, rows, LONG):
            s[:], q[:] = 0, 0
            for m in range(block, min(block + LONG, rows)):
                for c in range(channels):
                    d = x[part, m, c] - near[c]
                    s[c] += d
                    q[c] += d * d
            for c in range(channels):
                sums[c] += s[c]
                sums_q[c] += q[c]
        for c in range(channels):
            mean[part, c] = near[c] + sums[c] / rows
            squares[part, c] = sums_q[c] - sums[c] * sums[c] / rows


@loop
def sums_of_columns(dy, x, mu, s, t, first, last):
    """s = sum dy, t = sum dy (x - mu) of parts first to last: (P, C); mu (1 or images, C)."""
    parts, rows, channels = x.shape
    s_block, t_block = np.empty((2, channels), x.dtype)
    for part in range(first, last):
        i = part * len(mu) // parts
        s[part], t[part] = 0, 0
        for block in range(0, rows, BLOCK):
            s_block[:], t_block[:] = 0, 0
            for m in range(block, min(rows, block + BLOCK)):
                for c in range(channels):
                    s_block[c] += dy[part, m, c]
                    t_block[c] += dy[part, m, c] * (x[part, m, c] - mu[i, c])
            for c in range(channels):
                s[part, c] += s_block[c]
                t[part, c] += t_block[c]


# ---- along the rows of x (R, 1, D), each a part of its own ---------------------------------------------------------------

@loop
def moments_of_row(x):
    """The mean of a row, and sum (x - mean)^2."""
    near = x.dtype.type(total(x) / x.size)
    if not np.isfinite(near):
        near = x.dtype.type(0)
    whole, whole_q = 0.0, 0.0
    for first in range(0, x.size, RUN):
        some, s, q = x[first:first + RUN], x.dtype.type(0), x.dtype.type(0)
        for i in range(some.size):
            s += some[i] - near
            q += (some[i] - near) * (some[i] - near)
        whole += s
        whole_q += q
    return near + whole / x.size, whole_q - whole * whole / x.size


@loop
def moments_of_rows(x, mean, squares, first, last):
    """mean = sum x / D, squares = sum (x - mean)^2 of rows first to last: (R)."""
    for row in range(first, last):
        mean[row], squares[row] = moments_of_row(x[row, 0])


@loop
def sums_of_rows(dy, x, mu, s, t, first, last):
    """s = sum dy, t = sum dy (x - mu) of rows first to last: (R); mu (R)."""
    for row in range(first, last):
        s[row], t[row] = total(dy[row, 0]), 0
        for run in range(0, x.shape[2], RUN):
            some, others, part = dy[row, 0, run:run + RUN], x[row, 0, run:run + RUN], x.dtype.type(0)
            for i in range(some.size):
                part += some[i] * (others[i] - mu[row])
            t[row] += part


# ---- both: x (P, M, C), with a vector of C numbers for each image or for all, or a number for each row --------------------

@inlined
def at(v, i, c):
    """Number c of vector i, or number i."""
    return v[i] if v.ndim == 1 else v[i, c]


@loop
def scale(x, mu, a, k, y, first, last):
    """y = a (x - mu) + k for parts first to last."""
    parts, rows, channels = x.shape
    for part in range(first, last):
        i = part * len(a) // parts
        for m in range(rows):
            for c in range(channels):
                y[part, m, c] = (x[part, m, c] - at(mu, i, c)) * at(a, i, c) + at(k, i, c)


@loop
def combine(dy, x, mu, a, b, k, dx, first, last):
    """dx = a dy + b (x - mu) + k for parts first to last."""
    parts, rows, channels = x.shape
    for part in range(first, last):
        i = part * len(a) // parts
        for m in range(rows):
            for c in range(channels):
                dx[part, m, c] = (dy[part, m, c] * at(a, i, c) + (x[part, m, c] - at(mu, i, c)) * at(b, i, c)
                                  + at(k, i, c))


# ---- batch, instance and group norm -----------------------------------------------------------------------------------

class Matrix:
    """x (N, C, *S) or (N, G, K, *S), normalised over `axes`, as a matrix.

    Its C channels are G groups of K that share a mean, of each of I images or of the batch; `pack` pixels share a row. What
    belongs to parts has the shape (I, P, G, K), to means (I, G), to channels (G, K).
    """

    def __init__(self, x, axes, along):
        self.shape, self.dtype, self.G, self.K = x.shape, x.dtype, x.shape[1], math.prod(x.shape[2:len(along) + 1])
        images, channels, self.space = len(x), self.G * self.K, x.shape[len(along) + 1:]
        self.I = images if axes[:1] == (2,) else 1
        self.columns = x.size == images * channels or not x.flags.c_contiguous
        if self.columns:
            pixels = x.size // (channels * self.I)
            self.pack = packed(pixels, channels)
            rows = pixels // self.pack
            self.parts = self.I * math.gcd(rows, 2**max(0, (rows // ROWS).bit_length() - 1))
            self.flat, self.each = (self.parts, self.I * rows // self.parts, -1), self.I
        else:
            self.parts, self.each, self.pack = images * channels, images, 1
            self.flat = self.parts, 1, -1

    def matrix(self, x):
        """x as (P, M, C) or (R, 1, D), a copy where it is laid out differently."""
        x = x.reshape(len(x), -1, *self.space)
        return (channels_last(x) if self.columns else contiguous(x)).reshape(self.flat)

    def vectors(self, *vs):
        """Numbers of means (I, G, 1) or of channels (1, G, K) for each column of each image, or for each row."""
        y = np.empty((len(vs), self.each, self.pack, self.G, self.K), self.dtype)
        for row, v in zip(y, vs):
            row[...] = v[:, None]
        return y.reshape(len(vs), *((self.each, -1) if self.columns else (-1,)))

    def sums(self, of_columns, of_rows, *arrays):
        """What the one loop or the other computes, (I, P, G, K) each."""
        loop = of_columns if self.columns else of_rows
        totals = np.empty((2, self.parts, self.pack * self.G * self.K) if self.columns else (2, self.parts))
        parallel(lambda i, j: loop(*arrays, *totals, i, j), self.parts, moved=2 * arrays[0].nbytes)
        return totals.reshape(2, self.I, -1, self.G, self.K)

    def result(self, loop, *arrays):
        """What `scale` or `combine` computes, in the shape of x."""
        y = aligned(arrays[0].shape, self.dtype)
        parallel(lambda i, j: loop(*arrays, y, i, j), self.parts, moved=2 * y.nbytes)
        if self.columns:
            y = channels_first(y.reshape(self.shape[0], *self.space, -1))
        return y.reshape(self.shape)

    def moments(self, x):
        """(mu, var), in the shape of the formula, from those of parts."""
        x = self.matrix(x)
        mean, squares = self.sums(moments_of_columns, moments_of_rows, x)
        parts, count = mean.shape[1] * self.K, x.size // mean.size  # that share a mean, and numbers in each
        mu = np.einsum("ipgk->ig", mean) / parts
        mean -= mu[:, None, :, None]
        var = np.maximum(np.einsum("ipgk->ig", squares) / count + np.einsum("ipgk,ipgk->ig", mean, mean), 0) / parts
        return tuple(v.astype(self.dtype).reshape(self.I, self.G, *[1] * (len(self.shape) - 2)) for v in (mu, var))

    def gradients(self, dy, x, mu, r, w):
        """dw and db (G, K), and the means (I, G) of w dy and of w dy xhat, from the sums of dy and dy (x - mu) of parts."""
        s, t = self.sums(sums_of_columns, sums_of_rows, dy, x, *self.vectors(mu))
        dw, db = np.einsum("ipgk,ig->gk", t, r), np.einsum("ipgk->gk", s)
        count = dy.size // r.size
        return dw, db, np.einsum("ipgk,gk->ig", s, w) / count, np.einsum("ipgk,gk->ig", t, w) * r / count

    def weights(self, v, default):
        """The vector v, or a default, as (1, G, K)."""
        return np.full((1, self.G, self.K), default, self.dtype) if v is None else v.reshape(1, self.G, self.K)


# ---- the roads -------------------------------------------------------------------------------------------------------

def has_means_of_channels(x, axes, along):
    """Whether each channel has a mean, or each of its images or groups has one, or constants in place of it."""
    space = tuple(range(2, x.ndim))
    return compiled_floats(x) and x.ndim > 1 and (
        along == (1,) and axes in ((), (0, *space), space) or along == (1, 2) and axes == space)


def means_of_channels(x, axes):
    """NumPy arrays of float32 or float64 (N, C, *S), and a mean for each channel, or for each of an image."""
    return has_means_of_channels(x, axes, (1,)) and axes != ()


@moments.road(means_of_channels)
def moments_by_loops(x, axes):
    """One walk through memory."""
    return Matrix(x, axes, (1,)).moments(x)


def channels(ctx, x, w, b, axes, along, eps, statistics=None):
    """NumPy arrays of float32 or float64, batch, instance and group norm."""
    return has_means_of_channels(x, axes, along) and (axes != () or statistics is not None)


@Normalize.forward.road(channels)
def normalise_channels_by_loops(ctx, x, w, b, axes, along, eps, statistics=None):
    """One walk through memory, two where the mean is not known."""
    m = Matrix(x, axes, along)
    mu, var = statistics or m.moments(x)
    r = 1 / np.sqrt(var + eps)
    ctx.axes, ctx.along, ctx.eps = axes, along, eps
    ctx.save_for_backward(x, mu, r, w)
    mu, rate = mu.reshape(-1, m.G, 1), r.reshape(-1, m.G, 1) * m.weights(w, 1)
    return m.result(scale, m.matrix(x), *m.vectors(mu, rate, m.weights(b, 0)))


def gradient_of_channels(ctx, dy):
    """NumPy arrays of float32 or float64, batch, instance and group norm."""
    return has_means_of_channels(dy, ctx.axes, ctx.along)


@Normalize.backward.road(gradient_of_channels)
def gradients_of_channels_by_loops(ctx, dy):
    """Two walks through memory."""
    x, mu, r, w = ctx.saved_tensors
    need_x, need_w, need_b = ctx.needs_input_grad
    m = Matrix(x, ctx.axes, ctx.along)
    dy, w, r, mu, dx, dw, db = m.matrix(dy), m.weights(w, 1), r.reshape(-1, m.G), mu.reshape(-1, m.G, 1), *[None] * 3
    rate = r[:, :, None] * w
    if ctx.axes or need_w or need_b:
        dw, db, s, t = m.gradients(dy, m.matrix(x), mu, r, w[0])
        dw, db = (v.reshape(x.shape[1:len(ctx.along) + 1]).astype(m.dtype) for v in (dw, db))
    if need_x and ctx.axes:          # dx = r (w dy - s - (x - mu) r t), s and t the means of w dy and w dy xhat
        dx = m.result(combine, dy, m.matrix(x), *m.vectors(mu, rate, (-r * t * r)[:, :, None], (-r * s)[:, :, None]))
    elif need_x:                     # dx = r w dy
        dx = m.result(scale, dy, *m.vectors(zero := np.zeros((1, 1, 1)), rate, zero))
    return dx, dw if need_w else None, db if need_b else None


@bias_gradient.road(compiled_floats)
def bias_gradient_by_loops(dy):
    """One walk through memory."""
    return column_sums(channels_last(dy).reshape(-1, dy.shape[1]))
