"""Attention in parts of the batch, which the cores share, in pieces whose P stays in the cache."""
import numpy as np

from ..engine.arrays import matmul
from ..ops import attention as formulas
from ..ops.attention import Attention, gradients
from .serving import compiled_floats, on_cpu
from .softmax import softmax
from .workers import parallel

PIECE_BYTES = 2**19


def divisible(ctx, q, k, v, mask, m=None, scale=None):
    """NumPy arrays, of which q, k and v have the batch in common."""
    return (on_cpu(q) and q.ndim > 2 and q.dtype == k.dtype == v.dtype
            and q.shape[:-2] == k.shape[:-2] == v.shape[:-2]
            and (mask is None or np.broadcast_shapes(mask.shape[:-2], q.shape[:-2]) == q.shape[:-2]))


@Attention.forward.road(divisible)
def attend_in_parts(ctx, q, k, v, mask, m, scale):
    """Parts of the batch side by side, in pieces that stay in the cache."""
    ctx.scale = scale
    y = np.empty_like(q) if q.shape == v.shape else np.empty((*q.shape[:-1], v.shape[-1]), q.dtype)
    p = np.empty((*q.shape[:-1], k.shape[-2]), q.dtype)
    by_parts(lambda *part: average(*part, scale), (y, p), p, q, k, v, mask, m)
    ctx.save_for_backward(q, k, v, p, m, mask)
    return y


def average(q, k, v, mask, m, scale):
    """y and P."""
    z = matmul(q * scale, k.swapaxes(-1, -2))
    if mask is not None:
        z = z + mask
    if compiled_floats(z):
        z = p = np.ascontiguousarray(z)
        softmax(z.reshape(-1, z.shape[-1]), p.reshape(-1, z.shape[-1]), 0.0)
    else:
        p = formulas.shares(z)
    return matmul(p if m is None else p * m, v), p


def parts_suffice(ctx, dy):
    """Such arrays, where the mask wants no gradient."""
    return type(dy) is np.ndarray and not ctx.needs_input_grad[3] and divisible(ctx, *(
        ctx.saved_tensors[i] for i in (0, 1, 2, 5)))


@Attention.backward.road(parts_suffice)
def attend_in_parts_backward(ctx, dy):
    """Parts of the batch side by side, in pieces that stay in the cache."""
    q, k, v, p, m, _ = ctx.saved_tensors
    grads = [np.empty_like(x) if need else None for x, need in zip((q, k, v), ctx.needs_input_grad)]
    by_parts(lambda *part: gradients(ctx, *part, None), grads, p, dy, q, k, v, p, m)
    return *grads, None, None


def by_parts(function, outs, p, *arrays):
    """outs = function(*arrays), where p and what has its first dimension is cut along that: into pieces that stay in the
    cache, which the cores share. An out that is None is left out; others may have any layout in memory."""
    count, step = len(p), max(1, PIECE_BYTES * len(p) // max(p.nbytes, 1))

    def part(start, stop):
        for i in range(start, stop, step):
            images = slice(i, min(i + step, stop))
            results = function(*(a[images] if np.ndim(a) == p.ndim and len(a) == count else a for a in arrays))
            for out, result in zip(outs, results):
                if out is not None:
                    out[images] = result

    parallel(part, count, moved=20 * p.nbytes)
