"""Cases and mutants of `utils/checkpoint.py`."""
from ...nn.checkpoint import Checkpoint
from ..registry import booleans, case, mutant, normal


def cut(t, function, *args):
    """The function, as one node."""
    return t.utils.checkpoint.checkpoint(function, *args, use_reentrant=False)


case(Checkpoint, "one tensor", [normal(3, 4)], lambda t, x: cut(t, lambda x: t.exp(t.sin(x)), x))
case(Checkpoint, "two tensors, two outputs", [normal(3, 4), normal(4)],
     lambda t, x, y: cut(t, lambda x, y: (t.sin(x * y), t.cos(y)), x, y))
case(Checkpoint, "a tensor without gradient, and one that is not used", [normal(3), booleans(3), normal(2)],
     lambda t, x, mask, other: cut(t, lambda x, mask, other: t.where(mask, x * x, t.tanh(x)), x, mask, other) + other.sum())
case(Checkpoint, "one inside another", [normal(2, 3)],
     lambda t, x: cut(t, lambda x: t.sin(cut(t, t.exp, x)), x))
case(Checkpoint, "linear", [normal(2, 3), normal(3)], lambda t, x, y: cut(t, lambda x, y: x * 2 + y, x, y), linear=True)


@mutant(Checkpoint, "the gradient from above is ignored")
def _no_chain_rule(backward, ctx, *dy):
    return backward(ctx, *(d * 0 + 1 for d in dy))


@mutant(Checkpoint, "only the first output counts")
def _first_output(backward, ctx, *dy):
    return backward(ctx, dy[0], *(d * 0 for d in dy[1:]))


@mutant(Checkpoint, "only the first tensor gets its gradient")
def _first_input(backward, ctx, *dy):
    return backward(ctx, *dy)[0], *[None] * (len(ctx.needs_input_grad) - 1)


@mutant(Checkpoint, "forward and second run added up")
def _twice(backward, ctx, *dy):
    return tuple(g if g is None else 2 * g for g in backward(ctx, *dy))
