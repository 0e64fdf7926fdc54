"""Cases and mutants of `nn/hooking.py`: modules whose backward hooks look and change nothing."""
from ...nn.hooking import HookPoint
from ..registry import case, fixed, mutant, normal


def hooked(forward):
    """A call of a module that computes `forward(*tensors)` under hooks, written for both libraries."""
    def call(t, *tensors):
        class Net(t.nn.Module):
            def forward(self, *xs):
                return forward(*xs)

        net = Net()
        net.register_full_backward_hook(lambda module, grad_input, grad_output: None)
        net.register_full_backward_pre_hook(lambda module, grad_output: None)
        return net(*tensors)
    return call


case(HookPoint, "one input", [normal(2, 3)], hooked(lambda x: x.exp()))
case(HookPoint, "two inputs, two outputs", [normal(2, 3), normal(2, 3)], hooked(lambda x, y: (x * y, x + y.exp())))
case(HookPoint, "an input without gradient", [fixed(normal(3)), normal(2, 3)], hooked(lambda x, y: x * y))
case(HookPoint, "the same input twice", [normal(2, 3)], lambda t, x: hooked(lambda a, b: a * b.exp())(t, x, x))
case(HookPoint, "empty", [normal(0, 3)], hooked(lambda x: x.exp()))


@mutant(HookPoint, "gradients in reverse order")
def reverse_order(backward, ctx, *dys):
    return backward(ctx, *dys)[::-1]


@mutant(HookPoint, "only the first gradient passes")
def first_only(backward, ctx, *dys):
    first, *others = backward(ctx, *dys)
    return [first, *(None for _ in others)]


@mutant(HookPoint, "the gradient counts twice")
def twice(backward, ctx, *dys):
    return [None if dx is None else 2 * dx for dx in backward(ctx, *dys)]
