"""RepVGG: trained with branches, used as a plain stack of 3x3 convolutions.

The lecture's idea: skips and branches are needed to learn, not to compute. In evaluation batch norm is linear, a 1x1 is a
3x3 with zeros around it, and the identity is a 1x1 with a unit matrix; so the three branches of a block,

    norm(W3 * x) + norm(w1 * x) + norm(x) = (W3' + pad(w1') + pad(I')) * x + (b3 + b1 + b0),

are one 3x3 convolution. `deploy()` puts it in their place: VGG's speed, ResNet's accuracy.

Source: X. Ding et al., "RepVGG: making VGG-style ConvNets great again" (2021), table 2. Names are those of its files.
"""
from collections import OrderedDict

from .. import nn, no_grad, zeros_like
from ..nn import functional as F
from .registry import variant


def conv_bn(in_channels, out_channels, kernel_size, stride, padding, groups):
    """A convolution "conv" without bias and its norm "bn"."""
    return nn.Sequential(OrderedDict(
        conv=nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding, groups=groups, bias=False),
        bn=nn.BatchNorm2d(out_channels)))


def merge(conv_w, bn):
    """The weight and bias of one convolution that does what `conv_w` and then `bn` in evaluation do."""
    return nn.utils.fuse_conv_bn_weights(conv_w, None, bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias)


class RepVGGBlock(nn.Module):
    """x (N, in_channels, H, W) -> relu(3x3 + 1x1 + x), each normalised; without x where shapes differ."""

    def __init__(self, in_channels, out_channels, stride=1, groups=1):
        super().__init__()
        self.rbr_identity = nn.BatchNorm2d(in_channels) if in_channels == out_channels and stride == 1 else None
        self.rbr_dense = conv_bn(in_channels, out_channels, 3, stride, 1, groups)
        self.rbr_1x1 = conv_bn(in_channels, out_channels, 1, stride, 0, groups)
        self.rbr_reparam = None

    def forward(self, x):
        if self.rbr_reparam is not None:
            return F.relu(self.rbr_reparam(x))
        out = self.rbr_dense(x) + self.rbr_1x1(x)
        return F.relu(out if self.rbr_identity is None else out + self.rbr_identity(x))

    def equivalent(self):
        """(weight, bias) of the one 3x3 convolution that the branches are in evaluation."""
        dense = self.rbr_dense.conv
        branches = [merge(dense.weight, self.rbr_dense.bn), merge(F.pad(self.rbr_1x1.conv.weight, (1, 1, 1, 1)),
                                                                  self.rbr_1x1.bn)]
        if self.rbr_identity is not None:
            branches.append(merge(nn.init.dirac_(zeros_like(dense.weight), dense.groups), self.rbr_identity))
        weights, biases = zip(*branches)
        return sum(weights), sum(biases)

    def deploy(self):
        """Replace the branches by their equivalent, which can no longer be trained as they could."""
        if self.rbr_reparam is None:
            conv = self.rbr_dense.conv
            with no_grad():
                weight, bias = self.equivalent()
            merged = nn.utils.skip_init(nn.Conv2d, conv.in_channels, conv.out_channels, 3, conv.stride, 1,
                                        groups=conv.groups)
            merged.weight, merged.bias = nn.Parameter(weight), nn.Parameter(bias)
            self.rbr_reparam = merged
            self.rbr_dense = self.rbr_1x1 = self.rbr_identity = None


class RepVGG(nn.Module):
    """x (N, 3, H, W) -> scores (N, num_classes), any size; made for 224x224.

    `num_blocks` are the blocks of the four stages, `width_multiplier` the factors of their 64, 128, 256 and 512 channels.
    `deploy()` makes the network a plain one with the same outputs as in evaluation.
    """

    def __init__(self, num_blocks, width_multiplier, num_classes=1000):
        super().__init__()
        channels = min(64, int(64 * width_multiplier[0]))
        self.stage0 = RepVGGBlock(3, channels, stride=2)
        for i, (blocks, factor) in enumerate(zip(num_blocks, width_multiplier)):
            width, stage = int(64 * 2 ** i * factor), []
            for j in range(blocks):
                stage.append(RepVGGBlock(channels, width, 1 if j else 2))
                channels = width
            setattr(self, f"stage{i + 1}", nn.Sequential(*stage))
        self.gap = nn.AdaptiveAvgPool2d(1)
        self.linear = nn.Linear(channels, num_classes)

    def forward(self, x):
        x = self.stage4(self.stage3(self.stage2(self.stage1(self.stage0(x)))))
        return self.linear(self.gap(x).flatten(1))

    def deploy(self):
        """Merge the branches of every block, in place; returns the network, in evaluation mode."""
        for m in list(self.modules()):
            if isinstance(m, RepVGGBlock):
                m.deploy()
        return self.eval()


repvgg_a0 = variant("repvgg_a0", RepVGG, (2, 4, 14, 1), (0.75, 0.75, 0.75, 2.5))
repvgg_a1 = variant("repvgg_a1", RepVGG, (2, 4, 14, 1), (1, 1, 1, 2.5))
repvgg_a2 = variant("repvgg_a2", RepVGG, (2, 4, 14, 1), (1.5, 1.5, 1.5, 2.75))
repvgg_b0 = variant("repvgg_b0", RepVGG, (4, 6, 16, 1), (1, 1, 1, 2.5))
repvgg_b1 = variant("repvgg_b1", RepVGG, (4, 6, 16, 1), (2, 2, 2, 4))
repvgg_b2 = variant("repvgg_b2", RepVGG, (4, 6, 16, 1), (2.5, 2.5, 2.5, 5))
repvgg_b3 = variant("repvgg_b3", RepVGG, (4, 6, 16, 1), (3, 3, 3, 5))
