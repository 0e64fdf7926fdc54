"""Sorting, counting and finding.

Which element goes where has no gradient; the sorted values are the elements of x, gathered, and so pass theirs back. Ties
keep their order.
"""
import collections

import numpy as np

from ..engine.arrays import array_module, as_array
from ..engine.checks import check_tensor, whole
from ..engine.tensor import method, wrap
from .gather import gather
from .indexing import narrow
from .shape import check_dim, reshape

Sorted = collections.namedtuple("sort", "values indices")
TopK = collections.namedtuple("topk", "values indices")


def _order(function, x, dim, descending):
    """The positions of the elements of x along `dim` in sorted order, as a Tensor."""
    check_tensor(function, x=x)
    dim = check_dim(function, dim, max(x.ndim, 1))
    xp = array_module(x.array)
    if x.ndim == 0:
        return wrap(xp.zeros((), np.int64)), dim
    if not descending:
        return wrap(xp.argsort(x.array, dim, kind="stable")), dim
    backwards = xp.flip(xp.argsort(xp.flip(x.array, dim), dim, kind="stable"), dim)  # so that ties keep their order
    return wrap(x.shape[dim] - 1 - backwards), dim


def _gather(x, dim, indices):
    return gather(x, dim, indices) if x.ndim else x.clone()


@method("argsort")
def argsort(x, dim=-1, descending=False, *, stable=True):
    """The positions of the elements along `dim` in ascending or descending order. Always stable."""
    return _order("argsort", x, dim, descending)[0]


@method("sort")
def sort(x, dim=-1, descending=False, *, stable=True):
    """(values, indices) of the elements along `dim` in ascending or descending order. Always stable."""
    indices, dim = _order("sort", x, dim, descending)
    return Sorted(_gather(x, dim, indices), indices)


@method("topk")
def topk(x, k, dim=-1, largest=True, sorted=True):
    """(values, indices) of the k largest (or smallest) elements along `dim`, which always come sorted."""
    indices, dim = _order("topk", x, dim, largest)
    size, k = x.shape[dim] if x.ndim else 1, whole(k)
    if not 0 <= k <= size:
        raise RuntimeError(f"topk: k must be from 0 to {size}, the size of dimension {dim}, got {k}")
    indices = narrow(indices, dim, 0, k) if x.ndim else indices
    return TopK(_gather(x, dim, indices), indices)


@method("msort")
def msort(x):
    """The elements sorted along the first dimension."""
    return sort(x, dim=0).values


@method("unique")
def unique(x, sorted=True, return_inverse=False, return_counts=False, dim=None):
    """The different elements of x (or slices along `dim`), sorted; on request also where each element went, and how often.

    No gradient.
    """
    check_tensor("unique", x=x)
    dim = None if dim is None else check_dim("unique", dim, x.ndim)
    values, inverse, counts = array_module(x.array).unique(x.array, return_inverse=True, return_counts=True, axis=dim)
    inverse = inverse.reshape(x.shape if dim is None else -1)
    results = [wrap(values)] + [wrap(inverse)] * return_inverse + [wrap(counts)] * return_counts
    return tuple(results) if len(results) > 1 else results[0]


@method("nonzero")
def nonzero(x, *, as_tuple=False):
    """The positions of the elements that are not zero: a row for each (N, x.ndim), or a vector for each dimension."""
    check_tensor("nonzero", x=x)
    positions = array_module(x.array).argwhere(x.array)
    if as_tuple:
        positions = positions if x.ndim else nonzero(reshape(x, 1)).array
        return tuple(wrap(column) for column in positions.T)
    return wrap(positions)


@method("bincount")
def bincount(x, weights=None, minlength=0):
    """How often each of 0, 1, ... occurs in the vector x of integers, or the sum of its `weights`. No gradient."""
    check_tensor("bincount", x=x)
    if x.ndim != 1 or x.dtype.kind not in "iu":
        raise RuntimeError(f"bincount: expected a vector of integers, got shape {x.shape} and dtype {x.dtype}")
    if weights is not None and weights.shape != x.shape:
        raise RuntimeError(f"bincount: weights must have the shape of x, {x.shape}, got {weights.shape}")
    xp = array_module(x.array)
    if xp is np and x.numel() and x.array.min() < 0:
        raise ValueError(f"bincount: x must not hold negative numbers, got {x.array.min()}")
    counts = xp.bincount(x.array, None if weights is None else weights.array, minlength)
    return wrap(counts if weights is None or weights.dtype != np.float32 else counts.astype(np.float32))


def unravel_index(indices, shape):
    """The positions, a tensor for each dimension, that `indices` into a flattened tensor of this shape mean."""
    check_tensor("unravel_index", indices=indices)
    if indices.dtype.kind not in "iu":
        raise ValueError(f"unravel_index: indices must hold integers, got {indices.dtype}")
    rest, positions = indices.array, []
    xp = array_module(rest)
    if xp is np and rest.size and not 0 <= rest.min() <= rest.max() < np.prod(shape):
        raise ValueError(f"unravel_index: indices from {rest.min()} to {rest.max()} lie outside shape {tuple(shape)}")
    for size in reversed(shape):
        positions.append(wrap(as_array(rest % size, indices.array)))
        rest = rest // size
    return tuple(reversed(positions))


__all__ = ["argsort", "bincount", "msort", "nonzero", "sort", "topk", "unique", "unravel_index"]
