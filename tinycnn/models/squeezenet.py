"""SqueezeNet: AlexNet's accuracy with a fiftieth of its weights.

The lecture's idea: a fire block squeezes the channels with 1x1 convolutions, then expands them with 1x1 and 3x3 ones side by
side: most 3x3 become 1x1, nine times smaller, and the rest see few channels. Pooling comes late, so maps stay large. No
linear layers: a 1x1 convolution makes a map of scores for each class, whose mean is the score.

Source: F. Iandola et al., "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters and <0.5MB model size" (2016).
"""
from functools import partial

from .. import cat, nn
from .blocks import check_size, initialise
from .registry import variant


class Fire(nn.Module):
    """x (N, inplanes, H, W) -> (N, expand1x1_planes + expand3x3_planes, H, W) through squeeze_planes channels."""

    def __init__(self, inplanes, squeeze_planes, expand1x1_planes, expand3x3_planes):
        super().__init__()
        self.squeeze = nn.Conv2d(inplanes, squeeze_planes, 1)
        self.expand1x1 = nn.Conv2d(squeeze_planes, expand1x1_planes, 1)
        self.expand3x3 = nn.Conv2d(squeeze_planes, expand3x3_planes, 3, padding=1)
        self.relu = nn.ReLU()

    def forward(self, x):
        x = self.relu(self.squeeze(x))
        return cat([self.relu(self.expand1x1(x)), self.relu(self.expand3x3(x))], 1)


class SqueezeNet(nn.Module):
    """x (N, 3, H, W) -> scores (N, num_classes); made for 224x224. `version` is "1_0" or "1_1", 2.4 times faster."""

    def __init__(self, version="1_0", num_classes=1000, dropout=0.5):
        super().__init__()
        pool = partial(nn.MaxPool2d, 3, stride=2, ceil_mode=True)
        if version == "1_0":
            self.features = nn.Sequential(
                nn.Conv2d(3, 96, 7, stride=2), nn.ReLU(), pool(),
                Fire(96, 16, 64, 64), Fire(128, 16, 64, 64), Fire(128, 32, 128, 128), pool(),
                Fire(256, 32, 128, 128), Fire(256, 48, 192, 192), Fire(384, 48, 192, 192), Fire(384, 64, 256, 256), pool(),
                Fire(512, 64, 256, 256))
        elif version == "1_1":
            self.features = nn.Sequential(
                nn.Conv2d(3, 64, 3, stride=2), nn.ReLU(), pool(),
                Fire(64, 16, 64, 64), Fire(128, 16, 64, 64), pool(),
                Fire(128, 32, 128, 128), Fire(256, 32, 128, 128), pool(),
                Fire(256, 48, 192, 192), Fire(384, 48, 192, 192), Fire(384, 64, 256, 256), Fire(512, 64, 256, 256))
        else:
            raise ValueError(f"SqueezeNet: version must be '1_0' or '1_1', got {version!r}")
        self.least = 21 if version == "1_0" else 17
        last = nn.Conv2d(512, num_classes, 1)
        self.classifier = nn.Sequential(nn.Dropout(dropout), last, nn.ReLU(), nn.AdaptiveAvgPool2d((1, 1)))
        initialise(self, conv=nn.init.kaiming_uniform_)
        nn.init.normal_(last.weight, 0.0, 0.01)

    def forward(self, x):
        check_size(self, x, self.least)
        return self.classifier(self.features(x)).flatten(1)


squeezenet1_0 = variant("squeezenet1_0", SqueezeNet, "1_0")
squeezenet1_1 = variant("squeezenet1_1", SqueezeNet, "1_1")
