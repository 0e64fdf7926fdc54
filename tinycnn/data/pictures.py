"""Labelled pictures that fit in memory: kept as bytes, turned into numbers of mean 0 and deviation 1 a batch at a time."""
from dataclasses import dataclass

import numpy as np

from ..tensor import wrap
from .dataset import Dataset, check_index


@dataclass(frozen=True)
class PictureFormat:
    """What the pictures of a data set look like, so that a user's own picture can be made to look the same.

    `size` (height, width) and `channels`; a pixel lies between 0 and `scale`; the network sees (pixel / scale - mean) / std,
    with one mean and std a channel. `box` is the side of the square that a digit fills, and `centre` says what lies in the
    middle of the picture: the "mass" of the ink, or the "box" around it. `ink` is the share of the picture that is ink
    where the makers of the set widened the strokes until it was the same for all, else None.
    """
    size: tuple
    channels: int
    scale: float
    mean: tuple
    std: tuple
    box: int
    centre: str
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

    `data` is uint8 (N, C, H, W), `targets` int64 (N,), `classes` the names of the classes, `format` a PictureFormat.
    Sample i is (x, y): x a float32 Tensor (C, H, W), normalised as the format says, and y an int.
    """

    def __init__(self, data, targets, classes, format):
        self.data, self.targets = data, targets
        self.classes, self.format = tuple(classes), format

    def __len__(self):
        return len(self.data)

    def __getitem__(self, index):
        i = check_index(self, index)
        return wrap(self.format.normalise(self.data[i])), int(self.targets[i])

    def batch(self, indices):
        """x float32 (N, C, H, W) and y int64 (N,) of the samples at `indices`."""
        return [wrap(self.format.normalise(self.data[indices])), wrap(self.targets[indices])]

    def __repr__(self):
        return f"<{type(self).__name__}: {len(self)} pictures {self.data.shape[1:]}, {len(self.classes)} classes>"
