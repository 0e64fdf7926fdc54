"""Cases and mutants of `ops/selection.py`."""
import numpy as np

from ...ops.selection import Clamp, Maximum, Minimum, Where
from ..registry import booleans, case, constant, distinct, fixed, mutant, normal, tied

for _function, _name in ((Maximum, "maximum"), (Minimum, "minimum")):
    case(_function, "same shape", [distinct(3, 4), normal(3, 4)], lambda t, x, y, f=_name: getattr(t, f)(x, y))
    case(_function, "broadcast on both sides", [distinct(2, 1, 4), normal(3, 1)],
         lambda t, x, y, f=_name: getattr(t, f)(x, y))
    case(_function, "ties", [tied(4, 5), tied(4, 5)], lambda t, x, y, f=_name: getattr(t, f)(x, y), kinks=True)
    case(_function, "constant", [distinct(3), fixed(normal(3))], lambda t, x, y, f=_name: getattr(t, f)(x, y))
    case(_function, "empty", [normal(0, 3), normal(3)], lambda t, x, y, f=_name: getattr(t, f)(x, y))

case(Clamp, "numbers", [distinct(3, 4)], lambda t, x: t.clamp(x, -0.2, 0.3))
case(Clamp, "from below", [distinct(3, 4)], lambda t, x: t.clamp(x, min=0.1))
case(Clamp, "from above", [distinct(3, 4)], lambda t, x: x.clamp_max(0.1))
case(Clamp, "at the bounds", [constant([-1.0, 0.0, 1.0, 2.0])], lambda t, x: t.clamp(x, 0, 1), kinks=True)
case(Clamp, "tensors", [distinct(4, 5), constant([[-0.4], [-0.3], [0.1], [0.2]]), constant(np.linspace(0.31, 0.54, 5))],
     lambda t, x, low, high: t.clamp(x, low, high))
case(Clamp, "lower tensor", [distinct(4, 5), normal(4, 1)], lambda t, x, low: t.clamp(x, min=low))
case(Clamp, "upper tensor", [distinct(4, 5), normal(5)], lambda t, x, high: t.clamp(x, max=high))
case(Clamp, "bounds crossed", [distinct(4, 5)], lambda t, x: t.clamp(x, 0.2, -0.1))
case(Clamp, "bounds crossed, tensors", [distinct(5), constant([0.2] * 5), constant([-0.1] * 5)],
     lambda t, x, low, high: t.clamp(x, low, high))
case(Clamp, "empty", [normal(0, 3)], lambda t, x: t.clamp(x, -1, 1))

case(Where, "same shape", [booleans(3, 4), normal(3, 4), normal(3, 4)], lambda t, c, x, y: t.where(c, x, y), linear=True)
case(Where, "broadcast", [booleans(2, 1, 4), normal(3, 1), normal(4)], lambda t, c, x, y: t.where(c, x, y), linear=True)
case(Where, "number", [booleans(3, 4), normal(3, 4)], lambda t, c, x: t.where(c, x, 1.5))
case(Where, "number first", [booleans(3, 4), normal(3, 4)], lambda t, c, x: t.where(c, -1.0, x))
case(Where, "method", [booleans(3, 4), normal(3, 4), normal(3, 4)], lambda t, c, x, y: x.where(c, y), linear=True)
case(Where, "empty", [booleans(0, 3), normal(3), normal(0, 1)], lambda t, c, x, y: t.where(c, x, y), linear=True)
case(Where, "nan_to_num", [constant([1.0, np.nan, np.inf, -np.inf, 2.0])],
     lambda t, x: t.nan_to_num(x, 0.5, 9.0, -9.0), kinks=True)

for _function in (Maximum, Minimum):
    mutant(_function, "all inputs get everything")(lambda backward, ctx, dz: [
        g if g is None or g.shape != dz.shape else dz + 0 for g in backward(ctx, dz)])
    mutant(_function, "the loser gets the gradient")(lambda backward, ctx, dz: [
        g if g is None or g.shape != dz.shape else dz - g for g in backward(ctx, dz)])
    mutant(_function, "ties counted twice")(lambda backward, ctx, dz: [
        g if g is None or g.shape != dz.shape else g + dz / 2 * (ctx.saved_tensors[0] == ctx.saved_tensors[1])
        for g in backward(ctx, dz)])


@mutant(Clamp, "gradient flows through the bounds")
def _(backward, ctx, dy):
    return dy + 0, *backward(ctx, dy)[1:]


@mutant(Clamp, "gradient outside instead of inside")
def _(backward, ctx, dy):
    dx, *bounds = backward(ctx, dy)
    return dy - dx, *bounds


@mutant(Clamp, "bounds get no gradient")
def _(backward, ctx, dy):
    dx, *bounds = backward(ctx, dy)
    return dx, *(None if b is None else b * 0 for b in bounds)


@mutant(Clamp, "gradients of the bounds swapped")
def _(backward, ctx, dy):
    dx, low, high = backward(ctx, dy)
    return (dx, low, high) if low is None or high is None or low.shape != high.shape else (dx, high, low)


@mutant(Where, "condition turned over")
def _(backward, ctx, dz):
    return [g if g is None or g.shape != dz.shape else dz - g for g in backward(ctx, dz)]


@mutant(Where, "both get everything")
def _(backward, ctx, dz):
    return [g if g is None or g.shape != dz.shape else dz + 0 for g in backward(ctx, dz)]


@mutant(Where, "second input forgotten")
def _(backward, ctx, dz):
    _, dx, dy = backward(ctx, dz)
    return None, dx, None if dy is None else dy * 0
