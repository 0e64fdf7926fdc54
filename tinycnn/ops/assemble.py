"""Convenient ways to take tensors apart and to put them together, all made of `rearrange.py` and `shape.py`."""
import itertools

import numpy as np

from ..engine.arrays import array_module
from ..engine.dtype import int64, result_type
from ..engine.checks import check_tensor, whole
from ..engine.tensor import Tensor, method, wrap
from .creation import arange, place, zeros
from .rearrange import cat, diag, flip, split, stack, vstack
from .shape import check_dim, check_dims, meshgrid, movedim, ravel, reshape


# ---- at least so many dimensions -------------------------------------------------------------------------------------

def _at_least(name, shape_of, text):
    def at_least(*tensors):
        several = len(tensors) != 1 or isinstance(tensors[0], (tuple, list))
        tensors = tensors[0] if len(tensors) == 1 and several else tensors
        for x in tensors:
            check_tensor(name, tensors=x)
        results = tuple(reshape(x, shape_of(x.shape)) for x in tensors)
        return results if several else results[0]
    at_least.__name__ = at_least.__qualname__ = name
    at_least.__doc__ = text + " Several tensors, or a list of them, give a tuple."
    return at_least


_ROOM = {0: lambda s: (1, 1, 1), 1: lambda s: (1, *s, 1), 2: lambda s: (*s, 1)}

atleast_1d = _at_least("atleast_1d", lambda s: s or (1,), "A number as a vector.")
atleast_2d = _at_least("atleast_2d", lambda s: s if len(s) > 1 else (1, *(s or (1,))), "A number or a vector as one row.")
atleast_3d = _at_least("atleast_3d", lambda s: _ROOM.get(len(s), tuple)(s), "A vector (N,) as (1, N, 1), a matrix (N, M) as "
                       "(N, M, 1).")


# ---- joining ---------------------------------------------------------------------------------------------------------

def dstack(tensors):
    """`cat` along the third dimension, after `atleast_3d`."""
    return cat(atleast_3d(list(tensors)), 2)


def column_stack(tensors):
    """`cat` along dim 1, with numbers and vectors as columns."""
    return cat([reshape(x, -1, 1) if x.ndim < 2 else x for x in tensors], 1)


row_stack = vstack


def block_diag(*tensors):
    """One matrix with the given matrices along its diagonal; vectors are rows, a number is a 1 by 1 matrix."""
    blocks = atleast_2d(list(tensors))
    for x in blocks:
        if x.ndim != 2:
            raise RuntimeError(f"block_diag: expected at most 2 dimensions, got shape {x.shape}")
    width, rows, before = sum(x.shape[1] for x in blocks), [], 0
    dtype = result_type(*blocks)
    for x in blocks:
        after = width - before - x.shape[1]
        sides = [zeros(len(x), n, dtype=dtype, device=x.device) for n in (before, after)]
        rows.append(cat([sides[0], x.to(dtype), sides[1]], 1))
        before += x.shape[1]
    return cat(rows)


def cartesian_prod(*tensors):
    """Every combination of an element of each vector: (N * M * ..., number of vectors)."""
    if len(tensors) == 1:
        return tensors[0]
    return stack([ravel(grid) for grid in meshgrid(*tensors)], 1)


def combinations(input, r=2, with_replacement=False):
    """Every choice of r elements of a vector, in their order: (number of choices, r). `with_replacement`: also repeated."""
    check_tensor("combinations", input=input)
    if input.ndim != 1 or r < 0:
        raise RuntimeError(f"combinations: expected a vector and r >= 0, got shape {input.shape} and r = {r}")
    choose = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    places = np.array(list(choose(range(len(input)), r)), np.int64).reshape(-1, r)
    return input[wrap(places).to(input.device)]


def vander(x, N=None, increasing=False):  # noqa: N803 (PyTorch's name)
    """The powers N - 1, ..., 1, 0 of the elements of a vector, a row each; `increasing`: 0 to N - 1. N is len(x) if None."""
    check_tensor("vander", x=x)
    if x.ndim != 1:
        raise RuntimeError(f"vander: expected a vector, got shape {x.shape}")
    powers = arange(len(x) if N is None else N, device=x.device)
    return x.unsqueeze(1) ** (powers if increasing else flip(powers, 0))


# ---- taking apart ----------------------------------------------------------------------------------------------------

@method("tensor_split")
def tensor_split(x, indices_or_sections, dim=0):
    """Views of x along `dim`: a number of nearly equal parts, or cut before each of the given indices."""
    check_tensor("tensor_split", x=x)
    dim, wanted = check_dim("tensor_split", dim, x.ndim), indices_or_sections
    size = x.shape[dim]
    if isinstance(wanted, Tensor):
        wanted = wanted.tolist()
    if not isinstance(wanted, (tuple, list)):
        parts = whole(wanted)
        if parts < 1:
            raise RuntimeError(f"tensor_split: the number of parts must be positive, got {parts}")
        return split(x, [size // parts + (i < size % parts) for i in range(parts)], dim)
    ends = [slice(None, i).indices(size)[1] for i in wanted] + [size]
    return tuple(x.narrow(dim, begin, max(end - begin, 0)) for begin, end in zip([0, *ends], ends))


def _cut(name, dim_of, least):
    def cut(x, indices_or_sections):
        check_tensor(name, x=x)
        if x.ndim < least:
            raise RuntimeError(f"{name}: expected at least {least} dimensions, got shape {x.shape}")
        dim = dim_of(x)
        if not isinstance(indices_or_sections, (tuple, list, Tensor)) and x.shape[dim] % indices_or_sections:
            raise RuntimeError(f"{name}: {indices_or_sections} parts do not divide {x.shape[dim]}, the size of dim {dim}")
        return tensor_split(x, indices_or_sections, dim)
    cut.__name__ = cut.__qualname__ = name
    cut.__doc__ = "`tensor_split` into equal parts, or before the given indices, along the " + {
        "hsplit": "columns (the only dimension of a vector).", "vsplit": "rows.", "dsplit": "third dimension."}[name]
    return method(name)(cut)


hsplit = _cut("hsplit", lambda x: min(x.ndim - 1, 1), 1)
vsplit = _cut("vsplit", lambda x: 0, 2)
dsplit = _cut("dsplit", lambda x: 2, 3)


# ---- flips, diagonals, triangles -------------------------------------------------------------------------------------

@method("fliplr")
def fliplr(x):
    """The columns of x backwards."""
    check_tensor("fliplr", x=x)
    return flip(x, check_dim("fliplr", 1, x.ndim))


@method("flipud")
def flipud(x):
    """The rows of x backwards."""
    check_tensor("flipud", x=x)
    return flip(x, check_dim("flipud", 0, x.ndim))


@method("diagflat")
def diagflat(x, offset=0):
    """The elements of x, in order, as diagonal `offset` of a square matrix of zeros."""
    check_tensor("diagflat", x=x)
    return diag(ravel(x), offset)


@method("diag_embed")
def diag_embed(x, offset=0, dim1=-2, dim2=-1):
    """The last dimension of x as diagonal `offset` of square matrices of zeros, whose rows are `dim1`, columns `dim2`."""
    check_tensor("diag_embed", x=x)
    dims = check_dims("diag_embed", (dim1, dim2), x.ndim + 1)
    size, places = x.shape[-1] + abs(offset), arange(x.shape[-1], device=x.device)
    y = zeros(*x.shape[:-1], size, size, dtype=x.dtype, device=x.device)
    y[..., places + max(-offset, 0), places + max(offset, 0)] = x
    return movedim(y, (-2, -1), dims)


def _triangle_indices(name, lower, text):
    def indices(row, col, offset=0, *, dtype=int64, device=None):
        rows, columns = arange(row, device=device).array, arange(col, device=device).array
        distance = columns - rows[:, None] - offset
        places = (distance <= 0 if lower else distance >= 0).nonzero()
        return place(array_module(rows).stack(places).astype(dtype, copy=False), device, False)
    indices.__name__ = indices.__qualname__ = name
    indices.__doc__ = text
    return indices


tril_indices = _triangle_indices("tril_indices", True, "The rows and columns (2, N) of the lower triangle of a row by col "
                                 "matrix, up to and with diagonal `offset`.")
triu_indices = _triangle_indices("triu_indices", False, "The rows and columns (2, N) of the upper triangle of a row by col "
                                 "matrix, from diagonal `offset` on.")


@method("argwhere")
def argwhere(x):
    """The positions of the elements that are not zero, a row for each (N, x.ndim)."""
    check_tensor("argwhere", x=x)
    return wrap(array_module(x.array).argwhere(x.array))


__all__ = ["argwhere", "atleast_1d", "atleast_2d", "atleast_3d", "block_diag", "cartesian_prod", "column_stack",
           "combinations", "diag_embed", "diagflat", "dsplit", "dstack", "fliplr", "flipud", "hsplit", "row_stack",
           "tensor_split", "tril_indices", "triu_indices", "vander", "vsplit"]
