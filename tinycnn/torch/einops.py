"""Einops on our tensors: `from tinycnn.einops import rearrange, Rearrange` in place of einops and its layers.

Needs einops (pip install einops). It knows its libraries by subclasses of AbstractBackend; importing this file adds ours, so
that the functions of einops itself take our tensors from then on, too.
"""
from einops import EinopsError, asnumpy, einsum, pack, parse_shape, rearrange, reduce, repeat, unpack
from einops._backends import AbstractBackend
from einops.layers import RearrangeMixin, ReduceMixin

from .nn import Module
from .ops.creation import arange
from .ops.matmul import einsum as sum_of_products
from .ops.rearrange import cat, stack
from .engine.construct import from_numpy
from .engine.tensor import Tensor

__all__ = ["EinopsError", "Rearrange", "Reduce", "asnumpy", "einsum", "pack", "parse_shape", "rearrange", "reduce", "repeat",
           "unpack"]


class _Backend(AbstractBackend):
    """What einops asks a library for, said in our operations."""
    framework_name = "tinycnn"

    def is_appropriate_type(self, tensor):
        return isinstance(tensor, Tensor)

    def from_numpy(self, x):
        return from_numpy(x)

    def to_numpy(self, x):
        return x.detach().cpu().numpy()

    def arange(self, start, stop):
        return arange(start, stop)

    def transpose(self, x, axes):
        return x.permute(axes)

    def reduce(self, x, operation, axes):
        if operation not in ("any", "all", "prod"):
            return getattr(x, {"min": "amin", "max": "amax"}.get(operation, operation))(dim=axes)
        for axis in sorted(axes, reverse=True):  # these take one dimension at a time
            x = getattr(x, operation)(dim=axis)
        return x

    def stack_on_zeroth_dimension(self, tensors):
        return stack(tensors)

    def add_axis(self, x, new_position):
        return x.unsqueeze(new_position)

    def tile(self, x, repeats):
        return x.repeat(repeats)

    def concat(self, tensors, axis):
        return cat(tensors, axis)

    def is_float_type(self, x):
        return x.is_floating_point()

    def einsum(self, pattern, *x):
        return sum_of_products(pattern, *x)


class Rearrange(RearrangeMixin, Module):
    """`rearrange` with one pattern as a module: Rearrange("b c h w -> b (c h w)")."""

    def forward(self, input):
        return self._apply_recipe(input)


class Reduce(ReduceMixin, Module):
    """`reduce` with one pattern as a module: Reduce("b c h w -> b c", "mean")."""

    def forward(self, input):
        return self._apply_recipe(input)
