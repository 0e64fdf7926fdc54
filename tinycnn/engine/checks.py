"""Checks of arguments that many functions share: each names the function, the argument and what was expected."""
import numpy as np

from .arrays import is_array
from .tensor import Tensor


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
