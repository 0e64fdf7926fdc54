"""Two-stream networks: one sees a picture, the other its motion.

The lecture's idea: what is seen and how it moves are different questions, so two networks answer them. The spatial stream
sees one frame; the temporal stream sees no picture at all, but the optical flow of `frames` following frames, stacked as
2 * frames channels of horizontal and vertical displacement. Each is trained alone, and their probabilities are averaged.

Source: K. Simonyan and A. Zisserman, "Two-stream convolutional networks for action recognition in videos" (2014), figure 1.
"""
import math
from functools import partial

from .. import nn
from ..nn import functional as F
from .blocks import check_size, initialise
from .registry import variant


class Stream(nn.Module):
    """x (N, in_channels, H, W) -> scores (N, num_classes); made for 224x224, works from 41x41 on."""

    def __init__(self, in_channels, num_classes=101, second_norm=True, width=96, hidden=(4096, 2048), dropout=0.5):
        super().__init__()
        first, second = hidden
        wide, wider = width * 8 // 3, width * 16 // 3
        response_norm = partial(nn.LocalResponseNorm, 5, alpha=5e-4, beta=0.75, k=2.0)
        self.features = nn.Sequential(
            nn.Conv2d(in_channels, width, 7, stride=2), nn.ReLU(), response_norm(), nn.MaxPool2d(2),
            nn.Conv2d(width, wide, 5, stride=2, padding=1), nn.ReLU(),
            response_norm() if second_norm else nn.Identity(), nn.MaxPool2d(2),
            nn.Conv2d(wide, wider, 3, padding=1), nn.ReLU(), nn.Conv2d(wider, wider, 3, padding=1), nn.ReLU(),
            nn.Conv2d(wider, wider, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
        self.avgpool = nn.AdaptiveAvgPool2d((6, 6))
        self.classifier = nn.Sequential(
            nn.Linear(wider * 36, first), nn.ReLU(), nn.Dropout(dropout),
            nn.Linear(first, second), nn.ReLU(), nn.Dropout(dropout), nn.Linear(second, num_classes))
        initialise(self)

    def forward(self, x):
        check_size(self, x, 41)
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


class TwoStream(nn.Module):
    """picture (N, 3, H, W), flow (N, 2 frames, H, W) -> log-probabilities (N, num_classes), of the mean of both streams.

    They are proper scores for `cross_entropy`, but the paper trains `spatial` and `temporal` each on its own.
    """

    def __init__(self, num_classes=101, frames=10, **options):
        super().__init__()
        self.spatial = Stream(3, num_classes, **options)
        self.temporal = Stream(2 * frames, num_classes, second_norm=False, **options)

    def forward(self, picture, flow):
        spatial = F.log_softmax(self.spatial(picture), 1)
        temporal = F.log_softmax(self.temporal(flow), 1)
        return spatial.logaddexp(temporal) - math.log(2)


two_stream = variant("two_stream", TwoStream, input_size=[(3, 224, 224), (20, 224, 224)])
