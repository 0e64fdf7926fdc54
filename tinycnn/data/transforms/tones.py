"""Brightness, colour and tone of pictures x (N, C, H, W), uint8 or floating point; factors are numbers or (N, 1, 1, 1)."""
import numpy as np

from ...engine.arrays import array_module
from .base import full_scale, restored, working_type

GREY = (0.299, 0.587, 0.114)  # how bright red, green and blue look (ITU-R BT.601)


def grey(function, x):
    """The brightness (N, 1, H, W) in floating point; of grey pictures their own."""
    check_colours(function, x)
    dtype = working_type(x)
    if x.shape[1] == 1:
        return x.astype(dtype, copy=False)
    weights = array_module(x).asarray(GREY, dtype=dtype).reshape(3, 1, 1)
    return (x * weights).sum(1, keepdims=True)


def check_colours(function, x):
    full_scale(function, x)
    if x.shape[1] not in (1, 3):
        raise ValueError(f"{function}: expected 1 or 3 channels, got {x.shape[1]}; convert a Pillow picture with "
                         "picture.convert('RGB')")


def blend(x, other, factor):
    """factor * x + (1 - factor) * other, in the range of x; factors above 1 go away from `other`."""
    y = x.astype(working_type(x), copy=False) - other
    y *= factor
    y += other
    return restored(y, x)


def adjust_brightness(x, factor):
    """0 is black, 1 the picture."""
    full_scale("adjust_brightness", x)
    return restored(x.astype(working_type(x), copy=False) * factor, x)


def adjust_contrast(x, factor):
    """0 is an even grey of the mean brightness, 1 the picture."""
    return blend(x, grey("adjust_contrast", x).mean((1, 2, 3), keepdims=True), factor)


def adjust_saturation(x, factor):
    """0 is black and white, 1 the picture."""
    return x if x.shape[1] == 1 else blend(x, grey("adjust_saturation", x), factor)


def adjust_hue(x, shift):
    """Colours moved along the circle red, yellow, green, cyan, blue, magenta; 1 is once around.

    Hue h and lightness range from `low` to `high`: channel n of (5, 3, 1) is high - (high - low) * max(0, min(k, 4 - k, 1))
    with k = (n + 6 h) mod 6 (the usual HSV model, written without cases).
    """
    check_colours("adjust_hue", x)
    if x.shape[1] == 1:
        return x
    xp, dtype = array_module(x), working_type(x)
    y = x.astype(dtype, copy=False)
    red, green, blue = y[:, :1], y[:, 1:2], y[:, 2:]
    high, low = y.max(1, keepdims=True), y.min(1, keepdims=True)
    spread = high - low
    safe = xp.where(spread == 0, dtype.type(1), spread)
    hue = xp.where(high == green, (blue - red) / safe + 2, (red - green) / safe + 4)
    hue = xp.where(high == red, (green - blue) / safe, hue)
    hue = hue + shift * dtype.type(6)
    k = (hue + xp.asarray([5, 3, 1], dtype=dtype).reshape(3, 1, 1)) % dtype.type(6)
    return restored(high - spread * xp.minimum(k, 4 - k).clip(0, 1), x)


def adjust_sharpness(x, factor):
    """0 is blurred, 1 the picture, 2 sharper. The pixels of the border stay.

    The blur is the mean of nine neighbours with the middle counting five times.
    """
    full_scale("adjust_sharpness", x)
    if min(x.shape[2:]) < 3:
        return x
    y = x.astype(working_type(x), copy=False)
    rows = y[:, :, :-2] + y[:, :, 1:-1] + y[:, :, 2:]
    smooth = y.copy()
    smooth[:, :, 1:-1, 1:-1] = (rows[:, :, :, :-2] + rows[:, :, :, 1:-1] + rows[:, :, :, 2:] + 4 * y[:, :, 1:-1, 1:-1]) / 13
    return blend(x, smooth, factor)


def invert(x):
    """Black for white and every colour for its opposite."""
    return full_scale("invert", x) - x


def solarize(x, threshold):
    """The opposite of all values from `threshold` on."""
    return array_module(x).where(x >= threshold, full_scale("solarize", x) - x, x)


def posterize(x, bits):
    """Only the `bits` highest of the eight bits of every value (uint8 only)."""
    if x.dtype != np.uint8:
        raise TypeError(f"posterize: expected pixels of uint8, got {x.dtype}")
    return x & np.uint8(256 - 2 ** (8 - bits))


def autocontrast(x):
    """Every channel stretched so that its darkest value is black and its brightest white."""
    xp, white, dtype = array_module(x), full_scale("autocontrast", x), working_type(x)
    low = x.min((2, 3), keepdims=True).astype(dtype)
    spread = x.max((2, 3), keepdims=True).astype(dtype) - low
    flat = spread == 0
    return restored(xp.where(flat, x, (x - low) * (white / xp.where(flat, dtype.type(1), spread))), x)


def equalize(x):
    """Every channel with its values spread until all are about equally frequent (uint8 only).

    A value v becomes the number of pixels below v, in steps of 1/255 of all pixels but those of the highest value, rounded:
    as in Pillow.
    """
    if x.dtype != np.uint8:
        raise TypeError(f"equalize: expected pixels of uint8, got {x.dtype}")
    xp, (n, c, h, w) = array_module(x), x.shape
    values = x.reshape(n * c, h * w).astype(np.int64)
    count = xp.bincount((values + 256 * xp.arange(n * c)[:, None]).ravel(), minlength=256 * n * c).reshape(n * c, 256)
    highest = xp.take_along_axis(count, values.max(1, keepdims=True), 1)
    step = (h * w - highest) // 255
    below = count.cumsum(1) - count
    table = xp.where(step == 0, xp.arange(256), ((below + step // 2) // xp.maximum(step, 1)).clip(0, 255)).astype(np.uint8)
    return xp.take_along_axis(table, values, 1).reshape(x.shape)
