"""From samples to batches."""
import numbers
from collections.abc import Mapping, Sequence

import numpy as np

from ..engine.arrays import array_module, pin
from ..engine.dtype import KNOWN, get_default_dtype
from ..engine.tensor import Tensor, wrap


def default_collate(samples):
    """One batch of a list of samples: arrays and numbers are stacked, tuples, lists and dictionaries entry by entry.

    Tensors and arrays become a Tensor with one more dimension in front; integers become int64 and floats float64, as in
    PyTorch; strings and bytes stay a list. A tuple of columns becomes a list, a named tuple stays one.
    Raises RuntimeError for samples of different shape or length, TypeError for what cannot be stacked, such as arrays of
    strings or of objects.
    """
    if not isinstance(samples, (list, tuple)) or not samples:
        raise TypeError(f"default_collate: samples must be a list of at least one sample, got {samples!r:.80}")
    first = samples[0]
    if isinstance(first, (str, bytes)):  # before numbers, as NumPy's strings are both
        return samples
    if isinstance(first, (Tensor, np.ndarray)):
        arrays = [s.array if isinstance(s, Tensor) else s for s in samples]
        if any(a.shape != arrays[0].shape for a in arrays):
            raise RuntimeError("default_collate: the samples of a batch must have one shape, got "
                               f"{sorted({a.shape for a in arrays})}; resize them, or pass a collate_fn to the DataLoader")
        return _numbers(array_module(arrays[0]).stack(arrays))
    if isinstance(first, (numbers.Number, np.generic)):
        array = np.asarray(samples)
        mixed = isinstance(first, int) and array.dtype == np.float64  # the first decides: 1, 2.5 as in tensor([1, 2.5])
        return _numbers(array.astype(get_default_dtype()) if mixed else array)
    if isinstance(first, Mapping):
        return {key: default_collate([s[key] for s in samples]) for key in first}
    if isinstance(first, Sequence):
        if any(len(s) != len(first) for s in samples):
            raise RuntimeError("default_collate: the samples of a batch must have as many entries each, got "
                               f"{sorted({len(s) for s in samples})}")
        columns = [default_collate(list(column)) for column in zip(*samples)]
        return type(first)(*columns) if hasattr(first, "_fields") else columns
    advice = "end its transform with ToTensor()" if hasattr(first, "getbands") else "pass a collate_fn to the DataLoader"
    raise TypeError("default_collate: samples must be tensors, arrays, numbers, strings, or tuples, lists and dictionaries "
                    f"of them, got {type(first).__name__}; {advice}")


def _numbers(array):
    """An array as a Tensor; TypeError where it holds no numbers of tinycnn."""
    if array.dtype.name not in KNOWN:
        raise TypeError(f"default_collate: samples must be numbers of {', '.join(KNOWN)}, or arrays of them, got "
                        f"{array.dtype}; let the data set convert them, and give strings as str")
    return wrap(array)


def default_convert(sample):
    """A single sample with its arrays and NumPy's numbers as Tensors; strings and everything else as it is."""
    if isinstance(sample, (np.ndarray, np.generic)) and sample.dtype.name in KNOWN:
        return wrap(np.asarray(sample))
    if isinstance(sample, Mapping):
        return {key: default_convert(value) for key, value in sample.items()}
    if isinstance(sample, tuple) and hasattr(sample, "_fields"):
        return type(sample)(*map(default_convert, sample))
    if isinstance(sample, (tuple, list)):
        return type(sample)(map(default_convert, sample))
    return sample


def pin_memory(batch):
    """A batch with its Tensors on the CPU copied into pinned memory; everything else as it is."""
    if isinstance(batch, Tensor):
        return batch if batch.is_cuda else wrap(pin(batch.array))
    if isinstance(batch, Mapping):
        return {key: pin_memory(value) for key, value in batch.items()}
    if isinstance(batch, tuple) and hasattr(batch, "_fields"):
        return type(batch)(*map(pin_memory, batch))
    if isinstance(batch, (tuple, list)):
        return type(batch)(map(pin_memory, batch))
    return batch
