"""Cases and mutants of `ops/elementwise.py`."""
from ...ops.elementwise import Add, Exp, Mul
from ..registry import case, constant, mutant, normal

case(Add, "same shape", [normal(3, 4), normal(3, 4)], lambda t, x, y: t.add(x, y), linear=True)
case(Add, "broadcast on both sides", [normal(2, 1, 4), normal(3, 1)], lambda t, x, y: x + y, linear=True)
case(Add, "alpha", [normal(3), normal(3)], lambda t, x, y: t.add(x, y, alpha=2.5), linear=True)
case(Add, "0-d and empty", [constant(2.0), normal(0, 3)], lambda t, x, y: x + y, linear=True)


@mutant(Add, "gradient of the second input has the wrong sign")
def _(backward, ctx, dz):
    dx, dy = backward(ctx, dz)
    return dx, -dy


@mutant(Add, "mean instead of sum over the broadcast axes")
def _(backward, ctx, dz):
    return [None if g is None else g * (g.size / max(dz.size, 1)) for g in backward(ctx, dz)]


@mutant(Add, "second input forgotten")
def _(backward, ctx, dz):
    dx, dy = backward(ctx, dz)
    return dx, dy * 0
