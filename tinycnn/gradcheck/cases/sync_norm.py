"""Cases and mutants of `nn/sync_norm.py`, with one process, whose sums are those of all; `tests/distributed` has several."""
from ...nn.sync_norm import SyncNormalize, batch_norm_of_all
from ...ops.norm import facing, sum_onto
from ..registry import case, fixed, mutant, normal, positive


class _Alone:
    """A group of one."""
    size, borrowing = 1, False

    @staticmethod
    def total(array):
        return array


def _batch_norm(t, x, mean, var, w, b, momentum=0.1, eps=1e-5):
    if t.__name__ == "torch":
        return t.nn.functional.batch_norm(x, mean, var, w, b, True, momentum, eps)
    return batch_norm_of_all(x, mean, var, w, b, momentum, eps, _Alone)


case(SyncNormalize, "pictures", [normal(3, 2, 2, 3), normal(2), normal(2)],
     lambda t, x, w, b: _batch_norm(t, x, None, None, w, b))
case(SyncNormalize, "vectors, plain", [normal(5, 3)], lambda t, x: _batch_norm(t, x, None, None, None, None, eps=0.1))
case(SyncNormalize, "running statistics, weight only", [normal(2, 3, 4), positive(3), fixed(normal(3)), fixed(positive(3))],
     lambda t, x, w, m, v: _batch_norm(t, x, m.clone(), v.clone(), w, None, momentum=0.3))


@mutant(SyncNormalize, "mean and variance as constants")
def _constants(backward, ctx, dy):
    x, mu, r, w = ctx.saved_tensors
    return r * dy if w is None else r * dy * facing(w, x, (1,)), *backward(ctx, dy)[1:]


@mutant(SyncNormalize, "the mean of dy is not taken out")
def _no_mean(backward, ctx, dy):
    x, _, r, w = ctx.saved_tensors
    lost = r * facing(sum_onto(dy, (1,)) / ctx.count, x, (1,))
    dx, *others = backward(ctx, dy)
    return dx + (lost if w is None else lost * facing(w, x, (1,))), *others


@mutant(SyncNormalize, "the sums are divided by the number of pictures")
def _by_pictures(backward, ctx, dy):
    count, ctx.count = ctx.count, len(dy) + 1
    try:
        return backward(ctx, dy)
    finally:
        ctx.count = count


@mutant(SyncNormalize, "dw and db in each other's place")
def _exchanged(backward, ctx, dy):
    dx, dw, db = backward(ctx, dy)
    return (dx, db, dw) if dw is not None and db is not None else (dx * 2, dw, db)
