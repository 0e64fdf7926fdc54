"""Losses: those composed of other operations against PyTorch, and what the registry's cases do not show."""
import inspect
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest

import tinycnn as t
from tinycnn.ops import loss as losses
from tinycnn.ops.loss import (binary_cross_entropy, binary_cross_entropy_with_logits, cosine_embedding_loss,
                              cosine_similarity, gaussian_nll_loss, hinge_embedding_loss, huber_loss, kl_div, l1_loss,
                              margin_ranking_loss, mse_loss, pairwise_distance, poisson_nll_loss, smooth_l1_loss,
                              soft_margin_loss, triplet_margin_loss)

REDUCTIONS = ("none", "mean", "sum")


def draw(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def signs(*shape):
    return np.where(draw(*shape, seed=9) > 0, 1.0, -1.0)


def compare(name, arrays, options, constants=()):
    """Values and gradients of the loss `name` in both libraries; `constants` holds the positions without gradient."""
    torch = pytest.importorskip("torch")
    ours = [t.tensor(a) for a in arrays]
    theirs = [torch.tensor(a) for a in arrays]
    for i in set(range(len(arrays))) - set(constants):
        ours[i].requires_grad_()
        theirs[i].requires_grad_()
    y, z = getattr(losses, name)(*ours, **options), getattr(torch.nn.functional, name)(*theirs, **options)
    assert y.shape == tuple(z.shape)
    assert np.allclose(y.array, z.detach().numpy(), rtol=1e-11, atol=1e-12)
    dy = draw(*y.shape, seed=8)
    y.backward(t.tensor(dy))
    z.backward(torch.tensor(dy))
    for a, b in zip(ours, theirs):
        assert (a.grad is None) == (b.grad is None)
        assert a.grad is None or np.allclose(a.grad.array, b.grad.numpy(), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("name,arrays,options,constants", [
    ("l1_loss", [draw(3, 4), draw(3, 4, seed=1)], {}, ()),
    ("smooth_l1_loss", [draw(3, 4), draw(3, 4, seed=1)], {"beta": 0.0}, ()),
    ("kl_div", [draw(3, 4), np.abs(draw(3, 4, seed=1))], {}, ()),
    ("kl_div", [draw(3, 4), draw(3, 4, seed=1)], {"log_target": True}, ()),
    ("poisson_nll_loss", [draw(3, 4), np.arange(12.0).reshape(3, 4)], {"full": True}, (1,)),
    ("poisson_nll_loss", [np.abs(draw(3, 4)), np.arange(12.0).reshape(3, 4)], {"log_input": False, "eps": 0.1}, (1,)),
    ("gaussian_nll_loss", [draw(3, 4), draw(3, 4, seed=1), np.abs(draw(3, seed=2))], {"eps": 0.7}, ()),
    ("cosine_embedding_loss", [draw(6, 4), draw(6, 4, seed=1), signs(6)], {"margin": 0.1}, (2,)),
    ("cosine_embedding_loss", [draw(4), draw(4, seed=1), np.array(1.0)], {}, (2,)),
    ("margin_ranking_loss", [draw(6), draw(6, seed=1), signs(6)], {"margin": 0.3}, (2,)),
    ("hinge_embedding_loss", [draw(6, 2), signs(6, 2)], {"margin": 0.5}, (1,)),
    ("soft_margin_loss", [draw(6, 2), signs(6, 2)], {}, (1,)),
    ("triplet_margin_loss", [draw(6, 4), draw(6, 4, seed=1), draw(6, 4, seed=2)], {}, ()),
    ("triplet_margin_loss", [draw(6, 4), draw(6, 4, seed=1), draw(6, 4, seed=2)], {"swap": True, "p": 1.0}, ()),
])
def test_composed_losses_agree_with_torch(name, arrays, options, constants, reduction):
    if name == "kl_div" and reduction == "mean":
        reduction = "batchmean"  # PyTorch warns about "mean", which the next test covers
    compare(name, arrays, {**options, "reduction": reduction}, constants)


@pytest.mark.parametrize("name,arrays,options", [
    ("cosine_similarity", [draw(3, 4), draw(3, 4, seed=1)], {}),
    ("cosine_similarity", [draw(2, 3, 4), draw(3, 1, seed=1)], {"dim": -1}),
    ("pairwise_distance", [draw(3, 4), draw(3, 4, seed=1)], {}),
    ("pairwise_distance", [draw(3, 4), draw(4, seed=1)], {"p": 1.0, "eps": 0.1, "keepdim": True}),
])
def test_distances_agree_with_torch(name, arrays, options):
    compare(name, arrays, options)


def test_kl_div_mean_divides_by_the_number_of_elements():
    x, y = t.tensor(draw(3, 4)), t.tensor(np.abs(draw(3, 4, seed=1)))
    assert np.isclose(kl_div(x, y).item() * 12, kl_div(x, y, reduction="batchmean").item() * 3)


def test_kl_div_of_impossible_events_is_zero():
    y = t.tensor([0.0, 1.0]).requires_grad_()
    loss = kl_div(t.tensor([-5.0, 0.0]), y, reduction="none")
    loss.sum().backward()
    assert loss.tolist() == [0, 0] and np.isfinite(y.grad.array).all()


# ---- single points ----

def test_gradient_of_the_mean_squared_error_is_2_over_n():
    x = t.tensor(draw(2, 3)).requires_grad_()
    mse_loss(x, t.zeros(2, 3, dtype=t.float64)).backward()
    assert np.allclose(x.grad.array, 2 * x.array / 6)


def test_smooth_l1_joins_smoothly():
    x = t.tensor([-2.0, -1.0, 0.0, 1.0, 2.0]).requires_grad_()
    loss = smooth_l1_loss(x, t.zeros(5), reduction="none")
    loss.sum().backward()
    assert loss.tolist() == [1.5, 0.5, 0, 0.5, 1.5] and x.grad.tolist() == [-1, -1, 0, 1, 1]


def test_huber_is_delta_times_smooth_l1():
    x, y = t.tensor(draw(4, 4)), t.tensor(draw(4, 4, seed=1))
    assert np.isclose(huber_loss(x, y, delta=0.3).item(), 0.3 * smooth_l1_loss(x, y, beta=0.3).item())


@pytest.mark.parametrize("dtype", [t.float32, t.float64])
def test_binary_cross_entropy_of_certainties_is_cut_at_100(dtype):
    p = t.tensor([0.0, 1.0, 0.0, 1.0, 1e-30], dtype=dtype).requires_grad_()
    loss = binary_cross_entropy(p, t.tensor([0.0, 1.0, 1.0, 0.0, 1.0], dtype=dtype), reduction="none")
    loss.sum().backward()
    assert np.allclose(loss.array, [0, 0, 100, 100, 30 * np.log(10)]) and loss.dtype == dtype
    assert np.allclose(p.grad.array, [0, 0, -1e12, 1e12, -1e12], rtol=1e-6)


def test_logits_of_any_size_have_exact_losses_and_gradients():
    x = t.tensor([-1e4, 1e4, -1e4, 1e4]).requires_grad_()
    loss = binary_cross_entropy_with_logits(x, t.tensor([0.0, 0.0, 1.0, 1.0]), reduction="none")
    loss.sum().backward()
    assert loss.tolist() == [0, 1e4, 1e4, 0] and x.grad.tolist() == [0, 1, -1, 0]


def test_logits_agree_with_probabilities():
    x, y = t.tensor(draw(3, 4)), t.tensor((draw(3, 4, seed=1) > 0).astype(float))
    assert np.isclose(binary_cross_entropy_with_logits(x, y).item(), binary_cross_entropy(1 / (1 + (-x).exp()), y).item())


# ---- all of them ----

PAIRS = [mse_loss, l1_loss, smooth_l1_loss, huber_loss, binary_cross_entropy, binary_cross_entropy_with_logits, kl_div,
         poisson_nll_loss]
pairs = pytest.mark.parametrize("f", PAIRS)


@pairs
def test_float32_stays_float32_and_arguments_stay_unchanged(f):
    x, y = (t.tensor(np.full((2, 3), v, "float32")).requires_grad_() for v in (0.25, 0.75))
    for reduction in REDUCTIONS:
        loss = f(x, y, reduction=reduction)
        loss.backward(t.ones(*loss.shape))
        assert loss.dtype == np.float32 and loss.shape == (() if reduction != "none" else (2, 3))
    assert x.grad.dtype == np.float32 and (x.array == 0.25).all() and (y.array == 0.75).all()


@pairs
def test_an_empty_batch_sums_to_zero(f):
    assert f(t.zeros(0, 3), t.zeros(0, 3), reduction="sum").item() == 0


@pairs
def test_shapes_that_differ_are_an_error_and_not_broadcast(f):
    with pytest.raises(ValueError, match=rf"{f.__name__}: input and target must .* shape, got \(3, 1\) and \(3,\)"):
        f(t.zeros(3, 1), t.zeros(3))


@pairs
def test_bad_pairs_are_named(f):
    with pytest.raises(ValueError, match=f"{f.__name__}: reduction must be .* got 'average'"):
        f(t.zeros(3), t.zeros(3), reduction="average")
    with pytest.raises(TypeError, match=f"{f.__name__}: target must be floating point, got int64"):
        f(t.zeros(3), t.zeros(3, dtype=t.int64))
    with pytest.raises(TypeError, match=f"{f.__name__}: target must be a Tensor, got float"):
        f(t.zeros(3), 1.0)


@pytest.mark.parametrize("call,words", [
    (lambda: smooth_l1_loss(t.zeros(3), t.zeros(3), beta=-1), ["smooth_l1_loss", "beta", "-1"]),
    (lambda: huber_loss(t.zeros(3), t.zeros(3), delta=0), ["huber_loss", "delta", "0"]),
    (lambda: binary_cross_entropy(t.tensor([0.5, 1.5]), t.zeros(2)), ["binary_cross_entropy", "input", "[0, 1]", "1.5"]),
    (lambda: binary_cross_entropy(t.zeros(3), t.zeros(3), t.ones(2)), ["binary_cross_entropy", "weight", "(2,)", "(3,)"]),
    (lambda: binary_cross_entropy_with_logits(t.zeros(3), t.zeros(3), t.ones(2, 3)), ["weight", "(2, 3)", "(3,)"]),
    (lambda: binary_cross_entropy_with_logits(t.zeros(2, 3), t.zeros(2, 3), pos_weight=t.ones(2)), ["pos_weight", "(2,)"]),
    (lambda: binary_cross_entropy_with_logits(t.zeros(3), t.zeros(3), pos_weight=t.ones(3).requires_grad_()),
     ["pos_weight", "gradient"]),
    (lambda: gaussian_nll_loss(t.zeros(2, 3), t.zeros(2, 3), t.ones(3)), ["gaussian_nll_loss", "var", "(2, 3)", "(3,)"]),
    (lambda: gaussian_nll_loss(t.zeros(3), t.zeros(3), -t.ones(3)), ["gaussian_nll_loss", "var", "negative"]),
    (lambda: cosine_embedding_loss(t.zeros(2, 3), t.zeros(2, 3), t.ones(3)), ["cosine_embedding_loss", "target", "(2,)"]),
    (lambda: cosine_embedding_loss(t.zeros(2, 3), t.zeros(3), t.ones(2)), ["input1", "input2", "(2, 3)", "(3,)"]),
    (lambda: margin_ranking_loss(t.zeros(3), t.zeros(3), t.ones(2)), ["margin_ranking_loss", "target", "(3,)", "(2,)"]),
    (lambda: hinge_embedding_loss(t.zeros(3), t.ones(2)), ["hinge_embedding_loss", "target", "(3,)", "(2,)"]),
    (lambda: soft_margin_loss(t.zeros(3), t.ones(3, 1)), ["soft_margin_loss", "target", "(3,)", "(3, 1)"]),
    (lambda: triplet_margin_loss(t.zeros(2, 3), t.zeros(2, 3), t.zeros(2, 4)), ["negative", "(2, 4)"]),
])
def test_other_bad_input_is_named(call, words):
    with pytest.raises(ValueError) as caught:
        call()
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_a_mean_of_nothing_is_nan_as_in_torch():
    assert all(np.isnan(f(t.zeros(0, 3), t.zeros(0, 3)).item()) for f in PAIRS)


def test_cosine_similarity_of_a_zero_vector_is_zero_with_a_finite_gradient():
    x = t.zeros(2, 3).requires_grad_()
    y = cosine_similarity(x, t.ones(2, 3))
    y.sum().backward()
    assert not y.array.any() and np.isfinite(x.grad.array).all()


def test_bad_distances_are_named():
    for f in (cosine_similarity, pairwise_distance):
        with pytest.raises(RuntimeError, match=rf"{f.__name__}: .*\(2, 3\).*\(4,\)"):
            f(t.zeros(2, 3), t.zeros(4))
        with pytest.raises(TypeError, match=f"{f.__name__}: x2 must be floating point, got int64"):
            f(t.zeros(2, 3), t.zeros(2, 3, dtype=t.int64))


# ---- the options before `reduction` ----------------------------------------------------------------------------------

OLD = {"l1_loss": "L1Loss", "mse_loss": "MSELoss", "smooth_l1_loss": "SmoothL1Loss", "binary_cross_entropy": "BCELoss",
       "binary_cross_entropy_with_logits": "BCEWithLogitsLoss", "kl_div": "KLDivLoss", "poisson_nll_loss": "PoissonNLLLoss",
       "soft_margin_loss": "SoftMarginLoss", "hinge_embedding_loss": "HingeEmbeddingLoss", "nll_loss": "NLLLoss",
       "cosine_embedding_loss": "CosineEmbeddingLoss", "margin_ranking_loss": "MarginRankingLoss",
       "triplet_margin_loss": "TripletMarginLoss", "multi_margin_loss": "MultiMarginLoss",
       "multilabel_margin_loss": "MultiLabelMarginLoss", "multilabel_soft_margin_loss": "MultiLabelSoftMarginLoss",
       "cross_entropy": "CrossEntropyLoss"}


def old_inputs(library, name):
    classes = name in ("nll_loss", "cross_entropy", "multi_margin_loss")
    x = library.tensor(np.abs(draw(4, 3)) / 4 if name == "binary_cross_entropy" else draw(4, 3))
    if name.startswith("margin"):
        return x[:, 0], x[:, 1], library.tensor(signs(4))
    if name.startswith(("cosine", "triplet")):
        other = library.tensor(draw(4, 3, seed=1))
        return x, other, library.tensor(signs(4)) if name.startswith("cosine") else -other
    if name in ("soft_margin_loss", "hinge_embedding_loss"):
        return x, library.tensor(signs(4, 3))
    if name == "multilabel_margin_loss":
        return x, library.tensor([[2, -1, 0], [0, 1, -1], [1, -1, -1], [0, 2, -1]])
    return x, library.tensor([0, 2, 1, 1]) if classes else library.tensor(np.abs(draw(4, 3, seed=1)) / 4)


@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides the total loss by both")
@pytest.mark.parametrize("options", [dict(size_average=False), dict(size_average=True), dict(reduce=False),
                                     dict(size_average=False, reduce=False), dict(size_average=False, reduce=True)], ids=str)
@pytest.mark.parametrize("name", OLD)
def test_size_average_and_reduce_mean_what_they_meant_and_warn(name, options):
    torch = pytest.importorskip("torch")
    results, warned = [], []
    for library in (t, torch):
        with pytest.warns(UserWarning, match="size_average and reduce args will be deprecated") as caught:
            results.append(getattr(library.nn.functional, name)(*old_inputs(library, name), **options).numpy())
        warned.append(str(caught[0].message))
        with pytest.warns(UserWarning, match="size_average and reduce args will be deprecated"):
            built = getattr(library.nn, OLD[name])(**options)
        results.append(built(*old_inputs(library, name)).numpy())
    assert warned[0] == warned[1]
    np.testing.assert_allclose(results[0], results[2], rtol=1e-12)
    np.testing.assert_allclose(results[1], results[3], rtol=1e-12)
    np.testing.assert_array_equal(results[0], results[1])


def test_the_warning_points_at_the_users_line_and_new_losses_never_knew_size_average():
    with pytest.warns(UserWarning) as caught:
        t.nn.MSELoss(size_average=False)
    assert caught[0].filename == __file__
    with pytest.raises(TypeError, match="size_average"):
        t.nn.HuberLoss(size_average=False)
    with pytest.raises(TypeError, match="size_average"):
        huber_loss(t.zeros(1), t.zeros(1), size_average=False)


def test_losses_that_read_size_average_show_pytorchs_signature_and_can_be_pickled():
    f = t.nn.functional.cross_entropy
    assert t.cross_entropy is f and pickle.loads(pickle.dumps(f)) is f
    names = ["input", "target", "weight", "ignore_index", "reduction", "label_smoothing"]
    assert [*inspect.signature(f).parameters] == names
    assert [*inspect.signature(t.nn.MSELoss).parameters] == ["reduction"]


def test_between_a_layer_and_its_loss_stands_nothing():
    """A student who steps into the loss of a training loop comes to the operation, not to what PyTorch was once."""
    files = []
    sys.setprofile(lambda frame, event, _: files.append(Path(frame.f_code.co_filename).name) if event == "call" else None)
    try:
        t.nn.CrossEntropyLoss().forward(t.zeros(2, 3), t.tensor([0, 1]))
    finally:
        sys.setprofile(None)
    assert "softmax.py" in files and "legacy.py" not in files[files.index("softmax.py"):]
