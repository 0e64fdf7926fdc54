"""Attention, a look-up table whose rows are found by similarity, and which has a gradient."""
import math

import numpy as np

from ..engine.arrays import array_module
from ..engine.function import Function
from ..engine.checks import check_floating, check_tensor
from ..engine.tensor import wrap
from .dropout import draw_mask
from .elementwise import unbroadcast
from .selection import where
from .softmax import Softmax


class Attention(Function, wide=True):
    """y = (P m) v with P = softmax(a q k^T + mask) along its rows.

    q (..., L, E), k (..., S, E), v (..., S, V); mask (broadcast against (..., L, S)) or None is added to the scores, -inf
    forbids; m (like P) or None is a dropout mask, already divided by 1 - p; a is `scale` -> y (..., L, V).
    P_ls is the share of row s of v in row l of y. A row that may attend to nothing has P = 0 and y = 0.

    Derivation, with Z = a q k^T + mask, per matrix of the batch, l over queries, s over keys:
        y_le = sum_s P_ls m_ls v_se     dv_se = sum_l P_ls m_ls dy_le           dv = (P m)^T dy
                                        dP_ls = m_ls sum_e dy_le v_se           dP = m (dy v^T)
        softmax of a row                dZ_ls = P_ls (dP_ls - sum_t dP_lt P_lt)
        Z_ls = a sum_e q_le k_se + ..   dq = a dZ k,  dk = a dZ^T q,  dmask = dZ
    each summed over the batch dimensions along which its input was broadcast.
    Cost: 2 products of L S E multiply-adds forward, 4 backward; saved: the inputs and P, L S numbers a matrix.
    Source: Vaswani et al., Attention Is All You Need, 2017 (arXiv:1706.03762).
    """

    @staticmethod
    def forward(ctx, q, k, v, mask, m, scale):
        ctx.scale = scale
        z = q @ k.swapaxes(-1, -2) * scale
        p = shares(z if mask is None else z + mask)
        ctx.save_for_backward(q, k, v, p, m, mask)
        return (p if m is None else p * m) @ v

    @staticmethod
    def backward(ctx, dy):
        return gradients(ctx, dy, *ctx.saved_tensors)

    @staticmethod
    def backward_recorded(ctx, dy):
        """With P as a function of the inputs."""
        q, k, v, _, m, mask = ctx.saved_tensors
        return gradients(ctx, dy, q, k, v, shares_recorded(q, k, mask, ctx.scale), m, mask)


def shares(z):
    """The softmax of each row of z (..., S); 0 in a row of -inf, where every p would be 0 / 0."""
    if not z.size:
        return z
    xp = array_module(z)
    top = xp.maximum(z.max(-1, keepdims=True), xp.finfo(z.dtype).min)  # -inf - -inf would be NaN
    p = xp.exp(z - top)
    sums = p.sum(-1, keepdims=True)
    return p / (sums + (sums == 0))


def shares_recorded(q, k, mask, scale):
    """P from Tensors."""
    z = (q * scale) @ k.swapaxes(-1, -2)
    if mask is None:
        return Softmax.apply(z, axis=-1)
    nothing = (mask == -math.inf).all(-1, keepdim=True)  # to attend to, in these rows
    return Softmax.apply(where(nothing, 0.0, z + mask), axis=-1) * ~nothing


def gradients(ctx, dy, q, k, v, p, m, mask):
    """The gradients of all inputs, from arrays or Tensors."""
    need_q, need_k, need_v, need_mask, _ = ctx.needs_input_grad
    dq = dk = dv = dmask = None
    if need_v:
        dv = unbroadcast((p if m is None else p * m).swapaxes(-1, -2) @ dy, v.shape)
    if need_q or need_k or need_mask:
        dp = dy @ v.swapaxes(-1, -2)
        if m is not None:
            dp = dp * m
        dz = p * (dp - (dp * p).sum(-1, keepdims=True))
        if need_q:
            dq = unbroadcast(dz @ k * ctx.scale, q.shape)
        if need_k:
            dk = unbroadcast(dz.swapaxes(-1, -2) @ q * ctx.scale, k.shape)
        if need_mask:
            dmask = unbroadcast(dz, mask.shape)
    return dq, dk, dv, dmask, None


# ---- the function a user calls ---------------------------------------------------------------------------------------

def scaled_dot_product_attention(query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None):
    """softmax(scale * query key^T + mask) value: query (..., L, E), key (..., S, E), value (..., S, V) -> (..., L, V).

    `attn_mask` broadcasts against (..., L, S): boolean, True where a query may look at a key, or floating point, added to
    the scores (and may require a gradient). `is_causal` lets query l look at keys 0 to l only. `scale` is 1/sqrt(E)
    where None. `dropout_p` applies whenever it is above 0, as in PyTorch: pass 0.0 in evaluation.
    A query that may look at nothing gets zeros. Raises ValueError where shapes do not fit.
    """
    name = "scaled_dot_product_attention"
    check_floating(name, query=query, key=key, value=value)
    q, k, v = query.shape, key.shape, value.shape
    if min(len(q), len(k), len(v)) < 2 or q[-1] != k[-1] or k[-2] != v[-2]:
        raise ValueError(f"{name}: expected query (..., L, E), key (..., S, E) and value (..., S, V), got "
                         f"shapes {q}, {k} and {v}")
    if not 0 <= dropout_p <= 1:
        raise ValueError(f"{name}: dropout_p must lie in [0, 1], got {dropout_p}")
    if is_causal and attn_mask is not None:
        raise ValueError(f"{name}: attn_mask must be None where is_causal is True; combine both into one mask")
    batch = _broadcast(name, (q[:-2], k[:-2], v[:-2]), f"the batch dimensions of query, key and value {q}, {k}, {v}")
    scores = (*_broadcast(name, (q[:-2], k[:-2]), ""), q[-2], k[-2])
    xp = array_module(query.array)
    if is_causal:
        attn_mask = wrap(xp.tri(q[-2], k[-2], dtype=bool))
    if attn_mask is not None:
        check_tensor(name, attn_mask=attn_mask)
        problem = f"attn_mask {attn_mask.shape} against the scores {scores}"
        full = _broadcast(name, (attn_mask.shape, (*batch, *scores[-2:])), problem)
        if full != (*batch, *scores[-2:]):
            raise ValueError(f"{name}: cannot broadcast {problem}")
        scores = full
        if attn_mask.dtype.kind == "b":
            attn_mask = wrap(xp.where(attn_mask.array, query.array.dtype.type(0), query.array.dtype.type(-math.inf)))
        else:
            check_floating(name, attn_mask=attn_mask)
            attn_mask = attn_mask.to(query.dtype)
    m = None
    if dropout_p > 0:
        keep = draw_mask(scores, dropout_p, query.device)
        m = keep.astype(query.dtype) * (1 / (1 - dropout_p) if dropout_p < 1 else 0.0)
    return Attention.apply(query, key, value, attn_mask, m, scale=1 / math.sqrt(max(q[-1], 1)) if scale is None else scale)


def _broadcast(function, shapes, what):
    """The common shape of `shapes`; ValueError naming `what` where there is none."""
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        raise ValueError(f"{function}: cannot broadcast {what}") from None


__all__ = ["scaled_dot_product_attention"]
