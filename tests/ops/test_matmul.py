"""Matrix products, linear and einsum: what their cases do not cover: shapes, dtypes, memory, errors."""
import numpy as np
import pytest

import tinycnn
from tinycnn import bilinear, einsum, linear


def test_float32_stays_float32_and_integers_work():
    x = tinycnn.ones(2, 3)
    assert (x @ x.T).dtype == tinycnn.float32
    assert linear(x, tinycnn.ones(4, 3), tinycnn.ones(4)).dtype == tinycnn.float32
    assert einsum("ij,kj,k->i", x, x, tinycnn.ones(2)).dtype == tinycnn.float32
    assert tinycnn.dot(x[0], x[0]).dtype == tinycnn.float32
    whole = tinycnn.arange(4).reshape(2, 2)
    assert (whole @ whole).dtype == tinycnn.int64 and (whole @ whole).tolist() == [[2, 3], [6, 11]]


def test_numpy_arrays_meet_tensors_on_both_sides():
    a, x = np.arange(6.0).reshape(2, 3), tinycnn.ones(3, 2, dtype=tinycnn.float64)
    assert isinstance(x @ a, tinycnn.Tensor) and (x @ a).shape == (3, 3)
    assert isinstance(a @ x, tinycnn.Tensor) and np.array_equal((a @ x).array, a @ x.array)


def test_a_product_may_be_written_back():
    x = tinycnn.ones(2, 2)
    x @= x
    assert x.tolist() == [[2, 2], [2, 2]]


def test_the_bias_is_not_changed():
    b = tinycnn.ones(2)
    linear(tinycnn.ones(3, 2), tinycnn.ones(2, 2), b)
    assert b.tolist() == [1, 1]


def test_only_wanted_gradients_are_computed():
    x, w = tinycnn.ones(2, 3), tinycnn.ones(4, 3, requires_grad=True)
    node = linear(x, w).grad_fn
    assert [g is None for g in node.backward(node, np.ones((2, 4), np.float32))] == [True, False, True]


def test_overwriting_an_operand_is_noticed():
    x, w = tinycnn.ones(2, 2, requires_grad=True), tinycnn.ones(2, 2)
    y = (x @ w).sum()
    w.add_(1.0)
    with pytest.raises(RuntimeError, match="MatMul needs was changed in place"):
        y.backward()


def test_beta_0_ignores_even_nan():
    nan = tinycnn.full((2, 2), float("nan"))
    eye = tinycnn.eye(2)
    assert tinycnn.addmm(nan, eye, eye, beta=0).tolist() == [[1, 0], [0, 1]]


def test_sums_over_nothing_are_zero():
    assert (tinycnn.ones(2, 0) @ tinycnn.ones(0, 3)).tolist() == [[0] * 3] * 2
    assert einsum("ij,jk->ik", tinycnn.ones(2, 0), tinycnn.ones(0, 3)).tolist() == [[0] * 3] * 2
    assert linear(tinycnn.ones(0, 5, 3), tinycnn.ones(2, 3)).shape == (0, 5, 2)
    assert linear(tinycnn.ones(4, 0), tinycnn.ones(2, 0), tinycnn.ones(2)).tolist() == [[1, 1]] * 4


def test_einsum_of_one_operand_in_order_is_a_view():
    x = tinycnn.arange(6.0).reshape(2, 3)
    y = einsum("ij->ji", x)
    x.add_(1.0)
    assert y.tolist() == x.t().tolist()


def test_einsum_accepts_a_list_of_operands_and_spaces():
    x, y = tinycnn.ones(2, 3), tinycnn.ones(3, 4)
    assert einsum(" ij , jk -> ik ", [x, y]).tolist() == (x @ y).tolist()


def random_equation(rng):
    """An equation of 1 to 4 operands and their shapes; sizes differ, and all letters of an operand do."""
    sizes = dict(zip("abcde", rng.permutation([1, 2, 3, 4, 5]).tolist()))
    terms = ["".join(rng.permutation(list(sizes))[:rng.integers(0, 4)]) for _ in range(rng.integers(1, 5))]
    known = sorted(set("".join(terms)))
    out = "".join(rng.permutation(known)[:rng.integers(0, len(known) + 1)]) if known else ""
    return ",".join(terms) + "->" + out, [[sizes[c] for c in term] for term in terms]


@pytest.mark.parametrize("seed", range(40))
def test_einsum_agrees_with_numpys(seed):
    rng = np.random.default_rng(seed)
    equation, shapes = random_equation(rng)
    arrays = [rng.standard_normal(shape) for shape in shapes]
    ours = einsum(equation, *map(tinycnn.tensor, arrays)).array
    assert np.allclose(ours, np.einsum(equation, *arrays), rtol=1e-12, atol=1e-12), equation


@pytest.mark.parametrize("x, y, message", [
    ((2, 3), (4, 5), r"matmul: shapes \(2, 3\) and \(4, 5\) .*first, 3, must equal the second to last .*second, 4"),
    ((2, 3), (4,), "must equal the only size of the second, 4"),
    ((2, 3, 4), (3, 4, 5), r"batch dimensions \(2,\) and \(3,\) of shapes \(2, 3, 4\) and \(3, 4, 5\)"),
    ((), (2,), r"matmul: expected at least 1 dimension each, got shapes \(\) and \(2,\)"),
])
def test_shapes_that_do_not_fit_are_named(x, y, message):
    with pytest.raises(RuntimeError, match=message):
        tinycnn.ones(*x) @ tinycnn.ones(*y)


ONE, TWO, THREE = tinycnn.ones(2), tinycnn.ones(2, 3), tinycnn.ones(2, 3, 4)


@pytest.mark.parametrize("call, error, message", [
    (lambda: ONE @ ONE.double(), TypeError, "matmul: operands must have one dtype, got x float32, other float64"),
    (lambda: tinycnn.mm(ONE, TWO), RuntimeError, r"mm: input must have 2 dimensions, got shape \(2,\)"),
    (lambda: tinycnn.mm(TWO, TWO), RuntimeError, r"mm: shapes \(2, 3\) and \(2, 3\)"),
    (lambda: tinycnn.bmm(THREE, TWO), RuntimeError, "bmm: mat2 must have 3 dimensions"),
    (lambda: tinycnn.bmm(THREE, THREE[:1]), RuntimeError, "bmm: batch sizes must agree"),
    (lambda: tinycnn.mv(TWO, TWO), RuntimeError, "mv: vec must have 1 dimension,"),
    (lambda: tinycnn.dot(ONE, TWO), RuntimeError, "dot: tensor must have 1 dimension,"),
    (lambda: tinycnn.dot(ONE, tinycnn.ones(3)), RuntimeError, r"dot: shapes \(2,\) and \(3,\)"),
    (lambda: tinycnn.outer(TWO, ONE), RuntimeError, "outer: input must have 1 dimension,"),
    (lambda: tinycnn.addmm(tinycnn.ones(5), TWO.T, TWO), RuntimeError, r"addmm: shapes \(5,\), \(3, 3\) do not"),
    (lambda: tinycnn.addmm(TWO[:, None, :1], TWO.T, TWO), RuntimeError, r"addmm: input of shape \(2, 1, 1\) must"),
    (lambda: tinycnn.matmul(TWO, "x"), TypeError, "as_tensor: data must be numbers"),
    (lambda: linear(TWO, tinycnn.ones(4, 2)), RuntimeError, r"linear: input of shape \(2, 3\) and weight of shape \(4, 2\)"),
    (lambda: linear(TWO, tinycnn.ones(4, 3), ONE), RuntimeError, r"linear: bias must have shape \(4,\), got \(2,\)"),
    (lambda: linear(TWO, TWO.double()), TypeError, "linear: operands must have one dtype"),
    (lambda: linear(TWO.array, TWO), TypeError, "linear: input must be a Tensor, got ndarray"),
    (lambda: bilinear(TWO, TWO, THREE), RuntimeError, r"bilinear: shapes \(2, 3\), \(2, 3\) and weight \(2, 3, 4\)"),
    (lambda: tinycnn.tensordot(TWO, TWO.T), RuntimeError, "tensordot: dims .* differ in size"),
    (lambda: tinycnn.tensordot(TWO, THREE, ([0], [1])), RuntimeError, "tensordot: dims .* differ in size"),
    (lambda: einsum("ij,jk->ik", TWO), ValueError, "einsum: 1 operands for 2 terms in equation 'ij,jk->ik'"),
    (lambda: einsum("ijk->i", TWO), ValueError, r"einsum: 'ijk' does not fit an operand of shape \(2, 3\)"),
    (lambda: einsum("i->i", TWO), ValueError, "einsum: 'i' does not fit"),
    (lambda: einsum("ij->ijk", TWO), ValueError, "einsum: the output 'ijk' must name different dimensions"),
    (lambda: einsum("ij->ii", TWO), ValueError, "einsum: the output 'ii'"),
    (lambda: einsum("i1->i", TWO), ValueError, "einsum: expected letters"),
    (lambda: einsum("......->", TWO), ValueError, "einsum: expected letters and at most one"),
    (lambda: einsum("ii->i", TWO), RuntimeError, "einsum: the repeated dimension 'i' has sizes 2 and 3"),
    (lambda: einsum("ij,ij->", TWO, TWO.T), RuntimeError, "the dimension 'i' has size 2 and size 3"),
    (lambda: einsum("...,...->...", ONE, tinycnn.ones(3)), RuntimeError, "the dimension `...` has size 2 and size 3"),
    (lambda: einsum("ij->", 3), TypeError, r"einsum: operands\[0\] must be a Tensor, got int"),
])
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
