"""Parts of pictures, frames around them, and mirror images."""
import numbers

import numpy as np

from ...engine.arrays import array_module, sliding_windows
from .base import Transform, change_some, check_p, fill_values, opened, read_size

_PADDING_MODES = ("constant", "edge", "reflect", "symmetric")


def pad(function, x, left, top, right, bottom, fill=0, padding_mode="constant"):
    """x (N, C, H, W) with a frame; negative numbers cut off instead."""
    h, w = x.shape[2:]
    x = x[:, :, max(-top, 0):h - max(-bottom, 0), max(-left, 0):w - max(-right, 0)]
    frame = [(0, 0), (0, 0), (max(top, 0), max(bottom, 0)), (max(left, 0), max(right, 0))]
    if not any(n for pair in frame for n in pair):
        return x
    xp = array_module(x)
    if padding_mode != "constant":
        return xp.pad(x, frame, mode=padding_mode)
    (t, b), (s, e) = frame[2:]
    n, c, h, w = x.shape
    y = xp.empty((n, c, h + t + b, w + s + e), x.dtype)
    y[...] = fill_values(function, fill, x)
    y[:, :, t:t + h, s:s + w] = x
    return y


def center_crop(function, x, size):
    """The middle of x (N, C, H, W), with a black frame where x is smaller."""
    (h, w), (ch, cw) = x.shape[2:], size
    left, top = max(0, (cw - w) // 2), max(0, (ch - h) // 2)
    x = pad(function, x, left, top, max(0, cw - w - left), max(0, ch - h - top))
    h, w = x.shape[2:]
    top, left = round((h - ch) / 2), round((w - cw) / 2)
    return x[:, :, top:top + ch, left:left + cw]


class CenterCrop(Transform):
    """The middle of every picture, `size` (height, width) or a square; smaller pictures get a black frame."""

    def __init__(self, size):
        self.size = read_size("CenterCrop", size)

    def apply(self, x):
        return center_crop("CenterCrop", x, self.size)


class RandomCrop(Transform):
    """A random part of every picture, `size` (height, width) or a square.

    Before, the picture gets a frame of `padding` pixels (as in Pad), with `pad_if_needed` one that makes it large enough.
    """

    def __init__(self, size, padding=None, pad_if_needed=False, fill=0, padding_mode="constant", *, generator=None):
        self.size, self.padding = read_size("RandomCrop", size), read_padding("RandomCrop", padding or 0)
        self.pad_if_needed, self.fill = pad_if_needed, fill
        self.padding_mode, self.generator = check_padding_mode("RandomCrop", padding_mode), generator

    def apply(self, x):
        x = pad("RandomCrop", x, *self.padding, self.fill, self.padding_mode)
        h, w = self.size
        if self.pad_if_needed:
            down, right = max(0, h - x.shape[2]), max(0, w - x.shape[3])
            x = pad("RandomCrop", x, right, down, right, down, self.fill, self.padding_mode)
        rows, columns = x.shape[2] - h + 1, x.shape[3] - w + 1
        if rows < 1 or columns < 1:
            raise ValueError(f"RandomCrop: size {self.size} is larger than the picture with its padding, {x.shape[2:]}; "
                             "pass padding or pad_if_needed=True")
        xp, stream, n = array_module(x), self.stream(x), len(x)
        top, left = stream.integers(0, rows, n), stream.integers(0, columns, n)
        windows = sliding_windows(x, (h, w), (1, 1), (1, 1))  # (N, C, h, w, rows, columns)
        return windows[xp.arange(n), :, :, :, top, left]


class Pad(Transform):
    """A frame of `padding` pixels: a number, a pair (left and right, top and bottom), or (left, top, right, bottom).

    `padding_mode` is "constant" (`fill`, a number or one a channel), "edge" (the last pixel again), "reflect" (mirrored at
    the last pixel) or "symmetric" (mirrored beside it).
    """

    def __init__(self, padding, fill=0, padding_mode="constant"):
        self.padding, self.fill = read_padding("Pad", padding), fill
        self.padding_mode = check_padding_mode("Pad", padding_mode)

    def apply(self, x):
        return pad("Pad", x, *self.padding, self.fill, self.padding_mode)


class RandomHorizontalFlip(Transform):
    """With probability `p`, the picture as in a mirror."""

    def __init__(self, p=0.5, *, generator=None):
        self.p, self.generator = check_p("RandomHorizontalFlip", p), generator

    def apply(self, x):
        return change_some(x, self.p, self.stream(x), lambda some: some[:, :, :, ::-1])


class RandomVerticalFlip(Transform):
    """With probability `p`, the picture upside down, as in water."""

    def __init__(self, p=0.5, *, generator=None):
        self.p, self.generator = check_p("RandomVerticalFlip", p), generator

    def apply(self, x):
        return change_some(x, self.p, self.stream(x), lambda some: some[:, :, ::-1])


class FiveCrop(Transform):
    """A tuple of parts of every picture: the corners (upper left, upper right, lower left, lower right), the middle."""
    takes_batches = False

    def __init__(self, size):
        self.size = read_size(type(self).__name__, size)

    def __call__(self, x):
        pixels, close = opened(type(self).__name__, x)
        return tuple(close(part) for part in self.parts(pixels))

    def parts(self, x):
        """The five parts of x (N, C, H, W)."""
        (h, w), (ch, cw) = x.shape[2:], self.size
        if ch > h or cw > w:
            raise ValueError(f"{type(self).__name__}: size {self.size} is larger than the picture, {(h, w)}")
        corners = [x[:, :, top:top + ch, left:left + cw] for top in (0, h - ch) for left in (0, w - cw)]
        return [*corners, center_crop(type(self).__name__, x, self.size)]


class TenCrop(FiveCrop):
    """The five parts of FiveCrop, and those of the mirrored picture (upside down with `vertical_flip`)."""

    def __init__(self, size, vertical_flip=False):
        super().__init__(size)
        self.vertical_flip = vertical_flip

    def parts(self, x):
        """The ten parts of x (N, C, H, W)."""
        return super().parts(x) + super().parts(x[:, :, ::-1] if self.vertical_flip else x[:, :, :, ::-1])


def read_padding(function, padding):
    """(left, top, right, bottom) of a number, a pair (sides, top and bottom) or all four."""
    parts = (padding,) if isinstance(padding, numbers.Integral) else tuple(padding)
    if len(parts) not in (1, 2, 4) or not all(isinstance(p, (int, np.integer)) for p in parts):
        raise ValueError(f"{function}: padding must be an integer, (left and right, top and bottom) or (left, top, right, "
                         f"bottom), got {padding!r}")
    return tuple(int(p) for p in (parts * 4)[:4])


def check_padding_mode(function, mode):
    if mode not in _PADDING_MODES:
        raise ValueError(f"{function}: padding_mode must be one of {', '.join(_PADDING_MODES)}, got {mode!r}")
    return mode
