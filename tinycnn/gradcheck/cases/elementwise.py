"""Cases and mutants of `ops/elementwise.py`."""
from ...ops.elementwise import Add, Atan2, Div, Mul, Pow, Remainder, Sub
from ..registry import case, constant, distinct, fixed, mutant, normal, positive, uniform

case(Add, "same shape", [normal(3, 4), normal(3, 4)], lambda t, x, y: t.add(x, y), linear=True)
case(Add, "broadcast on both sides", [normal(2, 1, 4), normal(3, 1)], lambda t, x, y: x + y, linear=True)
case(Add, "alpha", [normal(3), normal(3)], lambda t, x, y: t.add(x, y, alpha=2.5), linear=True)
case(Add, "number", [normal(2, 3)], lambda t, x: 1.5 + x)
case(Add, "constant", [normal(2, 3), fixed(normal(3))], lambda t, x, y: x + y)
case(Add, "0-d and empty", [constant(2.0), normal(0, 3)], lambda t, x, y: x + y, linear=True)
case(Add, "used twice", [normal(3)], lambda t, x: x + x, linear=True)
case(Add, "addcmul", [normal(2, 3), normal(3), normal(2, 1)], lambda t, x, y, z: t.addcmul(x, y, z, value=0.3))
case(Add, "lerp", [normal(2, 3), normal(3), normal(2, 1)], lambda t, x, y, w: t.lerp(x, y, w))

case(Sub, "same shape", [normal(3, 4), normal(3, 4)], lambda t, x, y: x - y, linear=True)
case(Sub, "broadcast on both sides", [normal(2, 1, 4), normal(3, 1)], lambda t, x, y: t.sub(x, y, alpha=3), linear=True)
case(Sub, "number on the left", [normal(3)], lambda t, x: 2 - x)
case(Sub, "empty", [normal(0, 3), normal(3)], lambda t, x, y: x - y, linear=True)

case(Mul, "same shape", [normal(3, 4), normal(3, 4)], lambda t, x, y: t.mul(x, y))
case(Mul, "broadcast on both sides", [normal(2, 1, 4), normal(3, 1)], lambda t, x, y: x * y)
case(Mul, "number", [normal(2, 3)], lambda t, x: -2.5 * x, linear=True)
case(Mul, "constant", [fixed(normal(3)), normal(2, 3)], lambda t, x, y: x * y, linear=True)
case(Mul, "itself", [normal(2, 3)], lambda t, x: x * x)
case(Mul, "0-d and empty", [constant(2.0), normal(0, 3)], lambda t, x, y: x * y)

case(Div, "same shape", [normal(3, 4), positive(3, 4)], lambda t, x, y: t.div(x, y))
case(Div, "broadcast on both sides", [normal(2, 1, 4), positive(3, 1)], lambda t, x, y: x / y)
case(Div, "number below", [normal(2, 3)], lambda t, x: x / 3, linear=True)
case(Div, "number above", [positive(2, 3)], lambda t, x: 3 / x)
case(Div, "reciprocal", [uniform(-2, -0.5, 4)], lambda t, x: t.reciprocal(x))
case(Div, "addcdiv", [normal(2, 3), normal(3), positive(2, 1)], lambda t, x, y, z: t.addcdiv(x, y, z, value=-2))
case(Div, "0-d and empty", [constant(2.0), normal(0, 3)], lambda t, x, y: y / x)

case(Pow, "square", [normal(3, 4)], lambda t, x: t.square(x))
case(Pow, "whole number, negative bases", [normal(3, 4)], lambda t, x: x ** 3)
case(Pow, "fourth", [normal(3, 4)], lambda t, x: x ** 4.0)
case(Pow, "fifth", [normal(3, 4)], lambda t, x: x ** 5)
case(Pow, "negative number", [uniform(-2, -0.5, 4)], lambda t, x: x ** -2)
case(Pow, "broken number", [positive(3, 4)], lambda t, x: t.pow(x, 1.7))
case(Pow, "to the 0 at 0", [constant([0.0, 1.0, -2.0])], lambda t, x: x ** 0)
case(Pow, "to the 1 at 0", [constant([0.0, 1.0, -2.0])], lambda t, x: x ** 1)
case(Pow, "number on the left", [normal(2, 3)], lambda t, y: 2.5 ** y)
case(Pow, "0 on the left", [positive(3)], lambda t, y: 0.0 ** y)
case(Pow, "broadcast on both sides", [positive(2, 1, 4), normal(3, 1)], lambda t, x, y: x ** y)
case(Pow, "empty", [normal(0, 3), normal(3)], lambda t, x, y: x ** y)

case(Remainder, "two tensors", [distinct(3, 4), uniform(0.53, 0.57, 3, 1)], lambda t, x, y: t.remainder(x, y))
case(Remainder, "negative divisor", [distinct(3, 4), uniform(-0.57, -0.53, 4)], lambda t, x, y: x % y)
case(Remainder, "number", [distinct(5)], lambda t, x: x % 0.3)
case(Remainder, "number on the left", [uniform(0.6, 0.7, 3)], lambda t, y: 2 % y,
     torch=lambda t, y: t.tensor(2.0, dtype=y.dtype) % y)
case(Remainder, "fmod of both signs", [distinct(3, 4), uniform(0.53, 0.57, 3, 1)], lambda t, x, y: t.fmod(x, y))

case(Atan2, "all quadrants, broadcast", [distinct(3, 4), distinct(3, 1)], lambda t, y, x: t.atan2(y, x))
case(Atan2, "large", [constant([3e3, -4e4, 5.0]), constant([4e4, 0.0, -1e4])], lambda t, y, x: t.atan2(y, x))
case(Atan2, "empty", [normal(0, 2), normal(2)], lambda t, y, x: t.atan2(y, x))
case(Atan2, "constant", [fixed(distinct(4)), distinct(4)], lambda t, y, x: t.atan2(y, x))


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


@mutant(Sub, "sign of the second input forgotten")
def _(backward, ctx, dz):
    dx, dy = backward(ctx, dz)
    return dx, -dy


@mutant(Sub, "mean instead of sum over the broadcast axes")
def _(backward, ctx, dz):
    return [None if g is None else g * (g.size / max(dz.size, 1)) for g in backward(ctx, dz)]


@mutant(Sub, "gradients swapped")
def _(backward, ctx, dz):
    return backward(ctx, dz)[::-1]


@mutant(Mul, "factors not swapped")
def _(backward, ctx, dz):
    x, y = ctx.saved_tensors
    return [None if g is None else (g / other * own if own is not None else g)
            for g, own, other in zip(backward(ctx, dz), (x, y), (y, x))]


@mutant(Mul, "derivative of one factor only")
def _(backward, ctx, dz):
    dx, dy = backward(ctx, dz)
    return dx, None if dy is None else dy * 0


@mutant(Mul, "the constant forgotten")
def _(backward, ctx, dz):
    grads = backward(ctx, dz)
    alone = sum(g is not None for g in grads) == 1
    return [dz + 0 if alone and g is not None and g.shape == dz.shape else g for g in grads]


@mutant(Div, "sign of the divisor's gradient forgotten")
def _(backward, ctx, dz):
    dx, dy = backward(ctx, dz)
    return dx, None if dy is None else -dy


@mutant(Div, "divided by y instead of y squared")
def _(backward, ctx, dz):
    dx, dy = backward(ctx, dz)
    return dx, None if dy is None else dy * ctx.saved_tensors[1]


@mutant(Div, "numerator's gradient not divided")
def _(backward, ctx, dz):
    dx, dy = backward(ctx, dz)
    return (dz, dy) if dx is not None and dx.shape == dz.shape else (dx, dy)


@mutant(Pow, "exponent not lowered")
def _(backward, ctx, dz):
    dx, dy = backward(ctx, dz)
    return None if dx is None else dx * ctx.saved_tensors[0], dy


@mutant(Pow, "factor of the exponent forgotten")
def _(backward, ctx, dz):
    dx, dy = backward(ctx, dz)
    y = ctx.saved_tensors[1]
    return dx / y if dx is not None and isinstance(y, (int, float)) and y else dx, dy


@mutant(Pow, "logarithm forgotten")
def _(backward, ctx, dz):
    dx, dy = backward(ctx, dz)
    return dx, None if dy is None or dy.shape != dz.shape else dz * ctx.saved_tensors[2]


@mutant(Pow, "0 ** 0 has a slope")
def _(backward, ctx, dz):
    dx, dy = backward(ctx, dz)
    return None if dx is None else dx + (ctx.saved_tensors[1] == 0), dy


@mutant(Remainder, "quotient forgotten")
def _(backward, ctx, dz):
    dx, dy = backward(ctx, dz)
    return dx, None if dy is None else dy * 0


@mutant(Remainder, "quotient not rounded")
def _(backward, ctx, dz):
    x, y = ctx.saved_tensors or (0, 1)
    dx, dy = backward(ctx, dz)
    return dx, dy if dy is None or dy.shape != dz.shape else -dz * x / y


@mutant(Remainder, "no gradient to the dividend")
def _(backward, ctx, dz):
    dx, dy = backward(ctx, dz)
    return None if dx is None else dx * 0, dy


@mutant(Atan2, "arguments swapped")
def _(backward, ctx, dz):
    dy, dx = backward(ctx, dz)
    return (dy, dx) if dy is None or dx is None else (-dy, -dx)


@mutant(Atan2, "not divided by the squared radius")
def _(backward, ctx, dz):
    y, x = ctx.saved_tensors
    return backward(ctx, dz * (x * x + y * y))


@mutant(Atan2, "sign of the second gradient forgotten")
def _(backward, ctx, dz):
    dy, dx = backward(ctx, dz)
    return dy, -dx
