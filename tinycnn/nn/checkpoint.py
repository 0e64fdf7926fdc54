"""Memory for time. A checkpointed part of a network saves only its inputs, and runs again in backward.

Backward wants every activation back in reverse order, so a network of n layers keeps n of them. Cut it into k segments and
keep only what enters each: k tensors, and in backward, which recomputes one segment at a time, n / k more. The sum k + n / k
is least at k = sqrt(n), 2 sqrt(n) instead of n, and the price is a second forward pass, about a third of a training step.

Source: Chen, Xu, Zhang, Guestrin, Training deep nets with sublinear memory cost, 2016 (arXiv:1604.06174).
"""
import contextlib

from ..engine.autograd import grad
from ..engine.arrays import CPU
from ..engine.generators import default_generator
from ..engine.function import Function, edge_of
from ..engine.grad_mode import enable_grad, is_grad_enabled
from ..ops.creation import ones
from ..engine.tensor import Tensor, wrap

__all__ = ["checkpoint", "checkpoint_sequential"]


def checkpoint(function, *args, use_reentrant=None, preserve_rng_state=True, **kwargs):
    """function(*args, **kwargs), which saves nothing for backward but its tensors: backward runs it again.

    `function` must do the same when it is called again. With `preserve_rng_state` it then draws the same random numbers, so
    that the masks of dropout repeat. Whatever it changes on the way, it changes twice: as in PyTorch, batch norm moves its
    running statistics twice a step.

    The function returns a Tensor, or a tuple or list with Tensors. Tensors that were computed outside must be among `args`
    or `kwargs` themselves (RuntimeError); weights need not. The gradients are those of function(*args, **kwargs), to the
    last bit where each weight is used once. `use_reentrant` is accepted for PyTorch's sake: both ways of doing it there give
    what this one gives.
    """
    if not is_grad_enabled():
        return function(*args, **kwargs)
    segment = _Segment(function, args, kwargs, preserve_rng_state)
    start = _now()
    copies = [t.detach().requires_grad_(t.requires_grad) for t in segment.tensors]
    result, outputs = segment.run(copies)
    segment.weights = _weights_behind(outputs, copies, start)
    if not any(y.requires_grad for y in outputs):
        return result
    inputs, segment.tensors = segment.tensors, None  # what is needed of them, the node saves
    results = iter(Checkpoint.apply(*inputs, *segment.weights, segment=segment, outputs=tuple(y.array for y in outputs)))
    if isinstance(result, Tensor):
        return next(results)
    return type(result)(next(results) if isinstance(y, Tensor) else y for y in result)


def checkpoint_sequential(functions, segments, input, use_reentrant=None, preserve_rng_state=True):
    """The layers `functions` (a Sequential or a list) one after the other, in so many `segments`, all but the last
    checkpointed: what that one saves is needed at once.
    """
    layers = list(functions.children() if hasattr(functions, "children") else functions)
    if not isinstance(segments, int) or not 1 <= segments <= len(layers):
        raise ValueError(f"checkpoint_sequential: segments must be an integer from 1 to the {len(layers)} layers, got "
                         f"{segments!r}")

    def part(start, stop):
        def run(x):
            for layer in layers[start:stop]:
                x = layer(x)
            return x
        return run

    size = len(layers) // segments
    for start in range(0, size * (segments - 1), size):
        input = checkpoint(part(start, start + size), input, use_reentrant=use_reentrant,
                           preserve_rng_state=preserve_rng_state)
    return part(size * (segments - 1), len(layers))(input)


class Checkpoint(Function):
    """Tensors, then weights -> the outputs of a segment that has just run; backward runs it again, and differentiates that.

    Saved: the tensors, and the weights, which live anyway.
    """

    @staticmethod
    def forward(ctx, *arrays, segment, outputs):
        ctx.segment, ctx.shapes = segment, [y.shape for y in outputs]
        ctx.save_for_backward(*arrays)
        return outputs

    @staticmethod
    def backward(ctx, *dy):
        needs = ctx.needs_input_grad
        tensors = [wrap(x).requires_grad_(need) for x, need in zip(ctx.saved_tensors, needs)]
        grads = Checkpoint.gradients(ctx, tensors, map(wrap, dy), create_graph=False)
        return tuple(None if g is None else g.array for g in grads)

    @staticmethod
    def backward_recorded(ctx, *dy):
        """The graph of the gradients begins at copies of the tensors; then it is tied to where those came from."""
        start, tensors = _now(), ctx.saved_tensors
        copies = [x.detach().requires_grad_(need) for x, need in zip(tensors, ctx.needs_input_grad)]
        grads = Checkpoint.gradients(ctx, copies, dy, create_graph=True)
        origins = {id(copy): edge_of(x) for copy, x in zip(copies, tensors)}
        for node in _graph([g for g in grads if g is not None], start):
            node.edges = [edge and origins.get(id(edge[0]), edge) for edge in node.edges]
        return grads

    @staticmethod
    def gradients(ctx, tensors, dy, create_graph):
        """Run again, on leaves in place of the tensors, and differentiate."""
        weights, needs = ctx.segment.weights, ctx.needs_input_grad
        tensors = tensors[:len(needs) - len(weights)]
        with enable_grad():
            _, outputs = ctx.segment.run(tensors, again=True)
            shapes = [y.shape for y in outputs]
            if shapes != ctx.shapes:
                raise RuntimeError(f"checkpoint: the function returned tensors of shapes {ctx.shapes}, and {shapes} when "
                                   "it ran again for backward: it must do the same both times")
            outputs, dy = zip(*((y, d) for y, d in zip(outputs, dy) if y.requires_grad))
            wanted = [t for t, need in zip((*tensors, *weights), needs) if need]
            grads = iter(grad(outputs, wanted, dy, create_graph=create_graph, allow_unused=True))
        return tuple(next(grads) if need else None for need in needs)


class _Segment:
    """A function and its arguments; `tensors` are those of them for which others stand when it runs."""

    def __init__(self, function, args, kwargs, preserve_rng_state):
        self.function, self.names, self.args = function, list(kwargs), [*args, *kwargs.values()]
        self.tensors = [a for a in self.args if isinstance(a, Tensor)]
        self.args = [Tensor if isinstance(a, Tensor) else a for a in self.args]
        self.numbers = _Numbers(self.tensors[0].device if self.tensors else CPU) if preserve_rng_state else None

    def run(self, tensors, again=False):
        """What the function returns, and a list of the Tensors in it."""
        tensors = iter(tensors)
        args = [next(tensors) if a is Tensor else a for a in self.args]
        positional = len(args) - len(self.names)
        with self.numbers.repeated(again) if self.numbers else contextlib.nullcontext():
            result = self.function(*args[:positional], **dict(zip(self.names, args[positional:])))
        return result, [y for y in (result if isinstance(result, (tuple, list)) else (result,)) if isinstance(y, Tensor)]


class _Numbers:
    """The random numbers of one device, the same inside every `with numbers.repeated(...)`."""

    def __init__(self, device):
        self.generator = default_generator(device)
        self.state = self.generator.get_state()

    @contextlib.contextmanager
    def repeated(self, again):
        """Inside, the numbers are those of the first time; after running again, the stream goes on where it was."""
        after = self.generator.get_state()
        if again:
            self.generator.set_state(self.state)
        try:
            yield
        finally:
            if again:
                self.generator.set_state(after)


def _now():
    """A number between those of the nodes that are and those that will be."""
    return ones(1, requires_grad=True).clone().grad_fn.order


def _graph(tensors, start, meet=lambda leaf: None):
    """The nodes behind `tensors` made after `start`; `meet` is called with each leaf or older node that they lead to."""
    stack, seen = [edge_of(t)[0] for t in tensors if t.requires_grad], set()
    while stack:
        target = stack.pop()
        if target in seen:
            continue
        seen.add(target)
        if target.order < start:
            meet(target)
        else:
            yield target
            stack += [edge[0] for edge in target.edges if edge]


def _weights_behind(outputs, copies, start):
    """The leaves that `outputs` depend on, without `copies`; RuntimeError where an operation before `start` made one."""
    weights, known = [], set(copies)

    def meet(target):
        if not isinstance(target, Tensor):
            raise RuntimeError(f"checkpoint: the function uses a tensor that {target.name()} computed before it was called, "
                               "and through which gradients flow: pass it as an argument")
        if target not in known:
            weights.append(target)

    for _ in _graph(outputs, start, meet):
        pass
    return weights
