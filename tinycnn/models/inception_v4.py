"""Inception v4, and Inception-ResNet-v2: do branches need skips?

The lecture's idea: the first is Inception made uniform, with a stem that already branches; the second puts a skip around
each block, y = relu(x + s F(x)). Both end at the same accuracy, but the one with skips is there sooner. In very wide blocks
the sums grow until training dies; a factor s of 0.1 to 0.2 before adding steadies it.

Source: C. Szegedy, S. Ioffe, V. Vanhoucke and A. Alemi, "Inception-v4, Inception-ResNet and the impact of residual
connections on learning" (2017), figures 3 to 19.
"""
from .. import cat, nn
from .blocks import check_size, initialise
from .googlenet import BasicConv2d
from .registry import variant


class Parallel(nn.Sequential):
    """The branches side by side, their channels joined."""

    def forward(self, x):
        return cat([branch(x) for branch in self], 1)


def conv(in_channels, out_channels, kernel_size, stride=1, padding="same"):
    """Convolution, norm, ReLU; kernels other than strided ones keep the size, unless padding is 0."""
    return BasicConv2d(in_channels, out_channels, kernel_size=kernel_size, stride=stride,
                       padding=0 if stride > 1 else padding)


def chain(in_channels, *steps):
    """Convolutions one after the other, each (out_channels, kernel_size) or (out_channels, kernel_size, stride)."""
    layers = []
    for out_channels, *geometry in steps:
        layers.append(conv(in_channels, out_channels, *geometry))
        in_channels = out_channels
    return nn.Sequential(*layers)


def pooled(in_channels, out_channels):
    """The mean of every 3x3 window, then a 1x1 convolution."""
    return nn.Sequential(nn.AvgPool2d(3, 1, 1, count_include_pad=False), conv(in_channels, out_channels, 1))


ROW, COLUMN, SHORT_ROW, SHORT_COLUMN = (1, 7), (7, 1), (1, 3), (3, 1)


def inception_a():
    """35x35 with 384 channels."""
    return Parallel(chain(384, (96, 1)), chain(384, (64, 1), (96, 3)), chain(384, (64, 1), (96, 3), (96, 3)),
                    pooled(384, 96))


def inception_b():
    """17x17 with 1,024 channels: 7x7 taken apart."""
    return Parallel(chain(1024, (384, 1)), chain(1024, (192, 1), (224, ROW), (256, COLUMN)),
                    chain(1024, (192, 1), (192, COLUMN), (224, ROW), (224, COLUMN), (256, ROW)), pooled(1024, 128))


def inception_c():
    """8x8 with 1,536 channels: branches that fork into a row and a column."""
    def fork(channels):
        return Parallel(conv(channels, 256, SHORT_ROW), conv(channels, 256, SHORT_COLUMN))
    return Parallel(chain(1536, (256, 1)), nn.Sequential(conv(1536, 384, 1), fork(384)),
                    nn.Sequential(chain(1536, (384, 1), (448, SHORT_COLUMN), (512, SHORT_ROW)), fork(512)),
                    pooled(1536, 256))


class InceptionV4(nn.Module):
    """x (N, 3, H, W) -> scores (N, num_classes); made for 299x299, works from 75x75 on. `blocks` are those of A, B and C."""

    def __init__(self, num_classes=1000, dropout=0.2, blocks=(4, 7, 3)):
        super().__init__()
        self.stem = nn.Sequential(
            conv(3, 32, 3, 2), conv(32, 32, 3, padding=0), conv(32, 64, 3),
            Parallel(nn.MaxPool2d(3, 2), conv(64, 96, 3, 2)),
            Parallel(nn.Sequential(conv(160, 64, 1), conv(64, 96, 3, padding=0)),
                     nn.Sequential(chain(160, (64, 1), (64, ROW), (64, COLUMN)), conv(64, 96, 3, padding=0))),
            Parallel(conv(192, 192, 3, 2), nn.MaxPool2d(3, 2)))
        a, b, c = blocks
        self.features = nn.Sequential(
            *[inception_a() for _ in range(a)],
            Parallel(conv(384, 384, 3, 2), chain(384, (192, 1), (224, 3), (256, 3, 2)), nn.MaxPool2d(3, 2)),
            *[inception_b() for _ in range(b)],
            Parallel(chain(1024, (192, 1), (192, 3, 2)), chain(1024, (256, 1), (256, ROW), (320, COLUMN), (320, 3, 2)),
                     nn.MaxPool2d(3, 2)),
            *[inception_c() for _ in range(c)])
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(1536, num_classes)
        initialise(self)

    def forward(self, x):
        check_size(self, x, 75)
        return self.fc(self.dropout(self.avgpool(self.features(self.stem(x))).flatten(1)))


class ScaledResidual(nn.Module):
    """x (N, channels, H, W) -> x + scale * F(x), with F the `branches` and a 1x1; then ReLU, unless it is the last block."""

    def __init__(self, channels, scale, *branches, last=False):
        super().__init__()
        self.branches = Parallel(*(chain(channels, *steps) for steps in branches))
        self.conv = nn.Conv2d(sum(steps[-1][0] for steps in branches), channels, 1)
        self.relu = nn.Identity() if last else nn.ReLU()
        self.scale = scale

    def forward(self, x):
        return self.relu(x + self.scale * self.conv(self.branches(x)))


def block8(scale=0.2, last=False):
    """8x8 with 2,080 channels."""
    return ScaledResidual(2080, scale, [(192, 1)], [(192, 1), (224, SHORT_ROW), (256, SHORT_COLUMN)], last=last)


class InceptionResNetV2(nn.Module):
    """x (N, 3, H, W) -> scores (N, num_classes); made for 299x299, works from 75x75 on. `blocks` are those of each size."""

    def __init__(self, num_classes=1000, dropout=0.2, blocks=(10, 20, 9)):
        super().__init__()
        self.stem = nn.Sequential(
            conv(3, 32, 3, 2), conv(32, 32, 3, padding=0), conv(32, 64, 3), nn.MaxPool2d(3, 2),
            conv(64, 80, 1), conv(80, 192, 3, padding=0), nn.MaxPool2d(3, 2),
            Parallel(conv(192, 96, 1), chain(192, (48, 1), (64, 5)), chain(192, (64, 1), (96, 3), (96, 3)),
                     pooled(192, 64)))
        a, b, c = blocks
        self.features = nn.Sequential(
            *[ScaledResidual(320, 0.17, [(32, 1)], [(32, 1), (32, 3)], [(32, 1), (48, 3), (64, 3)]) for _ in range(a)],
            Parallel(conv(320, 384, 3, 2), chain(320, (256, 1), (256, 3), (384, 3, 2)), nn.MaxPool2d(3, 2)),
            *[ScaledResidual(1088, 0.1, [(192, 1)], [(128, 1), (160, ROW), (192, COLUMN)]) for _ in range(b)],
            Parallel(chain(1088, (256, 1), (384, 3, 2)), chain(1088, (256, 1), (288, 3, 2)),
                     chain(1088, (256, 1), (288, 3), (320, 3, 2)), nn.MaxPool2d(3, 2)),
            *[block8() for _ in range(c)], block8(1.0, last=True), conv(2080, 1536, 1))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(1536, num_classes)
        initialise(self)

    def forward(self, x):
        check_size(self, x, 75)
        return self.fc(self.dropout(self.avgpool(self.features(self.stem(x))).flatten(1)))


inception_v4 = variant("inception_v4", InceptionV4, input_size=(3, 299, 299))
inception_resnet_v2 = variant("inception_resnet_v2", InceptionResNetV2, input_size=(3, 299, 299))
