"""What a training step keeps from forward to backward."""
import contextlib
from collections import Counter

from ..engine.generators import get_rng_state, set_rng_state
from ..engine.function import Function, edge_of, owner
from ..engine.grad_mode import enable_grad
from ..ops.assemble import cat
from .profiler import kept_by
from ..engine.tensor import Tensor


def kept_for_backward(model, inputs):
    """{(layer, n): bytes that a training step keeps for one picture in call n of it}; `inputs` are batches of one.

    Counted is what the nodes of the graph hold, but for the weights, buffers and inputs, which live anyway; what several
    nodes hold counts for the first. None stands for operations between the layers, those without modules inside. A batch of
    two runs, in training mode, because batch norm has nothing to normalise in one number; a model that wants other inputs in
    training runs in evaluation. Afterwards buffers, modes and the CPU's random numbers are as before.
    """
    inputs = [cat([x, x]) for x in inputs]
    layer_of, calls, handles = {}, Counter(), []

    def assign(value, call):
        layer_of.update((node, call) for node in _nodes_behind(value, layer_of))

    def assign_call(module, before, after):
        assign(after, (module, calls[module]))
        calls[module] += 1

    for module in model.modules():
        if next(module.children(), None) is None:
            handles.append(module.register_forward_pre_hook(lambda _, before: assign(before, None)))
            handles.append(module.register_forward_hook(assign_call))
    try:
        with enable_grad(), _undone(model):
            try:
                outputs = model.train()(*inputs)
            except (TypeError, ValueError):
                calls.clear()
                outputs = model.eval()(*inputs)
    finally:
        for handle in handles:
            handle.remove()
    counted = {id(owner(t.array)) for t in (*model.parameters(), *model.buffers(), *inputs)}
    memory = {}
    for node in sorted(_nodes_behind(outputs), key=lambda node: node.order):
        for array in kept_by(node):
            if id(array) not in counted:
                counted.add(id(array))
                call = layer_of.get(node)
                memory[call] = memory.get(call, 0) + array.nbytes // 2
    return memory


def _nodes_behind(value, known=()):
    """The nodes behind the Tensors in `value`, not going beyond those that are `known`."""
    stack, seen = [edge_of(t)[0] for t in _tensors(value)], set()
    while stack:
        node = stack.pop()
        if isinstance(node, Function) and node not in seen and node not in known:
            seen.add(node)
            stack += [edge[0] for edge in node.edges if edge]
    return seen


def _tensors(value):
    """The Tensors in lists, tuples and dictionaries."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (list, tuple, dict)):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _tensors(part)


@contextlib.contextmanager
def _undone(model):
    """After the `with` block the model has its buffers and modes again, and the CPU's random numbers go on as before."""
    modules = [(m, m.training, dict(m._buffers)) for m in model.modules()]
    values = [(b, b.array.copy()) for b in model.buffers()]
    numbers = get_rng_state()
    try:
        yield
    finally:
        set_rng_state(numbers)
        for module, training, buffers in modules:
            module.training = training
            module._buffers.update(buffers)
        for buffer, array in values:
            buffer.array[...] = array
