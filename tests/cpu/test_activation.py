"""GELU and the error function in float32, by polynomials that were fitted."""
import numpy as np
import pytest

import tinycnn
from tests.helpers.roads import make_small
from tinycnn.ops.error_function import erf


@pytest.fixture(params=[1, 2, 3])
def threads(request, monkeypatch):
    """One, two or three threads, which take even the smallest work; pieces so small that every operation has several."""
    make_small(monkeypatch, request.param)
    return request.param


@pytest.mark.parametrize("approximate", ["none", "tanh"])
@pytest.mark.parametrize("layout", [(0, 1, 2), (2, 0, 1)])
def test_gelu_in_float32_is_gelu_in_float64_rounded(approximate, layout, threads):
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
    with tinycnn.plainly():
        formula = run(np.float32)
    for a, b in zip(fast, formula):
        np.testing.assert_allclose(a, b, rtol=5e-7, atol=1e-6)


def test_erf_in_float32_is_right_to_float32s_precision_everywhere():
    x = np.concatenate([np.linspace(0, 6, 100001), 10.0 ** np.linspace(-37, 38, 1001)]).astype(np.float32)
    y, exact = erf(x), erf(x.astype(np.float64))
    assert y.dtype == np.float32 and abs(y - exact)[1:].max() < 1.8e-7 and (abs(y - exact)[1:] / exact[1:]).max() < 2.8e-7
    assert np.array_equal(erf(-x), -y) and np.signbit(erf(np.float32([-0.0])))[0]
    ends = erf(np.float32([np.inf, -np.inf, np.nan]))
    assert ends[0] == 1 and ends[1] == -1 and np.isnan(ends[2])
