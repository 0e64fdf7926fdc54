"""PyTorch's `torch.linalg`, as far as networks use it: norms, products, inverses."""
import functools
import sys

from .ops import matmul as products
from .ops import reduce
from .ops.decomposition import linalg_svd as svd
from .ops.decomposition import lstsq, pinverse
from .ops.inverse import det, inverse, slogdet, solve
from .ops.rearrange import diagonal as _diagonal
from .ops.shape import check_dim, check_dims
from .ops.vectors import cross as _cross
from .ops.vectors import matrix_power
from .engine.answers import answer_clearly
from .engine.checks import check_floating, check_tensor

__all__ = ["cross", "det", "diagonal", "inv", "lstsq", "matmul", "matrix_norm", "matrix_power", "multi_dot", "norm", "pinv",
           "slogdet", "solve", "svd", "svdvals", "vecdot", "vector_norm"]

matmul, inv, pinv = products.matmul, inverse, pinverse


def svdvals(A):  # noqa: N803 (PyTorch's name)
    """The singular values of matrices (..., m, n), falling."""
    return svd(A, full_matrices=False).S


def vector_norm(x, ord=2, dim=None, keepdim=False, *, dtype=None):
    """(sum |x|^ord)^(1/ord) along `dim`, by default over all elements; also inf, -inf and 0 (how many are not 0)."""
    return reduce.norm(x, ord, dim, keepdim, dtype)


def matrix_norm(A, ord="fro", dim=(-2, -1), keepdim=False, *, dtype=None):  # noqa: N803 (PyTorch's name)
    """The norm of the matrices along two dimensions.

    "fro": the root of the sum of squares; 1 and -1: the largest and smallest column sum of |A|; inf and -inf: the row sums.
    The norms made of singular values (2, -2, "nuc") raise ValueError.
    """
    check_floating("matrix_norm", A=A)
    rows, columns = check_dims("matrix_norm", dim, A.ndim, "dim")
    if ord == "fro":
        return reduce.norm(A, 2, (rows, columns), keepdim, dtype)
    if ord not in (1, -1, float("inf"), -float("inf")):
        raise ValueError(f"matrix_norm: ord must be 'fro', 1, -1, inf or -inf, got {ord!r}; singular values are not known")
    summed, other = (rows, columns) if abs(ord) == 1 else (columns, rows)
    sums = reduce.norm(A, 1, summed, True, dtype)
    y = sums.amax(other, True) if ord > 0 else sums.amin(other, True)
    return y if keepdim else y.squeeze((rows, columns))


def norm(A, ord=None, dim=None, keepdim=False, *, dtype=None):  # noqa: N803
    """`vector_norm` of all elements (ord None) or along one `dim`, `matrix_norm` along two."""
    check_tensor("norm", A=A)
    pair = isinstance(dim, (tuple, list)) and len(dim) == 2
    if ord is None:
        return vector_norm(A, 2, dim, keepdim, dtype=dtype)
    if pair or (dim is None and A.ndim == 2):
        return matrix_norm(A, ord, dim if pair else (0, 1), keepdim, dtype=dtype)
    if isinstance(ord, str) or (dim is None and A.ndim != 1):
        raise RuntimeError(f"norm: ord {ord!r} needs a vector, a matrix or a dim, got shape {A.shape} and dim {dim}")
    return vector_norm(A, ord, dim, keepdim, dtype=dtype)


def cross(input, other, *, dim=-1):
    """The vector product along `dim`, which has size 3; broadcast."""
    return _cross(input, other, dim)


def vecdot(x, y, *, dim=-1):
    """The sum of the products along `dim`, an integer; broadcast."""
    check_tensor("vecdot", x=x, y=y)
    products = x * y
    return products.sum(check_dim("vecdot", dim, products.ndim))


def multi_dot(tensors):
    """The product of several matrices; the first and the last may be vectors."""
    return functools.reduce(matmul, tensors)


def diagonal(A, *, offset=0, dim1=-2, dim2=-1):  # noqa: N803
    """A view of diagonal `offset` of the matrices along `dim1` and `dim2`, by default the last two dimensions."""
    return _diagonal(A, offset, dim1, dim2)

answer_clearly(sys.modules[__name__], __all__)
