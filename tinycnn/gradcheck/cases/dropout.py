"""Cases and mutants of `ops/dropout.py`. The masks are inputs, because the two libraries draw different random numbers."""
import numpy as np

from ...engine.arrays import array_module
from ...ops.dropout import Dropout
from ..registry import booleans, case, constant, mutant, normal

case(Dropout, "elements", [normal(3, 4), booleans(3, 4)], lambda t, x, keep: Dropout.apply(x, keep, scale=2.0),
     torch=lambda t, x, keep: x * keep * 2.0, linear=True)
case(Dropout, "whole channels", [normal(2, 3, 2, 2), booleans(2, 3, 1, 1)],
     lambda t, x, keep: Dropout.apply(x, keep, scale=1.25),
     torch=lambda t, x, keep: x * keep * 1.25, linear=True)
case(Dropout, "everything dropped", [normal(3), constant(np.zeros(3, bool))],
     lambda t, x, keep: Dropout.apply(x, keep, scale=0.0),
     torch=lambda t, x, keep: x * 0.0, linear=True)
case(Dropout, "empty batch", [normal(0, 3), booleans(0, 3)], lambda t, x, keep: Dropout.apply(x, keep, scale=2.0),
     torch=lambda t, x, keep: x * keep * 2.0, linear=True)


@mutant(Dropout, "not rescaled")
def _(backward, ctx, dy):
    (keep,) = ctx.saved_tensors
    return dy * keep, None


@mutant(Dropout, "mask forgotten")
def _(backward, ctx, dy):
    return dy * ctx.scale, None


@mutant(Dropout, "another mask than in the forward pass")
def _(backward, ctx, dy):
    (keep,) = ctx.saved_tensors
    return dy * array_module(keep).flip(keep) * ctx.scale, None


@mutant(Dropout, "the dropped elements get the gradient")
def _(backward, ctx, dy):
    (keep,) = ctx.saved_tensors
    return dy * ~keep * ctx.scale, None
