"""Sums of large arrays, shared out to the cores; gradients that need not be copied; the error function in float32."""
import functools
import sys

import numpy as np

from ..engine.autograd import accumulate, added
from ..engine.formula import formula
from ..engine.tensor import wrap
from ..ops import error_function
from ..ops.elementwise import Add
from .workers import large, share

LEAST = 2**12  # numbers of a gradient that it repays to keep


def large_pair(ctx, x, y):
    """Two NumPy arrays of one shape and layout, of 2^19 numbers or more."""
    return large(x, y)


@Add.forward.road(large_pair)
def add_in_shares(ctx, x, y):
    """Each core adds a part."""
    ctx.shapes = x.shape, y.shape
    return share(np.add, x, y)


def large_gradients(total, gradient):
    """Two NumPy arrays of one shape and layout, of 2^19 numbers or more."""
    return large(total, gradient)


@added.road(large_gradients)
def add_gradients_in_shares(total, gradient):
    """Each core adds a part."""
    return share(np.add, total, gradient)


@functools.cache
def alone():
    """How often Python counts a gradient that nobody but the walk knows, where `is_ours` looks at it."""
    counts, dy = [], [np.empty(1)]
    like_accumulate = formula(lambda leaf, gradient: None)
    like_accumulate.roads.append((lambda leaf, gradient: counts.append(sys.getrefcount(gradient)), None))
    like_accumulate(None, dy[0])
    return counts[0]


def is_ours(leaf, gradient):
    """The first gradient of a leaf, a NumPy array of 2^12 numbers or more that nobody else knows, in CPython."""
    if (leaf._grad is not None or type(gradient) is not np.ndarray or gradient.size < LEAST
            or sys.getrefcount(gradient) > alone() or not gradient.flags.c_contiguous or not gradient.flags.writeable):
        return False
    if gradient.base is None:
        return True
    return (type(gradient.base) is np.ndarray and sys.getrefcount(gradient.base) == 2 and gradient.base.flags.owndata
            and gradient.base.nbytes <= gradient.nbytes + 64)


@accumulate.road(is_ours)
def keep_gradient(leaf, gradient):
    """No copy: the memory becomes the leaf's own."""
    leaf._grad = wrap(gradient)


# erf rises from -1 to 1 much like tanh: erf(x) = tanh(x Q(x^2)). Q, highest power first, was fitted for 0 < x < 4 by
# Lawson's algorithm: its largest error in proportion to erf is 9.5e-8. Beyond, where erf is 1, Q grows on, and tanh is 1.
Q = (1.41851531e-07, -5.66846324e-06, 8.76372498e-05, -0.000619784447, -0.000191831055, 0.102769056, 1.12837927)


def single_precision(x):
    """NumPy arrays of float32 or float16."""
    return type(x) is np.ndarray and x.dtype != np.float64


@error_function.erf.road(single_precision)
def erf_in_float32(x):
    """A tanh of a polynomial, in pieces that stay in the cache: with all roundings right to 2.7e-7."""
    def erf(x, out):
        with np.errstate(over="ignore"):  # infinity is as good as any other large number
            square, y = x * x, np.full_like(x, Q[0])
            for c in Q[1:]:
                y *= square
                y += c
            y *= x
            np.tanh(y, out=out)
    return share(erf, x.astype(np.float32)).astype(x.dtype, copy=False)
