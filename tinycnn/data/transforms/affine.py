"""Turned, shifted, scaled, slanted pictures, and pictures seen from the side."""
import numbers

import numpy as np

from ...engine.arrays import array_module
from .base import InterpolationMode, Transform, change_some, check_p, draw, read_mode, read_range
from .warp import affine_matrices, affine_sources, perspective_sources, warp

_MODES = (InterpolationMode.NEAREST, InterpolationMode.BILINEAR)


class RandomAffine(Transform):
    """Turn, shift, scale and slant every picture by its own random amounts.

    - `degrees`: the angle, clockwise, lies between -degrees and degrees; or a pair (low, high);
    - `translate`: a pair (a, b): the shift lies within a * W columns and b * H rows, in whole pixels;
    - `scale`: a pair (low, high) between which the magnification lies;
    - `shear`: the slant to the side in degrees, as `degrees`; four numbers (x low, x high, y low, y high) also slant up and
      down;
    - `interpolation`: "nearest" or "bilinear"; `fill`: what comes in from outside the picture, a number or one a channel;
    - `center`: the point (x, y) that stays, from the upper left corner (default: the middle).
    """

    def __init__(self, degrees, translate=None, scale=None, shear=None, interpolation=InterpolationMode.NEAREST, fill=0,
                 center=None, *, generator=None):
        self.degrees = read_range("RandomAffine", "degrees", degrees)
        self.translate, self.scale = tuple(translate or (0, 0)), tuple(scale or (1, 1))
        if len(self.translate) != 2 or not all(0 <= t <= 1 for t in self.translate):
            raise ValueError(f"RandomAffine: translate must be two fractions from 0 to 1, got {translate}")
        if len(self.scale) != 2 or not 0 < self.scale[0] <= self.scale[1]:
            raise ValueError(f"RandomAffine: scale must be (low, high) with 0 < low <= high, got {scale}")
        parts = (shear or 0,) if isinstance(shear or 0, numbers.Real) else tuple(shear)
        sides = [parts[:2], parts[2:]] if len(parts) == 4 else [parts[0] if len(parts) == 1 else parts, 0]
        self.shear = tuple(bound for side in sides for bound in read_range("RandomAffine", "shear", side))
        self.interpolation, self.fill = read_mode("RandomAffine", interpolation, _MODES), fill
        self.center, self.generator = center, generator

    def apply(self, x):
        xp, stream, (n, _, h, w) = array_module(x), self.stream(x), x.shape
        angle, scale = draw(stream, n, *self.degrees), draw(stream, n, *self.scale)
        shift = [xp.rint(draw(stream, n, -t * size, t * size)) for t, size in zip(self.translate, (w, h))]
        matrices = affine_matrices(xp, angle, scale, draw(stream, n, *self.shear[:2]), draw(stream, n, *self.shear[2:]))
        rows, columns = affine_sources(xp, (h, w), (h, w), matrices, shift, self.center)
        return warp("RandomAffine", x, rows, columns, self.interpolation, self.fill)


class RandomRotation(Transform):
    """Turn every picture by its own random angle, counter-clockwise, between -degrees and degrees, or a pair (low, high).

    `expand` enlarges the result until it holds the whole turned picture (single pictures only); otherwise as RandomAffine.
    """

    def __init__(self, degrees, interpolation=InterpolationMode.NEAREST, expand=False, center=None, fill=0, *,
                 generator=None):
        self.degrees = read_range("RandomRotation", "degrees", degrees)
        self.interpolation = read_mode("RandomRotation", interpolation, _MODES)
        self.expand, self.center, self.fill, self.generator = expand, center, fill, generator

    def apply(self, x):
        xp, (n, _, h, w) = array_module(x), x.shape
        nothing = xp.zeros((n, 1, 1, 1), np.float32)
        matrices = affine_matrices(xp, -draw(self.stream(x), n, *self.degrees), nothing + 1, nothing, nothing)
        out, centre = (h, w), self.center
        if self.expand:
            if n != 1:
                raise ValueError(f"RandomRotation: expand gives every picture another size, got a batch of {n} pictures")
            cos, sin = (abs(float(m[0, 0, 0, 0])) for m in (matrices[0], matrices[2]))
            out, centre = tuple(int(np.ceil(v - 1e-4)) for v in (w * sin + h * cos, w * cos + h * sin)), None
        rows, columns = affine_sources(xp, (h, w), out, matrices, (nothing, nothing), centre)
        return warp("RandomRotation", x, rows, columns, self.interpolation, self.fill)


class RandomPerspective(Transform):
    """With probability `p`, see a picture from the side: each corner moves inwards at random.

    It moves by up to `distortion_scale` times half the width and half the height.
    """

    def __init__(self, distortion_scale=0.5, p=0.5, interpolation=InterpolationMode.BILINEAR, fill=0, *, generator=None):
        if not 0 <= distortion_scale <= 1:
            raise ValueError(f"RandomPerspective: distortion_scale must lie between 0 and 1, got {distortion_scale}")
        self.distortion_scale, self.p = distortion_scale, check_p("RandomPerspective", p)
        self.interpolation = read_mode("RandomPerspective", interpolation, _MODES)
        self.fill, self.generator = fill, generator

    def apply(self, x):
        return change_some(x, self.p, self.stream(x), self._change)

    def _change(self, x):
        xp, (n, _, h, w) = array_module(x), x.shape
        corners = xp.asarray([[0, 0], [w - 1, 0], [w - 1, h - 1], [0, h - 1]], dtype=np.float64)
        inwards = xp.asarray([[1, 1], [-1, 1], [-1, -1], [1, -1]], dtype=np.float64)
        room = xp.asarray([w // 2, h // 2], dtype=np.float64) * self.distortion_scale
        moved = corners + inwards * xp.floor(self.stream(x).uniform((n, 4, 2), np.float64) * (room + 1)).clip(0, room)
        start = xp.broadcast_to(corners, moved.shape)
        rows, columns = perspective_sources(xp, (h, w), start, moved)
        return warp("RandomPerspective", x, rows, columns, self.interpolation, self.fill)
