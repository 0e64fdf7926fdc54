"""Parameters that are computed from others.

`register_parametrization(layer, "weight", p)` moves the Parameter `weight` to `layer.parametrizations.weight.original`, and
`layer.weight` becomes what the module `p` makes of it, computed at every use. Training then changes the original. Assigning
a tensor to `layer.weight` goes back through `p.right_inverse`, where p defines it.
"""
from ...engine.grad_mode import no_grad
from ...engine.tensor import Tensor
from ..container import ModuleDict, ModuleList
from ..parameter import Parameter


class ParametrizationList(ModuleList):
    """The parametrizations of one tensor, applied in order, and that from which they start.

    It is `original`, or `original0`, `original1`, ... where the first parametrization starts from several tensors.
    """

    def __init__(self, modules, original):
        super().__init__(modules)
        start = self._inverted(original)
        if isinstance(start, Tensor):
            original.data = start  # the same Parameter object, which optimizers know
            self._names, start = ["original"], [original]
        else:
            self._names = [f"original{i}" for i in range(len(start))]
            start = [Parameter(value) if isinstance(original, Parameter) else value for value in start]
        for name, value in zip(self._names, start):
            (self.register_parameter if isinstance(value, Parameter) else self.register_buffer)(name, value)

    def forward(self):
        """The parametrized tensor."""
        value, *rest = self
        value = value(*(getattr(self, name) for name in self._names))
        for module in rest:
            value = module(value)
        return value

    @no_grad()
    def _inverted(self, value):
        """The tensor, or tensors, from which `value` results."""
        for module in reversed(list(self)):
            if hasattr(module, "right_inverse"):
                value = module.right_inverse(value)
        return value

    def right_inverse(self, value):
        """Set the originals so that the parametrized tensor becomes `value`."""
        start = self._inverted(value)
        for name, own in zip(self._names, [start] if isinstance(start, Tensor) else start, strict=True):
            getattr(self, name).data.copy_(own)


def is_parametrized(module, tensor_name=None):
    """Whether `module` has a parametrized tensor, or that of this name."""
    lists = module._modules.get("parametrizations")
    return bool(lists) and (tensor_name is None or tensor_name in lists)


def type_before_parametrizations(module):
    """The class of the module, as if nothing were parametrized."""
    return type(module).__bases__[0] if is_parametrized(module) else type(module)


def register_parametrization(module, tensor_name, parametrization, *, unsafe=False):
    """Compute the Parameter or buffer `tensor_name` of `module` with the module `parametrization` from now on.

    A second parametrization acts on the result of the first. Returns `module`, whose class is a subclass of its own from now
    on. Raises KeyError for an unknown name, and, unless `unsafe`, ValueError where shape or dtype would change.
    """
    parametrization.train(module.training)
    before = module._parameters.get(tensor_name, module._buffers.get(tensor_name))
    if is_parametrized(module, tensor_name):
        before = getattr(module, tensor_name)
    if before is None:
        raise KeyError(f"register_parametrization: {type(module).__name__} has no parameter or buffer {tensor_name!r}")
    if not unsafe:
        _check(parametrization, before)
    if is_parametrized(module, tensor_name):
        module.parametrizations[tensor_name].append(parametrization)
        return module
    parametrizations = ParametrizationList([parametrization], before)
    delattr(module, tensor_name)
    if not is_parametrized(module):
        module.__class__ = type(f"Parametrized{type(module).__name__}", (type(module),), {})
        module.parametrizations = ModuleDict()
    module.parametrizations[tensor_name] = parametrizations
    setattr(type(module), tensor_name, property(lambda self: self.parametrizations[tensor_name](),
                                                lambda self, value: self.parametrizations[tensor_name].right_inverse(value)))
    return module


@no_grad()
def _check(parametrization, before):
    """Raise ValueError unless `parametrization` gives the tensor `before` back in its shape and dtype."""
    start = parametrization.right_inverse(before) if hasattr(parametrization, "right_inverse") else before
    after = parametrization(start) if isinstance(start, Tensor) else parametrization(*start)
    if not isinstance(after, Tensor) or (after.shape, after.dtype) != (before.shape, before.dtype):
        got = f"shape {after.shape} and dtype {after.dtype}" if isinstance(after, Tensor) else type(after).__name__
        raise ValueError(f"register_parametrization: {type(parametrization).__name__} must keep the shape {before.shape} "
                         f"and dtype {before.dtype}, got {got}; pass unsafe=True if that is meant")


def remove_parametrizations(module, tensor_name, leave_parametrized=True):
    """Make `tensor_name` a plain Parameter or buffer again: with its present value, or that of the original."""
    if not is_parametrized(module, tensor_name):
        raise ValueError(f"remove_parametrizations: {tensor_name!r} of {type(module).__name__} is not parametrized")
    parametrizations = module.parametrizations[tensor_name]
    with no_grad():
        value = getattr(module, tensor_name)
    first = getattr(parametrizations, parametrizations._names[0])
    if len(parametrizations._names) == 1:
        if leave_parametrized:
            first.data = value
    elif leave_parametrized:
        first = Parameter(value.detach()) if isinstance(first, Parameter) else value
    else:
        raise ValueError(f"remove_parametrizations: {tensor_name!r} has {len(parametrizations._names)} originals: only "
                         "leave_parametrized=True says what it should be")
    delattr(type(module), tensor_name)
    del module.parametrizations[tensor_name]
    if not module.parametrizations:
        del module.parametrizations
        module.__class__ = type(module).__bases__[0]
    (module.register_parameter if isinstance(first, Parameter) else module.register_buffer)(tensor_name, first)
    return module
