"""Cases and mutants of `ops/unfold.py`."""
from ...engine.arrays import array_module
from ...ops.unfold import Fold, Unfold, Windows, col2im, im2col
from ..registry import case, mutant, normal


def F(t):
    """The functions of library `t`."""
    return t.nn.functional


case(Unfold, "overlapping windows", [normal(2, 3, 5, 6)], lambda t, x: F(t).unfold(x, 3), linear=True)
case(Unfold, "all options, rectangular", [normal(2, 2, 7, 8)],
     lambda t, x: F(t).unfold(x, (2, 3), dilation=(3, 2), padding=(1, 2), stride=(2, 1)), linear=True)
case(Unfold, "stride larger than the kernel", [normal(2, 2, 8, 7)], lambda t, x: F(t).unfold(x, 2, stride=3), linear=True)
case(Unfold, "1x1", [normal(2, 3, 3, 4)], lambda t, x: F(t).unfold(x, 1), linear=True)
case(Unfold, "whole image", [normal(2, 3, 3, 4)], lambda t, x: F(t).unfold(x, (3, 4)), linear=True)
case(Unfold, "one image without batch", [normal(3, 4, 4)], lambda t, x: F(t).unfold(x, 2, padding=1), linear=True)
case(Unfold, "empty batch", [normal(0, 3, 4, 4)], lambda t, x: F(t).unfold(x, 2), linear=True)

case(Fold, "overlapping windows", [normal(2, 18, 6)], lambda t, x: F(t).fold(x, (4, 5), 3), linear=True)
case(Fold, "all options, rectangular", [normal(2, 12, 21)],
     lambda t, x: F(t).fold(x, (7, 7), (2, 3), dilation=(3, 2), padding=(1, 2), stride=(2, 1)), linear=True)
case(Fold, "gaps between windows", [normal(2, 8, 4)], lambda t, x: F(t).fold(x, (6, 5), 2, stride=3), linear=True)
case(Fold, "one image without batch", [normal(8, 9)], lambda t, x: F(t).fold(x, 4, 2), linear=True)
case(Fold, "empty batch", [normal(0, 8, 9)], lambda t, x: F(t).fold(x, 4, 2), linear=True)


@mutant(Unfold, "mean instead of sum over the copies of a pixel")
def _(backward, ctx, dy):
    copies = backward(ctx, array_module(dy).ones_like(dy))
    return backward(ctx, dy) / array_module(dy).maximum(copies, 1)


@mutant(Unfold, "rows read as kernel position first, then channel")
def _(backward, ctx, dy):
    images, channels, height, width = ctx.windows_shape[:4]
    mixed = dy.reshape(images, height * width, channels, dy.shape[2]).swapaxes(1, 2)
    return backward(ctx, mixed.reshape(dy.shape))


@mutant(Unfold, "width and height of the kernel swapped")
def _(backward, ctx, dy):
    images, channels, height, width = ctx.windows_shape[:4]
    swapped = dy.reshape(images, channels, width, height, dy.shape[2]).swapaxes(2, 3)
    return backward(ctx, swapped.reshape(dy.shape))


@mutant(Fold, "divided by the number of windows that hold a pixel")
def _(backward, ctx, dy):
    windows = im2col(array_module(dy).ones_like(dy), ctx.kernel, *ctx.geometry)
    copies = col2im(windows, dy.shape[2:], *ctx.geometry)
    return backward(ctx, dy / array_module(dy).maximum(copies, 1))


@mutant(Fold, "padding cropped one pixel off")
def _(backward, ctx, dy):
    return backward(ctx, array_module(dy).roll(dy, 1, -1))


@mutant(Fold, "height and width of the kernel swapped")
def _(backward, ctx, dy):
    dx = backward(ctx, dy)
    height, width = ctx.kernel
    windows = dx.reshape(dx.shape[0], dx.shape[1] // (height * width), height, width, dx.shape[2])
    return windows.swapaxes(2, 3).reshape(dx.shape)

case(Windows, "overlapping", [normal(2, 7)], lambda t, x: x.unfold(1, 3, 2), linear=True)
case(Windows, "middle dimension, counted from the back", [normal(2, 5, 3)], lambda t, x: x.unfold(-2, 2, 1), linear=True)
case(Windows, "gaps between the windows", [normal(8, 2)], lambda t, x: x.unfold(0, 2, 3), linear=True)
case(Windows, "patches of an image", [normal(1, 4, 6)], lambda t, x: x.unfold(1, 2, 2).unfold(2, 3, 3), linear=True)
case(Windows, "transposed input", [normal(3, 5)], lambda t, x: x.t().unfold(0, 2, 1), linear=True)
case(Windows, "empty batch", [normal(0, 4)], lambda t, x: x.unfold(1, 2, 1), linear=True)


@mutant(Windows, "last window wins instead of a sum")
def _(backward, ctx, dy):
    places = array_module(dy).zeros(ctx.shape, dy.dtype)
    axis, _, step = ctx.windows
    for k in range(dy.shape[-1]):
        reached = slice(k, k + (dy.shape[axis] - 1) * step + 1, step)
        places[(slice(None),) * axis + (reached,)] = dy[..., k]
    return places


@mutant(Windows, "every window one place too late")
def _(backward, ctx, dy):
    return array_module(dy).roll(backward(ctx, dy), 1, ctx.windows[0])


@mutant(Windows, "mean of the appearances")
def _(backward, ctx, dy):
    return backward(ctx, dy) / backward(ctx, dy * 0 + 1).clip(1)
