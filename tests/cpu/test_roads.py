"""The fast roads of the CPU: equal to the plain ones, in any number of threads, the same in every run; and the threads."""
import os
import subprocess
import sys
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinycnn
from tinycnn.cpu import workers
from tinycnn.ops.error_function import erf
from tinycnn.gradcheck import registry
from tinycnn.ops import attention, conv, elementwise, norm, pool, pool_average, pool_max, rearrange, rectifier
from tinycnn.cpu import (columns, conv as fast_conv, gelu as fast_gelu, layer_norm as fast_layer_norm, norm as fast_norm,
                         winograd)
from tinycnn.ops.conv import Conv, ConvTranspose, ConvWeight

registry.load()
NAMES = "convolve", "weight_gradient", "input_gradient", "bias_gradient"
PLAIN = {name: getattr(conv, name).__wrapped__ for name in NAMES}


@pytest.fixture(params=[1, 2, 3])
def threads(request, monkeypatch):
    """One, two or three threads, which take even the smallest work; pieces so small that every operation has several."""
    monkeypatch.setattr(workers, "_threads", request.param)
    monkeypatch.setattr(workers, "WORTH", 1e-15)
    monkeypatch.setattr(workers, "SHARED", 1)
    monkeypatch.setattr(columns, "PIECE_BYTES", 400)
    monkeypatch.setattr(columns.Columns, "piece_rows", 1)
    monkeypatch.setattr(columns.Columns, "few_windows", 0)
    if request.param == 3:
        winograd_for_all(monkeypatch)
    monkeypatch.setattr(fast_layer_norm, "PIECE_BYTES", 100)
    monkeypatch.setattr(fast_layer_norm, "LEAST", 1)
    monkeypatch.setattr(fast_norm, "PIECE", 25)
    monkeypatch.setattr(fast_norm, "WIDTH", 12)
    monkeypatch.setattr(fast_norm, "PLANE", 4)
    monkeypatch.setattr(pool, "PIECE_BYTES", 300)
    return request.param


def winograd_for_all(patch):
    """Every convolution that Winograd's road can serve, however small, takes it."""
    for name in ("LEAST", "FEWEST"):
        patch.setattr(winograd, name, 0)
    patch.setattr(winograd.Tiles, "least_rows", 1)
    for way in (winograd.Squares, winograd.Rows):
        patch.setattr(way, "piece_rows", 1)


def close(a, b):
    assert a.shape == b.shape and a.dtype == b.dtype
    np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-11)


@st.composite
def geometries(draw):
    """Shapes and options of a convolution that exists."""
    dims = draw(st.integers(1, 3))

    def numbers(low, high):
        return tuple(draw(st.integers(low, high)) for _ in range(dims))

    kernel, stride, dilation = numbers(1, 3), numbers(1, draw(st.sampled_from([1, 3]))), numbers(1, 2)
    padding = [(draw(st.integers(0, 3)), draw(st.integers(0, 3))) for _ in range(dims)]
    size = tuple(draw(st.integers(max(1, d * (k - 1) + 1 - sum(p)), 8)) for d, k, p in zip(dilation, kernel, padding))
    groups, channels, filters = draw(st.sampled_from([(1, 1, 4), (1, 6, 3), (2, 3, 2), (6, 1, 1), (6, 1, 2), (32, 2, 1)]))
    out = tuple((s + sum(p) - d * (k - 1) - 1) // t + 1 for s, p, d, k, t in zip(size, padding, dilation, kernel, stride))
    return (draw(st.integers(0, 4)), groups * channels, size, groups * filters, kernel, out,
            (stride, padding, dilation, groups), draw(st.booleans()))


@given(geometries(), st.sampled_from([1, 2, 3]), st.sampled_from([100, 400, 2**21]), st.sampled_from([0, 1024]))
@settings(max_examples=150, deadline=None)
def test_fast_convolution_is_plain_convolution_in_any_geometry(geometry, count, piece, few):
    batch, channels, size, filters, kernel, out, options, channels_last = geometry
    rng = np.random.default_rng(0)
    x = rng.standard_normal((batch, *size, channels))
    x = np.moveaxis(x, -1, 1) if channels_last else x.reshape(batch, channels, *size)
    w, b = rng.standard_normal((filters, channels // options[3], *kernel)), rng.standard_normal(filters)
    dy = rng.standard_normal((batch, filters, *out))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workers, "_threads", count)
        patch.setattr(workers, "WORTH", 1e-15)
        patch.setattr(columns, "PIECE_BYTES", piece)
        patch.setattr(columns.Columns, "piece_rows", 1)
        patch.setattr(columns.Columns, "few_windows", few)
        if few == 0:
            winograd_for_all(patch)
        close(fast_conv.convolve(x, w, out, *options, b), PLAIN["convolve"](x, w, out, *options, b))
        close(fast_conv.weight_gradient(x, dy, kernel, *options), PLAIN["weight_gradient"](x, dy, kernel, *options))
        close(fast_conv.input_gradient(dy, w, size, *options), PLAIN["input_gradient"](dy, w, size, *options))
        close(fast_conv.bias_gradient(dy), PLAIN["bias_gradient"](dy))


@pytest.mark.parametrize("way, kernel", [(winograd.Squares, (3, 3)), (winograd.Rows, (5, 5)), (winograd.Rows, (1, 6)),
                                         (winograd.Rows, (2, 3))])
@pytest.mark.parametrize("size, padding", [((6, 8), 1), ((5, 7), 2), ((8, 6), 0), ((5, 9), (2, 1)), ((7, 14), (0, 2))])
def test_winograds_convolution_is_plain_convolution(way, kernel, size, padding, threads, monkeypatch):
    winograd_for_all(monkeypatch)
    padding = [(p, p) for p in (padding if isinstance(padding, tuple) else (padding, padding))]
    out = tuple(s + 2 * p - k + 1 for s, (p, _), k in zip(size, padding, kernel))
    rng = np.random.default_rng(0)
    x, w, b = rng.standard_normal((3, 5, *size)), rng.standard_normal((4, 5, *kernel)), rng.standard_normal(4)
    dy, options = rng.standard_normal((3, 4, *out)), ((1, 1), padding, (1, 1), 1)
    close(winograd.convolve(way, x, w, out, padding, b), PLAIN["convolve"](x, w, out, *options, b))
    close(winograd.weight_gradient(way, x, dy, kernel, padding), PLAIN["weight_gradient"](x, dy, kernel, *options))


@pytest.mark.parametrize("kernel, dims", [(3, 2), (5, 1), (6, 1)])
def test_winograds_transforms_hold_no_tiny_numbers_which_make_products_denormal_and_slow(kernel, dims):
    for matrix in winograd.transforms(kernel, dims, np.dtype("f")):
        assert np.abs(matrix[matrix != 0]).min() > 1e-4


def test_winograds_road_is_for_many_channels_and_kernels_that_fit():
    def way(channels=64, filters=64, kernel=(3, 3), out=(32, 32), stride=(1, 1), dilation=(1, 1)):
        return winograd.way(2, channels, filters, kernel, out, stride, dilation)

    assert way() is winograd.Squares and way(kernel=(5, 5)) is winograd.Rows and way(kernel=(1, 6)) is winograd.Rows
    assert way(out=(4, 4)) is way(kernel=(5, 5), out=(9, 5)) is None    # few tiles; tiles hardly filled
    assert not any([way(channels=3), way(filters=10), way(kernel=(1, 1)), way(kernel=(7, 7)), way(kernel=(5,)),
                    way(stride=(2, 1)), way(dilation=(1, 2))])


@pytest.mark.parametrize("way, kernel, times", [(winograd.Squares, 3, 6), (winograd.Rows, 3, 3), (winograd.Rows, 5, 6),
                                                (winograd.Rows, 6, 9)])
def test_winograds_convolution_costs_no_more_accuracy_in_float32_than_it_says(way, kernel, times):
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((2, 256, 12, 12)), rng.standard_normal((130, 256, kernel, kernel))
    padding, out = [(1, 1)] * 2, (15 - kernel,) * 2
    exact = PLAIN["convolve"](x, w, out, (1, 1), padding, (1, 1), 1)
    plain = PLAIN["convolve"](x.astype("f"), w.astype("f"), out, (1, 1), padding, (1, 1), 1)
    y = winograd.convolve(way, x.astype("f"), w.astype("f"), out, padding)
    assert y.dtype == np.float32 and np.std(y - exact) < times * np.std(plain - exact)


def results(case):
    """Everything that a case computes: outputs, then gradients for a fixed cotangent."""
    tensors = [tinycnn.tensor(a, requires_grad=s.differentiable) for a, s in zip(case.draw(), case.inputs)]
    ys = case.call(tinycnn, *tensors)
    ys = [y for y in (ys if isinstance(ys, tuple) else (ys,)) if y.requires_grad]
    rng = np.random.default_rng(1)
    dys = [tinycnn.tensor(rng.standard_normal(y.shape)) for y in ys]
    grads = tinycnn.autograd.grad(ys, [t for t in tensors if t.requires_grad], dys)
    return [t.detach().array for t in (*ys, *grads)]


OPERATIONS = (Conv, ConvTranspose, ConvWeight, norm.Normalize, pool_max.MaxPool, pool_average.AvgPool,
              rectifier.ReLU, rectifier.Hardtanh, elementwise.Add, rearrange.Cat)
CASES = [case for operation in OPERATIONS for case in registry.cases_of(operation)]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_every_case_is_the_same_by_both_roads_and_in_every_run(case, threads, monkeypatch):
    fast, again = results(case), results(case)
    assert all(np.array_equal(a, b) for a, b in zip(fast, again))
    for name, plain in PLAIN.items():
        monkeypatch.setattr(conv, name, plain)
    for file in (fast_norm, fast_layer_norm):
        monkeypatch.setattr(file, "serves", lambda *_: False)
    for file in (pool_max, pool_average):
        monkeypatch.setattr(file, "by_images", lambda work, x, passes: work(slice(None)))
    for a, b in zip(fast, results(case), strict=True):
        close(a, b)


def test_fast_layer_norm_keeps_small_differences_of_large_numbers(threads):
    """Mean 1000, deviation 1: a variance in one pass, mean(x^2) - mean(x)^2, would have no right digit."""
    rng = np.random.default_rng(0)
    x, w = (1000 + rng.standard_normal((40, 30))).astype("f"), rng.standard_normal(30, dtype=np.float32)
    y, mu, r = fast_layer_norm.normalise_rows(x, w, None, 1e-5, 1)
    dx, dw, db = fast_layer_norm.gradients_of_rows(np.cos(y), x, mu, r, w, 1)
    assert {v.dtype for v in (y, mu, r, dx, dw, db)} == {np.dtype("f")}
    exact = x.astype(float) - x.mean(1, float, keepdims=True)
    np.testing.assert_allclose(y, w * exact / exact.std(1, keepdims=True), atol=3e-4)
    np.testing.assert_allclose(dw, (np.cos(y) * exact / exact.std(1, keepdims=True)).sum(0), atol=3e-3)


def test_second_derivatives_of_fast_layer_norm_are_the_plain_ones(threads, monkeypatch):
    rng = np.random.default_rng(0)
    values, v = rng.standard_normal((2, 4, 6))

    def second():
        x, w = tinycnn.tensor(values, requires_grad=True), tinycnn.tensor(v[0], requires_grad=True)
        y = tinycnn.nn.functional.layer_norm(x, (6,), w)
        (dx,) = tinycnn.autograd.grad((y * y * y).sum(), x, create_graph=True)
        return [g.array for g in tinycnn.autograd.grad((dx * tinycnn.tensor(v)).sum(), (x, w))]
    fast = second()
    monkeypatch.setattr(fast_layer_norm, "serves", lambda *_: False)
    for a, b in zip(fast, second(), strict=True):
        close(a, b)


@pytest.mark.parametrize("approximate", ["none", "tanh"])
@pytest.mark.parametrize("layout", [(0, 1, 2), (2, 0, 1)])
def test_gelu_in_float32_is_gelu_in_float64_rounded(approximate, layout, threads, monkeypatch):
    monkeypatch.setattr(workers, "PIECE", 40)
    values = np.concatenate([np.linspace(-9, 9, 1496), [1e3, -1e3, 1e18, -1e18]]).reshape(10, 30, 5).transpose(layout)

    def run(dtype):
        x = tinycnn.tensor(values.astype(dtype), requires_grad=True)
        x.array = x.array if layout == (0, 1, 2) else x.array.copy(order="F")
        y = tinycnn.nn.functional.gelu(x, approximate)
        y.backward(tinycnn.tensor(np.cos(values).astype(dtype)))
        return y.detach().array, x.grad.array
    fast, again, plain = run(np.float32), run(np.float32), run(np.float64)
    for a, b, c in zip(fast, again, plain):
        assert a.dtype == np.float32 and np.array_equal(a, b)
        np.testing.assert_allclose(a, c, rtol=5e-7, atol=1e-6)
    monkeypatch.setattr(fast_gelu, "serves", lambda x: False)
    for a, b in zip(fast, run(np.float32)):
        np.testing.assert_allclose(a, b, rtol=5e-7, atol=1e-6)


def test_erf_in_float32_is_right_to_float32s_precision_everywhere():
    x = np.concatenate([np.linspace(0, 6, 100001), 10.0 ** np.linspace(-37, 38, 1001)]).astype(np.float32)
    y, exact = erf(x), erf(x.astype(np.float64))
    assert y.dtype == np.float32 and abs(y - exact)[1:].max() < 1.8e-7 and (abs(y - exact)[1:] / exact[1:]).max() < 2.8e-7
    assert np.array_equal(erf(-x), -y) and np.signbit(erf(np.float32([-0.0])))[0]
    ends = erf(np.float32([np.inf, -np.inf, np.nan]))
    assert ends[0] == 1 and ends[1] == -1 and np.isnan(ends[2])


@pytest.mark.parametrize("shape", [(7, 3), (5, 4, 9), (2, 3, 61, 67), (1, 1, 40, 50), (3, 700, 2, 1), (1, 9000, 2, 2)])
@pytest.mark.parametrize("channels_last", [True, False])
def test_batch_norm_in_rows_of_any_length_is_plain_batch_norm(shape, channels_last, monkeypatch):
    def run():
        x = tinycnn.tensor(a, requires_grad=True)
        y = tinycnn.nn.functional.batch_norm(x, None, None, w, b, training=True)
        return [t.array for t in (y.detach(), *tinycnn.autograd.grad(y, (x, w, b), dy))]
    rng = np.random.default_rng(0)
    a = rng.standard_normal(shape)
    if channels_last:
        a = columns.channels_first(columns.channels_last(a))
    w, b = (tinycnn.tensor(rng.standard_normal(shape[1]), requires_grad=True) for _ in range(2))
    dy = tinycnn.tensor(rng.standard_normal(shape))
    fast = run()
    monkeypatch.setattr(fast_norm, "serves", lambda *_: False)
    for x, y in zip(fast, run(), strict=True):
        close(x, y)


def test_batch_norm_is_as_exact_as_float32_allows_where_the_mean_is_large():
    rng = np.random.default_rng(0)
    x, dy = rng.standard_normal((8, 3, 40, 40)) + 30, rng.standard_normal((8, 3, 40, 40)) + 0.5
    x[0] -= 3

    def run(dtype):
        t, w, b = (tinycnn.tensor(a, dtype=dtype, requires_grad=True) for a in (x.astype(np.float32), [2.0] * 3, [1.0] * 3))
        mean, variance = tinycnn.zeros(3, dtype=dtype), tinycnn.zeros(3, dtype=dtype)
        y = tinycnn.nn.functional.batch_norm(t, mean, variance, w, b, training=True, momentum=1.0)
        gradients = tinycnn.autograd.grad(y, (t, w, b), tinycnn.tensor(dy, dtype=dtype))
        return [r.detach().array for r in (mean, variance, y, *gradients)]
    for got, exact in zip(run(tinycnn.float32), run(tinycnn.float64), strict=True):
        assert abs(got - exact).max() <= 2e-4 * abs(exact).max()


def test_large_images_are_the_same_by_both_roads_and_in_every_run():
    rng = np.random.default_rng(0)
    x, w = (rng.standard_normal(s, dtype=np.float32) for s in ((5, 16, 70, 60), (24, 16, 3, 3)))
    options = (68, 58), (1, 1), [(0, 0)] * 2, (1, 1), 1
    y = fast_conv.convolve(x, w, *options)
    assert y.dtype == np.float32 and np.array_equal(y, fast_conv.convolve(x, w, *options))
    np.testing.assert_allclose(y, PLAIN["convolve"](x, w, *options), rtol=1e-4, atol=1e-4)
    gradients = [fast_conv.weight_gradient(x, y, (3, 3), *options[1:]) for _ in range(3)]
    assert all(np.array_equal(gradients[0], g) for g in gradients)


def test_convolution_pooling_and_norm_hand_on_images_with_channels_last_in_memory():
    x = tinycnn.randn(2, 3, 8, 8)
    y = tinycnn.nn.functional.conv2d(x, tinycnn.randn(6, 3, 3, 3), padding=1).requires_grad_()
    z = tinycnn.nn.functional.batch_norm(y, None, None, training=True)
    p = tinycnn.nn.functional.max_pool2d(z.relu(), 2)
    p.retain_grad()
    q = tinycnn.nn.functional.avg_pool2d(p, 2)
    for t in (y, z, p, q):
        assert t.array.transpose(0, 2, 3, 1).flags.c_contiguous, t.shape
    assert y.shape == (2, 6, 8, 8) and q.shape == (2, 6, 2, 2)


def test_half_precision_stays_half_precision():
    x, w = (np.ones(s, np.float16) for s in ((2, 8, 4, 4), (3, 8, 3, 3)))
    options = (1, 1), [(1, 1)] * 2, (1, 1), 1
    y = fast_conv.convolve(x, w, (4, 4), *options)
    assert y.dtype == np.float16 and y.max() == 72
    assert fast_conv.weight_gradient(x, y, (3, 3), *options).dtype == np.float16


# ---- the threads -----------------------------------------------------------------------------------------------------

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


def test_several_callers_at_once_get_their_own_results(threads):
    found = {}

    def caller(i):
        found[i] = workers.parallel(lambda start, stop: i * (stop - start), 20, moved=1e12)

    callers = [threading.Thread(target=caller, args=(i,)) for i in range(8)]
    for thread in callers:
        thread.start()
    for thread in callers:
        thread.join(30)
    assert {i: sum(parts) for i, parts in found.items()} == {i: 20 * i for i in range(8)}


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
    workers._default_threads.cache_clear()
    monkeypatch.setattr(workers, "_threads", None)
    monkeypatch.delenv("TINYCNN_THREADS", raising=False)
    try:
        assert workers.get_num_threads() == 1
        here = threading.get_ident()
        assert set(workers.parallel(lambda start, stop: threading.get_ident(), 10, moved=1e12)) == {here}
    finally:
        workers._default_threads.cache_clear()


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


def test_a_forked_child_starts_threads_of_its_own():
    code = ("import os, tinycnn\nfrom tinycnn.cpu import workers\ntinycnn.set_num_threads(2)\n"
            "go = lambda: sum(workers.parallel(lambda a, b: b - a, 10, moved=1e12))\n"
            "assert go() == 10\nchild = os.fork()\n"
            "if child == 0:\n    os._exit(0 if go() == 10 else 1)\n"
            "raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))")
    if not hasattr(os, "fork"):
        pytest.skip("no fork here")
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


@pytest.mark.parametrize("layout", [(0, 1, 2), (0, 2, 1), (2, 0, 1)])
def test_elementwise_work_by_pieces_is_the_same_in_every_layout(layout, threads, monkeypatch):
    monkeypatch.setattr(workers, "PIECE", 7)
    x, y = (np.random.default_rng(i).standard_normal((3, 5, 4), dtype=np.float32).transpose(layout) for i in range(2))
    z = workers.by_pieces(lambda x, y: x * y + 1, x, y)
    assert np.array_equal(z, x * y + 1) and z.dtype == np.float32 and z.strides == x.strides
    other = np.ascontiguousarray(y) if layout != (0, 1, 2) else np.asfortranarray(y)
    assert np.array_equal(workers.by_pieces(lambda x, y: x - y, x, other), x - y)  # laid out differently: called whole
    for y in (y, other):
        z = workers.by_pieces(lambda z, x, y: np.subtract(x, y, out=z), x, y, writes=True)
        assert np.array_equal(z, x - y) and z.dtype == np.float32 and z.strides == x.strides


def test_the_variance_of_a_large_constant_is_never_negative():
    mean, variance = tinycnn.zeros(2), tinycnn.zeros(2)
    x = tinycnn.full((64, 2, 64, 64), 1e8)
    x[:, 1] = 3e7 + 1
    y = tinycnn.nn.functional.batch_norm(x, mean, variance, training=True, momentum=1.0)
    assert variance.array.min() >= 0 and np.isfinite(y.array).all()


@pytest.mark.parametrize("layout", [(0, 1, 2), (0, 2, 1), (2, 0, 1)])
def test_an_operation_that_is_shared_out_is_the_same_in_every_layout(layout, threads):
    x, y = (np.random.default_rng(i).standard_normal((3, 5, 4)).transpose(layout) for i in range(2))
    assert workers.large(x, y)
    z = workers.share(np.add, x, y)
    assert np.array_equal(z, x + y) and z.strides == x.strides
    assert workers.share(np.subtract, z, y, out=z) is z
    close(z, x)
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


@pytest.mark.parametrize("n, k, m", [(40, 7, 30), (6, 50, 9), (1, 3, 5), (5, 4, 1)])
def test_products_in_parts_are_products(n, k, m, threads):
    rng = np.random.default_rng(0)
    a, b, row = rng.standard_normal((n, k)), rng.standard_normal((k, m)), rng.standard_normal(m)
    close(workers.product(a, b, row=row), a @ b + row)
    for y, exact in zip(workers.products((a, b), (b.T, a.T)), (a @ b, b.T @ a.T), strict=True):
        close(y, exact)
    batch = rng.standard_normal((3, n, k))
    for y, exact in zip(workers.products((batch, b), (a, b)), (batch @ b, a @ b), strict=True):
        close(y, exact)


@pytest.mark.parametrize("shape", [(40, 3, 5, 4), (2, 7, 3)])
def test_attention_in_parts_of_the_batch_is_attention(shape, threads, monkeypatch):
    monkeypatch.setattr(attention, "PIECE_BYTES", 500)
    rng = np.random.default_rng(0)
    q, k, v, dy = (rng.standard_normal(shape).swapaxes(-2, 1) for _ in range(4))
    m = rng.random((*q.shape[:-1], q.shape[-2])) * 2
    for mask in (None, m[0, ..., :, :] - 1, m * 3):
        tensors = [None if a is None else tinycnn.tensor(a, requires_grad=a is not mask) for a in (q, k, v, mask, m)]
        tensors[4].requires_grad_(False)

        def run():
            y = attention.Attention.apply(*tensors, scale=0.7)
            return [y.array, *(g.array for g in tinycnn.autograd.grad(y, tensors[:3], tinycnn.tensor(dy)))]
        with monkeypatch.context() as patch:
            fast = run()
            patch.setattr(attention, "divisible", lambda *_: False)
            for a, b in zip(fast, run(), strict=True):
                close(a, b)


def test_a_linear_layer_does_not_copy_transposed_rows():
    x = tinycnn.randn(5, 4, 3).transpose(0, 1).requires_grad_()
    w, b = tinycnn.randn(2, 3), tinycnn.randn(2)
    y = tinycnn.nn.functional.linear(x, w, b)
    assert y.array.transpose(1, 0, 2).flags.c_contiguous
    np.testing.assert_allclose(y.detach().numpy(), x.detach().numpy() @ w.numpy().T + b.numpy(), rtol=1e-5, atol=1e-6)
    (dx,) = tinycnn.autograd.grad(y, x, tinycnn.ones(4, 5, 2))
    np.testing.assert_allclose(dx.numpy(), np.broadcast_to(w.numpy().sum(0), (4, 5, 3)), rtol=1e-5, atol=1e-6)


def test_products_of_float16_are_those_of_float32_rounded(threads):
    rng = np.random.default_rng(0)
    x, w = (tinycnn.tensor(rng.standard_normal(shape), dtype=tinycnn.float16) for shape in ((2, 64, 5, 5), (3, 64, 3, 3)))
    a, b = x.reshape(10, 320), w.reshape(3, 576)[:, :320].T
    for y, exact in ((tinycnn.conv2d(x, w), tinycnn.conv2d(x.float(), w.float())), (a @ b, a.float() @ b.float())):
        assert y.dtype == np.float16 and np.array_equal(y.array, exact.array.astype(np.float16))
    half, whole = ([v.astype(dtype) for v in (a.array, b.array)] for dtype in (np.float16, np.float32))
    row = np.ones(3, np.float16)
    exact = (whole[0] @ whole[1]).astype(np.float16)
    assert np.array_equal(workers.product(*half, row=row), exact + row)
    assert all(np.array_equal(y, exact) and y.dtype == np.float16 for y in workers.products(half, half))
