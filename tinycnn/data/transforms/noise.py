"""Noise, blur, and holes."""
import math
import numbers

import numpy as np

from ...engine.arrays import array_module
from .base import Transform, change_some, check_p, draw, full_scale, read_range, read_size, restored, working_type


class GaussianNoise(Transform):
    """Normally distributed noise on every value, of mean `mean` and deviation `sigma`, where 1 is the range of the pixels.

    `clip` keeps floating-point results between 0 and 1; uint8 always stays between 0 and 255.
    """

    def __init__(self, mean=0.0, sigma=0.1, clip=True, *, generator=None):
        if sigma < 0:
            raise ValueError(f"GaussianNoise: sigma must not be negative, got {sigma}")
        self.mean, self.sigma, self.clip, self.generator = mean, sigma, clip, generator

    def apply(self, x):
        white, dtype = full_scale("GaussianNoise", x), working_type(x)
        y = self.stream(x).normal(x.shape, dtype)
        y *= dtype.type(self.sigma * white)
        y += x + dtype.type(self.mean * white)
        return restored(y, x) if self.clip or x.dtype == np.uint8 else y


class SaltAndPepperNoise(Transform):
    """A fraction `amount` of the pixels replaced by white (a fraction `salt_vs_pepper` of them) and black, in all channels.

    `amount` may be a pair (low, high), between which each picture has its own.
    """

    def __init__(self, amount=0.05, salt_vs_pepper=0.5, *, generator=None):
        self.amount = (amount, amount) if isinstance(amount, numbers.Real) else tuple(amount)
        if len(self.amount) != 2 or not 0 <= self.amount[0] <= self.amount[1] <= 1:
            raise ValueError(f"SaltAndPepperNoise: amount must be a fraction from 0 to 1 or a pair of them, got {amount!r}")
        if not 0 <= salt_vs_pepper <= 1:
            raise ValueError(f"SaltAndPepperNoise: salt_vs_pepper must be a fraction from 0 to 1, got {salt_vs_pepper}")
        self.salt_vs_pepper, self.generator = salt_vs_pepper, generator

    def apply(self, x):
        xp, white, stream, (n, _, h, w) = array_module(x), full_scale("SaltAndPepperNoise", x), self.stream(x), x.shape
        amount, u = draw(stream, n, *self.amount), stream.uniform((n, 1, h, w))
        y = xp.where(u < amount, x.dtype.type(0), x)
        return xp.where(u < amount * np.float32(self.salt_vs_pepper), x.dtype.type(white), y)


class GaussianBlur(Transform):
    """Every pixel the mean of its surroundings, weighted with a bell of a width between the two of `sigma`.

    The weights are exp(-d^2 / (2 sigma^2)) over `kernel_size` pixels (odd; a number or (height, width)), and their product
    for rows and columns: first the one, then the other. Pictures are mirrored at their border.
    """

    def __init__(self, kernel_size, sigma=(0.1, 2.0), *, generator=None):
        self.kernel_size = read_size("GaussianBlur", kernel_size)
        if not all(k % 2 for k in self.kernel_size):
            raise ValueError(f"GaussianBlur: kernel_size must be odd, got {kernel_size}")
        self.sigma = (sigma, sigma) if isinstance(sigma, numbers.Real) else tuple(sigma)
        if len(self.sigma) != 2 or not 0 < self.sigma[0] <= self.sigma[1]:
            raise ValueError(f"GaussianBlur: sigma must be a number above 0 or (low, high), got {sigma!r}")
        self.generator = generator

    def apply(self, x):
        full_scale("GaussianBlur", x)
        xp, dtype = array_module(x), working_type(x)
        sigma = draw(self.stream(x), len(x), *self.sigma, dtype)
        y = x.astype(dtype, copy=False)
        for axis, size in zip((2, 3), self.kernel_size):
            half, length = size // 2, x.shape[axis]
            if half >= length:
                raise ValueError(f"GaussianBlur: kernel_size {self.kernel_size} is too large for a picture {x.shape[2:]}")
            frame = [(0, 0)] * 4
            frame[axis] = (half, half)
            framed = xp.pad(y, frame, mode="reflect")
            weights = [xp.exp(-(d * d) / (2 * sigma * sigma)) for d in range(-half, half + 1)]
            total = sum(weights)
            y = 0
            for k, weight in enumerate(weights):
                part = (slice(None),) * axis + (slice(k, k + length),)
                y = y + framed[part] * (weight / total)
        return restored(y, x) if x.dtype == np.uint8 else y


class RandomErasing(Transform):
    """With probability `p`, a rectangle of the picture filled with `value` (Zhong et al. 2017).

    Its area is a fraction within `scale` of the picture's, its height over width lies within `ratio`, evenly on a
    logarithmic scale; where ten draws fit none into the picture, it stays as it is. `value` is a number, one a channel, or
    "random" for normally distributed noise (for tensors that are normalised already, as in torchvision). `inplace` is
    accepted and changes nothing.
    """

    def __init__(self, p=0.5, scale=(0.02, 0.33), ratio=(0.3, 3.3), value=0, inplace=False, *, generator=None):
        self.p, self.generator, self.value = check_p("RandomErasing", p), generator, value
        self.scale, self.ratio = (read_range("RandomErasing", n, tuple(v)) for n, v in (("scale", scale), ("ratio", ratio)))
        if not 0 <= self.scale[0] <= self.scale[1] <= 1:
            raise ValueError(f"RandomErasing: scale must be two fractions from 0 to 1, got {scale}")
        if self.ratio[0] <= 0:
            raise ValueError(f"RandomErasing: ratio must be above 0, got {ratio}")
        if isinstance(value, str) and value != "random":
            raise ValueError(f"RandomErasing: value must be a number, one a channel, or 'random', got {value!r}")

    def apply(self, x):
        return change_some(x, self.p, self.stream(x), self._change)

    def _change(self, x):
        xp, stream, (n, c, h, w) = array_module(x), self.stream(x), x.shape
        area = (self.scale[0] + (self.scale[1] - self.scale[0]) * stream.uniform((n, 10))) * (h * w)
        low, high = map(math.log, self.ratio)
        ratio = xp.exp(low + (high - low) * stream.uniform((n, 10)))
        tall, wide = xp.rint(xp.sqrt(area * ratio)), xp.rint(xp.sqrt(area / ratio))
        fits = (tall < h) & (wide < w)
        first = fits.argmax(1)[:, None]  # of ten attempts
        tall, wide = (xp.take_along_axis(v * fits, first, 1)[:, :, None, None] for v in (tall, wide))
        top = xp.floor(stream.uniform((n, 1, 1, 1)) * (h - tall + 1))
        left = xp.floor(stream.uniform((n, 1, 1, 1)) * (w - wide + 1))
        rows, columns = xp.arange(h)[:, None], xp.arange(w)
        inside = (rows >= top) & (rows < top + tall) & (columns >= left) & (columns < left + wide)
        if isinstance(self.value, str):
            value = stream.normal(x.shape).astype(x.dtype)
        else:
            value = xp.asarray(self.value, dtype=x.dtype).reshape(-1, 1, 1)
            if len(value) not in (1, c):
                raise ValueError(f"RandomErasing: value must be a number or one for each of {c} channels, got {self.value}")
        return xp.where(inside, value, x)
