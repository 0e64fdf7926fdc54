"""Inverses, systems of equations and determinants: singular matrices, overflow, and bad input."""
import math

import pytest

import tinycnn as t

X = t.arange(6.0).reshape(2, 3)


@pytest.mark.parametrize("call, exception, words", [
    (lambda: t.inverse(X), RuntimeError, r"inverse: input must be square matrices .*\(2, 3\)"),
    (lambda: t.inverse(t.ones(2, 2)), RuntimeError, r"inv: a matrix is singular .*\(2, 2\)"),
    (lambda: t.inverse(t.eye(2).half()), TypeError, r"inverse: input must be float32 or float64, got float16"),
    (lambda: t.linalg.solve(t.eye(2), t.ones(3, 1)), RuntimeError, r"solve: .*\(2, 2\) and \(3, 1\)"),
    (lambda: t.linalg.solve(t.zeros(2, 2), t.ones(2)), RuntimeError, r"solve: a matrix is singular"),
    (lambda: t.linalg.solve(t.eye(2), t.ones(2), left=False), RuntimeError, r"solve: left=False .*\(2,\)"),
    (lambda: t.det(t.zeros(2, 2, requires_grad=True)).backward(), RuntimeError, r"slogdet: a matrix is singular"),
])
def test_bad_input_is_refused_with_the_value_in_the_message(call, exception, words):
    with pytest.raises(exception, match=words):
        call()


def test_the_determinant_of_a_large_matrix_overflows_but_not_its_logarithm():
    sign, y = t.slogdet(-1000 * t.eye(201, dtype=t.float64))
    assert sign.item() == -1 and y.item() == pytest.approx(201 * math.log(1000))
    assert t.logdet(-t.eye(3)).isnan().item() and t.logdet(t.zeros(2, 2)).item() == -math.inf
