"""Pictures of another size, resampled by Pillow, which averages over all the pixels that a smaller one covers."""
import math

import numpy as np

from ...engine.arrays import CPU, device_of
from .base import InterpolationMode, Transform, full_scale, numpy_stream, read_mode, read_size


def resize(function, x, size, interpolation, boxes=None):
    """x (N, C, H, W) resized to `size` (height, width); of each picture only its box (left, top, right, bottom), if any."""
    from PIL import Image
    if device_of(x) != CPU:
        raise TypeError(f"{function}: pictures are resized on the CPU, got an array on {device_of(x)}")
    n, c, h, w = x.shape
    method = Image.Resampling[interpolation.name]
    full_scale(function, x)
    y = np.empty((n, c, *size), x.dtype)
    work = x if x.dtype == np.uint8 else x.astype(np.float32, copy=False)
    together = x.dtype == np.uint8 and c == 3  # Pillow then takes the three channels at once
    for i in range(n):
        box = None if boxes is None else boxes[i]
        if together:
            picture = Image.fromarray(np.ascontiguousarray(work[i].transpose(1, 2, 0)))
            y[i] = np.asarray(picture.resize(size[::-1], method, box)).transpose(2, 0, 1)
            continue
        for j in range(c):
            picture = Image.fromarray(np.ascontiguousarray(work[i, j]))
            y[i, j] = np.asarray(picture.resize(size[::-1], method, box))
    return y


class Resize(Transform):
    """Pictures of `size` (height, width); one number is the length of the shorter side, and the shape is kept.

    `max_size` limits the longer side in the latter case. `interpolation`: how to mix pixels. Smaller pictures are always
    averages, as with Pillow; `antialias` is accepted and changes nothing.
    """

    def __init__(self, size, interpolation=InterpolationMode.BILINEAR, max_size=None, antialias=True):
        self._short = isinstance(size, (int, np.integer)) or len(size) == 1
        self.size = read_size("Resize", size)
        self.interpolation, self.max_size = read_mode("Resize", interpolation), max_size
        if max_size is not None and (not self._short or max_size <= self.size[0]):
            raise ValueError(f"Resize: max_size must be larger than size, which must be one number, got size {size} and "
                             f"max_size {max_size}")

    def apply(self, x):
        size = self.target(*x.shape[2:])
        return x if size == x.shape[2:] else resize("Resize", x, size, self.interpolation)

    def target(self, h, w):
        """The (height, width) of the result for a picture of h rows and w columns."""
        if not self._short:
            return self.size
        short, long = self.size[0], int(self.size[0] * max(h, w) / min(h, w))
        if self.max_size is not None and long > self.max_size:
            short, long = int(self.max_size * short / long), self.max_size
        return (short, long) if h <= w else (long, short)


class RandomResizedCrop(Transform):
    """A random part of every picture, resized to `size`: other scales and slightly other shapes (Szegedy et al. 2015).

    Its area is a fraction within `scale` of the picture's, its width over height lies within `ratio`, evenly on a
    logarithmic scale. Where ten draws fit none into the picture, it is the largest middle part with a ratio in the range.
    """

    def __init__(self, size, scale=(0.08, 1.0), ratio=(3 / 4, 4 / 3), interpolation=InterpolationMode.BILINEAR,
                 antialias=True, *, generator=None):
        self.size, self.interpolation = read_size("RandomResizedCrop", size), read_mode("RandomResizedCrop", interpolation)
        for name, pair in (("scale", scale), ("ratio", ratio)):
            if len(pair) != 2 or not 0 < pair[0] <= pair[1]:
                raise ValueError(f"RandomResizedCrop: {name} must be (low, high) with 0 < low <= high, got {pair}")
        self.scale, self.ratio, self.generator = tuple(scale), tuple(ratio), generator

    def apply(self, x):
        chance = numpy_stream(self.stream(x))
        boxes = [self._box(chance, *x.shape[2:]) for _ in range(len(x))]
        return resize("RandomResizedCrop", x, self.size, self.interpolation, boxes)

    def _box(self, chance, h, w):
        for _ in range(10):
            area = h * w * chance.uniform(*self.scale)
            ratio = math.exp(chance.uniform(math.log(self.ratio[0]), math.log(self.ratio[1])))
            width, height = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
            if 0 < width <= w and 0 < height <= h:
                left, top = int(chance.integers(0, w - width + 1)), int(chance.integers(0, h - height + 1))
                return left, top, left + width, top + height
        ratio = min(max(w / h, self.ratio[0]), self.ratio[1])
        width, height = min(w, round(h * ratio)), min(h, round(w / ratio))
        left, top = (w - width) // 2, (h - height) // 2
        return left, top, left + width, top + height
