"""VGG: nothing but 3x3 convolutions, and many of them.

The lecture's idea: two 3x3 convolutions see 5x5 pixels and three see 7x7, with fewer weights (27 C^2 instead of 49 C^2) and
more nonlinearities. Between the stages the picture halves and the channels double. Nine tenths of the weights are in the
fully connected layers, most of them in the first (25,088 x 4,096), which later networks do away with.

Source: K. Simonyan and A. Zisserman, "Very deep convolutional networks for large-scale image recognition" (2015), table 1.
"""
from .. import nn
from .blocks import check_size, he_normal_, initialise
from .registry import variant

# the columns of table 1: numbers are 3x3 convolutions, negative ones 1x1, "L" local response normalisation, "M" max-pooling
CONFIGURATIONS = {
    "A": [64, "M", 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M"],
    "A-LRN": [64, "L", "M", 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M"],
    "B": [64, 64, "M", 128, 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M"],
    "C": [64, 64, "M", 128, 128, "M", 256, 256, -256, "M", 512, 512, -512, "M", 512, 512, -512, "M"],
    "D": [64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512, "M", 512, 512, 512, "M"],
    "E": [64, 64, "M", 128, 128, "M", 256, 256, 256, 256, "M", 512, 512, 512, 512, "M", 512, 512, 512, 512, "M"],
}


def make_layers(cfg, batch_norm=False):
    """The convolutional part as a Sequential, from a list like those in CONFIGURATIONS."""
    layers, in_channels = [], 3
    for v in cfg:
        if v == "M":
            layers.append(nn.MaxPool2d(2, 2))
        elif v == "L":
            layers.append(nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0))
        else:
            kernel_size, channels = (3, v) if v > 0 else (1, -v)
            layers.append(nn.Conv2d(in_channels, channels, kernel_size, padding=kernel_size // 2))
            layers += [nn.BatchNorm2d(channels)] if batch_norm else []
            layers.append(nn.ReLU())
            in_channels = channels
    return nn.Sequential(*layers)


class VGG(nn.Module):
    """x (N, 3, H, W) -> scores (N, num_classes); made for 224x224, works from 32x32 on.

    `features` maps x to 512 channels; `hidden` is the width of the two hidden layers of the classifier.
    """

    def __init__(self, features, num_classes=1000, init_weights=True, dropout=0.5, hidden=4096):
        super().__init__()
        self.features = features
        self.avgpool = nn.AdaptiveAvgPool2d((7, 7))
        self.classifier = nn.Sequential(
            nn.Linear(512 * 7 * 7, hidden), nn.ReLU(), nn.Dropout(dropout),
            nn.Linear(hidden, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, num_classes))
        if init_weights:
            initialise(self, conv=he_normal_, linear=lambda w: nn.init.normal_(w, 0, 0.01))

    def forward(self, x):
        check_size(self, x, 32)
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


def _vgg(cfg, batch_norm=False, **options):
    return VGG(make_layers(CONFIGURATIONS[cfg], batch_norm), **options)


vgg11 = variant("vgg11", _vgg, "A")
vgg11_lrn = variant("vgg11_lrn", _vgg, "A-LRN")
vgg13 = variant("vgg13", _vgg, "B")
vgg16_1x1 = variant("vgg16_1x1", _vgg, "C")
vgg16 = variant("vgg16", _vgg, "D")
vgg19 = variant("vgg19", _vgg, "E")
vgg11_bn = variant("vgg11_bn", _vgg, "A", batch_norm=True)
vgg13_bn = variant("vgg13_bn", _vgg, "B", batch_norm=True)
vgg16_bn = variant("vgg16_bn", _vgg, "D", batch_norm=True)
vgg19_bn = variant("vgg19_bn", _vgg, "E", batch_norm=True)
