"""How a tensor prints."""
import sys

import numpy as np

from .arrays import to_numpy
from .tensor import method

_PRINT = {"precision": 4, "threshold": 1000, "edgeitems": 3, "max_line_width": 80, "suppress_small": None}


@method("__format__")
def _format(tensor, spec):
    return format(tensor.item(), spec) if tensor.array.ndim == 0 and spec else format(repr(tensor), spec)


@method("__repr__")
def _repr(tensor):
    values = np.array2string(to_numpy(tensor.array), separator=", ", prefix="tensor(", **_PRINT)
    history = (f", grad_fn=<{type(tensor.grad_fn).__name__}>" if tensor.grad_fn is not None
               else ", requires_grad=True" if tensor.requires_grad else "")
    return f"tensor({values}, dtype={tensor.dtype}, device={str(tensor.device)!r}{history})"


def set_printoptions(precision=None, threshold=None, edgeitems=None, linewidth=None, profile=None, sci_mode=None):
    """How tensors print: digits, elements above which only `edgeitems` at each end show, characters a line.

    `profile` is "default", "short" or "full"; `sci_mode=False` writes small numbers without exponent.
    """
    profiles = {"default": (4, 1000, 3, 80), "short": (2, 1000, 2, 80), "full": (4, sys.maxsize, 3, 80)}
    if profile is not None:
        if profile not in profiles:
            raise ValueError(f"set_printoptions: profile must be 'default', 'short' or 'full', got {profile!r}")
        _PRINT.update(zip(("precision", "threshold", "edgeitems", "max_line_width"), profiles[profile]))
    given = {"precision": precision, "threshold": threshold, "edgeitems": edgeitems, "max_line_width": linewidth,
             "suppress_small": None if sci_mode is None else not sci_mode}
    _PRINT.update({name: value for name, value in given.items() if value is not None})


__all__ = ["set_printoptions"]
