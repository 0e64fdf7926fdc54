"""CvT: convolutions where a transformer has linear maps.

The lecture's idea: take from convolutions what is cheap and good for pictures. Patches overlap and shrink the picture in
three steps, so that there is a pyramid. Inside a block queries, keys and values come from depthwise 3x3 convolutions of the
picture of tokens; keys and values with stride 2, so that there are four times fewer to look at. Because a convolution with
zeros around it knows where the border is, no positions are needed, and any size works.

Source: H. Wu et al., "CvT: introducing convolutions to vision transformers" (2021), table 2. Names are those of its files.
"""
from collections import OrderedDict
from functools import partial

from .. import cat, nn, zeros
from ..nn import functional as F
from .blocks import StochasticDepth, check_size
from .registry import variant

narrow_ = partial(nn.init.trunc_normal_, std=0.02)


class QuickGELU(nn.Module):
    """x sigmoid(1.702 x), close to GELU."""

    def forward(self, x):
        return x * (1.702 * x).sigmoid()


def to_tokens(x):
    """(N, C, H, W) -> (N, H W, C)."""
    return x.flatten(2).transpose(1, 2)


def to_picture(x, h, w):
    """(N, H W, C) -> (N, C, H, W)."""
    return x.transpose(1, 2).reshape(x.shape[0], x.shape[2], h, w)


class ConvEmbed(nn.Module):
    """Overlapping patches: x (N, C, H, W) -> (N, dim, H / stride, W / stride), each pixel normalised."""

    def __init__(self, in_channels, dim, kernel_size, stride, padding):
        super().__init__()
        self.proj = nn.Conv2d(in_channels, dim, kernel_size, stride, padding)
        self.norm = nn.LayerNorm(dim)

    def forward(self, x):
        x = self.proj(x)
        return to_picture(self.norm(to_tokens(x)), *x.shape[2:])


class ConvAttention(nn.Module):
    """Attention of tokens (N, [1 +] H W, dim), the first one the class token if there is one, which skips the convolutions.

    Scores are divided by sqrt(dim), as in the authors' code, not by the root of a head's share of it.
    """

    def __init__(self, dim, num_heads, stride_kv=2):
        super().__init__()
        self.num_heads, self.scale = num_heads, dim ** -0.5
        for name, stride in (("q", 1), ("k", stride_kv), ("v", stride_kv)):
            self.add_module(f"conv_proj_{name}", nn.Sequential(OrderedDict(
                conv=nn.Conv2d(dim, dim, 3, stride, 1, groups=dim, bias=False), bn=nn.BatchNorm2d(dim))))
            self.add_module(f"proj_{name}", nn.Linear(dim, dim))
        self.proj = nn.Linear(dim, dim)

    def forward(self, x, h, w):
        n, c = x.shape[0], x.shape[2]
        extra, picture = x[:, :-h * w], to_picture(x[:, -h * w:], h, w)

        def project(conv, linear):
            y = linear(cat([extra, to_tokens(conv(picture))], 1))
            return y.reshape(n, y.shape[1], self.num_heads, c // self.num_heads).transpose(1, 2)
        q = project(self.conv_proj_q, self.proj_q)
        k = project(self.conv_proj_k, self.proj_k)
        v = project(self.conv_proj_v, self.proj_v)
        y = F.scaled_dot_product_attention(q, k, v, scale=self.scale)
        return self.proj(y.transpose(1, 2).flatten(2))

    def multiply_adds(self, inputs, y):
        """Scores and means cost 2 dim products for each pair of a query and a key, of which there are fewer."""
        x, h, w = inputs
        stride = self.conv_proj_k.conv.stride[0]
        keys = x.shape[1] - h * w + -(-h // stride) * -(-w // stride)
        return 2 * keys * y.numel()


class Block(nn.Module):
    """Tokens x -> x + attention(norm(x)), then x + mlp(norm(x))."""

    def __init__(self, dim, num_heads, mlp_ratio, stochastic_depth_prob):
        super().__init__()
        self.norm1, self.attn = nn.LayerNorm(dim), ConvAttention(dim, num_heads)
        self.stochastic_depth = StochasticDepth(stochastic_depth_prob)
        self.norm2, hidden = nn.LayerNorm(dim), int(dim * mlp_ratio)
        self.mlp = nn.Sequential(OrderedDict(fc1=nn.Linear(dim, hidden), act=QuickGELU(), fc2=nn.Linear(hidden, dim)))

    def forward(self, x, h, w):
        x = x + self.stochastic_depth(self.attn(self.norm1(x), h, w))
        return x + self.stochastic_depth(self.mlp(self.norm2(x)))


class Stage(nn.Module):
    """x (N, C, H, W) -> a smaller picture of tokens (N, dim, h, w) and the class token (N, 1, dim), if it is to have one."""

    def __init__(self, in_channels, dim, depth, num_heads, patch, mlp_ratio=4.0, stochastic_depth_prob=0.0,
                 with_class=False):
        super().__init__()
        self.patch_embed = ConvEmbed(in_channels, dim, *patch)
        self.cls_token = nn.Parameter(narrow_(zeros(1, 1, dim))) if with_class else None
        self.blocks = nn.ModuleList(Block(dim, num_heads, mlp_ratio, stochastic_depth_prob * i / max(depth - 1, 1))
                                    for i in range(depth))

    def forward(self, x):
        x = self.patch_embed(x)
        h, w = x.shape[2:]
        x = to_tokens(x)
        if self.cls_token is not None:
            x = cat([self.cls_token.expand(x.shape[0], -1, -1), x], 1)
        for block in self.blocks:
            x = block(x, h, w)
        return to_picture(x[:, -h * w:], h, w), x[:, :-h * w]


class ConvolutionalVisionTransformer(nn.Module):
    """x (N, in_channels, H, W) -> scores (N, num_classes), any size from `least` on; made for 224x224.

    `dims`, `depths` and `num_heads` give the stages, `patches` the (kernel_size, stride, padding) of their first layers. In
    the last stage branches are dropped with a probability that grows to `stochastic_depth_prob`.
    """

    def __init__(self, dims, depths, num_heads, patches=((7, 4, 2), (3, 2, 1), (3, 2, 1)), mlp_ratio=4.0,
                 stochastic_depth_prob=0.1, num_classes=1000, in_channels=3):
        super().__init__()
        last = len(dims) - 1
        self.least, self.stages = max(1, patches[0][0] - 2 * patches[0][2]), last + 1
        for i, (dim, depth, heads, patch) in enumerate(zip(dims, depths, num_heads, patches, strict=True)):
            self.add_module(f"stage{i}", Stage(dims[i - 1] if i else in_channels, dim, depth, heads, patch, mlp_ratio,
                                               stochastic_depth_prob if i == last else 0.0, i == last))
        self.norm, self.head = nn.LayerNorm(dims[-1]), nn.Linear(dims[-1], num_classes)
        for m in self.modules():
            if isinstance(m, (nn.Linear, nn.Conv2d)):
                narrow_(m.weight)
                if m.bias is not None:
                    nn.init.zeros_(m.bias)

    def forward(self, x):
        check_size(self, x, self.least)
        for i in range(self.stages):
            x, token = getattr(self, f"stage{i}")(x)
        return self.head(self.norm(token).squeeze(1))


cvt_13 = variant("cvt_13", ConvolutionalVisionTransformer, (64, 192, 384), (1, 2, 10), (1, 3, 6))
cvt_21 = variant("cvt_21", ConvolutionalVisionTransformer, (64, 192, 384), (1, 4, 16), (1, 3, 6))
cifar_cvt = variant("cifar_cvt", ConvolutionalVisionTransformer, (32, 64, 128), (1, 2, 3), (1, 2, 4),
                    patches=((3, 2, 1), (3, 2, 1), (3, 2, 1)), num_classes=10)
