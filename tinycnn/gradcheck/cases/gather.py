"""Cases and mutants of `ops/gather.py`."""
from ...backend import scatter_add
from ...ops.elementwise import unbroadcast
from ...ops.gather import AddItem, MaskedFill
from ..registry import booleans, case, constant, fixed, integers, mutant, normal

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

case(MaskedFill, "number", [normal(3, 4), booleans(3, 4)], lambda t, x, m: t.masked_fill(x, m, 2.0))
case(MaskedFill, "minus infinity", [normal(3, 4), booleans(4)], lambda t, x, m: t.exp(x.masked_fill(m, float("-inf"))))
case(MaskedFill, "0-d tensor", [normal(3, 4), booleans(3, 1), normal()], lambda t, x, m, v: x.masked_fill(m, v), linear=True)
case(MaskedFill, "broadcast on both sides", [normal(3, 1), booleans(2, 1, 4)], lambda t, x, m: x.masked_fill(m, 0.0),
     linear=True)


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
    scatter_add(count, ctx.saved_tensors, 1)
    return backward(ctx, dy)[0], backward(ctx, dy / count.clip(1))[1]


@mutant(MaskedFill, "mask ignored")
def _(backward, ctx, dy):
    return unbroadcast(dy, ctx.shape), backward(ctx, dy)[1]


@mutant(MaskedFill, "mask the wrong way round")
def _(backward, ctx, dy):
    (mask,) = ctx.saved_tensors
    return unbroadcast(dy * mask, ctx.shape), backward(ctx, dy)[1]


@mutant(MaskedFill, "value gets the mean instead of the sum")
def _(backward, ctx, dy):
    dx, dvalue = backward(ctx, dy)
    return dx, None if dvalue is None else dvalue / dy.size
