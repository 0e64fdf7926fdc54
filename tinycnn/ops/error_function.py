"""The error function, its complement and its inverse, to double precision; NumPy has none of them.

erf(x) is 2/sqrt(pi) times the integral of exp(-t^2) from 0 to x. It is odd, so only t = |x| counts: below 2 the series
t exp(-t^2) sum (2 t^2)^n / (2n+1)!!, and beyond, the continued fraction of erfc = 1 - erf, evaluated backwards.
Source: Abramowitz and Stegun, 7.1.6 and 7.1.14. The sums are of float64, whatever the dtype of x, and the result is rounded.
"""
import functools
import math

import numpy as np

from ..engine.arrays import array_module
from ..engine.formula import formula


@formula
def erf(x):
    """The error function, elementwise."""
    xp = array_module(x)
    t = xp.abs(x.astype(np.float64))
    return xp.copysign(xp.where(t < 2, _erf_series(t), 1 - _erfc_fraction(t)), x).astype(x.dtype)


@formula
def erfc(x):
    """1 - erf(x), elementwise, exact also where that is close to 0."""
    xp = array_module(x)
    t = xp.abs(x.astype(np.float64))
    y = xp.where(t < 2, 1 - _erf_series(t), _erfc_fraction(t))
    return xp.where(x < 0, 2 - y, y).astype(x.dtype)


def _erf_series(t):
    """erf(t) for 0 <= t <= 2; larger t count as 2."""
    xp = array_module(t)
    t = xp.minimum(t, 2.0)
    term = total = xp.ones_like(t)
    for n in range(1, 40):
        term = term * (2 * t * t / (2 * n + 1))
        total = total + term
    return 2 / math.sqrt(math.pi) * t * xp.exp(-t * t) * total


def _erfc_fraction(t):
    """1 - erf(t) for t >= 2; smaller t count as 2."""
    xp = array_module(t)
    t = xp.maximum(t, 2.0)
    fraction = xp.zeros_like(t)
    for n in range(80, 0, -1):
        fraction = (n / 2) / (t + fraction)
    return xp.exp(-t * t) / (math.sqrt(math.pi) * (t + fraction))


# Wichura's polynomials, highest power first: (numerator, denominator) for the middle, the flanks and the tails
_QUANTILE = (
    ((2.5090809287301226727e3, 3.3430575583588128105e4, 6.7265770927008700853e4, 4.5921953931549871457e4,
      1.3731693765509461125e4, 1.9715909503065514427e3, 1.3314166789178437745e2, 3.3871328727963666080e0),
     (5.2264952788528545610e3, 2.8729085735721942674e4, 3.9307895800092710610e4, 2.1213794301586595867e4,
      5.3941960214247511077e3, 6.8718700749205790830e2, 4.2313330701600911252e1, 1.0)),
    ((7.74545014278341407640e-4, 2.27238449892691845833e-2, 2.41780725177450611770e-1, 1.27045825245236838258e0,
      3.64784832476320460504e0, 5.76949722146069140550e0, 4.63033784615654529590e0, 1.42343711074968357734e0),
     (1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2, 1.48103976427480074590e-1,
      6.89767334985100004550e-1, 1.67638483018380384940e0, 2.05319162663775882187e0, 1.0)),
    ((2.01033439929228813265e-7, 2.71155556874348757815e-5, 1.24266094738807843860e-3, 2.65321895265761230930e-2,
      2.96560571828504891230e-1, 1.78482653991729133580e0, 5.46378491116411436990e0, 6.65790464350110377720e0),
     (2.04426310338993978564e-15, 1.42151175831644588870e-7, 1.84631831751005468180e-5, 7.86869131145613259100e-4,
      1.48753612908506148525e-2, 1.36929880922735805310e-1, 5.99832206555887937690e-1, 1.0)))


@formula
def erfinv(y):
    """The x with erf(x) = y, elementwise: +-infinity at +-1, NaN beyond.

    sqrt(2) x is the quantile of the normal distribution at (1 + y) / 2. For |y| <= 0.85 it is y/2 times a ratio of two
    polynomials in 0.425^2 - (y/2)^2, beyond, a ratio in r = sqrt(-log((1 - |y|) / 2)), which changes at r = 5. Right to 16
    digits. Source: M. J. Wichura, The percentage points of the normal distribution, Applied Statistics 37 (1988), 477-484.
    """
    half = y.astype(np.float64) / 2
    xp = array_module(half)
    return (xp.where(xp.abs(half) <= 0.425, middle(half), tail(half)) / math.sqrt(2)).astype(y.dtype)


def middle(half):
    """The normal quantile at 1/2 + half, for |half| <= 0.425."""
    return half * _ratio(_QUANTILE[0], 0.425 * 0.425 - half * half)


def tail(half):
    """The normal quantile at 1/2 + half, for larger |half|."""
    xp = array_module(half)
    r = xp.sqrt(-xp.log(0.5 - xp.abs(half)))
    x = xp.where(r <= 5, _ratio(_QUANTILE[1], r - 1.6), _ratio(_QUANTILE[2], r - 5))
    return xp.copysign(xp.where(xp.isinf(r), r, x), half)


def _ratio(polynomials, t):
    """The quotient of two polynomials at t, by Horner's rule."""
    above, below = (functools.reduce(lambda total, c: total * t + c, coefficients) for coefficients in polynomials)
    return above / below
