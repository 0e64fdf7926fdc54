"""`Parameter`, a tensor that a module registers when it becomes an attribute, and that optimizers train; `Buffer`,
one that it only keeps.
"""
from ..ops.creation import empty
from ..engine.tensor import Tensor


class Parameter(Tensor):
    """A leaf tensor that shares memory with `data` and requires a gradient unless `requires_grad=False`.

    Results of operations on parameters are plain Tensors. Raises TypeError when `data` is no Tensor, RuntimeError when an
    integer tensor is to require a gradient.
    """

    def __init__(self, data=None, requires_grad=True):
        if data is None:
            data = empty(0)
        if not isinstance(data, Tensor):
            raise TypeError(f"Parameter: data must be a Tensor, got {type(data).__name__}; write Parameter(tensor(...))")
        self.array = data.array
        self._version = data._version
        self.requires_grad_(requires_grad)

    def __repr__(self):
        return "Parameter containing:\n" + super().__repr__()


class Buffer(Tensor):
    """A tensor that a module registers as a buffer when it becomes an attribute; it shares memory with `data`."""

    def __init__(self, data=None, *, persistent=True):
        if data is None:
            data = empty(0)
        if not isinstance(data, Tensor):
            raise TypeError(f"Buffer: data must be a Tensor, got {type(data).__name__}; write Buffer(tensor(...))")
        self.array, self._version, self.persistent = data.array, data._version, persistent
