"""ResNet with pre-activation: y = x + F(x), with norm and ReLU inside F, before each convolution.

The lecture's idea: if nothing but addition stands on the way of the skips, x_L = x_l + sum F(x_i): every layer sees every
earlier one unchanged, and the gradient of the loss at x_l is that at x_L plus something, which cannot vanish. A thousand
layers can be trained. Because the sum is never normalised, one norm and ReLU follow the last block.

Source: K. He, X. Zhang, S. Ren and J. Sun, "Identity mappings in deep residual networks" (2016), figure 4e.
"""
from .. import nn
from .registry import variant
from .resnet import ResNet, conv1x1, conv3x3


class PreActBlock(nn.Module):
    """x (N, inplanes, H, W) -> x + F(x), with F two 3x3 convolutions; `downsample` sees the activated x."""
    expansion = 1

    def __init__(self, inplanes, planes, stride=1, downsample=None, norm_layer=nn.BatchNorm2d, dropout=0, **options):
        super().__init__()
        self.bn1 = norm_layer(inplanes)
        self.conv1 = conv3x3(inplanes, planes, stride)
        self.bn2 = norm_layer(planes)
        self.dropout = nn.Dropout(dropout)
        self.conv2 = conv3x3(planes, planes)
        self.relu = nn.ReLU()
        self.downsample = downsample

    def forward(self, x):
        active = self.relu(self.bn1(x))
        out = self.relu(self.bn2(self.conv1(active)))
        return self.conv2(self.dropout(out)) + (x if self.downsample is None else self.downsample(active))


class PreActBottleneck(nn.Module):
    """x (N, inplanes, H, W) -> x + F(x), with F narrowing, convolving and widening to 4 `planes` channels."""
    expansion = 4

    def __init__(self, inplanes, planes, stride=1, downsample=None, norm_layer=nn.BatchNorm2d, **options):
        super().__init__()
        self.bn1 = norm_layer(inplanes)
        self.conv1 = conv1x1(inplanes, planes)
        self.bn2 = norm_layer(planes)
        self.conv2 = conv3x3(planes, planes, stride)
        self.bn3 = norm_layer(planes)
        self.conv3 = conv1x1(planes, planes * self.expansion)
        self.relu = nn.ReLU()
        self.downsample = downsample

    def forward(self, x):
        active = self.relu(self.bn1(x))
        out = self.conv1(active)
        out = self.conv2(self.relu(self.bn2(out)))
        out = self.conv3(self.relu(self.bn3(out)))
        return out + (x if self.downsample is None else self.downsample(active))


class PreActResNet(ResNet):
    """x (N, 3, H, W) -> scores (N, num_classes), any size; made for 224x224."""

    def __init__(self, block, layers, num_classes=1000, norm_layer=None):
        super().__init__(block, layers, num_classes, norm_layer=norm_layer)
        self.norm = self.norm_layer(self.inplanes)

    def _shortcut(self, width, stride):
        return conv1x1(self.inplanes, width, stride)

    def forward(self, x):
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.relu(self.norm(self.layer4(self.layer3(self.layer2(self.layer1(x))))))
        return self.fc(self.avgpool(x).flatten(1))


preact_resnet18 = variant("preact_resnet18", PreActResNet, PreActBlock, [2, 2, 2, 2])
preact_resnet34 = variant("preact_resnet34", PreActResNet, PreActBlock, [3, 4, 6, 3])
preact_resnet50 = variant("preact_resnet50", PreActResNet, PreActBottleneck, [3, 4, 6, 3])
preact_resnet101 = variant("preact_resnet101", PreActResNet, PreActBottleneck, [3, 4, 23, 3])
preact_resnet200 = variant("preact_resnet200", PreActResNet, PreActBottleneck, [3, 24, 36, 3])
