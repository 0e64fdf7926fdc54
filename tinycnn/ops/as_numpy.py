"""NumPy's names for functions of Tensors.

Where a gradient is itself recorded (`create_graph=True`), the `backward` of an operation is given Tensors in place of
arrays. It asks `array_module(dy)` for the library of dy, and gets a `Library` from here: the same names and argument orders
as in NumPy, for functions that autograd can differentiate again. Only what some backward uses is here.
"""
import functools
import types

from ..engine.arrays import array_module
from ..engine.construct import as_tensor
from ..engine.tensor import Tensor, method, wrap
from .comparison import isnan
from .creation import full_like, ones_like, zeros_like
from .elementwise import fmod
from .gather import take_along_dim
from .indexing import AddItem
from .inplace import write
from .rearrange import cat, flip, roll, stack, tril, triu
from .reduce import cumsum
from .selection import clamp, maximum, minimum, where
from .shape import broadcast_to, movedim, permute, unsqueeze
from .special import hypot
from .unary import abs, cos, cosh, exp, floor, log, log1p, round, sign, sin, sinh, sqrt, trunc


class Library(types.SimpleNamespace):
    """What NumPy is to arrays, for Tensors."""

    def __getattr__(self, name):
        raise AttributeError(f"create_graph: a backward asked for {name}, which is not known for Tensors: let the operation "
                             "define backward_recorded, the same gradients in Tensor operations")


@functools.cache
def _library(xp):
    """The Library for Tensors whose arrays `xp` (numpy or cupy) made."""
    def creation(name):
        return lambda *args, **options: wrap(getattr(xp, name)(*args, **options))

    return Library(
        **{name: creation(name) for name in ("arange", "full", "ones", "zeros")},
        full_like=full_like, ones_like=ones_like, zeros_like=zeros_like, asarray=as_tensor,
        abs=abs, cos=cos, cosh=cosh, exp=exp, floor=floor, log=log, log1p=log1p, rint=round, sign=sign, sin=sin, sinh=sinh,
        sqrt=sqrt, trunc=trunc, fmod=fmod, hypot=hypot, isnan=isnan, add=types.SimpleNamespace(at=_add_at),
        clip=clamp, maximum=_bounded(maximum, "min"), minimum=_bounded(minimum, "max"), where=where, cumsum=cumsum,
        broadcast_to=broadcast_to, concatenate=cat, expand_dims=unsqueeze, flip=flip, moveaxis=movedim, roll=roll,
        stack=stack, take_along_axis=take_along_dim, transpose=permute, tril=tril, triu=triu)


def _add_at(target, index, values):
    """target[index] += values, where a position that the index names twice receives twice."""
    write(target, AddItem.apply(target, values, *(index if isinstance(index, tuple) else (index,)), basic=...), "add.at")


def _bounded(function, bound):
    """maximum or minimum, whose second argument may be a number."""
    return lambda x, y: function(x, y) if isinstance(y, Tensor) else clamp(x, **{bound: y})


@method("astype")
def _astype(x, dtype, copy=True):
    """NumPy's name of `to`: x in another dtype."""
    return x.to(dtype)


Tensor.strides = property(lambda x: x.array.strides, doc="How many bytes lie between neighbours, a number a dimension.")
Tensor.array_module = property(lambda x: _library(array_module(x.array)),
                               doc="The functions of NumPy or CuPy, for Tensors; see `as_numpy.py`.")
