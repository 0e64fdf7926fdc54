"""How each operation without a window is said in ONNX: `TABLE` maps the name of a Function to a translation.

A translation takes the graph and one use of the Function, and the options of forward as keywords. It returns the name of the
result, or a list of names. `use.name(i)` is the name of argument i; `use.x` the first that is a tensor.
"""
import math

import numpy as np
from onnx import helper

TABLE = {}


def translates(*names):
    """A decorator: the function below says the Functions called `names` in ONNX."""
    def add(translation):
        TABLE.update(dict.fromkeys(names, translation))
        return translation
    return add


# ---- element by element ----------------------------------------------------------------------------------------------

def _alike(operator, count):
    """A translation into one node of the same meaning, with `count` inputs."""
    return lambda g, use, **options: g.emit(operator, *map(use.name, range(count)))


TABLE.update({name: _alike(operator, 1) for name, operator in dict(
    {name: name for name in ("Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Cos", "Cosh", "Erf", "Exp", "Neg",
                             "Sigmoid", "Sin", "Sinh", "Sqrt", "Tan", "Tanh")},
    ReLU="Relu", Clone="Identity", Contiguous="Identity").items()})
TABLE.update({name: _alike(operator, 2) for name, operator in dict(
    Add="Add", Sub="Sub", Mul="Mul", Div="Div", Pow="Pow", Maximum="Max", Minimum="Min", MatMul="MatMul").items()})
TABLE["Where"] = _alike("Where", 3)


@translates("HookPoint")
def hook_point(g, use, notify):
    return [g.emit("Identity", use.name(i)) for i in range(len(use.arguments))]


@translates("Remainder")
def remainder(g, use, rounding):
    x, y = use.name(0), use.name(1)
    q = g.emit("Div", x, y)
    q = g.emit("Floor", q) if rounding == "floor" else g.emit("Mul", g.emit("Sign", q), g.emit("Floor", g.emit("Abs", q)))
    return g.emit("Sub", x, g.emit("Mul", q, y))


@translates("Atan2")
def atan2(g, use):
    y, x, zero, half = use.name(0), use.name(1), use.number(0), use.number(math.pi / 2)
    right, down = g.emit("Greater", x, zero), g.emit("Less", y, zero)
    z = g.emit("Atan", g.emit("Div", y, g.emit("Where", g.emit("Equal", x, zero), use.number(1), x)))
    turned = g.emit("Add", z, g.emit("Where", down, use.number(-math.pi), use.number(math.pi)))
    upright = g.emit("Where", down, g.emit("Neg", half), g.emit("Where", g.emit("Greater", y, zero), half, zero))
    z = g.emit("Where", right, z, turned)
    return g.emit("Where", g.emit("Equal", x, zero), upright, z)


@translates("SquaredError")
def squared_error(g, use):
    d = g.emit("Sub", use.name(0), use.name(1))
    return g.emit("Mul", d, d)


@translates("Log")
def log(g, use, base=math.e):
    y = g.emit("Log", use.name(0))
    return y if base == math.e else g.emit("Div", y, use.number(math.log(base)))


@translates("Log1p")
def log1p(g, use):
    x, half = use.name(0), use.number(0.5)
    y = g.emit("Log", g.emit("Add", x, use.number(1)))  # which has few digits near 0
    near = g.emit("Atanh", g.emit("Div", x, g.emit("Add", x, use.number(2))))
    return g.emit("Where", g.emit("Less", g.emit("Abs", x), half), g.emit("Add", near, near), y)


@translates("Expm1")
def expm1(g, use):
    x = use.name(0)  # e^x - 1 = tanh(x / 2) (e^x + 1), which has all digits near 0
    return g.emit("Mul", g.emit("Tanh", g.emit("Mul", x, use.number(0.5))), g.emit("Add", g.emit("Exp", x), use.number(1)))


@translates("Exp2")
def exp2(g, use):
    return g.emit("Pow", use.number(2), use.name(0))


@translates("Erfc")
def erfc(g, use):
    return g.emit("Sub", use.number(1), g.emit("Erf", use.name(0)))


@translates("Staircase")
def staircase(g, use, function):
    operators = {"floor": "Floor", "ceil": "Ceil", "sign": "Sign"}
    if function == "trunc":
        x = use.name(0)
        return g.emit("Mul", g.emit("Sign", x), g.emit("Floor", g.emit("Abs", x)))
    if function not in operators:
        raise use.refusal("only floor, ceil, trunc and sign have an operator of ONNX")
    return g.emit(operators[function], use.name(0))


@translates("GELU")
def gelu(g, use, approximate):
    return g.emit("Gelu", use.name(0), approximate=approximate)


@translates("SiLU")
def silu(g, use):
    return g.emit("Mul", use.name(0), g.emit("Sigmoid", use.name(0)))


@translates("ELU")
def elu(g, use, alpha, scale=1.0, input_scale=1.0):
    x = use.name(0)
    low = g.emit("Elu", g.emit("Mul", g.emit("Min", x, use.number(0)), use.number(input_scale)), alpha=float(alpha))
    return g.emit("Mul", g.emit("Add", g.emit("Relu", x), low), use.number(scale))


@translates("Softplus")
def softplus(g, use, beta, threshold):
    x, beta = use.name(0), use.number(beta)
    t = g.emit("Mul", x, beta)
    return g.emit("Where", g.emit("Greater", t, use.number(threshold)), x, g.emit("Div", g.emit("Softplus", t), beta))


@translates("Hardsigmoid")
def hardsigmoid(g, use):
    return g.emit("HardSigmoid", use.name(0), alpha=1 / 6, beta=0.5)


@translates("Hardswish")
def hardswish(g, use):
    return g.emit("HardSwish", use.name(0))


@translates("Hardtanh")
def hardtanh(g, use, low, high):
    return g.emit("Clip", use.name(0), use.number(low), use.number(high))


@translates("Clamp")
def clamp(g, use):
    y = use.name(0) if use.arguments[1] is None else g.emit("Max", use.name(0), use.name(1))
    return y if use.arguments[2] is None else g.emit("Min", y, use.name(2))


@translates("LeakyReLU")
def leaky_relu(g, use, slope):
    return g.emit("LeakyRelu", use.name(0), alpha=float(slope))


@translates("PReLU")
def prelu(g, use):
    x, a = use.name(0), use.name(1)
    return g.emit("Where", g.emit("Greater", x, use.number(0)), x, g.emit("Mul", a, x))


@translates("MaskedFill")
def masked_fill(g, use):
    return g.emit("Where", use.name(2), use.name(1), use.name(0))


@translates("To")
def to(g, use, dtype, **options):
    return g.emit("Cast", use.name(0), to=helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))


# ---- products --------------------------------------------------------------------------------------------------------

@translates("Linear")
def linear(g, use):
    if use.arguments[2] is not None and len(use.x.shape) == 2:
        return g.emit("Gemm", use.name(0), use.name(1), use.name(2), transB=1)
    y = g.emit("MatMul", use.name(0), g.emit("Transpose", use.name(1), perm=[1, 0]))
    return y if use.arguments[2] is None else g.emit("Add", y, use.name(2))


@translates("Einsum")
def einsum(g, use, letters, out):
    letter = {s: chr(ord("a") + i) for i, s in enumerate(dict.fromkeys([s for term in [*letters, out] for s in term]))}
    terms = ["".join(letter[s] for s in term) for term in [*letters, out]]
    equation = ",".join(terms[:-1]) + "->" + terms[-1]
    return g.emit("Einsum", *map(use.name, range(len(letters))), equation=equation)


# ---- reductions ------------------------------------------------------------------------------------------------------

def reduce(g, operator, x, axes, keepdim=True):
    """The name of a reduction of `x` over `axes`."""
    return g.emit(operator, x, g.whole(*axes), keepdims=int(keepdim), noop_with_empty_axes=1)


@translates("Sum")
def sum_(g, use, axes, keepdim):
    return reduce(g, "ReduceSum", use.name(0), axes, keepdim)


@translates("Prod")
def prod(g, use, axis, keepdim):
    return reduce(g, "ReduceProd", use.name(0), [axis], keepdim)


@translates("Extreme")
def extreme(g, use, axes, largest, keepdim):
    return reduce(g, "ReduceMax" if largest else "ReduceMin", use.name(0), axes, keepdim)


@translates("LogSumExp")
def log_sum_exp(g, use, axes, keepdim):
    return reduce(g, "ReduceLogSumExp", use.name(0), axes, keepdim)


@translates("Norm")
def norm(g, use, p, axes, keepdim):
    if p in (1, 2):
        return reduce(g, f"ReduceL{int(p)}", use.name(0), axes, keepdim)
    powers = g.emit("Pow", g.emit("Abs", use.name(0)), use.number(p))
    return g.emit("Pow", reduce(g, "ReduceSum", powers, axes, keepdim), use.number(1 / p))


@translates("Var")
def var(g, use, axes, correction, keepdim):
    if {0} & {*axes} and use.changes:
        raise use.refusal("a variance over the batch cannot follow its size: export with dynamic_batch=False")
    x, count = use.name(0), math.prod(use.x.shape[a] for a in axes)
    d = g.emit("Sub", x, reduce(g, "ReduceMean", x, axes))
    total = reduce(g, "ReduceSum", g.emit("Mul", d, d), axes, keepdim)
    return g.emit("Div", total, use.number(max(count - correction, 0)))


@translates("Std")
def std(g, use, axes, correction, keepdim):
    return g.emit("Sqrt", var(g, use, axes, correction, keepdim))


@translates("Cumsum")
def cumsum(g, use, axis):
    return g.emit("CumSum", use.name(0), g.constant(axis, np.int64))


@translates("Cumprod")
def cumprod(g, use, axis):
    return _running(g, use, axis, 1, "ReduceProd")


@translates("LogCumSumExp")
def log_cum_sum_exp(g, use, axis):
    return _running(g, use, axis, -math.inf, "ReduceLogSumExp")


def _running(g, use, axis, neutral, operator):
    """The name of y_k, x_1 to x_k along `axis` brought together by a reduction, whose `neutral` stands for the others."""
    ndim, n = len(use.x.shape), use.x.shape[axis]
    if n != use.second.arguments[0].shape[axis]:
        raise use.refusal("it runs along the batch and cannot follow its size")
    axis %= ndim
    upto = np.tri(n, dtype=bool).reshape(n, n, *[1] * (ndim - axis - 1))
    x = g.emit("Unsqueeze", use.name(0), g.whole(axis))
    return reduce(g, operator, g.emit("Where", g.constant(upto), x, use.number(neutral)), [axis + 1], keepdim=False)


@translates("Softmax", "LogSoftmax")
def softmax(g, use, axis):
    if not use.x.shape:
        raise use.refusal("it has no dimension")
    return g.emit(use.function, use.name(0), axis=axis)


@translates("argmax", "argmin")
def choice(g, use, dim, keepdim):
    operator = {"argmax": "ArgMax", "argmin": "ArgMin"}[use.function]
    if dim is not None:
        return g.emit(operator, use.name(0), axis=dim, keepdims=int(keepdim))
    y = g.emit(operator, g.emit("Reshape", use.name(0), g.whole(-1)), axis=0, keepdims=0)
    return g.emit("Reshape", y, g.whole(*[1] * len(use.x.shape))) if keepdim else y


# ---- shapes and places -----------------------------------------------------------------------------------------------

@translates("Reshape")
def reshape(g, use, shape):
    return g.emit("Reshape", use.name(0), g.shape(use.sizes), allowzero=int(0 in use.result.shape))


@translates("Expand")
def expand(g, use, shape):
    return g.emit("Expand", use.name(0), g.shape(use.sizes, infer=False))


@translates("Permute")
def permute(g, use, dims):
    return g.emit("Transpose", use.name(0), perm=[d % len(dims) for d in dims])


@translates("Cat")
def cat(g, use, dim):
    return g.emit("Concat", *map(use.name, range(len(use.arguments))), axis=dim)


@translates("Split")
def split(g, use, sizes, dim):
    names = g.emit("Split", use.name(0), g.whole(*sizes), outputs=len(sizes), axis=dim)
    return [names] if isinstance(names, str) else names


@translates("Flip")
def flip(g, use, dims):
    return slices(g, use.name(0), {d: (-1, -2**62, -1) for d in dims})


@translates("Roll")
def roll(g, use, shifts, dims):
    x = use.name(0)
    for shift, d in zip(shifts, dims):
        shift %= max(use.x.shape[d], 1)
        if shift and use.changes and d == 0:
            raise use.refusal("rolling the batch cannot follow its size")
        if shift:
            x = g.emit("Concat", slices(g, x, {d: (-shift, 2**62, 1)}), slices(g, x, {d: (0, -shift, 1)}), axis=d)
    return g.emit("Identity", x)


@translates("Triangle")
def triangle(g, use, lower, k):
    return g.emit("Trilu", use.name(0), g.constant(k, np.int64), upper=int(not lower))


@translates("Windows")
def windows(g, use, axis, size, step):
    count, n = (use.x.shape[axis] - size) // step + 1, len(use.x.shape)
    axis %= n
    places = np.arange(count)[:, None] * step + np.arange(size)
    y = g.emit("Gather", use.name(0), g.constant(places, np.int64), axis=axis)
    return g.emit("Transpose", y, perm=[*range(axis + 1), *range(axis + 2, n + 1), axis + 1])


@translates("Embedding")
def embedding(g, use, **options):
    return g.emit("Gather", use.name(0), use.name(1), axis=0)


@translates("Pick")
def pick(g, use, axis, keepdim):
    y = g.emit("GatherElements", use.name(0), use.name(1), axis=axis)
    return y if keepdim else g.emit("Squeeze", y, g.whole(axis))


def slices(g, x, parts):
    """The name of x[...] with {axis: (start, stop, step)}."""
    if not parts:
        return x
    starts, stops, steps = zip(*parts.values())
    return g.emit("Slice", x, g.whole(*starts), g.whole(*stops), g.whole(*parts), g.whole(*steps))
