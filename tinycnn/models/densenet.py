"""DenseNet: every layer sees the outputs of all earlier ones of its block.

The lecture's idea: join, do not add. A layer makes only k = `growth_rate` new channels and puts them beside all that came
before, so features are reused, not computed again, the layers can be narrow, and every layer has a short way to the loss.
A 1x1 bottleneck keeps the cost linear in depth, and between blocks a transition halves channels and pixels.

Source: G. Huang, Z. Liu, L. van der Maaten and K. Weinberger, "Densely connected convolutional networks" (2017).
"""
import re
from collections import OrderedDict

from .. import cat, nn
from ..nn import functional as F
from .blocks import check_size, he_normal_, initialise
from .registry import variant


class DenseLayer(nn.Module):
    """x (N, in_channels, H, W) -> (N, growth_rate, H, W): norm, ReLU, 1x1 to bn_size * growth_rate, norm, ReLU, 3x3."""

    def __init__(self, in_channels, growth_rate, bn_size, drop_rate):
        super().__init__()
        self.norm1 = nn.BatchNorm2d(in_channels)
        self.conv1 = nn.Conv2d(in_channels, bn_size * growth_rate, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(bn_size * growth_rate)
        self.conv2 = nn.Conv2d(bn_size * growth_rate, growth_rate, 3, padding=1, bias=False)
        self.drop_rate = drop_rate

    def forward(self, x):
        x = self.conv1(F.relu(self.norm1(x)))
        x = self.conv2(F.relu(self.norm2(x)))
        return F.dropout(x, self.drop_rate, self.training)


class DenseBlock(nn.Module):
    """x (N, C, H, W) -> (N, C + num_layers * growth_rate, H, W)."""

    def __init__(self, num_layers, in_channels, bn_size, growth_rate, drop_rate):
        super().__init__()
        for i in range(num_layers):
            layer = DenseLayer(in_channels + i * growth_rate, growth_rate, bn_size, drop_rate)
            self.add_module(f"denselayer{i + 1}", layer)

    def forward(self, x):
        for layer in self.children():
            x = cat([x, layer(x)], 1)
        return x


class DenseNet(nn.Module):
    """x (N, 3, H, W) -> scores (N, num_classes); made for 224x224, works from 29x29 on.

    `block_config` are the layers of each block, `drop_rate` the dropout after each layer. `memory_efficient` is accepted for
    torchvision's sake and changes nothing.
    """

    def __init__(self, growth_rate=32, block_config=(6, 12, 24, 16), num_init_features=64, bn_size=4, drop_rate=0,
                 num_classes=1000, memory_efficient=False):
        super().__init__()
        self.least = 2 ** len(block_config) + 13
        layers = OrderedDict(conv0=nn.Conv2d(3, num_init_features, 7, stride=2, padding=3, bias=False),
                             norm0=nn.BatchNorm2d(num_init_features), relu0=nn.ReLU(),
                             pool0=nn.MaxPool2d(3, stride=2, padding=1))
        channels = num_init_features
        for i, num_layers in enumerate(block_config, 1):
            layers[f"denseblock{i}"] = DenseBlock(num_layers, channels, bn_size, growth_rate, drop_rate)
            channels += num_layers * growth_rate
            if i < len(block_config):
                layers[f"transition{i}"] = nn.Sequential(OrderedDict(
                    norm=nn.BatchNorm2d(channels), relu=nn.ReLU(), conv=nn.Conv2d(channels, channels // 2, 1, bias=False),
                    pool=nn.AvgPool2d(2, 2)))
                channels //= 2
        layers["norm5"] = nn.BatchNorm2d(channels)
        self.features = nn.Sequential(layers)
        self.classifier = nn.Linear(channels, num_classes)
        initialise(self, conv=nn.init.kaiming_normal_)
        nn.init.zeros_(self.classifier.bias)

    def forward(self, x):
        check_size(self, x, self.least)
        x = F.relu(self.features(x))
        return self.classifier(F.adaptive_avg_pool2d(x, (1, 1)).flatten(1))


def small_densenet(growth_rate, layers, num_classes=10, **options):
    """DenseNet-BC for 32x32: three blocks after one 3x3 convolution, in place of the stem and its pooling."""
    model = DenseNet(growth_rate, (layers,) * 3, 2 * growth_rate, num_classes=num_classes, **options)
    model.features.conv0 = nn.Conv2d(3, 2 * growth_rate, 3, padding=1, bias=False)
    he_normal_(model.features.conv0.weight)
    for name in ("norm0", "relu0", "pool0"):
        delattr(model.features, name)
    model.least = 4
    return model


def _rename(key):
    """The name of today for one in the published files, where a layer's norm1 is called norm.1."""
    return re.sub(r"\.(norm|conv)\.([12])\.", r".\1\2.", key)


densenet121 = variant("densenet121", DenseNet, 32, (6, 12, 24, 16), 64, rename=_rename)
densenet161 = variant("densenet161", DenseNet, 48, (6, 12, 36, 24), 96, rename=_rename)
densenet169 = variant("densenet169", DenseNet, 32, (6, 12, 32, 32), 64, rename=_rename)
densenet201 = variant("densenet201", DenseNet, 32, (6, 12, 48, 32), 64, rename=_rename)
cifar_densenet100 = variant("cifar_densenet100", small_densenet, 12, 16)
