"""How images lie in memory: they are N C H W to everybody, but here the channels of a pixel stand side by side, N H W C.

A window's row is then one run of numbers, the result of a product of matrices is the image, and operations element by
element keep the layout of what they are given, so that one convolution hands it to the next.
"""
import numpy as np

from .workers import parallel


def contiguous(x):
    """x as a contiguous array: itself, or a copy, on several cores if it is large."""
    if x.flags.c_contiguous:
        return x
    y = np.empty(x.shape, x.dtype)
    parallel(lambda start, stop: np.copyto(y[start:stop], x[start:stop]), len(x), moved=4 * x.nbytes)
    return y


def channels_last(x):
    """x (N, C, *S) as a contiguous array (N, *S, C): a view where it is laid out that way already, else a copy."""
    return contiguous(x.transpose(0, *range(2, x.ndim), 1))


def channels_first(x):
    """An array (N, *S, C) as the view (N, C, *S)."""
    return x.transpose(0, x.ndim - 1, *range(1, x.ndim - 1))
