"""Depthwise convolution on processors: in any geometry, with one filter a channel or several, and how exact its sums are."""
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.roads import make_small
from tinycnn.cpu import depthwise as by_loops
from tinycnn.cpu.compiled import missing
from tinycnn.cpu.numpy_only import depthwise
from tinycnn.ops import conv


def channels_last(a):
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(a, 1, -1)), -1, 1)


def draw_arrays(rng, batch, channels, size, each, kernel, out, dtype):
    """x, w, b and dy."""
    shapes = (batch, channels, *size), (channels * each, 1, *kernel), (channels * each,), (batch, channels * each, *out)
    return [rng.standard_normal(shape).astype(dtype) for shape in shapes]


def results(x, w, b, dy, *geometry, compute=lambda formula: formula):
    """y, dx and dw."""
    return [compute(conv.convolve)(x, w, dy.shape[2:], *geometry, b),
            compute(conv.input_gradient)(dy, w, x.shape[2:], *geometry),
            compute(conv.weight_gradient)(x, dy, w.shape[2:], *geometry)]


def plain(formula):
    return formula.plain


def numbers_of_windows(size, kernel, stride, padding, dilation):
    return tuple((s + sum(p) - d * (k - 1) - 1) // t + 1 for s, k, t, p, d in zip(size, kernel, stride, padding, dilation))


@st.composite
def geometries(draw):
    """Sizes, kernel and geometry of a convolution that exists."""
    dims = draw(st.integers(1, 3))

    def numbers(low, high):
        return tuple(draw(st.integers(low, high)) for _ in range(dims))

    kernel, stride, dilation = numbers(1, 4), numbers(1, 3), numbers(1, 3)
    padding = [(draw(st.integers(0, 3)), draw(st.integers(0, 3))) for _ in range(dims)]
    size = tuple(draw(st.integers(max(1, d * (k - 1) + 1 - sum(p)), 10)) for d, k, p in zip(dilation, kernel, padding))
    return size, kernel, (stride, padding, dilation)


@given(geometries(), st.sampled_from([2, 5, 8, 33]), st.sampled_from([1, 1, 2, 3]), st.sampled_from(["f", "d"]),
       st.sampled_from([1, 3]), st.booleans())
@settings(max_examples=120, deadline=None)
def test_depthwise_convolution_is_what_its_formula_says_in_any_geometry(case, channels, each, dtype, threads, last):
    size, kernel, geometry = case
    out = numbers_of_windows(size, kernel, *geometry)
    x, w, b, dy = draw_arrays(np.random.default_rng(0), 2, channels, size, each, kernel, out, dtype)
    arrays = [channels_last(x), w, b, channels_last(dy)] if last else [x, w, None, dy]
    with pytest.MonkeyPatch.context() as patch:
        make_small(patch, threads)
        found = results(*arrays, *geometry, channels)
    for a, right in zip(found, results(*arrays, *geometry, channels, compute=plain), strict=True):
        assert a.shape == right.shape and a.dtype == right.dtype
        np.testing.assert_allclose(a, right, rtol=0, atol=(1e-5 if dtype == "f" else 1e-12) * max(1, np.abs(right).max()))


GEOMETRY = (2, 1), [(1, 2), (2, 0)], (1, 2)


def large(dtype, batch=9):
    size, kernel = (45, 47), (3, 5)
    out = numbers_of_windows(size, kernel, *GEOMETRY)
    return draw_arrays(np.random.default_rng(0), batch, 35, size, 1, kernel, out, dtype)


@pytest.mark.parametrize("batch", [1, 9])
def test_the_number_of_threads_changes_no_bit(batch, monkeypatch):
    found = []
    for threads in (1, 2, 3):
        monkeypatch.setattr("tinycnn.cpu.workers._threads", threads)
        found.append(results(*large("f", batch), *GEOMETRY, 35))
    for other in found[1:]:
        for a, b in zip(found[0], other):
            np.testing.assert_array_equal(a, b)


def test_sums_in_float32_are_as_exact_as_those_of_the_formula():
    arrays = large("f")
    exact = results(*(a.astype("d") for a in arrays), *GEOMETRY, 35, compute=plain)
    formula = results(*arrays, *GEOMETRY, 35, compute=plain)
    for a, b, right in zip(results(*arrays, *GEOMETRY, 35), formula, exact):
        assert a.dtype == np.float32 and np.std(a - right) < 3 * np.std(b - right)


def test_numbers_that_are_not_finite_stay_where_they_are():
    x, w, b, dy = large("d", 2)
    x[0, 3, 20, 20], x[1, 4, 0, 0], dy[0, 6, 2, 2] = np.nan, np.inf, np.nan
    for a, right in zip(results(x, w, b, dy, *GEOMETRY, 35), results(x, w, b, dy, *GEOMETRY, 35, compute=plain)):
        np.testing.assert_allclose(a, right, rtol=1e-10, atol=1e-10)


def test_an_infinite_weight_stays_in_its_channel_where_it_makes_all_the_gradient_no_number():
    x, w, b, dy = large("d", 2)
    w[5, 0, 1, 1] = -np.inf
    (y, dx, dw), right = results(x, w, b, dy, *GEOMETRY, 35), results(x, w, b, dy, *GEOMETRY, 35, compute=plain)
    assert np.isnan(dx[:, 5][np.isnan(right[1][:, 5])]).all()      # and of pixels that it meets outside of windows
    dx[:, 5] = right[1][:, 5] = 0
    for a, b in zip((y, dx, dw), right):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-10)


def test_arrays_with_gaps_or_not_to_be_written_to_are_read_like_others():
    arrays = large("d", 2)
    gaps = [np.repeat(a, 2, -1)[..., ::2] for a in arrays]
    for a in arrays:
        a.flags.writeable = False
    for a, b in zip(results(*arrays, *GEOMETRY, 35), results(*gaps, *GEOMETRY, 35)):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("channels, filters, expected", [(1, 4, False), (1, 1, False), (4, 4, True), (4, 8, False)])
def test_depthwise_are_several_channels_with_one_filter_each(channels, filters, expected):
    x, w = np.ones((2, channels, 5, 5)), np.ones((filters, 1, 3, 3))
    assert by_loops.own_filters(x, w, (3, 3), (1, 1), [(0, 0)] * 2, (1, 1), channels) == (expected and not missing())
    assert depthwise.own_filters(x, w, (3, 3), (1, 1), [(0, 0)] * 2, (1, 1), channels) == expected
