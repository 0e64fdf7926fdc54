"""Augmentation with little to decide: one of a set of operations after another, each with a random or given strength.

Strengths are numbered. An operation's *range* says what its lowest and its highest number mean; in between they are even.
Pictures are Pillow's or uint8 with 1 or 3 channels.
"""
import numpy as np

from ...engine.arrays import array_module
from . import tones
from .affine import _MODES
from .base import InterpolationMode, Transform, numpy_stream, read_mode, restored
from .policies import POLICIES, AutoAugmentPolicy
from .warp import affine_matrices, affine_sources, warp


def _move(x, mode, fill, angle=0, shear=(0, 0), shift=(0, 0), centre=None):
    """x (1, C, H, W) turned, slanted by the tangents `shear`, and shifted by whole pixels."""
    xp, size = array_module(x), x.shape[2:]
    number = lambda v: xp.full((1, 1, 1, 1), v, np.float32)
    degrees = [number(np.degrees(np.arctan(s))) for s in shear]
    matrices = affine_matrices(xp, number(angle), number(1), *degrees)
    rows, columns = affine_sources(xp, size, size, matrices, [number(s) for s in shift], centre)
    return warp("augment", x, rows, columns, mode, fill)


_CORNER = (0, 0)  # the upper left corner, which the shears of the paper leave where it is
OPERATIONS = {  # name: (what it does to x with strength m, whether -m makes sense too)
    "Identity": (lambda x, m, mode, fill: x, False),
    "ShearX": (lambda x, m, mode, fill: _move(x, mode, fill, shear=(m, 0), centre=_CORNER), True),
    "ShearY": (lambda x, m, mode, fill: _move(x, mode, fill, shear=(0, m), centre=_CORNER), True),
    "TranslateX": (lambda x, m, mode, fill: _move(x, mode, fill, shift=(int(m), 0)), True),
    "TranslateY": (lambda x, m, mode, fill: _move(x, mode, fill, shift=(0, int(m))), True),
    "Rotate": (lambda x, m, mode, fill: _move(x, mode, fill, angle=-m), True),
    "Brightness": (lambda x, m, mode, fill: tones.adjust_brightness(x, 1 + m), True),
    "Color": (lambda x, m, mode, fill: tones.adjust_saturation(x, 1 + m), True),
    "Contrast": (lambda x, m, mode, fill: tones.adjust_contrast(x, 1 + m), True),
    "Sharpness": (lambda x, m, mode, fill: tones.adjust_sharpness(x, 1 + m), True),
    "Posterize": (lambda x, m, mode, fill: tones.posterize(x, int(m)), False),
    "Solarize": (lambda x, m, mode, fill: tones.solarize(x, m), False),
    "AutoContrast": (lambda x, m, mode, fill: tones.autocontrast(x), False),
    "Equalize": (lambda x, m, mode, fill: tones.equalize(x), False),
    "Invert": (lambda x, m, mode, fill: tones.invert(x), False),
}


def _ranges(size, shift):
    """{operation: (strength at the lowest number, at the highest)}; `shift` is the largest one as a share of the sides."""
    h, w = size
    return {"Identity": (0, 0), "ShearX": (0, 0.3), "ShearY": (0, 0.3), "TranslateX": (0, shift * w),
            "TranslateY": (0, shift * h), "Rotate": (0, 30), "Brightness": (0, 0.9), "Color": (0, 0.9), "Contrast": (0, 0.9),
            "Sharpness": (0, 0.9), "Posterize": (8, 4), "Solarize": (255, 0), "AutoContrast": (0, 0), "Equalize": (0, 0)}


_WIDE = {"Identity": (0, 0), "ShearX": (0, 0.99), "ShearY": (0, 0.99), "TranslateX": (0, 32), "TranslateY": (0, 32),
         "Rotate": (0, 135), "Brightness": (0, 0.99), "Color": (0, 0.99), "Contrast": (0, 0.99), "Sharpness": (0, 0.99),
         "Posterize": (8, 2), "Solarize": (255, 0), "AutoContrast": (0, 0), "Equalize": (0, 0)}


class _Automatic(Transform):
    """The base: `one(x, chance)` changes a picture x (1, C, H, W), with a NumPy generator `chance` of its own."""

    def __init__(self, interpolation, fill, generator):
        self.interpolation = read_mode(type(self).__name__, interpolation, _MODES)
        self.fill, self.generator = fill, generator

    def apply(self, x):
        name = type(self).__name__
        if x.dtype != np.uint8:
            raise TypeError(f"{name}: expected Pillow pictures or pixels of uint8, got {x.dtype}; put it before ToTensor()")
        tones.check_colours(name, x)
        chance = numpy_stream(self.stream(x))
        changed = [self.one(x[i:i + 1], chance) for i in range(len(x))]
        return array_module(x).concatenate(changed) if changed else x

    def operate(self, x, name, strength, chance):
        """One operation; half of those that can go both ways go the other way."""
        function, signed = OPERATIONS[name]
        return function(x, -strength if signed and chance.random() < 0.5 else strength, self.interpolation, self.fill)


def _strength(name, bounds, number, highest):
    """The strength with a number from 0 to `highest`; for Posterize in whole bits."""
    low, high = bounds
    strength = low + (high - low) * number / highest
    return round(strength) if name == "Posterize" else strength


class AutoAugment(_Automatic):
    """A random one of the 25 pairs of operations that a search found best for ImageNet, CIFAR-10 or SVHN.

    `policy` is an AutoAugmentPolicy or its name; `interpolation` ("nearest" or "bilinear") and `fill` are for what is moved.
    Source: E. Cubuk et al., AutoAugment: Learning Augmentation Policies from Data, 2019.
    """

    def __init__(self, policy=AutoAugmentPolicy.IMAGENET, interpolation=InterpolationMode.NEAREST, fill=None, *,
                 generator=None):
        super().__init__(interpolation, fill, generator)
        try:
            self.policy = AutoAugmentPolicy(policy)
        except ValueError:
            raise ValueError(f"AutoAugment: policy must be one of {', '.join(p.value for p in AutoAugmentPolicy)}, got "
                             f"{policy!r}") from None

    def one(self, x, chance):
        """Each step of a random pair, with its probability."""
        pairs, ranges = POLICIES[self.policy], _ranges(x.shape[2:], 150 / 331)
        for name, probability, level in pairs[chance.integers(len(pairs))]:
            if chance.random() < probability:
                x = self.operate(x, name, 0 if level is None else _strength(name, ranges[name], level, 9), chance)
        return x


class RandAugment(_Automatic):
    """`num_ops` random operations one after the other, all with the strength number `magnitude` of `num_magnitude_bins`.

    Source: E. Cubuk et al., RandAugment: Practical automated data augmentation with a reduced search space, 2020.
    """

    def __init__(self, num_ops=2, magnitude=9, num_magnitude_bins=31, interpolation=InterpolationMode.NEAREST, fill=None, *,
                 generator=None):
        super().__init__(interpolation, fill, generator)
        if not 0 <= magnitude < num_magnitude_bins:
            raise ValueError(f"RandAugment: magnitude must lie between 0 and num_magnitude_bins - 1 = "
                             f"{num_magnitude_bins - 1}, got {magnitude}")
        self.num_ops, self.magnitude, self.num_magnitude_bins = num_ops, magnitude, num_magnitude_bins

    def one(self, x, chance):
        """All operations are equally likely, and may come twice."""
        ranges = list(_ranges(x.shape[2:], 150 / 331).items())
        for _ in range(self.num_ops):
            name, bounds = ranges[chance.integers(len(ranges))]
            x = self.operate(x, name, _strength(name, bounds, self.magnitude, self.num_magnitude_bins - 1), chance)
        return x


class TrivialAugmentWide(_Automatic):
    """One random operation with a random strength, from a wider range than RandAugment's.

    Source: S. Mueller and F. Hutter, TrivialAugment: Tuning-free Yet State-of-the-Art Data Augmentation, 2021.
    """

    def __init__(self, num_magnitude_bins=31, interpolation=InterpolationMode.NEAREST, fill=None, *, generator=None):
        super().__init__(interpolation, fill, generator)
        if num_magnitude_bins < 2:
            raise ValueError(f"TrivialAugmentWide: num_magnitude_bins must be at least 2, got {num_magnitude_bins}")
        self.num_magnitude_bins = num_magnitude_bins

    def one(self, x, chance):
        """All operations and all strengths are equally likely."""
        name, bounds = list(_WIDE.items())[chance.integers(len(_WIDE))]
        number = chance.integers(self.num_magnitude_bins)
        return self.operate(x, name, _strength(name, bounds, number, self.num_magnitude_bins - 1), chance)


class AugMix(_Automatic):
    """The picture mixed with `mixture_width` copies of it, each changed by a chain of operations.

    A chain has `chain_depth` operations, 1 to 3 at random where that is -1, with a strength below `severity` of 10. The
    share of the picture itself is drawn from Beta(alpha, alpha), those of the copies from Dirichlet(alpha, ..., alpha).
    `all_ops` adds brightness, colour, contrast and sharpness, which the paper leaves out because its test pictures vary in
    them.
    Source: D. Hendrycks et al., AugMix: A Simple Data Processing Method to Improve Robustness and Uncertainty, 2020.
    """

    def __init__(self, severity=3, mixture_width=3, chain_depth=-1, alpha=1.0, all_ops=True,
                 interpolation=InterpolationMode.BILINEAR, fill=None, *, generator=None):
        super().__init__(interpolation, fill, generator)
        if not 1 <= severity <= 10:
            raise ValueError(f"AugMix: severity must lie between 1 and 10, got {severity}")
        self.severity, self.mixture_width, self.chain_depth = severity, mixture_width, chain_depth
        self.alpha, self.all_ops = alpha, all_ops

    def one(self, x, chance):
        """The weighted sum of the picture and the changed copies."""
        ranges = _ranges(x.shape[2:], 1 / 3)
        ranges["Posterize"] = (4, 0)
        del ranges["Identity"]
        if not self.all_ops:
            ranges = {k: v for k, v in ranges.items() if k not in ("Brightness", "Color", "Contrast", "Sharpness")}
        ranges = list(ranges.items())
        own = np.float32(chance.beta(self.alpha, self.alpha))
        mixed = x * own
        for share in chance.dirichlet([self.alpha] * self.mixture_width).astype(np.float32):
            copy = x
            for _ in range(self.chain_depth if self.chain_depth > 0 else chance.integers(1, 4)):
                name, bounds = ranges[chance.integers(len(ranges))]
                copy = self.operate(copy, name, _strength(name, bounds, chance.integers(self.severity), 9), chance)
            mixed = mixed + copy * (share * (1 - own))
        return restored(mixed, x)
