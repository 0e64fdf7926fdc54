"""Singular values, pseudoinverses and least squares."""
from collections import namedtuple

import numpy as np

from ..engine.arrays import array_module, as_array
from ..engine.checks import check_floating
from ..engine.function import Function
from ..engine.grad_mode import is_grad_enabled
from ..engine.tensor import method, wrap

SVDResult = namedtuple("svd", "U S V")
LinalgSVDResult = namedtuple("linalg_svd", "U S Vh")
LstsqResult = namedtuple("linalg_lstsq", "solution residuals rank singular_values")


class SVD(Function):
    """A = U S V^T for matrices A (..., m, n): U (..., m, k), s (..., k), V^T (..., k, n) with k = min(m, n).

    U and V have orthonormal columns, S is diagonal with s_1 >= s_2 >= ... >= 0.

    Derivation: from dA = dU S V^T + U dS V^T + U S dV^T, with W = U^T dU and Z = V^T dV, which are antisymmetric because
    the columns stay orthonormal,
        P = U^T dA V = W S + dS - S Z
    Its diagonal is dS, and off it P_ij = W_ij s_j - s_i Z_ij. This and the same for P_ji give, with
    F_ij = 1 / (s_j^2 - s_i^2),
        W = F o (P S + S P^T),  Z = F o (S P + P^T S)
    What of dU lies outside the columns of U, nothing for m = k, is (1 - U U^T) dA V S^-1, and likewise of dV. Adjoint, with
    the gradients gU, gs and gV, and B(X) = F o (X - X^T):
        gA = U (diag(gs) + B(U^T gU) S + S B(V^T gV)) V^T + (1 - U U^T) gU S^-1 V^T + U S^-1 gV^T (1 - V V^T)
    F_ij s_j is computed as s_j / (s_j + s_i) / (s_j - s_i): squares could leave the range of the dtype. Two equal singular
    values have no singular vectors of their own: F is taken as 0 there, which is right for what depends only on the plane
    that the two span. Cost: m n k, several times. Saved: U, s and V^T.
    Source: J. Townsend, "Differentiating the singular value decomposition", 2016.
    """

    @staticmethod
    def forward(ctx, a):
        u, s, vh = array_module(a).linalg.svd(a, full_matrices=False)
        ctx.save_for_backward(u, s, vh)
        return u, s, vh

    @staticmethod
    def backward(ctx, du, ds, dvh):
        u, s, vh = ctx.saved_tensors
        xp = array_module(s)
        ut, v, dv = u.swapaxes(-1, -2), vh.swapaxes(-1, -2), dvh.swapaxes(-1, -2)
        row, column = s[..., None, :], s[..., None]
        gap, both = row - column, row + column
        gap, both = gap + (gap == 0), both + (both == 0)  # where it is 0, so is what it divides

        def rotation(x):
            return xp.where(row == column, 0.0, x - x.swapaxes(-1, -2)) / gap

        middle = rotation(ut @ du) * (row / both) + (column / both) * rotation(vh @ dv)
        da = u @ (middle + xp.where(_diagonal(xp, s), ds[..., None, :], 0.0)) @ vh
        if u.shape[-2] > s.shape[-1]:
            da = da + _divided(xp, du - u @ (ut @ du), row) @ vh
        if vh.shape[-1] > s.shape[-1]:
            da = da + u @ _divided(xp, dv - v @ (vh @ dv), row).swapaxes(-1, -2)
        return da,


def _divided(xp, x, s):
    """x / s, and 0 where both are: where nobody asks for singular vectors, it does not matter that they have no slope."""
    return x / xp.where((x == 0) & (s == 0), 1.0, s)


def _diagonal(xp, s):
    """Whether an element of a k by k matrix lies on the diagonal."""
    places = xp.arange(s.shape[-1])
    return places[:, None] == places


class Pinv(Function):
    """P = A+, the pseudoinverse of matrices A (..., m, n) -> (..., n, m): A P A = A, P A P = P, and A P, P A are symmetric.

    P B is the least X among those with the least |A X - B|. Derivation, where the rank of A stays what it is:
        dP = -P dA P + P P^T dA^T (1 - A P) + (1 - P A) dA^T P^T P
    as one sees for n independent columns, where P = (A^T A)^-1 A^T and the last term is 0, from dA^T A + A^T dA = d(A^T A).
    Adjoint:
        gA = -P^T gP P^T + (1 - A P) gP^T P P^T + P^T P gP^T (1 - P A)
    Numbers below max(m, n) times the rounding of the dtype count as singular values 0. Cost: m n k. Saved: A and P.
    Source: G. Golub and V. Pereyra, "The differentiation of pseudo-inverses", 1973.
    """

    @staticmethod
    def forward(ctx, a):
        p = array_module(a).linalg.pinv(a, _rounding(a))
        ctx.save_for_backward(a, p)
        return p

    @staticmethod
    def backward(ctx, dp):
        a, p = ctx.saved_tensors
        pt, dpt = p.swapaxes(-1, -2), dp.swapaxes(-1, -2)
        first, third = dpt @ p @ pt, pt @ p @ dpt
        return first - a @ (p @ first) + third - (third @ p) @ a - pt @ dp @ pt


def _rounding(a):
    """Which part of the largest singular value of matrices cannot be told from 0."""
    return max(a.shape[-2:]) * float(np.finfo(a.dtype).eps)


# ---- the functions a user calls --------------------------------------------------------------------------------------

def _check(function, **matrices):
    check_floating(function, **matrices)
    for name, a in matrices.items():
        if array_module(a.array) is np and not np.isfinite(a.array).all():  # LAPACK may search for ever
            raise RuntimeError(f"{function}: {name} must be finite, got NaN or infinity")
        if a.ndim < 2 or a.dtype.itemsize < 4:
            raise RuntimeError(f"{function}: {name} must be matrices (..., m, n) of float32 or float64, got "
                               f"shape {a.shape} and {a.dtype}")


def linalg_svd(A, full_matrices=True):  # noqa: N803 (PyTorch's name)
    """(U, S, V^T) of matrices (..., m, n), singular values falling.

    Of U (..., m, m) and V^T (..., n, n) the columns and rows beyond the first min(m, n), with `full_matrices`, have no
    gradient: RuntimeError where one is asked for, unless m = n.
    """
    _check("svd", A=A)
    if not full_matrices or A.shape[-1] == A.shape[-2]:
        return LinalgSVDResult(*SVD.apply(A))
    if A.requires_grad and is_grad_enabled():
        raise RuntimeError(f"svd: of a matrix of shape {A.shape} the full U and V have no gradient: pass "
                           "full_matrices=False")
    return LinalgSVDResult(*map(wrap, array_module(A.array).linalg.svd(A.array, full_matrices=True)))


@method("svd")
def svd(input, some=True, compute_uv=True):
    """(U, S, V) of matrices (..., m, n), singular values falling: the older form, with V, not V^T, thin where `some`.

    Without `compute_uv` U and V are zeros.
    """
    u, s, vh = linalg_svd(input, not some)
    v = vh.mT
    return SVDResult(u, s, v) if compute_uv else SVDResult(u.detach() * 0, s, v.detach() * 0)


@method("pinverse")
def pinverse(input):
    """The pseudoinverse (..., n, m) of matrices (..., m, n)."""
    _check("pinverse", input=input)
    return Pinv.apply(input)


def lstsq(A, B):  # noqa: N803
    """The X (..., n, k) with the least |A X - B|, for A (..., m, n) and B (..., m, k) or, for one matrix, (m).

    Where several are as good, the one with the least |X|. A named tuple: `solution`; `rank`, that of the matrices A;
    `residuals` and `singular_values`, empty, as PyTorch's are by default.
    """
    _check("lstsq", A=A)
    check_floating("lstsq", B=B)
    b = B.unsqueeze(-1) if B.ndim == 1 and A.ndim == 2 else B
    if b.ndim < 2 or b.shape[-2] != A.shape[-2] or A.dtype != b.dtype:
        raise RuntimeError(f"lstsq: A (..., m, n) and B (..., m, k) must agree in m and dtype, got shapes {A.shape} and "
                           f"{B.shape}, {A.dtype} and {B.dtype}")
    x = Pinv.apply(A) @ b
    s, nothing = array_module(A.array).linalg.svd(A.array, compute_uv=False), A.detach().reshape(-1)[:0]
    rank = (s > s[..., :1] * _rounding(A)).sum(-1)
    return LstsqResult(x if b is B else x.squeeze(-1), nothing, wrap(as_array(rank, A.array)), nothing)


__all__ = ["pinverse", "svd"]
