"""Pooling: values, indices, ties, NaN, arguments, errors."""
import contextlib
import math

import numpy as np
import pytest

import tinycnn
from tinycnn import (adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_max_pool2d, avg_pool1d, avg_pool2d, lp_pool1d,
                     lp_pool2d, max_pool1d, max_pool2d, max_pool3d, max_unpool1d, max_unpool2d)


def images(*shape, dtype=np.float32, requires_grad=False, seed=0):
    """Random numbers as a tensor."""
    array = np.random.default_rng(seed).standard_normal(shape).astype(dtype)
    return tinycnn.tensor(array, requires_grad=requires_grad)


def signal(*values, requires_grad=False):
    """One signal of one channel, (1, 1, L)."""
    return tinycnn.tensor([[list(map(float, values))]], requires_grad=requires_grad)


@pytest.fixture(params=["roads", "formulas"])
def both(request):
    """Once with all roads, once with none."""
    with contextlib.nullcontext() if request.param == "roads" else tinycnn.plainly():
        yield


# ---- maximum ---------------------------------------------------------------------------------------------------------

def test_indices_point_at_the_maxima():
    x = images(2, 3, 7, 6)
    y, indices = max_pool2d(x, 3, stride=2, padding=1, return_indices=True)
    assert indices.dtype == tinycnn.int64
    planes = x.array.reshape(2, 3, -1)
    assert np.array_equal(np.take_along_axis(planes, indices.array.reshape(2, 3, -1), 2).reshape(y.shape), y.array)


@pytest.mark.parametrize("options", [
    dict(kernel_size=3, stride=1, padding=1), dict(kernel_size=2, dilation=2, ceil_mode=True),
    dict(kernel_size=(20, 17), padding=(10, 8))])  # more elements than a byte can number
@pytest.mark.parametrize("kind", ["distinct", "ties", "minus infinity"])
def test_values_and_indices_are_pytorchs(options, kind, both):
    torch = pytest.importorskip("torch")
    x = {"distinct": images(2, 2, 21, 20).array, "ties": np.sign(images(2, 2, 21, 20).array),
         "minus infinity": np.full((1, 1, 21, 20), -np.inf, np.float32)}[kind]
    y, indices = max_pool2d(tinycnn.tensor(x), **options, return_indices=True)
    z, positions = torch.nn.functional.max_pool2d(torch.tensor(x), **options, return_indices=True)
    assert np.array_equal(y.array, z.numpy()) and np.array_equal(indices.array, positions.numpy())


def test_of_equal_elements_the_first_takes_the_gradient(both):
    x = tinycnn.zeros(1, 1, 2, 2, requires_grad=True)
    max_pool2d(x, 2).backward(tinycnn.ones(1, 1, 1, 1))
    assert x.grad.tolist() == [[[[1, 0], [0, 0]]]]


def test_an_element_that_wins_in_two_windows_gets_both_gradients():
    x = signal(1, 5, 2, requires_grad=True)
    max_pool1d(x, 2, stride=1).backward(signal(3, 4))
    assert x.grad.tolist() == [[[0, 7, 0]]]


def test_padding_never_wins(both):
    x = signal(-3, -2, -1, requires_grad=True)
    y, indices = max_pool1d(x, 2, stride=2, padding=1, return_indices=True)
    assert y.tolist() == [[[-3, -1]]] and indices.tolist() == [[[0, 2]]]
    x = signal(-math.inf, -math.inf, requires_grad=True)
    max_pool1d(x, 2, padding=1).backward(signal(3, 4))
    assert x.grad.tolist() == [[[3, 4]]]


@pytest.mark.parametrize("place", range(4))
def test_nan_wins_over_numbers(place, both):
    values = [1.0, 2.0, 3.0, 4.0]
    values[place] = math.nan
    x = signal(*values)
    y, index = max_pool1d(x, 4, return_indices=True)
    assert math.isnan(y.item()) and index.item() == place
    assert math.isnan(adaptive_max_pool2d(x, 1).item())


def test_unpooling_puts_the_maxima_back():
    x = images(2, 3, 7, 6)
    y, indices = max_pool2d(x, 2, return_indices=True)
    back = max_unpool2d(y, indices, 2, output_size=x.shape)
    assert back.shape == x.shape
    assert np.array_equal(back.array[back.array != 0], x.array[back.array != 0]) and (back.array != 0).sum() == y.numel()
    assert np.array_equal(max_pool2d(back.abs(), 2).array, y.abs().array)


def test_equal_indices_of_overlapping_windows_put_their_value_once():
    y, indices = max_pool1d(signal(1, 5, 2), 2, stride=1, return_indices=True)
    assert max_unpool1d(y, indices, 2, stride=1).tolist() == [[[0, 5, 0]]]


def test_changing_the_indices_does_not_change_the_gradient(both):
    x = signal(1, 5, 2, 3, requires_grad=True)
    y, indices = max_pool1d(x, 2, return_indices=True)
    indices += 1
    y.sum().backward()
    assert x.grad.tolist() == [[[0, 1, 0, 1]]]


def test_indices_have_no_gradient():
    y, indices = adaptive_max_pool2d(images(1, 2, 4, 4, requires_grad=True), 2, return_indices=True)
    assert y.requires_grad and not indices.requires_grad


# ---- mean ------------------------------------------------------------------------------------------------------------

def test_the_mean_counts_padding_only_if_told():
    x = signal(2, 4, 6, 8)
    assert avg_pool1d(x, 2, padding=1).tolist() == [[[1, 5, 4]]]
    assert avg_pool1d(x, 2, padding=1, count_include_pad=False).tolist() == [[[2, 5, 8]]]


def test_what_lies_beyond_the_padding_never_counts(both):
    assert avg_pool1d(signal(2, 4, 6), 2, ceil_mode=True).tolist() == [[[3, 6]]]
    assert avg_pool1d(signal(2, 4, 6), 3, padding=1, ceil_mode=True).tolist() == [[[2, 3]]]


def test_divisor_override_replaces_the_count():
    assert avg_pool2d(tinycnn.ones(1, 1, 2, 2), 2, divisor_override=8).item() == 0.5


def test_adaptive_windows_share_elements_where_the_size_does_not_divide():
    assert adaptive_avg_pool1d(signal(0, 6, 12, 18, 30), 3).tolist() == [[[3, 12, 24]]]


def test_one_infinite_pixel_spoils_its_own_window_only():
    x = tinycnn.ones(1, 1, 4, 4)
    x.array[0, 0, 0, 0] = np.inf
    assert adaptive_avg_pool2d(x, 2).tolist() == [[[[math.inf, 1], [1, 1]]]]


def test_global_pooling_is_mean_and_max_over_the_image():
    x = images(2, 3, 5, 4, dtype=np.float64)
    np.testing.assert_allclose(adaptive_avg_pool2d(x, 1).array[:, :, 0, 0], x.array.mean((2, 3)), rtol=1e-12)
    assert np.array_equal(adaptive_max_pool2d(x, (1, 1)).array[:, :, 0, 0], x.array.max((2, 3)))


def test_none_keeps_a_dimension():
    assert adaptive_avg_pool2d(images(2, 3, 5, 4), (None, 2)).shape == (2, 3, 5, 2)


def test_power_average_of_zeros_is_zero_with_zero_gradient():
    x = tinycnn.tensor([[[0.0, 0.0, 3.0, 4.0]]], requires_grad=True)
    y = lp_pool1d(x, 2, 2)
    assert y.tolist() == [[[0, 5]]]
    y.sum().backward()
    np.testing.assert_allclose(x.grad.array, [[[0, 0, 0.6, 0.8]]], rtol=1e-6)


def test_power_average_of_power_one_is_the_sum():
    np.testing.assert_allclose(lp_pool2d(tinycnn.ones(1, 1, 4, 6), 1, (2, 3)).array, np.full((1, 1, 2, 2), 6.0))


# ---- all -------------------------------------------------------------------------------------------------------------

EVERY = {"max_pool": lambda x: max_pool2d(x, 3, stride=2, padding=1), "avg_pool": lambda x: avg_pool2d(x, 2),
         "adaptive_avg": lambda x: adaptive_avg_pool2d(x, 3), "adaptive_max": lambda x: adaptive_max_pool2d(x, 3),
         "lp_pool": lambda x: lp_pool2d(x, 2, 2)}


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("name", EVERY)
def test_the_dtype_stays(name, dtype, both):
    x = images(2, 3, 8, 7, dtype=dtype, requires_grad=True)
    y = EVERY[name](x)
    y.backward(tinycnn.ones_like(y))
    assert y.dtype == x.grad.dtype == dtype


@pytest.mark.parametrize("name", EVERY)
def test_an_image_without_batch_gives_one_without_batch(name):
    x = images(3, 8, 7)
    assert np.array_equal(EVERY[name](x).array, EVERY[name](x.unsqueeze(0)).array[0])


def test_an_image_without_batch_has_indices_without_batch():
    y, indices = max_pool2d(images(3, 8, 6), 2, return_indices=True)
    assert y.shape == indices.shape == (3, 4, 3) and max_unpool2d(y, indices, 2).shape == (3, 8, 6)


@pytest.mark.parametrize("name", EVERY)
def test_the_input_is_left_alone_and_its_memory_not_shared(name, both):
    x = images(2, 3, 8, 7, requires_grad=True)
    before = x.array.copy()
    y = EVERY[name](x)
    dy = images(*y.shape, seed=1)
    kept = dy.array.copy()
    y.backward(dy)
    assert np.array_equal(x.array, before) and np.array_equal(dy.array, kept)
    assert not np.shares_memory(y.array, x.array) and not np.shares_memory(x.grad.array, dy.array)


def test_a_kernel_of_one_copies(both):
    x = images(1, 1, 2, 2)
    assert not np.shares_memory(max_pool2d(x, 1).array, x.array) and not np.shares_memory(avg_pool2d(x, 1).array, x.array)


X = images(2, 3, 6, 6)
Y, PLACES = max_pool2d(X, 2, return_indices=True)


@pytest.mark.parametrize("error, message, call", [
    (ValueError, r"max_pool2d: input must have the shape \(N, C, H, W\) or \(C, H, W\), got \(6,\)",
     lambda: max_pool2d(images(6), 2)),
    (ValueError, r"max_pool3d: a kernel of size \(7, 7, 7\).* does not fit into an input of size \(6, 6, 6\)",
     lambda: max_pool3d(images(1, 6, 6, 6), 7)),
    (ValueError, r"max_pool2d: padding must be at most half the kernel, got padding \(2, 2\).*\(3, 3\)",
     lambda: max_pool2d(X, 3, padding=2)),
    (ValueError, r"max_pool2d: kernel_size must be at least 1, got 0", lambda: max_pool2d(X, 0)),
    (ValueError, r"max_pool2d: stride must be at least 1, got \(2, 0\)", lambda: max_pool2d(X, 2, stride=(2, 0))),
    (ValueError, r"max_pool2d: dilation must be at least 1, got -1", lambda: max_pool2d(X, 2, dilation=-1)),
    (ValueError, r"max_pool1d: with dilation \(3,\) and padding \(1,\).*nothing but padding",
     lambda: max_pool1d(signal(1, 2), 2, padding=1, dilation=3)),
    (TypeError, r"max_pool2d: input must be floating point, got int64", lambda: max_pool2d(X.long(), 2)),
    (ValueError, r"avg_pool2d: padding must be at least 0, got -1", lambda: avg_pool2d(X, 2, padding=-1)),
    (ValueError, r"avg_pool2d: divisor_override must not be 0", lambda: avg_pool2d(X, 2, divisor_override=0)),
    (ValueError, r"avg_pool2d: kernel_size must be an integer or a tuple of 2, got \(2, 2, 2\)",
     lambda: avg_pool2d(X, (2, 2, 2))),
    (ValueError, r"max_unpool2d: indices must be integers of the shape \(2, 3, 3, 3\) of input, got int64 of shape \(2, 3",
     lambda: max_unpool2d(Y, PLACES[:, :, :2], 2)),
    (ValueError, r"max_unpool2d: indices must be integers.*got float32", lambda: max_unpool2d(Y, Y, 2)),
    (ValueError, r"max_unpool2d: output_size must differ by less than the stride \(2, 2\) from \(6, 6\), got \(8, 6\)",
     lambda: max_unpool2d(Y, PLACES, 2, output_size=(8, 6))),
    (IndexError, r"max_unpool2d: indices run from .* to 136.* size \(6, 6\) has only 36",
     lambda: max_unpool2d(Y, PLACES * 0 + 136, 2)),
    (ValueError, r"adaptive_avg_pool2d: output_size must be an integer or a tuple of 2, got \(1, 2, 3\)",
     lambda: adaptive_avg_pool2d(X, (1, 2, 3))),
    (ValueError, r"adaptive_max_pool2d: output_size must be at least 1, got \(0, 0\)", lambda: adaptive_max_pool2d(X, 0)),
    (ValueError, r"adaptive_avg_pool2d: input of shape \(1, 2, 0, 3\) has no elements",
     lambda: adaptive_avg_pool2d(tinycnn.zeros(1, 2, 0, 3), 1)),
    (ValueError, r"lp_pool2d: norm_type must not be 0", lambda: lp_pool2d(X, 0, 2)),
    (ValueError, r"lp_pool1d: stride must be at least 1, got 0", lambda: lp_pool1d(images(2, 3, 6), 2, 2, 0))])
def test_errors_name_function_argument_and_value(error, message, call):
    with pytest.raises(error, match=message):
        call()
