"""What `tinycnn train` does with each data set unless it is told otherwise: the settings that proved good."""
from dataclasses import dataclass
from typing import Callable

from ..data import MNIST, Digits, RandomAffine, Subset
from ..optim import SGD, AdamW

OPTIMIZERS = {
    "adamw": lambda parameters, lr: AdamW(parameters, lr),
    "sgd": lambda parameters, lr: SGD(parameters, lr, momentum=0.9, nesterov=True, weight_decay=5e-4),
}


@dataclass(frozen=True)
class Recipe:
    """`load()` returns the training, validation and test set; `augment(fill)` the random change of training pictures;
    `arguments` are those of each model, `lr` the highest learning rate with each optimizer."""
    load: Callable
    augment: Callable
    arguments: dict
    epochs: int
    batch_size: int
    lr: dict


def _load_digits():
    return Digits("train"), Digits("validation"), Digits("test")


def _load_mnist():
    """The validation pictures are the last 5,000 of the training set: the test set is for the very end."""
    known, test = MNIST(train=True, download=True), MNIST(train=False, download=True)
    return Subset(known, range(55_000)), Subset(known, range(55_000, 60_000)), test


RECIPES = {
    "digits": Recipe(  # a digit fills its 8 rows, so it is shifted sideways only
        _load_digits, lambda fill: RandomAffine(10, (1 / 8, 0), (0.9, 1.1), interpolation="bilinear", fill=fill),
        {"lenet5": dict(num_classes=10, in_channels=1, image_size=8, channels=(32, 64), kernel_size=3, hidden=(128,))},
        epochs=30, batch_size=32, lr={"adamw": 0.002, "sgd": 0.05}),
    "mnist": Recipe(
        _load_mnist, lambda fill: RandomAffine(10, (2 / 28, 2 / 28), (0.9, 1.1), interpolation="bilinear", fill=fill),
        {"lenet5": dict(num_classes=10, in_channels=1, image_size=28, channels=(16, 32), kernel_size=5, hidden=(120, 84))},
        epochs=3, batch_size=64, lr={"adamw": 0.002, "sgd": 0.05}),
}
