"""Pictures from and into files and bytes, as tensors (C, H, W) of uint8: by Pillow, under torchvision's names."""
import enum
import io
import sys
from pathlib import Path

import numpy as np

from ..data.transforms.base import as_picture, picture_pixels
from ..engine.answers import answer_clearly
from ..engine.arrays import to_numpy
from ..engine.checks import check_tensor
from ..engine.tensor import wrap

__all__ = ["decode_image", "decode_jpeg", "decode_png", "encode_jpeg", "encode_png", "ImageReadMode", "read_file",
           "read_image", "write_file", "write_jpeg", "write_png"]


class ImageReadMode(enum.Enum):
    """The channels that a picture is brought to: those it has, grey, or red, green and blue, with or without opacity."""
    UNCHANGED = 0
    GRAY = 1
    GRAY_ALPHA = 2
    RGB = 3
    RGB_ALPHA = 4


_MODES = {ImageReadMode.GRAY: "L", ImageReadMode.GRAY_ALPHA: "LA", ImageReadMode.RGB: "RGB",
          ImageReadMode.RGB_ALPHA: "RGBA"}


def read_image(path, mode=ImageReadMode.UNCHANGED, apply_exif_orientation=False):
    """The picture in the file `path` as a tensor (C, H, W) of uint8, or uint16 where it has 16 bits; see `decode_image`."""
    return _decoded("read_image", Path(path).read_bytes(), mode, apply_exif_orientation, path)


def decode_image(input, mode=ImageReadMode.UNCHANGED, apply_exif_orientation=False):
    """The picture whose file is the bytes `input`, a vector of uint8, as a tensor (C, H, W).

    `mode`, an ImageReadMode or its name, says which channels; `apply_exif_orientation` turns the picture as the camera was
    held. ValueError for bytes that are no picture, or a damaged one.
    """
    check_tensor("decode_image", input=input)
    return _decoded("decode_image", to_numpy(input.array).tobytes(), mode, apply_exif_orientation, "input")


def _decoded(function, content, mode, turn, source):
    from PIL import Image, ImageOps
    try:
        mode = ImageReadMode[mode] if isinstance(mode, str) else ImageReadMode(mode)
    except (KeyError, ValueError):
        raise ValueError(f"{function}: mode must be an ImageReadMode ({', '.join(m.name for m in ImageReadMode)}), got "
                         f"{mode!r}") from None
    try:
        with Image.open(io.BytesIO(content)) as picture:
            picture.load()
            picture = ImageOps.exif_transpose(picture) if turn else picture
            picture = picture.convert(_MODES[mode]) if mode in _MODES else picture
            if picture.mode == "P":
                picture = picture.convert("RGBA" if "transparency" in picture.info else "RGB")
            return wrap(np.ascontiguousarray(picture_pixels(picture)))
    except Exception as error:  # Pillow's decoders raise whatever the damage leads to
        raise ValueError(f"{function}: {source} holds no picture that Pillow can read ({error})") from error


decode_png = decode_jpeg = decode_image


def encode_png(input, compression_level=6):
    """The bytes, a vector of uint8, of a PNG file with the picture `input` (1 or 3, H, W) of uint8."""
    return _encoded("encode_png", input, format="PNG", compress_level=compression_level)


def encode_jpeg(input, quality=75):
    """The bytes, a vector of uint8, of a JPEG file with the picture `input` (1 or 3, H, W) of uint8; `quality` 1 to 100."""
    if not 1 <= quality <= 100:
        raise ValueError(f"encode_jpeg: quality must be from 1 to 100, got {quality}")
    return _encoded("encode_jpeg", input, format="JPEG", quality=quality)


def _encoded(function, picture, **options):
    check_tensor(function, input=picture)
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[0] not in (1, 3):
        raise ValueError(f"{function}: input must be a picture (1 or 3, H, W) of uint8, got shape {picture.shape} of "
                         f"{picture.dtype}")
    content = io.BytesIO()
    as_picture(to_numpy(picture.array)).save(content, **options)
    return wrap(np.frombuffer(content.getvalue(), np.uint8).copy())


def write_png(input, filename, compression_level=6):
    """Write the picture `input` (1 or 3, H, W) of uint8 into the PNG file `filename`."""
    write_file(filename, encode_png(input, compression_level))


def write_jpeg(input, filename, quality=75):
    """Write the picture `input` (1 or 3, H, W) of uint8 into the JPEG file `filename`; `quality` 1 to 100."""
    write_file(filename, encode_jpeg(input, quality))


def read_file(path):
    """The bytes of a file, a vector of uint8."""
    return wrap(np.frombuffer(Path(path).read_bytes(), np.uint8).copy())


def write_file(filename, data):
    """Write a vector of uint8 as the bytes of a file."""
    check_tensor("write_file", data=data)
    Path(filename).write_bytes(to_numpy(data.array).tobytes())


answer_clearly(sys.modules[__name__], [name for name in __all__ if name != "ImageReadMode"])
