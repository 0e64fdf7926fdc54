"""Floor 1: the tape, walked backward. Every node (a `Function`, see `function.py`) hands its inputs their gradients.

The nodes are visited newest first; each has by then received all of its own gradient. That is all of backpropagation; no
operation is known here.
"""
import heapq

import numpy as np

from .arrays import array_module, as_array, is_array, quiet
from .function import Function, edge_of, owner
from .grad_mode import check_finite, enable_grad, mode
from .tensor import Tensor, method, wrap
from ..cpu.workers import large, share


# ---- the walk --------------------------------------------------------------------------------------------------------

class _Pending:
    """The gradients on their way to one node or leaf: one an output, summed as they arrive."""
    __slots__ = ("gradients", "owned", "types")

    def __init__(self, target):
        self.types = target.output_types if isinstance(target, Function) else ((target.shape, target.dtype),)
        self.gradients = [None] * len(self.types)
        self.owned = False  # whether all that arrived is in memory that nobody else holds

    def add(self, nr, gradient, owned, source):
        """Add `gradient` to that of output `nr`; `owned` tells that nobody else holds its memory."""
        shape, dtype = self.types[nr]
        if gradient.shape != shape:
            raise RuntimeError(f"{source}: backward returned a gradient of shape {gradient.shape} for an input of shape "
                               f"{shape}")
        if gradient.dtype != dtype:
            gradient, owned = _cast(gradient, dtype), True
        before = self.gradients[nr]
        if before is None:
            self.gradients[nr], self.owned = gradient, owned
            return
        mine = self.owned and len(self.types) == 1 and is_array(before)
        if large(before, gradient):
            self.gradients[nr], self.owned = share(np.add, before, gradient, out=before if mine else None), True
        elif mine:
            before += gradient
        else:
            self.gradients[nr], self.owned = as_array(before + gradient, gradient), True

    def finish(self, hooks):
        """The complete gradients, zero where nothing arrived, after the hooks had their say."""
        for nr, (shape, dtype) in enumerate(self.types):
            if self.gradients[nr] is None:
                like = next(g for g in self.gradients if g is not None)
                self.gradients[nr] = array_module(like).zeros(shape, dtype=dtype)
            for hook in hooks.get(nr, ()) if hooks else ():
                recorded = isinstance(self.gradients[nr], Tensor)
                changed = hook(self.gradients[nr] if recorded else wrap(self.gradients[nr]))
                if changed is not None:
                    self.gradients[nr], self.owned = changed if recorded else changed.array, False
        return self.gradients


def _cast(gradient, dtype):
    """`gradient`, array or Tensor, as `dtype`."""
    return gradient.to(dtype) if isinstance(gradient, Tensor) else gradient.astype(dtype)


@quiet()
def _walk(roots, retain_graph, create_graph=False, wanted=()):
    """Carry gradients from `roots` [(tensor, gradient array)] down the graph; returns {wanted edge: gradient array}.

    The node made last goes first: every user of a node was made after it, so when its turn comes all its gradients have
    arrived, and each node runs once. In `b = a + a; c = b + b` a depth-first walk that runs a node whenever a gradient
    reaches it visits a four times, and 60 such lines 2^60 times; here each node waits until it is complete. A heap in a
    loop instead of recursion lets the graph be any depth. Leaves are older than every node, so they come last.
    With `wanted`, leaves keep their `grad` as it was. With `create_graph`, the gradients are Tensors and the walk is
    recorded, so that it can be differentiated in turn.
    """
    pending, heap, found = {}, [], {}

    def deliver(edge, gradient, owned, source):
        target, nr = edge
        arrived = pending.get(target)
        if arrived is None:
            arrived = pending[target] = _Pending(target)
            heapq.heappush(heap, (-target.order, id(target), target))
        arrived.add(nr, gradient, owned, source)

    for tensor, gradient in roots:
        deliver(edge_of(tensor), gradient, False, "backward")
    while heap:
        node = heapq.heappop(heap)[2]
        arrived = pending.pop(node)
        grads = arrived.finish(node.hooks)
        if wanted:
            found.update({(node, nr): g for nr, g in enumerate(grads) if (node, nr) in wanted})
        if isinstance(node, Tensor):
            if not wanted:
                accumulate(node, grads[0], arrived.owned)
                for hook in node.post_hooks or ():
                    hook(node)
            continue
        results = node.differentiate(*grads) if create_graph else node.backward(node, *grads)
        results = results if isinstance(results, (tuple, list)) else (results,)
        if len(results) < len(node.edges) and any(node.edges[len(results):]):
            raise RuntimeError(f"{node.name()}: backward returned {len(results)} gradients for {len(node.edges)} inputs")
        if mode.anomaly:
            check_finite(node, "backward", grads, [g for g, edge in zip(results, node.edges) if edge and g is not None])
        if not retain_graph and node._saved:
            node._saved = None
        holders = [id(owner(g)) for g in (*grads, *results) if is_array(g)]
        for edge, g in zip(node.edges, results):
            if edge is not None and g is not None:
                g = as_array(g, grads[0])
                owned = (not create_graph and holders.count(id(owner(g))) == 1 and _dense(g)
                         and getattr(g.flags, "writeable", True))  # a broadcast that repeats nothing is dense, yet read-only
                deliver(edge, g, owned, type(node).__name__)
    return found


def _dense(array):
    """Whether the elements stand side by side in memory, in whatever order of axes, and no two share a place."""
    if array.flags.forc:
        return True
    return array.transpose(sorted(range(array.ndim), key=lambda axis: -array.strides[axis])).flags.c_contiguous


def accumulate(leaf, gradient, owned):
    """Add `gradient` to `leaf.grad`, in memory that is the leaf's own (a recorded gradient keeps its history instead)."""
    if isinstance(gradient, Tensor):
        leaf.grad = gradient if leaf.grad is None else leaf.grad + gradient
    elif leaf.grad is None:
        leaf.grad = wrap(gradient if owned and gradient.flags.forc else gradient.copy())
    else:
        leaf.grad.array += gradient


def _roots(function, tensors, gradients, create_graph):
    """[(tensor, gradient)] after checking both; a scalar starts from 1. Gradients are arrays, or Tensors to be recorded."""
    tensors = [tensors] if isinstance(tensors, Tensor) else list(tensors)
    gradients = [gradients] if gradients is None or isinstance(gradients, Tensor) else list(gradients)
    if gradients == [None]:
        gradients = [None] * len(tensors)
    if len(gradients) != len(tensors):
        raise ValueError(f"{function}: {len(tensors)} tensors but {len(gradients)} gradients")
    roots = []
    for t, g in zip(tensors, gradients):
        if not t.requires_grad:
            raise RuntimeError(f"{function}: the tensor of shape {t.shape} does not require a gradient and no recorded "
                               "operation made it; was it computed under no_grad, or from tensors without requires_grad?")
        if g is None and t.numel() != 1:
            raise RuntimeError(f"{function}: a tensor of shape {t.shape} is no scalar: reduce it with .sum() or .mean(), or "
                               "pass the gradient of its shape")
        if g is not None and g.shape != t.shape:
            raise RuntimeError(f"{function}: gradient of shape {g.shape} for a tensor of shape {t.shape}")
        g = wrap(array_module(t.array).ones_like(t.array)) if g is None else g
        roots.append((t, g if create_graph else g.array))
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


def grad(outputs, inputs, grad_outputs=None, retain_graph=None, create_graph=False, only_inputs=True, allow_unused=False):
    """The derivatives of `outputs` with respect to `inputs`, as a tuple of Tensors; no `grad` attribute changes.

    `retain_graph` and `create_graph` as in `Tensor.backward`. Raises RuntimeError for an input that does not require a
    gradient, or that the outputs do not depend on (unless `allow_unused`, when its place holds None).
    """
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
        if edge_of(t) not in found and not allow_unused:
            raise RuntimeError(f"grad: the outputs do not depend on inputs[{i}]; pass allow_unused=True to get None for it")
    found = {edge: g if create_graph else wrap(g.copy()) for edge, g in found.items()}
    return tuple(found.get(edge_of(t)) for t in inputs)
