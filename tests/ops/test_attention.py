"""Attention: what the registry's cases do not show."""
import numpy as np
import pytest

import tinycnn as t
from tinycnn.ops.attention import Attention, scaled_dot_product_attention


def draw(*shape, dtype="float64", seed=0):
    return t.tensor(np.random.default_rng(seed).standard_normal(shape).astype(dtype))


def inputs(dtype="float64"):
    return [draw(2, 3, 4, 5, dtype=dtype, seed=i).requires_grad_() for i in range(3)]


def test_it_agrees_with_its_slow_twin():
    q, k, v = inputs()
    z = q.array @ k.array.swapaxes(-1, -2) / np.sqrt(5)
    p = np.exp(z) / np.exp(z).sum(-1, keepdims=True)
    y = scaled_dot_product_attention(q, k, v)
    assert np.allclose(y.array, p @ v.array) and isinstance(y.grad_fn, Attention)


def test_a_query_never_sees_the_keys_behind_a_causal_mask():
    q, k, v = inputs()
    y = scaled_dot_product_attention(q, k, v, is_causal=True)
    first = np.zeros(y.shape)
    first[:, :, 0] = 1
    y.backward(t.tensor(first))
    assert np.allclose(y.array[:, :, 0], v.array[:, :, 0])
    assert v.grad.array[:, :, 0].all() and not v.grad.array[:, :, 1:].any() and not k.grad.array.any()


def test_a_query_that_may_look_at_nothing_gets_zeros_and_finite_gradients():
    q, k, v = inputs()
    mask = np.ones((4, 4), bool)
    mask[1] = False
    y = scaled_dot_product_attention(q, k, v, attn_mask=t.tensor(mask))
    y.backward(draw(*y.shape, seed=5))
    assert not y.array[:, :, 1].any() and y.array[:, :, 2].all()
    assert all(np.isfinite(x.grad.array).all() for x in (q, k, v)) and not q.grad.array[:, :, 1].any()


def test_boolean_and_additive_masks_agree():
    q, k, v = inputs()
    allowed = np.tri(4, dtype=bool)
    added = np.where(allowed, 0, -np.inf)
    results = [scaled_dot_product_attention(q, k, v, attn_mask=t.tensor(m)).array for m in (allowed, added)]
    results.append(scaled_dot_product_attention(q, k, v, is_causal=True).array)
    assert np.array_equal(results[0], results[1]) and np.array_equal(results[0], results[2])


def test_dropout_of_probabilities_is_repeatable_rescaled_and_off_at_zero():
    q, k, v = inputs()
    runs = []
    for seed in (1, 1, 2):
        t.manual_seed(seed)
        runs.append(scaled_dot_product_attention(q, k, v, dropout_p=0.5).array)
    assert np.array_equal(runs[0], runs[1]) and not np.array_equal(runs[0], runs[2])
    ones = t.ones(1, 1, 4, 5, dtype=t.float64)
    many = [scaled_dot_product_attention(q, k, ones, dropout_p=0.5).array.mean() for _ in range(300)]
    assert abs(np.mean(many) - 1) < 0.05
    assert not scaled_dot_product_attention(q, k, v, dropout_p=1.0).array.any()


def test_float32_stays_float32_whatever_the_mask():
    q, k, v = inputs("float32")
    for options in ({}, {"is_causal": True}, {"dropout_p": 0.5}, {"attn_mask": draw(4, 4)},
                    {"attn_mask": t.tensor(np.ones((4, 4), bool))}):
        y = scaled_dot_product_attention(q, k, v, **options)
        y.backward(draw(*y.shape, dtype="float32", seed=5))
        assert y.dtype == np.float32 and all(x.grad.dtype == np.float32 for x in (q, k, v))


def test_inputs_and_mask_are_not_changed():
    q, k, v = inputs()
    mask = draw(4, 4, seed=7)
    before = [x.array.copy() for x in (q, k, v, mask)]
    scaled_dot_product_attention(q, k, v, attn_mask=mask).backward(draw(2, 3, 4, 5, seed=5))
    assert all(np.array_equal(x.array, b) for x, b in zip((q, k, v, mask), before))


def test_no_keys_give_zeros():
    y = scaled_dot_product_attention(t.zeros(2, 3, 4), t.zeros(2, 0, 4), t.zeros(2, 0, 4))
    assert y.shape == (2, 3, 4) and not y.array.any()


@pytest.mark.parametrize("shapes,options,words", [
    (((2, 3, 4), (2, 5, 3), (2, 5, 3)), {}, ["query", "(2, 3, 4)", "(2, 5, 3)"]),
    (((2, 3, 4), (2, 5, 4), (2, 6, 4)), {}, ["value", "(2, 6, 4)"]),
    (((4,), (5, 4), (5, 4)), {}, ["query", "(4,)"]),
    (((2, 3, 4), (3, 5, 4), (3, 5, 4)), {}, ["batch", "(2, 3, 4)", "(3, 5, 4)"]),
    (((2, 3, 4), (2, 5, 4), (2, 5, 4)), {"attn_mask": (3, 4)}, ["attn_mask", "(3, 4)", "(2, 3, 5)"]),
    (((2, 3, 4), (2, 5, 4), (2, 5, 4)), {"attn_mask": (6, 2, 3, 5)}, ["attn_mask", "(6, 2, 3, 5)"]),
    (((2, 3, 4), (2, 5, 4), (2, 5, 4)), {"attn_mask": (3, 5), "is_causal": True}, ["attn_mask", "is_causal"]),
    (((2, 3, 4), (2, 5, 4), (2, 5, 4)), {"dropout_p": 1.5}, ["dropout_p", "1.5"]),
])
def test_bad_input_is_named(shapes, options, words):
    if "attn_mask" in options:
        options = {**options, "attn_mask": t.zeros(*options["attn_mask"])}
    with pytest.raises(ValueError) as caught:
        scaled_dot_product_attention(*(t.zeros(*s) for s in shapes), **options)
    assert all(word in str(caught.value) for word in ["scaled_dot_product_attention", *words]), str(caught.value)


def test_bad_types_are_named():
    x = t.zeros(2, 3, 4)
    with pytest.raises(TypeError, match="attn_mask must be floating point, got int64"):
        scaled_dot_product_attention(x, x, x, attn_mask=t.zeros(3, 3, dtype=t.int64))
    with pytest.raises(TypeError, match="attn_mask must be a Tensor, got ndarray"):
        scaled_dot_product_attention(x, x, x, attn_mask=np.ones((3, 3), bool))
    with pytest.raises(TypeError, match="key must be a Tensor, got list"):
        scaled_dot_product_attention(x, [1.0], x)


@pytest.mark.parametrize("changes, words", [
    (dict(embed_dim_to_check=6), "embed_dim_to_check must be the last dimension of query .* got 6 and 2"),
    (dict(num_heads=3), "divisible by num_heads, got 4 and 3"),
    (dict(key=t.zeros(5, 4)), "must all have 3 dimensions"),
    (dict(value=t.zeros(4, 2, 4)), "key and value must have the same length"),
    (dict(is_causal=True), "is_causal=True promises"),
    (dict(attn_mask=t.zeros(3, 4)), r"attn_mask must have shape \(3, 5\) or .* got \(3, 4\)")])
def test_attention_in_several_heads_says_what_is_wrong(changes, words):
    arguments = dict(query=t.zeros(3, 2, 4), key=t.zeros(5, 2, 4), value=t.zeros(5, 2, 4), embed_dim_to_check=4, num_heads=2,
                     in_proj_weight=t.zeros(12, 4), in_proj_bias=None, bias_k=None, bias_v=None, add_zero_attn=False,
                     dropout_p=0.0, out_proj_weight=t.zeros(4, 4), out_proj_bias=None)
    with pytest.raises(ValueError, match="multi_head_attention_forward: .*" + words):
        t.nn.functional.multi_head_attention_forward(**{**arguments, **changes})


def test_attention_drops_in_training_only():
    rng = np.random.default_rng(0)
    x, w, o = (t.tensor(rng.standard_normal(s)) for s in ((3, 2, 4), (12, 4), (4, 4)))

    def run(**options):
        weights = w, None, None, None, False, 0.5, o, None
        return t.nn.functional.multi_head_attention_forward(x, x, x, 4, 2, *weights, **options)[0]
    assert (run(training=False) == run(training=False)).all() and not (run() == run(training=False)).all()
