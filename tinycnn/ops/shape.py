"""The same elements in another shape.

Where memory allows, the result is a view: it shows the memory of its input and copies nothing. `Reshape` and
`Permute` keep every element once, so dx is dy carried back; `Expand` repeats elements, so dx sums over the repetitions.
"""
import math

import numpy as np

from ..engine.arrays import array_module
from ..engine.function import Function
from ..engine.checks import check_tensor, whole
from ..engine.tensor import Tensor, method
from .elementwise import unbroadcast
from .inplace import reshaping_twin


# ---- reading arguments -----------------------------------------------------------------------------------------------

def check_dim(function, dim, ndim, name="dim"):
    """`dim` counted from the front; TypeError where it is no integer, IndexError where ndim dimensions have none such."""
    try:
        index = whole(dim)
    except TypeError:
        raise TypeError(f"{function}: {name} must be an integer, got {dim!r}") from None
    if not -ndim <= index < ndim:
        expected = f"expected {-ndim} to {ndim - 1}" if ndim else "the tensor is 0-d and has no dimensions"
        raise IndexError(f"{function}: {name} {index} is out of range, {expected}")
    return index % ndim


def check_dims(function, dims, ndim, name="dims"):
    """`dims` (an integer or several, none twice) counted from the front, as a tuple."""
    dims = tuple(check_dim(function, d, ndim, name) for d in (dims if isinstance(dims, (tuple, list)) else (dims,)))
    if len(set(dims)) < len(dims):
        raise RuntimeError(f"{function}: {name} names a dimension twice: {dims}")
    return dims


def integers(function, name, values):
    """The integers that `f(2, 3)`, `f((2, 3))` and `f([2, 3])` all mean."""
    if len(values) == 1 and isinstance(values[0], (tuple, list)):
        values = values[0]
    try:
        return tuple(map(whole, values))
    except TypeError:
        raise TypeError(f"{function}: {name} must be integers, got {values!r}") from None


def _fill_in(function, shape, count):
    """`shape` with its -1 replaced by what makes `count` elements."""
    known = math.prod(n for n in shape if n != -1)
    if shape.count(-1) == 1 and known > 0 and count % known == 0:
        shape = tuple(count // known if n == -1 else n for n in shape)
    if any(n < 0 for n in shape) or math.prod(shape) != count:
        raise RuntimeError(f"{function}: shape {shape} is impossible for {count} elements (one size may be -1 "
                           "where the others determine it)")
    return shape


# ---- the operations --------------------------------------------------------------------------------------------------

class Reshape(Function):
    """The elements of x, in the order of their indices, under the indices of another shape.

    The k-th element of y is the k-th of x, so the k-th of dx is the k-th of dy: dx = dy in the shape of x.
    """

    @staticmethod
    def forward(ctx, x, shape):
        ctx.shape = x.shape
        return x.reshape(shape)

    @staticmethod
    def backward(ctx, dy):
        return dy.reshape(ctx.shape)

    @staticmethod
    def put(whole, part, shape):
        return reshape(part, whole.shape)


class Permute(Function):
    """The dimensions in another order: dimension i of y is dimension dims[i] of x.

    So dimension i of dy goes back to position dims[i] of dx.
    """

    @staticmethod
    def forward(ctx, x, dims):
        ctx.dims = dims
        return x.transpose(dims)

    @staticmethod
    def backward(ctx, dy):
        return array_module(dy).transpose(dy, [ctx.dims.index(i) for i in range(dy.ndim)])

    @staticmethod
    def put(whole, part, dims):
        return movedim(part, tuple(range(part.ndim)), dims)


class Expand(Function):
    """x repeated along new leading dimensions and those of size 1, without a copy.

    y[i, j] = x[0, j] for every i, so dx[0, j] = sum_i dy[i, j].
    """

    @staticmethod
    def forward(ctx, x, shape):
        ctx.shape = x.shape
        return array_module(x).broadcast_to(x, shape)

    @staticmethod
    def backward(ctx, dy):
        return unbroadcast(dy, ctx.shape)


class Contiguous(Function):
    """y = x, the elements in memory in the order of their indices.  dx = dy."""

    @staticmethod
    def forward(ctx, x):
        return x.copy(order="C")

    @staticmethod
    def backward(ctx, dy):
        return dy


# ---- another shape ---------------------------------------------------------------------------------------------------

@method("reshape")
def reshape(x, *sizes, shape=None):
    """The elements of x in `shape` (one size may be -1): a view where memory allows, else a copy."""
    check_tensor("reshape", x=x)
    shape = integers("reshape", "shape", sizes if shape is None else (shape,))
    return Reshape.apply(x, shape=_fill_in("reshape", shape, x.numel()))


@method("view")
def _view(x, *shape):
    """x in another shape, showing the same memory; RuntimeError where PyTorch, too, would have to copy.

    Some operations leave their results in another memory order than PyTorch's, convolution the channels last. Nobody need
    know: such a tensor is laid out anew before the view is taken, and a view of part of one is a copy.
    """
    shape = _fill_in("view", integers("view", "shape", shape), x.numel())
    y = Reshape.apply(x, shape=shape)
    if y._version is not x._version and x._view is None and not x._borrowed:
        x.array = array_module(x.array).ascontiguousarray(x.array)
        y = Reshape.apply(x, shape=shape)
    root = x
    while root._view is not None:
        root = root._view[0]
    if y._version is not x._version and (root.is_contiguous() or root._borrowed):
        raise RuntimeError(f"view: a tensor of shape {x.shape} and strides {x.stride()} cannot be shown as {shape} without "
                           f"a copy: write x.reshape{shape}, or x.contiguous().view{shape}")
    return y


@method("view_as")
def _view_as(x, other):
    """`view` in the shape of `other`."""
    return x.view(other.shape)


@method("reshape_as")
def _reshape_as(x, other):
    """`reshape` to the shape of `other`."""
    return reshape(x, other.shape)


@method("flatten")
def flatten(x, start_dim=0, end_dim=-1):
    """The dimensions from `start_dim` to `end_dim` as one; a 0-d tensor becomes 1-d."""
    check_tensor("flatten", x=x)
    start = check_dim("flatten", start_dim, max(x.ndim, 1), "start_dim")
    end = check_dim("flatten", end_dim, max(x.ndim, 1), "end_dim")
    if start > end:
        raise RuntimeError(f"flatten: start_dim {start_dim} comes after end_dim {end_dim}")
    return Reshape.apply(x, shape=(*x.shape[:start], math.prod(x.shape[start:end + 1]), *x.shape[end + 1:]))


@method("unflatten")
def unflatten(x, dim, sizes):
    """Dimension `dim` split into `sizes`, of which one may be -1."""
    check_tensor("unflatten", x=x)
    dim = check_dim("unflatten", dim, x.ndim)
    sizes = _fill_in("unflatten", integers("unflatten", "sizes", (sizes,)), x.shape[dim])
    return Reshape.apply(x, shape=(*x.shape[:dim], *sizes, *x.shape[dim + 1:]))


@method("ravel")
def ravel(x):
    """All elements in one dimension."""
    check_tensor("ravel", x=x)
    return Reshape.apply(x, shape=(x.numel(),))


@method("squeeze")
def squeeze(x, dim=None):
    """x without its dimensions of size 1: without all of them, or those among `dim` (an integer or a tuple)."""
    check_tensor("squeeze", x=x)
    dims = range(x.ndim) if dim is None else check_dims("squeeze", dim, max(x.ndim, 1), "dim")
    return Reshape.apply(x, shape=tuple(n for i, n in enumerate(x.shape) if n != 1 or i not in dims))


@method("unsqueeze")
def unsqueeze(x, dim):
    """x with a new dimension of size 1 at position `dim` of the result."""
    check_tensor("unsqueeze", x=x)
    dim = check_dim("unsqueeze", dim, x.ndim + 1)
    return Reshape.apply(x, shape=(*x.shape[:dim], 1, *x.shape[dim:]))


# ---- another order of the dimensions ---------------------------------------------------------------------------------

@method("permute")
def permute(x, *order, dims=None):
    """x with its dimensions in the order `dims`: `x.permute(0, 2, 1)` or `permute(x, (0, 2, 1))`."""
    check_tensor("permute", x=x)
    dims = check_dims("permute", integers("permute", "dims", order if dims is None else (dims,)), x.ndim)
    if len(dims) != x.ndim:
        raise RuntimeError(f"permute: {len(dims)} dims {dims} for a tensor of {x.ndim} dimensions; name each of them once")
    return Permute.apply(x, dims=dims)


def transpose(x, dim0, dim1):
    """x with two dimensions exchanged."""
    check_tensor("transpose", x=x)
    dim0 = check_dim("transpose", dim0, max(x.ndim, 1), "dim0")
    dim1 = check_dim("transpose", dim1, max(x.ndim, 1), "dim1")
    dims = list(range(x.ndim))
    if x.ndim:
        dims[dim0], dims[dim1] = dim1, dim0
    return Permute.apply(x, dims=tuple(dims))


swapaxes = swapdims = method("transpose", "swapaxes", "swapdims")(transpose)


@method("t")
def t(x):
    """A matrix transposed; a vector or a 0-d tensor as it is."""
    check_tensor("t", x=x)
    if x.ndim > 2:
        raise RuntimeError(f"t: expected at most 2 dimensions, got shape {x.shape}; use x.transpose(dim0, dim1) or x.mT")
    return Permute.apply(x, dims=tuple(reversed(range(x.ndim))))


def _reversed(x):
    """x with all dimensions in reversed order; of a matrix, its transpose."""
    return Permute.apply(x, dims=tuple(reversed(range(x.ndim))))


def _matrix_transpose(x):
    """x with its last two dimensions exchanged."""
    if x.ndim < 2:
        raise RuntimeError(f"mT: expected at least 2 dimensions, got shape {x.shape}")
    return transpose(x, -2, -1)


method("T")(property(_reversed))
method("mT")(property(_matrix_transpose))


def movedim(x, source, destination):
    """x with the dimensions `source` moved to the positions `destination` (integers or tuples), the others in order."""
    check_tensor("movedim", x=x)
    source = check_dims("movedim", source, x.ndim, "source")
    destination = check_dims("movedim", destination, x.ndim, "destination")
    if len(source) != len(destination):
        raise RuntimeError(f"movedim: {len(source)} dimensions in source {source} but {len(destination)} in destination "
                           f"{destination}")
    dims = [d for d in range(x.ndim) if d not in source]
    for to, d in sorted(zip(destination, source)):
        dims.insert(to, d)
    return Permute.apply(x, dims=tuple(dims))


moveaxis = method("movedim", "moveaxis")(movedim)


@method("contiguous")
def _contiguous(x, memory_format=None):
    """x itself where its elements lie in order, else a copy where they do. `memory_format` changes nothing."""
    return x if x.is_contiguous() else Contiguous.apply(x)


# ---- repeating -------------------------------------------------------------------------------------------------------

@method("expand")
def _expand(x, *sizes):
    """A view of x repeated along its dimensions of size 1 and new leading ones; -1 keeps a size."""
    sizes = integers("expand", "sizes", sizes)
    extra = len(sizes) - x.ndim
    shape = tuple(x.shape[i - extra] if n == -1 and i >= extra else n for i, n in enumerate(sizes))
    fits = all(n in (1, m) for n, m in zip(x.shape, shape[max(extra, 0):]))
    if extra < 0 or not fits or any(n < 0 for n in shape):
        raise RuntimeError(f"expand: cannot expand shape {x.shape} to {sizes}: counted from the last, every size must stay "
                           "as it is or be 1 before, and a new leading size must not be -1")
    return Expand.apply(x, shape=shape)


@method("expand_as")
def _expand_as(x, other):
    """`expand` to the shape of `other`."""
    return x.expand(other.shape)


def broadcast_to(x, size):
    """A view of x repeated to the shape `size`, as `expand`."""
    check_tensor("broadcast_to", x=x)
    return x.expand(size)


@method("broadcast_to")
def _broadcast_to(x, *size):
    """The same as `expand`."""
    return x.expand(*size)


def common_shape(function, *shapes):
    """The one shape to which all of `shapes` broadcast; RuntimeError in the name of `function` where there is none."""
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        raise RuntimeError(f"{function}: shapes {', '.join(map(str, shapes))} do not broadcast: counted from the last, "
                           "sizes must be equal or 1") from None


def broadcast_shapes(*shapes):
    """The one shape to which all of `shapes` broadcast."""
    return common_shape("broadcast_shapes", *shapes)


def broadcast_tensors(*tensors):
    """All `tensors` as views of the one shape to which they broadcast."""
    for i, x in enumerate(tensors):
        check_tensor("broadcast_tensors", **{f"tensors[{i}]": x})
    shape = common_shape("broadcast_tensors", *(x.shape for x in tensors))
    return tuple(x.expand(shape) for x in tensors)


@method("repeat")
def _repeat(x, *repeats):
    """Copies of x side by side, repeats[i] of them along dimension i; more repeats than dimensions add leading ones."""
    repeats = integers("repeat", "repeats", repeats)
    extra = len(repeats) - x.ndim
    if extra < 0 or any(n < 0 for n in repeats):
        raise RuntimeError(f"repeat: expected at least {x.ndim} numbers of repeats, none negative, for shape {x.shape}, "
                           f"got {repeats}")
    shape = (1,) * extra + x.shape
    apart = reshape(x, [n for size in shape for n in (1, size)])
    y = reshape(apart.expand([n for pair in zip(repeats, shape) for n in pair]), [r * n for r, n in zip(repeats, shape)])
    return y.clone() if y._version is x._version else y    # nothing repeated: still a copy


@method("tile")
def tile(x, *repeats, dims=None):
    """`repeat`, where fewer numbers than dimensions count from the last."""
    check_tensor("tile", x=x)
    dims = integers("tile", "dims", repeats if dims is None else (dims,))
    return x.repeat((1,) * (x.ndim - len(dims)) + dims)


def meshgrid(*tensors, indexing="ij"):
    """The coordinates of a grid: vectors (N,), (M,), ... as views (N, M, ...); indexing "xy" gives (M, N, ...)."""
    tensors = tensors[0] if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)) else tensors
    if indexing not in ("ij", "xy"):
        raise ValueError(f"meshgrid: indexing must be 'ij' or 'xy', got {indexing!r}")
    for x in tensors:
        check_tensor("meshgrid", tensors=x)
        if x.ndim > 1:
            raise RuntimeError(f"meshgrid: expected vectors, got shape {x.shape}")
    shape = tuple(x.numel() for x in tensors)
    grids = [reshape(x, [-1 if i == j else 1 for j in range(len(tensors))]).expand(shape) for i, x in enumerate(tensors)]
    return tuple(transpose(g, 0, 1) if indexing == "xy" and len(tensors) > 1 else g for g in grids)


@method("sum_to_size")
def _sum_to_size(x, *size):
    """x summed over the dimensions along which `size` would have to be repeated to reach the shape of x: unbroadcast."""
    size = integers("sum_to_size", "size", size)
    if len(size) > x.ndim or any(n not in (1, m) for n, m in zip(reversed(size), reversed(x.shape))):
        raise RuntimeError(f"sum_to_size: size {size} does not broadcast to shape {x.shape}")
    extra = x.ndim - len(size)
    dims = [d for d in range(x.ndim) if d < extra or size[d - extra] != x.shape[d]]
    return reshape(x.sum(dims, keepdim=True), size) if dims else x


def numel(x):
    """How many elements."""
    check_tensor("numel", x=x)
    return Tensor.numel(x)


for _function in (squeeze, unsqueeze, t, transpose):
    reshaping_twin(_function)
method("swapaxes_", "swapdims_")(Tensor.transpose_)

__all__ = ["broadcast_shapes", "broadcast_tensors", "broadcast_to", "flatten", "meshgrid", "moveaxis", "movedim", "numel",
           "permute", "ravel", "reshape", "squeeze", "swapaxes", "swapdims", "t", "tile", "transpose", "unflatten",
           "unsqueeze"]
