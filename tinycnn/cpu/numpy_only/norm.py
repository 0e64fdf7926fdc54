"""The sums and the arithmetic of normalisation, arranged for a processor with caches.

`ops/norm.py` says what is computed; here batch norm is done in fewer walks through memory, which is all that it costs:

- In memory the channels of a pixel stand side by side, so an array (N, C, *S) is a matrix whose rows are some pixels each,
  8192 numbers or so: NumPy sets out anew for every row that meets a vector, which costs as much as 1000 products. Vectors
  of C numbers are repeated for every pixel of a row.
- Rows are worked on in pieces that stay in the cache, so that a chain of operations reads and writes main memory once; and
  the pieces are shared out to the cores.
- A sum over rows is the product of a row of ones and the matrix (twice as fast as `sum`).
- The numbers of a channel are folded first: y = w (x - mu) r + b is x s + t with s = w r and t = b - mu s, two operations.
  Its rounding errors are those of x itself, of the size of mu in the last bit.
- The variance still takes two passes, the mean first, but they read main memory once: for any k near the mean, the sums of
  x - k and of its square tell mean and variance, and the mean of a first piece is near enough (Chan, Golub, LeVeque,
  Algorithms for computing the sample variance, 1983).
"""
import numpy as np

from ...ops.norm import Normalize, moments, sum_over
from ..layout import channels_first, channels_last
from ..serving import on_cpu, summable
from ..workers import aligned, parallel

WIDTH = 2**13   # numbers in a row, about,
PIECE = 2**17   # and in a piece


# ---- any axes --------------------------------------------------------------------------------------------------------

@sum_over.road(on_cpu)
def sum_of_rows_first(x, axes):
    """The axis with the largest steps in memory first, so that whole rows are added: up to four times as fast."""
    for axis in sorted(axes, key=lambda axis: -x.strides[axis]):
        x = x.sum(axis, keepdims=True)
    return x


# ---- batch norm --------------------------------------------------------------------------------------------------------

class Rows:
    """Matrices of rows of pixels of arrays shaped like x (N, C, *S), and work on pieces of them."""

    def __init__(self, x):
        self.shape, self.channels, self.dtype = x.shape, x.shape[1], x.dtype
        pixels = x.size // self.channels
        most = max(1, min(WIDTH // self.channels, pixels))
        self.pixels = next((n for n in range(most, most // 2, -1) if pixels % n == 0), most)  # in a row, but for the last
        self.width = self.pixels * self.channels

    def flat(self, x):
        """All numbers of x, row by row; a copy where the channels do not stand side by side."""
        return channels_last(x).reshape(-1)

    def empty(self):
        """An array like x to be filled."""
        return channels_first(aligned((self.shape[0], *self.shape[2:], self.channels), self.dtype))

    def wide(self, v):
        """A number for every channel, as numbers that meet those of a row."""
        return v.reshape(1, -1).astype(self.dtype, copy=False).repeat(self.pixels, 0).reshape(1, -1)

    def pixel_sums(self, matrix):
        """The sums over the pixels of a piece, for every channel."""
        pixels = matrix.reshape(-1, self.channels)
        return np.dot(np.ones(len(pixels), self.dtype), pixels)  # np.dot lets other threads run, vector @ matrix does not

    def gather(self, totals):
        """The sums over all pieces, from those of each piece (several kinds of them)."""
        return np.array(totals, np.float64).sum(0)

    def like_axes(self, v):
        """A number for every channel, in the shape (1, C, 1, ...)."""
        return v.astype(self.dtype).reshape(1, -1, *[1] * (len(self.shape) - 2))

    def pieces(self, work, arrays, vectors, passes):
        """[work(room, *matrices, *vectors), ...] for all pieces of `arrays`; `room` is a matrix for intermediate results."""
        flat, vectors = [self.flat(a) for a in arrays], [self.wide(v) for v in vectors]
        count, step = flat[0].size // self.width, max(1, PIECE // self.width)
        end = count * self.width
        matrices = [a[:end].reshape(count, self.width) for a in flat]

        def part(start, stop):
            room, results = aligned((min(step, stop - start), self.width), self.dtype), []
            for rows in (slice(i, min(i + step, stop)) for i in range(start, stop, step)):
                cut = [v if len(v) == 1 else v[rows] for v in vectors]
                results.append(work(room[:rows.stop - rows.start], *(a[rows] for a in matrices), *cut))
            return results

        parts = parallel(part, count, moved=passes * flat[0].nbytes)
        if end < flat[0].size:
            rest = [a[end:].reshape(1, -1) for a in flat]
            parts.append([work(np.empty_like(rest[0]), *rest, *(v[:, :rest[0].size] for v in vectors))])
        return [result for part in parts for result in part]


def channels_on_cpu(x, axes):
    """An array of NumPy's (N, C, *S), and all axes but the channels."""
    return summable(x) and x.size > 0 and x.ndim > 1 and axes == (0, *range(2, x.ndim))


@moments.road(channels_on_cpu)
def moments_on_cpu(x, axes):
    """One walk through memory."""
    rows, first = Rows(x), x[:-(-WIDTH // x[0].size)]
    if x.ndim > 2:
        first = first[:, :, :-(-WIDTH // first[0, :, 0].size)]
    k = channels_last(first).reshape(-1, rows.channels).mean(0)

    def work(room, x, k):
        rest = np.subtract(x, k, out=room)
        return rows.pixel_sums(rest), rows.pixel_sums(np.multiply(rest, rest, out=rest))

    s, squares = rows.gather(rows.pieces(work, [x], [k], passes=2)) / (x.size // rows.channels)
    return rows.like_axes(k + s), rows.like_axes(np.maximum(squares - s * s, 0))


def normalise(x, mu, r, w, b):
    """y = w (x - mu) r + b, shaped like x (N, C, *S), with the channels side by side, as convolutions want them."""
    rows = Rows(x)
    y, scale = rows.empty(), scaled(r, w)
    shift = -mu * scale if b is None else b.reshape(mu.shape) - mu * scale

    def work(room, x, y, scale, shift):
        np.multiply(x, scale, out=y)
        y += shift

    rows.pieces(work, [x, y], [scale, shift], passes=2)
    return y


def scaled(r, w):
    """w r, where there is a w."""
    return r if w is None else r * w.reshape(r.shape)


def sums(dy, x, mu, r):
    """sum dy and sum dy xhat with xhat = (x - mu) r, of every channel, each (1, C, 1, ...)."""
    rows = Rows(x)

    def work(room, dy, x, mu):
        rest = np.subtract(x, mu, out=room)
        rest *= dy
        return rows.pixel_sums(dy), rows.pixel_sums(rest)

    s, t = rows.gather(rows.pieces(work, [dy, x], [mu], passes=3))
    return rows.like_axes(s), rows.like_axes(t * r.reshape(-1))


def combine(dy, x, mu, r, w, s, t):
    """dx = w r (dy - s / m - (x - mu) r t / m), shaped like dy (N, C, *S), with s, t from `sums`, m numbers in a channel."""
    a, m = scaled(r, w), dy.size // mu.size
    b = a * r * t / -m
    c = a * s / -m - b * mu
    rows = Rows(x)
    dx = rows.empty()

    def work(room, dy, x, dx, a, b, c):
        rest = np.multiply(x, b, out=room)
        rest += c
        np.multiply(dy, a, out=dx)
        dx += rest

    rows.pieces(work, [dy, x, dx], [a, b, c], passes=4)
    return dx


def batch_norm_on_cpu(ctx, x, w, b, axes, along, eps, statistics=None):
    """An array of NumPy's (N, C, *S), with a mean for every channel."""
    return along == (1,) and channels_on_cpu(x, axes or (0, *range(2, x.ndim)))


@Normalize.forward.road(batch_norm_on_cpu)
def normalise_channels(ctx, x, w, b, axes, along, eps, statistics=None):
    """One walk through memory, on all cores."""
    mu, var = statistics or moments_on_cpu(x, axes)
    r = 1 / np.sqrt(var + eps)
    ctx.axes, ctx.along, ctx.eps = axes, along, eps
    ctx.save_for_backward(x, mu, r, w)
    return normalise(x, mu, r, w, b)


def batch_norm_gradient_on_cpu(ctx, dy):
    """An array of NumPy's (N, C, *S), with a mean for every channel."""
    return ctx.along == (1,) and type(dy) is np.ndarray and channels_on_cpu(dy, ctx.axes or (0, *range(2, dy.ndim)))


@Normalize.backward.road(batch_norm_gradient_on_cpu)
def gradients_of_channels(ctx, dy):
    """Two walks through memory, on all cores."""
    x, mu, r, w = ctx.saved_tensors
    need_x, need_w, need_b = ctx.needs_input_grad
    s, t = sums(dy, x, mu, r)
    dx = None
    if need_x:
        dx = combine(dy, x, mu, r, w, s, t) if ctx.axes else dy * scaled(r, w)
    return dx, t.reshape(-1) if need_w else None, s.reshape(-1) if need_b else None
