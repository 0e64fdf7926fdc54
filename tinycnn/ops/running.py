"""Floor 2: running products and extremes, and differences of neighbours. Running sums (`cumsum`) are in `reduce.py`."""
from collections import namedtuple

from ..backend import array_module
from ..dtype import as_dtype, int64
from ..function import Function
from ..tensor import check_tensor, method, wrap
from .comparison import ne
from .gather import gather
from .inplace import twin
from .rearrange import cat
from .reduce import one_dim, reduction
from .shape import check_dim


class Cumprod(Function):
    """y_k = x_1 x_2 ... x_k along one axis.

    y_k = y_(k-1) x_k, so walk back from the end: let s_k be the whole gradient that arrives at y_k, its own dy_k and what
    comes through y_(k+1). Then s_k = dy_k + x_(k+1) s_(k+1), and dx_k = y_(k-1) s_k with y_0 = 1. Nothing is divided, so
    zeros need no care. Cost: one step a place along the axis. Saved: x and y.
    """

    @staticmethod
    def forward(ctx, x, axis):
        ctx.axis = axis
        y = array_module(x).cumprod(x, axis=axis, dtype=x.dtype if x.dtype.kind == "f" else int64)
        ctx.save_for_backward(x, y)
        return y

    @staticmethod
    def backward(ctx, dy):
        xp, axis = array_module(dy), ctx.axis
        x, y = (xp.moveaxis(a, axis, 0) for a in ctx.saved_tensors)
        dy, dx, s = xp.moveaxis(dy, axis, 0), [], None
        for k in reversed(range(len(x))):
            s = dy[k] if s is None else dy[k] + x[k + 1] * s
            dx.append(y[k - 1] * s if k else s)
        return xp.moveaxis(xp.stack(dx[::-1]) if dx else dy, 0, axis)


CumMax = namedtuple("cummax", "values indices")
CumMin = namedtuple("cummin", "values indices")


@reduction
def cumprod(input, dim, *, dtype=None):
    """The running product along `dim`; bool and integers give int64."""
    axis = one_dim("cumprod", dim, input.ndim)
    input = input if dtype is None else input.to(as_dtype(dtype))
    return Cumprod.apply(input, axis=axis) if input.ndim else input.prod()


@method("cummax")
def cummax(input, dim):
    """(values, indices) of the largest element so far along `dim`; of equal ones the last counts. NaN stays."""
    return _running("cummax", CumMax, input, dim, lambda a, b: a > b)


@method("cummin")
def cummin(input, dim):
    """(values, indices) of the smallest element so far along `dim`; of equal ones the last counts. NaN stays."""
    return _running("cummin", CumMin, input, dim, lambda a, b: a < b)


def _running(function, result, input, dim, better):
    check_tensor(function, input=input)
    axis = one_dim(function, dim, input.ndim)
    if input.ndim == 0:
        return result(input.clone(), wrap(array_module(input.array).zeros((), int64)))
    xp = array_module(input.array)
    indices = wrap(xp.moveaxis(running_argument(xp.moveaxis(input.array, axis, -1), better), -1, axis))
    return result(gather(input, axis, indices), indices)


def running_argument(x, better):
    """For every place k of the last axis of the array x, the place of the best element up to k.

    After the step of length s, the winner of the 2 s places that end at k is known: two windows of length s have met. So
    log2(n) steps over whole arrays do what a loop over the places would.
    """
    xp, n = array_module(x), x.shape[-1]
    index, step = xp.broadcast_to(xp.arange(n), x.shape), 1
    while step < n:
        earlier, later = index[..., :-step], index[..., step:]
        a, b = xp.take_along_axis(x, earlier, -1), xp.take_along_axis(x, later, -1)
        won = (b == b) & ((a != a) | better(a, b))
        index, step = xp.concatenate([index[..., :step], xp.where(won, earlier, later)], -1), 2 * step
    return index


@method("diff")
def diff(input, n=1, dim=-1, prepend=None, append=None):
    """The differences of neighbours along `dim`, taken n times; `prepend` and `append` are joined to the ends first."""
    check_tensor("diff", input=input)
    dim = check_dim("diff", dim, input.ndim)
    if n < 0:
        raise RuntimeError(f"diff: n must not be negative, got {n}")
    if n and (prepend is not None or append is not None):
        input = cat([part for part in (prepend, input, append) if part is not None], dim)
    for _ in range(min(n, input.shape[dim])):
        size = max(input.shape[dim] - 1, 0)
        after, before = input.narrow(dim, input.shape[dim] - size, size), input.narrow(dim, 0, size)
        input = ne(after, before) if input.dtype == bool else after - before
    return input


def trapezoid(y, x=None, *, dx=1, dim=-1):
    """The area under the samples y along `dim`, at the places x or at distance dx, by straight lines between them."""
    check_tensor("trapezoid", y=y)
    dim = check_dim("trapezoid", dim, y.ndim)
    size = max(y.shape[dim] - 1, 0)
    heights = (y.narrow(dim, 0, size) + y.narrow(dim, y.shape[dim] - size, size)) / 2
    if x is None:
        return heights.sum(dim) * dx
    if x.ndim == 1:
        x = x.reshape([-1 if d == dim else 1 for d in range(y.ndim)])
    return (heights * diff(x, dim=dim)).sum(dim)


trapz = trapezoid

twin(cumprod, rereads=True)

__all__ = ["cummax", "cummin", "cumprod", "diff", "trapezoid", "trapz"]
