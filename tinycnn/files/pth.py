"""Reading the files of `torch.save` without PyTorch, and without trusting them.

Such a file is a pickle, and a pickle is a program: it may call any function that Python can import, `os.system` among
them, and even without a call it can keep a reader busy for ever: a tuple of two tuples of two tuples ... of sixty floors
takes two hundred bytes, and to print or to hash it takes 2^60 steps. So the program is run here by a machine of our own,
which knows a few instructions and a few names, those that a dictionary of tensors needs, and refuses a file that asks for
more. Keys are looked at before they are hashed, and everything before it is printed. Even the names only take notes;
tensors are made afterwards, from notes that were checked.

Two layouts exist. Since PyTorch 1.6 the file is a zip archive: `*/data.pkl` is the pickle, `*/data/0`, `*/data/1`, ... are
the storages, the flat memory that one or more tensors show. Before, it was five pickles in a row (a magic number, a
version, facts about the machine, the object, the names of the storages), then the storages, each behind its length.
"""
import pickletools
import zipfile
from collections import OrderedDict
from io import BytesIO
from typing import NamedTuple

import numpy as np

from ..engine.names import printable
from ..engine.tensor import Version
from . import numpy_notes
from .sealed import BFLOAT16, check_shape, from_bytes

MAGIC, VERSION = 0x1950a86a20f9469cfc6c, 1001
DEEPEST, LARGEST, LONGEST = 100, 1_000_000, 10_000  # how deep an object may nest, its parts, the characters of a key
EXPANDED = 10**8   # how many numbers a tensor may show of a storage that has fewer
_STORAGES = {"DoubleStorage": "<f8", "FloatStorage": "<f4", "HalfStorage": "<f2", "BFloat16Storage": BFLOAT16,
             "LongStorage": "<i8", "IntStorage": "<i4", "ShortStorage": "<i2", "CharStorage": "i1", "ByteStorage": "u1",
             "BoolStorage": "?"}
_ONLY = "only tensors, numbers, strings and plain containers are read"


# ---- the notes -------------------------------------------------------------------------------------------------------

class Storage(NamedTuple):
    """A note: the storage `key` holds `count` numbers, and was on the device `place`."""
    key: str
    dtype: str
    count: int
    place: str

    @property
    def nbytes(self):
        """Its size in the file."""
        return self.count * (2 if self.dtype == BFLOAT16 else np.dtype(self.dtype).itemsize)


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


def _tensor(storage, offset, shape, stride, gradient=False, hooks=None, flags=None):
    count = check_shape(shape)
    check_shape(stride)
    check_shape((offset,))
    if type(storage) is not Storage or len(shape) != len(stride):
        raise ValueError(f"damaged: a tensor of shape {shape} and strides {stride} is impossible")
    last = offset + sum((n - 1) * s for n, s in zip(shape, stride))
    if 0 not in shape and last >= storage.count:
        raise ValueError(f"damaged: a tensor of shape {shape}, strides {stride} and offset {offset} reaches beyond its "
                         f"storage of {storage.count} numbers")
    if count > max(storage.count, EXPANDED):
        raise ValueError(f"refused: a tensor of shape {shape} shows {count:,} numbers of a storage of {storage.count:,}")
    flags = flags if type(flags) is dict else {}
    if flags.get("conj"):
        raise ValueError("refused: a tensor of conjugate numbers. In PyTorch, save x.resolve_conj()")
    return Stored(storage, offset, tuple(shape), tuple(stride), flags.get("neg") is True)


def _parameter(data, *gradient):
    if type(data) is not Stored:
        raise ValueError("damaged: a parameter that is no tensor")
    return data


def _size(numbers):
    check_shape(numbers)
    return tuple(numbers)


def _ordered(pairs=()):
    return OrderedDict([(_key(key), value) for key, value in pairs])


_CALLS = {"torch._utils._rebuild_tensor_v2": _tensor, "torch._utils._rebuild_tensor": _tensor,
          "torch._utils._rebuild_parameter": _parameter, "torch.Size": _size, "collections.OrderedDict": _ordered,
          **numpy_notes.CALLS}


# ---- the machine -----------------------------------------------------------------------------------------------------

def _key(value):
    """`value` as a key of a dictionary, where its hash is quickly found and cannot be made to collide."""
    kind = type(value)
    if kind in (str, bytes) and len(value) <= LONGEST or kind is int and abs(value) < 2**63 \
            or kind in (bool, float) or value is None:
        return value
    raise ValueError(f"refused: a key that is a {kind.__name__}; keys must be numbers, or strings of at most {LONGEST:,} "
                     "characters")


class Machine:
    """Runs a pickle: a stack of values, with marks in it, and a memory of numbered values.

    `instructions` are methods under the names that `pickletools` gives to the instructions of pickles; each gets the
    argument of the instruction. `storages` are those that the program mentioned.
    """

    def __init__(self, encoding="utf-8"):
        self.stack, self.marks, self.memory, self.storages, self.encoding = [], [], {}, {}, encoding

    def run(self, file):
        """The object that the program at the position of `file` makes; `file` then stands behind it."""
        for steps, (instruction, argument, _) in enumerate(pickletools.genops(file)):
            if steps > LARGEST:
                raise ValueError(f"refused: a pickle of more than {LARGEST:,} instructions")
            step = self.instructions.get(instruction.name)
            if step is None:
                raise ValueError(f"refused or damaged: its pickle has the instruction {instruction.name}, and {_ONLY}")
            step(self, argument)
        return self.stack.pop()

    def above_mark(self):
        """Take what lies above the last mark."""
        place = self.marks.pop()
        values = self.stack[place:]
        del self.stack[place:]
        return values

    def push(self, value):
        """A number, a text, ... that stands in the program."""
        self.stack.append(value)

    def push_text_of_python_2(self, value):
        """It was bytes."""
        raw = value.encode("latin1")
        self.stack.append(raw if self.encoding == "bytes" else raw.decode(self.encoding))

    def push_name(self, name):
        """The object that the pickle knows under a name, "module name"."""
        dotted = name.replace(" ", ".", 1)
        if dotted.startswith("torch.") and dotted[6:] in _STORAGES:
            self.stack.append(_STORAGES[dotted[6:]])
        elif dotted in _CALLS:
            self.stack.append(Name(dotted))
        elif dotted == "torch._utils._rebuild_tensor_v3":
            raise ValueError("refused: a tensor of a number type that NumPy lacks, such as float8. In PyTorch, save "
                             "x.float()")
        else:
            raise ValueError(f"refused: its pickle asks for {printable(dotted)}, and {_ONLY}; nothing was executed. In "
                             "PyTorch, save model.state_dict() and not the object")

    def push_name_from_stack(self, _):
        """As above, the name in two strings."""
        name, module = self.stack.pop(), self.stack.pop()
        if type(name) is not str or type(module) is not str:
            raise ValueError("damaged: a name that is no text")
        self.push_name(f"{module} {name}")

    def call(self, _):
        """Call a name with a tuple of arguments."""
        arguments, function = self.stack.pop(), self.stack.pop()
        if type(function) is not Name or type(arguments) is not tuple:
            raise ValueError("damaged: a call of what is no function")
        self.stack.append(_CALLS[function.name](*arguments))

    def set_state(self, _):
        """Give a note of NumPy its state; what PyTorch hangs on dictionaries is left out."""
        state, value = self.stack.pop(), self.stack[-1]
        if isinstance(value, (numpy_notes.Dtype, numpy_notes.Array)):
            value.__setstate__(state)
        elif type(value) is not OrderedDict:
            raise ValueError(f"damaged: a state for a {type(value).__name__}")

    def storage(self, _):
        """The note of the storage that the pickle refers to."""
        pid = self.stack.pop()
        kind, dtype, key, place, count, *view = pid if type(pid) is tuple and len(pid) >= 5 else [None] * 5
        texts = (kind, dtype, key, place)
        if not all(type(text) is str and len(text) <= LONGEST for text in texts) or kind != "storage" \
                or dtype not in _STORAGES.values() or type(count) is not int or not 0 <= count < 2**63 \
                or any(v is not None for v in view):
            raise ValueError("damaged: what should name a storage does not")
        storage = Storage(key, dtype, count, place)
        if self.storages.setdefault(key, storage) != storage:
            raise ValueError(f"damaged: storage {printable(key)} has two different types or sizes")
        self.stack.append(storage)

    def make_dict(self, pairs):
        """A dictionary of the values above the mark."""
        values = self.above_mark()
        self.stack.append({_key(key): value for key, value in zip(values[::2], values[1::2], strict=True)})

    def fill_dict(self, values):
        """Put keys and values, in turn, into the dictionary on the stack."""
        target = self.stack[-1]
        if type(target) not in (dict, OrderedDict):
            raise ValueError("damaged: an entry for what is no dictionary")
        for key, value in zip(values[::2], values[1::2], strict=True):
            target[_key(key)] = value

    def fill_list(self, values):
        """Put values at the end of the list on the stack."""
        if type(self.stack[-1]) is not list:
            raise ValueError("damaged: an element for what is no list")
        self.stack[-1].extend(values)

    def take(self, count):
        """The last `count` values, off the stack."""
        if count > len(self.stack):
            raise ValueError("damaged: the pickle takes more than it made")
        values = self.stack[len(self.stack) - count:]
        del self.stack[len(self.stack) - count:]
        return values

    instructions = {
        **dict.fromkeys(("PROTO", "FRAME", "STOP"), lambda self, argument: None),
        **dict.fromkeys(("BININT", "BININT1", "BININT2", "INT", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT", "UNICODE",
                         "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "SHORT_BINBYTES", "BINBYTES", "BINBYTES8",
                         "BYTEARRAY8"), push),
        **dict.fromkeys(("STRING", "BINSTRING", "SHORT_BINSTRING"), push_text_of_python_2),
        "NONE": lambda self, _: self.push(None),
        "NEWTRUE": lambda self, _: self.push(True),
        "NEWFALSE": lambda self, _: self.push(False),
        "EMPTY_LIST": lambda self, _: self.push([]),
        "EMPTY_TUPLE": lambda self, _: self.push(()),
        "EMPTY_DICT": lambda self, _: self.push({}),
        "MARK": lambda self, _: self.marks.append(len(self.stack)),
        "POP": lambda self, _: self.take(1),
        "POP_MARK": lambda self, _: self.above_mark(),
        "DUP": lambda self, _: self.push(self.stack[-1]),
        "TUPLE": lambda self, _: self.push(tuple(self.above_mark())),
        "TUPLE1": lambda self, _: self.push(tuple(self.take(1))),
        "TUPLE2": lambda self, _: self.push(tuple(self.take(2))),
        "TUPLE3": lambda self, _: self.push(tuple(self.take(3))),
        "LIST": lambda self, _: self.push(self.above_mark()),
        "DICT": make_dict,
        "APPEND": lambda self, _: self.fill_list(self.take(1)),
        "APPENDS": lambda self, _: self.fill_list(self.above_mark()),
        "SETITEM": lambda self, _: self.fill_dict(self.take(2)),
        "SETITEMS": lambda self, _: self.fill_dict(self.above_mark()),
        **dict.fromkeys(("GLOBAL", "INST"), push_name),  # of INST, which also calls, no name is allowed to go on
        "STACK_GLOBAL": push_name_from_stack,
        "REDUCE": call,
        "BUILD": set_state,
        "BINPERSID": storage,
        **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), lambda self, number: self.push(self.memory[number])),
        **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT"),
                        lambda self, number: self.memory.__setitem__(number, self.stack[-1])),
        "MEMOIZE": lambda self, _: self.memory.__setitem__(len(self.memory), self.stack[-1]),
    }


def _unpickle(file, encoding="utf-8"):
    """(object, {key: Storage}) of the pickle at the position of `file`, which moves behind it."""
    machine = Machine(encoding)
    return machine.run(file), machine.storages


# ---- what becomes of it ----------------------------------------------------------------------------------------------

class _Finish:
    """Turns what a pickle left behind into tensors and plain containers; everything else is refused.

    Tensors that show one storage share its memory, as in PyTorch; `make` turns a NumPy array, and the device on which it
    was, into a Tensor. `plain` are the types that stand for themselves.
    """

    def __init__(self, arrays, make, plain=(bool, int, float, str)):
        self.arrays, self.make, self.plain, self.parts = arrays, make, plain, 0
        self.versions = {key: Version() for key in arrays}
        self.room = sum(array.size for array in arrays.values())  # for numbers that must be copied

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
            self.room -= shown.size
            if self.room < 0:
                raise ValueError("refused: more numbers are kept as their negative than the file has")
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
        for key, storage in storages.items():
            found = archive.getinfo(f"{folder}/data/{key}").file_size
            if found != storage.nbytes:
                raise ValueError(f"damaged: storage {printable(key)} has {found} bytes instead of {storage.nbytes}")
        raw = {key: archive.read(f"{folder}/data/{key}") for key in storages}
    return _Finish({key: from_bytes(raw.pop(key), storage.dtype) for key, storage in storages.items()}, make)(value)


def read_legacy(file, size, make):
    """The object in a file of `torch.save` as PyTorch wrote it before 1.6: `file` of `size` bytes."""
    magic = _unpickle(file)[0]
    if type(magic) is not int or magic != MAGIC:
        raise ValueError("a pickle, but none that torch.save wrote")
    version, machine = _unpickle(file)[0], _unpickle(file)[0]
    if type(version) is not int or version != VERSION or type(machine) is not dict \
            or machine.get("little_endian") is not True:
        raise ValueError(f"refused: version {VERSION} written on a little-endian machine is read, and it is of another")
    value, storages = _unpickle(file)
    _check_total(storages, size)
    keys = _unpickle(file)[0]
    if type(keys) is not list or not all(type(key) is str for key in keys) or sorted(keys) != sorted(storages):
        raise ValueError("damaged: the list of storages does not fit the tensors")
    arrays = {}
    for storage in map(storages.get, keys):
        count, raw = int.from_bytes(file.read(8), "little"), file.read(storage.nbytes)
        if count != storage.count or len(raw) != storage.nbytes:
            raise ValueError(f"damaged: storage {printable(storage.key)} should hold {storage.count} numbers and the file "
                             "has fewer or says otherwise")
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
