"""The largest and smallest: max, amax, argmax and their opposites.

Two ways to reduce to an extreme differ only at ties: `Extreme` shares the gradient among equal winners, `Pick` gives it to
the one whose index it knows. As in PyTorch, `max(x)` shares and `max(x, dim)` picks.
"""
from collections import namedtuple

from ..engine.arrays import array_module, as_array
from ..engine.dtype import int64
from ..engine.function import Function
from ..engine.tensor import Tensor, wrap
from .reduce import check_keepdim, kept_shape, one_dim, reduce, reduction, several_dims
from .selection import maximum, minimum


class Extreme(Function):
    """y = the largest (or smallest) of the x_i.  dy goes to the winner; where several are equal, in equal parts to all."""

    @staticmethod
    def forward(ctx, x, axes, largest, keepdim):
        ctx.axes, ctx.kept = axes, kept_shape(x.shape, axes)
        y = as_array((x.max if largest else x.min)(axis=axes, keepdims=keepdim), x)
        ctx.save_for_backward(x, y)
        return y

    @staticmethod
    def backward(ctx, dy):
        x, y = ctx.saved_tensors
        won = x == y.reshape(ctx.kept)
        return dy.reshape(ctx.kept) / won.sum(axis=ctx.axes, keepdims=True, dtype=dy.dtype) * won


class Pick(Function):
    """y_k = x_(k, i_k): along one axis, of each row the element number i_k.  dy_k goes to that element, 0 to the others."""

    @staticmethod
    def forward(ctx, x, index, axis, keepdim):
        ctx.shape, ctx.axis = x.shape, axis
        ctx.save_for_backward(index)
        y = array_module(x).take_along_axis(x, index, axis)
        return y if keepdim else y.squeeze(axis)

    @staticmethod
    def backward(ctx, dy):
        (index,) = ctx.saved_tensors
        size, axis = ctx.shape[ctx.axis], ctx.axis
        positions = array_module(index).arange(size).reshape((size,) + (1,) * (len(ctx.shape) - axis - 1))
        return dy.reshape(index.shape) * (index == positions), None


# ---- the functions a user calls --------------------------------------------------------------------------------------

@reduction
def amax(input, dim=(), keepdim=False):
    """The largest element along `dim`, by default of all; elements that share the maximum share its gradient."""
    return _extreme("amax", input, dim, keepdim, largest=True)


@reduction
def amin(input, dim=(), keepdim=False):
    """The smallest element along `dim`, by default of all; elements that share the minimum share its gradient."""
    return _extreme("amin", input, dim, keepdim, largest=False)


MaxResult = namedtuple("max", ("values", "indices"))
MinResult = namedtuple("min", ("values", "indices"))


@reduction
def max(input, dim=None, keepdim=False):
    """`max(x)`: the largest element, as `amax`. `max(x, dim)`: the pair (values, indices) of the largest along one
    dimension, where the first of several equal ones counts and has the gradient. `max(x, y)`: `maximum`."""
    return _extreme_or_pick("max", MaxResult, maximum, input, dim, keepdim, largest=True)


@reduction
def min(input, dim=None, keepdim=False):
    """`min(x)`: the smallest element, as `amin`. `min(x, dim)`: the pair (values, indices) of the smallest along one
    dimension, where the first of several equal ones counts and has the gradient. `min(x, y)`: `minimum`."""
    return _extreme_or_pick("min", MinResult, minimum, input, dim, keepdim, largest=False)


@reduction
def argmax(input, dim=None, keepdim=False):
    """The index of the largest element along `dim`, by default in the flattened tensor; the first of equal ones."""
    return _arg("argmax", input, dim, keepdim)


@reduction
def argmin(input, dim=None, keepdim=False):
    """The index of the smallest element along `dim`, by default in the flattened tensor; the first of equal ones."""
    return _arg("argmin", input, dim, keepdim)


# ---- what they share -------------------------------------------------------------------------------------------------

def _extreme(name, input, dim, keepdim, largest):
    for axis in several_dims(name, dim, input.ndim):
        if input.shape[axis] == 0:
            raise IndexError(f"{name}: dim {axis} of input {input.shape} has no elements to choose from")
    return reduce(name, Extreme, input, dim, keepdim, largest=largest)


def _extreme_or_pick(name, result, elementwise, input, dim, keepdim, largest):
    if isinstance(dim, Tensor):
        return elementwise(input, dim)
    if dim is None:
        if input.numel() == 0:
            raise RuntimeError(f"{name}: input {input.shape} has no elements; give a dim of nonzero size")
        return _extreme(name, input, None, False, largest)
    axis = one_dim(name, dim, input.ndim)
    index = _arg("argmax" if largest else "argmin", input, dim, True, name)
    if input.ndim == 0:
        return result(input.clone(), index)
    values = Pick.apply(input, index.array, axis=axis, keepdim=keepdim)
    return result(values, index if keepdim else wrap(index.array.squeeze(axis)))


def _arg(function, input, dim, keepdim, name=None):
    name = name or function
    check_keepdim(name, keepdim)
    x = input.array
    axis = None if dim is None else one_dim(name, dim, x.ndim)
    if x.size == 0 and (axis is None or x.shape[axis] == 0):
        where = "" if axis is None else f" along dim {axis}"
        raise IndexError(f"{name}: input {x.shape} has no elements to choose from{where}")
    index = as_array(getattr(x, function)(axis=axis if x.ndim else None), x)
    if keepdim:
        index = index.reshape(kept_shape(x.shape, range(x.ndim) if axis is None else (axis,)))
    return wrap(index.astype(int64, copy=False))


__all__ = ["amax", "amin", "argmax", "argmin", "max", "min"]
