"""U-Net: down to the meaning and up again to the pixels, with a bridge at every level.

The lecture's idea: an encoder halves the picture and doubles the channels, a decoder does the reverse, and each level of
the decoder gets the encoder's map of its size beside what comes from below. Made for microscope pictures of which one has
thirty, not a million.

Source: O. Ronneberger, P. Fischer and T. Brox, "U-Net: convolutional networks for biomedical image segmentation" (2015),
figure 1. There convolutions have no padding, so 572x572 pixels give the classes of the 388x388 in the middle.
"""
from .. import cat, nn
from .blocks import check_size, initialise
from .registry import variant


class DoubleConv(nn.Sequential):
    """Twice: 3x3 convolution, [norm,] ReLU."""

    def __init__(self, in_channels, out_channels, padding, batch_norm):
        layers = []
        for channels in (in_channels, out_channels):
            layers.append(nn.Conv2d(channels, out_channels, 3, padding=padding, bias=not batch_norm))
            layers += [nn.BatchNorm2d(out_channels)] * batch_norm + [nn.ReLU()]
        super().__init__(*layers)


class UNet(nn.Module):
    """x (N, in_channels, H, W) -> scores (N, num_classes, H', W').

    With `padding` 1 the size stays, and may be any from 2^depth on. With 0, as in the paper, H' = H - 184 for depth 4, and H
    and W must be 188, 204, 220, ...: all maps that are pooled must have even sizes. `width` is that of the first level,
    `depth` the number of poolings, `batch_norm` adds norms to the convolutions.
    """

    def __init__(self, in_channels=1, num_classes=2, width=64, depth=4, padding=0, batch_norm=False):
        super().__init__()
        if padding not in (0, 1):
            raise ValueError(f"UNet: padding must be 0 or 1, got {padding}")
        self.depth, self.padding = depth, padding
        widths = [width * 2 ** i for i in range(depth + 1)]
        self.down = nn.ModuleList(DoubleConv(a, b, padding, batch_norm) for a, b in zip([in_channels, *widths], widths))
        self.pool = nn.MaxPool2d(2)
        pairs = list(zip(widths, widths[1:]))[::-1]
        self.up = nn.ModuleList(nn.ConvTranspose2d(b, a, 2, stride=2) for a, b in pairs)
        self.merge = nn.ModuleList(DoubleConv(b, a, padding, batch_norm) for a, b in pairs)
        self.score = nn.Conv2d(width, num_classes, 1)
        initialise(self)

    def _check(self, x):
        if self.padding:
            return check_size(self, x, 2 ** self.depth)
        step = 2 ** self.depth
        least = 12 * step - 4   # where the last map on the way up has 4 pixels left
        if x.ndim != 4 or any(n < least or (n - least) % step for n in x.shape[-2:]):
            raise ValueError(f"UNet: with padding=0 height and width must be {least}, {least + step}, {least + 2 * step}, "
                             f"..., got shape {tuple(x.shape)}; padding=1 takes any size")

    def forward(self, x):
        self._check(x)
        levels = []
        for i, block in enumerate(self.down):
            x = block(self.pool(x) if i else x)
            levels.append(x)
        for up, merge, level in zip(self.up, self.merge, levels[-2::-1]):
            x = up(x, output_size=level.shape[-2:]) if self.padding else up(x)
            height, width = x.shape[-2:]
            top, left = (level.shape[-2] - height) // 2, (level.shape[-1] - width) // 2
            x = merge(cat([level[:, :, top:top + height, left:left + width], x], 1))
        return self.score(x)


unet = variant("unet", UNet, input_size=(1, 572, 572))
unet_padded = variant("unet_padded", UNet, padding=1, batch_norm=True, input_size=(1, 512, 512))
