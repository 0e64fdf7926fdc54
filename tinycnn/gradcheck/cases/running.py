"""Cases and mutants of `ops/running.py`."""
from ...ops.running import Cumprod
from ..registry import case, constant, mutant, normal

case(Cumprod, "rows", [normal(3, 4)], lambda t, x: t.cumprod(x, 0))
case(Cumprod, "last dimension, counted from the back", [normal(2, 3, 4)], lambda t, x: x.cumprod(-1))
case(Cumprod, "zeros", [constant([[1.0, 0.0, 2.0, 0.0, 3.0], [0.0, 0.0, 1.0, 2.0, 3.0]])], lambda t, x: t.cumprod(x, 1))
case(Cumprod, "size 1", [normal(3, 1)], lambda t, x: t.cumprod(x, 1), linear=True)
case(Cumprod, "empty batch", [normal(0, 3)], lambda t, x: t.cumprod(x, 1))
case(Cumprod, "empty axis", [normal(3, 0)], lambda t, x: t.cumprod(x, 1))


@mutant(Cumprod, "own position only")
def _(backward, ctx, dy):
    x, y = ctx.saved_tensors
    return dy * y / (x + (x == 0))


@mutant(Cumprod, "summed from the wrong end")
def _(backward, ctx, dy):
    x, y = ctx.saved_tensors
    return (dy * y).cumsum(ctx.axis) / (x + (x == 0))


@mutant(Cumprod, "zeros divided away")
def _(backward, ctx, dy):
    x, y = ctx.saved_tensors
    s = dy * y
    return (s.sum(ctx.axis, keepdims=True) - s.cumsum(ctx.axis) + s) / (x + (x == 0))
