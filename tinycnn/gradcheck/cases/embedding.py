"""Cases and mutants of `ops/embedding.py`.

That the row `padding_idx` has no gradient is a decree, which no difference quotient confirms: `tests/ops/test_indexing.py`
looks after it.
"""
from ...ops.embedding import Embedding
from ..registry import case, constant, integers, mutant, normal


def _embedding(**options):
    return lambda t, i, w: t.nn.functional.embedding(i, w, **options)


case(Embedding, "rows, some twice", [integers(0, 4, 2, 5), normal(4, 3)], _embedding(), linear=True)
case(Embedding, "padding_idx without its row", [constant([[0, 1, 1], [3, 0, 0]]), normal(4, 2)], _embedding(padding_idx=2),
     linear=True)
case(Embedding, "one number", [constant(1), normal(3, 2)], _embedding(), linear=True)
case(Embedding, "empty", [integers(0, 3, 0, 2), normal(3, 2)], _embedding(), linear=True)


@mutant(Embedding, "a row that is looked up twice gets one gradient")
def _(backward, ctx, dy):
    dw, _ = backward(ctx, dy * 0)
    dw[ctx.saved_tensors[0]] = dy
    return dw, None


@mutant(Embedding, "one row too far")
def _(backward, ctx, dy):
    dw = backward(ctx, dy)[0]
    return dw[[*range(1, len(dw)), 0]], None


@mutant(Embedding, "mean instead of sum over the lookups of a row")
def _(backward, ctx, dy):
    return backward(ctx, dy)[0] / backward(ctx, dy * 0 + 1)[0].clip(1), None
