"""The group over NCCL, on a stand-in: two ranks are two threads, whose "GPU" is this process's memory."""
import ctypes
import threading
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("mpi4py")
from tinycnn.distributed import nccl  # noqa: E402
from tinycnn.distributed.collectives import Work  # noqa: E402

TYPES = {"NCCL_INT8": "int8", "NCCL_UINT8": "uint8", "NCCL_INT32": "int32", "NCCL_INT64": "int64", "NCCL_FLOAT32": "float32",
         "NCCL_FLOAT64": "float64"}
FUNCTIONS = {"NCCL_SUM": sum, "NCCL_PROD": np.multiply.reduce, "NCCL_MAX": np.maximum.reduce, "NCCL_MIN": np.minimum.reduce}


class Array:
    """An array that is not NumPy's, with its memory at `data.ptr`."""

    def __init__(self, values):
        self.values = np.ascontiguousarray(values)
        self.dtype, self.size, self.shape = self.values.dtype, self.values.size, self.values.shape
        self.data = SimpleNamespace(ptr=self.values.ctypes.data)

    def copy(self):
        return Array(self.values.copy())

    def __getitem__(self, index):
        return self.values[index]

    def __setitem__(self, index, value):
        self.values[index] = value


class Ranks:
    """NCCL's communicator: what all ranks bring is on the board when all have come."""
    board, barrier, log = {}, threading.Barrier(2), []

    def __init__(self, size, key, rank):
        assert (size, key) == (2, "the key")
        self.rank = rank

    def _everybody(self, name, address, count, kind, stream):
        assert stream == "stream"
        self.log.append(name)
        view = np.frombuffer((ctypes.c_char * (count * np.dtype(TYPES[kind]).itemsize)).from_address(address), TYPES[kind])
        self.board[self.rank] = view.copy()
        self.barrier.wait()
        values = [self.board[rank] for rank in range(2)]
        self.barrier.wait()
        return values

    @staticmethod
    def _write(address, values):
        ctypes.memmove(address, np.ascontiguousarray(values).ctypes.data, values.nbytes)

    def allReduce(self, send, receive, count, kind, op, stream):
        self._write(receive, FUNCTIONS[op](self._everybody("allReduce", send, count, kind, stream)).astype(TYPES[kind]))

    def reduce(self, send, receive, count, kind, op, root, stream):
        values = FUNCTIONS[op](self._everybody("reduce", send, count, kind, stream))
        if self.rank == root:
            self._write(receive, values.astype(TYPES[kind]))

    def broadcast(self, send, receive, count, kind, root, stream):
        self._write(receive, self._everybody("broadcast", send, count, kind, stream)[root])

    def allGather(self, send, receive, count, kind, stream):
        self._write(receive, np.concatenate(self._everybody("allGather", send, count, kind, stream)))

    def destroy(self):
        pass


class Stream:
    """A stream that is done at once, and notes who waits for whom."""
    ptr = "stream"

    def __init__(self, non_blocking=True):
        self.waited = []

    def record(self):
        return SimpleNamespace(done=True)

    def wait_event(self, event):
        self.waited.append(event)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


class Comm:
    """MPI's communicator, as far as it is asked."""

    def __init__(self, rank):
        self.rank = rank

    def Get_rank(self):
        return self.rank

    def Get_size(self):
        return 2

    def bcast(self, value, root):
        return "the key"


@pytest.fixture
def group_of(monkeypatch):
    current = Stream()
    cupy = SimpleNamespace(cuda=SimpleNamespace(Stream=Stream, get_current_stream=lambda: current),
                           empty=lambda shape, dtype: Array(np.empty(shape, dtype)))
    library = SimpleNamespace(get_unique_id=lambda: "the key", NcclCommunicator=Ranks,
                              **{name: name for name in (*TYPES, *FUNCTIONS)})
    monkeypatch.setattr(nccl, "load_cupy", lambda: cupy)
    monkeypatch.setattr(nccl, "library", lambda: library)
    Ranks.log = []
    return lambda rank: nccl.GPUGroup(Comm(rank), 5.0, [0, 1], None)


def both(function):
    """[function(rank) of two threads]."""
    results = [None, None]

    def work(rank):
        results[rank] = function(rank)
    threads = [threading.Thread(target=work, args=(rank,)) for rank in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    return results


def test_nccl_does_what_mpi_does(group_of):
    def rank_program(rank):
        g, found = group_of(rank), {}
        for op in ("sum", "prod", "max", "min"):
            x = Array(np.array([1.0, 2, 3 + rank]) * (rank + 1))
            g.wait(g.start_all_reduce(x, op), op)
            found[op] = x.values.tolist()
        x = Array(np.array([5 + rank], np.int64))
        g.wait(g.start_broadcast(x, 1), "broadcast")
        found["broadcast"] = x.values.tolist()
        x, parts = Array(np.array([rank, 10.0], np.float32)), Array(np.zeros((2, 2), np.float32))
        g.wait(g.start_all_gather(x, parts), "all_gather")
        found["all_gather"] = parts.values.tolist()
        x = Array(np.array([rank + 1.0]))
        g.wait(g.start_reduce(x, 0), "reduce")
        found["reduce"] = x.values.tolist()
        x = Array(np.zeros(2))
        g.wait(g.start_scatter(x, Array(np.array([[1.0, 2], [3, 4]])) if rank == 0 else None, 0), "scatter")
        found["scatter"] = x.values.tolist()
        parts = Array(np.zeros((2, 1))) if rank == 1 else None
        g.wait(g.start_gather(Array(np.array([rank + 7.0])), parts, 1), "gather")
        found["gather"] = parts and parts.values.tolist()
        found["total"] = g.total(Array(np.array([rank + 1.0]))).values.tolist()
        assert g.stream.waited, "NCCL began before what the GPU was given earlier"
        assert g.cupy.cuda.get_current_stream().waited, "the GPU went on before NCCL was done"
        return found
    first, second = both(rank_program)
    assert first["sum"] == second["sum"] == [3, 6, 11] and first["prod"] == second["prod"] == [2, 8, 24]
    assert first["max"] == second["max"] == [2, 4, 8] and first["min"] == second["min"] == [1, 2, 3]
    assert first["broadcast"] == second["broadcast"] == [6]
    assert first["all_gather"] == second["all_gather"] == [[0, 10], [1, 10]]
    assert first["reduce"] == [3] and second["reduce"] == [2] and first["scatter"] == [1, 2] and second["scatter"] == [3, 4]
    assert first["gather"] is None and second["gather"] == [[7], [8]] and first["total"] == second["total"] == [3]


def test_work_waits_for_the_gpu_only_when_asked(group_of):
    def rank_program(rank):
        g, x, done = group_of(rank), Array(np.array([1.0])), []
        work = Work(g, g.start_all_reduce(x), "all_reduce", lambda: done.append(True))
        assert not done
        return work.wait(), work.wait(), done, x.values.tolist()
    assert both(rank_program) == [(True, True, [True], [2.0])] * 2


def test_without_nccl_it_is_said_how_to_get_it(monkeypatch):
    monkeypatch.setattr(nccl, "load_cupy", lambda: None)
    monkeypatch.setattr(nccl, "library", lambda: None)
    with pytest.raises(RuntimeError, match="backend 'nccl' needs NCCL beside CuPy"):
        nccl.GPUGroup(Comm(0), 1.0, [0, 1], None)
