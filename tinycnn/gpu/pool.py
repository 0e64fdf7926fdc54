"""Maximum pooling on a GPU: one launch each way. The kernel looks at whole windows, and its indices are int32."""
import numpy as np

from ..engine.arrays import array_module
from ..ops.pool_max import MaxPool
from ..ops.unfold import count_windows
from .conv import geometry
from .launch import launch, like, serves, threads


def images_on_gpu(ctx, x, *rest, **options):
    """Images or signals on a GPU."""
    return serves(x) and x.ndim < 5


@MaxPool.forward.road(images_on_gpu)
def max_pool_of_images(ctx, x, kernel, stride, padding, dilation, return_indices):
    """A thread a window."""
    (x,), xp, ctx.size = like(x, x), array_module(x), x.shape[2:]
    out = count_windows("max_pool", ctx.size, kernel, stride, padding, dilation)
    ctx.geometry = geometry(*x.shape[:2], ctx.size, out, kernel, stride, padding, dilation)
    y, indices = (xp.empty((*x.shape[:2], *out), dtype) for dtype in (x.dtype, np.int32))
    launch("pool", "max_pool", xp, x.dtype, threads(y.size), x, y, indices, ctx.geometry.struct)
    ctx.save_for_backward(indices)
    return (y, indices.astype(np.int64)) if return_indices else y


def geometry_is_known(ctx, dy, *rest):
    """An array on a GPU, where forward took the road."""
    return serves(dy) and hasattr(ctx, "geometry")


@MaxPool.backward.road(geometry_is_known)
def max_pool_backward_of_images(ctx, dy, *_):
    """A thread a pixel collects what the windows in which it won hand down."""
    (dy,), xp, (indices,) = like(dy, dy), array_module(dy), ctx.saved_tensors
    dx = xp.empty((*dy.shape[:2], *ctx.size), dy.dtype)
    launch("pool", "max_pool_backward", xp, dy.dtype, threads(dx.size), dy, indices, dx, ctx.geometry.struct)
    return dx
