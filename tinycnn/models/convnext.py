"""ConvNeXt: a ResNet modernised step by step until it equals a vision transformer.

The lecture's idea: what of a transformer's success is attention, and what is everything around it? Take ResNet-50, and adopt
the training recipe, the stages' proportions, a stem of 4x4 patches, depthwise 7x7 (which mix pixels only, as attention
does), a wide layer inside the block, GELU, fewer activations and norms, layer norm, separate downsampling. Each step helps a
little; the end matches Swin, without attention.

Source: Z. Liu et al., "A ConvNet for the 2020s" (2022), section 2. Names are torchvision's.
"""
from collections import namedtuple
from functools import partial

from .. import nn, ones
from .blocks import LayerNorm2d, Permute, StochasticDepth, check_size, conv_norm, initialise
from .registry import variant

CNBlockConfig = namedtuple("CNBlockConfig", "input_channels out_channels num_layers")


class CNBlock(nn.Module):
    """x (N, dim, H, W) -> x + s F(x): depthwise 7x7, layer norm, and two linear layers at each pixel with GELU between.

    The scale s of each channel starts tiny, so that a deep network starts near the identity.
    """

    def __init__(self, dim, layer_scale, stochastic_depth_prob):
        super().__init__()
        self.block = nn.Sequential(
            nn.Conv2d(dim, dim, 7, padding=3, groups=dim), Permute((0, 2, 3, 1)), nn.LayerNorm(dim, eps=1e-6),
            nn.Linear(dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, dim), Permute((0, 3, 1, 2)))
        self.layer_scale = nn.Parameter(ones(dim, 1, 1) * layer_scale)
        self.stochastic_depth = StochasticDepth(stochastic_depth_prob)

    def forward(self, x):
        return x + self.stochastic_depth(self.layer_scale * self.block(x))


class ConvNeXt(nn.Module):
    """x (N, 3, H, W) -> scores (N, num_classes); made for 224x224, works from 32x32 on.

    `block_setting` holds a CNBlockConfig for each stage, its out_channels None for the last; branches are dropped with a
    probability that grows from 0 to `stochastic_depth_prob`.
    """

    def __init__(self, block_setting, stochastic_depth_prob=0.0, layer_scale=1e-6, num_classes=1000, block=None,
                 norm_layer=None):
        super().__init__()
        block, norm_layer = block or CNBlock, norm_layer or partial(LayerNorm2d, eps=1e-6)
        self.least = 2 ** (len(block_setting) + 1)
        layers = [conv_norm(3, block_setting[0].input_channels, 4, 4, padding=0, norm_layer=norm_layer, activation=None,
                            bias=True)]
        total, done = sum(cnf.num_layers for cnf in block_setting), 0
        for cnf in block_setting:
            stage = []
            for _ in range(cnf.num_layers):
                stage.append(block(cnf.input_channels, layer_scale, stochastic_depth_prob * done / max(total - 1, 1)))
                done += 1
            layers.append(nn.Sequential(*stage))
            if cnf.out_channels is not None:
                layers.append(nn.Sequential(norm_layer(cnf.input_channels),
                                            nn.Conv2d(cnf.input_channels, cnf.out_channels, 2, stride=2)))
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        last = cnf.out_channels or cnf.input_channels
        self.classifier = nn.Sequential(norm_layer(last), nn.Flatten(1), nn.Linear(last, num_classes))
        narrow = partial(nn.init.trunc_normal_, std=0.02)
        initialise(self, conv=narrow, linear=narrow)

    def forward(self, x):
        check_size(self, x, self.least)
        return self.classifier(self.avgpool(self.features(x)))


def _convnext(width, depths, **options):
    """The first stage has `width` channels, each further one twice as many."""
    widths = [width * 2 ** i for i in range(len(depths))]
    return ConvNeXt([CNBlockConfig(*c) for c in zip(widths, [*widths[1:], None], depths)], **options)


convnext_tiny = variant("convnext_tiny", _convnext, 96, (3, 3, 9, 3), stochastic_depth_prob=0.1)
convnext_small = variant("convnext_small", _convnext, 96, (3, 3, 27, 3), stochastic_depth_prob=0.4)
convnext_base = variant("convnext_base", _convnext, 128, (3, 3, 27, 3), stochastic_depth_prob=0.5)
convnext_large = variant("convnext_large", _convnext, 192, (3, 3, 27, 3), stochastic_depth_prob=0.5)
