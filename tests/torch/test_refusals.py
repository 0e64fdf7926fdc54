"""What PyTorch refuses is refused here, too: calls of both with one argument that is nonsense (`tests/helpers/theirs.py`).

Where ours accepts what PyTorch refuses, `ACCEPTED` says why. (PyTorch accepts more elsewhere: any object for a switch, in
what is written in Python there.)
"""
import fnmatch
import random

import numpy as np
import pytest

import tinycnn as t
from tests.helpers import fuzzing
from tests.helpers.fuzz_targets import targets
from tests.helpers.theirs import Comparison

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")
X = t.ones(2, 3)

NUMBERS = ("-1", "0", "3.5", "nan", "inf", "True", "4611686018427387904", "np.float32(2.0)", "ndarray (2,) float64")
OPERANDS = "input other x y tensor1 tensor2 mat2 elements values source exponent weight end value delta max min".split()
SWITCHES = ("some compute_uv stable increasing equal_nan training requires_grad keepdim descending ceil_mode sorted largest "
            "count_include_pad as_tuple return_indices unbiased replacement out_int32 right invert").split()
ACCEPTED = [  # (functions, arguments, values): patterns, and why
    *(("*", argument, number, "numbers and NumPy's arrays are operands wherever tensors are")
      for argument in OPERANDS for number in NUMBERS),
    *(("*", argument, "0", "0 and 1 are Python's False and True") for argument in SWITCHES),
    *(("*", argument, "Tensor *", "operands of several dtypes meet in the one that holds both, as everywhere")
      for argument in ("other", "values", "input")),
    *((f, "input", "Tensor *", "whole numbers and truths are numbers") for f in (
        "floor", "ceil", "fix", "frac", "round", "special.round", "abs", "argmax", "logcumsumexp")),
    ("sub", "alpha", "True", "True is the number 1 to Python"),
    ("*", "dim", "None", "None is the default"), ("*", "m", "None", "None is the default"),
    ("*", "p", "None", "None is the default"),
    *((f, "dim", "True", "the first argument may be `unbiased`") for f in ("*std*", "*var*")),
    ("*", "output_size", "None", "None means as many as the input has, in one dimension, too"),
    ("m[ai][nx]", "dim", "Tensor *", "the second argument is then the other operand"),
    ("*cov", "correction", "*", "any number: the divisor is what remains of their number, at least 0"),
    ("*", "eps", "Tensor *", "a tensor stands for a number in a formula that broadcasts"),
    ("*", "eps", "ndarray (2,) float64", "a tensor stands for a number in a formula that broadcasts"),
    ("*", "eps", "nan", "the formula gives NaN"), ("*", "p", "nan", "the formula gives NaN"),
    ("*.normal*", "mean", "np.*", "a number of NumPy's is one"),
    ("*", "b", "nan", "the numbers are NaN"), ("*", "lambd", "inf", "the limit: everything is 0"),
    ("F.hardshrink", "lambd", "4611686018427387904", "larger than the largest number of float16: everything is 0"),
    ("*", "stride", "4611686018427387904", "one window fits, whatever comes after"),
    ("*", "decimals", "4611686018427387904", "whole numbers are rounded already"),
    ("nn.*Pad[123]d", "padding", "(-1,)", "a tuple of one is that one on every side, as for windows"),
    ("result_type", "operands", "*", "one operand is enough, and numbers and arrays are operands"),
    ("*Tensor", "data", "*", "the old constructors take what `tensor` takes"),
    ("Tensor.new", "data", "*", "the old constructors take what `tensor` takes"),
    ("Tensor.set_", "*", "*", "a whole tensor is shown as it is; the other arguments are read with a storage"),
    ("quantile", "q", "()", "no quantiles are asked for, none are given"),
    ("dstack", "tensors", "Tensor *", "a tensor is the sequence of its parts"),
    ("nn.utils.get_total_norm", "foreach", "*", "how it is computed is the library's own affair"),
    ("*_loss", "reduction", "'*'", "PyTorch's function in this place wants its internal number"),
    ("flip", "axes", "*", "f(0), f((0,)) and f(axes=0) are one"),
]


def explained(function, argument, value):
    """Whether a row of `ACCEPTED` says why."""
    return any(all(map(fnmatch.fnmatchcase, (function, argument, value), row)) for row in ACCEPTED)


@pytest.mark.filterwarnings("ignore:MultiplicativeLR.step")
@pytest.mark.parametrize("call, message", [
    (lambda: X.sum(0, keepdim="no"), "sum: keepdim must be True or False, got 'no'"),
    (lambda: t.zeros(2, requires_grad=[]), r"zeros: requires_grad must be True or False, got \[\]"),
    (lambda: t.nn.MaxPool2d(2, ceil_mode=()), r"MaxPool2d: ceil_mode must be True or False, got \(\)"),
    (lambda: X.sort(0, descending=X), "sort: descending must be True or False, got Tensor"),
    (lambda: t.empty(2, dtype=0), "empty: dtype must be a dtype .* got 0"),
    (lambda: X.softmax(0, dtype=X), "softmax: dtype must be a dtype .* got Tensor"),
    (lambda: t.ones(2, device=set()), r"ones: device must be .* got set\(\)"),
    (lambda: t.eye(2, device=True), "eye: device must be .* got True"),
    (lambda: X.triu(True), "triu: diagonal must be an integer, got True"),
    (lambda: X.tril_(2.0), "tril: diagonal must be an integer, got 2.0"),
    (lambda: t.cat([X, X], dim=True), "cat: dim must be an integer, got True"),
    (lambda: X.flip(True), "flip: dims must be integers, got .True,"),
    (lambda: t.zeros(True), r"zeros: size must be integers, got \(True,\)"),
    (lambda: t.nn.Conv2d(1, 1, 3, padding=True), "Conv2d: padding must be .* got True"),
    (lambda: t.nn.PixelShuffle(True), "PixelShuffle: upscale_factor must be an integer, got True"),
    (lambda: X.clone(memory_format="x"), "clone: memory_format must be one of contiguous_format.* got 'x'"),
    (lambda: t.nn.init.xavier_uniform_(X, generator=0), "xavier_uniform: generator must be a tinycnn.Generator, got 0"),
    (lambda: X.nan_to_num(nan=(1,)), r"nan_to_num: nan must be a number, got \(1,\)"),
    (lambda: X.to(X, dtype=t.float64), "to: give a Tensor .* not both"),
    (lambda: X.allclose(X, rtol=-1), "allclose: isclose: rtol and atol must be at least 0|isclose: rtol"),
    (lambda: X.take(X > 0), "take: index must be of integers, got bool"),
    (lambda: t.result_type(None), "result_type: operands must be Tensors or numbers, got None"),
    (lambda: t.nn.ConstantPad1d(1, (-1,))(X), "ConstantPad1d: pad: value must be a number, got tuple|pad: value must be"),
    (lambda: t.is_complex(()), "is_complex: input must be a Tensor, got"),
    (lambda: t.nn.AdaptiveAvgPool2d(t.tensor([1, 2])), "AdaptiveAvgPool2d: output_size must be an integer, got"),
    (lambda: t.optim.lr_scheduler.MultiplicativeLR(fuzzing.optimizer(), lambda epoch: None).step(),
     r"MultiplicativeLR: lr_lambda\(1\): factor must be a number, got NoneType")])
def test_kinds_that_show_at_a_glance_are_asked_for_before_the_call(call, message):
    with pytest.raises((TypeError, ValueError), match=f"^({message})"):
        call()


@pytest.mark.parametrize("call", [
    lambda: X.sort(0, descending=1), lambda: X.var(False), lambda: t.zeros(2, requires_grad=np.bool_(False)),
    lambda: t.eye(2, None), lambda: t.nn.BatchNorm2d(3, momentum=None), lambda: t.ones(2, dtype=float),
    lambda: t.ones(2, dtype="int8"), lambda: t.nn.Linear(2, 2, bias=None), lambda: X.triu(t.tensor(1)),
    lambda: t.nn.TransformerEncoderLayer(4, 2, 4, activation=t.nn.functional.gelu)])
def test_what_may_be_meant_passes(call):
    call()


@pytest.mark.slow
def test_what_pytorch_refuses_is_refused(tmp_path):
    unexplained, calls = [], 0
    with fuzzing.in_folder(tmp_path):
        for target in targets():
            for argument, value, ours, theirs in Comparison(torch, target, random.Random(f"1 {target.name}")).calls(8):
                calls += 1
                if ours is None and theirs is not None and not explained(target.name, argument, value):
                    unexplained.append(f"{target.name}: {argument}={value}: {type(theirs).__name__}: {theirs}"[:200])
    assert calls > 4000
    assert not unexplained, f"{len(unexplained)} of {calls} calls:\n" + "\n".join(unexplained)
