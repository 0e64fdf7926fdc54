"""Residual networks for 32x32 pictures: ResNet-20 to 110, plain ones, pre-activation, Wide ResNet, ResNeXt-29.

The lecture's idea: small pictures leave no room for the 7x7 stem and its pooling, so a 3x3 convolution comes first, and
three stages at 32, 16 and 8 pixels. All these networks are this one plan; only the block and the width differ. Comparing
`cifar_resnet56` with `cifar_plain56` shows in minutes what ImageNet shows in weeks: without skips deeper is worse.

Sources: section 4.2 of He et al., "Deep residual learning for image recognition" (2016), also for shortcuts without
weights; He et al., "Identity mappings in deep residual networks" (2016); S. Zagoruyko and N. Komodakis, "Wide residual
networks" (2016); section 5.3 of Xie et al., "Aggregated residual transformations for deep neural networks" (2017).
"""
from .. import nn
from ..nn import functional as F
from .blocks import he_normal_, initialise
from .preact_resnet import PreActBlock, PreActBottleneck
from .registry import SMALL, variant
from .resnet import BasicBlock, Bottleneck, PlainBlock, ResNet, conv1x1, conv3x3


class PadShortcut(nn.Module):
    """The shortcut without weights: every second pixel, and new channels of zeros, x (N, C, H, W) -> (N, C', H/2, W/2)."""

    def __init__(self, inplanes, planes, stride):
        super().__init__()
        self.extra, self.stride = planes - inplanes, stride

    def forward(self, x):
        return F.pad(x[:, :, ::self.stride, ::self.stride], (0, 0, 0, 0, 0, self.extra))


def project(inplanes, planes, stride):
    """The shortcut with weights: a 1x1 convolution and batch norm."""
    return nn.Sequential(conv1x1(inplanes, planes, stride), nn.BatchNorm2d(planes))


class CifarResNet(nn.Module):
    """x (N, 3, H, W) -> scores (N, num_classes), any size; made for 32x32. Three stages of `blocks` blocks each.

    `width` is that of the first stage before the block's expansion, `stem` the channels of the first convolution,
    `shortcut(inplanes, planes, stride)` makes the skip where sizes change. `preact`: the blocks normalise before they
    convolve, so a norm and ReLU move from the beginning to the end.
    """

    def __init__(self, block, blocks, num_classes=10, width=16, stem=16, shortcut=project, preact=False, **options):
        super().__init__()
        self.preact, self.inplanes = preact, stem
        self.conv1 = conv3x3(3, stem)
        self.layer1 = self._make_layer(block, width, blocks, 1, shortcut, options)
        self.layer2 = self._make_layer(block, 2 * width, blocks, 2, shortcut, options)
        self.layer3 = self._make_layer(block, 4 * width, blocks, 2, shortcut, options)
        self.bn = nn.BatchNorm2d(self.inplanes if preact else stem)
        self.relu = nn.ReLU()
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(self.inplanes, num_classes)
        initialise(self)

    def _make_layer(self, block, planes, blocks, stride, shortcut, options):
        layers = []
        for stride in [stride] + [1] * (blocks - 1):
            changes = stride != 1 or self.inplanes != planes * block.expansion
            skip = shortcut(self.inplanes, planes * block.expansion, stride) if changes else None
            layers.append(block(self.inplanes, planes, stride, skip, **options))
            self.inplanes = planes * block.expansion
        return nn.Sequential(*layers)

    def forward(self, x):
        x = self.conv1(x)
        if not self.preact:
            x = self.relu(self.bn(x))
        x = self.layer3(self.layer2(self.layer1(x)))
        if self.preact:
            x = self.relu(self.bn(x))
        return self.fc(self.avgpool(x).flatten(1))


def _resnet_with_small_stem(block, layers, num_classes=10, **options):
    """An ImageNet ResNet whose 7x7 stem and pooling have made way for a 3x3 convolution: 64 to 512 channels at 32x32."""
    model = ResNet(block, layers, num_classes, **options)
    model.conv1 = conv3x3(3, 64)
    he_normal_(model.conv1.weight)
    model.maxpool = nn.Identity()
    return model


def _preact(block, blocks, **options):
    return CifarResNet(block, blocks, preact=True, shortcut=conv1x1, **options)


def _wide(blocks, k, **options):
    """Wide ResNet of 6 blocks + 4 layers, `k` times as wide as ResNet; `dropout` between the convolutions of a block."""
    return _preact(PreActBlock, blocks, width=16 * k, **options)


def _resnext29(**options):
    return CifarResNet(Bottleneck, 3, width=64, stem=64, **options)


cifar_resnet20 = variant("cifar_resnet20", CifarResNet, BasicBlock, 3, shortcut=PadShortcut)
cifar_resnet32 = variant("cifar_resnet32", CifarResNet, BasicBlock, 5, shortcut=PadShortcut)
cifar_resnet44 = variant("cifar_resnet44", CifarResNet, BasicBlock, 7, shortcut=PadShortcut)
cifar_resnet56 = variant("cifar_resnet56", CifarResNet, BasicBlock, 9, shortcut=PadShortcut)
cifar_resnet110 = variant("cifar_resnet110", CifarResNet, BasicBlock, 18, shortcut=PadShortcut)
cifar_plain20 = variant("cifar_plain20", CifarResNet, PlainBlock, 3)
cifar_plain56 = variant("cifar_plain56", CifarResNet, PlainBlock, 9)
cifar_resnet18 = variant("cifar_resnet18", _resnet_with_small_stem, BasicBlock, [2, 2, 2, 2])
cifar_resnet34 = variant("cifar_resnet34", _resnet_with_small_stem, BasicBlock, [3, 4, 6, 3])
cifar_plain34 = variant("cifar_plain34", _resnet_with_small_stem, PlainBlock, [3, 4, 6, 3])
cifar_resnet50 = variant("cifar_resnet50", _resnet_with_small_stem, Bottleneck, [3, 4, 6, 3])
cifar_preact_resnet110 = variant("cifar_preact_resnet110", _preact, PreActBlock, 18)
cifar_preact_resnet164 = variant("cifar_preact_resnet164", _preact, PreActBottleneck, 18)
wrn16_4 = variant("wrn16_4", _wide, 2, 4, input_size=SMALL)
wrn28_10 = variant("wrn28_10", _wide, 4, 10, input_size=SMALL)
wrn40_4 = variant("wrn40_4", _wide, 6, 4, input_size=SMALL)
resnext29_8x64d = variant("resnext29_8x64d", _resnext29, groups=8, base_width=64, input_size=SMALL)
resnext29_16x64d = variant("resnext29_16x64d", _resnext29, groups=16, base_width=64, input_size=SMALL)
