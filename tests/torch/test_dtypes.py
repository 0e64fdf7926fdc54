"""Which dtype comes out of which: promotion, reductions, conversions, creation, for every pair of number types."""
import itertools

import numpy as np
import pytest

import tinycnn

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")

DTYPES = ("bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64")
PYTORCH = {name: getattr(torch, name) for name in DTYPES}


def outcome(library, expression, *dtypes, **shapes):
    """The dtype of the expression in x and y, or "error"."""
    names = {"t": library}
    for name, dtype, zero_d in zip("xy", dtypes, (shapes.get("x", False), shapes.get("y", False))):
        names[name] = library.ones(() if zero_d else 2, dtype=getattr(library, dtype))
    try:
        result = eval(expression, names)
    except (TypeError, RuntimeError):
        return "error"
    return str(result.dtype).removeprefix("torch.")


PAIRS = list(itertools.product(DTYPES, DTYPES))


@pytest.mark.parametrize("zero_d", [{}, {"x": True}, {"y": True}, {"x": True, "y": True}], ids=str)
@pytest.mark.parametrize("expression", ["x + y", "x * y", "x / y", "x // y", "t.maximum(x, y)", "x == y", "x - y",
                                        "t.where(x > 0, x, y)", "t.cat([x.reshape(-1), y.reshape(-1)])", "x ** y", "x % y",
                                        "t.atan2(x, y)"])
def test_two_dtypes_mix_as_in_pytorch(expression, zero_d):
    for pair in PAIRS:
        ours, theirs = (outcome(library, expression, *pair, **zero_d) for library in (tinycnn, torch))
        assert ours == theirs or "error" in (ours, theirs), f"{expression} of {pair}: {ours}, PyTorch {theirs}"


@pytest.mark.parametrize("number", ["True", "2", "2.5"])
@pytest.mark.parametrize("operator", ["+", "*", "/", "**", ">", "//"])
def test_a_number_counts_only_by_its_kind(operator, number):
    for dtype in DTYPES:
        ours, theirs = (outcome(library, f"x {operator} {number}", dtype) for library in (tinycnn, torch))
        assert ours == theirs or theirs == "error", f"{dtype} {operator} {number}: {ours}, PyTorch {theirs}"


@pytest.mark.parametrize("expression", [
    "x.sum()", "x.prod()", "x.cumsum(0)", "x.cumprod(0)", "x.max()", "x.amax()", "x.argmax()", "x.any()", "x.all()",
    "x.norm()", "x.mean()", "x.std()", "x.exp()", "x.sqrt()", "x.sigmoid()", "x.abs()", "x.floor()", "x.round()",
    "x.sign()", "x.float()", "x.long()", "x.bool()", "x.sort().values", "x.sort().indices", "x.median()",
    "x.unique()", "t.zeros_like(x)", "x.new_ones(2)", "t.erf(x)", "t.count_nonzero(x)", "x.clamp(0, 1)",
    "x.clamp(0.5, 1.5)", "x.masked_fill(x > 0, 1)", "x.half()", "x.double()", "-x", "x.pow(2)", "x.square()", "x.diff()",
    "x.logical_not()", "t.reciprocal(x)", "x.flip(0)", "x.softmax(0)", "x.tril()", "t.full_like(x, 2)", "x.nonzero()",
    "t.nan_to_num(x)", "x.log1p()", "x.relu()", "x.sum(dtype=t.float64)", "t.outer(x, x)"])
def test_one_dtype_becomes_what_it_does_in_pytorch(expression):
    for dtype in DTYPES:
        ours, theirs = (outcome(library, expression, dtype) for library in (tinycnn, torch))
        if dtype == "uint8" and expression in ("x.any()", "x.all()"):
            theirs = "bool"  # PyTorch says uint8 here, for the sake of code from before it had bool
        assert ours == theirs or "error" in (ours, theirs), f"{expression} of {dtype}: {ours}, PyTorch {theirs}"


@pytest.mark.parametrize("expression", ["x.mean()", "x.std()", "x.norm()", "x.softmax(0)"])
@pytest.mark.parametrize("dtype", ["bool", "int64"])
def test_what_needs_floating_point_refuses_the_rest(expression, dtype):
    assert outcome(tinycnn, expression, dtype) == "error"


def test_promote_types_and_can_cast():
    for a, b in PAIRS:
        ours = tinycnn.promote_types(getattr(tinycnn, a), getattr(tinycnn, b))
        assert f"torch.{ours}" == str(torch.promote_types(PYTORCH[a], PYTORCH[b]))
        if "uint8" not in (a, b):
            ours, theirs = (t.can_cast(getattr(t, a), getattr(t, b)) for t in (tinycnn, torch))
            assert ours == theirs, (a, b)


@pytest.mark.parametrize("data", [1, 1.5, True, [1, 2], [1, 2.5], [True], [[1.0], [2.0]], [], np.float64(1.5),
                                  np.int32(3), np.arange(3), np.arange(3.0), np.float32([1])], ids=repr)
def test_tensor_reads_data_as_pytorch_does(data):
    ours, theirs = tinycnn.tensor(data), torch.tensor(data)
    assert str(theirs.dtype) == f"torch.{ours.dtype}"
    assert ours.shape == tuple(theirs.shape)
    np.testing.assert_array_equal(ours.numpy(), theirs.numpy())


@pytest.mark.parametrize("name", ["FloatTensor", "DoubleTensor", "HalfTensor", "LongTensor", "IntTensor", "ShortTensor",
                                  "CharTensor", "ByteTensor", "BoolTensor"])
def test_old_constructors_and_type_names(name):
    ours, theirs = getattr(tinycnn, name)([1, 0]), getattr(torch, name)([1, 0])
    assert f"torch.{ours.dtype}" == str(theirs.dtype)
    assert ours.type() == theirs.type() == f"torch.{name}"
    assert f"torch.{tinycnn.ones(2).type(ours.type()).dtype}" == str(torch.ones(2).type(theirs.type()).dtype)
    assert tinycnn.ones(2).type(getattr(tinycnn, name)).dtype == ours.dtype


def test_set_default_tensor_type_changes_new_tensors():
    before = tinycnn.get_default_dtype()
    try:
        tinycnn.set_default_tensor_type("torch.DoubleTensor")
        assert tinycnn.zeros(1).dtype == tinycnn.tensor(1.5).dtype == tinycnn.float64
    finally:
        tinycnn.set_default_dtype(before)
