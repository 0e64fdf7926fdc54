"""ResNet and its kin: residual blocks, y = relu(F(x) + x).

The lecture's idea: a plain network of 34 layers learns worse than one of 18, on the training data too, although it could
copy the shallow one and leave the rest the identity; gradient descent does not find that. If a block has only to learn what
to *change*, then F = 0 is the identity, and the gradient reaches every block undiminished through the sums. Deep ones have
bottlenecks: 1x1 narrows, 3x3 works, 1x1 widens. Groups in the 3x3 give ResNeXt (many paths, same cost), a wider 3x3 gives
Wide ResNet.

Sources: K. He, X. Zhang, S. Ren and J. Sun, "Deep residual learning for image recognition" (2016); S. Xie et al.,
"Aggregated residual transformations for deep neural networks" (2017); S. Zagoruyko and N. Komodakis, "Wide residual
networks" (2016). As in torchvision the stride of a bottleneck is in its 3x3 convolution, which is better than the paper's
1x1.
"""
from .. import nn
from .blocks import initialise
from .registry import variant


def conv3x3(in_channels, out_channels, stride=1, groups=1, dilation=1):
    """The 3x3 convolution without bias that keeps the size at stride 1."""
    return nn.Conv2d(in_channels, out_channels, 3, stride, padding=dilation, dilation=dilation, groups=groups, bias=False)


def conv1x1(in_channels, out_channels, stride=1):
    """The 1x1 convolution without bias."""
    return nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)


class BasicBlock(nn.Module):
    """x (N, inplanes, H, W) -> relu(F(x) + x), with F two 3x3 convolutions to `planes` channels."""
    expansion = 1  # channels that come out, divided by `planes`

    def __init__(self, inplanes, planes, stride=1, downsample=None, groups=1, base_width=64, dilation=1,
                 norm_layer=nn.BatchNorm2d):
        super().__init__()
        if groups != 1 or base_width != 64 or dilation > 1:
            raise ValueError(f"{type(self).__name__}: only groups=1, base_width=64 and dilation=1 are possible, got "
                             f"{groups}, {base_width} and {dilation}; use Bottleneck")
        self.conv1 = conv3x3(inplanes, planes, stride)
        self.bn1 = norm_layer(planes)
        self.relu = nn.ReLU()
        self.conv2 = conv3x3(planes, planes)
        self.bn2 = norm_layer(planes)
        self.downsample = downsample

    def residual(self, x):
        """F(x)."""
        return self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))

    def forward(self, x):
        return self.relu(self.residual(x) + (x if self.downsample is None else self.downsample(x)))


class Bottleneck(BasicBlock):
    """x (N, inplanes, H, W) -> relu(F(x) + x) with 4 `planes` channels; F narrows, convolves in `groups`, and widens."""
    expansion = 4

    def __init__(self, inplanes, planes, stride=1, downsample=None, groups=1, base_width=64, dilation=1,
                 norm_layer=nn.BatchNorm2d):
        nn.Module.__init__(self)
        width = int(planes * (base_width / 64)) * groups
        self.conv1 = conv1x1(inplanes, width)
        self.bn1 = norm_layer(width)
        self.conv2 = conv3x3(width, width, stride, groups, dilation)
        self.bn2 = norm_layer(width)
        self.conv3 = conv1x1(width, planes * self.expansion)
        self.bn3 = norm_layer(planes * self.expansion)
        self.relu = nn.ReLU()
        self.downsample = downsample

    def residual(self, x):
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.relu(self.bn2(self.conv2(x)))
        return self.bn3(self.conv3(x))


class PlainBlock(BasicBlock):
    """BasicBlock without the skip, y = relu(F(x)): what ResNet is compared with."""

    def __init__(self, inplanes, planes, stride=1, downsample=None, **options):
        super().__init__(inplanes, planes, stride, None, **options)

    def forward(self, x):
        return self.relu(self.residual(x))


class ResNet(nn.Module):
    """x (N, 3, H, W) -> scores (N, num_classes), any size; made for 224x224. `layers` are the blocks of the four stages.

    `zero_init_residual` starts the last norm of every block at 0, so that each block is the identity at first; `groups` and
    `width_per_group` are those of Bottleneck's 3x3; `replace_stride_with_dilation`, three truth values, keeps the size in
    the second to fourth stage and dilates instead, for dense prediction.
    """

    def __init__(self, block, layers, num_classes=1000, zero_init_residual=False, groups=1, width_per_group=64,
                 replace_stride_with_dilation=None, norm_layer=None):
        super().__init__()
        dilate = replace_stride_with_dilation or (False, False, False)
        if len(dilate) != 3:
            raise ValueError(f"ResNet: replace_stride_with_dilation must be None or three truth values, got {dilate}")
        self.groups, self.base_width, self.norm_layer = groups, width_per_group, norm_layer or nn.BatchNorm2d
        self.inplanes, self.dilation = 64, 1
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = self.norm_layer(64)
        self.relu = nn.ReLU()
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = self._make_layer(block, 64, layers[0])
        self.layer2 = self._make_layer(block, 128, layers[1], 2, dilate[0])
        self.layer3 = self._make_layer(block, 256, layers[2], 2, dilate[1])
        self.layer4 = self._make_layer(block, 512, layers[3], 2, dilate[2])
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(512 * block.expansion, num_classes)
        initialise(self)
        if zero_init_residual:
            for m in self.modules():
                if isinstance(m, BasicBlock):
                    nn.init.zeros_(m.bn3.weight if isinstance(m, Bottleneck) else m.bn2.weight)

    def _shortcut(self, width, stride):
        """The skip where sizes change: a 1x1 convolution and its norm."""
        return nn.Sequential(conv1x1(self.inplanes, width, stride), self.norm_layer(width))

    def _make_layer(self, block, planes, blocks, stride=1, dilate=False):
        dilation = self.dilation
        if dilate:
            self.dilation, stride = self.dilation * stride, 1
        width = planes * block.expansion
        downsample = self._shortcut(width, stride) if stride != 1 or self.inplanes != width else None
        options = dict(groups=self.groups, base_width=self.base_width, norm_layer=self.norm_layer)
        layers = [block(self.inplanes, planes, stride, downsample, dilation=dilation, **options)]
        self.inplanes = width
        layers += [block(width, planes, dilation=self.dilation, **options) for _ in range(1, blocks)]
        return nn.Sequential(*layers)

    def forward(self, x):
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(self.avgpool(x).flatten(1))


resnet18 = variant("resnet18", ResNet, BasicBlock, [2, 2, 2, 2])
resnet34 = variant("resnet34", ResNet, BasicBlock, [3, 4, 6, 3])
resnet50 = variant("resnet50", ResNet, Bottleneck, [3, 4, 6, 3])
resnet101 = variant("resnet101", ResNet, Bottleneck, [3, 4, 23, 3])
resnet152 = variant("resnet152", ResNet, Bottleneck, [3, 8, 36, 3])
plain18 = variant("plain18", ResNet, PlainBlock, [2, 2, 2, 2])
plain34 = variant("plain34", ResNet, PlainBlock, [3, 4, 6, 3])
resnext50_32x4d = variant("resnext50_32x4d", ResNet, Bottleneck, [3, 4, 6, 3], groups=32, width_per_group=4)
resnext101_32x8d = variant("resnext101_32x8d", ResNet, Bottleneck, [3, 4, 23, 3], groups=32, width_per_group=8)
resnext101_64x4d = variant("resnext101_64x4d", ResNet, Bottleneck, [3, 4, 23, 3], groups=64, width_per_group=4)
wide_resnet50_2 = variant("wide_resnet50_2", ResNet, Bottleneck, [3, 4, 6, 3], width_per_group=128)
wide_resnet101_2 = variant("wide_resnet101_2", ResNet, Bottleneck, [3, 4, 23, 3], width_per_group=128)
