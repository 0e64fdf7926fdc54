"""Values brought to positions and reduced there to a sum, a mean, a product or an extreme, as in graphs."""
from ..engine.arrays import add_at, array_module, extreme_at
from ..engine.function import Function
from ..engine.checks import check_tensor
from ..engine.tensor import method, wrap
from .gather import check_positions, fitting, part_of, take, with_scalars
from .indexing import AddItem, GetItem, SetItem
from .inplace import twin
from .rearrange import cat
from .selection import where
from .shape import check_dim, ravel, reshape


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
        extreme_at(y, index, src, largest)
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


class ScatterProduct(Function, wide=True):
    """y[j] = the product of all src[i] whose index i chooses j, and, with `include_self`, of x[j].

    Its derivative by a factor is the product of the others. With q[j] the product of those that are not 0, and z[j] how many
    are: for a factor f that is not 0 it is q / f where z = 0, else 0; for one that is 0 it is q where z = 1, else 0.
    Cost: log2(n) steps for n factors. Saved: x, src and the index.
    """

    @staticmethod
    def forward(ctx, x, src, *index, include_self):
        ctx.include_self = include_self
        ctx.save_for_backward(x, src, *index)
        return products(x, src, index, include_self)

    @staticmethod
    def backward(ctx, dy):
        x, src, *index = ctx.saved_tensors
        index, zero, theirs = tuple(index), x == 0, src == 0
        own = zero.copy()
        if not ctx.include_self:
            own[index] = False
        zeros = own.astype(x.dtype)
        add_at(zeros, index, theirs.astype(x.dtype))
        none, one = zeros == 0, zeros == 1
        x, src = x + zero, src + theirs  # 1 for 0
        g = dy * products(x, src, index, ctx.include_self)
        dx, dsrc = g * (own & one | ~own & none) / x, g[index] * (theirs & one[index] | ~theirs & none[index]) / src
        if not ctx.include_self:
            dx[index] = 0
        return dx, dsrc

    @staticmethod
    def backward_recorded(ctx, dy):
        """The product of the others: for every factor a copy of them all with 1 in its place, n^2 numbers."""
        x, src, *index = ctx.saved_tensors
        xp, places = array_module(x.array), array_module(x.array).arange(x.numel())
        arrived = places.reshape(x.shape)[tuple(i.array for i in index)].ravel()
        places = xp.concatenate([places, arrived])
        n, count = len(places), xp.ones(len(places), bool)
        if not ctx.include_self:
            count[arrived] = False
        others = where(wrap(xp.eye(n, dtype=bool) | ~count), 1.0, cat([ravel(x), ravel(src)]).expand(n, n))
        rows = xp.arange(n) * x.numel()
        q = ScatterProduct.apply(dy.new_ones(n * x.numel()), ravel(others), (rows[:, None] + places).ravel(),
                                 include_self=True)
        g = take(dy, wrap(places)) * take(q, wrap(rows + places)) * wrap(count)
        return reshape(g[:x.numel()], x.shape), reshape(g[x.numel():], src.shape)


def products(x, src, index, include_self):
    """y of `ScatterProduct`. The factors are sorted by their places; in the step of length s each one whose neighbour at the
    distance s has its place is multiplied by it, so that the last of a place ends up with the product of all.
    """
    xp, y = array_module(x), x.copy()
    if not include_self:
        y[index] = 1
    if not src.size:
        return y
    every, step = xp.arange(y.size), 1
    places = every.reshape(y.shape)[index].ravel()
    order = xp.argsort(places)
    factors, places = src.ravel()[order], places[order]
    while step < len(factors):
        product = xp.where(places[step:] == places[:-step], factors[step:] * factors[:-step], factors[step:])
        factors, step = xp.concatenate([factors[:step], product]), 2 * step
    last = xp.maximum(xp.searchsorted(places, every, side="right") - 1, 0)
    return y * xp.where(places[last] == every, factors[last], 1).reshape(y.shape)


@method("scatter_reduce")
@with_scalars
def scatter_reduce(x, dim, index, src, reduce, *, include_self=True):
    """A copy of x with src[i, j, k] brought to y[index[i, j, k], j, k] for dim 0, and so on, and reduced with what is there.

    `reduce`: "sum", "mean", "prod", "amax" or "amin". Without `include_self`, where src arrives x does not count.
    """
    check_tensor("scatter_reduce", x=x, src=src)
    dim = check_dim("scatter_reduce", dim, x.ndim)
    check_positions("scatter_reduce", index, dim, x.shape[dim], x.ndim)
    fitting("scatter_reduce", index, "x", x, dim)
    return _reduce("scatter_reduce", x, part_of("scatter_reduce", x, index, src), index, dim, reduce, include_self)


@method("index_reduce")
@with_scalars
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
    if reduce == "prod":
        return ScatterProduct.apply(x, src, *places, include_self=include_self)
    if reduce not in ("sum", "mean"):
        raise ValueError(f"{function}: reduce must be 'sum', 'mean', 'prod', 'amax' or 'amin', got {reduce!r}")
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
