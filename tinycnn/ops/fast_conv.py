"""Floor 2: the convolution of `conv.py` once more, as fast as a processor with caches allows; NumPy only.

The same three functions on arrays, the same sums, in another order. What makes them fast, with the gain of each as
prototypes showed it on two cores of an AMD Zen 3; other processors differ:

- Channels last. An image is N C H W to everybody, but in memory the channels of one pixel stand side by side (N H W C; a
  transposed view shows it as N C H W). A row of a window is then one run of KW * C numbers to copy, and the product of
  columns and weights *is* the image, pixel by pixel: nothing to move (1.3 to 2 times). Ufuncs keep the layout of what they
  are given, so one convolution hands it to the next.
- Pieces. Columns are made for as many images, or rows of one image, as fill PIECE_BYTES, multiplied while they are still in
  the cache, and overwritten by the next (1.5 to 2 times against columns of the whole batch, and K times less memory).
- Threads. The pieces of one operation are shared out to the cores, each with its own products (1.1 to 1.3 times against
  the threads inside BLAS, which help only with the product itself; see `workers.py`).
- No adjoint where the stride is 1: the gradient of the input is then itself a convolution, of dy with the kernel reversed,
  and takes the same road as forward instead of adding up windows (1.2 to 1.4 times).
- Pictures have few channels, and runs of KW * 1 numbers are too short. For up to FEW channels the columns are copied as
  whole rows of pixels, one for every weight, and the product reads them transposed (2 times).
- A 1x1 convolution needs no columns: its windows are the image. (This costs no line: `reshape` sees that nothing moves.)
- Depthwise convolution is no matrix product at all, but a multiplication of the shifted image for each weight of the kernel.
- Products of many small groups are slow, so some are merged into one with zeros between them (`merged`; 3 to 12 times).
"""
import math

import numpy as np

from ..backend import sliding_windows
from ..workers import parallel
from .unfold import meetings

PIECE_BYTES = 2 * 2**20   # half of a usual second-level cache,
PIECE_ROWS = 512          # but enough rows for the product to be efficient,
PIECES = 4                # and so many pieces at least, for the cores to share
FEW = 4                   # channels, up to which columns are copied as rows of pixels
GROUP = 16                # channels, below which groups are merged


# ---- memory ----------------------------------------------------------------------------------------------------------

def channels_last(x):
    """x (N, C, *S) as a contiguous array (N, *S, C): a view where it is laid out that way already, else a copy."""
    return np.ascontiguousarray(np.moveaxis(x, 1, -1))


def channels_first(x):
    """An array (N, *S, C) as the view (N, C, *S)."""
    return np.moveaxis(x, -1, 1)


class Columns:
    """The columns of x (N, C, *S), piece by piece: `pieces` index an array (N, *O, F), `self[piece]` are its columns."""

    def __init__(self, x, kernel, out, stride, padding, dilation, groups):
        self.few = x.shape[1] <= FEW
        self.x = np.moveaxis(x, 1, -1) if self.few else channels_last(x)
        self.kernel, self.out, self.groups = kernel, out, groups
        self.stride, self.padding, self.dilation = stride, padding, dilation
        row = math.prod(out[1:])
        length = x.shape[1] * math.prod(kernel)
        wanted = max(PIECE_ROWS, PIECE_BYTES // (length * x.itemsize))
        wanted = max(1, min(wanted, -(-len(x) * out[0] * row // PIECES)))
        images, rows = max(1, wanted // (row * out[0])), min(out[0], max(1, wanted // row))
        self.pieces = [(slice(n, n + images), slice(o, min(o + rows, out[0])))
                       for n in range(0, len(x), images) for o in range(0, out[0], rows)]

    def __getitem__(self, piece):
        """The columns (G, P, K * C/G) for the P windows of a piece."""
        windows = sliding_windows(channels_first(self.framed(*piece)), self.kernel, self.stride, self.dilation)
        windows = windows[..., *map(slice, self.out)]
        dims = len(self.kernel)
        n, c, *rest = windows.shape
        windows = windows.reshape(n, self.groups, c // self.groups, *rest)
        kernel, out = range(3, 3 + dims), range(3 + dims, 3 + 2 * dims)
        size = c // self.groups * math.prod(self.kernel)
        if self.few:
            return windows.transpose(1, *kernel, 2, 0, *out).reshape(self.groups, size, -1).swapaxes(1, 2)
        return windows.transpose(1, 0, *out, *kernel, 2).reshape(self.groups, -1, size)

    def framed(self, images, rows):
        """The part of x that the windows of a piece see, with its padding."""
        first = rows.start * self.stride[0] - self.padding[0][0]
        last = (rows.stop - 1) * self.stride[0] + self.dilation[0] * (self.kernel[0] - 1) + 1 - self.padding[0][0]
        before, after = min(max(-first, 0), last - first), max(last - self.x.shape[1], 0)
        x = self.x[images, max(first, 0):max(last, 0)]
        padding = [(before, min(after, last - first)), *self.padding[1:]]
        if not any(map(any, padding)):
            return x
        sizes = [s + sum(p) for s, p in zip(x.shape[1:], padding)]
        frame = np.zeros_like(x, shape=(len(x), *sizes, x.shape[-1]))
        frame[(slice(None), *(slice(p, p + s) for s, (p, _) in zip(x.shape[1:], padding)))] = x
        return frame


# ---- the three functions ---------------------------------------------------------------------------------------------

def convolve(x, w, out, stride, padding, dilation, groups, b=None):
    """x (N, C, *S), w (F, C/G, *K), b (F) or None -> y (N, F, *out):  y = cols @ w + b."""
    if depthwise(w, groups):
        return taps(x, w, out, stride, padding, dilation, b)
    w, groups = merged(w, groups)
    matrix = np.moveaxis(w, 1, -1).reshape(groups, w.shape[0] // groups, -1).swapaxes(1, 2)
    return products(Columns(x, w.shape[2:], out, stride, padding, dilation, groups), matrix, out, b)


def products(columns, matrix, out, b=None):
    """The columns of (N, *out) windows, times `matrix` (G, K * C/G, F/G), plus b -> y (N, F, *out)."""
    groups, length, filters = matrix.shape
    y = np.empty((len(columns.x), *out, groups * filters), matrix.dtype)
    if b is not None and len(out) > 1:
        b = np.tile(b, out[-1])  # as long as a row of pixels: NumPy's loops are best when they are long

    def work(start, stop):
        for piece in columns.pieces[start:stop]:
            np.matmul(columns[piece], matrix, out=y[piece].reshape(-1, groups, filters).swapaxes(0, 1))
            if b is not None:
                rows = y[piece].reshape(-1, b.size)
                rows += b

    parallel(work, len(columns.pieces), flops=2 * y.size * length, moved=4 * y.nbytes)
    return channels_first(y)


def weight_gradient(x, dy, kernel, stride, padding, dilation, groups):
    """x (N, C, *S), dy (N, F, *O) -> dw (F, C/G, *K):  dw = dy^T @ cols."""
    channels, filters, out = x.shape[1] // groups, dy.shape[1], dy.shape[2:]
    if channels == 1 and filters == groups:
        return taps_weight_gradient(x, dy, kernel, stride, padding, dilation)
    merge = merging(channels, groups)
    columns = Columns(x, kernel, out, stride, padding, dilation, groups // merge)
    dy = channels_last(dy)
    shape = groups // merge, filters // groups * merge, math.prod(kernel) * merge * channels

    def work(start, stop):
        dw = np.zeros(shape, x.dtype)
        for piece in columns.pieces[start:stop]:
            dw += dy[piece].reshape(-1, *shape[:2]).transpose(1, 2, 0) @ columns[piece]
        return dw

    dw = sum(parallel(work, len(columns.pieces), flops=2 * dy.size * shape[2], most=4))
    dw = dw.reshape(groups // merge, merge, filters // groups, *kernel, merge, channels)
    dw = np.moveaxis(dw.diagonal(0, 1, -2), -1, 1)  # of merged groups, the blocks where each meets itself
    return np.ascontiguousarray(np.moveaxis(dw.reshape(filters, *kernel, channels), -1, 1))


def input_gradient(dy, w, size, stride, padding, dilation, groups):
    """dy (N, F, *O), w (F, C/G, *K) -> dx (N, C, *size)."""
    kernel, out = w.shape[2:], dy.shape[2:]
    if depthwise(w, groups):
        return taps_input_gradient(dy, w, size, stride, padding, dilation)
    w, groups = merged(w, groups)
    matrix = w.reshape(groups, -1, *w.shape[1:])  # (G, F/G, C/G, *K)
    # dx[i] = sum_k w[k] dy[i + p - k d], and counting k from the other end,
    # = sum_k w[K - 1 - k] dy[i + k d - (d (K - 1) - p)]
    outside = [(d * (k - 1) - p, s - o + p) for s, o, k, d, (p, _) in zip(size, out, kernel, dilation, padding)]
    if max(stride) > 1 or min(map(min, outside)) < 0:
        return adjoint(dy, np.moveaxis(matrix, 2, -1), size, stride, padding, dilation)
    flipped = matrix[(..., *[slice(None, None, -1)] * len(kernel))]
    flipped = np.moveaxis(flipped, (1, 2), (-2, -1)).reshape(groups, -1, matrix.shape[2])
    return products(Columns(dy, kernel, size, stride, outside, dilation, groups), flipped, size)


def adjoint(dy, matrix, size, stride, padding, dilation):
    """`input_gradient` by dcols = dy @ w, `matrix` being (G, F/G, *K, C/G), every pixel collecting its copies."""
    groups, filters, *kernel, channels = matrix.shape
    dy, out = channels_last(dy), dy.shape[2:]
    matrix = matrix.reshape(groups, filters, -1)
    dx = np.zeros((len(dy), *size, groups * channels), dy.dtype)
    images = max(1, PIECE_BYTES // max(1, math.prod(out) * matrix[:, 0].nbytes))

    def work(start, stop):
        for n in range(start, stop, images):
            piece = slice(n, min(n + images, stop))
            dcols = dy[piece].reshape(-1, groups, filters).swapaxes(0, 1) @ matrix
            dcols = dcols.reshape(groups, -1, *out, math.prod(kernel), channels)
            target = dx[piece].reshape(-1, *size, groups, channels)
            for number, k in enumerate(np.ndindex(*kernel)):
                o, i = meetings(k, size, out, stride, padding, dilation)
                target[:, *i] += np.moveaxis(dcols[:, :, *o, number], 0, -2)

    parallel(work, len(dy), flops=2 * dy.size * matrix[0, 0].size, moved=4 * dy.nbytes)
    return channels_first(dx)


def bias_gradient(dy):
    """dy (N, F, *O) -> db (F), the sum over images and places, as a product with a row of ones."""
    dy = channels_last(dy).reshape(-1, dy.shape[1])
    return sum(parallel(lambda start, stop: np.ones(stop - start, dy.dtype) @ dy[start:stop], len(dy), moved=dy.nbytes))


# ---- depthwise: one tap of the kernel after the other ----------------------------------------------------------------

def depthwise(w, groups):
    """Whether every channel has its own filter, and just one."""
    return w.shape[0] == groups and w.shape[1] == 1


def wide(w, width):
    """w (C, 1, *K) as (*K, width, C), the same for every pixel of a row: NumPy's loops are best when they are long."""
    return np.repeat(np.moveaxis(w[:, 0], 0, -1)[..., None, :], width, axis=-2)


def taps(x, w, out, stride, padding, dilation, b=None):
    """`convolve` where every channel has one filter of its own: y[o] = b + sum_k w[k] x[o * stride + ...]."""
    x, w = channels_last(x), wide(w, out[-1])
    y = np.empty((len(x), *out, x.shape[-1]), x.dtype)

    def work(start, stop):
        for n in range(start, stop):
            y[n] = 0 if b is None else b
            for k in np.ndindex(*w.shape[:-2]):
                o, i = meetings(k, x.shape[1:-1], out, stride, padding, dilation)
                y[n, *o] += x[n, *i] * w[k][o[-1]]

    parallel(work, len(x), moved=4 * y.nbytes * w[..., 0, 0].size)
    return channels_first(y)


def taps_weight_gradient(x, dy, kernel, stride, padding, dilation):
    """`weight_gradient` where every channel has one filter of its own: dw[k] = sum_{n, o} dy[o] x[o * stride + ...]."""
    x, dy, axes = channels_last(x), channels_last(dy), list(range(len(kernel) + 1))

    def work(start, stop):
        dw = np.zeros((*kernel, x.shape[-1]), x.dtype)
        for n in range(start, stop):
            for k in np.ndindex(*kernel):
                o, i = meetings(k, x.shape[1:-1], dy.shape[1:-1], stride, padding, dilation)
                dw[k] += np.einsum(dy[n, *o], axes, x[n, *i], axes, axes[-1:])
        return dw

    dw = sum(parallel(work, len(x), moved=2 * dy.nbytes * math.prod(kernel)))
    return np.ascontiguousarray(np.moveaxis(dw, -1, 0))[:, None]


def taps_input_gradient(dy, w, size, stride, padding, dilation):
    """`input_gradient` where every channel has one filter of its own: dx[o * stride + ...] += w[k] dy[o]."""
    dy, w = channels_last(dy), wide(w, dy.shape[-1])
    dx = np.zeros((len(dy), *size, dy.shape[-1]), dy.dtype)

    def work(start, stop):
        for n in range(start, stop):
            for k in np.ndindex(*w.shape[:-2]):
                o, i = meetings(k, size, dy.shape[1:-1], stride, padding, dilation)
                dx[n, *i] += dy[n, *o] * w[k][o[-1]]

    parallel(work, len(dy), moved=4 * dy.nbytes * w[..., 0, 0].size)
    return channels_first(dx)


# ---- many groups -----------------------------------------------------------------------------------------------------

def merging(channels, groups):
    """How many groups of so many channels to treat as one: the least divisor of `groups` that gives GROUP channels."""
    return next(m for m in range(1, groups + 1) if groups % m == 0 and (m * channels >= GROUP or m == groups))


def merged(w, groups):
    """w (F, C/G, *K) for G groups as (F, M * C/G, *K) for G/M groups: each filter has zeros for its M - 1 new neighbours."""
    merge = merging(w.shape[1], groups)
    if merge == 1:
        return w, groups
    filters, channels, *kernel = w.shape
    spread = np.zeros((groups // merge, merge, filters // groups, merge, channels, *kernel), w.dtype)
    for m in range(merge):
        spread[:, m, :, m] = w.reshape(groups // merge, merge, filters // groups, channels, *kernel)[:, m]
    return spread.reshape(filters, merge * channels, *kernel), groups // merge
