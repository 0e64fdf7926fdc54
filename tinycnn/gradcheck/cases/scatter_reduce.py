"""Cases and mutants of `ops/scatter_reduce.py`."""
from ...ops.scatter_reduce import ScatterExtreme, ScatterProduct
from ..registry import case, constant, distinct, integers, mutant, tied

_X, _SRC, _INDEX = distinct(3, 4), constant([[0.62, -0.93, 1.12, -0.33], [-0.71, 0.43, 0.18, 0.77]]), integers(0, 3, 2, 4)

for _reduce in ("amax", "amin"):
    for _self in (True, False):
        case(ScatterExtreme, f"{_reduce}, " + ("with" if _self else "without") + " what was there", [_X, _SRC, _INDEX],
             lambda t, x, src, index, reduce=_reduce, self=_self: x.scatter_reduce(0, index, src, reduce, include_self=self))
case(ScatterExtreme, "all to one place", [distinct(2, 3), distinct(2, 5), constant([[1, 1, 1, 1, 1], [0, 0, 0, 0, 0]])],
     lambda t, x, src, index: t.scatter_reduce(x * 0.3, -1, index, src, "amax"))
case(ScatterExtreme, "along the middle", [distinct(2, 3, 2), distinct(2, 4, 2), integers(0, 3, 2, 4, 2)],
     lambda t, x, src, index: x.scatter_reduce(1, index, src * 1.07, "amin"))
case(ScatterExtreme, "ties", [tied(3, 4), tied(5, 4), integers(0, 3, 5, 4)],
     lambda t, x, src, index: x.scatter_reduce(0, index, src, "amax"), kinks=True)
case(ScatterExtreme, "nothing arrives", [_X, distinct(0, 4), integers(0, 3, 0, 4)],
     lambda t, x, src, index: x.scatter_reduce(0, index, src, "amax"))


for _self in (True, False):
    case(ScatterProduct, ("with" if _self else "without") + " what was there", [_X, _SRC, _INDEX],
         lambda t, x, src, index, self=_self: x.scatter_reduce(0, index, src, "prod", include_self=self))
    case(ScatterProduct, "one 0 and two, " + ("with" if _self else "without") + " what was there",
         [constant([2.0, 0.0, 3.0, 0.0]), constant([0.0, 4.0, 5.0, 0.0, 0.0, 7.0]), constant([0, 0, 1, 2, 2, 3])],
         lambda t, x, src, index, self=_self: x.scatter_reduce(0, index, src, "prod", include_self=self))
case(ScatterProduct, "all to one place", [distinct(2, 3), distinct(2, 5), constant([[1, 1, 1, 1, 1], [0, 0, 0, 0, 0]])],
     lambda t, x, src, index: t.scatter_reduce(x, -1, index, src * 9, "prod"))
case(ScatterProduct, "nothing arrives", [_X, distinct(0, 4), integers(0, 3, 0, 4)],
     lambda t, x, src, index: x.scatter_reduce(0, index, src, "prod"))


@mutant(ScatterProduct, "the factor itself not left out")
def _(backward, ctx, dy):
    x, src, *_ = ctx.saved_tensors
    dx, dsrc = backward(ctx, dy)
    return dx * x, dsrc * src


@mutant(ScatterProduct, "slope 1, as of a sum")
def _(backward, ctx, dy):
    dx, dsrc = backward(ctx, dy)
    return dy + 0 * dx, dy[tuple(ctx.saved_tensors[2:])] + 0 * dsrc


@mutant(ScatterProduct, "what was there has no influence")
def _(backward, ctx, dy):
    dx, dsrc = backward(ctx, dy)
    return dx * 0, dsrc


@mutant(ScatterExtreme, "every winner receives all")
def _(backward, ctx, dy):
    x, src, y, *index = ctx.saved_tensors
    return dy * (x == y), dy[tuple(index)] * (src == y[tuple(index)])


@mutant(ScatterExtreme, "all that arrives has a share")
def _(backward, ctx, dy):
    dx, dsrc = backward(ctx, dy)
    return dx, dy[tuple(ctx.saved_tensors[3:])] + 0 * dsrc


@mutant(ScatterExtreme, "what was there has all of the gradient")
def _(backward, ctx, dy):
    dx, dsrc = backward(ctx, dy)
    return dy + 0, dsrc
