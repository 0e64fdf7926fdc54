"""The network that is looked at, with pictures to show it: a run's folder, a name, or one's own in a file of Python."""
import runpy
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from .. import nn
from ..data import CIFAR10, CIFAR100, KMNIST, MNIST, Digits, FashionMNIST, PictureFormat, Shapes
from ..engine.generators import manual_seed
from ..engine.grad_mode import no_grad
from ..engine.names import did_you_mean
from ..engine.tensor import wrap
from ..models import example_inputs, get_model, list_models, weights
from ..train import load_model
from ..train.recipes import RECIPES

SHOWN, LEARNT = 20, 320      # pictures of the test set to choose from, and of the training set to train on
FORMATS = {"digits": Digits.FORMAT, "mnist": MNIST.FORMAT, "cifar10": CIFAR10.FORMAT, "shapes": Shapes(count=3).format,
           "fashion-mnist": FashionMNIST.FORMAT, "kmnist": KMNIST.FORMAT, "cifar100": CIFAR100.FORMAT}
GUESSES = ("digits", "mnist", "cifar10", "shapes")   # in this order, for a network that does not say what it is for


@dataclass
class Subject:
    """A network, the format of its pictures, the names of its classes, and pictures (N, C, H, W) of 0 to format.scale.

    `shown` and `learnt` are pairs (pictures, labels), to choose from and to train on; `missing` says in words what is not
    there.
    """
    title: str
    model: nn.Module
    format: PictureFormat
    classes: list
    dataset: str | None = None
    shown: tuple = None
    learnt: tuple = None
    missing: str = ""


def find(what, dataset=None):
    """The Subject that `what` means: the folder of a run, a checkpoint, mnist or cifar10, a name of `list_models`, or
    FILE.py:NAME, a Module or a function that makes one. A checkpoint names its data set; `dataset` names another.

    FileNotFoundError, ValueError or TypeError where there is none.
    """
    if dataset is not None and dataset not in FORMATS:
        raise ValueError(f"explore: dataset must be one of {', '.join(FORMATS)}, got {dataset!r}")
    path = Path(what)
    file, colon, name = str(what).rpartition(":")
    along = [key for key in weights.shipped() if key[1] == str(what)]
    if path.exists() or along:
        path = path / "model.safetensors" if path.is_dir() else path if path.exists() else weights.shipped_file(*along[0])
        model, metadata = load_model(path)
        subject = Subject(f"{metadata['model']}, {what}", model, metadata["format"], list(metadata["classes"]),
                          metadata.get("dataset"))
    elif colon and file.endswith(".py"):
        subject = guessed(name, own(file, name), dataset)
    elif str(what) in list_models():
        manual_seed(0)
        subject = guessed(str(what), get_model(str(what)), dataset, [x.shape[1:] for x in example_inputs(str(what))])
    else:
        raise ValueError(f"explore: {what} is no folder of a run, no checkpoint, no FILE.py:NAME and no name of a network"
                         f"{did_you_mean(str(what), [*list_models(), *(key[1] for key in weights.shipped())])}")
    subject.dataset = dataset or subject.dataset
    return with_pictures(subject)


def own(file, name):
    """The Module `name` of a file of Python, which is run, or what the function of that name returns."""
    found = runpy.run_path(file).get(name)
    found = found() if callable(found) and not isinstance(found, nn.Module) else found
    if not isinstance(found, nn.Module):
        raise TypeError(f"explore: {name} in {file} must be a Module, or a function that returns one, got "
                        f"{type(found).__name__}")
    return found


def guessed(title, model, dataset=None, sizes=None):
    """A Subject with the first data set whose pictures the model takes, where `dataset` names none."""
    formats = {name: FORMATS[name] for name in ([dataset] if dataset else GUESSES)}
    if sizes is not None and len(sizes) != 1:
        raise ValueError(f"explore: {title} takes {len(sizes)} inputs, and one picture is what can be shown to it")
    for name, format in formats.items():
        shape = (format.channels, *format.size)
        count = scores_for(model, shape) if sizes is None or dataset or tuple(sizes[0]) == shape else None
        if count:
            return Subject(title, model, format, list(map(str, range(count))), name)
    if sizes is None:
        raise ValueError(f"explore: {title} takes pictures of none of these data sets: {', '.join(formats)}; it must turn "
                         "(N, C, H, W) into scores (N, K)")
    channels, *size = sizes[0]
    count = scores_for(model, tuple(sizes[0])) if len(size) == 2 else None
    if not count:
        raise ValueError(f"explore: {title} does not turn pictures (N, C, H, W) into scores (N, K)")
    ordinary = PictureFormat(tuple(size), channels, 255.0, (0.5,) * channels, (0.25,) * channels)
    return Subject(title, model, ordinary, list(map(str, range(count))))


def scores_for(model, shape):
    """How many scores the model gives for a picture of this shape; None where it gives none."""
    like, mode = next(model.parameters(), None), model.training
    x = wrap(np.zeros((1, *shape), np.float32 if like is None else like.dtype))
    try:
        with no_grad():
            scores = model.eval()(x)
    except Exception:  # the user's own code may raise anything for pictures that it is not made for
        return None
    finally:
        model.train(mode)
    return scores.shape[1] if getattr(scores, "ndim", None) == 2 and len(scores) == 1 else None


def with_pictures(subject):
    """The subject with pictures of its data set, or with words that say why there are none."""
    if subject.dataset not in RECIPES:
        return replace(subject, missing="This network names no data set: draw a picture or drop a file.")
    try:
        train, _, test = RECIPES[subject.dataset].load()
    except (ImportError, OSError, RuntimeError, ValueError) as error:
        return replace(subject, missing=f"The pictures of {subject.dataset} are not here ({error}). Draw a picture or drop "
                                        "a file.")
    shown, learnt = some(test, SHOWN), some(train, LEARNT)
    shape = (subject.format.channels, *subject.format.size)
    if shown[0].shape[1:] != shape:
        raise ValueError(f"explore: {subject.title} takes pictures {shape}, those of {subject.dataset} are "
                         f"{shown[0].shape[1:]}")
    count = scores_for(subject.model, shape)
    known = list(getattr(test, "classes", subject.classes))
    classes = known if len(known) == count else subject.classes
    return replace(subject, shown=shown, learnt=learnt, classes=list(map(str, classes)))


def some(dataset, count):
    """(pictures (n, C, H, W), labels (n,)) of the first `count` of a PictureDataset, or of a Subset of one."""
    places = np.asarray(getattr(dataset, "indices", range(len(dataset))))[:count]
    dataset = getattr(dataset, "dataset", dataset)
    return dataset._pixels(places), dataset._labels(places)
