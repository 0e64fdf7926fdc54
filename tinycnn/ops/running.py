"""Running products and extremes, and differences of neighbours. Running sums (`cumsum`) are in `reduce.py`."""
from collections import namedtuple

from ..engine.arrays import array_module
from ..engine.dtype import as_dtype, int64
from ..engine.function import Function
from ..engine.checks import check_tensor
from ..engine.tensor import method, wrap
from .comparison import ne
from .gather import gather
from .inplace import twin
from .rearrange import cat
from .reduce import one_dim, reduction
from .shape import check_dim, check_dims
from .unary import floating


class Cumprod(Function, wide=True):
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


class LogCumSumExp(Function, wide=True):
    """y_k = log(e^(x_1) + ... + e^(x_k)) along one axis, without overflow.

    dy_k/dx_i = e^(x_i - y_k) for i <= k, so dx_i = sum over k >= i of dy_k e^(x_i - y_k). Walk back from the end: with
    s_k = sum over j >= k of dy_j e^(y_k - y_j) = dy_k + e^(y_k - y_(k+1)) s_(k+1), dx_k = e^(x_k - y_k) s_k; y rises, so no
    exponent is positive. Cost: log2(n) steps forward, a step a place backward. Saved: x and y.
    """

    @staticmethod
    def forward(ctx, x, axis):
        ctx.axis, xp, step = axis, array_module(x), 1
        y = xp.moveaxis(x, axis, -1)
        while step < y.shape[-1]:  # y_k sums the `step` places that end at k; with those that end at k - step, twice as many
            y = xp.concatenate([y[..., :step], xp.logaddexp(y[..., step:], y[..., :-step])], -1)
            step *= 2
        y = xp.moveaxis(y, -1, axis) if step > 1 else x.copy()
        ctx.save_for_backward(x, y)
        return y

    @staticmethod
    def backward(ctx, dy):
        xp, axis = array_module(dy), ctx.axis
        x, y = (xp.moveaxis(a, axis, 0) for a in ctx.saved_tensors)
        dy, dx, s = xp.moveaxis(dy, axis, 0), [], None
        for k in reversed(range(len(x))):
            s = dy[k] if s is None else dy[k] + xp.exp(_difference(xp, y[k], y[k + 1])) * s
            dx.append(xp.exp(_difference(xp, x[k], y[k])) * s)
        return xp.moveaxis(xp.stack(dx[::-1]) if dx else dy, 0, axis)


def _difference(xp, a, b):
    """a - b, and 0 where both are the same infinity."""
    return xp.where(a == b, xp.zeros_like(a), a - b)


CumMax = namedtuple("cummax", "values indices")
CumMin = namedtuple("cummin", "values indices")


@reduction
def cumprod(input, dim, *, dtype=None):
    """The running product along `dim`; bool and integers give int64."""
    axis = one_dim("cumprod", dim, input.ndim)
    input = input if dtype is None else input.to(as_dtype(dtype))
    product = Cumprod.apply(input, axis=axis) if input.ndim else input.prod()
    return product if dtype is None else product.to(as_dtype(dtype))


@reduction
def logcumsumexp(input, dim):
    """log of the running sum of e^x along `dim`, without overflow."""
    axis = one_dim("logcumsumexp", dim, input.ndim)
    input = floating("logcumsumexp", input)
    return LogCumSumExp.apply(input, axis=axis) if input.ndim else input.clone()


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
    return _strips(y, x, dx, dim).sum(dim)


def cumulative_trapezoid(y, x=None, *, dx=1, dim=-1):
    """The area under the samples up to each of them but the first, see `trapezoid`."""
    check_tensor("cumulative_trapezoid", y=y)
    dim = check_dim("cumulative_trapezoid", dim, y.ndim)
    return _strips(y, x, dx, dim).cumsum(dim)


def _strips(y, x, dx, dim):
    """The areas between neighbouring samples."""
    size = max(y.shape[dim] - 1, 0)
    heights = (y.narrow(dim, 0, size) + y.narrow(dim, y.shape[dim] - size, size)) / 2
    if x is None:
        return heights * dx
    check_tensor("trapezoid", x=x)
    if x.ndim == 1:
        x = x.reshape([-1 if d == dim else 1 for d in range(y.ndim)])
    return heights * diff(x, dim=dim)


trapz = trapezoid


def gradient(input, *, spacing=1, dim=None, edge_order=1):
    """The slopes of the samples `input` along each of the dimensions `dim`, by default all: a tuple.

    Inside, half of the difference of both neighbours; at the ends the difference of the last two, or with `edge_order` 2 the
    slope of the parabola through the last three. `spacing`: the distance of neighbours, one number or one for each of dim.
    """
    check_tensor("gradient", input=input)
    dims = range(input.ndim) if dim is None else check_dims("gradient", dim, input.ndim, "dim")
    spaces = list(spacing) if isinstance(spacing, (tuple, list)) else [spacing] * len(dims)
    if len(spaces) != len(dims) or not all(isinstance(s, (int, float)) for s in spaces):
        raise RuntimeError(f"gradient: spacing must be one number, or {len(dims)}, got {spacing}")
    if edge_order not in (1, 2):
        raise RuntimeError(f"gradient: edge_order must be 1 or 2, got {edge_order}")
    slopes = []
    for d, space in zip(dims, spaces):
        if input.shape[d] <= edge_order:
            raise RuntimeError(f"gradient: dim {d} of input {input.shape} must be larger than edge_order, {edge_order}")
        step = diff(floating("gradient", input), dim=d) / space
        n = step.shape[d]
        ends = [step.narrow(d, 0, 1), step.narrow(d, n - 1, 1)]
        if edge_order == 2:
            ends = [1.5 * ends[0] - 0.5 * step.narrow(d, 1, 1), 1.5 * ends[1] - 0.5 * step.narrow(d, n - 2, 1)]
        slopes.append(cat([ends[0], (step.narrow(d, 0, n - 1) + step.narrow(d, 1, n - 1)) / 2, ends[1]], d))
    return tuple(slopes)


twin(cumprod, rereads=True)

__all__ = ["cummax", "cummin", "cumprod", "cumulative_trapezoid", "diff", "gradient", "logcumsumexp", "trapezoid", "trapz"]
