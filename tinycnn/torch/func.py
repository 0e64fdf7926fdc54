"""PyTorch's `torch.func`: derivatives as functions of functions, and a module as a function of its parameters.

Arguments may be tensors, or dictionaries, lists and tuples of them. What a function returns is followed further only where
an argument already was: so these can be applied to each other, `grad(grad(f))`.
"""
import contextlib

from .engine.autograd import grad as _grad
from .engine.grad_mode import enable_grad
from .engine.tensor import Tensor
from .ops.creation import zeros_like
from .ops.rearrange import stack
from .ops.shape import reshape

__all__ = ["functional_call", "grad", "grad_and_value", "hessian", "jacfwd", "jacrev", "jvp", "vjp"]


def functional_call(module, parameters_and_buffers, args=None, kwargs=None, *, tie_weights=True, strict=False):
    """`module(*args, **kwargs)` with the tensors {dotted name: Tensor} in the place of its own parameters and buffers.

    A tuple of such dictionaries counts as one. A single argument need not be a tuple. The module is as it was afterwards.
    """
    if isinstance(parameters_and_buffers, (tuple, list)):
        parameters_and_buffers = {name: x for part in parameters_and_buffers for name, x in part.items()}
    args = args if isinstance(args, tuple) else () if args is None else (args,)
    with contextlib.ExitStack() as afterwards:
        for name, x in parameters_and_buffers.items():
            path, _, last = name.rpartition(".")
            owner = module.get_submodule(path)
            kept = owner._parameters if last in owner._parameters else owner._buffers
            if last not in kept:
                raise RuntimeError(f"functional_call: {type(module).__name__} has no parameter or buffer {name!r}")
            afterwards.callback(kept.__setitem__, last, kept[last])
            kept[last] = x
        return module(*args, **kwargs or {})


def grad_and_value(func, argnums=0, has_aux=False):
    """The function whose result is (gradients of func by its arguments `argnums`, value of func).

    func returns one number, as a 0-d Tensor; with `has_aux`, (number, aux), and (value, aux) comes back.
    """
    def derivative(*args, **kwargs):
        args, wanted = _followed(args, argnums)
        own = _leaves(wanted)
        with enable_grad():
            value = func(*args, **kwargs)
            value, aux = value if has_aux else (value, None)
            found = _grad(value, own, create_graph=True, materialize_grads=True)
        found, value = iter([_settled(g, own) for g in found]), _settled(value, own)
        aux = _rebuilt(aux, lambda part: _settled(part, own) if isinstance(part, Tensor) else part)
        return _rebuilt(wanted, lambda _: next(found)), (value, aux) if has_aux else value
    return derivative


def grad(func, argnums=0, has_aux=False):
    """The function whose result is the gradient of func by its argument `argnums`, or several; with `has_aux`, also aux."""
    def derivative(*args, **kwargs):
        found, value = grad_and_value(func, argnums, has_aux)(*args, **kwargs)
        return (found, value[1]) if has_aux else found
    return derivative


def vjp(func, *primals):
    """func(*primals), and the function that takes a gradient of it to a tuple of those of the primals: dy -> dy J."""
    primals, wanted = _followed(primals, tuple(range(len(primals))))
    own = _leaves(wanted)
    with enable_grad():
        y = func(*primals)

    def back(dy):
        found = iter(_grad(y, own, dy, create_graph=True, materialize_grads=True))
        return tuple(_rebuilt(wanted, lambda _: _settled(next(found), own)))
    return _settled(y, own), back


def jvp(func, primals, tangents):
    """func(*primals), and how fast it changes when the primals move along `tangents`: J t.

    dy J is linear in dy, with the slope J: so J t is the gradient of dy J t by dy, a derivative of a derivative.
    """
    primals, own = _followed(primals, tuple(range(len(primals))))
    with enable_grad():
        y = func(*primals)
        dy = zeros_like(y).requires_grad_()
        back = _grad(y, own, dy, create_graph=True, materialize_grads=True)
        slope, = _grad(back, [dy], list(tangents), create_graph=True, materialize_grads=True)
    own = [*own, dy]
    return _settled(y, own), _settled(slope, own)


def jacrev(func, argnums=0):
    """The function whose result is the derivative of every element of func, a Tensor, by every one of an argument.

    Its shape is that of the result followed by that of the argument.
    """
    def jacobian(*args, **kwargs):
        args, own = _followed(args, (argnums,))
        with enable_grad():
            y = func(*args, **kwargs)
            rows = [_grad(element, own, create_graph=True, materialize_grads=True)[0] for element in y.reshape(-1)]
            found = reshape(stack(rows), (*y.shape, *own[0].shape))
        return _settled(found, own)
    return jacobian


jacfwd = jacrev


def hessian(func, argnums=0):
    """The function whose result is the second derivative of func by an argument: the derivative of its derivative."""
    return jacrev(jacrev(func, argnums), argnums)


# ---- what they share -------------------------------------------------------------------------------------------------

def _followed(args, argnums):
    """(args with fresh tensors of the same values in the places `argnums`, those arguments alone)."""
    args = list(args)
    for i in argnums if isinstance(argnums, tuple) else (argnums,):
        args[i] = _rebuilt(args[i], lambda x: x.view_as(x) if x.requires_grad else x.detach().requires_grad_())
    return args, tuple(args[i] for i in argnums) if isinstance(argnums, tuple) else args[argnums]


def _rebuilt(tree, change):
    """Dictionaries, lists and tuples as they are, with what `change` makes of every tensor in them."""
    if isinstance(tree, dict):
        return {key: _rebuilt(part, change) for key, part in tree.items()}
    if isinstance(tree, (tuple, list)):
        return type(tree)([_rebuilt(part, change) for part in tree])
    return change(tree)


def _leaves(tree):
    """The tensors in dictionaries, lists and tuples, in the order of `_rebuilt`."""
    found = []
    _rebuilt(tree, found.append)
    return found


def _settled(y, own):
    """y without history, unless there is more behind it than the tensors `own`, which nobody outside knows."""
    known = {id(x) for x in own if x.grad_fn is None}
    nodes, seen = [y.grad_fn], {None}
    while nodes:
        node = nodes.pop()
        if node in seen:
            continue
        seen.add(node)
        ends = [edge[0] for edge in node.edges if edge is not None]
        if any(isinstance(end, Tensor) and id(end) not in known for end in ends):
            return y
        nodes += [end for end in ends if not isinstance(end, Tensor)]
    return y.detach()
