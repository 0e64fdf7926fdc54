"""ShuffleNet v1: grouped 1x1 convolutions, and a shuffle between them.

The lecture's idea: in a separable convolution nine tenths of the work are the 1x1. In groups they are g times cheaper, but
then no group ever learns of the others. So the channels are dealt out anew in between: written as (g, C/g), transposed and
flattened, every group gets channels from all. The saving pays for more channels.

Source: X. Zhang, X. Zhou, M. Lin and J. Sun, "ShuffleNet: an extremely efficient convolutional neural network for mobile
devices" (2018), table 1.
"""
from .. import cat, nn
from ..nn import functional as F
from .blocks import conv_norm, initialise
from .registry import variant

STAGE2_CHANNELS = {1: 144, 2: 200, 3: 240, 4: 272, 8: 384}  # for each number of groups, at about the same cost


class ShuffleUnit(nn.Module):
    """x (N, in_channels, H, W) -> (N, out_channels, H/stride, W/stride): stride 1 adds to x, stride 2 joins with its means.

    `first_groups` are those of the first 1x1, which sees only 24 channels in the first unit and is not grouped there.
    """

    def __init__(self, in_channels, out_channels, stride, groups, first_groups):
        super().__init__()
        middle, new = out_channels // 4, out_channels - in_channels if stride == 2 else out_channels
        self.stride, self.groups = stride, first_groups
        self.compress = conv_norm(in_channels, middle, 1, groups=first_groups)
        self.depthwise = conv_norm(middle, middle, 3, stride, groups=middle, activation=None)
        self.expand = conv_norm(middle, new, 1, groups=groups, activation=None)

    def forward(self, x):
        y = F.channel_shuffle(self.compress(x), self.groups)
        y = self.expand(self.depthwise(y))
        if self.stride == 2:
            return F.relu(cat([F.avg_pool2d(x, 3, stride=2, padding=1), y], 1))
        return F.relu(x + y)


class ShuffleNetV1(nn.Module):
    """x (N, 3, H, W) -> scores (N, num_classes), any size; made for 224x224. `scale` multiplies the widths."""

    def __init__(self, groups=3, scale=1.0, num_classes=1000):
        super().__init__()
        if groups not in STAGE2_CHANNELS:
            raise ValueError(f"ShuffleNetV1: groups must be one of {', '.join(map(str, STAGE2_CHANNELS))}, got {groups}")
        channels, width = int(24 * scale), int(STAGE2_CHANNELS[groups] * scale)
        self.conv1 = conv_norm(3, channels, stride=2)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        for stage, units in ((2, 4), (3, 8), (4, 4)):
            layers = []
            for i in range(units):
                first_groups = 1 if stage == 2 and i == 0 else groups
                layers.append(ShuffleUnit(channels, width, 2 if i == 0 else 1, groups, first_groups))
                channels = width
            setattr(self, f"stage{stage}", nn.Sequential(*layers))
            width *= 2
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(channels, num_classes)
        initialise(self)

    def forward(self, x):
        x = self.maxpool(self.conv1(x))
        x = self.stage4(self.stage3(self.stage2(x)))
        return self.fc(self.avgpool(x).flatten(1))


shufflenet_v1_g1 = variant("shufflenet_v1_g1", ShuffleNetV1, 1)
shufflenet_v1_g2 = variant("shufflenet_v1_g2", ShuffleNetV1, 2)
shufflenet_v1_g3 = variant("shufflenet_v1_g3", ShuffleNetV1, 3)
shufflenet_v1_g4 = variant("shufflenet_v1_g4", ShuffleNetV1, 4)
shufflenet_v1_g8 = variant("shufflenet_v1_g8", ShuffleNetV1, 8)
