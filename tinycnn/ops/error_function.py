"""The error function, its complement and its inverse, which CuPy has and NumPy has not."""
import importlib

import numpy as np

from ..cpu.workers import by_pieces


def erf(x):
    """The error function 2/sqrt(pi) * integral of exp(-t^2) from 0 to x, elementwise, to double precision.

    NumPy has none. |x| < 2 takes the Taylor-like series x * exp(-x^2) * sum (2x^2)^n / (2n+1)!!, larger |x| the
    continued fraction of erfc, evaluated backwards. Source: Abramowitz and Stegun, 7.1.6 and 7.1.14.
    """
    if not isinstance(x, (np.ndarray, np.generic)):
        return _by_cupy("erf", x)
    if x.dtype != np.float64:
        return by_pieces(erf_by_fit, x.astype(np.float32, copy=False), writes=True).astype(x.dtype, copy=False)
    t = np.abs(x)
    return np.copysign(np.where(t < 2, _erf_series(t), 1 - _erfc_fraction(t)), x).astype(x.dtype, copy=False)


def erfc(x):
    """1 - erf(x), elementwise, exact also where that is close to 0."""
    if not isinstance(x, (np.ndarray, np.generic)):
        return _by_cupy("erfc", x)
    t = np.abs(x)
    y = np.where(t < 2, 1 - _erf_series(t), _erfc_fraction(t))
    return np.where(x < 0, 2 - y, y).astype(x.dtype, copy=False)


def _by_cupy(name, x):
    """CuPy's function of that name, which answers float16 in another dtype."""
    function = getattr(importlib.import_module("cupyx.scipy.special"), name)
    return function(x.astype(np.float32)).astype(x.dtype) if x.dtype == np.float16 else function(x)


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


def erfinv(y):
    """The x with erf(x) = y, elementwise: +-infinity at +-1, NaN beyond.

    sqrt(2) x is the quantile of the normal distribution at (1 + y) / 2. For |y| <= 0.85 it is y/2 times a ratio of two
    polynomials in 0.425^2 - (y/2)^2, beyond, a ratio in r = sqrt(-log((1 - |y|) / 2)), which changes at r = 5. Right to 16
    digits. Source: M. J. Wichura, The percentage points of the normal distribution, Applied Statistics 37 (1988), 477-484.
    """
    if not isinstance(y, (np.ndarray, np.generic)):
        return _by_cupy("erfinv", y)
    half = np.atleast_1d(np.asarray(y, np.float64)) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        x = half * _ratio(_QUANTILE[0], 0.425 * 0.425 - half * half)
        far = ~(np.abs(half) <= 0.425)
        if far.any():
            r = np.sqrt(-np.log(0.5 - np.abs(half[far])))
            tail = np.where(r <= 5, _ratio(_QUANTILE[1], r - 1.6), _ratio(_QUANTILE[2], r - 5))
            x[far] = np.copysign(np.where(np.isinf(r), r, tail), half[far])
    return (x / np.sqrt(2)).reshape(y.shape).astype(y.dtype, copy=False)


def _ratio(polynomials, t):
    """The quotient of two polynomials at t, by Horner's rule."""
    above, below = (np.full_like(t, c[0]) for c in polynomials)
    for p, q in zip(*(c[1:] for c in polynomials)):
        above *= t
        above += p
        below *= t
        below += q
    return above / below


def _erf_series(t):
    """erf(t) for 0 <= t <= 2; larger t count as 2."""
    t = np.minimum(t, 2.0)
    term = total = np.ones_like(t)
    for n in range(1, 40):
        term = term * (2 * t * t / (2 * n + 1))
        total = total + term
    return 2 / np.sqrt(np.pi) * t * np.exp(-t * t) * total


def _erfc_fraction(t):
    """1 - erf(t) for t >= 2; smaller t count as 2."""
    t = np.maximum(t, 2.0)
    fraction = np.zeros_like(t)
    for n in range(80, 0, -1):
        fraction = (n / 2) / (t + fraction)
    return np.exp(-t * t) / (np.sqrt(np.pi) * (t + fraction))


# Q of `erf_by_fit`, highest power first
_Q = (1.41851531e-07, -5.66846324e-06, 8.76372498e-05, -0.000619784447, -0.000191831055, 0.102769056, 1.12837927)


def erf_by_fit(y, x, scale=1.0, square=None):
    """Write erf(scale x) into y, and x^2 into `square`: arrays of float32, the type in which networks compute.

    erf(x) = tanh(x Q(x^2)), because erf rises from -1 to 1 much like tanh, which costs NumPy no more than three additions.
    The polynomial Q was fitted for 0 < x < 4, so that the largest error of erf in proportion to erf is as small as the
    degree allows (least squares again and again, the weights multiplied each time by the errors: Lawson's algorithm). That
    is 9.5e-8; with the rounding errors of float32, 2.7e-7 of erf. Beyond 4, where erf is 1, Q grows on, and tanh is 1.
    """
    tanh_of_odd(y, x, [q * scale ** (2 * k + 1) for q, k in zip(_Q, range(len(_Q) - 1, -1, -1))], square)


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
