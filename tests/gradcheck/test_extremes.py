"""Every Function at extremes: it answers or refuses on purpose, in narrow dtypes as in float64, by roads as by formulas.

The comparison with PyTorch is `tests/torch/test_extremes.py`. Where a result differs for a good reason, a table says which.
"""
import re
import traceback

import numpy as np
import pytest

import tinycnn
from tests.gradcheck.test_registry import FUNCTIONS, is_run
from tests.helpers import roads
from tests.helpers.extremes import explained, failures_of
from tinycnn.engine.arrays import quiet
from tinycnn.gradcheck import registry
from tinycnn.gradcheck.extremes import KINDS, REFUSALS, UNHARMED, apart, extremes_of, outcome
from tinycnn.ops.activation import Sigmoid
from tinycnn.ops.softmax import LogSoftmax, Softmax
from tinycnn.ops.unary import Abs

FUNCTIONS = list(filter(is_run, FUNCTIONS))
each_function = pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
TOLERANCE = {"float32": 2e-5, "float16": 4e-3}

NEVER = {  # Function: kinds for which all of its cases are refused, and why
    "Inverse": (["zeros"], "0 has no inverse"), "LogDet": (["zeros"], "0 has no logarithm, and its gradient no inverse"),
    "SVD": (["infinite", "nan"], "LAPACK may search for ever"),
    "SyncNormalize": (["empty"], "refuses what holds no numbers on all ranks together"),
}

# what float32 and float16 cannot do as float64 does: (Functions, kinds, dtypes, why)
SQUARES = "a square, or another power, of the largest or smallest numbers leaves the range of the dtype"
PRODUCTS = "a product of several leaves the range of the dtype, although the result would not"
CHAOS = "an error of rounding in the argument of a sine, in a remainder or in a place changes everything"
KEPT = "what backward needs is kept as float16, and stands there in an exponent or beside numbers it nearly cancels"
NARROW = [
    ("AvgPool LocalResponseNorm Norm Normalize RMSNorm SquaredError Std SyncNormalize", "huge", "float32", SQUARES),
    ("AvgPool Inverse Norm Pinv RMSNorm Solve Std", "tiny", "float32", SQUARES),
    ("SVD", "equal", "float32", "several singular values are 0: their vectors are LAPACK's choice, another in every dtype"),
    ("Atanh", "huge", "float16", SQUARES),
    ("Cumprod Einsum MatMul Prod ScatterProduct", "huge", "float32", PRODUCTS),
    ("NegativeLogLikelihood ScatterProduct", "tiny", "float32", PRODUCTS), ("Pow", "huge", "float16", PRODUCTS),
    ("Div", "tiny", "float32 float16", "of two infinite gradients that meet, float64 still knows the larger"),
    ("Checkpoint Remainder", "huge", "float32 float16", CHAOS), ("GridSample", "huge", "float32", CHAOS),
    ("Attention", "infinite", "float32 float16", "a probability of 0 times an infinite value: in float64 it is not quite 0"),
    ("Attention", "huge", "float16", KEPT), ("LogCumSumExp", "one nan", "float16", KEPT),
    ("PReLU", "equal", "float16", "products are rounded before they are summed"),
    ("MaxPool", "tiny", "float16", "the case subtracts 5 first, which leaves nothing of tiny numbers"),
    ("Staircase", "huge", "float16", "the case multiplies by 1.01 first, which is rounded"),
    ("RMSNorm", "zeros", "float32 float16", "eps is, as in PyTorch, the distance from 1 to the next number of the dtype"),
    ("RMSNorm", "tiny", "float16", "eps is, as in PyTorch, the distance from 1 to the next number of the dtype"),
    ("Pinv SVD", "plain huge tiny equal zeros empty one", "float16", "there is no solver for float16"),
    ("Pinv", "infinite nan", "float16", "there is no solver for float16"),
    ("Inverse LogDet Solve", "plain huge tiny equal infinite nan empty one", "float16", "there is no solver for float16"),
    ("Solve", "zeros", "float16", "there is no solver for float16"),
]

# what roads need not do as their formulas; which of them serve is another question on every machine
ROADS = [
    ("Conv ConvTranspose ConvWeight", "infinite nan", "float32",
     "a road adds up neighbours or multiplies with zeros, where the formula leaves them out: infinity and NaN spread"),
    ("Normalize", "infinite", "float32", "an infinite weight times 0, or the difference of infinities, in another order"),
    ("MatMul", "huge", "float32", "of sums of infinities, the order decides which are NaN"),
    ("Attention", "equal", "float32", "scores of some hundred are rounded, and stand in an exponent"),
]


@each_function
def test_every_function_meets_every_extreme(function):
    """At least one case answers at each kind of extreme; a refusal is a `raise` of ours; of nothing comes nothing."""
    answered = set()
    for case in registry.cases_of(function):
        for kind, extreme in extremes_of(case):
            found = outcome(extreme, "float64")
            if isinstance(found, Exception):
                assert_deliberate(extreme, found)
                continue
            answered.add(kind)
            gradients = found[len(found) - sum(sample.differentiable for sample in case.inputs):]
            if not any(y.size for y in found[:len(found) - len(gradients)]):
                assert not any(g.any() for g in gradients), f"{extreme.id}: empty outputs, and a gradient that is not 0"
    never, _ = NEVER.get(function.__name__, ([], ""))
    missing = set(KINDS) - answered
    assert missing == set(never), f"{function.__name__}: no case answers at {missing}; NEVER says {never}"


def assert_deliberate(case, refusal):
    """Fail unless a line of tinycnn raises `refusal`, or the call of the case itself does."""
    frame = traceback.extract_tb(refusal.__traceback__)[-1]
    place = frame.filename.replace("\\", "/")
    ours = "tinycnn/" in place and (frame.line.startswith("raise") or "/gradcheck/cases/" in place)
    assert ours, f"{case.id}: {type(refusal).__name__}: {refusal}, by {place}:{frame.lineno} {frame.line}"


@each_function
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_a_narrow_dtype_gives_the_numbers_of_float64_rounded(function, dtype):
    def differs(case, kind):
        with tinycnn.plainly():
            right = rounded(outcome(case, dtype, "float64"), dtype)
            return apart(outcome(case, dtype), right, TOLERANCE[dtype], kind in UNHARMED)
    explained(failures_of(function, dtype, differs), function, dtype, NARROW)


def rounded(outcome, dtype):
    """An outcome in a narrower dtype: infinite, where that has no such number."""
    if isinstance(outcome, Exception):
        return outcome
    with quiet():
        return [a.astype(dtype) if a.dtype.kind == "f" else a for a in outcome]


@each_function
def test_a_road_computes_what_its_formula_computes_at_extremes(function, monkeypatch):
    roads.make_small(monkeypatch)

    def differs(case, kind):
        with tinycnn.plainly():
            expected = outcome(case, "float32")
        return apart(outcome(case, "float32"), expected, TOLERANCE["float32"], kind in UNHARMED)
    explained(failures_of(function, "float32", differs), function, "float32", ROADS, needed=False)


# ---- the tables and the comparison can fail --------------------------------------------------------------------------

def test_every_row_of_the_tables_names_functions_and_kinds():
    names = {function.__name__ for function in FUNCTIONS}
    for functions, kinds, dtypes, reason in NARROW + ROADS:
        assert set(functions.split()) <= names and set(kinds.split()) <= {"plain", *KINDS} and reason
    assert set(NEVER) <= names


def test_an_overflow_that_a_wider_dtype_hides_is_found():
    def squared(forward, ctx, x):
        forward(ctx, x)
        return np.sqrt(x * x)
    with registry.swapped(Abs, forward=squared), pytest.raises(AssertionError, match="Abs, float32, huge"):
        test_a_narrow_dtype_gives_the_numbers_of_float64_rounded(Abs, "float32")


def test_a_gradient_that_is_infinite_too_early_is_found():
    def early(backward, ctx, dy):
        return backward(ctx, dy * 60000) / 60000
    with registry.swapped(Sigmoid, backward=early), pytest.raises(AssertionError, match="Sigmoid, float16"):
        test_a_narrow_dtype_gives_the_numbers_of_float64_rounded(Sigmoid, "float16")


def test_a_road_that_loses_nan_is_found(monkeypatch):
    def lossy(ctx, x, axis):
        return LogSoftmax.forward.plain(ctx, np.nan_to_num(x), axis)
    LogSoftmax.forward.roads.insert(0, (lambda *args, **options: True, lossy))
    try:
        with pytest.raises(AssertionError, match="LogSoftmax.*nan"):
            test_a_road_computes_what_its_formula_computes_at_extremes(LogSoftmax, monkeypatch)
    finally:
        del LogSoftmax.forward.roads[0]


def test_a_refusal_by_accident_is_found():
    def careless(forward, ctx, x, axis):
        return forward(ctx, x.reshape(3, 4), axis)
    with registry.swapped(Softmax, forward=careless), pytest.raises(AssertionError, match="Softmax.*reshape"):
        test_every_function_meets_every_extreme(Softmax)


def test_a_function_without_cases_meets_no_extreme(monkeypatch):
    monkeypatch.setattr(registry, "CASES", [case for case in registry.CASES if case.function is not Sigmoid])
    with pytest.raises(AssertionError, match="Sigmoid: no case answers"):
        test_every_function_meets_every_extreme(Sigmoid)


def test_a_reason_that_nothing_needs_is_found():
    with pytest.raises(AssertionError, match="Sigmoid, float32: nothing needs the reason for .*huge"):
        explained({}, Sigmoid, "float32", [("Sigmoid", "huge", "float32", "none")])


@pytest.mark.parametrize("found, right, message", [
    ([np.array([1.0, np.nan])], [np.array([1.0, np.inf])], "nan, expected inf"),
    ([np.array([1.0, 2.1])], [np.array([1.0, 2.0])], "2.1, expected 2"),
    ([np.array([1e-20])], [np.array([2e-20])], "1e-20, expected 2e-20"),
    ([np.zeros((0, 2))], [np.zeros((0, 3))], r"shape \(0, 2\)"), ([np.zeros(1, np.float32)], [np.zeros(1)], "float32"),
    (ValueError("no"), [np.zeros(1)], "refused .*no.*expected an answer"), ([np.array(3)], [np.array(4)], "3, expected 4")])
def test_what_is_apart_is_said(found, right, message):
    assert re.search(message, apart(found, right, 1e-5))
    assert apart(right, right, 1e-5) == ""


def test_an_extreme_changes_one_input_and_names_it():
    case = next(case for case in registry.cases_of(Softmax) if case.inputs)
    found = dict(extremes_of(case, np.float32))
    assert set(found) == set(KINDS)
    x = case.draw(0)[0]
    np.testing.assert_array_equal(found["huge"].draw(0)[0], x * float(np.finfo(np.float32).max) ** 0.75)
    assert np.isinf(found["infinite"].draw(0)[0]).sum() == 2 and np.isnan(found["nan"].draw(0)[0]).sum() == 1
    assert found["huge"].name == f"{case.name}, x huge"


def test_refusals_are_the_exceptions_of_arguments():
    assert not issubclass(ZeroDivisionError, REFUSALS) and not issubclass(AttributeError, REFUSALS)
