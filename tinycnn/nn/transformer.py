"""The transformer: layers of attention and small networks, each added to its input and normalised.

    encoder layer:  x <- x + attention(x, x, x),  x <- x + feed_forward(x)
    decoder layer:  x <- x + attention(x, x, x),  x <- x + attention(x, memory, memory),  x <- x + feed_forward(x)

with feed_forward(x) = linear2(activation(linear1(x))), dropout on everything that is added, and a LayerNorm after every sum,
x <- norm(x + f(x)), or with `norm_first` before every f, x <- x + f(norm(x)), which trains without a warm-up. Sources:
Vaswani et al., "Attention is all you need" (2017); Xiong et al., "On layer normalization in the transformer architecture"
(2020).

Sequences are (length, N, d_model), with `batch_first` (N, length, d_model), or (length, d_model) without a batch. Masks are
those of MultiheadAttention: `*_mask` (L, S), `*_key_padding_mask` (N, S), True where attention is forbidden. `*_is_causal`
only says that a mask is causal, which PyTorch uses for speed; the mask must be given all the same.
"""
import math
from copy import deepcopy

from ..ops.creation import full
from . import functional as F
from . import init
from .arguments import integer, one_of
from .attention import MultiheadAttention
from .container import ModuleList
from .dropout import Dropout
from .linear import Linear
from .module import Module
from .norm import LayerNorm


class _Layer(Module):
    """What both layers share: the feed-forward network, and how a block joins the stream."""

    def _add_feed_forward(self, d_model, dim_feedforward, dropout, bias, place):
        self.linear1 = Linear(d_model, dim_feedforward, bias, **place)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias, **place)

    def _add_activation(self, activation):
        if isinstance(activation, str):
            activation = getattr(F, one_of(type(self).__name__, "activation", activation, ("relu", "gelu")))
        self.activation = activation

    def _join(self, x, block, norm, dropout):
        """x plus what `block` makes of it, normalised before or after."""
        return x + dropout(block(norm(x))) if self.norm_first else norm(x + dropout(block(x)))

    def _feed_forward(self, x):
        return self.linear2(self.dropout(self.activation(self.linear1(x))))


class TransformerEncoderLayer(_Layer):
    """Self-attention, then a feed-forward network of width `dim_feedforward`; see the head of this file.

    `activation` is "relu", "gelu" or a function. Parameters: `self_attn`, `linear1`, `linear2`, `norm1`, `norm2`.
    """

    def __init__(self, d_model, nhead, dim_feedforward=2048, dropout=0.1, activation=F.relu, layer_norm_eps=1e-5,
                 batch_first=False, norm_first=False, bias=True, device=None, dtype=None):
        super().__init__()
        place = dict(device=device, dtype=dtype)
        self.self_attn = MultiheadAttention(d_model, nhead, dropout, bias, batch_first=batch_first, **place)
        self._add_feed_forward(d_model, dim_feedforward, dropout, bias, place)
        self.norm_first = norm_first
        self.norm1 = LayerNorm(d_model, layer_norm_eps, bias=bias, **place)
        self.norm2 = LayerNorm(d_model, layer_norm_eps, bias=bias, **place)
        self.dropout1, self.dropout2 = Dropout(dropout), Dropout(dropout)
        self._add_activation(activation)

    def forward(self, src, src_mask=None, src_key_padding_mask=None, is_causal=False):
        def attend(x):
            return self.self_attn(x, x, x, src_key_padding_mask, False, src_mask, is_causal=is_causal)[0]
        x = self._join(src, attend, self.norm1, self.dropout1)
        return self._join(x, self._feed_forward, self.norm2, self.dropout2)


class TransformerDecoderLayer(_Layer):
    """Self-attention, attention to `memory`, then a feed-forward network of width `dim_feedforward`.

    `activation` is "relu", "gelu" or a function. Parameters: `self_attn`, `multihead_attn`, `linear1`, `linear2`, `norm1`,
    `norm2`, `norm3`.
    """

    def __init__(self, d_model, nhead, dim_feedforward=2048, dropout=0.1, activation=F.relu, layer_norm_eps=1e-5,
                 batch_first=False, norm_first=False, bias=True, device=None, dtype=None):
        super().__init__()
        place = dict(device=device, dtype=dtype)
        self.self_attn = MultiheadAttention(d_model, nhead, dropout, bias, batch_first=batch_first, **place)
        self.multihead_attn = MultiheadAttention(d_model, nhead, dropout, bias, batch_first=batch_first, **place)
        self._add_feed_forward(d_model, dim_feedforward, dropout, bias, place)
        self.norm_first = norm_first
        self.norm1 = LayerNorm(d_model, layer_norm_eps, bias=bias, **place)
        self.norm2 = LayerNorm(d_model, layer_norm_eps, bias=bias, **place)
        self.norm3 = LayerNorm(d_model, layer_norm_eps, bias=bias, **place)
        self.dropout1, self.dropout2, self.dropout3 = Dropout(dropout), Dropout(dropout), Dropout(dropout)
        self._add_activation(activation)

    def forward(self, tgt, memory, tgt_mask=None, memory_mask=None, tgt_key_padding_mask=None,
                memory_key_padding_mask=None, tgt_is_causal=False, memory_is_causal=False):
        def attend(x):
            return self.self_attn(x, x, x, tgt_key_padding_mask, False, tgt_mask, is_causal=tgt_is_causal)[0]

        def look_up(x):
            return self.multihead_attn(x, memory, memory, memory_key_padding_mask, False, memory_mask,
                                       is_causal=memory_is_causal)[0]
        x = self._join(tgt, attend, self.norm1, self.dropout1)
        x = self._join(x, look_up, self.norm2, self.dropout2)
        return self._join(x, self._feed_forward, self.norm3, self.dropout3)


class _Stack(Module):
    """What encoder and decoder share: copies of one layer, and a norm (or None) at the end."""

    def __init__(self, layer, num_layers, norm):
        super().__init__()
        self.layers = ModuleList(deepcopy(layer) for _ in range(integer(type(self).__name__, "num_layers", num_layers, 0)))
        self.num_layers, self.norm = num_layers, norm

    def _run(self, x, *inputs, **masks):
        for layer in self.layers:
            x = layer(x, *inputs, **masks)
        return x if self.norm is None else self.norm(x)


class TransformerEncoder(_Stack):
    """`num_layers` copies of `encoder_layer` (equal at first), one after the other, then `norm`.

    `enable_nested_tensor` and `mask_check` are about PyTorch's speed and change nothing.
    """

    def __init__(self, encoder_layer, num_layers, norm=None, enable_nested_tensor=True, mask_check=True):
        super().__init__(encoder_layer, num_layers, norm)

    def forward(self, src, mask=None, src_key_padding_mask=None, is_causal=None):
        return self._run(src, src_mask=mask, src_key_padding_mask=src_key_padding_mask)


class TransformerDecoder(_Stack):
    """`num_layers` copies of `decoder_layer` (equal at first), one after the other, then `norm`."""

    def __init__(self, decoder_layer, num_layers, norm=None):
        super().__init__(decoder_layer, num_layers, norm)

    def forward(self, tgt, memory, tgt_mask=None, memory_mask=None, tgt_key_padding_mask=None,
                memory_key_padding_mask=None, tgt_is_causal=None, memory_is_causal=False):
        return self._run(tgt, memory, tgt_mask=tgt_mask, memory_mask=memory_mask, tgt_key_padding_mask=tgt_key_padding_mask,
                         memory_key_padding_mask=memory_key_padding_mask)


class Transformer(Module):
    """An encoder that reads `src` and a decoder that reads `tgt` and what the encoder made of `src`, each with a last norm.

    `custom_encoder` and `custom_decoder` take the places of the stacks. Matrices are initialised with `xavier_uniform_`.
    """

    def __init__(self, d_model=512, nhead=8, num_encoder_layers=6, num_decoder_layers=6, dim_feedforward=2048, dropout=0.1,
                 activation=F.relu, custom_encoder=None, custom_decoder=None, layer_norm_eps=1e-5, batch_first=False,
                 norm_first=False, bias=True, device=None, dtype=None):
        super().__init__()
        place = dict(device=device, dtype=dtype)
        options = (d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first, bias)
        if custom_encoder is None:
            custom_encoder = TransformerEncoder(TransformerEncoderLayer(*options, **place), num_encoder_layers,
                                                LayerNorm(d_model, layer_norm_eps, bias=bias, **place))
        if custom_decoder is None:
            custom_decoder = TransformerDecoder(TransformerDecoderLayer(*options, **place), num_decoder_layers,
                                                LayerNorm(d_model, layer_norm_eps, bias=bias, **place))
        self.encoder, self.decoder = custom_encoder, custom_decoder
        self.d_model, self.nhead, self.batch_first = d_model, nhead, batch_first
        for p in self.parameters():
            if p.ndim > 1:
                init.xavier_uniform_(p)

    def forward(self, src, tgt, src_mask=None, tgt_mask=None, memory_mask=None, src_key_padding_mask=None,
                tgt_key_padding_mask=None, memory_key_padding_mask=None, src_is_causal=None, tgt_is_causal=None,
                memory_is_causal=False):
        if src.shape[-1] != self.d_model or tgt.shape[-1] != self.d_model:
            raise RuntimeError(f"Transformer: the last dimension of src and tgt must be d_model={self.d_model}, got shapes "
                               f"{src.shape} and {tgt.shape}")
        memory = self.encoder(src, mask=src_mask, src_key_padding_mask=src_key_padding_mask, is_causal=src_is_causal)
        return self.decoder(tgt, memory, tgt_mask=tgt_mask, memory_mask=memory_mask,
                            tgt_key_padding_mask=tgt_key_padding_mask, memory_key_padding_mask=memory_key_padding_mask,
                            tgt_is_causal=tgt_is_causal, memory_is_causal=memory_is_causal)

    @staticmethod
    def generate_square_subsequent_mask(sz, device=None, dtype=None):
        """The causal mask (sz, sz): 0 on and below the diagonal, -inf above it."""
        return full((sz, sz), -math.inf, dtype=dtype, device=device).triu(1)
