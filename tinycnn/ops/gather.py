"""Reading, writing and adding at positions that a tensor of integers or a mask holds.

`gather`, `scatter`, `index_select` and their kin only build an index for the operations of `indexing.py`; new here is
filling under a mask (`MaskedFill`).
"""
import functools
import math

from ..engine.arrays import array_module
from ..engine.function import Function
from ..engine.half import widened
from ..engine.checks import check_number, check_tensor, whole
from ..engine.construct import as_tensor
from ..engine.tensor import Tensor, method, wrap
from .elementwise import unbroadcast
from .indexing import ALL, AddItem, GetItem, SetItem, check_range, read_index
from .inplace import twin
from .shape import check_dim, check_dims, common_shape, movedim, ravel, reshape


class MaskedFill(Function):
    """y = value where mask, x elsewhere.  dx is dy where the mask is False, dvalue the sum of dy where it is True."""

    @staticmethod
    def forward(ctx, x, value, mask):
        ctx.shape = x.shape
        ctx.save_for_backward(mask)
        xp = array_module(x)
        return xp.where(mask, xp.asarray(value, x.dtype), x)

    @staticmethod
    def backward(ctx, dy):
        (mask,), xp = ctx.saved_tensors, array_module(dy)
        return (unbroadcast(xp.where(mask, 0, dy), ctx.shape) if ctx.needs_input_grad[0] else None,
                widened(xp.where(mask, dy, 0)).sum() if ctx.needs_input_grad[1] else None)


# ---- a tensor of positions along one dimension -----------------------------------------------------------------------

def check_positions(function, index, dim, size, ndim):
    """Raise unless `index` is a Tensor of `ndim` dimensions that holds positions 0 to size - 1 along `dim`."""
    check_tensor(function, index=index)
    if index.dtype.kind not in "iu":
        raise TypeError(f"{function}: index must hold integers, got {index.dtype}")
    if index.ndim != ndim:
        raise RuntimeError(f"{function}: index must have {ndim} dimensions, got shape {index.shape}")
    check_range(function, index.array, size, dim)


def _along(index, dim):
    """The advanced index that takes position index[i] in dimension `dim` and i itself in all others."""
    xp = array_module(index.array)
    return tuple(index if d == dim else xp.arange(n).reshape([-1 if i == d else 1 for i in range(index.ndim)])
                 for d, n in enumerate(index.shape))


def fitting(function, index, name, x, but=None):
    """Raise where index reaches beyond x in a dimension other than `but`."""
    if index.ndim != x.ndim or any(n > m for d, (n, m) in enumerate(zip(index.shape, x.shape)) if d != but):
        where = "" if but is None else f" except in dimension {but}"
        raise RuntimeError(f"{function}: index of shape {index.shape} must have as many dimensions as {name} of shape "
                           f"{x.shape} and be no larger{where}")


def with_scalars(function):
    """Let `function(x, dim, index, ...)` take a 0-d x, or a 0-d index, which count as vectors of one element."""
    @functools.wraps(function)
    def call(x, dim, index, *others, **options):
        check_tensor(function.__name__, x=x, index=index)
        if x.ndim and index.ndim:
            return function(x, dim, index, *others, **options)
        if not x.ndim and index.numel() != 1 and function.__name__ != "gather":
            raise RuntimeError(f"{function.__name__}: a 0-d tensor has one element, so index must hold one position, got "
                               f"shape {index.shape}")
        shape = index.shape if function.__name__ == "gather" else x.shape
        others = [_vector(v) if x.ndim < 2 else v for v in others]
        options = {name: _vector(v) if x.ndim < 2 else v for name, v in options.items()}
        y = function(_vector(x), dim, _vector(index), *others, **options)
        return y if x.ndim and function.__name__ != "gather" else reshape(y, shape)
    return call


def _vector(value):
    return reshape(value, 1) if isinstance(value, Tensor) and value.ndim == 0 else value


@method("gather")
@with_scalars
def gather(x, dim, index):
    """y[i, j, k] = x[index[i, j, k], j, k] for dim 0, and so on; y has the shape of `index`."""
    check_tensor("gather", x=x)
    dim = check_dim("gather", dim, x.ndim)
    check_positions("gather", index, dim, x.shape[dim], x.ndim)
    fitting("gather", index, "x", x, dim)
    return GetItem.apply(x, *_along(index, dim), basic=...)


@method("scatter")
@with_scalars
def scatter(x, dim, index, src=None, *, value=None):
    """A copy of x with y[index[i, j, k], j, k] = src[i, j, k] for dim 0, and so on; src may be one number (or `value`).

    Where two positions of index name one element, one of them wins. `src` may be larger than `index`.
    """
    check_tensor("scatter", x=x)
    dim = check_dim("scatter", dim, x.ndim)
    check_positions("scatter", index, dim, x.shape[dim], x.ndim)
    fitting("scatter", index, "x", x, dim)
    return SetItem.apply(x, part_of("scatter", x, index, value if src is None else src), *_along(index, dim), basic=...)


@method("scatter_add")
@with_scalars
def scatter_add(x, dim, index, src):
    """A copy of x with y[index[i, j, k], j, k] += src[i, j, k] for dim 0, and so on; what meets in one place adds up."""
    check_tensor("scatter_add", x=x, src=src)
    dim = check_dim("scatter_add", dim, x.ndim)
    check_positions("scatter_add", index, dim, x.shape[dim], x.ndim)
    fitting("scatter_add", index, "x", x, dim)
    return AddItem.apply(x, part_of("scatter_add", x, index, src), *_along(index, dim), basic=...)


def part_of(function, x, index, src):
    """The part of `src` that `index` uses; a number as it is."""
    if isinstance(src, (bool, int, float)):
        return src
    check_tensor(function, src=src)
    if src.dtype != x.dtype:
        raise TypeError(f"{function}: src must have the dtype of x, {x.dtype}, got {src.dtype}")
    fitting(function, index, "src", src)
    return src if src.shape == index.shape else src[tuple(slice(n) for n in index.shape)]


@method("index_select")
@with_scalars
def index_select(x, dim, index):
    """The slices of x at the positions `index` (a vector) along `dim`: a copy."""
    check_tensor("index_select", x=x)
    dim = check_dim("index_select", dim, x.ndim)
    check_positions("index_select", index, dim, x.shape[dim], 1)
    return GetItem.apply(x, *(ALL,) * dim, index, basic=...)


@method("index_add")
@with_scalars
def index_add(x, dim, index, source, *, alpha=1):
    """A copy of x to whose slices at the positions `index` along `dim` the slices of alpha * source are added."""
    check_tensor("index_add", x=x, source=source)
    dim = check_dim("index_add", dim, x.ndim)
    check_positions("index_add", index, dim, x.shape[dim], 1)
    expected = (*x.shape[:dim], len(index), *x.shape[dim + 1:])
    if source.shape != expected or source.dtype != x.dtype:
        raise RuntimeError(f"index_add: source must have shape {expected} and dtype {x.dtype}, got {source.shape} and "
                           f"{source.dtype}")
    return AddItem.apply(x, source if alpha == 1 else source * alpha, *(ALL,) * dim, index, basic=...)


@method("index_copy")
@with_scalars
def index_copy(x, dim, index, source):
    """A copy of x whose slices at the positions `index` along `dim` are the slices of `source`."""
    check_tensor("index_copy", x=x, source=source)
    dim = check_dim("index_copy", dim, x.ndim)
    check_positions("index_copy", index, dim, x.shape[dim], 1)
    expected = (*x.shape[:dim], len(index), *x.shape[dim + 1:])
    if source.shape != expected or source.dtype != x.dtype:
        raise RuntimeError(f"index_copy: source must have shape {expected} and dtype {x.dtype}, got {source.shape} and "
                           f"{source.dtype}")
    return SetItem.apply(x, source, *(ALL,) * dim, index, basic=...)


@method("index_fill")
@with_scalars
def index_fill(x, dim, index, value):
    """A copy of x with `value` (a number or a 0-d tensor) in the slices at the positions `index` along `dim`."""
    check_tensor("index_fill", x=x)
    dim = check_dim("index_fill", dim, x.ndim)
    check_positions("index_fill", index, dim, x.shape[dim], 1)
    if isinstance(value, Tensor):
        if value.numel() != 1:
            raise RuntimeError(f"index_fill: value must be a number or a 0-d tensor, got shape {value.shape}")
        value = reshape(value, ()).to(x.dtype)
    mask = array_module(x.array).zeros(x.shape[dim], bool)
    mask[index.array] = True
    return MaskedFill.apply(x, value, mask.reshape([-1 if d == dim else 1 for d in range(x.ndim)]))


def _written(function, x, src, part):
    """A copy of x whose part `part(x)`, a view, is src."""
    check_tensor(function, x=x, src=src)
    y = x.clone()
    view = part(y)
    if src.shape != view.shape:
        raise RuntimeError(f"{function}: src must have the shape {view.shape} of the part it replaces, got {src.shape}")
    view.copy_(src)
    return y


@method("select_scatter")
def select_scatter(x, src, dim, index):
    """A copy of x with `src` as its slice at `index` along `dim`."""
    return _written("select_scatter", x, src, lambda y: y.select(dim, index))


@method("slice_scatter")
def slice_scatter(x, src, dim=0, start=None, end=None, step=1):
    """A copy of x with `src` as its slices start:end:step along `dim`."""
    return _written("slice_scatter", x, src, lambda y: y[(ALL,) * check_dim("slice_scatter", dim, x.ndim)
                                                         + (slice(start, end, step),)])


@method("diagonal_scatter")
def diagonal_scatter(x, src, offset=0, dim1=0, dim2=1):
    """A copy of x with `src` as diagonal `offset` of its dimensions `dim1` and `dim2`."""
    check_tensor("diagonal_scatter", x=x, src=src)
    check_dims("diagonal_scatter", (dim1, dim2), x.ndim, "dim1 and dim2")
    y = movedim(x, (dim1, dim2), (-2, -1)).clone()
    places = array_module(x.array).arange(max(min(y.shape[-2] + min(offset, 0), y.shape[-1] - max(offset, 0)), 0))
    rows, columns = wrap(places + max(-offset, 0)), wrap(places + max(offset, 0))
    if src.shape != (*y.shape[:-2], len(places)):
        raise RuntimeError(f"diagonal_scatter: src must have shape {(*y.shape[:-2], len(places))}, got {src.shape}")
    y[..., rows, columns] = src
    return movedim(y, (-2, -1), (dim1, dim2))


@method("index_put")
def index_put(x, indices, values, accumulate=False):
    """A copy of x with y[indices] = values, or += values with `accumulate`; what then meets in one place adds up."""
    check_tensor("index_put", x=x, values=values)
    if values.dtype != x.dtype:
        raise TypeError(f"index_put: values must have the dtype of x, {x.dtype}, got {values.dtype}")
    basic, advanced = read_index(tuple(indices), x)
    shape = x.detach()[tuple(indices)].shape
    if common_shape("index_put", values.shape, shape) != shape:
        raise RuntimeError(f"index_put: values of shape {values.shape} are larger than the part of shape {shape}")
    return (AddItem if accumulate else SetItem).apply(x, values.expand(shape), *advanced, basic=basic)


@method("take")
def take(x, index):
    """The elements of x, as if it were flat, at the positions `index`; y has the shape of `index`."""
    check_tensor("take", x=x, index=index)
    if index.dtype.kind not in "iu":
        raise TypeError(f"take: index must be of integers, got {index.dtype}")
    return ravel(x)[index]


@method("take_along_dim")
def take_along_dim(x, indices, dim=None):
    """`gather` after x and `indices` are broadcast in all other dimensions; without `dim`, `take`."""
    check_tensor("take_along_dim", x=x, indices=indices)
    if dim is None:
        return gather(ravel(x), 0, ravel(indices))
    dim = check_dim("take_along_dim", dim, x.ndim)
    if indices.ndim != x.ndim:
        raise RuntimeError(f"take_along_dim: indices of shape {indices.shape} and x of shape {x.shape} must have as many "
                           "dimensions")
    shape = common_shape("take_along_dim", *((*a.shape[:dim], 1, *a.shape[dim + 1:]) for a in (x, indices)))
    x, indices = (a.expand(*shape[:dim], a.shape[dim], *shape[dim + 1:]) for a in (x, indices))
    return gather(x, dim, indices)


@method("repeat_interleave")
def repeat_interleave(x, repeats, dim=None, *, output_size=None):
    """Every slice of x along `dim` `repeats` times in a row (a number, or a vector with one a slice); without dim, flat.

    `output_size`, where known, is the size of the result along `dim`; RuntimeError where it is another.
    """
    check_tensor("repeat_interleave", x=x)
    if output_size is not None:
        y = repeat_interleave(x, repeats, dim)
        if y.shape[0 if dim is None else dim] != output_size:
            raise RuntimeError(f"repeat_interleave: output_size must be {y.shape[0 if dim is None else dim]}, got "
                               f"{output_size}")
        return y
    x, dim = (ravel(x), 0) if dim is None else (x, check_dim("repeat_interleave", dim, x.ndim))
    if not isinstance(repeats, Tensor):
        repeats, before, after = whole(repeats), x.shape[:dim + 1], x.shape[dim + 1:]
        if repeats < 0:
            raise RuntimeError(f"repeat_interleave: repeats must not be negative, got {repeats}")
        repeated = reshape(x, (*before, 1, *after)).expand(*before, repeats, *after)
        return reshape(repeated, (*before[:-1], before[-1] * repeats, *after))
    if repeats.ndim > 1 or repeats.numel() not in (1, x.shape[dim]) or repeats.dtype.kind not in "iu":
        raise RuntimeError(f"repeat_interleave: repeats must be an integer or {x.shape[dim]} of them, got shape "
                           f"{repeats.shape} and dtype {repeats.dtype}")
    if repeats.numel() == 1:
        return repeat_interleave(x, repeats.item(), dim)
    ends = repeats.array.cumsum()
    xp = array_module(ends)
    positions = xp.arange(int(ends[-1]) if ends.size else 0)
    return index_select(x, dim, wrap(xp.searchsorted(ends, positions, side="right")))


# ---- masks -----------------------------------------------------------------------------------------------------------

def _check_mask(function, mask):
    check_tensor(function, mask=mask)
    if mask.dtype.kind != "b":
        raise TypeError(f"{function}: mask must be bool, got {mask.dtype}; convert with mask.bool()")


@method("masked_fill")
def masked_fill(x, mask, value):
    """x with `value` (a number or a 0-d tensor) where `mask` is True; x and mask broadcast."""
    check_tensor("masked_fill", x=x)
    _check_mask("masked_fill", mask)
    common_shape("masked_fill", x.shape, mask.shape)
    if isinstance(value, Tensor) and value.ndim:
        raise RuntimeError(f"masked_fill: value must be a number or a 0-d tensor, got shape {value.shape}")
    check_number("masked_fill", value=value)
    return MaskedFill.apply(x, value, mask)


@method("masked_select")
def masked_select(x, mask):
    """The elements of x where `mask` is True, as a vector; x and mask broadcast."""
    check_tensor("masked_select", x=x)
    _check_mask("masked_select", mask)
    shape = common_shape("masked_select", x.shape, mask.shape)
    return x.expand(shape)[mask.expand(shape)]


@method("masked_scatter")
def masked_scatter(x, mask, source):
    """x with the elements of `source`, in order, where `mask` is True; x and mask broadcast."""
    check_tensor("masked_scatter", x=x, source=source)
    _check_mask("masked_scatter", mask)
    shape = common_shape("masked_scatter", x.shape, mask.shape)
    mask = mask.expand(shape)
    count = int(mask.array.sum())
    if source.dtype != x.dtype or source.numel() < count:
        raise RuntimeError(f"masked_scatter: source must have dtype {x.dtype} and {count} elements, one a True, got "
                           f"{source.dtype} and {source.numel()}")
    return SetItem.apply(x.expand(shape), ravel(source)[:count], mask, basic=...)


@method("fill_diagonal_")
def _fill_diagonal_(x, fill_value, wrap=False):
    """Write a number into the diagonal of x, whose sizes must be equal where it has more than two; `wrap`: in a tall matrix
    the diagonal starts again after a row without."""
    if x.ndim < 2 or (x.ndim > 2 and len(set(x.shape)) > 1):
        raise RuntimeError(f"fill_diagonal_: expected a matrix, or more dimensions of one size, got shape {x.shape}")
    step = sum(math.prod(x.shape[d:]) for d in range(1, x.ndim)) + 1
    mask = array_module(x.array).zeros(x.numel(), bool)
    mask[:None if wrap else min(x.shape) * step:step] = True
    return x.masked_fill_(reshape(as_tensor(mask), x.shape), fill_value)


for _function in (scatter, scatter_add, index_add, index_copy, index_fill, index_put, masked_fill, masked_scatter):
    twin(_function)

__all__ = ["diagonal_scatter", "gather", "index_add", "index_copy", "index_fill", "index_put", "index_select", "masked_fill",
           "masked_scatter", "masked_select", "repeat_interleave", "scatter", "scatter_add", "select_scatter",
           "slice_scatter", "take", "take_along_dim"]
