"""Losses with margins between classes, and Gumbel-softmax: edges, dtypes, what is refused. Values are in test_nn_parity."""
import numpy as np
import pytest

import tinycnn as t
import tinycnn.nn.functional as F

RNG = np.random.default_rng(0)


def scores(*shape, dtype="float64"):
    return t.tensor(RNG.standard_normal(shape).astype(dtype), requires_grad=True)


def losses(x):
    n, c = x.shape
    lists = np.where(np.arange(c) < 2, RNG.permuted(np.tile(np.arange(c), (n, 1)), axis=1), -1)
    right = t.tensor(RNG.integers(0, c, n))
    return [F.multi_margin_loss(x, right, weight=t.ones(c, dtype=x.dtype)), F.multi_margin_loss(x, right, 2),
            F.multilabel_margin_loss(x, t.tensor(lists)),
            F.multilabel_soft_margin_loss(x, t.tensor(RNG.integers(0, 2, (n, c)).astype(x.dtype)))]


def test_float32_stays_float32():
    x = scores(5, 4, dtype="float32")
    for loss in losses(x):
        loss.backward()
        assert loss.dtype == x.grad.dtype == t.float32


def test_scores_beyond_the_margin_have_no_gradient():
    x = t.tensor([[3.0, 1.0, 2.5]], requires_grad=True)
    F.multi_margin_loss(x, t.tensor([0])).backward()
    np.testing.assert_allclose(x.grad.array, [[-1 / 3, 0, 1 / 3]])


def test_classes_listed_twice_pull_twice_and_what_stands_behind_the_end_does_not_count():
    x = t.tensor([0.0, 0.0, 0.0], requires_grad=True)
    F.multilabel_margin_loss(x, t.tensor([1, 1, -1])).backward()
    np.testing.assert_allclose(x.grad.array, [2 / 3, -4 / 3, 2 / 3])
    assert F.multilabel_margin_loss(x, t.tensor([-1, 0, 1])).item() == 0
    assert F.multilabel_margin_loss(x, t.tensor([2, 1, 0])).item() == 0


def test_an_empty_batch_has_no_losses():
    x = scores(0, 3)
    assert F.multi_margin_loss(x, t.zeros(0, dtype=t.int64), reduction="none").shape == (0,)
    assert F.multilabel_margin_loss(x, t.zeros(0, 3, dtype=t.int64), reduction="sum").item() == 0
    assert F.multilabel_soft_margin_loss(x, t.zeros(0, 3, dtype=t.float64), reduction="none").shape == (0,)


X, CLASSES = t.zeros(2, 3), t.tensor([0, 1])


@pytest.mark.parametrize("call, error, words", [
    (lambda: F.multi_margin_loss(X, t.tensor([0, 1, 2])), ValueError, ["target", "(2,)", "(3,)"]),
    (lambda: F.multi_margin_loss(X, t.zeros(2)), TypeError, ["target", "integers", "float32"]),
    (lambda: F.multi_margin_loss(X, CLASSES, p=3), ValueError, ["p must be 1 or 2", "3"]),
    (lambda: F.multi_margin_loss(X, CLASSES, weight=t.ones(2)), ValueError, ["weight", "(3,)", "(2,)"]),
    (lambda: F.multi_margin_loss(X, CLASSES, reduction="all"), ValueError, ["reduction", "'all'"]),
    (lambda: F.multi_margin_loss(t.zeros(2, 3, 4), CLASSES), ValueError, ["input", "(N, C)", "(2, 3, 4)"]),
    (lambda: F.multi_margin_loss(t.zeros(2, 0), CLASSES), ValueError, ["input", "(2, 0)"]),
    (lambda: F.multi_margin_loss(X.long(), CLASSES), TypeError, ["input", "floating"]),
    (lambda: F.multilabel_margin_loss(X, CLASSES), ValueError, ["target", "(2, 3)", "(2,)"]),
    (lambda: F.multilabel_soft_margin_loss(X, t.zeros(3)), ValueError, ["input and target", "(2, 3)", "(3,)"]),
    (lambda: F.multilabel_soft_margin_loss(X, X, t.ones(2)), ValueError, ["weight", "(3,)", "(2,)"]),
    (lambda: F.triplet_margin_with_distance_loss(X, X, X, margin=0), ValueError, ["margin", "0"]),
    (lambda: F.triplet_margin_with_distance_loss(X, X, t.zeros(3)), ValueError, ["dimensions", "(2, 3)", "(3,)"]),
    (lambda: F.triplet_margin_with_distance_loss(X, X, 3), TypeError, ["negative", "int"]),
    (lambda: F.gumbel_softmax(X, tau=0), ValueError, ["gumbel_softmax: tau must be positive", "0"]),
])
def test_bad_input_is_named(call, error, words):
    with pytest.raises(error) as caught:
        call()
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_a_class_out_of_range_is_refused():
    with pytest.raises((IndexError, ValueError, RuntimeError), match="3"):
        F.multi_margin_loss(X, t.tensor([0, 3]))


# ---- Gumbel-softmax ----

def test_gumbel_samples_have_the_distribution_of_softmax():
    t.manual_seed(0)
    logits = t.tensor([0.0, 1.0, 2.0]).expand(20000, 3)
    sample = F.gumbel_softmax(logits, hard=True)
    assert set(np.unique(sample.array)) <= {0, 1} and (sample.array.sum(1) == 1).all()
    np.testing.assert_allclose(sample.array.mean(0), F.softmax(logits[0], -1).array, atol=0.015)


def test_gumbel_softmax_sharpens_as_tau_falls_and_hard_has_the_soft_gradient():
    logits, c = scores(4, 3, 5), RNG.standard_normal((4, 3, 5))
    soft, grads = [], []
    for options in (dict(tau=0.1), dict(tau=10), dict(tau=0.1, hard=True)):
        t.manual_seed(1)
        y = F.gumbel_softmax(logits, dim=1, **options)
        logits.grad = None
        y.backward(t.tensor(c))
        soft.append(y.detach().array), grads.append(logits.grad.array)
        np.testing.assert_allclose(soft[-1].sum(1), 1)
    assert soft[0].max(1).mean() > 0.9 > 0.5 > soft[1].max(1).mean()
    np.testing.assert_allclose(soft[2].argmax(1), soft[0].argmax(1))
    np.testing.assert_allclose(grads[2], grads[0])
    assert F.gumbel_softmax(t.zeros(2, 3)).dtype == t.float32


def test_functions_in_place_write_into_their_input():
    for name in ("celu_", "elu_", "hardtanh_", "leaky_relu_", "relu_", "rrelu_", "selu_"):
        x = t.tensor([-2.0, 0.5])
        expected = getattr(F, name.rstrip("_"))(x.clone())
        assert getattr(F, name)(x) is x and x.tolist() == expected.tolist()
    x = t.tensor([-2.0, 0.5])
    assert F.threshold_(x, 0.0, 7.0) is x and x.tolist() == [7.0, 0.5]
