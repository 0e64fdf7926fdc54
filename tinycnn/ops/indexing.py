"""Choosing elements by position, and writing to chosen positions.

An index has two halves. Integers, slices, None and `...` choose a view (`basic`); tensors of integers and masks choose a
copy (`advanced`). As in PyTorch, x[index] is x[basic][advanced]: the view first, then the copy. One can read there
(`GetItem`), write (`SetItem`) and add (`AddItem`); each one's gradient is another one of the three.
"""
import operator

import numpy as np

from ..engine.arrays import add_at, array_module, is_array
from ..engine.function import Function
from ..engine.grad_mode import mode
from ..engine.checks import check_tensor, whole
from ..engine.construct import as_tensor
from ..engine.tensor import Tensor, method, wrap
from .elementwise import unbroadcast
from .inplace import check_apart, write
from .shape import check_dim, reshape

ALL = slice(None)


# ---- the operations --------------------------------------------------------------------------------------------------

class GetItem(Function):
    """y = x[basic][advanced].

    y[i] = x[s(i)], where s(i) is the position that index i chooses. So dx[j] = sum of dy[i] over all i with s(i) = j: zero
    where nothing was chosen, a sum where an integer index names a position twice. Slices and masks never do.
    """

    @staticmethod
    def forward(ctx, x, *advanced, basic):
        ctx.shape, ctx.basic = x.shape, basic
        ctx.save_for_backward(*advanced)
        return _part(x, basic, advanced)

    @staticmethod
    def backward(ctx, dy):
        advanced = ctx.saved_tensors
        dx = array_module(dy).zeros_like(dy, shape=ctx.shape)  # where it has the axes of dy, laid out in memory like dy
        if _may_repeat(advanced):
            add_at(dx[ctx.basic], advanced, dy)
        else:
            dx[ctx.basic][advanced or ...] = dy
        return dx

    @staticmethod
    def backward_recorded(ctx, dy):
        advanced = ctx.saved_tensors
        function = AddItem if _may_repeat(advanced) else SetItem
        return function.apply(dy.new_zeros(ctx.shape), dy, *advanced, basic=ctx.basic)

    @staticmethod
    def put(whole, part, basic):
        return SetItem.apply(whole, part, basic=basic)


class SetItem(Function):
    """y is x, but for y[basic][advanced] = value.

    What was overwritten has no influence: dx is dy with zeros at those positions. dvalue is dy there, summed where value
    was broadcast.
    """

    @staticmethod
    def forward(ctx, x, value, *advanced, basic):
        ctx.basic, ctx.shape = basic, np.shape(value)
        ctx.save_for_backward(*advanced)
        y = x.copy()
        _put(y, basic, advanced, value)
        return y

    @staticmethod
    def backward(ctx, dy):
        advanced, dx, dvalue = ctx.saved_tensors, None, None
        if ctx.needs_input_grad[0]:
            dx = dy.copy()
            dx[ctx.basic][advanced or ...] = 0
        if ctx.needs_input_grad[1]:
            dvalue = unbroadcast(_part(dy, ctx.basic, advanced), ctx.shape)
        return dx, dvalue

    @staticmethod
    def backward_recorded(ctx, dy):
        advanced = ctx.saved_tensors
        dvalue = GetItem.apply(dy, *advanced, basic=ctx.basic)
        return SetItem.apply(dy, 0.0, *advanced, basic=ctx.basic), unbroadcast(dvalue, ctx.shape)


class AddItem(Function):
    """y is x, but for y[basic][advanced] += value, where a position that the index names twice receives twice.

    y = x + (value carried to its positions), so dx = dy and dvalue = dy[basic][advanced].
    """

    @staticmethod
    def forward(ctx, x, value, *advanced, basic):
        ctx.basic = basic
        ctx.save_for_backward(*advanced)
        y = x.copy()
        add_at(y[basic], advanced, value)
        return y

    @staticmethod
    def backward(ctx, dy):
        return dy, _part(dy, ctx.basic, ctx.saved_tensors)


# ---- reading an index ------------------------------------------------------------------------------------------------

def check_range(function, index, size, dim, lowest=0):
    """Raise IndexError where an index along `dim` lies outside; on a GPU nobody looks, as looking means to wait for it."""
    if array_module(index) is np and index.size and not (index.min() >= lowest and index.max() < size):
        wrong = index.min() if index.min() < lowest else index.max()
        raise IndexError(f"{function}: index {wrong} is out of range for dimension {dim} of size {size}")


def _read_item(item, x):
    """One item of an index as an integer, a slice, None, `...`, or a Tensor on the device of x."""
    if item is None or item is Ellipsis or isinstance(item, slice):
        return item
    if isinstance(item, (Tensor, np.ndarray, list, range, bool, np.bool_)) or is_array(item):
        try:
            item = wrap(np.zeros(0, np.int64)) if isinstance(item, list) and not item else as_tensor(item)
        except (TypeError, ValueError) as error:
            raise IndexError(f"index: an index must be integers or bool: {error}") from None
        if item.dtype.kind not in "bi":
            advice = ": it may mean a mask or positions, write i.bool() or i.long()" if item.dtype.kind == "u" else ""
            raise IndexError(f"index: a tensor must hold int or bool to be an index, got {item.dtype}{advice}")
        return int(item) if item.ndim == 0 and item.dtype.kind == "i" else item.to(x.device)
    try:
        return operator.index(item)
    except TypeError:
        raise IndexError("index: expected integers, slices, `...`, None, tensors, arrays or lists of integers or bool, got "
                         f"{type(item).__name__}") from None


def _is_mask(item):
    return isinstance(item, Tensor) and item.dtype.kind == "b"


def read_index(index, x):
    """`index` as (basic, advanced), such that x[basic][advanced] is meant; advanced may be ()."""
    items = [_read_item(item, x) for item in (index if isinstance(index, tuple) else (index,))]
    used = sum(item.ndim if _is_mask(item) else item is not None and item is not Ellipsis for item in items)
    if used > x.ndim or sum(item is Ellipsis for item in items) > 1:
        raise IndexError(f"index: {used} indices for a tensor of shape {x.shape}" if used > x.ndim else
                         "index: `...` may occur only once")
    basic, advanced, dim = [], [], 0
    for item in items:
        if isinstance(item, Tensor):
            if _is_mask(item) and item.ndim == 0:      # True keeps, False drops a new dimension of size 1
                basic.append(None)
                item = reshape(item, 1)
            elif _is_mask(item):
                if item.shape != x.shape[dim:dim + item.ndim]:
                    raise IndexError(f"index: a mask of shape {item.shape} does not fit at dimension {dim} of a tensor of "
                                     f"shape {x.shape}")
                basic += [ALL] * item.ndim
                dim += item.ndim
            else:
                check_range("index", item.array, x.shape[dim], dim, -x.shape[dim])
                basic.append(ALL)
                dim += 1
            advanced.append(item)
        elif item is Ellipsis:
            basic += [ALL] * (x.ndim - used)
            advanced += [ALL] * (x.ndim - used)
            dim += x.ndim - used
        elif item is None:
            basic.append(None)
            advanced.append(ALL)
        elif isinstance(item, slice):
            if item.step is not None and item.step <= 0:
                raise ValueError(f"index: the step of a slice must be positive, got {item.step}; use flip to go backwards")
            basic.append(item)
            advanced.append(ALL)
            dim += 1
        else:
            if not -x.shape[dim] <= item < x.shape[dim]:
                raise IndexError(f"index: index {item} is out of range for dimension {dim} of size {x.shape[dim]}")
            basic.append(item)
            dim += 1
    basic.append(Ellipsis)                      # so that x[0] of a vector is a 0-d view, not a number
    return tuple(basic), tuple(advanced) if any(isinstance(item, Tensor) for item in advanced) else ()


def _may_repeat(advanced):
    """Whether the index may name a position twice: one of integers may, a mask does not."""
    return any(hasattr(a, "dtype") and a.dtype.kind != "b" for a in advanced)


def _part(x, basic, advanced):
    """x[basic][advanced] of an array."""
    return x[basic][advanced] if advanced else x[basic]


def _put(x, basic, advanced, value):
    """x[basic][advanced] = value, in place."""
    try:
        x[basic][advanced or ...] = value
    except ValueError as error:
        raise RuntimeError(f"x[index] = value: cannot write a value of shape {np.shape(value)} into a part of shape "
                           f"{_part(x, basic, advanced).shape}: {error}") from None


# ---- x[index] --------------------------------------------------------------------------------------------------------

@method("__getitem__")
def _getitem(x, index):
    """x[index], as in PyTorch: integers and slices give a view, tensors, arrays, lists and masks a copy."""
    basic, advanced = read_index(index, x)
    return GetItem.apply(x, *advanced, basic=basic)


@method("__setitem__")
def _setitem(x, index, value):
    """x[index] = value; where autograd records, value and what remains of x get their gradients."""
    basic, advanced = read_index(index, x)
    if isinstance(value, Tensor):
        value = value.to(x)
        ones = next((i for i, n in enumerate(value.shape) if n != 1), value.ndim)
        value = reshape(value, value.shape[ones:]) if ones else value
    elif not isinstance(value, (bool, int, float)):
        try:
            value = as_tensor(value, dtype=x.dtype, device=x.device)
        except (TypeError, ValueError) as error:
            raise TypeError(f"index: the value to be written must be numbers: {error}") from None
    if mode.recording and (x.requires_grad or getattr(value, "requires_grad", False)):
        write(x, SetItem.apply(x, value, *advanced, basic=basic), "x[index] = value")
        return
    if x._viewed_at is not None and x._viewed_at != x._version.rewrites:
        raise RuntimeError("x[index] = value: x is a view of a tensor that was changed in place after the view was taken; "
                           "take the view again after the change")
    advanced = tuple(a.array if isinstance(a, Tensor) else a for a in advanced)
    check_apart("x[index] = value", x.array)
    _put(x.array, basic, advanced, value.array if isinstance(value, Tensor) else value)
    x._version.writes += 1


@method("narrow")
def narrow(x, dim, start, length):
    """A view of `length` slices of x along `dim`, from `start` on."""
    check_tensor("narrow", x=x)
    dim = check_dim("narrow", dim, x.ndim)
    start, length, size = whole(start), whole(length), x.shape[dim]
    begin = start + size if start < 0 else start
    if not 0 <= begin <= begin + length <= size:
        raise IndexError(f"narrow: start {start} and length {length} leave dimension {dim} of size {size}")
    return x[(ALL,) * dim + (slice(begin, begin + length),)]


@method("select")
def select(x, dim, index):
    """A view of the slice of x at `index` along `dim`, without that dimension."""
    check_tensor("select", x=x)
    return x[(ALL,) * check_dim("select", dim, x.ndim) + (whole(index),)]


__all__ = ["narrow", "select"]
