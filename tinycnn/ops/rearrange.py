"""Tensors joined and taken apart, and elements in another place: flipped, rolled, cut to triangles and diagonals.

An element that appears in y passes its gradient back to where it came from; one that does not appear gets zero. Joining
(`Cat`) and taking apart (`Split`) are each other's gradient.
"""
import itertools

from ..engine import arrays
from ..engine.arrays import array_module
from ..engine.dtype import result_type
from ..engine.function import Function
from ..engine.checks import check_tensor, whole
from ..engine.tensor import method
from .creation import clone
from .inplace import twin
from .shape import check_dim, check_dims, integers, movedim, ravel, reshape, squeeze, transpose, unsqueeze


# ---- the operations --------------------------------------------------------------------------------------------------

def along(dim, sizes):
    """The index of each of the parts, of `sizes`, that lie one after the other along `dim`."""
    ends = list(itertools.accumulate(sizes))
    return [(slice(None),) * dim + (slice(end - size, end),) for size, end in zip(sizes, ends)]


class Cat(Function):
    """The tensors xs one after the other along `dim`.  Each dx is the part of dy where its x stands."""

    @staticmethod
    def forward(ctx, *xs, dim):
        ctx.parts = along(dim, [x.shape[dim] for x in xs])
        return array_module(xs[0]).concatenate(xs, dim)

    @staticmethod
    def backward(ctx, dy):
        return [dy[part] for part in ctx.parts]


class Split(Function):
    """x cut along `dim` into views ys of the given sizes.  dx is the dys one after the other."""

    @staticmethod
    def forward(ctx, x, sizes, dim):
        ctx.dim = dim
        return tuple(x[part] for part in along(dim, sizes))

    @staticmethod
    def backward(ctx, *dys):
        return array_module(dys[0]).concatenate(dys, ctx.dim)


class Flip(Function):
    """y[i] = x[n - 1 - i] along each of `dims` (a copy, as in PyTorch).  Flipping is its own inverse: dx = flip(dy)."""

    @staticmethod
    def forward(ctx, x, dims):
        ctx.dims = dims
        return array_module(x).flip(x, dims).copy()

    @staticmethod
    def backward(ctx, dy):
        return array_module(dy).flip(dy, ctx.dims)


class Roll(Function):
    """y[(i + shift) mod n] = x[i] along each of `dims`.  So dx[i] = dy[(i + shift) mod n]: rolled back."""

    @staticmethod
    def forward(ctx, x, shifts, dims):
        ctx.back = tuple(-s for s in shifts), dims
        return array_module(x).roll(x, shifts, dims)

    @staticmethod
    def backward(ctx, dy):
        return array_module(dy).roll(dy, *ctx.back)


class Triangle(Function):
    """The lower or upper triangle of every matrix x (..., N, M), up to and with diagonal k; zeros elsewhere.

    An entry that is kept passes its gradient, one that is dropped gets none: dx is the same triangle of dy.
    """

    @staticmethod
    def forward(ctx, x, lower, k):
        ctx.lower, ctx.k = lower, k
        xp = array_module(x)
        return (xp.tril if lower else xp.triu)(x, k)

    @staticmethod
    def backward(ctx, dy):
        return Triangle.forward(ctx, dy, ctx.lower, ctx.k)


def _diagonal_index(xp, n, k):
    """Rows and columns of the n entries of diagonal k: above the main diagonal where k > 0, below where k < 0."""
    i = xp.arange(n)
    return i + max(-k, 0), i + max(k, 0)


class Diagonal(Function):
    """y[..., i] = x[..., i, i + k], with rows and columns the dimensions dim1 and dim2 of x (a view).

    dx is dy on that diagonal and zero elsewhere.
    """

    @staticmethod
    def forward(ctx, x, k, dim1, dim2):
        ctx.shape, ctx.k, ctx.dims = x.shape, k, (dim1, dim2)
        return arrays.diagonal(x, k, dim1, dim2)

    @staticmethod
    def backward(ctx, dy):
        xp = array_module(dy)
        dx = xp.zeros(ctx.shape, dy.dtype)
        rows, columns = _diagonal_index(xp, dy.shape[-1], ctx.k)
        xp.moveaxis(dx, ctx.dims, (-2, -1))[..., rows, columns] = dy
        return dx

    @staticmethod
    def backward_recorded(ctx, dy):
        others = [n for d, n in enumerate(ctx.shape) if d not in ctx.dims]
        dx = dy.new_zeros(*others, *(ctx.shape[d] for d in ctx.dims))
        dx[(..., *_diagonal_index(array_module(dx.array), dy.shape[-1], ctx.k))] = dy
        return movedim(dx, (-2, -1), ctx.dims)


class Diag(Function):
    """The vector x (N,) as diagonal k of a square matrix of zeros: y[i, i + k] = x[i].  dx is diagonal k of dy."""

    @staticmethod
    def forward(ctx, x, k):
        ctx.k = k
        xp = array_module(x)
        y = xp.zeros((len(x) + abs(k),) * 2, x.dtype)
        y[_diagonal_index(xp, len(x), k)] = x
        return y

    @staticmethod
    def backward(ctx, dy):
        return dy.diagonal(ctx.k)


# ---- joining ---------------------------------------------------------------------------------------------------------

def _check_tensors(function, tensors):
    """`tensors` as a list, all in the dtype that holds them all; TypeError or ValueError for what is no such list."""
    if not isinstance(tensors, (tuple, list)):
        raise TypeError(f"{function}: tensors must be a tuple or list of Tensors, got {type(tensors).__name__}")
    if not tensors:
        raise ValueError(f"{function}: expected at least one tensor, got none")
    for i, x in enumerate(tensors):
        check_tensor(function, **{f"tensors[{i}]": x})
    dtype = result_type(*tensors)
    return [x.to(dtype) for x in tensors]


def cat(tensors, dim=0):
    """The tensors one after the other along the existing dimension `dim`; the other sizes must agree."""
    tensors = _check_tensors("cat", tensors)
    first = next((x for x in tensors if x.shape != (0,)), tensors[0])
    dim = check_dim("cat", dim, first.ndim)
    nothing = (*first.shape[:dim], 0, *first.shape[dim + 1:])
    xs = [reshape(x, nothing) if x.shape == (0,) else x for x in tensors]  # in PyTorch, too, an empty vector always fits
    for i, x in enumerate(xs):
        if x.ndim != first.ndim or any(x.shape[d] != first.shape[d] for d in range(x.ndim) if d != dim):
            raise RuntimeError(f"cat: tensors must have the same shape except in dim {dim}, got {first.shape} and {x.shape}")
    return Cat.apply(*xs, dim=dim)


concat = concatenate = cat


def stack(tensors, dim=0):
    """Tensors of one shape side by side along a new dimension `dim`."""
    tensors = _check_tensors("stack", tensors)
    for x in tensors:
        if x.shape != tensors[0].shape:
            raise RuntimeError(f"stack: tensors must have one shape, got {tensors[0].shape} and {x.shape}")
    dim = check_dim("stack", dim, tensors[0].ndim + 1)
    return cat([unsqueeze(x, dim) for x in tensors], dim)


def hstack(tensors):
    """`cat` along the columns: dim 1, or dim 0 of vectors."""
    tensors = [reshape(x, 1) if x.ndim == 0 else x for x in _check_tensors("hstack", tensors)]
    return cat(tensors, 0 if tensors[0].ndim == 1 else 1)


def vstack(tensors):
    """`cat` along the rows: dim 0, with vectors as rows."""
    return cat([reshape(x, 1, -1) if x.ndim < 2 else x for x in _check_tensors("vstack", tensors)], 0)


# ---- taking apart ----------------------------------------------------------------------------------------------------

@method("split", "split_with_sizes")
def split(x, split_size_or_sections, dim=0):
    """Views of x along `dim`: of one size (the last may be smaller), or of the sizes in a list."""
    check_tensor("split", x=x)
    dim = check_dim("split", dim, x.ndim)
    length, wanted = x.shape[dim], split_size_or_sections
    if isinstance(wanted, (tuple, list)):
        sizes = integers("split", "split_size_or_sections", wanted)
        if sum(sizes) != length or any(n < 0 for n in sizes) or not sizes:
            raise RuntimeError(f"split: split_size_or_sections {sizes} must sum to {length}, the size of dim {dim}, "
                               "and none may be negative")
    else:
        (size,) = integers("split", "split_size_or_sections", (wanted,))
        if size < 0 or (size == 0 and length > 0):
            raise RuntimeError(f"split: split_size_or_sections must be positive, got {size}")
        sizes = [min(size, length - start) for start in range(0, length, size or 1)] or [0]
    return Split.apply(x, sizes=sizes, dim=dim)


@method("chunk")
def chunk(x, chunks, dim=0):
    """Views of x along `dim`, at most `chunks` of them, all of one size but perhaps the last."""
    check_tensor("chunk", x=x)
    dim = check_dim("chunk", dim, x.ndim)
    if whole(chunks) < 1:
        raise RuntimeError(f"chunk: chunks must be at least 1, got {chunks}")
    length = x.shape[dim]
    return split(x, -(-length // chunks) if length else [0] * chunks, dim)


@method("unbind")
def unbind(x, dim=0):
    """The slices of x along `dim`, without that dimension, as a tuple of views."""
    check_tensor("unbind", x=x)
    dim = check_dim("unbind", dim, x.ndim)
    return tuple(squeeze(part, dim) for part in split(x, 1, dim)) if x.shape[dim] else ()


# ---- another order of the elements -----------------------------------------------------------------------------------

@method("flip")
def flip(x, *axes, dims=None):
    """x backwards along `dims` (an integer or several)."""
    check_tensor("flip", x=x)
    return Flip.apply(x, dims=check_dims("flip", integers("flip", "dims", axes if dims is None else (dims,)), x.ndim))


@method("roll")
def roll(x, shifts, dims=None):
    """x shifted by `shifts` along `dims`, what leaves at one end enters at the other; without dims as if x were flat."""
    check_tensor("roll", x=x)
    if dims is None:
        return reshape(roll(ravel(x), shifts, 0), x.shape)
    shifts = integers("roll", "shifts", (shifts,))
    dims = tuple(check_dim("roll", d, x.ndim, "dims") for d in integers("roll", "dims", (dims,)))
    if len(shifts) != len(dims):
        raise RuntimeError(f"roll: shifts and dims must be equally many, got {shifts} and {dims}")
    return Roll.apply(x, shifts=shifts, dims=dims)


@method("rot90")
def rot90(x, k=1, dims=(0, 1)):
    """x turned by k quarter turns from the first towards the second of two `dims`."""
    check_tensor("rot90", x=x)
    dims = check_dims("rot90", dims, x.ndim)
    if len(dims) != 2:
        raise RuntimeError(f"rot90: expected two dims, got {dims}")
    k %= 4
    if k == 2:
        return flip(x, dims)
    return transpose(flip(x, dims[1]), *dims) if k == 1 else flip(transpose(x, *dims), dims[1]) if k == 3 else clone(x)


# ---- matrices --------------------------------------------------------------------------------------------------------

def _triangle(function, x, lower, k):
    check_tensor(function, x=x)
    if x.ndim < 2:
        raise RuntimeError(f"{function}: expected at least 2 dimensions, got shape {x.shape}")
    return Triangle.apply(x, lower=lower, k=k)


@method("tril")
def tril(x, diagonal=0):
    """The lower triangle of x (..., N, M), up to and with `diagonal`; zeros above."""
    return _triangle("tril", x, True, diagonal)


@method("triu")
def triu(x, diagonal=0):
    """The upper triangle of x (..., N, M), from `diagonal` on; zeros below."""
    return _triangle("triu", x, False, diagonal)


@method("diagonal")
def diagonal(x, offset=0, dim1=0, dim2=1):
    """A view of diagonal `offset` of the matrices along `dim1` and `dim2`, as the last dimension."""
    check_tensor("diagonal", x=x)
    dim1, dim2 = check_dims("diagonal", (dim1, dim2), x.ndim, "dim1 and dim2")
    return Diagonal.apply(x, k=offset, dim1=dim1, dim2=dim2)


@method("diag")
def diag(x, diagonal=0):
    """The diagonal of a matrix (a copy), or a vector as the diagonal of a matrix of zeros."""
    check_tensor("diag", x=x)
    if x.ndim not in (1, 2):
        raise RuntimeError(f"diag: expected a vector or a matrix, got shape {x.shape}")
    return Diag.apply(x, k=diagonal) if x.ndim == 1 else clone(Diagonal.apply(x, k=diagonal, dim1=0, dim2=1))


twin(tril)
twin(triu)

__all__ = ["cat", "chunk", "concat", "concatenate", "diag", "diagonal", "flip", "hstack", "roll", "rot90", "split", "stack",
           "tril", "triu", "unbind", "vstack"]
