"""Weight normalisation, w = g v / |v|: the length and the direction of a weight as parameters of their own.

|v| is taken over all dimensions but `dim`, so that every output unit has its own g; over all of them for dim None. Source:
Salimans and Kingma, "Weight normalization: a simple reparameterization to accelerate training of deep neural networks"
(2016).
"""
from ..parameter import Parameter


def length(v, dim):
    """|v| over all dimensions but `dim`, which stay with size 1; a 0-d tensor for dim None."""
    if dim is None or dim == -1:
        return v.norm()
    others = tuple(i for i in range(v.ndim) if i != dim)
    return v.norm(2, others, keepdim=True) if others else v.abs()


def normalized(v, g, dim):
    """g v / |v|."""
    return v * (g / length(v, dim))


class WeightNorm:
    """The hook that computes the weight before every forward."""

    def __init__(self, name, dim):
        self.name, self.dim = name, dim

    def compute_weight(self, module):
        """g v / |v| of this module."""
        return normalized(getattr(module, self.name + "_v"), getattr(module, self.name + "_g"), self.dim)

    def __call__(self, module, inputs):
        setattr(module, self.name, self.compute_weight(module))


def weight_norm(module, name="weight", dim=0):
    """Replace the Parameter `name` of `module` by `name_g` and `name_v`; returns the module.

    `parametrizations.weight_norm` does the same in PyTorch's newer form, with other names in the state dict.
    """
    if find_hook(module, WeightNorm, name):
        raise RuntimeError(f"weight_norm: {name!r} of {type(module).__name__} is normalised already")
    weight = module._parameters.get(name)
    if weight is None:
        raise ValueError(f"weight_norm: {type(module).__name__} has no parameter {name!r}")
    hook = WeightNorm(name, dim)
    delattr(module, name)
    module.register_parameter(name + "_g", Parameter(length(weight.detach(), dim).clone()))
    module.register_parameter(name + "_v", Parameter(weight.detach()))
    setattr(module, name, hook.compute_weight(module))
    module.register_forward_pre_hook(hook)
    return module


def remove_weight_norm(module, name="weight"):
    """Make `name` a Parameter again, with its present value."""
    hook = take_hook("remove_weight_norm", module, WeightNorm, name)
    weight = hook.compute_weight(module).detach()
    delattr(module, name)
    for part in ("_g", "_v"):
        delattr(module, name + part)
    module.register_parameter(name, Parameter(weight))
    return module


def find_hook(module, kind, name):
    """The forward pre-hooks of the class `kind` for the parameter `name`."""
    return [entry for entry in module._forward_pre_hooks if isinstance(entry[0], kind) and entry[0].name == name]


def take_hook(function, module, kind, name):
    """Take the hook of the class `kind` for the parameter `name` away from `module`."""
    found = find_hook(module, kind, name)
    if not found:
        raise ValueError(f"{function}: name must be that of a normalised parameter, and {name!r} of "
                         f"{type(module).__name__} is not normalised")
    module._forward_pre_hooks.remove(found[0])
    return found[0][0]
