"""EfficientNet: depth, width and resolution grow together.

The lecture's idea: a network can be made deeper, wider, or be shown larger pictures; each alone saturates. Compound scaling
multiplies all three, d = alpha^phi, w = beta^phi, r = gamma^phi. Cost grows as d w^2 r^2, so with alpha beta^2 gamma^2 = 2
each step of phi doubles it; alpha, beta and gamma come from a small grid search at phi = 1. The base, B0, is a network of
MobileNet's inverted residuals with squeeze-and-excitation, found by search.

Source: M. Tan and Q. Le, "EfficientNet: rethinking model scaling for convolutional neural networks" (2019), table 1.
Names are torchvision's.
"""
import math
from collections import namedtuple
from functools import partial

from .. import nn
from .blocks import SqueezeExcitation, StochasticDepth, conv_norm, initialise, make_divisible
from .registry import variant

MBConvConfig = namedtuple("MBConvConfig", "expand_ratio kernel stride input_channels out_channels num_layers")

B0 = [MBConvConfig(1, 3, 1, 32, 16, 1), MBConvConfig(6, 3, 2, 16, 24, 2), MBConvConfig(6, 5, 2, 24, 40, 2),
      MBConvConfig(6, 3, 2, 40, 80, 3), MBConvConfig(6, 5, 1, 80, 112, 3), MBConvConfig(6, 5, 2, 112, 192, 4),
      MBConvConfig(6, 3, 1, 192, 320, 1)]


def compound_scaling(phi, alpha=1.2, beta=1.1, gamma=1.15, size=224):
    """(depth multiplier, width multiplier, picture size) at `phi`; the published B1 to B7 are rounded from about these."""
    return alpha ** phi, beta ** phi, round(size * gamma ** phi)


def scale(setting, width_mult, depth_mult):
    """The stages of `setting` made wider, to multiples of 8 channels, and deeper."""
    return [stage._replace(input_channels=make_divisible(stage.input_channels * width_mult),
                           out_channels=make_divisible(stage.out_channels * width_mult),
                           num_layers=math.ceil(stage.num_layers * depth_mult)) for stage in setting]


class MBConv(nn.Module):
    """Widen by 1x1, depthwise, squeeze-and-excite, narrow by 1x1; the skip, where shapes agree, is dropped at random."""

    def __init__(self, cnf, stochastic_depth_prob, norm_layer=nn.BatchNorm2d):
        super().__init__()
        self.use_res_connect = cnf.stride == 1 and cnf.input_channels == cnf.out_channels
        wide = make_divisible(cnf.input_channels * cnf.expand_ratio)
        options = dict(norm_layer=norm_layer, activation=nn.SiLU)
        layers = [conv_norm(cnf.input_channels, wide, 1, **options)] if wide != cnf.input_channels else []
        layers += [conv_norm(wide, wide, cnf.kernel, cnf.stride, groups=wide, **options),
                   SqueezeExcitation(wide, max(1, cnf.input_channels // 4), nn.SiLU),
                   conv_norm(wide, cnf.out_channels, 1, norm_layer=norm_layer, activation=None)]
        self.block = nn.Sequential(*layers)
        self.stochastic_depth = StochasticDepth(stochastic_depth_prob)

    def forward(self, x):
        return x + self.stochastic_depth(self.block(x)) if self.use_res_connect else self.block(x)


class EfficientNet(nn.Module):
    """x (N, 3, H, W) -> scores (N, num_classes), any size; B0 is made for 224x224, B7 for 600x600.

    `inverted_residual_setting` holds the MBConvConfig of each stage; branches are dropped with a probability that grows
    from 0 to `stochastic_depth_prob`; `last_channel` is the width of the last convolution, None four times that before it.
    """

    def __init__(self, inverted_residual_setting, dropout, stochastic_depth_prob=0.2, num_classes=1000, norm_layer=None,
                 last_channel=None):
        super().__init__()
        norm_layer = norm_layer or nn.BatchNorm2d
        options = dict(norm_layer=norm_layer, activation=nn.SiLU)
        layers = [conv_norm(3, inverted_residual_setting[0].input_channels, stride=2, **options)]
        total, done = sum(cnf.num_layers for cnf in inverted_residual_setting), 0
        for cnf in inverted_residual_setting:
            stage = []
            for _ in range(cnf.num_layers):
                stage.append(MBConv(cnf, stochastic_depth_prob * done / total, norm_layer))
                cnf, done = cnf._replace(input_channels=cnf.out_channels, stride=1), done + 1
            layers.append(nn.Sequential(*stage))
        last_channel = last_channel or 4 * cnf.out_channels
        layers.append(conv_norm(cnf.out_channels, last_channel, 1, **options))
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(nn.Dropout(dropout), nn.Linear(last_channel, num_classes))
        bound = 1 / math.sqrt(num_classes)
        initialise(self, linear=lambda w: nn.init.uniform_(w, -bound, bound))

    def forward(self, x):
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


def _efficientnet(width_mult, depth_mult, dropout, norm_layer=None, **options):
    return EfficientNet(scale(B0, width_mult, depth_mult), dropout, norm_layer=norm_layer, **options)


_TensorFlowNorm = partial(nn.BatchNorm2d, eps=0.001, momentum=0.01)

efficientnet_b0 = variant("efficientnet_b0", _efficientnet, 1.0, 1.0, dropout=0.2)
efficientnet_b1 = variant("efficientnet_b1", _efficientnet, 1.0, 1.1, dropout=0.2, input_size=(3, 240, 240))
efficientnet_b2 = variant("efficientnet_b2", _efficientnet, 1.1, 1.2, dropout=0.3, input_size=(3, 260, 260))
efficientnet_b3 = variant("efficientnet_b3", _efficientnet, 1.2, 1.4, dropout=0.3, input_size=(3, 300, 300))
efficientnet_b4 = variant("efficientnet_b4", _efficientnet, 1.4, 1.8, dropout=0.4, input_size=(3, 380, 380))
efficientnet_b5 = variant("efficientnet_b5", _efficientnet, 1.6, 2.2, dropout=0.4, norm_layer=_TensorFlowNorm,
                          input_size=(3, 456, 456))
efficientnet_b6 = variant("efficientnet_b6", _efficientnet, 1.8, 2.6, dropout=0.5, norm_layer=_TensorFlowNorm,
                          input_size=(3, 528, 528))
efficientnet_b7 = variant("efficientnet_b7", _efficientnet, 2.0, 3.1, dropout=0.5, norm_layer=_TensorFlowNorm,
                          input_size=(3, 600, 600))
