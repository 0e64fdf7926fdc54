"""Attention in several subspaces side by side, each with its own look at the sequence; one is `attention.py`."""
import math

from ..engine.arrays import array_module
from ..engine.checks import check_floating, check_tensor
from ..engine.tensor import wrap
from .attention import scaled_dot_product_attention
from .creation import zeros
from .dropout import dropout
from .matmul import linear
from .pad import pad
from .rearrange import cat
from .softmax import softmax


def project(query, key, value, in_weight, separate, bias):
    """q, k and v, each (*, E), by the weights W_q, W_k, W_v: the rows of `in_weight` (3E, E), or the three in `separate`."""
    if in_weight is not None and query is key is value:
        return linear(query, in_weight, bias).chunk(3, -1)
    weights = separate if in_weight is None else in_weight.chunk(3)
    biases = (None,) * 3 if bias is None else bias.chunk(3)
    return [linear(x, w, b) for x, w, b in zip((query, key, value), weights, biases)]


def attend(function, q, k, v, heads, *, bias_k, bias_v, add_zero, p, padding, mask, need_weights):
    """Projected q (L, N, E), k and v (S, N, E) -> y (L, N, E), and with `need_weights` the weights (N, H, L, S), else None.

    `bias_k` and `bias_v` (1, 1, E) or None are one more key and value for all, `add_zero` adds a key and value of zeros.
    `p` is the probability of dropout; `padding` and `mask` are those of `multi_head_attention_forward`.
    """
    length, count, size = q.shape
    mask = _added(function, mask, padding, (count, heads, length, len(k)), q.array)
    if bias_k is not None:
        k, v = cat([k, bias_k.expand(1, count, -1)]), cat([v, bias_v.expand(1, count, -1)])
    if add_zero:
        none = zeros(1, count, size, dtype=q.dtype, device=q.device)
        k, v = cat([k, none]), cat([v, none])
    if mask is not None:
        mask = pad(mask, (0, len(k) - mask.shape[-1]))
    q, k, v = (x.reshape(len(x), count, heads, size // heads).permute(1, 2, 0, 3) for x in (q, k, v))
    if need_weights:
        scores = q @ k.transpose(-1, -2) / math.sqrt(size // heads)
        weights = dropout(softmax(scores if mask is None else scores + mask, -1), p)
        y = weights @ v
    else:
        weights, y = None, scaled_dot_product_attention(q, k, v, mask, p)
    return y.permute(2, 0, 1, 3).reshape(length, count, size), weights


def _added(function, attn_mask, padding, sizes, like):
    """Both masks as one that is added to scores (N, H, L, S); None where there is neither."""
    count, heads, length, keys = sizes
    total = None
    for name, mask, shapes in (
            ("attn_mask", attn_mask, {(length, keys): (1, 1, length, keys),
                                      (count * heads, length, keys): (count, heads, length, keys)}),
            ("key_padding_mask", padding, {(count, keys): (count, 1, 1, keys), (keys,): (1, 1, 1, keys)})):
        if mask is None:
            continue
        check_tensor(function, **{name: mask})
        if mask.shape not in shapes:
            raise ValueError(f"{function}: {name} must have shape {' or '.join(map(str, shapes))}, got {mask.shape}")
        if mask.dtype.kind == "b":
            mask = wrap(array_module(like).where(mask.array, like.dtype.type(-math.inf), like.dtype.type(0)))
        check_floating(function, **{name: mask})
        mask = mask.to(like.dtype).reshape(shapes[mask.shape])
        total = mask if total is None else total + mask
    return total


def multi_head_attention_forward(query, key, value, embed_dim_to_check, num_heads, in_proj_weight, in_proj_bias, bias_k,
                                 bias_v, add_zero_attn, dropout_p, out_proj_weight, out_proj_bias, training=True,
                                 key_padding_mask=None, need_weights=True, attn_mask=None, use_separate_proj_weight=False,
                                 q_proj_weight=None, k_proj_weight=None, v_proj_weight=None, *, average_attn_weights=True,
                                 is_causal=False):
    """`nn.MultiheadAttention` with its parameters as arguments: query (L, N, E), key and value (S, N, *), or without N.

    Returns (y (L, N, E), the attention weights (N, L, S) or None). With `use_separate_proj_weight` the three projections
    stand in `q_proj_weight`, `k_proj_weight` and `v_proj_weight`, otherwise in `in_proj_weight`, one below the other.
    Masks: `key_padding_mask` (N, S), `attn_mask` (L, S) or (N H, L, S); boolean, True where attention is forbidden, or
    numbers added to the scores.
    """
    name = "multi_head_attention_forward"
    check_floating(name, query=query, key=key, value=value)
    shapes = f"got query {query.shape}, key {key.shape}, value {value.shape}"
    if query.ndim not in (2, 3) or not query.ndim == key.ndim == value.ndim:
        raise ValueError(f"{name}: query, key and value must all have 3 dimensions, or 2 without a batch, {shapes}")
    if query.shape[-1] != embed_dim_to_check or embed_dim_to_check % num_heads:
        raise ValueError(f"{name}: embed_dim_to_check must be the last dimension of query and divisible by num_heads, got "
                         f"{embed_dim_to_check} and {num_heads}, {shapes}")
    if key.shape[:-1] != value.shape[:-1] or query.shape[1:-1] != key.shape[1:-1]:
        raise ValueError(f"{name}: key and value must have the same length, and all three the same batch size, {shapes}")
    if is_causal and attn_mask is None:
        raise ValueError(f"{name}: is_causal=True promises that attn_mask is causal; pass that mask as well")
    q, k, v = project(query, key, value, None if use_separate_proj_weight else in_proj_weight,
                      (q_proj_weight, k_proj_weight, v_proj_weight), in_proj_bias)
    single = query.ndim == 2
    if single:
        q, k, v = (x.unsqueeze(1) for x in (q, k, v))
    y, weights = attend(name, q, k, v, num_heads, bias_k=bias_k, bias_v=bias_v, add_zero=add_zero_attn,
                        p=dropout_p if training else 0.0, padding=key_padding_mask, mask=attn_mask,
                        need_weights=need_weights)
    y = linear(y, out_proj_weight, out_proj_bias)
    if need_weights and average_attn_weights:
        weights = weights.mean(1)
    if single:
        return y.squeeze(1), weights.squeeze(0) if need_weights else None
    return y, weights


__all__ = ["multi_head_attention_forward"]
