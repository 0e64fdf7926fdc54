"""Normalisation. One Function, `Normalize`, serves batch, layer, group and instance norm: they differ only in the axes over
which mean and variance are taken.
"""
import math

import numpy as np

from ..engine.arrays import array_module, quiet
from ..engine.dtype import float32
from ..engine.formula import formula
from ..engine.function import Function
from ..engine.half import is_half, wide, widened
from ..engine.checks import check_floating, check_number
from ..engine.tensor import Tensor
from .elementwise import unbroadcast
from .inplace import check_apart


@formula
def sum_over(x, axes):
    """The sum of x over `axes`, which stay as size 1.

    One axis after the other: each number is then the end of a few short chains of additions, not of one long one, so the
    rounding errors of float32 stay small.
    """
    for axis in axes:
        x = x.sum(axis, keepdims=True)
    return x


def mean_over(x, axes):
    """The mean of x over `axes`, which stay as size 1."""
    return sum_over(x, axes) / max(math.prod(x.shape[axis] for axis in axes), 1)


@formula
def moments(x, axes):
    """(mu, var): mean and biased variance of x over `axes`, which stay as size 1.

    The variance takes two passes, the mean first: mean(x^2) - mu^2 would cancel catastrophically where |mu| >> sqrt(var).
    """
    x = widened(x)
    mu = mean_over(x, axes)
    return mu, mean_over((x - mu) ** 2, axes)


def facing(v, x, axes):
    """The vector v, whose numbers belong to places along `axes` of x, in a shape that broadcasts against x."""
    return v.reshape([n if axis in axes else 1 for axis, n in enumerate(x.shape)]).astype(x.dtype, copy=False)


def sum_onto(x, axes):
    """The sum of x over all axes but `axes`, which alone are left: the adjoint of `facing`."""
    others = [axis for axis in range(x.ndim) if axis not in axes]
    return sum_over(x, others).reshape([x.shape[axis] for axis in axes])


class Normalize(Function, wide=True):
    """y = w xhat + b with xhat = (x - mu) r, r = 1/sqrt(var + eps); mu, var: mean and biased variance of x over `axes`.

    x (any shape), w and b (the sizes of x along the axes `along`, or None) -> y, shaped like x.
    `statistics` is (mu, var) where somebody asked for the `moments` before: batch norm keeps running averages of them. With
    no axes at all they are constants, those running averages (batch norm in evaluation).

    Derivation. i, j run over the m elements that share one mean; g = dy w is the gradient of xhat, and d is 1 where i = j:
        mu = sum_j x_j / m                        dmu/dx_i  = 1/m
        var = sum_j (x_j - mu)^2 / m              dvar/dx_i = 2 (x_i - mu) / m
        r = (var + eps)^(-1/2)                    dr/dx_i   = -r^3/2 dvar/dx_i = -r^2 xhat_i / m
        xhat_j = (x_j - mu) r                     dxhat_j/dx_i = r (d_ij - 1/m) + (x_j - mu) dr/dx_i
                                                               = r (d_ij - 1/m - xhat_j xhat_i / m)
        dx_i = sum_j g_j dxhat_j/dx_i = r (g_i - mean_j(g_j) - xhat_i mean_j(g_j xhat_j))
        dw = sum dy xhat and db = sum dy, over all elements that share one entry of w.
    The two mean terms take out of dx what no change of x can bring about: y does not change when x is shifted or scaled.
    Where mu and var are constants they vanish: dx = r g.

    Cost: about 8 passes over x forward, 13 backward. Saves x, mu, r and w.
    Source: Ioffe and Szegedy, Batch Normalization, 2015 (arXiv:1502.03167); Ba et al., Layer Normalization, 2016
    (arXiv:1607.06450); Wu and He, Group Normalization, 2018 (arXiv:1803.08494).
    """

    @staticmethod
    def forward(ctx, x, w, b, axes, along, eps, statistics=None):
        mu, var = statistics or moments(x, axes)
        r = 1 / array_module(x).sqrt(var + eps)
        ctx.axes, ctx.along, ctx.eps = axes, along, eps
        ctx.save_for_backward(x, mu, r, w)
        y = (x - mu) * r
        if w is not None:
            y = y * facing(w, x, along)
        if b is not None:
            y = y + facing(b, x, along)
        return y

    @staticmethod
    def backward(ctx, dy):
        return Normalize.gradients(ctx, dy, *ctx.saved_tensors)

    @staticmethod
    def backward_recorded(ctx, dy):
        """With mu and r as functions of x."""
        x, mu, r, w = ctx.saved_tensors
        if ctx.axes:
            mu, var = moments(x, ctx.axes)
            r = (var + ctx.eps) ** -0.5
        return Normalize.gradients(ctx, dy, x, mu, r, w)

    @staticmethod
    def gradients(ctx, dy, x, mu, r, w):
        """dx, dw and db, from arrays or Tensors."""
        need_x, need_w, need_b = ctx.needs_input_grad
        xhat, dx = (x - mu) * r, None
        if need_x:
            g = dy if w is None else dy * facing(w, x, ctx.along)
            if ctx.axes:
                g = g - mean_over(g, ctx.axes) - xhat * mean_over(g * xhat, ctx.axes)
            dx = r * g
        dw = sum_onto(dy * xhat, ctx.along) if need_w else None
        db = sum_onto(dy, ctx.along) if need_b else None
        return dx, dw, db


class RMSNorm(Function, wide=True):
    """y = w x r with r = 1/sqrt(mean(x^2) + eps), the mean over the last axes, those of w: x (..., *D), w (*D) or None.

    Derivation, as for `Normalize` without the mean; g = dy w, xhat = x r, i and j run over the m elements of one row:
        dr/dx_i = -r^3 x_i / m,   dx_i = g_i r + sum_j g_j x_j dr/dx_i = r (g_i - xhat_i mean_j(g_j xhat_j))
        dw = sum dy xhat over all rows.
    Saved: xhat. Source: Zhang and Sennrich, Root Mean Square Layer Normalization, 2019 (arXiv:1910.07467).
    """

    @staticmethod
    def forward(ctx, x, w, axes, eps):
        ctx.axes, ctx.eps = axes, eps
        r = 1 / array_module(x).sqrt(mean_over(x * x, axes) + eps)
        xhat = x * r
        ctx.save_for_backward(xhat, r, w)
        return xhat if w is None else xhat * w

    @staticmethod
    def backward(ctx, dy):
        return RMSNorm.gradients(ctx, dy, *ctx.saved_tensors)

    @staticmethod
    def backward_recorded(ctx, dy):
        xhat, r, w = ctx.saved_tensors
        x = ctx.stand_in(0, xhat / r)
        r = (mean_over(x * x, ctx.axes) + ctx.eps) ** -0.5
        return RMSNorm.gradients(ctx, dy, x * r, r, w)

    @staticmethod
    def gradients(ctx, dy, xhat, r, w):
        """dx and dw, from arrays or Tensors."""
        need_x, need_w = ctx.needs_input_grad
        t = dy * xhat
        dw = unbroadcast(t, w.shape) if need_w else None
        if not need_x:
            return None, dw
        g, t = (dy, t) if w is None else (dy * w, t * w)
        return r * (g - xhat * mean_over(t, ctx.axes)), dw


def window_sum(x, before, after):
    """s[:, c] = the sum of x[:, c - before] to x[:, c + after], as far as they exist: x (N, C, *S)."""
    channels = x.shape[1]
    if isinstance(x, Tensor):  # where a gradient is recorded: a product with a matrix that holds a band of ones
        band = x.new_ones(channels, channels).triu(-before).tril(after)
        return (band @ x.flatten(2)).reshape(x.shape)
    s = x.copy()
    for d in range(1, min(before, channels - 1) + 1):
        s[:, d:] += x[:, :-d]
    for d in range(1, min(after, channels - 1) + 1):
        s[:, :-d] += x[:, d:]
    return s


class LocalResponseNorm(Function, wide=True):
    """y_c = x_c s_c^-beta with s_c = k + alpha/n sum_j x_j^2, j from c - n//2 to c + (n-1)//2: x (N, C, *S), n = `size`.

    Derivation. x_i stands in y_i itself and in s_c of every channel c whose window holds i: c from i - (n-1)//2 to
    i + n//2, the mirrored window.
        dx_i = dy_i s_i^-beta - 2 alpha beta / n x_i sum_c dy_c x_c s_c^(-beta-1)
    Saved: x, s. Source: Krizhevsky et al., ImageNet Classification with Deep Convolutional Neural Networks, 2012, 3.3.
    """

    @staticmethod
    def forward(ctx, x, size, alpha, beta, k):
        ctx.size, ctx.alpha, ctx.beta, ctx.k = size, alpha, beta, k
        s = LocalResponseNorm.divisor(ctx, x)
        ctx.save_for_backward(x, s)
        return x * s**-beta

    @staticmethod
    def divisor(ctx, x):
        """s, of an array or a Tensor."""
        return window_sum(x * x, ctx.size // 2, (ctx.size - 1) // 2) * (ctx.alpha / ctx.size) + ctx.k

    @staticmethod
    def backward(ctx, dy):
        return LocalResponseNorm.gradient(ctx, dy, *ctx.saved_tensors)

    @staticmethod
    def backward_recorded(ctx, dy):
        x, _ = ctx.saved_tensors
        return LocalResponseNorm.gradient(ctx, dy, x, LocalResponseNorm.divisor(ctx, x))

    @staticmethod
    def gradient(ctx, dy, x, s):
        """dx, from arrays or Tensors."""
        direct = dy * s**-ctx.beta
        through = window_sum(direct * x / s, (ctx.size - 1) // 2, ctx.size // 2)
        return direct - 2 * ctx.alpha * ctx.beta / ctx.size * x * through


# ---- the functions a user calls --------------------------------------------------------------------------------------

def _check(function, input, least, expected, shape, **vectors):
    """Check that `input` has at least `least` dimensions and each of `vectors` (None or a tensor) the given `shape`."""
    check_floating(function, input=input)
    if input.ndim < least:
        raise ValueError(f"{function}: input must be {expected}, got shape {input.shape}")
    shape = shape or (input.shape[1],)
    for name, vector in vectors.items():
        if vector is not None:
            check_floating(function, **{name: vector})
            if vector.shape != shape:
                raise ValueError(f"{function}: {name} must have shape {shape} for an input of shape {input.shape}, got "
                                 f"{vector.shape}")


@formula
def blend(old, new, keep, add):
    """old = keep old + add new, in place."""
    old[...] = keep * old + add * new


def update_running(function, running, new, momentum, factor=1):
    """Move the tensor `running` towards the array `new` times factor: running = (1 - momentum) running + momentum new."""
    if running is not None:
        check_apart(function, running.array)
        blend(running.array, new.reshape(running.shape), 1 - momentum, momentum * factor)
        running._version.writes += 1


def batch_norm(input, running_mean, running_var, weight=None, bias=None, training=False, momentum=0.1, eps=1e-5):
    """Normalise every channel of input (N, C, *S), then scale by weight (C,) and shift by bias (C,).

    In training, mean and biased variance are those of the batch, over N and S; `running_mean` and `running_var` (tensors
    (C,) or None) are updated in place, running = (1 - momentum) running + momentum statistic, with the unbiased variance.
    Otherwise the running statistics are used, as constants. ValueError where a channel has one value only to train on. An
    empty batch gives an empty result and leaves the running statistics as they are.
    """
    _check("batch_norm", input, 2, "(N, C) or (N, C, *S)", None, running_mean=running_mean, running_var=running_var,
           weight=weight, bias=bias)
    x, axes = input.array, (0, *range(2, input.ndim))
    if training:
        count = input.numel() // max(input.shape[1], 1)
        if input.shape[1] and count == 1:
            raise ValueError("batch_norm: expected more than 1 value per channel when training, got input shape "
                             f"{input.shape}")
        with quiet():
            mu, var = moments(x, axes)
        if count:
            update_running("batch_norm", running_mean, mu, momentum)
            update_running("batch_norm", running_var, var, momentum, count / (count - 1))
        return Normalize.apply(input, weight, bias, axes=axes, along=(1,), eps=eps, statistics=[mu, var])
    if running_mean is None or running_var is None:
        raise ValueError("batch_norm: running_mean and running_var must be given when training is False")
    statistics = [facing(v.array, x, (1,)) for v in (running_mean, running_var)]
    return Normalize.apply(input, weight, bias, axes=(), along=(1,), eps=eps, statistics=statistics)


def instance_norm(input, running_mean=None, running_var=None, weight=None, bias=None, use_input_stats=True, momentum=0.1,
                  eps=1e-5):
    """Normalise every channel of every picture of input (N, C, *S) over S, then scale by weight (C,), shift by bias (C,).

    Running statistics are updated with the mean over the batch. Without `use_input_stats` this is `batch_norm` in
    evaluation mode. ValueError where S holds fewer than two values.
    """
    if not use_input_stats:
        return batch_norm(input, running_mean, running_var, weight, bias, False, momentum, eps)
    _check("instance_norm", input, 2, "(N, C, *S)", None, running_mean=running_mean, running_var=running_var, weight=weight,
           bias=bias)
    axes, count, statistics = tuple(range(2, input.ndim)), math.prod(input.shape[2:]), None
    if count < 2:
        raise ValueError(f"instance_norm: expected more than 1 spatial element when training, got input shape {input.shape}")
    if len(input) and not (running_mean is None and running_var is None):
        with quiet():
            statistics = mu, var = moments(input.array, axes)
        update_running("instance_norm", running_mean, mu.mean(0), momentum)
        update_running("instance_norm", running_var, var.mean(0), momentum, count / (count - 1))
    return Normalize.apply(input, weight, bias, axes=axes, along=(1,), eps=eps, statistics=statistics)


def group_norm(input, num_groups, weight=None, bias=None, eps=1e-5):
    """Split the channels of input (N, C, *S) into groups and normalise each over its channels and S.

    Then scale by weight (C,) and shift by bias (C,). ValueError where C is not a multiple of `num_groups`.
    """
    _check("group_norm", input, 2, "(N, C) or (N, C, *S)", None, weight=weight, bias=bias)
    batch, channels, *space = input.shape
    if num_groups < 1 or channels % num_groups:
        raise ValueError(f"group_norm: the {channels} channels of input {input.shape} must be a multiple of num_groups, got "
                         f"num_groups={num_groups}")
    size = channels // num_groups
    if batch * size * math.prod(space) == 1:
        raise ValueError(f"group_norm: expected more than 1 value per group, got input shape {input.shape} and "
                         f"num_groups={num_groups}")
    x = input.reshape(batch, num_groups, size, *space)
    weight, bias = (None if v is None else v.reshape(num_groups, size) for v in (weight, bias))
    return Normalize.apply(x, weight, bias, axes=tuple(range(2, x.ndim)), along=(1, 2), eps=eps).reshape(input.shape)


def _trailing(function, input, normalized_shape, **vectors):
    """The last axes of `input` that `normalized_shape` names, after checking both."""
    shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
    check_floating(function, input=input)
    if not shape or input.shape[-len(shape):] != shape:
        raise ValueError(f"{function}: normalized_shape {shape} must be the last dimensions of input, got input shape "
                         f"{input.shape}")
    _check(function, input, len(shape), "", shape, **vectors)
    return tuple(range(input.ndim - len(shape), input.ndim))


def layer_norm(input, normalized_shape, weight=None, bias=None, eps=1e-5):
    """Normalise input (..., *normalized_shape) over its last dimensions, then scale by weight, shift by bias.

    weight and bias have the shape `normalized_shape` (a tuple, or an int for one dimension).
    """
    check_number("layer_norm", eps=eps)
    axes = _trailing("layer_norm", input, normalized_shape, weight=weight, bias=bias)
    return Normalize.apply(input, weight, bias, axes=axes, along=axes, eps=eps)


def rms_norm(input, normalized_shape, weight=None, eps=None):
    """Divide input (..., *normalized_shape) by its root mean square over the last dimensions, then scale by weight.

    `eps` None is the machine epsilon of the dtype, for float16 that of float32, in which it is computed.
    """
    axes = _trailing("rms_norm", input, normalized_shape, weight=weight)
    eps = float(np.finfo(float32 if is_half(input) else input.dtype).eps) if eps is None else eps
    check_number("rms_norm", eps=eps)
    return RMSNorm.apply(input, weight, axes=axes, eps=eps)


def local_response_norm(input, size, alpha=1e-4, beta=0.75, k=1.0):
    """Divide each channel of input (N, C, *S) by (k + alpha * mean square of the `size` channels around it) ** beta.

    Channels that do not exist count as zeros in the mean.
    """
    check_floating("local_response_norm", input=input)
    if input.ndim < 3:
        raise ValueError(f"local_response_norm: input must be (N, C, *S), at least 3 dimensions, got shape {input.shape}")
    if size < 1:
        raise ValueError(f"local_response_norm: size must be at least 1, got {size}")
    return LocalResponseNorm.apply(input, size=size, alpha=alpha, beta=beta, k=k)


@wide
def normalize(input, p=2.0, dim=1, eps=1e-12):
    """input / max(||input||_p, eps), the norm over dimension `dim` (an int or a tuple)."""
    check_floating("normalize", input=input)
    return input / input.norm(p, dim, keepdim=True).clamp(min=eps)


__all__ = ["batch_norm", "group_norm", "instance_norm", "layer_norm", "local_response_norm", "normalize", "rms_norm"]
