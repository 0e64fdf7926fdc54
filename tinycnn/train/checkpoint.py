"""Trained networks on disk: one safetensors file with the weights and, in its header, everything needed to use them.

Nothing in such a file is ever executed, unlike in a pickle.
"""
import dataclasses
import json

import numpy as np

from ..engine.arrays import to_numpy
from ..engine.checks import check_path
from ..data import PictureFormat
from ..models import get_model
from ..engine.tensor import wrap
from ..engine.names import printable
from ..files.atomic import write_atomically
from ..files.sealed import seal, unseal
from .history import plain

KEY = "tinycnn"   # the entry of the header that holds our JSON
NEEDED = ("model", "arguments", "classes", "format")
LARGEST = 20_000   # rows and columns of a picture


def save_checkpoint(path, model, metadata, half=False):
    """Write the weights of `model` and the dictionary `metadata` to `path`, all at once; `half` keeps 16 bits of a number.

    `metadata` is anything that JSON can hold and has at least: "model" and "arguments", with which `get_model` builds the
    network; "classes", their names; "format", the PictureFormat of its pictures. Raises ValueError where something is
    missing, or a weight too large for 16 bits.
    """
    check_path("save_checkpoint", path=path)
    if not isinstance(metadata, dict):
        raise TypeError(f"save_checkpoint: metadata must be a dictionary, got {type(metadata).__name__}")
    missing = [key for key in NEEDED if key not in metadata]
    if missing:
        raise ValueError(f"save_checkpoint: metadata lacks {', '.join(missing)}")
    arrays = {name: np.array(to_numpy(t.array), order="C") for name, t in model.state_dict().items()}
    if half:
        arrays = {name: _halved(name, array) for name, array in arrays.items()}
    described = {**metadata, "format": dataclasses.asdict(metadata["format"])}
    text = json.dumps(described, default=_plain)
    read = json.loads(text)
    try:
        _check(read["model"], read["arguments"], read["classes"], **read["format"])
    except (TypeError, ValueError) as error:
        raise ValueError(f"save_checkpoint: metadata: {error}") from None
    write_atomically(path, seal(arrays, {KEY: text}))


def _plain(value):
    """What is no number of Python but can be one, for JSON."""
    if plain(value) is value:
        raise TypeError(f"save_checkpoint: metadata has a {type(value).__name__}, which JSON cannot hold")
    return plain(value)


def _halved(name, array):
    """Floating-point numbers as float16, others as they are."""
    if array.dtype.kind != "f":
        return array
    if np.abs(array).max(initial=0) > np.finfo(np.float16).max:
        raise ValueError(f"save_checkpoint: {name} has numbers above {np.finfo(np.float16).max}, too large for half=True")
    return array.astype(np.float16)


def load_checkpoint(path):
    """({name: Tensor}, metadata) of a file that `save_checkpoint` wrote.

    Raises FileNotFoundError, or ValueError for a file that is damaged or of another kind.
    """
    check_path("load_checkpoint", path=path)
    with open(path, "rb") as file:
        content = file.read()
    try:
        arrays, header = unseal(content)
    except ImportError:
        raise
    except Exception as error:  # the file decides what a parser of damaged bytes stumbles over
        raise ValueError(f"{path}: no complete safetensors file ({printable(str(error), 300)})") from None
    if KEY not in header:
        raise ValueError(f"{path}: a safetensors file, but no checkpoint of tinycnn: its header has no entry {KEY!r}")
    try:
        metadata = json.loads(header[KEY])
        if type(metadata) is not dict:
            raise TypeError("no dictionary")
        missing = [key for key in NEEDED if key not in metadata]
        if not missing:
            _check(metadata["model"], metadata["arguments"], metadata["classes"], **metadata["format"])
            metadata["format"] = PictureFormat(**metadata["format"])
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
        shown = printable(str(error), 300)
        raise ValueError(f"{path}: the entry {KEY!r} in the header of the checkpoint is damaged: {shown}") from None
    if missing:
        raise ValueError(f"{path}: the header of the checkpoint lacks {', '.join(missing)}")
    return {name: wrap(array) for name, array in arrays.items()}, metadata


def load_model(path):
    """(model, metadata) of a checkpoint: the network, built and with its weights, in evaluation mode."""
    check_path("load_model", path=path)
    weights, metadata = load_checkpoint(path)
    try:
        most = max(4096, sum(w.numel() for w in weights.values()))
        if any(abs(n) > most for n in _numbers(metadata["arguments"])):
            raise ValueError(f"its arguments have numbers above {most:,}")
        model = get_model(metadata["model"], **metadata["arguments"])
        model.load_state_dict(weights)
    except Exception as error:  # the file decides what the builder of a network stumbles over
        shown = printable(str(error) or type(error).__name__, 500)
        raise ValueError(f"{path}: the weights do not fit the network that the checkpoint names ({shown})") from None
    return model.eval(), metadata


def _numbers(value):
    """All numbers in nested lists and dictionaries."""
    if isinstance(value, (list, tuple, dict)):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _numbers(part)
    elif isinstance(value, (int, float)):
        yield value


def _check(model, arguments, classes, *, size, channels, scale, mean, std, box=None, centre="picture", ink=None):
    """ValueError where what describes a network is none: a file may have been written by anybody."""
    def need(right, what):
        if not right:
            raise ValueError(what)

    def number(value, least, most):
        return type(value) in (int, float) and least <= value <= most
    need(type(model) is str, "the name of the network is no string")
    need(type(arguments) is dict, "the arguments of the network are no dictionary")
    for name in arguments:
        need(not {"weights", "pretrained"} & set(name.split("_")), f"the argument {printable(name)} would read another file")
    need(isinstance(classes, (list, tuple)), "the classes are no list")
    for name in classes:
        need(type(name) is str and len(name) <= 500 and name.isprintable(),
             "the name of a class must be a text of at most 500 characters that can be printed")
    need(len(size) == 2 and all(type(n) is int and 1 <= n <= LARGEST for n in size),
         f"pictures must have 1 to {LARGEST:,} rows and columns")
    need(type(channels) is int and 1 <= channels <= 1024, "pictures must have 1 to 1,024 channels")
    need(number(scale, 1e-30, 1e30), "the scale of pixels must be a positive number")
    for values, least in ((mean, -1e30), (std, 1e-30)):
        need(len(values) == channels and all(number(value, least, 1e30) for value in values),
             "means and deviations must be numbers, one a channel, deviations above 0")
    need(box is None or number(box, 1, LARGEST), f"the box must be 1 to {LARGEST:,} pixels wide")
    need(centre in ("mass", "box", "picture"), "the centre must be mass, box or picture")
    need(ink is None or number(ink, 0, 1), "the ink must be a share of the picture")
