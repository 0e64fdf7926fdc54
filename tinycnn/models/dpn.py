"""Dual path networks: ResNet and DenseNet in one.

The lecture's idea: adding (ResNet) uses features again, joining (DenseNet) finds new ones. So the channels are split: what a
block computes is added to the first ones and joined as `inc` new ones to the rest. DPN-92 has the blocks of ResNeXt.

Source: Y. Chen et al., "Dual path networks" (2017), table 1.
"""
from .. import cat, nn
from .blocks import initialise
from .registry import variant


def norm_conv(in_channels, out_channels, kernel_size=1, stride=1, groups=1):
    """Norm, ReLU, convolution."""
    conv = nn.Conv2d(in_channels, out_channels, kernel_size, stride, kernel_size // 2, groups=groups, bias=False)
    return nn.Sequential(nn.BatchNorm2d(in_channels, eps=0.001), nn.ReLU(), conv)


class DualPathBlock(nn.Module):
    """x (N, in_channels, H, W) -> (N, C, H/stride, W/stride): the first `width` channels are summed, the rest joined.

    The first block of a stage projects x to width + 2 inc channels, so C = width + 3 inc; in others C = in_channels + inc.
    """

    def __init__(self, in_channels, narrow, width, inc, groups, stride=1, project=False):
        super().__init__()
        self.width = width
        self.project = norm_conv(in_channels, width + 2 * inc, 1, stride) if project else None
        self.layers = nn.Sequential(norm_conv(in_channels, narrow), norm_conv(narrow, narrow, 3, stride, groups),
                                    norm_conv(narrow, width + inc))

    def forward(self, x):
        new, old = self.layers(x), x if self.project is None else self.project(x)
        w = self.width
        return cat([old[:, :w] + new[:, :w], old[:, w:], new[:, w:]], 1)


class DPN(nn.Module):
    """x (N, 3, H, W) -> scores (N, num_classes), any size; made for 224x224.

    `blocks` and `increments` are those of the four stages; the 3x3 of the first has `narrow` channels in `groups`. Widths
    double from stage to stage, beginning with `width`.
    """

    def __init__(self, blocks, increments, stem=64, narrow=96, groups=32, width=256, num_classes=1000):
        super().__init__()
        layers = [nn.Conv2d(3, stem, 7, stride=2, padding=3, bias=False), nn.BatchNorm2d(stem, eps=0.001), nn.ReLU(),
                  nn.MaxPool2d(3, 2, 1)]
        channels = stem
        for stage, (count, inc) in enumerate(zip(blocks, increments)):
            for i in range(count):
                layers.append(DualPathBlock(channels, narrow << stage, width << stage, inc, groups,
                                            stride=2 if stage and i == 0 else 1, project=i == 0))
                channels = (width << stage) + 3 * inc if i == 0 else channels + inc
        self.features = nn.Sequential(*layers, nn.BatchNorm2d(channels, eps=0.001), nn.ReLU())
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(channels, num_classes)
        initialise(self)

    def forward(self, x):
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


dpn92 = variant("dpn92", DPN, blocks=(3, 4, 20, 3), increments=(16, 32, 24, 128))
