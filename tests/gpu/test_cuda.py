"""What only a GPU has, on the pretended one of `strict_array.py`, which notes what is queued when."""
import gc
import types
import weakref

import numpy as np
import pytest

from tests.helpers.strict_array import StrictArray, install, strict, timeline, uploads, waits
import tinycnn
from tinycnn.engine import arrays
from tinycnn.gpu import cuda
from tinycnn.data import DataLoader, TensorDataset
from tinycnn.engine.tensor import wrap


@pytest.fixture
def device(monkeypatch):
    install(monkeypatch)
    return arrays.Device("cuda")


def batches(n=5, size=4, **options):
    x = wrap(np.arange(n * size * 3, dtype=np.float32).reshape(-1, 3))
    return DataLoader(TensorDataset(x, wrap(np.arange(n * size))), size, pin_memory=True, **options)


@pytest.mark.parametrize("num_workers", [0, 2])
def test_the_loader_puts_batches_into_pinned_memory(device, num_workers):
    for x, y in batches(num_workers=num_workers):
        assert all(type(t.array) is np.ndarray and cuda.is_pinned(strict, t.array) for t in (x, y))
        assert x.array[0, 0] == 3 * y.array[0]


def test_without_a_gpu_pinning_changes_nothing():
    x = tinycnn.ones(3)
    assert x.pin_memory().array is x.array
    assert [y.array.tolist() for _, y in batches(1)] == [[0, 1, 2, 3]]


def test_what_is_not_pinned_is_copied_at_once(device):
    assert isinstance(tinycnn.ones(3, device="cpu").to("cuda", non_blocking=True).array, StrictArray)
    assert timeline == [] and uploads == [(3,)]


def test_what_is_made_on_the_gpu_is_not_copied_there(device):
    made = [tinycnn.zeros(2, 3), tinycnn.ones(3), tinycnn.empty(3), tinycnn.full((3,), 2.5)]
    made += [made[0].new_full((2,), 4), tinycnn.zeros_like(made[0]), tinycnn.ones_like(made[0], dtype=tinycnn.int64)]
    assert all(isinstance(x.array, StrictArray) for x in made) and uploads == [] and waits == []
    assert made[3].array._a.tolist() == [2.5] * 3 and made[6].dtype == "int64"
    assert type(tinycnn.zeros(2, device="cpu").array) is np.ndarray


def test_the_copy_of_a_batch_waits_for_the_step_before_the_last_only(device):
    starts = []
    for number, (x, y) in enumerate(batches()):
        starts.append(len(timeline))
        x, y = x.to(device, non_blocking=True), y.to(device, non_blocking=True)
        assert x.array._a[0, 0] == 12 * number
        timeline.append(("compute", f"step {number}"))
    for number in range(2, 5):
        part = timeline[starts[number]:]
        step_before = timeline.index(("compute", f"step {number - 1}"))
        marks = [what[1] for queue, what in part[:part.index(("compute", f"step {number}"))] if queue == "copies"
                 and what[0] == "wait"]
        assert len(marks) == 2 and all(mark <= step_before for mark in marks)  # so that step and copy can run side by side
        copied = part.index(("copies", ("copy", (4, 3))))
        arrival = next(what[1] for queue, what in part if queue == "compute" and what[0] == "wait")
        assert arrival > starts[number] + copied                               # and the next step begins after the copy
    assert waits == []


def test_memory_is_written_to_only_after_all_that_was_queued_before_it_was_taken(device, monkeypatch):
    taken, empty = {}, strict.empty

    def note(*args):
        array = empty(*args)
        taken[id(array)] = array, len(timeline)
        return array
    monkeypatch.setitem(strict.__dict__, "empty", note)
    for x, _ in batches():
        first = len(timeline)
        array = arrays.to_device(x.array, device, non_blocking=True)
        mark = next(what[1] for queue, what in timeline[first:] if what[0] == "wait" and queue == "copies")
        assert mark >= taken[id(array)][1]
        timeline.append(("compute", "step"))


def test_a_batch_is_kept_until_it_was_read_and_no_longer(device, monkeypatch):
    pinned = []

    def upload():
        host = arrays.pin(np.ones((2, 3), np.float32))
        pinned.append(weakref.ref(host))
        arrays.to_device(host, device, non_blocking=True)
    for _ in range(4):
        upload()
    gc.collect()
    assert all(ref() is not None for ref in pinned)   # the events of the pretended GPU are never done
    monkeypatch.setattr(type(strict.cuda.get_current_stream().record()), "done", True)
    upload()
    gc.collect()
    assert [ref() is not None for ref in pinned] == [False] * 4 + [True]


def test_room_is_kept_for_a_few_sizes_only(device):
    for n in range(1, 30):
        arrays.to_device(arrays.pin(np.ones(n, np.float32)), device, non_blocking=True)
    assert len(cuda.uploads(strict, 0).spare) <= cuda._SPARES


# ---- memory and precision ------------------------------------------------------------------------------------------------

def test_memory_that_runs_out_is_reported_with_what_was_asked_for_and_what_is_free():
    class Full(Exception):
        pass

    def malloc(size):
        if size > 2**20:
            raise Full
        return "memory"
    chosen = []
    pool = types.SimpleNamespace(malloc=malloc, used_bytes=lambda: 3 * 2**30)
    runtime = types.SimpleNamespace(memGetInfo=lambda: (2**30, 16 * 2**30), getDevice=lambda: 1)
    cuda.prepare(types.SimpleNamespace(
        get_default_memory_pool=lambda: pool, cuda=types.SimpleNamespace(
            set_allocator=chosen.append, runtime=runtime, memory=types.SimpleNamespace(OutOfMemoryError=Full))))
    assert chosen[0](2**20) == "memory"
    with pytest.raises(tinycnn.cuda.OutOfMemoryError, match="GPU 1: 5,120.0 MiB were asked for, 1,024.0 MiB of 16,384.0 MiB "
                                                            "are free, and the arrays of this program hold 3,072.0 MiB"):
        chosen[0](5 * 2**30)
    assert issubclass(tinycnn.cuda.OutOfMemoryError, RuntimeError)


def test_precision_has_pytorchs_names(monkeypatch):
    monkeypatch.setattr(arrays, "_precision", "highest")
    matmul = tinycnn.backends.cuda.matmul
    assert tinycnn.get_float32_matmul_precision() == "highest" and not matmul.allow_tf32
    matmul.allow_tf32 = True
    assert tinycnn.get_float32_matmul_precision() == "high"
    tinycnn.set_float32_matmul_precision("medium")
    assert matmul.allow_tf32
    matmul.allow_tf32 = False
    assert tinycnn.get_float32_matmul_precision() == "highest"
    with pytest.raises(ValueError, match="precision must be one of highest, high, medium, got 'low'"):
        tinycnn.set_float32_matmul_precision("low")


def test_a_device_without_number_is_the_current_gpu(device, monkeypatch):
    used = []
    monkeypatch.setattr(strict.cuda.runtime, "getDeviceCount", lambda: 2)
    monkeypatch.setattr(strict.cuda, "Device", lambda i: types.SimpleNamespace(use=lambda: used.append(i)))
    monkeypatch.setattr(arrays, "_current_gpu", 0)
    with tinycnn.cuda.device(1):
        assert str(tinycnn.device("cuda")) == "cuda:1" and tinycnn.cuda.current_device() == 1
        with tinycnn.cuda.device("cuda:0"):
            assert tinycnn.cuda.current_device() == 0
    assert tinycnn.cuda.current_device() == 0 and used == [1, 0, 1, 0]
    tinycnn.cuda.set_device(1)
    assert tinycnn.device("cuda") == tinycnn.device("cuda:1")
    with pytest.raises(RuntimeError, match=r"cuda:2 does not exist, this machine has 2 GPU\(s\)"):
        tinycnn.cuda.set_device(2)
    with pytest.raises(ValueError, match="expected a GPU, got 'cpu'"):
        tinycnn.cuda.set_device("cpu")


@pytest.mark.skipif(bool(tinycnn.cuda.device_count()), reason="there is a GPU here")
def test_without_a_gpu_the_error_says_what_to_install():
    with pytest.raises(RuntimeError, match="pip install 'cupy-cuda12x.ctk.'"):
        tinycnn.zeros(2, device="cuda")
