"""Second derivatives. The gradients of a function are themselves a function, of its inputs and of the upstream gradients dy;
`gradgradcheck` records it (`create_graph=True`) and hands it to the ordinary checker."""
import contextlib
import inspect

import numpy as np

from ..engine.autograd import grad
from ..engine.grad_mode import enable_grad
from ..nn.module import Module
from ..ops.creation import zeros_like
from ..engine.construct import as_tensor
from ..engine.tensor import Tensor
from .checker import gradcheck
from .foreign import problem_of
from .problem import TensorProblem, flatten


def gradgradcheck(fn, *inputs, grad_outputs=None, options=None, seed=0, **how):
    """Compare every second derivative of `fn` with finite differences of its gradients, and say what is wrong.

        report = gradgradcheck(F.conv2d, x, w, b, options=dict(stride=2))
        gradgradcheck(fn, (x, w), atol=1e-6)     # PyTorch's form: True, or GradcheckError with the report

    All is as in `gradcheck`, whose further keywords are understood. The upstream gradients `grad_outputs`, one an output,
    are inputs too; they are drawn from `seed` unless given. Raises RuntimeError where a backward cannot be recorded.
    """
    torch_form = bool(inputs) and isinstance(inputs[0], (tuple, list))
    if torch_form:
        inputs, *further = inputs
        grad_outputs, *further = further or [grad_outputs]
        how.update(zip(("eps", "atol", "rtol"), further))
    first = problem_of(fn, inputs, options, seed)
    if not isinstance(first, TensorProblem):
        raise TypeError(f"gradgradcheck: {first.title} does not compute on Tensors of tinycnn, and second derivatives of "
                        "other libraries are not checked")
    if grad_outputs is None:
        rng = np.random.default_rng(seed)
        grad_outputs = [rng.standard_normal(shape) for shape in first.shapes]
    dys = [as_tensor(dy).detach().requires_grad_() for dy in flatten(grad_outputs)]
    if [dy.shape for dy in dys] != first.shapes:
        raise ValueError("gradgradcheck: grad_outputs must have the shapes of the outputs of "
                         f"{first.title}, {first.shapes}, got {[dy.shape for dy in dys]}")
    arguments = [as_tensor(v).detach().requires_grad_() if i in first.places else v for i, v in enumerate(inputs)] + dys
    second = Gradients(first) if first.module else _gradients_of(first)
    return gradcheck(second, arguments, seed=seed, **how) if torch_form else gradcheck(second, *arguments, seed=seed, **how)


class Gradients(Module):
    """The gradients of a module, as a module: the parameters are among its inputs."""

    def __init__(self, problem):
        super().__init__()
        self.fn = problem.module
        self.forward = _gradients_of(problem)


def _gradients_of(problem):
    """The function (inputs, dy) -> gradients of all that has one, for the function of `problem`."""
    def gradients(*tensors):
        args, dys = tensors[:len(problem.inputs)], tensors[len(problem.inputs):]
        with enable_grad(), _requiring(problem.parameters):  # the checker evaluates without recording: not so in here
            args = [_apart(x) if i in problem.places else x for i, x in enumerate(args)]
            outputs = flatten(problem.fn(*args, **problem.options))
            outputs = [y for y in outputs if isinstance(y, Tensor) and y.is_floating_point()]
            wanted = [*(args[i] for i in problem.places), *problem.parameters]
            found, depending = [None] * len(wanted), [k for k, y in enumerate(outputs) if y.requires_grad]
            if depending:
                found = grad([outputs[k] for k in depending], wanted, [dys[k] for k in depending], create_graph=True,
                             allow_unused=True)
        return tuple(zeros_like(x) if g is None else g for x, g in zip(wanted, found))

    names = [f"input{i}" for i in range(len(problem.inputs))]
    for i, name in zip(problem.places, problem.names):
        names[i] = name
    names += ["dy"] if len(problem.shapes) == 1 else [f"dy{k}" for k in range(len(problem.shapes))]
    kind = inspect.Parameter.POSITIONAL_ONLY
    gradients.__signature__ = inspect.Signature([inspect.Parameter(name, kind) for name in names])
    gradients.__name__ = f"the gradients of {problem.title}"
    return gradients


def _apart(x):
    """x as a tensor of its own that requires a gradient: the checker may pass one tensor as two inputs, or as a constant."""
    return (x if x.requires_grad else x.detach().requires_grad_()).clone()


@contextlib.contextmanager
def _requiring(parameters):
    """Inside the block, all `parameters` require gradients."""
    before = [p.requires_grad for p in parameters]
    try:
        for p in parameters:
            p.requires_grad = True
        yield
    finally:
        for p, requires_grad in zip(parameters, before):
            p.requires_grad = requires_grad


__all__ = ["gradgradcheck"]
