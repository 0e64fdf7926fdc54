"""Trained networks that come along, so that nothing needs to be trained or fetched before the first picture is named.

Each file is a checkpoint as `tinycnn train` writes it, packed to half precision by `tinycnn pack`: safetensors with, in the
header, what the network was trained on, how its pictures are normalised, the names of the classes, and its accuracy.
COMMANDS.md, beside the files, says how each was made.
"""
import hashlib
import json
from pathlib import Path

from ...data import PictureFormat

FILES = {  # (model, weights): file, its SHA-256, and how many of the 10,000 test pictures it names rightly
    ("cifar_quick_resnet_small", "cifar10"): (
        "cifar_quick_resnet_small_cifar10.safetensors",
        "8ce577a6e806493dbea518cf3deca149d535da4eb87981d49f398f5004371e7f", 8093),
    ("lenet5", "mnist"): ("lenet5_mnist.safetensors",
                          "61285e7f154f0b9a064e2accb77bbf309985c6982328904ef6e415aa64a287b9", 9942),
}


def shipped(name=None):
    """The names of the weights that come along for the model `name`; without one, all (model, weights)."""
    return sorted(FILES) if name is None else sorted(weights for model, weights in FILES if model == name)


def describe(name, weights):
    """How good they are, in words."""
    return f"which name {FILES[name, weights][2] / 100:.2f} % of the test pictures of {weights} rightly"


def shipped_file(name, weights):
    """The checked file of the weights `weights` of the model `name`; ValueError where it is damaged."""
    file, digest, _ = FILES[name, weights]
    path = Path(__file__).parent / file
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != digest:
        raise ValueError(f"{path}: the SHA-256 is {found}, {digest} expected: install the package again")
    return path


def metadata(name, weights):
    """What belongs to the weights `weights` of the model `name`, as a dictionary.

    Among it "classes", their names; "format", a PictureFormat, whose `normalise` turns pixels into what the network expects;
    "dataset"; "settings", with which `tinycnn train` made it. KeyError where there are no such weights.
    """
    content = shipped_file(name, weights).read_bytes()
    header = json.loads(content[8:8 + int.from_bytes(content[:8], "little")])
    found = json.loads(header["__metadata__"]["tinycnn"])
    return {**found, "format": PictureFormat(**found["format"])}
