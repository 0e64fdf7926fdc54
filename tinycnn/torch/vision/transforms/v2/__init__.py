"""The transforms under the names of torchvision's second version: each takes a sample, `transform(picture, label)`.

The first input, or the first of one tuple, is the picture; labels and other things behind it stay as they are. Boxes, masks
and further pictures would have to go the same way as the picture, by the same chance, which no transform here does: they
are refused.
"""
import numpy as np

from .... import data
from ....data.transforms import *  # noqa: F401, F403
from ....data.transforms.base import Transform, is_picture, picture_pixels
from ....data.transforms.convert import ConvertImageDtype, PILToTensor
from ....engine.dtype import as_dtype
from ....engine.tensor import Tensor
from . import functional

_PLAIN = {"AutoAugmentPolicy", "InterpolationMode", "CutMix", "MixUp"}  # the last two take batches with their labels anyway


class _OfSamples:
    """What these transforms do otherwise than their bases, which take one picture."""

    def __call__(self, *inputs):
        packed = len(inputs) == 1 and isinstance(inputs[0], tuple)
        x, *rest = inputs[0] if packed else inputs
        for other in rest:
            if is_picture(other) or isinstance(other, (Tensor, np.ndarray)) and other.ndim > 1:
                raise NotImplementedError(f"{type(self).__name__}: one picture a sample; boxes, masks and further pictures "
                                          f"do not go with it, got a {type(other).__name__} behind it")
        y = super().__call__(x)
        return (y, *rest) if packed or rest else y


class RGB(Transform):
    """A picture in red, green and blue: grey is repeated, opacity left out."""

    def apply(self, x):
        return x[:, [0, 0, 0] if x.shape[1] < 3 else [0, 1, 2]]


class ToImage:
    """A picture, or an array (H, W, C), as a Tensor (C, H, W) with the numbers that it has."""

    def __call__(self, x):
        return PILToTensor()(x)

    def __repr__(self):
        return f"{type(self).__name__}()"


class ToDtype:
    """Pixels of another dtype; with `scale`, white stays white: 255 of uint8 is 1 of floating point."""

    def __init__(self, dtype, scale=False):
        self.dtype, self.scale = as_dtype(dtype), scale

    def __call__(self, x):
        return ConvertImageDtype(self.dtype)(x) if self.scale else x.to(self.dtype)

    def __repr__(self):
        return f"{type(self).__name__}(dtype={self.dtype}, scale={self.scale})"


class Identity:
    """A picture as it is."""

    def __call__(self, x):
        return x

    def __repr__(self):
        return f"{type(self).__name__}()"


ToPureTensor = Identity  # there is one kind of Tensor
_bases = {name: kind for name, kind in vars(data.transforms).items() if isinstance(kind, type)}
_bases.update({kind.__name__: kind for kind in (RGB, ToImage, ToDtype, Identity)}, ToPureTensor=Identity)
for _name, _base in _bases.items():
    if _name not in _PLAIN and _name[0] != "_":
        globals()[_name] = type(_name, (_OfSamples, _base), {"__doc__": _base.__doc__, "__module__": __name__})

__all__ = sorted({*_bases} - {name for name in _bases if name[0] == "_"}) + ["functional"]
