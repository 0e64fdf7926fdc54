"""Cases and mutants of `ops/gamma.py`."""
from ...ops.gamma import Lgamma, Polygamma, psi
from ..registry import case, constant, mutant, positive, uniform

case(Lgamma, "small", [uniform(0.05, 3, 3, 4)], lambda t, x: t.lgamma(x))
case(Lgamma, "large", [uniform(3, 200, 6)], lambda t, x: x.lgamma())
case(Lgamma, "left of 0", [constant([-0.3, -1.7, -2.45, -12.2, -40.6])], lambda t, x: t.lgamma(x))
case(Lgamma, "0-d", [positive()], lambda t, x: t.lgamma(x))
case(Lgamma, "empty", [positive(0, 3)], lambda t, x: t.lgamma(x))
case(Polygamma, "order 0", [uniform(0.1, 4, 3, 4)], lambda t, x: t.digamma(x))
case(Polygamma, "order 0, left of 0", [constant([-0.3, -1.7, -2.45, -12.2])], lambda t, x: t.digamma(x))
case(Polygamma, "order 0, large", [uniform(4, 90, 6)], lambda t, x: t.special.psi(x))
# PyTorch knows psi_1 to nine digits, so that beside the largest number the others have to be small
case(Polygamma, "order 1", [constant([0.05, 0.7, 1.9, 3.2, 8.0, 20.0])], lambda t, x: t.polygamma(1, x))
case(Polygamma, "order 3", [uniform(0.5, 20, 6)], lambda t, x: x.polygamma(3))
case(Polygamma, "empty", [positive(0, 3)], lambda t, x: t.digamma(x))


@mutant(Lgamma, "psi_1 instead of psi_0")
def _(backward, ctx, dy):
    (x,) = ctx.saved_tensors
    return dy * psi(1, x)


@mutant(Lgamma, "slope at x + 1, that of the factorial")
def _(backward, ctx, dy):
    (x,) = ctx.saved_tensors
    return dy * psi(0, x + 1)


@mutant(Polygamma, "order not raised")
def _(backward, ctx, dy):
    (x,) = ctx.saved_tensors
    return dy * psi(ctx.n, x)


@mutant(Polygamma, "always order 1")
def _(backward, ctx, dy):
    (x,) = ctx.saved_tensors
    return dy * psi(1, x) * (2 if ctx.n == 0 else 1)


for _function in (Lgamma, Polygamma):
    mutant(_function, "wrong sign")(lambda backward, ctx, dy: -backward(ctx, dy))
    mutant(_function, "upstream gradient forgotten")(lambda backward, ctx, dy: backward(ctx, dy * 0 + 1))
