"""A look over the shoulder of every `Function.backward` in one graph: what it writes into, and what it hands out."""
import functools

from ..engine.arrays import array_module, as_array, is_array, to_numpy
from ..engine.function import Function, owner


ONE_BUFFER = ("writes into the gradient that its last call returned: every call returns the same memory, a buffer, and "
              "whoever kept the last gradient gets the changed numbers (keeps state between calls); return a new array")


def nodes(tensors):
    """Every Function in the graph behind `tensors`."""
    found, stack = {}, [t.grad_fn for t in tensors]
    while stack:
        node = stack.pop()
        if isinstance(node, Function) and id(node) not in found:
            found[id(node)] = node
            stack += [edge[0] for edge in node.edges if edge]
    return list(found.values())


def same_values(a, b):
    """Whether two arrays, wherever they live, hold the same numbers, NaN being equal to NaN."""
    a, b = to_numpy(a), to_numpy(b)
    return a.shape == b.shape and bool(((a == b) | ((a != a) & (b != b))).all())


def alien_memory(gradient, others):
    """The index of the first array in `others` that shares memory with `gradient`, None where there is none."""
    xp = array_module(gradient)  # the bounds first: of two 0-d arrays CuPy's shares_memory says True
    return next((i for i, a in enumerate(others) if gradient.size and a.size and xp.may_share_memory(gradient, a)
                 and xp.shares_memory(gradient, a)), None)


class Watch:
    """Wraps `backward` of every node behind `tensors`; `faults` are sentences, `misshapen` gradients by id of their leaf.

    A gradient of the wrong shape is noted and replaced by zeros, one too many is noted and left out, so that the check can
    go on and say what it should have been.
    """

    def __init__(self, tensors, leaves):
        self.faults, self.misshapen = [], {}
        self.handed_out = {}  # {name of a Function: (gradient, as it was) of its last call}
        self.inputs = [leaf.array for leaf in leaves]
        for node in nodes(tensors):
            node.backward = functools.partial(self._backward, node.backward)

    def _say(self, fault):
        if fault not in self.faults:
            self.faults.append(fault)

    def _backward(self, backward, node, *dy):
        name, saved = node.name(), [a for a in node.saved_tensors or () if is_array(a)]
        before = [a.copy() for a in (*dy, *saved)]
        results = backward(node, *dy)
        results = list(results) if isinstance(results, (tuple, list)) else [results]
        if any(not same_values(g, copied) for g, copied in self.handed_out.get(name, ())):
            self._say(f"{name}: backward {ONE_BUFFER}")
        self.handed_out[name] = [(g, g.copy()) for g in results if is_array(g)]
        if not all(map(same_values, dy, before)):
            self._say(f"{name}: backward writes into the upstream gradient it is given: other branches of the graph get the "
                      "changed numbers; compute a new array")
        if not all(map(same_values, saved, before[len(dy):])):
            self._say(f"{name}: backward writes into an array that forward saved: a second backward sees the changed "
                      "numbers")
        if any(g is not None for g in results[len(node.edges):]):
            self._say(f"{name}: backward returned {len(results)} gradients for {len(node.edges)} input(s)")
        for k, (edge, g) in enumerate(zip(node.edges, results)):
            if edge and g is not None:
                results[k] = self._accept(node, k, edge, as_array(g, dy[0]), saved)
        self._compare_memory(name, [g for edge, g in zip(node.edges, results) if edge and g is not None])
        return results[:len(node.edges)]

    def _accept(self, node, k, edge, gradient, saved):
        """Gradient k of `node`, after a look at its shape, dtype and memory."""
        target, nr = edge
        shape, dtype = target.output_types[nr] if isinstance(target, Function) else (target.shape, target.dtype)
        what = f"{node.name()}: the gradient of input {k}"
        if gradient.shape != shape:
            if isinstance(target, Function):
                self._say(f"{what} has shape {gradient.shape}, the input has {shape}")
            else:
                self.misshapen[id(target)] = gradient
            return array_module(gradient).zeros(shape, dtype)
        if gradient.dtype != dtype:
            self._say(f"{what} is {gradient.dtype} although the input is {dtype}: keep the dtype of the input")
        alien = alien_memory(gradient, [*saved, *self.inputs])
        if alien is not None:
            self._say(f"{what} shares memory with {'a saved array' if alien < len(saved) else 'an input of the graph'}: "
                      "whoever adds to the gradient overwrites that; return a copy")
        return gradient

    def _compare_memory(self, name, gradients):
        """The tape sees that two gradients are one array by their owner; memory shared in another way it cannot see."""
        for i, a in enumerate(gradients):
            for b in gradients[:i]:
                if owner(a) is not owner(b) and alien_memory(a, [b]) is not None:
                    self._say(f"{name}: two of the gradients share memory: adding to one changes the other; return a copy")
