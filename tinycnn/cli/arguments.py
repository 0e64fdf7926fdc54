"""What the commands share: kinds of arguments, and messages."""
import argparse
from pathlib import Path

from ..engine.arrays import Device
from ..engine.names import did_you_mean, printable

TRAINED = "a folder that `tinycnn train` wrote, its model.safetensors, or a network that comes along: mnist, cifar10"


def message(error):
    """An error in words, its lines without spaces around them; those of the system start with the file.

    What it says may come from a file: what would move a terminal's cursor is written out.
    """
    if isinstance(error, OSError) and error.filename is not None:
        return printable(f"{error.filename}: {error.strerror}", 5000)
    return "\n".join(printable(" ".join(line.split()), 5000) for line in str(error).splitlines()) or type(error).__name__


def count(text):
    """A whole number of at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, got {text!r}")
    return int(text)


def positive(text):
    """A finite number above 0."""
    try:
        number = float(text)
    except ValueError:
        number = 0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a positive number, got {text!r}")
    return number


def fraction(text):
    """A number of at least 0 and below 1."""
    try:
        number = float(text)
    except ValueError:
        number = -1
    if not 0 <= number < 1:
        raise argparse.ArgumentTypeError(f"expected a number of at least 0 and below 1, got {text!r}")
    return number


def device(text):
    """cpu, cuda or cuda:N."""
    try:
        return Device(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def network(text):
    """The name of a network."""
    from ..models import list_models
    names = list_models()
    if text not in names:
        raise argparse.ArgumentTypeError(f"{text!r} is none of the {len(names)} networks that `tinycnn summary` lists"
                                         f"{did_you_mean(text, names)}")
    return text


def size(text):
    """Whole numbers between x: 3x32x32."""
    parts = text.split("x")
    if not all(part.isdecimal() and int(part) for part in parts):
        raise argparse.ArgumentTypeError(f"expected numbers with x between them, such as 3x32x32, got {text!r}")
    return tuple(map(int, parts))


def weights_file(path):
    """The checkpoint that `path` means: itself, the best network of a run's folder, or one that comes along, by its name."""
    from ..models import weights
    if not path.exists():
        along = [key for key in weights.shipped() if key[1] == str(path)]
        return weights.shipped_file(*along[0]) if along else path
    return path / "model.safetensors" if path.is_dir() else path


def new_folder(parent, name):
    """parent/name, or the first of parent/name-2, parent/name-3, ... that does not exist."""
    folder, number = Path(parent) / name, 1
    while folder.exists():
        number += 1
        folder = Path(parent) / f"{name}-{number}"
    return folder
