"""Cases and mutants of `ops/unary.py`."""
from ...ops.unary import (Abs, Acos, Acosh, Asin, Asinh, Atan, Atanh, Cos, Cosh, Erf, Erfc, Erfinv, Exp, Exp2, Expm1, Log,
                          Log1p, Neg, Sin, Sinh, Sqrt, Staircase, Tan)
from ..registry import case, constant, distinct, mutant, normal, positive, uniform

case(Neg, "operator", [normal(3, 4)], lambda t, x: -x, linear=True)
case(Exp, "both signs", [normal(3, 4)], lambda t, x: t.exp(x))
case(Log, "natural", [positive(3, 4)], lambda t, x: t.log(x))
case(Log, "base 2", [positive(3)], lambda t, x: t.log2(x))
case(Log, "base 10", [positive(3)], lambda t, x: t.log10(x))
case(Sqrt, "positive", [positive(3, 4)], lambda t, x: t.sqrt(x))
case(Sqrt, "rsqrt", [positive(3, 4)], lambda t, x: t.rsqrt(x))
case(Abs, "both signs", [distinct(3, 4)], lambda t, x: abs(x))
case(Abs, "at 0", [constant([0.0, -1.0, 2.0])], lambda t, x: t.abs(x), kinks=True)
case(Expm1, "near 0", [uniform(-1e-3, 1e-3, 5)], lambda t, x: t.expm1(x))
case(Expm1, "both signs", [normal(3, 4)], lambda t, x: t.expm1(x))
case(Log1p, "near 0", [uniform(-1e-3, 1e-3, 5)], lambda t, x: t.log1p(x))
case(Log1p, "above -1", [uniform(-0.5, 3, 3, 4)], lambda t, x: t.log1p(x))
case(Sin, "some turns", [uniform(-9, 9, 3, 4)], lambda t, x: t.sin(x))
case(Cos, "some turns", [uniform(-9, 9, 3, 4)], lambda t, x: t.cos(x))
case(Tan, "one branch", [uniform(-1.3, 1.3, 3, 4)], lambda t, x: t.tan(x))
case(Asin, "inside", [uniform(-0.9, 0.9, 3, 4)], lambda t, x: t.asin(x))
case(Acos, "inside", [uniform(-0.9, 0.9, 3, 4)], lambda t, x: t.acos(x))
case(Atan, "both signs", [normal(3, 4)], lambda t, x: t.atan(x))
case(Sinh, "both signs", [normal(3, 4)], lambda t, x: t.sinh(x))
case(Cosh, "both signs", [normal(3, 4)], lambda t, x: t.cosh(x))
case(Asinh, "both signs", [normal(3, 4)], lambda t, x: t.asinh(x))
case(Acosh, "above 1", [uniform(1.1, 5, 3, 4)], lambda t, x: t.acosh(x))
case(Atanh, "inside", [uniform(-0.9, 0.9, 3, 4)], lambda t, x: t.atanh(x))
case(Exp2, "both signs", [normal(3, 4)], lambda t, x: t.exp2(x))
case(Erfc, "both signs", [normal(3, 4)], lambda t, x: t.erfc(x))
case(Erfc, "tails", [uniform(2, 5, 4)], lambda t, x: t.erfc(x))
case(Erfinv, "inside", [uniform(-0.95, 0.95, 3, 4)], lambda t, x: t.erfinv(x))
case(Erf, "both signs", [normal(3, 4)], lambda t, x: t.erf(x))
case(Erf, "tails", [uniform(2, 5, 4)], lambda t, x: t.erf(x))
for _function, _name in ((Neg, "neg"), (Exp, "exp"), (Log, "log"), (Sqrt, "sqrt"), (Abs, "abs"), (Tan, "tan"), (Sin, "sin")):
    case(_function, "0-d", [positive()], lambda t, x, name=_name: getattr(t, name)(x))
    case(_function, "empty", [positive(0, 3)], lambda t, x, name=_name: getattr(t, name)(x))

for _name in ("floor", "ceil", "trunc", "round", "sign"):
    case(Staircase, _name, [distinct(3, 4)], lambda t, x, name=_name: getattr(t, name)(x * 1.01))
case(Staircase, "part of a sum", [distinct(3, 4)], lambda t, x: t.frac(x * 1.01))
case(Staircase, "decimals", [normal(6)], lambda t, x: t.round(x, decimals=2))
case(Staircase, "floor division", [distinct(3, 4), positive(3, 1)], lambda t, x, y: t.div(x, y, rounding_mode="floor"))
case(Staircase, "truncated division", [distinct(3, 4), positive(3, 1)], lambda t, x, y: t.div(x, y, rounding_mode="trunc"))

mutant(Staircase, "straight through")(lambda backward, ctx, dy: [dy for _ in ctx.inputs])
mutant(Staircase, "straight through with the wrong sign")(lambda backward, ctx, dy: [-dy for _ in ctx.inputs])
mutant(Staircase, "ones instead of zeros")(lambda backward, ctx, dy: [g if g is None else g + 1 for g in backward(ctx, dy)])

for _function in (Abs, Acos, Acosh, Asin, Asinh, Atan, Atanh, Cos, Cosh, Erf, Erfc, Erfinv, Exp, Exp2, Expm1, Log, Log1p,
                  Neg, Sin, Sinh, Sqrt, Tan):
    mutant(_function, "wrong sign")(lambda backward, ctx, dy: -backward(ctx, dy))
    mutant(_function, "slope forgotten")(lambda backward, ctx, dy: dy + 0)
    mutant(_function, "upstream gradient forgotten")(lambda backward, ctx, dy: backward(ctx, dy * 0 + 1))


@mutant(Exp, "derived like a power: x e^(x-1)")
def _(backward, ctx, dy):
    (y,) = ctx.saved_tensors
    return dy * y * 0.36787944117144233


@mutant(Log, "base forgotten")
def _(backward, ctx, dy):
    (x,) = ctx.saved_tensors
    return dy / x


@mutant(Sqrt, "1/2 forgotten")
def _(backward, ctx, dy):
    return 2 * backward(ctx, dy)


@mutant(Tan, "1 - y^2 instead of 1 + y^2")
def _(backward, ctx, dy):
    (y,) = ctx.saved_tensors
    return dy * (1 - y * y)


@mutant(Log1p, "slope of log x")
def _(backward, ctx, dy):
    (x,) = ctx.saved_tensors
    return dy / x


@mutant(Exp2, "ln 2 forgotten")
def _(backward, ctx, dy):
    return backward(ctx, dy) / 0.6931471805599453


@mutant(Erf, "factor 2/sqrt(pi) forgotten")
def _(backward, ctx, dy):
    return backward(ctx, dy) * 0.8862269254527580
