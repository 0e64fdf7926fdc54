"""By what a data set, and the settings of a training, are known again."""
import zlib

import numpy as np

from ..engine.arrays import to_numpy
from ..engine.generators import Generator, generator_in_this_thread
from ..engine.tensor import Tensor

SAMPLES = 16


def fingerprint(dataset):
    """What JSON can hold of a data set: its kind, its length, its classes and a checksum of some of its samples.

    Samples that are changed at random are drawn from a stream of their own, so that looking at them changes nothing. What
    has no length or no samples by number is known by its kind alone.
    """
    found = {"kind": type(dataset).__name__}
    classes = getattr(dataset, "classes", None)
    if isinstance(classes, (list, tuple)):
        found["classes"] = list(map(str, classes))
    try:
        found["length"] = len(dataset)
        places = np.unique(np.linspace(0, found["length"] - 1, SAMPLES).astype(int)) if found["length"] else ()
        first, second = (_look_at(dataset, places) for _ in range(2))
    except Exception:  # a set of one's own may raise anything; it is training that will meet the sample and say so
        return found
    return {**found, "samples": f"{first:08x}"} if first == second else found  # other chance makes other samples


def _look_at(dataset, places):
    with generator_in_this_thread(Generator().manual_seed(0)):
        return _checksum([dataset[int(i)] for i in places])


def _checksum(value, crc=0):
    """A number for a sample: tensors, arrays and numbers in tuples, lists and dictionaries."""
    if isinstance(value, dict):
        value = list(value.items())
    if isinstance(value, (list, tuple)):
        for part in value:
            crc = _checksum(part, crc)
        return crc
    if isinstance(value, (Tensor, np.ndarray)):
        array = to_numpy(value.array) if isinstance(value, Tensor) else value
        return zlib.crc32(array.tobytes(), zlib.crc32(f"{array.dtype} {array.shape}".encode(), crc))
    if value is None or isinstance(value, (bool, int, float, str, bytes, np.generic)):
        return zlib.crc32(repr(value).encode(), crc)
    return crc  # an object of whose content nothing is known, such as a Pillow picture


def differences(what, then, now):
    """Sentences about what differs between two dictionaries: of the run as it was, and as it would be continued."""
    names = [*then, *(name for name in now if name not in then)]
    return [f"{what}{name} was {_short(then.get(name))} and is {_short(now.get(name))}" for name in names
            if then.get(name) != now.get(name)]


def _short(value):
    text = "not given" if value is None else value if isinstance(value, str) else repr(value)
    return text if len(text) <= 60 else f"{text[:40]} ... {text[-15:]}"
