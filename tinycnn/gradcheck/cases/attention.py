"""Cases and mutants of `ops/attention.py`."""
import numpy as np

from ...ops.attention import Attention
from ...ops.elementwise import unbroadcast
from ..registry import Sample, booleans, case, constant, mutant, normal

_A = lambda t: t.nn.functional.scaled_dot_product_attention
_ROWS = np.array([[True, False, True, False], [False, False, False, False], [False, True, True, True]])

case(Attention, "one head", [normal(2, 3, 4), normal(2, 5, 4), normal(2, 5, 2)], lambda t, q, k, v: _A(t)(q, k, v))
case(Attention, "batch and heads, scale", [normal(2, 2, 3, 4), normal(2, 2, 3, 4), normal(2, 2, 3, 4)],
     lambda t, q, k, v: _A(t)(q, k, v, scale=0.3))
case(Attention, "no batch", [normal(3, 4), normal(5, 4), normal(5, 2)], lambda t, q, k, v: _A(t)(q, k, v))
case(Attention, "boolean mask", [normal(2, 2, 3, 4), normal(2, 2, 5, 4), normal(2, 2, 5, 3), booleans(2, 1, 3, 5)],
     lambda t, q, k, v, m: _A(t)(q, k, v, attn_mask=m))
case(Attention, "a query that may look at nothing", [normal(2, 3, 2), normal(2, 4, 2), normal(2, 4, 2), constant(_ROWS)],
     lambda t, q, k, v, m: _A(t)(q, k, v, attn_mask=m))
case(Attention, "additive mask with a gradient",
     [normal(2, 2, 3, 4), normal(2, 2, 5, 4), normal(2, 2, 5, 4), normal(1, 2, 3, 5)],
     lambda t, q, k, v, m: _A(t)(q, k, v, m))
case(Attention, "causal", [normal(2, 4, 3), normal(2, 4, 3), normal(2, 4, 3)],
     lambda t, q, k, v: _A(t)(q, k, v, is_causal=True))
case(Attention, "causal, more keys than queries", [normal(2, 3, 3), normal(2, 5, 3), normal(2, 5, 3)],
     lambda t, q, k, v: _A(t)(q, k, v, is_causal=True))
case(Attention, "key and value shared by the heads", [normal(2, 3, 4, 2), normal(2, 1, 5, 2), normal(1, 1, 5, 2)],
     lambda t, q, k, v: _A(t)(q, k, v))
case(Attention, "dropout of all but some", [normal(2, 3, 4), normal(2, 5, 4), normal(2, 5, 4), booleans(2, 3, 5)],
     lambda t, q, k, v, m: Attention.apply(q, k, v, None, m.to(q.dtype) * 2, scale=0.5),
     torch=lambda t, q, k, v, m: ((q @ k.transpose(-1, -2) * 0.5).softmax(-1) * m * 2) @ v)
case(Attention, "huge scores", [Sample(lambda rng: 300 * rng.standard_normal((2, 3, 4))), normal(2, 5, 4), normal(2, 5, 4)],
     lambda t, q, k, v: _A(t)(q, k, v))
case(Attention, "empty batch", [normal(0, 3, 4), normal(0, 5, 4), normal(0, 5, 4)], lambda t, q, k, v: _A(t)(q, k, v))


def _with(ctx, dy, dz):
    """The gradients of q, k and mask that follow from the gradient `dz` of the scores."""
    q, k, *_, mask = ctx.saved_tensors
    dmask = unbroadcast(dz, mask.shape) if ctx.needs_input_grad[3] else None
    return unbroadcast(dz @ k * ctx.scale, q.shape), unbroadcast(dz.swapaxes(-1, -2) @ q * ctx.scale, k.shape), dmask


@mutant(Attention, "the scale is missing in dq and dk")
def _(backward, ctx, dy):
    dq, dk, *rest = backward(ctx, dy)
    return (dq / ctx.scale, dk / ctx.scale, *rest)


@mutant(Attention, "gradient of the softmax without its sum")
def _(backward, ctx, dy):
    _, _, v, p, m, _ = ctx.saved_tensors
    dp = dy @ v.swapaxes(-1, -2) * (1 if m is None else m)
    dq, dk, dmask = _with(ctx, dy, p * dp)
    return dq, dk, backward(ctx, dy)[2], dmask, None


@mutant(Attention, "sum of the softmax over the queries")
def _(backward, ctx, dy):
    _, _, v, p, m, _ = ctx.saved_tensors
    dp = dy @ v.swapaxes(-1, -2) * (1 if m is None else m)
    dq, dk, dmask = _with(ctx, dy, p * (dp - (dp * p).sum(-2, keepdims=True)))
    return dq, dk, backward(ctx, dy)[2], dmask, None


@mutant(Attention, "dropout forgotten on the way back")
def _(backward, ctx, dy):
    saved = ctx.saved_tensors
    q, k, v, p, _, mask = saved
    ctx.saved_tensors = q, k, v, p, None, mask
    result = backward(ctx, dy)
    ctx.saved_tensors = saved
    return result


@mutant(Attention, "dk swapped with dq's product when the lengths agree")
def _(backward, ctx, dy):
    dq, dk, *rest = backward(ctx, dy)
    return (dk, dq, *rest) if dq.shape == dk.shape else (dq, dk, *rest)


@mutant(Attention, "dv uses P instead of its transpose when it is square")
def _(backward, ctx, dy):
    dq, dk, dv, *rest = backward(ctx, dy)
    p = ctx.saved_tensors[3]
    if p.shape[-1] == p.shape[-2] and dv.shape == dy.shape:
        dv = p @ dy
    return (dq, dk, dv, *rest)
