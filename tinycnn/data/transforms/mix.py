"""Pictures mixed with each other, and their labels in the same proportion."""
import numpy as np

from ...engine.arrays import array_module
from ...engine.generators import default_generator
from ...engine.checks import check_tensor
from ...engine.tensor import wrap
from .base import numpy_stream


class _Mix:
    """The base of MixUp and CutMix: `lam` of every picture and label, and 1 - lam of the one before it in the batch.

    lam is drawn once a batch from the Beta(alpha, alpha) distribution: for alpha 1 every value is equally likely, for small
    alpha most are close to 0 or 1. A subclass defines `mix(x, other, lam, chance)`, which returns the pictures and the
    proportion that it really mixed.
    """

    def __init__(self, alpha=1.0, num_classes=None, *, generator=None):
        if not alpha > 0:
            raise ValueError(f"{type(self).__name__}: alpha must be above 0, got {alpha}")
        self.alpha, self.num_classes, self.generator = alpha, num_classes, generator

    def __call__(self, x, y=None):
        """(x, y) mixed, of Tensors x (N, C, H, W) and y (N,), or of a pair; y becomes probabilities (N, num_classes)."""
        name = type(self).__name__
        if y is None:
            if not isinstance(x, (tuple, list)) or len(x) != 2:
                raise TypeError(f"{name}: expected x and y, or a pair of them, got x={type(x).__name__} alone")
            x, y = x
        check_tensor(name, x=x, y=y)
        if x.ndim != 4 or not x.is_floating_point():
            raise ValueError(f"{name}: x must be a batch (N, C, H, W) in floating point, got {x.dtype} {x.shape}")
        if len(y) != len(x) or y.ndim not in (1, 2):
            raise ValueError(f"{name}: y must be labels (N,) or probabilities (N, num_classes) with N = {len(x)}, "
                             f"got {y.shape}")
        xp = array_module(x.array)
        share = self._probabilities(name, xp, y.array, x.dtype)
        chance = numpy_stream(self.generator or default_generator())  # the CPU's: nobody has to wait for a GPU
        mixed, lam = self.mix(x.array, xp.roll(x.array, 1, 0), chance.beta(self.alpha, self.alpha), chance)
        return wrap(mixed), wrap(share * share.dtype.type(lam) + xp.roll(share, 1, 0) * share.dtype.type(1 - lam))

    def _probabilities(self, name, xp, y, dtype):
        """Labels (N,) as rows with a single 1; what is (N, num_classes) already stays."""
        if y.ndim == 2:
            return y.astype(dtype, copy=False)
        if self.num_classes is None:
            raise ValueError(f"{name}: labels (N,) need the number of classes: {name}(num_classes=...)")
        if y.dtype.kind not in "iu":
            raise TypeError(f"{name}: y must be integer labels (N,) or probabilities (N, num_classes), got {y.dtype}")
        return (y[:, None] == xp.arange(self.num_classes)).astype(dtype)

    def __repr__(self):
        return f"{type(self).__name__}(alpha={self.alpha}, num_classes={self.num_classes})"


class MixUp(_Mix):
    """Every picture lam * x + (1 - lam) * another one (H. Zhang et al., mixup: Beyond Empirical Risk Minimization, 2018).

    Call it with a batch (x, y), for instance in the `collate_fn` of a DataLoader; a loss such as cross_entropy takes the
    probabilities that y becomes.
    """

    def mix(self, x, other, lam, chance):
        """Two pictures over each other."""
        return x * x.dtype.type(lam) + other * x.dtype.type(1 - lam), lam


class CutMix(_Mix):
    """Every picture with a rectangle of another one, of an area of 1 - lam (S. Yun et al., CutMix, 2019). Use as MixUp.

    The sides are sqrt(1 - lam) of the picture's and the middle lies anywhere; where the border cuts something off, lam is
    the share of the picture that is left.
    """

    def mix(self, x, other, lam, chance):
        """A rectangle of the other picture in each."""
        h, w = x.shape[2:]
        row, column, half = chance.integers(h), chance.integers(w), 0.5 * np.sqrt(1 - lam)
        top, bottom = (int(np.clip(row + side * half * h, 0, h)) for side in (-1, 1))
        left, right = (int(np.clip(column + side * half * w, 0, w)) for side in (-1, 1))
        y = x.copy()
        y[:, :, top:bottom, left:right] = other[:, :, top:bottom, left:right]
        return y, 1 - (bottom - top) * (right - left) / (h * w)
