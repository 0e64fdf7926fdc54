"""PyTorch's `torch.autograd`; the operation of one's own is here written with Tensors, as its users know it."""
import functools
import importlib
import sys
import weakref

from .engine.arrays import is_array
from .engine.autograd import backward, grad
from .engine.function import Function as Operation
from .engine.grad_mode import (detect_anomaly, enable_grad, is_grad_enabled, mode, no_grad, set_detect_anomaly,
                               set_grad_enabled)
from .engine.tensor import Tensor, wrap
from .legacy import Variable

__all__ = ["Function", "Variable", "backward", "detect_anomaly", "enable_grad", "grad", "is_grad_enabled", "no_grad",
           "once_differentiable", "set_detect_anomaly", "set_grad_enabled"]


class Function(Operation):
    """An operation whose `forward` and `backward` are given Tensors, as those of `torch.autograd.Function` are.

    They may use all operations of the library; what forward does is not recorded, since backward says what its gradient is.
    A class that defines `setup_context(ctx, inputs, output)` writes `forward(*inputs)` without ctx: what backward needs is
    then kept there, once the output is known.

    The operations of the library itself derive from `engine/function.py`'s, whose methods work on plain arrays.
    """
    setup_context = None
    _dirty = _constant = ()  # arrays: of inputs that forward changed, and of outputs without gradient

    def __init_subclass__(cls, **options):
        for name, decorator in (("forward", _forward), ("backward", _backward)):
            if name in cls.__dict__:
                setattr(cls, name, staticmethod(decorator(cls.__dict__[name].__func__)))
        super().__init_subclass__(**options)

    def save_for_backward(self, *tensors):
        """Keep `tensors` until backward; nothing is kept when no input wants a gradient."""
        super().save_for_backward(*_arrays(tensors))

    def set_materialize_grads(self, value):
        """Whether backward gets zeros for an output that received no gradient, as it does otherwise, or None."""
        self.materialize = bool(value)

    def mark_non_differentiable(self, *outputs):
        """These outputs depend on the inputs in jumps, or not at all: they require no gradient, and give backward zeros."""
        self._constant = _arrays(outputs)

    def mark_dirty(self, *inputs):
        """These inputs were changed in place, and are returned: autograd then knows that their old values are gone."""
        self._dirty = _arrays(inputs)

    def wrap_outputs(self, results, tensors, options):
        """What forward returned, as Tensors; an input that it changed is the output itself."""
        changed = {id(t.array): t for t in tensors if any(t.array is array for array in self._dirty)}
        for t in changed.values():
            if mode.recording and t.requires_grad and (t.grad_fn is None or t._viewed_at is not None):
                kind = "leaf" if t.grad_fn is None else "view"
                raise RuntimeError(f"{self.name()}: mark_dirty: an input is a {kind} that requires a gradient, which cannot "
                                   "be changed in place: call the function with x.clone()")
            t._version.writes += 1
            t._version.rewrites += True in self.needs_input_grad
        wrapped = super().wrap_outputs(results, tensors, options)
        return [changed.get(id(y.array), y) for y in wrapped]

    def record(self, args, tensors, outputs, arrays):
        """As every operation; outputs that have no gradient get none."""
        super().record(args, tensors, outputs, arrays)
        for y in outputs:
            if any(y.array is array for array in self._constant):
                y.requires_grad, y.grad_fn = False, None


def _forward(method):
    """The method `forward` for a caller who has arrays."""
    @functools.wraps(method)
    def call(ctx, *values, **options):
        inputs = _tensors(values)
        with no_grad():
            if ctx.setup_context is None:
                output = method(ctx, *inputs, **options)
            else:
                output = method(*inputs, **options)
                type(ctx).setup_context(ctx, inputs, output)
        return _arrays(output) if isinstance(output, (tuple, list)) else _arrays((output,))[0]
    return call


def _backward(method):
    """The method `backward` for a caller who has arrays, or Tensors where the gradient is itself recorded."""
    @functools.wraps(method)
    def call(ctx, *values):
        saved, ctx.saved_tensors = ctx.saved_tensors, _tensors(ctx.saved_tensors)
        try:
            if any(isinstance(v, Tensor) for v in values):
                results = method(ctx, *values)
            else:
                with no_grad():
                    results = method(ctx, *_tensors(values))
        finally:
            ctx.saved_tensors = saved
        results, count = results if isinstance(results, (tuple, list)) else (results,), len(ctx.needs_input_grad)
        if len(results) < count or any(g is not None for g in results[count:]):
            raise RuntimeError(f"{ctx.name()}: backward returned {len(results)} gradients for {count} inputs of forward: "
                               "one for each is expected, None for those that have none")
        return tuple(results) if any(isinstance(v, Tensor) for v in values) else _arrays(results)
    return call


class AccumulateGrad:
    """The end of a path through the graph, as those who draw one know it: here a gradient is added to that of `variable`.

    The walk needs no such node: it knows a leaf by itself. It is made when somebody asks a node for its `next_functions`.
    """
    next_functions = ()

    def __init__(self, variable):
        self.variable = variable

    def name(self):
        """The name of the class."""
        return "AccumulateGrad"

    def __repr__(self):
        return "<AccumulateGrad>"


def _next_functions(node):
    """Where the gradients of a node go: (node, number of its output) for every input, (None, 0) where nowhere.

    Of a leaf it is an AccumulateGrad, one and the same as long as somebody holds it.
    """
    def seen(target, nr):
        if not isinstance(target, Tensor):
            return target, nr
        end = _ends.get(target)
        if end is None:
            end = _ends[target] = AccumulateGrad(target)
        return end, nr
    return tuple((None, 0) if edge is None else seen(*edge) for edge in node.edges)


_ends = weakref.WeakValueDictionary()
Operation.next_functions = property(_next_functions)


class _Once(Operation):
    """A gradient g that is a function of others, but of a kind that must not be differentiated again."""

    @staticmethod
    def forward(ctx, g, *others):
        return g.copy()

    @staticmethod
    def backward(ctx, dy):
        raise RuntimeError("backward: this gradient was computed by a backward marked with @once_differentiable, which says "
                           "that it cannot itself be differentiated")


def once_differentiable(method):
    """Above `backward`, below `@staticmethod`: its operations are not recorded; to differentiate it again is an error."""
    @functools.wraps(method)
    def call(ctx, *values):
        with no_grad():
            results = method(ctx, *values)
        sources = [v for v in (*values, *ctx.saved_tensors) if isinstance(v, Tensor) and v.requires_grad]
        if not sources or not mode.recording:
            return results
        several = isinstance(results, (tuple, list))
        marked = [g if g is None else _Once.apply(g, *sources) for g in (results if several else (results,))]
        return tuple(marked) if several else marked[0]
    return call


def _tensors(values):
    return tuple(wrap(v) if is_array(v) else v for v in values)


def _arrays(values):
    return tuple(v.array if isinstance(v, Tensor) else v for v in values)


def __getattr__(name):  # PyTorch keeps the checker here; it is loaded when asked for
    if name in ("gradcheck", "gradgradcheck"):
        return getattr(importlib.import_module("tinycnn.gradcheck"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


function = sys.modules[__name__]  # where PyTorch has once_differentiable and Function a second time
