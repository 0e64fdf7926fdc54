"""GPUs that exchange arrays by NCCL, one process a GPU. MPI brings the processes together and carries everything else."""
import numpy as np

from ..engine.arrays import load_cupy
from .group import ProcessGroup

TYPES = {"int8": "NCCL_INT8", "uint8": "NCCL_UINT8", "int32": "NCCL_INT32", "int64": "NCCL_INT64", "float32": "NCCL_FLOAT32",
         "float64": "NCCL_FLOAT64"}
OPERATIONS = {"sum": "NCCL_SUM", "prod": "NCCL_PROD", "max": "NCCL_MAX", "min": "NCCL_MIN"}


def library():
    """CuPy's module for NCCL, None where it, or NCCL, is missing."""
    try:
        from cupy.cuda import nccl
    except ImportError:
        return None
    return nccl if getattr(nccl, "available", True) else None


class Event:
    """What NCCL has been asked for, as a request: finished when the GPU has come to this place of the stream."""

    def __init__(self, stream, ready):
        self._event, self._ready = stream.record(), ready

    def Test(self):
        """Whether it is finished; the work that the GPU is given from now on then comes after it."""
        if not self._event.done:
            return False
        self._ready(self._event)
        return True


class GPUGroup(ProcessGroup):
    """A group whose arrays live on GPUs. NCCL works on a stream of its own, beside the backward pass."""
    backend, reads_gpus = "nccl", True

    def __init__(self, comm, timeout, members, calls):
        super().__init__(comm, timeout, members, calls)
        self.cupy, self.nccl = load_cupy(), library()
        if self.nccl is None:
            raise RuntimeError("init_process_group: backend 'nccl' needs NCCL beside CuPy: pip install nvidia-nccl-cu12, or "
                               "use backend='mpi'")
        key = comm.bcast(self.nccl.get_unique_id() if self.rank == 0 else None, 0)
        self.ranks = self.nccl.NcclCommunicator(self.size, key, self.rank)
        self.stream = self.cupy.cuda.Stream(non_blocking=True)

    def free(self):
        """Let go of the communicators."""
        self.ranks.destroy()
        super().free()

    def _start(self, array, call, otherwise):
        """The request of `call(stream)`, after what the GPU was given before; arrays of NumPy's go `otherwise`."""
        if isinstance(array, np.ndarray):
            return otherwise()
        self.stream.wait_event(self.cupy.cuda.get_current_stream().record())
        call(self.stream.ptr)
        return self._event()

    def _event(self):
        return Event(self.stream, self.cupy.cuda.get_current_stream().wait_event)

    def _type(self, array):
        return getattr(self.nccl, TYPES[array.dtype.name])

    def start_all_reduce(self, array, op="sum"):
        """As in ProcessGroup."""
        return self._start(array, lambda stream: self.ranks.allReduce(
            array.data.ptr, array.data.ptr, array.size, self._type(array), getattr(self.nccl, OPERATIONS[op]), stream),
            lambda: super(GPUGroup, self).start_all_reduce(array, op))

    def start_reduce(self, array, dst, op="sum"):
        """As in ProcessGroup."""
        return self._start(array, lambda stream: self.ranks.reduce(
            array.data.ptr, array.data.ptr, array.size, self._type(array), getattr(self.nccl, OPERATIONS[op]), dst, stream),
            lambda: super(GPUGroup, self).start_reduce(array, dst, op))

    def start_broadcast(self, array, src):
        """As in ProcessGroup."""
        return self._start(array, lambda stream: self.ranks.broadcast(
            array.data.ptr, array.data.ptr, array.size, self._type(array), src, stream),
            lambda: super(GPUGroup, self).start_broadcast(array, src))

    def start_all_gather(self, array, parts):
        """As in ProcessGroup."""
        return self._start(array, lambda stream: self.ranks.allGather(
            array.data.ptr, parts.data.ptr, array.size, self._type(array), stream),
            lambda: super(GPUGroup, self).start_all_gather(array, parts))

    def start_gather(self, array, parts, dst):
        """As in ProcessGroup, by way of `start_all_gather`."""
        if isinstance(array, np.ndarray):
            return super().start_gather(array, parts, dst)
        room = self.cupy.empty((self.size, *array.shape), array.dtype) if parts is None else parts
        return self.start_all_gather(array, room)

    def start_scatter(self, array, parts, src):
        """As in ProcessGroup: all parts go everywhere, and each rank takes its own."""
        if isinstance(array, np.ndarray):
            return super().start_scatter(array, parts, src)
        room = self.cupy.empty((self.size, *array.shape), array.dtype) if parts is None else parts
        self.start_broadcast(room, src)
        with self.stream:
            array[...] = room[self.rank]
        return self._event()

    def total(self, array):
        """The sum of every rank's array."""
        result = array.copy()
        self.wait(self.start_all_reduce(result), "a sum")
        return result
