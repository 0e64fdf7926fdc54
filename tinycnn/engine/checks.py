"""Checks of arguments that many functions share: each names the function, the argument and what was expected."""
import operator
import os

import numpy as np

from .arrays import is_array
from .tensor import Tensor


def whole(value):
    """`value` as an int; TypeError where it is no whole number. Nor is True, with which Python counts."""
    if type(value) is int:
        return value
    if isinstance(value, bool) or isinstance(value, Tensor) and value.dtype.kind == "b":
        raise TypeError(f"expected an integer, got {value}")
    try:
        return operator.index(value)
    except ValueError as error:  # a Tensor of several elements
        raise TypeError(*error.args) from None


def check_tensor(function, **named):
    """Raise TypeError naming `function` and the argument when one of `named` is not a Tensor."""
    for name, value in named.items():
        if not isinstance(value, Tensor):
            raise TypeError(f"{function}: {name} must be a Tensor, got {type(value).__name__}")


def check_number(function, **named):
    """Raise TypeError naming `function` and the argument when one of `named` is not a real number."""
    for name, value in named.items():
        if not isinstance(value, (int, float, np.generic)):
            if not (isinstance(value, Tensor) or is_array(value)) or value.ndim:
                raise TypeError(f"{function}: {name} must be a number, got {type(value).__name__}")


def check_floating(function, **named):
    """Raise TypeError naming `function` and the argument when one of `named` is not a floating-point Tensor."""
    for name, value in named.items():
        check_tensor(function, **{name: value})
        if value.array.dtype.kind != "f":
            raise TypeError(f"{function}: {name} must be floating point, got {value.dtype}; convert with {name}.float()")


def check_callable(function, **named):
    """Raise TypeError naming `function` and the argument when one of `named` cannot be called."""
    for name, value in named.items():
        if not callable(value):
            raise TypeError(f"{function}: {name} must be a function, got {type(value).__name__}")


def check_iterable(function, **named):
    """Raise TypeError naming `function` and the argument when one of `named` cannot be gone through."""
    for name, value in named.items():
        single = isinstance(value, (np.generic, np.dtype)) or isinstance(value, Tensor) and value.ndim == 0
        if single or not hasattr(value, "__iter__") and not hasattr(value, "__getitem__"):
            raise TypeError(f"{function}: {name} must be something to iterate over, got {type(value).__name__}")


def check_path(function, **named):
    """Raise TypeError naming `function` and the argument when one of `named` is no path: Python would open the number 3."""
    for name, value in named.items():
        if not isinstance(value, (str, os.PathLike)):
            raise TypeError(f"{function}: {name} must be a path, a string or a pathlib.Path, got {type(value).__name__}")
        if "\0" in os.fspath(value):
            raise ValueError(f"{function}: {name} must be a path, which has no character 0, got {value!r}")
