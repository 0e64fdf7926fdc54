"""Programs for GPUs: compiling and launching them.

Most formulas stay on a GPU as they are. A few are worth a program of their own: those that would walk through memory several
times, and convolution, whose columns would be most of the bytes that it moves. They stand in the .cu files beside this one,
in CUDA C++. A Python file of the same room allocates the results, says how many threads are needed, and launches them.

A launch only puts the work into the GPU's queue. Nothing here waits for a result, and no result depends on which thread
comes first: no kernel adds to a number that another thread may be adding to.

CuPy compiles a file when one of its kernels is first launched (a second or so), and keeps the program on disk.
"""
import functools
import re
from pathlib import Path

import numpy as np

from ..engine.arrays import array_module, is_array

THREADS = 256      # in a block, as in common.cuh
BLOCKS = 65536     # at most; each thread then does the work of several, see FOR_EACH in common.cuh
WHOLE = 2048       # blocks that keep every processor of a large GPU busy
TYPES = {"float32": "float", "float64": "double", "float16": "__half"}
DTYPES = {np.dtype(name) for name in TYPES}
FILES = {path.stem: path for path in Path(__file__).parent.glob("*.cu")}


def serves(x):
    """Whether the kernels can work on the array x: on a GPU, of float16, float32 or float64, and not empty."""
    return (type(x) is not np.ndarray and is_array(x) and x.dtype in DTYPES and x.size > 0
            and hasattr(array_module(x), "RawModule"))


def knows(file, dtype):
    """Whether the kernels of a file work on arrays of `dtype`: those that draw numbers or keep weights not on float16."""
    return dtype in DTYPES and (dtype != "float16" or file not in ("optim", "random"))


def source(file, dtype):
    """The text of a .cu file that is compiled for arrays of `dtype`, and the names of the kernels in it."""
    text = re.sub(r'#include "(.*)"\n', lambda match: FILES[file].with_name(match[1]).read_text(), FILES[file].read_text())
    names = re.findall(r"__global__ (?:__launch_bounds__\S* \S* )?void (\w+)\(", text)
    half = "#include <cuda_fp16.h>\n" if dtype == "float16" else ""
    return half + FILES[file].with_name("common.cuh").read_text() + text, [f"{name}<{TYPES[dtype]}>" for name in names]


@functools.cache
def _module(xp, file, dtype, options):
    text, names = source(file, dtype)
    return xp.RawModule(code=text, options=("-std=c++17", *options), name_expressions=tuple(names))


@functools.cache
def _kernel(xp, file, name, dtype, options):
    return _module(xp, file, dtype.name, options).get_function(f"{name}<{TYPES[dtype.name]}>")


def launch(file, name, xp, dtype, grid, *args, options=()):
    """Run a kernel in a grid of blocks. Integers arrive there as long long, floats as double, arrays as pointers."""
    _kernel(xp, file, name, dtype, options)(grid, (THREADS,), args)


def threads(count):
    """The grid for a thread an element."""
    return (max(1, min(-(-count // THREADS), BLOCKS)),)


def some(count):
    """The grid for threads that do many elements each, where the first takes longer than those after it."""
    return (max(1, min(-(-count // THREADS), WHOLE)),)


def warps(rows):
    """The grid for a warp, 32 threads, a row."""
    return (-(-rows // (THREADS // 32)),)


def like(x, *arrays):
    """The arrays, contiguous and in the dtype of x; None stays None, and booleans stay booleans."""
    dtype, out = x.dtype, []
    for a in arrays:
        if a is not None and not (a.dtype == dtype and a.flags.c_contiguous):
            a = array_module(x).ascontiguousarray(a, bool if a.dtype == bool else dtype)
        out.append(a)
    return out


def by_value(struct):
    """An array of one structure, as CuPy takes it for a launch; as mere bytes it costs a tenth of the time."""
    return struct.view(f"V{struct.itemsize}")


def sum_type(dtype):
    """The dtype of the type Sum<T> in common.cuh."""
    return np.dtype(np.float64 if dtype == np.float64 else np.float32)
