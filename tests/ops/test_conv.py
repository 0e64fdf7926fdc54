"""Convolution and transposed convolution: values, arguments, errors."""
import itertools
import warnings

import numpy as np
import pytest

import tinycnn
from tinycnn import conv1d, conv2d, conv3d, conv_transpose1d, conv_transpose2d, conv_transpose3d
from tinycnn.ops import conv
from tinycnn.ops.conv import Conv


def images(*shape, dtype=np.float32, requires_grad=False, seed=0):
    """Random numbers as a tensor."""
    array = np.random.default_rng(seed).standard_normal(shape).astype(dtype)
    return tinycnn.tensor(array, requires_grad=requires_grad)


def in_seven_loops(x, w, stride, padding, dilation, groups):
    """The definition of a two-dimensional convolution, in seven loops."""
    x = np.pad(x, [(0, 0), (0, 0), (padding[0],) * 2, (padding[1],) * 2])
    filters, channels, kh, kw = w.shape
    oh, ow = ((x.shape[i + 2] - dilation[i] * (w.shape[i + 2] - 1) - 1) // stride[i] + 1 for i in range(2))
    y = np.zeros((len(x), filters, oh, ow))
    for n, f, i, j, c, k, m in itertools.product(*map(range, (len(x), filters, oh, ow, channels, kh, kw))):
        channel = f // (filters // groups) * channels + c
        y[n, f, i, j] += w[f, c, k, m] * x[n, channel, i * stride[0] + k * dilation[0], j * stride[1] + m * dilation[1]]
    return y


@pytest.mark.parametrize("options", [
    dict(stride=(1, 1), padding=(0, 0), dilation=(1, 1), groups=1),
    dict(stride=(2, 1), padding=(1, 2), dilation=(1, 2), groups=2),
    dict(stride=(3, 2), padding=(2, 0), dilation=(2, 1), groups=4)])
def test_conv2d_is_its_definition_in_seven_loops(options):
    x, w = images(2, 4, 6, 7, dtype=np.float64), images(4, 4 // options["groups"], 2, 3, dtype=np.float64, seed=1)
    expected = in_seven_loops(x.array, w.array, **options)
    np.testing.assert_allclose(conv2d(x, w, **options).array, expected, rtol=1e-12, atol=1e-12)


def test_the_kernel_is_not_flipped():
    y = conv1d(tinycnn.tensor([[[1.0, 2.0, 3.0]]]), tinycnn.tensor([[[1.0, 10.0]]]))
    assert y.tolist() == [[[21.0, 32.0]]]


def test_transposed_convolution_paints_the_kernel():
    y = conv_transpose1d(tinycnn.tensor([[[1.0, 2.0]]]), tinycnn.tensor([[[1.0, 10.0, 100.0]]]))
    assert y.tolist() == [[[1.0, 12.0, 120.0, 200.0]]]


def test_same_padding_keeps_the_size_and_puts_the_odd_pixel_at_the_end():
    x = images(1, 2, 5, 7)
    assert conv2d(x, images(3, 2, 4, 2), padding="same").shape == (1, 3, 5, 7)
    y = conv1d(tinycnn.tensor([[[1.0, 2.0, 3.0]]]), tinycnn.tensor([[[1.0, 10.0]]]), padding="same")
    assert y.tolist() == [[[21.0, 32.0, 3.0]]]


@pytest.mark.parametrize("kernel, dilation", [((4, 2), (1, 1)), ((3, 2), (1, 3)), ((2, 5), (2, 1))])
def test_same_padding_is_pytorchs(kernel, dilation):
    torch = pytest.importorskip("torch")
    x, w = images(1, 2, 6, 7, dtype=np.float64), images(3, 2, *kernel, dtype=np.float64, seed=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns that it will pad a copy
        expected = torch.conv2d(torch.tensor(x.array), torch.tensor(w.array), padding="same", dilation=dilation).numpy()
    np.testing.assert_allclose(conv2d(x, w, padding="same", dilation=dilation).array, expected, rtol=1e-10, atol=1e-12)


def test_an_image_without_batch_gives_one_without_batch():
    x, w = images(3, 6, 5), images(4, 3, 3, 3, seed=1)
    assert np.array_equal(conv2d(x, w).array, conv2d(x.unsqueeze(0), w).array[0])
    assert conv_transpose2d(images(4, 6, 5), w).shape == (3, 8, 7)


@pytest.mark.parametrize("stride, dilation, output_padding", [(2, 1, 1), (3, 2, 2), (1, 3, 2)])
def test_transposed_convolution_is_the_adjoint_of_convolution(stride, dilation, output_padding):
    w = images(4, 3, 3, 2, dtype=np.float64)
    y = images(2, 4, 4, 5, dtype=np.float64, seed=1)
    back = conv_transpose2d(y, w, stride=stride, padding=1, output_padding=output_padding, dilation=dilation)
    x = images(*back.shape, dtype=np.float64, seed=2)
    there = conv2d(x, w, stride=stride, padding=1, dilation=dilation).array[:, :, :4, :5]
    assert np.vdot(there, y.array) == pytest.approx(np.vdot(x.array, back.array), rel=1e-12)


@pytest.mark.parametrize("function, shape, kernel", [
    (conv1d, (2, 4, 9), (6, 2, 3)), (conv2d, (2, 4, 9, 8), (6, 2, 3, 2)), (conv3d, (2, 4, 5, 6, 4), (6, 2, 3, 2, 2)),
    (conv_transpose1d, (2, 4, 9), (4, 2, 3)), (conv_transpose2d, (2, 4, 5, 6), (4, 2, 3, 2)),
    (conv_transpose3d, (2, 4, 3, 2, 4), (4, 2, 3, 2, 2))])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_the_dtype_stays(function, shape, kernel, dtype):
    x, w = images(*shape, dtype=dtype, requires_grad=True), images(*kernel, dtype=dtype, requires_grad=True)
    b = images(4 if "transpose" in function.__name__ else 6, dtype=dtype, requires_grad=True)
    y = function(x, w, b, stride=2, padding=1, groups=2)
    y.backward(tinycnn.ones_like(y))
    assert {y.dtype, x.grad.dtype, w.grad.dtype, b.grad.dtype} == {np.dtype(dtype)}


def test_gradients_that_nobody_wants_are_not_computed(monkeypatch):
    def forbidden(*_):
        raise AssertionError("computed a gradient that nobody wants")
    monkeypatch.setattr(conv, "input_gradient", forbidden)
    w = images(4, 3, 3, 3, requires_grad=True)
    conv2d(images(2, 3, 5, 5), w).sum().backward()
    monkeypatch.setattr(conv, "weight_gradient", forbidden)
    b = images(4, requires_grad=True)
    conv2d(images(2, 3, 5, 5), w.detach(), b).sum().backward()
    assert b.grad.tolist() == [18.0] * 4


def test_inputs_and_upstream_gradient_are_left_alone():
    x, w, b = images(2, 3, 5, 5, requires_grad=True), images(4, 3, 1, 1, requires_grad=True), images(4, requires_grad=True)
    before = [t.array.copy() for t in (x, w, b)]
    y = conv2d(x, w, b)
    dy = images(*y.shape, seed=3)
    kept = dy.array.copy()
    y.backward(dy)
    assert not np.shares_memory(y.array, x.array)
    assert all(np.array_equal(t.array, a) for t, a in zip((x, w, b), before)) and np.array_equal(dy.array, kept)


def test_changing_the_input_in_place_before_backward_is_noticed():
    x, w = images(1, 1, 3, 3), images(1, 1, 2, 2, requires_grad=True)
    y = conv2d(x, w)
    x += 1
    with pytest.raises(RuntimeError, match="changed in place"):
        y.sum().backward()


def test_an_empty_batch_gives_zero_gradients_for_weight_and_bias():
    w, b = images(4, 3, 3, 3, requires_grad=True), images(4, requires_grad=True)
    y = conv2d(images(0, 3, 5, 5), w, b)
    assert y.shape == (0, 4, 3, 3)
    y.sum().backward()
    assert not w.grad.array.any() and not b.grad.array.any() and w.grad.shape == w.shape


def test_a_convolution_is_one_node():
    assert isinstance(conv2d(images(1, 3, 5, 5), images(4, 3, 3, 3, requires_grad=True)).grad_fn, Conv)


X, W = images(2, 3, 6, 6), images(8, 3, 3, 3)


@pytest.mark.parametrize("error, message, call", [
    (ValueError, r"conv2d: input has 3 channels but weight of shape \(8, 4, 3, 3\) with groups=1 expects 4",
     lambda: conv2d(X, images(8, 4, 3, 3))),
    (ValueError, r"conv2d: input must have the shape \(N, C, H, W\) or \(C, H, W\), got \(6, 6\)",
     lambda: conv2d(images(6, 6), W)),
    (ValueError, r"conv1d: input must have the shape \(N, C, L\) or \(C, L\), got \(2, 3, 6, 6\)", lambda: conv1d(X, W)),
    (ValueError, r"conv2d: weight must have 4 dimensions.*\(8, 3, 3\)", lambda: conv2d(X, images(8, 3, 3))),
    (ValueError, r"conv2d: weight must .* none of them empty, got shape \(8, 3, 0, 3\)",
     lambda: conv2d(X, images(8, 3, 0, 3))),
    (ValueError, r"conv2d: kernel of size \(7, 3\).*spans \(7, 3\).*only \(6, 6\)", lambda: conv2d(X, images(8, 3, 7, 3))),
    (ValueError, r"dilation \(3, 1\) spans \(7, 3\).*only \(6, 6\)", lambda: conv2d(X, W, dilation=(3, 1))),
    (ValueError, r"conv2d: stride must be at least 1, got 0", lambda: conv2d(X, W, stride=0)),
    (ValueError, r"conv2d: dilation must be at least 1, got \(1, 0\)", lambda: conv2d(X, W, dilation=(1, 0))),
    (ValueError, r"conv2d: padding must be at least 0, got -1", lambda: conv2d(X, W, padding=-1)),
    (ValueError, r"conv2d: padding must be 'same', 'valid' or integers, got 'full'", lambda: conv2d(X, W, padding="full")),
    (ValueError, r"conv2d: padding='same' needs stride 1, got \(2, 1\)",
     lambda: conv2d(X, W, stride=(2, 1), padding="same")),
    (ValueError, r"conv2d: stride must be an integer or a tuple of 2, got \(1, 1, 1\)",
     lambda: conv2d(X, W, stride=(1, 1, 1))),
    (TypeError, r"conv2d: stride must be an integer or a tuple of 2, got 1.5", lambda: conv2d(X, W, stride=1.5)),
    (ValueError, r"conv2d: groups=3 does not divide the 8 filters", lambda: conv2d(X, images(8, 1, 3, 3), groups=3)),
    (ValueError, r"conv2d: groups must be at least 1, got 0", lambda: conv2d(X, W, groups=0)),
    (ValueError, r"conv2d: bias must have the shape \(8,\), got \(4,\)", lambda: conv2d(X, W, images(4))),
    (TypeError, r"conv2d: input is float32 but weight is float64", lambda: conv2d(X, W.double())),
    (TypeError, r"conv2d: input is float32 but bias is float64", lambda: conv2d(X, W, images(8, dtype=np.float64))),
    (TypeError, r"conv2d: input must be floating point, got int64", lambda: conv2d(tinycnn.zeros(1, 3, 4, 4).long(), W)),
    (TypeError, r"conv2d: weight must be a Tensor, got ndarray", lambda: conv2d(X, W.numpy())),
    (ValueError, r"conv_transpose2d: input has 3 channels but weight of shape \(8, 3, 3, 3\) expects 8",
     lambda: conv_transpose2d(X, W)),
    (ValueError, r"conv_transpose2d: groups=2 does not divide the 3 channels",
     lambda: conv_transpose2d(X, images(3, 4, 3, 3), groups=2)),
    (ValueError, r"conv_transpose2d: output_padding must be less than stride or dilation, got 2 with stride \(2, 2\)",
     lambda: conv_transpose2d(X, images(3, 4, 3, 3), stride=2, output_padding=2)),
    (ValueError, r"conv_transpose2d: .*padding \(9, 9\) gives an output of size \(-10, -10\)",
     lambda: conv_transpose2d(X, images(3, 4, 3, 3), padding=9)),
    (ValueError, r"conv_transpose2d: bias must have the shape \(4,\), got \(3,\)",
     lambda: conv_transpose2d(X, images(3, 4, 3, 3), images(3)))])
def test_errors_name_function_argument_and_value(error, message, call):
    with pytest.raises(error, match=message):
        call()
