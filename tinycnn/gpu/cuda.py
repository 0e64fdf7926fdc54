"""What only a GPU has: memory that runs out, copies that run beside the computation, and faster, coarser products.

A GPU works off a queue. A call of CuPy puts work into it and returns at once, and the program waits only where it wants to
see a number. A training step that never looks keeps the queue full, and the GPU busy.
"""
import functools
from collections import deque

import numpy as np

from ..engine import arrays
from ..engine.arrays import OutOfMemoryError, array_module, cuda_device_count, load_cupy, precision
from .launch import serves

_SPARES = 8  # sizes of batches for which room is kept ready


def prepare(cupy):
    """Give CuPy our allocator, which says what to do when memory runs out."""
    pool = cupy.get_default_memory_pool()

    def allocate(size):
        try:
            return pool.malloc(size)
        except cupy.cuda.memory.OutOfMemoryError:
            raise OutOfMemoryError(_shortage(cupy, pool, size)) from None

    cupy.cuda.set_allocator(allocate)


def _shortage(cupy, pool, size):
    """What is to be said when `size` bytes cannot be had."""
    free, total = cupy.cuda.runtime.memGetInfo()
    asked, free, total, used = (f"{n / 2**20:,.1f} MiB" for n in (size, free, total, pool.used_bytes()))
    return (f"out of memory on GPU {cupy.cuda.runtime.getDevice()}: {asked} were asked for, {free} of {total} are free, and "
            f"the arrays of this program hold {used}. Take a smaller batch, evaluate under no_grad(), or drop what is no "
            "longer needed")


# ---- copies beside the computation -----------------------------------------------------------------------------------

def pinned(cupy, array):
    """A copy of a NumPy array in memory that the system may not move, so that the GPU can fetch it by itself."""
    memory = cupy.cuda.alloc_pinned_memory(array.nbytes)
    copy = np.frombuffer(memory, array.dtype, array.size).reshape(array.shape)
    copy[...] = array
    return copy


def is_pinned(cupy, array):
    """Whether a NumPy array lies in such memory, and in one piece."""
    kind = cupy.cuda.runtime.pointerGetAttributes(array.ctypes.data).type
    return kind == cupy.cuda.runtime.memoryTypeHost and array.flags.c_contiguous


class Uploads:
    """Copies of arrays in pinned memory to one GPU, on a stream (a queue) of their own: while it computes, it also copies.

    Two things must not happen. The host's memory must not be used for the next batch before it has been read: `waiting`
    holds on to it. And the GPU's must not be written to while an earlier step, still in the queue, reads what was there
    before: so room for the next batch is taken beforehand, together with a mark of how far the queue of computations reached
    at that time, and the copy waits for that mark only. The step that was queued after the mark runs beside the copy.
    """

    def __init__(self, cupy):
        self.cupy, self.stream = cupy, cupy.cuda.Stream(non_blocking=True)
        self.spare, self.waiting = {}, deque()

    def __call__(self, array):
        """`array` on the GPU; whatever is computed with it waits until it has arrived."""
        compute, kind = self.cupy.cuda.get_current_stream(), (array.shape, array.dtype.str)
        room, mark = self.spare.pop(kind, None) or self._room(compute, kind)
        self.stream.wait_event(mark)
        room.set(array, stream=self.stream)
        arrived = self.stream.record()
        compute.wait_event(arrived)
        self.waiting.append((arrived, array))
        while self.waiting[0][0].done and len(self.waiting) > 1:
            self.waiting.popleft()
        self.spare[kind] = self._room(compute, kind)
        if len(self.spare) > _SPARES:
            self.spare.pop(next(iter(self.spare)))
        return room

    def _room(self, compute, kind):
        return self.cupy.empty(*kind), compute.record()


@functools.cache
def uploads(cupy, index):
    """The Uploads of GPU number `index`, which is the current one."""
    return Uploads(cupy)


def in_memory(array, *rest):
    """An array of NumPy's, where there is a GPU."""
    return type(array) is np.ndarray and array.size and cuda_device_count() > 0


@arrays.pin.road(in_memory)
def pin_in_memory(array):
    """A copy in pinned memory."""
    return pinned(load_cupy(), array)


def in_pinned_memory(array, non_blocking):
    """An array in pinned memory, to be copied while others go on."""
    return non_blocking and is_pinned(load_cupy(), array)


@arrays.upload.road(in_pinned_memory)
def upload_beside(array, non_blocking):
    """A copy on a stream of its own."""
    cupy = load_cupy()
    return uploads(cupy, cupy.cuda.runtime.getDevice())(array)


# ---- products of matrices ----------------------------------------------------------------------------------------------

def tensor_cores(cupy, dtype):
    """Whether tensor cores may compute our products of `dtype`: float16, and float32 unless it is to be exact.

    They need a GPU of compute capability 8.0.
    """
    allowed = dtype == np.float16 or dtype == np.float32 and precision() != "highest"
    return allowed and _capability(cupy, cupy.cuda.runtime.getDevice()) >= 80


@functools.cache
def _capability(cupy, index):
    return int(cupy.cuda.Device(index).compute_capability)


def set_products(cupy):
    """Let the GPU round what it multiplies: "highest" is float32, "high" keeps 10 bits after the leading one (TF32).

    "medium" would allow 7 (bfloat16); CuPy offers no such product, so it is the same as "high". Convolutions do the same.
    Sums are float32 always, also those of float16 products.
    """
    from cupy._core import _routines_linalg as products
    from cupy_backends.cuda.libs import cublas
    exact = precision() == "highest"
    products.set_compute_type(np.float32, products.COMPUTE_TYPE_DEFAULT if exact else products.COMPUTE_TYPE_TF32)
    # batches of products ask cuBLAS itself: CUBLAS_DEFAULT_MATH is 0, CUBLAS_TF32_TENSOR_OP_MATH is 3
    cublas.setMathMode(cupy.cuda.device.get_cublas_handle(), 0 if exact else 3)


def batches(a, b):
    """Two batches of matrices on a GPU, as many in both."""
    return (serves(a) and a.ndim > 2 and a.shape[:-2] == b.shape[:-2] and a.dtype == b.dtype and b.size > 0)


@arrays.matmul.road(batches)
def matmul_of_batches(a, b):
    """One launch for all, without copies of what lies transposed."""
    return batched_product(array_module(a), a, b, 1.0)


def batched_product(cupy, a, b, scale):
    """scale a @ b, for a (..., N, K) and b (..., K, M) with the same batch dimensions; any of them may lie transposed.

    CuPy's own first copies what lies transposed, and turns float16 to float32. Here sums are float32, as everywhere.
    """
    from cupy_backends.cuda.libs import cublas
    # of the arrays: CUDA_R_16F, 32F, 64F; of what is computed in: CUBLAS_COMPUTE_32F, 64F
    kind, compute = {"e": (2, 68), "f": (0, 68), "d": (1, 70)}[a.dtype.char]
    factors = np.array([scale, 0], np.float64 if a.dtype == np.float64 else np.float32)
    (n, k), m = a.shape[-2:], b.shape[-1]
    y = cupy.empty((*a.shape[:-1], m), a.dtype)
    (a, flip_a, step_a), (b, flip_b, step_b) = _lying(cupy, a), _lying(cupy, b)
    # BLAS reads memory column by column, and so sees y^T = b^T a^T
    cublas.gemmStridedBatchedEx(
        cupy.cuda.device.get_cublas_handle(), flip_b, flip_a, m, n, k, factors.ctypes.data, b.data.ptr, kind, step_b, k * m,
        a.data.ptr, kind, step_a, n * k, factors.ctypes.data + factors.itemsize, y.data.ptr, kind, m, n * m,
        y.size // (n * m), compute, -1)
    return y


def _lying(cupy, x):
    """x, or a copy, with matrices in one piece; whether they lie transposed; and the step from line to line."""
    if not x.flags.c_contiguous and x.swapaxes(-1, -2).flags.c_contiguous:
        return x, 1, x.shape[-2]
    return cupy.ascontiguousarray(x), 0, x.shape[-1]


arrays.PREPARE.extend([prepare, set_products])
