"""MNASNet: an architecture found by search, with the time on a phone in its objective.

The lecture's idea: let a controller choose, for each of seven stages of inverted residuals, kernel, expansion, width and
depth, and reward it with accuracy * (time / target)^-0.07, the time measured on a real phone. What it finds is no uniform
stack: 5x5 next to 3x3, other expansions early and late.

Source: M. Tan et al., "MnasNet: platform-aware neural architecture search for mobile" (2019), figure 7; B1, the model
without squeeze-and-excitation. Names are torchvision's.
"""
from functools import partial

from .. import nn
from .blocks import initialise, make_divisible
from .registry import variant

# of each stage: channels, kernel, stride of the first block, expansion, blocks
STAGES = [(24, 3, 2, 3, 3), (40, 5, 2, 3, 3), (80, 5, 2, 6, 3), (96, 3, 1, 6, 2), (192, 5, 2, 6, 4), (320, 3, 1, 6, 1)]

# TensorFlow's 0.9997 is the weight of the old statistics, PyTorch's momentum that of the new
BatchNorm = partial(nn.BatchNorm2d, momentum=1 - 0.9997)


class InvertedResidual(nn.Module):
    """x (N, in_ch, H, W) -> (N, out_ch, H/stride, W/stride), with the skip where both have the same shape."""

    def __init__(self, in_ch, out_ch, kernel_size, stride, expansion_factor):
        super().__init__()
        mid = in_ch * expansion_factor
        self.apply_residual = in_ch == out_ch and stride == 1
        self.layers = nn.Sequential(
            nn.Conv2d(in_ch, mid, 1, bias=False), BatchNorm(mid), nn.ReLU(),
            nn.Conv2d(mid, mid, kernel_size, stride, kernel_size // 2, groups=mid, bias=False), BatchNorm(mid), nn.ReLU(),
            nn.Conv2d(mid, out_ch, 1, bias=False), BatchNorm(out_ch))

    def forward(self, x):
        return self.layers(x) + x if self.apply_residual else self.layers(x)


class MNASNet(nn.Module):
    """x (N, 3, H, W) -> scores (N, num_classes), any size; made for 224x224. `alpha` multiplies the widths."""

    def __init__(self, alpha, num_classes=1000, dropout=0.2):
        super().__init__()
        if not alpha > 0:
            raise ValueError(f"MNASNet: alpha must be positive, got {alpha}")
        first, channels = make_divisible(32 * alpha), make_divisible(16 * alpha)
        layers = [nn.Conv2d(3, first, 3, padding=1, stride=2, bias=False), BatchNorm(first), nn.ReLU(),
                  nn.Conv2d(first, first, 3, padding=1, groups=first, bias=False), BatchNorm(first), nn.ReLU(),
                  nn.Conv2d(first, channels, 1, bias=False), BatchNorm(channels)]
        for width, kernel_size, stride, expansion, blocks in STAGES:
            stage, width = [], make_divisible(width * alpha)
            for i in range(blocks):
                stage.append(InvertedResidual(channels, width, kernel_size, stride if i == 0 else 1, expansion))
                channels = width
            layers.append(nn.Sequential(*stage))
        layers += [nn.Conv2d(channels, 1280, 1, bias=False), BatchNorm(1280), nn.ReLU()]
        self.layers = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Dropout(dropout), nn.Linear(1280, num_classes))
        initialise(self, linear=partial(nn.init.kaiming_uniform_, mode="fan_out", nonlinearity="sigmoid"))

    def forward(self, x):
        return self.classifier(self.layers(x).mean((2, 3)))


mnasnet0_5 = variant("mnasnet0_5", MNASNet, 0.5)
mnasnet0_75 = variant("mnasnet0_75", MNASNet, 0.75)
mnasnet1_0 = variant("mnasnet1_0", MNASNet, 1.0)
mnasnet1_3 = variant("mnasnet1_3", MNASNet, 1.3)
