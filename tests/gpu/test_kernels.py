"""The CUDA kernels: that they compile for GPUs, and, run on the CPU by `emulated.py`, that they compute what they should."""
import ctypes
import ctypes.util
import importlib.util
import math
from pathlib import Path

import numpy as np
import pytest

import tinycnn
import tinycnn.nn as nn
import tinycnn.nn.functional as F
from tests.helpers import emulated
from tests.helpers.cases import RULES, run
from tests.helpers.roads import on_a_gpu_of
from tests.helpers.strict_array import StrictArray, install, uploads, waits
from tinycnn import optim
from tinycnn.engine.tensor import wrap
from tinycnn.gpu import launch
from tinycnn.gpu.conv import COLUMNS, GEOMETRY, variants
from tinycnn.gpu.norm import _planes
from tinycnn.gpu.optim import ENTRIES, TABLE
from tinycnn.gpu.random import CounterStream, philox, uniform
from tinycnn.gradcheck import registry
from tinycnn.ops.norm import moments

registry.load()

emulate = pytest.mark.skipif(emulated.COMPILER is None, reason="needs a C++ compiler, to run the CUDA kernels on the CPU")


def device(monkeypatch, **options):
    """Until the test ends, 'cuda' is the emulated GPU."""
    install(monkeypatch, kernels=emulated.RawModule, **options)
    emulated.launches.clear()


# ---- compiling for GPUs --------------------------------------------------------------------------------------------------

def find_nvrtc():
    """(library, options) of CUDA's compiler at run time, from its Python package or the system, or None."""
    places, headers = [ctypes.util.find_library("nvrtc")], [Path("/usr/local/cuda/include")]
    spec = importlib.util.find_spec("nvidia")
    for root in map(Path, spec.submodule_search_locations if spec else ()):
        places += map(str, sorted(root.rglob("libnvrtc.so*")))
        headers = [path.parent for path in root.rglob("cuda_fp16.h")] + headers
    places += map(str, Path("/usr/local/cuda").glob("lib64/libnvrtc.so*"))
    for place in filter(None, places):
        try:
            return ctypes.CDLL(place), [f"-I{path}" for path in headers if (path / "cuda_fp16.h").exists()]
        except OSError:
            continue
    return None


@pytest.mark.parametrize("architecture", ["sm_80", "sm_90"])
@pytest.mark.parametrize("file, dtype, variant", [
    (file, dtype, variant)
    for file in launch.FILES for dtype in launch.TYPES for variant in variants(file, dtype)],
    ids=lambda value: "".join(value).replace("-D", " ").strip() if isinstance(value, tuple) else value)
def test_kernels_compile_for_gpus(file, dtype, variant, architecture):
    if not launch.knows(file, np.dtype(dtype)):
        pytest.skip(f"{file}.cu is not used with {dtype}")
    found = find_nvrtc()
    if found is None:
        pytest.skip("needs NVRTC: pip install nvidia-cuda-nvrtc-cu12 nvidia-cuda-runtime-cu12")
    nvrtc, include = found
    if dtype == "float16" and not include:
        pytest.skip("needs cuda_fp16.h: pip install nvidia-cuda-runtime-cu12")
    text, names = launch.source(file, dtype)
    program = ctypes.c_void_p()
    assert nvrtc.nvrtcCreateProgram(ctypes.byref(program), text.encode(), f"{file}.cu".encode(), 0, None, None) == 0
    for name in names:
        assert nvrtc.nvrtcAddNameExpression(program, name.encode()) == 0
    options = [f"--gpu-architecture={architecture}", "-std=c++17", *variant, *include]
    failed = nvrtc.nvrtcCompileProgram(program, len(options), (ctypes.c_char_p * len(options))(*map(str.encode, options)))
    size = ctypes.c_size_t()
    nvrtc.nvrtcGetProgramLogSize(program, ctypes.byref(size))
    log = ctypes.create_string_buffer(size.value)
    nvrtc.nvrtcGetProgramLog(program, log)
    assert not failed and b"warning" not in log.value, log.value.decode()
    lowered = ctypes.c_char_p()
    for name in names:
        assert nvrtc.nvrtcGetLoweredName(program, name.encode(), ctypes.byref(lowered)) == 0, name


# ---- random numbers ------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("counter, seed, words", [
    (0, 0, "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
])
def test_philox_gives_the_published_numbers(counter, seed, words):
    assert " ".join(f"{int(w):08x}" for w in philox(np, seed, counter, 1)[0]) == words


@emulate
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("count", [1, 3, 4, 5, 2051])
def test_the_kernel_draws_the_numbers_of_the_plain_road(dtype, count, monkeypatch):
    on_a_gpu_of(monkeypatch, BLOCKS=1)
    for seed, first in ((0, 0), (2**63 + 12345, 7), (99, 2**33)):
        expected = uniform(np, seed, first, count, np.dtype(dtype))
        with monkeypatch.context() as patch:
            device(patch)
            assert (uniform(tinycnn.engine.arrays.load_cupy(), seed, first, count, np.dtype(dtype))._a == expected).all()
        assert expected.dtype == dtype and (expected >= 0).all() and (expected < 1).all()


def test_a_stream_continues_where_its_state_says(monkeypatch):
    install(monkeypatch, stream=CounterStream)
    g = tinycnn.Generator("cuda").manual_seed(5)
    g.uniform((3, 5)), g.normal(7), g.integers(0, 2**62, 3)
    state = g.get_state()
    assert state == {"seed": 5, "position": 4 + 2 * 2 + 2 * 2} and all(type(v) is int for v in state.values())
    ahead = [a._a for a in (g.uniform(4), g.normal((2, 3), np.float64), g.permutation(9))]
    g.set_state(state)
    assert all((a == b._a).all() for a, b in zip(ahead, (g.uniform(4), g.normal((2, 3), np.float64), g.permutation(9))))
    with pytest.raises(ValueError, match="another kind of device than cpu"):
        tinycnn.Generator().set_state(state)
    with pytest.raises(ValueError, match="another kind of device than cuda:0"):
        g.set_state(tinycnn.Generator().get_state())
    assert waits == []


def test_numbers_of_the_stream_are_distributed_as_they_should_be():
    stream = CounterStream(np, 3)
    u, z, k = stream.random(20000, np.float32), stream.standard_normal(20000), stream.integers(-3, 4, 20000)
    assert abs(u.mean() - 0.5) < 0.01 and abs(np.var(u) - 1 / 12) < 0.005 and abs(np.corrcoef(u[1:], u[:-1])[0, 1]) < 0.03
    assert abs(z.mean()) < 0.03 and abs(z.std() - 1) < 0.02 and abs((np.abs(z) < 1).mean() - 0.6827) < 0.02
    assert set(k) == set(range(-3, 4)) and np.bincount(k + 3).min() > 2600
    large = stream.integers(0, 2**62, 1000)
    assert large.min() >= 0 and large.max() < 2**62 and abs(large.mean() / 2**61 - 1) < 0.1


# ---- sizes at which a thread does the work of several, and a channel is cut into parts -----------------------------------

@emulate
def test_a_thread_does_the_work_of_several_where_there_are_not_enough(monkeypatch):
    rng = np.random.default_rng(0)
    x, w, b = rng.standard_normal((2, 4, 23, 19)), rng.standard_normal((6, 2, 3, 2)), rng.standard_normal(6)

    def run(make):
        t = [wrap(make(a)).requires_grad_() for a in (x, w, b)]
        y = F.relu(F.conv2d(*t, stride=(2, 1), padding=(1, 2), dilation=(1, 2), groups=2))
        y = F.max_pool2d(F.batch_norm(y, None, None, training=True), (3, 2), (2, 1), 1)
        (y * wrap(make(np.cos(np.arange(y.numel())).reshape(y.shape)))).sum().backward()
        return [y.array] + [a.grad.array for a in t]

    expected = run(np.array)
    device(monkeypatch)
    on_a_gpu_of(monkeypatch, BLOCKS=2, WHOLE=12)
    for found, right in zip(run(lambda a: StrictArray(a.copy())), expected):
        np.testing.assert_allclose(found._a, right, rtol=1e-11, atol=1e-12)


@emulate
def test_moments_of_a_channel_are_joined_from_its_parts(monkeypatch):
    x = np.random.default_rng(1).standard_normal((5, 3, 70, 61)).astype(np.float32) + 1000
    device(monkeypatch)
    assert _planes(x)[3] == 10
    mu, var = moments(StrictArray(x), (0, 2, 3))
    assert emulated.launches == ["moments", "join_moments"]
    np.testing.assert_allclose(mu._a.ravel(), x.mean((0, 2, 3), np.float64), rtol=1e-7)
    np.testing.assert_allclose(var._a.ravel(), x.astype(np.float64).var((0, 2, 3)), rtol=1e-4)


@emulate
def test_a_nan_goes_through_pooling_and_softmax(monkeypatch):
    x = np.arange(32.0).reshape(1, 2, 4, 4)
    x[0, 0, 1, 1] = np.nan
    expected, whole = F.max_pool2d(wrap(x), 2).array, F.softmax(wrap(x), -1).array
    device(monkeypatch)
    np.testing.assert_array_equal(F.max_pool2d(wrap(StrictArray(x)), 2).array._a, expected)
    np.testing.assert_allclose(F.softmax(wrap(StrictArray(x)), -1).array._a, whole)


ACTIVATIONS = [F.relu, F.relu6, F.hardsigmoid, F.hardswish, F.leaky_relu, F.sigmoid, F.silu, F.elu, F.selu, F.gelu,
               lambda x: F.gelu(x, "tanh"), lambda x: F.hardtanh(x, -0.1, 0.3)]


@emulate
@pytest.mark.parametrize("function", ACTIVATIONS, ids=range(len(ACTIVATIONS)))
def test_an_activation_in_float32_far_out_at_its_bends_and_at_a_nan(function, monkeypatch):
    numbers = np.array([-200, -7, -3, -1, -0.1, 0, 0.3, 0.7, 3, 5, 6, 8, 200, np.nan], np.float32)

    def run(make):
        x = wrap(make(numbers)).requires_grad_()
        y = function(x)
        y.backward(wrap(make(np.linspace(0.7, 1, len(numbers), dtype=np.float32))))
        return y.array, x.grad.array

    expected = run(np.float64)
    device(monkeypatch)
    for found, right in zip(run(lambda a: StrictArray(a.copy())), expected):
        assert found.dtype == np.float32
        np.testing.assert_allclose(found._a, right, rtol=1e-6, atol=2e-7)


@emulate
@pytest.mark.parametrize("largest, expected", [(True, [5, 7, 3, np.nan]), (False, [1, 2, 3, np.nan])])
def test_extremes_of_values_for_one_place_and_nan_beats_them(largest, expected, monkeypatch):
    device(monkeypatch)
    target, index = StrictArray(np.array([1.0, 2, 3, 4])), StrictArray(np.array([0, 3, 1, 0, 1]))
    tinycnn.engine.arrays.extreme_at(target, (index,), StrictArray(np.array([5.0, np.nan, 2, 4, 7])), largest)
    np.testing.assert_array_equal(target._a, expected)
    assert waits == []


# ---- optimizers ----------------------------------------------------------------------------------------------------------

@emulate
@pytest.mark.parametrize("rule", RULES)
def test_one_launch_updates_all_parameters_as_the_formula_does(rule, monkeypatch):
    shapes = [(3, 4), (), (5,), (300, 2), (2, 0), *[(2,)] * 70]

    def run(make):
        rng = np.random.default_rng(0)
        params = [wrap(make(rng.standard_normal(s).astype("f" if s == (5,) else "d"))).requires_grad_() for s in shapes]
        optimizer = RULES[rule](params)
        for step in range(4):
            for i, p in enumerate(params):
                p.grad = None if i == 2 and step == 1 else wrap(make(rng.standard_normal(p.shape).astype(p.dtype)))
            optimizer.step()
        return [p.array for p in params], optimizer.state_dict()

    expected, state = run(np.array)
    device(monkeypatch)
    found, on_device = run(lambda a: StrictArray(np.array(a)))
    for a, b in zip(found, expected):
        np.testing.assert_allclose(a._a, b, rtol=1e-5 if b.dtype == np.float32 else 1e-12)
    assert waits == [] and on_device["state"].keys() == state["state"].keys()
    float64 = -(-(len(shapes) - 2) // ENTRIES)
    kernel = {"Adam": "adam", "AdamW": "adam", "amsgrad": None}.get(rule, "sgd")
    assert emulated.launches.count(kernel) == (4 * float64 + 3 if kernel else 0)


@emulate
def test_a_rule_of_a_subclass_is_computed_as_it_says(monkeypatch):
    class Signs(optim.Adam):
        def update(self, p, dp, state, group):
            p -= group["lr"] * (dp / abs(dp))

    class Renamed(optim.Adam):
        pass

    device(monkeypatch)
    for kind, count in ((Signs, 0), (Renamed, 1)):
        p = wrap(StrictArray(np.zeros(3))).requires_grad_()
        p.grad = wrap(StrictArray(np.array([5.0, -1, 2])))
        kind([p], 0.5).step()
        assert emulated.launches.count("adam") == count
        np.testing.assert_allclose(p.array._a, [-0.5, 0.5, -0.5], rtol=1e-6)


@emulate
def test_a_state_that_was_loaded_in_another_memory_order_is_read_rightly(monkeypatch):
    buffer, grad = np.arange(6.0).reshape(3, 2), np.random.default_rng(0).standard_normal((2, 3))

    def run(make):
        p = wrap(make(np.zeros((2, 3)))).requires_grad_()
        optimizer = optim.SGD([p], 0.1, 0.9, maximize=True)
        optimizer.load_state_dict({**optimizer.state_dict(), "state": {0: {"momentum_buffer": wrap(make(buffer).T)}}})
        p.grad = wrap(make(grad))
        optimizer.step()
        return p.array

    expected = run(np.array)
    device(monkeypatch)
    np.testing.assert_allclose(run(lambda a: StrictArray(np.array(a)))._a, expected, rtol=1e-12)


# ---- a training step -----------------------------------------------------------------------------------------------------

def small_net():
    return nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.3),
                         nn.Conv2d(4, 4, 3, groups=4), nn.ReLU(), nn.Flatten(), nn.Linear(16, 10))


@emulate
@pytest.mark.parametrize("road", [None, emulated.RawModule], ids=["plain", "kernels"])
@pytest.mark.parametrize("kind", ["SGD", "AdamW"])
def test_a_training_step_only_uploads_its_batch(kind, road, monkeypatch):
    from tinycnn.train import fit
    install(monkeypatch, kernels=road, stream=CounterStream)
    tinycnn.manual_seed(0)
    model = small_net()
    optimizer = getattr(optim, kind)(model.parameters(), 0.01, weight_decay=0.1)
    rng = np.random.default_rng(0)
    batches = [(wrap(rng.standard_normal((6, 1, 8, 8)).astype(np.float32)), wrap(rng.integers(0, 10, 6))) for _ in range(3)]
    noted = []

    class Loader:
        def __len__(self):
            return 3

        def __iter__(self):
            for batch in batches:
                noted.append((list(uploads), list(waits)))
                uploads.clear(), waits.clear()
                yield batch
            noted.append((list(uploads), list(waits)))
            waits.clear()

    history = fit(model, Loader(), epochs=1, optimizer=optimizer, clip_norm=1.0, progress=False)
    for up, waited in noted[1:]:
        assert up == [(6, 1, 8, 8), (6,)] and waited == []
    assert set(waits) == {"float", "int"} and math.isfinite(history[0]["train_loss"])  # at the end of the epoch


@emulate
def test_a_training_that_is_cut_off_continues_bit_for_bit(monkeypatch, tmp_path):
    from tinycnn.data import DataLoader, TensorDataset
    from tinycnn.train import fit
    device(monkeypatch, stream=CounterStream)
    rng = np.random.default_rng(0)
    data = TensorDataset(wrap(rng.standard_normal((18, 1, 8, 8)).astype(np.float32)), wrap(rng.integers(0, 10, 18)))

    class Killed(Exception):
        pass

    def train(path, seed, last=None):
        tinycnn.manual_seed(seed)
        model = small_net()
        steps = []

        def die(info):
            steps.append(info)
            if len(steps) == last:
                raise Killed
        fit(model, DataLoader(data, 6, shuffle=True), epochs=2, optimizer=optim.Adam(model.parameters(), 0.01),
            after_step=die, checkpoint=path, checkpoint_seconds=0, resume=True, progress=False)
        return [t.array._a.tobytes() for t in model.state_dict().values()]

    whole = train(tmp_path / "whole", 1)
    with pytest.raises(Killed):
        train(tmp_path / "cut", 1, last=3)
    assert train(tmp_path / "cut", 2) == whole


@emulate
def test_a_label_out_of_range_makes_the_loss_nan_on_a_gpu(monkeypatch):
    device(monkeypatch)
    scores = wrap(StrictArray(np.ones((3, 4), np.float32)))
    loss = F.cross_entropy(scores, wrap(StrictArray(np.array([0, 4, 1]))))
    assert waits == [] and math.isnan(loss.item())
    fine = F.cross_entropy(scores, wrap(StrictArray(np.array([0, -100, 1]))))
    assert fine.item() == pytest.approx(math.log(4))


# ---- threads -------------------------------------------------------------------------------------------------------------

@emulate
@pytest.mark.parametrize("name", ["Conv", "ConvTranspose", "ConvWeight", "Normalize", "Softmax", "CrossEntropy"])
def test_no_result_depends_on_which_thread_comes_first(name, monkeypatch):
    device(monkeypatch)
    cases = [case for case in registry.CASES if case.function.__name__ == name]
    assert cases

    def results():
        return [a._a.tobytes() for case in cases for part in run(case, lambda a: StrictArray(a.copy())) for a in part
                if a is not None]
    forward = results()
    monkeypatch.setenv("EMULATION_BACKWARD", "1")
    assert results() == forward


# ---- nothing is left out -------------------------------------------------------------------------------------------------

OTHERS = {"sgd", "adam", "uniform", "sum_parts"}  # which the tests above, and those of test_conv.py, run


@emulate
def test_every_kernel_is_run_by_these_tests_or_by_the_cases_of_the_registry(monkeypatch):
    device(monkeypatch)
    for case in registry.CASES:
        if not set(emulated.launches) >= {name for file in launch.FILES for name in names_in(file)} - OTHERS:
            run(case, lambda a: StrictArray(a.copy()))
    missing = {name for file in launch.FILES for name in names_in(file)} - set(emulated.launches)
    assert missing == OTHERS


def names_in(file):
    return [name.partition("<")[0] for name in launch.source(file, "float64")[1]]


def test_sizes_agree_between_cuda_and_python():
    rules, common, product = (launch.FILES["optim"].with_name(name).read_text()
                              for name in ("optim.cu", "common.cuh", "product.cuh"))
    assert f"#define ENTRIES {ENTRIES} " in rules and f"#define THREADS {launch.THREADS} " in common
    assert f"#define COLUMNS {COLUMNS}\n" in product
    assert TABLE.itemsize + 6 * 8 <= 4096  # bytes of a launch
    assert tuple(common.partition("struct Geometry { int ")[2].partition(";")[0].split(", ")) == GEOMETRY.names
