"""Tensors of data: of numbers, nested lists and arrays."""
import numpy as np

from .arrays import Device, device_of, get_default_device, is_array, to_device, to_numpy
from .dtype import as_dtype, get_default_dtype
from .tensor import Tensor, Version, method, wrap


@method("__init__")
def _init(self, *data, dtype=None, device=None, requires_grad=False):
    if len(data) != 1 or isinstance(data[0], (int, np.integer)):
        if not all(isinstance(n, (int, np.integer)) and n >= 0 for n in data):
            raise TypeError(f"Tensor: data must be one value, or sizes, integers of at least 0, got {data!r:.80}")
        array = np.empty([int(n) for n in data], as_dtype(dtype or get_default_dtype()))
    else:
        array = _read("Tensor", data[0], dtype or get_default_dtype(), copy=True)
    self.array = to_device(array, Device(get_default_device() if device is None else device))
    self._version = Version()
    self.requires_grad_(requires_grad)


def tensor(data, *, dtype=None, device=None, requires_grad=False):
    """A new leaf tensor that copies `data`: a number, nested lists, an array or a tensor.

    Python floats become the default dtype (float32), integers int64, arrays keep their dtype, unless `dtype` is given.
    Raises ValueError for ragged lists, TypeError for what is not numbers.
    """
    array = _read("tensor", data, dtype, copy=True)
    out = wrap(to_device(array, _placement(array, device)))
    return out.requires_grad_(requires_grad) if requires_grad else out


def as_tensor(data, *, dtype=None, device=None):
    """`data` as a tensor, sharing memory where dtype and device allow; a tensor that fits is returned itself."""
    if isinstance(data, Tensor) and (dtype is None or data.dtype == as_dtype(dtype)) and device is None:
        return data
    array = _read("as_tensor", data, dtype, copy=False)
    return wrap(to_device(array, _placement(array, device)))


def _placement(array, device):
    """Where data goes: where the caller says, else where a GPU array is, else the default device."""
    if device is not None:
        return Device(device)
    return get_default_device() if type(array) is np.ndarray else device_of(array)


def from_numpy(array):
    """A tensor that shares memory with a NumPy array: writing into one changes the other."""
    if not isinstance(array, np.ndarray):
        raise TypeError(f"from_numpy: expected a numpy.ndarray, got {type(array).__name__}")
    as_dtype(array.dtype)
    out = wrap(array)
    out._borrowed = True
    return out


def _read(function, data, dtype, copy):
    """`data` (numbers, nested lists, arrays, tensors) as an array; Python floats take the default dtype."""
    if isinstance(data, Tensor):
        array = data.array
    elif is_array(data):
        array = data
    else:
        if isinstance(data, (list, tuple)):
            data = _plain(data)
        try:
            array = np.asarray(data)
        except ValueError as error:
            raise ValueError(f"{function}: data is no regular array: {error}") from None
        if dtype is None and array.dtype == np.float64 and not isinstance(data, (np.generic, np.ndarray)):
            array = array.astype(get_default_dtype())
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{function}: data must be numbers, got {type(data).__name__} of dtype {array.dtype}")
    return array.astype(as_dtype(dtype) if dtype is not None else as_dtype(array.dtype), copy=copy)


def _plain(data):
    """Nested lists with the tensors in them replaced by their values."""
    return [_plain(d) if isinstance(d, (list, tuple)) else to_numpy(d.array) if isinstance(d, Tensor) else d for d in data]


__all__ = ["as_tensor", "from_numpy", "tensor"]
