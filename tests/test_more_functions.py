"""The gamma function, reductions at positions, running logarithms, inverses, heads of attention: bad input and edges."""
import math

import numpy as np
import pytest

import tinycnn as t
import tinycnn.nn.functional as F

X = t.arange(6.0).reshape(2, 3)
I = t.tensor([[0, 1, 2], [2, 1, 0]])  # noqa: E741


@pytest.mark.parametrize("call, exception, words", [
    (lambda: t.polygamma(-1, X), RuntimeError, r"polygamma: n must not be negative, got -1"),
    (lambda: t.logcumsumexp(X, 2), IndexError, r"logcumsumexp: dim 2 is out of range|logcumsumexp: dim.*2"),
    (lambda: t.gradient(X, dim=2), IndexError, r"gradient: dim 2"),
    (lambda: t.gradient(X, spacing=[1.0, 2.0, 3.0]), RuntimeError, r"gradient: spacing .* 2, got \[1.0, 2.0, 3.0\]"),
    (lambda: t.gradient(X, edge_order=3), RuntimeError, r"gradient: edge_order must be 1 or 2, got 3"),
    (lambda: t.gradient(X, edge_order=2), RuntimeError, r"gradient: dim 0 of input \(2, 3\) must be larger than edge_order"),
    (lambda: t.combinations(X), RuntimeError, r"combinations: expected a vector .*\(2, 3\)"),
    (lambda: t.combinations(X[0], -1), RuntimeError, r"combinations: .* r = -1"),
    (lambda: t.vander(X), RuntimeError, r"vander: expected a vector, got shape \(2, 3\)"),
    (lambda: F.pdist(X[0]), RuntimeError, r"pdist: expected a matrix \(N, D\), got shape \(3,\)"),
    (lambda: t.renorm(X[0], 2, 0, 1), RuntimeError, r"renorm: .* got shape \(3,\), p 2 and maxnorm 1"),
    (lambda: t.unravel_index(X, (2, 3)), ValueError, r"unravel_index: indices must hold integers, got float32"),
    (lambda: t.unravel_index(t.tensor(6), (2, 3)), ValueError, r"unravel_index: indices from 6 to 6 .*\(2, 3\)"),
    (lambda: X.scatter_reduce(1, I, X, "prod"), ValueError, r"scatter_reduce: reduce must be .* got 'prod'"),
    (lambda: X.scatter_reduce(1, I + 1, X, "sum"), IndexError, r"scatter_reduce: index 3 is out of range"),
    (lambda: X.scatter_reduce(1, I, X.double(), "sum"), TypeError, r"scatter_reduce: src .* float32, got float64"),
    (lambda: X.index_reduce(0, I[0, :2], X[:1], "mean"), RuntimeError, r"index_reduce: source .*\(2, 3\).*\(1, 3\)"),
    (lambda: X.select_scatter(X, 0, 1), RuntimeError, r"select_scatter: src must have the shape \(3,\).*\(2, 3\)"),
    (lambda: X.slice_scatter(X, 1, 1), RuntimeError, r"slice_scatter: src must have the shape \(2, 2\).*\(2, 3\)"),
    (lambda: X.diagonal_scatter(X), RuntimeError, r"diagonal_scatter: src must have shape \(2,\), got \(2, 3\)"),
    (lambda: t.inverse(X), RuntimeError, r"inverse: input must be square matrices .*\(2, 3\)"),
    (lambda: t.inverse(t.ones(2, 2)), RuntimeError, r"inv: a matrix is singular .*\(2, 2\)"),
    (lambda: t.inverse(t.eye(2).half()), TypeError, r"inverse: input must be float32 or float64, got float16"),
    (lambda: t.linalg.solve(t.eye(2), t.ones(3, 1)), RuntimeError, r"solve: .*\(2, 2\) and \(3, 1\)"),
    (lambda: t.linalg.solve(t.zeros(2, 2), t.ones(2)), RuntimeError, r"solve: a matrix is singular"),
    (lambda: t.linalg.solve(t.eye(2), t.ones(2), left=False), RuntimeError, r"solve: left=False .*\(2,\)"),
    (lambda: t.det(t.zeros(2, 2, requires_grad=True)).backward(), RuntimeError, r"slogdet: a matrix is singular"),
    (lambda: t.asarray([1], copy=False), RuntimeError, r"asarray: copy=False, but a list"),
])
def test_bad_input_is_refused_with_the_value_in_the_message(call, exception, words):
    with pytest.raises(exception, match=words):
        call()


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
        F.multi_head_attention_forward(**{**arguments, **changes})


def test_attention_drops_in_training_only():
    rng = np.random.default_rng(0)
    x, w, o = (t.tensor(rng.standard_normal(s)) for s in ((3, 2, 4), (12, 4), (4, 4)))
    run = lambda **options: F.multi_head_attention_forward(x, x, x, 4, 2, w, None, None, None, False, 0.5, o, None,
                                                           **options)[0]
    assert (run(training=False) == run(training=False)).all() and not (run() == run(training=False)).all()


def test_the_gamma_function_is_the_factorial_near_and_far():
    n = np.arange(1, 172)
    y = t.lgamma(t.tensor(n * 1.0)).array
    np.testing.assert_allclose(y, [math.lgamma(k) for k in n], rtol=1e-14, atol=1e-14)
    x = np.r_[np.linspace(-20.3, 20, 400), np.logspace(-6, 6, 50)]
    np.testing.assert_allclose(t.lgamma(t.tensor(x)).array, [math.lgamma(v) for v in x], rtol=1e-12, atol=1e-13)
    edges = t.tensor([0.0, -1.0, -2.0, math.inf, -math.inf, math.nan])
    np.testing.assert_array_equal(t.lgamma(edges).array, np.float32([math.inf] * 5 + [math.nan]))


def test_derivatives_of_the_gamma_function_obey_its_recurrence():
    x = t.tensor(np.linspace(0.1, 30, 200))
    for n in range(5):
        step = (-1) ** n * math.factorial(n) / x ** (n + 1)
        np.testing.assert_allclose(t.polygamma(n, x + 1).array, (t.polygamma(n, x) + step).array, rtol=1e-9, atol=1e-9)
    assert t.digamma(t.tensor(1.0, dtype=t.float64)).item() == pytest.approx(-np.euler_gamma, abs=1e-14)
    assert t.polygamma(1, t.tensor(1.0, dtype=t.float64)).item() == pytest.approx(math.pi ** 2 / 6, abs=1e-14)
    assert t.digamma(t.tensor([0.0, -0.0])).tolist() == [-math.inf, math.inf]
    assert t.polygamma(2, t.tensor([-0.3, 0.0])).isnan().tolist() == [False, False]


def test_running_logarithms_do_not_overflow():
    x = t.tensor([[-900.0, 900.0, 899.0, -math.inf], [-math.inf, -math.inf, 0.0, 1.0]], dtype=t.float64, requires_grad=True)
    y = t.logcumsumexp(x, 1)
    expected = np.logaddexp.accumulate(x.detach().array, 1)
    np.testing.assert_allclose(y.array, expected)
    y[:, 2:].sum().backward()
    s = 1 / (1 + math.exp(-1))
    np.testing.assert_allclose(x.grad.array, [[0, 2 * s, 2 - 2 * s, 0], [0, 0, 1 + 1 - s, s]], atol=1e-12)


def test_the_determinant_of_a_large_matrix_overflows_but_not_its_logarithm():
    sign, y = t.slogdet(-1000 * t.eye(201, dtype=t.float64))
    assert sign.item() == -1 and y.item() == pytest.approx(201 * math.log(1000))
    assert t.logdet(-t.eye(3)).isnan().item() and t.logdet(t.zeros(2, 2)).item() == -math.inf


def test_an_extreme_brought_to_a_position_shares_its_gradient():
    x, src = t.tensor([2.0, 5.0], requires_grad=True), t.tensor([2.0, 1.0, 2.0], requires_grad=True)
    y = x.scatter_reduce(0, t.tensor([0, 0, 0]), src, "amax")
    y.sum().backward()
    np.testing.assert_allclose(x.grad.array, [1 / 3, 1])
    np.testing.assert_allclose(src.grad.array, [1 / 3, 0, 1 / 3])
    n = t.tensor([1, 2]).scatter_reduce(0, t.tensor([0, 0]), t.tensor([5, 5]), "mean")
    assert n.tolist() == [3, 2] and n.dtype == t.int64


def test_a_written_part_leaves_the_tensor_itself_alone():
    x, part = X.clone().requires_grad_(), t.ones(3, requires_grad=True)
    y = x.select_scatter(part * 7, 0, 1)
    y.sum().backward()
    assert (x == X).all() and y.tolist() == [[0, 1, 2], [7, 7, 7]]
    assert x.grad.tolist() == [[1, 1, 1], [0, 0, 0]] and part.grad.tolist() == [7, 7, 7]


def test_asarray_shares_memory_unless_asked_for_a_copy():
    a = np.zeros(3, np.float32)
    assert np.shares_memory(t.asarray(a).array, a) and not np.shares_memory(t.asarray(a, copy=True).array, a)
    assert t.asarray(X) is X and t.asarray(X, copy=False) is X
    assert t.asarray([1.0], requires_grad=True).requires_grad
