"""How reading and writing chosen places is said in ONNX; see `operations.py`.

To write, every place of a tensor gets its number: 0, 1, 2, ... in the order of memory. The index that chooses elements of
the tensor chooses numbers from a tensor of these; ScatterElements then writes to them in the tensor made flat.
"""
import math

import numpy as np

from .operations import slices, translates
from .recording import Value


# ---- reading ---------------------------------------------------------------------------------------------------------

@translates("GetItem")
def get_item(g, use, basic):
    if any(isinstance(a, Value) and a.dtype == np.dtype(bool) for a in use.arguments[1:]):
        raise use.refusal("an index by a mask has a size that depends on numbers")
    return g.emit("Identity", part(g, use, use.name(0), basic, first=1))


def part(g, use, x, basic, first):
    """The name of x[basic][advanced], where `advanced` are the arguments of the Function from `first` on."""
    parts, dropped, added, axis, new = {}, [], [], 0, 0
    for item in basic if isinstance(basic, tuple) else ():
        if item is None:
            added.append(new)
        elif isinstance(item, slice):
            if item != slice(None):
                parts[axis] = (item.start or 0, 2**62 if item.stop is None else item.stop, item.step or 1)
            axis += 1
        elif item is not Ellipsis:
            parts[axis] = (item, item + 1 or 2**62, 1)
            dropped.append(axis)
            axis += 1
        new += item is None or isinstance(item, slice)
    x = slices(g, x, parts)
    x = g.emit("Squeeze", x, g.whole(*dropped)) if dropped else x
    x = g.emit("Unsqueeze", x, g.whole(*added)) if added else x
    return _gathered(g, use, x, np.broadcast_to(0, use.shape(0))[basic].ndim, first) if len(use.arguments) > first else x


def _gathered(g, use, x, ndim, first):
    """The name of x[advanced], of `ndim` dimensions, where `advanced` are the arguments from `first` on."""
    mask = use.arguments[first]
    if isinstance(mask, Value) and mask.dtype == np.dtype(bool) and len(use.arguments) == first + 1:
        return _masked(g, use, x, first)
    axes, names, sizes = _choices(g, use, first)
    if len(axes) == 1:
        return g.emit("Gather", x, names[0], axis=axes[0])
    others = [a for a in range(ndim) if a not in axes]
    if axes != [*range(len(axes))]:  # as NumPy does: what was chosen comes first, unless its axes are neighbours
        x = g.emit("Transpose", x, perm=axes + others)
    shape = g.shape(sizes, infer=False)
    places = [g.emit("Unsqueeze", g.emit("Expand", name, shape), g.whole(-1)) for name in names]
    y = g.emit("GatherND", x, g.emit("Concat", *places, axis=-1))
    before, n = axes[0], len(sizes)
    if before and axes == [*range(before, before + len(axes))]:
        y = g.emit("Transpose", y, perm=[*range(n, n + before), *range(n), *range(n + before, n + len(others))])
    return y


def _choices(g, use, first):
    """The axes at which the arguments from `first` on choose, the names of what they choose there, and the common sizes."""
    axes, names, shapes, axis = [], [], [], 0
    for a, b in zip(use.arguments[first:], use.second.arguments[first:]):
        if isinstance(a, slice):
            axis += 1
            continue
        mask = a.dtype == np.dtype(bool)
        if mask and isinstance(a, Value):
            raise use.refusal("an index by a mask that depends on the inputs stands alone, and first")
        for m, n in zip(np.nonzero(a), np.nonzero(b)) if mask else [(a, b)]:
            axes.append(axis)
            names.append(g.argument(m, n))
            shapes.append((m.shape, n.shape))
            axis += 1
    return axes, names, [*zip(*(np.broadcast_shapes(*each) for each in zip(*shapes)))]


def _masked(g, use, x, i):
    """The name of x[mask], of as many slices as the mask has places that are true."""
    flat = g.emit("Concat", g.whole(-1), g.emit("Shape", x, start=len(use.shape(i))), axis=0)
    return g.emit("Compress", g.emit("Reshape", x, flat), g.emit("Reshape", use.name(i), g.whole(-1)), axis=0)


# ---- writing ---------------------------------------------------------------------------------------------------------

@translates("SetItem", "AddItem")
def set_item(g, use, basic):
    return _write(g, use, use.name(0), _places(g, use, basic), use.name(1), "none" if use.function == "SetItem" else "add")


@translates("ScatterExtreme")
def scatter_extreme(g, use, largest, include_self):
    return _scatter(g, use, include_self, -math.inf if largest else math.inf, "max" if largest else "min")


@translates("ScatterProduct")
def scatter_product(g, use, include_self):
    return _scatter(g, use, include_self, 1, "mul")


def _scatter(g, use, include_self, neutral, reduction):
    """The name of x with its second argument brought to the places that the others name; `neutral` there before."""
    places = _places(g, use, ...)
    x = use.name(0) if include_self else _write(g, use, use.name(0), places, use.number(neutral), "none")
    return _write(g, use, x, places, use.name(1), reduction)


def _places(g, use, basic):
    """The name of the numbers of the places that an index chooses, which follows x and a value among the arguments."""
    x = use.name(0)
    count = g.emit("Range", g.constant(0, np.int64), g.emit("Size", x), g.constant(1, np.int64))
    return part(g, use, g.emit("Reshape", count, g.emit("Shape", x)), basic, first=2)


def _write(g, use, x, places, value, reduction):
    """The name of `x` with `value`, which broadcasts, at `places`."""
    value = g.emit("Expand", value, g.emit("Shape", places))
    flat = [g.emit("Reshape", name, g.whole(-1)) for name in (x, places, value)]
    return g.emit("Reshape", g.emit("ScatterElements", *flat, axis=0, reduction=reduction), g.emit("Shape", use.name(0)))


@translates("MaxUnpool")
def max_unpool(g, use, size):
    planes = use.sizes[:2]
    wide = [(math.prod(size),) * 2]
    x, places = (g.emit("Reshape", use.name(i), g.emit("Concat", g.shape(planes, infer=False), g.whole(-1), axis=0))
                 for i in (0, 1))
    zeros = g.emit("Expand", use.number(0), g.shape(planes + wide, infer=False))
    return g.emit("Reshape", g.emit("ScatterElements", zeros, places, x, axis=2), g.shape(use.sizes))


@translates("Diag")
def diag(g, use, k):
    column = g.emit("Unsqueeze", use.name(0), g.whole(1))
    if use.changes:
        raise use.refusal("a matrix of the size of the batch cannot follow it")
    n = use.x.shape[0]
    rows = g.emit("Mul", column, g.constant(np.eye(n), use.x.dtype))
    return g.emit("Pad", rows, g.whole(max(-k, 0), max(k, 0), max(k, 0), max(-k, 0)), use.number(0))


@translates("Diagonal")
def diagonal(g, use, k, dim1, dim2):
    ndim, n = len(use.x.shape), use.result.shape[-1]
    dim1, dim2 = dim1 % ndim, dim2 % ndim
    if use.sizes[-1][1] != n:
        raise use.refusal("a diagonal through the batch cannot follow its size")
    others = [a for a in range(ndim) if a not in (dim1, dim2)]
    x = g.emit("Transpose", use.name(0), perm=[dim1, dim2, *others])
    places = np.arange(n)[:, None] + [max(-k, 0), max(k, 0)]
    y = g.emit("GatherND", x, g.constant(places, np.int64))
    return g.emit("Transpose", y, perm=[*range(1, ndim - 1), 0])
