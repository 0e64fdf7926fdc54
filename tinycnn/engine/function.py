"""`Function`, one operation and one node of the graph.

Forward, `Function.apply` runs the operation on arrays, links each result to the node and the node to its inputs. Backward
is `autograd.py`.
"""
import functools
import itertools

from .anomaly import check_finite, user_line
from .arrays import as_array, device_of, is_array, quiet
from .dtype import float16
from .formula import formula
from .grad_mode import mode
from .half import wide_backward, wide_forward
from .tensor import Tensor, wrap

_order = itertools.count()


class Function:
    """One differentiable operation; an instance is one use of it, a node of the graph, and the `ctx` of its methods.

    A subclass defines two static methods on plain arrays (NumPy's or CuPy's, never Tensors):

    - `forward(ctx, *arrays, **options)` returns an array, or a tuple of arrays; what backward will need goes into
      `ctx.save_for_backward(...)` (arrays) or onto attributes of ctx (everything else);
    - `backward(ctx, *grad_outputs)` takes the gradient of every output and returns the gradient of every positional
      argument of forward, in order, None for those that have none. It must not write into what it is given.

    `apply(*tensors, **options)` runs it. `ctx.needs_input_grad[i]` tells whether anyone wants gradient i. Both methods are
    formulas (see `formula.py`): they may have roads. A road of forward that saves something else than forward gives the node
    a `backward` of its own, and a `backward_recorded`.

    For second derivatives (`create_graph=True`) the gradient must itself be recorded: then `backward` is called with Tensors
    in place of arrays, saved ones included, and as most of them only use operators, methods and `array_module(x)`, the same
    lines serve. An operation whose backward cannot (it writes into an array, or saved an intermediate result) defines
    `backward_recorded`, the same gradients in Tensor operations. There, a saved intermediate result is a constant; where it
    depends on the inputs, it must be computed again, from saved inputs or from a `stand_in` for one.

    An operation that sums is declared as `class Sum(Function, wide=True)`: given float16, both of its methods get float32.

    An operation that returns a view may define `put(whole, part, **options)`: `whole` with `part` where the view shows it,
    in Tensor operations, so that autograd can record a write through the view.
    """
    hooks = None      # {output_nr: functions of the gradient}
    line = ""         # where the user called it, known in anomaly mode
    backward_recorded = None
    put = None
    wide = False       # whether it sums, so that float16 is computed in float32 (see `half.py`)
    materialize = True  # whether backward gets zeros, not None, for an output that received no gradient
    saved_tensors = ()  # the arrays that forward saved; None when a walk has used them
    versions = ()       # of those among them that a user may write into: (Version, its writes at the time, id of the array)
    _known = ()         # the ids of the inputs and of what forward returned, among which saved arrays are looked for

    def __init_subclass__(cls, wide=False, **options):
        super().__init_subclass__(**options)
        cls.wide = wide or cls.wide
        for name in ("forward", "backward"):
            if isinstance(cls.__dict__.get(name), staticmethod):
                cls.__dict__[name].__func__.road = functools.partial(_road, cls, name)

    @classmethod
    def apply(cls, *args, **options):
        """Run the operation on `args` (Tensors and constants) and record it where a gradient may be asked for."""
        ctx = cls()
        tensors, arrays, needs, half = [], [], [], False
        for a in args:
            tensor = isinstance(a, Tensor)
            arrays.append(a.array if tensor else a)
            needs.append(tensor and a.requires_grad and mode.recording)
            if tensor:
                tensors.append(a)
                half = half or a.array.dtype is float16
        _check_inputs(cls, tensors)
        ctx.needs_input_grad = needs
        forward = wide_forward(cls.forward) if half and cls.wide else cls.forward
        with quiet():
            result = forward(ctx, *arrays, **options)
        results = result if isinstance(result, tuple) else (result,)
        outputs = ctx.wrap_outputs(results, tensors, options)
        if mode.anomaly:
            ctx.line = user_line()
            check_finite(ctx, "forward", [*arrays, *options.values()], [y.array for y in outputs])
        if True in needs:
            ctx.record(args, tensors, outputs, [*arrays, *results])
        return tuple(outputs) if isinstance(result, tuple) else outputs[0]

    def wrap_outputs(self, results, tensors, options):
        """What forward returned, as Tensors."""
        return [_wrap_output(y, tensors, type(self), options) for y in results]

    def record(self, args, tensors, outputs, arrays):
        """Take the place between inputs and outputs in the graph, and note what must not be overwritten until backward."""
        self.order = next(_order)
        self.edges, self.output_types = [], []
        for a, need in zip(args, self.needs_input_grad):
            self.edges.append(edge_of(a) if need else None)
        for nr, y in enumerate(outputs):
            self.output_types.append((y.array.shape, y.array.dtype))
            if y.array.dtype.kind == "f":
                y.requires_grad, y.grad_fn, y.output_nr = True, self, nr
        if self.saved_tensors:
            self._known = [*map(id, arrays)]
            saved = {id(owner(a)) for a in self.saved_tensors if is_array(a)}
            self.versions = [(t._version, t._version.writes, id(t.array)) for t in (*tensors, *outputs)
                             if id(owner(t.array)) in saved]  # whose memory a saved array shows

    def save_for_backward(self, *arrays):
        """Keep `arrays` until backward; nothing is kept when no input wants a gradient."""
        if True in self.needs_input_grad:
            self.saved_tensors = arrays

    def differentiate(self, *grad_outputs):
        """The gradients of the inputs as recorded Tensors, from Tensors."""
        saved, self.saved_tensors = self.saved_tensors, self._saved_history()
        try:
            backward = self.backward_recorded or self.backward
            return (wide_backward(backward) if self.wide else backward)(self, *grad_outputs)
        finally:
            self.saved_tensors = saved

    def _saved_history(self):
        """The saved arrays as Tensors that know where they came from: the inputs and outputs that they were."""
        inputs = set(zip(self._known, self.edges))
        if len(inputs) > len(dict(inputs)):
            raise RuntimeError(f"backward: two inputs of {self.name()} show one array but have different histories, so its "
                               "gradient cannot be differentiated again: make one of them with x.detach() or x.clone()")
        edges = dict(zip(self._known, [*self.edges, *((self, nr) for nr in range(len(self.output_types)))]))
        versions = {array: version for version, _, array in self.versions}
        tensors = []
        for array in self.saved_tensors:
            if not hasattr(array, "dtype"):
                tensors.append(array)
                continue
            if array.dtype.kind == "f" and id(array) not in edges and not self.backward_recorded:
                raise RuntimeError(f"backward: {self.name()} saved an intermediate result, so its gradient cannot be "
                                   "differentiated again: save inputs and outputs only, or define backward_recorded")
            tensors.append(_with_history(as_array(array, array), edges.get(id(array))))
            tensors[-1]._version = versions.get(id(array), tensors[-1]._version)
        return tuple(tensors)

    def stand_in(self, i, values):
        """A Tensor of `values`, a Tensor, that has the history of input i.

        For an operation that saved not its input, but something that tells the input up to a change that does not matter.
        """
        return _with_history(values.array, self.edges[i])

    def name(self):
        """The name of the operation."""
        return type(self).__name__

    def __repr__(self):
        return f"<{self.name()}>"


def _road(function, name, serves):
    """`function.forward.road(serves)`: with its first road the method of an operation becomes a formula."""
    method = function.__dict__[name].__func__
    if not hasattr(method, "roads"):
        method = formula(method)
        setattr(function, name, staticmethod(method))
    return method.road(serves)


def owner(array):
    """The array whose memory `array` shows: its base, or itself."""
    return array if array.base is None else array.base


def edge_of(tensor):
    """The place in the graph where the gradient of `tensor` arrives: a node, or the tensor if it is a leaf, and a number."""
    return tensor if tensor.grad_fn is None else tensor.grad_fn, tensor.output_nr


def _with_history(array, edge):
    """A Tensor of `array` whose gradient goes to the place `edge` of the graph, nowhere where that is None."""
    tensor = wrap(array)
    if edge:
        tensor.requires_grad, (tensor.grad_fn, tensor.output_nr) = True, edge
    return tensor


def _check_inputs(function, tensors):
    """Raise where tensors live on different devices or a view's base was rewritten under autograd's eyes."""
    if not tensors:
        raise TypeError(f"{function.__name__}: an input must be a Tensor, and there are only numbers")
    first = tensors[0].array
    for t in tensors:
        if t.array is not first and (type(t.array) is not type(first) or t.array.device != first.device):
            raise RuntimeError(f"{function.__name__}: inputs live on different devices, {device_of(first)} and "
                               f"{device_of(t.array)}: move them with x.to({str(device_of(first))!r})")
        if t._viewed_at is not None and t._viewed_at != t._version.rewrites:
            raise RuntimeError(f"{function.__name__}: an input is a view of a tensor that was changed in place after the "
                               "view was taken; take the view again after the change")


def _wrap_output(array, inputs, function, options):
    """`array` as a Tensor; where it shows the memory of an input, it shares its version and knows how it was made."""
    out = wrap(as_array(array, inputs[0].array))
    whole = out.array if out.array.base is None else out.array.base
    for t in inputs:
        if whole is t.array or whole is t.array.base:
            out._version, out._viewed_at, out._view = t._version, t._version.rewrites, (t, function, options)
    return out
