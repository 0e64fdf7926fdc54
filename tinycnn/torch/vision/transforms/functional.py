"""Transforms without chance, as functions of a Pillow picture, an array or a Tensor: `TF.hflip(x)`.

All but `to_tensor` and its kin take single pictures (C, H, W) or (H, W) and batches (N, C, H, W), and return the same kind.
"""
import sys

from ...data.transforms import (CenterCrop, ConvertImageDtype, GaussianBlur, Grayscale, InterpolationMode, Normalize, Pad,
                                PILToTensor, RandomRotation, Resize, ToPILImage, ToTensor, tones)
from ...engine.answers import answer_clearly
from ...data.transforms.base import opened

__all__ = ["adjust_brightness", "adjust_contrast", "adjust_hue", "adjust_saturation", "adjust_sharpness", "autocontrast",
           "center_crop", "convert_image_dtype", "crop", "equalize", "gaussian_blur", "hflip", "InterpolationMode",
           "invert", "normalize", "pad", "pil_to_tensor", "posterize", "resize", "resized_crop", "rgb_to_grayscale",
           "rotate", "solarize", "to_grayscale", "to_pil_image", "to_tensor", "vflip"]


def to_tensor(pic):
    """`ToTensor()(pic)`: a picture as a tensor (C, H, W) of numbers from 0 to 1."""
    return ToTensor()(pic)


def pil_to_tensor(pic):
    """`PILToTensor()(pic)`: a picture as a tensor (C, H, W) of its own type."""
    return PILToTensor()(pic)


def to_pil_image(pic, mode=None):
    """`ToPILImage(mode)(pic)`: a tensor or an array as a picture."""
    return ToPILImage(mode)(pic)


def convert_image_dtype(image, dtype="float32"):
    """`ConvertImageDtype(dtype)(image)`: pixels of another type."""
    return ConvertImageDtype(dtype)(image)


def normalize(tensor, mean, std, inplace=False):
    """(tensor - mean) / std, channel by channel."""
    return Normalize(mean, std, inplace)(tensor)


def resize(img, size, interpolation=InterpolationMode.BILINEAR, max_size=None, antialias=True):
    """`img` in another size: (height, width), or of its shorter side."""
    return Resize(size, interpolation, max_size, antialias)(img)


def center_crop(img, output_size):
    """The middle of `img`."""
    return CenterCrop(output_size)(img)


def pad(img, padding, fill=0, padding_mode="constant"):
    """`img` in a frame, see `Pad`."""
    return Pad(padding, fill, padding_mode)(img)


def crop(img, top, left, height, width):
    """The part of `img` whose upper left corner is (top, left); what lies outside is black."""
    pixels, close = opened("crop", img)
    h, w = pixels.shape[2:]
    frame = Pad((-left, -top, left + width - w, top + height - h))
    return close(frame.apply(pixels))


def resized_crop(img, top, left, height, width, size, interpolation=InterpolationMode.BILINEAR, antialias=True):
    """`crop`, brought to another size."""
    return resize(crop(img, top, left, height, width), size, interpolation, antialias=antialias)


def hflip(img):
    """`img` as in a mirror."""
    return _changed("hflip", img, lambda x: x[:, :, :, ::-1])


def vflip(img):
    """`img` upside down, as in water."""
    return _changed("vflip", img, lambda x: x[:, :, ::-1])


def rotate(img, angle, interpolation=InterpolationMode.NEAREST, expand=False, center=None, fill=0):
    """`img` turned counter-clockwise by `angle` degrees, see `RandomRotation`."""
    return RandomRotation((angle, angle), interpolation, expand, center, 0 if fill is None else fill)(img)


def gaussian_blur(img, kernel_size, sigma=None):
    """`img` blurred by a Gaussian of deviation `sigma`, by default 0.3 ((kernel_size - 1) / 2 - 1) + 0.8."""
    if sigma is None:
        sigma = 0.3 * ((kernel_size - 1) * 0.5 - 1) + 0.8
    return GaussianBlur(kernel_size, sigma)(img)


def rgb_to_grayscale(img, num_output_channels=1):
    """`img` in grey, of 1 or 3 channels."""
    return Grayscale(num_output_channels)(img)


def adjust_brightness(img, brightness_factor):
    """`img` times a factor: 0 is black, 1 changes nothing."""
    return _changed("adjust_brightness", img, tones.adjust_brightness, brightness_factor)


def adjust_contrast(img, contrast_factor):
    """Away from the mean grey by a factor: 0 is grey, 1 changes nothing."""
    return _changed("adjust_contrast", img, tones.adjust_contrast, contrast_factor)


def adjust_saturation(img, saturation_factor):
    """Away from its own grey by a factor: 0 is grey, 1 changes nothing."""
    return _changed("adjust_saturation", img, tones.adjust_saturation, saturation_factor)


def adjust_hue(img, hue_factor):
    """Colours turned by a part of the colour circle, -0.5 to 0.5."""
    return _changed("adjust_hue", img, tones.adjust_hue, hue_factor)


def adjust_sharpness(img, sharpness_factor):
    """Away from the blurred picture by a factor: 0 is blurred, 1 changes nothing."""
    return _changed("adjust_sharpness", img, tones.adjust_sharpness, sharpness_factor)


def invert(img):
    """The negative of `img`."""
    return _changed("invert", img, tones.invert)


def posterize(img, bits):
    """`img` with `bits` bits a channel."""
    return _changed("posterize", img, tones.posterize, bits)


def solarize(img, threshold):
    """The negative of what is at least as bright as `threshold`."""
    return _changed("solarize", img, tones.solarize, threshold)


def autocontrast(img):
    """Every channel from black to white."""
    return _changed("autocontrast", img, tones.autocontrast)


def equalize(img):
    """All brightnesses equally frequent."""
    return _changed("equalize", img, tones.equalize)


def _changed(function, img, change, *options):
    pixels, close = opened(function, img)
    return close(change(pixels, *options))


to_grayscale = rgb_to_grayscale

answer_clearly(sys.modules[__name__], __all__)
