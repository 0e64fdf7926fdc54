"""The gamma function, which continues the factorial: its logarithm and the derivatives of that.

Gamma(n + 1) = n!, and Gamma(x + 1) = x Gamma(x) for every x. Neither NumPy nor the standard library has it for arrays. Far
from 0 a few terms of Stirling's series are exact to double precision; from there the recurrence leads back. Source:
Abramowitz and Stegun, Handbook of mathematical functions, 6.1.17, 6.1.41, 6.3.5, 6.3.7, 6.3.18, 6.4.6, 6.4.7 and 6.4.11.
"""
import math

import numpy as np

from ..engine.arrays import array_module
from ..engine.function import Function
from ..engine.checks import check_tensor
from ..engine.tensor import Tensor, method
from .inplace import twin
from .unary import floating

FAR = 16  # where Stirling's series begins to be exact
BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510)  # the numbers B_2, B_4, ..., B_16


class Lgamma(Function):
    """y = log |Gamma(x)|.  dx = dy psi(x), where psi is the `Polygamma` of order 0."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return _lgamma(x)

    @staticmethod
    def backward(ctx, dy):
        (x,) = ctx.saved_tensors
        return dy * psi(0, x)


class Polygamma(Function):
    """y = psi_n(x), the derivative number n + 1 of log |Gamma(x)|.  dx = dy psi_(n+1)(x)."""

    @staticmethod
    def forward(ctx, x, n):
        ctx.n = n
        ctx.save_for_backward(x)
        return psi(n, x)

    @staticmethod
    def backward(ctx, dy):
        (x,) = ctx.saved_tensors
        return dy * psi(ctx.n + 1, x)


def _lgamma(x):
    """log |Gamma(x)| of an array.

    From Gamma(x + m) = x (x+1) ... (x+m-1) Gamma(x), with Stirling's series for Gamma(x + m); to the left of 0 from
    Gamma(x) Gamma(1 - x) = pi / sin(pi x).
    """
    xp, dtype = array_module(x), x.dtype
    x = x.astype(np.float64)
    t = xp.where(x < 0.5, 1 - x, x)
    near = t < FAR
    product = xp.ones_like(t)
    for k in range(FAR):
        product = product * xp.where(near, t + k, 1)
    z = xp.where(near, t + FAR, t)
    y = (z - 0.5) * xp.log(z) - z + 0.5 * math.log(2 * math.pi) - xp.log(product)
    for k, b in enumerate(BERNOULLI, 1):
        y += b / (2 * k * (2 * k - 1)) / z ** (2 * k - 1)
    sine = xp.abs(xp.sin(math.pi * (x - xp.around(x))))
    mirrored = xp.where(sine == 0, xp.inf, math.log(math.pi) - xp.log(xp.where(sine == 0, 1, sine)) - y)
    return xp.where(xp.isinf(x), xp.inf, xp.where(x < 0.5, mirrored, y)).astype(dtype)


def psi(n, x):
    """psi_n(x) of an array or a Tensor.

    psi_n(x) = psi_n(x + 1) - (-1)^n n! / x^(n+1) leads to where the series, Stirling's derived n + 1 times, is exact. To the
    left of 0, psi_n(x) - (-1)^n psi_n(1 - x) is minus the derivative number n of pi / tan(pi x): known here for n up to 2,
    otherwise NaN.
    """
    if isinstance(x, Tensor):
        return Polygamma.apply(x, n=n)
    xp, dtype, sign = array_module(x), x.dtype, (-1) ** n
    x = x.astype(np.float64)
    t = xp.where(x < 0, 1 - x, x)
    y, z = xp.zeros_like(t), xp.where(t < FAR, t + FAR, t)
    t = xp.where(t == 0, 1, t)  # the pole
    for k in range(FAR):
        y -= xp.where(t < FAR, sign * math.factorial(n) / (t + k) ** (n + 1), 0)
    if n == 0:
        y += xp.log(z) - 0.5 / z
    else:
        y -= sign * (math.factorial(n - 1) / z ** n + math.factorial(n) / (2 * z ** (n + 1)))
    for k, b in enumerate(BERNOULLI, 1):
        y -= sign * b * math.factorial(2 * k + n - 1) / math.factorial(2 * k) / z ** (2 * k + n)
    turn = math.pi * (x - xp.around(x))
    pole = turn == 0
    turn = xp.where(pole, 1, turn)
    slope = {0: lambda: math.pi / xp.tan(turn), 1: lambda: -(math.pi / xp.sin(turn)) ** 2,
             2: lambda: 2 * math.pi ** 3 / (xp.tan(turn) * xp.sin(turn) ** 2)}
    mirrored = sign * y - slope[n]() if n in slope else xp.nan * y
    at_zero = xp.where(xp.signbit(x) & (n == 0), xp.inf, -sign * xp.inf)
    at_poles = xp.where(x == 0, at_zero, xp.inf if n == 1 else xp.nan)
    return xp.where(pole & (x <= 0), at_poles, xp.where(x < 0, mirrored, y)).astype(dtype)


# ---- the functions a user calls --------------------------------------------------------------------------------------

@method("lgamma")
def lgamma(input):
    """log |Gamma(x)|, the logarithm of (x - 1)!: infinite at 0, -1, -2, ..."""
    return Lgamma.apply(floating("lgamma", input))


@method("digamma")
def digamma(input):
    """The derivative of `lgamma`."""
    return Polygamma.apply(floating("digamma", input), n=0)


def polygamma(n, input):
    """The derivative number n + 1 of `lgamma`; for n above 2, NaN where the input is negative."""
    if not 0 <= n <= 170:
        raise RuntimeError(f"polygamma: n must be from 0 to 170 (beyond, n! is above all numbers), got {n}")
    return Polygamma.apply(floating("polygamma", input), n=n)


@method("polygamma")
def _polygamma(input, n):
    """`polygamma` with n as the second argument."""
    check_tensor("polygamma", input=input)
    return polygamma(n, input)


for _function in (lgamma, digamma):
    twin(_function, rereads=True)

__all__ = ["digamma", "lgamma", "polygamma"]
