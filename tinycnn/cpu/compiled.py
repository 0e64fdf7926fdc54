"""Loops in Python that are compiled when they are first called. Numba does it, and need not be there: extra `fast`.

    @loop
    def relu(x, y, first, last):
        for i in range(first, last):
            y[i] = max(x[i], 0)

Compiled loops hold no lock of Python's, so threads run them side by side. Sums may be taken in another order, and products
and additions become one instruction; but NaN and infinity stay what they are. The machine code is kept on disk where that
can be written to (see `kept.py`), and is made anew where it cannot be read.
"""
import functools
import importlib.util
import os
import threading

OPTIONS = dict(nogil=True, error_model="numpy", fastmath={"contract", "reassoc", "nsz"})

_making = threading.RLock()


@functools.cache
def missing():
    """Why there are no compiled loops here; "" where there are."""
    if os.environ.get("TINYCNN_NUMBA") == "0":
        return "TINYCNN_NUMBA is 0"
    if importlib.util.find_spec("numba") is None:
        return "Numba is not installed: pip install numba makes training faster"
    return ""


missing.never = missing  # what `tinycnn roads` says of roads that ask this


def compiled(function, **options):
    """`function` as machine code, made for each combination of types when it is first called with it."""
    from numba import njit
    from .kept import keep
    options = {**OPTIONS, **options}
    return keep(njit(function, **options), {**options, "fastmath": sorted(options["fastmath"])})


def loop(function, **options):
    """The decorated function, compiled at its first call, together with the loops that it may call: those that its file or
    the function round it knows."""
    @functools.wraps(function)
    def first(*args):
        return first.loop()(*args)

    def make():
        with _making:                # another thread waits until all loops of the file are there
            if first.made is None:   # it is not when loops call each other
                first.made, names = compiled(function, **options), function.__globals__
                for name, value in list(names.items()):
                    if hasattr(value, "loop"):
                        names[name] = value.loop()
                for cell in function.__closure__ or ():
                    if hasattr(cell.cell_contents, "loop"):
                        cell.cell_contents = cell.cell_contents.loop()
                first.loop = lambda: first.made
        return first.made
    first.made, first.loop = None, make
    return first


def exactly(function):
    """A loop in which sums are taken as they stand: where another order would lose digits, or more than digits."""
    return loop(function, fastmath={"contract"})


def inlined(function):
    """A function of a number for such loops. Its code becomes theirs, as LLVM makes no vectors of what calls something."""
    return loop(function, fastmath={"contract"}, forceinline=True)
