"""Reading the files of `torch.save` without PyTorch, and without trusting them.

Such a file is a pickle, and a pickle is a program: it may call any function that Python can import, `os.system` among
them. The reader below lends it a world of a few names, those that a dictionary of tensors needs, and refuses a file that
asks for more. Even these names only take notes; tensors are made afterwards, from notes that were checked.

Two layouts exist. Since PyTorch 1.6 the file is a zip archive: `*/data.pkl` is the pickle, `*/data/0`, `*/data/1`, ... are
the storages, the flat memory that one or more tensors show. Before, it was five pickles in a row (a magic number, a
version, facts about the machine, the object, the names of the storages), then the storages, each behind its length.
"""
import pickle
import pickletools
import zipfile
from collections import OrderedDict
from io import BytesIO
from typing import NamedTuple

import numpy as np

from ..engine.tensor import Version
from . import numpy_notes

MAGIC, VERSION = 0x1950a86a20f9469cfc6c, 1001
DEEPEST, LARGEST = 100, 1_000_000   # how deep an object may nest, and how many parts it may have
_BFLOAT16 = "bfloat16"
_STORAGES = {"DoubleStorage": "<f8", "FloatStorage": "<f4", "HalfStorage": "<f2", "BFloat16Storage": _BFLOAT16,
             "LongStorage": "<i8", "IntStorage": "<i4", "ShortStorage": "<i2", "CharStorage": "i1", "ByteStorage": "u1",
             "BoolStorage": "?"}


def from_bytes(raw, dtype):
    """`raw` as a new array of the little-endian `dtype`; bfloat16, the upper half of a float32, as float32."""
    if dtype == _BFLOAT16:
        return (np.frombuffer(raw, "<u2").astype(np.uint32) << 16).view(np.float32)
    if dtype == "?":
        return np.frombuffer(raw, np.uint8) != 0
    return np.frombuffer(raw, dtype).astype(np.dtype(dtype).newbyteorder("="))


# ---- what the pickle may do ------------------------------------------------------------------------------------------
# Notes and names are tuples, because a pickle may set attributes of everything it gets into its hands.

class Storage(NamedTuple):
    """A note: the storage `key` holds `count` numbers, and was on the device `place`."""
    key: str
    dtype: str
    count: int
    place: str

    @property
    def nbytes(self):
        """Its size in the file."""
        return self.count * (2 if self.dtype == _BFLOAT16 else np.dtype(self.dtype).itemsize)


class Stored(NamedTuple):
    """A note: a tensor whose element i, j, ... is number offset + i stride[0] + j stride[1] + ... of a storage.

    Where `negative`, it is minus that: so PyTorch keeps the imaginary part of conjugate numbers.
    """
    storage: Storage
    offset: int
    shape: tuple
    stride: tuple
    negative: bool


class Name(NamedTuple):
    """A function that a pickle may call."""
    name: str

    def __call__(self, *arguments):
        return _CALLS[self.name](*arguments)


def _tensor(storage, offset, shape, stride, gradient=False, hooks=None, flags=None):
    numbers = (offset, *shape, *stride)
    if not isinstance(storage, Storage) or len(shape) != len(stride) or not all(type(n) is int and n >= 0 for n in numbers):
        raise ValueError(f"damaged: a tensor of shape {shape}, strides {stride} and offset {offset} is impossible")
    last = offset + sum((n - 1) * s for n, s in zip(shape, stride))
    if 0 not in shape and last >= storage.count:
        raise ValueError(f"damaged: a tensor of shape {shape}, strides {stride} and offset {offset} reaches beyond its "
                         f"storage of {storage.count} numbers")
    return Stored(storage, offset, tuple(shape), tuple(stride), type(flags) is dict and flags.get("neg") is True)


def _parameter(data, *gradient):
    if not isinstance(data, Stored):
        raise ValueError("damaged: a parameter that is no tensor")
    return data


_CALLS = {"torch._utils._rebuild_tensor_v2": _tensor, "torch._utils._rebuild_tensor": _tensor,
          "torch._utils._rebuild_parameter": _parameter, "torch.Size": tuple, "collections.OrderedDict": OrderedDict,
          **numpy_notes.CALLS}


class Unpickler(pickle.Unpickler):
    """Runs a pickle in a world of the names above; `storages` are those that it mentioned."""

    def __init__(self, content, encoding="utf-8"):
        super().__init__(BytesIO(content), encoding=encoding)
        self.storages = {}

    def find_class(self, module, name):
        """The object that the pickle knows under a name; ValueError for one that is not allowed."""
        if module == "torch" and name in _STORAGES:
            return _STORAGES[name]
        if f"{module}.{name}" in _CALLS:
            return Name(f"{module}.{name}")
        raise ValueError(f"refused: its pickle asks for {module}.{name}, and only tensors, numbers, strings and plain "
                         "containers are read; nothing was executed. In PyTorch, save model.state_dict() and not the object")

    def persistent_load(self, pid):
        """The note of the storage that the pickle refers to."""
        kind, dtype, key, place, count, *view = pid
        if kind != "storage" or dtype not in _STORAGES.values() or type(count) is not int or count < 0 or any(view) \
                or type(place) is not str:
            raise ValueError(f"damaged: {pid!r} is no storage")
        storage = Storage(str(key), dtype, count, place)
        if self.storages.setdefault(storage.key, storage) != storage:
            raise ValueError(f"damaged: storage {key} has two different types or sizes")
        return storage


def _unpickle(file, encoding="utf-8"):
    """(object, {key: Storage}) of the pickle at the position of `file`, which moves behind it.

    The instructions are listed first: this finds the end, and the one instruction that takes memory by a number in the
    file, "remember the top of the stack as number n".
    """
    start = file.tell()
    size = file.seek(0, 2)
    file.seek(start)
    for instruction, argument, _ in pickletools.genops(file):
        if "PUT" in instruction.name and argument > size:
            raise ValueError("damaged: the pickle numbers its objects beyond its own length")
    length = file.tell() - start
    file.seek(start)
    unpickler = Unpickler(file.read(length), encoding)
    return unpickler.load(), unpickler.storages


# ---- what becomes of it ----------------------------------------------------------------------------------------------

class _Finish:
    """Turns what a pickle left behind into tensors and plain containers; everything else is refused.

    Tensors that show one storage share its memory, as in PyTorch; `make` turns a NumPy array, and the device on which it
    was, into a Tensor. `plain` are the types that stand for themselves.
    """

    def __init__(self, arrays, make, plain=(bool, int, float, str)):
        self.arrays, self.make, self.plain, self.parts = arrays, make, plain, 0
        self.versions = {key: Version() for key in arrays}

    def __call__(self, value, depth=0):
        self.parts += 1
        if depth > DEEPEST:
            raise ValueError(f"refused: the object nests deeper than {DEEPEST}, or contains itself")
        if self.parts > LARGEST:
            raise ValueError(f"refused: the object has more than {LARGEST:,} parts")
        kind = type(value)
        if kind is Stored:
            return self.tensor(value)
        if kind in (dict, OrderedDict):
            return kind([(self(k, depth + 1), self(v, depth + 1)) for k, v in kind.items(value)])
        if kind in (list, tuple):
            return kind([self(v, depth + 1) for v in value])
        if value is None or kind in self.plain:
            return value
        if kind in (numpy_notes.Array, numpy_notes.Number):
            return value.finished()
        raise ValueError(f"refused: the object contains a {kind.__name__}, and only tensors, numbers, strings and plain "
                         "containers are read")

    def tensor(self, note):
        """The Tensor that a note describes."""
        array = self.arrays[note.storage.key]
        shown = np.ndarray(note.shape, array.dtype, array, note.offset * array.itemsize if 0 not in note.shape else 0,
                           [s * array.itemsize for s in note.stride])
        if note.negative:
            return self.make(-shown, note.storage.place)
        out = self.make(shown, note.storage.place)
        if out.array is shown:
            out._version = self.versions[note.storage.key]
        return out


def read_zip(file, size, make):
    """The object in a zip archive of `torch.save`: `file` of `size` bytes."""
    with zipfile.ZipFile(file) as archive:
        names = archive.namelist()
        (pickled,) = [n for n in names if n.endswith("/data.pkl") and n.count("/") == 1] or [""]
        folder = pickled.partition("/")[0]
        if f"{folder}/constants.pkl" in names:
            raise ValueError("refused: a TorchScript archive, of torch.jit.save, which holds a program besides the weights. "
                             "In PyTorch, write the weights with torch.save(torch.jit.load(path).state_dict(), other_path)")
        if any(info.compress_type != zipfile.ZIP_STORED for info in archive.infolist()):
            raise ValueError("refused: torch.save does not compress, and this archive is compressed")
        if f"{folder}/byteorder" in names and archive.read(f"{folder}/byteorder") != b"little":
            raise ValueError("refused: it was written on a big-endian machine")
        value, storages = _unpickle(BytesIO(archive.read(pickled)))
        _check_total(storages, size)
        raw = {key: archive.read(f"{folder}/data/{key}") for key in storages}
    for key, storage in storages.items():
        if len(raw[key]) != storage.nbytes:
            raise ValueError(f"damaged: storage {key} has {len(raw[key])} bytes instead of {storage.nbytes}")
    return _Finish({key: from_bytes(raw.pop(key), storage.dtype) for key, storage in storages.items()}, make)(value)


def read_legacy(file, size, make):
    """The object in a file of `torch.save` as PyTorch wrote it before 1.6: `file` of `size` bytes."""
    if _unpickle(file)[0] != MAGIC:
        raise ValueError("a pickle, but none that torch.save wrote")
    version, machine = _unpickle(file)[0], _unpickle(file)[0]
    if version != VERSION or not isinstance(machine, dict) or machine.get("little_endian") is not True:
        raise ValueError(f"refused: version {version} written on {machine} (version {VERSION} and little-endian are read)")
    value, storages = _unpickle(file)
    _check_total(storages, size)
    keys = _unpickle(file)[0]
    if not isinstance(keys, list) or {str(key) for key in keys} != set(storages):
        raise ValueError("damaged: the list of storages does not fit the tensors")
    arrays = {}
    for storage in (storages[str(key)] for key in keys):
        count, raw = int.from_bytes(file.read(8), "little"), file.read(storage.nbytes)
        if count != storage.count or len(raw) != storage.nbytes:
            raise ValueError(f"damaged: storage {storage.key} should hold {storage.count} numbers and the file has fewer or "
                             "says otherwise")
        arrays[storage.key] = from_bytes(raw, storage.dtype)
    return _Finish(arrays, make)(value)


def read_containers(content):
    """What the pickle `content` holds: NumPy's arrays and numbers, numbers, text and bytes in plain containers.

    The strings of Python 2 come as bytes. ValueError for anything else.
    """
    try:
        value, storages = _unpickle(BytesIO(content), "bytes")
        return _Finish({}, None, (bool, int, float, str, bytes))(value)
    except ValueError:
        raise
    except Exception as error:  # the content decides what the reading stumbles over
        raise ValueError(f"damaged: {type(error).__name__}: {error}") from None


def _check_total(storages, size):
    """Storages lie in the file one after the other, so they cannot be larger than it."""
    total = sum(storage.nbytes for storage in storages.values())
    if total > size:
        raise ValueError(f"damaged: {total:,} bytes of storages in a file of {size:,}")
