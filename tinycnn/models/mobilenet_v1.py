"""MobileNet v1: depthwise separable convolutions.

The lecture's idea: a convolution filters and mixes channels at once, at k^2 M N multiplications a pixel. Done one after the
other, a depthwise kxk on each channel and a 1x1 across them, it costs k^2 M + M N, a fraction 1/N + 1/k^2 of it: eight to
nine times less for 3x3. Two multipliers trade accuracy for cost: the width multiplier thins all layers (cost and weights
fall with its square), the resolution multiplier shrinks the picture (cost falls with its square, weights stay).

Source: A. Howard et al., "MobileNets: efficient convolutional neural networks for mobile vision applications" (2017).
"""
from .. import nn
from .blocks import conv_norm, initialise
from .registry import variant

# (channels, stride) of the separable convolutions, table 1
PLAN = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1)]


def separable(in_channels, out_channels, stride):
    """x (N, in_channels, H, W) -> (N, out_channels, H/stride, W/stride): depthwise 3x3, norm, ReLU, 1x1, norm, ReLU."""
    return nn.Sequential(conv_norm(in_channels, in_channels, stride=stride, groups=in_channels),
                         conv_norm(in_channels, out_channels, 1))


class MobileNetV1(nn.Module):
    """x (N, 3, H, W) -> scores (N, num_classes), any size; made for 224x224, 192x192, 160x160 and 128x128."""

    def __init__(self, num_classes=1000, width_mult=1.0):
        super().__init__()
        channels = int(32 * width_mult)
        layers = [conv_norm(3, channels, stride=2)]
        for width, stride in PLAN:
            layers.append(separable(channels, int(width * width_mult), stride))
            channels = int(width * width_mult)
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(channels, num_classes)
        initialise(self)

    def forward(self, x):
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


def multiply_adds(width_mult=1.0, resolution_mult=1.0, num_classes=1000):
    """What one picture of 224 * resolution_mult pixels costs, added up layer by layer as in section 3."""
    size, channels = int(224 * resolution_mult + 1) // 2, int(32 * width_mult)
    total = size * size * 9 * 3 * channels
    for width, stride in PLAN:
        wide, size = int(width * width_mult), (size + stride - 1) // stride
        total += size * size * (9 * channels + channels * wide)
        channels = wide
    return total + channels * num_classes


mobilenet_v1 = variant("mobilenet_v1", MobileNetV1)
mobilenet_v1_0_75 = variant("mobilenet_v1_0_75", MobileNetV1, width_mult=0.75)
mobilenet_v1_0_5 = variant("mobilenet_v1_0_5", MobileNetV1, width_mult=0.5)
mobilenet_v1_0_25 = variant("mobilenet_v1_0_25", MobileNetV1, width_mult=0.25)
