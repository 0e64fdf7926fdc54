"""What the whole process is asked to do for the sake of speed: nothing, where TINYCNN_ROADS is 0."""
import ctypes
import os

from ..engine.formula import takes_roads
from .workers import default_threads, openblas


def hold_blas():
    """Let BLAS use one thread from now on, after noting how many it had."""
    if os.environ.get("TINYCNN_BLAS") != "0" and openblas():
        default_threads()
        openblas()[1](1)


def keep_freed_memory():
    """Ask the C library to keep large blocks that are freed, for the next array, instead of returning them to the system.

    A training step allocates the same arrays again and again. Fresh from the system, every page of them must first be
    cleared and mapped: measured, an array of 6 MB costs 2 ms fresh and 0.2 ms reused, a whole step of a small network up to
    a third. The numbers are glibc's: M_MMAP_THRESHOLD (-3) and M_TRIM_THRESHOLD (-1). Nothing happens with other C libraries
    or where the variable TINYCNN_MALLOPT is 0.
    """
    if os.environ.get("TINYCNN_MALLOPT") == "0" or not hasattr(os, "confstr"):
        return
    try:
        if not os.confstr("CS_GNU_LIBC_VERSION").startswith("glibc"):
            return
        mallopt = ctypes.CDLL(None).mallopt
    except (ValueError, OSError, AttributeError):
        return
    mallopt(-3, 2**30)
    mallopt(-1, 2**30)


if takes_roads():
    hold_blas()
    keep_freed_memory()
