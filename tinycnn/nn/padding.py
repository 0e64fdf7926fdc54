"""Padding layers.

`padding` is a width for all sides, or (left, right) of the last dimension, then of the one before, and so on, as in `F.pad`.
Negative widths cut off.
"""
from . import functional as F
from .arguments import integers
from .module import Module


class _Pad(Module):
    """What all share: `padding`, the number of spatial `dimensions`, and the `mode` of `F.pad`."""
    dimensions = 0
    mode = "constant"

    def __init__(self, padding):
        super().__init__()
        self.padding = integers(type(self).__name__, "padding", padding, 2 * self.dimensions)

    def forward(self, input):
        return F.pad(input, self.padding, mode=self.mode)

    def extra_repr(self):
        return str(self.padding)


class _ConstantPad(_Pad):
    def __init__(self, padding, value):
        super().__init__(padding)
        self.value = value

    def forward(self, input):
        return F.pad(input, self.padding, value=self.value)

    def extra_repr(self):
        return f"padding={self.padding}, value={self.value}"


class ConstantPad1d(_ConstantPad):
    """x (..., L) with `value` around it."""
    dimensions = 1


class ConstantPad2d(_ConstantPad):
    """x (..., H, W) with `value` around it."""
    dimensions = 2


class ConstantPad3d(_ConstantPad):
    """x (..., D, H, W) with `value` around it."""
    dimensions = 3


class ZeroPad1d(_Pad):
    """x (..., L) with zeros around it."""
    dimensions = 1


class ZeroPad2d(_Pad):
    """x (..., H, W) with zeros around it."""
    dimensions = 2


class ZeroPad3d(_Pad):
    """x (..., D, H, W) with zeros around it."""
    dimensions = 3


class ReflectionPad1d(_Pad):
    """x (N, C, L) or (C, L) mirrored at its border elements: a b c becomes b a b c b."""
    dimensions, mode = 1, "reflect"


class ReflectionPad2d(_Pad):
    """x (N, C, H, W) or (C, H, W) mirrored at its border elements, which stay single."""
    dimensions, mode = 2, "reflect"


class ReflectionPad3d(_Pad):
    """x (N, C, D, H, W) or (C, D, H, W) mirrored at its border elements, which stay single."""
    dimensions, mode = 3, "reflect"


class ReplicationPad1d(_Pad):
    """x (N, C, L) or (C, L) with its border elements repeated."""
    dimensions, mode = 1, "replicate"


class ReplicationPad2d(_Pad):
    """x (N, C, H, W) or (C, H, W) with its border elements repeated."""
    dimensions, mode = 2, "replicate"


class ReplicationPad3d(_Pad):
    """x (N, C, D, H, W) or (C, D, H, W) with its border elements repeated."""
    dimensions, mode = 3, "replicate"


class CircularPad1d(_Pad):
    """x (N, C, L) or (C, L) continued from its other end."""
    dimensions, mode = 1, "circular"


class CircularPad2d(_Pad):
    """x (N, C, H, W) or (C, H, W) continued from its other side."""
    dimensions, mode = 2, "circular"


class CircularPad3d(_Pad):
    """x (N, C, D, H, W) or (C, D, H, W) continued from its other side."""
    dimensions, mode = 3, "circular"
