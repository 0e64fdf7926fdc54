"""Cases and mutants of `ops/gather.py`."""
from ...ops.elementwise import unbroadcast
from ...ops.gather import MaskedFill
from ..registry import booleans, case, mutant, normal

case(MaskedFill, "number", [normal(3, 4), booleans(3, 4)], lambda t, x, m: t.masked_fill(x, m, 2.0))
case(MaskedFill, "minus infinity", [normal(3, 4), booleans(4)], lambda t, x, m: t.exp(x.masked_fill(m, float("-inf"))))
case(MaskedFill, "0-d tensor", [normal(3, 4), booleans(3, 1), normal()], lambda t, x, m, v: x.masked_fill(m, v), linear=True)
case(MaskedFill, "broadcast on both sides", [normal(3, 1), booleans(2, 1, 4)], lambda t, x, m: x.masked_fill(m, 0.0),
     linear=True)


@mutant(MaskedFill, "mask ignored")
def _(backward, ctx, dy):
    return unbroadcast(dy, ctx.shape), backward(ctx, dy)[1]


@mutant(MaskedFill, "mask the wrong way round")
def _(backward, ctx, dy):
    (mask,) = ctx.saved_tensors
    return unbroadcast(dy * mask, ctx.shape), backward(ctx, dy)[1]


@mutant(MaskedFill, "value gets the mean instead of the sum")
def _(backward, ctx, dy):
    dx, dvalue = backward(ctx, dy)
    return dx, None if dvalue is None else dvalue / dy.size
