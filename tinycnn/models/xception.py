"""Xception: Inception taken to the extreme.

The lecture's idea: an inception block assumes that looking across channels (1x1) and looking across pixels can be done
apart, for a few groups of channels. Let every channel be a group of its own: what comes out is a depthwise separable
convolution. A stack of these with skips, no heavier than Inception v3, is better.

Source: F. Chollet, "Xception: deep learning with depthwise separable convolutions" (2017), figure 5.

The network has 22,855,952 weights. Keras prints 22,910,480: it counts the running mean and variance of its batch norms too,
54,528 numbers, which no gradient trains and which are buffers here.
"""
from .. import nn
from .blocks import check_size, initialise
from .registry import variant


def norm(channels):
    """Batch norm with the constants of Keras."""
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


class SeparableConv2d(nn.Module):
    """x (N, in_channels, H, W) -> (N, out_channels, H, W): depthwise 3x3, then 1x1, nothing between."""

    def __init__(self, in_channels, out_channels):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, in_channels, 3, padding=1, groups=in_channels, bias=False)
        self.pointwise = nn.Conv2d(in_channels, out_channels, 1, bias=False)

    def forward(self, x):
        return self.pointwise(self.conv1(x))


class Block(nn.Module):
    """x (N, widths[0], H, W) -> (N, widths[-1], H', W'): separable convolutions from width to width, and the skip.

    Each is [ReLU, separable, norm]. With `halve`, pooling ends the block, H' = ceil(H/2), and a strided 1x1 is the skip.
    """

    def __init__(self, *widths, halve=True, start_with_relu=True):
        super().__init__()
        layers = []
        for a, b in zip(widths, widths[1:]):
            layers += [nn.ReLU(), SeparableConv2d(a, b), norm(b)]
        self.rep = nn.Sequential(*layers[0 if start_with_relu else 1:], *[nn.MaxPool2d(3, 2, 1)] * halve)
        self.skip = None
        if halve:
            self.skip = nn.Sequential(nn.Conv2d(widths[0], widths[-1], 1, stride=2, bias=False), norm(widths[-1]))

    def forward(self, x):
        return self.rep(x) + (x if self.skip is None else self.skip(x))


class Xception(nn.Module):
    """x (N, 3, H, W) -> scores (N, num_classes); made for 299x299, works from 7x7 on. `middle` blocks keep the size."""

    def __init__(self, num_classes=1000, middle=8, dropout=0.5):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 32, 3, stride=2, bias=False), norm(32), nn.ReLU(),
                                  nn.Conv2d(32, 64, 3, bias=False), norm(64), nn.ReLU())
        self.entry = nn.Sequential(Block(64, 128, 128, start_with_relu=False), Block(128, 256, 256), Block(256, 728, 728))
        self.middle = nn.Sequential(*[Block(728, 728, 728, 728, halve=False) for _ in range(middle)])
        self.exit = nn.Sequential(Block(728, 728, 1024), SeparableConv2d(1024, 1536), norm(1536), nn.ReLU(),
                                  SeparableConv2d(1536, 2048), norm(2048), nn.ReLU())
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(2048, num_classes)
        initialise(self)

    def forward(self, x):
        check_size(self, x, 7)
        x = self.exit(self.middle(self.entry(self.stem(x))))
        return self.fc(self.dropout(self.avgpool(x).flatten(1)))


xception = variant("xception", Xception, input_size=(3, 299, 299))
