"""Multi-head attention; the mathematics is in `ops/multihead_attention.py`."""
import contextlib
import enum

from ..ops.creation import empty
from ..ops.multihead_attention import attend, project
from ..engine.checks import check_floating
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
        q, k, v = project(query, key, value, self.in_proj_weight,
                          (self.q_proj_weight, self.k_proj_weight, self.v_proj_weight), self.in_proj_bias)
        if not batched:
            q, k, v = (x.unsqueeze(1) for x in (q, k, v))
        elif self.batch_first:
            q, k, v = (x.transpose(0, 1) for x in (q, k, v))
        output, weights = attend("MultiheadAttention", q, k, v, self.num_heads, bias_k=self.bias_k, bias_v=self.bias_v,
                                 add_zero=self.add_zero_attn, p=self.dropout if self.training else 0.0,
                                 padding=key_padding_mask, mask=attn_mask, need_weights=need_weights)
        output = self.out_proj(output)
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


class SDPBackend(enum.Enum):
    """PyTorch's names for ways of computing `scaled_dot_product_attention`, which here has one."""
    MATH, FLASH_ATTENTION, EFFICIENT_ATTENTION, CUDNN_ATTENTION = range(4)


def sdpa_kernel(backends, set_priority=False):
    """A `with` block in which PyTorch would choose among `backends`; it changes nothing."""
    return contextlib.nullcontext()
