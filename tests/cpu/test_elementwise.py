"""Activations, arithmetic and the error function on processors: loops in every layout, to the last bits, at the ends."""
import numpy as np
import pytest

import tinycnn
from tests.helpers.roads import make_small
from tinycnn.cpu import elementwise as roads
from tinycnn.cpu.compiled import missing
from tinycnn.nn import functional as F
from tinycnn.ops.error_function import erf

FUNCTIONS = {
    "relu": F.relu, "leaky_relu": F.leaky_relu, "relu6": F.relu6, "hardsigmoid": F.hardsigmoid, "hardswish": F.hardswish,
    "sigmoid": tinycnn.sigmoid, "tanh": tinycnn.tanh, "silu": F.silu, "gelu": F.gelu,
    "gelu_tanh": lambda x: F.gelu(x, "tanh"),
    "elu": F.elu, "selu": F.selu, "celu": lambda x: F.celu(x, 0.5), "bent_down": lambda x: F.celu(x, -2.0),
    "softplus": F.softplus, "sharp": lambda x: F.softplus(x, 3.0, 5.0), "half": lambda x: x * 0.5, "square": lambda x: x * x,
    "twice": lambda x: x + x, "gap": lambda x: x - x.detach() * 3}
compiled = pytest.mark.skipif(bool(missing()), reason=missing())


@pytest.fixture(params=[1, 2, 3])
def threads(request, monkeypatch):
    """One, two or three threads, which take even the smallest work; pieces so small that every operation has several."""
    make_small(monkeypatch, request.param)
    return request.param


def both_ways(function, values, dy):
    x = tinycnn.tensor(values, requires_grad=True)
    x.array = values                       # of this very layout
    y = function(x)
    y.backward(tinycnn.tensor(dy))
    return y.detach().array, x.grad.array


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("layout", ["C", "F", "channels last", "a slice", "read-only"])
def test_every_layout_gives_the_numbers_of_the_formula(name, layout, threads):
    draw = np.random.default_rng(0).standard_normal
    values, dy = 3 * draw((6, 7, 5)), draw((6, 7, 5))
    values = {"C": values, "F": np.asfortranarray(values), "channels last": np.ascontiguousarray(
        values.transpose(0, 2, 1)).transpose(0, 2, 1), "a slice": draw((6, 14, 5))[:, ::2], "read-only": values}[layout]
    values.flags.writeable = layout != "read-only"
    with tinycnn.plainly():
        expected = both_ways(FUNCTIONS[name], values, dy)
    for found, right in zip(both_ways(FUNCTIONS[name], values, dy), expected):
        np.testing.assert_allclose(found, right, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_nan_infinity_and_the_largest_numbers_are_treated_as_by_the_formula(name, dtype, monkeypatch):
    make_small(monkeypatch)
    ends = np.array([np.nan, np.inf, -np.inf, 0, -0.0, 1e-30, -1e-30, 87, -87, 89, -89, 710, -710, 1e30, -1e30, 6, -3, 3, 1],
                    dtype)
    if name == "hardswish":  # its formula multiplies infinity by 0
        ends = ends[~np.isinf(ends)]
    with np.errstate(all="ignore"), tinycnn.plainly():
        expected = both_ways(FUNCTIONS[name], ends, np.ones_like(ends))
    for found, right in zip(both_ways(FUNCTIONS[name], ends, np.ones_like(ends)), expected):
        np.testing.assert_allclose(found, right, rtol=1e-6, atol=5e-7 if dtype == "float32" else 1e-12)


@compiled
@pytest.mark.parametrize("name", FUNCTIONS)
def test_in_float32_the_error_is_no_larger_than_three_times_that_of_the_formula(name):
    values, dy = np.linspace(-20, 20, 40001), np.cos(np.arange(40001.0))
    narrow = values.astype(np.float32), dy.astype(np.float32)
    exact = both_ways(FUNCTIONS[name], *(a.astype(np.float64) for a in narrow))
    with tinycnn.plainly():
        plain = both_ways(FUNCTIONS[name], *narrow)
    for found, formula, right in zip(both_ways(FUNCTIONS[name], *narrow), plain, exact):
        assert found.dtype == np.float32
        assert abs(found - right).max() <= 3 * abs(formula - right).max()


@compiled
def test_exponentials_are_right_to_the_last_digits():
    x = np.concatenate([-np.logspace(-30, np.log10(87), 20000), np.linspace(-20, 0, 20000, endpoint=False)])
    for dtype in (np.float32, np.float64):
        x = x.astype(dtype)
        wide, ulp = x.astype(np.longdouble), np.finfo(dtype).eps
        for f, right, most in [(roads.logistic, 1 / (1 + np.exp(-wide)), 2), (roads.expm1, np.expm1(wide), 2)]:
            y = roads.each(roads.mapped(f.__wrapped__), x)
            assert (abs(y - right) / abs(right)).max() < most * ulp


def test_a_dropped_half_is_that_of_the_mask_in_every_layout(threads):
    x = np.random.default_rng(0).standard_normal((4, 6, 5)).astype(np.float32).transpose(0, 2, 1)
    for make in (np.ascontiguousarray, np.asarray):
        tinycnn.manual_seed(3)
        y, dx = both_ways(lambda x: F.dropout(x, 0.25), make(x), np.ones(x.shape, np.float32))
        assert np.array_equal(y, x * dx) and set(dx.flat) == {np.float32(0), np.float32(1 / 0.75)}
        tinycnn.manual_seed(3)
        with tinycnn.plainly():
            assert np.array_equal(y, F.dropout(tinycnn.tensor(x), 0.25).array)


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
