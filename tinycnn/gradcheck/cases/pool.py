"""Cases and mutants of `ops/pool_max.py` and `ops/pool_average.py`."""
from ...engine.arrays import array_module
from ...ops.pool import adaptive_windows
from ...ops.pool_average import AdaptiveAvgPool, AvgPool
from ...ops.pool_max import AdaptiveMaxPool, MaxPool, MaxUnpool
from ..registry import case, constant, distinct, mutant, normal, positive, tied


def F(t):
    """The functions of library `t`."""
    return t.nn.functional


# ---- maximum ---------------------------------------------------------------------------------------------------------

case(MaxPool, "one dimension", [distinct(2, 3, 8)], lambda t, x: F(t).max_pool1d(x, 2))
case(MaxPool, "one dimension, all options", [distinct(2, 3, 12)],
     lambda t, x: F(t).max_pool1d(x, 3, stride=2, padding=1, dilation=2, ceil_mode=True))
case(MaxPool, "two dimensions", [distinct(2, 3, 4, 6)], lambda t, x: F(t).max_pool2d(x, 2))
case(MaxPool, "overlapping windows", [distinct(2, 2, 6, 7)], lambda t, x: F(t).max_pool2d(x, 3, stride=1))
case(MaxPool, "padding", [distinct(2, 2, 7, 6)], lambda t, x: F(t).max_pool2d(x, 3, stride=2, padding=1))
case(MaxPool, "negative numbers beside padding", [distinct(1, 2, 5, 4)],
     lambda t, x: F(t).max_pool2d(x - 10, 3, stride=1, padding=1))
case(MaxPool, "rectangular, dilated", [distinct(1, 2, 9, 8)],
     lambda t, x: F(t).max_pool2d(x, (2, 3), stride=(2, 1), padding=(1, 0), dilation=(3, 2)))
case(MaxPool, "stride larger than the kernel", [distinct(2, 2, 8, 7)], lambda t, x: F(t).max_pool2d(x, 2, stride=3))
case(MaxPool, "a last window beyond the end", [distinct(2, 2, 6, 5)], lambda t, x: F(t).max_pool2d(x, 3, 2, ceil_mode=True))
case(MaxPool, "no window that begins in the padding after the end", [distinct(1, 2, 5, 5)],
     lambda t, x: F(t).max_pool2d(x, 2, stride=2, padding=1, ceil_mode=True))
case(MaxPool, "rows and columns left over", [distinct(2, 2, 5, 7)], lambda t, x: F(t).max_pool2d(x, 2))
case(MaxPool, "with indices", [distinct(2, 2, 6, 5)],
     lambda t, x: F(t).max_pool2d(x, 3, stride=2, padding=1, return_indices=True))
case(MaxPool, "ties", [tied(2, 2, 6, 6)], lambda t, x: F(t).max_pool2d(x, 2), kinks=True)
case(MaxPool, "ties in overlapping windows", [tied(1, 2, 6, 6)],
     lambda t, x: F(t).max_pool2d(x, 3, stride=1, padding=1), kinks=True)
case(MaxPool, "1x1", [distinct(2, 2, 3, 4)], lambda t, x: F(t).max_pool2d(x, 1))
case(MaxPool, "one image without batch", [distinct(3, 4, 6)], lambda t, x: F(t).max_pool2d(x, 2))
case(MaxPool, "empty batch", [distinct(0, 3, 4, 6)], lambda t, x: F(t).max_pool2d(x, 2))
case(MaxPool, "three dimensions", [distinct(1, 2, 4, 5, 6)],
     lambda t, x: F(t).max_pool3d(x, (2, 3, 2), stride=(2, 1, 2), padding=(1, 1, 0)))


@mutant(MaxPool, "an element that wins twice receives the mean")
def _(backward, ctx, dy, *_):
    wins = backward(ctx, array_module(dy).ones_like(dy))
    return backward(ctx, dy) / array_module(dy).maximum(wins, 1)


@mutant(MaxPool, "gradient of the window to its neighbour")
def _(backward, ctx, dy, *_):
    return backward(ctx, array_module(dy).roll(dy, 1, -1))


@mutant(MaxPool, "gradient one element beside the maximum")
def _(backward, ctx, dy, *_):
    return array_module(dy).roll(backward(ctx, dy), 1, -1)


@mutant(MaxPool, "channels share one winner")
def _(backward, ctx, dy, *_):
    dx = backward(ctx, dy)
    return dx.mean(1, keepdims=True) + array_module(dy).zeros_like(dx)


case(AdaptiveMaxPool, "one dimension, overlapping windows", [distinct(2, 3, 7)], lambda t, x: F(t).adaptive_max_pool1d(x, 3))
case(AdaptiveMaxPool, "windows without overlap", [distinct(2, 3, 4, 6)], lambda t, x: F(t).adaptive_max_pool2d(x, 2))
case(AdaptiveMaxPool, "overlapping windows, indices", [distinct(2, 2, 7, 5)],
     lambda t, x: F(t).adaptive_max_pool2d(x, (3, 4), return_indices=True))
case(AdaptiveMaxPool, "global", [distinct(2, 3, 4, 5)], lambda t, x: F(t).adaptive_max_pool2d(x, 1))
case(AdaptiveMaxPool, "more outputs than inputs", [distinct(2, 2, 3, 2)], lambda t, x: F(t).adaptive_max_pool2d(x, (5, 4)))
case(AdaptiveMaxPool, "one dimension as it is", [distinct(2, 2, 5, 4)], lambda t, x: F(t).adaptive_max_pool2d(x, (2, None)))
case(AdaptiveMaxPool, "ties", [tied(2, 2, 5, 5)], lambda t, x: F(t).adaptive_max_pool2d(x, 2), kinks=True)
case(AdaptiveMaxPool, "one image without batch", [distinct(3, 4, 5)], lambda t, x: F(t).adaptive_max_pool2d(x, 2))
case(AdaptiveMaxPool, "empty batch", [distinct(0, 3, 4, 5)], lambda t, x: F(t).adaptive_max_pool2d(x, 2))
case(AdaptiveMaxPool, "three dimensions", [distinct(1, 2, 4, 3, 5)], lambda t, x: F(t).adaptive_max_pool3d(x, (2, 2, 3)))


@mutant(AdaptiveMaxPool, "an element that wins twice receives the mean")
def _(backward, ctx, dy, *_):
    wins = backward(ctx, array_module(dy).ones_like(dy))
    return backward(ctx, dy) / array_module(dy).maximum(wins, 1)


@mutant(AdaptiveMaxPool, "gradient to all elements of the window")
def _(backward, ctx, dy, *_):
    dx = array_module(dy).zeros((*dy.shape[:2], *ctx.size), dy.dtype)
    for o, window in adaptive_windows(ctx.size, dy.shape[2:]):
        dx[:, :, *window] += dy[:, :, *o].reshape(*dy.shape[:2], *[1] * len(window))
    return dx


@mutant(AdaptiveMaxPool, "gradient one element beside the maximum")
def _(backward, ctx, dy, *_):
    return array_module(dy).roll(backward(ctx, dy), 1, -1)


case(MaxUnpool, "one dimension", [normal(1, 2, 3), constant([[[0, 3, 4], [1, 2, 5]]])],
     lambda t, x, i: F(t).max_unpool1d(x, i, 2), linear=True)
case(MaxUnpool, "two dimensions", [normal(1, 1, 2, 3), constant([[[[0, 9, 4], [12, 20, 23]]]])],
     lambda t, x, i: F(t).max_unpool2d(x, i, 2), linear=True)
case(MaxUnpool, "output_size", [normal(1, 1, 2, 2), constant([[[[0, 9], [12, 24]]]])],
     lambda t, x, i: F(t).max_unpool2d(x, i, 2, output_size=(5, 5)), linear=True)
case(MaxUnpool, "stride and padding", [normal(2, 1, 2, 2), constant([[[[0, 3], [8, 5]]], [[[1, 4], [6, 2]]]])],
     lambda t, x, i: F(t).max_unpool2d(x, i, 3, stride=2, padding=1), linear=True)
case(MaxUnpool, "one image without batch", [normal(1, 2, 2), constant([[[0, 3], [12, 10]]])],
     lambda t, x, i: F(t).max_unpool2d(x, i, 2), linear=True)
case(MaxUnpool, "three dimensions", [normal(1, 1, 1, 2, 2), constant([[[[[0, 19], [12, 30]]]]])],
     lambda t, x, i: F(t).max_unpool3d(x, i, 2), linear=True)


@mutant(MaxUnpool, "indices of the first plane used for all")
def _(backward, ctx, dy):
    (indices,) = ctx.saved_tensors
    planes = dy.reshape(*dy.shape[:2], -1)
    first = (indices * 0 + indices[:1, :1]).reshape(*dy.shape[:2], -1)
    return array_module(dy).take_along_axis(planes, first, 2).reshape(indices.shape), None


@mutant(MaxUnpool, "places in the order of the output, not of the indices")
def _(backward, ctx, dy):
    dx, _ = backward(ctx, dy)
    return dy.reshape(-1)[:dx.size].reshape(dx.shape), None


@mutant(MaxUnpool, "rows and columns of the indices swapped")
def _(backward, ctx, dy):
    return backward(ctx, dy.swapaxes(-1, -2).copy() if dy.ndim > 3 and dy.shape[-1] == dy.shape[-2] else dy)


# ---- mean ------------------------------------------------------------------------------------------------------------

case(AvgPool, "one dimension", [normal(2, 3, 8)], lambda t, x: F(t).avg_pool1d(x, 2), linear=True)
case(AvgPool, "one dimension, all options", [normal(2, 3, 9)],
     lambda t, x: F(t).avg_pool1d(x, 4, stride=3, padding=1, ceil_mode=True, count_include_pad=False), linear=True)
case(AvgPool, "two dimensions", [normal(2, 3, 4, 6)], lambda t, x: F(t).avg_pool2d(x, 2), linear=True)
case(AvgPool, "overlapping, rectangular", [normal(2, 2, 6, 7)],
     lambda t, x: F(t).avg_pool2d(x, (3, 2), stride=(1, 2)), linear=True)
case(AvgPool, "padding counted", [normal(2, 2, 7, 6)], lambda t, x: F(t).avg_pool2d(x, 3, stride=2, padding=1), linear=True)
case(AvgPool, "padding not counted", [normal(2, 2, 7, 6)],
     lambda t, x: F(t).avg_pool2d(x, 3, stride=2, padding=1, count_include_pad=False), linear=True)
case(AvgPool, "a last window beyond the end", [normal(2, 2, 6, 8)],
     lambda t, x: F(t).avg_pool2d(x, 3, stride=2, ceil_mode=True), linear=True)
case(AvgPool, "a last window beyond the padding", [normal(2, 2, 6, 7)],
     lambda t, x: F(t).avg_pool2d(x, (4, 3), stride=3, padding=1, ceil_mode=True), linear=True)
case(AvgPool, "divisor_override", [normal(2, 2, 6, 7)],
     lambda t, x: F(t).avg_pool2d(x, 3, stride=2, padding=1, divisor_override=5), linear=True)
case(AvgPool, "stride larger than the kernel", [normal(2, 2, 8, 7)], lambda t, x: F(t).avg_pool2d(x, 2, 3), linear=True)
case(AvgPool, "one image without batch", [normal(3, 4, 6)], lambda t, x: F(t).avg_pool2d(x, 2), linear=True)
case(AvgPool, "empty batch", [normal(0, 3, 4, 6)], lambda t, x: F(t).avg_pool2d(x, 2), linear=True)
case(AvgPool, "three dimensions", [normal(1, 2, 4, 5, 6)],
     lambda t, x: F(t).avg_pool3d(x, (2, 3, 2), stride=2, padding=(1, 1, 0)), linear=True)
case(AvgPool, "power average in one dimension", [positive(2, 2, 7)], lambda t, x: F(t).lp_pool1d(x, 3, 3, stride=2))
case(AvgPool, "power average in two dimensions", [normal(2, 2, 5, 6)],
     lambda t, x: F(t).lp_pool2d(x, 2, (2, 3), ceil_mode=True))


@mutant(AvgPool, "not divided by the number of elements")
def _(backward, ctx, dy):
    return backward(ctx, dy * ctx.m)


@mutant(AvgPool, "divided by the kernel, whatever the window holds")
def _(backward, ctx, dy):
    return backward(ctx, dy * ctx.m / ctx.m.max())


@mutant(AvgPool, "mean instead of sum where windows overlap")
def _(backward, ctx, dy):
    windows = backward(ctx, ctx.m + array_module(dy).zeros_like(dy))
    return backward(ctx, dy) / array_module(dy).maximum(windows, 1)


@mutant(AvgPool, "padding cropped one pixel off")
def _(backward, ctx, dy):
    return array_module(dy).roll(backward(ctx, dy), 1, -1)


case(AdaptiveAvgPool, "one dimension, overlapping windows", [normal(2, 3, 7)],
     lambda t, x: F(t).adaptive_avg_pool1d(x, 3), linear=True)
case(AdaptiveAvgPool, "windows without overlap", [normal(2, 3, 4, 6)],
     lambda t, x: F(t).adaptive_avg_pool2d(x, 2), linear=True)
case(AdaptiveAvgPool, "overlapping windows", [normal(2, 2, 7, 5)],
     lambda t, x: F(t).adaptive_avg_pool2d(x, (3, 4)), linear=True)
case(AdaptiveAvgPool, "global", [normal(2, 3, 4, 5)], lambda t, x: F(t).adaptive_avg_pool2d(x, 1), linear=True)
case(AdaptiveAvgPool, "more outputs than inputs", [normal(2, 2, 3, 2)],
     lambda t, x: F(t).adaptive_avg_pool2d(x, (5, 4)), linear=True)
case(AdaptiveAvgPool, "one dimension as it is", [normal(2, 2, 5, 4)],
     lambda t, x: F(t).adaptive_avg_pool2d(x, (None, 3)), linear=True)
case(AdaptiveAvgPool, "one image without batch", [normal(3, 4, 5)], lambda t, x: F(t).adaptive_avg_pool2d(x, 2), linear=True)
case(AdaptiveAvgPool, "empty batch", [normal(0, 3, 4, 5)], lambda t, x: F(t).adaptive_avg_pool2d(x, 2), linear=True)
case(AdaptiveAvgPool, "three dimensions", [normal(1, 2, 4, 3, 5)],
     lambda t, x: F(t).adaptive_avg_pool3d(x, (2, 2, 3)), linear=True)


@mutant(AdaptiveAvgPool, "not divided by the number of elements")
def _(backward, ctx, dy):
    dx = array_module(dy).zeros((*dy.shape[:2], *ctx.size), dy.dtype)
    for o, window in adaptive_windows(ctx.size, dy.shape[2:]):
        dx[:, :, *window] += dy[:, :, *o].reshape(*dy.shape[:2], *[1] * len(window))
    return dx


@mutant(AdaptiveAvgPool, "overlapping windows overwrite each other")
def _(backward, ctx, dy):
    dx = array_module(dy).zeros((*dy.shape[:2], *ctx.size), dy.dtype)
    for o, window in adaptive_windows(ctx.size, dy.shape[2:]):
        mean = dy[:, :, *o].reshape(*dy.shape[:2], *[1] * len(window))
        dx[:, :, *window] = mean / max(dx[0:1, 0:1, *window].size, 1)
    return dx


@mutant(AdaptiveAvgPool, "every window as large as the largest")
def _(backward, ctx, dy):
    dx = array_module(dy).zeros((*dy.shape[:2], *ctx.size), dy.dtype)
    for o, window in adaptive_windows(ctx.size, dy.shape[2:]):
        elements = 1
        for n, size in zip(dy.shape[2:], ctx.size):
            elements *= -(-size // n)
        dx[:, :, *window] += dy[:, :, *o].reshape(*dy.shape[:2], *[1] * len(window)) / elements
    return dx
