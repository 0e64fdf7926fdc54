"""What the pretended CUDA has been asked for in this process."""
import contextlib
import ctypes
import functools

NAMES = ("uploads", "downloads", "copies", "waits", "launches", "products", "allocations")  # as in pretended.h


@functools.cache
def _library():
    return ctypes.CDLL("libpretended.so")


def read():
    """How many copies to the device, to the host and between devices' arrays, waits, launches, ... there have been."""
    return dict(zip(NAMES, (ctypes.c_long * len(NAMES)).in_dll(_library(), "pretended_counts")))


def of(work):
    """What one call of `work` asks for."""
    before = read()
    work()
    return {name: count - before[name] for name, count in read().items()}


@contextlib.contextmanager
def idle():
    """Within it launches and products are counted and not done: what takes time is Python. Results are not to be used."""
    flag = ctypes.c_int.in_dll(_library(), "pretended_idle")
    flag.value = 1
    try:
        yield
    finally:
        flag.value = 0
