"""Normalisation: what the registry's cases do not show."""
import contextlib

import numpy as np
import pytest

import tinycnn as t
from tinycnn.ops.norm import batch_norm, group_norm, instance_norm, layer_norm, local_response_norm, normalize, rms_norm


def draw(*shape, dtype="float32", seed=0):
    return t.tensor(np.random.default_rng(seed).standard_normal(shape).astype(dtype))


def channels_last(x):
    """The same values with the channels next to each other in memory."""
    return np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)


@pytest.fixture(params=["roads", "formulas"])
def both(request):
    """Once with all roads, once with none."""
    with contextlib.nullcontext() if request.param == "roads" else t.plainly():
        yield


# ---- statistics ----

def test_batch_norm_output_has_zero_mean_and_unit_variance_per_channel():
    y = batch_norm(draw(8, 3, 4, 5, dtype="float64") * 7 + 2, None, None, training=True, eps=0).array
    assert np.allclose(y.mean((0, 2, 3)), 0, atol=1e-12) and np.allclose(y.var((0, 2, 3)), 1)


@pytest.mark.parametrize("layout", [np.ascontiguousarray, channels_last])
def test_a_large_offset_does_not_cancel_in_float32(layout, both):
    x = layout((np.random.default_rng(0).standard_normal((16, 4, 16, 16)) + 1e4).astype("float32"))
    exact = x.astype("float64")
    exact = (exact - exact.mean((0, 2, 3), keepdims=True)) / exact.std((0, 2, 3), keepdims=True)
    y = batch_norm(t.from_numpy(x), None, None, training=True).array
    assert y.dtype == np.float32
    assert np.abs(y - exact).max() < 5e-3  # float32 numbers near 1e4 are 1e-3 apart


def test_memory_layout_changes_nothing():
    x = np.random.default_rng(0).standard_normal((2, 4, 3, 3))
    for f in (lambda v: batch_norm(v, None, None, training=True), lambda v: group_norm(v, 2), lambda v: instance_norm(v)):
        results = []
        for layout in (np.ascontiguousarray, channels_last):
            v = t.from_numpy(layout(x)).requires_grad_()
            y = f(v)
            y.backward(t.tensor(np.arange(y.numel(), dtype="float64").reshape(y.shape)**2))
            results.append((y.array, v.grad.array))
        assert np.allclose(results[0][0], results[1][0], rtol=1e-12, atol=1e-12)
        assert np.allclose(results[0][1], results[1][1], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("f", [
    lambda x, w: batch_norm(x, None, None, w, w, training=True), lambda x, w: group_norm(x, 2, w, w),
    lambda x, w: instance_norm(x, weight=w, bias=w), lambda x, w: layer_norm(x.detach(), (4,), w, w),
    lambda x, w: rms_norm(x, (4,), w), lambda x, w: local_response_norm(x, 3),
    lambda x, w: batch_norm(x, w.detach(), (w * 0 + 1).detach(), w, w)])
def test_float32_stays_float32_forward_and_backward(f, both):
    x, w = draw(3, 4, 2, 4).requires_grad_(), draw(4).requires_grad_()
    y = f(x, w)
    y.backward(draw(*y.shape, seed=1))
    assert y.dtype == np.float32
    assert all(v.grad is None or v.grad.dtype == np.float32 for v in (x, w))


def test_inputs_are_not_changed(both):
    x, m, v = draw(3, 2, 4), draw(2), t.ones(2)
    before = [a.array.copy() for a in (x, m, v)]
    batch_norm(x, m, v)
    batch_norm(x, None, None, training=True)
    layer_norm(x, 4)
    assert all(np.array_equal(a.array, b) for a, b in zip((x, m, v), before))


# ---- running statistics ----

def test_running_statistics_are_updated_in_place_with_the_unbiased_variance(both):
    x = draw(4, 2, 3, dtype="float64")
    m, v = t.zeros(2, dtype=t.float64), t.ones(2, dtype=t.float64)
    array = m.array
    batch_norm(x, m, v, training=True, momentum=0.25)
    assert m.array is array
    assert np.allclose(m.array, 0.25 * x.array.mean((0, 2)))
    assert np.allclose(v.array, 0.75 + 0.25 * x.array.var((0, 2), ddof=1))


def test_running_statistics_agree_with_torch():
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(0).standard_normal((4, 3, 5))
    for name, options in (("batch_norm", dict(training=True)), ("instance_norm", dict(use_input_stats=True))):
        ours = t.tensor(np.full(3, 0.5)), t.tensor(np.full(3, 2.0))
        theirs = torch.full((3,), 0.5).double(), torch.full((3,), 2.0).double()
        for _ in range(2):
            getattr(t, name)(t.tensor(x), *ours, momentum=0.3, **options)
            getattr(torch.nn.functional, name)(torch.tensor(x), *theirs, momentum=0.3, **options)
        for a, b in zip(ours, theirs):
            assert np.allclose(a.array, b.numpy(), rtol=1e-12)


def test_a_training_step_after_evaluation_does_not_disturb_its_backward():
    x, m, v = draw(4, 2).requires_grad_(), t.zeros(2), t.ones(2)
    y = batch_norm(x, m, v)
    batch_norm(draw(4, 2), m, v, training=True)
    y.backward(t.ones(4, 2))
    assert np.allclose(x.grad.array, 1 / np.sqrt(1 + 1e-5))


# ---- relations ----

def test_group_norm_lies_between_layer_and_instance_norm():
    x = draw(2, 4, 3, 3, dtype="float64")
    assert np.allclose(group_norm(x, 1).array, layer_norm(x, (4, 3, 3)).array)
    assert np.allclose(group_norm(x, 4).array, instance_norm(x).array)


def test_layer_norm_takes_an_int_for_one_dimension():
    x = draw(2, 3)
    assert np.array_equal(layer_norm(x, 3).array, layer_norm(x, (3,)).array)
    assert np.array_equal(layer_norm(x, [3]).array, layer_norm(x, (3,)).array)


def test_rms_norm_default_eps_is_that_of_the_dtype():
    torch = pytest.importorskip("torch")
    x = np.full((2, 3), 1e-4, "float32")
    ours = rms_norm(t.tensor(x), 3).array
    assert np.allclose(ours, torch.nn.functional.rms_norm(torch.tensor(x), (3,)).numpy(), rtol=1e-6)


def test_normalize_has_unit_norm_and_leaves_zero_vectors():
    x = t.tensor([[3.0, 4.0], [0.0, 0.0]]).requires_grad_()
    y = normalize(x)
    assert np.allclose(y.array, [[0.6, 0.8], [0, 0]])
    y.backward(t.ones(2, 2))
    assert np.isfinite(x.grad.array).all()


@pytest.mark.parametrize("p,dim", [(2.0, 1), (1.0, 0), (3.0, -1)])
def test_normalize_agrees_with_torch(p, dim):
    torch = pytest.importorskip("torch")
    x, dy = np.random.default_rng(0).standard_normal((2, 3, 4, 2))
    a, b = t.tensor(x).requires_grad_(), torch.tensor(x, requires_grad=True)
    y, z = normalize(a, p, dim), torch.nn.functional.normalize(b, p, dim)
    y.backward(t.tensor(dy)), z.backward(torch.tensor(dy))
    assert np.allclose(y.array, z.detach().numpy(), rtol=1e-12)
    assert np.allclose(a.grad.array, b.grad.numpy(), rtol=1e-10)


def test_sizes_of_zero_give_empty_results(both):
    assert group_norm(t.zeros(0, 4, 3), 2).shape == (0, 4, 3)
    assert instance_norm(t.zeros(0, 4, 3), t.zeros(4), t.ones(4)).shape == (0, 4, 3)
    assert layer_norm(t.zeros(3, 0), 0).shape == (3, 0)
    assert rms_norm(t.zeros(3, 0), 0).shape == (3, 0)


# ---- bad input ----

@pytest.mark.parametrize("call,error,words", [
    (lambda: batch_norm(t.zeros(1, 3), None, None, training=True), ValueError, ["batch_norm", "more than 1", "(1, 3)"]),
    (lambda: batch_norm(t.zeros(2, 3), None, None), ValueError, ["batch_norm", "running_mean"]),
    (lambda: batch_norm(t.zeros(2, 3), t.zeros(2), t.ones(3)), ValueError, ["batch_norm", "running_mean", "(3,)", "(2,)"]),
    (lambda: batch_norm(t.zeros(2, 3), None, None, t.ones(4), training=True), ValueError, ["weight", "(3,)", "(4,)"]),
    (lambda: batch_norm(t.zeros(3), None, None, training=True), ValueError, ["batch_norm", "input", "(3,)"]),
    (lambda: batch_norm([1.0], None, None), TypeError, ["batch_norm", "input", "list"]),
    (lambda: batch_norm(t.zeros(2, 3, dtype=t.int64), None, None, training=True), TypeError, ["input", "int64"]),
    (lambda: instance_norm(t.zeros(2, 3)), ValueError, ["instance_norm", "spatial", "(2, 3)"]),
    (lambda: instance_norm(t.zeros(2, 3, 1)), ValueError, ["instance_norm", "spatial", "(2, 3, 1)"]),
    (lambda: group_norm(t.zeros(2, 4, 2), 3), ValueError, ["group_norm", "4 channels", "num_groups=3"]),
    (lambda: group_norm(t.zeros(2, 4, 2), 0), ValueError, ["group_norm", "num_groups=0"]),
    (lambda: group_norm(t.zeros(1, 2), 2), ValueError, ["group_norm", "more than 1 value", "(1, 2)"]),
    (lambda: group_norm(t.zeros(2, 4, 2), 2, bias=t.zeros(2)), ValueError, ["group_norm", "bias", "(4,)", "(2,)"]),
    (lambda: layer_norm(t.zeros(2, 4), (3,)), ValueError, ["layer_norm", "normalized_shape", "(3,)", "(2, 4)"]),
    (lambda: layer_norm(t.zeros(4), (2, 4)), ValueError, ["layer_norm", "normalized_shape", "(2, 4)"]),
    (lambda: layer_norm(t.zeros(2, 4), ()), ValueError, ["layer_norm", "normalized_shape"]),
    (lambda: layer_norm(t.zeros(2, 4), (4,), t.ones(2, 4)), ValueError, ["layer_norm", "weight", "(4,)", "(2, 4)"]),
    (lambda: rms_norm(t.zeros(2, 4), (4,), t.ones(3)), ValueError, ["rms_norm", "weight", "(3,)"]),
    (lambda: local_response_norm(t.zeros(2, 4), 3), ValueError, ["local_response_norm", "input", "(2, 4)"]),
    (lambda: local_response_norm(t.zeros(2, 4, 2), 0), ValueError, ["local_response_norm", "size", "0"]),
    (lambda: normalize(t.zeros(2, 4, dtype=t.int64)), TypeError, ["normalize", "input", "int64"]),
])
def test_bad_input_is_named(call, error, words):
    with pytest.raises(error) as caught:
        call()
    assert all(word in str(caught.value) for word in words), str(caught.value)
