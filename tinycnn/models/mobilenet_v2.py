"""MobileNet v2: inverted residuals with linear bottlenecks.

The lecture's idea: ResNet's bottleneck turned inside out. The skips join narrow layers; inside a block a 1x1 widens by
t = 6, a cheap depthwise 3x3 filters, and a 1x1 narrows again. Nothing follows that last 1x1: ReLU in a narrow layer destroys
information that no other channel holds. ReLU6 is kind to arithmetic of few bits.

Source: M. Sandler et al., "MobileNetV2: inverted residuals and linear bottlenecks" (2018), table 2.
"""
from .. import nn
from .blocks import conv_norm, initialise, make_divisible
from .registry import variant

# t: factor of expansion, c: channels, n: blocks, s: stride of the first
SETTING = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]


class InvertedResidual(nn.Module):
    """x (N, inp, H, W) -> (N, oup, H/stride, W/stride), with the skip where both have the same shape."""

    def __init__(self, inp, oup, stride, expand_ratio, norm_layer=nn.BatchNorm2d):
        super().__init__()
        hidden = int(round(inp * expand_ratio))
        options = dict(norm_layer=norm_layer, activation=nn.ReLU6)
        layers = [conv_norm(inp, hidden, 1, **options)] if expand_ratio != 1 else []
        layers += [conv_norm(hidden, hidden, 3, stride, groups=hidden, **options),
                   nn.Conv2d(hidden, oup, 1, bias=False), norm_layer(oup)]
        self.conv = nn.Sequential(*layers)
        self.use_res_connect = stride == 1 and inp == oup

    def forward(self, x):
        return x + self.conv(x) if self.use_res_connect else self.conv(x)


class MobileNetV2(nn.Module):
    """x (N, 3, H, W) -> scores (N, num_classes), any size; made for 224x224.

    `width_mult` multiplies all widths, which are rounded to multiples of `round_nearest`; `inverted_residual_setting` holds
    (t, c, n, s) of each stage; `block` and `norm_layer` replace the usual ones.
    """

    def __init__(self, num_classes=1000, width_mult=1.0, inverted_residual_setting=None, round_nearest=8, block=None,
                 norm_layer=None, dropout=0.2):
        super().__init__()
        block, norm_layer = block or InvertedResidual, norm_layer or nn.BatchNorm2d
        channels = make_divisible(32 * width_mult, round_nearest)
        last = make_divisible(1280 * max(1.0, width_mult), round_nearest)
        features = [conv_norm(3, channels, stride=2, norm_layer=norm_layer, activation=nn.ReLU6)]
        for t, c, n, s in inverted_residual_setting or SETTING:
            width = make_divisible(c * width_mult, round_nearest)
            for i in range(n):
                features.append(block(channels, width, s if i == 0 else 1, expand_ratio=t, norm_layer=norm_layer))
                channels = width
        features.append(conv_norm(channels, last, 1, norm_layer=norm_layer, activation=nn.ReLU6))
        self.features = nn.Sequential(*features)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.classifier = nn.Sequential(nn.Dropout(dropout), nn.Linear(last, num_classes))
        initialise(self, linear=lambda w: nn.init.normal_(w, 0, 0.01))

    def forward(self, x):
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


def _small_mobilenet_v2(num_classes=10, **options):
    """MobileNet v2 for 32x32: the first two halvings are left out."""
    setting = [(t, c, n, 1 if c == 24 else s) for t, c, n, s in SETTING]
    model = MobileNetV2(num_classes, inverted_residual_setting=setting, **options)
    model.features[0][0].stride = (1, 1)
    return model


mobilenet_v2 = variant("mobilenet_v2", MobileNetV2)
cifar_mobilenet_v2 = variant("cifar_mobilenet_v2", _small_mobilenet_v2)
