"""What augmentation does to a picture: every transform, side by side on one picture."""
import numpy as np

from ..engine.generators import Generator, generator_in_this_thread
from ..data import transforms as T
from ..engine.tensor import Tensor, wrap
from .style import as_numpy, bare, new_figure


def landscape(height=144, width=192, seed=3):
    """A picture (3, H, W) of uint8, painted with a few formulas: a house by a lake, with fine and coarse detail.

    It has what augmentations act on: smooth shades and texture, saturated and pale colours, straight lines, and a left that
    is not like the right.
    """
    chance = np.random.default_rng(seed)
    small = (height, width)
    height, width = 2 * height, 2 * width  # painted larger, for smooth edges
    y, x = np.mgrid[0:height, 0:width] / height
    paint = _Canvas(y, x, chance)
    horizon, wide = 0.58, width / height
    paint.fill(y < horizon, (96, 150, 215), (238, 226, 205), y / horizon)
    clouds = paint.texture(14) * np.exp(-((y - 0.2) / 0.12) ** 2)
    paint.mix(np.clip(2.2 * clouds - 0.5, 0, 0.9), (255, 252, 246))
    paint.mix(np.clip(12 * (0.06 - np.hypot(x - 0.83 * wide, y - 0.14)) + 0.5, 0, 1), (255, 236, 160))
    for base, high, rough, colour in ((0.47, 0.13, 5, (134, 150, 176)), (0.53, 0.08, 9, (84, 112, 104))):
        ridge = base - high * (np.sin(rough * x[0] + rough) + 0.4 * np.sin(2.7 * rough * x[0])) / 1.4
        paint.fill((y > ridge) & (y < horizon), colour, tuple(c * 0.8 for c in colour), (y - ridge) / 0.3)
    shore = 0.72 + 0.03 * np.sin(5 * x)
    water = (y >= horizon) & (y <= shore)
    rows = np.clip(2 * round(horizon * height) - np.arange(height) - 1, 0, height - 1)
    paint.picture[water] = (0.7 * paint.picture[rows] + 0.3 * np.array((60, 105, 140)))[water]
    paint.mix(water * np.clip(3 * paint.texture(4, (1, 8)) - 1.7, 0, 0.5), (235, 240, 245))
    paint.fill(y > shore, (112, 152, 62), (64, 98, 38), (y - shore) / 0.3)
    paint.picture += ((y > shore) * 55 * (paint.texture(3) - 0.5))[..., None]
    paint.house(0.28 * wide, 0.62)
    paint.tree(0.83 * wide, 0.42)
    pixels = T.Resize(small)(np.clip(paint.picture, 0, 255).transpose(2, 0, 1) / 255) * 255
    return np.clip(pixels + 4 * chance.standard_normal((1, *small)), 0, 255).astype(np.uint8)


class _Canvas:
    """A picture (H, W, 3) in the making; places are in heights of the picture."""

    def __init__(self, y, x, chance):
        self.y, self.x, self.chance, self.picture = y, x, chance, np.zeros((*y.shape, 3))

    def texture(self, grain, shape=(1, 1)):
        """Smooth random numbers from 0 to 1, of spots about `grain` pixels wide, stretched by `shape`."""
        size = [max(2, n // (grain * s) + 2) for n, s in zip(self.y.shape, shape)]
        spots = T.Resize(self.y.shape, "bicubic")(self.chance.random((1, *size)))[0]
        return np.clip((spots - spots.min()) / np.ptp(spots), 0, 1)

    def fill(self, where, top, bottom, share):
        """A shade from `top` to `bottom` as `share` goes from 0 to 1."""
        share = np.clip(share, 0, 1)[..., None]
        self.picture = np.where(where[..., None], (1 - share) * np.array(top) + share * np.array(bottom), self.picture)

    def mix(self, share, colour):
        """A colour that covers a share of each pixel."""
        self.picture += share[..., None] * (np.array(colour) - self.picture)

    def house(self, left, top):
        """A white house with a red roof, a door and two windows."""
        x, y = self.x - left, self.y - top
        inside = lambda x0, y0, x1, y1: ((x0 < x) & (x < x1) & (y0 < y) & (y < y1)).astype(float)
        self.mix(inside(0, 0, 0.34, 0.2), (236, 228, 210))
        self.mix(inside(0, 0, 0.34, 0.2) * (x > 0.22), (205, 194, 172))
        roof = ((y < 0.01) & (y > -0.14 + 0.7 * np.abs(x - 0.17))).astype(float)
        self.mix(roof, (178, 54, 38))
        self.mix(roof * (np.sin(260 * y) > 0.3), (148, 42, 32))
        for place in ((0.04, 0.05, 0.1, 0.11), (0.25, 0.05, 0.31, 0.11)):
            self.mix(inside(*place), (52, 72, 98))
        self.mix(inside(0.14, 0.07, 0.21, 0.2), (92, 58, 34))

    def tree(self, left, top):
        """A tree with a leafy crown."""
        x, y = self.x - left, self.y - top
        self.mix(((np.abs(x) < 0.02 + 0.02 * np.clip(y - 0.35, 0, 1)) & (y > 0) & (y < 0.45)).astype(float), (82, 58, 40))
        leaves = np.clip(3.6 - 17 * np.hypot(x, 0.8 * y) + 4 * (self.texture(8) - 0.5), 0, 1)
        self.mix(leaves, (46, 92, 40))
        self.mix(leaves * np.clip(1.5 * (self.texture(6) - 0.4 - x - y), 0, 0.8), (150, 182, 70))


def gallery(height=144, width=192):
    """[(title, transform), ...]: every transform, strong enough to be seen in a picture of this size, and made to happen."""
    fill = (127, 127, 127)
    size, small = (height, width), (max(1, height // 4), max(1, width // 4))
    move = dict(interpolation="bilinear", fill=fill)
    return [
        ("CenterCrop", T.CenterCrop((2 * height // 3, 2 * width // 3))),
        ("RandomCrop, padding", T.RandomCrop(size, round(0.22 * height))),
        ("RandomResizedCrop", T.RandomResizedCrop(size, (0.1, 0.5))), ("Resize to a quarter", T.Resize(small)),
        ("Pad, edge", T.Pad(height // 6, padding_mode="edge")), ("RandomHorizontalFlip", T.RandomHorizontalFlip(1)),
        ("RandomVerticalFlip", T.RandomVerticalFlip(1)), ("RandomRotation", T.RandomRotation((-35, -35), **move)),
        ("RandomAffine", T.RandomAffine(25, (0.1, 0.1), (0.7, 1.2), 25, **move)),
        ("RandomPerspective", T.RandomPerspective(0.6, 1, **move)), ("brightness", T.ColorJitter(brightness=(1.5, 1.5))),
        ("contrast", T.ColorJitter(contrast=(1.8, 1.8))), ("saturation", T.ColorJitter(saturation=(2.2, 2.2))),
        ("hue", T.ColorJitter(hue=(0.3, 0.3))), ("ColorJitter", T.ColorJitter(0.5, 0.5, 0.5, 0.2)),
        ("Grayscale", T.Grayscale(3)), ("RandomInvert", T.RandomInvert(1)),
        ("RandomPosterize, 2 bits", T.RandomPosterize(2, 1)), ("RandomSolarize", T.RandomSolarize(140, 1)),
        ("a pale picture", _pale), ("its RandomAutocontrast", lambda pixels: T.RandomAutocontrast(1)(_pale(pixels))),
        ("RandomEqualize", T.RandomEqualize(1)), ("RandomAdjustSharpness", T.RandomAdjustSharpness(5, 1)),
        ("GaussianBlur", T.GaussianBlur(2 * max(2, height // 36) + 1, max(1, height / 48))),
        ("GaussianNoise", T.GaussianNoise(0, 0.15)), ("SaltAndPepperNoise", T.SaltAndPepperNoise(0.1)),
        ("RandomErasing", T.RandomErasing(1, (0.1, 0.2), value=127)),
        ("AutoAugment, ImageNet", T.AutoAugment("imagenet", "bilinear", fill)),
        ("AutoAugment, CIFAR-10", T.AutoAugment("cifar10", "bilinear", fill)),
        ("RandAugment", T.RandAugment(2, 12, 31, "bilinear", fill)),
        ("TrivialAugmentWide", T.TrivialAugmentWide(31, "bilinear", fill)), ("AugMix", T.AugMix(8, fill=fill)),
    ]


def _pale(pixels):
    """Half the contrast, so that there is something to stretch."""
    return (pixels // 2 + 64).astype(np.uint8)


def augmentations(picture=None, transforms=None, columns=6, seed=0):
    """Every transform on one picture, and MixUp and CutMix with its mirror image turned upside down.

    `picture` is a Pillow picture, or an array or Tensor (3, H, W) of uint8 or of numbers from 0 to 1; the default is painted
    here. `transforms` are pairs (title, transform); the default is all there are, without those that only convert. `seed`
    fixes what chance does. Returns the Figure.
    """
    pixels = landscape() if picture is None else _pixels(picture)
    shown = [("the picture", pixels)]
    with generator_in_this_thread(Generator().manual_seed(seed)):
        for title, transform in gallery(*pixels.shape[1:]) if transforms is None else transforms:
            shown.append((title, _pixels(transform(pixels))))
        if transforms is None:
            shown += _mixed(pixels)
    rows = -(-len(shown) // columns)
    height, width = pixels.shape[1:]
    figure = new_figure(1.7 * columns, rows * (1.6 * height / width + 0.28))
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for ax, (title, x) in zip(axes, shown):
        bare(ax)
        ax.imshow(x.transpose(1, 2, 0), interpolation="nearest" if min(x.shape[1:]) < 64 else "antialiased")
        ax.set_title(title, fontsize=8, pad=3, fontweight="bold" if title == "the picture" else None)
    for ax in axes[len(shown):]:
        ax.set_axis_off()
    return figure


def _mixed(pixels):
    """The picture and its opposite as MixUp and CutMix mix them."""
    pair = wrap(np.stack([pixels, pixels[:, ::-1, ::-1]]).astype(np.float32) / 255)
    labels = wrap(np.arange(2))
    for kind in (T.MixUp, T.CutMix):
        mixed, share = kind(alpha=4.0, num_classes=2)(pair, labels)
        yield f"{kind.__name__}, {100 * share.array[0, 0]:.0f} %", _pixels(mixed[0])


def _pixels(picture):
    """Anything that shows a coloured picture as uint8 (3, H, W)."""
    if not isinstance(picture, (Tensor, np.ndarray)):
        picture = T.PILToTensor()(picture.convert("RGB"))
    pixels = as_numpy(picture)
    if pixels.ndim != 3 or pixels.shape[0] not in (1, 3):
        raise ValueError(f"augmentations: picture must be a Pillow picture or (3, H, W), got shape {pixels.shape}")
    if pixels.dtype != np.uint8:
        pixels = np.rint(pixels.clip(0, 1) * 255).astype(np.uint8)
    return np.repeat(pixels, 3, 0) if len(pixels) == 1 else pixels
