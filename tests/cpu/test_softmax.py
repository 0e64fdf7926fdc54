"""Softmax on processors, in loops over rows or over pixels."""
import numpy as np
import pytest

import tinycnn
from tests.helpers.roads import make_small
from tinycnn.nn import functional as F


def run(x, axis):
    x = tinycnn.tensor(x, requires_grad=True)
    y = F.softmax(x, axis)
    y.backward(tinycnn.tensor(np.cos(np.arange(y.numel())).reshape(y.shape).astype(x.dtype)))
    return y.detach().array, x.grad.array


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("shape", [(3, 1), (5, 10), (4, 1025), (2, 7, 33), (2, 2500)])
def test_rows_of_every_length_give_the_numbers_of_the_formula(shape, threads, monkeypatch):
    make_small(monkeypatch, threads)
    x = 5 * np.random.default_rng(0).standard_normal(shape)
    for axis in (-1, 0):
        with tinycnn.plainly():
            expected = run(x, axis)
        for found, right in zip(run(x, axis), expected):
            np.testing.assert_allclose(found, right, rtol=1e-12, atol=1e-13)


def test_nan_and_infinity_in_a_row_are_treated_as_by_the_formula():
    x = np.zeros((6, 40), np.float32)
    x[0, 3], x[1, 3], x[2, 3], x[3], x[4, 0], x[5, 7] = np.nan, np.inf, -np.inf, -np.inf, np.nan, -1e30
    with np.errstate(all="ignore"), tinycnn.plainly():
        expected = run(x, -1)
    for found, right in zip(run(x, -1), expected):
        np.testing.assert_allclose(found, right, rtol=1e-6, atol=1e-7)


def test_long_rows_in_float32_are_summed_up_as_exactly_as_by_the_formula():
    x = np.random.default_rng(0).standard_normal((2, 100_000)).astype(np.float32)
    exact = run(x.astype(np.float64), -1)
    with tinycnn.plainly():
        plain = run(x, -1)
    for found, formula, right in zip(run(x, -1), plain, exact):
        assert abs(found - right).max() <= 3 * abs(formula - right).max()
