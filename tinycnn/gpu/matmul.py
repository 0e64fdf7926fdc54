"""Products of matrices on a GPU, in one launch each.

CuPy takes a launch for every matrix of a batch that shares the other factor, and first copies what lies transposed.
"""
from ..engine.arrays import array_module, matmul
from ..ops.elementwise import unbroadcast
from ..ops.matmul import Linear, MatMul, rows
from .launch import serves


def of_batches(ctx, x, y):
    """A batch of matrices on a GPU, times a batch or a matrix."""
    return x.ndim > 2 and y.ndim > 1 and serves(x)


@MatMul.forward.road(of_batches)
def multiply_batches(ctx, x, y):
    """A batch that shares a matrix as more rows of one product, other batches in one launch."""
    ctx.save_for_backward(x, y)
    if y.ndim == 2:
        return (rows(x) @ y).reshape(*x.shape[:-1], y.shape[1])
    return matmul(x, y)


def of_products_of_batches(ctx, dz):
    """The gradient of such a product."""
    return serves(dz) and of_batches(ctx, *ctx.saved_tensors)


@MatMul.backward.road(of_products_of_batches)
def multiply_batches_backward(ctx, dz):
    """The sum over a batch that shares a matrix as part of one product, other batches in one launch."""
    x, y = ctx.saved_tensors
    need_x, need_y = ctx.needs_input_grad
    shape = x.shape
    if y.ndim == 2:
        x, dz = rows(x), rows(dz)
    dx = unbroadcast(matmul(dz, y.swapaxes(-1, -2)), x.shape).reshape(shape) if need_x else None
    dy = unbroadcast(matmul(x.swapaxes(-1, -2), dz), y.shape) if need_y else None
    return dx, dy


def in_order(x, order, back=False):
    """x (..., K) with its leading dimensions in `order`, or back from it."""
    places = range(len(order))
    return array_module(x).moveaxis(x, *((places, order) if back else (order, places)))


def order_in_memory(x):
    """The leading dimensions of x (..., K), the outermost in memory first."""
    return sorted(range(x.ndim - 1), key=lambda axis: -x.strides[axis])


def of_sequences(ctx, x, w, b):
    """Three or more dimensions, on a GPU."""
    return x.ndim > 2 and serves(x)


@Linear.forward.road(of_sequences)
def linear_of_sequences(ctx, x, w, b):
    """All rows are one product, in the order in which they lie in memory, so that none is copied."""
    ctx.save_for_backward(x, w)
    order = order_in_memory(x)
    x = in_order(x, order)
    y = rows(x) @ w.T
    if b is not None:
        y += b
    return in_order(y.reshape(*x.shape[:-1], len(w)), order, back=True)


def of_gradients_of_sequences(ctx, dy):
    """The gradient of such a layer."""
    return dy.ndim > 2 and serves(dy)


@Linear.backward.road(of_gradients_of_sequences)
def linear_of_sequences_backward(ctx, dy):
    """The rows in the order in which they lie in memory."""
    x, w = ctx.saved_tensors
    need_x, need_w, need_b = ctx.needs_input_grad
    order = order_in_memory(x)
    x, dy = in_order(x, order), rows(in_order(dy, order))
    dx = in_order((dy @ w).reshape(x.shape), order, back=True) if need_x else None
    return dx, dy.T @ rows(x) if need_w else None, dy.sum(0) if need_b else None
