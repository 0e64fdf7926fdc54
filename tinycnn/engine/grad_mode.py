"""Floor 1: the switches of a thread: recording (`no_grad` and its kin) and the search for NaN (`detect_anomaly`)."""
import contextlib
import linecache
import os
import sys
import threading

from .arrays import array_module, is_array

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


class Mode(threading.local):
    """The switches of one thread."""
    recording = True
    anomaly = False


mode = Mode()


class _Switch(contextlib.ContextDecorator):
    """Holds one field of the mode at a value, inside a `with` block or a decorated function."""

    def __init__(self, field, value):
        self.field, self.value, self.before = field, value, []

    def __enter__(self):
        self.before.append(getattr(mode, self.field))
        setattr(mode, self.field, self.value)

    def __exit__(self, *exception):
        setattr(mode, self.field, self.before.pop())


def no_grad(function=None):
    """Record nothing: `with no_grad():`, or `@no_grad()` above a function."""
    return _Switch("recording", False) if function is None else _Switch("recording", False)(function)


def enable_grad(function=None):
    """Record again, inside a `no_grad` block."""
    return _Switch("recording", True) if function is None else _Switch("recording", True)(function)


class _Setting(_Switch):
    """A switch that is thrown at once, and as a `with` block or decorator only until its end."""

    def __init__(self, field, value):
        super().__init__(field, bool(value))
        super().__enter__()
        self.at_once = True

    def __enter__(self):
        if not self.at_once:
            super().__enter__()
        self.at_once = False

    def __call__(self, function):
        if self.at_once:
            self.__exit__()
            self.at_once = False
        return super().__call__(function)


def set_grad_enabled(enabled):
    """Record or not, from this call on; as a `with` block or decorator only until its end."""
    return _Setting("recording", enabled)


def set_detect_anomaly(enabled):
    """`detect_anomaly` from this call on; as a `with` block or decorator only until its end."""
    return _Setting("anomaly", enabled)


def is_grad_enabled():
    """Whether operations are recorded now."""
    return mode.recording


def detect_anomaly(enabled=True):
    """Check every result, forward and backward: RuntimeError at the first NaN or infinity names operation and line."""
    return _Switch("anomaly", bool(enabled))


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
