"""ShuffleNet v2: designed for measured time, not for counted multiplications.

The lecture's idea: what a network costs is memory traffic as much as arithmetic, so its guidelines are equal widths (the
least traffic for a 1x1 of given cost), few groups, few branches, few elementwise operations. A unit splits its channels:
one half passes untouched, the other goes through 1x1, depthwise 3x3 and 1x1; both are joined, and a shuffle mixes them.

Source: N. Ma, X. Zhang, H. Zheng and J. Sun, "ShuffleNet V2: practical guidelines for efficient CNN architecture design"
(2018), table 5. Names are torchvision's.
"""
from .. import cat, nn
from ..nn import functional as F
from .blocks import conv_norm
from .registry import variant


class InvertedResidual(nn.Module):
    """x (N, inp, H, W) -> (N, oup, H/stride, W/stride); with stride 2 both branches see all channels and halve the size."""

    def __init__(self, inp, oup, stride):
        super().__init__()
        half = oup // 2
        if oup % 2 or stride == 1 and inp != oup:
            raise ValueError(f"InvertedResidual: oup must be even, and inp at stride 1, got inp={inp} and oup={oup}")
        self.stride = stride
        first = inp if stride == 2 else half
        self.branch1 = nn.Sequential()
        if stride == 2:
            self.branch1 = nn.Sequential(*conv_norm(inp, inp, 3, 2, groups=inp, activation=None), *conv_norm(inp, half, 1))
        self.branch2 = nn.Sequential(*conv_norm(first, half, 1),
                                     *conv_norm(half, half, 3, stride, groups=half, activation=None),
                                     *conv_norm(half, half, 1))

    def forward(self, x):
        keep, change = x.chunk(2, 1) if self.stride == 1 else (self.branch1(x), x)
        return F.channel_shuffle(cat([keep, self.branch2(change)], 1), 2)


class ShuffleNetV2(nn.Module):
    """x (N, 3, H, W) -> scores (N, num_classes), any size; made for 224x224.

    `stages_repeats` are the units of the three stages, `stages_out_channels` the widths of stem, stages and last layer.
    """

    def __init__(self, stages_repeats, stages_out_channels, num_classes=1000, inverted_residual=InvertedResidual):
        super().__init__()
        if len(stages_repeats) != 3 or len(stages_out_channels) != 5:
            raise ValueError("ShuffleNetV2: stages_repeats must hold 3 numbers and stages_out_channels 5, got "
                             f"{stages_repeats} and {stages_out_channels}")
        channels, *widths, last = stages_out_channels
        self.conv1 = conv_norm(3, channels, stride=2)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        for stage, (units, width) in enumerate(zip(stages_repeats, widths), 2):
            layers = [inverted_residual(channels, width, 2)] + [inverted_residual(width, width, 1) for _ in range(units - 1)]
            setattr(self, f"stage{stage}", nn.Sequential(*layers))
            channels = width
        self.conv5 = conv_norm(channels, last, 1)
        self.fc = nn.Linear(last, num_classes)

    def forward(self, x):
        x = self.maxpool(self.conv1(x))
        x = self.conv5(self.stage4(self.stage3(self.stage2(x))))
        return self.fc(x.mean((2, 3)))


shufflenet_v2_x0_5 = variant("shufflenet_v2_x0_5", ShuffleNetV2, [4, 8, 4], [24, 48, 96, 192, 1024])
shufflenet_v2_x1_0 = variant("shufflenet_v2_x1_0", ShuffleNetV2, [4, 8, 4], [24, 116, 232, 464, 1024])
shufflenet_v2_x1_5 = variant("shufflenet_v2_x1_5", ShuffleNetV2, [4, 8, 4], [24, 176, 352, 704, 1024])
shufflenet_v2_x2_0 = variant("shufflenet_v2_x2_0", ShuffleNetV2, [4, 8, 4], [24, 244, 488, 976, 2048])
