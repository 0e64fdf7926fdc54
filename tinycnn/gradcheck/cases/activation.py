"""Cases and mutants of `ops/activation.py`."""
from ...ops.error_function import erf
from ...ops.activation import ELU, GELU, Sigmoid, SiLU, Softplus, Tanh
from ..registry import case, constant, distinct, mutant, normal, uniform

case(ELU, "alpha", [distinct(3, 4)], lambda t, x: t.nn.functional.elu(x, alpha=0.7))
case(ELU, "selu", [distinct(3, 4)], lambda t, x: t.nn.functional.selu(x))
case(ELU, "celu", [distinct(3, 4)], lambda t, x: t.nn.functional.celu(x, 2.0))
case(ELU, "at 0", [constant([-1.0, 0.0, 1.0])], lambda t, x: t.nn.functional.elu(x, 0.5), kinks=True)
case(ELU, "in place", [distinct(3, 4)], lambda t, x: t.nn.functional.elu(x * 2, inplace=True))
case(ELU, "far to the right", [constant([-1000.0, 1000.0])], lambda t, x: t.nn.functional.elu(x))

case(Sigmoid, "both signs", [normal(3, 4)], lambda t, x: t.sigmoid(x))
case(Sigmoid, "saturated", [constant([-1000.0, -700.0, -30.0, 0.0, 30.0, 1000.0])], lambda t, x: t.sigmoid(x))
case(Sigmoid, "glu", [normal(3, 4, 2)], lambda t, x: t.nn.functional.glu(x, dim=1))
case(Sigmoid, "empty", [normal(0, 3)], lambda t, x: x.sigmoid())

case(SiLU, "both signs", [normal(3, 4)], lambda t, x: t.nn.functional.silu(x))
case(SiLU, "in place", [normal(3, 4)], lambda t, x: t.nn.functional.silu(x * 2, inplace=True))
case(SiLU, "saturated", [constant([-1000.0, -30.0, 0.0, 30.0, 1000.0])], lambda t, x: t.nn.functional.silu(x))
case(SiLU, "empty", [normal(0, 3)], lambda t, x: t.nn.functional.silu(x))

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

for _function in (ELU, Sigmoid, SiLU, Tanh, Softplus, GELU):
    mutant(_function, "slope forgotten")(lambda backward, ctx, dy: dy + 0)
    mutant(_function, "upstream gradient forgotten")(lambda backward, ctx, dy: backward(ctx, dy * 0 + 1))


@mutant(ELU, "slope y on the negative side instead of y + alpha")
def _(backward, ctx, dy):
    (x,) = ctx.saved_tensors
    return backward(ctx, dy) - ctx.alpha * dy * (x <= 0)


@mutant(ELU, "scale forgotten")
def _(backward, ctx, dy):
    return backward(ctx, dy) / ctx.scale


@mutant(ELU, "factor of the inner function forgotten")
def _(backward, ctx, dy):
    (x,) = ctx.saved_tensors
    dx = backward(ctx, dy)
    return dx * (x > 0) + dx / ctx.input_scale * (x <= 0)


@mutant(Sigmoid, "y instead of y (1 - y)")
def _(backward, ctx, dy):
    (y,) = ctx.saved_tensors
    return dy * y


@mutant(Sigmoid, "slope of the slope's argument: s(y) (1 - s(y)), the sigmoid applied twice")
def _(backward, ctx, dy):
    (y,) = ctx.saved_tensors
    e = 2.718281828459045 ** -y
    return dy * e / (1 + e) ** 2


@mutant(SiLU, "the logistic function's own slope forgotten")
def _(backward, ctx, dy):
    (x,) = ctx.saved_tensors
    return dy / (1 + 2.718281828459045 ** -x)


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
