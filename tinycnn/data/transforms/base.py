"""What all transforms share: the kinds of pictures they take, chance, and how arguments are read."""
import enum
import numbers
import sys

import numpy as np

from ...engine.arrays import array_module, device_of, is_array, to_device, to_numpy
from ...engine.generators import default_generator
from ...engine.tensor import Tensor, wrap


class InterpolationMode(enum.Enum):
    """What lies between pixels: the nearest one, or a mean of neighbours."""
    NEAREST = "nearest"
    BILINEAR = "bilinear"
    BICUBIC = "bicubic"
    BOX = "box"
    HAMMING = "hamming"
    LANCZOS = "lanczos"


class Transform:
    """The base of transforms that change pixels.

    A transform is called with a Pillow picture, a NumPy or CuPy array, or a Tensor, and returns the same kind. Arrays and
    tensors are (C, H, W), (H, W), or a batch (N, C, H, W), of which *every picture gets its own random changes* (torchvision
    changes all alike); uint8 means 0 to 255, floating-point numbers 0 to 1.

    Chance comes from `generator`, by default from the one of the device that `tinycnn.manual_seed` seeds, or, within a
    DataLoader, from that of the batch.

    A subclass defines `apply(x)` for an array x (N, C, H, W), which it must not write into.
    """
    generator = None
    takes_batches = True  # whether a data set may hand over all pictures of a batch at once

    def __call__(self, x):
        pixels, close = opened(type(self).__name__, x)
        return close(self.apply(pixels))

    def apply(self, x):
        raise NotImplementedError(f"{type(self).__name__}: a transform must define apply(x)")

    def stream(self, x):
        """The generator to draw from for the array x."""
        return self.generator or default_generator(device_of(x))

    def __repr__(self):
        settings = ", ".join(f"{k}={v!r}" for k, v in vars(self).items() if k[0] != "_" and k != "generator")
        return f"{type(self).__name__}({settings})"


# ---- pictures --------------------------------------------------------------------------------------------------------

def is_picture(value):
    """Whether `value` is a Pillow picture; does not load Pillow to find out."""
    kind = getattr(sys.modules.get("PIL.Image"), "Image", None)  # missing while another thread is loading Pillow
    return kind is not None and isinstance(value, kind)


def picture_pixels(picture):
    """A Pillow picture as an array (C, H, W); black and white as well as palettes become grey or coloured."""
    if picture.mode.startswith("I;16"):  # in either order of the bytes
        return np.asarray(picture).astype(np.uint16)[None]
    if picture.mode not in ("L", "RGB", "RGBA", "LA", "F", "I"):
        picture = picture.convert({"1": "L", "La": "LA", "PA": "RGBA", "RGBa": "RGBA"}.get(picture.mode, "RGB"))
    pixels = np.asarray(picture)
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def as_picture(pixels):
    """An array (C, H, W) as a Pillow picture: uint8 with 1 to 4 channels, or one channel of what Pillow knows besides."""
    from PIL import Image
    if pixels.dtype == np.uint8 and pixels.shape[0] in (2, 3, 4):
        return Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0)))
    if pixels.shape[0] != 1:
        raise ValueError(f"a Pillow picture has 1 to 4 channels of uint8, or 1 of {pixels.dtype}, got {pixels.shape[0]}")
    return Image.fromarray(np.ascontiguousarray(pixels[0]))


def opened(function, x):
    """(pixels, close) of what a transform is called with: an array (N, C, H, W), and what makes `x`'s kind of a result."""
    if is_picture(x):
        return picture_pixels(x)[None], lambda y: as_picture(y[0])
    if isinstance(x, Tensor):
        array, kind = x.array, wrap
    elif is_array(x):
        array, kind = x, lambda y: y
    else:
        raise TypeError(f"{function}: expected a Pillow picture, an array or a Tensor, got {type(x).__name__}")
    if array.ndim == 4:
        return array, kind
    if array.ndim == 3:
        return array[None], lambda y: kind(y[0])
    if array.ndim == 2:
        return array[None, None], lambda y: kind(y[0, 0] if y.shape[1] == 1 else y[0])
    raise ValueError(f"{function}: expected a picture (C, H, W) or (H, W) or a batch (N, C, H, W), got shape {array.shape}")


def full_scale(function, x):
    """What white is: 255 in uint8, 1 in floating-point numbers; TypeError for other types."""
    if x.dtype == np.uint8:
        return 255
    if x.dtype.kind != "f":
        raise TypeError(f"{function}: expected pixels of uint8 (0 to 255) or floating point (0 to 1), got {x.dtype}")
    return 1


def restored(y, like):
    """Results `y` in floating point, brought back to the range and the type of `like`."""
    xp = array_module(y)
    if like.dtype == np.uint8:
        return xp.rint(xp.clip(y, 0, 255)).astype(np.uint8)
    return xp.clip(y, 0, 1).astype(like.dtype, copy=False)


def working_type(x):
    """The type to compute in: that of `x`, or float32 for integers."""
    return x.dtype if x.dtype.kind == "f" else np.dtype(np.float32)


# ---- chance ----------------------------------------------------------------------------------------------------------

def change_some(x, p, stream, change):
    """x with each of its pictures replaced, with probability p, by that of `change`."""
    chosen = np.flatnonzero(to_numpy(stream.uniform(len(x))) < p)
    if len(chosen) == len(x):
        return change(x)
    if len(chosen) == 0:
        return x
    chosen = to_device(chosen, device_of(x))
    y = x.copy()
    y[chosen] = change(x[chosen])
    return y


def draw(stream, n, low, high, dtype=np.float32):
    """n random numbers between low and high, as (n, 1, 1, 1)."""
    return (low + (high - low) * stream.uniform(n, dtype)).reshape(n, 1, 1, 1).astype(dtype, copy=False)


def numpy_stream(stream):
    """A NumPy generator seeded from `stream`, for chance that is not a matter of pixels."""
    return np.random.default_rng(int(stream.integers(0, 2**62, ())))


# ---- arguments -------------------------------------------------------------------------------------------------------

def check_p(function, p):
    if not isinstance(p, numbers.Real) or not 0 <= p <= 1:
        raise ValueError(f"{function}: p must be a probability from 0 to 1, got {p!r}")
    return p


def read_size(function, size):
    """(height, width) of a number or a pair."""
    pair = (size, size) if isinstance(size, numbers.Integral) else tuple(size)
    pair = pair * 2 if len(pair) == 1 else pair
    if len(pair) != 2 or any(isinstance(s, bool) or not isinstance(s, numbers.Integral) or s < 1 for s in pair):
        raise ValueError(f"{function}: size must be an integer of at least 1 or a pair (height, width), got {size!r}")
    return int(pair[0]), int(pair[1])


def read_range(function, name, value, low=None):
    """(low, high) of a number, which stands for -number to number, or of a pair; `low` is the least that is allowed."""
    if isinstance(value, numbers.Real):
        if value < 0:
            raise ValueError(f"{function}: {name} must not be negative, got {value}")
        return -value, value
    pair = tuple(value)
    if len(pair) != 2 or not pair[0] <= pair[1] or (low is not None and pair[0] < low):
        at_least = "" if low is None else f", low at least {low}"
        raise ValueError(f"{function}: {name} must be a number or a pair (low, high) with low <= high{at_least}, got "
                         f"{value!r}")
    return pair


def read_mode(function, interpolation, allowed=tuple(InterpolationMode)):
    """An InterpolationMode of itself, of its name, or of Pillow's constant."""
    value = interpolation
    if not isinstance(value, (str, InterpolationMode)) and hasattr(value, "name"):  # PIL.Image.Resampling
        value = value.name
    try:
        mode = value if isinstance(value, InterpolationMode) else InterpolationMode(value.lower())
    except (AttributeError, ValueError):
        mode = None
    if mode not in allowed:
        raise ValueError(f"{function}: interpolation must be one of {', '.join(m.value for m in allowed)}, got "
                         f"{interpolation!r}")
    return mode


def fill_values(function, fill, x):
    """`fill`, a number or one a channel (None: 0), as (C or 1, 1, 1) in the type of x (N, C, H, W)."""
    xp = array_module(x)
    values = np.asarray(0 if fill is None else fill, np.float64).reshape(-1, 1, 1)
    if len(values) not in (1, x.shape[1]):
        raise ValueError(f"{function}: fill must be a number or one for each of {x.shape[1]} channels, got {fill!r}")
    return xp.asarray(values.astype(x.dtype))
