"""What one pass of a network did: every operation in order, what went in, what came out, and the gradient that came back.

As in `train/profiler.py`, the method `Function.apply` makes way for one that takes notes; afterwards all is as before.
"""
import contextlib
from dataclasses import dataclass, field

import numpy as np

from ..engine.function import Function
from ..engine.tensor import Tensor
from ..train.profiler import FLOPS

MOVES = {"Cat", "Clone", "Expand", "Flip", "GetItem", "HookPoint", "Permute", "Reshape", "Split", "Stack"}  # compute nothing
KEPT = {  # what a view of an operation needs besides inputs and outputs: from the node, arrays by their names
    "MaxPool": lambda node: {"indices": node.saved_tensors[0]},
    "AdaptiveMaxPool": lambda node: {"indices": node.saved_tensors[0]},
    "AvgPool": lambda node: {"m": np.asarray(node.m, np.float64)},
    "Normalize": lambda node: {"mean": node.saved_tensors[1], "r": node.saved_tensors[2]},
    "Attention": lambda node: {"p": node.saved_tensors[3]},
}


@dataclass
class Operation:
    """One use of a Function.

    `module` and `kind` are the name and the type of the innermost module that ran it. An entry of `inputs` says where an
    input came from: {"operation": number, "output": nr}, {"parameter": name}, {"picture": True}, {"array": name in `kept`},
    or None. `outputs` are arrays; `gradients` theirs, None where none came back.
    """
    function: type
    module: str
    kind: str
    inputs: list
    options: dict
    outputs: list
    gradients: list
    kept: dict = field(default_factory=dict)
    multiply_adds: int = 0

    @property
    def name(self):
        """The name of the Function."""
        return self.function.__name__


@dataclass
class Record:
    """The operations of a pass, the scores (K), the loss, and the gradients of picture and parameters, by name."""
    operations: list
    picture: np.ndarray
    label: int
    scores: np.ndarray = None
    loss: float = None
    picture_gradient: np.ndarray = None
    parameters: dict = field(default_factory=dict)
    gradients: dict = field(default_factory=dict)

    @property
    def probabilities(self):
        """The softmax of the scores."""
        p = np.exp(self.scores - self.scores.max())
        return p / p.sum()


def record(model, x, label, loss_of):
    """The Record of `model` for the picture x, a Tensor (1, C, H, W), and the loss `loss_of(scores, label)`, with backward.

    RuntimeError where the model returns something else than scores (1, K). Gradients of the parameters start anew.
    """
    x = x.detach().requires_grad_()
    model.zero_grad()
    made = Record([], x.array[0], label)
    with noting(model, x, made.operations):
        scores = model(x)
        if not isinstance(scores, Tensor) or scores.ndim != 2 or len(scores) != 1:
            found = scores.shape if isinstance(scores, Tensor) else type(scores).__name__
            raise RuntimeError(f"explore: the network must return scores (N, K) for pictures (N, C, H, W), got {found}")
        loss = loss_of(scores, label)
        loss.backward()
    made.scores, made.loss = scores.array[0], loss.item()
    made.picture_gradient = np.zeros_like(made.picture) if x.grad is None else x.grad.array[0]
    for name, p in model.named_parameters():
        made.parameters[name] = p.array
        made.gradients[name] = None if p.grad is None else p.grad.array
    return made


@contextlib.contextmanager
def noting(model, x, operations):
    """Inside the `with` block every operation is appended to `operations`."""
    notes, inside, before = _Notes(model, x, operations), [], Function.__dict__["apply"]

    def apply(function, *args, **options):
        result = before.__get__(None, function)(*args, **options)
        notes.take(function, args, options, result, *(inside[-1] if inside else ("", "")))
        return result
    handles = []
    for name, module in model.named_modules():
        here = name, type(module).__name__
        handles.append(module.register_forward_pre_hook(lambda module, args, here=here: inside.append(here)))
        handles.append(module.register_forward_hook(lambda module, args, output: inside.pop() and None))
    Function.apply = classmethod(apply)
    try:
        yield
    finally:
        Function.apply = before
        for handle in handles:
            handle.remove()


class _Notes:
    """Where every array came from, and the operations so far."""

    def __init__(self, model, x, operations):
        self.operations, self.alive = operations, [x]  # what is alive keeps its id
        self.sources = {id(x): {"picture": True}}
        self.sources.update({id(p): {"parameter": name} for name, p in model.named_parameters()})

    def take(self, function, args, options, result, module, kind):
        """Note one operation."""
        number, kept = len(self.operations), {}
        outputs = result if isinstance(result, tuple) else (result,)
        inputs = [self._source(f"input {i}", a, kept) for i, a in enumerate(args)]
        node = next((y.grad_fn for y in outputs if y.grad_fn is not None), None)
        if node is not None and function.__name__ in KEPT:
            kept.update(KEPT[function.__name__](node))
        arrays = [a.array if isinstance(a, Tensor) else a for a in args]
        flops = FLOPS[function](*arrays, outputs[0].array) if function in FLOPS else 0
        made = Operation(function, module, kind, inputs, plain(options), [y.array for y in outputs], [None] * len(outputs),
                         kept, flops // 2)
        self.operations.append(made)
        for nr, y in enumerate(outputs):
            self.alive.append(y)
            self.sources[id(y)] = {"operation": number, "output": nr}
            if y.requires_grad:
                y.register_hook(lambda dy, nr=nr: made.gradients.__setitem__(nr, dy.array.copy()))

    def _source(self, name, a, kept):
        if a is None:
            return None
        if not isinstance(a, Tensor):
            kept[name] = np.asarray(a, np.float64)
        elif id(a) not in self.sources:
            kept[name] = a.array
        return self.sources.get(id(a), {"array": name})


def plain(value):
    """Options as JSON can hold them: arrays, which are kept elsewhere, are left out."""
    if isinstance(value, dict):
        return {str(key): plain(v) for key, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, np.generic):
        return value.item()
    return value if value is None or isinstance(value, (bool, int, float, str)) else None
