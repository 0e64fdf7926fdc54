"""Average pooling, plain and adaptive, and pooling by powers.

Average pooling is a linear map, and its gradient is the adjoint map: every element of a window gets its share of dy.
"""
import numpy as np

from ..engine.arrays import array_module
from ..engine.function import Function
from ..engine.half import wide
from ..engine.checks import check_floating
from .comparison import eq
from .creation import eye
from .pool import adaptive_pool, adaptive_windows, unbatched, windows
from .unfold import as_batch, col2im, im2col, sizes


class AvgPool(Function, wide=True):
    """x (N, C, *S) -> y (N, C, *O): y[n, c, o] = 1/m[o] sum_k x[n, c, o * stride + k - padding], the padding being zero.

    m[o] is the number of elements in window o, with or without its share of the padding (`count_include_pad`), or the given
    `divisor`. Elements even beyond the padding, which the last windows may reach with `ceil_mode`, never count.

    Derivation: every element of window o has the weight 1/m[o] in y[o], so dcols[k, o] = dy[o] / m[o] for all k, and each
    pixel collects its copies: dx = col2im(dcols).
    Cost: K additions an output. Keeps m, which depends on shapes only.
    Source: LeCun, Bottou, Bengio, Haffner, Gradient-based learning applied to document recognition, 1998.
    """

    @staticmethod
    def forward(ctx, x, kernel, stride, padding, room, count_include_pad, divisor):
        ctx.size, ctx.kernel, ctx.geometry = x.shape[2:], kernel, (stride, room, (1,) * len(kernel))
        cols = im2col(x, kernel, *ctx.geometry)
        ctx.m = elements(x, cols.shape[2 + len(kernel):], kernel, stride, padding, count_include_pad, divisor)
        return cols.sum(tuple(range(2, 2 + len(kernel)))) / ctx.m

    @staticmethod
    def backward(ctx, dy):
        images, out = dy.shape[:2], dy.shape[2:]
        dcols = (dy / ctx.m).reshape(*images, *[1] * len(out), *out)
        return col2im(array_module(dy).broadcast_to(dcols, (*images, *ctx.kernel, *out)), ctx.size, *ctx.geometry)


def elements(x, out, kernel, stride, padding, count_include_pad, divisor):
    """m of `AvgPool`, an array of shape `out` in the dtype of x (N, C, *S)."""
    xp = array_module(x)
    if divisor is not None:
        return xp.full(out, divisor, x.dtype)
    m = xp.ones((), np.int64)
    for n, o, k, s, p in zip(x.shape[2:], out, kernel, stride, padding):
        first, last = (-p, n + p) if count_include_pad else (0, n)
        start = xp.arange(o) * s - p
        m = m[..., None] * (xp.minimum(start + k, last) - xp.maximum(start, first))
    return m.astype(x.dtype)


class AdaptiveAvgPool(Function, wide=True):
    """x (N, C, *S) -> y (N, C, *O) for any O: the means of the `adaptive_windows`.

    Derivation: y[o] = 1/m[o] sum_{i in window o} x[i], where window o has m[o] elements; hence dx[i] = sum dy[o] / m[o],
    over the windows o that hold i.
    Cost: S additions, or a few more where windows overlap. Saves nothing.
    Source: Lin, Chen, Yan, Network in network, ICLR 2014 (for O = 1, "global average pooling").
    """

    @staticmethod
    def forward(ctx, x, out):
        ctx.size, y = x.shape[2:], array_module(x).empty((*x.shape[:2], *out), x.dtype)
        for o, window in adaptive_windows(ctx.size, out):
            y[:, :, *o] = x[:, :, *window].mean(tuple(range(2, x.ndim)))
        return y

    @staticmethod
    def backward(ctx, dy):
        dx = array_module(dy).zeros((*dy.shape[:2], *ctx.size), dy.dtype)
        for o, window in adaptive_windows(ctx.size, dy.shape[2:]):
            inside = dx[:, :, *window]
            inside += dy[:, :, *o].reshape(*dy.shape[:2], *[1] * len(window)) / int(np.prod(inside.shape[2:]))
        return dx

    @staticmethod
    def backward_recorded(ctx, dy):
        """One axis after the other: the means of the rows of an identity matrix are the weights of x in y."""
        for axis, (size, out) in enumerate(zip(ctx.size, dy.shape[2:]), start=2):
            weights = AdaptiveAvgPool.apply(eye(size, dtype=dy.dtype, device=dy.device).unsqueeze(0), out=(out,)).squeeze(0)
            dy = (dy.movedim(axis, -1) @ weights.mT).movedim(-1, axis)
        return dy


# ---- the functions a user calls --------------------------------------------------------------------------------------

def avg_pool1d(input, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True):
    """The mean of every window: (N, C, L) or (C, L) -> (N, C, O) or (C, O).

    `stride` is the kernel size unless given. `padding`, at most half the kernel, is zeros, which the mean counts as elements
    unless `count_include_pad` is False. With `ceil_mode`, a last window that reaches beyond the end counts too.
    """
    return _avg_pool("avg_pool1d", 1, input, kernel_size, stride, padding, ceil_mode, count_include_pad, None)


def avg_pool2d(input, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True, divisor_override=None):
    """The mean of every window: (N, C, H, W) or (C, H, W); arguments as in `avg_pool1d`, integers or pairs.

    With `divisor_override`, sums are divided by it instead of by the number of elements.
    """
    return _avg_pool("avg_pool2d", 2, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)


def avg_pool3d(input, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True, divisor_override=None):
    """The mean of every window: (N, C, D, H, W) or (C, D, H, W); arguments as in `avg_pool2d`, integers or triples."""
    return _avg_pool("avg_pool3d", 3, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)


def adaptive_avg_pool1d(input, output_size):
    """The means of `output_size` windows that cover the whole input: (N, C, L) or (C, L) -> (N, C, O) or (C, O)."""
    return adaptive_pool("adaptive_avg_pool1d", 1, AdaptiveAvgPool, input, output_size)


def adaptive_avg_pool2d(input, output_size):
    """The means of windows that cover the whole image, as many as `output_size` (OH, OW), None meaning as many as pixels.

    `adaptive_avg_pool2d(x, 1)` is the global average.
    """
    return adaptive_pool("adaptive_avg_pool2d", 2, AdaptiveAvgPool, input, output_size)


def adaptive_avg_pool3d(input, output_size):
    """The means of windows that cover the whole volume, as many as `output_size`; see `adaptive_avg_pool2d`."""
    return adaptive_pool("adaptive_avg_pool3d", 3, AdaptiveAvgPool, input, output_size)


def lp_pool1d(input, norm_type, kernel_size, stride=None, ceil_mode=False):
    """(sum of x^p over every window)^(1/p), with p = `norm_type`: the maximum for large p, the sum for p = 1.

    Where the sum is zero so is the gradient. As in PyTorch, the sum of a window that `ceil_mode` lets reach beyond the end
    is scaled up to a whole window.
    """
    return _lp_pool("lp_pool1d", 1, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool2d(input, norm_type, kernel_size, stride=None, ceil_mode=False):
    """(sum of x^p over every window)^(1/p), with p = `norm_type`; see `lp_pool1d`."""
    return _lp_pool("lp_pool2d", 2, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool3d(input, norm_type, kernel_size, stride=None, ceil_mode=False):
    """(sum of x^p over every window)^(1/p), with p = `norm_type`; see `lp_pool1d`."""
    return _lp_pool("lp_pool3d", 3, input, norm_type, kernel_size, stride, ceil_mode)


def _avg_pool(function, dims, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor):
    """Check everything, then run AvgPool."""
    x, single = as_batch(function, input, dims)
    kernel, stride, padding, room = windows(function, x.shape[2:], kernel_size, stride, padding, (1,) * dims, ceil_mode)
    if divisor == 0:
        raise ValueError(f"{function}: divisor_override must not be 0")
    y = AvgPool.apply(x, kernel=kernel, stride=stride, padding=padding, room=room, count_include_pad=count_include_pad,
                      divisor=divisor)
    return unbatched(y, single)


@wide
def _lp_pool(function, dims, input, norm_type, kernel_size, stride, ceil_mode):
    """Compose it of a power, a mean and a root."""
    check_floating(function, input=input)
    if norm_type == 0:
        raise ValueError(f"{function}: norm_type must not be 0")
    mean = _avg_pool(function, dims, input ** norm_type, kernel_size, stride, 0, ceil_mode, True, None)
    total = mean * int(np.prod(sizes(function, "kernel_size", kernel_size, dims, 1)))
    zero = eq(total, 0).to(total.dtype)  # where the slope of the root is infinite
    return (total + zero) ** (1 / norm_type) * (1 - zero)


__all__ = ["adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d", "avg_pool1d", "avg_pool2d", "avg_pool3d",
           "lp_pool1d", "lp_pool2d", "lp_pool3d"]
