"""ViT: a picture as a sentence of patches.

The lecture's idea: cut the picture into P x P patches, take each through one linear map, add a vector that says where the
patch was, and let a transformer, which knows nothing of pictures, do the rest. Every patch looks at every other from the
first layer on; what a convolution has built in (neighbours matter, position does not) must be learned, which takes very many
pictures. The answer is read from one extra token, which belongs to no patch.

Source: A. Dosovitskiy et al., "An image is worth 16x16 words" (2021), table 1. Names are torchvision's.
"""
import math
import re
from collections import OrderedDict, namedtuple
from functools import partial

from .. import arange, cat, nn, zeros
from ..nn import functional as F
from .blocks import conv_norm
from .registry import variant

ConvStemConfig = namedtuple("ConvStemConfig", "out_channels kernel_size stride norm_layer activation_layer",
                            defaults=(nn.BatchNorm2d, nn.ReLU))
LayerNorm = partial(nn.LayerNorm, eps=1e-6)


def mlp(dim, hidden, dropout=0.0, activation=nn.GELU):
    """Sequential of two linear layers, "0" and "3", for each token: dim -> hidden -> dim."""
    layers = nn.Sequential(nn.Linear(dim, hidden), activation(), nn.Dropout(dropout), nn.Linear(hidden, dim),
                           nn.Dropout(dropout))
    for layer in (layers[0], layers[3]):
        nn.init.xavier_uniform_(layer.weight)
        nn.init.normal_(layer.bias, std=1e-6)
    return layers


def check_picture(model, x, channels, height, width):
    """Raise ValueError unless x is (N, channels, height, width)."""
    if tuple(x.shape[1:]) != (channels, height, width):
        raise ValueError(f"{type(model).__name__}: expected pictures (N, {channels}, {height}, {width}), got shape "
                         f"{tuple(x.shape)}; resize them, or build the model for their size")


def check_patches(name, image_size, patch_size):
    """The number of patches along a side; ValueError unless they fill it."""
    if image_size % patch_size:
        raise ValueError(f"{name}: image_size must be a multiple of patch_size, got {image_size} and {patch_size}")
    return image_size // patch_size


def sine_positions(height, width, dim):
    """Positions (height * width, dim) that need not be learned: waves of many lengths, like the digits of a number.

    A quarter of the channels each holds sin(y w_k), cos(y w_k), sin(x w_k) and cos(x w_k), with w_k from 1 down to 1/10000.
    The product of two positions depends on their difference only. Source: Vaswani et al. (2017), section 3.5, in two
    dimensions. ValueError unless 4 divides dim.
    """
    if dim % 4:
        raise ValueError(f"sine_positions: dim must be a multiple of 4, got {dim}")
    waves = 10000 ** (-arange(dim // 4, dtype="float32") * (4 / dim))
    y = (arange(height, dtype="float32")[:, None, None] * waves).expand(height, width, dim // 4)
    x = (arange(width, dtype="float32")[:, None] * waves).expand(height, width, dim // 4)
    return cat([y.sin(), y.cos(), x.sin(), x.cos()], -1).reshape(height * width, dim)


class EncoderBlock(nn.Module):
    """x (N, L, D) -> x + attention(norm(x)), then x + mlp(norm(x)): tokens exchange, then each thinks for itself.

    With `need_weights` a pair: the tokens, and who looked at whom, (N, heads, L, L), rows summing to 1.
    """

    def __init__(self, num_heads, hidden_dim, mlp_dim, dropout=0.0, attention_dropout=0.0, norm_layer=LayerNorm):
        super().__init__()
        self.ln_1 = norm_layer(hidden_dim)
        self.self_attention = nn.MultiheadAttention(hidden_dim, num_heads, attention_dropout, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.ln_2 = norm_layer(hidden_dim)
        self.mlp = mlp(hidden_dim, mlp_dim, dropout)

    def forward(self, x, need_weights=False, attn_mask=None):
        y = self.ln_1(x)
        y, weights = self.self_attention(y, y, y, need_weights=need_weights, attn_mask=attn_mask,
                                         average_attn_weights=False)
        x = x + self.dropout(y)
        x = x + self.mlp(self.ln_2(x))
        return (x, weights) if need_weights else x


class Encoder(nn.Module):
    """Tokens (N, L, D) -> tokens (N, L, D): positions are added, `num_layers` blocks follow, and a last norm.

    `positions` is None for learned ones, or a tensor (L, D) that stays as it is.
    """

    def __init__(self, seq_length, num_layers, num_heads, hidden_dim, mlp_dim, dropout=0.0, attention_dropout=0.0,
                 norm_layer=LayerNorm, positions=None):
        super().__init__()
        if positions is None:
            self.pos_embedding = nn.Parameter(nn.init.normal_(zeros(1, seq_length, hidden_dim), std=0.02))
        else:
            self.register_buffer("pos_embedding", positions.unsqueeze(0))
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.Sequential(OrderedDict(
            (f"encoder_layer_{i}", EncoderBlock(num_heads, hidden_dim, mlp_dim, dropout, attention_dropout, norm_layer))
            for i in range(num_layers)))
        self.ln = norm_layer(hidden_dim)

    def forward(self, x, need_weights=False):
        x = self.dropout(x + self.pos_embedding)
        if not need_weights:
            return self.ln(self.layers(x))
        maps = []
        for layer in self.layers:
            x, weights = layer(x, need_weights=True)
            maps.append(weights)
        return self.ln(x), maps


class VisionTransformer(nn.Module):
    """x (N, in_channels, image_size, image_size) -> scores (N, num_classes).

    `model(x, need_weights=True)` also returns the attention of each layer, (N, num_heads, L, L), where token 0 is the class
    token and the others are the patches, row by row. `positions` is "learned" or "sine". `representation_size` puts a tanh
    layer before the last one; `conv_stem_configs`, a list of ConvStemConfig, replaces the patches by convolutions.
    Raises ValueError where image_size is no multiple of patch_size, and for pictures of another size.
    """

    def __init__(self, image_size, patch_size, num_layers, num_heads, hidden_dim, mlp_dim, dropout=0.0,
                 attention_dropout=0.0, num_classes=1000, representation_size=None, norm_layer=LayerNorm,
                 conv_stem_configs=None, in_channels=3, positions="learned", extra_tokens=1):
        super().__init__()
        side = check_patches(type(self).__name__, image_size, patch_size)
        if positions not in ("learned", "sine"):
            raise ValueError(f"{type(self).__name__}: positions must be 'learned' or 'sine', got {positions!r}")
        self.image_size, self.patch_size, self.hidden_dim, self.in_channels = image_size, patch_size, hidden_dim, in_channels
        self.conv_proj = _stem(in_channels, hidden_dim, patch_size, conv_stem_configs)
        self.class_token = nn.Parameter(zeros(1, 1, hidden_dim))
        if positions == "sine":
            positions = cat([zeros(extra_tokens, hidden_dim), sine_positions(side, side, hidden_dim)])
        self.encoder = Encoder(side ** 2 + extra_tokens, num_layers, num_heads, hidden_dim, mlp_dim, dropout,
                               attention_dropout, norm_layer, None if isinstance(positions, str) else positions)
        self.heads = nn.Sequential()
        if representation_size is not None:
            self.heads.add_module("pre_logits", nn.Linear(hidden_dim, representation_size))
            self.heads.add_module("act", nn.Tanh())
            _narrow(self.heads.pre_logits, hidden_dim)
        self.heads.add_module("head", nn.Linear(representation_size or hidden_dim, num_classes))
        nn.init.zeros_(self.heads.head.weight)
        nn.init.zeros_(self.heads.head.bias)

    def tokens(self, x):
        """The patches of x as tokens (N, side * side, hidden_dim)."""
        check_picture(self, x, self.in_channels, self.image_size, self.image_size)
        return self.conv_proj(x).flatten(2).transpose(1, 2)

    def forward(self, x, need_weights=False):
        x = self.tokens(x)
        x = self.encoder(cat([self.class_token.expand(x.shape[0], -1, -1), x], 1), need_weights)
        if need_weights:
            return self.heads(x[0][:, 0]), x[1]
        return self.heads(x[:, 0])


def _narrow(layer, fan_in):
    nn.init.trunc_normal_(layer.weight, std=math.sqrt(1 / fan_in))
    nn.init.zeros_(layer.bias)


def _stem(in_channels, dim, patch_size, configs):
    """What embeds pictures as (N, dim, H / P, W / P): one convolution whose windows do not overlap, or several."""
    if configs is None:
        conv = nn.Conv2d(in_channels, dim, patch_size, stride=patch_size)
        _narrow(conv, in_channels * patch_size ** 2)
        return conv
    stem, channels = nn.Sequential(), in_channels
    for i, c in enumerate(configs):
        stem.add_module(f"conv_bn_relu_{i}", conv_norm(channels, c.out_channels, c.kernel_size, c.stride,
                                                       norm_layer=c.norm_layer, activation=c.activation_layer))
        channels = c.out_channels
    stem.add_module("conv_last", nn.Conv2d(channels, dim, 1))
    nn.init.normal_(stem.conv_last.weight, std=math.sqrt(2 / dim))
    nn.init.zeros_(stem.conv_last.bias)
    return stem


def interpolate_embeddings(image_size, patch_size, model_state, interpolation_mode="bicubic", reset_heads=False):
    """The state_dict `model_state` of a VisionTransformer made ready for pictures of another size or other patches.

    The learned positions are a picture of side * side pixels, resized here like any other; the class token's stays.
    `reset_heads` leaves out the last layers, which a new task learns anew (load with strict=False).
    """
    old = model_state["encoder.pos_embedding"]
    side, before = check_patches("interpolate_embeddings", image_size, patch_size), math.isqrt(old.shape[1] - 1)
    if before ** 2 != old.shape[1] - 1:
        raise ValueError(f"interpolate_embeddings: expected positions (1, 1 + side * side, D), got {tuple(old.shape)}")
    state = OrderedDict((k, v) for k, v in model_state.items() if not (reset_heads and k.startswith("heads")))
    if side != before:
        grid = old[:, 1:].transpose(1, 2).reshape(1, -1, before, before)
        grid = F.interpolate(grid, size=side, mode=interpolation_mode, align_corners=True)
        state["encoder.pos_embedding"] = cat([old[:, :1], grid.flatten(2).transpose(1, 2)], 1)
    return state


_OTHER_NAMES = [(r"^cls_token", "class_token"), (r"^dist_token", "distillation_token"), (r"^pos_embed$",
                "encoder.pos_embedding"), (r"^patch_embed\.proj", "conv_proj"), (r"^norm\.", "encoder.ln."),
                (r"^head\.", "heads.head."), (r"^head_dist\.", "head_distillation."),
                (r"^blocks\.(\d+)\.", r"encoder.layers.encoder_layer_\1."), (r"\.norm(\d)\.", r".ln_\1."),
                (r"\.attn\.qkv\.", ".self_attention.in_proj_"), (r"\.attn\.proj\.", ".self_attention.out_proj."),
                (r"\.mlp\.fc1\.", ".mlp.0."), (r"\.mlp\.fc2\.", ".mlp.3.")]


def rename(key):
    """Our name for `key`, the name of a weight in files of DeiT's authors, whose layers are the same."""
    for pattern, ours in _OTHER_NAMES:
        key = re.sub(pattern, ours, key)
    return key


def _vit(patch_size, num_layers, num_heads, hidden_dim, mlp_dim, image_size=224, **options):
    return VisionTransformer(image_size, patch_size, num_layers, num_heads, hidden_dim, mlp_dim, **options)


vit_b_16 = variant("vit_b_16", _vit, 16, 12, 12, 768, 3072)
vit_b_32 = variant("vit_b_32", _vit, 32, 12, 12, 768, 3072)
vit_l_16 = variant("vit_l_16", _vit, 16, 24, 16, 1024, 4096)
vit_l_32 = variant("vit_l_32", _vit, 32, 24, 16, 1024, 4096)
vit_h_14 = variant("vit_h_14", _vit, 14, 32, 16, 1280, 5120)
vit_tiny = variant("vit_tiny", _vit, 16, 12, 3, 192, 768, rename=rename)
vit_small = variant("vit_small", _vit, 16, 12, 6, 384, 1536, rename=rename)
cifar_vit = variant("cifar_vit", _vit, 4, 6, 4, 128, 256, image_size=32, num_classes=10)
mnist_vit = variant("mnist_vit", _vit, 7, 4, 4, 64, 128, image_size=28, num_classes=10, in_channels=1,
                    input_size=(1, 28, 28))
