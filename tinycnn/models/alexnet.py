"""AlexNet, the network that won ImageNet 2012 and began the decade of deep learning.

The lecture's idea: LeNet's plan, larger, works on a million photographs given ReLU (it does not saturate, so training is
several times faster than with tanh), dropout against overfitting, overlapping pooling, and two GPUs.

Source: A. Krizhevsky, I. Sutskever and G. Hinton, "ImageNet classification with deep convolutional neural networks" (2012);
`alexnet` is the version for one GPU of A. Krizhevsky, "One weird trick for parallelizing convolutional neural networks"
(2014), which is torchvision's.
"""
from functools import partial

from .. import nn
from .blocks import check_size
from .registry import variant


class AlexNet(nn.Module):
    """x (N, 3, H, W) -> scores (N, num_classes); made for 224x224, works from 63x63 on.

    `dropout` is that before the two hidden layers of the classifier, `hidden` their width.
    """

    def __init__(self, num_classes=1000, dropout=0.5, hidden=4096):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 64, 11, stride=4, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2),
            nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2),
            nn.Conv2d(192, 384, 3, padding=1), nn.ReLU(),
            nn.Conv2d(384, 256, 3, padding=1), nn.ReLU(),
            nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2))
        self.avgpool = nn.AdaptiveAvgPool2d((6, 6))
        self.classifier = _classifier(num_classes, dropout, hidden)

    def forward(self, x):
        check_size(self, x, 63)
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


class AlexNet2012(nn.Module):
    """The network of the first paper, for 227x227: its halves lay on two GPUs, which is what groups=2 means here.

    A unit is divided by the activity of its neighbours in five channels (local response normalisation; the paper's alpha
    multiplies their sum, PyTorch's their mean). Initial weights and biases are those of section 5.
    """

    def __init__(self, num_classes=1000, dropout=0.5, hidden=4096):
        super().__init__()
        response_norm = partial(nn.LocalResponseNorm, 5, alpha=5e-4, beta=0.75, k=2.0)
        self.features = nn.Sequential(
            nn.Conv2d(3, 96, 11, stride=4), nn.ReLU(), response_norm(), nn.MaxPool2d(3, 2),
            nn.Conv2d(96, 256, 5, padding=2, groups=2), nn.ReLU(), response_norm(), nn.MaxPool2d(3, 2),
            nn.Conv2d(256, 384, 3, padding=1), nn.ReLU(),
            nn.Conv2d(384, 384, 3, padding=1, groups=2), nn.ReLU(),
            nn.Conv2d(384, 256, 3, padding=1, groups=2), nn.ReLU(), nn.MaxPool2d(3, 2))
        self.avgpool = nn.AdaptiveAvgPool2d((6, 6))
        self.classifier = _classifier(num_classes, dropout, hidden)
        layers = [m for m in self.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
        for i, layer in enumerate(layers):
            nn.init.normal_(layer.weight, 0, 0.01)
            nn.init.constant_(layer.bias, 1 if i in (1, 3, 4, 5, 6) else 0)

    def forward(self, x):
        check_size(self, x, 67)
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


def _classifier(num_classes, dropout, hidden):
    return nn.Sequential(nn.Dropout(dropout), nn.Linear(256 * 6 * 6, hidden), nn.ReLU(),
                         nn.Dropout(dropout), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, num_classes))


alexnet = variant("alexnet", AlexNet)
alexnet_2012 = variant("alexnet_2012", AlexNet2012, input_size=(3, 227, 227))
