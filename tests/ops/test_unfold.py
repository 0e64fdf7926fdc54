"""Windows as columns, and back: values, order, arguments, errors."""
import numpy as np
import pytest

import tinycnn
from tinycnn import fold, unfold
from tinycnn.engine.arrays import sliding_windows
from tinycnn.ops.unfold import col2im, im2col


def images(*shape, dtype=np.float32, seed=0):
    """Random numbers as a tensor."""
    return tinycnn.tensor(np.random.default_rng(seed).standard_normal(shape).astype(dtype))


def test_sliding_windows_copy_nothing_and_are_read_only():
    x = np.arange(24.0).reshape(1, 2, 3, 4)
    windows = sliding_windows(x, (2, 2), (1, 2), (1, 1))
    assert windows.shape == (1, 2, 2, 2, 2, 2) and np.shares_memory(windows, x)
    assert windows[0, 1, 1, 0, 0, 1] == x[0, 1, 0 * 1 + 1, 1 * 2 + 0]
    with pytest.raises(ValueError, match="read-only"):
        windows[...] = 0


@pytest.mark.parametrize("size, kernel, stride, padding, dilation", [
    ((9,), (3,), (2,), [(1, 2)], (2,)), ((6, 7), (3, 2), (1, 3), [(0, 0), (2, 1)], (2, 1)),
    ((4, 5, 3), (2, 3, 2), (2, 1, 1), [(1, 1), (0, 2), (0, 0)], (1, 1, 2))])
def test_im2col_and_col2im_are_adjoint(size, kernel, stride, padding, dilation):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, 3, *size))
    windows = im2col(x, kernel, stride, padding, dilation)
    cols = rng.standard_normal(windows.shape)
    back = col2im(cols, size, stride, padding, dilation)
    assert np.vdot(windows, cols) == pytest.approx(np.vdot(x, back), rel=1e-12)


def test_a_pixel_returns_as_often_as_windows_hold_it():
    ones = tinycnn.ones(1, 1, 3, 4)
    assert fold(unfold(ones, 2), (3, 4), 2).tolist() == [[[[1, 2, 2, 1], [2, 4, 4, 2], [1, 2, 2, 1]]]]


def test_rows_are_channel_then_kernel_row_then_kernel_column():
    x = tinycnn.arange(18).float().reshape(1, 2, 3, 3)
    assert unfold(x, 2).tolist() == [[[0, 1, 3, 4], [1, 2, 4, 5], [3, 4, 6, 7], [4, 5, 7, 8],
                                      [9, 10, 12, 13], [10, 11, 13, 14], [12, 13, 15, 16], [13, 14, 16, 17]]]


def test_a_convolution_is_unfold_and_a_matrix_product():
    x, w = images(2, 3, 6, 5), images(4, 3, 3, 2, seed=1)
    y = w.array.reshape(4, -1) @ unfold(x, (3, 2), padding=1, stride=2).array
    expected = tinycnn.conv2d(x, w, padding=1, stride=2)
    np.testing.assert_allclose(y.reshape(expected.shape), expected.array, rtol=1e-5, atol=1e-5)


def test_an_image_without_batch_gives_columns_without_batch():
    x = images(3, 5, 5)
    assert unfold(x, 3).shape == (27, 9)
    assert fold(unfold(x, 3), 5, 3).shape == (3, 5, 5)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_the_dtype_stays(dtype):
    x = images(1, 2, 4, 4, dtype=dtype).requires_grad_()
    y = fold(unfold(x, 2), 4, 2)
    y.backward(tinycnn.ones_like(y))
    assert y.dtype == x.grad.dtype == dtype


def test_columns_have_memory_of_their_own():
    x = images(1, 2, 3, 3)
    assert not np.shares_memory(unfold(x, 1).array, x.array)
    cols = unfold(x, 1)
    assert not np.shares_memory(fold(cols, 3, 1).array, cols.array)
    dy = images(1, 2, 9)
    x.requires_grad_()
    unfold(x, 1).backward(dy)
    assert not np.shares_memory(x.grad.array, dy.array)


@pytest.mark.parametrize("error, message, call", [
    (ValueError, r"unfold: input must have the shape \(N, C, H, W\) or \(C, H, W\), got \(3,\)",
     lambda: unfold(images(3), 2)),
    (ValueError, r"unfold: kernel of size \(4, 4\).*only \(3, 3\)", lambda: unfold(images(1, 1, 3, 3), 4)),
    (ValueError, r"unfold: stride must be at least 1, got 0", lambda: unfold(images(1, 1, 3, 3), 2, stride=0)),
    (TypeError, r"unfold: kernel_size must be an integer or a tuple of 2, got '2'", lambda: unfold(images(1, 1, 3, 3), "2")),
    (TypeError, r"unfold: input must be floating point, got int64", lambda: unfold(tinycnn.zeros(1, 1, 3, 3).long(), 2)),
    (ValueError, r"fold: input must have the shape \(N, C, L\) or \(C, L\)", lambda: fold(images(1, 1, 4, 4), 3, 2)),
    (ValueError, r"fold: input of shape \(1, 6, 4\) has 6 rows.*2 \* 2", lambda: fold(images(1, 6, 4), 3, 2)),
    (ValueError, r"fold: input of shape \(1, 4, 5\) has 5 columns, but 2 \* 2 windows fit into output_size \(3, 3\)",
     lambda: fold(images(1, 4, 5), 3, 2)),
    (ValueError, r"fold: output_size must be at least 1, got 0", lambda: fold(images(1, 4, 4), 0, 2))])
def test_errors_name_function_argument_and_value(error, message, call):
    with pytest.raises(error, match=message):
        call()
