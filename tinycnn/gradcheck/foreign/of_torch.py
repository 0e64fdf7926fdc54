"""PyTorch: functions of torch tensors, `torch.autograd.Function`s, and modules with their parameters."""
import contextlib
import functools

import numpy as np
import torch

from ..problem import flatten, kept_dice, names_of, title_of
from ..watch import same_values
from .problem import ForeignProblem

Function, Module, Tensor = torch.autograd.Function, torch.nn.Module, torch.Tensor


def serves(fn, inputs):
    """Whether the function or one of its inputs is PyTorch's."""
    fn = _behind_apply(fn)
    return isinstance(fn, Module) or _is_class(fn, (Function, Module)) or any(isinstance(v, Tensor) for v in inputs)


def _is_class(fn, bases):
    return isinstance(fn, type) and issubclass(fn, bases)


def _behind_apply(fn):
    """The Function whose `apply` is given; anything else as it is."""
    owner = getattr(fn, "__self__", None)
    return owner if _is_class(owner, Function) and getattr(fn, "__name__", "") == "apply" else fn


def _to_numpy(tensor):
    """A copy of a tensor, of doubles where it holds floating-point numbers."""
    tensor = tensor.detach().cpu()
    return (tensor.double() if tensor.is_floating_point() else tensor).numpy().copy()


def _to_torch(array, device="cpu"):
    """The tensor of an array; on the CPU it shares its memory, with gaps and in the order that this has."""
    return torch.from_numpy(array.copy() if min(array.strides, default=0) < 0 else array).to(device)


class Foreign(ForeignProblem):
    """`fn` on torch tensors; arrays of NumPy's are tensors to it. PyTorch's dice are thrown anew in every pass, too."""

    graph = True

    def __init__(self, fn, inputs, options=None, seed=0):
        fn = _behind_apply(fn)
        if _is_class(fn, Module):
            raise TypeError(f"gradcheck: fn is the class {fn.__name__}; give one of its modules, {fn.__name__}(...)")
        self.module = fn if isinstance(fn, Module) else None
        function = fn.forward if self.module or _is_class(fn, Function) else fn
        skip = int(_is_class(fn, Function) and fn.setup_context is Function.setup_context)  # forward(ctx, ...)
        inputs = [torch.from_numpy(np.array(v)) if isinstance(v, np.ndarray) else v for v in inputs]
        asked = any(isinstance(v, Tensor) and v.requires_grad for v in inputs)
        self.tensors = {i: v.device for i, v in enumerate(inputs) if isinstance(v, Tensor)}
        places = [i for i in self.tensors if inputs[i].is_floating_point() and (inputs[i].requires_grad or not asked)]
        super().__init__(title_of(type(fn) if self.module else fn), options, seed, fn=fn, function=function,
                         argument_names=names_of(function, len(inputs), skip), places=places,
                         given=[_to_numpy(v) if i in self.tensors else v for i, v in enumerate(inputs)])
        self.where = [self.tensors[i] for i in places]
        self.parameters, self.others = {}, {}
        if self.module:
            named = dict(fn.named_parameters())
            self.parameters = {name: p for name, p in named.items() if p.requires_grad}
            self.others = {name: t for name, t in (named | dict(fn.named_buffers())).items() if name not in self.parameters}
            self.names += self.parameters
            self.where += [p.device for p in self.parameters.values()]
            self.values += [_to_numpy(p) for p in self.parameters.values()]
        self._look()

    def outputs(self, values):
        """The floating-point outputs at `values`; forward gets copies, in case it writes into them.

        It is recorded, too, because a function of PyTorch's may itself ask for gradients.
        """
        return [_to_numpy(y) for y in self.compute(self.leaves([v.copy(order="K") for v in values]))]

    @contextlib.contextmanager
    def run(self, values, needs=None, same=None, times=1):
        """A forward pass at `values`, or `times` of them side by side.

        `needs` says which inputs require a gradient, `same` (i, j) makes inputs i and j one tensor.
        """
        yield TorchRun(self, values, needs, same, times)

    def leaves(self, values, needs=None):
        """`values` as tensors, which share their memory on the CPU and require gradients."""
        leaves = [_to_torch(v, device) for v, device in zip(values, self.where)]
        for leaf, need in zip(leaves, needs or [True] * len(leaves)):
            leaf.requires_grad = need
        return leaves

    def compute(self, leaves):
        """The floating-point outputs for these tensors in the places of inputs and parameters."""
        inputs = self.replaced(leaves)
        for i in self.tensors.keys() - self.places:
            inputs[i] = _to_torch(self.given[i].copy(), self.tensors[i])
        with torch.enable_grad(), self.dice(self.seed):
            if self.module:
                state = dict(zip(self.parameters, leaves[len(self.places):]))
                state |= {name: _to_torch(_to_numpy(t), t.device) for name, t in self.others.items()}
                outputs = torch.func.functional_call(self.module, state, tuple(inputs), self.options)
            else:
                outputs = (self.fn.apply if _is_class(self.fn, Function) else self.fn)(*inputs, **self.options)
        return [y for y in flatten(outputs) if isinstance(y, Tensor) and y.is_floating_point()]

    @contextlib.contextmanager
    def dice(self, seed):
        """Inside, all random numbers start from `seed`; after it, those of the caller go on."""
        gpus = {device.index for device in self.where if device.type == "cuda"}
        with kept_dice(), torch.random.fork_rng(gpus):
            np.random.seed(seed % 2**32)
            for generator in (torch.default_generator, *(torch.cuda.default_generators[i] for i in gpus)):
                generator.manual_seed(seed)
            yield


class TorchRun:
    """One recorded forward pass, at `values`; every backward of a Function in it is looked over the shoulder."""

    def __init__(self, problem, values, needs, same, times):
        self.problem, self.how = problem, (needs, same, times)
        self.values = [v.copy(order="K") for v in values]
        self.faults, self.misshapen = [], {}
        self._record(values)

    def _record(self, values):
        needs, same, times = self.how
        self.leaves = self.problem.leaves(values, needs)
        if same:
            self.leaves[same[1]] = self.leaves[same[0]]
        self.tensors = [y for _ in range(times) for y in self.problem.compute(self.leaves)]
        self.numbers, self.spoilt = {id(leaf): i for i, leaf in enumerate(self.leaves)}, False
        for node in _nodes_of_functions(self.tensors):
            node.apply = functools.partial(self._watched, node, node.apply)

    @property
    def inputs(self):
        """The arrays of the leaves as they are now."""
        return [leaf.detach().cpu().numpy() for leaf in self.leaves]

    def pull(self, cotangents):
        """The gradients of the leaves for one cotangent an output; None where none arrives."""
        if self.spoilt:  # PyTorch refuses another backward through it
            self._record([v.copy(order="K") for v in self.values])
        wanted = list({id(leaf): leaf for leaf in self.leaves if leaf.requires_grad}.values())
        roots = [(y, _to_torch(c, y.device).to(y.dtype)) for y, c in zip(self.tensors, cotangents) if y.requires_grad]
        if not roots or not wanted:
            return [None] * len(self.leaves)
        ys, dys = zip(*roots)
        try:
            with self.problem.dice(self.problem.seed + 1):
                gradients = torch.autograd.grad(ys, wanted, dys, retain_graph=True, allow_unused=True)
        except RuntimeError:
            if not self.spoilt and all(map(same_values, self.inputs, self.values)):
                raise
            return [None] * len(self.leaves)  # one node was to read what another has written into
        found = dict(zip(map(id, wanted), gradients))
        return [None if found.get(id(leaf)) is None else _to_numpy(found[id(leaf)].to_dense()) for leaf in self.leaves]

    def _watched(self, node, backward, *dy):
        """What `backward` returns; a gradient that has not the shape of its input is noted, and zeros go on in its place."""
        saved, name = node.saved_tensors, node.name().removesuffix("Backward")
        before = [_arrays(dy), _arrays(saved)]
        results = backward(*dy)
        results = list(results) if isinstance(results, (tuple, list)) else [results]
        if not all(map(same_values, _arrays(dy), before[0])):
            self._say(f"{name}: backward writes into the upstream gradient it is given: other branches of the graph get the "
                      "changed numbers; compute a new tensor")
        if not all(map(same_values, _arrays(saved), before[1])):
            self.spoilt = True
            self._say(f"{name}: backward writes into a tensor that forward saved: PyTorch refuses a second backward")
        wanted = [k for k, need in enumerate(node.needs_input_grad[:len(results)]) if need]
        for k, (parent, nr) in zip(wanted, [edge for edge in node.next_functions if edge[0]]):
            shape = tuple(parent._input_metadata[nr].shape)
            if isinstance(results[k], Tensor) and not _sums_to(results[k].shape, shape):
                number = self.numbers.get(id(getattr(parent, "variable", None)))
                if number is None:
                    got = tuple(results[k].shape)
                    self._say(f"{name}: the gradient of input {k} has shape {got}, the input has {shape}")
                else:
                    self.misshapen[number] = _to_numpy(results[k])
                results[k] = results[k].new_zeros(shape)
        return tuple(results)

    def _say(self, fault):
        if fault not in self.faults:
            self.faults.append(fault)


def _arrays(tensors):
    """Copies of those that are there, as NumPy's arrays."""
    return [_to_numpy(t) for t in tensors if t is not None]


def _nodes_of_functions(tensors):
    """The nodes in the graph behind `tensors` whose backward is written in Python."""
    found, stack = set(), [t.grad_fn for t in tensors]
    while stack:
        node = stack.pop()
        if node is not None and node not in found:
            found.add(node)
            stack += [parent for parent, _ in node.next_functions]
    return [node for node in found if hasattr(node, "_forward_cls")]


def _sums_to(shape, wanted):
    """Whether PyTorch takes a gradient of `shape` for an input of the shape `wanted`: it sums over what was broadcast."""
    return len(shape) >= len(wanted) and all(w in (1, s) for s, w in zip(shape[::-1], wanted[::-1]))
