"""Order statistics, searches, running products, assembling, distances: bad input, and what parity does not show."""
import math

import numpy as np
import pytest

import tinycnn as t

X = t.arange(6.0).reshape(2, 3)


@pytest.mark.parametrize("call, exception, words", [
    (lambda: t.kthvalue(X, 4, 1), RuntimeError, r"kthvalue: k must be from 1 to 3.*dimension 1, got 4"),
    (lambda: t.kthvalue(X, 1, 2), IndexError, r"kthvalue: dim.*got 2"),
    (lambda: t.median(t.zeros(0)), IndexError, r"median: input of shape \(0,\)"),
    (lambda: t.median(t.zeros(2, 0), 1), IndexError, r"median: dim 1 of input \(2, 0\)"),
    (lambda: t.mode(t.zeros(2, 0), 1), IndexError, r"mode: dim 1"),
    (lambda: t.quantile(X, 1.5), RuntimeError, r"quantile: q must be from 0 to 1, got 1.5"),
    (lambda: t.quantile(X, 0.5, interpolation="cubic"), RuntimeError, r"quantile: interpolation .*'cubic'"),
    (lambda: t.quantile(X.long(), 0.5), TypeError, r"quantile: input must be floating point"),
    (lambda: t.quantile(t.zeros(0), 0.5), RuntimeError, r"quantile: .*\(0,\)"),
    (lambda: t.histc(X, 3, 2, 1), RuntimeError, r"histc: min .* got 2, 1 and 3"),
    (lambda: t.searchsorted(X, t.zeros(3, 1)), RuntimeError, r"searchsorted: .*\(2, 3\).*\(3, 1\)"),
    (lambda: t.searchsorted(X[0], X, side="middle"), RuntimeError, r"searchsorted: side .*'middle'"),
    (lambda: t.cov(t.zeros(2, 2, 2)), RuntimeError, r"cov: .*\(2, 2, 2\)"),
    (lambda: t.cumprod(X, 2), IndexError, r"cumprod: dim"),
    (lambda: t.cummax(X, 2), IndexError, r"cummax: dim"),
    (lambda: t.diff(X, n=-1), RuntimeError, r"diff: n .* got -1"),
    (lambda: t.cross(X, X, dim=0), RuntimeError, r"cross: .*size 3, got dim 0 of shape \(2, 3\)"),
    (lambda: t.trace(X[0]), RuntimeError, r"trace: expected a matrix, got shape \(3,\)"),
    (lambda: t.cdist(X, t.zeros(2, 2)), RuntimeError, r"cdist: .*\(2, 3\) and \(2, 2\)"),
    (lambda: t.matrix_power(X, 2), RuntimeError, r"matrix_power: .*\(2, 3\)"),
    (lambda: t.linalg.matrix_norm(X, "nuc"), ValueError, r"matrix_norm: ord .*'nuc'"),
    (lambda: t.hsplit(X, 2), RuntimeError, r"hsplit: 2 parts do not divide 3"),
    (lambda: t.dsplit(X, 1), RuntimeError, r"dsplit: expected at least 3 dimensions, got shape \(2, 3\)"),
    (lambda: t.tensor_split(X, 0), RuntimeError, r"tensor_split: .* got 0"),
    (lambda: t.block_diag(t.zeros(1, 1, 1)), RuntimeError, r"block_diag: .*\(1, 1, 1\)"),
    (lambda: X.unfold(1, 4, 1), RuntimeError, r"unfold: size .* 3.* got 4 and 1"),
    (lambda: X.unfold(1, 2, 0), RuntimeError, r"unfold: .* got 2 and 0"),
    (lambda: X.index_fill(0, t.tensor([2]), 0), IndexError, r"index_fill: index 2 is out of range"),
    (lambda: X.index_fill(0, t.tensor([1]), t.zeros(2)), RuntimeError, r"index_fill: value .*\(2,\)"),
    (lambda: X.index_copy(0, t.tensor([1]), t.zeros(2, 3)), RuntimeError, r"index_copy: source .*\(1, 3\).*\(2, 3\)"),
    (lambda: X.index_put((t.tensor([0]),), t.zeros(2)), RuntimeError, r"index_put: .*\(2,\).*\(1, 3\)"),
    (lambda: X.masked_scatter(X > 0, t.zeros(2)), RuntimeError, r"masked_scatter: .* 5 elements.* 2"),
    (lambda: t.zeros(3).fill_diagonal_(1), RuntimeError, r"fill_diagonal_: .*\(3,\)"),
    (lambda: X.clone().sum_to_size(2, 2), RuntimeError, r"sum_to_size: size \(2, 2\).*\(2, 3\)"),
    (lambda: t.multinomial(X[0], 4), RuntimeError, r"multinomial: cannot draw 4 of 3"),
    (lambda: t.multinomial(-X[0], 1), RuntimeError, r"multinomial: weights must be finite and not negative"),
    (lambda: t.multinomial(t.zeros(3), 1), RuntimeError, r"multinomial: .*no row all 0"),
    (lambda: X.clone().exponential_(0), ValueError, r"exponential_: lambd .* got 0"),
    (lambda: t.set_printoptions(profile="tiny"), ValueError, r"set_printoptions: profile .*'tiny'"),
    (lambda: t.positive(X > 0), RuntimeError, r"positive: a bool tensor"),
    (lambda: t.autograd.Variable(X, volatile=True), RuntimeError, r"volatile .*no_grad"),
    (lambda: t.ones(2).register_post_accumulate_grad_hook(print), RuntimeError, r"only a leaf that requires"),
    (lambda: t.logcumsumexp(X, 2), IndexError, r"logcumsumexp: dim 2 is out of range|logcumsumexp: dim.*2"),
    (lambda: t.gradient(X, dim=2), IndexError, r"gradient: dim 2"),
    (lambda: t.gradient(X, spacing=[1.0, 2.0, 3.0]), RuntimeError, r"gradient: spacing .* 2, got \[1.0, 2.0, 3.0\]"),
    (lambda: t.gradient(X, edge_order=3), RuntimeError, r"gradient: edge_order must be 1 or 2, got 3"),
    (lambda: t.gradient(X, edge_order=2), RuntimeError, r"gradient: dim 0 of input \(2, 3\) must be larger than edge_order"),
    (lambda: t.combinations(X), RuntimeError, r"combinations: expected a vector .*\(2, 3\)"),
    (lambda: t.combinations(X[0], -1), RuntimeError, r"combinations: .* r = -1"),
    (lambda: t.vander(X), RuntimeError, r"vander: expected a vector, got shape \(2, 3\)"),
    (lambda: t.nn.functional.pdist(X[0]), RuntimeError, r"pdist: expected a matrix \(N, D\), got shape \(3,\)"),
    (lambda: t.renorm(X[0], 2, 0, 1), RuntimeError, r"renorm: .* got shape \(3,\), p 2 and maxnorm 1"),
    (lambda: t.unravel_index(X, (2, 3)), ValueError, r"unravel_index: indices must hold integers, got float32"),
    (lambda: t.unravel_index(t.tensor(6), (2, 3)), ValueError, r"unravel_index: indices from 6 to 6 .*\(2, 3\)"),
])
def test_bad_input_is_refused_with_the_value_in_the_message(call, exception, words):
    with pytest.raises(exception, match=words):
        call()


@pytest.mark.parametrize("ask", [lambda: t.zeros(2, dtype=t.bfloat16), lambda: t.ones(2).bfloat16(),
                                 lambda: t.ones(2).to(t.bfloat16), lambda: t.nn.Linear(2, 2).bfloat16(),
                                 lambda: t.nn.Linear(2, 2).to("bfloat16")])
def test_bfloat16_is_a_name_in_which_nothing_is_computed(ask):
    assert str(t.bfloat16) == "bfloat16" and t.float32 != t.bfloat16
    with pytest.raises(TypeError, match="bfloat16 is not computed with.* use float32"):
        ask()


def test_mode_takes_the_smallest_of_the_most_frequent_and_its_last_place():
    result = t.mode(t.tensor([[3, 1, 3, 1, 2], [5, 4, 4, 4, 5]]), 1)
    assert result.values.tolist() == [1, 4] and result.indices.tolist() == [3, 3]


def test_multinomial_draws_in_proportion_and_never_twice_without_replacement():
    t.manual_seed(0)
    weights = t.tensor([1.0, 0.0, 3.0, 4.0])
    counts = t.bincount(t.multinomial(weights, 8000, replacement=True), minlength=4) / 8000
    np.testing.assert_allclose(counts.numpy(), [0.125, 0, 0.375, 0.5], atol=0.02)
    rows = t.multinomial(weights.expand(4000, 4), 2)
    assert (rows[:, 0] != rows[:, 1]).all() and not (rows == 1).any()
    first = t.bincount(rows[:, 0], minlength=4) / 4000
    np.testing.assert_allclose(first.numpy(), [0.125, 0, 0.375, 0.5], atol=0.03)


def test_exponential_and_log_normal_numbers_have_their_moments():
    t.manual_seed(0)
    x = t.empty(20_000)
    assert abs(x.exponential_(2.0).mean().item() - 0.5) < 0.02 and (x >= 0).all()
    assert abs(x.log_normal_(0.5, 0.25).log().mean().item() - 0.5) < 0.02


def test_erfinv_inverts_erf_up_to_the_ends():
    y = t.tensor([-1.0, -0.999999999, -0.5, 0.0, 1e-12, 0.3, 0.9999, 1.0, 1.5], dtype=t.float64)
    x = t.erfinv(y)
    assert x[0] == -float("inf") and x[-2] == float("inf") and x[-1].isnan()
    np.testing.assert_allclose(t.erf(x[1:-2]).numpy(), y[1:-2].numpy(), rtol=1e-15, atol=1e-18)
    np.testing.assert_allclose(t.erfc(x[6]).item(), 1e-4, rtol=1e-11)
    ends = 1 - 2.0 ** -np.arange(2, 50)  # every formula of its table
    np.testing.assert_allclose(t.erfc(t.erfinv(t.tensor(ends))).numpy(), 1 - ends, rtol=1e-13)


def test_cumprod_has_the_right_gradient_beside_zeros():
    x = t.tensor([2.0, 0.0, 3.0, 0.0, 5.0], dtype=t.float64, requires_grad=True)
    t.cumprod(x, 0).sum().backward()
    assert x.grad.tolist() == [1.0, 2.0 + 2 * 3.0, 0.0, 0.0, 0.0]


def test_windows_share_memory_and_a_write_is_noticed():
    x = t.arange(6.0)
    w = x.unfold(0, 2, 2)
    w[1] = 9
    assert x.tolist() == [0, 1, 9, 9, 4, 5]
    y = t.ones(4, requires_grad=True) * 1
    z = (y.unfold(0, 2, 1) ** 2).sum()
    y.add_(1)
    with pytest.raises(RuntimeError, match="changed in place"):
        z.backward()


def test_print_options_change_how_tensors_look_and_can_be_set_back():
    x = t.tensor([1.23456789, 1e-9])
    try:
        t.set_printoptions(precision=2, sci_mode=False)
        assert repr(x).startswith("tensor([1.23, 0.  ]")
        t.set_printoptions(edgeitems=1, threshold=2)
        assert "..." in repr(t.arange(9))
    finally:
        t.set_printoptions(profile="default", sci_mode=True)


def test_in_place_reshapes_keep_the_history():
    x = t.arange(6.0).reshape(2, 3).requires_grad_()
    y = x * 2
    alias = y.detach()
    assert y.t_() is y and y.shape == (3, 2) and y.unsqueeze_(0).shape == (1, 3, 2) and y.squeeze_().shape == (3, 2)
    assert y.transpose_(0, 1).shape == (2, 3)
    y.t_()
    alias[0, 0] = 7.0
    assert y[0, 0].item() == 7.0
    (y * t.arange(6.0).reshape(3, 2)).sum().backward()
    assert x.grad.tolist() == [[0, 4, 8], [2, 6, 10]]


def test_float16_and_float32_stay():
    for dtype in (t.float16, t.float32):
        x = t.linspace(0.1, 0.9, 6, dtype=dtype).reshape(2, 3)
        results = [t.cumprod(x, 1), t.quantile(x, 0.3, 1) if dtype == t.float32 else x, t.erfinv(x), t.logaddexp(x, x),
                   t.hypot(x, x), t.cdist(x, x), t.logit(x), t.sinc(x), t.median(x), t.cov(x), t.diag_embed(x),
                   x.unfold(1, 2, 1), t.multinomial(x, 1).to(dtype), t.histc(x, 3), t.kron(x, x), t.trapz(x), t.nanmean(x),
                   t.deg2rad(x)]
        assert {y.dtype for y in results} == {dtype}


def test_running_logarithms_do_not_overflow():
    x = t.tensor([[-900.0, 900.0, 899.0, -math.inf], [-math.inf, -math.inf, 0.0, 1.0]], dtype=t.float64, requires_grad=True)
    y = t.logcumsumexp(x, 1)
    expected = np.logaddexp.accumulate(x.detach().array, 1)
    np.testing.assert_allclose(y.array, expected)
    y[:, 2:].sum().backward()
    s = 1 / (1 + math.exp(-1))
    np.testing.assert_allclose(x.grad.array, [[0, 2 * s, 2 - 2 * s, 0], [0, 0, 1 + 1 - s, s]], atol=1e-12)
