"""Convolution on processors: in any geometry, by Winograd's tiles and how exact they are, in float16, and its layout."""
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinycnn
from tests.helpers.roads import make_small
from tinycnn.cpu import columns, winograd
from tinycnn.ops import conv


@pytest.fixture(params=[1, 2, 3])
def threads(request, monkeypatch):
    """One, two or three threads, which take even the smallest work; pieces so small that every operation has several."""
    make_small(monkeypatch, request.param)
    return request.param


def close(a, b):
    assert a.shape == b.shape and a.dtype == b.dtype
    np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-11)


@st.composite
def geometries(draw):
    """Shapes and options of a convolution that exists."""
    dims = draw(st.integers(1, 3))

    def numbers(low, high):
        return tuple(draw(st.integers(low, high)) for _ in range(dims))

    kernel, stride, dilation = numbers(1, 3), numbers(1, draw(st.sampled_from([1, 3]))), numbers(1, 2)
    padding = [(draw(st.integers(0, 3)), draw(st.integers(0, 3))) for _ in range(dims)]
    size = tuple(draw(st.integers(max(1, d * (k - 1) + 1 - sum(p)), 8)) for d, k, p in zip(dilation, kernel, padding))
    groups, channels, filters = draw(st.sampled_from([(1, 1, 4), (1, 6, 3), (2, 3, 2), (6, 1, 1), (6, 1, 2), (32, 2, 1)]))
    out = tuple((s + sum(p) - d * (k - 1) - 1) // t + 1 for s, p, d, k, t in zip(size, padding, dilation, kernel, stride))
    return (draw(st.integers(0, 4)), groups * channels, size, groups * filters, kernel, out,
            (stride, padding, dilation, groups), draw(st.booleans()))


@given(geometries(), st.sampled_from([1, 2, 3]), st.sampled_from([100, 400, 2**21]), st.sampled_from([0, 1024]))
@settings(max_examples=150, deadline=None)
def test_convolution_is_what_its_formula_says_in_any_geometry(geometry, count, piece, few):
    batch, channels, size, filters, kernel, out, options, channels_last = geometry
    rng = np.random.default_rng(0)
    x = rng.standard_normal((batch, *size, channels))
    x = np.moveaxis(x, -1, 1) if channels_last else x.reshape(batch, channels, *size)
    w, b = rng.standard_normal((filters, channels // options[3], *kernel)), rng.standard_normal(filters)
    dy = rng.standard_normal((batch, filters, *out))
    results = [(conv.convolve, x, w, out, *options, b), (conv.weight_gradient, x, dy, kernel, *options),
               (conv.input_gradient, dy, w, size, *options), (conv.bias_gradient, dy)]
    with pytest.MonkeyPatch.context() as patch:
        make_small(patch, count, winograd=few == 0)
        patch.setattr(columns, "PIECE_BYTES", piece)
        patch.setattr(columns.Columns, "few_windows", few)
        for formula, *args in results:
            close(formula(*args), formula.plain(*args))


@pytest.mark.parametrize("way, kernel", [(winograd.Squares, (3, 3)), (winograd.Rows, (5, 5)), (winograd.Rows, (1, 6)),
                                         (winograd.Rows, (2, 3))])
@pytest.mark.parametrize("size, padding", [((6, 8), 1), ((5, 7), 2), ((8, 6), 0), ((5, 9), (2, 1)), ((7, 14), (0, 2))])
def test_winograds_convolution_is_plain_convolution(way, kernel, size, padding, threads):
    padding = [(p, p) for p in (padding if isinstance(padding, tuple) else (padding, padding))]
    out = tuple(s + 2 * p - k + 1 for s, (p, _), k in zip(size, padding, kernel))
    rng = np.random.default_rng(0)
    x, w, b = rng.standard_normal((3, 5, *size)), rng.standard_normal((4, 5, *kernel)), rng.standard_normal(4)
    dy, options = rng.standard_normal((3, 4, *out)), ((1, 1), padding, (1, 1), 1)
    close(winograd.convolve(way, x, w, out, padding, b), conv.convolve.plain(x, w, out, *options, b))
    close(winograd.weight_gradient(way, x, dy, kernel, padding), conv.weight_gradient.plain(x, dy, kernel, *options))


@pytest.mark.parametrize("kernel, dims", [(3, 2), (5, 1), (6, 1)])
def test_winograds_transforms_hold_no_tiny_numbers_which_make_products_denormal_and_slow(kernel, dims):
    for matrix in winograd.transforms(kernel, dims, np.dtype("f")):
        assert np.abs(matrix[matrix != 0]).min() > 1e-4


def test_winograds_road_is_for_many_channels_and_kernels_that_fit():
    def way(channels=64, filters=64, kernel=(3, 3), out=(32, 32), stride=(1, 1), dilation=(1, 1)):
        return winograd.way(2, channels, filters, kernel, out, stride, dilation)

    assert way() is winograd.Squares and way(kernel=(5, 5)) is winograd.Rows and way(kernel=(1, 6)) is winograd.Rows
    assert way(out=(4, 4)) is way(kernel=(5, 5), out=(9, 5)) is None    # few tiles; tiles hardly filled
    assert not any([way(channels=3), way(filters=10), way(kernel=(1, 1)), way(kernel=(7, 7)), way(kernel=(5,)),
                    way(stride=(2, 1)), way(dilation=(1, 2))])


@pytest.mark.parametrize("way, kernel, times", [(winograd.Squares, 3, 6), (winograd.Rows, 3, 3), (winograd.Rows, 5, 6),
                                                (winograd.Rows, 6, 9)])
def test_winograds_convolution_costs_no_more_accuracy_in_float32_than_it_says(way, kernel, times):
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((2, 256, 12, 12)), rng.standard_normal((130, 256, kernel, kernel))
    padding, out = [(1, 1)] * 2, (15 - kernel,) * 2
    exact = conv.convolve.plain(x, w, out, (1, 1), padding, (1, 1), 1)
    plain = conv.convolve.plain(x.astype("f"), w.astype("f"), out, (1, 1), padding, (1, 1), 1)
    y = winograd.convolve(way, x.astype("f"), w.astype("f"), out, padding)
    assert y.dtype == np.float32 and np.std(y - exact) < times * np.std(plain - exact)


def test_large_images_give_what_the_formula_says_and_the_same_in_every_run():
    rng = np.random.default_rng(0)
    x, w = (rng.standard_normal(s, dtype=np.float32) for s in ((5, 16, 70, 60), (24, 16, 3, 3)))
    options = (68, 58), (1, 1), [(0, 0)] * 2, (1, 1), 1
    y = conv.convolve(x, w, *options)
    assert y.dtype == np.float32 and np.array_equal(y, conv.convolve(x, w, *options))
    np.testing.assert_allclose(y, conv.convolve.plain(x, w, *options), rtol=1e-4, atol=1e-4)
    gradients = [conv.weight_gradient(x, y, (3, 3), *options[1:]) for _ in range(3)]
    assert all(np.array_equal(gradients[0], g) for g in gradients)


def test_convolution_pooling_and_norm_hand_on_images_with_channels_last_in_memory():
    x = tinycnn.randn(2, 3, 8, 8)
    y = tinycnn.nn.functional.conv2d(x, tinycnn.randn(6, 3, 3, 3), padding=1).requires_grad_()
    z = tinycnn.nn.functional.batch_norm(y, None, None, training=True)
    p = tinycnn.nn.functional.max_pool2d(z.relu(), 2)
    p.retain_grad()
    q = tinycnn.nn.functional.avg_pool2d(p, 2)
    for t in (y, z, p, q):
        assert t.array.transpose(0, 2, 3, 1).flags.c_contiguous, t.shape
    assert y.shape == (2, 6, 8, 8) and q.shape == (2, 6, 2, 2)


def test_half_precision_stays_half_precision():
    x, w = (np.ones(s, np.float16) for s in ((2, 8, 4, 4), (3, 8, 3, 3)))
    options = (1, 1), [(1, 1)] * 2, (1, 1), 1
    y = conv.convolve(x, w, (4, 4), *options)
    assert y.dtype == np.float16 and y.max() == 72
    assert conv.weight_gradient(x, y, (3, 3), *options).dtype == np.float16


@pytest.mark.parametrize("shape", [(64, 8, 32, 32), (1, 8, 256, 256)])
def test_columns_of_many_or_of_large_images_never_stand_in_memory_together(shape):
    x, w = tinycnn.randn(*shape, requires_grad=True), tinycnn.randn(8, 8, 5, 5, requires_grad=True)
    columns = 25 * x.array.nbytes
    tracemalloc.start()
    y = tinycnn.conv2d(x, w, padding=2)
    y.backward(tinycnn.ones_like(y))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < columns / 2
