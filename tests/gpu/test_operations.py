"""On a GPU: every case of the registry gives the CPU's numbers and passes the gradient check there."""
import numpy as np
import pytest

import tinycnn
from tests.helpers.strict_array import CpuStream
from tinycnn.engine import generators
from tinycnn.gradcheck import registry
from tinycnn.engine.tensor import wrap

registry.load()
pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not tinycnn.cuda.is_available(), reason="needs a GPU and CuPy")]


@pytest.fixture(autouse=True)
def device(monkeypatch):
    """The GPU is the default device, and draws the CPU's random numbers, so that results can be compared."""
    monkeypatch.setitem(generators.STREAMS, "cuda", CpuStream)
    monkeypatch.setattr(generators, "_generators", {})
    monkeypatch.setattr(tinycnn.engine.arrays, "_default_device", tinycnn.device("cuda"))


def tensors_of(result):
    """The tensors in what a call returned."""
    if isinstance(result, (tuple, list)):
        return [y for part in result for y in tensors_of(part)]
    return [result] if isinstance(result, tinycnn.Tensor) else []


def run(case, device, dtype):
    """The outputs of a case and the gradients of its inputs, as NumPy arrays."""
    tinycnn.manual_seed(0)
    inputs = [wrap(a.astype(dtype) if a.dtype.kind == "f" else a).to(device) for a in case.draw(seed=1)]
    for x, sample in zip(inputs, case.inputs):
        x.requires_grad_(sample.differentiable)
    tinycnn.set_default_device(device)
    outputs = tensors_of(case.call(tinycnn, *inputs))
    roots = [y for y in outputs if y.requires_grad]
    rng = np.random.default_rng(2)
    dys = [wrap(np.asarray(rng.standard_normal(y.shape), y.dtype)).to(device) for y in roots]
    wanted = [x for x in inputs if x.requires_grad]
    gradients = tinycnn.autograd.grad(roots, wanted, dys, allow_unused=True)
    assert all(y.device == tinycnn.device(device) for y in outputs)
    return [y.numpy(force=True) for y in outputs] + [None if g is None else g.numpy(force=True) for g in gradients]


@pytest.mark.parametrize("dtype, tolerance", [("float64", 1e-10), ("float32", 2e-4)])
@pytest.mark.parametrize("case", registry.CASES, ids=lambda c: c.id)
def test_a_case_gives_the_cpus_numbers(case, dtype, tolerance):
    for found, expected in zip(run(case, "cuda", dtype), run(case, "cpu", dtype), strict=True):
        assert (found is None) == (expected is None)
        if expected is not None:
            assert found.dtype == expected.dtype and found.shape == expected.shape
            largest = np.abs(expected[np.isfinite(expected)]).max(initial=1)
            np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance * float(largest))


@pytest.mark.parametrize("case", registry.CASES, ids=lambda c: c.id)
def test_a_case_passes_the_gradient_check(case):
    inputs = [wrap(a).to("cuda").requires_grad_(s.differentiable) for a, s in zip(case.draw(), case.inputs)]
    report = tinycnn.gradcheck(lambda *tensors: case.call(tinycnn, *tensors), *inputs, linear=case.linear)
    assert report, str(report)


@pytest.mark.parametrize("name", ["conv2d", "max_pool2d", "batch_norm", "cross_entropy", "relu", "dropout", "softmax"])
def test_float16_comes_close_to_float32(name):
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((4, 6, 9, 8)), rng.standard_normal((5, 6, 3, 3))
    F = tinycnn.nn.functional

    def run(dtype):
        tinycnn.manual_seed(0)
        a, b = (tinycnn.tensor(v, device="cuda").to(dtype).requires_grad_() for v in (x, w))
        y = {"conv2d": lambda: F.conv2d(a, b, padding=1), "max_pool2d": lambda: F.max_pool2d(a, 2),
             "batch_norm": lambda: F.batch_norm(a, None, None, training=True), "relu": lambda: F.relu(a),
             "cross_entropy": lambda: F.cross_entropy(a.mean((2, 3)), tinycnn.tensor([0, 5, 2, 1], device="cuda")),
             "dropout": lambda: F.dropout(a, 0.4), "softmax": lambda: F.softmax(a, -1)}[name]()
        y.sum().backward() if y.ndim == 0 else (y * y * y).sum().backward()
        return y.float().numpy(force=True), a.grad.float().numpy(force=True)

    for half, single in zip(run(tinycnn.float16), run(tinycnn.float32)):
        np.testing.assert_allclose(half, single, rtol=0.02, atol=0.02 * np.abs(single).max())


def test_a_gradient_is_the_same_to_the_last_bit_every_time():
    tinycnn.use_deterministic_algorithms(True)
    rng = np.random.default_rng(0)
    w = tinycnn.tensor(rng.standard_normal((7, 64)), dtype=tinycnn.float32, device="cuda", requires_grad=True)
    index = tinycnn.tensor(rng.integers(0, 7, 5000), device="cuda")
    x = tinycnn.tensor(rng.standard_normal((8, 16, 33, 31)), dtype=tinycnn.float32, device="cuda", requires_grad=True)
    k = tinycnn.tensor(rng.standard_normal((16, 16, 3, 3)), dtype=tinycnn.float32, device="cuda", requires_grad=True)
    F = tinycnn.nn.functional

    def gradients():
        w.grad = x.grad = k.grad = None
        (F.embedding(index, w) ** 2).sum().backward()
        (F.max_pool2d(F.batch_norm(F.conv2d(x, k, stride=2), None, None, training=True), 3, 1) ** 3).sum().backward()
        return [t.grad.numpy(force=True).tobytes() for t in (w, x, k)]

    first = gradients()
    assert all(gradients() == first for _ in range(5))
