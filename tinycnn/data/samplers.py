"""Which samples, and in which order: samplers are iterables of indices with a length."""
import numbers

import numpy as np

from ..engine.arrays import to_numpy
from ..engine.checks import check_iterable
from ..engine.generators import check_generator, default_generator
from ..engine.tensor import Tensor


class Sampler:
    """The base of samplers: define `__iter__`, which gives indices anew for every pass, and `__len__` where it is known.

    One that draws from tinycnn's default generator (`tinycnn.randperm`, for instance) is reproducible with the loader's seed
    and continues exactly where a loader is resumed; Python's or NumPy's own random numbers are neither.
    """

    def __init__(self, data_source=None):
        self.data_source = data_source

    def __iter__(self):
        raise NotImplementedError(f"{type(self).__name__}: a sampler must define __iter__()")


class SequentialSampler(Sampler):
    """0, 1, 2, ..."""

    def __init__(self, data_source):
        _check_length("SequentialSampler", data_source=data_source)
        super().__init__(data_source)

    def __len__(self):
        return len(self.data_source)

    def __iter__(self):
        return iter(range(len(self)))


class RandomSampler(Sampler):
    """Every index once, in a random order that is drawn anew in every pass.

    `num_samples` indices instead of all of them: the first ones of one order after another. `replacement` draws each of them
    on its own, so that one may come twice. `generator` defaults to the one that `tinycnn.manual_seed` seeds.
    """

    def __init__(self, data_source, replacement=False, num_samples=None, generator=None):
        _check_length("RandomSampler", data_source=data_source)
        super().__init__(data_source)
        if not isinstance(replacement, bool):
            raise TypeError(f"RandomSampler: replacement must be True or False, got {replacement!r}")
        if num_samples is not None:
            _check_count("RandomSampler", num_samples)
        check_generator("RandomSampler", generator)
        self.replacement, self._num_samples, self.generator = replacement, num_samples, generator

    @property
    def num_samples(self):
        """How many indices a pass has."""
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def __len__(self):
        return self.num_samples

    def __iter__(self):
        stream, n = self.generator or default_generator(), len(self.data_source)
        if n == 0 and self.num_samples > 0:
            raise ValueError(f"RandomSampler: {self.num_samples} samples of an empty data set")
        if self.replacement:
            yield from to_numpy(stream.integers(0, n, self.num_samples)).tolist() if n else ()
            return
        left = self.num_samples
        while left > 0:
            yield from to_numpy(stream.permutation(n)).tolist()[:left]
            left -= n


class SubsetRandomSampler(Sampler):
    """Each of `indices` once, in a random order that is drawn anew in every pass."""

    def __init__(self, indices, generator=None):
        super().__init__()
        check_generator("SubsetRandomSampler", generator)
        _check_length("SubsetRandomSampler", indices=indices)
        for i in indices:
            if not isinstance(i, (numbers.Number, Tensor)):
                raise TypeError(f"SubsetRandomSampler: indices must be integers, got {i!r:.80}")
        self.indices, self.generator = indices, generator

    def __len__(self):
        return len(self.indices)

    def __iter__(self):
        for i in to_numpy((self.generator or default_generator()).permutation(len(self.indices))).tolist():
            yield int(self.indices[i])


class WeightedRandomSampler(Sampler):
    """`num_samples` indices, each i drawn with a probability in proportion to `weights[i]`.

    For classes of unequal size: the weight 1 / size of its class for every sample makes all classes equally frequent.
    Without `replacement` no index comes twice, and an index of weight 0 never comes.

    With replacement, a uniform number falls between two of the cumulated weights, and the upper one is the index. Without,
    the indices with the largest keys log(u) / w are what drawing one after the other would give
    (P. Efraimidis and P. Spirakis, Weighted random sampling with a reservoir, 2006).
    """

    def __init__(self, weights, num_samples, replacement=True, generator=None):
        super().__init__()
        _check_count("WeightedRandomSampler", num_samples)
        if not isinstance(replacement, bool):
            raise TypeError(f"WeightedRandomSampler: replacement must be True or False, got {replacement!r}")
        self.weights = np.asarray(getattr(weights, "array", weights), np.float64)
        right = self.weights.ndim == 1 and np.isfinite(self.weights).all() and (self.weights >= 0).all()
        if not right or not self.weights.any():
            raise ValueError("WeightedRandomSampler: weights must be one row of finite numbers of at least 0, not all of "
                             f"them 0, got shape {self.weights.shape}: {self.weights}")
        positive = int((self.weights > 0).sum())
        if not replacement and num_samples > positive:
            raise ValueError(f"WeightedRandomSampler: {num_samples} samples without replacement need as many weights above "
                             f"0, got {positive}")
        check_generator("WeightedRandomSampler", generator)
        self.num_samples, self.replacement, self.generator = int(num_samples), replacement, generator

    def __len__(self):
        return self.num_samples

    def __iter__(self):
        stream = self.generator or default_generator()
        if self.replacement:
            bounds = self.weights.cumsum()
            drawn = to_numpy(stream.uniform(self.num_samples, np.float64)) * bounds[-1]
            last = np.flatnonzero(self.weights)[-1]  # rounding may bring a product up to the last bound
            return iter(np.minimum(bounds.searchsorted(drawn, side="right"), last).tolist())
        keys = np.full(len(self.weights), -np.inf)
        possible = self.weights > 0
        u = 1 - to_numpy(stream.uniform(len(self.weights), np.float64))
        keys[possible] = np.log(u[possible]) / self.weights[possible]
        return iter(np.argsort(-keys, kind="stable")[:self.num_samples].tolist())


class BatchSampler(Sampler):
    """Lists of `batch_size` indices of `sampler`; the last one may be shorter, unless `drop_last` leaves it out."""

    def __init__(self, sampler, batch_size, drop_last):
        super().__init__()
        check_iterable("BatchSampler", sampler=sampler)
        self.sampler, self.drop_last = sampler, bool(drop_last)
        self.batch_size = check_batch_size("BatchSampler", batch_size)

    def __len__(self):
        whole, rest = divmod(len(self.sampler), self.batch_size)
        return whole + (rest > 0 and not self.drop_last)

    def __iter__(self):
        batch = []
        for index in self.sampler:
            batch.append(index)
            if len(batch) == self.batch_size:
                yield batch
                batch = []
        if batch and not self.drop_last:
            yield batch


class SharedBatches(Sampler):
    """The part of one process, `rank` of `size`, in the batches of a BatchSampler that all processes draw alike.

    Of a batch, rank r gets the samples r, r + size, r + 2 size, ...: as many steps as one process would take, with shares
    that differ by one sample at most. A rank without a share in a short last batch borrows the first sample of another one;
    `weight` is 0 then.
    """

    def __init__(self, batches, rank, size):
        super().__init__()
        self.batches, self.rank, self.size = batches, rank, size
        self.sampler = getattr(batches, "sampler", None)

    def __len__(self):
        return len(self.batches)

    def __iter__(self):
        for batch in self.batches:
            yield batch[self.rank::self.size] or batch[:1]

    def weight(self, number):
        """How much the mean over this part of batch `number` counts in the mean over all parts: 1 for an equal share."""
        whole = min(self.batches.batch_size, len(self.sampler) - number * self.batches.batch_size)
        return len(range(self.rank, whole, self.size)) * self.size / whole


def check_batch_size(function, batch_size):
    """`batch_size` as an int; TypeError or ValueError where it is none of at least 1."""
    if isinstance(batch_size, bool) or not isinstance(batch_size, numbers.Integral):
        raise TypeError(f"{function}: batch_size must be an integer, got {batch_size!r}")
    if batch_size < 1:
        raise ValueError(f"{function}: batch_size must be at least 1, got {batch_size}")
    return int(batch_size)


def _check_length(function, **named):
    for name, value in named.items():
        check_iterable(function, **{name: value})
        if not hasattr(value, "__len__"):
            raise TypeError(f"{function}: {name} must have a length, got {type(value).__name__}")


def _check_count(function, num_samples):
    if isinstance(num_samples, bool) or not isinstance(num_samples, numbers.Integral) or num_samples < 1:
        raise ValueError(f"{function}: num_samples must be an integer of at least 1, got {num_samples!r}")
