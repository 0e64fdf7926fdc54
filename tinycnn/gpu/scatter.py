"""Adding at places that may occur twice, on a GPU, always in the same order."""
import functools

import numpy as np

from ..engine import arrays
from ..engine.arrays import array_module
from .launch import launch, like, serves, threads


def _runs(name, target, index, values, *options):
    """Run a kernel of scatter.cu: target (M,), index and values (N,)."""
    xp = array_module(target)
    index = index.astype(np.int64, copy=False)
    order = index.argsort().astype(np.int64, copy=False)  # CuPy's keeps the order of equal entries
    (values,) = like(target, values)
    launch("scatter", name, xp, target.dtype, threads(order.size), target, index[order], order, values, order.size, *options)


def add_at(target, index, values):
    """target[index] += values, where an index that occurs twice adds twice: target (M,), index and values (N,)."""
    _runs("add_runs", target, index, values)


def extreme_at(target, index, values, largest):
    """target[index] = the largest (or smallest) of itself and of the values for this index."""
    _runs("extreme_runs", target, index, values, largest)


def on_gpu(target, *rest, **options):
    """An array on a GPU."""
    return serves(target)


@arrays.add_at.road(on_gpu)
def _add_by_runs(target, index, values):
    """The values of one place, sorted to stand side by side, are added by one thread."""
    xp = array_module(target)
    whole = target if target.flags.c_contiguous else xp.zeros(target.shape, target.dtype)
    _by_places(add_at, whole, index, values)
    if whole is not target:
        target += whole


@arrays.extreme_at.road(on_gpu)
def _extreme_by_runs(target, index, values, largest):
    """As above; CuPy's own rounds float64 to float32, and overlooks NaN."""
    _by_places(functools.partial(extreme_at, largest=largest), target, index, values)


def _by_places(kernel, target, index, values):
    """Call a kernel that knows flat arrays only: kernel(target, places, values)."""
    xp = array_module(target)
    places = xp.arange(target.size).reshape(target.shape)[index]
    if places.size:
        values = xp.broadcast_to(xp.asarray(values, target.dtype), places.shape)
        kernel(target.reshape(-1), places.reshape(-1), values.reshape(-1))
