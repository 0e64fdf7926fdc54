"""Pooling on processors: in any geometry, of special numbers, in every layout of memory, and how exact its sums are."""
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinycnn
from tests.helpers.roads import make_small, noted
from tinycnn import (adaptive_avg_pool1d, adaptive_avg_pool2d, avg_pool1d, avg_pool2d, avg_pool3d, max_pool1d, max_pool2d,
                     max_pool3d)
from tinycnn.cpu.compiled import missing

MAX, MEAN = {1: max_pool1d, 2: max_pool2d, 3: max_pool3d}, {1: avg_pool1d, 2: avg_pool2d, 3: avg_pool3d}


def numbers(rng, shape, dtype):
    """Numbers of which many are equal, and some are NaN or infinite."""
    values = np.array([-np.inf, -1, -0.5, 0, 0.5, 1, 2, np.inf, np.nan])
    return rng.choice(values, shape, p=[.1, .1, .1, .2, .1, .1, .2, .05, .05]).astype(dtype)


def laid_out(a, layout):
    """The same array, channels last in memory, with gaps, or not to be written to."""
    if layout == "channels last":
        a = np.moveaxis(np.ascontiguousarray(np.moveaxis(a, 1, -1)), -1, 1)
    elif layout == "gaps":
        a = np.repeat(a, 2, -1)[..., ::2]
    elif layout == "read-only":
        a = a.copy()
        a.flags.writeable = False
    return a


def run(function, x, layout="channels last", **options):
    """y, and indices if there are, and dx."""
    x = tinycnn.from_numpy(laid_out(x, layout)).requires_grad_()
    result = function(x, **options)
    y, *rest = result if isinstance(result, tuple) else (result,)
    dy = np.random.default_rng(1).standard_normal(y.shape).astype(y.dtype)
    y.backward(tinycnn.from_numpy(dy))
    return [y.array, *(r.array for r in rest), x.grad.array]


def agree(function, x, exact, **options):
    """Fail unless the roads compute what the formulas do; `exact` but for sums of gradients."""
    found = run(function, x, **options)
    with tinycnn.plainly():
        expected = run(function, x, **options)
    for a, b in zip(found, expected, strict=True):
        tolerance = 0 if exact and a is not found[-1] else 1e-5 if a.dtype == np.float32 else 1e-12
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


@st.composite
def geometries(draw):
    """Shapes and options of a pooling that exists."""
    dims = draw(st.integers(1, 3))
    kernel = tuple(draw(st.integers(1, 4)) for _ in range(dims))
    dilation = tuple(draw(st.integers(1, 2)) for _ in range(dims))
    size = tuple(draw(st.integers(d * (k - 1) + 1, 9)) for k, d in zip(kernel, dilation))
    return dict(shape=(draw(st.integers(1, 3)), draw(st.sampled_from([1, 3, 8, 33])), *size), kernel_size=kernel,
                stride=tuple(draw(st.integers(1, 3)) for _ in range(dims)),
                padding=tuple(draw(st.integers(0, k // 2)) for k in kernel), dilation=dilation,
                ceil_mode=draw(st.booleans()))


@given(geometries(), st.sampled_from(["f", "d"]), st.sampled_from([1, 3]), st.booleans())
@settings(max_examples=100, deadline=None)
def test_pooling_is_what_its_formula_says_in_any_geometry(options, dtype, threads, include):
    shape, rng = options.pop("shape"), np.random.default_rng(0)
    with pytest.MonkeyPatch.context() as patch:
        make_small(patch, threads)
        agree(MAX[len(shape) - 2], numbers(rng, shape, dtype), True, return_indices=True, **options)
        del options["dilation"]
        agree(MEAN[len(shape) - 2], rng.standard_normal(shape).astype(dtype), False, count_include_pad=include, **options)
        out = tuple(int(n) for n in rng.integers(1, 12, len(shape) - 2))  # more windows than pixels, too
        agree(getattr(tinycnn, f"adaptive_avg_pool{len(shape) - 2}d"), rng.standard_normal(shape).astype(dtype), False,
              output_size=out)


@pytest.mark.parametrize("layout", ["channels first", "channels last", "gaps", "read-only"])
@pytest.mark.parametrize("function, options", [(max_pool2d, dict(kernel_size=3, stride=2, padding=1, return_indices=True)),
                                               (avg_pool2d, dict(kernel_size=3, stride=2, padding=1)),
                                               (adaptive_avg_pool2d, dict(output_size=(3, 1)))])
def test_the_layout_of_memory_changes_nothing(function, options, layout):
    x = np.random.default_rng(0).standard_normal((3, 5, 9, 8))
    for a, b in zip(run(function, x, layout, **options), run(function, x, **options), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("function, options", [(max_pool2d, dict(kernel_size=3, stride=2, padding=1, return_indices=True)),
                                               (avg_pool2d, dict(kernel_size=3, stride=2, padding=1)),
                                               (adaptive_avg_pool2d, dict(output_size=1))])
def test_the_number_of_threads_changes_no_bit(function, options, monkeypatch):
    x, results = np.random.default_rng(0).standard_normal((13, 37, 41, 43), np.float32), []
    for threads in (1, 2, 3):
        monkeypatch.setattr("tinycnn.cpu.workers._threads", threads)
        results.append(run(function, x, **options))
    agree(function, x, False, **options)
    for other in results[1:]:
        for a, b in zip(results[0], other):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("shape", [(2, 3, 100_003), (2, 40, 10_001)])
def test_the_mean_of_many_numbers_is_as_exact_as_that_of_the_formula(shape):
    x = np.random.default_rng(0).standard_normal(shape, np.float32) + 10
    exact = x.mean(-1, dtype=np.float64)
    for function, options in ((adaptive_avg_pool1d, dict(output_size=1)), (avg_pool1d, dict(kernel_size=shape[2]))):
        error = np.abs(run(function, x, **options)[0][..., 0] - exact).max()
        with tinycnn.plainly():
            plain = np.abs(run(function, x, **options)[0][..., 0] - exact).max()
        assert error < max(3 * plain, 1e-6), (error, plain)


@pytest.mark.skipif(missing() != "", reason="needs compiled loops")
def test_loops_are_taken_forward_and_backward():
    with noted() as taken:
        for function, options in ((max_pool2d, dict(kernel_size=2)), (avg_pool2d, dict(kernel_size=2)),
                                  (adaptive_avg_pool2d, dict(output_size=1))):
            run(function, np.ones((2, 3, 4, 4)), **options)
    for road in ("max_pool_by_loops", "average_as_convolution", "average_backward_as_convolution"):
        assert any(road in name for name in taken), road
    assert not any("by_offsets" in name for name in taken)


def test_gradients_of_maxima_can_be_differentiated_again():
    x = tinycnn.from_numpy(np.random.default_rng(0).standard_normal((1, 2, 4, 4))).requires_grad_()
    y = (max_pool2d(x, 2) ** 3).sum()
    (dx,) = tinycnn.autograd.grad([y], [x], create_graph=True)
    (dx ** 2).sum().backward()
    top = max_pool2d(x.detach(), 2).repeat_interleave(2, 2).repeat_interleave(2, 3).array
    expected = np.where(x.array == top, 36 * x.array**3, 0)  # d/dx (3 x^2)^2
    np.testing.assert_allclose(x.grad.array, expected)
