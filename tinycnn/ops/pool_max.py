"""Maximum pooling, plain and adaptive, and its counterpart, unpooling.

Maximum pooling selects: it remembers where each maximum stood, and the gradient goes there and nowhere else. Indices count
the elements of one plane row by row, as in PyTorch: (row, column) is row * width + column.
"""
import numpy as np

from ..engine.arrays import add_at, array_module
from ..engine.function import Function
from ..engine.checks import check_tensor
from .pool import adaptive_pool, adaptive_windows, unbatched, windows
from .unfold import as_batch, count_windows, meetings, sizes


class MaxPool(Function):
    """x (N, C, *S) -> y (N, C, *O), and if asked for the indices (N, C, *O) of the maxima.

    y[n, c, o] = max_k x[n, c, o * stride + k * dilation - padding], over those k at which the window sees a pixel.

    Of equal elements the first wins, and a NaN beats every number.

    Derivation: call i(o) the index of the maximum of window o. Then y[o] = x[i(o)], and a small enough change of x does not
    move i(o), so that dx[i] = sum_{o: i(o) = i} dy[o]. It is a sum because windows may overlap, and an element may win in
    several. Where elements are equal, any share of the gradient would do for each; the winner takes all.
    Cost: K comparisons an output. Saves the indices.
    Source: Ranzato, Huang, Boureau, LeCun, Unsupervised learning of invariant feature hierarchies, CVPR 2007.
    """

    @staticmethod
    def forward(ctx, x, kernel, stride, padding, dilation, return_indices):
        xp, ctx.size = array_module(x), x.shape[2:]
        out = count_windows("max_pool", ctx.size, kernel, stride, padding, dilation)
        places = xp.arange(int(np.prod(ctx.size))).reshape(ctx.size)
        y, indices = xp.zeros((*x.shape[:2], *out), x.dtype), xp.full((*x.shape[:2], *out), -1)
        for k in np.ndindex(*kernel):
            o, i = meetings(k, ctx.size, out, stride, padding, dilation)
            best, leader, candidate = y[:, :, *o], indices[:, :, *o], x[:, :, *i]  # the pixels at offset k of all windows
            wins = (leader < 0) | (candidate > best) | xp.isnan(candidate)
            y[:, :, *o] = xp.where(wins, candidate, best)
            indices[:, :, *o] = xp.where(wins, places[i], leader)
        ctx.save_for_backward(indices)
        return (y, indices.copy()) if return_indices else y

    @staticmethod
    def backward(ctx, dy, *_):
        (indices,) = ctx.saved_tensors
        return send(dy, indices, ctx.size)


class AdaptiveMaxPool(Function):
    """x (N, C, *S) -> y (N, C, *O) for any O: the maxima of the `adaptive_windows`, and if asked for their indices.

    Derivation: as in `MaxPool`, dx[i] = sum_{o: i(o) = i} dy[o].
    Cost: S comparisons, or a few more where windows overlap. Saves the indices.
    """

    @staticmethod
    def forward(ctx, x, out, return_indices):
        xp, ctx.size = array_module(x), x.shape[2:]
        positions = xp.arange(int(np.prod(ctx.size))).reshape(ctx.size)
        indices = xp.zeros((*x.shape[:2], *out), positions.dtype)
        for o, window in adaptive_windows(ctx.size, out):
            inside = positions[window].reshape(-1)
            indices[:, :, *o] = inside.take(x[:, :, *window].reshape(*x.shape[:2], inside.size).argmax(-1))
        ctx.save_for_backward(indices)
        y = fetch(x, indices)
        return (y, indices) if return_indices else y

    @staticmethod
    def backward(ctx, dy, *_):
        (indices,) = ctx.saved_tensors
        return send(dy, indices, ctx.size)


class MaxUnpool(Function):
    """x (N, C, *O) and indices (N, C, *O) -> y (N, C, *size), zero but for y[n, c, indices[n, c, o]] = x[n, c, o].

    Derivation: every x[o] is copied to one place, so dx[o] = dy[indices[o]]. (Where an index occurs twice, one of the values
    overwrites the other. Maximum pooling gives such indices only together with equal values.)
    Cost: none. Saves the indices.
    Source: Zeiler, Taylor, Fergus, Adaptive deconvolutional networks for mid and high level feature learning, ICCV 2011.
    """

    @staticmethod
    def forward(ctx, x, indices, size):
        ctx.save_for_backward(indices)
        xp = array_module(x)
        y = xp.zeros((*x.shape[:2], *size), x.dtype)
        y.reshape(-1)[_all_planes(xp, indices, size)] = x.reshape(-1)
        return y

    @staticmethod
    def backward(ctx, dy):
        (indices,) = ctx.saved_tensors
        return fetch(dy, indices), None


def send(values, indices, size):
    """x (N, C, *size), zero but for x[n, c, indices[n, c, o]] += values[n, c, o]: the adjoint of `fetch`."""
    xp, planes = array_module(values), values.shape[:2]
    x = xp.zeros(int(np.prod((*planes, *size))), values.dtype)
    add_at(x, _all_planes(xp, indices, size), values.reshape(-1))
    return x.reshape(*planes, *size)


def fetch(x, indices):
    """y[n, c, o] = x[n, c, indices[n, c, o]]."""
    return x.reshape(-1).take(_all_planes(array_module(x), indices, x.shape[2:])).reshape(indices.shape)


def _all_planes(xp, indices, size):
    """Indices (N, C, *O) into planes of `size`, as one list of indices into all planes in a row."""
    planes = xp.arange(indices.shape[0] * indices.shape[1]) * int(np.prod(size))
    return (indices + planes.reshape(*indices.shape[:2], *[1] * len(size))).reshape(-1)


# ---- the functions a user calls --------------------------------------------------------------------------------------

def max_pool1d(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False):
    """The maximum of every window: (N, C, L) or (C, L) -> (N, C, O) or (C, O).

    `stride` is the kernel size unless given. `padding`, at most half the kernel, counts as minus infinity. With `ceil_mode`
    a last window that reaches beyond the end counts too. With `return_indices` the result is (maxima, their indices).
    """
    return _max_pool("max_pool1d", 1, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def max_pool2d(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False):
    """The maximum of every window: (N, C, H, W) or (C, H, W); arguments as in `max_pool1d`, integers or pairs."""
    return _max_pool("max_pool2d", 2, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def max_pool3d(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False):
    """The maximum of every window: (N, C, D, H, W) or (C, D, H, W); arguments as in `max_pool1d`, integers or triples."""
    return _max_pool("max_pool3d", 3, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def max_unpool1d(input, indices, kernel_size, stride=None, padding=0, output_size=None):
    """Put the maxima of `max_pool1d` back to their `indices`, with zeros between: (N, C, O) -> (N, C, L), (C, O) -> (C, L).

    L is (O - 1) * stride - 2 * padding + kernel_size. Pooling makes the same O from several L; the last entries of
    `output_size` say which of them is meant.
    """
    return _max_unpool("max_unpool1d", 1, input, indices, kernel_size, stride, padding, output_size)


def max_unpool2d(input, indices, kernel_size, stride=None, padding=0, output_size=None):
    """Put the maxima of `max_pool2d` back to their `indices`, with zeros between; see `max_unpool1d`."""
    return _max_unpool("max_unpool2d", 2, input, indices, kernel_size, stride, padding, output_size)


def max_unpool3d(input, indices, kernel_size, stride=None, padding=0, output_size=None):
    """Put the maxima of `max_pool3d` back to their `indices`, with zeros between; see `max_unpool1d`."""
    return _max_unpool("max_unpool3d", 3, input, indices, kernel_size, stride, padding, output_size)


def adaptive_max_pool1d(input, output_size, return_indices=False):
    """The maxima of `output_size` windows that cover the whole input; with `return_indices`, (maxima, their indices)."""
    return adaptive_pool("adaptive_max_pool1d", 1, AdaptiveMaxPool, input, output_size, return_indices=return_indices)


def adaptive_max_pool2d(input, output_size, return_indices=False):
    """The maxima of windows that cover the whole image; arguments as in `adaptive_avg_pool2d` and `adaptive_max_pool1d`."""
    return adaptive_pool("adaptive_max_pool2d", 2, AdaptiveMaxPool, input, output_size, return_indices=return_indices)


def adaptive_max_pool3d(input, output_size, return_indices=False):
    """The maxima of windows that cover the whole volume; arguments as in `adaptive_avg_pool2d` and `adaptive_max_pool1d`."""
    return adaptive_pool("adaptive_max_pool3d", 3, AdaptiveMaxPool, input, output_size, return_indices=return_indices)


def _max_pool(function, dims, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices):
    """Check everything, then run MaxPool."""
    x, single = as_batch(function, input, dims)
    dilation = sizes(function, "dilation", dilation, dims, 1)
    kernel, stride, padding, room = windows(function, x.shape[2:], kernel_size, stride, padding, dilation, ceil_mode)
    for n, k, s, (p, after), d in zip(x.shape[2:], kernel, stride, room, dilation):
        starts = range(-p, n + after - d * (k - 1), s)
        if d > n and not all(any(0 <= start + i * d < n for i in range(k)) for start in starts):
            raise ValueError(f"{function}: with dilation {dilation} and padding {padding}, a window of the input of shape "
                             f"{input.shape} holds nothing but padding")
    result = MaxPool.apply(x, kernel=kernel, stride=stride, padding=room, dilation=dilation, return_indices=return_indices)
    return unbatched(result, single)


def _max_unpool(function, dims, input, indices, kernel_size, stride, padding, output_size):
    """Check everything, then run MaxUnpool."""
    x, single = as_batch(function, input, dims)
    check_tensor(function, indices=indices)
    if indices.dtype.kind != "i" or indices.shape != input.shape:
        raise ValueError(f"{function}: indices must be integers of the shape {input.shape} of input, got {indices.dtype} "
                         f"of shape {indices.shape}")
    kernel = sizes(function, "kernel_size", kernel_size, dims, 1)
    stride = kernel if stride is None else sizes(function, "stride", stride, dims, 1)
    padding = sizes(function, "padding", padding, dims, 0)
    least = tuple((o - 1) * s - 2 * p + k for o, s, p, k in zip(x.shape[2:], stride, padding, kernel))
    if min(least) < 0 and output_size is None:
        raise ValueError(f"{function}: input of shape {input.shape} with kernel {kernel}, stride {stride} and padding "
                         f"{padding} gives a plane of size {least}; pass output_size")
    size = least
    if output_size is not None:
        size = sizes(function, "output_size", tuple(output_size)[-dims:], dims, 1)
        if any(not n - s < given < n + s for given, n, s in zip(size, least, stride)):
            raise ValueError(f"{function}: output_size must differ by less than the stride {stride} from {least}, got "
                             f"{output_size}")
    places = indices.array
    if array_module(places) is np and places.size and not 0 <= places.min() <= places.max() < np.prod(size):
        raise IndexError(f"{function}: indices run from {places.min()} to {places.max()}, but a plane of size {size} has "
                         f"only {int(np.prod(size))} elements; pass output_size if the pooled input was larger")
    y = MaxUnpool.apply(x, indices.unsqueeze(0) if single else indices, size=size)
    return unbatched(y, single)


__all__ = ["adaptive_max_pool1d", "adaptive_max_pool2d", "adaptive_max_pool3d", "max_pool1d", "max_pool2d", "max_pool3d",
           "max_unpool1d", "max_unpool2d", "max_unpool3d"]
