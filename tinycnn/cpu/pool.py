"""Pooling for a processor with caches: a few images at a time, in the memory layout of the input.

All loops go over the offsets of the kernel, never over windows: for one offset, the pixels that all windows have there are a
strided slice of the image, and one step of array arithmetic serves them all. Results have the memory layout of the input, so
that images whose channels stand side by side in memory (as convolutions leave them) stay so.

The maximum of a window is the maximum of the maxima of its rows: the last axis is pooled by itself, then what is left along
the one before, and so on, KH + KW comparisons in place of KH * KW. Saved is the offset that won, a byte each, for every
axis; the axes go backward in reverse order.
"""
import numpy as np

from ..engine.tensor import wrap
from ..ops.pool import adaptive_windows
from ..ops.pool_average import AdaptiveAvgPool, AvgPool, elements
from ..ops.pool_max import MaxPool, send
from ..ops.unfold import count_windows, meeting, meetings
from .serving import summable
from .workers import parallel

PIECE_BYTES = 2**20  # images are pooled in pieces of this size, which stay in the cache from one offset to the next


def by_images(work, x, passes):
    """Run work(slice of images) over all images of x, a few at a time, on all cores."""
    images = max(1, PIECE_BYTES * len(x) // max(x.nbytes, 1))

    def part(start, stop):
        for n in range(start, stop, images):
            work(slice(n, min(n + images, stop)))

    parallel(part, len(x), moved=passes * x.nbytes)


def pools_on_cpu(ctx, x, *rest, **options):
    """An array of NumPy's."""
    return type(x) is np.ndarray


# ---- maximum ---------------------------------------------------------------------------------------------------------

@MaxPool.forward.road(pools_on_cpu)
def max_pool_by_axes(ctx, x, kernel, stride, padding, dilation, return_indices):
    """One axis after the other, a few images at a time, on all cores."""
    ctx.size, out = x.shape[2:], count_windows("max_pool", x.shape[2:], kernel, stride, padding, dilation)
    ctx.steps = [(axis, *step) for axis, step in enumerate(zip(kernel, out, stride, padding, dilation), 2)]
    ctx.backward, ctx.backward_recorded = max_pool_backward_by_axes, max_pool_backward_by_indices
    shape, winners = list(x.shape), []
    for axis, k, o, *_ in reversed(ctx.steps):
        shape[axis] = o
        winners.append(np.empty_like(x, np.min_scalar_type(k - 1), shape=tuple(shape)))
    y = np.empty_like(x, shape=tuple(shape))

    def work(piece):
        rest = x[piece]
        for step, winner in zip(reversed(ctx.steps), winners):
            rest = max_along(rest, winner[piece], *step)
        y[piece] = rest

    by_images(work, x, passes=6)
    ctx.save_for_backward(*winners)
    return (y, indices(winners, ctx.steps, ctx.size)) if return_indices else y


def max_pool_backward_by_axes(ctx, dy, *_):
    """dx, one axis after the other."""
    winners = ctx.saved_tensors
    shapes = [winner.shape for winner in winners[-2::-1]] + [(*dy.shape[:2], *ctx.size)]
    dx = np.empty_like(winners[0], dy.dtype, shape=shapes[-1])

    def work(piece):
        rest = np.empty_like(winners[-1][piece], dy.dtype)
        rest[...] = dy[piece]  # in the memory layout of the rest, whatever dy has
        for step, winner, shape in zip(ctx.steps, winners[::-1], shapes):
            last = step is ctx.steps[-1]
            target = dx[piece] if last else np.empty_like(rest, shape=(len(rest), *shape[1:]))
            rest = send_along(rest, winner[piece], target, *step)

    by_images(work, dx, passes=6)
    return dx


def max_pool_backward_by_indices(ctx, dy, *_):
    """dx of a Tensor, all axes at once."""
    winners = [winner.array for winner in ctx.saved_tensors]
    return send(dy, wrap(indices(winners, ctx.steps, ctx.size)), ctx.size)


def slices_along(axis, o, i, y, x):
    """y at the slice o of an axis, and x at the slice i."""
    before = (slice(None),) * axis
    return y[*before, o], x[*before, i]


def max_along(x, winner, axis, k, out, stride, padding, dilation):
    """The maximum of every window along one axis; the offset of the first maximum is written into `winner`."""
    y = np.empty_like(x, shape=winner.shape)
    if padding[0]:
        y[...] = -np.inf  # where windows begin before the image
    first = np.maximum(-((np.arange(out) * stride - padding[0]) // dilation), 0)  # offsets inside of the image
    winner[...] = first.reshape(-1, *[1] * (x.ndim - axis - 1))
    for offset in range(k):
        o, i = meeting(offset, x.shape[axis], out, stride, padding, dilation)
        best, candidate = slices_along(axis, o, i, y, x)
        if offset == 0:
            best[...] = candidate
            continue
        candidate = candidate.copy("K")  # without gaps: three uses of short rows take longer than this one
        better = candidate > best
        better |= candidate != candidate  # NaN
        wins, _ = slices_along(axis, o, i, winner, x)
        np.maximum(wins, better * wins.dtype.type(offset), out=wins)  # offsets rise: the latest winner is the largest
        np.maximum(best, candidate, out=best)
    return y


def send_along(dy, winner, dx, axis, k, out, stride, padding, dilation):
    """The adjoint: every dy is added to the pixel that won, in `dx`, which need not be set to anything."""
    apart = stride > dilation * (k - 1)  # every pixel stands in one window at most,
    if not (apart and stride == k and padding[0] == 0 and dx.shape[axis] == out * k):  # or in one exactly
        dx[...] = 0
    for offset in range(k):
        o, i = meeting(offset, dx.shape[axis], out, stride, padding, dilation)
        mine, target = slices_along(axis, o, i, dy, dx)
        won = slices_along(axis, o, i, winner, dx)[0] == offset
        if apart:
            np.multiply(mine, won, out=target)
        else:
            target += mine * won
    return dx


def indices(winners, steps, size):
    """The indices, in planes of `size`, of the maxima: which row won, which column won in that row, and so on."""
    shape = winners[-1].shape
    grid = [np.arange(n).reshape(-1, *[1] * (len(shape) - 1 - axis)) for axis, n in enumerate(shape)]
    position, index = grid[:2], 0
    for (axis, _, _, stride, padding, dilation), winner, length in zip(steps, reversed(winners), size):
        offset = winner[(*position, *grid[axis:])].astype(np.int64)
        position.append(grid[axis] * stride - padding[0] + offset * dilation)
        index = index * length + position[-1]
    return index


# ---- mean ------------------------------------------------------------------------------------------------------------

def averages_on_cpu(ctx, x, *rest, **options):
    """An array of NumPy's, but of float16."""
    return summable(x)


@AvgPool.forward.road(averages_on_cpu)
def average_on_cpu(ctx, x, kernel, stride, padding, room, count_include_pad, divisor):
    """Shifted images are added up, a few at a time, on all cores."""
    ctx.size, ctx.kernel, ctx.geometry, ctx.layout = x.shape[2:], kernel, (stride, room, (1,) * len(kernel)), layout(x)
    out = count_windows("avg_pool", ctx.size, kernel, *ctx.geometry)
    ctx.m = elements(x, out, kernel, stride, padding, count_include_pad, divisor)
    y = np.zeros_like(x, shape=(*x.shape[:2], *out))

    def work(piece):
        for k in np.ndindex(*kernel):
            o, i = meetings(k, ctx.size, out, *ctx.geometry)
            y[piece, :, *o] += x[piece, :, *i]
        y[piece] /= ctx.m

    by_images(work, x, passes=len(kernel))
    return y


def layout(x):
    """A tiny array with the memory layout of x, for `zeros_like` to follow after x itself is gone."""
    return np.empty_like(x, shape=(2,) * x.ndim)


def layout_is_known(ctx, dy):
    """An array of NumPy's, where forward took the road."""
    return type(dy) is np.ndarray and hasattr(ctx, "layout")


@AvgPool.backward.road(layout_is_known)
def average_backward_on_cpu(ctx, dy):
    """Shares are added to shifted images, a few at a time, on all cores."""
    dx = np.zeros_like(ctx.layout, dy.dtype, shape=(*dy.shape[:2], *ctx.size))

    def work(piece):
        share = dy[piece] / ctx.m
        for k in np.ndindex(*ctx.kernel):
            o, i = meetings(k, ctx.size, dy.shape[2:], *ctx.geometry)
            dx[piece, :, *i] += share[:, :, *o]

    by_images(work, dx, passes=len(ctx.kernel))
    return dx


@AdaptiveAvgPool.forward.road(averages_on_cpu)
def adaptive_average_on_cpu(ctx, x, out):
    """In the memory layout of the input."""
    ctx.size, ctx.layout, y = x.shape[2:], layout(x), np.empty_like(x, shape=(*x.shape[:2], *out))
    for o, window in adaptive_windows(ctx.size, out):
        y[:, :, *o] = x[:, :, *window].mean(tuple(range(2, x.ndim)))
    return y


@AdaptiveAvgPool.backward.road(layout_is_known)
def adaptive_average_backward_on_cpu(ctx, dy):
    """In the memory layout of the input."""
    dx = np.zeros_like(ctx.layout, dy.dtype, shape=(*dy.shape[:2], *ctx.size))
    for o, window in adaptive_windows(ctx.size, dy.shape[2:]):
        inside = dx[:, :, *window]
        inside += dy[:, :, *o].reshape(*dy.shape[:2], *[1] * len(window)) / int(np.prod(inside.shape[2:]))
    return dx
