"""Floor 3: multi-head attention; one head is `ops/attention.py`."""
import contextlib
import enum
import math

from ..backend import array_module
from ..ops.creation import empty, zeros
from ..ops.rearrange import cat
from ..tensor import check_floating, check_tensor, wrap
from . import functional as F
from . import init
from .arguments import integer, probability
from .linear import Linear
from .module import Module
from .parameter import Parameter


class MultiheadAttention(Module):
    """Attention in `num_heads` subspaces of size embed_dim / num_heads, side by side.

        head_h = softmax(q W_q,h (k W_k,h)^T / sqrt(d)) v W_v,h,     y = (head_1, ..., head_H) W_o + b_o

    query (L, N, E), key (S, N, kdim), value (S, N, vdim) -> output (L, N, E) and, if `need_weights`, the attention weights
    (N, L, S), averaged over the heads, or with `average_attn_weights=False` (N, H, L, S). With `batch_first` N comes first;
    without a batch it is missing.

    Masks: `key_padding_mask` (N, S), `attn_mask` (L, S) or (N H, L, S); boolean, True where attention is forbidden, or
    numbers added to the scores. `is_causal=True` promises that attn_mask is the causal mask, which must be given.

    Parameters: `in_proj_weight` (3E, E), the rows of W_q, W_k, W_v one below the other (`q_proj_weight`, `k_proj_weight`,
    `v_proj_weight` when kdim or vdim differ from E), `in_proj_bias` (3E), `out_proj.weight`, `out_proj.bias`, and with
    `add_bias_kv` one learned key and value for all, `bias_k` and `bias_v`. `add_zero_attn` adds a key and value of zeros.
    Source: Vaswani et al., "Attention is all you need" (2017).
    """

    def __init__(self, embed_dim, num_heads, dropout=0.0, bias=True, add_bias_kv=False, add_zero_attn=False, kdim=None,
                 vdim=None, batch_first=False, device=None, dtype=None):
        super().__init__()
        self.embed_dim = integer("MultiheadAttention", "embed_dim", embed_dim, 1)
        self.num_heads = integer("MultiheadAttention", "num_heads", num_heads, 1)
        if embed_dim % num_heads:
            raise ValueError(f"MultiheadAttention: embed_dim must be divisible by num_heads, got {embed_dim} and "
                             f"{num_heads}")
        self.head_dim = embed_dim // num_heads
        self.kdim, self.vdim = embed_dim if kdim is None else kdim, embed_dim if vdim is None else vdim
        self.dropout = probability("MultiheadAttention", dropout)
        self.batch_first, self.add_zero_attn = batch_first, add_zero_attn
        place = dict(device=device, dtype=dtype)
        together = self.kdim == self.vdim == embed_dim
        for name, wanted, shape in (("in_proj_weight", together, (3 * embed_dim, embed_dim)),
                                    ("q_proj_weight", not together, (embed_dim, embed_dim)),
                                    ("k_proj_weight", not together, (embed_dim, self.kdim)),
                                    ("v_proj_weight", not together, (embed_dim, self.vdim)),
                                    ("in_proj_bias", bias, (3 * embed_dim,)),
                                    ("bias_k", add_bias_kv, (1, 1, embed_dim)),
                                    ("bias_v", add_bias_kv, (1, 1, embed_dim))):
            self.register_parameter(name, Parameter(empty(shape, **place)) if wanted else None)
        self.out_proj = Linear(embed_dim, embed_dim, bias, **place)
        self.reset_parameters()

    def reset_parameters(self):
        """Draw the projections anew (Xavier), biases 0."""
        for weight in (self.in_proj_weight, self.q_proj_weight, self.k_proj_weight, self.v_proj_weight):
            if weight is not None:
                init.xavier_uniform_(weight)
        for bias in (self.in_proj_bias, self.out_proj.bias):
            if bias is not None:
                init.zeros_(bias)
        for bias in (self.bias_k, self.bias_v):
            if bias is not None:
                init.xavier_normal_(bias)

    def forward(self, query, key, value, key_padding_mask=None, need_weights=True, attn_mask=None, average_attn_weights=True,
                is_causal=False):
        check_floating("MultiheadAttention", query=query, key=key, value=value)
        if is_causal and attn_mask is None:
            raise ValueError("MultiheadAttention: is_causal=True promises that attn_mask is causal; pass that mask as well")
        batched = query.ndim == 3
        self._check_shapes(query, key, value, batched)
        q, k, v = self._project(query, key, value)
        if not batched:
            q, k, v = (x.unsqueeze(1) for x in (q, k, v))
        elif self.batch_first:
            q, k, v = (x.transpose(0, 1) for x in (q, k, v))
        length, count, _ = q.shape
        mask = self._mask(attn_mask, key_padding_mask, (count, length, k.shape[0]), q.array)
        if self.bias_k is not None:
            k, v = cat([k, self.bias_k.expand(1, count, -1)]), cat([v, self.bias_v.expand(1, count, -1)])
        if self.add_zero_attn:
            none = zeros(1, count, self.embed_dim, dtype=q.dtype, device=q.device)
            k, v = cat([k, none]), cat([v, none])
        if mask is not None:
            mask = F.pad(mask, (0, k.shape[0] - mask.shape[-1]))
        q, k, v = (x.reshape(x.shape[0], count, self.num_heads, self.head_dim).permute(1, 2, 0, 3) for x in (q, k, v))
        p = self.dropout if self.training else 0.0
        if need_weights:
            scores = q @ k.transpose(-1, -2) / math.sqrt(self.head_dim)
            weights = F.dropout(F.softmax(scores if mask is None else scores + mask, -1), p)
            heads = weights @ v
        else:
            weights, heads = None, F.scaled_dot_product_attention(q, k, v, mask, p)
        output = self.out_proj(heads.permute(2, 0, 1, 3).reshape(length, count, self.embed_dim))
        if need_weights and average_attn_weights:
            weights = weights.mean(1)
        if not batched:
            return output.squeeze(1), weights.squeeze(0) if need_weights else None
        return output.transpose(0, 1) if self.batch_first else output, weights

    def _check_shapes(self, query, key, value, batched):
        """Raise ValueError unless the three fit each other and the layer."""
        shapes = f"got query {query.shape}, key {key.shape}, value {value.shape}"
        if query.ndim not in (2, 3) or not query.ndim == key.ndim == value.ndim:
            raise ValueError("MultiheadAttention: query, key and value must all have 3 dimensions, or 2 without a batch, "
                             f"{shapes}")
        if [x.shape[-1] for x in (query, key, value)] != [self.embed_dim, self.kdim, self.vdim]:
            raise ValueError("MultiheadAttention: the last dimensions must be "
                             f"embed_dim={self.embed_dim}, kdim={self.kdim}, vdim={self.vdim}, {shapes}")
        batch = 0 if self.batch_first else 1
        if key.shape[:-1] != value.shape[:-1] or batched and query.shape[batch] != key.shape[batch]:
            raise ValueError("MultiheadAttention: key and value must have the same length, and all three the same batch "
                             f"size, {shapes}")

    def _project(self, query, key, value):
        """q, k and v, each (*, E)."""
        if self.in_proj_weight is not None and query is key is value:
            return F.linear(query, self.in_proj_weight, self.in_proj_bias).chunk(3, -1)
        if self.in_proj_weight is not None:
            weights = self.in_proj_weight.chunk(3)
        else:
            weights = self.q_proj_weight, self.k_proj_weight, self.v_proj_weight
        biases = (None,) * 3 if self.in_proj_bias is None else self.in_proj_bias.chunk(3)
        return [F.linear(x, w, b) for x, w, b in zip((query, key, value), weights, biases)]

    def _mask(self, attn_mask, key_padding_mask, sizes, like):
        """Both masks as one that is added to scores (N, H, L, S); None where there is neither."""
        count, length, keys = sizes
        total = None
        for name, mask, shapes in (
                ("attn_mask", attn_mask, {(length, keys): (1, 1, length, keys),
                                          (count * self.num_heads, length, keys): (count, self.num_heads, length, keys)}),
                ("key_padding_mask", key_padding_mask, {(count, keys): (count, 1, 1, keys), (keys,): (1, 1, 1, keys)})):
            if mask is None:
                continue
            check_tensor("MultiheadAttention", **{name: mask})
            if mask.shape not in shapes:
                raise ValueError(f"MultiheadAttention: {name} must have shape {' or '.join(map(str, shapes))}, got "
                                 f"{mask.shape}")
            if mask.dtype.kind == "b":
                mask = wrap(array_module(like).where(mask.array, like.dtype.type(-math.inf), like.dtype.type(0)))
            check_floating("MultiheadAttention", **{name: mask})
            mask = mask.to(like.dtype).reshape(shapes[mask.shape])
            total = mask if total is None else total + mask
        return total


class SDPBackend(enum.Enum):
    """PyTorch's names for ways of computing `scaled_dot_product_attention`, which here has one."""
    MATH, FLASH_ATTENTION, EFFICIENT_ATTENTION, CUDNN_ATTENTION = range(4)


def sdpa_kernel(backends, set_priority=False):
    """A `with` block in which PyTorch would choose among `backends`; it changes nothing."""
    return contextlib.nullcontext()
