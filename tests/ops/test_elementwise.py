"""Arithmetic, functions of one input, selection, comparison: what the registry's cases do not show."""
import math
import operator

import numpy as np
import pytest

import tinycnn as t
from tests.helpers import strict_array

SPECIAL = [-math.inf, -2.5, -1.5, -1.0, -0.5, -0.0, 0.0, 0.5, 1.0, 1.5, 2.5, math.inf, math.nan]


def both(values, dtype="float64"):
    """`values` as our tensor and PyTorch's."""
    torch = pytest.importorskip("torch")
    array = np.array(values, dtype)
    return t.tensor(array), torch.tensor(array)


def same(ours, theirs):
    """Equal values, NaN and infinities included, and equal dtypes."""
    assert ours.dtype.name == str(theirs.dtype).removeprefix("torch.")
    np.testing.assert_allclose(ours.numpy(), theirs.detach().numpy(), rtol=1e-12, atol=0)


# ---- values ----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("name", ["exp", "expm1", "log", "log1p", "log2", "log10", "sqrt", "rsqrt", "abs", "neg", "sin",
                                  "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "erf", "floor", "ceil", "round",
                                  "trunc", "frac", "square", "reciprocal", "isnan", "isinf", "isfinite", "logical_not",
                                  "nan_to_num", "sigmoid", "tanh", "relu"])
def test_functions_of_one_input_agree_with_pytorch_at_the_edges_of_their_domain(name):
    x, y = both(SPECIAL)
    torch = pytest.importorskip("torch")
    same(getattr(t, name)(x), getattr(torch, name)(y))
    same(getattr(x, name)(), getattr(torch, name)(y))


@pytest.mark.parametrize("name", ["add", "sub", "mul", "div", "pow", "remainder", "fmod", "floor_divide", "maximum",
                                  "minimum", "atan2", "eq", "ne", "lt", "le", "gt", "ge", "logical_and", "logical_or",
                                  "logical_xor", "heaviside"])
def test_functions_of_two_inputs_agree_with_pytorch_on_every_pair_of_special_values(name):
    torch = pytest.importorskip("torch")
    (x, p), (y, q) = both([[v] for v in SPECIAL]), both(SPECIAL)
    same(getattr(t, name)(x, y), getattr(torch, name)(p, q))


@pytest.mark.parametrize("name", ["remainder", "fmod", "floor_divide", "bitwise_and", "bitwise_or", "bitwise_xor", "add"])
@pytest.mark.parametrize("dtype", ["int64", "int8"])
def test_integer_arithmetic_agrees_with_pytorch(name, dtype):
    torch = pytest.importorskip("torch")
    (x, p), (y, q) = both([[-7], [-6], [0], [5], [7]], dtype), both([-3, -1, 2, 3], dtype)
    same(getattr(t, name)(x, y), getattr(torch, name)(p, q))


@pytest.mark.parametrize("rounding_mode", [None, "trunc", "floor"])
@pytest.mark.parametrize("dtype", ["int64", "float64"])
def test_div_rounds_as_pytorch_does(rounding_mode, dtype):
    torch = pytest.importorskip("torch")
    (x, p), (y, q) = both([[-7], [-6], [0], [1], [7]], dtype), both([-3, -1, 2, 3], dtype)
    result, expected = t.div(x, y, rounding_mode=rounding_mode), torch.div(p, q, rounding_mode=rounding_mode)
    assert str(expected.dtype) == f"torch.{result.dtype.name}"
    np.testing.assert_allclose(result.numpy(), expected.numpy(), rtol=1e-6)
    x, y = both([1.0, 0.3, -1.0])
    same(t.div(x, 0.1, rounding_mode=rounding_mode), torch.div(y, 0.1, rounding_mode=rounding_mode))


@pytest.mark.parametrize("name", ["remainder", "floor_divide"])
def test_quotients_on_a_gpu_are_those_of_the_cpu(name, monkeypatch):
    def results():
        x, y = t.tensor([[v] for v in SPECIAL]), t.tensor(SPECIAL)
        return [getattr(t, name)(*pair).numpy(force=True) for pair in ((x, y), (x, 0.1), (x, 0.0), (x, -2), (1.0, y))]
    expected = results()
    strict_array.install(monkeypatch)
    for found, right in zip(results(), expected):
        np.testing.assert_array_equal(found, right)
        assert (np.signbit(found) == np.signbit(right))[right == 0].all()


OPERATORS = [operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv, operator.mod, operator.pow,
             operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge]


@pytest.mark.parametrize("op", OPERATORS, ids=lambda op: op.__name__)
@pytest.mark.parametrize("other", [2, 2.5, np.float32(2.5), np.int64(2), np.array([1.5, 2.0, 3.0]), np.array([1, 2, 3])],
                         ids=lambda v: type(v).__name__)
def test_operators_take_numbers_and_arrays_on_either_side(op, other):
    values = np.array([1.0, 2.0, 3.5])
    x = t.tensor(values)
    for result, expected in ((op(x, other), op(values, other)), (op(other, x), op(other, values))):
        assert isinstance(result, t.Tensor)
        np.testing.assert_allclose(result.numpy(), expected)


@pytest.mark.parametrize("op", [operator.and_, operator.or_, operator.xor], ids=lambda op: op.__name__)
def test_masks_combine_with_operators(op):
    a, b = np.array([True, True, False]), np.array([True, False, False])
    np.testing.assert_array_equal(op(t.tensor(a), t.tensor(b)).numpy(), op(a, b))
    np.testing.assert_array_equal(op(True, t.tensor(b)).numpy(), op(True, b))
    np.testing.assert_array_equal((~t.tensor(a)).numpy(), ~a)
    np.testing.assert_array_equal(op(t.tensor([6, 5]), 3).numpy(), op(np.array([6, 5]), 3))


def test_numbers_do_not_widen_float32():
    x = t.ones(3)
    for y in (x + 2.0, 2.0 * x, x ** 0.5, 2 ** x, x / np.float64(3), x.clamp(0.1, np.float64(2)), x.lerp(x, 0.5),
              t.where(x > 0, x, 1.5), x % 0.3, x.log2(), t.maximum(x, x), t.erf(x), x + np.int64(1)):
        assert y.dtype == t.float32
    assert (x.to(t.float16) * 2.5).dtype == t.float16
    assert (t.tensor(1.0) + 2.5).dtype == t.float32 and t.tensor(1.0).exp().shape == ()


def test_alpha_and_value_scale_the_second_operand():
    x = t.tensor([1, 2])
    assert t.add(x, x, alpha=3).tolist() == [4, 8] and t.sub(x, 1, alpha=2).tolist() == [-1, 0]
    assert t.addcmul(x, x, x, value=2).tolist() == [3, 10]
    assert t.addcdiv(x.float(), x, x + x, value=2).tolist() == [2, 3]


def test_float_power_computes_in_float64():
    result = t.float_power(t.tensor([2, 3]), -2)
    assert result.dtype == t.float64 and result.tolist() == [1 / 4, 1 / 9]


def test_power_has_no_slope_at_0_to_the_0_as_in_pytorch():
    torch = pytest.importorskip("torch")
    gradients = []
    for library in (t, torch):
        x, y = (library.tensor(v, dtype=library.float64, requires_grad=True) for v in ([0.0, 0.0, 2.0], [0.0, 1.5, 0.0]))
        (x ** y).sum().backward()
        gradients.append((x.grad.tolist(), y.grad.tolist()))
    assert gradients[0] == gradients[1]


@pytest.mark.parametrize("name", ["erf", "erfc", "erfinv"])
def test_error_functions_on_a_gpu_keep_the_dtype(name, monkeypatch):
    strict_array.install(monkeypatch)
    for dtype in ("float16", "float32", "float64"):
        assert getattr(t, name)(t.tensor([0.25, -0.5], dtype=dtype)).dtype == dtype


def test_error_function_is_exact_to_the_last_digits_of_its_dtype():
    values = np.concatenate([np.linspace(-7, 7, 1001), np.logspace(-30, 0, 61)])
    for dtype, tolerance in (("float64", 4e-15), ("float32", 5e-7), ("float16", 2e-3)):
        x = values.astype(dtype)
        result = t.erf(t.tensor(x))
        expected = [math.erf(v) for v in x.tolist()]
        assert result.dtype == dtype and abs(result.numpy()).max() == 1
        np.testing.assert_allclose(result.numpy().astype(float), expected, rtol=tolerance, atol=1e-7 * (dtype == "float16"))


@pytest.mark.parametrize("exponent", [0, 1, 2, 3, 4, 5, -1, -3, 0.5, 3.0, 2.5])
def test_powers_of_every_kind_agree_with_numpy(exponent):
    values = np.array([0.5, 1.0, 2.0, 3.0])
    np.testing.assert_allclose((t.tensor(values) ** exponent).numpy(), values ** exponent, rtol=1e-15)
    assert (t.ones(2) ** exponent).dtype == t.float32


def test_the_unused_branch_of_where_may_be_infinite():
    x = t.tensor([0.0, 2.0], requires_grad=True)
    t.where(x > 0, x, t.tensor(math.inf)).sum().backward()
    assert x.grad.tolist() == [0, 1]


def test_mul_keeps_only_the_factor_that_the_gradient_needs():
    x, constant = t.ones(3, requires_grad=True), t.ones(3)
    hidden = x * 1.0
    y = hidden * constant
    hidden += 1.0  # y's gradient does not look at hidden
    y.sum().backward()
    assert x.grad.tolist() == [1, 1, 1]


def test_infinities_and_nan_come_without_warnings():
    x = t.tensor([0.0, -1.0], requires_grad=True)
    (x.log() + 1 / x + x.sqrt() + (1000 * x).exp()).sum().backward()  # warnings are errors in this suite
    assert t.tensor([1.0]).div(0).item() == math.inf


# ---- selection and comparison ----------------------------------------------------------------------------------------

def test_where_with_the_condition_alone_gives_indices():
    rows, columns = t.where(t.tensor([[True, False], [False, True]]))
    assert rows.tolist() == columns.tolist() == [0, 1]


def test_where_and_clamp_promote_as_pytorch_does():
    torch = pytest.importorskip("torch")
    x, y = both([1, 5], "int64")
    condition, mask = both([True, False], "bool")
    same(t.where(condition, x, 2.5), torch.where(mask, y, 2.5))
    same(t.where(condition, 1, 0), torch.where(mask, 1, 0))
    same(t.clamp(x, 2.5), torch.clamp(y, 2.5))
    same(t.clamp(x, max=3), torch.clamp(y, max=3))
    same(t.clamp(x, t.tensor([2, 7]), t.tensor(6.5)), torch.clamp(y, torch.tensor([2, 7]), torch.tensor(6.5)))


def test_comparison_with_something_else_is_pythons():
    x = t.ones(2)
    assert (x == None) is False and (x != "a") is True  # noqa: E711
    with pytest.raises(TypeError):
        x < "a"


def test_closeness():
    x = t.tensor([1.0, math.inf, math.nan])
    assert t.isclose(x, t.tensor([1.0 + 1e-7, math.inf, math.nan])).tolist() == [True, True, False]
    assert t.isclose(x, x, equal_nan=True).all()
    assert t.allclose(t.tensor([1.0]), t.tensor([1.1]), atol=0.2) is True
    assert t.allclose(t.tensor([1.0]), t.tensor([1.1])) is False


def test_equal_wants_the_same_shape():
    assert t.equal(t.ones(2), t.ones(2)) is True
    assert t.equal(t.ones(2), t.ones(1)) is False and t.equal(t.ones(2), t.zeros(2)) is False


def test_nan_to_num_fills_with_the_limits_of_the_dtype():
    limits = np.finfo(np.float32)
    assert t.nan_to_num(t.tensor([math.inf, -math.inf, math.nan])).tolist() == [limits.max, limits.min, 0.0]
    assert t.nan_to_num(t.tensor([3])).dtype == t.int64


def test_rounding_leaves_integers_alone():
    x = t.tensor([3, -4])
    for f in (t.floor, t.ceil, t.round, t.trunc):
        y = f(x)
        assert y.dtype == t.int64 and y.tolist() == [3, -4] and y.array is not x.array
    assert t.round(t.tensor([0.5, 1.5, -0.5, 2.345]), decimals=0).tolist() == [0, 2, -0.0, 2]


# ---- in place --------------------------------------------------------------------------------------------------------

IN_PLACE = [("add_", 2.0), ("sub_", 2.0), ("mul_", 3.0), ("div_", 2.0), ("pow_", 2), ("remainder_", 0.7), ("fmod_", 0.7),
            ("neg_",), ("exp_",), ("log_",), ("sqrt_",), ("rsqrt_",), ("abs_",), ("sin_",),
            ("cos_",),
            ("tanh_",), ("sigmoid_",), ("relu_",), ("clamp_", 0.6, 1.1), ("clamp_min_", 1.0), ("floor_",), ("round_",),
            ("square_",), ("reciprocal_",), ("erf_",), ("expm1_",), ("log1p_",), ("zero_",), ("fill_", 4.0), ("sign_",),
            ("copy_", t.tensor([7.0, 8.0, 9.0])), ("nan_to_num_",), ("lerp_", t.tensor([7.0, 8.0, 9.0]), 0.3)]


@pytest.mark.parametrize("name, args", [(name, args) for name, *args in IN_PLACE], ids=[name for name, *_ in IN_PLACE])
def test_in_place_writes_into_the_memory_of_the_tensor_and_has_the_right_gradient(name, args):
    torch = pytest.importorskip("torch")
    start = [0.5, 0.9, 1.7]
    x = t.tensor(start, requires_grad=True)
    y = x * 1.0
    memory = y.array
    assert getattr(y, name)(*args) is y and y.array is memory
    p = torch.tensor(start, requires_grad=True)
    q = p * 1.0
    getattr(q, name)(*(torch.tensor(a.numpy()) if isinstance(a, t.Tensor) else a for a in args))
    np.testing.assert_allclose(y.detach().numpy(), q.detach().numpy(), rtol=1e-6)
    q.sum().backward()
    (y + 0 * x).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), p.grad.numpy(), rtol=1e-5)


@pytest.mark.parametrize("op", [operator.iadd, operator.isub, operator.imul, operator.itruediv, operator.ifloordiv,
                                operator.imod, operator.ipow], ids=lambda op: op.__name__)
def test_augmented_assignment_writes_into_the_tensor(op):
    x = t.tensor([5.0, 6.0])
    view, before = x, op(np.array([5.0, 6.0]), 2.0)
    x = op(x, 2.0)
    assert x is view and x.tolist() == before.tolist()


@pytest.mark.parametrize("write", [lambda x: x.add_(1), lambda x: x.zero_(), lambda x: x.fill_(2.0), lambda x: x.normal_(),
                                   lambda x: x.uniform_(), lambda x: x.copy_(t.ones(2)), lambda x: t.relu_(x)])
def test_a_leaf_that_wants_a_gradient_is_only_changed_under_no_grad(write):
    x = t.full((2,), 5.0, requires_grad=True)
    with pytest.raises(RuntimeError, match="leaf.*no_grad"):
        write(x)
    assert x.tolist() == [5, 5]
    with t.no_grad():
        write(x)
    assert x.requires_grad and x.is_leaf


def test_overwriting_a_result_cuts_it_off_its_history():
    x = t.ones(2, requires_grad=True)
    y = x * 2
    y.fill_(3.0)
    (y * x).sum().backward()
    assert x.grad.tolist() == [3, 3]


def test_copy_broadcasts_casts_and_has_a_gradient():
    x, w = t.zeros(2, 3), t.tensor([1.0, 2.0, 3.0], dtype=t.float64, requires_grad=True)
    x.copy_(w)
    assert x.dtype == t.float32 and x.tolist() == [[1, 2, 3]] * 2 and not x.is_leaf
    x.sum().backward()
    assert w.grad.tolist() == [2, 2, 2]
    whole = t.zeros(2, dtype=t.int64).copy_(t.tensor([1.7, -1.7]))
    assert whole.tolist() == [1, -1]


def test_copying_a_leaf_leaves_it_its_own_leaf():
    source, target = t.ones(2, requires_grad=True), t.zeros(2)
    target.copy_(source)
    (target * 3).sum().backward()
    assert source.grad.tolist() == [3, 3] and target.grad is None


def test_in_place_keeps_the_dtype_or_refuses():
    x = t.ones(2)
    x += t.ones(2, dtype=t.float64)
    assert x.dtype == t.float32
    small = t.tensor([1, 2], dtype=t.uint8)
    small += t.tensor([1, 2])
    assert small.dtype == t.uint8 and small.tolist() == [2, 4]
    for wrong in (lambda: small.add_(0.5), lambda: small.div_(2), lambda: t.tensor([True]).add_(1)):
        with pytest.raises(RuntimeError, match="does not fit in place"):
            wrong()
    with pytest.raises(RuntimeError, match=r"add_.*\(2, 2\).*\(2,\)"):
        x += t.ones(2, 2)


def test_the_inputs_of_an_operation_stay_as_they_were():
    x, y = t.tensor([1.0, 2.0], requires_grad=True), t.tensor([3.0, 4.0], requires_grad=True)
    for f in (t.add, t.sub, t.mul, t.div, t.pow, t.maximum, t.minimum, t.atan2, t.remainder):
        z = f(x, y)
        dz = t.ones(2)
        z.backward(dz)
        assert x.tolist() == [1, 2] and y.tolist() == [3, 4] and dz.tolist() == [1, 1]
        assert x.grad.array is not y.grad.array and x.grad.array is not dz.array


# ---- what is refused -------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("call, exception, message", [
    (lambda: t.add(t.ones(2, 3), t.ones(4)), RuntimeError, r"add: shapes \(2, 3\) and \(4,\) do not broadcast"),
    (lambda: t.ones(2) * t.ones(3), RuntimeError, r"mul: shapes \(2,\) and \(3,\)"),
    (lambda: t.where(t.ones(2) > 0, t.ones(3), 1.0), RuntimeError, r"where: shapes \(2,\) and \(3,\)"),
    (lambda: t.clamp(t.ones(2), t.ones(3)), RuntimeError, r"clamp: shapes \(2,\) and \(3,\)"),
    (lambda: t.ones(2) < t.ones(3), RuntimeError, r"lt: shapes \(2,\) and \(3,\)"),
    (lambda: t.add(t.ones(2), "a"), TypeError, "add: other must be a Tensor, an array or a number, got str"),
    (lambda: t.add([1], t.ones(2)), TypeError, "add: input must be.*got list"),
    (lambda: t.ones(2) + [1, 2], TypeError, "unsupported operand"),
    (lambda: t.ones(2).add_(None), TypeError, "add: other must be.*got NoneType"),
    (lambda: t.exp(2.0), TypeError, "exp: input must be a Tensor, got float"),
    (lambda: t.abs([1]), TypeError, "abs: input must be a Tensor, got list"),
    (lambda: t.maximum(t.ones(2), 1.0), TypeError, "maximum: other must be a Tensor, got float"),
    (lambda: t.clamp(t.ones(2)), RuntimeError, "clamp: at least one of min and max"),
    (lambda: t.where(t.ones(2), t.ones(2), t.ones(2)), TypeError, "where: condition must be a bool tensor, got float32"),
    (lambda: t.div(t.ones(2), 2, rounding_mode="up"), ValueError, "div: rounding_mode must be.*'up'"),
    (lambda: t.tensor([1]) // 0, RuntimeError, "div: integer division by zero"),
    (lambda: t.tensor([1]) % t.tensor([0]), RuntimeError, "remainder: integer division by zero"),
    (lambda: t.tensor([2]) ** -1, RuntimeError, "pow: integers have no integer power -1"),
    (lambda: t.tensor([True]) - True, RuntimeError, "sub: booleans cannot be subtracted"),
    (lambda: -t.tensor([True]), RuntimeError, "neg: a bool tensor"),
    (lambda: ~t.ones(2), TypeError, "bitwise_not: input must be bool or integers, got float32"),
    (lambda: t.ones(2) & t.ones(2), TypeError, "bitwise_and: input and other must be bool or integers"),
    (lambda: t.equal(t.ones(2), 1), TypeError, "equal: other must be a Tensor, got int"),
    (lambda: t.zeros(2).copy_([1, 2]), TypeError, "copy_: source must be a Tensor, got list"),
])
def test_bad_input_is_refused_by_name(call, exception, message):
    with pytest.raises(exception, match=message):
        call()
