"""Inverse matrices, systems of linear equations and determinants."""
from collections import namedtuple

from ..engine.arrays import array_module
from ..engine.function import Function
from ..engine.checks import check_floating
from ..engine.tensor import method
from .shape import common_shape
from .unary import exp, log

SlogdetResult = namedtuple("slogdet", "sign logabsdet")


class Inverse(Function):
    """Y = A^-1, for square matrices A (..., n, n).

    From A Y = 1, with small changes: dA Y + A dY = 0, hence dY = -Y dA Y, and the gradient is the adjoint of that map,
    gradA = -Y^T gradY Y^T. Cost: n^3, and two products in backward. Saved: Y.
    """

    @staticmethod
    def forward(ctx, a):
        y = _solved("inv", a, array_module(a).linalg.inv, a)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, dy):
        (y,) = ctx.saved_tensors
        t = y.swapaxes(-1, -2)
        return -(t @ dy @ t)


class Solve(Function):
    """X with A X = B, for A (..., n, n) and B (..., n, k).

    From dA X + A dX = dB follows dX = A^-1 (dB - dA X), so gradB = A^-T gradX, again a system of equations, and
    gradA = -gradB X^T. Cost: n^3 + n^2 k, twice. Saved: A and X.
    """

    @staticmethod
    def forward(ctx, a, b):
        x = _solved("solve", a, array_module(a).linalg.solve, a, b)
        ctx.save_for_backward(a, x)
        return x

    @staticmethod
    def backward(ctx, dx):
        a, x = ctx.saved_tensors
        db = array_module(a).linalg.solve(a.swapaxes(-1, -2), dx)
        return -(db @ x.swapaxes(-1, -2)), db

    @staticmethod
    def backward_recorded(ctx, dx):
        a, x = ctx.saved_tensors
        db = Solve.apply(a.swapaxes(-1, -2), dx)
        return -(db @ x.swapaxes(-1, -2)), db


class LogDet(Function):
    """y = log |det A|, and the sign of det A, for square matrices A (..., n, n).

    det A is linear in each entry of A, with the cofactor as slope: d det / dA_ij = C_ij = det A (A^-1)_ji. So the gradient
    of its logarithm is A^-T, and dA = dy A^-T. Cost: n^3, twice. Saved: A.
    """

    @staticmethod
    def forward(ctx, a):
        sign, y = array_module(a).linalg.slogdet(a)
        ctx.save_for_backward(a)
        return sign, y

    @staticmethod
    def backward(ctx, dsign, dy):
        (a,) = ctx.saved_tensors
        return dy[..., None, None] * _solved("slogdet", a, array_module(a).linalg.inv, a).swapaxes(-1, -2)

    @staticmethod
    def backward_recorded(ctx, dsign, dy):
        (a,) = ctx.saved_tensors
        return dy[..., None, None] * Inverse.apply(a).swapaxes(-1, -2)


def _solved(function, a, solve, *arrays):
    """solve(*arrays), or RuntimeError where the matrices `a` have no inverse."""
    try:
        return solve(*arrays)
    except ValueError:  # NumPy's LinAlgError is one; CuPy returns infinities
        raise RuntimeError(f"{function}: a matrix is singular and has no inverse, among those of shape {a.shape}") from None


# ---- the functions a user calls --------------------------------------------------------------------------------------

def _check(function, **matrices):
    check_floating(function, **matrices)
    for name, a in matrices.items():
        if a.ndim < 2 or a.shape[-1] != a.shape[-2]:
            raise RuntimeError(f"{function}: {name} must be square matrices (..., n, n), got shape {a.shape}")
        if a.dtype.itemsize < 4:
            raise TypeError(f"{function}: {name} must be float32 or float64, got {a.dtype}")


@method("inverse")
def inverse(input):
    """The inverse of square matrices (..., n, n); RuntimeError where there is none."""
    _check("inverse", input=input)
    return Inverse.apply(input)


def solve(A, B, *, left=True):  # noqa: N803 (PyTorch's names)
    """X with A X = B, or X A = B where not `left`, for A (..., n, n) and B (..., n, k), or a batch of vectors (..., n).

    More exact, and cheaper, than to multiply with the inverse. RuntimeError where A has none.
    """
    _check("solve", A=A)
    check_floating("solve", B=B)
    vector = B.ndim == 1 or (B.ndim == A.ndim - 1 and B.shape == A.shape[:-1])
    if not left:
        if vector:
            raise RuntimeError(f"solve: left=False needs matrices B, got shape {B.shape}")
        return solve(A.mT, B.mT).mT
    b = B.unsqueeze(-1) if vector else B
    if b.ndim < 2 or b.shape[-2] != A.shape[-1] or A.dtype != b.dtype:
        raise RuntimeError(f"solve: A (..., n, n) and B (..., n, k) must agree in n and dtype, got shapes {A.shape} and "
                           f"{B.shape}, {A.dtype} and {B.dtype}")
    batch = common_shape("solve", A.shape[:-2], b.shape[:-2])
    x = Solve.apply(A.expand(*batch, *A.shape[-2:]), b.expand(*batch, *b.shape[-2:]))
    return x.squeeze(-1) if vector else x


@method("slogdet")
def slogdet(input):
    """(sign, log of the absolute value) of the determinants of matrices (..., n, n), which themselves may overflow."""
    _check("slogdet", input=input)
    return SlogdetResult(*LogDet.apply(input))


@method("logdet")
def logdet(input):
    """The logarithm of the determinants of matrices (..., n, n): -infinity of a singular one, NaN of a negative one."""
    sign, y = slogdet(input)
    return y + log(sign.detach())


@method("det")
def det(input):
    """The determinants of matrices (..., n, n). A singular matrix has no gradient here: RuntimeError."""
    sign, y = slogdet(input)
    return sign.detach() * exp(y)


__all__ = ["det", "inverse", "logdet", "slogdet"]
