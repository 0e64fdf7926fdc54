"""Normalisation as loops over a matrix. `ops/norm.py` says what is computed.

Batch, instance and group norm have a mean for each channel, or for some channels of each image. In memory x (N, C, *S) is a
matrix of one of two kinds (`Matrix`): of pixels and channels where the channels of a pixel stand side by side, as those of a
convolution's result, and then sums run down the columns; or of channels and pixels, as photographs come, and then they run
along the rows. The loops sum each channel of a *part*, some pixels, and then add up the few parts that share a mean.

All of it waits for main memory, so a loop reads each number once. A sum has at most 32 terms of the dtype of x (128 where
these are small), and is float64 beyond that. A variance needs its mean first: the squares are summed of what is left without
a number `near` the mean, and corrected by what the sum tells of the difference (Chan, Golub, LeVeque, Algorithms for
computing the sample variance, 1983). For a block of pixels that is the mean of its first ones; a row is read twice, the
second time from the cache.
"""
import math

import numpy as np

from ..ops.conv import bias_gradient
from ..ops.norm import Normalize, moments
from .layout import channels_first, channels_last, contiguous
from .compiled import loop
from .serving import compiled_floats
from .sums import BLOCK, column_sums, packed
from .numpy_only import norm  # noqa: F401  whose roads are the older ones, so these are asked first
from .workers import aligned, parallel

NEAR = 8          # rows that tell what is near the mean
LONG = 128        # of so many: without it numbers are small, so that more can be summed
RUN = 32 * BLOCK  # numbers of a row that are summed in the dtype of x: vector instructions make 32 sums of them
ROWS = 512        # in a part of a batch


# ---- sums down the columns of x (M, C), of `length` rows in each part --------------------------------------------------

@loop
def moments_of_columns(x, length, mean, squares, first, last):
    """mean = sum x / m, squares = sum (x - mean)^2 of the m rows of parts first to last: (parts, C)."""
    rows, channels = x.shape
    near, s, q = np.empty((3, channels), x.dtype)
    for part in range(first, last):
        start, stop = part * length, min(rows, (part + 1) * length)
        for block in range(start, stop, LONG):
            few, end = min(block + NEAR, stop), min(block + LONG, stop)
            near[:], s[:], q[:] = 0, 0, 0
            for m in range(block, few):
                for c in range(channels):
                    near[c] += x[m, c]
            for c in range(channels):
                near[c] = near[c] / (few - block) if np.isfinite(near[c]) else 0
            for m in range(block, end):
                for c in range(channels):
                    d = x[m, c] - near[c]
                    s[c] += d
                    q[c] += d * d
            if block == start:
                far, total, total_q = near.astype(np.float64), np.zeros(channels), np.zeros(channels)
            for c in range(channels):                 # from x - near to x - far, which is the first near
                d = near[c] - far[c]
                total[c] += s[c] + (end - block) * d
                total_q[c] += q[c] + 2 * d * s[c] + (end - block) * d * d
        for c in range(channels):
            mean[part, c] = far[c] + total[c] / (stop - start)
            squares[part, c] = total_q[c] - total[c] * total[c] / (stop - start)


@loop
def sums_of_columns(dy, x, mu, length, s, t, first, last):
    """s = sum dy, t = sum dy (x - mu) of parts first to last: (parts, C); mu (1 or parts, C)."""
    rows, channels = x.shape
    s_block, t_block = np.empty((2, channels), x.dtype)
    for part in range(first, last):
        i, stop = part % len(mu), min(rows, (part + 1) * length)
        s[part], t[part] = 0, 0
        for block in range(part * length, stop, BLOCK):
            s_block[:], t_block[:] = 0, 0
            for m in range(block, min(stop, block + BLOCK)):
                for c in range(channels):
                    s_block[c] += dy[m, c]
                    t_block[c] += dy[m, c] * (x[m, c] - mu[i, c])
            for c in range(channels):
                s[part, c] += s_block[c]
                t[part, c] += t_block[c]


@loop
def scale_columns(x, mu, a, b, y, first, last):
    """y = a (x - mu) + b, for rows first to last; mu, a and b (1, C), or (N, C) for N images."""
    length = len(x) // len(a)
    for m in range(first, last):
        i = m // length
        for c in range(x.shape[1]):
            y[m, c] = (x[m, c] - mu[i, c]) * a[i, c] + b[i, c]


@loop
def combine_columns(dy, x, mu, a, b, k, dx, first, last):
    """dx = a dy + b (x - mu) + k, for rows first to last; mu, a, b, k (1, C), or (N, C) for N images."""
    length = len(x) // len(a)
    for m in range(first, last):
        i = m // length
        for c in range(x.shape[1]):
            dx[m, c] = dy[m, c] * a[i, c] + (x[m, c] - mu[i, c]) * b[i, c] + k[i, c]


# ---- the same along the rows of x (R, D), each a part of its own ---------------------------------------------------------

@loop
def moments_of_row(x, row):
    """Its mean, and sum (x - mean)^2."""
    size, total = x.shape[1], 0.0
    for run in range(0, size, RUN):
        s = x.dtype.type(0)
        for d in range(run, min(size, run + RUN)):
            s += x[row, d]
        total += s
    near = x.dtype.type(total / size)
    if not np.isfinite(near):
        near = x.dtype.type(0)
    total, total_q = 0.0, 0.0
    for run in range(0, size, RUN):
        s = q = x.dtype.type(0)
        for d in range(run, min(size, run + RUN)):
            rest = x[row, d] - near
            s += rest
            q += rest * rest
        total += s
        total_q += q
    return near + total / size, total_q - total * total / size


@loop
def moments_of_rows(x, mean, squares, first, last):
    """mean = sum x / D, squares = sum (x - mean)^2 of rows first to last: (R)."""
    for row in range(first, last):
        mean[row], squares[row] = moments_of_row(x, row)


@loop
def sums_of_rows(dy, x, mu, s, t, first, last):
    """s = sum dy, t = sum dy (x - mu) of rows first to last; mu, s and t (R)."""
    size = x.shape[1]
    for row in range(first, last):
        s[row], t[row] = 0, 0
        for run in range(0, size, RUN):
            s_run = t_run = x.dtype.type(0)
            for d in range(run, min(size, run + RUN)):
                s_run += dy[row, d]
                t_run += dy[row, d] * (x[row, d] - mu[row])
            s[row] += s_run
            t[row] += t_run


@loop
def scale_rows(x, mu, a, b, y, first, last):
    """y = a (x - mu) + b, for rows first to last; mu, a and b (R)."""
    for row in range(first, last):
        u, scale, shift = mu[row], a[row], b[row]
        for d in range(x.shape[1]):
            y[row, d] = (x[row, d] - u) * scale + shift


@loop
def combine_rows(dy, x, mu, a, b, k, dx, first, last):
    """dx = a dy + b (x - mu) + k, for rows first to last; mu, a, b and k (R)."""
    for row in range(first, last):
        u, scale, x_scale, shift = mu[row], a[row], b[row], k[row]
        for d in range(x.shape[1]):
            dx[row, d] = dy[row, d] * scale + (x[row, d] - u) * x_scale + shift


# ---- batch, instance and group norm: numbers of parts are (P, pack, G, K), of means (N or 1, G), of channels (G, K) ------

@loop
def join(mean, squares, count, mu, var):
    """mu and var over all parts that share a mean, from `mean` and `squares` of parts of so many numbers, `count` (P)."""
    parts, pack, groups, size = mean.shape
    parts //= len(mu)
    for i in range(len(mu)):
        for g in range(groups):
            n, near, total = 0, 0.0, 0.0
            for p in range(i * parts, (i + 1) * parts):
                n += count[p] * pack * size
                near += count[p] * mean[p, :, g].sum()
            near /= n
            for p in range(i * parts, (i + 1) * parts):
                for j in range(pack):
                    for k in range(size):
                        d = mean[p, j, g, k] - near
                        total += squares[p, j, g, k] + count[p] * d * d
            mu[i, g], var[i, g] = near, 0 if total < 0 else total / n


@loop
def share(s, t, r, w, numbers, dw, db, means):
    """dw, db, and the means (2, N or 1, G) of w dy and of w dy xhat, from the sums of dy and dy (x - mu) of parts."""
    parts, pack, groups, size = s.shape
    parts //= len(r)
    for p in range(len(s)):
        i = p // parts
        for j in range(pack):
            for g in range(groups):
                for k in range(size):
                    scaled = t[p, j, g, k] * r[i, g]
                    dw[g, k] += scaled
                    db[g, k] += s[p, j, g, k]
                    means[0, i, g] += w[g, k] * s[p, j, g, k] / numbers
                    means[1, i, g] += w[g, k] * scaled / numbers


@loop
def spread(v, y):
    """y (N or 1, pack, G, K), a number for each column or row of the matrix; v (N or 1, G, K or 1)."""
    images, pack, groups, size = y.shape
    for i in range(images):
        for j in range(pack):
            for g in range(groups):
                for k in range(size):
                    y[i, j, g, k] = v[i % len(v), g, k % v.shape[2]]


class Matrix:
    """x (N, C, *S) or (N, G, K, *S), normalised over `axes`, as a matrix; and the loops that run over it.

    Its C channels are G groups of K that share a mean, of each image or of the batch. A row has pixels of `pack` columns.
    """

    def __init__(self, x, axes, along):
        self.shape, self.dtype, self.G, self.K = x.shape, x.dtype, x.shape[1], math.prod(x.shape[2:len(along) + 1])
        channels, self.space = self.G * self.K, x.shape[len(along) + 1:]
        self.means = len(x) if axes[:1] == (2,) else 1
        pixels = x.size // (channels * self.means)
        self.columns = x.size == len(x) * channels or not x.flags.c_contiguous
        if self.columns:
            self.loops = moments_of_columns, sums_of_columns, scale_columns, combine_columns
            self.pack = packed(pixels, channels)
            self.rows, length = self.means * pixels // self.pack, ROWS if self.means == 1 else pixels // self.pack
            self.parts, self.length, self.images = -(-self.rows // length), (length,), self.means
        else:
            self.loops = moments_of_rows, sums_of_rows, scale_rows, combine_rows
            self.pack, self.rows, self.parts, self.length, self.images = 1, len(x) * channels, len(x), (), len(x)

    def flat(self, x):
        """x as the matrix, a copy where it is laid out differently."""
        x = x.reshape(len(x), -1, *self.space)
        return (channels_last(x) if self.columns else contiguous(x)).reshape(self.rows, -1)

    def vector(self, v):
        """A number for each mean, or for each of its channels, for each column or row."""
        y = np.empty((self.images, self.pack, self.G, self.K), self.dtype)
        spread(v.reshape(-1, self.G, v.shape[2] if v.ndim == 3 else 1), y)
        return y.reshape((self.images, -1) if self.columns else -1)

    def sums(self, loop, *arrays):
        """What one of the first two loops computes, (parts, pack, G, K) each."""
        totals = np.empty((2, self.parts, self.pack, self.G, self.K))
        flat = totals.reshape((2, self.parts, -1) if self.columns else (2, -1))
        parallel(lambda i, j: loop(*arrays, *self.length, *flat, i, j), flat.shape[1], moved=2 * arrays[0].nbytes)
        return totals

    def each(self, loop, *arrays):
        """What one of the last two loops computes, in the shape of x."""
        y = aligned(arrays[0].shape, self.dtype)
        parallel(lambda i, j: loop(*arrays, y, i, j), self.rows, moved=2 * y.nbytes)
        if self.columns:
            y = channels_first(y.reshape(self.shape[0], *self.space, -1))
        return y.reshape(self.shape)

    def moments(self, x):
        """(mu, var), in the shape of the formula."""
        x, both = self.flat(x), np.empty((2, self.means, self.G), self.dtype)
        count = np.full(self.parts, self.length[0] if self.columns else x.shape[1])
        if self.columns:
            count[-1] = self.rows - (self.parts - 1) * self.length[0]
        join(*self.sums(self.loops[0], x), count, *both)
        return tuple(both.reshape(2, self.means, self.G, *[1] * (len(self.shape) - 2)))

    def weights(self, v, default):
        """The vector v, or a default, as (G, K)."""
        return np.full((self.G, self.K), default, self.dtype) if v is None else np.ascontiguousarray(v, self.dtype).reshape(
            self.G, self.K)


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
    scale = r.reshape(-1, m.G, 1) * m.weights(w, 1)
    return m.each(m.loops[2], m.flat(x), *map(m.vector, (mu, scale, m.weights(b, 0)[None])))


def gradient_of_channels(ctx, dy):
    """NumPy arrays of float32 or float64, batch, instance and group norm."""
    return has_means_of_channels(dy, ctx.axes, ctx.along)


@Normalize.backward.road(gradient_of_channels)
def gradients_of_channels_by_loops(ctx, dy):
    """Two walks through memory."""
    x, mu, r, w = ctx.saved_tensors
    need_x, need_w, need_b = ctx.needs_input_grad
    m, dx = Matrix(x, ctx.axes, ctx.along), None
    dy, w, r, mu_vector = m.flat(dy), m.weights(w, 1), r.reshape(-1, m.G), m.vector(mu)
    scale, sums, means = r[:, :, None] * w, np.zeros((2, m.G, m.K)), np.zeros((2, *r.shape))
    if ctx.axes or need_w or need_b:
        share(*m.sums(m.loops[1], dy, m.flat(x), mu_vector), r, w, x.size // r.size, *sums, means)
    if need_x and ctx.axes:          # dx = r (w dy - s - (x - mu) r t), s and t the means of w dy and w dy xhat
        s, t = means
        dx = m.each(m.loops[3], dy, m.flat(x), mu_vector, *map(m.vector, (scale, -r * t * r, -r * s)))
    elif need_x:                     # dx = r w dy
        zero = np.zeros_like(r)
        dx = m.each(m.loops[2], dy, *map(m.vector, (zero, scale, zero)))
    dw, db = sums.reshape(2, *x.shape[1:len(ctx.along) + 1]).astype(m.dtype)
    return dx, dw if need_w else None, db if need_b else None


# ---- sums of columns -----------------------------------------------------------------------------------------------------

@bias_gradient.road(compiled_floats)
def bias_gradient_by_loops(dy):
    """One walk through memory."""
    return column_sums(channels_last(dy).reshape(-1, dy.shape[1]))
