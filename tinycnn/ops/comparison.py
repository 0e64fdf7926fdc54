"""Comparisons, tests and logic: what gives True and False, and so has no gradient.

Nothing is recorded here; the functions work on the arrays at once.
"""
from ..engine.arrays import array_module, as_array, device_of, quiet
from ..engine.dtype import category, result_type
from ..engine.checks import check_tensor
from ..engine.tensor import Tensor, method, wrap
from .elementwise import check_broadcast, operand, operator, promote
from .inplace import twin


def _arrays(function, input, other):
    """Both operands as arrays of one dtype, or numbers, checked; and their library."""
    input, other = promote(operand(function, "input", input), operand(function, "other", other))
    check_broadcast(function, input, other)
    tensors = [v for v in (input, other) if isinstance(v, Tensor)]
    if not tensors:
        raise TypeError(f"{function}: input or other must be a Tensor, got two numbers")
    devices = [device_of(t.array) for t in tensors]
    if devices[0] != devices[-1]:
        raise RuntimeError(f"{function}: inputs live on different devices, {devices[0]} and {devices[1]}")
    return *(v.array if isinstance(v, Tensor) else v for v in (input, other)), array_module(tensors[0].array)


def _binary(name, numpy_name, text, *aliases, whole=False):
    """A function of two operands by its name in NumPy, and a method of Tensor; `whole`: for bool and integers only."""
    def compute(input, other):
        x, y, xp = _arrays(name, input, other)
        if whole and "f" in {v.dtype.kind for v in (x, y) if hasattr(v, "dtype")}:
            raise TypeError(f"{name}: input and other must be bool or integers, got floating point")
        return wrap(xp.asarray(getattr(xp, numpy_name)(x, y)))
    compute.__name__ = compute.__qualname__ = name
    compute.__doc__ = text
    return method(name, *aliases)(compute)


def _test(name, numpy_name, text):
    """A function of one tensor by its name in NumPy, and a method of Tensor."""
    def compute(input):
        check_tensor(name, input=input)
        return wrap(as_array(getattr(array_module(input.array), numpy_name)(input.array), input.array))
    compute.__name__ = compute.__qualname__ = name
    compute.__doc__ = text
    return method(name)(compute)


eq = _binary("eq", "equal", "Where input = other.")
ne = _binary("ne", "not_equal", "Where input differs from other.", "not_equal")
lt = _binary("lt", "less", "Where input < other.", "less")
le = _binary("le", "less_equal", "Where input <= other.", "less_equal")
gt = _binary("gt", "greater", "Where input > other.", "greater")
ge = _binary("ge", "greater_equal", "Where input >= other.", "greater_equal")
logical_and = _binary("logical_and", "logical_and", "Where both are not 0.")
logical_or = _binary("logical_or", "logical_or", "Where at least one is not 0.")
logical_xor = _binary("logical_xor", "logical_xor", "Where exactly one is not 0.")
bitwise_and = _binary("bitwise_and", "bitwise_and", "The bits set in both, of bool or integers.", whole=True)
bitwise_or = _binary("bitwise_or", "bitwise_or", "The bits set in at least one, of bool or integers.", whole=True)
bitwise_xor = _binary("bitwise_xor", "bitwise_xor", "The bits set in exactly one, of bool or integers.", whole=True)

bitwise_left_shift = _binary("bitwise_left_shift", "left_shift",
                             "input * 2^other, of integers; bits beyond the last are lost.", whole=True)
bitwise_right_shift = _binary("bitwise_right_shift", "right_shift", "input / 2^other rounded down, of integers.", whole=True)

isposinf = _test("isposinf", "isposinf", "Where input is +infinity.")
isneginf = _test("isneginf", "isneginf", "Where input is -infinity.")
signbit = _test("signbit", "signbit", "Where input is negative; -0 is.")
logical_not = _test("logical_not", "logical_not", "Where input = 0.")
isnan = _test("isnan", "isnan", "Where input is NaN.")
isinf = _test("isinf", "isinf", "Where input is infinite.")
isfinite = _test("isfinite", "isfinite", "Where input is neither infinite nor NaN.")

not_equal, less, less_equal, greater, greater_equal = ne, lt, le, gt, ge


@method("bitwise_not", "__invert__")
def bitwise_not(input):
    """Every bit turned over; of booleans, the opposite. TypeError for floating point."""
    check_tensor("bitwise_not", input=input)
    if category(input.dtype) == 2:
        raise TypeError(f"bitwise_not: input must be bool or integers, got {input.dtype}")
    return wrap(as_array(~input.array, input.array))


@method("isclose")
def isclose(input, other, rtol=1e-05, atol=1e-08, equal_nan=False):
    """Where |input - other| <= atol + rtol |other|; equal infinities are close, NaN only if `equal_nan`."""
    x, y, xp = _arrays("isclose", input, other)
    if not (rtol >= 0 and atol >= 0):
        raise ValueError(f"isclose: rtol and atol must be at least 0, got {rtol} and {atol}")
    with quiet():
        return wrap(xp.asarray(xp.isclose(x, y, rtol=rtol, atol=atol, equal_nan=equal_nan)))


@method("allclose")
def allclose(input, other, rtol=1e-05, atol=1e-08, equal_nan=False):
    """Whether `isclose` holds everywhere, as a Python bool."""
    return bool(isclose(input, other, rtol, atol, equal_nan).array.all())


@method("equal")
def equal(input, other):
    """Whether both tensors have the same shape and values, as a Python bool."""
    check_tensor("equal", input=input, other=other)
    return input.shape == other.shape and bool(eq(input, other).array.all())


@method("heaviside")
def heaviside(input, values):
    """0 where input < 0, `values` where it is 0, 1 above. PyTorch gives it no gradient, nor do we."""
    check_tensor("heaviside", input=input, values=values)
    dtype = result_type(input, values)
    x, at_zero, xp = _arrays("heaviside", input, values)
    return wrap(xp.where(x == 0, at_zero, x > 0).astype(dtype, copy=False))


for _function in (eq, ne, lt, le, gt, ge):
    operator(_function, f"__{_function.__name__}__")
for _function, _name in ((bitwise_and, "and"), (bitwise_or, "or"), (bitwise_xor, "xor"),
                         (bitwise_left_shift, "lshift"), (bitwise_right_shift, "rshift")):
    operator(_function, f"__{_name}__", f"__r{_name}__")
    twin(_function, f"__i{_name}__")
for _function in (eq, logical_and, logical_or, logical_xor, logical_not, bitwise_not, heaviside):
    twin(_function)
for _function, _name in ((ne, "not_equal_"), (lt, "less_"), (le, "less_equal_"), (gt, "greater_"), (ge, "greater_equal_")):
    twin(_function, _name)

__all__ = ["allclose", "bitwise_and", "bitwise_left_shift", "bitwise_not", "bitwise_or", "bitwise_right_shift",
           "bitwise_xor", "eq", "equal", "ge", "greater", "greater_equal", "gt", "heaviside", "isclose", "isfinite", "isinf",
           "isnan", "isneginf", "isposinf", "le", "less", "less_equal", "logical_and", "logical_not", "logical_or",
           "logical_xor", "lt", "ne", "not_equal", "signbit"]
