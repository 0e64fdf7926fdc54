"""Number types: their names, and how they mix."""
import itertools

import numpy as np
import pytest

import tinycnn as t
from tinycnn.engine.dtype import KNOWN, as_dtype


@pytest.fixture
def default_dtype():
    """Restores the default dtype after a test that changes it."""
    before = t.get_default_dtype()
    yield
    t.set_default_dtype(before)


def _torch_dtype(torch, name):
    return getattr(torch, name)


def test_promotion_of_two_dtypes_is_that_of_pytorch():
    torch = pytest.importorskip("torch")
    for a, b in itertools.product(KNOWN, KNOWN):
        expected = str(torch.promote_types(_torch_dtype(torch, a), _torch_dtype(torch, b)))
        assert f"torch.{t.promote_types(KNOWN[a], KNOWN[b]).name}" == expected, (a, b)


@pytest.mark.parametrize("shapes", [((2,), (2,)), ((2,), ()), ((), (2,)), ((), ())])
def test_result_type_of_two_tensors_is_that_of_pytorch(shapes):
    torch = pytest.importorskip("torch")
    for a, b in itertools.product(KNOWN, KNOWN):
        ours = t.result_type(*(t.ones(s, dtype=d) for s, d in zip(shapes, (a, b))))
        theirs = torch.result_type(*(torch.ones(s, dtype=_torch_dtype(torch, d)) for s, d in zip(shapes, (a, b))))
        assert f"torch.{ours.name}" == str(theirs), (a, b)


@pytest.mark.parametrize("shape", [(2,), ()])
@pytest.mark.parametrize("number", [True, 3, 2.5])
def test_result_type_with_a_number_is_that_of_pytorch(shape, number):
    torch = pytest.importorskip("torch")
    for name in KNOWN:
        x, y = t.ones(shape, dtype=name), torch.ones(shape, dtype=_torch_dtype(torch, name))
        for ours, theirs in (((x, number), (y, number)), ((number, x), (number, y))):
            assert f"torch.{t.result_type(*ours).name}" == str(torch.result_type(*theirs)), name


@pytest.mark.parametrize("operation", ["add", "mul", "div", "pow", "remainder", "floor_divide", "eq"])
def test_operations_return_the_dtype_that_pytorch_returns(operation):
    torch = pytest.importorskip("torch")
    for a, b, shape in itertools.product(KNOWN, KNOWN, [(2,), ()]):
        x, y = torch.ones(2, dtype=_torch_dtype(torch, a)), torch.ones(shape, dtype=_torch_dtype(torch, b))
        try:
            expected = getattr(torch, operation)(x, y)
        except (RuntimeError, NotImplementedError):  # what PyTorch refuses for booleans
            continue
        result = getattr(t, operation)(t.ones(2, dtype=a), t.ones(shape, dtype=b))
        assert f"torch.{result.dtype.name}" == str(expected.dtype), (a, b, shape)
        np.testing.assert_array_equal(result.numpy(), expected.numpy())


def test_three_operands_are_ranked_together():
    matrix, scalar = t.ones(2, dtype=t.int8), t.tensor(1.0, dtype=t.float64)
    assert t.result_type(matrix, scalar, 2.5) == t.float64
    assert t.result_type(matrix, t.ones(2, dtype=t.float16), scalar) == t.float16


def test_functions_of_integers_give_the_default_dtype(default_dtype):
    x = t.tensor([1, 2])
    assert (x / 2).dtype == (x / x).dtype == t.sin(x).dtype == t.sigmoid(x).dtype == t.float32
    t.set_default_dtype(t.float64)
    assert (x / 2).dtype == t.sin(x).dtype == (x + 1.5).dtype == t.tensor([1.5]).dtype == t.zeros(1).dtype == t.float64


def test_integers_that_do_not_fit_wrap_around():
    x = t.tensor([1, 250], dtype=t.uint8)
    assert (x + 10).tolist() == [11, 4] and (x - 300).tolist() == [213, 206] and (x * -1).tolist() == [255, 6]


def test_python_and_numpy_types_are_dtypes():
    assert as_dtype(bool) == t.bool and as_dtype(int) == t.int64 and as_dtype(float) == t.float64
    assert as_dtype("float32") == as_dtype(np.float32) == as_dtype(np.dtype(">f4")) == t.float32


@pytest.mark.parametrize("wrong", [None, "complex64", np.complex128, object, "U3", 7])
def test_other_dtypes_are_refused_by_name(wrong):
    with pytest.raises(TypeError, match="dtype must be one of.*float32.*got"):
        as_dtype(wrong)


def test_only_floating_point_can_be_the_default():
    with pytest.raises(TypeError, match="set_default_dtype.*floating point.*int64"):
        t.set_default_dtype(t.int64)
