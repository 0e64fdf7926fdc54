"""Functions of one or two numbers that are made of those in `unary.py` and `elementwise.py`."""
import math

from ..engine.dtype import category
from ..engine.half import wide
from ..engine.checks import check_tensor
from ..engine.construct import as_tensor
from ..engine.tensor import Tensor, method
from .comparison import isnan, signbit
from .elementwise import operand, promote
from .inplace import twin
from .rearrange import stack
from .reduce import logsumexp
from .selection import clamp, maximum, where
from .shape import broadcast_tensors
from .unary import abs, erfc, erfinv, exp2, floating, log, log1p, sign, sin, sqrt


# ---- of one number ---------------------------------------------------------------------------------------------------

@method("logit")
def logit(input, eps=None):
    """log(x / (1 - x)), the inverse of sigmoid; with `eps`, x is first moved into the interval from eps to 1 - eps."""
    x = floating("logit", input)
    x = x if eps is None else clamp(x, eps, 1 - eps)
    return log(x) - log(1 - x)


@method("sinc")
@wide
def sinc(input):
    """sin(pi x) / (pi x), and 1 at 0."""
    x = math.pi * floating("sinc", input)
    at_zero = x.detach().square() == 0
    x = where(at_zero, 1, x)
    return where(at_zero, 1, sin(x) / x)


@method("deg2rad")
def deg2rad(input):
    """Degrees as radians."""
    return floating("deg2rad", input) * (math.pi / 180)


@method("rad2deg")
def rad2deg(input):
    """Radians as degrees."""
    return floating("rad2deg", input) * (180 / math.pi)


@method("sgn")
def sgn(input):
    """`sign`; they differ for complex numbers only."""
    return sign(input)


def entr(input):
    """-x log x, the part of a probability in the entropy: 0 at 0, -infinity below."""
    x = floating("entr", input)
    return where(x < 0, -math.inf, -xlogy(x, where(x < 0, 1, x)))


def ndtr(input):
    """The part of the normal distribution below x."""
    return erfc(floating("ndtr", input) * -math.sqrt(0.5)) / 2


def ndtri(input):
    """The x below which the part p of the normal distribution lies: the inverse of `ndtr`."""
    return math.sqrt(2) * erfinv(2 * floating("ndtri", input) - 1)


@method("positive")
def positive(input):
    """x itself; RuntimeError for booleans."""
    check_tensor("positive", input=input)
    if category(input.dtype) == 0:
        raise RuntimeError("positive: a bool tensor has no sign")
    return input


# ---- of two numbers --------------------------------------------------------------------------------------------------

def _tensors(function, input, other):
    """Both operands as tensors; one of them may be a number."""
    x, y = operand(function, "input", input), operand(function, "other", other)
    tensor = x if isinstance(x, Tensor) else y
    check_tensor(function, input=tensor)
    return [v if isinstance(v, Tensor) else as_tensor(v, device=tensor.device) for v in (x, y)]


def _pair(function, input, other):
    """Both operands as tensors of one floating-point dtype and one shape."""
    check_tensor(function, input=input, other=other)
    return broadcast_tensors(*promote(input, other, floating=True))


@method("logaddexp")
@wide
def logaddexp(input, other):
    """log(e^input + e^other) without overflow, broadcast."""
    return logsumexp(stack(_pair("logaddexp", input, other)), 0)


@method("logaddexp2")
@wide
def logaddexp2(input, other):
    """log2(2^input + 2^other) without overflow, broadcast."""
    x, y = _pair("logaddexp2", input, other)
    return logaddexp(x * math.log(2), y * math.log(2)) / math.log(2)


@method("ldexp")
def ldexp(input, other):
    """input * 2^other, broadcast."""
    check_tensor("ldexp", input=input, other=other)
    return input * exp2(other)


@method("hypot")
@wide
def hypot(input, other):
    """sqrt(input^2 + other^2), broadcast: the distance of a point from the origin, where its gradient is taken as 0.

    The larger of the two is taken out of the root.
    """
    x, y = _pair("hypot", input, other)
    largest = maximum(abs(x.detach()), abs(y.detach()))
    scale = where((largest == 0) | (largest == math.inf), 1, largest)
    origin = largest == 0
    return sqrt((x / scale).square() + (y / scale).square() + origin) * scale - origin


@method("xlogy")
def xlogy(input, other):
    """input * log(other), and 0 where input is 0; broadcast."""
    x, y = promote(*_tensors("xlogy", input, other), floating=True)
    return x * log(where((x == 0) & (y <= 0), 1, y))


def xlog1py(input, other):
    """input * log(1 + other), and 0 where input is 0; broadcast."""
    x, y = promote(*_tensors("xlog1py", input, other), floating=True)
    return x * log1p(where((x == 0) & (y <= -1), 0, y))


@method("fmax")
def fmax(input, other):
    """The larger of two tensors, broadcast, where a number wins against NaN; of equal ones the first has the gradient."""
    x, y = _same("fmax", input, other)
    return where((x >= y) | isnan(y), x, y)


@method("fmin")
def fmin(input, other):
    """The smaller of two tensors, broadcast, where a number wins against NaN; of equal ones the first has the gradient."""
    x, y = _same("fmin", input, other)
    return where((x <= y) | isnan(y), x, y)


def _same(function, input, other):
    check_tensor(function, input=input, other=other)
    return promote(input, other)


@method("copysign")
def copysign(input, other):
    """|input| with the sign of `other`, which has no gradient; broadcast."""
    x, other = _tensors("copysign", input, other)
    size = abs(floating("copysign", x))
    return where(signbit(other), -size, size)


for _function in (logit, sinc, hypot, xlogy, copysign, ldexp):
    twin(_function, rereads=True)
for _function in (deg2rad, rad2deg, sgn):
    twin(_function)

__all__ = ["copysign", "deg2rad", "fmax", "fmin", "hypot", "ldexp", "logaddexp", "logaddexp2", "logit", "positive",
           "rad2deg", "sgn", "sinc", "xlogy"]
