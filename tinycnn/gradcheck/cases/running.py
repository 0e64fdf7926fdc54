"""Cases and mutants of `ops/running.py`."""
from ...engine.arrays import array_module
from ...ops.running import Cumprod, LogCumSumExp
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


case(LogCumSumExp, "rows", [normal(3, 4)], lambda t, x: t.logcumsumexp(x, 0))
case(LogCumSumExp, "last dimension, counted from the back", [normal(2, 3, 5)], lambda t, x: x.logcumsumexp(-1))
case(LogCumSumExp, "numbers far apart", [constant([[-40.0, 20.0, 19.5, -3.0], [15.0, -30.0, 12.0, 15.5]])],
     lambda t, x: t.logcumsumexp(x, 1))
case(LogCumSumExp, "size 1", [normal(3, 1)], lambda t, x: t.logcumsumexp(x, 1), linear=True)
case(LogCumSumExp, "empty batch", [normal(0, 3)], lambda t, x: t.logcumsumexp(x, 1))


@mutant(LogCumSumExp, "own position only")
def _(backward, ctx, dy):
    x, y = ctx.saved_tensors
    return dy * array_module(dy).exp(x - y)


@mutant(LogCumSumExp, "share of the largest sum")
def _(backward, ctx, dy):
    x, y = ctx.saved_tensors
    xp = array_module(dy)
    return xp.flip(xp.cumsum(xp.flip(dy, ctx.axis), ctx.axis), ctx.axis) * xp.exp(x - y.max(ctx.axis, keepdims=True))


@mutant(LogCumSumExp, "summed from the wrong end")
def _(backward, ctx, dy):
    xp = array_module(dy)
    return xp.flip(backward(ctx, xp.flip(dy, ctx.axis)), ctx.axis)
