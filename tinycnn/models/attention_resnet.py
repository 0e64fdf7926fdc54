"""SE-ResNet and CBAM-ResNet: residual branches that weigh their own channels, and then their pixels.

The lecture's idea: a convolution treats all channels alike, whatever the picture. Squeeze-and-excitation takes the mean of
each channel over the picture (squeeze), and two small layers with a sigmoid make of these a weight for each channel
(excite): a tenth more weights, hardly more work. CBAM looks at the maximum beside the mean, with the same two layers, and
then does the like across channels: mean and maximum at every pixel, a 7x7 convolution, and a weight for each pixel.

Sources: J. Hu, L. Shen and G. Sun, "Squeeze-and-excitation networks" (2018); S. Woo et al., "CBAM: convolutional block
attention module" (2018).
"""
from .. import cat, nn
from .blocks import SqueezeExcitation
from .registry import variant
from .resnet import BasicBlock, Bottleneck, ResNet


class CBAM(nn.Module):
    """x (N, channels, H, W) -> x weighed by channel, then by pixel."""

    def __init__(self, channels, reduction=16, kernel_size=7):
        super().__init__()
        self.mlp = nn.Sequential(nn.Conv2d(channels, channels // reduction, 1), nn.ReLU(),
                                 nn.Conv2d(channels // reduction, channels, 1))
        self.spatial = nn.Conv2d(2, 1, kernel_size, padding=kernel_size // 2, bias=False)

    def forward(self, x):
        mean, largest = x.mean((2, 3), keepdim=True), x.amax((2, 3), keepdim=True)
        x = x * (self.mlp(mean) + self.mlp(largest)).sigmoid()
        mean, largest = x.mean(1, keepdim=True), x.amax(1, keepdim=True)
        return x * self.spatial(cat([mean, largest], 1)).sigmoid()


class SEBasicBlock(BasicBlock):
    """BasicBlock whose F ends in squeeze-and-excitation."""

    def __init__(self, inplanes, planes, *args, **options):
        super().__init__(inplanes, planes, *args, **options)
        self.se = SqueezeExcitation(planes, planes // 16)

    def residual(self, x):
        return self.se(super().residual(x))


class SEBottleneck(Bottleneck):
    """Bottleneck whose F ends in squeeze-and-excitation."""

    def __init__(self, inplanes, planes, *args, **options):
        super().__init__(inplanes, planes, *args, **options)
        self.se = SqueezeExcitation(planes * self.expansion, planes * self.expansion // 16)

    def residual(self, x):
        return self.se(super().residual(x))


class CBAMBasicBlock(BasicBlock):
    """BasicBlock whose F ends in CBAM."""

    def __init__(self, inplanes, planes, *args, **options):
        super().__init__(inplanes, planes, *args, **options)
        self.cbam = CBAM(planes)

    def residual(self, x):
        return self.cbam(super().residual(x))


class CBAMBottleneck(Bottleneck):
    """Bottleneck whose F ends in CBAM."""

    def __init__(self, inplanes, planes, *args, **options):
        super().__init__(inplanes, planes, *args, **options)
        self.cbam = CBAM(planes * self.expansion)

    def residual(self, x):
        return self.cbam(super().residual(x))


se_resnet18 = variant("se_resnet18", ResNet, SEBasicBlock, [2, 2, 2, 2])
se_resnet34 = variant("se_resnet34", ResNet, SEBasicBlock, [3, 4, 6, 3])
se_resnet50 = variant("se_resnet50", ResNet, SEBottleneck, [3, 4, 6, 3])
se_resnet101 = variant("se_resnet101", ResNet, SEBottleneck, [3, 4, 23, 3])
se_resnet152 = variant("se_resnet152", ResNet, SEBottleneck, [3, 8, 36, 3])
cbam_resnet18 = variant("cbam_resnet18", ResNet, CBAMBasicBlock, [2, 2, 2, 2])
cbam_resnet34 = variant("cbam_resnet34", ResNet, CBAMBasicBlock, [3, 4, 6, 3])
cbam_resnet50 = variant("cbam_resnet50", ResNet, CBAMBottleneck, [3, 4, 6, 3])
cbam_resnet101 = variant("cbam_resnet101", ResNet, CBAMBottleneck, [3, 4, 23, 3])
