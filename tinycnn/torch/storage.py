"""PyTorch's `torch.storage`: the memory behind a tensor, as one row of numbers that several tensors may show."""
import math
import operator

from .engine.arrays import array_module, device_of
from .engine.tensor import Tensor, Version, method
from .ops.creation import shape_of

__all__ = ["TypedStorage", "UntypedStorage"]


class TypedStorage:
    """A row of numbers: `storage[i]`, `storage[i] = value`, `len(storage)`; what is written is seen by all its tensors.

    `array` is that row as a NumPy or CuPy array, `version` the Version of the tensor that was asked for it.
    """

    def __init__(self, array, version):
        self.array, self._version = array, version

    def __len__(self):
        return self.array.size

    size = __len__

    def __getitem__(self, index):
        return self.array[index].tolist()

    def __setitem__(self, index, value):
        self.array[index] = value
        self._version.writes += 1

    def __iter__(self):
        return iter(self.tolist())

    def __repr__(self):
        numbers = "".join(f" {value}\n" for value in self.array.tolist())
        return f"{numbers}[{type(self).__name__}(dtype={self.dtype}, device={self.device}) of size {len(self)}]"

    @property
    def dtype(self):
        """The number type, a `numpy.dtype`."""
        return self.array.dtype

    @property
    def device(self):
        """The Device on which the memory lies."""
        return device_of(self.array)

    def tolist(self):
        """The numbers as a list."""
        return self.array.tolist()

    def nbytes(self):
        """Bytes of all numbers together."""
        return self.array.nbytes

    def element_size(self):
        """Bytes a number."""
        return self.array.itemsize

    def data_ptr(self):
        """The address of the first number."""
        return _address(self.array)

    def fill_(self, value):
        """Write `value` everywhere."""
        self[:] = value
        return self

    def untyped(self):
        """The same memory as bytes."""
        return UntypedStorage(self.array.view("uint8"), self._version)


class UntypedStorage(TypedStorage):
    """A row of bytes."""


def _address(array):
    return getattr(array, "ctypes", None) and array.ctypes.data or array.data.ptr


def _memory(x):
    """All the memory of which the tensor x shows a part, as one row of its dtype."""
    array = x.array
    while isinstance(array.base, type(array)):
        array = array.base
    row = array.ravel("K")
    if not array_module(row).may_share_memory(row, array) and row.size:
        raise RuntimeError(f"storage: the memory behind this tensor of shape {x.shape} has gaps; ask x.clone() for its own")
    return row.view(x.dtype)


@method("storage")
def _storage(x):
    """The memory behind x, a TypedStorage."""
    return TypedStorage(_memory(x), x._version)


@method("untyped_storage")
def _untyped_storage(x):
    """The memory behind x as bytes."""
    return _storage(x).untyped()


@method("storage_offset")
def _storage_offset(x):
    """The place of x[0, ..., 0] in `x.storage()`."""
    return (x.data_ptr() - _address(_memory(x))) // x.element_size() if x.numel() else 0


@method("resize_")
def _resize_(x, *sizes):
    """x itself in another shape: the numbers in its memory, in their order there, and what lay there where it grows.

    More numbers than the memory has make a new one. RuntimeError where x requires a gradient.
    """
    if x.requires_grad:
        raise RuntimeError("resize_: a tensor that requires a gradient keeps its size: write y = x.reshape(...), or "
                           "x.detach().resize_(...)")
    shape = shape_of("resize_", sizes)
    memory, count = _memory(x)[_storage_offset(x):], math.prod(shape)
    if count > memory.size:
        larger = array_module(memory).empty(count, memory.dtype)
        larger[:memory.size] = memory
        memory, x._version = larger, Version()
    x.array = memory[:count].reshape(shape)
    x._version.writes += 1
    return x


@method("resize_as_")
def _resize_as_(x, other):
    """`resize_` to the shape of `other`."""
    return x.resize_(other.shape)


@method("set_")
def _set_(x, source=None, storage_offset=0, size=None, stride=None):
    """Let x show the memory of `source`: a tensor as it is, or a storage from `storage_offset` on, in shape `size`.

    `stride`, for every dimension the numbers from one index to the next, is that of a contiguous tensor where it is None.
    Without `source` x is empty. RuntimeError where x requires a gradient, or where the storage is too small.
    """
    if x.requires_grad:
        raise RuntimeError("set_: a tensor that requires a gradient keeps its memory: use x.detach() or x.data")
    if source is None or isinstance(source, Tensor) and size is None:
        x.array = x.array.ravel()[:0] if source is None else source.array.view()
    else:
        x.array = _shown(source if isinstance(source, TypedStorage) else source.storage(), storage_offset, size, stride)
    x._version = getattr(source, "_version", x._version)
    x._version.writes += 1
    return x


def _shown(storage, offset, size, stride):
    """The array that shows the numbers of `storage` from `offset` on, `size` of them, `stride` apart."""
    size = shape_of("set_", (len(storage) - offset,) if size is None else size)
    if stride is None:
        stride = [math.prod(size[i + 1:]) for i in range(len(size))]
    stride = [operator.index(step) for step in stride]
    last = offset + sum((n - 1) * step for n, step in zip(size, stride))
    if len(stride) != len(size) or min([offset, *stride]) < 0 or 0 not in size and last >= len(storage):
        raise RuntimeError(f"set_: shape {size} with strides {tuple(stride)} from {offset} on does not lie within a storage "
                           f"of {len(storage)} numbers")
    xp = array_module(storage.array)
    return xp.lib.stride_tricks.as_strided(storage.array[offset:], size, [s * storage.element_size() for s in stride])
