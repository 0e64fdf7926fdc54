"""What PyTorch refuses is refused here, too: calls of both with one argument that is nonsense (`tests/helpers/theirs.py`).

Where ours accepts what PyTorch refuses, `ACCEPTED` says why. (Where PyTorch accepts more, ours says in `test_fuzz.py` what it
expects: PyTorch takes any object for a switch in what is written in Python, and `Strange() + x` there is Python's answer.)
"""
import fnmatch
import random

import pytest

import tinycnn as t
from tests.helpers import fuzzing
from tests.helpers.fuzz_targets import targets
from tests.helpers.theirs import Comparison

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")
X = t.ones(2, 3)

NUMBERS = ("-1", "0", "3.5", "nan", "inf", "True", "4611686018427387904", "np.float32(2.0)", "ndarray (2,) float64")
OPERANDS = "input other x y tensor1 tensor2 mat2 elements values source exponent weight end".split()
PROMOTED = "operands of several dtypes meet in the one that holds both, as everywhere"
ACCEPTED = [  # (functions, arguments, values): patterns, and why
    *(("*", argument, number, "numbers and NumPy's arrays are operands wherever tensors are")
      for argument in OPERANDS for number in NUMBERS),
]


def explained(function, argument, value):
    """The rows of `ACCEPTED` that say why."""
    return [i for i, row in enumerate(ACCEPTED) if all(map(fnmatch.fnmatchcase, (function, argument, value), row))]


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
    (lambda: X.flip(True), "flip: dims? must be an integer, got True"),
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
    (lambda: t.is_complex(()), "is_complex: input must be a Tensor, got"),
    (lambda: t.nn.Unfold(t.tensor([1, 2])), "Unfold: kernel_size must be an integer, got"),
    (lambda: t.optim.lr_scheduler.MultiplicativeLR(t.optim.SGD([X.clone().requires_grad_()], 0.1), lambda epoch: None).step(),
     r"MultiplicativeLR: lr_lambda\(1\): factor must be a number, got NoneType")])
def test_kinds_that_show_at_a_glance_are_asked_for_before_the_call(call, message):
    with pytest.raises((TypeError, ValueError), match=f"^({message})"):
        call()


@pytest.mark.parametrize("call", [
    lambda: X.sum(0, keepdim=1), lambda: X.var(False), lambda: t.zeros(2, requires_grad=__import__("numpy").bool_(False)),
    lambda: t.eye(2, None), lambda: t.nn.BatchNorm2d(3, momentum=None), lambda: t.ones(2, dtype=float),
    lambda: t.ones(2, dtype="int8"), lambda: t.nn.Linear(2, 2, bias=None), lambda: X.triu(t.tensor(1)),
    lambda: t.nn.TransformerEncoderLayer(4, 2, 4, activation=t.nn.functional.gelu)])
def test_what_may_be_meant_passes(call):
    call()


@pytest.mark.slow
def test_what_pytorch_refuses_is_refused(tmp_path):
    unexplained, used, calls = [], set(), 0
    with fuzzing.in_folder(tmp_path):
        for target in targets():
            for argument, value, ours, theirs in Comparison(torch, target, random.Random(f"1 {target.name}")).calls(8):
                calls += 1
                if ours is None and theirs is not None:
                    reasons = explained(target.name, argument, value)
                    used.update(reasons)
                    if not reasons:
                        unexplained.append(f"{target.name}: {argument}={value}: {type(theirs).__name__}: {theirs}"[:200])
    assert calls > 4000
    assert not unexplained, f"{len(unexplained)} of {calls} calls:\n" + "\n".join(unexplained)
