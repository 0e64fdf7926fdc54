"""Pooling as loops over windows. `ops/pool_max.py` and `ops/pool_average.py` say what is computed.

The channels of a pixel stand side by side in memory, and the innermost loop runs along them: one step compares, or adds, a
pixel of a window in all channels at once. There is no `if` in it, so that vector instructions can do it. Backward, threads
share out the images, whose pixels are in nobody else's windows.
"""
import functools
import math

import numpy as np

from ..ops.pool import adaptive_windows
from ..ops.pool_average import AdaptiveAvgPool, AvgPool, elements
from ..ops.pool_max import MaxPool
from ..ops.unfold import count_windows
from .compiled import loop
from .serving import compiled_floats
from .numpy_only import pool  # noqa: F401  whose road is the older one, so these are asked first
from .windows import as_images, as_rows, pixels, rows_and_columns
from .workers import aligned, parallel

BLOCK = 128  # numbers that are summed in the dtype of x, beyond in float64


# ---- maximum ---------------------------------------------------------------------------------------------------------

@loop
def maxima(x, rows, columns, y, winners, first, last):
    """y[n, r, j] = max x[n, h, v] over the pixels of window (r, j), for rows first to last of all images (`MaxPool`).

    The winner is the number h * width + v of that pixel. These numbers rise, so the last to win is the largest.
    """
    width, channels = x.shape[2:]
    for row in range(first, last):
        n, r = row // len(rows), row % len(rows)
        for j in range(len(columns)):
            empty = True
            for h in rows[r]:
                for v in columns[j]:
                    if h < 0 or v < 0:
                        continue
                    number = np.int32(h * width + v)
                    if empty:
                        for c in range(channels):
                            y[n, r, j, c] = x[n, h, v, c]
                            winners[n, r, j, c] = number
                    else:
                        for c in range(channels):
                            new, best = x[n, h, v, c], y[n, r, j, c]
                            wins = (new > best) | (new != new)  # NaN
                            y[n, r, j, c] = np.maximum(new, best)
                            winners[n, r, j, c] = max(winners[n, r, j, c], number if wins else np.int32(0))
                    empty = False


@loop
def send_to_winners(dy, winners, dx, first, last):
    """dx[n, i] = sum_{o: winners[n, o] = i} dy[n, o], for images first to last; dy and winners (N, O, C), dx (N, I, C)."""
    for n in range(first, last):
        dx[n] = 0
        for o in range(dy.shape[1]):
            for c in range(dy.shape[2]):
                dx[n, np.uint32(winners[n, o, c]), c] += dy[n, o, c]


def numbered(ctx, x, *rest, **options):
    """NumPy arrays of float32 or float64 of less than 2^31 pixels, where Numba is installed."""
    return compiled_floats(x) and math.prod(x.shape[2:]) < 2**31


@MaxPool.forward.road(numbered)
def max_pool_by_loops(ctx, x, kernel, stride, padding, dilation, return_indices):
    """All channels of a pixel at once."""
    ctx.size, out = x.shape[2:], count_windows("max_pool", x.shape[2:], kernel, stride, padding, dilation)
    rows, columns = pixels(ctx.size, out, kernel, stride, tuple(p for p, _ in padding), dilation)
    x = as_rows(x)
    y = aligned((len(x), len(rows), len(columns), x.shape[3]), x.dtype)
    winners = np.empty(y.shape, np.int32)
    parallel(lambda i, j: maxima(x, rows, columns, y, winners, i, j), len(x) * len(rows),
             moved=y.nbytes * math.prod(kernel) // 2)
    y, winners = as_images(y, out), as_images(winners, out)
    ctx.save_for_backward(winners)
    ctx.backward, ctx.backward_recorded = max_pool_backward_by_loops, MaxPool.backward
    return (y, winners.astype(np.int64)) if return_indices else y


def max_pool_backward_by_loops(ctx, dy, *_):
    """dx, from winners of int32."""
    (winners,) = ctx.saved_tensors
    (count, channels), size = dy.shape[:2], math.prod(ctx.size)
    dy, winners = (as_rows(a).reshape(count, -1, channels) for a in (dy, winners))
    dx = aligned((count, size, channels), dy.dtype)
    parallel(lambda i, j: send_to_winners(dy, winners, dx, i, j), count, moved=6 * dy.nbytes + dx.nbytes // 2)
    return as_images(dx, ctx.size)


# ---- mean ------------------------------------------------------------------------------------------------------------

@loop
def means(x, rows, columns, m, y, first, last):
    """y[n, r, j] = 1/m[r, j] sum x[n, h, v] over the pixels of window (r, j), for rows first to last of all images."""
    channels = x.shape[3]
    total = np.empty(channels)
    for row in range(first, last):
        n, r = row // len(rows), row % len(rows)
        for j in range(len(columns)):
            count = 0
            total[:] = 0
            for c in range(channels):
                y[n, r, j, c] = 0
            for h in rows[r]:
                for v in columns[j]:
                    if h < 0 or v < 0:
                        continue
                    for c in range(channels):
                        y[n, r, j, c] += x[n, h, v, c]
                    count += 1
                    if count % BLOCK == 0:
                        for c in range(channels):
                            total[c] += y[n, r, j, c]
                            y[n, r, j, c] = 0
            for c in range(channels):
                y[n, r, j, c] = (y[n, r, j, c] + total[c]) / m[r, j]


@loop
def shares(dy, rows, columns, m, dx, first, last):
    """dx[n, h, v] = sum 1/m[r, j] dy[n, r, j] over the windows (r, j) that hold pixel (h, v), for images first to last."""
    channels = dy.shape[3]
    for n in range(first, last):
        dx[n] = 0
        for r in range(len(rows)):
            for j in range(len(columns)):
                share = dy.dtype.type(1) / m[r, j]
                for h in rows[r]:
                    for v in columns[j]:
                        if h < 0 or v < 0:
                            continue
                        for c in range(channels):
                            dx[n, h, v, c] += dy[n, r, j, c] * share


def mean_of(x, rows, columns, m, out):
    """`means` of x (N, C, *S): (N, C, *out)."""
    x, m = as_rows(x), m.reshape(len(rows), len(columns))
    y = aligned((len(x), *m.shape, x.shape[3]), x.dtype)
    parallel(lambda i, j: means(x, rows, columns, m, y, i, j), len(x) * len(rows),
             moved=y.nbytes * rows.shape[1] * columns.shape[1] // 2)
    return as_images(y, out)


def shares_of(dy, rows, columns, m, size):
    """`shares` of dy (N, C, *O): (N, C, *size)."""
    dy, m = as_rows(dy), m.reshape(len(rows), len(columns))
    dx = aligned((len(dy), math.prod(size[:-1]), size[-1], dy.shape[3]), dy.dtype)
    parallel(lambda i, j: shares(dy, rows, columns, m, dx, i, j), len(dy),
             moved=dx.nbytes + dy.nbytes * rows.shape[1] * columns.shape[1] // 2)
    return as_images(dx, size)


def floats(ctx, x, *rest, **options):
    """NumPy arrays of float32 or float64, where Numba is installed."""
    return compiled_floats(x)


@AvgPool.forward.road(floats)
def average_by_loops(ctx, x, kernel, stride, padding, room, count_include_pad, divisor):
    """All channels of a pixel at once."""
    ctx.size, ctx.kernel, ctx.geometry = x.shape[2:], kernel, (stride, room, (1,) * len(kernel))
    out = count_windows("avg_pool", ctx.size, kernel, *ctx.geometry)
    ctx.m = elements(x, out, kernel, stride, padding, count_include_pad, divisor)
    return mean_of(x, *pixels(ctx.size, out, kernel, stride, padding, (1,) * len(kernel)), ctx.m, out)


@AvgPool.backward.road(floats)
def average_backward_by_loops(ctx, dy):
    """All channels of a pixel at once."""
    stride, room, ones = ctx.geometry
    windows = pixels(ctx.size, dy.shape[2:], ctx.kernel, stride, tuple(p for p, _ in room), ones)
    return shares_of(dy, *windows, ctx.m, ctx.size)


@functools.lru_cache(1000)
def adaptive_pixels(size, out):
    """`pixels` of the `adaptive_windows`, and how many each window holds."""
    axes = []
    for s, n in zip(size, out):
        start, stop = np.array([(w.start, w.stop) for _, (w,) in adaptive_windows((s,), (n,))]).T[..., None]
        places = start + np.arange((stop - start).max())
        axes.append(np.where(places < stop, places, -1))
    rows, columns = rows_and_columns(size, axes)
    return rows, columns, (rows >= 0).sum(1)[:, None] * (columns >= 0).sum(1)


@AdaptiveAvgPool.forward.road(floats)
def adaptive_average_by_loops(ctx, x, out):
    """All channels of a pixel at once."""
    ctx.size = x.shape[2:]
    rows, columns, m = adaptive_pixels(ctx.size, out)
    return mean_of(x, rows, columns, m.astype(x.dtype), out)


@AdaptiveAvgPool.backward.road(floats)
def adaptive_average_backward_by_loops(ctx, dy):
    """All channels of a pixel at once."""
    rows, columns, m = adaptive_pixels(ctx.size, dy.shape[2:])
    return shares_of(dy, rows, columns, m.astype(dy.dtype), ctx.size)
