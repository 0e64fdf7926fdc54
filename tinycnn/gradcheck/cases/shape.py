"""Cases and mutants of `ops/shape.py`."""
from ...ops.shape import Contiguous, Expand, Permute, Reshape
from ..registry import case, mutant, normal

case(Reshape, "one size inferred", [normal(2, 3, 4)], lambda t, x: t.reshape(x, (4, -1)), linear=True)
case(Reshape, "of a transposed matrix", [normal(3, 4)], lambda t, x: x.t().reshape(2, 6), linear=True)
case(Reshape, "view", [normal(2, 6)], lambda t, x: x.view(3, 4), linear=True)
case(Reshape, "flatten some dimensions", [normal(2, 3, 1, 4)], lambda t, x: t.flatten(x, 1, -2), linear=True)
case(Reshape, "unflatten", [normal(2, 6)], lambda t, x: t.unflatten(x, -1, (3, -1)), linear=True)
case(Reshape, "squeeze all", [normal(1, 3, 1)], lambda t, x: x.squeeze(), linear=True)
case(Reshape, "squeeze some", [normal(1, 3, 1)], lambda t, x: x.squeeze((0, 1)), linear=True)
case(Reshape, "unsqueeze at the end", [normal(2, 3)], lambda t, x: x.unsqueeze(-1), linear=True)
case(Reshape, "0-d to a vector", [normal()], lambda t, x: t.flatten(x), linear=True)
case(Reshape, "empty batch", [normal(0, 3, 4)], lambda t, x: x.reshape(0, 12), linear=True)

case(Permute, "three dimensions in a circle", [normal(2, 3, 4)], lambda t, x: x.permute(1, 2, 0), linear=True)
case(Permute, "negative dims", [normal(2, 3, 4)], lambda t, x: t.permute(x, (-1, 0, 1)), linear=True)
case(Permute, "transpose", [normal(2, 3, 4)], lambda t, x: x.transpose(0, -1), linear=True)
case(Permute, "t of a vector", [normal(3)], lambda t, x: t.t(x), linear=True)
case(Permute, "mT", [normal(2, 3, 4)], lambda t, x: x.mT, linear=True)
case(Permute, "movedim", [normal(2, 3, 4, 5)], lambda t, x: t.movedim(x, (0, 2), (-1, 0)), linear=True)
case(Permute, "square, transposed", [normal(3, 3)], lambda t, x: x.T, linear=True)

case(Expand, "size 1 inside", [normal(2, 1, 3)], lambda t, x: x.expand(2, 4, 3), linear=True)
case(Expand, "new dimensions, kept sizes", [normal(1, 3)], lambda t, x: x.expand(2, -1, -1), linear=True)
case(Expand, "0-d", [normal()], lambda t, x: t.broadcast_to(x, (2, 2)), linear=True)
case(Expand, "to nothing", [normal(1, 3)], lambda t, x: x.expand(0, 3), linear=True)
case(Expand, "repeat", [normal(2, 3)], lambda t, x: x.repeat(2, 1, 3), linear=True)
case(Expand, "tile", [normal(2, 3)], lambda t, x: t.tile(x, (2,)), linear=True)
case(Expand, "broadcast_tensors", [normal(2, 1), normal(3)], lambda t, x, y: t.broadcast_tensors(x, y), linear=True)
case(Expand, "meshgrid", [normal(2), normal(3)], lambda t, x, y: t.meshgrid(x, y, indexing="xy"), linear=True)

case(Contiguous, "of a transposed matrix", [normal(3, 4)], lambda t, x: x.t().contiguous(), linear=True)
case(Contiguous, "of a slice with steps", [normal(4, 5)], lambda t, x: x[:, ::2].contiguous(), linear=True)
case(Contiguous, "of an expanded tensor", [normal(1, 3)], lambda t, x: x.expand(2, 3).contiguous(), linear=True)


@mutant(Contiguous, "gradient in column-major order")
def _(backward, ctx, dy):
    return dy.ravel(order="F").reshape(dy.shape)


@mutant(Contiguous, "gradient in reversed order")
def _(backward, ctx, dy):
    return dy.ravel()[::-1].reshape(dy.shape)


@mutant(Contiguous, "wrong sign")
def _(backward, ctx, dy):
    return -dy


@mutant(Reshape, "gradient in column-major order")
def _(backward, ctx, dy):
    return dy.reshape(ctx.shape, order="F")


@mutant(Reshape, "gradient in reversed order")
def _(backward, ctx, dy):
    return backward(ctx, dy.ravel()[::-1])


@mutant(Reshape, "gradient averaged over the batch")
def _(backward, ctx, dy):
    return backward(ctx, dy) / max(dy.shape[0] if dy.ndim else 1, 1)


@mutant(Permute, "gradient not permuted, only reshaped")
def _(backward, ctx, dy):
    return dy.reshape([dy.shape[ctx.dims.index(i)] for i in range(dy.ndim)])


@mutant(Permute, "same permutation instead of the inverse")
def _(backward, ctx, dy):
    wrong, right = dy.transpose(ctx.dims), backward(ctx, dy)
    return wrong if wrong.shape == right.shape else wrong.reshape(right.shape)


@mutant(Permute, "wrong sign")
def _(backward, ctx, dy):
    return -backward(ctx, dy)


@mutant(Expand, "mean instead of sum over the repetitions")
def _(backward, ctx, dy):
    dx = backward(ctx, dy)
    return dx * (dx.size / max(dy.size, 1))


@mutant(Expand, "only the first repetition counts")
def _(backward, ctx, dy):
    extra = dy.ndim - len(ctx.shape)
    first = tuple(slice(0, 1) if i < extra or ctx.shape[i - extra] == 1 else slice(None) for i in range(dy.ndim))
    return dy[first].reshape(ctx.shape) if dy.size else backward(ctx, dy)


@mutant(Expand, "sum over new dimensions forgotten")
def _(backward, ctx, dy):
    extra = dy.ndim - len(ctx.shape)
    return backward(ctx, dy[(0,) * extra] if dy.size else dy)
