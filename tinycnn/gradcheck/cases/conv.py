"""Cases and mutants of `ops/conv.py`."""
from unittest import mock

import numpy as np

from ...engine.formula import plainly
from ...ops import unfold
from ...ops.conv import Conv, ConvTranspose, ConvWeight, convolve, input_gradient, weight_gradient
from ..registry import case, fixed, mutant, normal


def F(t):
    """The functions of library `t`."""
    return t.nn.functional


case(Conv, "one dimension", [normal(2, 3, 8), normal(4, 3, 3), normal(4)], lambda t, x, w, b: F(t).conv1d(x, w, b))
case(Conv, "one dimension, all options", [normal(2, 4, 11), normal(6, 2, 3), normal(6)],
     lambda t, x, w, b: F(t).conv1d(x, w, b, stride=2, padding=3, dilation=2, groups=2))
case(Conv, "two dimensions", [normal(2, 3, 5, 6), normal(4, 3, 3, 3), normal(4)], lambda t, x, w, b: F(t).conv2d(x, w, b))
case(Conv, "linear in x", [normal(2, 3, 5, 6), fixed(normal(4, 3, 3, 2))],
     lambda t, x, w: F(t).conv2d(x, w, stride=(2, 1), padding=1), linear=True)
case(Conv, "linear in w and b", [fixed(normal(2, 3, 5, 6)), normal(4, 3, 3, 2), normal(4)],
     lambda t, x, w, b: F(t).conv2d(x, w, b, padding=1), linear=True)
case(Conv, "stride and padding", [normal(2, 3, 7, 6), normal(4, 3, 3, 3), normal(4)],
     lambda t, x, w, b: F(t).conv2d(x, w, b, stride=2, padding=1))
case(Conv, "rectangular everything", [normal(2, 2, 9, 8), normal(3, 2, 2, 3)],
     lambda t, x, w: F(t).conv2d(x, w, stride=(3, 2), padding=(0, 2), dilation=(2, 1)))
case(Conv, "dilation", [normal(1, 2, 8, 9), normal(3, 2, 3, 3)],
     lambda t, x, w: F(t).conv2d(x, w, padding=2, dilation=(2, 3)))
case(Conv, "two groups", [normal(2, 4, 5, 5), normal(6, 2, 3, 3), normal(6)],
     lambda t, x, w, b: F(t).conv2d(x, w, b, groups=2))
case(Conv, "depthwise", [normal(2, 3, 5, 5), normal(3, 1, 3, 3)], lambda t, x, w: F(t).conv2d(x, w, padding=1, groups=3))
case(Conv, "depthwise with two filters a channel, strided", [normal(2, 3, 6, 5), normal(6, 1, 3, 3), normal(6)],
     lambda t, x, w, b: F(t).conv2d(x, w, b, stride=2, padding=1, groups=3))
case(Conv, "1x1", [normal(2, 5, 4, 3), normal(2, 5, 1, 1), normal(2)], lambda t, x, w, b: F(t).conv2d(x, w, b))
case(Conv, "1x1 with stride and padding", [normal(2, 3, 5, 4), normal(2, 3, 1, 1)],
     lambda t, x, w: F(t).conv2d(x, w, stride=2, padding=1))
case(Conv, "kernel as large as the image", [normal(3, 2, 4, 5), normal(6, 2, 4, 5), normal(6)],
     lambda t, x, w, b: F(t).conv2d(x, w, b))
case(Conv, "stride larger than the kernel", [normal(2, 2, 9, 8), normal(3, 2, 2, 2)],
     lambda t, x, w: F(t).conv2d(x, w, stride=3))
case(Conv, "padding larger than the kernel", [normal(2, 2, 3, 2), normal(3, 2, 2, 3)],
     lambda t, x, w: F(t).conv2d(x, w, padding=(3, 4)))
case(Conv, "rows left over by the stride", [normal(2, 2, 8, 10), normal(3, 2, 3, 3)],
     lambda t, x, w: F(t).conv2d(x, w, stride=4))
case(Conv, "same padding, even kernel", [normal(2, 2, 5, 6), normal(3, 2, 4, 2), normal(3)],
     lambda t, x, w, b: F(t).conv2d(x, w, b, padding="same"),
     torch=lambda t, x, w, b: F(t).conv2d(F(t).pad(x, (0, 1, 1, 2)), w, b))  # its own "same" warns that it will do just this
case(Conv, "same padding, dilated", [normal(1, 2, 6, 5), normal(3, 2, 3, 2)],
     lambda t, x, w: F(t).conv2d(x, w, padding="same", dilation=(1, 3)),
     torch=lambda t, x, w: F(t).conv2d(F(t).pad(x, (1, 2, 1, 1)), w, dilation=(1, 3)))
case(Conv, "valid padding", [normal(1, 2, 6, 5), normal(3, 2, 3, 2)], lambda t, x, w: F(t).conv2d(x, w, padding="valid"))
case(Conv, "one image without batch", [normal(3, 5, 6), normal(4, 3, 3, 3), normal(4)],
     lambda t, x, w, b: F(t).conv2d(x, w, b, padding=1))
case(Conv, "batch of one, one channel, one filter", [normal(1, 1, 4, 4), normal(1, 1, 2, 2), normal(1)],
     lambda t, x, w, b: F(t).conv2d(x, w, b))
case(Conv, "empty batch", [normal(0, 3, 5, 6), normal(4, 3, 3, 3), normal(4)],
     lambda t, x, w, b: F(t).conv2d(x, w, b, padding=1))
case(Conv, "transposed memory", [normal(2, 6, 5, 3), normal(3, 2, 3, 4)],
     lambda t, x, w: F(t).conv2d(x.permute(0, 3, 1, 2), w.permute(3, 0, 1, 2), padding=1))
case(Conv, "three dimensions", [normal(2, 2, 4, 5, 3), normal(3, 2, 2, 3, 2), normal(3)],
     lambda t, x, w, b: F(t).conv3d(x, w, b))
case(Conv, "three dimensions, all options", [normal(1, 4, 5, 6, 4), normal(2, 2, 3, 2, 2)],
     lambda t, x, w: F(t).conv3d(x, w, stride=(1, 2, 1), padding=(1, 0, 1), dilation=(1, 2, 1), groups=2))


def _flipped(w):
    return w[(slice(None), slice(None), *[slice(None, None, -1)] * (w.ndim - 2))]


def _moved(padding):
    """The same padding a pixel further back."""
    return [(before - 1, after + 1) if before else (before, after) for before, after in padding]


def _overwrite(windows, cols):
    """`add_windows` with `=` instead of `+=`."""
    for k in np.ndindex(*windows.shape[2:windows.ndim // 2 + 1]):
        windows[:, :, *k] = cols[:, :, *k]


def _groups_reversed(ctx, dw):
    """dw with its groups in reverse order."""
    return None if dw is None else dw.reshape(ctx.geometry[3], -1)[::-1].reshape(dw.shape)


@mutant(Conv, "kernel flipped in dx")
def _(backward, ctx, dy):
    (x, w), (_, dw, db) = ctx.saved_tensors, backward(ctx, dy)
    return input_gradient(dy, _flipped(w), x.shape[2:], *ctx.geometry), dw, db


@mutant(Conv, "padding cropped one pixel off in dx")
def _(backward, ctx, dy):
    (x, w), (_, dw, db) = ctx.saved_tensors, backward(ctx, dy)
    stride, padding, dilation, groups = ctx.geometry
    return input_gradient(dy, w, x.shape[2:], stride, _moved(padding), dilation, groups), dw, db


@mutant(Conv, "stride ignored in dx")
def _(backward, ctx, dy):
    (x, w), (_, dw, db) = ctx.saved_tensors, backward(ctx, dy)
    stride, *rest = ctx.geometry
    return input_gradient(dy, w, x.shape[2:], (1,) * len(stride), *rest), dw, db


@mutant(Conv, "overlapping windows overwrite each other in dx")
def _(backward, ctx, dy):
    (x, w), (_, dw, db) = ctx.saved_tensors, backward(ctx, dy)
    with mock.patch.object(unfold, "add_windows", _overwrite), plainly():
        return input_gradient(dy, w, x.shape[2:], *ctx.geometry), dw, db


@mutant(Conv, "dilation ignored in dw")
def _(backward, ctx, dy):
    (x, w), (dx, _, db) = ctx.saved_tensors, backward(ctx, dy)
    stride, padding, dilation, groups = ctx.geometry
    return dx, weight_gradient(x, dy, w.shape[2:], stride, padding, (1,) * len(stride), groups), db


@mutant(Conv, "groups in the wrong order in dw")
def _(backward, ctx, dy):
    dx, dw, db = backward(ctx, dy)
    return dx, _groups_reversed(ctx, dw), db


@mutant(Conv, "dw of the first image only")
def _(backward, ctx, dy):
    (x, w), (dx, _, db) = ctx.saved_tensors, backward(ctx, dy)
    return dx, weight_gradient(x[:1], dy[:1], w.shape[2:], *ctx.geometry), db


@mutant(Conv, "db averaged over the batch")
def _(backward, ctx, dy):
    dx, dw, db = backward(ctx, dy)
    return dx, dw, db if db is None else db / max(len(dy), 1)


@mutant(Conv, "db of the first image only")
def _(backward, ctx, dy):
    dx, dw, db = backward(ctx, dy)
    return dx, dw, db if db is None else dy[:1].sum((0, *range(2, dy.ndim)))


case(ConvTranspose, "one dimension", [normal(2, 3, 5), normal(3, 4, 3), normal(4)],
     lambda t, x, w, b: F(t).conv_transpose1d(x, w, b, stride=2, padding=1, output_padding=1))
case(ConvTranspose, "two dimensions", [normal(2, 3, 4, 5), normal(3, 2, 3, 3), normal(2)],
     lambda t, x, w, b: F(t).conv_transpose2d(x, w, b))
case(ConvTranspose, "linear in x", [normal(2, 3, 4, 5), fixed(normal(3, 2, 3, 2))],
     lambda t, x, w: F(t).conv_transpose2d(x, w, stride=2), linear=True)
case(ConvTranspose, "linear in w and b", [fixed(normal(2, 3, 4, 5)), normal(3, 2, 3, 2), normal(2)],
     lambda t, x, w, b: F(t).conv_transpose2d(x, w, b, padding=1), linear=True)
case(ConvTranspose, "rectangular, with output padding", [normal(2, 2, 4, 3), normal(2, 3, 3, 2)],
     lambda t, x, w: F(t).conv_transpose2d(x, w, stride=(2, 3), padding=(1, 0), output_padding=(1, 2)))
case(ConvTranspose, "dilation, output padding beyond the stride", [normal(2, 2, 4, 3), normal(2, 3, 2, 3), normal(3)],
     lambda t, x, w, b: F(t).conv_transpose2d(x, w, b, padding=1, output_padding=(2, 1), dilation=(3, 2)))
case(ConvTranspose, "two groups", [normal(2, 4, 3, 4), normal(4, 3, 3, 3), normal(6)],
     lambda t, x, w, b: F(t).conv_transpose2d(x, w, b, stride=2, padding=1, groups=2))
case(ConvTranspose, "depthwise", [normal(2, 3, 3, 4), normal(3, 1, 2, 2)],
     lambda t, x, w: F(t).conv_transpose2d(x, w, stride=2, groups=3))
case(ConvTranspose, "stride larger than the kernel", [normal(2, 2, 3, 3), normal(2, 3, 2, 2)],
     lambda t, x, w: F(t).conv_transpose2d(x, w, stride=3))
case(ConvTranspose, "one pixel", [normal(2, 3, 1, 1), normal(3, 2, 4, 4), normal(2)],
     lambda t, x, w, b: F(t).conv_transpose2d(x, w, b))
case(ConvTranspose, "one image without batch", [normal(3, 4, 5), normal(3, 2, 3, 3)],
     lambda t, x, w: F(t).conv_transpose2d(x, w))
case(ConvTranspose, "empty batch", [normal(0, 3, 4, 5), normal(3, 2, 3, 3), normal(2)],
     lambda t, x, w, b: F(t).conv_transpose2d(x, w, b, stride=2))
case(ConvTranspose, "three dimensions", [normal(1, 2, 2, 3, 2), normal(2, 2, 2, 3, 2), normal(2)],
     lambda t, x, w, b: F(t).conv_transpose3d(x, w, b, stride=(2, 1, 2), padding=(0, 1, 0), output_padding=(1, 0, 1)))


@mutant(ConvTranspose, "kernel flipped in dx")
def _(backward, ctx, dy):
    (x, w), (_, dw, db) = ctx.saved_tensors, backward(ctx, dy)
    return convolve(dy, _flipped(w), x.shape[2:], *ctx.geometry), dw, db


@mutant(ConvTranspose, "stride ignored in dx")
def _(backward, ctx, dy):
    (x, w), (_, dw, db) = ctx.saved_tensors, backward(ctx, dy)
    stride, *rest = ctx.geometry
    return convolve(dy, w, x.shape[2:], (1,) * len(stride), *rest), dw, db


@mutant(ConvTranspose, "kernel transposed in dw")
def _(backward, ctx, dy):
    dx, dw, db = backward(ctx, dy)
    square = dw is not None and dw.ndim == 4 and dw.shape[2] == dw.shape[3]
    return dx, dw.swapaxes(2, 3) if square else dw, db


@mutant(ConvTranspose, "groups in the wrong order in dw")
def _(backward, ctx, dy):
    dx, dw, db = backward(ctx, dy)
    return dx, _groups_reversed(ctx, dw), db


@mutant(ConvTranspose, "db missing the sum over positions")
def _(backward, ctx, dy):
    dx, dw, db = backward(ctx, dy)
    return dx, dw, db if db is None else dy[(slice(None), slice(None), *[0] * (dy.ndim - 2))].sum(0)


def _weight_gradient(shape, **options):
    """A call for the gradient of the weight, of `shape`, of a convolution, recorded."""
    def call(t, x, dy):
        with t.enable_grad():
            w = x.new_zeros(shape).requires_grad_()
            y = getattr(F(t), f"conv{x.ndim - 2}d")(x, w, **options)
            return t.autograd.grad(y, w, dy, create_graph=True)[0]
    return call


case(ConvWeight, "one dimension", [normal(2, 3, 8), normal(2, 4, 6)], _weight_gradient((4, 3, 3)))
case(ConvWeight, "linear in x", [normal(2, 3, 5, 6), fixed(normal(2, 4, 3, 4))], _weight_gradient((4, 3, 3, 3)),
     linear=True)
case(ConvWeight, "linear in dy", [fixed(normal(2, 3, 5, 6)), normal(2, 4, 3, 4)], _weight_gradient((4, 3, 3, 3)),
     linear=True)
case(ConvWeight, "all options, rectangular", [normal(2, 4, 7, 8), normal(2, 6, 4, 6)],
     _weight_gradient((6, 2, 3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 2), groups=2))
case(ConvWeight, "depthwise", [normal(2, 3, 4, 5), normal(2, 3, 4, 5)], _weight_gradient((3, 1, 3, 3), padding=1, groups=3))
case(ConvWeight, "rows left over by the stride", [normal(2, 2, 8, 10), normal(2, 3, 2, 2)],
     _weight_gradient((3, 2, 3, 3), stride=4))
case(ConvWeight, "empty batch", [normal(0, 3, 5, 6), normal(0, 4, 3, 4)], _weight_gradient((4, 3, 3, 3)))
case(ConvWeight, "three dimensions", [normal(1, 2, 4, 5, 3), normal(1, 3, 3, 3, 2)], _weight_gradient((3, 2, 2, 3, 2)))


@mutant(ConvWeight, "kernel flipped in dx")
def _(backward, ctx, g):
    return backward(ctx, _flipped(g))[0], backward(ctx, g)[1]


@mutant(ConvWeight, "stride ignored in dx")
def _(backward, ctx, g):
    (x, dy), (_, ddy) = ctx.saved_tensors, backward(ctx, g)
    stride, *rest = ctx.geometry
    return input_gradient(dy, g, x.shape[2:], (1,) * len(stride), *rest), ddy


@mutant(ConvWeight, "padding forgotten in ddy")
def _(backward, ctx, g):
    (x, dy), (dx, _) = ctx.saved_tensors, backward(ctx, g)
    stride, padding, *rest = ctx.geometry
    room = [(0, before + after) for before, after in padding]
    return dx, convolve(x, g, dy.shape[2:], stride, room, *rest)


@mutant(ConvWeight, "groups in the wrong order in ddy")
def _(backward, ctx, g):
    return backward(ctx, g)[0], backward(ctx, _groups_reversed(ctx, g))[1]
