"""Values brought to positions, reduced there or written into a part: gradients, integers, and bad input."""
import numpy as np
import pytest

import tinycnn as t

X = t.arange(6.0).reshape(2, 3)
I = t.tensor([[0, 1, 2], [2, 1, 0]])  # noqa: E741


@pytest.mark.parametrize("call, exception, words", [
    (lambda: X.scatter_reduce(1, I, X, "product"), ValueError, r"scatter_reduce: reduce must be .* got 'product'"),
    (lambda: X.scatter_reduce(1, I + 1, X, "sum"), IndexError, r"scatter_reduce: index 3 is out of range"),
    (lambda: X.scatter_reduce(1, I, X.double(), "sum"), TypeError, r"scatter_reduce: src .* float32, got float64"),
    (lambda: X.index_reduce(0, I[0, :2], X[:1], "mean"), RuntimeError, r"index_reduce: source .*\(2, 3\).*\(1, 3\)"),
    (lambda: X.select_scatter(X, 0, 1), RuntimeError, r"select_scatter: src must have the shape \(3,\).*\(2, 3\)"),
    (lambda: X.slice_scatter(X, 1, 1), RuntimeError, r"slice_scatter: src must have the shape \(2, 2\).*\(2, 3\)"),
    (lambda: X.diagonal_scatter(X), RuntimeError, r"diagonal_scatter: src must have shape \(2,\), got \(2, 3\)"),
])
def test_bad_input_is_refused_with_the_value_in_the_message(call, exception, words):
    with pytest.raises(exception, match=words):
        call()


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
