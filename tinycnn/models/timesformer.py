"""TimeSformer: is space-time attention all you need for video?

The lecture's idea: T frames of L patches are T L tokens, and attention among all of them costs (T L)^2. Divide it: first
each patch looks at the same place in all frames (T), then at all places of its own frame (L). It costs (T L)(T + L), and
does better than both attention among everything and attention in space alone. The class token takes part in space only,
once in each frame, and is then averaged.

Source: G. Bertasius, H. Wang and L. Torresani, "Is space-time attention all you need for video understanding?" (2021),
figure 2. Names are those of its files.
"""
from functools import partial

from .. import cat, nn, zeros
from ..nn import functional as F
from .mixer import Mlp, Patches
from .registry import variant
from .vit import LayerNorm, check_patches

KINDS = ("divided_space_time", "joint_space_time", "space_only")
narrow_ = partial(nn.init.trunc_normal_, std=0.02)


class Attention(nn.Module):
    """Attention of x (N, L, dim) among its L tokens; `qkv` makes queries, keys and values, `proj` joins the heads."""

    def __init__(self, dim, num_heads):
        super().__init__()
        if dim % num_heads:
            raise ValueError(f"Attention: dim must be a multiple of num_heads, got {dim} and {num_heads}")
        self.num_heads = num_heads
        self.qkv, self.proj = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)

    def forward(self, x):
        n, length, dim = x.shape
        q, k, v = self.qkv(x).reshape(n, length, 3, self.num_heads, dim // self.num_heads).permute(2, 0, 3, 1, 4)
        return self.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(n, length, dim))

    def multiply_adds(self, inputs, y):
        """Scores and means cost 2 L dim products for each of the L tokens."""
        return 2 * y.shape[1] * y.numel()


class Block(nn.Module):
    """The tokens of all frames, x (N, 1 + L T, dim), the class token first, then place by place its T frames -> the same.

    "divided_space_time" attends in time, then in space; any other kind among all tokens that it is given.
    """

    def __init__(self, dim, num_heads, mlp_ratio=4.0, attention_type=KINDS[0]):
        super().__init__()
        self.norm1, self.attn = LayerNorm(dim), Attention(dim, num_heads)
        self.divided = attention_type == "divided_space_time"
        if self.divided:
            self.temporal_norm1, self.temporal_attn = LayerNorm(dim), Attention(dim, num_heads)
            self.temporal_fc = nn.Linear(dim, dim)
        self.norm2, self.mlp = LayerNorm(dim), Mlp(dim, int(dim * mlp_ratio))

    def forward(self, x, frames):
        x = self._divided(x, frames) if self.divided else x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))

    def _divided(self, x, frames):
        n, _, dim = x.shape
        token, x = x[:, :1], x[:, 1:]
        places = x.shape[1] // frames
        y = x.reshape(n * places, frames, dim)
        x = x + self.temporal_fc(self.temporal_attn(self.temporal_norm1(y)).reshape(n, places * frames, dim))
        y = x.reshape(n, places, frames, dim).transpose(1, 2).reshape(n * frames, places, dim)
        y = cat([token.repeat_interleave(frames, 0), y], 1)
        y = self.attn(self.norm1(y)).reshape(n, frames, 1 + places, dim)
        in_space = y[:, :, 1:].transpose(1, 2).reshape(n, places * frames, dim)
        return cat([token + y[:, :, 0].mean(1, keepdim=True), x + in_space], 1)


class TimeSformer(nn.Module):
    """Video x (N, in_channels, num_frames, image_size, image_size) -> scores (N, num_classes).

    `attention_type` is "divided_space_time", "joint_space_time" (all tokens together) or "space_only" (each frame alone, and
    the mean of the class tokens). ValueError for another, and for video of another size.
    """

    def __init__(self, image_size=224, patch_size=16, num_frames=8, num_layers=12, num_heads=12, hidden_dim=768,
                 mlp_ratio=4.0, num_classes=400, attention_type="divided_space_time", in_channels=3):
        super().__init__()
        if attention_type not in KINDS:
            raise ValueError(f"TimeSformer: attention_type must be one of {', '.join(KINDS)}, got {attention_type!r}")
        self.size, self.attention_type = (in_channels, num_frames, image_size, image_size), attention_type
        places = check_patches("TimeSformer", image_size, patch_size) ** 2
        self.patch_embed = Patches(in_channels, hidden_dim, patch_size)
        self.cls_token = nn.Parameter(narrow_(zeros(1, 1, hidden_dim)))
        self.pos_embed = nn.Parameter(narrow_(zeros(1, 1 + places, hidden_dim)))
        self.time_embed = None if attention_type == "space_only" else nn.Parameter(zeros(1, num_frames, hidden_dim))
        self.blocks = nn.ModuleList(Block(hidden_dim, num_heads, mlp_ratio, attention_type) for _ in range(num_layers))
        self.norm, self.head = LayerNorm(hidden_dim), nn.Linear(hidden_dim, num_classes)
        for m in self.modules():
            if isinstance(m, nn.Linear):
                narrow_(m.weight)
                nn.init.zeros_(m.bias)
        for block in self.blocks[1:]:
            if block.divided:  # starts as the network of pictures whose weights it is usually given
                nn.init.zeros_(block.temporal_fc.weight)

    def forward(self, x):
        if tuple(x.shape[1:]) != self.size:
            raise ValueError("TimeSformer: expected video (N, {}, {}, {}, {}), got shape {}".format(
                *self.size, tuple(x.shape)))
        n, frames = x.shape[0], x.shape[2]
        x = self.patch_embed(x.transpose(1, 2).flatten(0, 1))
        x = cat([self.cls_token.expand(n * frames, -1, -1), x], 1) + self.pos_embed
        if self.time_embed is not None:
            places, dim = x.shape[1] - 1, x.shape[2]
            y = x[:, 1:].reshape(n, frames, places, dim).transpose(1, 2) + self.time_embed.unsqueeze(1)
            x = cat([x[::frames, :1], y.reshape(n, places * frames, dim)], 1)
        for block in self.blocks:
            x = block(x, frames)
        token = self.norm(x)[:, 0]
        return self.head(token if self.time_embed is not None else token.reshape(n, frames, token.shape[1]).mean(1))


def rename(key):
    """Our name for `key` in files of the authors."""
    return key.removeprefix("model.")


timesformer = variant("timesformer", TimeSformer, rename=rename, input_size=(3, 8, 224, 224))
timesformer_small = variant("timesformer_small", TimeSformer, image_size=32, patch_size=8, num_layers=4, num_heads=4,
                            hidden_dim=64, num_classes=10, input_size=(3, 8, 32, 32))
