"""Hooks: functions that a user hangs onto a tensor, to see or change its gradient in backward."""
import weakref

from .autograd import accumulate
from .function import edge_of
from .tensor import method


class RemovableHandle:
    """What registering a hook returns: `remove()` takes the hook away again; a `with` block does so at its end."""

    def __init__(self, hooks, hook):
        self._hooks, self._hook = hooks, hook

    def remove(self):
        """Take the hook away; a second call does nothing."""
        if self._hook in self._hooks:
            self._hooks.remove(self._hook)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.remove()


@method()
def register_hook(tensor, hook):
    """Call `hook(gradient)` with this tensor's complete gradient in every backward; what it returns replaces it."""
    if not tensor.requires_grad:
        raise RuntimeError("register_hook: this tensor does not require a gradient, so none will arrive")
    target, nr = edge_of(tensor)
    target.hooks = target.hooks or {}
    hooks = target.hooks.setdefault(nr, [])
    hooks.append(hook)
    return RemovableHandle(hooks, hook)


@method()
def register_post_accumulate_grad_hook(tensor, hook):
    """Call `hook(tensor)` on this leaf after every backward that added to its `grad`."""
    if not tensor.requires_grad or tensor.grad_fn is not None:
        raise RuntimeError("register_post_accumulate_grad_hook: only a leaf that requires a gradient accumulates one, "
                           "and this tensor is none")
    tensor.post_hooks = [] if tensor.post_hooks is None else tensor.post_hooks
    tensor.post_hooks.append(hook)
    return RemovableHandle(tensor.post_hooks, hook)


@method()
def retain_grad(tensor):
    """Keep the gradient of this tensor in `grad` although it is no leaf."""
    if tensor.grad_fn is None:
        return
    here = weakref.ref(tensor)

    def keep(gradient):
        if here() is not None:
            accumulate(here(), gradient.array)
    register_hook(tensor, keep)
