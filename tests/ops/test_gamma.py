"""The gamma function and its derivatives: far out, at the poles, and bad input."""
import math

import numpy as np
import pytest

import tinycnn as t


def test_an_order_below_zero_is_refused():
    with pytest.raises(RuntimeError, match="polygamma: n must be from 0 to 170 .*, got -1"):
        t.polygamma(-1, t.ones(2))


def test_the_gamma_function_is_the_factorial_near_and_far():
    n = np.arange(1, 172)
    y = t.lgamma(t.tensor(n * 1.0)).array
    np.testing.assert_allclose(y, [math.lgamma(k) for k in n], rtol=1e-14, atol=1e-14)
    x = np.r_[np.linspace(-20.3, 20, 400), np.logspace(-6, 6, 50)]
    np.testing.assert_allclose(t.lgamma(t.tensor(x)).array, [math.lgamma(v) for v in x], rtol=1e-12, atol=1e-13)
    edges = t.tensor([0.0, -1.0, -2.0, math.inf, -math.inf, math.nan])
    np.testing.assert_array_equal(t.lgamma(edges).array, np.float32([math.inf] * 5 + [math.nan]))


def test_derivatives_of_the_gamma_function_obey_its_recurrence():
    x = t.tensor(np.linspace(0.1, 30, 200))
    for n in range(5):
        step = (-1) ** n * math.factorial(n) / x ** (n + 1)
        np.testing.assert_allclose(t.polygamma(n, x + 1).array, (t.polygamma(n, x) + step).array, rtol=1e-9, atol=1e-9)
    assert t.digamma(t.tensor(1.0, dtype=t.float64)).item() == pytest.approx(-np.euler_gamma, abs=1e-14)
    assert t.polygamma(1, t.tensor(1.0, dtype=t.float64)).item() == pytest.approx(math.pi ** 2 / 6, abs=1e-14)
    assert t.digamma(t.tensor([0.0, -0.0])).tolist() == [-math.inf, math.inf]
    assert t.polygamma(2, t.tensor([-0.3, 0.0])).isnan().tolist() == [False, False]
