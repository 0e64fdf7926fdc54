"""What is checked, seen as arrays: values go in, outputs come out, cotangents go in, gradients come back.

A `TensorProblem` wraps anything that computes on Tensors (a function, a Function, a Module), an `ArrayProblem` a pair of
plain functions on arrays (`pairs.py`); `foreign/` has those of other libraries. All promote to float64, leave the caller's
arrays alone and throw the same dice in every run, so that dropout is a function like any other. A `Run` is one forward pass
and pulls cotangents back through it, as often as asked.
"""
import contextlib
import contextvars
import functools
import inspect

import numpy as np

from ..engine.autograd import grad
from ..engine.arrays import CPU, device_of, is_array, to_device, to_numpy
from ..engine.generators import Generator, default_generator
from ..engine.function import Function
from ..engine.grad_mode import enable_grad, no_grad
from ..nn.module import Module
from ..engine.tensor import Tensor, wrap
from .repair import named_cache, with_number
from .smaller import cut_down, numbers_of
from .watch import Watch


def title_of(fn):
    """A name for `fn` in messages; a lambda has that of the one Function, or Module, which it mentions."""
    if isinstance(fn, functools.partial):
        return title_of(fn.func)
    if isinstance(fn, Module):
        return type(fn).__name__
    name, owner = getattr(fn, "__name__", type(fn).__name__), getattr(fn, "__self__", None)
    if name == "apply" and isinstance(owner, type):  # PyTorch's way to pass a Function
        return owner.__name__
    if name == "<lambda>":
        if not inspect.isfunction(fn):  # a library's rule around one
            return "fn"
        seen = inspect.getclosurevars(fn)
        mentioned = {title_of(v) for v in (*seen.globals.values(), *seen.nonlocals.values())
                     if isinstance(v, Module) or isinstance(v, type) and issubclass(v, Function)}
        return mentioned.pop() if len(mentioned) == 1 else "fn"
    return name


def names_of(fn, count, skip=0):
    """The names of the first `count` positional parameters of `fn` after `skip` of them; input0, input1 where unknown."""
    try:
        parameters = list(inspect.signature(fn).parameters.values())[skip:]
    except (TypeError, ValueError):
        parameters = []
    known = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return [known[i] if i < len(known) else f"input{i}" for i in range(count)]


def _is_floating(value):
    return (isinstance(value, Tensor) or is_array(value)) and value.dtype.kind == "f"


def flatten(output):
    """The tensors or arrays in an output: itself, or what nested tuples and lists of it hold."""
    if isinstance(output, (tuple, list)):
        return [leaf for part in output for leaf in flatten(part)]
    return [output]


class Problem:
    """The common part: `values` (float64 arrays of the inputs with a gradient), their `names`, and the shapes of the
    outputs.

    Subclasses define `run(values, ...)`, a context manager that yields a Run; `outputs(values)`, without recording; and
    `variant(options, batch, cut)`. They set `given`, all inputs, `places`, the numbers of those with a gradient,
    `argument_names`, and `function`, the Python function that the user wrote. A Run has `pull(cotangents)`, `inputs` (the
    arrays that forward got), `faults` (sentences) and `misshapen`, {number of the value: its gradient of another shape}.
    """

    devices = (CPU,)
    graph = False  # whether it records a graph, in which an input may be used twice, and may want no gradient

    def __init__(self, title, options, seed):
        self.title, self.options, self.seed = title, dict(options or {}), seed

    def vector(self, values):
        """All floating-point outputs at `values`, as one vector."""
        return np.concatenate([np.ravel(y) for y in self.outputs(values)])

    def split(self, vector):
        """A vector over all outputs as one array an output."""
        parts, start = [], 0
        for shape in self.shapes:
            size = int(np.prod(shape))
            parts.append(np.array(vector[start:start + size]).reshape(shape))
            start += size
        return parts

    def gradients(self, values, vectors, **how):
        """One list of gradients (arrays, or None) for each cotangent vector, all from one forward pass at `values`."""
        with self.run(values, **how) as run:
            return [run.pull(self.split(v)) for v in vectors]

    @property
    def call(self):
        """The names of all arguments, as one writes them in a call."""
        return self.argument_names

    @functools.cached_property
    def numbers(self):
        """The numbers that the function works with besides its arrays, by name."""
        own = {name: v for name, v in self.options.items() if isinstance(v, (int, float)) and not isinstance(v, bool)}
        given = {name: v for name, v in zip(self.argument_names, self.given) if isinstance(v, (int, float))}
        return numbers_of(self.function) | given | own

    def _look(self):
        """Learn the outputs' shapes from a first run."""
        outputs = self.outputs(self.values)
        if not outputs:
            raise ValueError(f"gradcheck: {self.title} returned no floating-point output, so there is no gradient to check")
        self.shapes = [y.shape for y in outputs]


_kept = contextvars.ContextVar("kept", default=False)


@contextlib.contextmanager
def kept_dice(devices=(CPU,)):
    """After the block the random numbers of tinycnn and of `numpy.random` go on as if nothing had been.

    Saving and restoring those of numpy takes a hundred times as long as starting them again, so it is done once, by the
    outermost block.
    """
    if _kept.get():
        yield
        return
    streams = [default_generator(device) for device in {CPU, *devices}]
    ours, numpys, token = [stream.get_state() for stream in streams], np.random.get_state(), _kept.set(True)
    try:
        yield
    finally:
        _kept.reset(token)
        for stream, state in zip(streams, ours):
            stream.set_state(state)
        np.random.set_state(numpys)


@contextlib.contextmanager
def dice(seed, devices=(CPU,)):
    """The same, where inside the block all random numbers start from `seed`."""
    with kept_dice(devices):
        for device in {CPU, *devices}:
            default_generator(device).set_state(_start(seed, device))
        np.random.seed(seed % 2**32)
        yield


@functools.lru_cache(maxsize=64)
def _start(seed, device):
    """The state of a generator on `device` that starts from `seed`."""
    return Generator(device).manual_seed(seed).get_state()


# ---- functions of tensors --------------------------------------------------------------------------------------------

class TensorProblem(Problem):
    """`fn` on Tensors: a function, a Function (its `apply`) or a Module, whose parameters are inputs too."""

    graph = True

    def __init__(self, fn, inputs, options=None, seed=0, title=None, names=None):
        if getattr(fn, "__name__", "") == "apply" and isinstance(getattr(fn, "__self__", None), type):
            fn = fn.__self__  # PyTorch's way to pass a Function
        if isinstance(fn, type) and issubclass(fn, Module):
            raise TypeError(f"gradcheck: fn is the class {fn.__name__}; give one of its modules, {fn.__name__}(...)")
        super().__init__(title or title_of(fn), options, seed)
        self.source, self.fn, self.module = (fn, names), fn, fn if isinstance(fn, Module) else None
        if isinstance(fn, type) and issubclass(fn, Function):
            names = names or names_of(fn.forward, len(inputs), skip=1)
            self.fn = fn.apply
        names = names or names_of(fn.forward if self.module else fn, len(inputs))
        asked = any(isinstance(v, Tensor) and v.requires_grad for v in inputs)
        self.inputs = self.given = list(inputs)
        self.function, self.argument_names = fn.forward if self.module else fn, names
        self.places = [i for i, v in enumerate(inputs)
                       if _is_floating(v) and (not asked or isinstance(v, Tensor) and v.requires_grad)]
        self.parameters = []
        self.names = [names[i] for i in self.places]
        if self.module:
            named = [(name, p) for name, p in fn.named_parameters() if p.requires_grad]
            self.names += [name for name, _ in named]
            self.parameters = [p for _, p in named]
        sources = [getattr(v, "array", v) for v in (*(self.inputs[i] for i in self.places), *self.parameters)]
        if not sources:
            raise ValueError(f"gradcheck: {self.title} got no floating-point input, so there is no gradient to check")
        self.devices = [device_of(array) for array in sources]
        self.values = [to_numpy(array).astype(np.float64) for array in sources]
        self._look()

    def with_number(self, name, number):
        """The same problem with another value of one of the `numbers` that the function has as an option or in its code."""
        if name in inspect.signature(self.function).parameters:
            other = self.variant(options={**self.options, name: number})
        else:
            fn, names = self.source
            forward = staticmethod(with_number(fn.forward, name, number))
            changed = type(fn.__name__, (fn,), {"forward": forward}, wide=fn.wide)
            other = TensorProblem(changed, self.inputs, self.options, self.seed, self.title, names)
        other.numbers = self.numbers | {name: number}
        return other

    @property
    def written(self):
        """The backward of a Function, whose text may be looked at; None where `fn` is something else."""
        fn = self.source[0]
        return fn.backward if isinstance(fn, type) and issubclass(fn, Function) else None

    def with_backward(self, backward):
        """The same problem with another backward of its Function."""
        fn, names = self.source
        other = type(fn.__name__, (fn,), {"backward": staticmethod(backward)}, wide=fn.wide)
        return TensorProblem(other, self.inputs, self.options, self.seed, self.title, names)

    def variant(self, options=None, batch=None, cut=None):
        """The same problem with other options, or on less: see `smaller.py`."""
        fn, names = self.source
        inputs = cut_down(self.inputs, batch, cut)
        return TensorProblem(fn, inputs, self.options if options is None else options, self.seed, self.title, names)

    def outputs(self, values):
        """The floating-point outputs at `values`, without recording; forward gets copies, in case it writes into them."""
        values = [v.copy() for v in values]
        with no_grad(), self._ready(values, [False] * len(values), np.float64, None) as leaves:
            return [to_numpy(y.array).astype(np.float64, copy=False) for y in self._call(leaves)]

    @contextlib.contextmanager
    def run(self, values, needs=None, dtype=np.float64, same=None, times=1, change=None):
        """A forward pass at `values`, or `times` of them side by side.

        `needs` says which inputs require a gradient, `same` (i, j) makes inputs i and j one tensor. `change(saved)` is what
        the backward of a Function gets in the place of the arrays that forward saved.
        """
        with enable_grad(), self._ready(values, needs or [True] * len(values), dtype, same) as leaves:
            outputs = [y for _ in range(times) for y in self._call(leaves)]
            if change:
                outputs[0].grad_fn.saved_tensors = change(outputs[0].grad_fn.saved_tensors)
            yield TensorRun(leaves, outputs)

    def handed_on(self):
        """(key, name, array) of what the forward of a Function saves for its backward; nothing for another `fn`."""
        if not self.written:
            return []
        with self.run([v.copy() for v in self.values]) as run:
            saved = run.tensors[0].grad_fn.saved_tensors if run.tensors[0].requires_grad else ()
            return named_cache(saved, self.written, dict(zip(self.names, self.values)))

    def _call(self, leaves):
        args = list(self.inputs)
        for i, leaf in zip(self.places, leaves):
            args[i] = leaf
        dtype = leaves[0].dtype
        args = [wrap(getattr(a, "array", a).astype(dtype if _is_floating(a) else a.dtype)) if i not in self.places
                and (isinstance(a, Tensor) or is_array(a)) else a for i, a in enumerate(args)]
        with dice(self.seed, self.devices):
            outputs = flatten(self.fn(*args, **self.options))
        return [y for y in outputs if isinstance(y, Tensor) and y.dtype.kind == "f"]

    @contextlib.contextmanager
    def _ready(self, values, needs, dtype, same):
        """The leaves, with the module's parameters and buffers at `dtype` inside the block and as they were after it."""
        arrays = [to_device(v.astype(dtype, copy=False), device) for v, device in zip(values, self.devices)]
        leaves = [wrap(a) for a in arrays[:len(self.places)]]
        modules = list(self.module.modules()) if self.module else []
        everything = list(self.module.parameters()) if self.module else []
        before = [(p, p.array, p.requires_grad) for p in everything], [(m, dict(m._buffers)) for m in modules]
        try:
            for p in everything:
                p.array = p.array.astype(dtype)
            for m in modules:
                m._buffers.update({name: wrap(b.array.astype(dtype if b.dtype.kind == "f" else b.dtype))
                                   for name, b in m._buffers.items() if b is not None})
            for p, array in zip(self.parameters, arrays[len(self.places):]):
                p.array = array
            leaves += self.parameters
            for leaf, need in zip(leaves, needs):
                leaf.requires_grad = need
            if same:
                leaves[same[1]] = leaves[same[0]]
            yield leaves
        finally:
            for p, array, requires_grad in before[0]:
                p.array, p.requires_grad = array, requires_grad
            for m, buffers in before[1]:
                m._buffers.update(buffers)


class TensorRun:
    """One recorded forward pass; `watch` has looked over the shoulder of every backward in it."""

    def __init__(self, leaves, outputs):
        self.leaves, self.tensors = leaves, outputs
        self.inputs = [leaf.array for leaf in leaves]
        self.watch = Watch([y for y in outputs if y.requires_grad], leaves)

    def pull(self, cotangents):
        """The gradients of the leaves for one cotangent an output; None where none arrives."""
        wanted = [leaf for leaf in self.leaves if leaf.requires_grad]
        roots = [(y, c) for y, c in zip(self.tensors, cotangents) if y.requires_grad]
        if not roots or not wanted:
            return [None] * len(self.leaves)
        ys, dys = zip(*((y, wrap(to_device(c.astype(y.dtype, copy=False), y.device))) for y, c in roots))
        found = dict(zip(map(id, wanted), grad(ys, wanted, dys, retain_graph=True, allow_unused=True)))
        gradients = [found.get(id(leaf)) for leaf in self.leaves]
        return [None if g is None else to_numpy(g.array) for g in gradients]

    @property
    def faults(self):
        """What the watch has seen, as sentences."""
        return self.watch.faults

    @property
    def misshapen(self):
        """{number of the input: its gradient} where a gradient came in the wrong shape."""
        return {i: to_numpy(self.watch.misshapen[id(leaf)]) for i, leaf in enumerate(self.leaves)
                if id(leaf) in self.watch.misshapen}
