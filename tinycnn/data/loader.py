"""The loader: which samples, in which order, how many at a time."""
import numpy as np

from ..backend import default_generator, to_numpy
from .dataset import fetch


class Sampler:
    """The base of samplers: an iterable of indices with a length."""

    def __iter__(self):
        raise NotImplementedError(f"{type(self).__name__}: a sampler must define __iter__()")


class SequentialSampler(Sampler):
    """0, 1, 2, ..."""

    def __init__(self, data_source):
        self.data_source = data_source

    def __len__(self):
        return len(self.data_source)

    def __iter__(self):
        return iter(range(len(self)))


class RandomSampler(Sampler):
    """Every index once, in a random order that is drawn anew in every epoch.

    `generator` defaults to the one that `tinycnn.manual_seed` seeds, so one seed fixes the order of all epochs.
    """

    def __init__(self, data_source, generator=None):
        self.data_source = data_source
        self.generator = generator

    def __len__(self):
        return len(self.data_source)

    def __iter__(self):
        return iter(to_numpy((self.generator or default_generator()).permutation(len(self))).tolist())


class DataLoader:
    """Batches of a data set, one pass an iteration: `for x, y in loader`.

    - `batch_size`: samples a batch; the last batch of a pass may be smaller, unless `drop_last` leaves it out;
    - `shuffle`: a new random order in every pass, from `generator` (default: the one that `manual_seed` seeds);
    - `sampler`: an iterable of indices that decides the order instead of `shuffle`;
    - `collate_fn`: makes a batch of a list of samples; the default stacks them (`default_collate`).

    Without a `collate_fn`, a data set with a method `batch` is asked for whole batches at once, which is much faster.
    """

    def __init__(self, dataset, batch_size=1, shuffle=False, sampler=None, *, collate_fn=None, drop_last=False,
                 generator=None):
        if isinstance(batch_size, bool) or not isinstance(batch_size, (int, np.integer)):
            raise TypeError(f"DataLoader: batch_size must be an integer, got {batch_size!r}")
        if batch_size < 1:
            raise ValueError(f"DataLoader: batch_size must be at least 1, got {batch_size}")
        if sampler is not None and shuffle:
            raise ValueError("DataLoader: a sampler decides the order, so shuffle must be False")
        if sampler is None:
            sampler = RandomSampler(dataset, generator) if shuffle else SequentialSampler(dataset)
        self.dataset, self.batch_size, self.sampler = dataset, int(batch_size), sampler
        self.collate_fn, self.drop_last = collate_fn, drop_last

    def __len__(self):
        whole, rest = divmod(len(self.sampler), self.batch_size)
        return whole + (rest > 0 and not self.drop_last)

    def __iter__(self):
        indices = np.array(list(self.sampler), dtype=np.int64)
        for start in range(0, len(indices), self.batch_size):
            chosen = indices[start:start + self.batch_size]
            if len(chosen) < self.batch_size and self.drop_last:
                return
            if self.collate_fn is None:
                yield fetch(self.dataset, chosen)
            else:
                yield self.collate_fn([self.dataset[i] for i in chosen.tolist()])
