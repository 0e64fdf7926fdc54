"""Softmax and cross-entropy on processors, in loops over rows or over pixels."""
import numpy as np
import pytest

import tinycnn
from tests.helpers.roads import make_small
from tinycnn.nn import functional as F


def run(function, x, *rest):
    x = tinycnn.tensor(x, requires_grad=True)
    y = function(x, *rest)
    y.backward(tinycnn.tensor(np.cos(np.arange(y.numel())).reshape(y.shape).astype(x.dtype)))
    return y.detach().array, x.grad.array


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("shape", [(3, 1), (5, 10), (4, 1025), (2, 7, 33), (2, 2500)])
@pytest.mark.parametrize("function", [F.softmax, F.log_softmax])
def test_rows_of_every_length_give_the_numbers_of_the_formula(function, shape, threads, monkeypatch):
    make_small(monkeypatch, threads)
    x = 5 * np.random.default_rng(0).standard_normal(shape)
    for axis in (-1, 0):
        with tinycnn.plainly():
            expected = run(function, x, axis)
        for found, right in zip(run(function, x, axis), expected):
            np.testing.assert_allclose(found, right, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("function", [F.softmax, F.log_softmax])
def test_nan_and_infinity_in_a_row_are_treated_as_by_the_formula(function):
    x = np.zeros((6, 40), np.float32)
    x[0, 3], x[1, 3], x[2, 3], x[3], x[4, 0], x[5, 7] = np.nan, np.inf, -np.inf, -np.inf, np.nan, -1e30
    with np.errstate(all="ignore"), tinycnn.plainly():
        expected = run(function, x, -1)
    for found, right in zip(run(function, x, -1), expected):
        np.testing.assert_allclose(found, right, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("shape", [(4, 3), (9, 1025), (3, 5, 7), (2, 3, 4, 5), (6,)])
@pytest.mark.parametrize("options", [{}, {"ignore_index": 1}, {"label_smoothing": 0.2}, {"weight": True}])
def test_cross_entropy_of_labels_is_that_of_the_formula(shape, options, monkeypatch):
    make_small(monkeypatch)
    draw, axis = np.random.default_rng(0), min(len(shape) - 1, 1)
    x, labels = 5 * draw.standard_normal(shape), draw.integers(0, shape[axis], shape[:axis] + shape[axis + 1:])
    options = {**options, **({"weight": tinycnn.tensor(draw.random(shape[axis]))} if "weight" in options else {})}
    for reduction in ("mean", "sum", "none"):
        def loss(x):
            return F.cross_entropy(x, tinycnn.tensor(labels), reduction=reduction, **options)
        with tinycnn.plainly():
            expected = run(loss, x)
        for found, right in zip(run(loss, x), expected):
            np.testing.assert_allclose(found, right, rtol=1e-12, atol=1e-13)


def test_an_impossible_class_that_does_not_count_costs_nothing():
    for shape in [(1, 3), (1, 3, 2)]:
        x = np.zeros(shape)
        x[:, 2] = -np.inf
        l = F.cross_entropy(tinycnn.tensor(x), tinycnn.zeros(1, *shape[2:]).long())
        np.testing.assert_allclose(l.item(), np.log(2))


def test_long_rows_in_float32_are_summed_up_as_exactly_as_by_the_formula():
    x = np.random.default_rng(0).standard_normal((2, 100_000)).astype(np.float32)
    exact = run(F.log_softmax, x.astype(np.float64), -1)
    with tinycnn.plainly():
        plain = run(F.log_softmax, x, -1)
    for found, formula, right in zip(run(F.log_softmax, x, -1), plain, exact):
        assert abs(found - right).max() <= 3 * abs(formula - right).max()
