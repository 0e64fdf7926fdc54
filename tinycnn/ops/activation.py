"""Smooth activation functions; the piecewise linear ones, such as ReLU, are in `rectifier.py`.

Activations are the nonlinearities without which a network of any depth is one matrix. All act on every element alone,
so dx = dy f'(x). What a class docstring derives is f'. Those that are short formulas in others (Mish, GLU) are written as
such, and the tape differentiates them.
"""
import math

from ..engine.arrays import array_module
from ..engine.function import Function
from ..engine.checks import check_floating, check_tensor
from ..engine.tensor import method
from .error_function import erf as erf_of_array
from .inplace import twin
from .rectifier import activation
from .selection import where
from .unary import abs, erf, exp, floating


class ELU(Function):
    """y = s x where x > 0, else s a (e^(k x) - 1).  f' = s where x > 0, else s a k e^(k x).

    a = alpha; s and k are 1 in ELU (Clevert et al. 2016). SELU has s = 1.0507 and a = 1.6733, for which activations keep
    mean 0 and variance 1 from layer to layer (Klambauer et al. 2017); CELU has k = 1/a, which makes f' continuous at 0.
    """

    @staticmethod
    def forward(ctx, x, alpha, scale=1.0, input_scale=1.0):
        xp = array_module(x)
        ctx.numbers = alpha, scale, input_scale
        ctx.save_for_backward(x)
        return scale * (xp.maximum(x, 0) + alpha * xp.expm1(input_scale * xp.minimum(x, 0)))

    @staticmethod
    def backward(ctx, dy):
        (x,) = ctx.saved_tensors
        alpha, scale, input_scale = ctx.numbers
        xp = array_module(x)
        slope = alpha * input_scale * xp.exp(-input_scale * xp.abs(x))  # where x > 0 it does not count
        positive = x > 0
        return scale * (dy * positive + slope * (dy * ~positive))


class Sigmoid(Function):
    """y = 1 / (1 + e^-x), the logistic function.  f' = e^-x / (1 + e^-x)^2 = y (1 - y)."""

    @staticmethod
    def forward(ctx, x):
        y = logistic(x)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, dy):
        (y,) = ctx.saved_tensors
        return dy * y * (1 - y)


def logistic(x):
    """1 / (1 + e^-x), where x < 0 computed as e^x / (1 + e^x): with e = e^-|x| no exponential can overflow."""
    xp = array_module(x)
    e = xp.exp(-xp.abs(x))
    return xp.maximum(e, x >= 0) / (1 + e)  # e <= 1: the numerator is 1 where x >= 0, else e


class SiLU(Function):
    """y = x s(x), with s the logistic function.  f' = s + x s (1 - s).  Source: Elfwing, Uchibe, Doya 2017."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * logistic(x)

    @staticmethod
    def slope(x, s):
        """f'."""
        return s * (1 + x * (1 - s))

    @staticmethod
    def backward(ctx, dy):
        (x,) = ctx.saved_tensors
        return dy * SiLU.slope(x, logistic(x))

    @staticmethod
    def backward_recorded(ctx, dy):
        (x,) = ctx.saved_tensors
        return dy * SiLU.slope(x, sigmoid(x))


class Tanh(Function):
    """y = (e^x - e^-x) / (e^x + e^-x) = s/c.  f' = (c c - s s) / c^2 = 1 - y^2."""

    @staticmethod
    def forward(ctx, x):
        y = array_module(x).tanh(x)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, dy):
        (y,) = ctx.saved_tensors
        return dy * (1 - y * y)


class Softplus(Function):
    """y = log(1 + e^(b x)) / b, a smooth max(x, 0); x itself where b x exceeds the threshold.

    f' = e^(b x) / (1 + e^(b x)), the sigmoid of b x.
    """

    @staticmethod
    def forward(ctx, x, beta, threshold):
        xp = array_module(x)
        ctx.beta, ctx.threshold = beta, threshold
        ctx.save_for_backward(x)
        t = beta * x
        return xp.where(t > threshold, x, log_of_one_and_exp(t) / beta)

    @staticmethod
    def backward(ctx, dy):
        (x,) = ctx.saved_tensors
        t = ctx.beta * x
        return dy * array_module(x).maximum(logistic(t), t > ctx.threshold)

    @staticmethod
    def backward_recorded(ctx, dy):
        (x,) = ctx.saved_tensors
        t = ctx.beta * x
        return dy * where(t > ctx.threshold, 1.0, sigmoid(t))


def log_of_one_and_exp(t):
    """log(1 + e^t) = max(t, 0) + log(1 + e^-|t|): no exponential can overflow."""
    xp = array_module(t)
    return xp.maximum(t, 0) + xp.log1p(xp.exp(-xp.abs(t)))


class GELU(Function, wide=True):
    """y = x P(x), where P is the probability that a standard normal number lies below x: (1 + erf(x / sqrt 2)) / 2.

    f' = P + x p with the normal density p = e^(-x^2 / 2) / sqrt(2 pi).
    The approximation is P = (1 + tanh u) / 2 with u = sqrt(2 / pi) (x + 0.044715 x^3), so p becomes
    (1 - tanh^2 u) u' / 2. Source: Hendrycks and Gimpel 2016.
    """
    ROOT, CUBIC = math.sqrt(2 / math.pi), 0.044715

    @staticmethod
    def forward(ctx, x, approximate):
        ctx.exact = approximate == "none"
        ctx.save_for_backward(x)
        return x * GELU.probability(x, ctx.exact, erf_of_array, array_module(x).tanh)

    @staticmethod
    def probability(x, exact, erf, tanh):
        """P, or its approximation."""
        return (1 + (erf(x * math.sqrt(0.5)) if exact else tanh(GELU.ROOT * (x + GELU.CUBIC * x * x * x)))) * 0.5

    @staticmethod
    def slope(x, exact, erf, tanh, exp):
        """f'."""
        probability = GELU.probability(x, exact, erf, tanh)
        if exact:
            density = exp(-0.5 * x * x) * (GELU.ROOT / 2)
        else:
            density = 2 * probability * (1 - probability) * GELU.ROOT
            density = density + density * x * x * (3 * GELU.CUBIC)
        return probability + x * density

    @staticmethod
    def backward(ctx, dy):
        (x,) = ctx.saved_tensors
        xp = array_module(x)
        return dy * GELU.slope(x, ctx.exact, erf_of_array, xp.tanh, xp.exp)

    @staticmethod
    def backward_recorded(ctx, dy):
        (x,) = ctx.saved_tensors
        return dy * GELU.slope(x, ctx.exact, erf, tanh, exp)


# ---- the functions a user calls --------------------------------------------------------------------------------------

@activation(rereads=True)
def elu(input, alpha=1.0, inplace=False):
    """x where x > 0, else alpha * (e^x - 1)."""
    return ELU.apply(input, alpha=float(alpha))


@activation(rereads=True)
def selu(input, inplace=False):
    """ELU with the two constants for which activations stay of mean 0 and variance 1."""
    return ELU.apply(input, alpha=1.6732632423543772, scale=1.0507009873554805)


@activation(rereads=True)
def celu(input, alpha=1.0, inplace=False):
    """x where x > 0, else alpha * (e^(x / alpha) - 1)."""
    if alpha == 0:
        raise ValueError("celu: alpha must not be 0")
    return ELU.apply(input, alpha=float(alpha), input_scale=1 / float(alpha))


def gelu(input, approximate="none"):
    """x times the probability that a standard normal number is below x; `approximate="tanh"` is the quicker formula."""
    check_floating("gelu", input=input)
    if approximate not in ("none", "tanh"):
        raise ValueError(f"gelu: approximate must be 'none' or 'tanh', got {approximate!r}")
    return GELU.apply(input, approximate=approximate)


@method("sigmoid")
def sigmoid(input):
    """1 / (1 + e^-x), the logistic function: from 0 to 1."""
    return Sigmoid.apply(floating("sigmoid", input))


@method("tanh")
def tanh(input):
    """The hyperbolic tangent: from -1 to 1."""
    return Tanh.apply(floating("tanh", input))


@activation(rereads=True)
def silu(input, inplace=False):
    """x * sigmoid(x), also called swish."""
    return SiLU.apply(input)


@activation(rereads=True)
def mish(input, inplace=False):
    """x * tanh(softplus(x))."""
    return input * tanh(softplus(input))


def softplus(input, beta=1.0, threshold=20.0):
    """log(1 + e^(beta x)) / beta; x itself where beta x > threshold."""
    check_floating("softplus", input=input)
    if beta == 0:
        raise ValueError("softplus: beta must not be 0")
    return Softplus.apply(input, beta=float(beta), threshold=float(threshold))


def softsign(input):
    """x / (1 + |x|)."""
    input = floating("softsign", input)
    return input / (1 + abs(input))


def logsigmoid(input):
    """log(sigmoid(x)) = -log(1 + e^-x), without overflow."""
    check_floating("logsigmoid", input=input)
    return -softplus(-input, threshold=math.inf)


def tanhshrink(input):
    """x - tanh(x)."""
    input = floating("tanhshrink", input)
    return input - tanh(input)


def glu(input, dim=-1):
    """a * sigmoid(b), where a and b are the two halves of `input` along `dim`."""
    check_floating("glu", input=input)
    if input.ndim == 0 or input.shape[dim] % 2:
        raise ValueError(f"glu: the size of dim {dim} must be even to be halved, got input {input.shape}")
    a, b = input.chunk(2, dim)
    return a * sigmoid(b)


def identity(input):
    """x itself: the linear activation."""
    check_tensor("identity", input=input)
    return input


sigmoid_, tanh_ = twin(sigmoid), twin(tanh)

__all__ = ["celu", "elu", "gelu", "glu", "identity", "logsigmoid", "mish", "selu", "sigmoid", "sigmoid_", "silu", "softplus",
           "softsign", "tanh", "tanh_", "tanhshrink"]
