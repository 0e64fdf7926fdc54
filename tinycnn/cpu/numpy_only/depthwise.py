"""Depthwise convolution with NumPy: every weight of the kernel meets the pixels of a few images at a time, shifted."""
import numpy as np

from ...ops import conv as formulas
from ...ops.unfold import meetings
from ..layout import channels_first, channels_last
from ..workers import parallel

NUMBERS = 2**16  # of images that are worked on together: they stay in the cache


def own_filters(x, w, out, stride, padding, dilation, groups, b=None):
    """NumPy arrays, one filter for each of several channels."""
    return type(x) is np.ndarray and w.shape[:2] == (groups, 1) != (1, 1) and x.dtype.char in "fd"


def each_offset(add, x, out, kernel, *geometry):
    """add(images, k, windows, pixels) for all x (N, *S, C), a few images at a time, and all offsets k of the kernel."""
    offsets = [(k, *meetings(k, x.shape[1:-1], out, *geometry)) for k in np.ndindex(*kernel)]
    step = max(1, NUMBERS // max(1, x[:1].size))

    def work(start, stop):
        for n in range(start, stop, step):
            for k, o, i in offsets:
                add(slice(n, min(n + step, stop)), k, o, i)
    parallel(work, len(x), moved=3 * len(offsets) * x.nbytes)


def in_rows(w, out):
    """w (F, 1, *K) as (*K, columns, F), the same for all columns: NumPy's loops are best when they are long."""
    return np.repeat(np.moveaxis(w, 0, -1)[0][..., None, :], out[-1], -2)


@formulas.convolve.road(own_filters)
def convolve_by_offsets(x, w, out, stride, padding, dilation, groups, b=None):
    """y[o] += w[k] x[i], an operation for each k."""
    x, weights = channels_last(x), in_rows(w, out)
    y = np.zeros((len(x), *out, groups), x.dtype)

    def add(n, k, o, i):
        y[n, *o] += weights[k][o[-1]] * x[n, *i]
    each_offset(add, x, out, w.shape[2:], stride, padding, dilation)
    return channels_first(y if b is None else y + b)


@formulas.input_gradient.road(own_filters)
def input_gradient_by_offsets(dy, w, size, stride, padding, dilation, groups):
    """dx[i] += w[k] dy[o], an operation for each k."""
    dy, weights, out = channels_last(dy), in_rows(w, dy.shape[2:]), dy.shape[2:]
    dx = np.zeros((len(dy), *size, groups), dy.dtype)

    def add(n, k, o, i):
        dx[n, *i] += weights[k][o[-1]] * dy[n, *o]
    each_offset(add, dx, out, w.shape[2:], stride, padding, dilation)
    return channels_first(dx)
