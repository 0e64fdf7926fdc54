"""Products of matrices on several cores.

BLAS computes each on one (see `workers.py`): so a large product is cut into a few, for some of the rows or columns of the
result each. How it is cut depends on its shape alone.
"""
import numpy as np

from ..engine import arrays
from ..ops.matmul import Linear, rows
from . import workers
from .sums import column_sums

MOST = 4       # parts of a product
LEAST = 2**16  # multiplications, below which a layer takes no road: there is nothing to win


def product(a, b, out=None, row=None):
    """a @ b + row, for a vector `row` or None; of large matrices, or batches of them, on several threads.

    Each thread computes some of the rows, columns or matrices.
    """
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
    """Large NumPy arrays of matrices that can be shared out."""
    return (type(a) is np.ndarray and a.ndim == b.ndim > 1 and a.shape[:-2] == b.shape[:-2]
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

@arrays.matmul.road(worth_cutting)
def matmul_on_cpu(a, b):
    """On several cores."""
    return product(a, b)


def large_rows(ctx, x, w, b):
    """NumPy arrays, and products of 2^16 multiplications or more."""
    return type(x) is np.ndarray and x.size * len(w) >= LEAST


@Linear.forward.road(large_rows)
def linear_on_cpu(ctx, x, w, b):
    """On several cores; all rows are one product."""
    ctx.save_for_backward(x, w)
    return product(rows(x), w.T, row=b).reshape(*x.shape[:-1], len(w))


def large_gradient(ctx, dy):
    """The gradient of such a layer."""
    return type(dy) is np.ndarray and dy.size * ctx.saved_tensors[0].shape[-1] >= LEAST


@Linear.backward.road(large_gradient)
def linear_backward_on_cpu(ctx, dy):
    """On several cores; all rows are one product."""
    (x, w), (need_x, need_w, need_b), dy = ctx.saved_tensors, ctx.needs_input_grad, rows(dy)
    dx = product(dy, w).reshape(x.shape) if need_x else None
    dw = product(dy.T, rows(x)) if need_w else None
    return dx, dw, column_sums(dy) if need_b else None
