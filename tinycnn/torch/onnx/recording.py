"""What a model does to its inputs: every `Function` that it runs, in order.

A tensor is known by its place in autograd's graph, which follows writes in place; one that has none there, such as a tensor
of whole numbers, by the memory that it shows. What does not depend on the inputs is a constant, weights among them.
"""
import threading
import weakref
from dataclasses import dataclass

from ..engine.arrays import is_array
from ..engine.function import Function, owner
from ..engine.grad_mode import enable_grad
from ..engine.tensor import Tensor
from ..nn.checkpoint import Checkpoint


@dataclass(frozen=True)
class Value:
    """A tensor that depends on the inputs: a number of its own, its shape and its dtype."""
    number: int
    shape: tuple
    dtype: object


@dataclass
class Node:
    """One use of a Function: its arguments (Values, arrays and constants), options, and results (Values)."""
    name: str
    arguments: list
    options: dict
    results: list


class Recording:
    """`nodes`, the Functions that `model` ran; `inputs` and `outputs`, Values; `names`, those of a dictionary of outputs."""

    def __init__(self, model, inputs):
        self.nodes, self.count = [], 0
        self._edges, self._places = {}, {}
        with enable_grad():
            self.inputs = [self._start(x) for x in inputs]
            result = self._run(model, [x for x, _ in self.inputs])
            self.inputs = [value for _, value in self.inputs]
        self.names = [*result] if isinstance(result, dict) else None
        results = [*result.values()] if isinstance(result, dict) else result
        self.outputs = []
        for y in results if isinstance(results, (tuple, list)) else [results]:
            value = self.find(y) if isinstance(y, Tensor) else None
            if value is None:
                raise RuntimeError("onnx.export: every output of the model must be a Tensor computed from its inputs, got "
                                   f"{type(y).__name__}")
            self.outputs.append(value)
        del self._edges, self._places

    def _start(self, x):
        """A tensor equal to `x` that autograd follows where it can, and its Value."""
        x = x.detach().clone()
        x = x.requires_grad_().clone() if x.dtype.kind == "f" else x
        return x, self._know(x)

    def _run(self, model, inputs):
        """The result of `model`, while every Function that this thread runs is noted, and x.argmax(), which is none."""
        plain, thread = Function.__dict__["apply"], threading.get_ident()
        choices = {name: getattr(Tensor, name) for name in ("argmax", "argmin")}

        def apply(function, /, *arguments, **options):
            if threading.get_ident() != thread:
                return plain.__func__(function, *arguments, **options)
            known = [self._argument(a) for a in arguments]
            result = plain.__func__(function, *arguments, **options)
            if any(isinstance(a, Value) for a in known):
                results = result if isinstance(result, tuple) else (result,)
                if function is Checkpoint:  # its results are those of the operations inside, which have just been noted
                    self._edges.update({(y.grad_fn, y.output_nr): self.find(y.array) for y in results})
                else:
                    self.nodes.append(Node(function.__name__, known, options, [*map(self._know, results)]))
            return result

        def choosing(name, choose):
            def choice(x, dim=None, keepdim=False):
                known, result = self._argument(x), choose(x, dim, keepdim)
                if isinstance(known, Value) and threading.get_ident() == thread:
                    self.nodes.append(Node(name, [known], dict(dim=dim, keepdim=keepdim), [self._know(result)]))
                return result
            return choice
        Function.apply = classmethod(apply)
        for name, choose in choices.items():
            setattr(Tensor, name, choosing(name, choose))
        try:
            return model(*inputs)
        finally:
            Function.apply = plain
            for name, choose in choices.items():
                setattr(Tensor, name, choose)

    def _argument(self, a):
        """An argument of a Function as a Value, or as the array or constant that it is."""
        value = self.find(a) if isinstance(a, Tensor) or is_array(a) else None
        return value if value is not None else a.array if isinstance(a, Tensor) else a

    def _know(self, x):
        """A new Value for the tensor `x`."""
        value = Value(self.count, x.shape, x.dtype)
        self.count += 1
        if x.grad_fn is not None:
            self._edges[x.grad_fn, x.output_nr] = value
        self._places[place(x.array)] = value, weakref.ref(owner(x.array)), x._version.writes
        return value

    def find(self, x):
        """The Value of the tensor or array `x`, None where it does not depend on the inputs."""
        if isinstance(x, Tensor) and x.grad_fn is not None:
            return self._edges.get((x.grad_fn, x.output_nr))
        value, living, writes = self._places.get(place(x.array if isinstance(x, Tensor) else x), (None, None, None))
        if value is None or living() is None:
            return None
        if isinstance(x, Tensor) and x._version.writes != writes:
            raise RuntimeError(f"onnx.export: a tensor of shape {x.shape} that depends on the inputs was changed in place "
                               "where autograd did not record: write the model without this")
        return value


def place(array):
    """What tells the memory that `array` shows from all other that lives at the same time."""
    return array.__array_interface__["data"][0], array.shape, array.strides, array.dtype
