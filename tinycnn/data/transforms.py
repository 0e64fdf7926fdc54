"""Random changes of pictures that leave their meaning alone, so that a network sees a new picture every time."""
import math

from ..backend import array_module, default_generator
from ..tensor import check_floating, wrap


class RandomAffine:
    """Turn, shift and scale every picture of a batch x (N, C, H, W) by its own random amounts, about its middle.

    - `degrees`: the angle, clockwise, lies between -degrees and degrees; or a pair (low, high);
    - `translate`: a pair (a, b): the shift lies within a * W columns and b * H rows, in whole pixels;
    - `scale`: a pair (low, high) between which the magnification lies;
    - `fill`: what comes in from outside the picture, a number or one a channel;
    - `generator`: the source of chance (default: the one that `manual_seed` seeds).

    A picture turned by angle a, magnified s times and shifted by t shows at p, counted from the middle, what lay at
    q = R(-a) (p - t) / s, between pixels: the four around q are mixed in proportion to their nearness (bilinearly).
    """

    def __init__(self, degrees, translate=None, scale=None, *, fill=0, generator=None):
        self.degrees = tuple(degrees) if isinstance(degrees, (tuple, list)) else (-degrees, degrees)
        self.translate, self.scale = translate or (0, 0), scale or (1, 1)
        self.fill, self.generator = fill, generator
        if self.degrees[0] > self.degrees[1]:
            raise ValueError(f"RandomAffine: degrees must not be negative, nor low above high, got {degrees}")
        if not all(0 <= t <= 1 for t in self.translate):
            raise ValueError(f"RandomAffine: translate must be two fractions from 0 to 1, got {translate}")
        if not 0 < self.scale[0] <= self.scale[1]:
            raise ValueError(f"RandomAffine: scale must be (low, high) with 0 < low <= high, got {scale}")

    def __call__(self, x):
        check_floating("RandomAffine", x=x)
        if x.ndim != 4:
            raise ValueError(f"RandomAffine: x must be a batch (N, C, H, W), got shape {x.shape}")
        xp = array_module(x.array)
        n, c, h, w = x.shape
        down, right = self._sources(xp, n, h, w, self.generator or default_generator(x.device))
        framed = xp.empty((n, c, h + 2, w + 2), x.dtype)
        framed[...] = xp.asarray(self.fill, x.dtype).reshape(-1, 1, 1)
        framed[:, :, 1:-1, 1:-1] = x.array
        framed = framed.reshape(n, c, (h + 2) * (w + 2))
        down, right = down.clip(-1, h) + 1, right.clip(-1, w) + 1
        top = xp.minimum(xp.floor(down), h).astype(xp.int64)
        left = xp.minimum(xp.floor(right), w).astype(xp.int64)
        below, beside = (down - top).astype(x.dtype), (right - left).astype(x.dtype)
        corner = top * (w + 2) + left
        y = 0
        for step, weight in ((0, (1 - below) * (1 - beside)), (1, (1 - below) * beside),
                             (w + 2, below * (1 - beside)), (w + 3, below * beside)):
            y = y + xp.take_along_axis(framed, corner + step, 2) * weight
        return wrap(y.reshape(n, c, h, w))

    def _sources(self, xp, n, h, w, stream):
        """Where each pixel of each result comes from: rows and columns, both (N, 1, H * W)."""
        def draw(low, high):
            return (low + (high - low) * stream.uniform(n)).reshape(n, 1, 1)

        angle, scale = draw(*self.degrees) * (math.pi / 180), draw(*self.scale)
        shift_right, shift_down = (xp.round(draw(-t * size, t * size)) for t, size in zip(self.translate, (w, h)))
        rows = (xp.arange(h * w, dtype="float32") // w) - (h - 1) / 2 - shift_down
        columns = (xp.arange(h * w, dtype="float32") % w) - (w - 1) / 2 - shift_right
        cos, sin = xp.cos(angle) / scale, xp.sin(angle) / scale
        return cos * rows - sin * columns + (h - 1) / 2, cos * columns + sin * rows + (w - 1) / 2
