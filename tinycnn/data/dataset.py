"""What a data set is: something with a length whose items are samples, usually (x, y). And ways to make one of others."""
import bisect
import numbers
from itertools import accumulate

import numpy as np

from ..engine.arrays import as_array, device_of, to_device
from ..engine.generators import default_generator
from ..engine.checks import check_iterable, check_tensor
from ..engine.tensor import wrap
from .collate import default_collate


class Dataset:
    """The base of data sets: define `__len__` and `__getitem__(i)`, which returns sample i.

    A data set that can fetch many samples at once also defines `batch(indices)`, which returns what `default_collate` would
    make of those samples; the loader then takes that short cut. It holds for the class that defines it: a subclass with
    another `__getitem__` loses it, so that changed samples are never passed over.
    """
    batch = None

    def __init_subclass__(cls, **options):
        super().__init_subclass__(**options)
        if "__getitem__" in cls.__dict__ and "batch" not in cls.__dict__:
            cls.batch = None

    def __getitem__(self, index):
        raise NotImplementedError(f"{type(self).__name__}: a data set must define __getitem__(index)")

    def __add__(self, other):
        return ConcatDataset([self, other])


class IterableDataset(Dataset):
    """The base of data sets that have no indices, such as a stream: define `__iter__`, which gives one sample after another.

    A loader with threads lets one of them read ahead: the order is that of the stream, and nothing comes twice.
    """
    batch = None

    def __iter__(self):
        raise NotImplementedError(f"{type(self).__name__}: an iterable data set must define __iter__()")

    def __add__(self, other):
        return ChainDataset([self, other])


class ChainDataset(IterableDataset):
    """The samples of several iterable data sets, one set after the other."""

    def __init__(self, datasets):
        self.datasets = list(datasets)
        check_iterable("ChainDataset", **{f"datasets[{i}]": dataset for i, dataset in enumerate(self.datasets)})

    def __iter__(self):
        for dataset in self.datasets:
            yield from dataset

    def __len__(self):
        return sum(len(d) for d in self.datasets)


def check_index(dataset, index):
    """`index` as a plain number from 0 to len - 1; negative numbers count from the end. IndexError outside."""
    n = len(dataset)
    try:
        place = index.__index__()
    except AttributeError:
        raise TypeError(f"{type(dataset).__name__}: index must be an integer, got {type(index).__name__}") from None
    if not -n <= place < n:
        raise IndexError(f"{type(dataset).__name__}: index {place} is out of range for {n} samples")
    return place % n


def fetch(dataset, indices):
    """The samples at `indices` (an integer array) as one batch, by the short cut where the data set has one."""
    short_cut = getattr(dataset, "batch", None)
    return short_cut(indices) if short_cut else default_collate(fetch_each(dataset, indices.tolist()))


def fetch_each(dataset, indices):
    """The samples at `indices` as a list. An error gets a note that names the sample at which it arose."""
    samples = []
    for i in indices:
        try:
            samples.append(dataset[i])
        except Exception as error:
            error.add_note(f"raised for sample {i} of {type(dataset).__name__}")
            raise
    return samples


class TensorDataset(Dataset):
    """Sample i is the tuple of row i of every tensor; all tensors have the same length. A list or slice takes several."""

    def __init__(self, *tensors):
        for i, t in enumerate(tensors):
            check_tensor("TensorDataset", **{f"tensors[{i}]": t})
        if not tensors or any(t.ndim == 0 or len(t) != len(tensors[0]) for t in tensors):
            raise ValueError("TensorDataset: expected tensors of one length (first dimension), got shapes "
                             f"{[t.shape for t in tensors]}")
        self.tensors = tensors

    def __len__(self):
        return len(self.tensors[0])

    def __getitem__(self, index):
        if isinstance(index, (slice, list)):
            return tuple(self.batch(np.arange(len(self))[index]))
        i = check_index(self, index)
        return tuple(wrap(as_array(t.array[i], t.array)) for t in self.tensors)

    def batch(self, indices):
        """The rows at `indices` of every tensor."""
        return [wrap(t.array[to_device(indices, device_of(t.array))]) for t in self.tensors]


class Subset(Dataset):
    """The samples of `dataset` at `indices`, in that order."""

    def __init__(self, dataset, indices):
        self.dataset = dataset
        self.indices = np.asarray(indices, dtype=np.int64).reshape(-1)
        outside = self.indices[(self.indices < -len(dataset)) | (self.indices >= len(dataset))]
        if outside.size:
            raise IndexError(f"Subset: indices contain {outside[0]}, but the data set has {len(dataset)} samples")

    def __len__(self):
        return len(self.indices)

    def __getitem__(self, index):
        if isinstance(index, list):
            return self.dataset[self.indices[index].tolist()]
        return self.dataset[int(self.indices[check_index(self, index)])]

    def batch(self, indices):
        """The samples at `indices` of the subset, by the short cut of the data set where it has one."""
        return fetch(self.dataset, self.indices[indices])


class ConcatDataset(Dataset):
    """The samples of several data sets, one set after the other."""

    def __init__(self, datasets):
        self.datasets = list(datasets)
        if not self.datasets:
            raise ValueError("ConcatDataset: datasets must not be empty")
        self.cumulative_sizes = list(accumulate(len(d) for d in self.datasets))

    def __len__(self):
        return self.cumulative_sizes[-1]

    def __getitem__(self, index):
        i = check_index(self, index)
        which = bisect.bisect_right(self.cumulative_sizes, i)
        return self.datasets[which][i - (self.cumulative_sizes[which - 1] if which else 0)]


def random_split(dataset, lengths, generator=None):
    """Non-overlapping random Subsets of `dataset`.

    `lengths` are numbers of samples that sum to the length of the data set, or fractions that sum to 1; samples that
    rounding leaves over go to the subsets in turn. `generator` defaults to the one that `manual_seed` seeds.
    """
    n = len(dataset)
    sizes = list(lengths)
    if all(0 <= s <= 1 for s in sizes) and abs(sum(sizes) - 1) < 1e-6 and n != 1:
        sizes = [int(n * s) for s in sizes]
        for i in range(n - sum(sizes)):
            sizes[i % len(sizes)] += 1
    if not all(isinstance(s, numbers.Integral) and s >= 0 for s in sizes) or sum(sizes) != n:
        raise ValueError(f"random_split: lengths must be counts that sum to {n} or fractions that sum to 1, got {lengths}")
    order = (generator or default_generator()).permutation(n)
    order = order if isinstance(order, np.ndarray) else order.get()
    return [Subset(dataset, part) for part in np.split(order, list(accumulate(sizes))[:-1])]
