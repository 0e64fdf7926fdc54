"""Labelled pictures that fit in memory: kept as bytes, turned into numbers of mean 0 and deviation 1 a batch at a time."""
from dataclasses import dataclass

import numpy as np

from ..engine.tensor import Tensor, wrap
from .collate import default_collate
from .dataset import Dataset, check_index, fetch_each
from .transforms.base import as_picture


@dataclass(frozen=True)
class PictureFormat:
    """What the pictures of a data set look like, so that a user's own picture can be made to look the same.

    `size` (height, width) and `channels`; a pixel lies between 0 and `scale`; the network sees (pixel / scale - mean) / std,
    with one mean and std a channel. `box` is the side of the square that a digit fills, and `centre` says what lies in the
    middle of the picture: the "mass" of the ink, or the "box" around it. `ink` is the share of the picture that is ink
    where the makers of the set widened the strokes until it was the same for all, else None. A set of photographs has no
    `box`: a picture is then cut to the shape of the format and resized.
    """
    size: tuple
    channels: int
    scale: float
    mean: tuple
    std: tuple
    box: int | None = None
    centre: str = "picture"
    ink: float | None = None

    def normalise(self, pixels):
        """What the network sees of pixels (..., C, H, W): float32 of about mean 0 and deviation 1."""
        mean, std = (np.asarray(v, np.float32).reshape(-1, 1, 1) for v in (self.mean, self.std))
        return pixels.astype(np.float32) * (1 / (self.scale * std)) - mean / std

    @property
    def background(self):
        """What the network sees where there is no ink, for each channel."""
        return tuple(-m / s for m, s in zip(self.mean, self.std))


class PictureDataset(Dataset):
    """Labelled pictures in memory.

    `pictures` is uint8 (N, C, H, W), `labels` int64 (N,), `classes` the names of the classes, `format` a PictureFormat.
    Sample i is (x, y): x a float32 Tensor (C, H, W), normalised as the format says, and y an int.

    `data` and `targets` are what they are made of, in the form that torchvision gives them for the data set, and may be
    replaced: `dataset.data, dataset.targets = dataset.data[chosen], dataset.targets[chosen]`.

    With a `transform`, x is what it makes of the Pillow picture, and nothing is normalised but by the transform: this is
    torchvision's way. Whole batches go through transforms that take arrays (`takes_batches`) at once. `target_transform`
    changes y.
    """

    def __init__(self, data, targets, classes, format, transform=None, target_transform=None):
        self.data, self.targets = data, targets
        self.classes, self.format = tuple(classes), format
        self.transform, self.target_transform = transform, target_transform

    def __len__(self):
        return len(self.data)

    def __getitem__(self, index):
        i = check_index(self, index)
        x, y = self._pixels([i])[0], int(self.targets[i])
        x = wrap(self.format.normalise(x)) if self.transform is None else self.transform(as_picture(self._bytes(x)))
        return x, y if self.target_transform is None else self.target_transform(y)

    def batch(self, indices):
        """x (N, C, H, W), float32 unless the transform says otherwise, and y (N,) of the samples at `indices`."""
        if self.transform is None:
            x = wrap(self.format.normalise(self._pixels(indices)))
        elif getattr(self.transform, "takes_batches", False):
            x = self.transform(wrap(self._bytes(self._pixels(indices))))
        else:
            return default_collate(fetch_each(self, indices.tolist()))
        if self.target_transform is None:
            return [x, wrap(self._labels(indices))]
        return [x, default_collate([self.target_transform(y) for y in self._labels(indices).tolist()])]

    @property
    def pictures(self):
        """All pictures, uint8 (N, C, H, W)."""
        return self._pixels(slice(None))

    @property
    def labels(self):
        """The class of every picture, int64 (N,)."""
        return self._labels(slice(None))

    def _pixels(self, indices):
        """The pictures at `indices`, (n, C, H, W)."""
        return _array(self.data)[indices]

    def _labels(self, indices):
        """The classes of the pictures at `indices`, (n,)."""
        if isinstance(self.targets, list) and not isinstance(indices, slice):  # no array of all for every batch
            return np.array([int(self.targets[i]) for i in indices], np.int64)
        return _array(self.targets)[indices].astype(np.int64, copy=False)

    def _bytes(self, pixels):
        """The pixels with white at 255, as transforms expect them."""
        if self.format.scale == 255:
            return pixels
        return np.rint(pixels * (255 / self.format.scale)).astype(np.uint8)

    @property
    def class_to_idx(self):
        """{name of a class: its number}."""
        return {name: i for i, name in enumerate(self.classes)}

    def __repr__(self):
        return f"<{type(self).__name__}: {len(self)} pictures {self._pixels([0]).shape[1:]}, {len(self.classes)} classes>"


def _array(values):
    return values.array if isinstance(values, Tensor) else np.asarray(values)
