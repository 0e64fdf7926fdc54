"""Calls that nobody would write, drawn for signatures, and a judge of what they answer.

A clear answer is a result, or one exception that our own code raised on purpose and whose message names the function (or
class), the argument or its value, and says what is expected. A `Target` is something that can be called; `draw` invents
arguments for it, of which most fit the name of their parameter and some are nonsense; `judge` says what was wrong with the
answer. Everything is drawn through `choose`, a function from a list to one of its elements: `random.Random(7).choice`, or
hypothesis.
"""
import ast
import contextlib
import functools
import inspect
import io
import os
import pathlib
import re
import signal
import sys
import threading
import traceback
import warnings
from typing import Callable, NamedTuple

import numpy as np

import tinycnn as t

PACKAGE = os.path.dirname(os.path.abspath(t.__file__)) + os.sep
EXPECTS = re.compile(
    r"\b(must|expect\w*|needs?|only|cannot|can't|lacks?|at least|at most|too \w+|has no|have no|is no|are no|requires?|use|"
    r"pass|unknown|does not|do not|beyond|out of|outside|differ|not found|write|ambiguous|refused?|damaged|give|call|"
    r"no such|neither|instead|should|twice|empty|without|above|below|larger|away from|by zero|convert|"
    r"comes after|holds|for a|"
    r"\d+ \w+ (for|but|in)|missing|name each|impossible|leave|lives on|has shape|can pad|has \d+)\b", re.IGNORECASE)
SLOW = 10   # seconds that a call may take


class Target(NamedTuple):
    """Something to be called with `parameters` (of inspect.Signature) as keywords; `names`, of which a message has one."""
    name: str
    call: Callable
    parameters: list
    names: tuple


class TooSlow(BaseException):
    """A call did not end."""


# ---- arguments -------------------------------------------------------------------------------------------------------

class Strange:
    """Nothing that anybody expects."""
    def __repr__(self):
        return "Strange()"


HUGE = 2**62
NONSENSE = [lambda value=value: value for value in (
    None, "x", "mean", (), -1, 0, 3.5, float("nan"), float("inf"), True, HUGE, (1, 2, 3), (-1,), ("x",), [None], b"x", 1j,
    np.float32(2), np.str_("x"), Strange())] + [
    list, dict, set, lambda: t.ones(0), lambda: t.ones(2, 3), lambda: t.tensor([1, 2]), lambda: t.tensor(True),
    lambda: np.ones(2), lambda: np.array(["x"]), lambda: t.nn.ReLU(), lambda: t.float32, lambda: print]
SHAPES = (1,), (3,), (2, 3), (2, 3, 4), (1, 2, 5, 5), (2, 3, 5, 5), (3, 3), (), (2, 0)
TENSORS = [lambda shape=shape: t.ones(*shape) for shape in SHAPES] + [
    lambda: t.ones(2, 3, requires_grad=True), lambda: t.tensor([0, 1, 1]), lambda: t.tensor([[0, 1, 0], [1, 0, 0]]),
    lambda: t.tensor([True, False, True]), lambda: t.ones(2, 3).double(), lambda: t.ones(2, 3).half()]
NUMBERS = [lambda value=value: value for value in (0, 1, 2, 3, 0.5, 1.0)]
SIZES = [lambda value=value: value for value in (1, 1, 2, 2, 3, (2,), (1, 2), (2, 2), (1, 1, 1), 0, -1)]
DIMS = [lambda value=value: value for value in (0, 0, -1, -1, 1, -2, 2, 3, (0, 1))]
WHOLES = """input_size in_channels out_channels num_features in_features out_features groups size sizes shape kernel_size
    stride padding dilation output_size output_padding normalized_shape num_channels num_groups num_classes n k steps repeats
    num_embeddings embedding_dim embed_dim num_heads in1_features in2_features d_model nhead num_layers batch_size epochs
    step_size T_max T_0 total_iters chunks upscale_factor downscale_factor num_parameters order N m r pad
    split_size_or_sections indices_or_sections num_samples length minlength bins unflattened_size d dim_feedforward
    num_encoder_layers num_decoder_layers decimals num_output_channels bits seed step_size_up total_steps""".split()
TENSOR_NAMES = """input x other target tensor data weight mask a b y x1 x2 input1 input2 index source src mat mat1 mat2 vec
    vec1 vec2 batch1 batch2 tensor1 tensor2 running_mean running_var
    bias values sorted_sequence boundaries elements grid theta
    query key anchor positive negative scores truth predicted condition pos_weight var logits array test_elements exponent
    weights labels dx tgt memory""".split()


def network():
    """A small network with gradients."""
    t.manual_seed(0)
    model = t.nn.Sequential(t.nn.Flatten(), t.nn.Linear(4, 3))
    model(t.ones(2, 1, 2, 2)).sum().backward()
    return model


def loader():
    """A loader of two batches of pictures."""
    return t.data.DataLoader(t.data.TensorDataset(t.ones(4, 1, 2, 2), t.tensor([0, 1, 2, 1])), 2)


def optimizer():
    """One with momentum, over a network."""
    return t.optim.SGD(network().parameters(), 0.1, momentum=0.9)


class Nowhere:
    """A folder of which files are opened; set by `in_folder`."""
    path = None


@contextlib.contextmanager
def in_folder(path):
    """Files that calls write lie in the folder `path`."""
    before, Nowhere.path = os.getcwd(), pathlib.Path(path)
    os.chdir(path)
    try:
        yield
    finally:
        os.chdir(before)


ALMOST = {  # how an argument of this name may be made
    "dtype": [lambda: None, lambda: t.float32, lambda: t.int64, lambda: t.float64], "device": [lambda: None, lambda: "cpu"],
    "generator": [lambda: None, t.Generator],
    "reduction": [lambda: "mean", lambda: "sum", lambda: "none"],
    "params": [lambda: list(network().parameters())], "parameters": [lambda: list(network().parameters())],
    "optimizer": [optimizer], "model": [network], "module": [network], "modules": [lambda: [t.nn.ReLU(), network()]],
    "loader": [loader], "dataset": [lambda: loader().dataset], "data_source": [lambda: loader().dataset],
    "datasets": [lambda: [loader().dataset, loader().dataset]], "tensors": [lambda: [t.ones(2, 3), t.zeros(2, 3)]],
    "transforms": [lambda: [t.data.transforms.CenterCrop(2)]], "lr_lambda": [lambda: lambda epoch: 0.5],
    "milestones": [lambda: [1, 2]], "betas": [lambda: (0.9, 0.99)], "mean": NUMBERS + [lambda: (0.5, 0.5)],
    "std": NUMBERS[1:] + [lambda: (0.5, 0.5)], "equation": [lambda: "ij,jk->ik", lambda: "ij->ji"],
    "operands": [lambda: [t.ones(2, 3), t.ones(3, 2)]],
    "schedulers": [lambda: [t.optim.lr_scheduler.StepLR(optimizer(), 1)]],
    "path": [lambda: Nowhere.path / "file"], "f": [lambda: Nowhere.path / "file", io.BytesIO],
    "obj": [lambda: {"w": t.ones(2)}],
    "sampler": [lambda: [0, 1]], "indices": [lambda: [0, 1], lambda: t.tensor([0, 1])], "axes": [lambda: (0, 1)],
    "distance_function": [lambda: None], "function": [lambda: t.sum], "hook": [lambda: print], "fn": [lambda: print],
    "scale_factor": [lambda: 2, lambda: 0.5, lambda: None], "encoder_layer": [lambda: t.nn.TransformerEncoderLayer(4, 2, 4)],
    "decoder_layer": [lambda: t.nn.TransformerDecoderLayer(4, 2, 4)], "degrees": [lambda: 10, lambda: (0, 20)],
    "schedule": [lambda: None, lambda: t.optim.lr_scheduler.StepLR(optimizer(), 1)], "closure": [lambda: None],
    "batch": [lambda: [t.ones(2), t.ones(2)], lambda: [(1, 2.0), (3, 4.0)]], "num_workers": [lambda: 0],
    "metadata": [lambda: {"model": "lenet5", "arguments": {}, "classes": ["a"], "format": t.data.Digits.FORMAT}]}
for _name in WHOLES:
    ALMOST[_name] = SIZES
for _name in TENSOR_NAMES:
    ALMOST.setdefault(_name, TENSORS)
for _name in "dim dims dim0 dim1 dim2 axis0 axis1 start_dim end_dim axis source_dim destination".split():
    ALMOST[_name] = DIMS


def fitting(parameter, choose):
    """A value as it may be meant by a parameter."""
    name, default = parameter.name, parameter.default
    if default is not parameter.empty and choose((True, False)):
        return default
    if isinstance(default, bool):
        return choose((True, False))
    if isinstance(default, str):
        return default
    return choose(ALMOST.get(name, NUMBERS))()


def draw(parameters, choose, sense=False):
    """Arguments for `parameters`, {name: value}, one of them or two nonsense unless `sense`."""
    arguments = {}
    for p in parameters:
        if p.kind is p.VAR_POSITIONAL:
            arguments[p.name] = [fitting(p, choose) for _ in range(choose((0, 1, 2, 3)))] if p.name not in ALMOST \
                else (lambda v: v if isinstance(v, list) else [v])(fitting(p, choose))
        elif p.default is p.empty or choose((True, False, False)):
            arguments[p.name] = fitting(p, choose)
    if not sense and any(p.name != "of" for p in parameters):
        for _ in range(choose((1, 1, 2))):
            p = choose([p for p in parameters if p.name != "of"])
            wrong = choose(NONSENSE)()
            if p.name.endswith("layers") and wrong is HUGE:
                wrong = -1  # so many layers would be built for ever
            arguments[p.name] = [wrong] if p.kind is p.VAR_POSITIONAL else wrong
    return arguments


def call_with(function, parameters, arguments):
    """function(...) with each argument where its parameter wants it."""
    positional, keywords = [], {}
    for p in parameters:
        if p.name in arguments:
            if p.kind is p.VAR_POSITIONAL:
                positional += arguments[p.name]
            elif p.kind is p.POSITIONAL_ONLY or any(q.kind is q.VAR_POSITIONAL for q in parameters) and p.kind is not \
                    p.KEYWORD_ONLY:
                positional.append(arguments[p.name])
            else:
                keywords[p.name] = arguments[p.name]
    return function(*positional, **keywords)


def parameters_of(function):
    """The parameters that can be drawn for."""
    found = inspect.signature(function).parameters.values()
    return [p for p in found if p.kind is not p.VAR_KEYWORD and p.name != "self"]


# ---- the judge -------------------------------------------------------------------------------------------------------

@functools.cache
def raising_lines(path):
    """The numbers of all lines of a file on which a `raise` stands."""
    tree = ast.parse(pathlib.Path(path).read_text(encoding="utf-8"))
    return {line for node in ast.walk(tree) if isinstance(node, ast.Raise) and node.exc is not None
            for line in range(node.lineno, node.end_lineno + 1)}


def on_purpose(error):
    """Whether the exception was raised by a `raise` of the package."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return frame.filename.startswith(PACKAGE) and frame.lineno in raising_lines(frame.filename)


def flat(name):
    """A name without underscores and case, in which functions and their layers agree."""
    return name.replace("_", "").lower()


def complaint(target, arguments, error):
    """What is wrong with the exception `error`, or None."""
    words = str(error)
    if isinstance(error, OSError) and error.filename is not None:
        return None  # the system says which file and why
    if not on_purpose(error):
        operator = target.name.startswith("__") and re.match("unsupported operand|bad operand|'.*' not supported", words)
        return None if operator else "foreign"
    files = [str(value) for value in arguments.values() if isinstance(value, (str, os.PathLike))]
    if not any(re.search(rf"\b{re.escape(flat(name))}", flat(words)) for name in target.names) and not any(
            words.startswith(f"{path}: ") for path in files):
        return "vague: no function"
    named = {part for p in target.parameters for part in (p.name.rstrip("s0123456789"), p.name.split("_")[-1])}
    named |= {"dim", "shape", "index", "a leaf", "tensor"} | ({"input", "other"} if target.name[0] == "_" else set())
    if target.name.startswith(("nn.", "transforms.", "train.")):  # which are also given an input that was not drawn
        named |= {"input", "x", "pixels", "target", "query", "both layers", "start_dim"}
    if len(target.parameters) > 1 and not any(re.search(rf"\b{re.escape(name)}", words) for name in named) and not any(
            shown in words for value in arguments.values() for shown in looks(value)):
        return "vague: no argument"
    return None if EXPECTS.search(words) else "vague: no expectation"


def looks(value):
    """How a message may show a value."""
    if isinstance(value, (tuple, list)):
        return [look for part in value for look in looks(part)] + [repr(value)[:40], type(value).__name__]
    if isinstance(value, (t.Tensor, np.ndarray)):
        return [str(tuple(value.shape)), str(value.dtype), type(value).__name__]
    return [repr(value)[:40], str(value)[:40], type(value).__name__]


@contextlib.contextmanager
def at_most(seconds):
    """TooSlow inside where it takes longer; only where there are such clocks."""
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_):
        raise TooSlow
    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def refusal(function, parameters, arguments):
    """The exception with which a call is answered, None where it has a result."""
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), \
                contextlib.redirect_stderr(io.StringIO()), at_most(SLOW):
            warnings.simplefilter("ignore")
            call_with(function, parameters, arguments)
    except BaseException as error:
        return error
    finally:
        for library in filter(None, (t, sys.modules.get("torch"))):
            library.set_default_dtype(library.float32)
            library.set_grad_enabled(True)
            library.set_default_device("cpu")
    return None


def judge(target, arguments):
    """(kind, words): kind is "result", "clear", "foreign" or "vague: ..."; words what was said."""
    error = refusal(target.call, target.parameters, arguments)
    if error is None:
        return "result", ""
    if isinstance(error, TooSlow):
        return "foreign", f"no answer within {SLOW} seconds"
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return complaint(target, arguments, error) or "clear", \
        f"{type(error).__name__}: {str(error)[:150]} [{frame.filename.removeprefix(PACKAGE)}:{frame.lineno}]"


def fuzz(target, choose, calls):
    """[(arguments, kind, words)] of so many calls."""
    found = []
    for _ in range(calls):
        arguments = draw(target.parameters, choose)
        found.append((arguments, *judge(target, arguments)))
    return found
