"""Functions of one input, applied to every element alone.

y_i = f(x_i): the Jacobian is diagonal, and the whole of backward is dx = dy * f'(x). The file is the table of derivatives of
a calculus book. Some slopes are cheapest from the output, as e^x is its own; then backward keeps y instead of x.
"""
import math

from ..engine.arrays import array_module
from ..engine.dtype import category, get_default_dtype
from ..engine.function import Function
from ..engine.half import wide
from ..engine.checks import check_tensor
from ..engine.tensor import method
from .error_function import erf as erf_of_array
from .error_function import erfc as erfc_of_array
from .error_function import erfinv as erfinv_of_array
from .inplace import twin


class Neg(Function):
    """y = -x.  dx = -dy."""

    @staticmethod
    def forward(ctx, x):
        return -x

    @staticmethod
    def backward(ctx, dy):
        return -dy


class Exp(Function):
    """y = e^x.  dx = dy e^x = dy y."""

    @staticmethod
    def forward(ctx, x):
        y = array_module(x).exp(x)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, dy):
        (y,) = ctx.saved_tensors
        return dy * y


class Log(Function):
    """y = log x to the base b = e, 2 or 10.  Since log_b x = ln x / ln b, dx = dy / (x ln b)."""

    @staticmethod
    def forward(ctx, x, base=math.e):
        ctx.base = base
        ctx.save_for_backward(x)
        xp = array_module(x)
        return {math.e: xp.log, 2: xp.log2, 10: xp.log10}[base](x)

    @staticmethod
    def backward(ctx, dy):
        (x,) = ctx.saved_tensors
        return dy / x if ctx.base == math.e else dy / (x * math.log(ctx.base))


class Sqrt(Function):
    """y = x^(1/2).  dx = dy / (2 y), infinite at 0."""

    @staticmethod
    def forward(ctx, x):
        y = array_module(x).sqrt(x)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, dy):
        (y,) = ctx.saved_tensors
        return dy / (2 * y)


class Abs(Function):
    """y = |x|.  dx = dy sign(x); at the kink 0 is taken, which lies between the slopes -1 and 1."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return array_module(x).abs(x)

    @staticmethod
    def backward(ctx, dy):
        (x,) = ctx.saved_tensors
        return dy * array_module(x).sign(x)


class Staircase(Function):
    """y = f(x, ...) for an f that is constant between its jumps: floor, sign, whole-number division.  dx = 0."""

    @staticmethod
    def forward(ctx, *inputs, function):
        ctx.inputs = [(i.shape, i.dtype) if hasattr(i, "shape") else None for i in inputs]
        xp = array_module(next(i for i in inputs if hasattr(i, "shape")))
        return (getattr(xp, function) if isinstance(function, str) else function)(*inputs)

    @staticmethod
    def backward(ctx, dy):
        zeros = array_module(dy).zeros
        return [zeros(i[0], dtype=i[1]) if need else None for i, need in zip(ctx.inputs, ctx.needs_input_grad)]


# ---- the functions a user calls --------------------------------------------------------------------------------------

def floating(function, input):
    """`input`, checked to be a Tensor; integers become the default floating-point dtype."""
    check_tensor(function, input=input)
    return input if input.array.dtype.kind == "f" else input.to(get_default_dtype())


def _define(function, name, text, **options):
    """A user's function, and method of Tensor, that applies a Function to a floating-point tensor."""
    def apply(input):
        return function.apply(floating(name, input), **options)
    apply.__name__ = apply.__qualname__ = name
    apply.__doc__ = text
    return method(name)(apply)


def _row(name, forward, text, slope, *, of_x=None, of_y=None):
    """One row of the table: the Function y = f(x) whose slope is `of_x(xp, x)` or `of_y(xp, y)`, and the user's function.

    `forward` is the name of f in NumPy, or f itself.
    """
    class Row(Function):
        @staticmethod
        def forward(ctx, x):
            y = getattr(array_module(x), forward)(x) if isinstance(forward, str) else forward(x)
            ctx.save_for_backward(x if of_x else y)
            return y

        @staticmethod
        def backward(ctx, dy):
            (saved,) = ctx.saved_tensors
            return dy * (of_x or of_y)(array_module(saved), saved)

    Row.__name__ = Row.__qualname__ = name.capitalize()
    Row.__doc__ = f"y = {name}(x).  dx = dy {slope}."
    return Row, _define(Row, name, text)


exp = _define(Exp, "exp", "e^x.")
log = _define(Log, "log", "The natural logarithm: -infinity at 0, NaN below.")
log2 = _define(Log, "log2", "The logarithm to the base 2.", base=2)
log10 = _define(Log, "log10", "The logarithm to the base 10.", base=10)
sqrt = _define(Sqrt, "sqrt", "The square root; NaN below 0, and of infinite slope at 0.")

Expm1, expm1 = _row("expm1", "expm1", "e^x - 1, exact near 0.", "(y + 1)", of_y=lambda xp, y: y + 1)
Log1p, log1p = _row("log1p", "log1p", "log(1 + x), exact near 0.", "/ (1 + x)", of_x=lambda xp, x: 1 / (1 + x))
Sin, sin = _row("sin", "sin", "The sine, x in radians.", "cos x", of_x=lambda xp, x: xp.cos(x))
Cos, cos = _row("cos", "cos", "The cosine, x in radians.", "(-sin x)", of_x=lambda xp, x: -xp.sin(x))
Tan, tan = _row("tan", "tan", "The tangent, x in radians.", "(1 + y^2)", of_y=lambda xp, y: 1 + y * y)
Asin, asin = _row("asin", "arcsin", "The angle of sine x, from -pi/2 to pi/2.", "/ sqrt(1 - x^2)",
                  of_x=lambda xp, x: 1 / xp.sqrt(1 - x * x))
Acos, acos = _row("acos", "arccos", "The angle of cosine x, from 0 to pi.", "(-1) / sqrt(1 - x^2)",
                  of_x=lambda xp, x: -1 / xp.sqrt(1 - x * x))
Atan, atan = _row("atan", "arctan", "The angle of tangent x, from -pi/2 to pi/2.", "/ (1 + x^2)",
                  of_x=lambda xp, x: 1 / (1 + x * x))
Sinh, sinh = _row("sinh", "sinh", "(e^x - e^-x) / 2.", "cosh x", of_x=lambda xp, x: xp.cosh(x))
Cosh, cosh = _row("cosh", "cosh", "(e^x + e^-x) / 2.", "sinh x", of_x=lambda xp, x: xp.sinh(x))
Asinh, asinh = _row("asinh", "arcsinh", "The inverse of sinh.", "/ sqrt(x^2 + 1)",
                    of_x=lambda xp, x: 1 / xp.hypot(x, xp.ones_like(x)))
Acosh, acosh = _row("acosh", "arccosh", "The inverse of cosh, from 0 on; NaN below 1.", "/ sqrt(x^2 - 1)",
                    of_x=lambda xp, x: 1 / (xp.sqrt(x - 1) * xp.sqrt(x + 1)))
Atanh, atanh = _row("atanh", "arctanh", "The inverse of tanh; NaN outside -1 to 1.", "/ (1 - x^2)",
                    of_x=lambda xp, x: 1 / (1 - x * x))
Exp2, exp2 = _row("exp2", "exp2", "2^x.", "ln(2) y", of_y=lambda xp, y: math.log(2) * y)
Erf, erf = _row("erf", erf_of_array, "2/sqrt(pi) times the integral of exp(-t^2) from 0 to x.", "2/sqrt(pi) exp(-x^2)",
                of_x=lambda xp, x: 2 / math.sqrt(math.pi) * xp.exp(-x * x))

Erfc, erfc = _row("erfc", erfc_of_array, "1 - erf(x), exact where it is close to 0.", "(-2)/sqrt(pi) exp(-x^2)",
                  of_x=lambda xp, x: -2 / math.sqrt(math.pi) * xp.exp(-x * x))
Erfinv, erfinv = _row("erfinv", erfinv_of_array, "The number whose erf is x, for x from -1 to 1.", "sqrt(pi)/2 exp(y^2)",
                      of_y=lambda xp, y: math.sqrt(math.pi) / 2 * xp.exp(y * y))


@method("neg", "negative", "__neg__")
def neg(input):
    """-x; RuntimeError for booleans."""
    check_tensor("neg", input=input)
    if input.dtype == bool:
        raise RuntimeError("neg: a bool tensor has no negative: use ~x to invert a mask")
    return Neg.apply(input)


@method("abs", "absolute", "__abs__")
def abs(input):
    """|x|."""
    check_tensor("abs", input=input)
    return Abs.apply(input)


@method("__pos__")
def _positive(input):
    """x itself."""
    return input


@method("rsqrt")
def rsqrt(input):
    """1 / sqrt(x)."""
    return 1 / sqrt(input)


# ---- steps: constant between jumps, so without gradient ----------------------------------------------------------------

def _staircase(name, function, text):
    def step(input):
        check_tensor(name, input=input)
        kind = category(input.dtype)
        jumps = kind == 2 or kind == 1 and name == "sign"  # the others leave integers, and all leave bool, as they are
        return Staircase.apply(input, function=function) if jumps else input.clone()
    step.__name__ = step.__qualname__ = name
    step.__doc__ = text
    return method(name)(step)


sign = _staircase("sign", "sign", "-1, 0 or 1; NaN stays NaN (0 in PyTorch).")
floor = _staircase("floor", "floor", "The largest whole number that is not above x.")
ceil = _staircase("ceil", "ceil", "The smallest whole number that is not below x.")
trunc = _staircase("trunc", "trunc", "x without the digits after the point: rounded towards zero.")


@method("round")
def round(input, *, decimals=0):
    """The nearest number with `decimals` digits after the point; a half goes to the even neighbour."""
    check_tensor("round", input=input)
    if category(input.dtype) < 2:
        return input.clone()
    return Staircase.apply(input, function=wide(lambda x: array_module(x).around(x, decimals)))


@method("frac")
def frac(input):
    """What trunc drops: x - trunc(x)."""
    return input - trunc(input)


negative, absolute, fix = neg, abs, trunc
arcsin, arccos, arctan, arcsinh, arccosh, arctanh = asin, acos, atan, asinh, acosh, atanh
for _function in (asin, acos, atan, asinh, acosh, atanh):
    method("arc" + _function.__name__[1:])(_function)
method("fix")(trunc)

for _function in (exp, exp2, erfinv, sqrt, rsqrt, expm1, tan, sign, floor, ceil, round, frac):
    twin(_function)
for _function in (log, log2, log10, log1p, sin, cos, sinh, cosh, erf, erfc):
    twin(_function, rereads=True)
for _function in (asin, acos, atan, asinh, acosh, atanh):
    twin(_function, f"arc{_function.__name__[1:]}_", rereads=True)
twin(neg, "negative_")
twin(trunc, "fix_")
twin(abs, "absolute_", rereads=True)

__all__ = ["abs", "absolute", "acos", "acosh", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctanh", "asin",
           "asinh", "atan", "atanh", "ceil", "cos", "cosh", "erf", "erfc", "erfinv", "exp", "exp2", "expm1", "fix", "floor",
           "frac", "log", "log10", "log1p", "log2", "neg", "negative", "round", "rsqrt", "sign", "sin", "sinh", "sqrt",
           "tan", "trunc"]
