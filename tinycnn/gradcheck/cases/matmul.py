"""Cases and mutants of `ops/matmul.py`."""
from ...ops.matmul import Einsum, Linear, MatMul
from ..registry import case, mutant, normal


def _matmul(name, *shapes):
    case(MatMul, name, [normal(*shape) for shape in shapes], lambda t, x, y: x @ y)


_matmul("matrices", (2, 3), (3, 4))
_matmul("square", (3, 3), (3, 3))
_matmul("two vectors", (3,), (3,))
_matmul("vector and matrix", (3,), (3, 2))
_matmul("matrix and vector", (2, 3), (3,))
_matmul("vector and batch", (3,), (2, 3, 4))
_matmul("batch and vector", (2, 4, 3), (3,))
_matmul("batch and matrix", (2, 5, 3), (3, 4))
_matmul("matrix and batch", (5, 3), (2, 3, 4))
_matmul("batches", (2, 3, 4), (2, 4, 5))
_matmul("batches that broadcast", (2, 1, 3, 4), (5, 4, 2))
_matmul("size 1", (1, 1), (1, 1))
_matmul("empty batch", (0, 2, 3), (3, 4))
_matmul("empty sum", (2, 0), (0, 3))
case(MatMul, "transposed operand", [normal(3, 2), normal(4, 3)], lambda t, x, y: x.T @ y.mT)
case(MatMul, "with itself", [normal(3, 3)], lambda t, x: t.matmul(x, x))
case(MatMul, "mm", [normal(2, 3), normal(3, 1)], lambda t, x, y: t.mm(x, y))
case(MatMul, "bmm", [normal(2, 3, 1), normal(2, 1, 2)], lambda t, x, y: t.bmm(x, y))
case(MatMul, "mv", [normal(2, 3), normal(3)], lambda t, x, y: t.mv(x, y))
case(MatMul, "dot", [normal(4), normal(4)], lambda t, x, y: x.dot(y))
case(MatMul, "addmm", [normal(4), normal(2, 3), normal(3, 4)], lambda t, b, x, y: t.addmm(b, x, y, beta=0.5, alpha=-2))
case(MatMul, "baddbmm", [normal(2, 3, 2), normal(2, 3, 4), normal(2, 4, 2)], lambda t, b, x, y: t.baddbmm(b, x, y))


def _linear(name, *shapes):
    case(Linear, name, [normal(*shape) for shape in shapes], lambda t, *args: t.nn.functional.linear(*args))


_linear("batch", (4, 3), (2, 3), (2,))
_linear("without bias", (4, 3), (2, 3))
_linear("several batch dimensions", (2, 3, 4), (5, 4), (5,))
_linear("one row", (3,), (2, 3), (2,))
_linear("size 1", (1, 1), (1, 1), (1,))
_linear("square", (3, 3), (3, 3), (3,))
_linear("empty batch", (0, 3), (2, 3), (2,))
_linear("weight vector", (4, 3), (3,))


def _einsum(equation, *shapes, name=None):
    case(Einsum, name or equation, [normal(*shape) for shape in shapes], lambda t, *xs: t.einsum(equation, *xs),
         linear=len(shapes) == 1)


_einsum("ij,jk->ik", (2, 3), (3, 4))
_einsum("ij,jk", (2, 3), (3, 4), name="output left out")
_einsum("ba", (2, 3), name="output left out, transposed by the alphabet")
_einsum("bij,bkj->bki", (2, 3, 4), (2, 5, 4))
_einsum("bhqd,bhkd->bhqk", (2, 1, 3, 4), (2, 1, 5, 4))
_einsum("i,j->ij", (2,), (3,))
_einsum("ij,ij->ij", (2, 3), (2, 3))
_einsum("ij,ij->", (2, 3), (2, 3))
_einsum("ij->j", (2, 3))
_einsum("ij->", (2, 3))
_einsum("ijk->kij", (2, 3, 4))
_einsum("ij,k->k", (2, 3), (4,), name="indices that only one operand has")
_einsum("ii->i", (3, 3))
_einsum("ii", (3, 3), name="trace")
_einsum("iji,j->i", (2, 3, 2), (3,), name="diagonal in a product")
_einsum("...ij,...jk->...ik", (2, 3, 4), (5, 1, 4, 2), name="dots that broadcast")
_einsum("i...,i->...", (3, 2, 4), (3,), name="dots in the middle")
_einsum("b...,b...", (3, 2), (3, 4, 1), name="dots, output left out")
_einsum("ij,jk->ik", (2, 1), (3, 4), name="size 1 that broadcasts")
_einsum("i,ij,j->", (2,), (2, 3), (3,))
_einsum("ab,bc,cd,de->ae", (2, 3), (3, 4), (4, 2), (2, 3))
_einsum("bi,oij,bj->bo", (2, 3), (4, 3, 2), (2, 2))
_einsum("bij,jk->bik", (0, 2, 3), (3, 4), name="empty batch")
_einsum(",i->i", (), (3,), name="0-d operand")
case(Einsum, "one tensor twice", [normal(2, 3)], lambda t, x: t.einsum("ij,ik->jk", x, x))
case(Einsum, "outer", [normal(2), normal(3)], lambda t, x, y: t.outer(x, y))
case(Einsum, "inner", [normal(2, 3), normal(4, 3)], lambda t, x, y: t.inner(x, y))
case(Einsum, "tensordot", [normal(2, 3, 4), normal(4, 3, 5)], lambda t, x, y: t.tensordot(x, y, ([1, 2], [1, 0])))
case(Einsum, "tensordot by number", [normal(2, 3), normal(3, 2)], lambda t, x, y: t.tensordot(x, y, 1))
case(Einsum, "bilinear", [normal(5, 2), normal(5, 3), normal(4, 2, 3), normal(4)],
     lambda t, x, y, w, b: t.nn.functional.bilinear(x, y, w, b))


def _transposed(g):
    """g with its last two dimensions exchanged where that keeps the shape; else its elements in that order."""
    return g if g is None or g.ndim < 2 else g.swapaxes(-1, -2).reshape(g.shape)


@mutant(MatMul, "gradient of the first operand transposed")
def _(backward, ctx, dz):
    dx, dy = backward(ctx, dz)
    return _transposed(dx), dy


@mutant(MatMul, "gradient of the second operand transposed")
def _(backward, ctx, dz):
    dx, dy = backward(ctx, dz)
    return dx, _transposed(dy)


@mutant(MatMul, "mean instead of sum over the batch for a shared matrix")
def _(backward, ctx, dz):
    dx, dy = backward(ctx, dz)
    x, y = ctx.saved_tensors
    return dx, dy / x.shape[0] if x.ndim > 2 and y.ndim == 2 and len(x) else dy


@mutant(MatMul, "operands exchanged: dx gets what dy should")
def _(backward, ctx, dz):
    dx, dy = backward(ctx, dz)
    return (dy, dx) if dx is not None and dy is not None and dx.shape == dy.shape else (dx, dy)


@mutant(Linear, "mean instead of sum over the batch in db")
def _(backward, ctx, dy):
    dx, dw, db = backward(ctx, dy)
    return dx, dw, None if db is None else db / max(dy.size // dy.shape[-1], 1)


@mutant(Linear, "dw transposed")
def _(backward, ctx, dy):
    dx, dw, db = backward(ctx, dy)
    return dx, dw.T.reshape(dw.shape), db


@mutant(Linear, "bias summed over the first dimension only")
def _(backward, ctx, dy):
    dx, dw, db = backward(ctx, dy)
    return dx, dw, db if db is None or dy.ndim < 3 else dy.sum(0)[0]


@mutant(Linear, "dx from the transposed weight")
def _(backward, ctx, dy):
    dx, dw, db = backward(ctx, dy)
    x, w = ctx.saved_tensors
    return (dy @ w.T).reshape(dx.shape) if w.shape[0] == w.shape[1] else dx, dw, db


@mutant(Einsum, "the first operand's gradient lacks the other operands")
def _(backward, ctx, dy):
    first, *rest = backward(ctx, dy)
    return [None if first is None or not rest else first * 0 + dy.sum(), *rest] if rest else [first]


@mutant(Einsum, "gradient in the order of the other letters")
def _(backward, ctx, dy):
    return [_transposed(g) for g in backward(ctx, dy)]


@mutant(Einsum, "mean over an index that was summed alone")
def _(backward, ctx, dy):
    grads = []
    for i, (s, g) in enumerate(zip(ctx.letters, backward(ctx, dy))):
        alone = [n for c, n in zip(s, g.shape) if c not in ctx.out + "".join(ctx.letters[:i] + ctx.letters[i + 1:])]
        grads.append(g / max(sum(alone), 1))
    return grads


@mutant(Einsum, "one operand's gradient has the wrong sign")
def _(backward, ctx, dy):
    *rest, last = backward(ctx, dy)
    return [*rest, -last]
