"""ResNet for clips: R3D, MC3 and R(2+1)D.

The lecture's idea: where in a network does time matter? In all convolutions (R3D), in the early ones (MC3), or everywhere
but on its own: a 1x3x3 in space, then a 3x1x1 in time, with a ReLU between (R(2+1)D). With as many channels between as to
keep the number of weights, the last is the easiest to train.

Source: D. Tran et al., "A closer look at spatiotemporal convolutions for action recognition" (2018). Names are
torchvision's.
"""
from .. import nn
from .blocks import initialise
from .registry import variant


def spacetime(inplanes, planes, midplanes, stride=1):
    """3x3x3."""
    return nn.Conv3d(inplanes, planes, 3, stride, padding=1, bias=False)


def space_only(inplanes, planes, midplanes, stride=1):
    """1x3x3."""
    return nn.Conv3d(inplanes, planes, (1, 3, 3), (1, stride, stride), padding=(0, 1, 1), bias=False)


def space_then_time(inplanes, planes, midplanes, stride=1):
    """1x3x3 to `midplanes` channels, norm, ReLU, 3x1x1."""
    return nn.Sequential(space_only(inplanes, midplanes, None, stride), nn.BatchNorm3d(midplanes), nn.ReLU(),
                         nn.Conv3d(midplanes, planes, (3, 1, 1), (stride, 1, 1), padding=(1, 0, 0), bias=False))


class BasicBlock(nn.Module):
    """x (N, inplanes, T, H, W) -> relu(F(x) + x), F being two convolutions made by `conv`."""

    def __init__(self, inplanes, planes, conv, stride=1, downsample=None):
        super().__init__()
        midplanes = inplanes * planes * 27 // (inplanes * 9 + 3 * planes)
        self.conv1 = nn.Sequential(conv(inplanes, planes, midplanes, stride), nn.BatchNorm3d(planes), nn.ReLU())
        self.conv2 = nn.Sequential(conv(planes, planes, midplanes), nn.BatchNorm3d(planes))
        self.relu = nn.ReLU()
        self.downsample = downsample

    def forward(self, x):
        return self.relu(self.conv2(self.conv1(x)) + (x if self.downsample is None else self.downsample(x)))


class VideoResNet(nn.Module):
    """x (N, 3, T, H, W) -> scores (N, num_classes), any size; made for 16 pictures of 112x112.

    `conv_makers` make the convolutions of the four stages, `layers` are their blocks, `stem` is the module in front.
    """

    def __init__(self, conv_makers, layers, stem, num_classes=400):
        super().__init__()
        self.stem = stem
        inplanes = 64
        for i, (conv, blocks) in enumerate(zip(conv_makers, layers)):
            planes, stride, stage = 64 * 2 ** i, 2 if i else 1, []
            for _ in range(blocks):
                downsample = None
                if stride != 1 or inplanes != planes:
                    strides = (1, stride, stride) if conv is space_only else stride
                    downsample = nn.Sequential(nn.Conv3d(inplanes, planes, 1, strides, bias=False), nn.BatchNorm3d(planes))
                stage.append(BasicBlock(inplanes, planes, conv, stride, downsample))
                inplanes, stride = planes, 1
            setattr(self, f"layer{i + 1}", nn.Sequential(*stage))
        self.avgpool = nn.AdaptiveAvgPool3d((1, 1, 1))
        self.fc = nn.Linear(inplanes, num_classes)
        initialise(self, linear=lambda w: nn.init.normal_(w, 0, 0.01))

    def forward(self, x):
        x = self.layer4(self.layer3(self.layer2(self.layer1(self.stem(x)))))
        return self.fc(self.avgpool(x).flatten(1))


def _stem():
    conv = nn.Conv3d(3, 64, (3, 7, 7), (1, 2, 2), padding=(1, 3, 3), bias=False)
    return nn.Sequential(conv, nn.BatchNorm3d(64), nn.ReLU())


def _stem_in_two():
    space = nn.Conv3d(3, 45, (1, 7, 7), (1, 2, 2), padding=(0, 3, 3), bias=False)
    time = nn.Conv3d(45, 64, (3, 1, 1), padding=(1, 0, 0), bias=False)
    return nn.Sequential(space, nn.BatchNorm3d(45), nn.ReLU(), time, nn.BatchNorm3d(64), nn.ReLU())


def _r3d(layers=(2, 2, 2, 2), **options):
    return VideoResNet([spacetime] * 4, layers, _stem(), **options)


def _mc3(layers=(2, 2, 2, 2), **options):
    return VideoResNet([spacetime] + [space_only] * 3, layers, _stem(), **options)


def _r2plus1d(layers=(2, 2, 2, 2), **options):
    return VideoResNet([space_then_time] * 4, layers, _stem_in_two(), **options)


r3d_18 = variant("r3d_18", _r3d, input_size=(3, 16, 112, 112))
mc3_18 = variant("mc3_18", _mc3, input_size=(3, 16, 112, 112))
r2plus1d_18 = variant("r2plus1d_18", _r2plus1d, input_size=(3, 16, 112, 112))
