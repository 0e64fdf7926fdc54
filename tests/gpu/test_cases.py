"""Every operation on an array that refuses what CuPy refuses: no host arrays, no NumPy-only spelling, no silent transfer."""
import numpy as np
import pytest

import tinycnn
from tests.helpers import emulated
from tests.helpers.cases import MAY_WAIT, NEEDS_KERNELS, run
from tests.helpers.strict_array import StrictArray, install, waits
from tinycnn.engine.tensor import wrap
from tinycnn.gradcheck import registry

registry.load()


def compare(case, monkeypatch, **road):
    """Run a case by its formula on the CPU and on the strict array, with the same numbers and without waiting."""
    with tinycnn.plainly():
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
