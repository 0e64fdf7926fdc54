"""Operations that choose, element by element, one of their inputs.

What was not chosen did not count: the gradient goes to the chosen input, and the others get 0. Only ties need a decision.
"""
import numpy as np

from ..engine.arrays import array_module
from ..engine.dtype import result_type
from ..engine.function import Function
from ..engine.checks import check_tensor
from ..engine.tensor import Tensor, method, wrap
from .elementwise import binary, check_broadcast, operand, promote, unbroadcast
from .inplace import twin


class Maximum(Function):
    """z = max(x, y).  dz goes to the larger one; where they are equal, half of it to each."""

    @staticmethod
    def forward(ctx, x, y):
        ctx.save_for_backward(x, y)
        return array_module(x).maximum(x, y)

    @staticmethod
    def backward(ctx, dz):
        x, y = ctx.saved_tensors
        return _share(ctx, dz, x > y, x == y, x.shape, y.shape)


class Minimum(Function):
    """z = min(x, y).  dz goes to the smaller one; where they are equal, half of it to each."""

    @staticmethod
    def forward(ctx, x, y):
        ctx.save_for_backward(x, y)
        return array_module(x).minimum(x, y)

    @staticmethod
    def backward(ctx, dz):
        x, y = ctx.saved_tensors
        return _share(ctx, dz, x < y, x == y, x.shape, y.shape)


def _share(ctx, dz, won, tied, x_shape, y_shape):
    dx = dz * won + dz / 2 * tied
    need_x, need_y = ctx.needs_input_grad
    return unbroadcast(dx, x_shape) if need_x else None, unbroadcast(dz - dx, y_shape) if need_y else None


class Clamp(Function):
    """y = min(max(x, low), high).  dx = dy where low <= x <= high; outside, dy goes to the bound that was taken.

    `low` and `high` are arrays, numbers, or None for no bound. Where low > high, y = high.
    """

    @staticmethod
    def forward(ctx, x, low, high):
        xp = array_module(x)
        ctx.shapes = x.shape, np.shape(low), np.shape(high)
        below = None if low is None else x < low
        above = None if high is None else x > high
        if low is not None and high is not None and True in ctx.needs_input_grad[1:]:
            crossed = xp.asarray(low > high)
            below, above = below & ~crossed, above | crossed
        ctx.save_for_backward(below, above)
        y = x if low is None else xp.maximum(x, low)
        return y if high is None else xp.minimum(y, high)

    @staticmethod
    def backward(ctx, dy):
        below, above = ctx.saved_tensors
        need_x, need_low, need_high = ctx.needs_input_grad
        outside = below if above is None else above if below is None else below | above
        return (unbroadcast(dy * ~outside, ctx.shapes[0]) if need_x else None,
                unbroadcast(dy * below, ctx.shapes[1]) if need_low else None,
                unbroadcast(dy * above, ctx.shapes[2]) if need_high else None)


class Where(Function):
    """z = x where the condition holds, else y.  dx = dz where it holds, dy = dz where not, and 0 elsewhere."""

    @staticmethod
    def forward(ctx, condition, x, y):
        ctx.shapes = np.shape(x), np.shape(y)
        ctx.save_for_backward(condition)
        return array_module(condition).where(condition, x, y)

    @staticmethod
    def backward(ctx, dz):
        (condition,) = ctx.saved_tensors
        where = array_module(dz).where
        _, need_x, need_y = ctx.needs_input_grad
        return (None,
                unbroadcast(where(condition, dz, 0), ctx.shapes[0]) if need_x else None,
                unbroadcast(where(condition, 0, dz), ctx.shapes[1]) if need_y else None)


# ---- the functions a user calls --------------------------------------------------------------------------------------

@method("maximum")
def maximum(input, other):
    """The larger of two tensors, element by element, broadcast; NaN wins."""
    check_tensor("maximum", input=input, other=other)
    return binary(Maximum, "maximum", input, other)


@method("minimum")
def minimum(input, other):
    """The smaller of two tensors, element by element, broadcast; NaN wins."""
    check_tensor("minimum", input=input, other=other)
    return binary(Minimum, "minimum", input, other)


@method("clamp", "clip")
def clamp(input, min=None, max=None):
    """`input` moved into the interval from `min` to `max`: numbers, tensors (broadcast) or None for no bound."""
    check_tensor("clamp", input=input)
    bounds = {name: operand("clamp", name, bound) for name, bound in (("min", min), ("max", max)) if bound is not None}
    if not bounds:
        raise RuntimeError("clamp: at least one of min and max must be given")
    check_broadcast("clamp", input, *bounds.values())
    input, *values = promote(input, *bounds.values())
    bounds = dict(zip(bounds, values))
    return Clamp.apply(input, bounds.get("min"), bounds.get("max"))


@method("clamp_min")
def clamp_min(input, min):
    """`clamp` from below only."""
    return clamp(input, min=min)


@method("clamp_max")
def clamp_max(input, max):
    """`clamp` from above only."""
    return clamp(input, max=max)


def where(condition, input=None, other=None):
    """`input` where the bool tensor `condition` holds, else `other`, all broadcast; either may be a number.

    Without `input` and `other`: the indices at which the condition holds, one tensor a dimension.
    """
    check_tensor("where", condition=condition)
    if input is None and other is None:
        return tuple(wrap(index) for index in condition.array.nonzero())
    if condition.dtype != bool:
        raise TypeError(f"where: condition must be a bool tensor, got {condition.dtype}; write x != 0")
    input, other = operand("where", "input", input), operand("where", "other", other)
    check_broadcast("where", condition, input, other)
    dtype, asarray = result_type(input, other), array_module(condition.array).asarray
    input, other = (v.to(dtype) if isinstance(v, Tensor) else wrap(asarray(v, dtype)) for v in (input, other))
    return Where.apply(condition, input, other)


@method("where")
def _where(input, condition, other):
    """`input` where the bool tensor `condition` holds, else `other`."""
    return where(condition, input, other)


@method("nan_to_num")
def nan_to_num(input, nan=0.0, posinf=None, neginf=None):
    """`input` with `nan` for NaN and `posinf`, `neginf` for the infinities, by default the largest finite numbers."""
    check_tensor("nan_to_num", input=input)
    if input.array.dtype.kind != "f":
        return input.clone()
    limits = np.finfo(input.dtype)
    posinf, neginf = limits.max.item() if posinf is None else posinf, limits.min.item() if neginf is None else neginf
    x = input.array
    xp = array_module(x)
    values = xp.nan_to_num(x, nan=nan, posinf=posinf, neginf=neginf)
    return where(wrap(xp.isfinite(x)), input, wrap(values))


clip = clamp

twin(clamp, "clip_")
for _function in (clamp_min, clamp_max, nan_to_num):
    twin(_function)

__all__ = ["clamp", "clamp_max", "clamp_min", "clip", "maximum", "minimum", "nan_to_num", "where"]
