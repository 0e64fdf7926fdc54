"""The switches of a thread: recording (`no_grad` and its kin) and the search for NaN (`detect_anomaly`)."""
import contextlib
import threading


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
