"""Products and distances of vectors and matrices, made of `matmul.py` and `reduce.py`."""
import functools

from ..engine.checks import check_floating, check_tensor
from ..engine.tensor import method
from .assemble import triu_indices
from .elementwise import check_broadcast
from .inverse import inverse
from .matmul import addmm, baddbmm, bmm, dot, matmul, mm, mv, outer
from .inplace import twin
from .reduce import norm
from .rearrange import roll
from .selection import where
from .shape import broadcast_tensors, check_dim, reshape


@method("vdot")
def vdot(input, other):
    """(K,) by (K,) -> a 0-d tensor; for real numbers the same as `dot`."""
    return dot(input, other)


@method("trace")
def trace(input):
    """The sum of the diagonal of a matrix."""
    check_tensor("trace", input=input)
    if input.ndim != 2:
        raise RuntimeError(f"trace: expected a matrix, got shape {input.shape}")
    return input.diagonal().sum()


@method("kron")
def kron(input, other):
    """The Kronecker product: input with every element replaced by that element times `other`."""
    check_tensor("kron", input=input, other=other)
    n = max(input.ndim, other.ndim)
    s, t = ((1,) * (n - x.ndim) + x.shape for x in (input, other))
    product = reshape(input, [k for a in s for k in (a, 1)]) * reshape(other, [k for b in t for k in (1, b)])
    return reshape(product, [a * b for a, b in zip(s, t)])


def _cross(x, y, dim):
    """z = (x1 y2 - x2 y1, x2 y0 - x0 y2, x0 y1 - x1 y0) along `dim`, which has size 3."""
    return roll(x, -1, dim) * roll(y, -2, dim) - roll(x, -2, dim) * roll(y, -1, dim)


@method("cross")
def cross(input, other, dim=None):
    """The vector product along `dim` of size 3, by default the first such dimension; broadcast."""
    check_tensor("cross", input=input, other=other)
    check_broadcast("cross", input, other)
    input, other = broadcast_tensors(input, other)
    if dim is None:
        dim = next((d for d, n in enumerate(input.shape) if n == 3), None)
    if dim is None or input.shape[check_dim("cross", dim, input.ndim)] != 3:
        raise RuntimeError(f"cross: expected a dimension of size 3, got dim {dim} of shape {input.shape}")
    return _cross(input, other, check_dim("cross", dim, input.ndim))


@method("dist")
def dist(input, other, p=2):
    """The p-norm of input - other, over all elements."""
    check_tensor("dist", input=input, other=other)
    return norm(input - other, p)


MODES = (None, "use_mm_for_euclid_dist_if_necessary", "use_mm_for_euclid_dist", "donot_use_mm_for_euclid_dist")


def cdist(x1, x2, p=2.0, compute_mode=None):
    """x1 (..., P, M), x2 (..., R, M) -> (..., P, R): the p-norm distance of every row of x1 from every row of x2.

    `compute_mode` changes nothing: the differences are always taken one by one, which loses no digits.
    """
    check_tensor("cdist", x1=x1, x2=x2)
    if compute_mode not in MODES:
        raise ValueError(f"cdist: compute_mode must be one of {', '.join(map(repr, MODES))}, got {compute_mode!r}")
    if x1.ndim < 2 or x2.ndim < 2 or x1.shape[-1] != x2.shape[-1]:
        raise RuntimeError(f"cdist: expected (..., P, M) and (..., R, M), got shapes {x1.shape} and {x2.shape}")
    return norm(x1.unsqueeze(-2) - x2.unsqueeze(-3), p, -1)


def pdist(input, p=2.0):
    """The p-norm distances of all pairs of rows i < j of input (N, D), as one vector of N (N - 1) / 2."""
    check_floating("pdist", input=input)
    if input.ndim != 2:
        raise RuntimeError(f"pdist: expected a matrix (N, D), got shape {input.shape}")
    i, j = triu_indices(len(input), len(input), 1, device=input.device)
    return norm(input[i] - input[j], p, -1)


@method("renorm")
def renorm(input, p, dim, maxnorm):
    """input with every slice along `dim` whose p-norm exceeds `maxnorm` scaled down to it."""
    check_floating("renorm", input=input)
    dim = check_dim("renorm", dim, input.ndim)
    if input.ndim < 2 or not p > 0 or not maxnorm >= 0:
        raise RuntimeError("renorm: expected two dimensions or more, p > 0 and maxnorm >= 0, got shape "
                           f"{input.shape}, p {p} and maxnorm {maxnorm}")
    size = norm(input, p, tuple(d for d in range(input.ndim) if d != dim), keepdim=True)
    return input * where(size > maxnorm, maxnorm / (size + 1e-7), 1.0)


@method("addmv")
def addmv(input, mat, vec, *, beta=1, alpha=1):
    """beta * input + alpha * (mat @ vec)."""
    return _plus(input, mv(mat, vec), beta, alpha)


@method("addr")
def addr(input, vec1, vec2, *, beta=1, alpha=1):
    """beta * input + alpha * the outer product of two vectors."""
    return _plus(input, outer(vec1, vec2), beta, alpha)


@method("addbmm")
def addbmm(input, batch1, batch2, *, beta=1, alpha=1):
    """beta * input + alpha * the sum of the matrix products of two batches."""
    return _plus(input, bmm(batch1, batch2).sum(0), beta, alpha)


def _plus(input, product, beta, alpha):
    """beta * input + alpha * product; where beta is 0, input is ignored, even where it is NaN."""
    return input * beta + product * alpha if beta else product * alpha


def chain_matmul(*matrices):
    """The product of several matrices, from left to right."""
    return functools.reduce(mm, matrices)


@method("matrix_power")
def matrix_power(input, n):
    """The square matrices `input` multiplied with themselves: n factors; n = 0 gives the identity.

    For a negative n, the powers of the inverse; RuntimeError where there is none.
    """
    check_tensor("matrix_power", input=input)
    if input.ndim < 2 or input.shape[-1] != input.shape[-2]:
        raise RuntimeError(f"matrix_power: expected square matrices, got shape {input.shape}")
    if n < 0:
        return matrix_power(inverse(input), -n)
    if n == 0:
        return input.new_ones(input.shape[-1]).diag().expand(input.shape).clone()
    half = matrix_power(input, n // 2) if n > 1 else None
    return input if n == 1 else matmul(half, half) if n % 2 == 0 else matmul(matmul(half, half), input)


for _function in (addmm, baddbmm, addmv, addr, addbmm):
    twin(_function)
twin(renorm, rereads=True)

__all__ = ["addbmm", "addmv", "addr", "cdist", "chain_matmul", "cross", "dist", "kron", "matrix_power", "pdist", "renorm",
           "trace", "vdot"]
