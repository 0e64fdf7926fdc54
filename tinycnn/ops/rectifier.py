"""Piecewise linear activations: ReLU and its kin, the hard versions of the smooth ones, the step.

Each is a straight line between bends, so its slope is a number or two and backward is a mask. What matters is which slope is
taken at a bend, where any between the neighbours is right: PyTorch's. See `activation.py` for the smooth ones.
"""
import functools
import inspect

from ..engine.arrays import array_module, device_of
from ..engine.generators import default_generator
from ..engine.function import Function
from ..engine.checks import check_floating, check_tensor
from ..engine.tensor import method, wrap
from .elementwise import unbroadcast
from .inplace import private, twin, write
from .selection import clamp, where
from .unary import Staircase, abs


class ReLU(Function):
    """y = max(x, 0).  f' = 1 where x > 0, else 0; at the kink 0 is taken. y > 0 just where x > 0, so y is what is kept."""

    @staticmethod
    def forward(ctx, x):
        y = array_module(x).maximum(x, 0)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, dy):
        (y,) = ctx.saved_tensors
        return dy * (y > 0)


class LeakyReLU(Function):
    """y = x where x > 0, else a x with a small slope a.  f' = 1 where x > 0, else a. Source: Maas et al. 2013."""

    @staticmethod
    def forward(ctx, x, slope):
        xp = array_module(x)
        ctx.slope = slope
        ctx.save_for_backward(x > 0)
        return xp.maximum(x, 0) + slope * xp.minimum(x, 0)

    @staticmethod
    def backward(ctx, dy):
        (positive,) = ctx.saved_tensors
        return dy * positive + ctx.slope * (dy * ~positive)


class PReLU(Function):
    """y = x where x > 0, else a x with a learned slope a, one number or one a channel, shaped to broadcast against x.

    dx = dy where x > 0, else a dy.  y depends on a only where x <= 0: da = dy x there, summed over everything that shares
    the slope. Source: He et al. 2015.
    """

    @staticmethod
    def forward(ctx, x, a):
        xp = array_module(x)
        ctx.save_for_backward(x, a)
        return xp.where(x > 0, x, a * x)

    @staticmethod
    def backward(ctx, dy):
        x, a = ctx.saved_tensors
        need_x, need_a = ctx.needs_input_grad
        xp, positive = array_module(x), x > 0
        return (xp.where(positive, dy, a * dy) if need_x else None,
                unbroadcast(xp.where(positive, 0, dy * x), a.shape) if need_a else None)


class Hardtanh(Function):
    """y = x moved into the interval from low to high.  f' = 1 strictly inside, else 0; y tells where."""

    @staticmethod
    def forward(ctx, x, low, high):
        y = array_module(x).clip(x, low, high)
        ctx.low, ctx.high = low, high
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, dy):
        (y,) = ctx.saved_tensors
        return dy * ((y > ctx.low) & (y < ctx.high))


class Hardsigmoid(Function):
    """y = (x + 3) / 6, moved into the interval from 0 to 1.  f' = 1/6 strictly inside, else 0; y tells where."""

    @staticmethod
    def forward(ctx, x):
        y = array_module(x).clip(x + 3, 0, 6) / 6
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, dy):
        (y,) = ctx.saved_tensors
        return dy / 6 * ((y > 0) & (y < 1))


class Hardswish(Function):
    """y = x h(x), with h the hard sigmoid.  f' = h + x h' = (2 x + 3) / 6 strictly between -3 and 3; else 0 or 1, as h is.

    Source: Howard et al. 2019 (MobileNet v3).
    """

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * (array_module(x).clip(x + 3, 0, 6) / 6)

    @staticmethod
    def backward(ctx, dy):
        (x,) = ctx.saved_tensors
        where = array_module(x).where
        return dy * where(x <= -3, 0.0, where(x >= 3, 1.0, (2 * x + 3) / 6))


# ---- the functions a user calls --------------------------------------------------------------------------------------

def activation(function=None, *, rereads=False, integers=False):
    """Check that `input` is a floating-point Tensor and honour `inplace`, the last argument of the decorated function.

    `rereads`: the gradient needs the input again, so in place a copy of it is used. `integers` are welcome, too, where the
    result is then one, as in PyTorch.
    """
    if function is None:
        return functools.partial(activation, rereads=rereads, integers=integers)
    name, last = function.__name__, len(inspect.signature(function).parameters) - 1

    @functools.wraps(function)
    def wrapped(input, *args, inplace=False, **options):
        if not (integers and getattr(getattr(input, "dtype", None), "kind", None) in ("i", "u")):
            check_floating(name, input=input)
        if len(args) == last:
            *args, inplace = args
        if not inplace:
            return function(input, *args, **options)
        return write(input, function(private(input, *args, *options.values()) if rereads else input, *args, **options), name)
    return wrapped


@method("relu")
@activation(integers=True)
def relu(input, inplace=False):
    """max(x, 0), the rectified linear unit."""
    return ReLU.apply(input)


@activation(integers=True)
def relu6(input, inplace=False):
    """min(max(x, 0), 6)."""
    return hardtanh(input, 0, 6)


@activation
def leaky_relu(input, negative_slope=0.01, inplace=False):
    """x where x > 0, else negative_slope * x."""
    return LeakyReLU.apply(input, slope=float(negative_slope))


@activation(rereads=True)
def rrelu(input, lower=1 / 8, upper=1 / 3, training=False, inplace=False):
    """Leaky ReLU whose slope is drawn for every element from [lower, upper) in training, and is their mean otherwise."""
    if not lower <= upper:
        raise ValueError(f"rrelu: lower must not exceed upper, got {lower} and {upper}")
    if not training:
        return LeakyReLU.apply(input, slope=float(lower + upper) / 2)
    draw = default_generator(device_of(input.array)).uniform(input.shape, input.dtype)
    return where(input > 0, input, input * wrap(float(lower) + float(upper - lower) * draw))


@method("prelu")
def prelu(input, weight):
    """x where x > 0, else weight * x; `weight` holds one slope, or one for each channel (dimension 1)."""
    check_floating("prelu", input=input, weight=weight)
    channels = input.shape[1] if input.ndim > 1 else 1
    if weight.ndim > 1 or weight.numel() not in (1, channels):
        raise ValueError(f"prelu: weight must hold 1 slope or {channels}, one for each channel of input {input.shape}, got "
                         f"shape {weight.shape}")
    slopes = weight.reshape((-1,) + (1,) * (input.ndim - 2)) if input.ndim > 1 else weight.reshape(())
    return PReLU.apply(input, slopes)


@activation(integers=True)
def hardtanh(input, min_val=-1.0, max_val=1.0, inplace=False):
    """min(max(x, min_val), max_val): the piecewise linear tanh."""
    if not min_val <= max_val:
        raise ValueError(f"hardtanh: min_val must not exceed max_val, got {min_val} and {max_val}")
    number = float if input.is_floating_point() else int
    return Hardtanh.apply(input, low=number(min_val), high=number(max_val))


@activation
def hardsigmoid(input, inplace=False):
    """min(max(x + 3, 0), 6) / 6: the piecewise linear sigmoid."""
    return Hardsigmoid.apply(input)


@activation(rereads=True)
def hardswish(input, inplace=False):
    """x * hardsigmoid(x)."""
    return Hardswish.apply(input)


@activation(integers=True)
def threshold(input, threshold, value, inplace=False):
    """x where x > threshold, else value."""
    return where(input <= threshold, value, input)


def softshrink(input, lambd=0.5):
    """x moved towards 0 by lambd, and 0 where |x| <= lambd."""
    check_floating("softshrink", input=input)
    if not lambd >= 0:
        raise ValueError(f"softshrink: lambd must not be negative, got {lambd}")
    return input - clamp(input, -lambd, lambd)


def hardshrink(input, lambd=0.5):
    """x, but 0 where |x| <= lambd."""
    check_floating("hardshrink", input=input)
    return where(abs(input) <= lambd, 0.0, input)


def step(input):
    """1 where x >= 0, else 0: the unit step of the perceptron. Its gradient is 0, which is why networks do not use it."""
    check_tensor("step", input=input)
    return Staircase.apply(input, function=lambda x: (x >= 0).astype(x.dtype))


relu_ = twin(relu)

__all__ = ["hardshrink", "hardsigmoid", "hardswish", "hardtanh", "leaky_relu", "prelu", "relu", "relu6", "relu_", "rrelu",
           "softshrink", "step", "threshold"]
