"""Cases and mutants of `ops/extreme.py`."""
import math

from ...ops.extreme import Extreme, Pick
from ..registry import case, constant, distinct, mutant, normal, tied

case(Extreme, "max of everything", [distinct(3, 4)], lambda t, x: t.max(x))
case(Extreme, "min of everything", [distinct(3, 4)], lambda t, x: x.min())
case(Extreme, "amax, one dim", [distinct(3, 4, 2)], lambda t, x: t.amax(x, 1))
case(Extreme, "amin, several dims, kept", [distinct(3, 4, 2)], lambda t, x: x.amin((0, -1), keepdim=True))
case(Extreme, "ties", [tied(4, 9)], lambda t, x: x.amax(1), kinks=True)
case(Extreme, "ties of everything", [tied(4, 9)], lambda t, x: x.max(), kinks=True)
case(Extreme, "norm, p = inf", [normal(3, 4)], lambda t, x: t.norm(x, math.inf, 1))
case(Extreme, "norm, p = -inf", [normal(3, 4)], lambda t, x: t.norm(x, -math.inf))
case(Extreme, "0-d", [constant(2.0)], lambda t, x: x.amax())
case(Extreme, "empty batch", [normal(0, 3)], lambda t, x: x.amax(1))

case(Pick, "max", [distinct(3, 4, 2)], lambda t, x: tuple(x.max(1)))
case(Pick, "min, negative dim, kept", [distinct(3, 4)], lambda t, x: tuple(t.min(x, dim=-1, keepdim=True)))
case(Pick, "first of all dims", [distinct(3, 4)], lambda t, x: x.max(0).values)
case(Pick, "ties", [tied(4, 9)], lambda t, x: x.max(1).values, kinks=True)
case(Pick, "size 1", [normal(3, 1)], lambda t, x: x.min(1)[0])
case(Pick, "empty batch", [normal(0, 3)], lambda t, x: x.max(1)[0])

mutant(Extreme, "every winner gets everything")(
    lambda backward, ctx, dy: backward(ctx, dy) * _winners(ctx).sum(axis=ctx.axes, keepdims=True))
mutant(Extreme, "everyone gets the gradient")(lambda backward, ctx, dy: _handed_out(ctx, dy))
mutant(Extreme, "the losers get the gradient")(lambda backward, ctx, dy: _handed_out(ctx, dy) * ~_winners(ctx))


def _winners(ctx):
    x, y = ctx.saved_tensors
    return x == y.reshape(ctx.kept)


def _handed_out(ctx, dy):
    return dy.reshape(ctx.kept) + 0 * ctx.saved_tensors[0]


@mutant(Pick, "gradient at index 0")
def _(backward, ctx, dy, *more):
    dx, none = backward(ctx, dy, *more)
    dx = dx * 0
    dx[(slice(None),) * ctx.axis + (slice(0, 1),)] = dy.reshape(ctx.saved_tensors[0].shape)
    return dx, none


@mutant(Pick, "counted from the wrong end")
def _(backward, ctx, dy, *more):
    dx, none = backward(ctx, dy, *more)
    return dx[(slice(None),) * ctx.axis + (slice(None, None, -1),)], none


@mutant(Pick, "everyone gets the gradient")
def _(backward, ctx, dy, *more):
    dx, none = backward(ctx, dy, *more)
    return dx * 0 + dy.reshape(ctx.saved_tensors[0].shape), none
