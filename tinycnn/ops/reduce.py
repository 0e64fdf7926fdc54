"""Reductions: sum, product, mean, variance, norm, along some dimensions or all. Maxima are in `extreme.py`.

A reduction makes one number out of many; backward hands that number's gradient back to the many. In every Function the
gradient dy first gets the reduced axes back with size 1 (`ctx.kept`), so that broadcasting against x does the handing out.

float16 is added up in float32 and rounded once, on every device: see `engine/half.py`. That is what `wide=True` says, here
and wherever else numbers are summed.
"""
import builtins
import functools
import math

from ..engine.arrays import array_module, as_array
from ..engine.dtype import as_dtype, int64
from ..engine.function import Function
from ..engine.half import wide
from ..engine.checks import check_floating, check_tensor, whole
from ..engine.tensor import method, wrap
from .inplace import twin
from .selection import where
from .unary import Staircase, abs, floating


class Sum(Function, wide=True):
    """y_k = sum_i x_ki.  Every x_ki has weight 1 in y_k: dx_ki = dy_k."""

    @staticmethod
    def forward(ctx, x, axes, keepdim):
        ctx.shape, ctx.kept = x.shape, kept_shape(x.shape, axes)
        return x.sum(axis=axes, keepdims=keepdim, dtype=x.dtype if x.dtype.kind == "f" else int64)

    @staticmethod
    def backward(ctx, dy):
        return array_module(dy).broadcast_to(dy.reshape(ctx.kept), ctx.shape)


class Prod(Function, wide=True):
    """y = x_1 x_2 ... x_n along one axis.  dx_i = dy times the product of all the others.

    The product of the others is y / x_i only where x_i is not 0. Without division: what stands before i, times what stands
    after i, both read off running products. Cost: two such passes; x is kept.
    """

    @staticmethod
    def forward(ctx, x, axis, keepdim):
        ctx.axis, ctx.kept = axis, kept_shape(x.shape, (axis,))
        ctx.save_for_backward(x)
        return x.prod(axis=axis, keepdims=keepdim, dtype=x.dtype if x.dtype.kind == "f" else int64)

    @staticmethod
    def backward(ctx, dy):
        (x,) = ctx.saved_tensors
        xp, axis = array_module(x), ctx.axis
        first, but_last, but_first = ((slice(None),) * axis + (s,) for s in (slice(1), slice(-1), slice(1, None)))
        one = xp.ones_like(x[first])
        before = xp.cumprod(xp.concatenate([one, x[but_last]], axis), axis)
        after = xp.flip(xp.cumprod(xp.flip(xp.concatenate([x[but_first], one], axis), axis), axis), axis)
        return dy.reshape(ctx.kept) * before * after

    @staticmethod
    def backward_recorded(ctx, dy):
        (x,) = ctx.saved_tensors  # all the others: for every i a copy of x with 1 in place i, n^2 numbers
        own = wrap(array_module(x.array).eye(x.shape[ctx.axis], dtype=builtins.bool))
        others = where(own, 1.0, x.movedim(ctx.axis, -1).unsqueeze(-2)).prod(-1).movedim(-1, ctx.axis)
        return dy.reshape(ctx.kept) * others


class Var(Function, wide=True):
    """y = sum_i (x_i - m)^2 / (n - c), with the mean m of the n numbers and the correction c.

    m depends on every x_j, but its term vanishes: dy/dm is proportional to sum_i (x_i - m) = 0. So
    dx_i = dy 2 (x_i - m) / (n - c). Kept: x alone; x - m is computed again.
    """

    @staticmethod
    def forward(ctx, x, axes, correction, keepdim):
        ctx.axes, ctx.divisor = axes, builtins.max(_count(x, axes) - correction, 0)
        ctx.save_for_backward(x)
        return (_centred(x, axes) ** 2).sum(axis=axes, keepdims=keepdim) / ctx.divisor

    @staticmethod
    def backward(ctx, dy):
        (x,) = ctx.saved_tensors
        return dy.reshape(kept_shape(x.shape, ctx.axes)) * 2 / ctx.divisor * _centred(x, ctx.axes)


class Std(Function, wide=True):
    """y = sqrt(var x).  dx_i = d(var)_i / (2 y) = dy (x_i - m) / ((n - c) y); 0 is taken where y = 0."""

    @staticmethod
    def forward(ctx, x, axes, correction, keepdim):
        ctx.axes, ctx.divisor = axes, builtins.max(_count(x, axes) - correction, 0)
        y = as_array(array_module(x).sqrt((_centred(x, axes) ** 2).sum(axis=axes, keepdims=keepdim) / ctx.divisor), x)
        ctx.save_for_backward(x, y)
        return y

    @staticmethod
    def backward(ctx, dy):
        x, y = ctx.saved_tensors
        dy = dy / (ctx.divisor * (y + (y == 0)))
        return dy.reshape(kept_shape(x.shape, ctx.axes)) * _centred(x, ctx.axes)


def _count(x, axes):
    return math.prod(x.shape[a] for a in axes)


def _centred(x, axes):
    """x minus its mean along the axes."""
    return x - x.sum(axis=axes, keepdims=True) / _count(x, axes)


class Norm(Function, wide=True):
    """y = (sum_i |x_i|^p)^(1/p), p > 0.  dx_i = dy sign(x_i) (|x_i| / y)^(p-1); 0 is taken where x_i = 0.

    From dy/dx_i = (1/p) (sum)^(1/p - 1) p |x_i|^(p-1) sign(x_i) = sign(x_i) |x_i|^(p-1) / y^(p-1). For p = 2 this is x / y.
    """

    @staticmethod
    def forward(ctx, x, p, axes, keepdim):
        xp = array_module(x)
        ctx.p, ctx.kept = p, kept_shape(x.shape, axes)
        y = as_array((xp.abs(x) ** p).sum(axis=axes, keepdims=keepdim) ** (1 / p), x)
        ctx.save_for_backward(x, y)
        return y

    @staticmethod
    def backward(ctx, dy):
        x, y = ctx.saved_tensors
        xp = array_module(x)
        dy, y = dy.reshape(ctx.kept), (y + (y == 0)).reshape(ctx.kept)
        if ctx.p == 2:
            return dy / y * x
        size = xp.abs(x)
        return dy * xp.sign(x) * ((size + (size == 0)) / y) ** (ctx.p - 1)


class LogSumExp(Function, wide=True):
    """y = log(sum_i e^x_i), a smooth maximum.  dx_i = dy e^x_i / sum_j e^x_j: the softmax.

    Subtracting the largest x first changes nothing in the result, and no exponential can overflow. In the gradient y is
    subtracted, with which the exponentials already sum to 1, but for the rounding of y: of two numbers near 10^9 it cannot
    tell e^y from either e^x, which is half of it.
    """

    @staticmethod
    def forward(ctx, x, axes, keepdim):
        xp = array_module(x)
        ctx.axes, ctx.kept = axes, kept_shape(x.shape, axes)
        largest = x.max(axis=axes, keepdims=True) if x.size else xp.zeros(ctx.kept, x.dtype)
        largest = xp.where(xp.isfinite(largest), largest, 0)
        y = xp.log(xp.exp(x - largest).sum(axis=axes, keepdims=True)) + largest
        y = y if keepdim else y.reshape(dropped_shape(x.shape, axes))
        ctx.save_for_backward(x, y)
        return y

    @staticmethod
    def backward(ctx, dy):
        x, y = ctx.saved_tensors
        xp, y = array_module(x), y.reshape(ctx.kept)
        e = xp.where(x == y, 1.0, xp.exp(x - y))  # 1, where both are the same infinity, too
        return dy.reshape(ctx.kept) * (e / e.sum(ctx.axes, keepdims=True))


class Cumsum(Function, wide=True):
    """y_k = x_1 + ... + x_k along one axis.  x_i is part of all y_k from k = i on: dx_i = dy_i + dy_(i+1) + ... + dy_n."""

    @staticmethod
    def forward(ctx, x, axis):
        ctx.axis = axis
        return array_module(x).cumsum(x, axis=axis, dtype=x.dtype if x.dtype.kind == "f" else int64)

    @staticmethod
    def backward(ctx, dy):
        xp = array_module(dy)
        return xp.flip(xp.cumsum(xp.flip(dy, ctx.axis), axis=ctx.axis), ctx.axis)


# ---- dimensions ------------------------------------------------------------------------------------------------------

def one_dim(function, dim, ndim):
    """`dim` counted from the front; IndexError where there is none. A 0-d tensor counts as having one dimension."""
    try:
        dim = whole(dim)
    except TypeError:
        raise TypeError(f"{function}: dim must be an integer, got {dim!r}") from None
    size = builtins.max(ndim, 1)
    if not -size <= dim < size:
        raise IndexError(f"{function}: dim must be from {-size} to {size - 1} for a tensor of {ndim} dimensions, got {dim}")
    return dim % size


def several_dims(function, dim, ndim):
    """`dim`, a number, several, or None (or an empty tuple) for all, as a tuple of numbers counted from the front."""
    if dim is None or (isinstance(dim, (tuple, list)) and len(dim) == 0):
        return tuple(range(ndim))
    dims = [one_dim(function, d, ndim) for d in (dim if isinstance(dim, (tuple, list)) else (dim,))]
    if len(set(dims)) < len(dims):
        raise RuntimeError(f"{function}: dim {dim} names one dimension twice")
    return tuple(dims) if ndim else ()


def kept_shape(shape, axes):
    """`shape` with size 1 at the axes."""
    return tuple(1 if i in axes else n for i, n in enumerate(shape))


def dropped_shape(shape, axes):
    """`shape` without the axes."""
    return tuple(n for i, n in enumerate(shape) if i not in axes)


def check_keepdim(function, keepdim):
    if not isinstance(keepdim, builtins.bool):
        raise TypeError(f"{function}: keepdim must be True or False, got {keepdim!r}; several dims go into a tuple")


def reduction(function):
    """Make the function a method of Tensor, check that `input` is one, and accept NumPy's `axis` and `keepdims` as well."""
    name = function.__name__

    @functools.wraps(function)
    def reduction(input, *args, **options):
        check_tensor(name, input=input)
        for alias, word in (("axis", "dim"), ("keepdims", "keepdim")):
            if alias in options:
                options[word] = options.pop(alias)
        return function(input, *args, **options)
    return method(name)(reduction)


# ---- the functions a user calls --------------------------------------------------------------------------------------

# `dim` is an int, a tuple of them, negative ones counted from the back, or None for all; `keepdim` leaves the reduced
# dimensions with size 1.

@reduction
def sum(input, dim=None, keepdim=False, *, dtype=None):
    """The sum along `dim`, by default of all elements; bool and integers give int64.

    `dtype`, here and in the functions below: convert first, and give that.
    """
    return _converted(reduce("sum", Sum, _converted(input, dtype), dim, keepdim), dtype)


@reduction
def mean(input, dim=None, keepdim=False, *, dtype=None):
    """The mean along `dim`, by default of all elements; NaN of none. TypeError for integers, unless `dtype` is floating."""
    input = _converted(input, dtype)
    check_floating("mean", input=input)
    return _mean(input, dim, keepdim)


@wide
def _mean(input, dim, keepdim):
    """The sum divided by the number of elements; what is rounded is the mean, as the sum may be too large for float16."""
    count = math.prod(input.shape[a] for a in several_dims("mean", dim, input.ndim))
    return reduce("mean", Sum, input, dim, keepdim) / count


@reduction
def nansum(input, dim=None, keepdim=False, *, dtype=None):
    """`sum` with NaN counted as 0."""
    return sum(where(input.isnan(), 0, input), dim, keepdim, dtype=dtype)


@reduction
def prod(input, dim=None, keepdim=False, *, dtype=None):
    """The product along `dim` (one int), by default of all elements; bool and integers give int64."""
    input = _converted(input, dtype)
    if dim is None or input.ndim == 0:
        axis, input = one_dim("prod", dim or 0, 0), input.reshape(-1)
        keepdim = False
    else:
        axis = one_dim("prod", dim, input.ndim)
    check_keepdim("prod", keepdim)
    return _converted(Prod.apply(input, axis=axis, keepdim=keepdim), dtype)


@reduction
def var(input, dim=None, unbiased=None, keepdim=False, *, correction=None):
    """The variance along `dim`: squared distances from the mean, summed and divided by n - correction (default 1).

    `unbiased=False` is correction 0.
    """
    return _spread("var", Var, input, dim, unbiased, keepdim, correction)


@reduction
def std(input, dim=None, unbiased=None, keepdim=False, *, correction=None):
    """The standard deviation along `dim`, the square root of `var`, whose arguments it shares."""
    return _spread("std", Std, input, dim, unbiased, keepdim, correction)


@reduction
def var_mean(input, dim=None, unbiased=None, keepdim=False, *, correction=None):
    """The pair (var, mean)."""
    return (var(input, dim, unbiased, keepdim, correction=correction),
            mean(input, None if isinstance(dim, builtins.bool) else dim, keepdim))


@reduction
def std_mean(input, dim=None, unbiased=None, keepdim=False, *, correction=None):
    """The pair (std, mean)."""
    return (std(input, dim, unbiased, keepdim, correction=correction),
            mean(input, None if isinstance(dim, builtins.bool) else dim, keepdim))


@reduction
def norm(input, p="fro", dim=None, keepdim=False, dtype=None):
    """(sum |x|^p)^(1/p) along `dim`, by default over all elements. p = "fro" is 2; inf and -inf give the largest and the
    smallest |x|, 0 the number of elements that are not 0."""
    input = _converted(input, dtype)
    check_floating("norm", input=input)
    p = {"fro": 2, None: 2}.get(p, p)
    if not isinstance(p, (int, float)):
        raise ValueError(f"norm: p must be a number or 'fro', got {p!r}")
    if p in (math.inf, -math.inf):
        return abs(input).amax(dim, keepdim) if p > 0 else abs(input).amin(dim, keepdim)
    if p == 0:
        return sum(Staircase.apply(input, function=lambda x: (x != 0).astype(x.dtype)), dim, keepdim)
    return reduce("norm", Norm, input, dim, keepdim, p=float(p))


@reduction
def logsumexp(input, dim, keepdim=False):
    """log(sum(e^x)) along `dim`, without overflow."""
    input = floating("logsumexp", input)
    return reduce("logsumexp", LogSumExp, input, dim, keepdim)


@reduction
def any(input, dim=None, keepdim=False):
    """Whether an element along `dim`, by default of all, is not 0."""
    return _test("any", input, dim, keepdim)


@reduction
def all(input, dim=None, keepdim=False):
    """Whether every element along `dim`, by default of all, is not 0."""
    return _test("all", input, dim, keepdim)


@reduction
def count_nonzero(input, dim=None):
    """How many elements along `dim`, by default of all, are not 0."""
    x = input.array
    return wrap(as_array((x != 0).sum(axis=several_dims("count_nonzero", dim, x.ndim), dtype=int64), x))


@reduction
def cumsum(input, dim, *, dtype=None):
    """The running sum along `dim`; bool and integers give int64."""
    axis, input = one_dim("cumsum", dim, input.ndim), _converted(input, dtype)
    return _converted(Cumsum.apply(input, axis=axis) if input.ndim else Sum.apply(input, axes=(), keepdim=False), dtype)


# ---- what they share -------------------------------------------------------------------------------------------------

def _converted(input, dtype):
    return input if dtype is None else input.to(as_dtype(dtype))


def reduce(name, function, input, dim, keepdim, **options):
    axes = several_dims(name, dim, input.ndim)
    check_keepdim(name, keepdim)
    return function.apply(input, axes=axes, keepdim=keepdim, **options)


def _spread(name, function, input, dim, unbiased, keepdim, correction):
    if isinstance(dim, builtins.bool):  # var(x, False) means unbiased=False
        dim, unbiased = None, dim
    if unbiased is not None and correction is not None:
        raise ValueError(f"{name}: unbiased and correction say the same, give one of them")
    if correction is None:
        correction = 0 if unbiased is False else 1
    check_floating(name, input=input)
    return reduce(name, function, input, dim, keepdim, correction=float(correction))


def _test(name, input, dim, keepdim):
    check_keepdim(name, keepdim)
    x = input.array
    return wrap(as_array(getattr(x, name)(axis=several_dims(name, dim, x.ndim), keepdims=keepdim), x))


twin(cumsum)

__all__ = ["all", "any", "count_nonzero", "cumsum", "logsumexp", "mean", "nansum", "norm", "prod", "std", "std_mean", "sum",
           "var", "var_mean"]
