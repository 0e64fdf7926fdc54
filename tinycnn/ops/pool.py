"""Floor 2: pooling, the summary of every window of an image by its maximum or its mean.

Pooling looks through the windows of `unfold.py`, each channel by itself, and learns nothing. Maximum pooling selects: it
remembers where each maximum stood, and the gradient goes there and nowhere else. Average pooling is a linear map, and its
gradient is the adjoint map. The adaptive kinds cover an image of any size by as many windows as they are asked for.

Indices count the elements of one plane row by row, as in PyTorch: (row, column) is row * width + column.

All loops go over the offsets of the kernel, never over windows: for one offset, the pixels that all windows have there are a
strided slice of the image (`meeting`), and one step of array arithmetic serves them all. Results have the memory layout of
the input, so that images whose channels stand side by side in memory (as convolutions leave them) stay so.
"""
import numpy as np

from ..backend import array_module, scatter_add
from ..function import Function
from ..tensor import check_floating, check_tensor, wrap
from ..workers import parallel
from .comparison import eq
from .creation import eye
from .unfold import as_batch, col2im, count_windows, meeting, meetings, sizes

PIECE_BYTES = 2**20  # images are pooled in pieces of this size, which stay in the cache from one offset to the next


# ---- maximum ---------------------------------------------------------------------------------------------------------

class MaxPool(Function):
    """x (N, C, *S) -> y (N, C, *O), and if asked for the indices (N, C, *O) of the maxima.

    y[n, c, o] = max_k x[n, c, o * stride + k * dilation - padding], the padding being minus infinity.

    The maximum of a window is the maximum of the maxima of its rows: the last axis is pooled by itself, then what is left
    along the one before, and so on, KH + KW comparisons in place of KH * KW.

    Derivation, for one axis: call i(o) the index of the maximum of window o. Then y[o] = x[i(o)], and a small enough change
    of x does not move i(o), so that dx[i] = sum_{o: i(o) = i} dy[o]. It is a sum because windows may overlap, and an element
    may win in several. The axes go backward in reverse order. Of equal elements the first takes all of the gradient (any
    share of it would do), and a NaN beats every number.
    Cost: the sum of the kernel's sizes in comparisons an output. Saves the offset k that won, a byte each, for every axis.
    Source: Ranzato, Huang, Boureau, LeCun, Unsupervised learning of invariant feature hierarchies, CVPR 2007.
    """

    @staticmethod
    def forward(ctx, x, kernel, stride, padding, dilation, return_indices):
        xp, ctx.size = array_module(x), x.shape[2:]
        out = count_windows("max_pool", ctx.size, kernel, stride, padding, dilation)
        ctx.steps = [(axis, *step) for axis, step in enumerate(zip(kernel, out, stride, padding, dilation), 2)]
        shape, winners = list(x.shape), []
        for axis, k, o, *_ in reversed(ctx.steps):
            shape[axis] = o
            winners.append(xp.empty_like(x, np.min_scalar_type(k - 1), shape=tuple(shape)))
        y = xp.empty_like(x, shape=tuple(shape))

        def work(piece):
            rest = x[piece]
            for step, winner in zip(reversed(ctx.steps), winners):
                rest = _max_along(rest, winner[piece], *step)
            y[piece] = rest

        _by_images(work, x, passes=6)
        ctx.save_for_backward(*winners)
        return (y, _indices(winners, ctx.steps, ctx.size)) if return_indices else y

    @staticmethod
    def backward(ctx, dy, *_):
        winners = ctx.saved_tensors
        shapes = [winner.shape for winner in winners[-2::-1]] + [(*dy.shape[:2], *ctx.size)]
        dx = array_module(dy).empty_like(winners[0], dy.dtype, shape=shapes[-1])

        def work(piece):
            rest = array_module(dy).empty_like(winners[-1][piece], dy.dtype)
            rest[...] = dy[piece]  # in the memory layout of the rest, whatever dy has
            for step, winner, shape in zip(ctx.steps, winners[::-1], shapes):
                rest = _send_along(rest, winner[piece], shape[step[0]], *step)
            dx[piece] = rest

        _by_images(work, dx, passes=6)
        return dx

    @staticmethod
    def backward_recorded(ctx, dy, *_):
        """All axes at once, by the indices of the maxima."""
        winners = [winner.array for winner in ctx.saved_tensors]
        return _send(dy, wrap(_indices(winners, ctx.steps, ctx.size)), ctx.size)


def _by_images(work, x, passes):
    """Run work(slice of images) over all images of x, a few at a time, on all cores where x lives on the CPU."""
    if type(x) is not np.ndarray:
        return work(slice(None))
    images = max(1, PIECE_BYTES * len(x) // max(x.nbytes, 1))

    def part(start, stop):
        for n in range(start, stop, images):
            work(slice(n, min(n + images, stop)))

    parallel(part, len(x), moved=passes * x.nbytes)


def _along(axis, o, i, y, x):
    """y at the slice o of an axis, and x at the slice i."""
    before = (slice(None),) * axis
    return y[*before, o], x[*before, i]


def _max_along(x, winner, axis, k, out, stride, padding, dilation):
    """The maximum of every window along one axis; the offset of the first maximum is written into `winner`."""
    xp = array_module(x)
    y = xp.empty_like(x, shape=winner.shape)
    if padding[0]:
        y[...] = -np.inf  # where windows begin before the image
    first = xp.maximum(-((xp.arange(out) * stride - padding[0]) // dilation), 0)  # offsets inside of the image
    winner[...] = first.reshape(-1, *[1] * (x.ndim - axis - 1))
    for offset in range(k):
        o, i = meeting(offset, x.shape[axis], out, stride, padding, dilation)
        best, candidate = _along(axis, o, i, y, x)
        if offset == 0:
            best[...] = candidate
            continue
        better = candidate > best
        better |= candidate != candidate  # NaN
        wins, _ = _along(axis, o, i, winner, x)
        xp.maximum(wins, better * wins.dtype.type(offset), out=wins)  # offsets rise: the latest winner is the largest
        xp.maximum(best, candidate, out=best)
    return y


def _send_along(dy, winner, size, axis, k, out, stride, padding, dilation):
    """The adjoint: dx, of `size` along the axis, where every dy is added to the pixel that won."""
    xp = array_module(dy)
    dx = xp.zeros_like(winner, dy.dtype, shape=(*dy.shape[:axis], size, *dy.shape[axis + 1:]))
    apart = stride > dilation * (k - 1)  # every pixel stands in one window at most
    for offset in range(k):
        o, i = meeting(offset, size, out, stride, padding, dilation)
        mine, target = _along(axis, o, i, dy, dx)
        won = _along(axis, o, i, winner, dx)[0] == offset
        if apart:
            xp.multiply(mine, won, out=target)
        else:
            target += mine * won
    return dx


def _indices(winners, steps, size):
    """The indices, in planes of `size`, of the maxima: which row won, which column won in that row, and so on."""
    xp, shape = array_module(winners[-1]), winners[-1].shape
    grid = [xp.arange(n).reshape(-1, *[1] * (len(shape) - 1 - axis)) for axis, n in enumerate(shape)]
    position, index = grid[:2], 0
    for (axis, _, _, stride, padding, dilation), winner, length in zip(steps, reversed(winners), size):
        offset = winner[(*position, *grid[axis:])].astype(np.int64)
        position.append(grid[axis] * stride - padding[0] + offset * dilation)
        index = index * length + position[-1]
    return index


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
        y = _fetch(x, indices)
        return (y, indices) if return_indices else y

    @staticmethod
    def backward(ctx, dy, *_):
        (indices,) = ctx.saved_tensors
        return _send(dy, indices, ctx.size)


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
        y = array_module(x).zeros((*x.shape[:2], *size), x.dtype)
        y.reshape(-1)[_all_planes(indices, size)] = x.reshape(-1)
        return y

    @staticmethod
    def backward(ctx, dy):
        (indices,) = ctx.saved_tensors
        return _fetch(dy, indices), None


def _send(values, indices, size):
    """x (N, C, *size), zero but for x[n, c, indices[n, c, o]] += values[n, c, o]: the adjoint of `_fetch`."""
    planes = values.shape[:2]
    x = array_module(values).zeros(int(np.prod((*planes, *size))), values.dtype)
    scatter_add(x, _all_planes(indices, size), values.reshape(-1))
    return x.reshape(*planes, *size)


def _fetch(x, indices):
    """y[n, c, o] = x[n, c, indices[n, c, o]]."""
    return x.reshape(-1).take(_all_planes(indices, x.shape[2:])).reshape(indices.shape)


def _all_planes(indices, size):
    """Indices (N, C, *O) into planes of `size`, as one list of indices into all planes in a row."""
    planes = array_module(indices).arange(indices.shape[0] * indices.shape[1]) * int(np.prod(size))
    return (indices + planes.reshape(*indices.shape[:2], *[1] * len(size))).reshape(-1)


# ---- mean ------------------------------------------------------------------------------------------------------------

class AvgPool(Function):
    """x (N, C, *S) -> y (N, C, *O): y[n, c, o] = 1/m[o] sum_k x[n, c, o * stride + k - padding], the padding being zero.

    m[o] is the number of elements in window o, with or without its share of the padding (`count_include_pad`), or the given
    `divisor`. Elements even beyond the padding, which the last windows may reach with `ceil_mode`, never count.

    Derivation: every element of window o has the weight 1/m[o] in y[o], so dcols[k, o] = dy[o] / m[o] for all k, and each
    pixel collects its copies: dx = col2im(dcols).
    Cost: K additions an output. Keeps m, which depends on shapes only.
    Source: LeCun, Bottou, Bengio, Haffner, Gradient-based learning applied to document recognition, 1998.
    """

    @staticmethod
    def forward(ctx, x, kernel, stride, padding, room, count_include_pad, divisor):
        xp, ctx.size, ctx.kernel = array_module(x), x.shape[2:], kernel
        ctx.geometry, ctx.like = (stride, room, (1,) * len(kernel)), _layout(x)
        out = count_windows("avg_pool", ctx.size, kernel, *ctx.geometry)
        if divisor is None:
            ctx.m = _count_elements(xp, ctx.size, out, kernel, stride, padding, count_include_pad).astype(x.dtype)
        else:
            ctx.m = xp.full(out, divisor, x.dtype)
        y = xp.zeros_like(x, shape=(*x.shape[:2], *out))

        def work(piece):
            for k in np.ndindex(*kernel):
                o, i = meetings(k, ctx.size, out, *ctx.geometry)
                y[piece, :, *o] += x[piece, :, *i]
            y[piece] /= ctx.m

        _by_images(work, x, passes=len(kernel))
        return y

    @staticmethod
    def backward(ctx, dy):
        dx = array_module(dy).zeros_like(ctx.like, dy.dtype, shape=(*dy.shape[:2], *ctx.size))

        def work(piece):
            share = dy[piece] / ctx.m
            for k in np.ndindex(*ctx.kernel):
                o, i = meetings(k, ctx.size, dy.shape[2:], *ctx.geometry)
                dx[piece, :, *i] += share[:, :, *o]

        _by_images(work, dx, passes=len(ctx.kernel))
        return dx

    @staticmethod
    def backward_recorded(ctx, dy):
        """The same as columns, every window full of its share."""
        images, out = dy.shape[:2], dy.shape[2:]
        dcols = (dy / ctx.m).reshape(*images, *[1] * len(out), *out)
        return col2im(dcols.broadcast_to((*images, *ctx.kernel, *out)), ctx.size, *ctx.geometry)


def _layout(x):
    """A tiny array with the memory layout of x, for `zeros_like` to follow after x itself is gone."""
    return array_module(x).empty_like(x, shape=(2,) * x.ndim)


def _count_elements(xp, size, out, kernel, stride, padding, count_include_pad):
    """How many elements, an array of shape `out`, every window holds of the image, or of image and padding."""
    count = xp.ones((), np.int64)
    for n, o, k, s, p in zip(size, out, kernel, stride, padding):
        first, last = (-p, n + p) if count_include_pad else (0, n)
        start = xp.arange(o) * s - p
        count = count[..., None] * (xp.minimum(start + k, last) - xp.maximum(start, first))
    return count


class AdaptiveAvgPool(Function):
    """x (N, C, *S) -> y (N, C, *O) for any O: the means of the `adaptive_windows`.

    Derivation: y[o] = 1/m[o] sum_{i in window o} x[i], where window o has m[o] elements; hence dx[i] = sum dy[o] / m[o],
    over the windows o that hold i.
    Cost: S additions, or a few more where windows overlap. Saves nothing.
    Source: Lin, Chen, Yan, Network in network, ICLR 2014 (for O = 1, "global average pooling").
    """

    @staticmethod
    def forward(ctx, x, out):
        ctx.size, ctx.like = x.shape[2:], _layout(x)
        y = array_module(x).empty_like(x, shape=(*x.shape[:2], *out))
        for o, window in adaptive_windows(ctx.size, out):
            y[:, :, *o] = x[:, :, *window].mean(tuple(range(2, x.ndim)))
        return y

    @staticmethod
    def backward(ctx, dy):
        dx = array_module(dy).zeros_like(ctx.like, dy.dtype, shape=(*dy.shape[:2], *ctx.size))
        for o, window in adaptive_windows(ctx.size, dy.shape[2:]):
            inside = dx[:, :, *window]
            inside += dy[:, :, *o].reshape(*dy.shape[:2], *[1] * len(window)) / int(np.prod(inside.shape[2:]))
        return dx

    @staticmethod
    def backward_recorded(ctx, dy):
        """One axis after the other: the means of the rows of an identity matrix are the weights of x in y."""
        for axis, (size, out) in enumerate(zip(ctx.size, dy.shape[2:]), start=2):
            weights = AdaptiveAvgPool.apply(eye(size, dtype=dy.dtype, device=dy.device).unsqueeze(0), out=(out,)).squeeze(0)
            dy = (dy.movedim(axis, -1) @ weights.mT).movedim(-1, axis)
        return dy


def adaptive_windows(size, out):
    """The windows, `out` in number, that cover `size` evenly and without a gap: (o, slices) each.

    Along one dimension window o runs from floor(o * size / out) to ceil((o + 1) * size / out): where `out` does not divide
    `size`, neighbours share an element.
    """
    for o in np.ndindex(*out):
        yield o, tuple(slice(i * s // n, -(-(i + 1) * s // n)) for i, s, n in zip(o, size, out))


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


def avg_pool1d(input, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True):
    """The mean of every window: (N, C, L) or (C, L) -> (N, C, O) or (C, O).

    `stride` is the kernel size unless given. `padding`, at most half the kernel, is zeros, which the mean counts as elements
    unless `count_include_pad` is False. With `ceil_mode`, a last window that reaches beyond the end counts too.
    """
    return _avg_pool("avg_pool1d", 1, input, kernel_size, stride, padding, ceil_mode, count_include_pad, None)


def avg_pool2d(input, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True, divisor_override=None):
    """The mean of every window: (N, C, H, W) or (C, H, W); arguments as in `avg_pool1d`, integers or pairs.

    With `divisor_override`, sums are divided by it instead of by the number of elements.
    """
    return _avg_pool("avg_pool2d", 2, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)


def avg_pool3d(input, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True, divisor_override=None):
    """The mean of every window: (N, C, D, H, W) or (C, D, H, W); arguments as in `avg_pool2d`, integers or triples."""
    return _avg_pool("avg_pool3d", 3, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)


def adaptive_avg_pool1d(input, output_size):
    """The means of `output_size` windows that cover the whole input: (N, C, L) or (C, L) -> (N, C, O) or (C, O)."""
    return _adaptive("adaptive_avg_pool1d", 1, AdaptiveAvgPool, input, output_size)


def adaptive_avg_pool2d(input, output_size):
    """The means of windows that cover the whole image, as many as `output_size` (OH, OW), None meaning as many as pixels.

    `adaptive_avg_pool2d(x, 1)` is the global average.
    """
    return _adaptive("adaptive_avg_pool2d", 2, AdaptiveAvgPool, input, output_size)


def adaptive_avg_pool3d(input, output_size):
    """The means of windows that cover the whole volume, as many as `output_size`; see `adaptive_avg_pool2d`."""
    return _adaptive("adaptive_avg_pool3d", 3, AdaptiveAvgPool, input, output_size)


def adaptive_max_pool1d(input, output_size, return_indices=False):
    """The maxima of `output_size` windows that cover the whole input; with `return_indices`, (maxima, their indices)."""
    return _adaptive("adaptive_max_pool1d", 1, AdaptiveMaxPool, input, output_size, return_indices=return_indices)


def adaptive_max_pool2d(input, output_size, return_indices=False):
    """The maxima of windows that cover the whole image; arguments as in `adaptive_avg_pool2d` and `adaptive_max_pool1d`."""
    return _adaptive("adaptive_max_pool2d", 2, AdaptiveMaxPool, input, output_size, return_indices=return_indices)


def adaptive_max_pool3d(input, output_size, return_indices=False):
    """The maxima of windows that cover the whole volume; arguments as in `adaptive_avg_pool2d` and `adaptive_max_pool1d`."""
    return _adaptive("adaptive_max_pool3d", 3, AdaptiveMaxPool, input, output_size, return_indices=return_indices)


def lp_pool1d(input, norm_type, kernel_size, stride=None, ceil_mode=False):
    """(sum of x^p over every window)^(1/p), with p = `norm_type`: the maximum for large p, the sum for p = 1.

    Where the sum is zero so is the gradient. As in PyTorch, the sum of a window that `ceil_mode` lets reach beyond the end
    is scaled up to a whole window.
    """
    return _lp_pool("lp_pool1d", 1, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool2d(input, norm_type, kernel_size, stride=None, ceil_mode=False):
    """(sum of x^p over every window)^(1/p), with p = `norm_type`; see `lp_pool1d`."""
    return _lp_pool("lp_pool2d", 2, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool3d(input, norm_type, kernel_size, stride=None, ceil_mode=False):
    """(sum of x^p over every window)^(1/p), with p = `norm_type`; see `lp_pool1d`."""
    return _lp_pool("lp_pool3d", 3, input, norm_type, kernel_size, stride, ceil_mode)


# ---- checking arguments ----------------------------------------------------------------------------------------------

def _max_pool(function, dims, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices):
    """Check everything, then run MaxPool."""
    x, single = as_batch(function, input, dims)
    dilation = sizes(function, "dilation", dilation, dims, 1)
    kernel, stride, padding, room = _windows(function, x.shape[2:], kernel_size, stride, padding, dilation, ceil_mode)
    for n, k, s, (p, after), d in zip(x.shape[2:], kernel, stride, room, dilation):
        starts = range(-p, n + after - d * (k - 1), s)
        if d > n and not all(any(0 <= start + i * d < n for i in range(k)) for start in starts):
            raise ValueError(f"{function}: with dilation {dilation} and padding {padding}, a window of the input of shape "
                             f"{input.shape} holds nothing but padding")
    result = MaxPool.apply(x, kernel=kernel, stride=stride, padding=room, dilation=dilation, return_indices=return_indices)
    return _unbatched(result, single)


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
    return _unbatched(y, single)


def _avg_pool(function, dims, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor):
    """Check everything, then run AvgPool."""
    x, single = as_batch(function, input, dims)
    kernel, stride, padding, room = _windows(function, x.shape[2:], kernel_size, stride, padding, (1,) * dims, ceil_mode)
    if divisor == 0:
        raise ValueError(f"{function}: divisor_override must not be 0")
    y = AvgPool.apply(x, kernel=kernel, stride=stride, padding=padding, room=room, count_include_pad=count_include_pad,
                      divisor=divisor)
    return _unbatched(y, single)


def _adaptive(function, dims, operation, input, output_size, **options):
    """Check everything, then run AdaptiveAvgPool or AdaptiveMaxPool."""
    x, single = as_batch(function, input, dims)
    wanted = tuple(output_size) if isinstance(output_size, (tuple, list)) else (output_size,) * dims
    if len(wanted) == dims:
        wanted = tuple(s if o is None else o for o, s in zip(wanted, x.shape[2:]))
    out = sizes(function, "output_size", wanted, dims, 1)
    if 0 in x.shape[2:]:
        raise ValueError(f"{function}: input of shape {input.shape} has no elements to summarise")
    return _unbatched(operation.apply(x, out=out, **options), single)


def _lp_pool(function, dims, input, norm_type, kernel_size, stride, ceil_mode):
    """Compose it of a power, a mean and a root."""
    check_floating(function, input=input)
    if norm_type == 0:
        raise ValueError(f"{function}: norm_type must not be 0")
    mean = _avg_pool(function, dims, input ** norm_type, kernel_size, stride, 0, ceil_mode, True, None)
    total = mean * int(np.prod(sizes(function, "kernel_size", kernel_size, dims, 1)))
    zero = eq(total, 0).to(total.dtype)  # where the slope of the root is infinite
    return (total + zero) ** (1 / norm_type) * (1 - zero)


def _windows(function, size, kernel_size, stride, padding, dilation, ceil_mode):
    """(kernel, stride, padding, room): tuples, and the room (before, after) that the windows need around the image.

    With `ceil_mode` a last window may reach beyond the padding, but it must begin before it.
    """
    dims = len(size)
    kernel = sizes(function, "kernel_size", kernel_size, dims, 1)
    stride = kernel if stride is None else sizes(function, "stride", stride, dims, 1)
    padding = sizes(function, "padding", padding, dims, 0)
    room = []
    for n, k, s, p, d in zip(size, kernel, stride, padding, dilation):
        span = d * (k - 1) + 1
        if p > k // 2:
            raise ValueError(f"{function}: padding must be at most half the kernel, got padding {padding} for a kernel of "
                             f"size {kernel}")
        out = (n + 2 * p - span + (s - 1 if ceil_mode else 0)) // s + 1
        if ceil_mode and (out - 1) * s >= n + p:
            out -= 1
        if out < 1 or n < 1:
            raise ValueError(f"{function}: a kernel of size {kernel} with dilation {dilation} and padding {padding} does "
                             f"not fit into an input of size {tuple(size)}")
        room.append((p, max(0, (out - 1) * s + span - n - p)))
    return kernel, stride, padding, room


def _unbatched(result, single):
    """`result`, a tensor or a tuple of tensors, without the batch dimension that was added to a single image."""
    if not single:
        return result
    return tuple(y.squeeze(0) for y in result) if isinstance(result, tuple) else result.squeeze(0)


__all__ = ["adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d", "adaptive_max_pool1d", "adaptive_max_pool2d",
           "adaptive_max_pool3d", "avg_pool1d", "avg_pool2d", "avg_pool3d", "lp_pool1d", "lp_pool2d", "lp_pool3d",
           "max_pool1d", "max_pool2d", "max_pool3d", "max_unpool1d", "max_unpool2d", "max_unpool3d"]
