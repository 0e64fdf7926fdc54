"""GoogLeNet (Inception v1): several kernel sizes at once, and very few weights.

The lecture's idea: which kernel size is right? All of them: an inception block runs 1x1, 3x3, "5x5" and pooling side by side
and joins the channels; 1x1 convolutions before the large ones make that cheap. A mean over the picture replaces VGG's huge
first linear layer, and two auxiliary heads in the middle feed the gradient to the early layers: 6.6 million weights, where
AlexNet has 61 and VGG 138.

Source: C. Szegedy et al., "Going deeper with convolutions" (2015), table 1. As torchvision's, this one has batch norm, and a
3x3 in the branch of the 5x5, so that its published weights fit.
"""
from collections import namedtuple
from functools import partial

from .. import cat, nn
from ..nn import functional as F
from .blocks import check_size, initialise
from .registry import variant

GoogLeNetOutputs = namedtuple("GoogLeNetOutputs", "logits aux_logits2 aux_logits1")


class BasicConv2d(nn.Module):
    """Convolution without bias, batch norm, ReLU."""

    def __init__(self, in_channels, out_channels, **options):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, bias=False, **options)
        self.bn = nn.BatchNorm2d(out_channels, eps=0.001)

    def forward(self, x):
        return F.relu(self.bn(self.conv(x)))


class Inception(nn.Module):
    """x (N, in_channels, H, W) -> (N, ch1x1 + ch3x3 + ch5x5 + pool_proj, H, W), the four branches joined."""

    def __init__(self, in_channels, ch1x1, ch3x3red, ch3x3, ch5x5red, ch5x5, pool_proj):
        super().__init__()
        self.branch1 = BasicConv2d(in_channels, ch1x1, kernel_size=1)
        self.branch2 = nn.Sequential(BasicConv2d(in_channels, ch3x3red, kernel_size=1),
                                     BasicConv2d(ch3x3red, ch3x3, kernel_size=3, padding=1))
        self.branch3 = nn.Sequential(BasicConv2d(in_channels, ch5x5red, kernel_size=1),
                                     BasicConv2d(ch5x5red, ch5x5, kernel_size=3, padding=1))
        self.branch4 = nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1, ceil_mode=True),
                                     BasicConv2d(in_channels, pool_proj, kernel_size=1))

    def forward(self, x):
        return cat([self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x)], 1)


class InceptionAux(nn.Module):
    """A classifier on the side: x (N, in_channels, H, W) -> scores (N, num_classes)."""

    def __init__(self, in_channels, num_classes, dropout=0.7):
        super().__init__()
        self.conv = BasicConv2d(in_channels, 128, kernel_size=1)
        self.fc1 = nn.Linear(2048, 1024)
        self.fc2 = nn.Linear(1024, num_classes)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x):
        x = self.conv(F.adaptive_avg_pool2d(x, (4, 4))).flatten(1)
        return self.fc2(self.dropout(F.relu(self.fc1(x))))


def imagenet_to_symmetric(x):
    """Pictures normalised with ImageNet's means and deviations as if with 0.5 and 0.5, which is what Google's nets saw."""
    channels = [x[:, c:c + 1] * (deviation / 0.5) + (mean - 0.5) / 0.5
                for c, (mean, deviation) in enumerate([(0.485, 0.229), (0.456, 0.224), (0.406, 0.225)])]
    return cat(channels, 1)


class GoogLeNet(nn.Module):
    """x (N, 3, H, W) -> scores (N, num_classes); made for 224x224, works from 15x15 on.

    In training with `aux_logits` it returns GoogLeNetOutputs(logits, aux_logits2, aux_logits1), of which the paper weighs
    the latter two with 0.3. `transform_input` undoes ImageNet's normalisation for weights that came from TensorFlow.
    """

    def __init__(self, num_classes=1000, aux_logits=True, transform_input=False, init_weights=True, dropout=0.2,
                 dropout_aux=0.7):
        super().__init__()
        self.aux_logits, self.transform_input = aux_logits, transform_input
        self.conv1 = BasicConv2d(3, 64, kernel_size=7, stride=2, padding=3)
        self.maxpool1 = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.conv2 = BasicConv2d(64, 64, kernel_size=1)
        self.conv3 = BasicConv2d(64, 192, kernel_size=3, padding=1)
        self.maxpool2 = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.inception3a = Inception(192, 64, 96, 128, 16, 32, 32)
        self.inception3b = Inception(256, 128, 128, 192, 32, 96, 64)
        self.maxpool3 = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.inception4a = Inception(480, 192, 96, 208, 16, 48, 64)
        self.inception4b = Inception(512, 160, 112, 224, 24, 64, 64)
        self.inception4c = Inception(512, 128, 128, 256, 24, 64, 64)
        self.inception4d = Inception(512, 112, 144, 288, 32, 64, 64)
        self.inception4e = Inception(528, 256, 160, 320, 32, 128, 128)
        self.maxpool4 = nn.MaxPool2d(2, stride=2, ceil_mode=True)
        self.inception5a = Inception(832, 256, 160, 320, 32, 128, 128)
        self.inception5b = Inception(832, 384, 192, 384, 48, 128, 128)
        self.aux1 = InceptionAux(512, num_classes, dropout_aux) if aux_logits else None
        self.aux2 = InceptionAux(528, num_classes, dropout_aux) if aux_logits else None
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(1024, num_classes)
        if init_weights:
            narrow = partial(nn.init.trunc_normal_, mean=0.0, std=0.01, a=-2, b=2)
            initialise(self, conv=narrow, linear=narrow)

    def forward(self, x):
        check_size(self, x, 15)
        if self.transform_input:
            x = imagenet_to_symmetric(x)
        x = self.conv3(self.conv2(self.maxpool1(self.conv1(x))))
        x = self.inception3b(self.inception3a(self.maxpool2(x)))
        side1 = self.inception4a(self.maxpool3(x))
        side2 = self.inception4d(self.inception4c(self.inception4b(side1)))
        x = self.maxpool4(self.inception4e(side2))
        x = self.avgpool(self.inception5b(self.inception5a(x))).flatten(1)
        logits = self.fc(self.dropout(x))
        if self.training and self.aux_logits:
            return GoogLeNetOutputs(logits, self.aux2(side2), self.aux1(side1))
        return logits


googlenet = variant("googlenet", GoogLeNet)
