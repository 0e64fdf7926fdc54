"""Floor 2: the convolution of `conv.py` once more, for GPUs: one product of matrices for as many images as memory allows.

The same three functions on arrays as there and in `fast_conv.py`. A GPU wants few, large pieces of work, the opposite of a
processor with caches: the columns of many images become one matrix (`kernels/windows.cu`), so that a layer is three launches
whatever the size of the batch. Images stay N C H W in memory, as CuPy's own functions leave them.

Signals are images of one row; volumes take the plain road.
"""
import math

from .. import kernels
from ..backend import array_module

COLUMN_BYTES = 2**28  # of columns at a time


def serves(x):
    """Whether x is a batch of images or signals on a GPU."""
    return x.ndim in (3, 4) and kernels.serves(x)


class Columns:
    """The columns of images (N, C, *S), piece by piece: `pieces` are slices of images."""

    def __init__(self, images, channels, size, out, itemsize, kernel, stride, padding, dilation):
        self.layout = channels, size, out, kernel, stride, padding, dilation
        each = itemsize * channels * math.prod(kernel) * math.prod(out)
        step = max(1, COLUMN_BYTES // max(1, each))
        self.pieces = [slice(n, min(n + step, images)) for n in range(0, images, step)]

    def geometry(self, images):
        """What the kernels have to know about a piece of so many images."""
        return kernels.geometry(images, *self.layout)

    @property
    def trivial(self):
        """Whether the columns are the images themselves: a kernel of size 1 that looks at every pixel."""
        _, size, out, kernel, stride, padding, _ = self.layout
        return math.prod(kernel) == 1 and tuple(size) == tuple(out) and max(stride) == 1 and not any(map(any, padding))


def depthwise(w, groups):
    """Whether every channel has its own filter, and just one."""
    return w.shape[0] == groups and w.shape[1] == 1


def products(a, b):
    """a (G, R, K) @ b (G, K, S), without a copy of what is transposed."""
    if len(a) == 1:
        return (a[0] @ b[0])[None]
    return array_module(a).stack([a[g] @ b[g] for g in range(len(a))])


def convolve(x, w, out, stride, padding, dilation, groups, b=None):
    """x (N, C, *S), w (F, C/G, *K), b (F) or None -> y (N, F, *out):  y = w @ cols + b."""
    columns = Columns(*x.shape[:2], x.shape[2:], out, x.itemsize, w.shape[2:], stride, padding, dilation)
    filters, xp = w.shape[0], array_module(x)
    if depthwise(w, groups):
        return kernels.depthwise(x, w, b, columns.geometry(len(x))).reshape(len(x), filters, *out)
    w = w.reshape(groups, filters // groups, -1)
    if columns.trivial and groups == 1:
        y = xp.matmul(w, x.reshape(*x.shape[:2], -1)).reshape(len(x), filters, *out)
    else:
        y = xp.empty((len(x), filters, *out), x.dtype)
        for piece in columns.pieces:
            images = piece.stop - piece.start
            cols = kernels.im2col(x[piece], columns.geometry(images))
            part = w @ cols.reshape(groups, w.shape[2], -1) if groups > 1 else w[0] @ cols
            y[piece] = part.reshape(filters, images, *out).swapaxes(0, 1)
    if b is not None:
        y += b.reshape(-1, *[1] * len(out))
    return y


def weight_gradient(x, dy, kernel, stride, padding, dilation, groups):
    """x (N, C, *S), dy (N, F, *O) -> dw (F, C/G, *K):  dw = dy @ cols^T."""
    columns = Columns(*x.shape[:2], x.shape[2:], dy.shape[2:], x.itemsize, kernel, stride, padding, dilation)
    channels, filters = x.shape[1] // groups, dy.shape[1]
    if channels == 1 and filters == groups:
        return kernels.depthwise_weight(x, dy, columns.geometry(len(x))).reshape(filters, 1, *kernel)
    dw = 0
    for piece in columns.pieces:
        cols = kernels.im2col(x[piece], columns.geometry(piece.stop - piece.start))
        matrix = dy[piece].swapaxes(0, 1).reshape(groups, filters // groups, -1)
        dw = dw + products(matrix, cols.reshape(groups, channels * math.prod(kernel), -1).swapaxes(1, 2))
    return dw.reshape(filters, channels, *kernel)


def input_gradient(dy, w, size, stride, padding, dilation, groups):
    """dy (N, F, *O), w (F, C/G, *K) -> dx (N, C, *size):  dcols = w^T @ dy, and every pixel collects its copies."""
    images, filters, out, xp = len(dy), w.shape[0], dy.shape[2:], array_module(dy)
    channels = w.shape[1] * groups
    columns = Columns(images, channels, size, out, dy.itemsize, w.shape[2:], stride, padding, dilation)
    if depthwise(w, groups):
        return kernels.depthwise_input(dy, w, columns.geometry(images)).reshape(images, channels, *size)
    w = w.reshape(groups, filters // groups, -1)
    if columns.trivial and groups == 1:
        return xp.matmul(w.swapaxes(1, 2), dy.reshape(images, filters, -1)).reshape(images, channels, *size)
    dx = xp.empty((images, channels, *size), dy.dtype)
    for piece in columns.pieces:
        matrix = dy[piece].swapaxes(0, 1).reshape(groups, filters // groups, -1)
        cols = products(w.swapaxes(1, 2), matrix).reshape(-1, matrix.shape[2])
        dx[piece] = kernels.col2im(cols, columns.geometry(piece.stop - piece.start)).reshape(-1, channels, *size)
    return dx


def bias_gradient(dy):
    """dy (N, F, *O) -> db (F), the sum over images and places; the places of one image first, they stand side by side."""
    return dy.reshape(*dy.shape[:2], -1).sum(2).sum(0)
