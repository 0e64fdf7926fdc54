"""The error function in float32, the type in which networks compute, as one tanh; its kin piece by piece."""
import math

import numpy as np

from ..ops import error_function as formulas
from . import workers
from .serving import on_cpu
from .workers import by_pieces

# Q of `erf_by_fit`, highest power first
Q = (1.41851531e-07, -5.66846324e-06, 8.76372498e-05, -0.000619784447, -0.000191831055, 0.102769056, 1.12837927)


def erf_by_fit(y, x, scale=1.0, square=None):
    """Write erf(scale x) into y, and x^2 into `square`: arrays of float32.

    erf(x) = tanh(x Q(x^2)), because erf rises from -1 to 1 much like tanh, which costs NumPy no more than three additions.
    The polynomial Q was fitted for 0 < x < 4, so that the largest error of erf in proportion to erf is as small as the
    degree allows (least squares again and again, the weights multiplied each time by the errors: Lawson's algorithm). That
    is 9.5e-8; with the rounding errors of float32, 2.7e-7 of erf. Beyond 4, where erf is 1, Q grows on, and tanh is 1.
    """
    tanh_of_odd(y, x, [q * scale ** (2 * k + 1) for q, k in zip(Q, range(len(Q) - 1, -1, -1))], square)


def tanh_of_odd(y, x, q, square=None):
    """Write tanh(x Q(x^2)) into y, and x^2 into `square`; q holds the coefficients of Q, highest power first."""
    with np.errstate(over="ignore"):  # infinity is as good as any other large number
        square = np.multiply(x, x, out=square)
        np.multiply(square, q[0], out=y)
        for c in q[1:-1]:
            y += c
            y *= square
        y += q[-1]
        y *= x
        np.tanh(y, out=y)


def of_single_precision(x):
    """NumPy arrays of float32 or float16."""
    return type(x) is np.ndarray and x.dtype != np.float64


@formulas.erf.road(of_single_precision)
def erf_in_float32(x):
    """A tanh of a polynomial that was fitted to float32, piece by piece."""
    return by_pieces(erf_by_fit, x.astype(np.float32, copy=False), writes=True).astype(x.dtype, copy=False)


def of_pieces(x):
    """NumPy arrays of 2^17 numbers or more."""
    return type(x) is np.ndarray and x.size >= workers.PIECE


@formulas.erfc.road(of_pieces)
def erfc_by_pieces(x):
    """Piece by piece: all operations on one while it stays in the cache."""
    return by_pieces(formulas.erfc.plain, x, passes=300)


@formulas.erfinv.road(on_cpu)
def erfinv_where_needed(y):
    """Piece by piece, and the tails only where numbers lie in them."""
    def work(y):
        half = np.atleast_1d(y.astype(np.float64)) / 2
        x = formulas.middle(half)
        far = ~(np.abs(half) <= 0.425)
        x[far] = formulas.tail(half[far])
        return (x / math.sqrt(2)).reshape(y.shape).astype(y.dtype, copy=False)

    return by_pieces(work, y, passes=100)
