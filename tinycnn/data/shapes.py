"""Circles, squares and triangles, drawn as they are needed: a data set that needs no download."""
import numbers
from pathlib import Path

import numpy as np

from .pictures import PictureDataset, PictureFormat
from .transforms.base import as_picture, read_size

CLASSES = ("circle", "square", "triangle")
SPLITS = {"all": slice(None), "train": slice(0, 7), "validation": slice(7, 10)}  # of every ten pictures of a class


class Shapes(PictureDataset):
    """`count` coloured pictures with one filled circle, square or triangle each, of random colour, place, size and angle.

    `split` is "train" (7 of 10 pictures of every class: 840), "validation" (the other 360), or "all"; `train=True` and False
    say the same. `size` is a number or (height, width). `seed` decides everything, so that the parts never overlap; other
    sizes show the same shapes. `root` and `download` are accepted, because other data sets have them.

    The corners of a shape lie on a circle whose radius is 0.32 to 0.45 of the shorter side and which lies within the
    picture; it stands upright but for up to `tilt` degrees to either side (180 is any angle, a harder task). The background
    is pale.
    """

    def __init__(self, root=None, train=None, transform=None, target_transform=None, download=False, *, split=None, size=128,
                 count=1200, tilt=10, seed=0):
        if split is not None and (split not in SPLITS or train is not None):
            raise ValueError(f"Shapes: split must be one of {', '.join(SPLITS)}, and left out where train is given, got "
                             f"split={split!r} and train={train!r}")
        split = split or ("train" if train or train is None else "validation")
        if isinstance(count, bool) or not isinstance(count, numbers.Integral) or count < 1:
            raise ValueError(f"Shapes: count must be an integer of at least 1, got {count!r}")
        size = read_size("Shapes", size)
        chance = np.random.default_rng(seed)
        order = np.arange(count)
        place = chance.random((count, 4))  # to the right, down, size, turn
        place[:, 3] = np.radians(tilt) * (2 * place[:, 3] - 1)
        colours = _colours(chance, count)
        part = np.isin(order // len(CLASSES) % 10, np.arange(10)[SPLITS[split]])
        targets = order % len(CLASSES)
        data = np.empty((part.sum(), 3, *size), np.uint8)
        for row, i in enumerate(np.flatnonzero(part)):
            data[row] = draw(CLASSES[targets[i]], size, *place[i], *colours[i])
        format = PictureFormat(size=size, channels=3, scale=255.0, mean=(0.72,) * 3, std=(0.3,) * 3)
        super().__init__(data, targets[part], CLASSES, format, transform, target_transform)

    def save(self, folder):
        """Write the pictures as PNG files, one subfolder a class, as ImageFolder reads them; returns the folder."""
        folder = Path(folder)
        for name in self.classes:
            (folder / name).mkdir(parents=True, exist_ok=True)
        for i, (pixels, target) in enumerate(zip(self.data, self.targets)):
            as_picture(pixels).save(folder / self.classes[target] / f"{i:0{len(str(len(self) - 1))}}.png")
        return folder


def _colours(chance, count):
    """(colour of the background, colour of the shape) for each picture, 0 to 255, as (count, 2, 3)."""
    pale, strong = 1 - 0.15 * chance.random((count, 3)), 0.45 * chance.random((count, 3))
    return 255 * np.stack([pale, strong], 1)


def draw(name, size, right, down, large, turn, background, colour):
    """A picture (3, H, W), uint8, of one shape; `right`, `down` and `large` are between 0 and 1, `turn` is an angle.

    A pixel is covered as far as the edge leaves its middle behind: the distance to the edge, cut off at half a pixel on both
    sides, is its share, which makes smooth outlines at any size.
    """
    h, w = size
    radius = min(h, w) * (0.32 + 0.13 * large)
    x = np.arange(w) + 0.5 - (radius + right * (w - 2 * radius))
    y = (np.arange(h) + 0.5 - (radius + down * (h - 2 * radius)))[:, None]
    if name == "circle":
        distance = np.sqrt(x * x + y * y) - radius
    else:
        corners = {"square": 4, "triangle": 3}[name]
        angles = np.pi / 2 + turn + 2 * np.pi * np.arange(corners) / corners
        distance = np.max([x * np.cos(a) + y * np.sin(a) for a in angles], 0) - radius * np.cos(np.pi / corners)
    share = np.clip(0.5 - distance, 0, 1)
    return np.rint(np.multiply.outer(background, 1 - share) + np.multiply.outer(colour, share)).astype(np.uint8)
