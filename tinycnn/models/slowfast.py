"""SlowFast: what is there changes slowly, what it does changes fast.

The lecture's idea: the slow path sees few frames with many channels, for meaning; the fast path sees alpha = 8 times as many
frames with an eighth of the channels, for motion, at a fifth of the cost. The fast one tells the slow one what it saw after
every stage, through convolutions strided in time. Kernels of the slow path extend in time only in its last two stages.

Source: C. Feichtenhofer, H. Fan, J. Malik and K. He, "SlowFast networks for video recognition" (2019), table 1: ResNet-50,
4 slow frames out of 32.
"""
from .. import cat, nn
from .blocks import initialise
from .registry import variant


def conv_norm(in_channels, out_channels, kernel_size, stride=(1, 1, 1), relu=True):
    """3-D convolution that keeps the size at stride 1, norm, and ReLU."""
    padding = tuple(k // 2 for k in kernel_size)
    layers = [nn.Conv3d(in_channels, out_channels, kernel_size, stride, padding, bias=False), nn.BatchNorm3d(out_channels)]
    return nn.Sequential(*layers, *[nn.ReLU()] * relu)


class Bottleneck(nn.Module):
    """x (N, in_channels, T, H, W) -> relu(F(x) + x), 4 `narrow` channels; `time` is the length of the first kernel."""

    def __init__(self, in_channels, narrow, time, stride=1):
        super().__init__()
        strides = (1, stride, stride)
        self.residual = nn.Sequential(
            conv_norm(in_channels, narrow, (time, 1, 1)), conv_norm(narrow, narrow, (1, 3, 3), strides),
            conv_norm(narrow, 4 * narrow, (1, 1, 1), relu=False))
        self.shortcut = None
        if stride != 1 or in_channels != 4 * narrow:
            self.shortcut = conv_norm(in_channels, 4 * narrow, (1, 1, 1), strides, relu=False)
        self.relu = nn.ReLU()

    def forward(self, x):
        return self.relu(self.residual(x) + (x if self.shortcut is None else self.shortcut(x)))


class Pathway(nn.Module):
    """A ResNet for clips of which the stem and each stage can be run alone.

    `extra` are the channels that come from the other path before each stage; `times` the kernels' lengths in time, of the
    stem and of each stage.
    """

    def __init__(self, width, layers, times, extra):
        super().__init__()
        self.stem = nn.Sequential(conv_norm(3, width, (times[0], 7, 7), (1, 2, 2)),
                                  nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1)))
        self.stages, channels = nn.ModuleList(), width
        for i, (blocks, time, more) in enumerate(zip(layers, times[1:], extra)):
            narrow, stage = width * 2 ** i, []
            for j in range(blocks):
                stage.append(Bottleneck(channels if j else channels + more, narrow, time, 2 if i and not j else 1))
                channels = 4 * narrow
            self.stages.append(nn.Sequential(*stage))


class SlowFast(nn.Module):
    """x (N, 3, T, H, W) -> scores (N, num_classes), any size; made for 32 frames of 224x224.

    `alpha` is the ratio of the paths' frame rates, `beta` that of their channels, `width` the slow path's first width,
    `layers` the blocks of each stage.
    """

    def __init__(self, num_classes=400, alpha=8, beta=8, width=64, layers=(3, 4, 6, 3), dropout=0.5):
        super().__init__()
        self.alpha = alpha
        thin = width // beta
        seen = [thin] + [4 * thin * 2 ** i for i in range(len(layers) - 1)]  # channels of the fast path before each stage
        self.fast = Pathway(thin, layers, (5, 3, 3, 3, 3), [0] * len(layers))
        self.slow = Pathway(width, layers, (1, 1, 1, 3, 3), [2 * c for c in seen])
        self.lateral = nn.ModuleList(conv_norm(c, 2 * c, (5, 1, 1), (alpha, 1, 1)) for c in seen)
        self.avgpool = nn.AdaptiveAvgPool3d(1)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(4 * (width + thin) * 2 ** (len(layers) - 1), num_classes)
        initialise(self)

    def forward(self, x):
        if x.ndim != 5 or x.shape[1] != 3:
            raise ValueError(f"SlowFast: expected clips (N, 3, T, H, W), got shape {tuple(x.shape)}")
        fast, slow = self.fast.stem(x), self.slow.stem(x[:, :, ::self.alpha])
        for lateral, fast_stage, slow_stage in zip(self.lateral, self.fast.stages, self.slow.stages):
            slow = slow_stage(cat([slow, lateral(fast)], 1))
            fast = fast_stage(fast)
        x = cat([self.avgpool(slow), self.avgpool(fast)], 1).flatten(1)
        return self.fc(self.dropout(x))


slowfast_r50 = variant("slowfast_r50", SlowFast, input_size=(3, 32, 224, 224))
