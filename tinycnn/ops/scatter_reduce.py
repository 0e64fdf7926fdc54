"""Values brought to positions and reduced there to a sum, a mean or an extreme, as in graphs and point clouds."""
from ..engine.arrays import array_module
from ..engine.arrays import scatter_add as add_at
from ..engine.arrays import scatter_extreme
from ..engine.function import Function
from ..engine.tensor import check_tensor, method, wrap
from .gather import check_positions, fitting, part_of
from .indexing import AddItem, GetItem, SetItem
from .inplace import twin
from .shape import check_dim


class ScatterExtreme(Function):
    """y[j] = the largest (or smallest) of all src[i] whose index i chooses j, and, with `include_self`, of x[j].

    As in `Extreme`, dy[j] goes to the winners, where several are equal in equal parts:
        dx[j] = dy[j] [x[j] = y[j]] / n[j],   dsrc[i] = dy[j(i)] [src[i] = y[j(i)]] / n[j(i)],   n[j] winners at j.
    Cost: a comparison an element. Saved: x, src, y and the index.
    """

    @staticmethod
    def forward(ctx, x, src, *index, largest, include_self):
        xp, y = array_module(x), x.copy()
        ctx.include_self = include_self
        if not include_self:
            limits = (xp.finfo if x.dtype.kind == "f" else xp.iinfo)(x.dtype)
            lowest = -xp.inf if x.dtype.kind == "f" else limits.min
            y[index] = lowest if largest else xp.inf if x.dtype.kind == "f" else limits.max
        scatter_extreme(y, index, src, largest)
        ctx.save_for_backward(x, src, y, *index)
        return y

    @staticmethod
    def backward(ctx, dy):
        own, theirs, index = ScatterExtreme.shares(ctx, *ctx.saved_tensors)
        return dy * own, dy[index] * theirs

    @staticmethod
    def backward_recorded(ctx, dy):
        own, theirs, index = ScatterExtreme.shares(ctx, *(saved.array for saved in ctx.saved_tensors))
        return dy * wrap(own), GetItem.apply(dy, *map(wrap, index), basic=...) * wrap(theirs)

    @staticmethod
    def shares(ctx, x, src, y, *index):
        """The parts of dy that x and src receive, and the index."""
        own, theirs = (x == y).astype(x.dtype), (src == y[index]).astype(x.dtype)
        if not ctx.include_self:
            own[index] = 0
        n = own.copy()
        add_at(n, index, theirs)
        n = array_module(x).maximum(n, 1)
        return own / n, theirs / n[index], index


@method("scatter_reduce")
def scatter_reduce(x, dim, index, src, reduce, *, include_self=True):
    """A copy of x with src[i, j, k] brought to y[index[i, j, k], j, k] for dim 0, and so on, and reduced with what is there.

    `reduce`: "sum", "mean", "amax" or "amin". Without `include_self`, where src arrives x does not count.
    """
    check_tensor("scatter_reduce", x=x, src=src)
    dim = check_dim("scatter_reduce", dim, x.ndim)
    check_positions("scatter_reduce", index, dim, x.shape[dim], x.ndim)
    fitting("scatter_reduce", index, "x", x, dim)
    return _reduce("scatter_reduce", x, part_of("scatter_reduce", x, index, src), index, dim, reduce, include_self)


@method("index_reduce")
def index_reduce(x, dim, index, source, reduce, *, include_self=True):
    """A copy of x with the slices of `source` brought to the positions `index` along `dim`, see `scatter_reduce`."""
    check_tensor("index_reduce", x=x, source=source)
    dim = check_dim("index_reduce", dim, x.ndim)
    check_positions("index_reduce", index, dim, x.shape[dim], 1)
    expected = (*x.shape[:dim], len(index), *x.shape[dim + 1:])
    if source.shape != expected or source.dtype != x.dtype:
        raise RuntimeError(f"index_reduce: source must have shape {expected} and dtype {x.dtype}, got {source.shape} and "
                           f"{source.dtype}")
    index = index.reshape([-1 if d == dim else 1 for d in range(x.ndim)]).expand(expected)
    return _reduce("index_reduce", x, source, index, dim, reduce, include_self)


def _reduce(function, x, src, index, dim, reduce, include_self):
    xp = array_module(x.array)
    places = tuple(index.array if d == dim else xp.arange(n).reshape([-1 if i == d else 1 for i in range(index.ndim)])
                   for d, n in enumerate(index.shape))
    if reduce in ("amax", "amin"):
        return ScatterExtreme.apply(x, src, *places, largest=reduce == "amax", include_self=include_self)
    if reduce not in ("sum", "mean"):
        raise ValueError(f"{function}: reduce must be 'sum', 'mean', 'amax' or 'amin', got {reduce!r}")
    y = AddItem.apply(x if include_self else SetItem.apply(x, 0, *places, basic=...), src, *places, basic=...)
    if reduce == "sum":
        return y
    count = xp.ones(x.shape, x.dtype)
    if not include_self:
        count[places] = 0
    add_at(count, places, xp.ones_like(src.array))
    return y.div(wrap(count), rounding_mode=None if x.dtype.kind == "f" else "floor")


for _function in (scatter_reduce, index_reduce):
    twin(_function, rereads=True)

__all__ = ["index_reduce", "scatter_reduce"]
