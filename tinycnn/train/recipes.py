"""What `tinycnn train` does with each data set unless it is told otherwise: the settings that proved good."""
from dataclasses import dataclass
from functools import partial
from typing import Callable

from .. import data
from ..data.transforms import Compose, CutMix, MixUp, RandomAffine, RandomCrop, RandomErasing, RandomHorizontalFlip
from ..optim import SGD, Adam, AdamW, RMSprop
from ..optim.lr_scheduler import CosineAnnealingLR, LinearLR, OneCycleLR, SequentialLR, StepLR

OPTIMIZERS = {  # how each is made, and a learning rate and a weight decay that usually work
    "adam": (Adam, 0.001, 0.0),
    "adamw": (AdamW, 0.002, 0.01),
    "rmsprop": (RMSprop, 0.0005, 0.0),
    "sgd": (partial(SGD, momentum=0.9, nesterov=True), 0.05, 5e-4),
}


def _warm_cosine(optimizer, lr, steps):
    warm = max(1, steps // 20)
    return SequentialLR(optimizer, [LinearLR(optimizer, 0.01, total_iters=warm), CosineAnnealingLR(optimizer, steps - warm)],
                        [warm])


SCHEDULES = {  # of an optimizer, its highest learning rate, and the number of steps
    "constant": lambda optimizer, lr, steps: None,
    "cosine": lambda optimizer, lr, steps: CosineAnnealingLR(optimizer, steps),
    "onecycle": lambda optimizer, lr, steps: OneCycleLR(optimizer, lr, total_steps=steps),
    "step": lambda optimizer, lr, steps: StepLR(optimizer, max(1, steps // 3), 0.1),
    "warm-cosine": _warm_cosine,
}

AUGMENTS = {  # of the format of the pictures, whose background fills what comes in from outside
    "affine": lambda f: RandomAffine(10, (2 / 28, 2 / 28), (0.9, 1.1), interpolation="bilinear", fill=f.background),
    "affine-8x8": lambda f: RandomAffine(10, (1 / 8, 0), (0.9, 1.1), interpolation="bilinear", fill=f.background),
    "crop": lambda f: RandomCrop(f.size, padding=f.size[0] // 8, fill=f.background),
    "erase": lambda f: RandomErasing(0.5),
    "flip": lambda f: RandomHorizontalFlip(),
}
MIXES = {"mixup": MixUp, "cutmix": CutMix}


def build_augment(names, format):
    """The augmentations `names`, one after the other, as `fit` takes them; None where there is none."""
    steps = [AUGMENTS[name](format) for name in names]
    return Compose(steps) if steps else None


@dataclass(frozen=True)
class Recipe:
    """`load()` returns the training, validation and test set; `arguments` are those of each model; `augment` are names of
    AUGMENTS; `lr` is the highest learning rate of an optimizer where the usual one is not the best."""
    load: Callable
    model: str
    arguments: dict
    epochs: int
    batch_size: int
    augment: tuple = ()
    optimizer: str = "adamw"
    schedule: str = "onecycle"
    lr: dict = None


def _load_digits():
    return data.Digits("train"), data.Digits("validation"), data.Digits("test")


def _load_shapes():
    """840 and 360 pictures, as in the lectures; and 360 for the test that come from another seed."""
    return data.Shapes(split="train"), data.Shapes(split="validation"), data.Shapes(split="validation", seed=1)


def _load(name, held_out):
    """How to load a set whose last `held_out` training pictures serve for validation: the test set is for the very end.

    Of a small set of one's own that lies in its place, it is the last sixth.
    """
    def load():
        dataset = getattr(data, name)
        known, test = dataset(train=True, download=True), dataset(train=False, download=True)
        first = len(known) - min(held_out, -(-len(known) // 6))
        return data.Subset(known, range(first)), data.Subset(known, range(first, len(known))), test
    return load


_SMALL = dict(num_classes=10, in_channels=1)
_LENET28 = {"lenet5": dict(**_SMALL, image_size=28, channels=(16, 32), kernel_size=5, hidden=(120, 84)),
            "simple_cnn": dict(**_SMALL, image_size=28, channels=(16, 32), kernel_size=5, padding=2)}

RECIPES = {
    "digits": Recipe(  # a digit fills its 8 rows, so it is shifted sideways only
        _load_digits, "lenet5", {"lenet5": dict(**_SMALL, image_size=8, channels=(32, 64), kernel_size=3, hidden=(128,))},
        epochs=30, batch_size=32, augment=("affine-8x8",)),
    "shapes": Recipe(_load_shapes, "simple_cnn", {"simple_cnn": {}}, epochs=5, batch_size=30, optimizer="adam",
                     schedule="constant"),
    "mnist": Recipe(_load("MNIST", 5000), "lenet5", {**_LENET28, "lenet5": {}}, epochs=15, batch_size=64,
                    augment=("affine",)),
    "fashion-mnist": Recipe(_load("FashionMNIST", 5000), "lenet5", _LENET28, epochs=10, batch_size=64, augment=("flip",)),
    "kmnist": Recipe(_load("KMNIST", 5000), "lenet5", _LENET28, epochs=10, batch_size=64, augment=("affine",)),
    "cifar10": Recipe(_load("CIFAR10", 5000), "cifar_cnn", {"cifar_cnn": {}}, epochs=3, batch_size=128, augment=("flip",),
                      optimizer="sgd", lr={"sgd": 0.3}),
    "cifar100": Recipe(_load("CIFAR100", 5000), "cifar_resnet20", {"cifar_resnet20": dict(num_classes=100)}, epochs=30,
                       batch_size=128, augment=("crop", "flip"), optimizer="sgd", lr={"sgd": 0.2}),
}
