"""Maximum pooling with NumPy, a few images at a time."""
import math

import numpy as np

from ...ops.pool_max import MaxPool
from ...ops.unfold import count_windows, meetings
from ..layout import channels_first, channels_last
from ..workers import parallel

NUMBERS = 2**16  # of images that are worked on together: they stay in the cache


def images_on_cpu(ctx, x, *rest, **options):
    """NumPy arrays of floating-point numbers."""
    return type(x) is np.ndarray and x.dtype.kind == "f"


@MaxPool.forward.road(images_on_cpu)
def max_pool_by_offsets(ctx, x, kernel, stride, padding, dilation, return_indices):
    """Images that stay in the cache; the latest winner is that of the largest number, without a choice."""
    ctx.size, out = x.shape[2:], count_windows("max_pool", x.shape[2:], kernel, stride, padding, dilation)
    offsets = [meetings(k, ctx.size, out, stride, padding, dilation) for k in np.ndindex(*kernel)]
    x, numbers = channels_last(x), np.arange(math.prod(ctx.size)).reshape(*ctx.size, 1)
    shape = len(x), *out, x.shape[-1]
    y, indices = np.full(shape, -np.inf, x.dtype), np.full(shape, -1)
    step = max(1, NUMBERS // max(1, x[:1].size))

    def work(start, stop):
        for n in (slice(n, min(n + step, stop)) for n in range(start, stop, step)):
            for o, i in offsets:
                best, leader, candidate = y[n, *o], indices[n, *o], x[n, *i]
                wins = (candidate > best) | (candidate != candidate) | (leader < 0)
                np.maximum(leader, wins * numbers[i], out=leader)
                np.maximum(best, candidate, out=best)
    parallel(work, len(x), moved=6 * len(offsets) * y.nbytes)
    y, indices = channels_first(y), channels_first(indices)
    ctx.save_for_backward(indices)
    return (y, indices.copy()) if return_indices else y
