"""`export`: a model as a file of ONNX."""
import os

import numpy as np

from ..engine.tensor import Tensor, wrap
from . import layers, losses, places  # noqa: F401, which add to TABLE
from .graph import Graph
from .operations import TABLE
from .recording import Recording, Value

LARGEST = 2**31 - 2**24  # bytes that a file of protobuf can hold, without the nodes


class Use:
    """One use of a Function in both recordings, as translations see it."""

    def __init__(self, graph, node, second):
        self.graph, self.node, self.second = graph, node, second
        self.function, self.arguments = node.name, node.arguments
        self.x = next(a for a in node.arguments if isinstance(a, (Value, np.ndarray)))
        self.result = node.results[0]
        self.sizes = [*zip(node.results[0].shape, second.results[0].shape)]
        self.changes = self.x.shape != next(a for a in second.arguments if isinstance(a, (Value, np.ndarray))).shape

    def name(self, i):
        """The name of argument i in the graph."""
        return self.graph.argument(self.arguments[i], self.second.arguments[i], self.result.dtype)

    def given(self, count):
        """The names of the first `count` arguments up to the last that is not None."""
        while self.arguments[count - 1] is None:
            count -= 1
        return ["" if self.arguments[i] is None else self.name(i) for i in range(count)]

    def number(self, value):
        """The name of a constant number in the dtype of the first argument that is a tensor."""
        return self.graph.constant(value, self.x.dtype)

    def shape(self, i):
        """The shape of argument i."""
        return np.shape(self.arguments[i]) if not isinstance(self.arguments[i], Value) else self.arguments[i].shape

    def dtype(self, i):
        """The dtype of argument i."""
        return np.dtype(self.arguments[i].dtype)

    def refusal(self, reason):
        """The exception for a use that ONNX cannot say."""
        return NotImplementedError(f"onnx.export: {self.function} of a tensor of shape {self.x.shape} cannot be exported: "
                                   f"{reason}")


def export(model, inputs, path, dynamic_batch=True, input_names=None, output_names=None):
    """Write `model`, a Module or function of Tensors, as it works in evaluation, to `path` in the format ONNX.

    `inputs`, a Tensor or a tuple of Tensors, are run through it and every operation is noted; so the file holds one way
    through the model's `if`s and loops. With `dynamic_batch` the first dimension of all inputs is the batch, of any size in
    the file. The model is run a second time, with other values and then one example more, and what differs must follow from
    that.
    Weights have the names of `state_dict()`; above 2 GB they go into a file `path` + ".data".

    TypeError where an input is no Tensor; RuntimeError where the result depends on the inputs in ways that no operation
    records; NotImplementedError for an operation that ONNX has not. Needs the package onnx: pip install 'tinycnn[onnx]'.
    """
    inputs = (inputs,) if isinstance(inputs, Tensor) else tuple(inputs)
    if not inputs or not all(isinstance(x, Tensor) for x in inputs):
        raise TypeError("onnx.export: inputs must be a Tensor or a tuple of Tensors, got "
                        f"{[type(x).__name__ for x in inputs]}")
    if dynamic_batch and len({x.shape[:1] for x in inputs}) != 1 or dynamic_batch and not inputs[0].shape:
        raise ValueError("onnx.export: with dynamic_batch the first dimension of every input is the batch, got shapes "
                         f"{[x.shape for x in inputs]}; pass dynamic_batch=False")
    training = getattr(model, "training", False)
    if training:
        model.eval()
    try:
        first = Recording(model, inputs)
        second = Recording(model, [_others(x, dynamic_batch) for x in inputs])
    finally:
        if training:
            model.train()
    weights = model.state_dict() if hasattr(model, "state_dict") else {}
    graph = Graph(first, {name: w.array for name, w in weights.items()})
    _save(_translate(graph, first, second, input_names, output_names), graph, os.fspath(path))


def _others(x, more):
    """Other values than those of `x`, backwards and shifted; with `more`, of one example more."""
    a = np.flip(x.array)
    a = a * a.dtype.type(0.75) + a.dtype.type(0.125) if a.dtype.kind == "f" else a.copy()
    return wrap(np.concatenate([a, a[:1]]) if more else a)


def _translate(graph, first, second, input_names, output_names):
    """The ModelProto of two recordings."""
    same = [n.name for n in first.nodes] == [n.name for n in second.nodes]
    if not same or len(first.outputs) != len(second.outputs):
        raise RuntimeError("onnx.export: the model takes another way for other values, or for a batch with one example "
                           "more: a file of ONNX holds one way; dynamic_batch=False keeps the size of the batch")
    ins = input_names or [f"input{i or ''}" for i in range(len(first.inputs))]
    outs = output_names or first.names or [f"output{i or ''}" for i in range(len(first.outputs))]
    for kind, names, values in (("input", ins, first.inputs), ("output", outs, first.outputs)):
        if len(names) != len(values):
            raise ValueError(f"onnx.export: {kind}_names must name {len(values)} {kind}s, got {names}")
    graph.names.update({value.number: name for name, value in zip(ins, first.inputs)})
    for node, other in zip(first.nodes, second.nodes):
        if node.name not in TABLE:
            raise NotImplementedError(f"onnx.export: the operation {node.name} has no translation into ONNX")
        use = Use(graph, node, other)
        _check_options(use)
        names = TABLE[node.name](graph, use, **node.options)
        names = [names] if isinstance(names, str) else names
        graph.names.update({value.number: name for name, value in zip(names, node.results)})
    for name, value in zip(outs, first.outputs):
        graph.emit("Identity", graph.names[value.number], name=name)
    return graph.model([*zip(ins, first.inputs, second.inputs)], [*zip(outs, first.outputs, second.outputs)])


def _check_options(use):
    """Refuse a use whose options follow the batch in a way that no translation knows."""
    for name, value in use.node.options.items():
        told = name in ("shape", "statistics", "windows_shape") or callable(value)  # by `use.sizes`, and by `graph.array`
        if not told and value != use.second.options[name]:
            raise use.refusal(f"its {name} follows the batch, {value} and {use.second.options[name]}: export with "
                              "dynamic_batch=False")


def _save(proto, graph, path):
    """Write the ModelProto, its weights beside it where they are too many."""
    import onnx
    large = sum(array.nbytes for array in graph.initializers.values()) > LARGEST
    beside = dict(save_as_external_data=True, location=os.path.basename(path) + ".data") if large else {}
    onnx.save(proto, path, **beside)
