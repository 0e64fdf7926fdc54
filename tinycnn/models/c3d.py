"""C3D: convolutions in space and time.

The lecture's idea: a clip is a volume. A 3x3x3 kernel sees three pictures at once, so it can respond to motion, and keeping
the time axis through the network lets it put small motions together into large ones. Small kernels are best here too: C3D
is VGG with one dimension more. The first pooling leaves time alone, so as not to merge it too early.

Source: D. Tran et al., "Learning spatiotemporal features with 3D convolutional networks" (2015), figure 3.
"""
from .. import nn
from .blocks import initialise
from .registry import variant


class C3D(nn.Module):
    """x (N, 3, T, H, W) -> scores (N, num_classes); made for 16 pictures of 112x112, works from 16 of 16x16 on.

    `width` is that of the first convolution, `hidden` that of the two linear layers.
    """

    def __init__(self, num_classes=487, width=64, hidden=4096, dropout=0.5):
        super().__init__()
        layers, channels = [], 3
        for factor, convolutions, pool in ((1, 1, (1, 2, 2)), (2, 1, 2), (4, 2, 2), (8, 2, 2), (8, 2, None)):
            for _ in range(convolutions):
                layers += [nn.Conv3d(channels, width * factor, 3, padding=1), nn.ReLU()]
                channels = width * factor
            layers.append(nn.MaxPool3d(pool) if pool else nn.MaxPool3d(2, 2, padding=(0, 1, 1)))
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool3d((1, 4, 4))
        self.classifier = nn.Sequential(
            nn.Linear(channels * 16, hidden), nn.ReLU(), nn.Dropout(dropout),
            nn.Linear(hidden, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, num_classes))
        initialise(self)

    def forward(self, x):
        if x.ndim != 5 or min(x.shape[2:]) < 16:
            raise ValueError(f"C3D: expected clips (N, 3, T, H, W) of at least 16x16x16, got shape {tuple(x.shape)}")
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


c3d = variant("c3d", C3D, input_size=(3, 16, 112, 112))
c3d_small = variant("c3d_small", C3D, num_classes=10, width=8, hidden=64, input_size=(3, 16, 112, 112))
