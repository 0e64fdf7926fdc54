"""Swin: attention inside windows, which shift from layer to layer.

The lecture's idea: attention among all pixels costs their number squared; among the w * w pixels of a window it costs
H W w^2, linear in the picture. But then windows never talk to each other. So every second layer moves the grid of windows by
half a window: what was a border is now in the middle, and after a few layers everything is connected. The picture is shifted
rather than the grid, cyclically, so that the number of windows stays; a mask keeps apart the pixels that became neighbours
only by wrapping around. Between stages 2 x 2 neighbours are merged: a pyramid, as a convolutional network has one.

    grid of 2 x 2 windows      shifted by half a window      the same picture rolled: four windows again,
        A A | B B                  a | b b | a                    1 1 | 2 2     but only equal letters
        A A | B B                  --+-----+--                    1 1 | 2 2     of a window may look
        ----+----                  c | d d | c                    ----+----     at each other
        C C | D D                  c | d d | c                    3 3 | 4 4
        C C | D D                  --+-----+--                    3 3 | 4 4
                                   a | b b | a

Source: Z. Liu et al., "Swin transformer: hierarchical vision transformer using shifted windows" (2021). Names are
torchvision's.
"""
from functools import partial

from .. import arange, nn, where, zeros
from ..nn import functional as F
from .blocks import Permute, StochasticDepth, check_size
from .registry import variant
from .vit import mlp

LayerNorm = partial(nn.LayerNorm, eps=1e-5)


def split_windows(x, height, width):
    """x (N, H, W, C) -> (N, windows, height * width, C), windows row by row; H and W are multiples of their sizes."""
    n, h, w, c = x.shape
    x = x.reshape(n, h // height, height, w // width, width, c)
    return x.permute(0, 1, 3, 2, 4, 5).reshape(n, (h // height) * (w // width), height * width, c)


def join_windows(x, height, width, h, w):
    """The inverse of split_windows: (N, windows, height * width, C) -> (N, h, w, C)."""
    n, c = x.shape[0], x.shape[-1]
    x = x.reshape(n, h // height, w // width, height, width, c)
    return x.permute(0, 1, 3, 2, 4, 5).reshape(n, h, w, c)


def relative_position_index(height, width):
    """For each pair (i, j) of a window's pixels the row of the bias table that belongs to where i lies, seen from j.

    -> (L * L) integers, L = height * width, for a table of (2 height - 1) (2 width - 1) rows.
    """
    y = arange(height).repeat_interleave(width)
    x = arange(width).repeat(height)
    dy, dx = y[:, None] - y, x[:, None] - x
    return ((dy + height - 1) * (2 * width - 1) + dx + width - 1).reshape(-1)


def shift_mask(h, w, window, shift, like):
    """(windows, L, L): 0 where two pixels of a window came from one part of the picture rolled by `shift`, else -100."""
    def parts(size, width, step):
        i = arange(size, device=like.device)
        return (i >= size - width).to("int64") + (i >= size - step).to("int64") if step else i * 0
    region = 3 * parts(h, window[0], shift[0])[:, None] + parts(w, window[1], shift[1])
    region = split_windows(region[None, :, :, None], *window)[0, :, :, 0]
    return where(region[:, :, None] == region[:, None, :], 0.0, -100.0).to(like.dtype)


class ShiftedWindowAttention(nn.Module):
    """x (N, H, W, dim) -> (N, H, W, dim): attention in windows of `window_size`, after a roll by `shift_size`.

    To the scores a learned number is added that depends on the relative position of the two pixels only. Pictures are
    padded at the bottom and right to whole windows, and a side that one window covers is not shifted.
    """

    def __init__(self, dim, window_size, shift_size, num_heads, attention_dropout=0.0, dropout=0.0):
        super().__init__()
        if dim % num_heads:
            raise ValueError(f"ShiftedWindowAttention: dim must be a multiple of num_heads, got {dim} and {num_heads}")
        self.window_size, self.shift_size, self.num_heads = list(window_size), list(shift_size), num_heads
        self.attention_dropout, self.dropout = attention_dropout, nn.Dropout(dropout)
        self.qkv, self.proj = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        height, width = window_size
        self.relative_position_bias_table = nn.Parameter(nn.init.trunc_normal_(
            zeros((2 * height - 1) * (2 * width - 1), num_heads), std=0.02))
        self.register_buffer("relative_position_index", relative_position_index(height, width))

    def bias(self):
        """What is added to the scores of a window, (heads, L, L)."""
        length = self.window_size[0] * self.window_size[1]
        table = self.relative_position_bias_table[self.relative_position_index]
        return table.reshape(length, length, -1).permute(2, 0, 1)

    def forward(self, x):
        n, h, w, c = x.shape
        window = self.window_size
        x = F.pad(x, (0, 0, 0, -w % window[1], 0, -h % window[0]))
        high, wide = x.shape[1:3]
        shift = [0 if size <= length else step
                 for size, length, step in zip((high, wide), window, self.shift_size)]
        if any(shift):
            x = x.roll((-shift[0], -shift[1]), (1, 2))
        x = split_windows(x, *window)
        count, length = x.shape[1:3]
        q, k, v = self.qkv(x).reshape(n, count, length, 3, self.num_heads, c // self.num_heads).permute(3, 0, 1, 4, 2, 5)
        mask = self.bias()
        if any(shift):
            mask = mask + shift_mask(high, wide, window, shift, x).unsqueeze(1)
        y = F.scaled_dot_product_attention(q, k, v, mask, self.attention_dropout if self.training else 0.0)
        y = self.dropout(self.proj(y.transpose(2, 3).reshape(n, count, length, c)))
        y = join_windows(y, *window, high, wide)
        if any(shift):
            y = y.roll((shift[0], shift[1]), (1, 2))
        return y[:, :h, :w]

    def multiply_adds(self, inputs, y):
        """Scores and means cost 2 L dim products for each of the L pixels of a window."""
        n, h, w, c = y.shape
        height, width = self.window_size
        return 2 * n * -(-h // height) * -(-w // width) * (height * width) ** 2 * c


class PatchMerging(nn.Module):
    """x (N, H, W, C) -> (N, H/2, W/2, 2C): four neighbours side by side, normalised, through one linear layer.

    An odd side is padded by one.
    """

    def __init__(self, dim, norm_layer=LayerNorm):
        super().__init__()
        self.reduction = nn.Linear(4 * dim, 2 * dim, bias=False)
        self.norm = norm_layer(4 * dim)

    def forward(self, x):
        n, h, w, c = x.shape
        x = F.pad(x, (0, 0, 0, w % 2, 0, h % 2))
        x = x.reshape(n, (h + 1) // 2, 2, (w + 1) // 2, 2, c).permute(0, 1, 3, 4, 2, 5)
        return self.reduction(self.norm(x.flatten(3)))


class SwinTransformerBlock(nn.Module):
    """x (N, H, W, dim) -> x + attention(norm(x)), then x + mlp(norm(x)), each branch dropped now and then."""

    def __init__(self, dim, num_heads, window_size, shift_size, mlp_ratio=4.0, dropout=0.0, attention_dropout=0.0,
                 stochastic_depth_prob=0.0, norm_layer=LayerNorm, attn_layer=ShiftedWindowAttention):
        super().__init__()
        self.norm1 = norm_layer(dim)
        self.attn = attn_layer(dim, window_size, shift_size, num_heads, attention_dropout=attention_dropout,
                               dropout=dropout)
        self.stochastic_depth = StochasticDepth(stochastic_depth_prob)
        self.norm2 = norm_layer(dim)
        self.mlp = mlp(dim, int(dim * mlp_ratio), dropout)

    def forward(self, x):
        x = x + self.stochastic_depth(self.attn(self.norm1(x)))
        return x + self.stochastic_depth(self.mlp(self.norm2(x)))


class SwinTransformer(nn.Module):
    """x (N, 3, H, W) -> scores (N, num_classes), any size from one patch on; made for 224x224.

    `depths` are the blocks of the stages and `num_heads` their heads; the first stage has `embed_dim` channels, each further
    one twice as many. Branches are dropped with a probability that grows from 0 to `stochastic_depth_prob`.
    """

    def __init__(self, patch_size, embed_dim, depths, num_heads, window_size, mlp_ratio=4.0, dropout=0.0,
                 attention_dropout=0.0, stochastic_depth_prob=0.1, num_classes=1000, norm_layer=None, block=None,
                 downsample_layer=PatchMerging):
        super().__init__()
        block, norm_layer = block or SwinTransformerBlock, norm_layer or LayerNorm
        self.least = max(patch_size)
        layers = [nn.Sequential(nn.Conv2d(3, embed_dim, tuple(patch_size), stride=tuple(patch_size)), Permute((0, 2, 3, 1)),
                                norm_layer(embed_dim))]
        total, done, dim = sum(depths), 0, embed_dim
        for i, (depth, heads) in enumerate(zip(depths, num_heads, strict=True)):
            if i:
                layers.append(downsample_layer(dim, norm_layer))
                dim *= 2
            stage = []
            for j in range(depth):
                shift = [size // 2 if j % 2 else 0 for size in window_size]
                stage.append(block(dim, heads, window_size, shift, mlp_ratio, dropout, attention_dropout,
                                   stochastic_depth_prob * done / max(total - 1, 1), norm_layer))
                done += 1
            layers.append(nn.Sequential(*stage))
        self.features = nn.Sequential(*layers)
        self.norm, self.permute = norm_layer(dim), Permute((0, 3, 1, 2))
        self.avgpool, self.flatten = nn.AdaptiveAvgPool2d(1), nn.Flatten(1)
        self.head = nn.Linear(dim, num_classes)
        for name, m in self.named_modules():
            if isinstance(m, nn.Linear) and ".mlp." not in name:
                nn.init.trunc_normal_(m.weight, std=0.02)
                if m.bias is not None:
                    nn.init.zeros_(m.bias)

    def forward(self, x):
        check_size(self, x, self.least)
        x = self.norm(self.features(x))
        return self.head(self.flatten(self.avgpool(self.permute(x))))


swin_t = variant("swin_t", SwinTransformer, [4, 4], 96, [2, 2, 6, 2], [3, 6, 12, 24], [7, 7], stochastic_depth_prob=0.2)
swin_s = variant("swin_s", SwinTransformer, [4, 4], 96, [2, 2, 18, 2], [3, 6, 12, 24], [7, 7], stochastic_depth_prob=0.3)
swin_b = variant("swin_b", SwinTransformer, [4, 4], 128, [2, 2, 18, 2], [4, 8, 16, 32], [7, 7], stochastic_depth_prob=0.5)
cifar_swin = variant("cifar_swin", SwinTransformer, [2, 2], 48, [2, 2, 2], [3, 6, 12], [4, 4], num_classes=10)
