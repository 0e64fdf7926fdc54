"""Products of matrices on several cores.

BLAS computes each on one (see `workers.py`): so a large product is cut into a few, for some of the rows or columns of the
result each. How it is cut depends on its shape alone.
"""
import numpy as np

from ..engine import arrays
from ..engine.half import widened
from ..ops.elementwise import unbroadcast
from ..ops.matmul import Linear, MatMul, rows
from . import workers
from .sums import column_sums

MOST = 4       # parts of a product
LEAST = 2**16  # multiplications, below which a product takes no road: there is nothing to win


def product(a, b, out=None, row=None):
    """a @ b; of large matrices, or batches of matrices, on several threads, each with some of the rows or columns.

    `row` is a vector added to each row. BLAS has no products of float16: they are computed in float32 and rounded, tens of
    times as fast.
    """
    if type(a) is np.ndarray and a.dtype == b.dtype == np.float16 and out is None:
        return product(*map(widened, (a, b)), row=widened(row)).astype(np.float16)
    if not worth_cutting(a, b):
        y = a @ b if out is None else np.matmul(a, b, out=out)
        if row is not None:
            y += row
        return y
    y = np.empty((*a.shape[:-1], b.shape[-1]), np.result_type(a, b)) if out is None else out
    if a.ndim == 3 and len(a) == 1:
        product(a[0], b[0], out=y[0], row=row)
        return y
    solve(list(cut(a, b, y, row)))
    return y


def worth_cutting(a, b):
    """Whether a @ b is worth several threads, and its matrices can be shared out."""
    return (type(a) is np.ndarray and a.ndim == b.ndim > 1 and a.shape[:-2] == b.shape[:-2] and a.dtype != np.float16
            and a.size * b.shape[-1] >= workers.PRODUCTS * workers.WORTH)


def cut(a, b, y, row):
    """y = a @ b + row as up to MOST such equations: for some of the rows, columns or matrices of a batch each."""
    columns = a.ndim == 2 and len(a) <= b.shape[1]
    count = b.shape[1] if columns else len(a)
    parts = max(1, min(int(2 * a.size * b.shape[-1] / workers.PRODUCTS / workers.WORTH), count, MOST))
    for i in range(parts):
        part = slice(count * i // parts, count * (i + 1) // parts)
        if columns:
            yield a, b[:, part], y[:, part], None if row is None else row[part]
        else:
            yield a[part], b if a.ndim == 2 else b[part], y[part], row


def solve(equations):
    """Compute y = a @ b + row for all (a, b, y, row)."""
    def work(start, stop):
        for a, b, y, row in equations[start:stop]:
            np.matmul(a, b, out=y)
            if row is not None:
                y += row

    workers.parallel(work, len(equations), flops=sum(2 * a.size * b.shape[-1] for a, b, _, _ in equations))


# ---- the roads -------------------------------------------------------------------------------------------------------

def worth_a_road(x, columns):
    """Whether x (..., K), an array of NumPy's, times a matrix of so many columns is of float16, or large."""
    return type(x) is np.ndarray and (x.dtype == np.float16 or x.size * columns >= LEAST)


def large_or_half(a, b):
    """NumPy arrays of float16, or such large ones that several cores gain."""
    return worth_cutting(a, b) or type(a) is np.ndarray and a.dtype == b.dtype == np.float16


@arrays.matmul.road(large_or_half)
def matmul_on_cpu(a, b):
    """On several cores; float16 by way of float32."""
    return product(a, b)


def large_factors(ctx, x, y):
    """NumPy arrays of float16, or products of 2^16 multiplications or more."""
    return worth_a_road(x, y.shape[-1] if y.ndim > 1 else 1)


@MatMul.forward.road(large_factors)
def multiply(ctx, x, y):
    """On several cores; a batch that shares a matrix as more rows of one product."""
    ctx.save_for_backward(x, y)
    if y.ndim == 2 and x.ndim > 2:
        return product(rows(x), y).reshape(*x.shape[:-1], y.shape[1])
    return product(x, y)


def large_product(ctx, dz):
    """The gradient of such a product."""
    return type(dz) is np.ndarray and worth_a_road(dz, ctx.saved_tensors[0].shape[-1])


@MatMul.backward.road(large_product)
def multiply_backward(ctx, dz):
    """On several cores; the sum over a batch that shares a matrix as part of one product."""
    x, y = ctx.saved_tensors
    shapes, batch = (x.shape, y.shape), dz.shape[:dz.ndim - (x.ndim > 1) - (y.ndim > 1)]
    x, y = x if x.ndim > 1 else x[None], y if y.ndim > 1 else y[:, None]
    dz = dz.reshape(*batch, x.shape[-2], y.shape[-1])
    if y.ndim == 2:
        x, dz = rows(x), rows(dz)
    need_x, need_y = ctx.needs_input_grad
    dx = unbroadcast(product(dz, y.swapaxes(-1, -2)), x.shape).reshape(shapes[0]) if need_x else None
    dy = unbroadcast(product(x.swapaxes(-1, -2), dz), y.shape).reshape(shapes[1]) if need_y else None
    return dx, dy


def in_order(x, order, back=False):
    """x (..., K) with its leading dimensions in `order`, or back from it."""
    if order == sorted(order):
        return x
    places = range(len(order))
    return np.moveaxis(x, *((places, order) if back else (order, places)))


def order_in_memory(x):
    """The leading dimensions of x (..., K), the outermost in memory first."""
    return sorted(range(x.ndim - 1), key=lambda axis: -x.strides[axis])


def large_rows(ctx, x, w, b):
    """NumPy arrays of float16, or products of 2^16 multiplications or more."""
    return worth_a_road(x, len(w))


@Linear.forward.road(large_rows)
def linear_on_cpu(ctx, x, w, b):
    """On several cores; all rows are one product, in the order in which they lie in memory, so that none is copied."""
    ctx.save_for_backward(x, w)
    order = order_in_memory(x)
    x = in_order(x, order)
    y = product(rows(x), w.T, row=b)
    return in_order(y.reshape(*x.shape[:-1], len(w)), order, back=True)


def large_gradient(ctx, dy):
    """The gradient of such a layer."""
    return type(dy) is np.ndarray and worth_a_road(dy, ctx.saved_tensors[0].shape[-1])


@Linear.backward.road(large_gradient)
def linear_backward_on_cpu(ctx, dy):
    """On several cores; the rows in the order in which they lie in memory."""
    x, w = ctx.saved_tensors
    need_x, need_w, need_b = ctx.needs_input_grad
    order = order_in_memory(x)
    x, dy = in_order(x, order), rows(in_order(dy, order))
    dx = in_order(product(dy, w).reshape(x.shape), order, back=True) if need_x else None
    dw = product(dy.T, rows(x)) if need_w else None
    return dx, dw, column_sums(widened(dy)) if need_b else None
