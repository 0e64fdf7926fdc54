"""Cases and mutants of `ops/inverse.py`."""
import numpy as np

from ...engine.arrays import array_module
from ...ops.inverse import Inverse, LogDet, Solve
from ..registry import Sample, case, mutant, normal


def regular(*shape):
    """Matrices far from singular ones, with a negative determinant where there is more than one row."""
    diagonal = np.diag([1.0, -1.5, 2.0, 2.5][:shape[-1]])
    return Sample(lambda rng: rng.uniform(-0.3, 0.3, shape) + diagonal)


case(Inverse, "one matrix", [regular(3, 3)], lambda t, a: t.inverse(a))
case(Inverse, "batches", [regular(2, 1, 4, 4)], lambda t, a: t.linalg.inv(a))
case(Inverse, "of a transposed one", [regular(2, 3, 3)], lambda t, a: a.mT.inverse())
case(Inverse, "size 1", [regular(1, 1)], lambda t, a: t.inverse(a))
case(Inverse, "empty batch", [regular(0, 3, 3)], lambda t, a: t.inverse(a))
case(Solve, "one system", [regular(3, 3), normal(3, 2)], lambda t, a, b: t.linalg.solve(a, b))
case(Solve, "a vector", [regular(3, 3), normal(3)], lambda t, a, b: t.linalg.solve(a, b))
case(Solve, "a batch of vectors", [regular(2, 3, 3), normal(2, 3)], lambda t, a, b: t.linalg.solve(a, b))
case(Solve, "one matrix for a batch", [regular(3, 3), normal(2, 3, 4)], lambda t, a, b: t.linalg.solve(a, b))
case(Solve, "from the right", [regular(2, 3, 3), normal(2, 4, 3)], lambda t, a, b: t.linalg.solve(a, b, left=False))
case(Solve, "empty batch", [regular(0, 3, 3), normal(0, 3, 2)], lambda t, a, b: t.linalg.solve(a, b))
case(LogDet, "one matrix", [regular(3, 3)], lambda t, a: t.slogdet(a))
case(LogDet, "batches", [regular(2, 3, 4, 4)], lambda t, a: t.linalg.slogdet(a))
case(LogDet, "determinant", [regular(2, 3, 3)], lambda t, a: t.det(a))
case(LogDet, "size 1", [regular(1, 1)], lambda t, a: t.linalg.det(a))
case(LogDet, "empty batch", [regular(0, 3, 3)], lambda t, a: t.det(a))


@mutant(Inverse, "not transposed")
def _(backward, ctx, dy):
    (y,) = ctx.saved_tensors
    return -(y @ dy @ y)


@mutant(Inverse, "derived like 1/x, element by element")
def _(backward, ctx, dy):
    (y,) = ctx.saved_tensors
    return -dy * y * y


@mutant(Inverse, "sign forgotten")
def _(backward, ctx, dy):
    return -backward(ctx, dy)


@mutant(Solve, "system not transposed")
def _(backward, ctx, dx):
    a, x = ctx.saved_tensors
    db = array_module(a).linalg.solve(a, dx)
    return -(db @ x.swapaxes(-1, -2)), db


@mutant(Solve, "sign of the matrix's gradient forgotten")
def _(backward, ctx, dx):
    da, db = backward(ctx, dx)
    return -da, db


@mutant(Solve, "gradient of the matrix transposed")
def _(backward, ctx, dx):
    da, db = backward(ctx, dx)
    return da.swapaxes(-1, -2).copy(), db


@mutant(LogDet, "not transposed")
def _(backward, ctx, dsign, dy):
    return backward(ctx, dsign, dy).swapaxes(-1, -2).copy()


@mutant(LogDet, "gradient of the determinant, not of its logarithm")
def _(backward, ctx, dsign, dy):
    (a,) = ctx.saved_tensors
    return backward(ctx, dsign, dy) * array_module(a).linalg.det(a)[..., None, None]


@mutant(LogDet, "diagonal only, as if A were diagonal")
def _(backward, ctx, dsign, dy):
    da = backward(ctx, dsign, dy)
    return da * array_module(da).eye(da.shape[-1], dtype=da.dtype)
