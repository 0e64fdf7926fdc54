"""Operations on every number by itself: a formula for one number, and two loops that apply it to all, with Numba.

A formula of `ops/` makes an array for each of its operations; a loop reads every number once and writes one. Forward it
computes y = f(x), backward dx = dy f'(x), and an activation is here no more than the pair of f and f', with its options as
further arguments, already in the dtype of x. Measured on one thread, both ways, a loop takes the formula's time divided by
1.3 (ReLU), 2.7 (sigmoid), 3.3 (hard swish, leaky ReLU), 4.5 (SiLU, ELU); GELU, whose formula sums a long series, by 260. The
hyperbolic tangent and dropout gain too little.

e^x and what is made of it are sums here, of so many terms as float32 or float64 holds: LLVM then computes 4 or 8 numbers at
once. Largest errors, in units of the last digit: e^x 0.7, logistic 1.5; the normal probability is right to 1.5e-7.
"""
import inspect
import math

import numpy as np

from ..ops.activation import ELU, GELU, Sigmoid, SiLU
from ..ops.rectifier import Hardsigmoid, Hardswish, Hardtanh, LeakyReLU, ReLU
from .compiled import exactly, inlined
from .serving import compiled_floats
from .workers import parallel

SMALL = 2**14   # numbers up to which it is not even asked whether several cores are worth it
ROOT, CUBIC = GELU.ROOT, GELU.CUBIC


# ---- functions of one number -----------------------------------------------------------------------------------------

@inlined
def narrow(x):
    """Whether x is of float32: known when a loop is compiled, so that only one branch of an `if` remains."""
    t = type(x)
    return t(1) + t(1e-9) == t(1)


TERMS = tuple(1 / math.factorial(k) for k in range(13, 1, -1))  # of e^r
MORE, ENOUGH = TERMS[:6], TERMS[6:]                             # the first for float64 alone


@inlined
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


@inlined
def exp(x):
    """e^x for x <= 0: 0 where it is less than the smallest number with all its digits."""
    s, q = factors(x)
    return type(x)(0) if x < (-87 if narrow(x) else -708) else s * q + s


@inlined
def logistic(x):
    """1 / (1 + e^-x)."""
    t = type(x)
    e = exp(-abs(x))
    return (e if x < 0 else t(1)) / (t(1) + e)


@inlined
def expm1(x):
    """e^x - 1 for x <= 0, exact near 0."""
    s, q = factors(x)
    return s * q + (s - type(x)(1))


# the normal tail is e^(-x^2 / 2) times a polynomial in s = 1 / (1 + 0.28 |x|), highest power first, fitted so that its
# largest error, 1.1e-8, is as small as the degree allows: least squares again and again, the weights multiplied by the
# errors (Lawson's algorithm)
TAIL = (-0.106328528, 0.392066893, -0.240669217, 0.271972125, 0.0662296023, 0.116729114)


@inlined
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


@inlined
def roughly_normal(x):
    """The approximation by tanh: P = (1 + tanh u) / 2 = 1 / (1 + e^-2u), and its derivative 2 P (1 - P) u'."""
    t = type(x)
    twice = t(2 * ROOT) * (x + t(CUBIC) * x * x * x)
    e = exp(-abs(twice))
    larger = t(1) / (t(1) + e)
    below = e * larger if x < 0 else larger
    density = t(2) * e * larger * larger * t(ROOT)
    return below, density + density * x * x * t(3 * CUBIC)


@inlined
def slope_from(x, both):
    """f' = P + x p of GELU, from P and p."""
    return both[0] + x * both[1]


@inlined
def hardsigmoid(x):
    """(x + 3) / 6, moved into the interval from 0 to 1."""
    t = type(x)
    return min(max(x + t(3), t(0)), t(6)) / t(6)


# ---- the loops -------------------------------------------------------------------------------------------------------

def mapped(f):
    """The loop y = f(x), of flat arrays."""
    f = inlined(f)

    def forward(x, y, *options):
        for i in range(y.size):
            y[i] = f(x[i], *options)
    return exactly(forward)


def sloped(f):
    """The loop dx = dy f(x), of flat arrays."""
    f = inlined(f)

    def backward(dy, x, dx, *options):
        for i in range(dx.size):
            dx[i] = dy[i] * f(x[i], *options)
    return exactly(backward)


def each(loop, x, *others, options=()):
    """The loop's result for arrays of one shape: loop(x, *others, y, *options), all flat; y is laid out like x."""
    y = np.empty_like(x)
    flat, options = [*(in_order(a, y) for a in (x, *others)), y.ravel("K")], [x.dtype.type(o) for o in options]
    if y.size < SMALL:
        loop(*flat, *options)
    else:
        parallel(lambda i, j: loop(*[a[i:j] for a in flat], *options), y.size, moved=len(flat) * y.nbytes)
    return y


def in_order(x, y):
    """x as an array of one dimension, in the order in which y lies in memory: a view where x lies in the same."""
    if x.flags.c_contiguous and y.flags.c_contiguous:
        return x.reshape(-1)
    if [s // x.itemsize for s in x.strides] != [s // y.itemsize for s in y.strides]:
        x, source = np.empty_like(y, dtype=x.dtype), x
        x[...] = source
    return x.ravel("K")


# ---- activations: a table -------------------------------------------------------------------------------------------

def floats(ctx, x, **options):
    """NumPy arrays of float32 or float64, where Numba is installed."""
    return compiled_floats(x)


def bent_upward(ctx, x, input_scale=None, **options):
    """NumPy arrays of float32 or float64, where Numba is installed; of CELU those with alpha > 0."""
    return compiled_floats(x) and (ctx.input_scale if input_scale is None else input_scale) > 0


def road_for(function, saved, f, slope, serves=floats):
    """Give `function` two loops as roads: y = f(x, *options) and dx = dy slope(saved(x, y), *options)."""
    forward, backward, names = mapped(f), sloped(slope), [*inspect.signature(f).parameters][1:]

    @function.forward.road(serves)
    def forward_in_a_loop(ctx, x, **options):
        """A compiled loop."""
        vars(ctx).update(options)
        y = each(forward, x, options=[options[name] for name in names])
        ctx.save_for_backward(saved(x, y))
        return y

    @function.backward.road(serves)
    def backward_in_a_loop(ctx, dy):
        """A compiled loop."""
        return each(backward, dy, *ctx.saved_tensors, options=[getattr(ctx, name) for name in names])


of_x, of_y = (lambda x, y: x), (lambda x, y: y)

road_for(ReLU, of_y,
         lambda x: type(x)(0) if x <= 0 else x,
         lambda y: type(y)(y > 0))
road_for(LeakyReLU, lambda x, y: x > 0,
         lambda x, slope: x if x > 0 else slope * x,
         lambda positive, slope: type(slope)(1) if positive else slope)
road_for(Hardtanh, of_y,
         lambda x, low, high: min(max(x, low), high),
         lambda y, low, high: type(y)((y > low) & (y < high)))
road_for(Hardsigmoid, of_y,
         lambda x: hardsigmoid(x),
         lambda y: type(y)((y > 0) & (y < 1)) / type(y)(6))
road_for(Hardswish, of_x,
         lambda x: x * hardsigmoid(x),
         lambda x: type(x)(x > 0) if abs(x) >= 3 else (x + x + type(x)(3)) / type(x)(6))
road_for(Sigmoid, of_y,
         lambda x: logistic(x),
         lambda y: y * (type(y)(1) - y))
road_for(SiLU, of_x,
         lambda x: x * logistic(x),
         lambda x: logistic(x) * (type(x)(1) + x * logistic(-x)))
road_for(ELU, of_x,
         lambda x, alpha, scale, input_scale: scale * (max(x, type(x)(0)) + alpha * expm1(input_scale * min(x, type(x)(0)))),
         lambda x, alpha, scale, input_scale: scale * (type(x)(1) if x > 0 else alpha * input_scale * exp(input_scale * x)),
         bent_upward)

GELUS = {True: (mapped(lambda x: x * normal(x)[0]), sloped(lambda x: slope_from(x, normal(x)))),
         False: (mapped(lambda x: x * roughly_normal(x)[0]), sloped(lambda x: slope_from(x, roughly_normal(x))))}


@GELU.forward.road(floats)
def gelu_in_a_loop(ctx, x, approximate):
    """A compiled loop."""
    ctx.exact = approximate == "none"
    ctx.save_for_backward(x)
    return each(GELUS[ctx.exact][0], x)


@GELU.backward.road(floats)
def gelu_gradient_in_a_loop(ctx, dy):
    """A compiled loop."""
    return each(GELUS[ctx.exact][1], dy, *ctx.saved_tensors)
