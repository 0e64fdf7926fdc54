"""LeNet-5, the network that read the digits on bank cheques."""
from .. import nn
from .registry import variant


class LeNet5(nn.Module):
    """Two convolutions with pooling, then fully connected layers: x (N, C, H, W) -> scores (N, num_classes).

    The plan of LeNet-5 with the parts of today: ReLU instead of tanh, max-pooling instead of trained averages, softmax
    scores instead of radial basis functions, and convolutions that keep the size of the picture, so that small pictures fit.

        x -> [conv kxk, ReLU, max-pool 2x2] twice -> flatten -> [linear, ReLU] for each of `hidden` -> linear -> scores

    `image_size` is a number or (height, width), at least 4; `channels` are the maps of the two convolutions (6 and 16 in the
    original), `kernel_size` is odd (5 in the original), `hidden` the widths between (120 and 84 in the original).
    Source: Y. LeCun, L. Bottou, Y. Bengio and P. Haffner, "Gradient-based learning applied to document recognition",
    Proceedings of the IEEE 86 (1998), section II.B.
    """

    def __init__(self, num_classes=10, in_channels=1, image_size=28, channels=(6, 16), kernel_size=5, hidden=(120, 84)):
        super().__init__()
        height, width = (image_size, image_size) if isinstance(image_size, int) else image_size
        if min(height, width) < 4:
            raise ValueError(f"LeNet5: image_size must be at least 4, because it is halved twice, got {image_size}")
        if kernel_size % 2 == 0:
            raise ValueError(f"LeNet5: kernel_size must be odd, so that it has a middle, got {kernel_size}")
        first, second = channels
        self.features = nn.Sequential(
            nn.Conv2d(in_channels, first, kernel_size, padding=kernel_size // 2), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(first, second, kernel_size, padding=kernel_size // 2), nn.ReLU(), nn.MaxPool2d(2))
        widths = [second * (height // 4) * (width // 4), *hidden]
        layers = [nn.Flatten()]
        for narrow, wide in zip(widths[1:], widths):
            layers += [nn.Linear(wide, narrow), nn.ReLU()]
        self.classifier = nn.Sequential(*layers, nn.Linear(widths[-1], num_classes))

    def forward(self, x):
        return self.classifier(self.features(x))


class LeNet5Original(nn.Module):
    """LeNet-5 as of 1998, for 28x28 pictures (padded to 32x32), with 61,706 weights: tanh and average pooling.

    Two details of the paper are left out, as in most later work: the second convolution sees all six maps (there some of
    them), and pooling has no weights of its own.
    """

    def __init__(self, num_classes=10):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 6, 5, padding=2), nn.Tanh(), nn.AvgPool2d(2),
            nn.Conv2d(6, 16, 5), nn.Tanh(), nn.AvgPool2d(2))
        self.classifier = nn.Sequential(
            nn.Flatten(), nn.Linear(16 * 5 * 5, 120), nn.Tanh(), nn.Linear(120, 84), nn.Tanh(), nn.Linear(84, num_classes))

    def forward(self, x):
        return self.classifier(self.features(x))


lenet5 = variant("lenet5", LeNet5, input_size=(1, 28, 28))
lenet5_original = variant("lenet5_original", LeNet5Original, input_size=(1, 28, 28))
