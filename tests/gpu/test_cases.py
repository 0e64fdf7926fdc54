"""Every operation on an array that refuses what CuPy refuses: no host arrays, no NumPy-only spelling, no silent transfer."""
import numpy as np
import pytest

from tests.helpers import emulated
from tests.helpers.strict_array import StrictArray, install, strict, waits
import tinycnn
from tinycnn.gradcheck import registry
from tinycnn.engine.tensor import wrap

registry.load()

MAY_WAIT = {  # where forward must know values on the host, and why
    "SquaredError": ["bool"],                                   # a negative variance is an error, not a wrong answer
    "GetItem": ["index by a mask", "int"],                      # the mask or the repeats decide the shape of the result
    "SetItem": ["index by a mask"],
}
NEEDS_KERNELS = {"ScatterExtreme"}  # CuPy's maximum.at is no road: see strict_array.py


def tensors_of(result):
    """The tensors in what a call returned."""
    if isinstance(result, (tuple, list)):
        return [y for part in result for y in tensors_of(part)]
    return [result] if isinstance(result, tinycnn.Tensor) else []


def run(case, make):
    """The arrays of the outputs of a case and of the gradients of its inputs."""
    tinycnn.manual_seed(0)
    inputs = [wrap(make(a)).requires_grad_(s.differentiable) for a, s in zip(case.draw(seed=1), case.inputs)]
    outputs = tensors_of(case.call(tinycnn, *inputs))
    roots = [y for y in outputs if y.requires_grad]
    rng = np.random.default_rng(2)
    dys = [wrap(make(np.asarray(rng.standard_normal(y.shape), y.dtype))) for y in roots]
    wanted = [x for x in inputs if x.requires_grad]
    gradients = tinycnn.autograd.grad(roots, wanted, dys, allow_unused=True)
    return [y.array for y in outputs], [g if g is None else g.array for g in gradients]


def compare(case, monkeypatch, **road):
    """Run a case on the CPU and on the strict array, with the same numbers and without waiting."""
    expected = run(case, np.copy)
    install(monkeypatch, **road)
    found = run(case, lambda a: StrictArray(a.copy()))
    for kind, ours, theirs in zip(("output", "gradient"), found, expected):
        for i, (a, b) in enumerate(zip(ours, theirs, strict=True)):
            assert (a is None) == (b is None), f"{kind} {i}"
            if b is not None:
                assert isinstance(a, StrictArray), f"{kind} {i} came back as {type(a).__name__}"
                assert a.dtype == b.dtype and a.shape == b.shape
                np.testing.assert_allclose(a._a, b, rtol=1e-12, atol=1e-14, err_msg=f"{kind} {i}")
    allowed = MAY_WAIT.get(case.function.__name__, ())
    assert set(waits) <= set(allowed), f"{case.id} makes the host wait for the device: {waits}"


@pytest.mark.parametrize("case", [c for c in registry.CASES if c.function.__name__ not in NEEDS_KERNELS], ids=lambda c: c.id)
def test_a_case_runs_on_device_arrays_and_gives_the_cpus_numbers(case, monkeypatch):
    compare(case, monkeypatch)


@pytest.mark.skipif(emulated.COMPILER is None, reason="needs a C++ compiler, which runs the CUDA kernels on the CPU")
@pytest.mark.parametrize("case", registry.CASES, ids=lambda c: c.id)
def test_a_case_runs_through_the_cuda_kernels_and_gives_the_cpus_numbers(case, monkeypatch):
    compare(case, monkeypatch, kernels=emulated.RawModule)


def test_the_gradient_check_tells_numbers_apart_on_a_device(monkeypatch):
    install(monkeypatch)
    assert tinycnn.gradcheck(lambda x: x.exp() / x, wrap(StrictArray(np.array(0.7))).requires_grad_())


# ---- the strict array itself ---------------------------------------------------------------------------------------------

x = StrictArray(np.arange(6.0).reshape(2, 3))


def test_a_copy_in_rows_is_made_where_there_is_none():
    assert strict.ascontiguousarray(x) is x and strict.asarray(x) is x
    for y in (x.T, strict.broadcast_to(x[:, :1], (2, 3))):
        assert strict.ascontiguousarray(y).flags.c_contiguous and not y.flags.c_contiguous
    assert not np.shares_memory(strict.array(x)._a, x._a)


@pytest.mark.parametrize("attempt", [
    lambda: np.asarray(x), lambda: np.exp(x), lambda: np.add(x, x, out=np.empty((2, 3))), lambda: np.sum(x),
    lambda: x + np.ones((2, 3)), lambda: np.ones((2, 3)) * x, lambda: x == np.ones((2, 3)),
    lambda: x + [1, 2, 3],
    lambda: x.__iadd__(np.ones((2, 3))), lambda: x[np.array([0, 1])], lambda: x[[0, 1]],
    lambda: x.__setitem__(0, np.ones(3)),
    lambda: strict.sum(np.ones(3)), lambda: strict.where(x > 1, np.ones((2, 3)), x), lambda: strict.sum([1.0, 2.0]),
    lambda: strict.maximum(x, [1, 2, 3]), lambda: strict.asarray([x, x]), lambda: x.sum(where=x > 1),
    lambda: strict.exp(x, where=x > 1), lambda: strict.zeros_like(x, subok=True), lambda: strict.var(x, correction=1),
    lambda: strict.argsort(x, kind="quicksort"), lambda: range(strict.sum(x)), lambda: strict.stack([x, np.ones((2, 3))]),
    lambda: strict.add.at(strict.zeros(3, int), x, 1),
], ids=range(25))
def test_what_cupy_refuses_is_refused(attempt):
    with pytest.raises((TypeError, ValueError)):
        attempt()


def test_what_cupy_lacks_is_missing():
    for attempt in (lambda: strict.insert, lambda: strict.ndenumerate, lambda: strict.linalg.eig, lambda: x.flags.writeable,
                    lambda: x.setflags, lambda: strict.maximum.reduce):
        with pytest.raises(AttributeError):
            attempt()


def test_what_cupy_allows_works_and_waiting_is_noted():
    waits.clear()
    assert isinstance(x.sum(), StrictArray) and x.sum().shape == () and isinstance(x[0, 0], StrictArray)
    assert isinstance(np.float64(2) * x, StrictArray) and isinstance(2 - x, StrictArray) and np.shape(x) == (2, 3)
    assert x.T.base is x and x[0][1:].base is x and (x + 1).base is None
    assert waits == []
    assert float(x.sum()) == 15 and bool((x >= 0).all()) and x[x > 1].shape == (4,) and strict.nonzero(x)[0].shape == (5,)
    assert waits == ["float", "bool", "index by a mask", "nonzero"]
