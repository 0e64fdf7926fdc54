"""The search for the first NaN: which operation made it, and which line of the user's called that operation."""
import linecache
import os
import sys

from .arrays import array_module, is_array

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


def check_finite(node, direction, before, after):
    """Raise when NaN or infinity stands in the arrays `after` and did not stand in the values `before`."""
    for test, word in (("isnan", "NaN"), ("isinf", "infinity")):
        if not any(_any(test, a) for a in before) and any(_any(test, a) for a in after):
            raise RuntimeError(f"detect_anomaly: first {word} in the {direction} of {node.name()}, called at {node.line}")


def _any(test, value):
    """Whether `isnan` or `isinf` holds anywhere in a floating-point array or number (a NaN counts as infinite)."""
    if not (isinstance(value, float) or is_array(value) and value.dtype.kind == "f"):
        return False
    xp = array_module(value)
    return bool(xp.isnan(value).any()) or test == "isinf" and bool(xp.isinf(value).any())


def user_line():
    """The innermost line of code outside this package, as file:line: text."""
    frame = sys._getframe(2)
    while frame.f_back and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back
    file, line = frame.f_code.co_filename, frame.f_lineno
    return f"{file}:{line}: {linecache.getline(file, line).strip()}"
