"""What all pooling shares: the windows.

Pooling is the summary of every window of an image by its maximum (`pool_max.py`) or its mean (`pool_average.py`). It looks
through the windows of `unfold.py`, each channel by itself, and learns nothing. The adaptive kinds cover an image of any size
by as many windows as they are asked for.
"""
import numpy as np

from .unfold import as_batch, sizes


def adaptive_windows(size, out):
    """The windows, `out` in number, that cover `size` evenly and without a gap: (o, slices) each.

    Along one dimension window o runs from floor(o * size / out) to ceil((o + 1) * size / out): where `out` does not divide
    `size`, neighbours share an element.
    """
    for o in np.ndindex(*out):
        yield o, tuple(slice(i * s // n, -(-(i + 1) * s // n)) for i, s, n in zip(o, size, out))


def windows(function, size, kernel_size, stride, padding, dilation, ceil_mode):
    """(kernel, stride, padding, room): tuples, and the room (before, after) that the windows need around the image.

    With `ceil_mode` a last window may reach beyond the padding, but it must begin before it.
    """
    dims = len(size)
    kernel = sizes(function, "kernel_size", kernel_size, dims, 1)
    stride = kernel if stride is None or stride in ((), []) else sizes(function, "stride", stride, dims, 1)
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


def adaptive_pool(function, dims, operation, input, output_size, **options):
    """Check everything, then run AdaptiveAvgPool or AdaptiveMaxPool."""
    x, single = as_batch(function, input, dims)
    wanted = tuple(output_size) if isinstance(output_size, (tuple, list)) else (output_size,) * dims
    if len(wanted) == dims:
        wanted = tuple(s if o is None else o for o, s in zip(wanted, x.shape[2:]))
    out = sizes(function, "output_size", wanted, dims, 1)
    if 0 in x.shape[2:]:
        raise ValueError(f"{function}: input of shape {input.shape} has no elements to summarise")
    return unbatched(operation.apply(x, out=out, **options), single)


def unbatched(result, single):
    """`result`, a tensor or a tuple of tensors, without the batch dimension that was added to a single image."""
    if not single:
        return result
    return tuple(y.squeeze(0) for y in result) if isinstance(result, tuple) else result.squeeze(0)
