"""`save` and `load`, states on disk.

`save` writes safetensors: the tensors, under names made of the keys that lead to them, and a description of how they
nest, in JSON, in the header. So a flat `state_dict` is a plain safetensors file that PyTorch reads as well. `load` reads
this, other people's safetensors, `.npz`, and PyTorch's own `.pt` and `.pth` files (see `pth.py`). It tells them apart
by their content, and none of them can make it execute anything.
"""
import functools
import io
import json
import os
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from . import pth as torchfile
from . import whole
from ..engine.arrays import Device, get_default_device, is_array, to_device, to_numpy
from ..engine.checks import check_path
from ..engine.dtype import KNOWN
from ..engine.names import printable
from ..engine.tensor import Tensor, wrap
from .atomic import write_atomically
from .sealed import CHECK, OLDER, most_unpacked, seal, unseal

KEY = "tinycnn.state"   # the entry of the header that holds our description
LONGEST_TABLE = 2**22   # bytes of the table of contents of a zip archive, enough for fifty thousand tensors


def save(obj, f):
    """Write `obj` to the path or open binary file `f`, all at once.

    obj: a tensor, an array, a number, a string, a bool, None, a Module, or dictionaries, lists and tuples of them, nested at
    will. Of a Module the name of its class is kept, and what it holds (see `whole.py`); `state_dict()` outlives the class.
    Every tensor is written in full, also where two share memory, and comes back as a leaf without `requires_grad`;
    subclasses of the containers come back plain. Raises TypeError naming the place of anything else.
    """
    if not hasattr(f, "write"):
        check_path("save", f=f)
    if not hasattr(f, "write") and not Path(f).absolute().parent.is_dir():
        raise FileNotFoundError(f"save: the folder of {os.fspath(f)} does not exist")
    arrays = {}
    writer = whole.Writer(_describe, _put_aside, arrays)
    description = _describe(obj, (), arrays, writer)
    content = seal(arrays, {KEY: json.dumps({"state": description})})
    if hasattr(f, "write"):
        f.write(content)
    else:
        write_atomically(f, content)


def load(f, map_location=None, *, weights_only=True):
    """What the path or open binary file `f` holds: as `save` or `torch.save` nested it, or {name: Tensor}.

    `map_location`: the device of the tensors; or {device on which they were: device}, where the others go to the default
    device; or a function of (tensor, device on which they were) that returns them there, or None. None is the default
    device. PyTorch's own files say where their tensors were, of all others it is the CPU. bfloat16 becomes float32.

    Of whole Modules that `save` wrote, those made of tinycnn's layers and networks are loaded, and those of classes named by
    `serialization.safe_globals`; with `weights_only=False` those of any class that can be imported. No program in a file is
    ever run: of PyTorch's files only tensors, arrays, numbers, strings and plain containers are loaded.

    Raises FileNotFoundError, and ValueError saying what is wrong with a file that is damaged, of no known format, or that
    asks for more.
    """
    target = _target(map_location)
    if hasattr(f, "read"):
        content = f.read()
        if not isinstance(content, (bytes, bytearray, memoryview)):
            raise TypeError(f"load: f must be open for bytes, as open(path, 'rb') is, got {type(content).__name__}")
        return _read(io.BytesIO(content), getattr(f, "name", type(f).__name__), target, not weights_only)
    check_path("load", f=f)
    if Path(f).is_fifo():  # whoever opens it waits for somebody who writes
        raise ValueError(f"load: {printable(os.fspath(f), 300)} is a pipe and no file: pass open(f, 'rb') to read from it")
    with open(f, "rb") as file:
        return _read(file, os.fspath(f), target, not weights_only)


def _target(map_location):
    """The function from where a tensor was, as a string, to the Device where it shall be."""
    if callable(map_location):
        def ask(place):
            answer = map_location(wrap(np.zeros(1, np.float32)), place)
            return get_default_device() if answer is None else Device(getattr(answer, "device", answer))
        return ask
    if isinstance(map_location, Mapping):
        places = {str(was): Device(shall) for was, shall in map_location.items()}
        return lambda place: places.get(place, get_default_device())
    try:
        device = get_default_device() if map_location is None else Device(map_location)
    except ValueError as error:
        raise ValueError(f"load: map_location: {error}") from None
    return lambda place: device


def _read(file, name, target, trusted=False):
    """Find out the format of `file` and read it; every complaint about it becomes a ValueError with its `name`.

    Of `target`, which says where the tensors shall be, and of that device it is not the file's fault.
    """
    elsewhere = []

    def make(array, place="cpu"):
        try:
            return wrap(to_device(array, target(place)))
        except Exception as error:
            elsewhere.append(error)
            raise
    size = file.seek(0, 2)
    file.seek(0)
    start = file.read(9)
    file.seek(0)
    try:
        if start[8:] == b"{":
            kind, read = "a safetensors file", functools.partial(_read_safetensors, trusted=trusted)
        elif start[:2] == b"PK":
            kind = "a zip archive"
            names = zipfile.ZipFile(_InParts(file)).namelist()
            if any(n.endswith("/data.pkl") for n in names):
                kind, read = "a PyTorch file", torchfile.read_zip
            elif all(n.endswith(".npy") for n in names):
                kind, read = "an npz file", _read_npz
            else:
                shown = ", ".join(map(printable, names[:3])) + (", ..." if len(names) > 3 else "")
                raise ValueError(f"neither PyTorch's nor NumPy's: it has {shown}; unpack what somebody packed")
            file.seek(0)
        elif start[:1] == b"\x80":
            kind, read = "a PyTorch file", torchfile.read_legacy
        else:
            kind, read = "a file", _read_nothing
        return read(file, size, make)
    except ImportError:
        raise
    except Exception as error:  # the file decides what a parser of damaged bytes stumbles over
        if error in elsewhere:
            raise
        complaint = str(error) if type(error) is ValueError else \
            f"damaged: {type(error).__name__}: {printable(str(error), 300)}"
        raise ValueError(f"load: {printable(str(name), 300)}, {kind}, cannot be read: {complaint}") from error


class _InParts:
    """A file that refuses to hand over more than LONGEST_TABLE bytes at once: so zipfile would read a table of contents.

    It makes an object of every entry, which takes ten times the memory and minutes for a table that fills the file.
    """

    def __init__(self, file):
        self.file, self.seek, self.tell = file, file.seek, file.tell

    def read(self, count=-1):
        content = self.file.read(LONGEST_TABLE + 1 if count < 0 else min(count, LONGEST_TABLE + 1))
        if len(content) > LONGEST_TABLE:
            raise ValueError(f"refused: its table of contents has more than {LONGEST_TABLE:,} bytes")
        return content


_OTHERS = {  # how files begin that are taken for weights
    b"<": "a web page: the download was answered with words",
    b"version https://git-lfs": "a pointer of Git LFS: `git lfs pull` fetches the file itself",
    b"\x89HDF": "an HDF5 file, as of Keras",
    b"GGUF": "a GGUF file, of a language model",
    b"\x1f\x8b": "packed by gzip: unpack it first",
    b"\x93NUMPY": "a single array of numpy.save: numpy.load and tinycnn.from_numpy read it",
}


def _read_nothing(file, size, make):
    start = file.read(30).lstrip()
    other = next((f", but {words}" for beginning, words in _OTHERS.items() if start.startswith(beginning)), "")
    raise ValueError("it is empty" if size == 0 else f"its content is neither safetensors nor npz nor PyTorch's{other}")


# ---- safetensors -----------------------------------------------------------------------------------------------------

def _describe(value, path, arrays, writer):
    """`value` as JSON can hold it, its arrays put aside into `arrays`; `path` are the keys that lead to it.

    Numbers, strings and None stand for themselves, lists for lists; everything else is an object of one entry:
    {"tensor": name}, {"array": name}, {"tuple": [...]}, {"dict": [[key, value], ...]}, and what `writer` has for modules.
    """
    if len(path) > torchfile.DEEPEST:
        raise ValueError(f"save: obj nests deeper than {torchfile.DEEPEST}, or contains itself")
    if isinstance(value, np.generic):
        value = value.item()
    described = writer.describe(value, path)
    if described is not None:
        return described
    if isinstance(value, Tensor) or is_array(value):
        return {"tensor" if isinstance(value, Tensor) else "array": _put_aside(value, path, arrays)}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, dict):
        return {"dict": [[_describe(k, (*path, k), {}, writer), _describe(v, (*path, k), arrays, writer)]
                         for k, v in value.items()]}
    if isinstance(value, (list, tuple)):
        parts = [_describe(v, (*path, i), arrays, writer) for i, v in enumerate(value)]
        return parts if isinstance(value, list) else {"tuple": parts}
    raise TypeError(f"save: {whole.place(path)} is of type {type(value).__name__}; expected tensors, arrays, numbers, "
                    "strings, None, Modules, and dictionaries, lists and tuples of them")


def _put_aside(value, path, arrays):
    """The name under which a tensor or array is put into `arrays`: the keys that lead to it, with points between."""
    array = value.array if isinstance(value, Tensor) else value
    if array.dtype.name not in KNOWN:
        raise TypeError(f"save: {whole.place(path)} has dtype {array.dtype}; expected one of {', '.join(KNOWN)}")
    name = base = ".".join(map(str, path)) or "tensor"
    count = 1
    while name in arrays or name == "__metadata__":  # the latter is safetensors' own
        count += 1
        name = f"{base}#{count}"
    arrays[name] = np.array(to_numpy(array), array.dtype.newbyteorder("="), order="C")
    return name


def _restore(described, arrays, make, reader):
    """The inverse of `_describe`."""
    if isinstance(described, list):
        return [_restore(part, arrays, make, reader) for part in described]
    if not isinstance(described, dict):
        return described
    ((kind, content),) = described.items()
    if kind == "dict":
        return {_restore(k, {}, make, reader): _restore(v, arrays, make, reader) for k, v in content}
    if kind == "tuple":
        return tuple(_restore(part, arrays, make, reader) for part in content)
    if kind in whole.KINDS:
        return getattr(reader, kind)(content)
    return {"tensor": make, "array": np.asarray}[kind](arrays[content])


def _read_safetensors(file, size, make, trusted):
    """The state that `save` wrote, or {name: Tensor} of any other safetensors file."""
    arrays, metadata = unseal(file.read())
    if KEY not in metadata:
        return {name: make(array) for name, array in arrays.items()}
    ours = json.loads(metadata[KEY])
    if not {CHECK, OLDER} & set(metadata) and ours.get("crc32") != _older_checksum(ours["state"], arrays):
        raise ValueError("damaged: the checksum does not fit the content")
    return _restore(ours["state"], arrays, make, whole.Reader(_restore, arrays, make, trusted))


def _older_checksum(description, arrays):
    """The checksum in files that were written when it stood in the description of the state."""
    crc = zlib.crc32(json.dumps(description).encode())
    for name in sorted(arrays):
        array = arrays[name]
        crc = zlib.crc32(array.tobytes(), zlib.crc32(f"{name} {array.dtype} {array.shape}".encode(), crc))
    return crc


# ---- npz -------------------------------------------------------------------------------------------------------------

def _read_npz(file, size, make):
    """{name: Tensor} of an archive of `numpy.savez`."""
    tensors = {}
    with zipfile.ZipFile(file) as archive:
        unpacked, most = sum(info.file_size for info in archive.infolist()), most_unpacked(size)
    if unpacked > most:
        raise ValueError(f"refused: {size:,} bytes that unpack to {unpacked:,}; at most {most:,} are unpacked")
    file.seek(0)
    with np.load(file, allow_pickle=False) as archive:
        for name in archive.files:
            array = archive[name]
            if not isinstance(array, np.ndarray) or array.dtype.name not in KNOWN:
                found = f"dtype {printable(str(array.dtype))}" if isinstance(array, np.ndarray) else "no array"
                raise ValueError(f"entry {printable(name)!r} has {found}; expected one of {', '.join(KNOWN)}")
            tensors[name] = make(array.astype(array.dtype.newbyteorder("="), copy=False))
    return tensors
