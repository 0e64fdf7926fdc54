"""What a network consists of: its layers with their sizes, weights, multiply-adds and memory, as one table."""
import math
from dataclasses import dataclass, replace

from .. import nn
from ..engine.grad_mode import no_grad
from ..ops.creation import zeros
from .profiler import readable_bytes
from ..engine.tensor import Tensor
from .memory import kept_for_backward

HEADINGS = ("layer", "type", "output shape", "parameters", "multiply-adds", "memory")


@dataclass(frozen=True)
class Row:
    """One call of one layer, for a batch of one: the output shape without the batch, and the bytes that training keeps."""
    name: str
    type: str
    output_shape: tuple
    parameters: int
    multiply_adds: int
    memory: int


class Summary:
    """The rows of `summary`, in the order in which the layers ran, and their totals; `print` shows the table.

    Attributes: `rows`; `parameters`, all of the network, and `trainable`, those that require gradients; `multiply_adds`;
    `not_run`, the parameters of layers that this forward pass did not use, such as the side branches of GoogLeNet.

    `memory` is what a training step keeps, for each picture of the batch, from forward to backward besides the pictures and
    the weights: the bytes that operations save. A layer has those that it is the first to save. A convolution saves its
    input: after a ReLU, which has saved the same as its output, it has none. `between` are those of operations outside of
    layers, such as additions. Backward needs some more: the gradients of the weights, as large as those, and for a moment
    the gradients of the activations that it is at.
    """

    def __init__(self, name, input_size, rows, model, between):
        self.name, self.input_size, self.rows, self.between = name, tuple(input_size), rows, between
        self.parameters = sum(p.numel() for p in model.parameters())
        self.trainable = sum(p.numel() for p in model.parameters() if p.requires_grad)
        self.multiply_adds = sum(row.multiply_adds for row in rows)
        self.memory = between + sum(row.memory for row in rows)
        self.not_run = self.parameters - sum(row.parameters for row in rows)

    def as_dict(self):
        """Everything as dictionaries, lists and numbers, for JSON."""
        keys = ("parameters", "trainable", "multiply_adds", "memory", "between", "not_run")
        totals = {key: getattr(self, key) for key in keys}
        return {"model": self.name, "input_size": list(self.input_size), **totals,
                "layers": [{**vars(row), "output_shape": list(row.output_shape)} for row in self.rows]}

    def __str__(self):
        lines = [HEADINGS, *((r.name, r.type, str(r.output_shape), f"{r.parameters:,}", f"{r.multiply_adds:,}",
                              readable_bytes(r.memory)) for r in self.rows)]
        total = ("total", "", "", f"{self.parameters:,}", f"{self.multiply_adds:,}", readable_bytes(self.memory))
        widths = [max(map(len, column)) for column in zip(*lines, total)]
        rule = "-" * (sum(widths) + 2 * len(widths) - 2)
        header, *body = ("  ".join(cell.ljust(w) if i < 3 else cell.rjust(w)  # words to the left, numbers to the right
                                   for i, (cell, w) in enumerate(zip(line, widths))) for line in (*lines, total))
        several = any(isinstance(size, tuple) for size in self.input_size)
        inputs = f"inputs of {' and '.join(map(str, self.input_size))}" if several else f"an input of {self.input_size}"
        notes = [f"{self.name} for {inputs}; shapes, multiply-adds and memory for a batch of one",
                 f"memory is what training keeps until backward, {readable_bytes(self.between)} of it outside of layers"]
        if self.trainable != self.parameters:
            notes.append(f"{self.trainable:,} of the parameters are trainable")
        if self.not_run:
            notes.append(f"{self.not_run:,} of the parameters belong to layers that this forward pass did not use")
        return "\n".join([header, rule, *body[:-1], rule, body[-1], *notes])

    __repr__ = __str__


def summary(model, input_size):
    """The layers of `model` for one input of `input_size` (without the batch): `print(tinycnn.summary(net, (3, 32, 32)))`.

    A model with several inputs gets a list of sizes. A Tensor, with a batch of one, may stand for a size; texts need one of
    whole numbers. Runs the model on zeros of its dtype and device, once in evaluation mode and, for the memory, once in
    training mode with a batch of two. A row is a call of a module without modules inside, or with parameters of its own; a
    shared layer's parameters count in its first row. Multiply-adds are those of convolutions, linear layers and attention,
    without biases, as papers count them; a module that computes other products tells their number by a method
    `multiply_adds(inputs, output)`.
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"summary: model must be a Module, got {type(model).__name__}")
    several = isinstance(input_size, (list, tuple)) and not all(isinstance(n, int) for n in input_size)
    xs = [_input(size, next(model.parameters(), None)) for size in (input_size if several else [input_size])]
    sizes = [tuple(x.shape[1:]) for x in xs]
    rows, modules = layers_run(model, xs)
    memory = kept_for_backward(model, xs)
    rows = [replace(row, memory=memory.pop((module, modules[:i].count(module)), 0))
            for i, (row, module) in enumerate(zip(rows, modules))]
    return Summary(type(model).__name__, sizes if len(sizes) > 1 else sizes[0], rows, model, sum(memory.values()))


def layers_run(model, inputs):
    """(the rows of `summary`, without memory, their modules) for `inputs`, Tensors with a batch of one."""
    rows, modules, counted, handles = [], [], set(), []

    def watch(name, module):
        def note(_, args, output):
            new = [p for p in module.parameters(recurse=False) if id(p) not in counted]
            counted.update(map(id, new))
            outputs = output.values() if isinstance(output, dict) else output
            outputs = [y for y in ([outputs] if isinstance(outputs, Tensor) else outputs) if isinstance(y, Tensor)]
            y = outputs[0] if outputs else inputs[0]
            kind = type(module).__name__
            rows.append(Row(name or kind, kind, y.shape[1:], sum(p.numel() for p in new),
                            _multiply_adds(module, args, y), 0))
            modules.append(module)
        handles.append(module.register_forward_hook(note))

    for name, module in model.named_modules():
        if (not _has_children(module) or next(module.parameters(recurse=False), None) is not None
                or hasattr(module, "multiply_adds")):
            watch(name, module)
    modes = [(module, module.training) for module in model.modules()]
    try:
        with no_grad():
            model.eval()(*inputs)
    finally:
        for module, mode in modes:
            module.training = mode
        for handle in handles:
            handle.remove()
    return rows, modules


def _input(size, like):
    """Zeros (1, *size) of the dtype and on the device of `like`, or `size` itself where it is a Tensor."""
    if isinstance(size, Tensor):
        return size if like is None else size.to(like.device)
    size = tuple(size) if isinstance(size, (tuple, list)) else (size,)
    if not all(isinstance(n, int) and n > 0 for n in size):
        raise ValueError(f"summary: input_size must be positive whole numbers, such as (3, 32, 32), got {size}")
    return zeros(1, *size) if like is None else zeros(1, *size, dtype=like.dtype, device=like.device)


def _has_children(module):
    return next(module.children(), None) is not None


def _multiply_adds(module, inputs, y):
    """How many products a layer adds up for its output `y`."""
    if hasattr(module, "multiply_adds"):
        return module.multiply_adds(inputs, y)
    if isinstance(module, nn.MultiheadAttention):  # its last projection is a layer of its own
        query, key, value = inputs[:3]
        products = 2 * query.numel() * key.shape[-2 if module.batch_first or key.ndim == 2 else 0]
        return (query.numel() + key.numel() + value.numel()) * module.embed_dim + products
    weight = getattr(module, "weight", None)
    if isinstance(module, nn.Linear):
        return y.numel() * module.in_features
    if isinstance(weight, Tensor) and weight.ndim > 2:  # a convolution: (F, C / groups, *K), transposed (C, F / groups, *K)
        grid = inputs[0] if "Transpose" in type(module).__name__ else y
        return grid.numel() * math.prod(weight.shape[1:])
    return 0
