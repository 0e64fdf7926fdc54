"""Which arrays the roads of processors serve."""
import numpy as np

from .compiled import missing


def on_cpu(x, *rest, **options):
    """An array of NumPy's."""
    return type(x) is np.ndarray


def compiled_floats(x, *rest, **options):
    """NumPy arrays of float32 or float64, where Numba is installed."""
    return type(x) is np.ndarray and x.dtype.char in "fd" and x.size > 0 and not missing()


compiled_floats.never = missing  # what `tinycnn roads` says of roads that ask this
