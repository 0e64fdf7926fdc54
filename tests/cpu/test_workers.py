"""Threads: the same bits for any number of them, errors, callers at once, and what BLAS does meanwhile."""
import os
import queue
import signal
import subprocess
import sys
import threading
import time
import weakref

import numpy as np
import pytest

import tinycnn
from tests.helpers.cases import PROGRAMS
from tests.helpers.roads import make_small
from tinycnn.cpu import workers


@pytest.fixture(params=[1, 2, 3])
def threads(request, monkeypatch):
    """One, two or three threads, which take even the smallest work; pieces so small that every operation has several."""
    make_small(monkeypatch, request.param)
    return request.param


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.id)
def test_results_are_the_same_to_the_last_bit_for_any_number_of_threads(program, monkeypatch):
    def run(count):
        make_small(monkeypatch, count)
        return [a if a is None else a.tobytes() for a in program.run("float32")]
    assert run(1) == run(2) == run(3)


def test_parts_cover_the_range_once_and_in_order(threads):
    parts = workers.parallel(lambda start, stop: list(range(start, stop)), 100, moved=1e12)
    assert sum(parts, []) == list(range(100)) and len(parts) > 1
    assert workers.parallel(lambda start, stop: (start, stop), 0, moved=1e12) == [(0, 0)]


def test_a_training_step_has_the_same_bits_for_every_number_of_threads(monkeypatch):
    def step(count):
        monkeypatch.setattr(workers, "_threads", count)
        tinycnn.manual_seed(0)
        net = tinycnn.nn.Sequential(
            tinycnn.nn.Conv2d(3, 16, 3, padding=1), tinycnn.nn.BatchNorm2d(16), tinycnn.nn.ReLU(), tinycnn.nn.MaxPool2d(2),
            tinycnn.nn.Conv2d(16, 16, 3, groups=16), tinycnn.nn.Flatten(), tinycnn.nn.Linear(16 * 30 * 30, 50))
        tinycnn.nn.functional.cross_entropy(net(tinycnn.randn(24, 3, 64, 64)), tinycnn.randint(50, (24,))).backward()
        return [p.grad.array.tobytes() for p in net.parameters()]
    monkeypatch.setattr(workers, "WORTH", 1e-5)
    assert step(1) == step(2) == step(3)


def test_little_work_stays_on_one_core(monkeypatch):
    monkeypatch.setattr(workers, "_threads", 2)
    here = threading.get_ident()
    assert workers.parallel(lambda *_: threading.get_ident(), 1000, flops=1e6) == [here]


def test_an_error_in_a_part_reaches_the_caller_and_the_threads_survive(threads):
    def work(start, stop):
        if stop == 10:
            raise KeyError("the last part")
        return 1
    with pytest.raises(KeyError, match="the last part"):
        workers.parallel(work, 10, moved=1e12)
    assert sum(workers.parallel(lambda start, stop: stop - start, 10, moved=1e12)) == 10


def test_parallel_work_within_parallel_work_does_not_wait_for_itself(threads):
    def outer(start, stop):
        return sum(workers.parallel(lambda a, b: b - a, stop - start, moved=1e12))
    assert sum(workers.parallel(outer, 50, moved=1e12)) == 50


def test_several_callers_at_once_get_their_own_results(threads, awake):
    found = {}

    def caller(i):
        found[i] = workers.parallel(lambda start, stop: i * (stop - start), 20, moved=1e12)

    callers = [threading.Thread(target=caller, args=(i,)) for i in range(8)]
    for thread in callers:
        thread.start()
    for thread in callers:
        thread.join(30)
    assert {i: sum(parts) for i, parts in found.items()} == {i: 20 * i for i in range(8)}


def test_work_is_cut_by_its_size_alone(monkeypatch):
    monkeypatch.setattr(workers, "WORTH", 1e-4)
    for threads in (1, 3):
        monkeypatch.setattr(workers, "_threads", threads)
        cuts = [len(workers.parallel(lambda i, j: None, 1000, moved=ms * 1e-3 * workers.BYTES))
                for ms in (0.1, 0.19, 0.21, 0.81, 1.9, 3.3, 13, 1000)]
        assert cuts == [1, 1, 2, 4, 6, 8, 16, 16]
        assert len(workers.parallel(lambda i, j: None, 1000, flops=1e12, most=4)) == 4
        assert len(workers.parallel(lambda i, j: None, 3, flops=1e12)) == 2


@pytest.fixture(params=[False, True], ids=["asleep", "awake"])
def awake(request, monkeypatch):
    """Whether threads stay awake for a while after their part."""
    if request.param:
        pytest.importorskip("numba")
        if workers.missing():
            pytest.skip(workers.missing())
        assert workers._meeting() is not None
        monkeypatch.setattr(workers, "CORES", 8)
    else:
        monkeypatch.setattr(workers, "_meeting", lambda: None)


@pytest.mark.parametrize("pause", [0, 30e-6, 1e-3])
def test_consecutive_operations_find_the_threads_awake_or_asleep(pause, awake, threads):
    for i in range(50):
        parts = workers.parallel(lambda start, stop: i + stop - start, 6, moved=1e12)
        assert sum(parts) == 6 * (i + 1)
        time.sleep(pause)


def test_another_thread_takes_a_part_while_the_caller_is_busy(awake, monkeypatch):
    make_small(monkeypatch, 2)
    both = threading.Barrier(2)
    for _ in range(20):
        workers.parallel(lambda start, stop: both.wait(30), 2, moved=1e12)


def test_the_first_of_several_errors_is_raised_by_the_caller(awake, monkeypatch):
    make_small(monkeypatch, 2)
    both = threading.Barrier(2)

    def work(start, stop):
        both.wait(30)
        raise KeyError(start)
    for _ in range(5):
        with pytest.raises(KeyError, match="0"):
            workers.parallel(work, 2, moved=1e12)


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="a signal cannot be sent to a thread here")
def test_an_interrupt_ends_the_wait_for_another_thread(awake, monkeypatch):
    make_small(monkeypatch, 2)
    both, go_on, waited = threading.Barrier(2), threading.Event(), queue.Queue()

    def work(start, stop):
        both.wait(30)
        if threading.current_thread() is not threading.main_thread():
            time.sleep(0.05)
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
            waited.put(go_on.wait(30))
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have had it ignored
    try:
        with pytest.raises(KeyboardInterrupt):
            workers.parallel(work, 2, moved=1e12)
    finally:
        signal.signal(signal.SIGINT, before)
    go_on.set()
    assert waited.get(timeout=30)  # the caller did not wait until the other thread gave up
    assert sum(workers.parallel(lambda start, stop: stop - start, 10, moved=1e12)) == 10


def test_arrays_of_an_operation_are_freed_when_it_ends(awake, monkeypatch):
    make_small(monkeypatch, 3)
    for _ in range(20):
        x = np.zeros(10)
        freed = weakref.ref(x)
        workers.parallel(lambda start, stop, x=x: x[start:stop] + 1, 10, moved=1e12)
        del x
        end = time.monotonic() + 30
        while freed() is not None and time.monotonic() < end:
            time.sleep(1e-3)  # a thread that was just about to look for another part
        assert freed() is None


def test_blas_has_one_thread_within_and_its_own_number_after():
    if workers.openblas() is None:
        pytest.skip("NumPy has another BLAS here")
    get, put = workers.openblas()
    before = get()
    try:
        put(2)
        with workers.one_blas_thread():
            with workers.one_blas_thread():
                assert get() == 1
            assert get() == 1
        assert get() == 2
    finally:
        put(before)


def test_without_openblas_everything_works_on_one_thread(monkeypatch):
    monkeypatch.setattr(workers, "openblas", lambda: None)
    workers.default_threads.cache_clear()
    monkeypatch.setattr(workers, "_threads", None)
    monkeypatch.delenv("TINYCNN_THREADS", raising=False)
    try:
        assert workers.get_num_threads() == 1
        here = threading.get_ident()
        assert set(workers.parallel(lambda start, stop: threading.get_ident(), 10, moved=1e12)) == {here}
    finally:
        workers.default_threads.cache_clear()


@pytest.mark.parametrize("n", [0, -1, 1.5, True, "2"])
def test_set_num_threads_refuses_what_is_no_count(n):
    with pytest.raises(ValueError, match=f"set_num_threads: n must be an integer of at least 1, got {n!r}"):
        tinycnn.set_num_threads(n)


def test_threads_and_allocator_are_chosen_by_the_environment():
    code = ("import tinycnn; print(tinycnn.get_num_threads()); tinycnn.set_num_threads(2); "
            "print(tinycnn.get_num_threads()); x = tinycnn.ones(1, 1, 2, 2); print(tinycnn.conv2d(x, x).item())")
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                         env={"TINYCNN_THREADS": "3", "TINYCNN_MALLOPT": "0", "TINYCNN_BLAS": "0", "PATH": ""})
    assert run.stdout.split() == ["3", "2", "4.0"]


@pytest.mark.parametrize("first", ["import os", pytest.param("import os, numba", marks=pytest.mark.skipif(
    bool(workers.missing()), reason="needs Numba"))], ids=["asleep", "awake"])
def test_a_forked_child_starts_threads_of_its_own(first):
    code = (f"{first}\nimport tinycnn\nfrom tinycnn.cpu import workers\ntinycnn.set_num_threads(2)\n"
            "go = lambda: sum(workers.parallel(lambda a, b: b - a, 10, moved=1e12))\n"
            "assert go() == 10\nchild = os.fork()\n"
            "if child == 0:\n    os._exit(0 if go() == 10 else 1)\n"
            "raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))")
    if not hasattr(os, "fork"):
        pytest.skip("no fork here")
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


@pytest.mark.parametrize("layout", [(0, 1, 2), (0, 2, 1), (2, 0, 1)])
def test_an_operation_that_is_shared_out_is_the_same_in_every_layout(layout, threads):
    x, y = (np.random.default_rng(i).standard_normal((3, 5, 4)).transpose(layout) for i in range(2))
    assert workers.large(x, y)
    z = workers.share(np.add, x, y)
    assert np.array_equal(z, x + y) and z.strides == x.strides
    assert workers.share(np.subtract, z, y, out=z) is z
    np.testing.assert_allclose(z, x, rtol=1e-11, atol=1e-11)
    others = x.astype(np.float32), y[:1], y[::-1], 1.0, np.asfortranarray(x)
    assert not any(workers.large(x, other) for other in others) and not workers.large(x[:, ::2], y[:, ::2])


def test_gradients_that_meet_are_added_on_all_cores_as_on_one(threads, monkeypatch):
    def gradient():
        x = tinycnn.tensor(np.random.default_rng(0).standard_normal((4, 5)), requires_grad=True)
        y = x * 2
        (y.sin() + y.cos() + y.exp() + y).sum().backward()
        return x.grad.array
    shared = gradient()
    monkeypatch.setattr(workers, "SHARED", 2**60)
    assert np.array_equal(shared, gradient())


def test_aligned_arrays_begin_at_a_cache_line_and_are_as_large_as_asked_for():
    for shape in [(), (5,), (4, 33)]:
        for dtype in (np.float16, np.float32, np.float64):
            x = workers.aligned(shape, dtype)
            assert x.shape == shape and x.dtype == dtype and x.flags.c_contiguous and x.ctypes.data % 64 == 0
    assert workers.aligned((0, 3), np.float32).shape == (0, 3)
