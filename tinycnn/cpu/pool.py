"""Maximum pooling as loops over windows. `ops/pool_max.py` says what is computed.

The channels of a pixel stand side by side in memory, and the innermost loop runs along them: one step compares a pixel of a
window in all channels at once. There is no `if` in it, so that vector instructions can do it. Backward, threads share out
the images, whose pixels are in nobody else's windows. On one thread, forward takes a fifth to a third of PyTorch's time.
"""
import math

import numpy as np

from ..ops.pool_max import MaxPool
from ..ops.unfold import count_windows
from .compiled import loop
from .serving import compiled_floats
from .numpy_only import pool  # noqa: F401  whose road is the older one, so these are asked first
from .windows import as_images, as_rows, pixels
from .workers import aligned, parallel


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
