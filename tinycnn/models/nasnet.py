"""NASNet-A: cells found by search on CIFAR-10, stacked for ImageNet.

The lecture's idea: do not search for a whole network on ImageNet, which no one could pay, but for two cells on CIFAR-10: a
normal one and one that halves the picture. A cell sees the outputs of the two cells before it and makes five sums of two
operations each. The search (reinforcement learning: 500 GPUs for four days) chose what the two tables below say; depth and
width are then a matter of stacking.

Source: B. Zoph, V. Vasudevan, J. Shlens and Q. Le, "Learning transferable architectures for scalable image recognition"
(2018), figure 4.
"""
from .. import cat, nn
from ..nn import functional as F
from .blocks import check_size, initialise
from .registry import variant

# Five sums of two: operation and input, operation and input. Input 0 is the cell before, 1 the one before that, 2 the first
# sum and so on. After them, the states that are joined.
NORMAL = [("separable5", 0, "separable3", 1), ("separable5", 1, "separable3", 1), ("average", 0, "identity", 1),
          ("average", 1, "average", 1), ("separable3", 0, "identity", 0)], (1, 2, 3, 4, 5, 6)
REDUCTION = [("separable5", 0, "separable7", 1), ("maximum", 0, "separable7", 1), ("average", 0, "separable5", 1),
             ("identity", 3, "average", 2), ("separable3", 2, "maximum", 0)], (3, 4, 5, 6)


def norm(channels):
    """Batch norm with the constants of the paper's code."""
    return nn.BatchNorm2d(channels, eps=0.001)


def relu_conv_norm(in_channels, out_channels):
    """ReLU, 1x1 convolution, norm."""
    return nn.Sequential(nn.ReLU(), nn.Conv2d(in_channels, out_channels, 1, bias=False), norm(out_channels))


def separable(in_channels, out_channels, kernel_size, stride):
    """Twice: ReLU, depthwise convolution, 1x1 convolution, norm."""
    layers = []
    for channels, s in ((in_channels, stride), (out_channels, 1)):
        layers += [nn.ReLU(), nn.Conv2d(channels, channels, kernel_size, s, kernel_size // 2, groups=channels, bias=False),
                   nn.Conv2d(channels, out_channels, 1, bias=False), norm(out_channels)]
    return nn.Sequential(*layers)


class FactorizedReduction(nn.Module):
    """Half as high and wide: every second pixel and, for the other half of the channels, those one to the lower right."""

    def __init__(self, in_channels, out_channels):
        super().__init__()
        self.path1 = nn.Conv2d(in_channels, out_channels // 2, 1, bias=False)
        self.path2 = nn.Conv2d(in_channels, out_channels - out_channels // 2, 1, bias=False)
        self.norm = norm(out_channels)

    def forward(self, x):
        x = F.relu(x)
        shifted = F.pad(x, (0, 1, 0, 1))[:, :, 1:, 1:]
        return self.norm(cat([self.path1(x[:, :, ::2, ::2]), self.path2(shifted[:, :, ::2, ::2])], 1))


def operation(name, in_channels, channels, stride):
    """The module of an entry of the tables."""
    if name == "identity":
        return nn.Identity()
    if name == "average":
        return nn.AvgPool2d(3, stride, 1, count_include_pad=False)
    if name == "maximum":
        return nn.MaxPool2d(3, stride, 1)
    return separable(in_channels, channels, int(name[-1]), stride)


class Cell(nn.Module):
    """(cur, prev) -> the joined states, `channels` each. A reduction cell halves the size.

    cur is brought to `channels` by a 1x1, and so is prev; where prev is twice as large (`shrink`) it is halved first. The
    first cell of all has no prev (`prev_channels` None) and sees cur as it is in its place.
    """

    def __init__(self, table, cur_channels, prev_channels, channels, shrink=False):
        super().__init__()
        pairs, self.joined = table
        self.inputs = [(a, b) for _, a, _, b in pairs]
        self.out_channels = channels * len(self.joined)
        stride = 2 if table is REDUCTION else 1
        self.cur = relu_conv_norm(cur_channels, channels)
        self.prev = nn.Identity()
        if prev_channels is not None:
            self.prev = FactorizedReduction(prev_channels, channels) if shrink else relu_conv_norm(prev_channels, channels)
        widths = (channels, cur_channels if prev_channels is None else channels)
        self.operations = nn.ModuleList()
        for left, a, right, b in pairs:
            for name, i in ((left, a), (right, b)):
                seen, s = (widths[i], stride) if i < 2 else (channels, 1)
                self.operations.append(operation(name, seen, channels, s))

    def forward(self, cur, prev):
        states = [self.cur(cur), self.prev(prev)]
        for k, (a, b) in enumerate(self.inputs):
            states.append(self.operations[2 * k](states[a]) + self.operations[2 * k + 1](states[b]))
        return cat([states[i] for i in self.joined], 1)


class NASNet(nn.Module):
    """x (N, 3, H, W) -> scores (N, num_classes), from 3x3 on; made for 224x224 (mobile) and 331x331 (large).

    `repeats` normal cells stand in each of three stages, whose widths are `channels`, twice and four times that; two
    reduction cells follow the first convolution of `stem` channels. With `skip`, the normal cell behind a reduction cell
    does not see the cell before that, but the one before.
    """

    def __init__(self, repeats=4, channels=44, stem=32, skip=False, num_classes=1000, dropout=0.5):
        super().__init__()
        self.conv0 = nn.Sequential(nn.Conv2d(3, stem, 3, stride=2, bias=False), norm(stem))
        self.cells = nn.ModuleList()
        plan = [(REDUCTION, channels // 4), (REDUCTION, channels // 2), *[(NORMAL, channels)] * repeats]
        for width in (2 * channels, 4 * channels):
            plan += [(REDUCTION, width), *[(NORMAL, width)] * repeats]
        self.skips = []  # for each cell, how many outputs before the last its prev lies
        widths, sizes = [stem], [0]  # of the outputs so far: channels, and how often they were halved
        for i, (table, width) in enumerate(plan):
            back = 2 if skip and i > 2 and table is NORMAL and plan[i - 1][0] is REDUCTION else 1
            back = min(back, len(widths) - 1)
            prev = widths[-1 - back] if back else None
            self.cells.append(Cell(table, widths[-1], prev, width, shrink=sizes[-1 - back] < sizes[-1]))
            self.skips.append(back)
            widths.append(self.cells[-1].out_channels)
            sizes.append(sizes[-1] + (table is REDUCTION))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(widths[-1], num_classes)
        initialise(self)

    def forward(self, x):
        check_size(self, x, 3)
        outputs = [self.conv0(x)]
        for cell, back in zip(self.cells, self.skips):
            outputs.append(cell(outputs[-1], outputs[-1 - back]))
            outputs = outputs[-3:]
        x = self.avgpool(F.relu(outputs[-1])).flatten(1)
        return self.fc(self.dropout(x))


nasnet_a_mobile = variant("nasnet_a_mobile", NASNet)
nasnet_a_large = variant("nasnet_a_large", NASNet, 6, 168, 96, skip=True, input_size=(3, 331, 331))
