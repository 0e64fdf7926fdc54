"""Networks for 32x32 photographs that learn within minutes on a few cores.

The lecture's idea: where the multiplications are is a choice. A convolution at 32x32 pixels costs four times one at 16x16,
and its norm and activation, which only move memory, as well. `CifarCNN` is the plan of every first course, two thirds of
whose time goes into its first two layers; `QuickResNet` shrinks the maps at once and spends the time on channels instead.

Sources: D. Page, "How to train your ResNet" (2019), for the residual network of few layers and its scaled scores;
K. Jordan, "94% on CIFAR-10 in 3.29 seconds on a single GPU" (2024), for the whitening layer and for pooling first.
"""
from .. import nn
from ..engine.arrays import array_module, sliding_windows
from ..engine.checks import check_tensor
from .blocks import conv_norm, initialise
from .registry import variant


class CifarCNN(nn.Sequential):
    """3x3 convolutions with batch norm and ReLU, max-pooling after every second one but the last pair, mean, linear layer.

    x (N, 3, H, W) -> scores (N, num_classes), any size from 4x4. `channels` are the widths of the convolutions.
    """

    def __init__(self, num_classes=10, channels=(32, 32, 64, 64, 128, 128)):
        layers, narrow = [], 3
        for i, wide in enumerate(channels):
            if i and i % 2 == 0:
                layers.append(nn.MaxPool2d(2))
            layers.append(conv_norm(narrow, wide))
            narrow = wide
        super().__init__(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(narrow, num_classes))
        initialise(self)


class QuickBlock(nn.Module):
    """Twice as many channels at half the size, then a residual step: x (N, C, H, W) -> (N, F, H/2, W/2).

    Pooling comes before the first norm, so all but one convolution works on small maps.
    """

    def __init__(self, inplanes, planes):
        super().__init__()
        self.shrink = nn.Sequential(nn.Conv2d(inplanes, planes, 3, padding=1, bias=False), nn.MaxPool2d(2),
                                    nn.BatchNorm2d(planes), nn.ReLU())
        self.residual = conv_norm(planes, planes)

    def forward(self, x):
        x = self.shrink(x)
        return x + self.residual(x)


class QuickResNet(nn.Module):
    """x (N, 3, H, W) -> scores (N, num_classes), any size from 9x9; made for 32x32.

    A 2x2 convolution with 24 maps, a block for each of `widths`, the maximum of each map, and a linear layer whose scores
    are divided by 8, which keeps the first steps small. Call `whiten` before training.
    """

    def __init__(self, num_classes=10, widths=(64, 128, 256)):
        super().__init__()
        self.whitening = nn.Conv2d(3, 24, 2)
        self.relu = nn.ReLU()
        self.blocks = nn.Sequential(*map(QuickBlock, (24, *widths), widths))
        self.maxpool = nn.AdaptiveMaxPool2d(1)
        self.fc = nn.Linear(widths[-1], num_classes, bias=False)
        initialise(self)

    def forward(self, x):
        x = self.blocks(self.relu(self.whitening(x)))
        return self.fc(self.maxpool(x).flatten(1)) / 8

    def whiten(self, x):
        """Set the first layer to what makes the 2x2 patches of the pictures x (N, 3, H, W) uncorrelated; it then stays.

        Neighbouring pixels are nearly alike, so most of what a convolution sees is their common brightness. The eigenvectors
        of the patches' covariance (12x12), each divided by its standard deviation, give all directions the same variance;
        with their negatives they survive the ReLU. As the layer is not trained, its gradient costs nothing.
        """
        check_tensor("QuickResNet.whiten", x=x)
        xp = array_module(x.array)
        patches = sliding_windows(x.array, (2, 2), (1, 1), (1, 1)).transpose(0, 4, 5, 1, 2, 3).reshape(-1, 12)
        values, vectors = xp.linalg.eigh(xp.cov(patches, rowvar=False))
        filters = (vectors / xp.sqrt(values + 5e-4)).T.reshape(12, 3, 2, 2)
        weight = self.whitening.weight
        weight.array[...] = xp.concatenate([filters, -filters])
        weight.requires_grad = False


cifar_cnn = variant("cifar_cnn", CifarCNN)
cifar_quick_resnet = variant("cifar_quick_resnet", QuickResNet)
cifar_quick_resnet_small = variant("cifar_quick_resnet_small", QuickResNet, widths=(32, 64, 128))
