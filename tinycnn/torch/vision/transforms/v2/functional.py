"""Transforms without chance, as functions, under the names of torchvision's second version."""
from ..functional import *  # noqa: F401, F403
from ..functional import __all__ as _before, convert_image_dtype, hflip, pil_to_tensor, vflip
from ....data.transforms.base import opened

__all__ = [*_before, "get_dimensions", "get_size", "horizontal_flip", "to_dtype", "to_image", "vertical_flip"]

horizontal_flip, vertical_flip, to_image = hflip, vflip, pil_to_tensor


def to_dtype(inpt, dtype="float32", scale=False):
    """Pixels of another dtype; with `scale`, white stays white: 255 of uint8 is 1 of floating point."""
    return convert_image_dtype(inpt, dtype) if scale else inpt.to(dtype)


def get_dimensions(inpt):
    """[C, H, W] of a picture."""
    return [*opened("get_dimensions", inpt)[0].shape[1:]]


def get_size(inpt):
    """[H, W] of a picture."""
    return get_dimensions(inpt)[1:]
