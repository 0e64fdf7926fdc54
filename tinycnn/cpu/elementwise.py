"""Operations on every element alone, on several cores: one operation shared out, or a chain of them piece by piece."""
import numpy as np

from ..ops import elementwise
from ..ops.activation import GELU, Sigmoid, SiLU, logistic
from ..ops.elementwise import Add
from ..ops.error_function import erf
from ..ops.rearrange import Cat, along
from ..ops.rectifier import Hardsigmoid, Hardswish, Hardtanh, ReLU
from . import workers
from .workers import by_pieces, large, parallel, share


# ---- one operation ---------------------------------------------------------------------------------------------------

def of_shares(ctx, x, **options):
    """NumPy arrays of 2^19 numbers or more."""
    return type(x) is np.ndarray and x.size >= workers.SHARED and large(x)


def two_of_shares(ctx, x, y):
    """Two NumPy arrays of 2^19 numbers or more, laid out alike."""
    return type(x) is np.ndarray and x.size >= workers.SHARED and large(x, y)


def of_shares_backward(ctx, dy):
    """NumPy arrays of 2^19 numbers or more, laid out as what forward saved."""
    return type(dy) is np.ndarray and dy.size >= workers.SHARED and large(dy, *ctx.saved_tensors)


@Add.forward.road(two_of_shares)
def add_in_shares(ctx, x, y):
    """Each core adds a part."""
    ctx.shapes = x.shape, y.shape
    return share(np.add, x, y)


@ReLU.forward.road(of_shares)
def relu_in_shares(ctx, x):
    """Each core takes a part."""
    y = share(lambda x, out: np.maximum(x, 0, out=out), x)
    ctx.save_for_backward(y)
    return y


@ReLU.backward.road(of_shares_backward)
def relu_gradient_in_shares(ctx, dy):
    """Each core takes a part."""
    return share(lambda dy, y, out: np.multiply(dy, y > 0, out=out), dy, *ctx.saved_tensors)


@Hardtanh.forward.road(of_shares)
def hardtanh_in_shares(ctx, x, low, high):
    """Each core takes a part."""
    y = share(lambda x, out: np.clip(x, low, high, out=out), x)
    ctx.bounds = low, high
    ctx.save_for_backward(y)
    return y


@Hardtanh.backward.road(of_shares_backward)
def hardtanh_gradient_in_shares(ctx, dy):
    """Each core takes a part."""
    low, high = ctx.bounds
    return share(lambda dy, y, out: np.multiply(dy, (y > low) & (y < high), out=out), dy, *ctx.saved_tensors)


def of_batches(ctx, *xs, dim):
    """NumPy arrays, the first of 2^19 numbers or more, joined along another dimension than the first."""
    return dim != 0 and large(xs[0])


@Cat.forward.road(of_batches)
def cat_in_shares(ctx, *xs, dim):
    """Each core joins a part of the batch."""
    x, sizes = xs[0], [x.shape[dim] for x in xs]
    ctx.parts = along(dim, sizes)
    y = np.empty_like(x, shape=(*x.shape[:dim], sum(sizes), *x.shape[dim + 1:]))
    parallel(lambda i, j: np.concatenate([a[i:j] for a in xs], dim, out=y[i:j]), len(x), moved=2 * y.nbytes)
    return y


# ---- a chain of operations -------------------------------------------------------------------------------------------

def of_pieces(ctx, x, **options):
    """NumPy arrays of 2^17 numbers or more."""
    return type(x) is np.ndarray and x.size >= workers.PIECE


def forward_by_pieces(function, f, keeps_y=False):
    """Give `function`, y = f(x), a road of forward that saves y, or else x."""
    @function.forward.road(of_pieces)
    def forward(ctx, x):
        """Piece by piece: all operations on one while it stays in the cache."""
        y = by_pieces(f, x)
        ctx.save_for_backward(y if keeps_y else x)
        return y


def backward_by_pieces(function, gradient):
    """Give `function` a road of backward: dx = gradient(dy, what forward saved)."""
    @function.backward.road(of_pieces)
    def backward(ctx, dy):
        """Piece by piece: all operations on one while it stays in the cache."""
        return by_pieces(gradient, dy, *ctx.saved_tensors)


def hardswish_gradient(dy, x):
    """dx."""
    return dy * np.where(x <= -3, 0.0, np.where(x >= 3, 1.0, (2 * x + 3) / 6))


forward_by_pieces(Hardsigmoid, lambda x: np.clip(x + 3, 0, 6) / 6, keeps_y=True)
backward_by_pieces(Hardsigmoid, lambda dy, y: dy / 6 * ((y > 0) & (y < 1)))
forward_by_pieces(Hardswish, lambda x: x * (np.clip(x + 3, 0, 6) / 6))
backward_by_pieces(Hardswish, hardswish_gradient)
forward_by_pieces(Sigmoid, logistic, keeps_y=True)
backward_by_pieces(Sigmoid, lambda dy, y: dy * y * (1 - y))
forward_by_pieces(SiLU, lambda x: x * logistic(x))
backward_by_pieces(SiLU, lambda dy, x: dy * SiLU.slope(x, logistic(x)))


def of_summable_pieces(ctx, x, **options):
    """NumPy arrays of 2^17 numbers or more, but of float16."""
    return of_pieces(ctx, x) and x.dtype != np.float16


@GELU.forward.road(of_summable_pieces)
def gelu_by_pieces(ctx, x, approximate):
    """Piece by piece: all operations on one while it stays in the cache."""
    ctx.exact = approximate == "none"
    ctx.save_for_backward(x)
    return by_pieces(lambda x: x * GELU.probability(x, ctx.exact, erf, np.tanh), x)


@GELU.backward.road(of_summable_pieces)
def gelu_gradient_by_pieces(ctx, dy):
    """Piece by piece: all operations on one while it stays in the cache."""
    return by_pieces(lambda dy, x: dy * GELU.slope(x, ctx.exact, erf, np.tanh, np.exp), dy, *ctx.saved_tensors)


# ---- powers ----------------------------------------------------------------------------------------------------------

def of_cubes(x, y):
    """NumPy arrays to the power of the number 3 or 4."""
    return type(y) in (int, float) and y in (3, 4) and type(x) is np.ndarray


@elementwise.power.road(of_cubes)
def power_by_products(x, y):
    """Two products: some 20 times as fast."""
    square = x * x
    return square * (x if y == 3 else square)
