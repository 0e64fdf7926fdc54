"""What is measured, a line each."""
from dataclasses import dataclass
from typing import Callable

from . import nets


@dataclass(frozen=True)
class Workload:
    """A training step of `net(t)` on random pictures (N, C, H, W) of `classes` kinds; `target` is the ratio wanted."""
    name: str
    net: Callable
    input: tuple
    classes: int
    target: float


WORKLOADS = [
    Workload("MNIST net", nets.mnist_net, (128, 1, 28, 28), 10, 1.0),
    Workload("LeNet-5", nets.lenet5, (64, 1, 28, 28), 10, 1.0),
    Workload("shapes net", nets.shapes_net, (30, 3, 128, 128), 3, 0.85),
    Workload("VGG-16", nets.vgg16, (32, 3, 32, 32), 10, 1.0),
    Workload("ResNet-18", nets.resnet18, (32, 3, 32, 32), 10, 1.0),
]


def find(name):
    """The workload of that name."""
    return next(w for w in WORKLOADS if w.name == name)
