"""Convolution on processors: in any geometry, by sums in registers, columns or Winograd's tiles, and how exact they are."""
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinycnn
from tests.helpers.roads import make_small
from tinycnn.cpu import winograd
from tinycnn.cpu.compiled import missing
from tinycnn.cpu.numpy_only import conv as products
from tinycnn.ops import conv

needs_loops = pytest.mark.skipif(missing() != "", reason=missing())
ONE = (1, 1), [(1, 1)] * 2, (1, 1), 1  # a 3x3 convolution that keeps the size


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


@given(geometries(), st.sampled_from([1, 2, 3]), st.sampled_from([25, 100, 2**19]), st.booleans(),
       st.sampled_from([1, 2**18]))
@settings(max_examples=150, deadline=None)
def test_convolution_is_what_its_formula_says_in_any_geometry(geometry, count, piece, tiles, many):
    batch, channels, size, filters, kernel, out, options, channels_last = geometry
    rng = np.random.default_rng(0)
    x = rng.standard_normal((batch, *size, channels))
    x = np.moveaxis(x, -1, 1) if channels_last else x.reshape(batch, channels, *size)
    w, b = rng.standard_normal((filters, channels // options[3], *kernel)), rng.standard_normal(filters)
    dy = rng.standard_normal((batch, filters, *out))
    results = [(conv.convolve, x, w, out, *options, b), (conv.weight_gradient, x, dy, kernel, *options),
               (conv.input_gradient, dy, w, size, *options), (conv.bias_gradient, dy)]
    with pytest.MonkeyPatch.context() as patch:
        make_small(patch, count, winograd=tiles)
        patch.setattr(products, "PIECE", piece)
        patch.setattr(products, "MANY", many)
        patch.setattr(products, "PIXELS", 128)
        for formula, *args in results:
            close(formula(*args), formula.plain(*args))


def by_tiles(x, w, dy, padding):
    """y, dw and dx by Winograd's tiles."""
    options = (1, 1), padding, (1, 1), 1
    return (winograd.convolve_by_tiles(x, w, dy.shape[2:], *options),
            winograd.weight_gradient_by_tiles(x, dy, (3, 3), *options),
            winograd.input_gradient_by_tiles(dy, w, x.shape[2:], *options))


def plainly(x, w, dy, padding):
    """The same by the formulas."""
    options = (1, 1), padding, (1, 1), 1
    return (conv.convolve.plain(x, w, dy.shape[2:], *options), conv.weight_gradient.plain(x, dy, (3, 3), *options),
            conv.input_gradient.plain(dy, w, x.shape[2:], *options))


@needs_loops
@pytest.mark.parametrize("size, padding", [((6, 8), (1, 1)), ((5, 7), (2, 2)), ((8, 6), (0, 0)), ((5, 9), (2, 1)),
                                           ((7, 14), (0, 2))])
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_winograds_convolution_is_plain_convolution(size, padding, threads, monkeypatch):
    make_small(monkeypatch, threads)
    rng, padding = np.random.default_rng(0), [(p, p) for p in padding]
    x, w = rng.standard_normal((3, 5, *size)), rng.standard_normal((4, 5, 3, 3))
    dy = rng.standard_normal((3, 4, *(s + 2 * p - 2 for s, (p, _) in zip(size, padding))))
    for found, right in zip(by_tiles(x, w, dy, padding), plainly(x, w, dy, padding)):
        close(found, right)


@needs_loops
@pytest.mark.parametrize("batch, channels, size", [(8, 64, 32), (3, 256, 12)])
def test_winograds_convolution_costs_no_more_accuracy_in_float32_than_it_says(batch, channels, size):
    """Pixels after a ReLU, whose sums are the hardest: their errors do not cancel."""
    rng = np.random.default_rng(0)
    x = np.maximum(rng.standard_normal((batch, channels, size, size)), 0)
    w, dy = rng.standard_normal((channels, channels, 3, 3)), rng.standard_normal(x.shape)
    single, padding = [a.astype("f") for a in (x, w, dy)], [(1, 1)] * 2
    results = by_tiles(*single, padding), plainly(*single, padding), plainly(x, w, dy, padding)
    for found, plain, exact, times in zip(*results, (3, 3, 3)):
        assert found.dtype == np.float32 and np.std(found - exact) < times * np.std(plain - exact)


def test_winograds_transforms_hold_no_tiny_numbers_which_make_products_denormal_and_slow():
    for matrix in [*winograd.transforms(4, np.dtype("f")), *winograd.transforms(2, np.dtype("f"))]:
        assert np.abs(matrix[matrix != 0]).min() > 1e-4


def test_winograds_road_is_for_many_channels_and_kernels_of_three_by_three():
    def worth(channels=64, filters=64, kernel=(3, 3), out=(32, 32), stride=(1, 1), dilation=(1, 1), groups=1):
        return winograd.worth(2, channels, filters, kernel, out, stride, dilation, groups)

    assert worth()
    assert not any([worth(out=(4, 4)), worth(channels=3), worth(filters=10), worth(kernel=(1, 1)), worth(kernel=(5, 3)),
                    worth(kernel=(3,), out=(99,)), worth(stride=(2, 1)), worth(dilation=(1, 2)), worth(groups=2)])


@np.errstate(invalid="ignore")
@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("channels", [3, 32])
def test_a_pixel_that_is_no_number_makes_its_outputs_none_and_with_many_channels_those_of_its_tiles(value, channels):
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((2, channels, 17, 17)), rng.standard_normal((32, channels, 3, 3))
    x[1, 2, 8, 9] = value
    y, right = conv.convolve(x, w, (17, 17), *ONE), conv.convolve.plain(x, w, (17, 17), *ONE)
    lost = ~np.isfinite(right)
    if channels == 32 and not missing():
        lost[1, :, 4:12, 8:12] = True   # the two tiles that see row 8 and column 9
        assert np.isnan(y[lost]).all()
    else:
        np.testing.assert_array_equal(y[lost], right[lost])
    np.testing.assert_allclose(y[~lost], right[~lost], rtol=1e-11, atol=1e-11)


@needs_loops
@np.errstate(invalid="ignore")
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_no_number_stays_in_its_group_where_loops_convolve(value):
    rng = np.random.default_rng(0)
    x, w, dy = rng.standard_normal((2, 6, 9, 9)), rng.standard_normal((9, 2, 3, 3)), rng.standard_normal((2, 9, 9, 9))
    x[1, 2, 4, 4] = dy[0, 3, 5, 5] = value
    options = (*ONE[:3], 3)
    for formula, *args in [(conv.convolve, x, w, (9, 9)), (conv.weight_gradient, x, dy, (3, 3)),
                           (conv.input_gradient, dy, w, (9, 9))]:
        close(formula(*args, *options), formula.plain(*args, *options))


@pytest.mark.parametrize("channels, filters, groups", [(3, 5, 1), (17, 33, 1), (6, 9, 3), (40, 200, 1)])
@pytest.mark.parametrize("size, kernel, stride, dilation", [
    ((31,), (5,), (2,), (3,)), ((13, 19), (3, 2), (1, 1), (2, 3)), ((14, 15), (3, 3), (2, 3), (1, 1)),
    ((9, 8, 7), (3, 2, 3), (1, 2, 1), (1, 1, 2))], ids=str)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_odd_channels_groups_dilation_and_volumes_of_arrays_that_cannot_be_written(
        channels, filters, groups, size, kernel, stride, dilation, dtype):
    rng, padding = np.random.default_rng(0), [(1, 0), (2, 1), (0, 1)][:len(size)]
    out = tuple((s + sum(p) - d * (k - 1) - 1) // t + 1 for s, p, d, k, t in zip(size, padding, dilation, kernel, stride))
    shapes = (3, channels, *size), (filters, channels // groups, *kernel), (3, filters, *out), (filters,)
    x, w, dy, b = [rng.standard_normal(shape).astype(dtype) for shape in shapes]
    for a in (x, w, dy, b):
        a.flags.writeable = False
    options = stride, padding, dilation, groups
    for formula, *args in [(conv.convolve, x, w, out, *options, b), (conv.weight_gradient, x, dy, kernel, *options),
                           (conv.input_gradient, dy, w, size, *options)]:
        found, right = formula(*args), formula.plain(*args)
        assert found.dtype == dtype and found.flags.writeable
        tolerance = (1e-12 if dtype == "float64" else 1e-5) * np.abs(right).max()
        np.testing.assert_allclose(found, right, rtol=0, atol=tolerance)


@pytest.mark.parametrize("channels, filters, kernel, stride, groups", [
    (3, 16, 3, 1, 1), (16, 24, 3, 2, 1), (32, 32, 3, 1, 1), (40, 24, 5, 1, 1), (64, 32, 1, 1, 1), (12, 12, 3, 1, 3)])
def test_results_are_the_same_to_the_last_bit_for_any_number_of_threads(channels, filters, kernel, stride, groups):
    rng = np.random.default_rng(0)
    out = tuple((s + 2 * (kernel // 2) - kernel) // stride + 1 for s in (22, 23))
    shapes = (9, channels, 22, 23), (filters, channels // groups, kernel, kernel), (9, filters, *out)
    x, w, dy = (rng.standard_normal(shape, dtype=np.float32) for shape in shapes)
    options = (stride, stride), [(kernel // 2, kernel // 2)] * 2, (1, 1), groups

    def results(threads):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("tinycnn.cpu.workers._threads", threads)
            patch.setattr("tinycnn.cpu.workers.WORTH", 1e-5)
            return [conv.convolve(x, w, out, *options), conv.weight_gradient(x, dy, w.shape[2:], *options),
                    conv.input_gradient(dy, w, (22, 23), *options), conv.bias_gradient(dy)]
    for one, two, three in zip(*map(results, (1, 2, 3))):
        assert np.array_equal(one, two) and np.array_equal(one, three)


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
    y = conv.convolve(x, w, (4, 4), *ONE)
    assert y.dtype == np.float16 and y.max() == 72
    assert conv.weight_gradient(x, y, (3, 3), *ONE).dtype == np.float16


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
