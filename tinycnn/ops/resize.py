"""Pictures in another size: interpolation, and pixels moved between channels and space.

Resizing is linear and works on one axis at a time. Element o of the new axis reads K elements of the old one, its taps:

    y[o] = sum_k weight[k, o] x[index[k, o]]

K is 1 for the nearest element, 2 for a line through two, 4 for a cubic through four. All modes are one Function with
different taps (`area` alone is another operation, adaptive average pooling).
"""
import math

import numpy as np

from ..engine.arrays import add_at, array_module
from ..engine.dtype import float32, promote_types
from ..engine.function import Function
from ..engine.checks import check_floating, check_tensor, whole
from .creation import eye
from .pool_average import adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d
from .shape import permute, reshape

_MODES = {"nearest": (1, 2, 3), "nearest-exact": (1, 2, 3), "area": (1, 2, 3),     # mode: for how many spatial axes
          "linear": (1,), "bilinear": (2,), "bicubic": (2,), "trilinear": (3,)}


# ---- interpolation ---------------------------------------------------------------------------------------------------

def near(d, a):
    """Keys' cubic convolution kernel with the parameter a at the distance 0 <= d <= 1."""
    return ((a + 2) * d - (a + 3)) * d * d + 1


def far(d, a):
    """Keys' cubic convolution kernel with the parameter a at the distance 1 <= d <= 2."""
    return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a


def _nearest_taps(xp, size, out, scale, exact):
    """`_taps` of the nearest element, in float32 as in PyTorch: where o * step is a whole number, rounding decides."""
    if out in (size, 2 * size) and not exact:  # PyTorch takes these sizes at their word, whatever the scale
        scale = out // size
    step = np.float32(1 / scale if scale else size / out)
    position = (xp.arange(out, dtype=float32) + (0.5 if exact else 0)) * step
    return xp.minimum(xp.floor(position), size - 1).astype(np.int64)[None], None


def _taps(xp, size, out, scale, mode, align_corners, dtype):
    """Which elements of an axis of `size` each of `out` new ones reads, and how much: index (K, O), weight (K, O).

    The weight is None where it would be 1. Element o lies at (o + 1/2) step - 1/2 of the old axis, for pixels are squares
    whose centres lie at half-integers; `align_corners` takes them as points instead, o * step, so that the first and the
    last coincide. The step is 1 / `scale` where the caller gave a scale, else the ratio of the sizes.
    """
    o = xp.arange(out, dtype=dtype)
    if align_corners:
        position = o * dtype.type((size - 1) / (out - 1) if out > 1 else 0)
    else:
        position = (o + 0.5) * dtype.type(1 / scale if scale else size / out) - 0.5
    if mode == "bicubic":
        first = xp.minimum(xp.floor(position), size - 1)
        t, a = (position - first).clip(0, 1), -0.75
        index = [first - 1, first, first + 1, first + 2]
        weight = [far(t + 1, a), near(t, a), near(1 - t, a), far(2 - t, a)]
    else:
        position = xp.maximum(position, 0) if size != out else o
        first = xp.minimum(xp.floor(position), size - 1)
        t = (position - first).clip(0, 1)
        index, weight = [first, first + 1], [1 - t, t]
    return xp.stack(index).clip(0, size - 1).astype(np.int64), xp.stack(weight)


def _smooth_taps(xp, size, out, scale, mode, align_corners, dtype):
    """`_taps` with antialiasing, for smaller pictures: the kernel grows with the step, so that every old element counts.

    Element o reads all elements closer to its centre than the kernel's width, with weights that sum to 1: a triangle, or
    Keys' cubic with a = -0.5. PyTorch places the centre at (o + 1/2) step with `align_corners` as well.
    """
    step = ((size - 1) / (out - 1) if out > 1 else 0) if align_corners else 1 / scale if scale else size / out
    stretch, width = max(step, 1), 2 if mode == "bicubic" else 1
    centre = step * (xp.arange(out, dtype=np.float64) + 0.5)
    first = xp.maximum(xp.trunc(centre - width * stretch + 0.5), 0)
    last = xp.minimum(xp.trunc(centre + width * stretch + 0.5), size) - 1
    index = first + xp.arange(min(size, 2 * math.ceil(width * stretch) + 1))[:, None]
    d = xp.minimum(xp.abs(index + 0.5 - centre) / stretch, width)
    weight = xp.where(d < 1, near(d, -0.5), far(d, -0.5)) if mode == "bicubic" else 1 - d
    weight = xp.where(index <= last, weight, 0)
    return xp.minimum(index, last).astype(np.int64), (weight / weight.sum(0)).astype(dtype)


class Interpolate(Function, wide=True):
    """x (N, C, *S) -> y (N, C, *O), every spatial axis resized by its taps, one after the other.

    One axis:       y[o] = sum_k weight[k, o] x[index[k, o]] = sum_i A[o, i] x[i],  A[o, i] = sum of weight[k, o] where
                    index[k, o] = i.
    Its gradient:   dx[i] = sum_o dy[o] A[o, i], a product with A, small and almost empty but dense to a computer.
    Forward does not multiply with A, because 0 * inf would spread one infinite pixel over its row and column.

    Cost: K multiplications an element and axis forward, a product with O x S backward; nothing is saved.
    Source: Keys, "Cubic convolution interpolation for digital image processing", 1981, for the cubic.
    """

    @staticmethod
    def forward(ctx, x, size, scales, mode, align_corners, antialias=False):
        ctx.size, ctx.scales = x.shape[2:], scales
        ctx.mode, ctx.align_corners, ctx.antialias = mode, align_corners, antialias
        y = x
        for axis, (index, weight) in enumerate(Interpolate.taps(ctx, x, size), start=2):
            parts = [y.take(i, axis) for i in index]
            if weight is not None:
                weight = weight.reshape(*weight.shape, *[1] * (y.ndim - 1 - axis))
                for part, w in zip(parts, weight):
                    part *= w
            y = sum(parts[1:], parts[0])
        return y

    @staticmethod
    def backward(ctx, dy):
        xp = array_module(dy)
        dx = dy
        for axis, (index, weight) in enumerate(Interpolate.taps(ctx, dy, dy.shape[2:]), start=2):
            out = index.shape[1]
            matrix = xp.zeros((out, ctx.size[axis - 2]), dy.dtype)
            add_at(matrix, (xp.arange(out), index), dy.dtype.type(1) if weight is None else weight)
            dx = xp.moveaxis(xp.tensordot(dx, matrix, (axis, 0)), -1, axis)
        return dx

    @staticmethod
    def backward_recorded(ctx, dy):
        """One axis after the other: an identity matrix, its rows resized, is the transpose of A."""
        options = dict(mode=ctx.mode, align_corners=ctx.align_corners, antialias=ctx.antialias)
        for axis, (size, out, scale) in enumerate(zip(ctx.size, dy.shape[2:], ctx.scales), start=2):
            identity = eye(size, dtype=dy.dtype, device=dy.device).unsqueeze(0)
            weights = Interpolate.apply(identity, size=(out,), scales=(scale,), **options).squeeze(0)
            dy = (dy.movedim(axis, -1) @ weights.mT).movedim(-1, axis)
        return dy

    @staticmethod
    def taps(ctx, x, out):
        """The taps of each spatial axis, for the dtype of x, in which PyTorch computes them."""
        xp = array_module(x)
        for s, o, scale in zip(ctx.size, out, ctx.scales):
            if ctx.mode.startswith("nearest"):
                yield _nearest_taps(xp, s, o, scale, ctx.mode == "nearest-exact")
            else:
                dtype = promote_types(x.dtype, float32)
                find = _smooth_taps if ctx.antialias else _taps
                index, weight = find(xp, s, o, scale, ctx.mode, ctx.align_corners, dtype)
                yield index, weight.astype(x.dtype, copy=False)


def _several(name, value, count, convert):
    """`value`, one number for all of `count` spatial axes or a sequence of one each, as a list."""
    values = list(value) if isinstance(value, (tuple, list)) else [value] * count
    if len(values) != count:
        raise ValueError(f"interpolate: {name} must be a number or {count} of them, one for each spatial dimension, got "
                         f"{value}")
    try:
        return [convert(v) for v in values]
    except (TypeError, ValueError):
        raise TypeError(f"interpolate: {name} must be {'integers' if convert is whole else 'numbers'}, got "
                        f"{value!r}") from None


def interpolate(input, size=None, scale_factor=None, mode="nearest", align_corners=None, recompute_scale_factor=None,
                antialias=False):
    """input (N, C, *S) with one to three spatial dimensions, in the spatial `size` O, or in floor(S * scale_factor).

    `mode`: "nearest" (the element below o * S / O), "nearest-exact" (the one whose centre is nearest), "linear" (1-d),
    "bilinear" and "bicubic" (2-d), "trilinear" (3-d), "area" (means, adaptive average pooling). `align_corners` (the
    linear and cubic modes): first and last elements of old and new lie on each other, instead of the outer edges of the
    first and last pixels. With `scale_factor` positions follow from it and not from the ratio of the sizes, which can
    differ; `recompute_scale_factor` takes the ratio. The nearest modes keep any dtype, the others need floating point.
    `antialias` (bilinear and bicubic): a smaller picture is made of means, not of every second or third pixel.
    """
    check_tensor("interpolate", input=input)
    if antialias and mode not in ("bilinear", "bicubic"):
        raise ValueError(f"interpolate: antialias=True needs mode 'bilinear' or 'bicubic', got {mode!r}")
    if mode not in _MODES:
        raise ValueError(f"interpolate: mode must be one of {', '.join(_MODES)}, got {mode!r}")
    spatial = input.ndim - 2
    if spatial not in _MODES[mode]:
        dims = " or ".join(f"{n + 2}-d" for n in _MODES[mode])
        raise ValueError(f"interpolate: mode {mode!r} needs a {dims} input (N, C, ...), got shape {input.shape}")
    if not mode.startswith("nearest"):
        check_floating("interpolate", input=input)
    if align_corners is not None and mode in ("nearest", "nearest-exact", "area"):
        raise ValueError(f"interpolate: align_corners={align_corners} has no meaning for mode {mode!r}; leave it None")
    if (size is None) == (scale_factor is None):
        raise ValueError(f"interpolate: give either size or scale_factor, got size={size}, scale_factor={scale_factor}")
    if recompute_scale_factor and size is not None:
        raise ValueError("interpolate: recompute_scale_factor has no meaning beside size")
    scales = [None] * spatial
    if size is None:
        scales = _several("scale_factor", scale_factor, spatial, float)
        if not all(0 < s < math.inf for s in scales):
            raise ValueError(f"interpolate: scale_factor must be positive and finite, got {scale_factor}")
        out = [math.floor(n * s) for n, s in zip(input.shape[2:], scales)]
        scales = [None] * spatial if recompute_scale_factor else scales
    else:
        out = _several("size", size, spatial, whole)
    if min(*input.shape[2:], *out) < 1:
        raise ValueError(f"interpolate: input and output must not be empty in space, got input shape {input.shape} and "
                         f"output size {tuple(out)}")
    if mode == "area":
        return (adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d)[spatial - 1](input, tuple(out))
    return Interpolate.apply(input, size=out, scales=scales, mode=mode, align_corners=bool(align_corners),
                             antialias=bool(antialias))


def upsample(input, size=None, scale_factor=None, mode="nearest", align_corners=None):
    """The old name of `interpolate`."""
    return interpolate(input, size, scale_factor, mode, align_corners)


def upsample_nearest(input, size=None, scale_factor=None):
    """`interpolate` to the nearest element, by its old name."""
    return interpolate(input, size, scale_factor)


def upsample_bilinear(input, size=None, scale_factor=None):
    """Bilinear `interpolate` with `align_corners`, by its old name."""
    return interpolate(input, size, scale_factor, "bilinear", align_corners=True)


# ---- pixels between channels and space -------------------------------------------------------------------------------

def _factor(function, name, value):
    try:
        number = whole(value)
    except TypeError:
        raise TypeError(f"{function}: {name} must be an integer, got {value!r}") from None
    if number < 1:
        raise ValueError(f"{function}: {name} must be positive, got {number}")
    return number


def pixel_shuffle(input, upscale_factor):
    """input (*, C r r, H, W) -> (*, C, H r, W r): each group of r^2 channels becomes an r by r square of pixels.

    Source: Shi et al., "Real-time single image and video super-resolution using an efficient sub-pixel convolutional
    neural network", 2016.
    """
    check_tensor("pixel_shuffle", input=input)
    r = _factor("pixel_shuffle", "upscale_factor", upscale_factor)
    if input.ndim < 3 or input.shape[-3] % (r * r):
        raise ValueError(f"pixel_shuffle: input must be (*, C, H, W) with C a multiple of {r * r} (upscale_factor {r}, "
                         f"squared), got shape {input.shape}")
    *batch, c, h, w = input.shape
    n = len(batch)
    x = reshape(input, (*batch, c // (r * r), r, r, h, w))
    x = permute(x, (*range(n), n, n + 3, n + 1, n + 4, n + 2))
    return reshape(x, (*batch, c // (r * r), h * r, w * r))


def pixel_unshuffle(input, downscale_factor):
    """input (*, C, H r, W r) -> (*, C r r, H, W): the inverse of `pixel_shuffle`."""
    check_tensor("pixel_unshuffle", input=input)
    r = _factor("pixel_unshuffle", "downscale_factor", downscale_factor)
    if input.ndim < 3 or input.shape[-2] % r or input.shape[-1] % r:
        raise ValueError(f"pixel_unshuffle: input must be (*, C, H, W) with H and W multiples of downscale_factor {r}, got "
                         f"shape {input.shape}")
    *batch, c, h, w = input.shape
    n = len(batch)
    x = reshape(input, (*batch, c, h // r, r, w // r, r))
    x = permute(x, (*range(n), n, n + 2, n + 4, n + 1, n + 3))
    return reshape(x, (*batch, c * r * r, h // r, w // r))


def channel_shuffle(input, groups):
    """input (N, C, *): the channels of `groups` groups taken in turns, one from each, as ShuffleNet does.

    Source: Zhang et al., "ShuffleNet: an extremely efficient convolutional neural network for mobile devices", 2018.
    """
    check_tensor("channel_shuffle", input=input)
    groups = _factor("channel_shuffle", "groups", groups)
    if input.ndim < 3 or input.shape[1] % groups:
        raise ValueError(f"channel_shuffle: input must be (N, C, *) with C a multiple of groups {groups}, got shape "
                         f"{input.shape}")
    n, c, *space = input.shape
    x = reshape(input, (n, groups, c // groups, *space))
    return reshape(permute(x, (0, 2, 1, *range(3, x.ndim))), input.shape)


__all__ = ["channel_shuffle", "interpolate", "pixel_shuffle", "pixel_unshuffle", "upsample", "upsample_bilinear",
           "upsample_nearest"]
