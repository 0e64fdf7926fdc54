"""The loader: batches of a data set, and the threads that prepare them while the network trains.

Why threads, where PyTorch starts processes: reading a file, decoding a picture and every NumPy operation on a whole array
give up Python's lock while they run, and so do the matrix products of the training step. Threads therefore really work side
by side, start at once, share the data set instead of copying it, and hand over batches without packing them. What stays
serial is Python itself: a transform written as a loop over pixels gains nothing.

Everything random in a pass follows from one number, its seed, which is drawn when the pass starts: the order from the seed
itself, and batch number i, wherever and whenever it is prepared, from the seed + 1 + i. So results do not depend on the
number of threads, and a pass can be continued in its middle.
"""
import contextlib
import itertools
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..engine.arrays import cuda_device_count
from ..engine.checks import check_callable, check_iterable
from ..engine.generators import Generator, check_generator, default_generator, generator_in_this_thread
from .collate import default_collate, default_convert, pin_memory
from .dataset import IterableDataset, fetch, fetch_each
from .samplers import BatchSampler, RandomSampler, SequentialSampler, SharedBatches, check_batch_size

FAR = 2**62  # from the seeds of batches to those of threads
_END = object()
_thread = threading.local()


@dataclass(frozen=True)
class WorkerInfo:
    """What a thread of a loader is told: its number `id` of `num_workers`, its own `seed` in this pass, the `dataset`."""
    id: int
    num_workers: int
    seed: int
    dataset: Any


def get_worker_info():
    """The WorkerInfo of the loader's thread that asks, None elsewhere.

    An iterable data set is read by a single thread, so one that shares its samples out by `id` and `num_workers` gives all.
    """
    return getattr(_thread, "info", None)


class _Position:
    """Where a pass is: its seed (None outside a pass), the batch that comes next, and its generators as they started."""

    def __init__(self, seed=None, next_batch=0, generators=()):
        self.seed, self.next_batch, self.generators = seed, next_batch, list(generators)


class DataLoader:
    """Batches of a data set, one pass an iteration: `for x, y in loader`.

    - `batch_size`: samples a batch; the last batch of a pass may be smaller, unless `drop_last` leaves it out; None gives
      single samples;
    - `shuffle`: a new random order in every pass;
    - `sampler`: an iterable of indices that decides the order instead; `batch_sampler`: one of lists of indices, which
      decides the batches too; with `batch_size=None`, whatever `sampler` gives is what the data set is asked for, also a
      list of indices;
    - `num_workers`: threads that prepare batches ahead, each up to `prefetch_factor` (default 2); 0 prepares each batch when
      it is asked for; `persistent_workers` keeps the threads from pass to pass; `worker_init_fn(id)` runs first in each;
      RuntimeError where a batch takes longer than `timeout` seconds (0: wait for ever);
    - `collate_fn`: makes a batch of a list of samples; the default stacks them (`default_collate`);
    - `generator`: draws the seed of each pass (default: the one that `manual_seed` seeds).

    - `pin_memory`: put batches where a GPU can fetch them by itself, so that `x.to("cuda", non_blocking=True)` copies them
      while the step before is still being computed; it changes nothing where there is no GPU.

    `pin_memory_device`, `in_order` and `multiprocessing_context` are accepted and change nothing here. Without a
    `collate_fn`, a data set with a method `batch` is asked for whole batches at once, which is much faster.

    Order and augmentation depend on the seed alone, not on `num_workers`: inside the data set, tinycnn's random numbers and
    the transforms draw from a stream of their own for each batch. (Python's `random`, NumPy's global numbers and a generator
    given to a transform are shared by all threads: use them with at most one.) An error in a data set arrives here as it is,
    with a note that names the sample. Leaving the loop early, by `break`, an error or Ctrl-C, stops the threads.
    """

    def __init__(self, dataset, batch_size=1, shuffle=None, sampler=None, batch_sampler=None, num_workers=0, collate_fn=None,
                 pin_memory=False, drop_last=False, timeout=0, worker_init_fn=None, multiprocessing_context=None,
                 generator=None, *, prefetch_factor=None, persistent_workers=False, pin_memory_device="", in_order=True):
        check_generator("DataLoader", generator)
        if not hasattr(dataset, "__getitem__") and not hasattr(dataset, "__iter__"):
            raise TypeError(f"DataLoader: dataset must have __getitem__ or __iter__, got {type(dataset).__name__}")
        if collate_fn is not None:
            check_callable("DataLoader", collate_fn=collate_fn)
        check_iterable("DataLoader", sampler=() if sampler is None else sampler,
                       batch_sampler=() if batch_sampler is None else batch_sampler)
        self.dataset, self.collate_fn, self.drop_last, self.generator = dataset, collate_fn, bool(drop_last), generator
        self.num_workers, self.timeout, self.worker_init_fn = num_workers, timeout, worker_init_fn
        self.prefetch_factor, self.persistent_workers = prefetch_factor, persistent_workers
        self.pin_memory = bool(pin_memory)
        self._check_threads()
        if batch_sampler is not None:
            if batch_size not in (1, None) or shuffle or sampler is not None or drop_last:
                raise ValueError("DataLoader: a batch_sampler decides the batches, so batch_size, shuffle, sampler and "
                                 "drop_last must be left out")
            batch_size = None
        elif batch_size is not None:
            batch_size = check_batch_size("DataLoader", batch_size)
        elif drop_last:
            raise ValueError("DataLoader: batch_size=None gives single samples, so drop_last must be False")
        self._iterable = isinstance(dataset, IterableDataset)
        if self._iterable and (shuffle or sampler is not None or batch_sampler is not None):
            raise ValueError(f"DataLoader: {type(dataset).__name__} is an iterable data set, which decides its order "
                             "itself: shuffle, sampler and batch_sampler must be left out")
        if sampler is not None and shuffle:
            raise ValueError("DataLoader: a sampler decides the order, so shuffle must be False")
        if sampler is None and batch_sampler is None and not self._iterable:
            sampler = RandomSampler(dataset) if shuffle else SequentialSampler(dataset)
        if batch_sampler is None and batch_size is not None and not self._iterable:
            batch_sampler = BatchSampler(sampler, batch_size, self.drop_last)
        self.batch_size, self.sampler, self.batch_sampler = batch_size, sampler, batch_sampler
        self._position, self._resume, self._pool = _Position(), None, None
        self._chance = FAR * getattr(batch_sampler, "rank", 0) // 2**20  # a part of a batch draws numbers of its own

    def shared(self, rank, size):
        """A loader of the part of process `rank` of `size` in every batch of this one; see `SharedBatches`.

        All processes must agree on the order. It is drawn by this loader's generator, or else by one that goes on from where
        the default generator is now, which must be the same place for all.
        """
        if not isinstance(self.batch_sampler, BatchSampler):
            raise ValueError("DataLoader.shared: only the batches of a BatchSampler can be shared out, which a loader "
                             "has that was given a batch_size and a data set whose samples have numbers")
        return DataLoader(self.dataset, batch_sampler=SharedBatches(self.batch_sampler, rank, size),
                          num_workers=self.num_workers, collate_fn=self.collate_fn, pin_memory=self.pin_memory,
                          timeout=self.timeout, worker_init_fn=self.worker_init_fn, prefetch_factor=self.prefetch_factor,
                          persistent_workers=self.persistent_workers,
                          generator=self.generator or Generator.like(default_generator()))

    def _check_threads(self):
        if isinstance(self.num_workers, bool) or not isinstance(self.num_workers, (int, np.integer)) or self.num_workers < 0:
            raise ValueError(f"DataLoader: num_workers must be an integer of at least 0, got {self.num_workers!r}")
        if self.timeout < 0:
            raise ValueError(f"DataLoader: timeout must be at least 0 seconds, got {self.timeout}")
        if self.num_workers == 0 and (self.prefetch_factor is not None or self.persistent_workers):
            raise ValueError("DataLoader: prefetch_factor and persistent_workers need num_workers of at least 1, got 0")
        if self.prefetch_factor is not None and self.prefetch_factor < 1:
            raise ValueError(f"DataLoader: prefetch_factor must be at least 1, got {self.prefetch_factor}")

    def __len__(self):
        if not self._iterable:
            return len(self.sampler if self.batch_sampler is None else self.batch_sampler)
        n = len(self.dataset)
        return n if self.batch_size is None else n // self.batch_size if self.drop_last else -(-n // self.batch_size)

    def __iter__(self):
        if self._resume is None:
            seed = int((self.generator or default_generator()).integers(0, 2**62, ()))
            self._position = _Position(seed, 0, [g.get_state() for g in self._generators()])
        else:
            self._position, self._resume = self._resume, None
        return self._pass(self._position)

    def _pass(self, position):
        """The batches from `position` on, which moves along."""
        first, tasks = position.next_batch, enumerate(self._plan(position.seed))
        if not self._iterable:
            tasks = itertools.islice(tasks, first, None)
        with contextlib.closing((self._ahead if self.num_workers else self._at_once)(tasks, position.seed)) as batches:
            for number, batch in batches:
                if batch is _END:
                    break
                if number >= first:  # of an iterable data set the first ones can be skipped only by reading them
                    position.next_batch = number + 1
                    yield batch
        position.seed, position.next_batch = None, 0

    # ---- what is to be loaded, and loading it ----
    def _plan(self, seed):
        """What each batch is made of: indices, or for an iterable data set its one iterator again and again."""
        if self._iterable:
            yield from itertools.repeat(_samples(self.dataset))
        generator, batches = Generator().manual_seed(seed), None
        while True:
            with generator_in_this_thread(generator):
                batches = batches or iter(self.sampler if self.batch_sampler is None else self.batch_sampler)
                indices = next(batches, _END)
            if indices is _END:
                return
            yield indices

    def _load(self, number, task, seed):
        """Batch `number`, in pinned memory where that is wanted; _END after the end of an iterable data set."""
        batch = self._collated(number, task, seed)
        return pin_memory(batch) if self.pin_memory and cuda_device_count() else batch

    def _collated(self, number, task, seed):
        """Batch `number`, with a stream of random numbers of its own."""
        with generator_in_this_thread(Generator().manual_seed(seed + 1 + number + self._chance)):
            if self.batch_size is None and self.batch_sampler is None:
                sample = next(task, _END) if self._iterable else self._sample(task)
                return sample if sample is _END else (self.collate_fn or default_convert)(sample)
            if self._iterable:
                samples = list(itertools.islice(task, self.batch_size))
                if not samples or self.drop_last and len(samples) < self.batch_size:
                    return _END
                return (self.collate_fn or default_collate)(samples)
            try:
                indices = [int(i) for i in task]
            except (TypeError, ValueError):
                raise TypeError(f"DataLoader: a batch of the batch_sampler must be integers, got {task!r:.80}") from None
            if self.collate_fn is None:
                return fetch(self.dataset, np.array(indices, np.int64))
            return self.collate_fn(fetch_each(self.dataset, indices))

    def _sample(self, index):
        """What the data set has at `index`, a number, or a list of them from a BatchSampler that was given as sampler."""
        if isinstance(index, (list, tuple)) and getattr(self.dataset, "batch", None):
            return fetch(self.dataset, np.array(index, np.int64))
        return fetch_each(self.dataset, [index])[0]

    def _at_once(self, tasks, seed):
        """(number, batch) of each task, loaded when it is asked for."""
        for number, task in tasks:
            yield number, self._load(number, task, seed)

    def _ahead(self, tasks, seed):
        """(number, batch) of each task, in order, while threads load the next ones."""
        workers = 1 if self._iterable else self.num_workers
        (pool, ids), self._pool = self._pool or (ThreadPoolExecutor(workers, "DataLoader"), itertools.count()), None
        waiting, wait = deque(), True
        try:
            while True:
                for number, task in itertools.islice(tasks, workers * (self.prefetch_factor or 2) - len(waiting)):
                    waiting.append((number, pool.submit(self._load_in_thread, number, task, seed, ids, workers)))
                if not waiting:
                    return
                number, future = waiting.popleft()
                try:
                    batch = future.result(self.timeout or None)
                except TimeoutError:
                    if future.done():  # it is the data set's own
                        raise
                    wait = False
                    raise RuntimeError(f"DataLoader: batch {number} was not ready within {self.timeout} s") from None
                yield number, batch
        finally:
            for _, future in waiting:
                future.cancel()
            if self.persistent_workers and wait:
                self._pool = pool, ids  # it may start more threads later
            else:
                pool.shutdown(wait, cancel_futures=True)

    def _load_in_thread(self, number, task, seed, ids, workers):
        known = get_worker_info()
        place = next(ids) if known is None else known.id
        _thread.info = WorkerInfo(place, workers, seed + FAR + place, self.dataset)  # its seed is new in every pass
        if known is None and self.worker_init_fn:
            self.worker_init_fn(place)
        return self._load(number, task, seed)

    # ---- the position ----
    def state_dict(self):
        """Where the loader is, in numbers and strings that JSON can hold: after how many batches of which pass.

        A batch counts from the moment it is handed out. A loader of the same data that gets this state with
        `load_state_dict` continues the pass with the next batch, and draws the same orders afterwards. The default
        generator is not part of it (`tinycnn.get_rng_state`); generators of this loader and of its sampler are.
        """
        position = self._resume or self._position
        generators = [g.get_state() for g in self._generators()] if position.seed is None else position.generators
        return {"seed": position.seed, "next_batch": position.next_batch, "generators": generators,
                "batches": self._length()}

    def load_state_dict(self, state):
        """Continue where a loader reported `state`: the next iteration is the rest of the pass that had begun there."""
        if state["batches"] != self._length():
            raise ValueError(f"DataLoader.load_state_dict: the state belongs to a loader of {state['batches']} batches, "
                             f"this one has {self._length()}: data set, batch_size and drop_last must be the same")
        generators = self._generators()
        if len(state["generators"]) != len(generators):
            raise ValueError(f"DataLoader.load_state_dict: the state has {len(state['generators'])} generators, this loader "
                             f"and its sampler have {len(generators)}")
        for generator, position in zip(generators, state["generators"]):
            generator.set_state(position)
        self._position, self._resume = _Position(), None
        if state["seed"] is not None:
            self._resume = _Position(state["seed"], state["next_batch"], state["generators"])

    def _length(self):
        try:
            return len(self)
        except TypeError:
            return None

    def _generators(self):
        """The generators that belong to this loader and its samplers, each once."""
        owners = (self, self.sampler, self.batch_sampler, getattr(self.batch_sampler, "sampler", None))
        found = [getattr(owner, "generator", None) for owner in owners]
        return list({id(g): g for g in found if isinstance(g, Generator)}.values())


def _samples(dataset):
    """An iterator over `dataset` whose code does not run before the first sample is asked for."""
    yield from dataset
