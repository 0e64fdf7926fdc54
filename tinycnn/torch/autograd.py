"""PyTorch's `torch.autograd`; the operation of one's own is here written with Tensors, as its users know it."""
import functools
import importlib

from .engine.arrays import is_array
from .engine.autograd import backward, grad
from .engine.function import Function as Operation
from .engine.grad_mode import (detect_anomaly, enable_grad, is_grad_enabled, no_grad, set_detect_anomaly,
                               set_grad_enabled)
from .engine.tensor import Tensor, wrap
from .legacy import Variable

__all__ = ["Function", "Variable", "backward", "detect_anomaly", "enable_grad", "grad", "is_grad_enabled", "no_grad",
           "set_detect_anomaly", "set_grad_enabled"]


class Function(Operation):
    """An operation whose `forward` and `backward` are given Tensors, as those of `torch.autograd.Function` are.

    They may use all operations of the library; what forward does is not recorded, since backward says what its gradient is.
    The operations of the library itself derive from `engine/function.py`'s, whose methods work on plain arrays.
    """

    def __init_subclass__(cls, **options):
        for name in ("forward", "backward"):
            if name in cls.__dict__:
                setattr(cls, name, staticmethod(_on_arrays(cls.__dict__[name].__func__)))
        super().__init_subclass__(**options)

    def save_for_backward(self, *tensors):
        """Keep `tensors` until backward; nothing is kept when no input wants a gradient."""
        super().save_for_backward(*_arrays(tensors))

    @property
    def saved_tensors(self):
        """What forward saved; RuntimeError when it is gone or was overwritten meanwhile."""
        return _tensors(super().saved_tensors)

    def set_materialize_grads(self, value):
        """Accepted; an output that received no gradient always gets one of zeros."""


def _on_arrays(method):
    """The method for callers who have arrays; where a gradient is recorded they have Tensors, and nothing is to be done."""
    @functools.wraps(method)
    def call(ctx, *values, **options):
        if any(isinstance(v, Tensor) for v in values):
            return method(ctx, *values, **options)
        with no_grad():
            results = method(ctx, *_tensors(values), **options)
        return _arrays(results) if isinstance(results, (tuple, list)) else _arrays((results,))[0]
    return call


def _tensors(values):
    return tuple(wrap(v) if is_array(v) else v for v in values)


def _arrays(values):
    return tuple(v.array if isinstance(v, Tensor) else v for v in values)


def __getattr__(name):  # PyTorch keeps the checker here; it is loaded when asked for
    if name in ("gradcheck", "gradgradcheck"):
        return getattr(importlib.import_module("tinycnn.gradcheck"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
