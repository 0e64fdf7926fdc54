"""Several cores for one operation.

Compiled loops hold no lock of Python's, and NumPy releases it while it copies and multiplies, so plain threads suffice:
`parallel` cuts the work of one operation, its images for example, into parts, and the threads take one after the other.

Waking a thread costs 20 to 60 us, and so does waiting for the lock. Where loops are compiled, threads therefore stay awake
for a moment when they have done their part, see `spinning.py`, and work is shared out from 0.2 ms on, instead of 1 ms. With
two cores, that much is done 1.5 times as fast, measured, and a millisecond of it 1.8 times. A thread's Python between two
loops takes three times as long as usual then, since arrays have displaced it from the cache: `parallel` must be short.

BLAS, which computes NumPy's matrix products, keeps to one thread a product from the import of tinycnn on. Its own threads
wait for each other by spinning, and get into the way of ours: measured, convolutions are then up to 1.9 times slower, and
the small products of a small network, on two cores with something else to do, 10 to 30 times. Large products are cut up
instead, see `matmul.py`. The variable TINYCNN_BLAS=0 leaves BLAS alone outside of `parallel`.

How the work is cut does not depend on the number of threads, so neither does the result: not even in its last bit.
"""
import contextlib
import ctypes
import functools
import itertools
import math
import os
import sys
import threading
from queue import SimpleQueue

import numpy as np

from .compiled import missing

WORTH = 0.5e-3 if missing() else 0.1e-3  # seconds of work that justify one more thread
PRODUCTS = 5e10       # rough speed of one core: floating-point operations a second in matrix products,
BYTES = 1e10 if missing() else 2.5e10    # and bytes a second in everything else: loops read each number once
PIECE = 2**17         # elements of a piece that stays in the cache
SHARED = 2**19        # elements from which it can be worth it to share out a single operation

PATIENCE = 100e-6     # seconds for which a thread stays awake with nothing to do
HANDOVER = 12e-6      # and for which the caller lets the others go first
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

_threads = None
_pool = []            # the queue of tasks, once threads wait at it
_awake = []           # an entry for each thread that waits without sleep, till `_bell` changes
_bell, _silence = np.zeros(1, np.int64), np.zeros(1, np.int64)
_rings = itertools.count(1)
_meet = None
_lock = threading.Lock()
_inside = threading.local()
_before = []          # an entry for each caller that holds BLAS to one thread: how many it had before the first


def get_num_threads():
    """How many threads an operation may use.

    That is what `set_num_threads` said, else the variable TINYCNN_THREADS, else the number that BLAS used at first (which is
    the number of cores, or OPENBLAS_NUM_THREADS or OMP_NUM_THREADS); 1 where BLAS cannot be held to one thread, because it
    then does the same on its own.
    """
    return _threads or default_threads()


@functools.cache
def default_threads():
    blas, asked = openblas(), os.environ.get("TINYCNN_THREADS")
    if asked and not (asked.isdecimal() and int(asked) >= 1):
        raise ValueError(f"TINYCNN_THREADS must be a whole number of at least 1, got {asked!r}")
    return int(asked or (blas[0]() if blas else 1))


def set_num_threads(n):
    """Use up to `n` threads in an operation from now on."""
    global _threads
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 1:
        raise ValueError(f"set_num_threads: n must be an integer of at least 1, got {n!r}")
    _threads = int(n)


def parallel(work, count, flops=0, moved=0, most=16):
    """[work(start, stop), ...] over consecutive parts of range(count), side by side where the work is worth it.

    `flops` (in matrix products) and `moved` (bytes read and written) estimate the work: 2 * WORTH seconds are cut in two,
    four times as many in four, and so on up to `most` parts. They may be more than there are threads: whoever is ready, the
    caller included, takes the next, so that a core that is busy with something else holds nobody up. How the parts are cut
    depends on the arguments alone, so sums over parts are the same to the last bit for every number of threads. An exception
    in any part is raised here.
    """
    inside = getattr(_inside, "part", False)
    seconds = flops / PRODUCTS + moved / BYTES
    parts = 1 if inside else max(1, min(int(math.sqrt(2 * seconds / WORTH)), count, most))
    if parts == 1:
        return [work(0, count)]
    parts -= parts % 2  # of an odd number, one of two cores gets more
    task = _Task(work, [count * i // parts for i in range(parts + 1)])
    helpers = min(get_num_threads(), parts) - 1
    blas = openblas()
    with one_blas_thread() if blas and (_before or blas[0]() > 1) else contextlib.nullcontext():
        _share_out(task, helpers)
    results, errors = task.results, task.errors
    task.work = task.results = None  # a thread that comes late holds no arrays
    if errors:
        raise errors[min(errors)]
    return results


def large(x, *others):
    """Whether an operation on x and `others`, element by element, is worth several cores, and `share` can cut it up.

    They are then NumPy's, of one shape and dtype, and elements of the same index have the same place in all of them.
    """
    return type(x) is np.ndarray and x.size >= SHARED and np.empty_like(x).strides == x.strides and all(
        type(a) is np.ndarray and a.dtype == x.dtype and a.shape == x.shape and a.strides == x.strides for a in others)


def share(function, x, *others, out=None):
    """function(x, *others, out=y), on each element by itself, of arrays laid out as `large` says, on all cores.

    It gets pieces that stay in the cache, in case that it takes several steps. Measured on two cores, a sum of two arrays of
    2 million numbers takes two thirds of the time of a single call, one of 8 million half of it.
    """
    y = np.empty_like(x) if out is None else out
    flat = [a.ravel("K") for a in (x, *others, y)]  # views

    def work(start, stop):
        for i in range(start, stop, PIECE):
            *inputs, target = (a[i:min(i + PIECE, stop)] for a in flat)
            function(*inputs, out=target)
    parallel(work, x.size, moved=len(flat) * x.nbytes)
    return y


# ---- threads ---------------------------------------------------------------------------------------------------------

class _Task:
    """The parts of one operation. `pop` of a list is one step for Python, so no two threads get the same number."""
    __slots__ = "work", "cuts", "numbers", "left", "results", "errors", "over", "meet", "bell"

    def __init__(self, work, cuts):
        parts = len(cuts) - 1
        self.work, self.cuts, self.results, self.errors = work, cuts, [None] * parts, {}
        self.numbers, self.left = list(range(parts))[::-1], list(range(parts))
        self.over = threading.Lock()
        self.over.acquire()
        self.meet = self.bell = None

    def run(self):
        """Do parts as long as there are any. Whether the last to end was among them; then the task is over."""
        last = False
        _inside.part = True                # operations within a part do not split again
        try:
            while self.numbers:
                try:
                    i = self.numbers.pop()
                except IndexError:         # another was quicker
                    break
                try:
                    self.results[i] = self.work(self.cuts[i], self.cuts[i + 1])
                except BaseException as error:
                    self.errors[i] = error
                last = self.left.pop() == 0
        finally:
            _inside.part = False
        return last


def _share_out(task, helpers):
    """Do all parts of a task, together with some helpers.

    They cannot begin while the caller holds Python's lock, and falling asleep over it takes longer than they need to reach
    their loop. So where they are awake, the caller lets them go first.
    """
    meet = _meeting() if 0 < helpers < CORES else None
    if meet:
        task.meet, task.bell = meet, np.zeros(1, np.int64)
    for _ in range(helpers):
        _tasks(helpers).put(task)
    if meet and _awake:
        meet(_bell, next(_rings), _silence, 0, HANDOVER)
    if not task.run() and not (meet and meet(_silence, 0, task.bell, 0, PATIENCE)):
        task.over.acquire()


def _meeting():
    """meet(said, number, heard, before, seconds) of `spinning.py`, once a compiled loop has run; till then None."""
    global _meet
    if _meet is None and "numba" in sys.modules and not missing():
        from .spinning import meeting
        quick, looks = meeting()
        _meet = lambda said, number, heard, before, seconds: quick(said, number, heard, before, int(seconds * looks))
    return _meet


def _tasks(count):
    """The queue of tasks, with at least `count` threads waiting at it."""
    if len(_pool) <= count:
        with _lock:
            if not _pool:
                _pool.append(SimpleQueue())
            while len(_pool) <= count:
                _pool.append(threading.Thread(target=_serve, args=(_pool[0],), name="tinycnn", daemon=True))
                _pool[-1].start()
    return _pool[0]


def _serve(tasks):
    """Work for ever."""
    np.seterr(all="ignore")
    while True:
        task = tasks.get()
        last, meet, bell = task.run(), task.meet, task.bell
        if last:
            task.over.release()
        del task                          # and all arrays that it knows of
        if meet:
            _awake.append(None)
            before = _bell[0]             # looked at before the queue, so that no ring is missed
            meet(bell if last else _silence, int(last), _bell, before, PATIENCE if tasks.empty() else 0)
            _awake.pop()


def _forget_threads():
    """A forked child has none of its parent's threads."""
    global _lock
    _lock = threading.Lock()
    _pool.clear()
    _awake.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_threads)


# ---- BLAS ------------------------------------------------------------------------------------------------------------

@functools.cache
def openblas():
    """(get, set): OpenBLAS's own functions for its number of threads, or None with another BLAS (MKL, Accelerate).

    They are looked up in NumPy's extension module and in what that is linked with.
    """
    try:
        library = ctypes.CDLL(np._core._multiarray_umath.__file__)
    except (AttributeError, OSError):
        return None
    for prefix in ("scipy_", ""):
        for suffix in ("64_", ""):
            names = [f"{prefix}openblas_{verb}_num_threads{suffix}" for verb in ("get", "set")]
            if all(hasattr(library, name) for name in names):
                get, put = (getattr(library, name) for name in names)
                put.argtypes, put.restype = [ctypes.c_int], None
                return get, put
    return None


@contextlib.contextmanager
def one_blas_thread():
    """Inside the `with` block a matrix product uses one thread; the last to leave restores what was before."""
    get, put = openblas()
    with _lock:
        _before.append(_before[0] if _before else get())
        put(1)
    try:
        yield
    finally:
        with _lock:
            before = _before.pop()
            if not _before:
                put(before)


# ---- memory ----------------------------------------------------------------------------------------------------------

def aligned(shape, dtype):
    """An uninitialised array that begins at a cache line, every 64 bytes, as malloc's do not.

    Vector instructions write 64 bytes at once; where these belong to two cache lines, arithmetic on arrays that fit the
    cache takes up to twice as long.
    """
    count, dtype = math.prod(shape), np.dtype(dtype)
    room = np.empty(count + 64 // dtype.itemsize, dtype)
    start = -room.ctypes.data % 64 // dtype.itemsize
    return room[start:start + count].reshape(shape)


__all__ = ["get_num_threads", "set_num_threads"]
