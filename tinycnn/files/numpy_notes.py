"""NumPy's arrays and numbers in a pickle, read without trusting it.

A pickle makes an array in steps. `dtype("f8", False, True)` is a number type, and (3, "<", ...) its state, with the order of
the bytes; `_reconstruct(ndarray, (0,), b"b")` is an array of nothing, and (1, shape, dtype, column by column?, bytes) its
state; `scalar(dtype, bytes)` is a number. Here these names make notes, which become arrays after everything was checked.
Bytes were written, by Python 3 for older readers, as `encode(text, "latin1")`, and nothing as `bytes()`.
"""
import re

import numpy as np

from ..engine.names import printable
from .sealed import check_shape


class Dtype:
    """A note: the numbers called `code`, "f8" for instance, with `order` "<" or ">" of their bytes."""
    __slots__ = ("code", "order")

    def __init__(self, code, *_):
        code = code.decode("latin1") if isinstance(code, bytes) else code
        if not isinstance(code, str) or not re.fullmatch("b1|[iu][1248]|f[248]", code):
            shown = repr(printable(code)) if isinstance(code, str) else f"type of a {type(code).__name__}"
            raise ValueError(f"refused: it has NumPy's {shown}, and only booleans, integers and floating-point numbers are "
                             "read")
        self.code, self.order = code, "|"

    def __setstate__(self, state):
        order = state[1] if type(state) is tuple and len(state) > 1 else None
        order = order.decode("latin1") if isinstance(order, bytes) else order
        if type(order) is not str or order not in ("<", ">", "|", "="):
            raise ValueError("damaged: a number type without the order of its bytes")
        self.order = order

    @property
    def type(self):
        """NumPy's own."""
        return np.dtype(self.order.replace("=", "<") + self.code)


class Array:
    """A note: an array of `shape`, its numbers in `raw`, the last index first where `columns`."""
    __slots__ = ("shape", "dtype", "columns", "raw")

    def __init__(self, *_):
        self.__setstate__((1, (0,), Dtype("u1"), False, b""))

    def __setstate__(self, state):
        if type(state) is not tuple or len(state) != 5:
            raise ValueError("damaged: an array whose state is none")
        _, shape, dtype, columns, raw = state
        if not isinstance(dtype, Dtype) or not isinstance(raw, (bytes, bytearray)):
            raise ValueError("damaged: an impossible array, without a number type or without its bytes")
        if check_shape(shape) * dtype.type.itemsize != len(raw):
            raise ValueError(f"damaged: an array of shape {shape} of {dtype.type} has {len(raw):,} bytes")
        self.shape, self.dtype, self.columns, self.raw = shape, dtype, bool(columns), raw

    def finished(self):
        """The NumPy array."""
        flat = np.frombuffer(self.raw, self.dtype.type)
        return flat.reshape(self.shape, order="F" if self.columns else "C").astype(flat.dtype.newbyteorder("="))


class Number(Array):
    """A note: one number."""
    __slots__ = ()

    def __init__(self, dtype, raw):
        self.__setstate__((1, (), dtype, False, raw))

    def finished(self):
        """NumPy's number."""
        return super().finished()[()]


def _buffer(raw, dtype, shape, order):
    array = Array()
    array.__setstate__((1, shape, dtype, order == "F", raw))
    return array


def _encode(text, encoding):
    if encoding != "latin1" and encoding != b"latin1" or not isinstance(text, str):
        shown = repr(printable(encoding)) if isinstance(encoding, str) else "that is no text"
        raise ValueError(f"damaged: bytes in the encoding {shown}")
    return text.encode("latin1")


def _nothing(*arguments):
    if arguments:
        raise ValueError("refused: its pickle makes bytes of something")
    return b""


def _never(*_):
    raise ValueError("damaged: an array is made in a way that NumPy does not")


CALLS = {"numpy.dtype": Dtype, "numpy.ndarray": _never, "_codecs.encode": _encode, "__builtin__.bytes": _nothing,
         "builtins.bytes": _nothing}
for _core in ("numpy.core", "numpy._core"):  # until and since NumPy 2
    CALLS |= {f"{_core}.multiarray._reconstruct": Array, f"{_core}.multiarray.scalar": Number,
              f"{_core}.numeric._frombuffer": _buffer}
