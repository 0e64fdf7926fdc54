"""How a module's backward hooks see its gradients.

The gradient of a module's input is not the gradient of the tensor passed in: that tensor may have other users, and its
gradient sums over all of them. So the inputs and the outputs of a watched module pass through a node of their own, where
only this module's share flows by, all tensors at once.
"""
from ..engine.function import Function
from ..engine.grad_mode import is_grad_enabled
from ..engine.tensor import Tensor, wrap


class HookPoint(Function):
    """y_i = x_i for any number of tensors.  dx_i = what `notify(dy_1, dy_2, ...)` returns in place i."""

    @staticmethod
    def forward(ctx, *xs, notify):
        ctx.notify = notify
        return tuple(x.view() for x in xs)

    @staticmethod
    def backward(ctx, *dys):
        return ctx.notify(*dys)


def watch_backward(module, args):
    """`args` led past the backward hooks of `module`, and the function that leads its output past them."""
    arrived = []  # grad_output, on its way from the outputs' node to the inputs' node

    def at_output(grad_output):
        for hook in tuple(module._backward_pre_hooks):
            grad_output = _changed(hook(module, grad_output), grad_output)
        arrived[:] = [grad_output]
        if not input_watched:
            at_input((None,) * len(args))
        return grad_output

    def at_input(grad_input):
        if not arrived:  # a second derivative may come here without passing through the outputs: there is nothing to report
            return grad_input
        grad_output = arrived.pop()
        for hook in tuple(module._backward_hooks):
            grad_input = _changed(hook(module, grad_input, grad_output), grad_input)
        return grad_input

    def lead_output(output):
        if isinstance(output, Tensor):
            return _lead((output,), at_output)[0][0]
        return type(output)(_lead(output, at_output)[0]) if type(output) in (tuple, list) else output

    args, input_watched = _lead(args, at_input)
    return args, lead_output


def _lead(values, hook):
    """`values` with the tensors that require gradients behind a HookPoint, and whether there are any.

    In backward, `hook` gets a tuple of gradients, None in the places of other values, and returns such a tuple.
    """
    places = [i for i, v in enumerate(values) if isinstance(v, Tensor) and v.requires_grad and is_grad_enabled()]
    if not places:
        return values, False
    count, values = len(values), list(values)

    def notify(*dys):
        grads = [None] * count
        for i, dy in zip(places, dys):
            grads[i] = dy if isinstance(dy, Tensor) else wrap(dy)
        grads = hook(tuple(grads))
        recorded = isinstance(dys[0], Tensor)
        return [g if g is None or recorded else g.array for g in (grads[i] for i in places)]

    for i, watched in zip(places, HookPoint.apply(*(values[i] for i in places), notify=notify)):
        values[i] = watched
    return tuple(values), True


def _changed(returned, before):
    """The gradients after a hook: what it returned, as a tuple, or those before where it returned None."""
    if returned is None:
        return before
    returned = (returned,) if isinstance(returned, Tensor) else tuple(returned)
    if len(returned) != len(before):
        raise RuntimeError(f"backward hook: returned {len(returned)} gradients where there are {len(before)}")
    return returned
