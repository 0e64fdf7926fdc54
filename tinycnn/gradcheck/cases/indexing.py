"""Cases and mutants of `ops/indexing.py`."""
from ...engine.arrays import add_at
from ...ops.indexing import AddItem, GetItem, SetItem
from ..registry import booleans, case, constant, fixed, integers, mutant, normal

case(GetItem, "integer", [normal(3, 4)], lambda t, x: x[-1], linear=True)
case(GetItem, "all integers", [normal(3, 4)], lambda t, x: x[1, 2], linear=True)
case(GetItem, "slices with steps", [normal(5, 6)], lambda t, x: x[1::2, :-1:3], linear=True)
case(GetItem, "dots and None", [normal(2, 3, 4)], lambda t, x: x[..., None, 1:2], linear=True)
case(GetItem, "empty slice", [normal(3, 4)], lambda t, x: x[3:], linear=True)
case(GetItem, "vector of integers with repetitions", [normal(3, 2)], lambda t, x: x[[0, 2, 0, -1]], linear=True)
case(GetItem, "tensor of integers", [normal(4, 2), integers(-4, 4, 3, 2)], lambda t, x, i: x[i], linear=True)
case(GetItem, "pairs of positions", [normal(3, 4), integers(0, 3, 5), integers(0, 4, 5)], lambda t, x, i, j: x[i, j],
     linear=True)
case(GetItem, "integers around a slice", [normal(2, 3, 4), integers(0, 2, 3), integers(0, 4, 3)],
     lambda t, x, i, j: x[i, :, j], linear=True)
case(GetItem, "integer, slice and tensor", [normal(2, 3, 4), integers(0, 4, 5)], lambda t, x, i: x[0, :, i], linear=True)
case(GetItem, "tensor that broadcasts", [normal(3, 4), integers(0, 3, 2, 1), integers(0, 4, 3)],
     lambda t, x, i, j: x[i, j], linear=True)
case(GetItem, "mask", [normal(3, 4), booleans(3, 4)], lambda t, x, m: x[m], linear=True)
case(GetItem, "mask of one dimension after a slice", [normal(3, 4), booleans(4)], lambda t, x, m: x[1:, m], linear=True)
case(GetItem, "mask and integers", [normal(2, 3, 4), constant([True, True]), integers(0, 4, 2)],
     lambda t, x, m, i: x[m, 1, i], linear=True)
case(GetItem, "nothing chosen", [normal(3, 4), integers(0, 3, 0)], lambda t, x, i: x[i], linear=True)
case(GetItem, "narrow", [normal(3, 5)], lambda t, x: t.narrow(x, -1, 1, 3), linear=True)
case(GetItem, "select", [normal(3, 5)], lambda t, x: t.select(x, 1, -2), linear=True)
case(GetItem, "gather", [normal(3, 4), integers(0, 4, 2, 6)], lambda t, x, i: t.gather(x, 1, i), linear=True)
case(GetItem, "gather along the first of three", [normal(3, 2, 4), integers(0, 3, 5, 2, 3)], lambda t, x, i: x.gather(0, i),
     linear=True)
case(GetItem, "index_select", [normal(2, 3, 4), integers(0, 3, 5)], lambda t, x, i: x.index_select(1, i), linear=True)
case(GetItem, "take_along_dim", [normal(3, 1, 4), integers(0, 4, 2, 5)], lambda t, x, i: t.take_along_dim(x, i[None], 2),
     linear=True)
case(GetItem, "take", [normal(3, 4), integers(-12, 12, 2, 3)], lambda t, x, i: t.take(x, i), linear=True)
case(GetItem, "masked_select", [normal(3, 1), booleans(4)], lambda t, x, m: t.masked_select(x, m), linear=True)
case(GetItem, "repeat_interleave", [normal(2, 3), constant([2, 0, 3])], lambda t, x, n: t.repeat_interleave(x, n, 1),
     linear=True)
case(GetItem, "sort", [normal(3, 5)], lambda t, x: t.sort(x, 0, descending=True).values)
case(GetItem, "topk", [normal(3, 5)], lambda t, x: t.topk(x, 2).values)


def _write(*index):
    """A call that writes v into a copy of x."""
    def call(t, x, v, *positions):
        y = x * 1
        y[(*index, *positions)] = v
        return y
    return call


case(SetItem, "slice", [normal(4, 5), normal(2, 5)], _write(slice(1, 3)), linear=True)
case(SetItem, "one element", [normal(3, 4), normal()], _write(1, -1), linear=True)
case(SetItem, "broadcast value", [normal(2, 3, 4), normal(3, 1)], _write(..., slice(0, 4, 2)), linear=True)
case(SetItem, "value with leading ones", [normal(2, 3), normal(1, 1, 3)], _write(0), linear=True)
case(SetItem, "constant value", [normal(3, 4), fixed(normal(4))], _write(0))
case(SetItem, "into a constant", [fixed(normal(3, 4)), normal(4)], _write(0))
case(SetItem, "rows", [normal(5, 2), normal(3, 2), constant([4, 0, 2])], _write(), linear=True)
case(SetItem, "pairs of positions", [normal(3, 4), normal(2), constant([0, 2]), constant([3, 3])], _write(), linear=True)
case(SetItem, "mask", [normal(3, 4), normal(), booleans(3, 4)], _write(), linear=True)
case(SetItem, "mask after an integer", [normal(3, 4), normal(2), constant([True, False, False, True])], _write(1),
     linear=True)
case(SetItem, "scatter", [normal(3, 4), constant([[0, 2, 1], [3, 0, 2]]), normal(2, 3)],
     lambda t, x, i, v: t.scatter(x, 1, i, v), linear=True)
case(SetItem, "scatter from a larger source", [normal(3, 4), constant([[2, 0, 1]]), normal(2, 5)],
     lambda t, x, i, v: x.scatter(0, i, v), torch=lambda t, x, i, v: x.scatter(0, i, v[:1, :3]), linear=True)
case(SetItem, "scatter a number", [normal(3, 4), integers(0, 4, 3, 1)], lambda t, x, i: x.scatter(1, i, 2.0))

case(AddItem, "scatter_add", [normal(3, 4), integers(0, 3, 5, 4), normal(5, 4)],
     lambda t, x, i, v: t.scatter_add(x, 0, i, v), linear=True)
case(AddItem, "scatter_add, index smaller than both", [normal(3, 4), integers(0, 4, 2, 3), normal(3, 5)],
     lambda t, x, i, v: x.scatter_add(-1, i, v), torch=lambda t, x, i, v: x.scatter_add(-1, i, v[:2, :3]), linear=True)
case(AddItem, "scatter_add into zeros", [fixed(normal(2, 3)), integers(0, 3, 2, 4), normal(2, 4)],
     lambda t, x, i, v: x.scatter_add(1, i, v))
case(AddItem, "index_add", [normal(3, 4), integers(0, 3, 5), normal(5, 4)], lambda t, x, i, v: t.index_add(x, 0, i, v),
     linear=True)
case(AddItem, "index_add with alpha", [normal(2, 3, 2), constant([1, 1]), normal(2, 2, 2)],
     lambda t, x, i, v: x.index_add(1, i, v, alpha=-2.0), linear=True)
case(AddItem, "nothing to add", [normal(3, 4), integers(0, 3, 0), normal(0, 4)], lambda t, x, i, v: x.index_add(0, i, v),
     linear=True)


@mutant(GetItem, "a position that is chosen twice gets one gradient")
def _(backward, ctx, dy):
    dx = backward(ctx, dy * 0)
    dx[ctx.basic][ctx.saved_tensors or ...] = dy
    return dx


@mutant(GetItem, "mean instead of sum over repeated positions")
def _(backward, ctx, dy):
    return backward(ctx, dy) / backward(ctx, dy * 0 + 1).clip(1)


@mutant(GetItem, "one position too far")
def _(backward, ctx, dy):
    dx = backward(ctx, dy).ravel()
    return dx[list(range(1, dx.size)) + [0] * (dx.size > 0)].reshape(ctx.shape)


@mutant(GetItem, "gradient not zero where nothing was chosen")
def _(backward, ctx, dy):
    return backward(ctx, dy) + (backward(ctx, dy * 0 + 1) == 0)


@mutant(SetItem, "overwritten entries keep their gradient")
def _(backward, ctx, dy):
    return dy, backward(ctx, dy)[1]


@mutant(SetItem, "written values forgotten")
def _(backward, ctx, dy):
    dx, dvalue = backward(ctx, dy)
    return dx, None if dvalue is None else dvalue * 0


@mutant(SetItem, "mean instead of sum where the value was broadcast")
def _(backward, ctx, dy):
    dx, dvalue = backward(ctx, dy)
    return dx, None if dvalue is None else dvalue / max(dy[ctx.basic][ctx.saved_tensors or ...].size / dvalue.size, 1)


@mutant(SetItem, "nothing but the written part has a gradient")
def _(backward, ctx, dy):
    dx, dvalue = backward(ctx, dy)
    return None if dx is None else dx * 0, dvalue


@mutant(AddItem, "one position too far")
def _(backward, ctx, dy):
    return dy, backward(ctx, dy[..., list(range(1, dy.shape[-1])) + [0]])[1]


@mutant(AddItem, "target has no gradient where something was added")
def _(backward, ctx, dy):
    dx = dy.copy()
    dx[ctx.saved_tensors] = 0
    return dx, backward(ctx, dy)[1]


@mutant(AddItem, "gradient divided among what meets in one place")
def _(backward, ctx, dy):
    count = dy * 0
    add_at(count, ctx.saved_tensors, 1)
    return backward(ctx, dy)[0], backward(ctx, dy / count.clip(1))[1]
