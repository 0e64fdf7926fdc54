"""Order statistics, histograms and searches: what sorting tells about the values.

An order statistic is one of the elements, found through their order and then gathered; so it passes its gradient to that
element, and there is no new gradient here.
"""
from collections import namedtuple

import numpy as np

from ..engine.arrays import array_module, as_array
from ..engine.dtype import int32, int64
from ..engine.half import wide
from ..engine.checks import check_floating, check_tensor, whole
from ..engine.tensor import Tensor, method, wrap
from .comparison import isnan
from .extreme import amax, amin
from .gather import gather
from .reduce import mean, one_dim, reduction, sum
from .running import running_argument
from .selection import where
from .shape import check_dim, ravel, reshape
from .sort import argsort, bincount, sort

Median = namedtuple("median", "values indices")
NanMedian = namedtuple("nanmedian", "values indices")
KthValue = namedtuple("kthvalue", "values indices")
Mode = namedtuple("mode", "values indices")
MinMax = namedtuple("aminmax", "min max")


# ---- one element by its rank -----------------------------------------------------------------------------------------

def _ranked(result, x, dim, keepdim, rank):
    """(values, indices) of the elements of x with `rank` along `dim`; rank is an array (..., 1), dim last, or a number."""
    if x.ndim == 0:
        return result(x.clone(), wrap(array_module(x.array).zeros((), int64)))
    xp = array_module(x.array)
    order = xp.moveaxis(argsort(x, dim).array, dim, -1)
    rank = xp.broadcast_to(xp.asarray(rank), (*order.shape[:-1], 1))
    indices = wrap(xp.moveaxis(xp.take_along_axis(order, rank, -1), -1, dim))
    values = gather(x, dim, indices)
    return result(values, indices) if keepdim else result(values.squeeze(dim), indices.squeeze(dim))


def _median(function, result, x, dim, keepdim, skip_nan):
    if dim is None:
        if x.numel() == 0:
            raise IndexError(f"{function}: input of shape {x.shape} has no elements to choose from")
        value = _median(function, result, ravel(x), 0, False, skip_nan).values.detach()
        return amax(x[(x == value) | (isnan(x) & isnan(value))])
    dim, size = one_dim(function, dim, x.ndim), x.shape[dim] if x.ndim else 1
    if size == 0:
        raise IndexError(f"{function}: dim {dim} of input {x.shape} has no elements to choose from")
    xp = array_module(x.array)
    missing = xp.moveaxis(isnan(x).array, dim, -1).sum(-1, keepdims=True) if x.ndim else 0   # NaN is sorted to the end
    if skip_nan:
        rank = xp.maximum(size - missing - 1, 0) // 2
    else:
        rank = xp.where(missing > 0, size - 1, (size - 1) // 2)
    return _ranked(result, x, dim, keepdim, rank)


@reduction
def median(input, dim=None, keepdim=False):
    """The middle element, of two the lower; NaN if there is one. Along `dim`, the pair (values, indices).

    Without `dim`, elements equal to the median share its gradient.
    """
    return _median("median", Median, input, dim, keepdim, False)


@reduction
def nanmedian(input, dim=None, keepdim=False):
    """`median` of the elements that are not NaN."""
    return _median("nanmedian", NanMedian, input, dim, keepdim, True)


@reduction
def kthvalue(input, k, dim=-1, keepdim=False):
    """(values, indices) of the k-th smallest element along `dim`, counted from 1."""
    dim, k = one_dim("kthvalue", dim, input.ndim), whole(k)
    size = input.shape[dim] if input.ndim else 1
    if not 1 <= k <= size:
        raise RuntimeError(f"kthvalue: k must be from 1 to {size}, the size of dimension {dim}, got {k}")
    return _ranked(KthValue, input, dim, keepdim, k - 1)


@reduction
def mode(input, dim=-1, keepdim=False):
    """(values, indices) of the most frequent element along `dim`: of several the smallest, and of it the last."""
    dim = one_dim("mode", dim, input.ndim)
    if input.ndim == 0:
        return _ranked(Mode, input, dim, keepdim, 0)
    if input.shape[dim] == 0:
        raise IndexError(f"mode: dim {dim} of input {input.shape} has no elements to choose from")
    xp = array_module(input.array)
    x = xp.sort(xp.moveaxis(input.array, dim, -1), -1)
    place = xp.arange(x.shape[-1])
    begins = xp.concatenate([xp.ones_like(x[..., :1], dtype=bool), x[..., 1:] != x[..., :-1]], -1)
    length = place - running_argument(xp.where(begins, place, -1), lambda a, b: a > b)   # of the run so far, less 1
    return _ranked(Mode, input, dim, keepdim, length.argmax(-1)[..., None])


@reduction
def quantile(input, q, dim=None, keepdim=False, *, interpolation="linear"):
    """The value below which the part q (from 0 to 1) of the elements lies, along `dim` or of all; NaN if there is one.

    `q` is a number, or a vector whose length becomes the first dimension. Between two elements: `interpolation` "linear",
    "lower", "higher", "midpoint" or "nearest".
    """
    return _quantile("quantile", input, q, dim, keepdim, interpolation, skip_nan=False)


@reduction
def nanquantile(input, q, dim=None, keepdim=False, *, interpolation="linear"):
    """`quantile` of the elements that are not NaN."""
    return _quantile("nanquantile", input, q, dim, keepdim, interpolation, skip_nan=True)


def _quantile(function, input, q, dim, keepdim, interpolation, skip_nan):
    check_floating(function, input=input)
    if interpolation not in ("linear", "lower", "higher", "midpoint", "nearest"):
        raise RuntimeError(f"{function}: interpolation must be 'linear', 'lower', 'higher', 'midpoint' or 'nearest', got "
                           f"{interpolation!r}")
    ndim = input.ndim
    axis = None if dim is None else one_dim(function, dim, ndim)
    x = ravel(input) if axis is None or ndim == 0 else input.movedim(axis, -1)
    if x.shape[-1] == 0:
        raise RuntimeError(f"{function}: input of shape {input.shape} has no elements to choose from")
    xp = array_module(x.array)
    parts = q.array if isinstance(q, Tensor) else xp.asarray(q, x.dtype)
    if parts.ndim > 1:
        raise RuntimeError(f"{function}: q must be a number or a vector, got shape {parts.shape}")
    if xp is np and parts.size and not (parts.min() >= 0 and parts.max() <= 1):
        raise RuntimeError(f"{function}: q must be from 0 to 1, got {q}")
    missing = xp.isnan(x.array).sum(-1, keepdims=True)  # sorting puts NaN last
    if skip_nan:
        place = parts.reshape(-1) * xp.maximum(x.shape[-1] - 1 - missing, 0)
    else:
        place = xp.where(missing > 0, 1, parts.reshape(-1)) * (x.shape[-1] - 1)
    place = place.astype(x.dtype, copy=False)
    if interpolation == "nearest":
        place = xp.around(place)
    below, above = xp.floor(place), xp.ceil(place)
    values = sort(x).values
    low, high = (gather(values, -1, wrap(i.astype(int64))) for i in (below, above))
    if interpolation in ("linear", "midpoint"):
        weight = place - below if interpolation == "linear" else xp.full_like(place, 0.5)
        late = wrap(weight >= 0.5)  # from the nearer end, so that between -infinity and a number is -infinity
        y = where(late, high, low) + (high - low) * wrap(xp.where(weight < 0.5, weight, weight - 1))
    else:
        y = high if interpolation == "higher" else low
    y = y.movedim(-1, 0)
    if keepdim:
        y = y.reshape(y.shape[0], *[1] * ndim) if axis is None else y.unsqueeze(axis + 1) if ndim else y
    return y if parts.ndim else y.squeeze(0)


# ---- of all elements -------------------------------------------------------------------------------------------------

@method("aminmax")
def aminmax(input, *, dim=None, keepdim=False):
    """The pair (min, max), along `dim` or of all elements."""
    check_tensor("aminmax", input=input)
    dim = () if dim is None else dim
    return MinMax(amin(input, dim, keepdim), amax(input, dim, keepdim))


@reduction
def nanmean(input, dim=None, keepdim=False, *, dtype=None):
    """The mean of the elements that are not NaN."""
    input = input if dtype is None else input.to(dtype=dtype)
    check_floating("nanmean", input=input)
    return _nanmean(input, dim, keepdim)


@wide
def _nanmean(input, dim, keepdim):
    missing = isnan(input)
    return sum(where(missing, 0, input), dim, keepdim) / sum(~missing, dim, keepdim)


@method("cov")
@wide
def cov(input, *, correction=1):
    """The covariances (R, R) of the R rows of input (R, N), or the variance of a vector; N - `correction` divides."""
    check_floating("cov", input=input)
    if input.ndim > 2:
        raise RuntimeError(f"cov: expected at most 2 dimensions, got shape {input.shape}")
    x = reshape(input, 1, -1) if input.ndim < 2 else input
    x = x - mean(x, 1, True)
    y = x @ x.t() / max(x.shape[1] - correction, 0)
    return y if input.ndim == 2 else reshape(y, ())


@method("corrcoef")
@wide
def corrcoef(input):
    """The correlations (R, R) of the R rows of input (R, N): covariances divided by both standard deviations."""
    c = cov(input)
    if input.ndim < 2:
        return c / c
    spread = c.diagonal().sqrt()
    return (c / spread.unsqueeze(1) / spread).clamp(-1, 1)


@method("histc")
def histc(input, bins=100, min=0, max=0):
    """How many elements fall into each of `bins` equal parts of [min, max], in the dtype of input. No gradient.

    Equal `min` and `max` stand for the smallest and the largest element; what lies outside is not counted.
    """
    check_floating("histc", input=input)
    x = input.array
    xp = array_module(x)
    if not min <= max or bins < 1:
        raise RuntimeError(f"histc: min must not exceed max and bins must be positive, got {min}, {max} and {bins}")
    if min == max and x.size:
        min, max = x.min().item(), x.max().item()
    if min == max:
        min, max = min - 1, max + 1
    return wrap(xp.histogram(x, bins, (min, max))[0].astype(x.dtype))


# ---- searching -------------------------------------------------------------------------------------------------------

def searchsorted(sorted_sequence, values, *, out_int32=False, right=False, side=None):
    """Where `values` belong in the sorted last dimension: the number of its elements below (with `right`: not above) them.

    A vector serves all values; otherwise all dimensions but the last must agree. `side` "left" or "right" is `right`.
    """
    check_tensor("searchsorted", sorted_sequence=sorted_sequence)
    if side not in (None, "left", "right"):
        raise RuntimeError(f"searchsorted: side must be 'left' or 'right', got {side!r}")
    right = right or side == "right"
    rows = sorted_sequence.array
    xp = array_module(rows)
    wanted = values.array if isinstance(values, Tensor) else xp.asarray(values)
    if rows.ndim == 1:
        places = xp.searchsorted(rows, wanted, side="right" if right else "left")
    elif rows.shape[:-1] != wanted.shape[:-1]:
        raise RuntimeError(f"searchsorted: sorted_sequence {rows.shape} must be a vector, or agree with values "
                           f"{wanted.shape} in all dimensions but the last")
    else:
        rows, column = rows[..., None, :], wanted[..., None]
        places = (rows <= column if right else rows < column).sum(-1)
    return wrap(as_array(places, rows).astype(int32 if out_int32 else int64, copy=False))


def bucketize(input, boundaries, *, out_int32=False, right=False):
    """The number of the interval between the sorted `boundaries` in which each element lies: `searchsorted` turned round."""
    return searchsorted(boundaries, input, out_int32=out_int32, right=right)


def isin(elements, test_elements, *, assume_unique=False, invert=False):
    """Where an element is one of `test_elements` (with `invert`: none of them); one of the two may be a number."""
    tensor, other = (elements, test_elements) if isinstance(elements, Tensor) else (test_elements, elements)
    check_tensor("isin", test_elements=tensor)
    if not isinstance(other, (Tensor, int, float, np.generic)):
        raise TypeError(f"isin: elements and test_elements must be Tensors, or one a number, got {type(other).__name__}")
    xp = array_module(tensor.array)
    x, known = (v.array if isinstance(v, Tensor) else xp.asarray(v) for v in (elements, test_elements))
    return wrap(as_array(xp.isin(x, known, invert=invert), tensor.array))


@method("unique_consecutive")
def unique_consecutive(x, return_inverse=False, return_counts=False, dim=None):
    """x (flat, or its slices along `dim`) without those that equal the one before; on request as `unique`. No gradient."""
    check_tensor("unique_consecutive", x=x)
    rows = ravel(x).array if dim is None else x.movedim(check_dim("unique_consecutive", dim, x.ndim), 0).array
    xp = array_module(rows)
    flat = rows.reshape(len(rows), -1)
    new = xp.concatenate([xp.ones(min(len(rows), 1), bool), (flat[1:] != flat[:-1]).any(1)])
    inverse = wrap(xp.cumsum(new, dtype=int64) - 1)
    values = wrap(rows[new] if dim is None else xp.moveaxis(rows[new], 0, dim))
    results = [values]
    if return_inverse:
        results.append(reshape(inverse, x.shape) if dim is None else inverse)
    if return_counts:
        results.append(bincount(inverse))
    return tuple(results) if len(results) > 1 else values


__all__ = ["aminmax", "bucketize", "corrcoef", "cov", "histc", "isin", "kthvalue", "median", "mode", "nanmean", "nanmedian",
           "nanquantile", "quantile", "searchsorted", "unique_consecutive"]
