"""Where gradients meet, and where they end, without a copy: in memory that nobody else holds.

CPython counts who holds an object. A gradient that only the walk holds may be added to, and become the `grad` of a leaf as
it is. How high the counts then are is measured here, once, in a walk through a graph of three nodes.
"""
import sys

import numpy as np

from ..engine.arrays import is_array
from ..engine.autograd import accumulate, added
from ..engine.formula import takes_roads
from ..engine.function import Function
from ..engine.tensor import wrap
from .workers import large, share


def holders(array):
    """Who holds `array`, and who the array whose memory it shows, as the interpreter counts them from here."""
    base = array.base
    return sys.getrefcount(array), 2 if base is None else sys.getrefcount(base)


class _Copy(Function):
    """y = x.  dx = dy, in fresh memory."""

    @staticmethod
    def forward(ctx, x):
        return x.copy()

    @staticmethod
    def backward(ctx, dy):
        return dy.copy()


class _Sum(Function):
    """z = x + y.  dx = dy = dz."""

    @staticmethod
    def forward(ctx, x, y):
        return x + y

    @staticmethod
    def backward(ctx, dz):
        return dz, dz


def _alone():
    """What `holders` counts, in a road of `added` and in one of `accumulate`, for a gradient that only the walk holds."""
    counts = []

    def count_first(total, gradient):
        counts.append(holders(total)[0])

    def count_second(leaf, gradient):
        counts.append(holders(gradient)[0])
    added.roads.insert(0, (count_first, None))
    accumulate.roads.insert(0, (count_second, None))
    x = wrap(np.zeros(1)).requires_grad_()
    _Sum.apply(_Copy.apply(x), _Copy.apply(x)).backward()
    del added.roads[0], accumulate.roads[0]
    return counts


def dense(array):
    """Whether the elements stand side by side in memory, in whatever order of axes, and no two share a place."""
    if not getattr(array.flags, "writeable", True):  # a broadcast that repeats nothing is dense, yet read-only
        return False
    if array.flags.forc:
        return True
    return array.transpose(sorted(range(array.ndim), key=lambda axis: -array.strides[axis])).flags.c_contiguous


def walk_holds_it(total, gradient):
    """A gradient that only the walk holds, and another to be added to it."""
    if not (is_array(total) and is_array(gradient)):
        return False
    itself, base = holders(total)
    return itself <= ADDED and base <= 2 and dense(total)


def are_large(total, gradient):
    """Two large arrays of one layout."""
    return large(total, gradient)


def walk_holds_all(leaf, gradient):
    """The first gradient of a leaf, which only the walk holds, in one piece."""
    if leaf._grad is not None or not is_array(gradient):
        return False
    itself, base = holders(gradient)
    return itself <= KEPT and base <= 2 and gradient.flags.forc and dense(gradient)


ADDED, KEPT = _alone() if takes_roads() else (0, 0)


@added.road(are_large)
def add_on_all_cores(total, gradient):
    """Each core adds a part."""
    return share(np.add, total, gradient)


@added.road(walk_holds_it)
def add_in_place(total, gradient):
    """In the memory of the first."""
    if large(total, gradient):
        return share(np.add, total, gradient, out=total)
    total += gradient
    return total


@accumulate.road(walk_holds_all)
def keep_as_it_is(leaf, gradient):
    """No copy: the memory becomes the leaf's."""
    leaf._grad = wrap(gradient)
