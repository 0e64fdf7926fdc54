"""Cutting images into windows, and adding windows back up into images.

Convolution and pooling look at x through windows: window o holds the elements x[o * stride + k * dilation - padding], k
running over the kernel and x being 0 outside. Here are both directions, for any number of spatial dimensions:

- `im2col` ("image to columns") lays the windows out side by side, a pixel appearing once for every window that holds it;
- `col2im` is its adjoint, which is to say its backward: every pixel becomes the sum of all its appearances.

Each is the gradient of the other, since im2col is linear: cols[k, o] = sum_i T[k, o, i] x[i], with T[k, o, i] = 1 where
i = o * stride + k * dilation - padding and 0 elsewhere, hence dx[i] = sum_{k, o} T[k, o, i] dcols[k, o].
"""

import numpy as np

from ..engine.arrays import array_module, sliding_windows
from ..engine.function import Function
from ..engine.checks import check_floating, whole
from ..engine.tensor import Tensor, method
from .shape import check_dim


# ---- on arrays -------------------------------------------------------------------------------------------------------

def pad(x, padding, value=0):
    """x (N, C, *S) framed by `value`: `padding` holds (before, after) for each spatial dimension."""
    if not any(map(any, padding)):
        return x
    shape = [s + before + after for s, (before, after) in zip(x.shape[2:], padding)]
    y = array_module(x).full((*x.shape[:2], *shape), value, x.dtype)
    y[inside(y, padding)] = x
    return y


def inside(x, padding):
    """The slices of a framed x that the frame leaves."""
    return (..., *[slice(before, size - after) for size, (before, after) in zip(x.shape[2:], padding)])


def crop(x, padding):
    """The inside of a framed x: the adjoint of `pad`."""
    return x[inside(x, padding)].copy() if any(map(any, padding)) else x


def im2col(x, kernel, stride, padding, dilation, out=None):
    """The windows of the padded x (N, C, *S), as a view (N, C, *K, *O). Whoever reshapes it copies every pixel K times.

    O is as many windows as fit, or `out`, if that is less.
    """
    windows = sliding_windows(pad(x, padding), kernel, stride, dilation)
    return windows if out is None else windows[..., *map(slice, out)]


def col2im(cols, size, stride, padding, dilation):
    """The adjoint of im2col: cols (N, C, *K, *O) -> x (N, C, *size), each pixel the sum of its appearances in windows."""
    if isinstance(cols, Tensor):  # where a gradient is itself recorded
        return Fold.apply(cols.reshape(_matrix_shape(cols.shape)), windows_shape=cols.shape, size=size, stride=stride,
                          padding=padding, dilation=dilation)
    framed = [s + before + after for s, (before, after) in zip(size, padding)]
    x = array_module(cols).zeros((*cols.shape[:2], *framed), cols.dtype)
    kernel = cols.shape[2:2 + len(size)]
    windows = sliding_windows(x, kernel, stride, dilation, writeable=True)
    add_windows(windows[..., *map(slice, cols.shape[2 + len(size):])], cols)
    return crop(x, padding)


def add_windows(windows, cols):
    """Add cols (N, C, *K, *O) to the image behind its view `windows`.

    A pixel stands in several windows, and `windows += cols` would count only one of them. But it stands at a different
    offset k in each, so for one k at a time all the targets are distinct and a shifted `+=` is right.
    """
    dims = (windows.ndim - 2) // 2
    for k in np.ndindex(*windows.shape[2:2 + dims]):
        windows[:, :, *k] += cols[:, :, *k]


def meeting(offset, size, out, stride, padding, dilation):
    """Along one axis, (o, i): slices of the windows and of the pixels that stand at `offset` of the kernel in these windows.

    Window o holds pixel o * stride + offset * dilation - padding there, and only pixels from 0 to size - 1 exist. Going
    through the kernel in this way, nothing has to be padded. `padding` is (before, after).
    """
    shift = offset * dilation - padding[0]
    first = max(0, -(shift // stride))
    last = max(first, min(out, (size - 1 - shift) // stride + 1))
    start = first * stride + shift
    return slice(first, last), slice(start, start + (last - first - 1) * stride + 1, stride) if last > first else slice(0, 0)


def meetings(k, size, out, stride, padding, dilation):
    """`meeting` along every axis: the slices of the windows, and those of the pixels at offset k of the kernel."""
    return tuple(zip(*map(meeting, k, size, out, stride, padding, dilation)))


# ---- differentiable --------------------------------------------------------------------------------------------------

class Unfold(Function, wide=True):
    """x (N, C, *S) -> y (N, C*K, O), a column for every window: im2col, whose gradient is col2im of dy.

    Cost: no FLOPs, K copies of x. Nothing is saved.
    """

    @staticmethod
    def forward(ctx, x, kernel, stride, padding, dilation):
        ctx.size, ctx.geometry = x.shape[2:], (stride, padding, dilation)
        windows = im2col(x, kernel, *ctx.geometry).copy()
        ctx.windows_shape = windows.shape
        return windows.reshape(_matrix_shape(windows.shape))

    @staticmethod
    def backward(ctx, dy):
        return col2im(dy.reshape(ctx.windows_shape), ctx.size, *ctx.geometry)


class Fold(Function, wide=True):
    """x (N, C*K, O) -> y (N, C, *size), columns added up into images: col2im, whose gradient is im2col of dy.

    Cost: one addition an element of x. Nothing is saved.
    """

    @staticmethod
    def forward(ctx, x, windows_shape, size, stride, padding, dilation):
        ctx.kernel, ctx.geometry = windows_shape[2:2 + len(size)], (stride, padding, dilation)
        return col2im(x.reshape(windows_shape), size, *ctx.geometry)

    @staticmethod
    def backward(ctx, dy):
        windows = im2col(dy, ctx.kernel, *ctx.geometry).copy()
        return windows.reshape(_matrix_shape(windows.shape))

    @staticmethod
    def backward_recorded(ctx, dy):
        stride, padding, dilation = ctx.geometry
        return Unfold.apply(dy, kernel=ctx.kernel, stride=stride, padding=padding, dilation=dilation)


def _matrix_shape(shape):
    """(N, C*K, O) for windows (N, C, *K, *O)."""
    dims = (len(shape) - 2) // 2
    return shape[0], shape[1] * int(np.prod(shape[2:2 + dims])), int(np.prod(shape[2 + dims:]))


class Windows(Function):
    """y[..., o, ..., k] = x[..., o * step + k, ...]: windows along one dimension, as a view with a new last dimension.

    dx[j] is the sum of dy[o, k] over all o, k with o * step + k = j. For one k those places differ, so a loop over k adds.
    """

    @staticmethod
    def forward(ctx, x, axis, size, step):
        ctx.shape, ctx.windows = x.shape, (axis, size, step)
        return _windows(x, *ctx.windows)

    @staticmethod
    def backward(ctx, dy):
        dx = array_module(dy).zeros(ctx.shape, dy.dtype)
        appearances = _windows(dx, *ctx.windows)
        for k in range(dy.shape[-1]):
            appearances[..., k] += dy[..., k]
        return dx

    @staticmethod
    def backward_recorded(ctx, dy):
        axis, size, step = ctx.windows
        places = array_module(dy).arange(dy.shape[axis]).reshape(-1, 1) * step + array_module(dy).arange(size)
        dy = dy.movedim(axis, -2)
        dx = dy.new_zeros(*dy.shape[:-2], ctx.shape[axis]).index_add(-1, places.reshape(-1), dy.flatten(-2))
        return dx.movedim(-1, axis)


def _windows(x, axis, size, step):
    """The windows of the array x along `axis`, as a view: their number there, their elements in a new last dimension."""
    count = (x.shape[axis] - size) // step + 1
    shape = (*x.shape[:axis], count, *x.shape[axis + 1:], size)
    strides = (*x.strides[:axis], x.strides[axis] * step, *x.strides[axis + 1:], x.strides[axis])
    return array_module(x).lib.stride_tricks.as_strided(x, shape, strides)


# ---- arguments, as convolution and pooling understand them -----------------------------------------------------------

def sizes(function, name, value, dims, least):
    """`value` as a tuple of `dims` integers, none below `least`; a single integer stands for all of them."""
    values = tuple(value) if isinstance(value, (tuple, list)) else (value,)
    try:
        values = tuple(map(whole, values))
    except TypeError:
        raise TypeError(f"{function}: {name} must be an integer or a tuple of {dims}, got {value!r}") from None
    values = values * dims if len(values) == 1 else values
    if len(values) != dims:
        raise ValueError(f"{function}: {name} must be an integer or a tuple of {dims}, got {value!r}")
    if min(values) < least:
        raise ValueError(f"{function}: {name} must be at least {least}, got {value!r}")
    return values


def as_batch(function, input, dims):
    """(`input` with a batch dimension, whether it had none), after checking that it is (N, C, *S) or (C, *S)."""
    check_floating(function, input=input)
    if input.ndim not in (dims + 1, dims + 2):
        space = ", ".join(["D", "H", "W"][-dims:] if dims > 1 else ["L"])
        raise ValueError(f"{function}: input must have the shape (N, C, {space}) or (C, {space}), got {input.shape}")
    single = input.ndim == dims + 1
    return (input.unsqueeze(0) if single else input), single


def count_windows(function, size, kernel, stride, padding, dilation):
    """How many windows fit into the padded `size`; ValueError where not even one does."""
    padded = tuple(s + before + after for s, (before, after) in zip(size, padding))
    spans = tuple(d * (k - 1) + 1 for k, d in zip(kernel, dilation))
    if any(span > s for span, s in zip(spans, padded)):
        raise ValueError(f"{function}: kernel of size {tuple(kernel)} with dilation {tuple(dilation)} spans {spans}, but "
                         f"the input is only {padded}, its padding included")
    return tuple((s - span) // t + 1 for s, span, t in zip(padded, spans, stride))


def unfold(input, kernel_size, dilation=1, padding=0, stride=1):
    """The windows of images as columns: (N, C, H, W) -> (N, C * kernel height * kernel width, number of windows).

    The rows are ordered by channel, then kernel row, then kernel column; the windows row by row. (C, H, W) works too.
    """
    x, single = as_batch("unfold", input, 2)
    kernel = sizes("unfold", "kernel_size", kernel_size, 2, 1)
    stride, dilation = sizes("unfold", "stride", stride, 2, 1), sizes("unfold", "dilation", dilation, 2, 1)
    padding = [(p, p) for p in sizes("unfold", "padding", padding, 2, 0)]
    count_windows("unfold", x.shape[2:], kernel, stride, padding, dilation)
    y = Unfold.apply(x, kernel=kernel, stride=stride, padding=padding, dilation=dilation)
    return y.squeeze(0) if single else y


def fold(input, output_size, kernel_size, dilation=1, padding=0, stride=1):
    """Columns added up into images of `output_size`: (N, C * kernel height * kernel width, windows) -> (N, C, H, W).

    Where windows overlap, their values are summed; this is the adjoint of `unfold`, and its inverse only where they do not.
    """
    x, single = as_batch("fold", input, 1)
    size = sizes("fold", "output_size", output_size, 2, 1)
    kernel = sizes("fold", "kernel_size", kernel_size, 2, 1)
    stride, dilation = sizes("fold", "stride", stride, 2, 1), sizes("fold", "dilation", dilation, 2, 1)
    padding = [(p, p) for p in sizes("fold", "padding", padding, 2, 0)]
    out = count_windows("fold", size, kernel, stride, padding, dilation)
    channels, rest = divmod(x.shape[1], kernel[0] * kernel[1])
    if rest:
        raise ValueError(f"fold: input of shape {input.shape} has {x.shape[1]} rows, which is no multiple of the kernel's "
                         f"{kernel[0]} * {kernel[1]} elements")
    if x.shape[2] != out[0] * out[1]:
        raise ValueError(f"fold: input of shape {input.shape} has {x.shape[2]} columns, but {out[0]} * {out[1]} windows fit "
                         f"into output_size {size}")
    y = Fold.apply(x, windows_shape=(x.shape[0], channels, *kernel, *out), size=size, stride=stride, padding=padding,
                   dilation=dilation)
    return y.squeeze(0) if single else y


@method("unfold")
def _unfold(x, dimension, size, step):
    """A view of x with its windows of `size` elements, `step` apart, along `dimension`; they become a new last dimension."""
    axis = check_dim("unfold", dimension, x.ndim, "dimension")
    size, step = whole(size), whole(step)
    if not 0 <= size <= x.shape[axis] or step < 1:
        raise RuntimeError(f"unfold: size must be from 0 to {x.shape[axis]}, the size of dimension {axis}, and step at "
                           f"least 1, got {size} and {step}")
    y = Windows.apply(x, axis=axis, size=size, step=step)
    y._version, y._viewed_at = x._version, x._version.rewrites    # NumPy does not tell that the memory is that of x
    y._view = x, Windows, {}
    return y


__all__ = ["fold", "unfold"]
