"""The columns of a convolution, in pieces that fit the cache: what `conv.py` and `winograd.py` share."""
import functools
import math
import operator

import numpy as np

from ...engine.arrays import sliding_windows
from ..layout import channels_first, channels_last

PIECE_BYTES = 2 * 2**20   # half of a usual second-level cache,
PIECES = 4                # but so many pieces at least, for the cores to share
FEW = 4                   # channels, up to which columns are copied as whole rows of pixels


def slices(count, most):
    """range(count) cut into slices of about one size, at most `most`; their number is even, for the cores to share."""
    parts = max(1, -(-count // max(1, most)))
    parts = min(count, parts + parts % 2) if parts > 1 else 1
    return [slice(count * i // parts, count * (i + 1) // parts) for i in range(parts)]


def total(arrays):
    """Their sum, in the memory of the first."""
    return functools.reduce(operator.iadd, arrays)


def add_bias(y, b):
    """y (N, *S, F) += b (F), in rows as long as those of pixels: NumPy's loops are best when they are long."""
    b = np.tile(b, y.shape[-2])
    rows = y.reshape(-1, b.size)
    rows += b


class Columns:
    """The columns of x (N, C, *S), piece by piece: `pieces` index an array (N, *O, F), `self[piece]` are its columns.

    A piece has enough rows for its product to be efficient. Few windows are one piece: then the weights, which every piece
    would read, are the larger matrix, and `product` shares out the filters.
    """
    few_windows, least_rows, piece_rows = 1024, 1, 512

    def __init__(self, x, kernel, out, stride, padding, dilation, groups):
        self.few = x.shape[1] <= FEW
        self.x = np.moveaxis(x, 1, -1) if self.few else channels_last(x)
        self.kernel, self.out, self.groups = kernel, out, groups
        self.stride, self.padding, self.dilation = stride, padding, dilation
        row = math.prod(out[1:])
        length = x.shape[1] * math.prod(kernel)
        windows = len(x) * out[0] * row
        wanted = max(self.piece_rows, PIECE_BYTES // (length * x.itemsize))
        wanted = windows if windows <= self.few_windows else min(wanted, max(self.least_rows, -(-windows // PIECES)))
        images, rows = max(1, wanted // (row * out[0])), min(out[0], max(1, wanted // row))
        self.pieces = [(n, o) for n in slices(len(x), images) for o in slices(out[0], rows)]

    def __getitem__(self, piece):
        """The columns (G, P, K * C/G) for the P windows of a piece."""
        windows = self.windows(piece)
        dims = len(self.kernel)
        n, c, *rest = windows.shape
        windows = windows.reshape(n, self.groups, c // self.groups, *rest)
        kernel, out = range(3, 3 + dims), range(3 + dims, 3 + 2 * dims)
        size = c // self.groups * math.prod(self.kernel)
        if self.few:
            return windows.transpose(1, *kernel, 2, 0, *out).reshape(self.groups, size, -1).swapaxes(1, 2)
        return windows.transpose(1, 0, *out, *kernel, 2).reshape(self.groups, -1, size)

    def windows(self, piece):
        """What every weight of the kernel meets in a piece: (N, C, *K, *O), a view of the image with its padding."""
        windows = sliding_windows(channels_first(self.framed(*piece)), self.kernel, self.stride, self.dilation)
        return windows[..., *map(slice, self.out)]

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
