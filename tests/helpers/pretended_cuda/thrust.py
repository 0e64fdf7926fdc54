"""In the place of cupy/cuda/thrust, CuPy's door to the library that sorts on GPUs: NumPy sorts.

Its keyword-less arguments are CuPy's: addresses, and shapes whose last axis is sorted.
"""
import ctypes

import numpy as np

available = True


def get_build_version():
    """The version of Thrust with which CuPy was built."""
    return 300000


def _array(dtype, address, shape):
    """The memory at an address, as an array."""
    dtype, shape = np.dtype(dtype), tuple(shape)
    memory = (ctypes.c_char * (int(np.prod(shape)) * dtype.itemsize)).from_address(address)
    return np.frombuffer(memory, dtype).reshape(shape)


def sort(dtype, data, keys, shape):
    """Sort in place."""
    _array(dtype, data, shape).sort(axis=-1, kind="stable")


def argsort(dtype, index, data, keys, shape):
    """Write the order into `index`, int64, and sort `data` in place."""
    x, order = _array(dtype, data, shape), _array(np.int64, index, shape)
    order[...] = np.argsort(x, axis=-1, kind="stable")
    x.sort(axis=-1, kind="stable")


def lexsort(dtype, index, keys, count, length):
    """Write the order by the last of `count` keys, then the last but one, and so on, into `index`."""
    _array(np.int64, index, (length,))[...] = np.lexsort(_array(dtype, keys, (count, length)))
