"""Depthwise convolution with NumPy: every weight of the kernel meets the pixels of a few images at a time, shifted."""
import numpy as np

from ...ops import conv as formulas
from ...ops.unfold import meetings
from ..layout import channels_first, channels_last
from ..workers import parallel

NUMBERS = 2**16  # of images that are worked on together: they stay in the cache


def own_filters(x, w, out, stride, padding, dilation, groups, b=None):
    """NumPy arrays, a group for each of several channels."""
    return type(x) is np.ndarray and w.shape[1] == 1 < groups and x.dtype.char in "fd"


def gradient_of_own_filters(x, dy, kernel, stride, padding, dilation, groups):
    """NumPy arrays, a group for each of several channels."""
    return type(x) is np.ndarray and x.shape[1] == groups > 1 and x.dtype.char in "fd"


def each_offset(add, x, kernel, out, *geometry):
    """add(images, k, windows, pixels) for all x (N, *S, C), a few images at a time, and all offsets k of the kernel."""
    offsets = [(k, *meetings(k, x.shape[1:-1], out, *geometry)) for k in np.ndindex(*kernel)]
    step = max(1, NUMBERS // max(1, x[:1].size))

    def work(start, stop):
        for n in range(start, stop, step):
            for k, o, i in offsets:
                add(slice(n, min(n + step, stop)), k, o, i)
    parallel(work, len(x), moved=3 * len(offsets) * x.nbytes)


@formulas.convolve.road(own_filters)
def convolve_by_offsets(x, w, out, stride, padding, dilation, groups, b=None):
    """y[o] += w[k] x[i], an operation for each k."""
    x, w, kernel = channels_last(repeated(x, len(w))), rows_of(w, out), w.shape[2:]
    y = np.zeros((len(x), *out, x.shape[-1]), x.dtype)

    def add(n, k, o, i):
        y[n, *o] += w[k][o[-1]] * x[n, *i]
    each_offset(add, x, kernel, out, stride, padding, dilation)
    return channels_first(y if b is None else y + b)


@formulas.input_gradient.road(own_filters)
def input_gradient_by_offsets(dy, w, size, stride, padding, dilation, groups):
    """dx[i] += w[k] dy[o], an operation for each k."""
    dy, w, kernel = channels_last(dy), rows_of(w, dy.shape[2:]), w.shape[2:]
    dx = np.zeros((len(dy), *size, dy.shape[-1]), dy.dtype)

    def add(n, k, o, i):
        dx[n, *i] += w[k][o[-1]] * dy[n, *o]
    each_offset(add, dx, kernel, dy.shape[1:-1], stride, padding, dilation)
    return channels_first(dx.reshape(*dx.shape[:-1], groups, dx.shape[-1] // groups).sum(-1))


@formulas.weight_gradient.road(gradient_of_own_filters)
def weight_gradient_by_offsets(x, dy, kernel, stride, padding, dilation, groups):
    """dw[k] = sum dy[o] x[i], an operation for each k."""
    x, dy = channels_last(repeated(x, dy.shape[1])), channels_last(dy)
    dw = np.zeros((len(x), *kernel, dy.shape[-1]), x.dtype)

    def add(n, k, o, i):
        dw[n, *k] = (dy[n, *o] * x[n, *i]).sum(tuple(range(1, x.ndim - 1)))
    each_offset(add, x, kernel, dy.shape[1:-1], stride, padding, dilation)
    return np.ascontiguousarray(np.moveaxis(dw.sum(0), -1, 0))[:, None]


def repeated(x, filters):
    """x (N, C, *S) as (N, F, *S), each channel once for each of its filters."""
    return x if x.shape[1] == filters else channels_first(np.repeat(channels_last(x), filters // x.shape[1], -1))


def rows_of(w, out):
    """w (F, 1, *K) as (*K, columns, F), the same for all columns: NumPy's loops are best when they are long."""
    return np.repeat(np.moveaxis(w, 0, -1)[0][..., None, :], out[-1], -2)
