"""Cases and mutants of `ops/rearrange.py`."""
from ...ops.rearrange import Cat, Diag, Diagonal, Flip, Roll, Split, Triangle
from ..registry import case, mutant, normal

case(Cat, "rows", [normal(2, 3), normal(1, 3), normal(4, 3)], lambda t, *xs: t.cat(xs), linear=True)
case(Cat, "last dimension", [normal(2, 3), normal(2, 1)], lambda t, *xs: t.cat(xs, dim=-1), linear=True)
case(Cat, "with an empty vector", [normal(0), normal(2, 3)], lambda t, *xs: t.cat(xs, dim=1), linear=True)
case(Cat, "with an empty part", [normal(2, 3), normal(0, 3)], lambda t, *xs: t.cat(xs), linear=True)
case(Cat, "one tensor twice", [normal(2, 3)], lambda t, x: t.cat([x, 2 * x], 1), linear=True)
case(Cat, "stack", [normal(2, 3), normal(2, 3)], lambda t, *xs: t.stack(xs, dim=1), linear=True)
case(Cat, "stack of numbers", [normal(), normal(), normal()], lambda t, *xs: t.stack(xs), linear=True)
case(Cat, "hstack", [normal(2), normal(3)], lambda t, *xs: t.hstack(xs), linear=True)
case(Cat, "vstack", [normal(3), normal(2, 3)], lambda t, *xs: t.vstack(xs), linear=True)

case(Split, "equal and a rest", [normal(7, 2)], lambda t, x: t.split(x, 3), linear=True)
case(Split, "sizes, one of them 0", [normal(2, 6)], lambda t, x: x.split([1, 0, 3, 2], dim=-1), linear=True)
case(Split, "chunk", [normal(5, 2)], lambda t, x: t.chunk(x, 3), linear=True)
case(Split, "one part unused", [normal(4, 3)], lambda t, x: x.chunk(2)[1], linear=True)
case(Split, "unbind", [normal(2, 3, 2)], lambda t, x: t.unbind(x, 1), linear=True)
case(Split, "empty", [normal(0, 3)], lambda t, x: x.chunk(2), linear=True)

case(Flip, "one dimension", [normal(3, 4)], lambda t, x: x.flip(0), linear=True)
case(Flip, "several", [normal(2, 3, 4)], lambda t, x: t.flip(x, (0, -1)), linear=True)
case(Flip, "rot90", [normal(3, 4)], lambda t, x: t.rot90(x, -1, (1, 0)), linear=True)

case(Roll, "one dimension", [normal(5, 2)], lambda t, x: t.roll(x, 2, 0), linear=True)
case(Roll, "several, backwards", [normal(4, 5)], lambda t, x: x.roll((-1, 7), (0, -1)), linear=True)
case(Roll, "flat", [normal(3, 4)], lambda t, x: t.roll(x, 1), linear=True)
case(Roll, "empty", [normal(0, 3)], lambda t, x: t.roll(x, 1, 0), linear=True)

case(Triangle, "lower", [normal(4, 3)], lambda t, x: t.tril(x), linear=True)
case(Triangle, "lower with one diagonal more", [normal(2, 3, 4)], lambda t, x: x.tril(1), linear=True)
case(Triangle, "upper", [normal(2, 3, 4)], lambda t, x: t.triu(x), linear=True)
case(Triangle, "upper with one diagonal more", [normal(4, 4)], lambda t, x: x.triu(diagonal=-1), linear=True)

case(Diagonal, "main", [normal(3, 4)], lambda t, x: t.diagonal(x), linear=True)
case(Diagonal, "below", [normal(4, 3)], lambda t, x: t.diagonal(x, -1), linear=True)
case(Diagonal, "above, of a batch", [normal(3, 2, 4)], lambda t, x: x.diagonal(1, -1, 0), linear=True)
case(Diagonal, "diag", [normal(3, 3)], lambda t, x: t.diag(x, 2), linear=True)
case(Diagonal, "outside", [normal(3, 3)], lambda t, x: t.diagonal(x, 5), linear=True)

case(Diag, "main", [normal(3)], lambda t, x: t.diag(x), linear=True)
case(Diag, "above", [normal(3)], lambda t, x: t.diag(x, 1), linear=True)
case(Diag, "below", [normal(3)], lambda t, x: t.diag(x, -2), linear=True)


@mutant(Cat, "every input gets the front of dy")
def _(backward, ctx, dy):
    dim = len(ctx.parts[0]) - 1
    return [dy[(slice(None),) * dim + (slice(0, g.shape[dim]),)] for g in backward(ctx, dy)]


@mutant(Cat, "last input forgotten")
def _(backward, ctx, dy):
    *first, last = backward(ctx, dy)
    return [*first, last * 0]


@mutant(Cat, "gradient divided among the inputs")
def _(backward, ctx, dy):
    return [g / len(ctx.parts) for g in backward(ctx, dy)]


@mutant(Split, "parts joined in reversed order")
def _(backward, ctx, *dys):
    return backward(ctx, *reversed(dys))


@mutant(Split, "only the first part has a gradient")
def _(backward, ctx, *dys):
    return backward(ctx, dys[0], *(d * 0 for d in dys[1:]))


@mutant(Split, "mean over the parts")
def _(backward, ctx, *dys):
    return backward(ctx, *dys) / len(dys)


@mutant(Flip, "not flipped back")
def _(backward, ctx, dy):
    return dy


@mutant(Flip, "flipped along all dimensions")
def _(backward, ctx, dy):
    return dy[(slice(None, None, -1),) * dy.ndim]


@mutant(Flip, "wrong sign")
def _(backward, ctx, dy):
    return -backward(ctx, dy)


@mutant(Roll, "rolled on instead of back")
def _(backward, ctx, dy):
    return backward(ctx, backward(ctx, dy)[::-1])[::-1] if dy.size else dy


@mutant(Roll, "not rolled back")
def _(backward, ctx, dy):
    return dy


@mutant(Roll, "what went around the edge has no gradient")
def _(backward, ctx, dy):
    dx = backward(ctx, dy).copy()
    dx[-1:] = 0
    return dx


@mutant(Triangle, "other triangle")
def _(backward, ctx, dy):
    return dy - backward(ctx, dy)


@mutant(Triangle, "gradient of the whole matrix")
def _(backward, ctx, dy):
    return dy


@mutant(Triangle, "wrong sign")
def _(backward, ctx, dy):
    return -backward(ctx, dy)


@mutant(Diagonal, "always on the main diagonal")
def _(backward, ctx, dy):
    ctx.k = 0
    return backward(ctx, dy)


@mutant(Diagonal, "rows and columns exchanged")
def _(backward, ctx, dy):
    if ctx.shape[ctx.dims[0]] == ctx.shape[ctx.dims[1]]:
        ctx.k = -ctx.k
    return backward(ctx, dy) * (1 if ctx.k else -1)


@mutant(Diagonal, "half the gradient, as if the matrix were symmetric")
def _(backward, ctx, dy):
    return backward(ctx, dy) / 2


@mutant(Diag, "always the main diagonal")
def _(backward, ctx, dy):
    return dy.diagonal()[:dy.shape[0] - abs(ctx.k)]


@mutant(Diag, "diagonal on the other side")
def _(backward, ctx, dy):
    return dy.diagonal(-ctx.k)


@mutant(Diag, "sum over the row instead of the diagonal entry")
def _(backward, ctx, dy):
    return dy.sum(1)[:dy.shape[0] - abs(ctx.k)]
