"""`load`: a file of ONNX as a Module, whose operators are operations of ours."""
import os

import numpy as np
import onnx
from onnx import helper, numpy_helper

from ..engine.tensor import Tensor, wrap
from ..nn.module import Module
from ..nn.parameter import Parameter
from .operators import OPERATORS


class OnnxModule(Module):
    """The graph of a file: `forward(*inputs)` runs its nodes in order and returns the output, or a tuple of several.

    The weights lie in submodules by the parts of their names, so `state_dict()` has the names of the file: those of floating
    point are parameters, but for the statistics of batch normalisation, which are buffers like the others.
    """

    def __init__(self, graph):
        super().__init__()
        self.nodes = [(node.op_type, [*node.input], [*node.output], {a.name: _attribute(a) for a in node.attribute})
                      for node in graph.node]
        missing = sorted({operator for operator, *_ in self.nodes} - OPERATORS.keys() - {"Constant"})
        if missing:
            raise NotImplementedError(f"onnx.load: there are no operations for {', '.join(missing)}; onnx.load_weights "
                                      "reads the weights")
        weights = {w.name: numpy_helper.to_array(w).copy() for w in graph.initializer}
        statistics = {i for operator, inputs, *_ in self.nodes if operator == "BatchNormalization" for i in inputs[3:]}
        for name, array in weights.items():
            self._put(name, array, array.dtype.kind == "f" and name not in statistics)
        self.input_names = [i.name for i in graph.input if i.name not in weights]
        self.output_names = [o.name for o in graph.output]
        self.eval()

    def _put(self, name, array, trained):
        """Register a weight by its dotted name."""
        *path, last = name.split(".")
        module = self
        for part in path:
            if part not in dict(module.named_children()):
                module.add_module(part, Module())
            module = module.get_submodule(part)
        if trained:
            module.register_parameter(last, Parameter(wrap(array)))
        else:
            module.register_buffer(last, wrap(array))

    def forward(self, *inputs):
        """The outputs of the graph for `inputs`, in the order of `input_names`."""
        if len(inputs) != len(self.input_names):
            raise TypeError(f"OnnxModule: expected {len(self.input_names)} inputs {self.input_names}, got {len(inputs)}")
        weights = {**dict(self.named_parameters()), **dict(self.named_buffers())}
        values = {"": None, **weights, **dict(zip(self.input_names, inputs))}
        for operator, needed, made, attributes in self.nodes:
            if operator == "Constant":
                results = wrap(attributes["value"])
            else:
                results = OPERATORS[operator](*(values[name] for name in needed), **attributes)
            results = (results,) if isinstance(results, Tensor) else results
            if len(results) < len(made):
                raise NotImplementedError(f"onnx.load: of the results of {operator} only the first is known, the file uses "
                                          f"{len(made)}")
            values.update(zip(made, results))
        outputs = tuple(values[name] for name in self.output_names)
        return outputs[0] if len(outputs) == 1 else outputs


def _attribute(a):
    """The value of an attribute: a number, a str, a list or an array."""
    value = helper.get_attribute_value(a)
    if isinstance(value, onnx.TensorProto):
        return np.array(numpy_helper.to_array(value))
    return value.decode() if isinstance(value, bytes) else value


def load(path):
    """The file of ONNX at `path` as an `OnnxModule`, in evaluation mode.

    NotImplementedError names the operators for which we have no operation; `load_weights` works for such files, too.
    """
    return OnnxModule(_read("load", path).graph)


def load_weights(path):
    """{name: Tensor} of all weights in the file of ONNX at `path`."""
    return {w.name: wrap(numpy_helper.to_array(w).copy()) for w in _read("load_weights", path).graph.initializer}


def _read(function, path):
    """The ModelProto in a file."""
    try:
        model = onnx.load(os.fspath(path))
    except OSError:
        raise
    except Exception as error:
        raise ValueError(f"onnx.{function}: {path} is no file of ONNX: {error}") from error
    if not model.graph.node and not model.graph.initializer:
        raise ValueError(f"onnx.{function}: {path} holds no graph of ONNX")
    return model
