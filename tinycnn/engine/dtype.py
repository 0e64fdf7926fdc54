"""The names of the number types and the rules by which they mix.

A dtype is NumPy's own `numpy.dtype`; only the names are PyTorch's. The one rule that differs from NumPy is promotion:
`int64 + float32` is float64 in NumPy, float32 here and in PyTorch, because an index or a label must not silently double
the memory of a network.
"""
import builtins

import numpy as np

float16 = half = np.dtype("float16")
float32 = float = np.dtype("float32")  # noqa: A001 (PyTorch's names)
float64 = double = np.dtype("float64")
int8, uint8 = np.dtype("int8"), np.dtype("uint8")
int16 = short = np.dtype("int16")
int32 = int = np.dtype("int32")  # noqa: A001
int64 = long = np.dtype("int64")
bool = np.dtype("bool")  # noqa: A001


class Bfloat16:
    """The name of a number type that NumPy does not have: files of it are read as float32, and nothing computes in it."""

    def __repr__(self):
        return "bfloat16"


bfloat16 = Bfloat16()
KNOWN = {d.name: d for d in (float16, float32, float64, int8, uint8, int16, int32, int64, bool)}
_CATEGORY = {"b": 0, "i": 1, "u": 1, "f": 2}
_default = float32


def get_default_dtype():
    """The dtype of new floating-point tensors: float32 unless `set_default_dtype` changed it."""
    return _default


def set_default_dtype(dtype):
    """Make `dtype` (a floating-point one) the dtype of new floating-point tensors."""
    global _default
    dtype = as_dtype(dtype)
    if dtype.kind != "f":
        raise TypeError(f"set_default_dtype: dtype must be floating point, got {dtype}")
    _default = dtype


def as_dtype(dtype):
    """`dtype` as one of the dtypes above: accepts those, NumPy's types, their names, and Python's bool, int and float.

    The Python types mean bool, int64 and float64, as in NumPy and PyTorch.
    """
    if dtype is bfloat16 or isinstance(dtype, str) and dtype == "bfloat16":
        raise TypeError("dtype: bfloat16 is not computed with, as NumPy has no such numbers (files of them are read as "
                        "float32): use float32, which is more exact, or float16, which is as small")
    try:
        return KNOWN[np.dtype(dtype if isinstance(dtype, (np.dtype, type, str)) else "nothing").name]
    except (TypeError, KeyError):
        raise TypeError(f"dtype must be one of {', '.join(KNOWN)}, got {dtype!r}") from None


def category(dtype):
    """0 for bool, 1 for integers, 2 for floating point."""
    return _CATEGORY[dtype.kind]


def promote_types(a, b):
    """The dtype that holds both `a` and `b` by PyTorch's rules: a float beats every integer, whatever its width."""
    if category(a) != category(b):
        return a if category(a) > category(b) else b
    return np.promote_types(a, b)


def can_cast(source, target):
    """Whether PyTorch would write a result of dtype `source` into a tensor of dtype `target`: floats stay floats."""
    return category(as_dtype(source)) <= category(as_dtype(target))


def scalar_dtype(value):
    """The dtype that a Python or NumPy scalar suggests when it meets tensors."""
    if isinstance(value, (builtins.bool, np.bool_)):
        return bool
    return int64 if isinstance(value, (builtins.int, np.integer)) else _default


def result_type(*operands):
    """The dtype of an operation on `operands` (tensors, arrays, scalars), by PyTorch's rules.

    Operands with dimensions decide; a 0-d operand or a Python number counts only when its category (bool < int < float)
    is higher than theirs. Source: PyTorch's documentation, "Tensor attributes: type promotion".
    """
    groups = [None, None, None]  # with dimensions, 0-d, plain numbers
    for operand in operands:
        if hasattr(operand, "dtype") and not isinstance(operand, np.generic):
            group, dtype = (0 if operand.ndim else 1), operand.dtype
        elif isinstance(operand, (builtins.int, builtins.float, np.generic)):
            group, dtype = 2, scalar_dtype(operand)
        else:
            raise TypeError(f"result_type: operands must be Tensors or numbers, got {operand!r}")
        groups[group] = dtype if groups[group] is None else promote_types(groups[group], dtype)
    result = None
    for dtype in groups:
        if dtype is not None and (result is None or category(dtype) > category(result)):
            result = dtype
    return result
