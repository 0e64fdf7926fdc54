"""Transforms of colour and tone."""
import numbers

import numpy as np

from ...engine.arrays import array_module, to_numpy
from . import tones
from .base import Transform, change_some, check_p, draw, restored


class ColorJitter(Transform):
    """Other brightness, contrast, saturation and hue, each by its own random factor, in random order.

    A number b means a factor between max(0, 1 - b) and 1 + b, a pair (low, high) a factor between these; `hue`, at most 0.5,
    is how far colours move along their circle. All pictures of a batch share the order, not the factors.
    """

    def __init__(self, brightness=0, contrast=0, saturation=0, hue=0, *, generator=None):
        self.brightness = _read_factor("brightness", brightness)
        self.contrast = _read_factor("contrast", contrast)
        self.saturation = _read_factor("saturation", saturation)
        self.hue = (-hue, hue) if isinstance(hue, numbers.Real) else tuple(hue)
        if not -0.5 <= self.hue[0] <= self.hue[1] <= 0.5:
            raise ValueError(f"ColorJitter: hue must be a number from 0 to 0.5, or a pair within -0.5 and 0.5, got {hue!r}")
        self.generator = generator

    def apply(self, x):
        stream, n = self.stream(x), len(x)
        steps = ((tones.adjust_brightness, self.brightness, 1), (tones.adjust_contrast, self.contrast, 1),
                 (tones.adjust_saturation, self.saturation, 1), (tones.adjust_hue, self.hue, 0))
        for i in to_numpy(stream.permutation(len(steps))).tolist():
            adjust, bounds, neutral = steps[i]
            if bounds != (neutral, neutral):
                x = adjust(x, draw(stream, n, *bounds))
        return x


def _read_factor(name, value):
    """(low, high) of a number, which stands for 1 - number to 1 + number, or of a pair."""
    low, high = (max(0, 1 - value), 1 + value) if isinstance(value, numbers.Real) else tuple(value)
    if not 0 <= low <= high or (isinstance(value, numbers.Real) and value < 0):
        raise ValueError(f"ColorJitter: {name} must be a number or a pair (low, high), not negative, got {value!r}")
    return low, high


class Grayscale(Transform):
    """Black and white pictures of 1 channel, or of 3 equal ones."""

    def __init__(self, num_output_channels=1):
        if num_output_channels not in (1, 3):
            raise ValueError(f"Grayscale: num_output_channels must be 1 or 3, got {num_output_channels!r}")
        self.num_output_channels = num_output_channels

    def apply(self, x):
        y = restored(tones.grey("Grayscale", x), x)
        return array_module(x).repeat(y, self.num_output_channels, 1)


class _Sometimes(Transform):
    """The base of those that change a picture with probability `p`; they define `change(x)`."""

    def __init__(self, p, generator):
        self.p, self.generator = check_p(type(self).__name__, p), generator

    def apply(self, x):
        return change_some(x, self.p, self.stream(x), self.change)


class RandomGrayscale(_Sometimes):
    """With probability `p`, the picture in black and white, with as many channels as before."""

    def __init__(self, p=0.1, *, generator=None):
        super().__init__(p, generator)

    def change(self, x):
        return array_module(x).repeat(restored(tones.grey("RandomGrayscale", x), x), x.shape[1], 1)


class RandomInvert(_Sometimes):
    """With probability `p`, the negative of the picture."""

    def __init__(self, p=0.5, *, generator=None):
        super().__init__(p, generator)

    def change(self, x):
        return tones.invert(x)


class RandomPosterize(_Sometimes):
    """With probability `p`, only the `bits` highest of the eight bits of every value: few, flat colours (uint8 only)."""

    def __init__(self, bits, p=0.5, *, generator=None):
        super().__init__(p, generator)
        if not isinstance(bits, (int, np.integer)) or not 0 <= bits <= 8:
            raise ValueError(f"RandomPosterize: bits must be an integer from 0 to 8, got {bits!r}")
        self.bits = int(bits)

    def change(self, x):
        return tones.posterize(x, self.bits)


class RandomSolarize(_Sometimes):
    """With probability `p`, the negative of all values from `threshold` on."""

    def __init__(self, threshold, p=0.5, *, generator=None):
        super().__init__(p, generator)
        self.threshold = threshold

    def change(self, x):
        return tones.solarize(x, self.threshold)


class RandomAutocontrast(_Sometimes):
    """With probability `p`, every channel stretched from black to white."""

    def __init__(self, p=0.5, *, generator=None):
        super().__init__(p, generator)

    def change(self, x):
        return tones.autocontrast(x)


class RandomEqualize(_Sometimes):
    """With probability `p`, every channel with all values about equally frequent (uint8 only)."""

    def __init__(self, p=0.5, *, generator=None):
        super().__init__(p, generator)

    def change(self, x):
        return tones.equalize(x)


class RandomAdjustSharpness(_Sometimes):
    """With probability `p`, a picture sharper (`sharpness_factor` above 1) or softer (below 1, 0 is blurred)."""

    def __init__(self, sharpness_factor, p=0.5, *, generator=None):
        super().__init__(p, generator)
        if sharpness_factor < 0:
            raise ValueError(f"RandomAdjustSharpness: sharpness_factor must not be negative, got {sharpness_factor}")
        self.sharpness_factor = sharpness_factor

    def change(self, x):
        return tones.adjust_sharpness(x, self.sharpness_factor)
