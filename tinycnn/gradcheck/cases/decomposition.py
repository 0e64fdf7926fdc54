"""Cases and mutants of `ops/decomposition.py`."""
import numpy as np

from ...ops.decomposition import SVD, Pinv
from ..registry import Sample, case, mutant, normal


def apart(*shape):
    """Matrices with singular values far from each other and from 0."""
    diagonal = np.zeros(shape[-2:])
    np.fill_diagonal(diagonal, [1.0, 2.0, 3.0, 4.0])
    return Sample(lambda rng: rng.uniform(-0.2, 0.2, shape) + diagonal)


def signless(result):
    """U^2, s and V^2: libraries choose the signs of singular vectors differently."""
    u, s, v = result
    return u ** 2, s, v ** 2


case(SVD, "square", [apart(3, 3)], lambda t, a: signless(t.linalg.svd(a)))
case(SVD, "high", [apart(4, 2)], lambda t, a: signless(t.svd(a)))
case(SVD, "wide", [apart(2, 4)], lambda t, a: signless(t.linalg.svd(a, full_matrices=False)))
case(SVD, "batches", [apart(2, 1, 4, 3)], lambda t, a: signless(a.svd()))
case(SVD, "size 1", [apart(1, 1)], lambda t, a: signless(t.linalg.svd(a)))
case(SVD, "empty batch", [apart(0, 3, 2)], lambda t, a: signless(t.svd(a)))
case(SVD, "singular values alone", [apart(3, 2)], lambda t, a: t.linalg.svdvals(a))
case(Pinv, "high", [apart(4, 2)], lambda t, a: t.pinverse(a))
case(Pinv, "wide", [apart(2, 4)], lambda t, a: t.linalg.pinv(a))
case(Pinv, "batches", [apart(2, 1, 3, 3)], lambda t, a: a.pinverse())
case(Pinv, "size 1", [apart(1, 1)], lambda t, a: t.pinverse(a))
case(Pinv, "empty batch", [apart(0, 3, 2)], lambda t, a: t.pinverse(a))
case(Pinv, "least squares", [apart(4, 3), normal(4, 2)], lambda t, a, b: t.linalg.lstsq(a, b).solution)
case(Pinv, "least squares, a vector", [apart(4, 3), normal(4)], lambda t, a, b: t.linalg.lstsq(a, b).solution)
case(Pinv, "fewer equations than unknowns", [apart(2, 3), normal(2, 2)], lambda t, a, b: t.linalg.lstsq(a, b).solution)


@mutant(SVD, "singular values only")
def _(backward, ctx, du, ds, dvh):
    return backward(ctx, du * 0, ds, dvh * 0)


@mutant(SVD, "sign of F, so of what the vectors hand down")
def _(backward, ctx, du, ds, dvh):
    return backward(ctx, -du, ds, -dvh)


@mutant(SVD, "what lies outside the columns of U and V forgotten")
def _(backward, ctx, du, ds, dvh):
    u, s, vh = ctx.saved_tensors
    return backward(ctx, u @ (u.swapaxes(-1, -2) @ du), ds, dvh @ vh.swapaxes(-1, -2) @ vh)


@mutant(Pinv, "as the inverse of a square matrix")
def _(backward, ctx, dp):
    pt = ctx.saved_tensors[1].swapaxes(-1, -2)
    return -(pt @ dp @ pt)


@mutant(Pinv, "sign forgotten")
def _(backward, ctx, dp):
    return -backward(ctx, dp)


@mutant(Pinv, "the term of wide matrices forgotten")
def _(backward, ctx, dp):
    a, p = ctx.saved_tensors
    pt, dpt = p.swapaxes(-1, -2), dp.swapaxes(-1, -2)
    first = dpt @ p @ pt
    return first - a @ (p @ first) - pt @ dp @ pt
