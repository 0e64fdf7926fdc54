"""Softmax and cross-entropy: what the registry's cases do not show."""
import numpy as np
import pytest

import tinycnn as t
from tinycnn.ops.softmax import CrossEntropy, cross_entropy, log_softmax, nll_loss, softmax, softmin


def draw(*shape, dtype="float64", seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def test_softmax_adds_up_to_one_along_its_dimension():
    p = softmax(t.tensor(draw(3, 4, 5)), 1).array
    assert np.allclose(p.sum(1), 1) and (p > 0).all()


def test_huge_scores_neither_overflow_nor_lose_the_logarithm():
    x = t.tensor([[1e30, 0.0], [-1e30, 0.0]])
    assert np.array_equal(softmax(x, 1).array, [[1, 0], [0, 1]])
    assert np.array_equal(log_softmax(x, 1).array, np.array([[0, -1e30], [-1e30, 0]], "float32"))


def test_minus_infinity_means_impossible():
    x = t.tensor([[0.0, -np.inf, 0.0]])
    assert np.array_equal(softmax(x, 1).array, [[0.5, 0, 0.5]])


def test_methods_and_negative_dims_agree_with_the_functions():
    x = t.tensor(draw(2, 3))
    assert np.array_equal(x.softmax(-1).array, softmax(x, 1).array)
    assert np.array_equal(x.log_softmax(-2).array, log_softmax(x, 0).array)
    assert np.array_equal(softmin(x, 1).array, softmax(-x, 1).array)


def test_dtype_converts_first_so_that_integers_work():
    assert softmax(t.tensor([1, 2]), 0, dtype=t.float32).dtype == np.float32
    assert log_softmax(t.tensor([1.0, 2.0]), 0, dtype=t.float64).dtype == np.float64


def test_empty_dimensions_give_empty_results():
    assert softmax(t.zeros(3, 0), 1).shape == (3, 0)
    assert log_softmax(t.zeros(0, 3), 1).shape == (0, 3)


@pytest.mark.parametrize("f", [softmax, log_softmax, softmin])
@pytest.mark.parametrize("shape, dim", [((), 0), ((3,), 0), ((2, 3), 1), ((2, 3, 4), 0), ((2, 3, 4, 5), 1)])
def test_without_dim_it_warns_and_takes_pytorchs_old_choice(f, shape, dim):
    x = t.randn(shape)
    with pytest.warns(UserWarning, match=f"{f.__name__}: dim should be given"):
        y = f(x)
    assert (y == f(x, dim)).all()


@pytest.mark.parametrize("f", [softmax, log_softmax, softmin])
def test_bad_softmax_input_is_named(f):
    name = f.__name__
    with pytest.raises(IndexError, match=rf"{name}: dim 2 is out of range .*\(2, 3\)"):
        f(t.zeros(2, 3), 2)
    with pytest.raises(TypeError, match=f"{name}: input must be floating point, got int64"):
        f(t.tensor([1, 2]), 0)
    with pytest.raises(TypeError, match=f"{name}: input must be a Tensor, got list"):
        f([1.0, 2.0], 0)


# ---- cross entropy ----

def test_cross_entropy_is_nll_of_log_softmax():
    x, y = t.tensor(draw(4, 3, 2)), t.tensor(np.random.default_rng(0).integers(0, 3, (4, 2)))
    for reduction in ("none", "sum", "mean"):
        assert np.allclose(cross_entropy(x, y, reduction=reduction).array,
                           nll_loss(x.log_softmax(1), y, reduction=reduction).array)


def test_gradient_of_the_mean_is_p_minus_y_over_n():
    x, y = t.tensor(draw(4, 3)).requires_grad_(), np.array([2, 0, 1, 1])
    cross_entropy(x, t.tensor(y)).backward()
    assert np.allclose(x.grad.array, (softmax(x.detach(), 1).array - np.eye(3)[y]) / 4)


def test_one_hot_probabilities_are_labels():
    x, y = t.tensor(draw(4, 3)), np.array([2, 0, 1, 1])
    assert np.allclose(cross_entropy(x, t.tensor(y)).item(), cross_entropy(x, t.tensor(np.eye(3)[y])).item())


def test_a_confident_mistake_still_has_a_gradient():
    x = t.tensor([[200.0, -200.0]]).requires_grad_()
    loss = cross_entropy(x, t.tensor([1]))
    loss.backward()
    assert loss.item() == 400 and np.array_equal(x.grad.array, [[1, -1]])


def test_an_impossible_class_that_is_not_the_label_costs_nothing():
    x = t.tensor([[0.0, 0.0, -np.inf]]).requires_grad_()
    loss = cross_entropy(x, t.tensor([0]))
    loss.backward()
    assert np.isclose(loss.item(), np.log(2)) and np.allclose(x.grad.array, [[-0.5, 0.5, 0]])


def test_ignored_labels_count_neither_in_the_loss_nor_in_the_mean():
    x = draw(4, 3)
    some = cross_entropy(t.tensor(x), t.tensor([0, -100, 2, -100])).item()
    assert np.isclose(some, cross_entropy(t.tensor(x[::2]), t.tensor([0, 2])).item())


def test_a_mean_without_labels_is_nan_as_in_torch():
    assert np.isnan(cross_entropy(t.zeros(2, 3), t.tensor([-100, -100])).item())
    assert np.isnan(nll_loss(t.zeros(0, 3), t.zeros(0, dtype=t.int64)).item())


@pytest.mark.parametrize("dtype", ["uint8", "int32", "int64"])
def test_labels_may_be_of_any_integer_dtype(dtype):
    y = np.array([0, 2], dtype)
    assert np.isclose(cross_entropy(t.zeros(2, 3), t.tensor(y)).item(), np.log(3))


def test_float32_stays_float32_even_with_float64_weights_and_probabilities():
    x = t.tensor(draw(4, 3, dtype="float32")).requires_grad_()
    w = t.tensor(np.ones(3))
    for target in (t.tensor([0, 1, 2, 0]), t.tensor(np.full((4, 3), 1 / 3))):
        loss = cross_entropy(x, target, w, label_smoothing=0.1)
        loss.backward()
        assert loss.dtype == np.float32 and x.grad.dtype == np.float32


def test_labels_and_weights_are_not_changed():
    x, y, w = t.tensor(draw(3, 2)), t.tensor([0, 1, -100]), t.tensor([1.0, 2.0])
    cross_entropy(x, y, w, label_smoothing=0.5)
    assert y.tolist() == [0, 1, -100] and w.tolist() == [1.0, 2.0]


def test_it_is_one_node():
    loss = cross_entropy(t.tensor(draw(3, 2)).requires_grad_(), t.tensor([0, 1, 1]), reduction="none")
    assert isinstance(loss.grad_fn, CrossEntropy)


@pytest.mark.parametrize("call,error,words", [
    (lambda f, x: f(x, t.tensor([0, 3])), IndexError, ["target", "label 3", "[0, 2]", "(2, 3)"]),
    (lambda f, x: f(x, t.tensor([0, -1])), IndexError, ["target", "label -1", "[0, 2]"]),
    (lambda f, x: f(x, t.tensor([0, -100]), ignore_index=5), IndexError, ["label -100", "ignore_index, 5"]),
    (lambda f, x: f(x, t.tensor([[0, 1]])), ValueError, ["target", "(2,)", "(1, 2)"]),
    (lambda f, x: f(x, t.tensor([True, False])), TypeError, ["target", "bool"]),
    (lambda f, x: f(x, [0, 1]), TypeError, ["target", "list"]),
    (lambda f, x: f(x, t.tensor([0, 1]), t.ones(2)), ValueError, ["weight", "(3,)", "(2,)"]),
    (lambda f, x: f(x, t.tensor([0, 1]), t.ones(3).requires_grad_()), ValueError, ["weight", "gradient"]),
    (lambda f, x: f(x, t.tensor([0, 1]), reduction="avg"), ValueError, ["reduction", "'avg'"]),
    (lambda f, x: f(t.tensor(1.0), t.tensor(0)), ValueError, ["input", "0-d"]),
    (lambda f, x: f(x.long(), t.tensor([0, 1])), TypeError, ["input", "int64"]),
])
@pytest.mark.parametrize("f", [cross_entropy, nll_loss])
def test_bad_labels_are_named(f, call, error, words):
    with pytest.raises(error) as caught:
        call(f, t.zeros(2, 3))
    assert all(word in str(caught.value) for word in [f.__name__, *words]), str(caught.value)


@pytest.mark.parametrize("call,words", [
    (lambda: cross_entropy(t.zeros(2, 3), t.tensor([0.0, 1.0])), ["target", "probabilities", "(2, 3)", "(2,)", "long"]),
    (lambda: cross_entropy(t.zeros(2, 3), t.zeros(2, 3), ignore_index=0), ["ignore_index", "labels"]),
    (lambda: cross_entropy(t.zeros(2, 3), t.tensor([0, 1]), label_smoothing=1.5), ["label_smoothing", "1.5"]),
])
def test_bad_probabilities_are_named(call, words):
    with pytest.raises(ValueError) as caught:
        call()
    assert all(word in str(caught.value) for word in ["cross_entropy", *words]), str(caught.value)


def test_nll_loss_needs_labels():
    with pytest.raises(TypeError, match="nll_loss: target must hold integer labels, got float32"):
        nll_loss(t.zeros(2, 3), t.zeros(2, 3))
