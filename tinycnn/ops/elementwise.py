"""Arithmetic on two inputs, element by element.

One fact serves the whole file. An operation on two inputs broadcasts them to one shape, that is, it uses some elements
several times; the gradient of an element is the sum over its uses, so `unbroadcast` sums over every axis along which its
input was repeated. Functions of one input are in `unary.py`, those that choose between inputs in `selection.py`.
"""
import numpy as np

from ..engine import arrays
from ..engine.arrays import array_module, device_of, is_array
from ..engine.dtype import category, float64, get_default_dtype, result_type
from ..engine.formula import formula
from ..engine.function import Function
from ..engine.half import widened
from ..engine.construct import as_tensor
from ..engine.tensor import Tensor, method, wrap
from .inplace import twin
from .unary import Staircase


def unbroadcast(dy, shape):
    """Sum dy over the axes along which an input of `shape` was repeated to reach the shape of dy."""
    if dy.shape == shape:
        return dy
    extra = dy.ndim - len(shape)
    repeated = tuple(i + extra for i, size in enumerate(shape) if size == 1 and dy.shape[i + extra] != 1)
    return widened(dy).sum((*range(extra), *repeated), keepdims=True).reshape(shape)


class Add(Function):
    """z = x + y.  dx = dz, dy = dz, each summed where its input was broadcast."""

    @staticmethod
    def forward(ctx, x, y):
        ctx.shapes = getattr(x, "shape", ()), getattr(y, "shape", ())
        return x + y

    @staticmethod
    def backward(ctx, dz):
        return [unbroadcast(dz, shape) if need else None for shape, need in zip(ctx.shapes, ctx.needs_input_grad)]


class Sub(Function):
    """z = x - y.  dx = dz, dy = -dz, each summed where its input was broadcast."""

    @staticmethod
    def forward(ctx, x, y):
        ctx.shapes = getattr(x, "shape", ()), getattr(y, "shape", ())
        return x - y

    @staticmethod
    def backward(ctx, dz):
        need_x, need_y = ctx.needs_input_grad
        return (unbroadcast(dz, ctx.shapes[0]) if need_x else None,
                -unbroadcast(dz, ctx.shapes[1]) if need_y else None)


class Mul(Function):
    """z = x y.  dx = dz y, dy = dz x, each summed where its input was broadcast.

    The gradient of one factor needs the other one: x is kept only if y wants a gradient, and y only if x does.
    """

    @staticmethod
    def forward(ctx, x, y):
        ctx.shapes = getattr(x, "shape", ()), getattr(y, "shape", ())
        need_x, need_y = ctx.needs_input_grad
        ctx.save_for_backward(x if need_y else None, y if need_x else None)
        return x * y

    @staticmethod
    def backward(ctx, dz):
        x, y = ctx.saved_tensors
        need_x, need_y = ctx.needs_input_grad
        return (unbroadcast(dz * y, ctx.shapes[0]) if need_x else None,
                unbroadcast(dz * x, ctx.shapes[1]) if need_y else None)


class Div(Function):
    """z = x / y.  dx = dz / y, dy = -dz x / y^2, each summed where its input was broadcast."""

    @staticmethod
    def forward(ctx, x, y):
        ctx.shapes = getattr(x, "shape", ()), getattr(y, "shape", ())
        ctx.save_for_backward(x if ctx.needs_input_grad[1] else None, y)
        return x / y

    @staticmethod
    def backward(ctx, dz):
        x, y = ctx.saved_tensors
        need_x, need_y = ctx.needs_input_grad
        return (unbroadcast(dz / y, ctx.shapes[0]) if need_x else None,
                unbroadcast(-dz * (x / y) / y, ctx.shapes[1]) if need_y else None)


class Pow(Function):
    """z = x^y, x an array, y an array or a number.  dx = dz y x^(y-1), dy = dz z ln x.

    For y = 0 the slope in x is 0, at x = 0 too, where y x^(y-1) would be 0 times infinity: the exponent is lowered only
    where y is not 0. For x = 0 and y >= 0 the slope in y is 0, although ln x is not finite. A negative x has a real power
    only for whole y, so its dy is NaN.
    """

    @staticmethod
    def forward(ctx, x, y):
        ctx.shapes = x.shape, np.shape(y)
        z = power(x, y)
        ctx.save_for_backward(x, y, z if ctx.needs_input_grad[1] else None)
        return z

    @staticmethod
    def backward(ctx, dz):
        x, y, z = ctx.saved_tensors
        xp = array_module(x)
        dx = dy = None
        if ctx.needs_input_grad[0]:
            dx = unbroadcast(dz * (y * power(x, y - (y != 0))), ctx.shapes[0])
        if ctx.needs_input_grad[1]:
            flat = (x == 0) & (y >= 0)
            dy = unbroadcast(xp.where(flat, 0, dz * z * xp.log(xp.where(flat, 1, x))), ctx.shapes[1])
        return dx, dy


@formula
def power(x, y):
    """x ** y, of arrays or Tensors. x^-n of integers is 1 / x^n rounded towards 0: 0, but for x = 1 and x = -1."""
    if is_array(y) and "f" not in (x.dtype.kind, y.dtype.kind) and (y < 0).any():
        xp = array_module(x)
        return xp.where((y < 0) & (xp.abs(x) != 1), 0, x ** xp.where(y < 0, y & 1, y))
    return x ** y


class Remainder(Function):
    """z = x - q y with q = x / y rounded to a whole number: down (`%` in Python) or towards zero (fmod in C).

    q does not change but in jumps, so dx = dz, dy = -dz q, each summed where its input was broadcast.
    """

    @staticmethod
    def forward(ctx, x, y, rounding):
        xp = array_module(y if is_array(y) else x)
        ctx.shapes, ctx.rounding = (np.shape(x), np.shape(y)), rounding
        ctx.save_for_backward(*((x, y) if ctx.needs_input_grad[1] else ()))
        return arrays.remainder(x, y) if rounding == "floor" else xp.fmod(x, y)

    @staticmethod
    def backward(ctx, dz):
        need_x, need_y = ctx.needs_input_grad
        dx = unbroadcast(dz, ctx.shapes[0]) if need_x else None
        if not need_y:
            return dx, None
        x, y = ctx.saved_tensors
        q = x // y if ctx.rounding == "floor" else array_module(dz).trunc(x / y)
        return dx, unbroadcast(-dz * q, ctx.shapes[1])


class Atan2(Function):
    """z = the angle of the point (x, y), from -pi to pi.  dy = dz x / r^2, dx = -dz y / r^2 with r^2 = x^2 + y^2.

    The origin has no angle; z is 0 there, and 0 is taken for its gradients. x / r^2 = (x / r) / r, which neither overflows
    nor vanishes where r^2 would.
    """

    @staticmethod
    def forward(ctx, y, x):
        ctx.save_for_backward(y, x)
        return array_module(x).arctan2(y, x)

    @staticmethod
    def backward(ctx, dz):
        y, x = ctx.saved_tensors
        need_y, need_x = ctx.needs_input_grad
        xp = array_module(dz)
        r = xp.hypot(x, y)
        r = r + (r == 0)
        return (unbroadcast(dz * (x / r / r), y.shape) if need_y else None,
                unbroadcast(-dz * (y / r / r), x.shape) if need_x else None)


# ---- what all functions of two inputs share --------------------------------------------------------------------------

def check_broadcast(function, *operands):
    """Raise RuntimeError naming `function` where the shapes of the operands cannot be broadcast to one."""
    shapes = [o.shape for o in operands if isinstance(o, Tensor)]
    try:
        np.broadcast_shapes(*shapes)
    except ValueError:
        raise RuntimeError(f"{function}: shapes {' and '.join(map(str, shapes))} do not broadcast: counted from the right, "
                           "sizes must be equal or 1") from None


def operand(function, name, value):
    """`value` as a Tensor or a Python number; TypeError naming `function` and the argument where it is neither."""
    if isinstance(value, np.generic) and value.dtype.kind in "biuf":  # np.float64 is a float, but not so weak
        return value.item()
    if isinstance(value, (Tensor, bool, int, float)):
        return value
    if is_array(value) and value.dtype.kind in "biuf":
        return as_tensor(value)
    raise TypeError(f"{function}: {name} must be a Tensor, an array or a number, got {type(value).__name__}")


def promote(*operands, floating=False):
    """The operands in the one dtype that PyTorch would compute in; numbers stay numbers.

    `floating`: integers alone become the default floating-point dtype.
    """
    dtype = result_type(*operands)
    if floating and category(dtype) < 2:
        dtype = get_default_dtype()
    if category(dtype) == 1:  # an integer that does not fit wraps around, as it does in an array
        operands = [np.asarray(o).astype(dtype)[()] if type(o) is int else o for o in operands]
    return [o.to(dtype) if isinstance(o, Tensor) else o for o in operands]


def binary(function, name, x, y, /, *, floating=False, **options):
    """Apply the Function to x and y in the dtype that PyTorch would choose; one of them may be a number."""
    if (isinstance(x, Tensor) and isinstance(y, Tensor) and x.array.dtype == y.array.dtype and x.array.dtype.kind == "f"
            and x.array.shape == y.array.shape):
        return function.apply(x, y, **options)
    x, y = operand(name, "input", x), operand(name, "other", y)
    tensors = [v for v in (x, y) if isinstance(v, Tensor)]
    dtypes = {t.array.dtype for t in tensors}
    if len(dtypes) > 1 or "f" not in [d.kind for d in dtypes]:
        x, y = promote(x, y, floating=floating)
    if len({t.array.shape for t in tensors}) > 1:
        check_broadcast(name, *tensors)
    return function.apply(x, y, **options)


# ---- the functions a user calls --------------------------------------------------------------------------------------

@method("add")
def add(input, other, *, alpha=1):
    """input + alpha * other, broadcast."""
    return binary(Add, "add", input, other if alpha == 1 else alpha * other)


@method("sub", "subtract")
def sub(input, other, *, alpha=1):
    """input - alpha * other, broadcast; RuntimeError for two bool operands."""
    if _is_bool(input) and _is_bool(other):
        raise RuntimeError("sub: booleans cannot be subtracted: use x ^ y, or convert one of them")
    return binary(Sub, "sub", input, other if alpha == 1 else alpha * other)


@method("mul", "multiply")
def mul(input, other):
    """input * other, broadcast."""
    return binary(Mul, "mul", input, other)


@method("div", "divide", "true_divide")
def div(input, other, *, rounding_mode=None):
    """input / other, broadcast; integers give floating point.

    `rounding_mode` "floor" rounds the quotient down (`//`), "trunc" towards zero; the dtype then stays, and the gradient
    is zero.
    """
    if rounding_mode is None:
        return binary(Div, "div", input, other, floating=True)
    if rounding_mode not in ("floor", "trunc"):
        raise ValueError(f"div: rounding_mode must be None, 'floor' or 'trunc', got {rounding_mode!r}")
    _check_divisor("div", input, other)
    return binary(Staircase, "div", input, other, function=arrays.floor_divide if rounding_mode == "floor" else _truncated)


@method("floor_divide")
def floor_divide(input, other):
    """input / other rounded down, broadcast; the dtype stays and the gradient is zero."""
    return div(input, other, rounding_mode="floor")


@method("remainder")
def remainder(input, other):
    """input - floor(input / other) * other, broadcast: of the sign of `other`, as `%` in Python."""
    _check_divisor("remainder", input, other)
    return binary(Remainder, "remainder", input, other, rounding="floor")


@method("fmod")
def fmod(input, other):
    """input - trunc(input / other) * other, broadcast: of the sign of `input`, as `%` in C."""
    _check_divisor("fmod", input, other)
    return binary(Remainder, "fmod", input, other, rounding="trunc")


@method("pow")
def pow(input, exponent):
    """input ** exponent, broadcast; either may be a number. RuntimeError for integers to a negative number.

    A tensor of integers may hold negative exponents: the powers are rounded towards 0, as they are in PyTorch.
    """
    input, exponent = operand("pow", "input", input), operand("pow", "exponent", exponent)
    dtype = result_type(input, exponent)
    if category(dtype) < 2 and not isinstance(exponent, Tensor) and exponent < 0:
        raise RuntimeError(f"pow: integers have no integer power {exponent}: convert with input.float()")
    if not isinstance(input, Tensor) and isinstance(exponent, Tensor):
        input = wrap(array_module(exponent.array).asarray(input, dtype))
    power = binary(Pow, "pow", input, exponent)
    return power if category(dtype) else power.bool()


@method("float_power")
def float_power(input, exponent):
    """input ** exponent in float64."""
    input, exponent = (v.to(float64) if isinstance(v, Tensor) else v for v in (input, exponent))
    return pow(input, exponent)


@method("atan2", "arctan2")
def atan2(input, other):
    """The angle of the point (x = other, y = input), in radians from -pi to pi, broadcast."""
    return binary(Atan2, "atan2", input, other, floating=True)


@method("square")
def square(input):
    """input ** 2."""
    return pow(input, 2)


@method("reciprocal")
def reciprocal(input):
    """1 / input."""
    return div(1, input)


@method("lerp")
def lerp(input, end, weight):
    """input + weight * (end - input): from `input` (weight 0) straight to `end` (weight 1)."""
    return add(input, mul(weight, sub(end, input)))


@method("addcmul")
def addcmul(input, tensor1, tensor2, *, value=1):
    """input + value * tensor1 * tensor2."""
    return add(input, mul(tensor1, tensor2), alpha=value)


@method("addcdiv")
def addcdiv(input, tensor1, tensor2, *, value=1):
    """input + value * tensor1 / tensor2."""
    return add(input, div(tensor1, tensor2), alpha=value)


def _check_divisor(function, x, y):
    """Raise RuntimeError for an integer divided by an integer zero; a tensor on a GPU is not searched for one."""
    x, y = operand(function, "input", x), operand(function, "other", y)
    if category(result_type(x, y)) < 2:
        searched = isinstance(y, Tensor) and device_of(y.array).type == "cpu"
        if (searched and not y.array.all()) or (not isinstance(y, Tensor) and y == 0):
            raise RuntimeError(f"{function}: integer division by zero: other must not hold 0")


def _is_bool(value):
    return isinstance(value, bool) or getattr(value, "dtype", None) == bool


def _truncated(x, y):
    """x / y rounded towards zero; for integers without the detour over floating point."""
    like = y if is_array(y) else x
    xp = array_module(like)
    if like.dtype.kind == "f":
        return xp.trunc(x / y)
    down = xp.floor_divide(x, y)
    return down + ((xp.remainder(x, y) != 0) & (down < 0))


# ---- operators and in-place forms ------------------------------------------------------------------------------------

def operator(function, *names):
    """Make `function` the operator of Tensor under the first of `names`; a second, reflected (`__radd__`), swaps operands.

    Where the other operand is nothing that tensors know, Python goes on to ask that operand.
    """
    def forward(x, y):
        return function(x, y) if _known(y) else NotImplemented

    def reflected(x, y):
        return function(y, x) if _known(y) else NotImplemented
    for name, form in zip(names, (forward, reflected)):
        method(name)(form)


def _known(value):
    return isinstance(value, (Tensor, bool, int, float, np.generic)) or is_array(value)


for _function, _name in ((add, "add"), (sub, "sub"), (mul, "mul"), (div, "truediv"), (floor_divide, "floordiv"),
                         (remainder, "mod"), (pow, "pow")):
    operator(_function, f"__{_name}__", f"__r{_name}__")

subtract, multiply, divide, true_divide, arctan2 = sub, mul, div, div, atan2

twin(add, "__iadd__")
twin(sub, "__isub__", "subtract_")
twin(mul, "__imul__", "multiply_", rereads=True)
twin(div, "__itruediv__", "divide_", "true_divide_", rereads=True)
twin(floor_divide, "__ifloordiv__")
twin(remainder, "__imod__", rereads=True)
twin(pow, "__ipow__", rereads=True)
twin(lerp)
twin(addcmul)
twin(addcdiv)
twin(atan2, "arctan2_", rereads=True)
for _function in (fmod, float_power, square, reciprocal):
    twin(_function, rereads=True)

__all__ = ["add", "addcdiv", "addcmul", "arctan2", "atan2", "div", "divide", "float_power", "floor_divide", "fmod",
           "lerp", "mul", "multiply", "pow", "reciprocal", "remainder", "square", "sub", "subtract", "true_divide"]
