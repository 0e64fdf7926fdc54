"""The convolution of `ops/conv.py` once more, as fast as a processor with caches allows.

The same three functions on arrays, the same sums, in another order. What makes them fast, with the gain of each as
prototypes showed it on two cores of an AMD Zen 3; other processors differ:

- Channels last. An image is N C H W to everybody, but in memory the channels of one pixel stand side by side (N H W C; a
  transposed view shows it as N C H W). A row of a window is then one run of KW * C numbers to copy, and the product of
  columns and weights *is* the image, pixel by pixel: nothing to move (1.3 to 2 times). Ufuncs keep the layout of what they
  are given, so one convolution hands it to the next.
- Pieces. Columns are made for as many images, or rows of one image, as fill PIECE_BYTES, multiplied while they are still in
  the cache, and overwritten by the next (1.5 to 2 times against columns of the whole batch, and K times less memory).
- Threads. The pieces of one operation are shared out to the cores, each with its own products (1.1 to 1.3 times against the
  threads inside BLAS, which help only with the product itself; see `workers.py`).
- No adjoint where the stride is 1: the gradient of the input is then itself a convolution, of dy with the kernel reversed,
  and takes the same road as forward instead of adding up windows (1.2 to 1.4 times).
- Pictures have few channels, and runs of KW * 1 numbers are too short. For up to FEW channels the columns are copied as
  whole rows of pixels, one for every weight, and the product reads them transposed (2 times).
- A 1x1 convolution needs no columns and no pieces: it is one product of pixels and weights (1.1 to 1.8 times).
- Few filters make thin matrices, with which BLAS is slow. Two neighbouring pixels with F filters each are treated as one
  with 2 F (`pairs`; 1.2 to 1.5 times, though a third of the products are then with zeros). For the same reason the gradient
  of few filters is computed transposed (1.1 to 2 times).
- Few windows and large weights, as in the last layers of a network, are one product, shared out by filters: in pieces of
  windows each would read all the weights again (1.2 to 2.5 times).
- From 32 channels and filters on, 3x3 kernels and wide ones take `winograd.py`'s road, with a quarter to two fifths of the
  multiplications (1.3 to 2 times).
- Products of many small groups are slow, so some are merged into one with zeros between them (`merged`; 3 to 12 times).

The gains of few filters, few windows, Winograd and depthwise were measured on this code, on one core of an Intel Xeon with
vectors of 512 bits.
"""
import math

import numpy as np

from ..ops import conv as formulas
from ..ops.unfold import meetings
from . import winograd
from .columns import PIECE_BYTES, Columns, add_bias, channels_first, channels_last, contiguous, product_of_transposed, total
from .matmul import product
from .serving import halves, on_cpu
from .workers import aligned, parallel

GROUP = 16                # channels, below which groups are merged
PAIR = 32                 # filters, up to which two neighbouring pixels share a row of the product


# ---- the three functions ---------------------------------------------------------------------------------------------

@formulas.convolve.road(on_cpu)
def convolve_on_cpu(x, w, out, stride, padding, dilation, groups, b=None):
    """x (N, C, *S), w (F, C/G, *K), b (F) or None -> y (N, F, *out):  y = cols @ w + b."""
    if groups == max(*w.shape[2:], *stride) == 1 and out == x.shape[2:]:
        return pointwise(x, w, b)
    way = winograd.way(len(x), w.shape[1], len(w) // groups, w.shape[2:], out, stride, dilation)
    if way and groups > 1:
        parts = zip(np.split(x, groups, 1), np.split(w, groups), [None] * groups if b is None else np.split(b, groups))
        return channels_first(np.concatenate([channels_last(winograd.convolve(way, x, w, out, padding, b))
                                              for x, w, b in parts], -1))
    if way:
        return winograd.convolve(way, x, w, out, padding, b)
    w, groups = merged(w, groups)
    if not paired(len(w), w.shape[2:], out, stride, dilation, groups):
        return products(x, w, out, stride, padding, dilation, groups, b)
    b = None if b is None else np.tile(b, 2)
    y = products(x, pairs(w, stride[-1]), *half(out, stride), padding, dilation, groups, b)
    return channels_first(channels_last(y).reshape(len(x), *out, len(w)))


def products(x, w, out, stride, padding, dilation, groups, b):
    """`convolve` by columns and matrix products, piece by piece."""
    columns = Columns(x, w.shape[2:], out, stride, padding, dilation, groups)
    matrix = contiguous(np.moveaxis(w, 1, -1)).reshape(groups, w.shape[0] // groups, -1).swapaxes(1, 2)
    y = aligned((len(x), *out, w.shape[0]), matrix.dtype)

    def work(start, stop):
        for piece in columns.pieces[start:stop]:
            product(columns[piece], matrix, out=y[piece].reshape(-1, groups, matrix.shape[2]).swapaxes(0, 1))
            if b is not None:
                add_bias(y[piece], b)

    parallel(work, len(columns.pieces), flops=2 * y.size * matrix.shape[1], moved=4 * y.nbytes)
    return channels_first(y)


def pointwise(x, w, b):
    """`convolve` with a 1x1 kernel: the pixels are the columns."""
    y = product(channels_last(x).reshape(-1, x.shape[1]), w.reshape(len(w), -1).T)
    y = y.reshape(len(x), *x.shape[2:], len(w))
    if b is not None:
        add_bias(y, b)
    return channels_first(y)


@formulas.weight_gradient.road(on_cpu)
def weight_gradient_on_cpu(x, dy, kernel, stride, padding, dilation, groups):
    """x (N, C, *S), dy (N, F, *O) -> dw (F, C/G, *K):  dw = dy^T @ cols."""
    filters, out = dy.shape[1], dy.shape[2:]
    way = winograd.way(len(x), x.shape[1] // groups, filters // groups, kernel, out, stride, dilation)
    if way:
        parts = zip(np.split(x, groups, 1), np.split(dy, groups, 1))
        return np.concatenate([winograd.weight_gradient(way, x, dy, kernel, padding) for x, dy in parts])
    if not paired(filters, kernel, out, stride, dilation, groups):
        return gradient_products(x, dy, kernel, stride, padding, dilation, groups)
    out, double = half(out, stride)
    dy = channels_first(channels_last(dy).reshape(len(x), *out, 2 * filters))
    dw = gradient_products(x, dy, (*kernel[:-1], kernel[-1] + stride[-1]), double, padding, dilation, groups)
    return dw[:filters, ..., :kernel[-1]] + dw[filters:, ..., stride[-1]:]


def gradient_products(x, dy, kernel, stride, padding, dilation, groups):
    """`weight_gradient` by columns and matrix products, summed over the pieces."""
    channels, filters = x.shape[1] // groups, dy.shape[1]
    merge = merging(channels, groups)
    columns = Columns(x, kernel, dy.shape[2:], stride, padding, dilation, groups // merge)
    dy = channels_last(dy)

    def part(piece):
        rows = dy[piece].reshape(-1, groups // merge, filters // groups * merge).swapaxes(0, 1)
        return product_of_transposed(rows, columns[piece])

    def work(start, stop):
        return total(map(part, columns.pieces[start:stop]))

    dw = total(parallel(work, len(columns.pieces), flops=2 * dy.size * math.prod(kernel) * merge * channels, most=4))
    dw = dw.reshape(groups // merge, merge, filters // groups, *kernel, merge, channels)
    dw = np.moveaxis(dw.diagonal(0, 1, -2), -1, 1)  # of merged groups, the blocks where each meets itself
    return contiguous(np.moveaxis(dw.reshape(filters, *kernel, channels), -1, 1))


@formulas.input_gradient.road(on_cpu)
def input_gradient_on_cpu(dy, w, size, stride, padding, dilation, groups):
    """dy (N, F, *O), w (F, C/G, *K) -> dx (N, C, *size)."""
    kernel, out = w.shape[2:], dy.shape[2:]
    # dx[i] = sum_k w[k] dy[i + p - k d], and counting k from the other end,
    # = sum_k w[K - 1 - k] dy[i + k d - (d (K - 1) - p)]
    outside = [(d * (k - 1) - p, s - o + p) for s, o, k, d, (p, _) in zip(size, out, kernel, dilation, padding)]
    if max(stride) > 1 or min(map(min, outside)) < 0:
        return adjoint(dy, w, size, stride, padding, dilation, groups)
    reverse = w[(..., *[slice(None, None, -1)] * len(kernel))]
    if groups > 1:
        reverse = reverse.reshape(groups, -1, *w.shape[1:]).swapaxes(1, 2).reshape(-1, len(w) // groups, *kernel)
    else:
        reverse = reverse.swapaxes(0, 1)  # a view: whoever needs another order in memory copies it anyway
    return convolve_on_cpu(dy, reverse, size, stride, outside, dilation, groups)


def adjoint(dy, w, size, stride, padding, dilation, groups):
    """`input_gradient` by dcols = dy @ w, every pixel collecting its copies."""
    w, groups = merged(w, groups)
    kernel, channels, filters = w.shape[2:], w.shape[1], len(w) // groups
    dy, out = channels_last(dy), dy.shape[2:]
    matrix = np.moveaxis(w, 1, -1).reshape(groups, filters, -1)
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


@formulas.bias_gradient.road(on_cpu)
def bias_gradient_on_cpu(dy):
    """dy (N, F, *O) -> db (F), the sum over images and places, as a product with a row of ones."""
    dy = channels_last(dy).reshape(-1, dy.shape[1])
    return sum(parallel(lambda start, stop: np.ones(stop - start, dy.dtype) @ dy[start:stop], len(dy), moved=dy.nbytes))


def in_float32(way):
    """The road `way` for float16, of which BLAS has no products: computed in float32 and rounded, tens of times as fast."""
    def rounded(*args):
        return way(*(a.astype(np.float32) if isinstance(a, np.ndarray) else a for a in args)).astype(np.float16)
    rounded.__doc__ = in_float32.__doc__
    return rounded


formulas.convolve.road(halves)(in_float32(formulas.convolve))
formulas.weight_gradient.road(halves)(in_float32(formulas.weight_gradient))
formulas.input_gradient.road(halves)(in_float32(formulas.input_gradient))
formulas.bias_gradient.road(halves)(in_float32(bias_gradient_on_cpu))


# ---- few filters: two pixels a row ------------------------------------------------------------------------------------

def paired(filters, kernel, out, stride, dilation, groups):
    """Whether to treat neighbouring pixels of a row as one with twice the filters, at stride / kernel more work."""
    return (filters <= PAIR and groups == 1 and out[-1] % 2 == 0 and dilation[-1] == 1 and kernel[-1] >= 3 * stride[-1])


def pairs(w, stride):
    """w (F, C, *K) as (2 F, C, *K'), K' wider by the stride: the filters of a pixel, and of the pixel to its right."""
    beside = [(0, 0)] * (w.ndim - 1)
    return np.concatenate([np.pad(w, [*beside, (0, stride)]), np.pad(w, [*beside, (stride, 0)])])


def half(out, stride):
    """The size and the stride of an output of pairs."""
    return (*out[:-1], out[-1] // 2), (*stride[:-1], 2 * stride[-1])


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
