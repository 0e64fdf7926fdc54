"""The tape, walked backward. Every node (a `Function`, see `function.py`) hands its inputs their gradients.

The nodes are visited newest first; each has by then received all of its own gradient. That is all of backpropagation; no
operation is known here.
"""
import heapq

import numpy as np

from .anomaly import check_finite
from .arrays import array_module, is_array, quiet
from .dtype import float16
from .early import LISTENERS, turns
from .formula import formula
from .function import edge_of
from .half import wide_backward
from .grad_mode import enable_grad, mode
from .tensor import Tensor, method, wrap


# ---- the walk --------------------------------------------------------------------------------------------------------

@quiet()
def _walk(roots, retain_graph, create_graph=False, wanted=()):
    """Carry gradients from `roots` [(tensor, gradient array)] down the graph; returns {wanted edge: gradient array}.

    The node made last goes first: every user of a node was made after it, so when its turn comes all its gradients have
    arrived, and each node runs once. In `b = a + a; c = b + b` a depth-first walk that runs a node whenever a gradient
    arrives would visit a four times, and n such lines 2^n times. A heap keeps the order, without recursion: graphs may be
    as deep as they like. Leaves are older than every node, so they come last.

    With `wanted`, leaves keep their `grad` as it was. With `create_graph`, the gradients are Tensors and the walk is
    recorded, so that it can be differentiated in turn.
    """
    turn = {} if wanted or not LISTENERS else turns([edge_of(tensor) for tensor, _ in roots])
    arrived, heap, found = {}, [], {}  # arrived: {node or leaf: the gradient of each of its outputs so far, or None}

    def deliver(edge, gradient):
        target, nr = edge
        if target not in arrived:
            arrived[target] = [None] * len(target.output_types)
            heapq.heappush(heap, (-turn.get(target, target.order), id(target), target))
        dy = arrived[target]
        dy[nr] = gradient if dy[nr] is None else added(dy[nr], gradient)

    for tensor, gradient in roots:
        deliver(edge_of(tensor), gradient)
    while heap:
        node = heapq.heappop(heap)[-1]
        dy = arrived.pop(node)
        if node.hooks or len(dy) > 1:
            _complete(node, dy)
        if wanted:
            found.update({(node, nr): g for nr, g in enumerate(dy) if (node, nr) in wanted})
        if isinstance(node, Tensor):
            if not wanted:
                accumulate(node, dy[0])
                for hook in node.post_hooks or ():
                    hook(node)
            continue
        dx = _gradients(node, dy, create_graph)
        if not retain_graph and node.saved_tensors:
            node.saved_tensors = None
        for edge, gradient in zip(node.edges, dx):
            if edge is not None and gradient is not None:
                deliver(edge, gradient)
        dx = gradient = None  # so that only `arrived` holds what is on its way: it may then be added to in place
    for listener in () if wanted else LISTENERS:
        listener(turn)
    return found


@formula
def added(total, gradient):
    """The gradient of what has several users: the sum of what each of them hands down."""
    return total + gradient


@formula
def accumulate(leaf, gradient):
    """Add `gradient` to `leaf.grad`, in memory that is the leaf's own (a recorded gradient keeps its history instead)."""
    if isinstance(gradient, Tensor):
        leaf._grad = gradient if leaf._grad is None else leaf._grad + gradient
    elif leaf._grad is None:
        leaf._grad = wrap(gradient.copy())
    else:
        leaf._grad.array += gradient


def _complete(node, dy):
    """Make `dy` complete: zero for an output that nobody used, and what the hooks make of it."""
    like = next(g for g in dy if g is not None)
    for nr, gradient in enumerate(dy):
        if gradient is None:
            if not node.materialize:
                continue
            shape, dtype = node.output_types[nr]
            dy[nr] = array_module(like).zeros(shape, dtype=dtype)
        for hook in node.hooks.get(nr, ()) if node.hooks else ():
            recorded = isinstance(dy[nr], Tensor)
            changed = hook(dy[nr] if recorded else wrap(dy[nr]))
            if changed is not None:
                dy[nr] = changed if recorded else changed.array


def _gradients(node, dy, recorded):
    """What `node` hands to its inputs, in their dtypes, given `dy`, the gradients of its outputs.

    RuntimeError where what it saved is gone or was overwritten, and where its backward returns something else than a
    gradient in its shape for each input.
    """
    if node.saved_tensors is None:
        raise RuntimeError(f"backward: the graph behind {node.name()} was already used, and what it had saved is freed. "
                           "Call the first backward with retain_graph=True, or run the forward pass again")
    for version, writes, _ in node.versions:
        if version.writes != writes:
            raise RuntimeError(f"backward: a tensor that {node.name()} needs was changed in place after it was used "
                               "(x += ..., x[...] = ..., x.add_()): write x = x + ... instead, or x.clone() first")
    if recorded:
        dx = node.differentiate(*dy)
    elif node.wide and getattr(dy[0], "dtype", None) is float16:
        dx = wide_backward(node.backward)(node, *dy)
    else:
        dx = node.backward(node, *dy)
    dx, count = dx if isinstance(dx, (tuple, list)) else (dx,), len(node.edges)
    if len(dx) != count and (any(node.edges[len(dx):]) or any(g is not None for g in dx[count:])):
        raise RuntimeError(f"{node.name()}: backward returned {len(dx)} gradients for {count} inputs: one for each is "
                           "expected, None for those that have none")
    out = []
    for edge, gradient in zip(node.edges, dx):
        if edge is not None and gradient is not None:
            target, nr = edge
            shape, dtype = target.output_types[nr] if target.order >= 0 else (target.array.shape, target.array.dtype)
            if isinstance(gradient, np.generic):  # a sum over everything
                gradient = np.asarray(gradient)
            if gradient.shape != shape:
                raise RuntimeError(f"{node.name()}: backward returned a gradient of shape {gradient.shape} for an input of "
                                   f"shape {shape}")
            if gradient.dtype != dtype:
                gradient = gradient.astype(dtype) if is_array(gradient) else gradient.to(dtype)
        out.append(gradient)
    if mode.anomaly:
        check_finite(node, "backward", dy, [g for g, edge in zip(out, node.edges) if edge and g is not None])
    return out


# ---- the functions a user calls --------------------------------------------------------------------------------------

def _roots(function, tensors, gradients, create_graph):
    """[(tensor, gradient)] after checking both; a scalar starts from 1. Gradients are arrays, or Tensors to be recorded."""
    tensors = [tensors] if isinstance(tensors, Tensor) else list(tensors)
    gradients = [gradients] if gradients is None or isinstance(gradients, Tensor) else list(gradients)
    if gradients == [None]:
        gradients = [None] * len(tensors)
    if len(gradients) != len(tensors):
        raise ValueError(f"{function}: expected one gradient a tensor, got {len(gradients)} for {len(tensors)} tensors")
    roots = []
    for t, g in zip(tensors, gradients):
        if not t.requires_grad:
            raise RuntimeError(f"{function}: the tensor of shape {t.shape} does not require a gradient and no recorded "
                               "operation made it; was it computed under no_grad, or from tensors without requires_grad?")
        if g is None and t.array.size != 1:
            raise RuntimeError(f"{function}: a tensor of shape {t.shape} is no scalar: reduce it with .sum() or .mean(), or "
                               "pass the gradient of its shape")
        if g is not None and g.shape != t.shape:
            raise RuntimeError(f"{function}: gradient of shape {g.shape} for a tensor of shape {t.shape}")
        dy = array_module(t.array).ones_like(t.array) if g is None else g.array
        if create_graph:
            dy = wrap(dy) if g is None else g  # which has a history
        roots.append((t, dy))
    return roots


@method("backward")
def _backward(tensor, gradient=None, retain_graph=None, create_graph=False):
    """Add to the `grad` of every leaf behind this tensor the derivative of the tensor with respect to the leaf.

    `gradient` (a Tensor of this shape) weighs the elements; a tensor of one element needs none. What the graph saved is
    freed on the way, unless `retain_graph`. With `create_graph` the gradients are recorded, so that they can be
    differentiated again.
    """
    backward(tensor, gradient, retain_graph, create_graph)


def backward(tensors, grad_tensors=None, retain_graph=None, create_graph=False):
    """`Tensor.backward` from several tensors at once."""
    roots = _roots("backward", tensors, grad_tensors, create_graph)
    walk = enable_grad(_walk) if create_graph else _walk
    walk(roots, create_graph if retain_graph is None else retain_graph, create_graph)


def grad(outputs, inputs, grad_outputs=None, retain_graph=None, create_graph=False, only_inputs=True, allow_unused=None,
         materialize_grads=False):
    """The derivatives of `outputs` with respect to `inputs`, as a tuple of Tensors; no `grad` attribute changes.

    `retain_graph` and `create_graph` as in `Tensor.backward`. Raises RuntimeError for an input that does not require a
    gradient, or that the outputs do not depend on; unless `allow_unused`, when its place holds None, or `materialize_grads`,
    when it holds zeros.
    """
    if materialize_grads and allow_unused is False:
        raise ValueError("grad: materialize_grads puts zeros where an input is unused, which allow_unused=False forbids")
    if not only_inputs:
        raise ValueError("grad: only_inputs=False is gone from PyTorch, too: use backward to add to the grad of all leaves")
    inputs = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    for i, t in enumerate(inputs):
        if not t.requires_grad:
            raise RuntimeError(f"grad: inputs[{i}] of shape {t.shape} does not require a gradient")
    roots = _roots("grad", outputs, grad_outputs, create_graph)
    retain_graph = create_graph if retain_graph is None else retain_graph
    walk = enable_grad(_walk) if create_graph else _walk
    found = walk(roots, retain_graph, create_graph, {edge_of(t) for t in inputs})
    for i, t in enumerate(inputs):
        if edge_of(t) not in found and not (materialize_grads if allow_unused is None else allow_unused):
            raise RuntimeError(f"grad: the outputs do not depend on inputs[{i}]; pass allow_unused=True to get None for it")
    found = {edge: g if create_graph else wrap(g.copy()) for edge, g in found.items()}
    if materialize_grads:
        found = {edge_of(t): wrap(array_module(t.array).zeros_like(t.array)) for t in inputs} | found
    return tuple(found.get(edge_of(t)) for t in inputs)
