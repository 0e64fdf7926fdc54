"""RepLKNet: 31x31 kernels.

The lecture's idea: the field that a unit of a deep stack of 3x3 convolutions effectively sees grows only with the square
root of the depth; a few very large kernels see more than many small ones. Depthwise they are affordable, a skip keeps the
small structures, and a 5x5 beside each large kernel helps it to learn, to be added into it afterwards (`deploy()`, as in
RepVGG).

Source: X. Ding, X. Zhang, J. Han and G. Ding, "Scaling up your kernels to 31x31: revisiting large kernel design in CNNs"
(2022), table 5 and figure 2.
"""
from collections import OrderedDict

from .. import nn, no_grad
from ..nn import functional as F
from .blocks import StochasticDepth
from .registry import variant
from .repvgg import conv_bn, merge


def unit(in_channels, out_channels, kernel_size=1, stride=1, groups=1):
    """Convolution "conv", norm "bn" and ReLU."""
    layers = conv_bn(in_channels, out_channels, kernel_size, stride, kernel_size // 2, groups)
    layers.add_module("nonlinear", nn.ReLU())
    return layers


class LargeKernel(nn.Module):
    """x (N, channels, H, W) -> (N, channels, H, W): a large and a small depthwise convolution, each normalised, added."""

    def __init__(self, channels, kernel_size, small_kernel):
        super().__init__()
        if kernel_size % 2 == 0 or small_kernel % 2 == 0 or small_kernel > kernel_size:
            raise ValueError("LargeKernel: kernel_size and small_kernel must be odd, and the small one no larger, got "
                             f"{kernel_size} and {small_kernel}")
        self.lkb_origin = conv_bn(channels, channels, kernel_size, 1, kernel_size // 2, channels)
        self.small_conv = conv_bn(channels, channels, small_kernel, 1, small_kernel // 2, channels)
        self.lkb_reparam = None

    def forward(self, x):
        return self.lkb_reparam(x) if self.lkb_reparam is not None else self.lkb_origin(x) + self.small_conv(x)

    def deploy(self):
        """Replace both convolutions and norms by one convolution with the same outputs in evaluation."""
        if self.lkb_reparam is None:
            large, small = self.lkb_origin.conv, self.small_conv.conv
            border = (large.kernel_size[0] - small.kernel_size[0]) // 2
            with no_grad():
                w1, b1 = merge(large.weight, self.lkb_origin.bn)
                w2, b2 = merge(F.pad(small.weight, (border,) * 4), self.small_conv.bn)
                merged = nn.utils.skip_init(nn.Conv2d, large.in_channels, large.out_channels, large.kernel_size,
                                            padding=large.padding, groups=large.groups)
                merged.weight, merged.bias = nn.Parameter(w1 + w2), nn.Parameter(b1 + b2)
            self.lkb_reparam = merged
            self.lkb_origin = self.small_conv = None


class RepLKBlock(nn.Module):
    """x + F(x), F being norm, 1x1, large depthwise kernel, ReLU, 1x1."""

    def __init__(self, channels, kernel_size, small_kernel, drop_path):
        super().__init__()
        self.prelkb_bn = nn.BatchNorm2d(channels)
        self.pw1 = unit(channels, channels)
        self.large_kernel = LargeKernel(channels, kernel_size, small_kernel)
        self.lk_nonlinear = nn.ReLU()
        self.pw2 = conv_bn(channels, channels, 1, 1, 0, 1)
        self.drop_path = StochasticDepth(drop_path)

    def forward(self, x):
        y = self.lk_nonlinear(self.large_kernel(self.pw1(self.prelkb_bn(x))))
        return x + self.drop_path(self.pw2(y))


class ConvFFN(nn.Module):
    """x + F(x), F being norm, 1x1 to four times the channels, GELU, 1x1: a transformer's feed-forward layer."""

    def __init__(self, channels, drop_path, ffn_ratio=4):
        super().__init__()
        self.preffn_bn = nn.BatchNorm2d(channels)
        self.pw1 = conv_bn(channels, channels * ffn_ratio, 1, 1, 0, 1)
        self.nonlinear = nn.GELU()
        self.pw2 = conv_bn(channels * ffn_ratio, channels, 1, 1, 0, 1)
        self.drop_path = StochasticDepth(drop_path)

    def forward(self, x):
        return x + self.drop_path(self.pw2(self.nonlinear(self.pw1(self.preffn_bn(x)))))


class RepLKNet(nn.Module):
    """x (N, 3, H, W) -> scores (N, num_classes), any size; made for 224x224.

    Of each stage: kernel size, number of RepLKBlocks (each with its ConvFFN), channels. Branches are dropped with a
    probability that grows from 0 to `drop_path`. `deploy()` merges small kernels into the large ones.
    """

    def __init__(self, large_kernel_sizes, layers, channels, small_kernel=5, drop_path=0.3, num_classes=1000):
        super().__init__()
        first = channels[0]
        self.stem = nn.ModuleList([unit(3, first, 3, 2), unit(first, first, 3, groups=first), unit(first, first),
                                   unit(first, first, 3, 2, first)])
        self.stages, self.transitions = nn.ModuleList(), nn.ModuleList()
        total, done = sum(layers), 0
        for i, (kernel_size, blocks, width) in enumerate(zip(large_kernel_sizes, layers, channels)):
            stage = []
            for _ in range(blocks):
                drop, done = drop_path * done / max(total - 1, 1), done + 1
                stage += [RepLKBlock(width, kernel_size, small_kernel, drop), ConvFFN(width, drop)]
            self.stages.append(nn.Sequential(OrderedDict(blocks=nn.Sequential(*stage))))
            if i + 1 < len(layers):
                wide = channels[i + 1]
                self.transitions.append(nn.Sequential(unit(width, wide), unit(wide, wide, 3, 2, wide)))
        self.norm = nn.BatchNorm2d(channels[-1])
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(channels[-1], num_classes)

    def forward(self, x):
        for layer in self.stem:
            x = layer(x)
        for i, stage in enumerate(self.stages):
            x = stage(x)
            if i < len(self.transitions):
                x = self.transitions[i](x)
        return self.head(self.avgpool(self.norm(x)).flatten(1))

    def deploy(self):
        """Merge the small kernels into the large ones, in place; returns the network, in evaluation mode."""
        for m in list(self.modules()):
            if isinstance(m, LargeKernel):
                m.deploy()
        return self.eval()


_PLAN = dict(large_kernel_sizes=(31, 29, 27, 13), layers=(2, 2, 18, 2))

replknet_31b = variant("replknet_31b", RepLKNet, channels=(128, 256, 512, 1024), **_PLAN)
replknet_31l = variant("replknet_31l", RepLKNet, channels=(192, 384, 768, 1536), **_PLAN)
