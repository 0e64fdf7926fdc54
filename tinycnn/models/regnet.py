"""RegNet: not one network but a design space, and a rule that good networks in it obey.

The lecture's idea: compare populations of random networks, not single ones, and cut the space down to where the good ones
are. What is left is simple: widths grow linearly with depth, w_j = w_0 + w_a j, rounded to powers of w_m (times w_0) so
that they form stages. Four numbers and a group width give all of them; Y is X with squeeze-and-excitation.

Source: I. Radosavovic et al., "Designing network design spaces" (2020), section 3.3. Names are torchvision's.
"""
import math
from collections import OrderedDict
from itertools import groupby

from .. import nn
from .blocks import SqueezeExcitation, conv_norm, initialise, make_divisible
from .registry import variant


def stages(depth, w_0, w_a, w_m, group_width):
    """[(width, blocks, group width)] of the stages of a network of `depth` blocks.

    Block j would like w_0 + w_a j = w_0 w_m^s channels; s is rounded to an integer, the width to a multiple of 8, and that
    of each stage to a multiple of its group width.
    """
    if w_a < 0 or w_0 <= 0 or w_m <= 1 or w_0 % 8:
        raise ValueError(f"stages: w_a must not be negative, w_0 a positive multiple of 8 and w_m above 1, got {w_a}, {w_0} "
                         f"and {w_m}")
    powers = [round(math.log((w_0 + w_a * j) / w_0) / math.log(w_m)) for j in range(depth)]
    widths = [round(w_0 * w_m ** s / 8) * 8 for s in powers]
    found = []
    for width, blocks in groupby(widths):
        group = min(group_width, width)
        found.append((make_divisible(width, group), len(list(blocks)), group))
    return found


class Block(nn.Module):
    """x (N, width_in, H, W) -> relu(x + F(x)), F being 1x1, grouped 3x3, squeeze-and-excitation, 1x1, all of one width."""

    def __init__(self, width_in, width_out, stride, group_width, se_ratio=None, norm_layer=nn.BatchNorm2d,
                 activation=nn.ReLU):
        super().__init__()
        options = dict(norm_layer=norm_layer, activation=activation)
        self.proj = None
        if width_in != width_out or stride != 1:
            self.proj = conv_norm(width_in, width_out, 1, stride, norm_layer=norm_layer, activation=None)
        layers = OrderedDict(a=conv_norm(width_in, width_out, 1, **options),
                             b=conv_norm(width_out, width_out, 3, stride, groups=width_out // group_width, **options))
        if se_ratio:
            layers["se"] = SqueezeExcitation(width_out, int(round(se_ratio * width_in)), activation)
        layers["c"] = conv_norm(width_out, width_out, 1, norm_layer=norm_layer, activation=None)
        self.f = nn.Sequential(layers)
        self.activation = activation()

    def forward(self, x):
        return self.activation((x if self.proj is None else self.proj(x)) + self.f(x))


class RegNet(nn.Module):
    """x (N, 3, H, W) -> scores (N, num_classes), any size; made for 224x224. `block_params` is what `stages` returns."""

    def __init__(self, block_params, num_classes=1000, stem_width=32, se_ratio=None, norm_layer=None, activation=None):
        super().__init__()
        options = dict(norm_layer=norm_layer or nn.BatchNorm2d, activation=activation or nn.ReLU)
        self.stem = conv_norm(3, stem_width, stride=2, **options)
        channels, trunk = stem_width, OrderedDict()
        for number, (width, blocks, group_width) in enumerate(block_params, 1):
            stage = OrderedDict()
            for i in range(blocks):
                stage[f"block{number}-{i}"] = Block(channels, width, 1 if i else 2, group_width, se_ratio, **options)
                channels = width
            trunk[f"block{number}"] = nn.Sequential(stage)
        self.trunk_output = nn.Sequential(trunk)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(channels, num_classes)
        initialise(self, linear=lambda w: nn.init.normal_(w, 0.0, 0.01))

    def forward(self, x):
        x = self.trunk_output(self.stem(x))
        return self.fc(self.avgpool(x).flatten(1))


def _regnet(depth, w_0, w_a, w_m, group_width, **options):
    return RegNet(stages(depth, w_0, w_a, w_m, group_width), **options)


regnet_y_400mf = variant("regnet_y_400mf", _regnet, 16, 48, 27.89, 2.09, 8, se_ratio=0.25)
regnet_y_800mf = variant("regnet_y_800mf", _regnet, 14, 56, 38.84, 2.4, 16, se_ratio=0.25)
regnet_y_1_6gf = variant("regnet_y_1_6gf", _regnet, 27, 48, 20.71, 2.65, 24, se_ratio=0.25)
regnet_y_3_2gf = variant("regnet_y_3_2gf", _regnet, 21, 80, 42.63, 2.66, 24, se_ratio=0.25)
regnet_y_8gf = variant("regnet_y_8gf", _regnet, 17, 192, 76.82, 2.19, 56, se_ratio=0.25)
regnet_y_16gf = variant("regnet_y_16gf", _regnet, 18, 200, 106.23, 2.48, 112, se_ratio=0.25)
regnet_y_32gf = variant("regnet_y_32gf", _regnet, 20, 232, 115.89, 2.53, 232, se_ratio=0.25)
regnet_y_128gf = variant("regnet_y_128gf", _regnet, 27, 456, 160.83, 2.52, 264, se_ratio=0.25)
regnet_x_400mf = variant("regnet_x_400mf", _regnet, 22, 24, 24.48, 2.54, 16)
regnet_x_800mf = variant("regnet_x_800mf", _regnet, 16, 56, 35.73, 2.28, 16)
regnet_x_1_6gf = variant("regnet_x_1_6gf", _regnet, 18, 80, 34.01, 2.25, 24)
regnet_x_3_2gf = variant("regnet_x_3_2gf", _regnet, 25, 88, 26.31, 2.25, 48)
regnet_x_8gf = variant("regnet_x_8gf", _regnet, 23, 80, 49.56, 2.88, 120)
regnet_x_16gf = variant("regnet_x_16gf", _regnet, 22, 216, 55.59, 2.1, 128)
regnet_x_32gf = variant("regnet_x_32gf", _regnet, 23, 320, 69.86, 2.0, 168)
