"""Cases and mutants of `ops/activation.py`."""
from ...backend import erf
from ...ops.activation import ELU, GELU, Hardtanh, LeakyReLU, PReLU, ReLU, Sigmoid, Softplus, Tanh
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

case(ELU, "alpha", [distinct(3, 4)], lambda t, x: t.nn.functional.elu(x, alpha=0.7))
case(ELU, "selu", [distinct(3, 4)], lambda t, x: t.nn.functional.selu(x))
case(ELU, "celu", [distinct(3, 4)], lambda t, x: t.nn.functional.celu(x, 2.0))
case(ELU, "at 0", [kinky], lambda t, x: t.nn.functional.elu(x, 0.5), kinks=True)
case(ELU, "in place", [distinct(3, 4)], lambda t, x: t.nn.functional.elu(x * 2, inplace=True))
case(ELU, "far to the right", [constant([-1000.0, 1000.0])], lambda t, x: t.nn.functional.elu(x))

case(Hardtanh, "bounds", [distinct(4, 5)], lambda t, x: t.nn.functional.hardtanh(x, -0.32, 0.57))
case(Hardtanh, "relu6", [uniform(-3, 9, 4, 5)], lambda t, x: t.nn.functional.relu6(x))
case(Hardtanh, "at the bounds", [kinky], lambda t, x: t.nn.functional.relu6(x), kinks=True)
case(Hardtanh, "hardsigmoid", [uniform(-5, 5, 4, 5)], lambda t, x: t.nn.functional.hardsigmoid(x),
     torch=lambda t, x: t.nn.functional.relu6(x + 3) / 6)  # PyTorch's own slope is a 1/6 rounded to float32
case(Hardtanh, "hardswish", [uniform(-5, 5, 4, 5)], lambda t, x: t.nn.functional.hardswish(x))
case(Hardtanh, "hardswish at its bends", [kinky], lambda t, x: t.nn.functional.hardswish(x), kinks=True)
case(Hardtanh, "in place", [uniform(-5, 5, 4, 5)], lambda t, x: t.nn.functional.hardswish(x * 2, inplace=True))
case(Hardtanh, "empty", [normal(0, 3)], lambda t, x: t.nn.functional.hardtanh(x))

case(Sigmoid, "both signs", [normal(3, 4)], lambda t, x: t.sigmoid(x))
case(Sigmoid, "saturated", [constant([-1000.0, -700.0, -30.0, 0.0, 30.0, 1000.0])], lambda t, x: t.sigmoid(x))
case(Sigmoid, "silu", [normal(3, 4)], lambda t, x: t.nn.functional.silu(x))
case(Sigmoid, "silu in place", [normal(3, 4)], lambda t, x: t.nn.functional.silu(x * 2, inplace=True))
case(Sigmoid, "glu", [normal(3, 4, 2)], lambda t, x: t.nn.functional.glu(x, dim=1))
case(Sigmoid, "empty", [normal(0, 3)], lambda t, x: x.sigmoid())

case(Tanh, "both signs", [normal(3, 4)], lambda t, x: t.tanh(x))
case(Tanh, "saturated", [constant([-1000.0, -30.0, 0.0, 30.0, 1000.0])], lambda t, x: t.tanh(x))
case(Tanh, "tanhshrink", [normal(3, 4)], lambda t, x: t.nn.functional.tanhshrink(x))
case(Tanh, "empty", [normal(0, 3)], lambda t, x: x.tanh())

case(Softplus, "both signs", [normal(3, 4)], lambda t, x: t.nn.functional.softplus(x))
case(Softplus, "beta and threshold", [uniform(-3, 3, 4, 5)], lambda t, x: t.nn.functional.softplus(x, 2.0, 1.0))
case(Softplus, "far out", [constant([-1000.0, -40.0, 19.0, 21.0, 1000.0])], lambda t, x: t.nn.functional.softplus(x))
case(Softplus, "logsigmoid", [uniform(-40, 40, 3, 4)], lambda t, x: t.nn.functional.logsigmoid(x))
case(Softplus, "mish", [normal(3, 4)], lambda t, x: t.nn.functional.mish(x))
case(Softplus, "mish in place", [normal(3, 4)], lambda t, x: t.nn.functional.mish(x * 2, inplace=True))
case(Softplus, "empty", [normal(0, 3)], lambda t, x: t.nn.functional.softplus(x))

case(GELU, "exact", [normal(3, 4)], lambda t, x: t.nn.functional.gelu(x))
case(GELU, "tanh", [normal(3, 4)], lambda t, x: t.nn.functional.gelu(x, approximate="tanh"))
case(GELU, "saturated", [constant([-1000.0, -7.0, 0.0, 7.0, 1000.0])], lambda t, x: t.nn.functional.gelu(x))
case(GELU, "empty", [normal(0, 3)], lambda t, x: t.nn.functional.gelu(x))

for _function in (ReLU, LeakyReLU, ELU, Hardtanh, Sigmoid, Tanh, Softplus, GELU):
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


@mutant(ELU, "slope y on the negative side instead of y + alpha")
def _(backward, ctx, dy):
    (x,) = ctx.saved_tensors
    return backward(ctx, dy) - ctx.numbers[0] * dy * (x <= 0)


@mutant(ELU, "scale forgotten")
def _(backward, ctx, dy):
    return backward(ctx, dy) / ctx.numbers[1]


@mutant(ELU, "factor of the inner function forgotten")
def _(backward, ctx, dy):
    (x,) = ctx.saved_tensors
    dx = backward(ctx, dy)
    return dx * (x > 0) + dx / ctx.numbers[2] * (x <= 0)


@mutant(Hardtanh, "gradient outside instead of inside")
def _(backward, ctx, dy):
    return dy - backward(ctx, dy)


@mutant(Hardtanh, "sign")
def _(backward, ctx, dy):
    return -backward(ctx, dy)


@mutant(Sigmoid, "y instead of y (1 - y)")
def _(backward, ctx, dy):
    (y,) = ctx.saved_tensors
    return dy * y


@mutant(Sigmoid, "slope of the slope's argument: s(y) (1 - s(y)), the sigmoid applied twice")
def _(backward, ctx, dy):
    (y,) = ctx.saved_tensors
    e = 2.718281828459045 ** -y
    return dy * e / (1 + e) ** 2


@mutant(Tanh, "1 - y instead of 1 - y^2")
def _(backward, ctx, dy):
    (y,) = ctx.saved_tensors
    return dy * (1 - y)


@mutant(Tanh, "the sigmoid's y (1 - y)")
def _(backward, ctx, dy):
    (y,) = ctx.saved_tensors
    return dy * y * (1 - y)


@mutant(Softplus, "multiplied by beta")
def _(backward, ctx, dy):
    return backward(ctx, dy) * ctx.beta


@mutant(Softplus, "sigmoid of -x")
def _(backward, ctx, dy):
    return dy - backward(ctx, dy)


@mutant(GELU, "density term forgotten")
def _(backward, ctx, dy):
    (x,) = ctx.saved_tensors
    return backward(ctx, dy) if not ctx.exact else dy * GELU.probability(x, True, erf, None)


@mutant(GELU, "the exact slope for the approximation and the other way round")
def _(backward, ctx, dy):
    ctx.exact = not ctx.exact
    dx = backward(ctx, dy)
    ctx.exact = not ctx.exact
    return dx
