"""Normalisation on processors: in rows of any length, and as exact as the numbers allow."""
import numpy as np
import pytest

import tinycnn
from tests.helpers.roads import make_small
from tinycnn.cpu import columns
from tinycnn.nn import functional as F


@pytest.fixture(params=[1, 2, 3])
def threads(request, monkeypatch):
    """One, two or three threads, which take even the smallest work; pieces so small that every operation has several."""
    make_small(monkeypatch, request.param)
    return request.param


def test_layer_norm_keeps_small_differences_of_large_numbers(threads):
    """Mean 1000, deviation 1: a variance in one pass, mean(x^2) - mean(x)^2, would have no right digit."""
    rng = np.random.default_rng(0)
    x = tinycnn.tensor((1000 + rng.standard_normal((40, 30))).astype("f"), requires_grad=True)
    w = tinycnn.tensor(rng.standard_normal(30, dtype=np.float32), requires_grad=True)
    y = F.layer_norm(x, (30,), w)
    y.backward(y.detach().cos())
    assert {v.dtype for v in (y, x.grad, w.grad)} == {tinycnn.float32}
    exact = x.array.astype(float) - x.array.mean(1, float, keepdims=True)
    exact /= exact.std(1, keepdims=True)
    np.testing.assert_allclose(y.detach().array, w.array * exact, atol=3e-4)
    np.testing.assert_allclose(w.grad.array, (np.cos(y.detach().array) * exact).sum(0), atol=3e-3)


def test_second_derivatives_of_layer_norm_are_those_of_the_formula(threads):
    rng = np.random.default_rng(0)
    values, v = rng.standard_normal((2, 4, 6))

    def second():
        x, w = tinycnn.tensor(values, requires_grad=True), tinycnn.tensor(v[0], requires_grad=True)
        y = F.layer_norm(x, (6,), w)
        (dx,) = tinycnn.autograd.grad((y * y * y).sum(), x, create_graph=True)
        return [g.array for g in tinycnn.autograd.grad((dx * tinycnn.tensor(v)).sum(), (x, w))]
    with tinycnn.plainly():
        expected = second()
    for a, b in zip(second(), expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("shape", [(7, 3), (5, 4, 9), (2, 3, 61, 67), (1, 1, 40, 50), (3, 700, 2, 1), (1, 9000, 2, 2)])
@pytest.mark.parametrize("channels_last", [True, False])
def test_batch_norm_in_rows_of_any_length_is_plain_batch_norm(shape, channels_last):
    def run():
        x = tinycnn.tensor(a, requires_grad=True)
        y = F.batch_norm(x, None, None, w, b, training=True)
        return [t.array for t in (y.detach(), *tinycnn.autograd.grad(y, (x, w, b), dy))]
    rng = np.random.default_rng(0)
    a = rng.standard_normal(shape)
    if channels_last:
        a = columns.channels_first(columns.channels_last(a))
    w, b = (tinycnn.tensor(rng.standard_normal(shape[1]), requires_grad=True) for _ in range(2))
    dy = tinycnn.tensor(rng.standard_normal(shape))
    with tinycnn.plainly():
        expected = run()
    for x, y in zip(run(), expected, strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-11, atol=1e-11)


def test_batch_norm_is_as_exact_as_float32_allows_where_the_mean_is_large():
    rng = np.random.default_rng(0)
    x, dy = rng.standard_normal((8, 3, 40, 40)) + 30, rng.standard_normal((8, 3, 40, 40)) + 0.5
    x[0] -= 3

    def run(dtype):
        t, w, b = (tinycnn.tensor(a, dtype=dtype, requires_grad=True) for a in (x.astype(np.float32), [2.0] * 3, [1.0] * 3))
        mean, variance = tinycnn.zeros(3, dtype=dtype), tinycnn.zeros(3, dtype=dtype)
        y = F.batch_norm(t, mean, variance, w, b, training=True, momentum=1.0)
        gradients = tinycnn.autograd.grad(y, (t, w, b), tinycnn.tensor(dy, dtype=dtype))
        return [r.detach().array for r in (mean, variance, y, *gradients)]
    for got, exact in zip(run(tinycnn.float32), run(tinycnn.float64), strict=True):
        assert abs(got - exact).max() <= 2e-4 * abs(exact).max()


def test_the_variance_of_a_large_constant_is_never_negative():
    mean, variance = tinycnn.zeros(2), tinycnn.zeros(2)
    x = tinycnn.full((64, 2, 64, 64), 1e8)
    x[:, 1] = 3e7 + 1
    y = F.batch_norm(x, mean, variance, training=True, momentum=1.0)
    assert variance.array.min() >= 0 and np.isfinite(y.array).all()
