"""Trained networks on disk: one safetensors file with the weights and, in its header, everything needed to use them.

Nothing in such a file is ever executed, unlike in a pickle.
"""
import dataclasses
import json

import numpy as np

from ..engine.arrays import to_numpy
from ..data import PictureFormat
from ..models import get_model
from ..engine.tensor import wrap
from .history import plain
from ..files.atomic import write_atomically

KEY = "tinycnn"   # the entry of the header that holds our JSON
NEEDED = ("model", "arguments", "classes", "format")


def save_checkpoint(path, model, metadata, half=False):
    """Write the weights of `model` and the dictionary `metadata` to `path`, all at once; `half` keeps 16 bits of a number.

    `metadata` is anything that JSON can hold and has at least: "model" and "arguments", with which `get_model` builds the
    network; "classes", their names; "format", the PictureFormat of its pictures. Raises ValueError where something is
    missing, or a weight too large for 16 bits.
    """
    from safetensors.numpy import save
    missing = [key for key in NEEDED if key not in metadata]
    if missing:
        raise ValueError(f"save_checkpoint: metadata lacks {', '.join(missing)}")
    arrays = {name: np.array(to_numpy(t.array), order="C") for name, t in model.state_dict().items()}
    if half:
        arrays = {name: _halved(name, array) for name, array in arrays.items()}
    described = {**metadata, "format": dataclasses.asdict(metadata["format"])}
    write_atomically(path, save(arrays, {KEY: json.dumps(described, default=_plain)}))


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
    from safetensors import SafetensorError, safe_open
    with open(path, "rb"):
        pass
    try:
        with safe_open(path, framework="numpy") as file:
            header = file.metadata() or {}
            weights = {name: wrap(file.get_tensor(name)) for name in file.keys()}
    except SafetensorError as error:
        raise ValueError(f"{path}: no complete safetensors file ({error})") from None
    if KEY not in header:
        raise ValueError(f"{path}: a safetensors file, but no checkpoint of tinycnn: its header has no entry {KEY!r}")
    try:
        metadata = json.loads(header[KEY])
        metadata["format"] = PictureFormat(**metadata["format"])
        missing = [key for key in NEEDED if key not in metadata]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: the entry {KEY!r} in the header of the checkpoint is damaged ({error!r})") from None
    if missing:
        raise ValueError(f"{path}: the header of the checkpoint lacks {', '.join(missing)}")
    return weights, metadata


def load_model(path):
    """(model, metadata) of a checkpoint: the network, built and with its weights, in evaluation mode."""
    weights, metadata = load_checkpoint(path)
    try:
        model = get_model(metadata["model"], **metadata["arguments"])
        model.load_state_dict(weights)
    except (KeyError, RuntimeError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: the weights do not fit the network that the checkpoint names ({error})") from None
    return model.eval(), metadata
