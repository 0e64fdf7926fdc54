"""Floor 1: `Function`, one operation and one node of the graph.

Forward, `Function.apply` runs the operation on arrays, links each result to the node and the node to its inputs. Backward
is `autograd.py`.
"""
import itertools

from .backend import as_array, device_of, is_array, quiet
from .grad_mode import check_finite, mode, user_line
from .tensor import Tensor, wrap

_order = itertools.count()


class Function:
    """One differentiable operation; an instance is one use of it, a node of the graph, and the `ctx` of its methods.

    A subclass defines two static methods on plain arrays (NumPy's or CuPy's, never Tensors):

    - `forward(ctx, *arrays, **options)` returns an array, or a tuple of arrays; what backward will need goes into
      `ctx.save_for_backward(...)` (arrays) or onto attributes of ctx (everything else);
    - `backward(ctx, *grad_outputs)` takes the gradient of every output and returns the gradient of every positional
      argument of forward, in order, None for those that have none. It must not write into what it is given.

    `apply(*tensors, **options)` runs it. `ctx.needs_input_grad[i]` tells whether anyone wants gradient i.

    For second derivatives (`create_graph=True`) the gradient must itself be recorded: then `backward` is called with Tensors
    in place of arrays, saved ones included, and as most of them only use operators, methods and `array_module(x)`, the same
    lines serve. An operation whose backward cannot (it writes into an array, or saved an intermediate result) defines
    `backward_recorded`, the same gradients in Tensor operations; there, in place of a saved intermediate result stands None.
    """
    hooks = None      # {output_nr: functions of the gradient}
    line = ""         # where the user called it, known in anomaly mode
    backward_recorded = None
    _saved = ()
    _origins = ()     # of every saved array: i for input i, -1 - j for output j, None for anything else
    _versions = ()
    _recorded = False  # whether backward runs on Tensors just now

    @classmethod
    def apply(cls, *args, **options):
        """Run the operation on `args` (Tensors and constants) and record it where a gradient may be asked for."""
        ctx = cls()
        tensors = [a for a in args if isinstance(a, Tensor)]
        _check_inputs(cls, tensors)
        recording = mode.recording
        ctx.needs_input_grad = needs = [recording and isinstance(a, Tensor) and a.requires_grad for a in args]
        arrays = [a.array if isinstance(a, Tensor) else a for a in args]
        with quiet():
            result = cls.forward(ctx, *arrays, **options)
        results = result if isinstance(result, tuple) else (result,)
        outputs = [_wrap_output(y, tensors) for y in results]
        if mode.anomaly:
            ctx.line = user_line()
            check_finite(ctx, "forward", [*arrays, *options.values()], [y.array for y in outputs])
        if True in needs:
            ctx.order = next(_order)
            ctx.edges = [(a.grad_fn or a, a.output_nr) if need else None for a, need in zip(args, needs)]
            ctx.output_types = [(y.array.shape, y.array.dtype) for y in outputs]
            for nr, y in enumerate(outputs):
                if y.array.dtype.kind == "f":
                    y.requires_grad, y.grad_fn, y.output_nr = True, ctx, nr
            if ctx._saved:
                ctx._origins = [_origin(a, arrays, results) for a in ctx._saved]
                ctx._versions = [(t._version, t._version.writes) for t in (*tensors, *outputs) if _is_saved(t, ctx._saved)]
        return tuple(outputs) if isinstance(result, tuple) else outputs[0]

    def save_for_backward(self, *arrays):
        """Keep `arrays` until backward; nothing is kept when no input wants a gradient."""
        if True in self.needs_input_grad:
            self._saved = arrays

    @property
    def saved_tensors(self):
        """The arrays that forward saved; RuntimeError when they are gone or were overwritten meanwhile."""
        if self._saved is None:
            raise RuntimeError(f"backward: the graph behind {self.name()} was already used, and what it had saved is freed. "
                               "Call the first backward with retain_graph=True, or run the forward pass again")
        for version, writes in self._versions:
            if version.writes != writes:
                raise RuntimeError(f"backward: a tensor that {self.name()} needs was changed in place after it was used "
                                   "(x += ..., x[...] = ..., x.add_()): write x = x + ... instead, or x.clone() first")
        return self._saved_history() if self._recorded else self._saved

    def differentiate(self, *grad_outputs):
        """The gradients of the inputs as recorded Tensors, from Tensors."""
        self._recorded = True
        try:
            return (self.backward_recorded or self.backward)(self, *grad_outputs)
        finally:
            self._recorded = False

    def _saved_history(self):
        """The saved arrays as Tensors that know where they came from: the inputs and outputs that they were."""
        tensors = []
        for array, origin in zip(self._saved, self._origins):
            if origin is None and hasattr(array, "dtype") and array.dtype.kind == "f":
                if not self.backward_recorded:
                    raise RuntimeError(f"backward: {self.name()} saved an intermediate result, so its gradient cannot be "
                                       "differentiated again: save inputs and outputs only, or define backward_recorded")
                array = None
            edge = None if origin is None else self.edges[origin] if origin >= 0 else (self, -1 - origin)
            if edge and isinstance(edge[0], Tensor):
                tensors.append(edge[0])
            else:
                tensors.append(wrap(as_array(array, array)) if hasattr(array, "dtype") else array)
                if edge:
                    tensors[-1].requires_grad, (tensors[-1].grad_fn, tensors[-1].output_nr) = True, edge
        return tuple(tensors)

    def name(self):
        """The name of the operation."""
        return type(self).__name__

    @property
    def next_functions(self):
        """Where the gradients go: (Function or leaf Tensor, output number) for every input, (None, 0) where nowhere."""
        return tuple(edge or (None, 0) for edge in self.edges)

    def __repr__(self):
        return f"<{self.name()}>"


def owner(array):
    """The array whose memory `array` shows: its base, or itself."""
    return array if array.base is None else array.base


def _check_inputs(function, tensors):
    """Raise where tensors live on different devices or a view's base was rewritten under autograd's eyes."""
    if not tensors:
        raise TypeError(f"{function.__name__}: expected at least one Tensor")
    first = tensors[0].array
    for t in tensors:
        if t.array is not first and (type(t.array) is not type(first) or t.array.device != first.device):
            raise RuntimeError(f"{function.__name__}: inputs live on different devices, {device_of(first)} and "
                               f"{device_of(t.array)}: move them with x.to({str(device_of(first))!r})")
        if t._viewed_at is not None and t._viewed_at != t._version.rewrites:
            raise RuntimeError(f"{function.__name__}: an input is a view of a tensor that was changed in place after the "
                               "view was taken; take the view again after the change")


def _wrap_output(array, inputs):
    """`array` as a Tensor; where it shows the memory of an input, it shares that input's version."""
    out = wrap(as_array(array, inputs[0].array))
    whole = owner(out.array)
    for t in inputs:
        if whole is t.array or whole is t.array.base:
            out._version, out._viewed_at = t._version, t._version.rewrites
    return out


def _origin(array, inputs, results):
    """Which input (i) or result (-1 - j) the saved `array` is, None where it is neither; in NumPy a 0-d one is a scalar."""
    for i, x in enumerate(inputs):
        if array is x:
            return i
    for j, y in enumerate(results):
        if array is y:
            return -1 - j
    return None


def _is_saved(tensor, saved):
    """Whether one of the `saved` arrays shows the memory of `tensor`."""
    return any(is_array(a) and owner(a) is owner(tensor.array) for a in saved)
