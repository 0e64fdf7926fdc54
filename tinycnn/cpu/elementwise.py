"""Operations on every number by itself: one walk through memory each, in loops, where Numba is installed.

A formula of several operations makes an array for each of them; its loop reads every number once and writes one. What the
loops compute stands in `ops/`, under the same names; `activation.py` makes roads of them. They take arrays that are flat,
all numbers in one order, and write into the last; `each` brings arrays of any layout into that form.

e^x and what is made of it are sums here, of so many terms as float32 or float64 holds: LLVM then computes 4 or 8 numbers at
once. Largest errors, in units of the last digit: e^x 0.7, logistic 1.5, tanh 1.7; the normal probability is right to 1.5e-7.
"""
import math

import numpy as np

from ..ops.activation import GELU
from .compiled import exactly
from .workers import parallel

SMALL = 2**14   # numbers up to which it is not even asked whether several cores are worth it
ROOT, CUBIC = GELU.ROOT, GELU.CUBIC


# ---- functions of one number -----------------------------------------------------------------------------------------

@exactly
def narrow(x):
    """Whether x is of float32: known when a loop is compiled, so that only one branch of an `if` remains."""
    t = type(x)
    return t(1) + t(1e-9) == t(1)


TERMS = tuple(1 / math.factorial(k) for k in range(13, 1, -1))  # of e^r
MORE, ENOUGH = TERMS[:6], TERMS[6:]                             # the first for float64 alone


@exactly
def factors(x):
    """(s, q) with e^x = s + s q, for x <= 0: s = 2^n, and q = e^r - 1 with r = x - n log 2, |r| <= log(2) / 2.

    n log 2 is taken away in two parts: the first, 355/512, has so few digits that its product with n is exact. q is a Taylor
    series, and s a number whose exponent, in the bits above the fraction's, is n. No branches: they keep LLVM from vectors.
    """
    t = type(x)
    c = max(x, t(-87) if narrow(x) else t(-708))
    n = np.floor(c * t(1 / math.log(2)) + t(0.5))
    r = c - n * t(355 / 512) - n * t(-2.1219444005469058277e-4)
    q = t(0)
    if not narrow(x):
        for term in MORE:
            q = (q + t(term)) * r
    for term in ENOUGH:
        q = (q + t(term)) * r
    q = q * r + r
    if narrow(x):
        s = t(np.int32((np.int32(n) + np.int32(127)) << np.int32(23)).view(np.float32))
    else:
        s = t(np.int64((np.int64(n) + 1023) << 52).view(np.float64))
    return s, q


@exactly
def exp(x):
    """e^x for x <= 0: 0 where it is less than the smallest number with all its digits."""
    s, q = factors(x)
    return type(x)(0) if x < (-87 if narrow(x) else -708) else s * q + s


@exactly
def expm1(x):
    """e^x - 1 for x <= 0, exact near 0."""
    s, q = factors(x)
    return s * q + (s - type(x)(1))


@exactly
def logistic(x):
    """1 / (1 + e^-x)."""
    t = type(x)
    e = exp(-abs(x))
    return (e if x < 0 else t(1)) / (t(1) + e)


@exactly
def tanh(x):
    """The hyperbolic tangent: of |x|, (1 - e^(-2|x|)) / (1 + e^(-2|x|))."""
    t = type(x)
    e = expm1(t(-2) * abs(x))
    return math.copysign(-e / (e + t(2)), x)


SERIES = tuple(1 / (2 * k + 1) for k in range(16, -1, -1))
LONG, SHORT = SERIES[:9], SERIES[9:]


@exactly
def log1p(e):
    """log(1 + e) for 0 <= e <= 1: 2 artanh(v) = 2 (v + v^3/3 + v^5/5 + ...) with v = e / (2 + e) <= 1/3."""
    t = type(e)
    v, total = e / (t(2) + e), t(0)
    if not narrow(e):
        for term in LONG:
            total = total * v * v + t(term)
    for term in SHORT:
        total = total * v * v + t(term)
    return t(2) * v * total


# the normal tail is e^(-x^2 / 2) times a polynomial in s = 1 / (1 + 0.28 |x|), highest power first, fitted so that its
# largest error, 1.1e-8, is as small as the degree allows: least squares again and again, the weights multiplied by the
# errors (Lawson's algorithm)
TAIL = (-0.106328528, 0.392066893, -0.240669217, 0.271972125, 0.0662296023, 0.116729114)


@exactly
def normal(x):
    """P, the probability that a standard normal number lies below x, and the density p."""
    t = type(x)
    e = exp(t(-0.5) * x * x)
    if narrow(x):
        s, tail = t(1) / (t(1) + t(0.28) * abs(x)), t(0)
        for c in TAIL:
            tail = (tail + t(c)) * s
        below = t(1) - e * tail if x > 0 else e * tail
    else:
        below = t(0.5) * (t(1) + t(math.erf(x * math.sqrt(0.5))))
    return below, e * t(ROOT / 2)


@exactly
def roughly_normal(x):
    """The approximation by tanh: P = (1 + tanh u) / 2 = 1 / (1 + e^-2u), and its derivative 2 P (1 - P) u'."""
    t = type(x)
    twice = t(2 * ROOT) * (x + t(CUBIC) * x * x * x)
    e = exp(-abs(twice))
    larger = t(1) / (t(1) + e)
    below = e * larger if x < 0 else larger
    density = t(2) * e * larger * larger * t(ROOT)
    return below, density + density * x * x * t(3 * CUBIC)


# ---- the loops -------------------------------------------------------------------------------------------------------

@exactly
def add(x, y, z):
    for i in range(z.size):
        z[i] = x[i] + y[i]


@exactly
def subtract(x, y, z):
    for i in range(z.size):
        z[i] = x[i] - y[i]


@exactly
def multiply(x, y, z):
    for i in range(z.size):
        z[i] = x[i] * y[i]


@exactly
def scale(x, z, y):
    y = x.dtype.type(y)
    for i in range(z.size):
        z[i] = x[i] * y


@exactly
def relu(x, y):
    t = x.dtype.type
    for i in range(y.size):
        y[i] = t(0) if x[i] <= 0 else x[i]


@exactly
def relu_gradient(dy, y, dx):
    t = dy.dtype.type
    for i in range(dx.size):
        dx[i] = dy[i] * t(y[i] > 0)


@exactly
def leaky_relu(x, positive, y, slope):
    slope = x.dtype.type(slope)
    for i in range(y.size):
        positive[i] = x[i] > 0
        y[i] = x[i] if x[i] > 0 else slope * x[i]


@exactly
def leaky_relu_gradient(dy, positive, dx, slope):
    slope = dy.dtype.type(slope)
    for i in range(dx.size):
        dx[i] = dy[i] if positive[i] else slope * dy[i]


@exactly
def hardtanh(x, y, low, high):
    low, high = x.dtype.type(low), x.dtype.type(high)
    for i in range(y.size):
        y[i] = min(max(x[i], low), high)


@exactly
def hardtanh_gradient(dy, y, dx, low, high):
    t = dy.dtype.type
    low, high = t(low), t(high)
    for i in range(dx.size):
        dx[i] = dy[i] * t((y[i] > low) & (y[i] < high))


@exactly
def hardsigmoid(x, y):
    t = x.dtype.type
    for i in range(y.size):
        y[i] = min(max(x[i] + t(3), t(0)), t(6)) / t(6)


@exactly
def hardsigmoid_gradient(dy, y, dx):
    t = dy.dtype.type
    for i in range(dx.size):
        dx[i] = dy[i] / t(6) * t((y[i] > 0) & (y[i] < 1))


@exactly
def hardswish(x, y):
    t = x.dtype.type
    for i in range(y.size):
        y[i] = x[i] * (min(max(x[i] + t(3), t(0)), t(6)) / t(6))


@exactly
def hardswish_gradient(dy, x, dx):
    t = dy.dtype.type
    for i in range(dx.size):
        slope = t(0) if x[i] <= -3 else t(1) if x[i] >= 3 else (t(2) * x[i] + t(3)) / t(6)
        dx[i] = dy[i] * slope


@exactly
def sigmoid(x, y):
    for i in range(y.size):
        y[i] = logistic(x[i])


@exactly
def sigmoid_gradient(dy, y, dx):
    t = dy.dtype.type
    for i in range(dx.size):
        dx[i] = dy[i] * y[i] * (t(1) - y[i])


@exactly
def tanh_of(x, y):
    for i in range(y.size):
        y[i] = tanh(x[i])


@exactly
def tanh_gradient(dy, y, dx):
    t = dy.dtype.type
    for i in range(dx.size):
        dx[i] = dy[i] * (t(1) - y[i] * y[i])


@exactly
def silu(x, y):
    for i in range(y.size):
        y[i] = x[i] * logistic(x[i])


@exactly
def silu_gradient(dy, x, dx):
    t = dy.dtype.type
    for i in range(dx.size):
        s = logistic(x[i])
        dx[i] = dy[i] * (s * (t(1) + x[i] * (t(1) - s)))


@exactly
def gelu(x, y):
    for i in range(y.size):
        y[i] = x[i] * normal(x[i])[0]


@exactly
def gelu_gradient(dy, x, dx):
    for i in range(dx.size):
        below, density = normal(x[i])
        dx[i] = dy[i] * (below + x[i] * density)


@exactly
def gelu_by_tanh(x, y):
    for i in range(y.size):
        y[i] = x[i] * roughly_normal(x[i])[0]


@exactly
def gelu_by_tanh_gradient(dy, x, dx):
    for i in range(dx.size):
        below, density = roughly_normal(x[i])
        dx[i] = dy[i] * (below + x[i] * density)


@exactly
def elu(x, y, alpha, scale, input_scale):
    t = x.dtype.type
    a, k, s = t(alpha), t(input_scale), t(scale)
    for i in range(y.size):
        y[i] = s * (max(x[i], t(0)) + a * expm1(k * min(x[i], t(0))))


@exactly
def elu_gradient(dy, x, dx, alpha, scale, input_scale):
    t = dy.dtype.type
    slope, k, s = t(alpha * input_scale), t(input_scale), t(scale)
    for i in range(dx.size):
        dx[i] = s * dy[i] * (t(1) if x[i] > 0 else slope * exp(k * min(x[i], t(0))))


@exactly
def softplus(x, y, beta, threshold):
    t = x.dtype.type
    b, far = t(beta), t(threshold)
    for i in range(y.size):
        u = b * x[i]
        y[i] = x[i] if u > far else (max(u, t(0)) + log1p(exp(-abs(u)))) / b


@exactly
def softplus_gradient(dy, x, dx, beta, threshold):
    t = dy.dtype.type
    b, far = t(beta), t(threshold)
    for i in range(dx.size):
        dx[i] = dy[i] * (t(1) if b * x[i] > far else logistic(b * x[i]))


@exactly
def drop(x, keep, y, scale):
    t = x.dtype.type
    s = t(scale)
    for i in range(y.size):
        y[i] = x[i] * t(keep[i]) * s


@exactly
def erf_of(x, y):
    for i in range(y.size):
        y[i] = math.erf(x[i])


@exactly
def erfc_of(x, y):
    for i in range(y.size):
        y[i] = math.erfc(x[i])


# ---- how they are called ---------------------------------------------------------------------------------------------

def each(loop, x, *others, out=None, numbers=()):
    """The loop's result for arrays of one shape: loop(x, *others, y, *numbers), where all are flat; y is laid out like x.

    `out` takes the place of a new y; it, and those of `others` that the loop writes, must be laid out like x.
    """
    y = np.empty_like(x) if out is None else out
    flat = [in_order(a, y) for a in (x, *others)] + [y.ravel("K")]
    numbers = [float(n) for n in numbers]
    if y.size < SMALL:
        loop(*flat, *numbers)
        return y
    parallel(lambda i, j: loop(*[a[i:j] for a in flat], *numbers), y.size, moved=len(flat) * y.nbytes)
    return y


def in_order(x, y):
    """x as an array of one dimension, in the order in which y lies in memory: a view where x lies in the same."""
    if x.flags.c_contiguous and y.flags.c_contiguous:
        return x.reshape(-1)
    if [s // x.itemsize for s in x.strides] != [s // y.itemsize for s in y.strides]:
        x, source = np.empty_like(y, dtype=x.dtype), x
        x[...] = source
    return x.ravel("K")
