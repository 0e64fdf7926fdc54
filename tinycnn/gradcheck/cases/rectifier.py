"""Cases and mutants of `ops/rectifier.py`."""
from ...ops.rectifier import Hardsigmoid, Hardswish, Hardtanh, LeakyReLU, PReLU, ReLU
from ..registry import case, constant, distinct, mutant, normal, uniform

kinky = constant([-7.0, -3.0, -1.0, -0.5, 0.0, 0.5, 1.0, 3.0, 6.0, 7.0])  # a bend of every piecewise function is among them

case(ReLU, "both signs", [distinct(3, 4)], lambda t, x: t.nn.functional.relu(x))
case(ReLU, "at 0", [kinky], lambda t, x: t.relu(x), kinks=True)
case(ReLU, "in place", [distinct(3, 4)], lambda t, x: t.nn.functional.relu(x * 2, inplace=True))
case(ReLU, "empty", [normal(0, 3)], lambda t, x: t.relu(x))
case(ReLU, "0-d", [constant(0.7)], lambda t, x: x.relu())

case(LeakyReLU, "default slope", [distinct(3, 4)], lambda t, x: t.nn.functional.leaky_relu(x))
case(LeakyReLU, "slope above 1", [distinct(3, 4)], lambda t, x: t.nn.functional.leaky_relu(x, 1.5))
case(LeakyReLU, "at 0", [kinky], lambda t, x: t.nn.functional.leaky_relu(x, 0.2), kinks=True)
case(LeakyReLU, "in place", [distinct(3, 4)], lambda t, x: t.nn.functional.leaky_relu(x * 2, 0.2, True))
case(LeakyReLU, "rrelu outside training", [distinct(3, 4)], lambda t, x: t.nn.functional.rrelu(x, 0.1, 0.4))

case(PReLU, "one slope", [distinct(2, 3, 4), constant([0.3])], lambda t, x, a: t.nn.functional.prelu(x, a))
case(PReLU, "one slope a channel", [distinct(2, 3, 2, 2), normal(3)], lambda t, x, a: t.nn.functional.prelu(x, a))
case(PReLU, "matrix", [distinct(4, 3), normal(3)], lambda t, x, a: t.nn.functional.prelu(x, a))
case(PReLU, "vector", [distinct(5), constant([0.3])], lambda t, x, a: t.nn.functional.prelu(x, a))
case(PReLU, "empty batch", [normal(0, 3, 2), normal(3)], lambda t, x, a: t.nn.functional.prelu(x, a))
case(PReLU, "at 0", [kinky, constant([0.3])], lambda t, x, a: t.nn.functional.prelu(x, a), kinks=True)

case(Hardtanh, "bounds", [distinct(4, 5)], lambda t, x: t.nn.functional.hardtanh(x, -0.32, 0.57))
case(Hardtanh, "relu6", [uniform(-3, 9, 4, 5)], lambda t, x: t.nn.functional.relu6(x))
case(Hardtanh, "at the bounds", [kinky], lambda t, x: t.nn.functional.relu6(x), kinks=True)
case(Hardtanh, "in place", [uniform(-5, 5, 4, 5)], lambda t, x: t.nn.functional.relu6(x * 2, inplace=True))
case(Hardtanh, "empty", [normal(0, 3)], lambda t, x: t.nn.functional.hardtanh(x))

case(Hardsigmoid, "all parts", [uniform(-5, 5, 4, 5)], lambda t, x: t.nn.functional.hardsigmoid(x),
     torch=lambda t, x: t.nn.functional.relu6(x + 3) / 6)  # PyTorch's own slope is a 1/6 rounded to float32
case(Hardsigmoid, "at its bends", [kinky], lambda t, x: t.nn.functional.hardsigmoid(x),
     torch=lambda t, x: t.nn.functional.relu6(x + 3) / 6, kinks=True)
case(Hardsigmoid, "in place", [uniform(-5, 5, 4, 5)], lambda t, x: t.nn.functional.hardsigmoid(x * 2, inplace=True),
     torch=lambda t, x: t.nn.functional.relu6(x * 2 + 3) / 6)
case(Hardsigmoid, "empty", [normal(0, 3)], lambda t, x: t.nn.functional.hardsigmoid(x))

case(Hardswish, "all parts", [uniform(-5, 5, 4, 5)], lambda t, x: t.nn.functional.hardswish(x))
case(Hardswish, "at its bends", [kinky], lambda t, x: t.nn.functional.hardswish(x), kinks=True)
case(Hardswish, "huge", [constant([6e4, -6e4, 3e4])], lambda t, x: t.nn.functional.hardswish(x))
case(Hardswish, "in place", [uniform(-5, 5, 4, 5)], lambda t, x: t.nn.functional.hardswish(x * 2, inplace=True))
case(Hardswish, "empty", [normal(0, 3)], lambda t, x: t.nn.functional.hardswish(x))

for _function in (ReLU, LeakyReLU, Hardtanh, Hardsigmoid, Hardswish):
    mutant(_function, "slope forgotten")(lambda backward, ctx, dy: dy + 0)
    mutant(_function, "upstream gradient forgotten")(lambda backward, ctx, dy: backward(ctx, dy * 0 + 1))


@mutant(ReLU, "output instead of slope")
def _(backward, ctx, dy):
    (y,) = ctx.saved_tensors
    return dy * y


@mutant(LeakyReLU, "negative side dead, as in ReLU")
def _(backward, ctx, dy):
    (positive,) = ctx.saved_tensors
    return dy * positive


@mutant(LeakyReLU, "sign of the slope")
def _(backward, ctx, dy):
    (positive,) = ctx.saved_tensors
    return dy * positive - ctx.slope * (dy * ~positive)


@mutant(PReLU, "slope's gradient also from the positive side")
def _(backward, ctx, dy):
    x, (dx, da) = ctx.saved_tensors[0], backward(ctx, dy)
    return dx, da + (dy * x * (x > 0)).sum()


@mutant(PReLU, "slope's gradient not multiplied by the input")
def _(backward, ctx, dy):
    x, (dx, da) = ctx.saved_tensors[0], backward(ctx, dy)
    return dx, da * 0 + (dy * (x <= 0)).sum()


@mutant(PReLU, "negative side dead, as in ReLU")
def _(backward, ctx, dy):
    return dy * (ctx.saved_tensors[0] > 0), backward(ctx, dy)[1]


@mutant(Hardtanh, "gradient outside instead of inside")
def _(backward, ctx, dy):
    return dy - backward(ctx, dy)


@mutant(Hardtanh, "sign")
def _(backward, ctx, dy):
    return -backward(ctx, dy)


@mutant(Hardsigmoid, "not divided by 6")
def _(backward, ctx, dy):
    return backward(ctx, dy) * 6


@mutant(Hardswish, "slope h, without x h'")
def _(backward, ctx, dy):
    (x,) = ctx.saved_tensors
    return dy * ((x + 3) / 6 * ((x > -3) & (x < 3)) + (x >= 3))
