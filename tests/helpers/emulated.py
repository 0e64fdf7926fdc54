"""The CUDA kernels on a CPU: compiled by the host's C++ compiler against `emulation.h`, and launched on strict arrays.

So a machine without a GPU runs the very text that the GPU will run, with the arguments that the GPU will get; what is left
to chance is the GPU itself: whether its compiler agrees, and how fast it is.
"""
import ctypes
import functools
import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from .strict_array import StrictArray

COMPILER = shutil.which("g++") or shutil.which("clang++")
launches = []  # the names of the kernels that were launched, in order


class RawModule:
    """cupy.RawModule."""

    def __init__(self, *, code, options, name_expressions):
        self.names = list(name_expressions)
        self.library = _compiled(code, tuple(options), tuple(name_expressions))

    def get_function(self, name):
        """cupy.RawKernel."""
        run = getattr(self.library, f"run{self.names.index(name)}")

        def launch(grid, block, args):
            launches.append(name.partition("<")[0])
            values = [_argument(a) for a in args]
            pointers = (ctypes.c_void_p * len(values))(*(ctypes.addressof(v) for v in values))
            run((ctypes.c_uint * 6)(*(*grid, 1, 1)[:3], *(*block, 1, 1)[:3]), pointers)
        return launch


@functools.cache
def _folder():
    return tempfile.TemporaryDirectory()


@functools.cache
def _compiled(code, options, names):
    runs = "".join(f'extern "C" __attribute__((visibility("default"))) void run{i}(const unsigned* shape, void** args) '
                   f"{{ emulation::launch(&{name}, shape, args); }}\n" for i, name in enumerate(names))
    code = code.replace("#include <cuda_fp16.h>", "typedef _Float16 __half;")
    text = f'#include "{Path(__file__).with_name("emulation.h")}"\n{code}\n{runs}'
    path = Path(_folder().name) / hashlib.sha1((text + " ".join(options)).encode()).hexdigest()
    path.with_suffix(".cpp").write_text(text)
    subprocess.run([COMPILER, *options, "-O1", "-fvisibility=hidden", "-fno-stack-protector", "-shared", "-fPIC", "-w", "-o",
                    path.with_suffix(".so"), path.with_suffix(".cpp")], check=True)
    return ctypes.CDLL(str(path.with_suffix(".so")))


def _argument(a):
    """A ctypes object at whose address the argument lies."""
    if a is None:
        return ctypes.c_void_p(None)
    if isinstance(a, StrictArray):
        if not a._a.flags.c_contiguous:
            raise ValueError("a kernel was given an array that is not contiguous")
        return ctypes.c_void_p(a._a.ctypes.data)
    if isinstance(a, np.ndarray):  # a struct, passed by value
        if a.size != 1:
            raise TypeError("a kernel was given a host array")
        return ctypes.create_string_buffer(a.tobytes(), a.itemsize)
    if isinstance(a, np.uint64):
        return ctypes.c_ulonglong(int(a))
    return {bool: ctypes.c_bool, int: ctypes.c_longlong, float: ctypes.c_double}[type(a)](a)
