"""From pictures to tensors and back, and the scale of their numbers."""
import numpy as np

from ...engine.arrays import array_module, is_array
from ...engine.dtype import as_dtype
from ...engine.tensor import Tensor, wrap
from .base import Transform, as_picture, is_picture, opened, picture_pixels


class ToTensor:
    """A picture as a Tensor (C, H, W), float32 from 0 to 1: what a network works with.

    Takes a Pillow picture or, as in PyTorch, an *array (H, W, C) or (H, W)*; uint8 is divided by 255, other numbers stay as
    they are. A Tensor has its channels in front already and is only brought to the range.
    """
    takes_batches = True

    def __call__(self, x):
        pixels = _pixels_of("ToTensor", x)
        if pixels.dtype != np.uint8:
            return wrap(pixels)
        return wrap(array_module(pixels).divide(pixels, np.float32(255)))

    def __repr__(self):
        return "ToTensor()"


class PILToTensor:
    """A picture as a Tensor (C, H, W) with the numbers it has, usually uint8 from 0 to 255; int32 of 16-bit pictures."""
    takes_batches = True

    def __call__(self, x):
        return wrap(_pixels_of("PILToTensor", x))

    def __repr__(self):
        return "PILToTensor()"


def _pixels_of(function, x):
    """The contiguous array (C, H, W) of a picture, of an array (H, W, C), or of a Tensor, which is in that order already."""
    if isinstance(x, Tensor):
        return x.array
    if is_picture(x):
        pixels = picture_pixels(x)
        return np.array(pixels, np.int32 if pixels.dtype == np.uint16 else pixels.dtype, order="C")
    if not is_array(x):
        raise TypeError(f"{function}: expected a Pillow picture, an array or a Tensor, got {type(x).__name__}")
    if x.ndim not in (2, 3):
        raise ValueError(f"{function}: expected an array (H, W) or (H, W, C), got shape {x.shape}")
    return array_module(x).ascontiguousarray(x[None] if x.ndim == 2 else x.transpose(2, 0, 1))


class ToPILImage:
    """A Pillow picture of a Tensor (C, H, W), or of an array (H, W, C) or (H, W).

    Floating-point numbers from 0 to 1 become bytes. `mode` is Pillow's name for what the channels mean; the default follows
    from their number.
    """

    def __init__(self, mode=None):
        self.mode = mode

    def __call__(self, x):
        if isinstance(x, Tensor):
            pixels = x.detach().cpu().array
            pixels = pixels[None] if pixels.ndim == 2 else pixels
        else:
            pixels = _pixels_of("ToPILImage", x)
        if pixels.ndim != 3:
            raise ValueError(f"ToPILImage: expected a Tensor (C, H, W) or (H, W), got shape {x.shape}")
        if pixels.dtype.kind == "f" and self.mode != "F":
            pixels = np.rint(pixels.clip(0, 1) * 255).astype(np.uint8)
        picture = as_picture(pixels)
        return picture if self.mode in (None, picture.mode) else picture.convert(self.mode)

    def __repr__(self):
        return f"ToPILImage(mode={self.mode!r})"


class ConvertImageDtype(Transform):
    """Pixels of another type, and in its range: uint8 from 0 to 255, floating-point numbers from 0 to 1."""

    def __init__(self, dtype):
        self.dtype = as_dtype(dtype)
        if self.dtype != np.uint8 and self.dtype.kind != "f":
            raise TypeError(f"ConvertImageDtype: dtype must be uint8 or a floating-point type, got {self.dtype}")

    def __call__(self, x):
        if is_picture(x):
            raise TypeError("ConvertImageDtype: expected an array or a Tensor, got a Pillow picture; put ToTensor() before "
                            "it")
        pixels, close = opened("ConvertImageDtype", x)
        if pixels.dtype != np.uint8 and pixels.dtype.kind != "f":
            raise TypeError(f"ConvertImageDtype: expected uint8 or floating-point pixels, got {pixels.dtype}")
        return close(self.apply(pixels))

    def apply(self, x):
        if x.dtype == self.dtype or x.dtype.kind == self.dtype.kind == "f":
            return x.astype(self.dtype, copy=False)
        if self.dtype == np.uint8:
            return array_module(x).clip(x * 255.999, 0, 255).astype(np.uint8)  # each byte stands for as much of 0 to 1
        return (x.astype(np.float32) / np.float32(255)).astype(self.dtype, copy=False)


class Normalize(Transform):
    """(x - mean) / std, with one mean and std a channel: tensors of about mean 0 and deviation 1.

    `inplace` writes the result into x.
    """

    def __init__(self, mean, std, inplace=False):
        self.mean, self.std = (tuple(np.ravel(getattr(v, "array", v)).tolist()) for v in (mean, std))
        self.inplace = inplace
        if len(self.mean) != len(self.std) and 1 not in (len(self.mean), len(self.std)):
            raise ValueError(f"Normalize: mean and std must have as many numbers each, got {len(self.mean)} and "
                             f"{len(self.std)}")
        if not all(self.std):
            raise ValueError(f"Normalize: std must not be 0, got {std}")

    def __call__(self, x):
        if is_picture(x):
            raise TypeError("Normalize: expected an array or a Tensor, got a Pillow picture; put ToTensor() before it")
        return super().__call__(x)

    def apply(self, x):
        if x.dtype.kind != "f":
            raise TypeError(f"Normalize: expected floating-point pixels, got {x.dtype}; put ToTensor() before it")
        for name, values in (("mean", self.mean), ("std", self.std)):
            if len(values) not in (1, x.shape[1]):
                raise ValueError(f"Normalize: {name} has {len(values)} numbers, the picture {x.shape[1]} channels")
        xp = array_module(x)
        mean, std = (xp.asarray(v, dtype=x.dtype).reshape(-1, 1, 1) for v in (self.mean, self.std))
        y = xp.subtract(x, mean, out=x if self.inplace else None)
        y /= std
        return y
