"""ConvMixer: are patches all you need?

The lecture's idea: ViT and MLP-Mixer changed two things at once, attention or MLPs in place of convolutions, and patches in
place of pixels with one size and width throughout. Keep only the second: a large depthwise convolution mixes places, a 1x1
convolution mixes channels, and the whole network fits a page. It does as well as they do.

Source: A. Trockman and J. Z. Kolter, "Patches are all you need?" (2022). Names are those of the published weights.
"""
from .. import nn
from .blocks import check_size
from .registry import variant


class Residual(nn.Module):
    """x + fn(x)."""

    def __init__(self, fn):
        super().__init__()
        self.fn = fn

    def forward(self, x):
        return x + self.fn(x)


def active(conv, activation):
    """A convolution "0", its activation "1", and then batch norm "2"."""
    return nn.Sequential(conv, activation(), nn.BatchNorm2d(conv.out_channels))


class ConvMixer(nn.Module):
    """x (N, in_channels, H, W) -> scores (N, num_classes), any size from one patch on; made for 224x224."""

    def __init__(self, dim, depth, kernel_size=9, patch_size=7, num_classes=1000, activation=nn.GELU, in_channels=3):
        super().__init__()
        self.least = patch_size
        self.stem = active(nn.Conv2d(in_channels, dim, patch_size, stride=patch_size), activation)
        self.blocks = nn.Sequential(*(nn.Sequential(
            Residual(active(nn.Conv2d(dim, dim, kernel_size, groups=dim, padding="same"), activation)),
            *active(nn.Conv2d(dim, dim, 1), activation)) for _ in range(depth)))
        self.pooling = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.head = nn.Linear(dim, num_classes)

    def forward(self, x):
        check_size(self, x, self.least)
        return self.head(self.pooling(self.blocks(self.stem(x))))


convmixer_1536_20 = variant("convmixer_1536_20", ConvMixer, 1536, 20)
convmixer_1024_20 = variant("convmixer_1024_20", ConvMixer, 1024, 20, patch_size=14)
convmixer_768_32 = variant("convmixer_768_32", ConvMixer, 768, 32, kernel_size=7, activation=nn.ReLU)
cifar_convmixer = variant("cifar_convmixer", ConvMixer, 256, 8, kernel_size=5, patch_size=2, num_classes=10)
