"""Dropout: the mask, its scale and its seed."""
import numpy as np
import pytest

import tinycnn as t
from tinycnn.ops.dropout import alpha_dropout, dropout, dropout1d, dropout2d, dropout3d, feature_alpha_dropout

EVERY = [(dropout, (4, 3)), (dropout1d, (4, 3, 5)), (dropout2d, (4, 3, 5, 5)), (dropout3d, (4, 3, 2, 2, 2)),
         (alpha_dropout, (4, 3)), (feature_alpha_dropout, (4, 3, 5))]
every = pytest.mark.parametrize("f,shape", EVERY, ids=[f.__name__ for f, _ in EVERY])


def test_elements_are_dropped_with_probability_p_and_the_others_rescaled():
    t.manual_seed(0)
    y = dropout(t.ones(200, 200), 0.3).array
    assert set(np.unique(y)) == {0, np.float32(1 / 0.7)}
    assert abs((y == 0).mean() - 0.3) < 0.01 and abs(y.mean() - 1) < 0.01


def test_the_backward_uses_the_mask_of_the_forward():
    t.manual_seed(0)
    x = t.ones(50, 4).requires_grad_()
    y = dropout(x, 0.5)
    y.backward(t.ones(50, 4))
    assert np.array_equal(x.grad.array, y.array)


@every
def test_the_same_seed_gives_the_same_mask_and_the_next_call_another(f, shape):
    x = t.ones(*shape[:-1], 40) if f in (dropout, alpha_dropout) else t.ones(40, *shape[1:])
    runs = []
    for _ in range(2):
        t.manual_seed(3)
        runs.append([f(x, 0.5, training=True).array for _ in range(2)])
    assert np.array_equal(runs[0][0], runs[1][0]) and np.array_equal(runs[0][1], runs[1][1])
    assert not np.array_equal(runs[0][0], runs[0][1])


@every
def test_evaluation_and_p_zero_are_the_identity(f, shape):
    x = t.ones(*shape)
    assert f(x, 0.5, training=False) is x and f(x, 0.0, training=True) is x


@every
def test_p_one_drops_everything_and_has_a_zero_gradient(f, shape):
    x = t.ones(*shape).requires_grad_()
    y = f(x, 1.0, training=True)
    y.backward(t.ones(*shape))
    assert not y.array.any() and not x.grad.array.any()


@every
def test_inplace_writes_into_the_input(f, shape):
    t.manual_seed(0)
    x = t.ones(*shape)
    expected = f(x, 0.5, training=True).array.copy()
    array = x.array
    t.manual_seed(0)
    assert f(x, 0.5, training=True, inplace=True) is x and x.array is array
    assert np.array_equal(x.array, expected)


@every
def test_dtype_is_kept_and_the_input_is_not_changed(f, shape):
    for dtype in (t.float32, t.float64):
        x = t.ones(*shape, dtype=dtype).requires_grad_()
        y = f(x, 0.5, training=True)
        y.backward(t.ones(*shape, dtype=dtype))
        assert y.dtype == dtype and x.grad.dtype == dtype and (x.array == 1).all()


@every
def test_empty_batches_stay_empty(f, shape):
    shape = (0, *shape[1:])
    assert f(t.zeros(*shape), 0.5, training=True).shape == shape


@every
def test_bad_p_is_named(f, shape):
    for p in (-0.1, 1.5):
        with pytest.raises(ValueError, match=rf"{f.__name__}: p .*\[0, 1\], got {p}"):
            f(t.zeros(*shape), p)
    with pytest.raises(TypeError, match=f"{f.__name__}: input must be floating point, got int64"):
        f(t.zeros(*shape, dtype=t.int64), 0.5)


@pytest.mark.parametrize("f,shape", [(dropout1d, (30, 4, 5)), (dropout2d, (30, 4, 5, 3)), (dropout3d, (30, 4, 2, 3, 2)),
                                     (dropout1d, (40, 5)), (dropout3d, (40, 2, 3, 2)),
                                     (feature_alpha_dropout, (30, 4, 5, 3))])
def test_whole_channels_are_dropped(f, shape):
    t.manual_seed(0)
    y = f(t.ones(*shape), 0.5, training=True).array
    space = {dropout1d: 1, dropout2d: 2, dropout3d: 3, feature_alpha_dropout: 2}[f]
    channels = y.reshape(*shape[:-space], -1)
    assert (channels == channels[..., :1]).all()
    assert len(np.unique(channels[..., 0])) == 2


@pytest.mark.parametrize("f,shape", [(dropout1d, (3,)), (dropout2d, (2, 3, 4)), (dropout2d, (3, 4)),
                                     (dropout3d, (2, 3, 4))])
def test_channel_dropout_names_the_shape_it_wants(f, shape):
    with pytest.raises(ValueError) as caught:
        f(t.zeros(*shape))
    assert f.__name__ in str(caught.value) and str(shape) in str(caught.value) and "(N, C, " in str(caught.value)


def test_feature_alpha_dropout_needs_channels():
    with pytest.raises(ValueError, match=r"feature_alpha_dropout: input must be \(N, C, \*S\), got shape \(3,\)"):
        feature_alpha_dropout(t.zeros(3), training=True)


def test_alpha_dropout_keeps_mean_and_variance():
    t.manual_seed(0)
    y = alpha_dropout(t.randn(300, 300), 0.3, training=True).array
    assert abs(y.mean()) < 0.02 and abs(y.var() - 1) < 0.02


def test_alpha_dropout_takes_two_values_on_a_constant_as_torch_does():
    torch = pytest.importorskip("torch")
    t.manual_seed(0)
    ours = np.unique(alpha_dropout(t.ones(100, dtype=t.float64), 0.3, training=True).array)
    theirs = np.unique(torch.nn.functional.alpha_dropout(torch.ones(100).double(), 0.3, training=True).numpy())
    assert np.allclose(ours, theirs, rtol=1e-12)
