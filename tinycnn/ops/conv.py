"""Convolution, and the same thing run backward, transposed convolution.

Three functions on arrays hold the whole idea. For one group of channels, and with x being 0 outside of its borders,

    y[n, f, o] = sum_{c, k} w[f, c, k] x[n, c, o * stride + k * dilation - padding]

where o and k are positions in one, two or three dimensions. (Mathematicians call this a correlation; their convolution runs
through the kernel backward.) Write each window of x as a column of a matrix, and it is a matrix product:

                                     a column for every window (n, o)
                                         +--------------------+
                         a row for every |        cols        |     cols[(c, k), (n, o)]
                           weight (c, k) |                    |         = x[n, c, o * stride + k * dilation - padding]
                                         +--------------------+
                          +----------+   +--------------------+
    a row for each filter |    w     |   |    y = w @ cols    |
                          +----------+   +--------------------+

Building cols is called im2col. A pixel is copied into every window that holds it, so cols is K times as large as x: a
convolution spends memory to become the one operation that computers do best.

The gradients of a matrix product are matrix products, dw = dy @ cols^T and dcols = w^T @ dy, and im2col goes backward by
its adjoint: a pixel collects the gradients of all its copies (`col2im`; see `unfold.py`). In indices:

    dw[f, c, k] = sum_{n, o} dy[n, f, o] x[n, c, o * stride + k * dilation - padding]
    dx[n, c, i] = sum_f sum_{k, o: o * stride + k * dilation - padding = i} w[f, c, k] dy[n, f, o]

So the three functions are `convolve` (x, w -> y), `weight_gradient` (x, dy -> dw) and `input_gradient` (dy, w -> dx). Being
adjoint, convolve is the gradient of input_gradient as much as the reverse: used forward, input_gradient is the transposed
convolution. All three are derivatives of one number, T = sum_{n, f, o} dy[n, f, o] y[n, f, o], which is linear in each of
x, w and dy; and so the gradients of each of them are the other two. Given Tensors, as where a gradient is itself recorded,
they run as the operations `Conv`, `ConvWeight` and `ConvTranspose`.
"""
import math

from ..engine.formula import formula
from ..engine.function import Function
from ..engine.checks import check_floating
from ..engine.tensor import Tensor
from .unfold import as_batch, col2im, count_windows, im2col, sizes


@formula
def convolve(x, w, out, stride, padding, dilation, groups, b=None):
    """x (N, C, *S), w (F, C/G, *K), b (F) or None -> y (N, F, *out):  y = w @ cols + b."""
    if isinstance(x, Tensor):
        return Conv.apply(x, w, b, stride=stride, padding=padding, dilation=dilation, groups=groups, out=out)
    windows = im2col(x, w.shape[2:], stride, padding, dilation, out)
    cols = as_matrix(windows, groups, len(out))
    y = from_matrix(w.reshape(groups, len(w) // groups, -1) @ cols, (len(x), len(w), *out), len(out))
    return y if b is None else y + bias_like(b, len(out))


@formula
def weight_gradient(x, dy, kernel, stride, padding, dilation, groups):
    """x (N, C, *S), dy (N, F, *O) -> dw (F, C/G, *K):  dw = dy @ cols^T."""
    if isinstance(x, Tensor):
        return ConvWeight.apply(x, dy, kernel=kernel, stride=stride, padding=padding, dilation=dilation, groups=groups)
    windows = im2col(x, kernel, stride, padding, dilation, dy.shape[2:])
    cols = as_matrix(windows, groups, len(kernel))
    dw = as_matrix(dy, groups, len(kernel)) @ cols.swapaxes(1, 2)
    return dw.reshape(dy.shape[1], x.shape[1] // groups, *kernel)


@formula
def input_gradient(dy, w, size, stride, padding, dilation, groups):
    """dy (N, F, *O), w (F, C/G, *K) -> dx (N, C, *size):  dcols = w^T @ dy, and every pixel collects its copies."""
    if isinstance(dy, Tensor):
        return ConvTranspose.apply(dy, w, None, stride=stride, padding=padding, dilation=dilation, groups=groups, size=size)
    dcols = w.reshape(groups, len(w) // groups, -1).swapaxes(1, 2) @ as_matrix(dy, groups, len(size))
    windows = from_matrix(dcols, (len(dy), w.shape[1] * groups, *w.shape[2:], *dy.shape[2:]), len(size))
    return col2im(windows, size, stride, padding, dilation)


@formula
def bias_gradient(dy):
    """db[f] = sum_{n, o} dy[n, f, o]: the bias was added at every place of every image."""
    return dy.sum((0, *range(2, dy.ndim)))


def as_matrix(a, groups, dims):
    """a (N, C, *K, *O) or (N, F, *O) -> (G, rows, columns): a row for each (c, k) or f of a group, a column for each (n, o).

    `dims` is the number of dimensions of O.
    """
    a = a.transpose(*range(1, a.ndim - dims), 0, *range(a.ndim - dims, a.ndim))
    rows, columns = math.prod(a.shape[:-1 - dims]), math.prod(a.shape[-1 - dims:])
    return a.reshape(groups, rows // groups, columns)


def from_matrix(matrix, shape, dims):
    """The inverse of `as_matrix`, giving an array of `shape`."""
    at = len(shape) - dims - 1  # where the images stand among the axes of the matrix
    a = matrix.reshape(*shape[1:at + 1], shape[0], *shape[at + 1:])
    return a.transpose(at, *range(at), *range(at + 1, len(shape)))


def bias_like(b, dims):
    """b (F) in the shape that adds to y (N, F, *O)."""
    return b.reshape(-1, *[1] * dims)


class Conv(Function, wide=True):
    """x (N, C, *S), w (F, C/G, *K), b (F) -> y (N, F, *O), with O = (S + padding - dilation * (K - 1) - 1) // stride + 1.

    y[n, f, o] = b[f] + sum_{c, k} w[f, c, k] x[n, c, o * stride + k * dilation - padding]

    With G groups, channels and filters fall into G equal parts, and a filter sees only the channels of its own part: G
    matrix products. Groups of one channel each are the depthwise convolution.

    Derivation: dw and dx stand at the top of the file; db[f] = sum_{n, o} dy[n, f, o].
    Cost: 2 N F O (C/G) K FLOPs, twice that backward. Saves x and w.
    Source: Chellapilla, Puri, Simard, High performance convolutional neural networks for document processing, 2006.
    """

    @staticmethod
    def forward(ctx, x, w, b, stride, padding, dilation, groups, out):
        ctx.geometry = stride, padding, dilation, groups
        ctx.save_for_backward(x, w)
        return convolve(x, w, out, *ctx.geometry, b)

    @staticmethod
    def backward(ctx, dy):
        x, w = ctx.saved_tensors
        need_x, need_w, need_b = ctx.needs_input_grad
        dx = input_gradient(dy, w, x.shape[2:], *ctx.geometry) if need_x else None
        dw = weight_gradient(x, dy, w.shape[2:], *ctx.geometry) if need_w else None
        db = bias_gradient(dy) if need_b else None
        return dx, dw, db


class ConvTranspose(Function, wide=True):
    """x (N, F, *O), w (F, C/G, *K), b (C) -> y (N, C, *size): the way from dy to dx in `Conv`, as an operation of its own.

    y[n, c, i] = b[c] + sum_f sum_{k, o: o * stride + k * dilation - padding = i} w[f, c, k] x[n, f, o]

    Every x[n, f, o] paints the kernel w[f], times itself, onto window o of y. This is not the inverse of a convolution but
    the transpose of its matrix. The letters are those of the convolution that it transposes: x is shaped like its output.

    Derivation: y is x times the transpose of a matrix, so dx is dy times the matrix: the convolution of dy with w. The sum
    for dw is that of `Conv`, with x in the role of the gradient and dy in that of the input:
        dx[n, f, o] = sum_{c, k} w[f, c, k] dy[n, c, o * stride + k * dilation - padding]
        dw[f, c, k] = sum_{n, o} x[n, f, o] dy[n, c, o * stride + k * dilation - padding]
        db[c]       = sum_{n, i} dy[n, c, i]
    Cost: 2 N F O (C/G) K FLOPs, twice that backward. Saves x and w.
    Source: Zeiler, Krishnan, Taylor, Fergus, Deconvolutional networks, 2010.
    """

    @staticmethod
    def forward(ctx, x, w, b, stride, padding, dilation, groups, size):
        ctx.geometry = stride, padding, dilation, groups
        ctx.save_for_backward(x, w)
        y = input_gradient(x, w, size, *ctx.geometry)
        return y if b is None else y + bias_like(b, len(size))

    @staticmethod
    def backward(ctx, dy):
        x, w = ctx.saved_tensors
        need_x, need_w, need_b = ctx.needs_input_grad
        dx = convolve(dy, w, x.shape[2:], *ctx.geometry) if need_x else None
        dw = weight_gradient(dy, x, w.shape[2:], *ctx.geometry) if need_w else None
        db = bias_gradient(dy) if need_b else None
        return dx, dw, db


class ConvWeight(Function, wide=True):
    """x (N, C, *S), dy (N, F, *O) -> dw (F, C/G, *K): how `Conv` gets dw, as an operation of its own.

    dw[f, c, k] = sum_{n, o} dy[n, f, o] x[n, c, o * stride + k * dilation - padding]

    Derivation: let g, shaped like w, be the gradient that arrives. Then sum g dw, over all entries, is the number T that
    stands at the top of the file, with g as the kernel:
        ddy[n, f, o] = sum_{c, k} g[f, c, k] x[n, c, o * stride + k * dilation - padding]
        dx[n, c, i]  = sum_f sum_{k, o: o * stride + k * dilation - padding = i} g[f, c, k] dy[n, f, o]
    Cost: 2 N F O (C/G) K FLOPs, twice that backward. Saves x and dy.
    """

    @staticmethod
    def forward(ctx, x, dy, kernel, stride, padding, dilation, groups):
        ctx.geometry = stride, padding, dilation, groups
        ctx.save_for_backward(x, dy)
        return weight_gradient(x, dy, kernel, *ctx.geometry)

    @staticmethod
    def backward(ctx, g):
        x, dy = ctx.saved_tensors
        need_x, need_dy = ctx.needs_input_grad
        return (input_gradient(dy, g, x.shape[2:], *ctx.geometry) if need_x else None,
                convolve(x, g, dy.shape[2:], *ctx.geometry) if need_dy else None)


# ---- the functions a user calls --------------------------------------------------------------------------------------

def conv1d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """Convolution of signals: input (N, C, L) or (C, L), weight (F, C / groups, K), bias (F) -> (N, F, O) or (F, O).

    `stride`, `padding` and `dilation` are integers; `padding` may also be "valid" (0) or "same" (as much as keeps the
    length, with stride 1; an odd amount has its larger half at the end). All tensors have one floating-point dtype.
    """
    x, options = _checked("conv1d", 1, input, weight, bias, stride, padding, dilation, groups)
    y = Conv.apply(x, weight, bias, **options)
    return y if x is input else y.squeeze(0)


def conv2d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """Convolution of images: input (N, C, H, W) or (C, H, W), weight (F, C / groups, KH, KW), bias (F) -> (N, F, OH, OW).

    `stride`, `padding` and `dilation` are integers or pairs (height, width); `padding` may also be "valid" or "same", as in
    `conv1d`.
    """
    x, options = _checked("conv2d", 2, input, weight, bias, stride, padding, dilation, groups)
    y = Conv.apply(x, weight, bias, **options)
    return y if x is input else y.squeeze(0)


def conv3d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """Convolution of volumes: input (N, C, D, H, W) or (C, D, H, W), weight (F, C / groups, KD, KH, KW); see `conv2d`."""
    x, options = _checked("conv3d", 3, input, weight, bias, stride, padding, dilation, groups)
    y = Conv.apply(x, weight, bias, **options)
    return y if x is input else y.squeeze(0)


def conv_transpose1d(input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    """The transpose of `conv1d`: input (N, F, O) or (F, O), weight (F, C / groups, K), bias (C) -> (N, C, L) or (C, L).

    L = (O - 1) * stride - 2 * padding + dilation * (K - 1) + output_padding + 1. With a stride, inputs of several lengths
    have convolutions of the same length; `output_padding`, less than stride or dilation, says which of them is meant.
    """
    x, options = _checked_transpose("conv_transpose1d", 1, input, weight, bias, stride, padding, output_padding, groups,
                                    dilation)
    y = ConvTranspose.apply(x, weight, bias, **options)
    return y if x is input else y.squeeze(0)


def conv_transpose2d(input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    """The transpose of `conv2d`: input (N, F, OH, OW), weight (F, C / groups, KH, KW), bias (C) -> (N, C, H, W).

    The sizes are as in `conv_transpose1d`, for height and width.
    """
    x, options = _checked_transpose("conv_transpose2d", 2, input, weight, bias, stride, padding, output_padding, groups,
                                    dilation)
    y = ConvTranspose.apply(x, weight, bias, **options)
    return y if x is input else y.squeeze(0)


def conv_transpose3d(input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    """The transpose of `conv3d`; see `conv_transpose2d`."""
    x, options = _checked_transpose("conv_transpose3d", 3, input, weight, bias, stride, padding, output_padding, groups,
                                    dilation)
    y = ConvTranspose.apply(x, weight, bias, **options)
    return y if x is input else y.squeeze(0)


def _checked(function, dims, input, weight, bias, stride, padding, dilation, groups):
    """`input` as a batch, and the options of Conv, after checking everything."""
    x, _ = as_batch(function, input, dims)
    if 0 in x.shape[2:]:
        raise ValueError(f"{function}: input must not be empty in space, got shape {input.shape}")
    groups = _check_weight(function, dims, input, weight, groups)
    kernel, expected = weight.shape[2:], weight.shape[1] * groups
    if x.shape[1] != expected:
        raise ValueError(f"{function}: input has {x.shape[1]} channels but weight of shape {weight.shape} with "
                         f"groups={groups} expects {expected}")
    if weight.shape[0] % groups:
        raise ValueError(f"{function}: groups={groups} does not divide the {weight.shape[0]} filters of weight, of shape "
                         f"{weight.shape}")
    _check_bias(function, input, bias, weight.shape[0])
    stride, dilation = sizes(function, "stride", stride, dims, 1), sizes(function, "dilation", dilation, dims, 1)
    padding = _padding(function, padding, kernel, stride, dilation)
    out = count_windows(function, x.shape[2:], kernel, stride, padding, dilation)
    return x, dict(stride=stride, padding=padding, dilation=dilation, groups=groups, out=out)


def _checked_transpose(function, dims, input, weight, bias, stride, padding, output_padding, groups, dilation):
    """`input` as a batch, and the options of ConvTranspose, after checking everything."""
    x, _ = as_batch(function, input, dims)
    groups = _check_weight(function, dims, input, weight, groups)
    if x.shape[1] != weight.shape[0]:
        raise ValueError(f"{function}: input has {x.shape[1]} channels but weight of shape {weight.shape} expects "
                         f"{weight.shape[0]}")
    if x.shape[1] % groups:
        raise ValueError(f"{function}: groups={groups} does not divide the {x.shape[1]} channels of input")
    _check_bias(function, input, bias, weight.shape[1] * groups)
    stride, dilation = sizes(function, "stride", stride, dims, 1), sizes(function, "dilation", dilation, dims, 1)
    padding = sizes(function, "padding", padding, dims, 0)
    extra = sizes(function, "output_padding", output_padding, dims, 0)
    if any(e >= max(s, d) for e, s, d in zip(extra, stride, dilation)):
        raise ValueError(f"{function}: output_padding must be less than stride or dilation, got {output_padding} with "
                         f"stride {stride} and dilation {dilation}")
    size = tuple((o - 1) * s - 2 * p + d * (k - 1) + e + 1
                 for o, s, p, d, k, e in zip(x.shape[2:], stride, padding, dilation, weight.shape[2:], extra))
    if min(*size, *x.shape[2:]) < 1:
        raise ValueError(f"{function}: input of shape {input.shape} with kernel {weight.shape[2:]}, stride {stride} and "
                         f"padding {padding} gives an output of size {size}")
    return x, dict(stride=stride, padding=[(p, p) for p in padding], dilation=dilation, groups=groups, size=size)


def _check_weight(function, dims, input, weight, groups):
    """`groups` as an integer, after checking the dtype and dimensions of weight."""
    check_floating(function, weight=weight)
    if weight.ndim != dims + 2 or 0 in weight.shape:
        raise ValueError(f"{function}: weight must have {dims + 2} dimensions, none of them empty, got shape {weight.shape}")
    if weight.dtype != input.dtype:
        raise TypeError(f"{function}: input is {input.dtype} but weight is {weight.dtype}; convert one of them")
    return sizes(function, "groups", groups, 1, 1)[0]


def _check_bias(function, input, bias, channels):
    """Raise unless bias is None or has one element of the right dtype for each of the output's `channels`."""
    if bias is None:
        return
    check_floating(function, bias=bias)
    if bias.shape != (channels,):
        raise ValueError(f"{function}: bias must have the shape ({channels},), got {bias.shape}")
    if bias.dtype != input.dtype:
        raise TypeError(f"{function}: input is {input.dtype} but bias is {bias.dtype}; convert one of them")


def _padding(function, padding, kernel, stride, dilation):
    """`padding` as (before, after) for each dimension."""
    if padding == "same":
        if max(stride) > 1:
            raise ValueError(f"{function}: padding='same' needs stride 1, got {stride}")
        total = [d * (k - 1) for k, d in zip(kernel, dilation)]
        return [(t // 2, t - t // 2) for t in total]
    if isinstance(padding, str) and padding != "valid":
        raise ValueError(f"{function}: padding must be 'same', 'valid' or integers, got {padding!r}")
    return [(p, p) for p in sizes(function, "padding", 0 if padding == "valid" else padding, len(kernel), 0)]


__all__ = ["conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d"]
