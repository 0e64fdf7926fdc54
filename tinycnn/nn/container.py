"""Modules that hold modules or parameters: `Sequential`, and lists and dictionaries of both."""
from collections import OrderedDict
from itertools import groupby
from operator import index as as_index

from ..engine.tensor import Tensor
from .module import Module, indent
from .parameter import Parameter


def _position(container, i):
    """The key of entry `i`, an integer that may count from the end."""
    i, n = as_index(i), len(container)
    if not -n <= i < n:
        raise IndexError(f"{type(container).__name__}: index {i} is out of range for {n} entries")
    return i % n


class _ModuleSequence(Module):
    """What Sequential and ModuleList share: modules in a row, under the names "0", "1", ... or the caller's."""

    def _is_numbered(self):
        return list(self._modules) == [str(i) for i in range(len(self))]

    def _renew(self, modules):
        """Hold `modules` from now on, numbered from 0."""
        self._modules.clear()
        for i, module in enumerate(modules):
            self.add_module(str(i), module)

    def _key(self, i):
        return list(self._modules)[_position(self, i)]

    def __len__(self):
        return len(self._modules)

    def __iter__(self):
        return iter(self._modules.values())

    def __getitem__(self, i):
        if isinstance(i, slice):
            return self._sliced(list(self._modules.items())[i])
        return self._modules[self._key(i)]

    def __setitem__(self, i, module):
        self.register_module(self._key(i), module)

    def __delitem__(self, i):
        for key in list(self._modules)[i] if isinstance(i, slice) else [self._key(i)]:
            del self._modules[key]
        self._renew(list(self))  # names are lost, as in PyTorch

    def append(self, module):
        """Add `module` at the end."""
        self.add_module(str(len(self)), module)
        return self

    def extend(self, modules):
        """Add all `modules` at the end."""
        for module in list(modules):
            self.append(module)
        return self

    def insert(self, index, module):
        """Put `module` before entry `index`, which may count from the end."""
        n = len(self)
        if not -n <= index <= n:
            raise IndexError(f"{type(self).__name__}.insert: index {index} is out of range for {n} entries")
        if not self._is_numbered():
            raise ValueError(f"{type(self).__name__}.insert: the modules have names, {list(self._modules)}, and the new one "
                             "has none: build a new Sequential from an OrderedDict")
        modules = list(self)
        modules.insert(index, module)
        self._renew(modules)
        return self

    def pop(self, index=-1):
        """Take entry `index` out and return it."""
        module = self[index]
        del self[index]
        return module


class Sequential(_ModuleSequence):
    """Modules run one after the other, each on the output of the one before.

    `Sequential(a, b)` names them "0" and "1", `Sequential(OrderedDict(conv=a, relu=b))` by the dictionary's keys. It can be
    indexed, sliced (the slice shares the modules), appended to and iterated over.
    """

    def __init__(self, *modules):
        super().__init__()
        if len(modules) == 1 and isinstance(modules[0], dict):
            for name, module in modules[0].items():
                self.add_module(name, module)
        elif None in modules:
            raise TypeError(f"Sequential: modules must be Modules, got None at place {modules.index(None)}")
        else:
            self._renew(modules)

    def _sliced(self, items):
        return type(self)(OrderedDict(items))

    def __add__(self, other):
        if not isinstance(other, Sequential):
            raise TypeError(f"Sequential: only a Sequential can be added, got {type(other).__name__}")
        return Sequential(*self, *other)

    def __iadd__(self, other):
        if not isinstance(other, Sequential):
            raise TypeError(f"Sequential: only a Sequential can be added, got {type(other).__name__}")
        return self.extend(other)

    def __mul__(self, n):
        if not isinstance(n, int) or n < 1:
            raise ValueError(f"Sequential: can only be repeated a positive number of times, got {n!r}")
        return Sequential(*list(self) * n)

    __rmul__ = __mul__

    def forward(self, x):
        for module in self:
            x = module(x)
        return x


class ModuleList(_ModuleSequence):
    """A list of modules, registered; it has no forward."""

    def __init__(self, modules=None):
        super().__init__()
        self._renew(modules if modules is not None else ())

    def _sliced(self, items):
        return type(self)(module for _, module in items)

    def __add__(self, other):
        return type(self)([*self, *other])

    def __iadd__(self, other):
        return self.extend(other)

    def __repr__(self):
        lines, i = [], 0
        for text, group in groupby(repr(module) for module in self):
            n = len(list(group))
            lines.append(f"({i}): {indent(text)}" if n == 1 else f"({i}-{i + n - 1}): {n} x {indent(text)}")
            i += n
        return f"{self._get_name()}(" + ("\n  " + "\n  ".join(lines) + "\n" if lines else "") + ")"


class ModuleDict(Module):
    """A dictionary of modules, registered, in the order of insertion; it has no forward."""

    def __init__(self, modules=None):
        super().__init__()
        self.update(modules if modules is not None else {})

    def __getitem__(self, key):
        return self._modules[key]

    def __setitem__(self, key, module):
        self.add_module(key, module)

    def __delitem__(self, key):
        del self._modules[key]

    def __len__(self):
        return len(self._modules)

    def __iter__(self):
        return iter(self._modules)

    def __contains__(self, key):
        return key in self._modules

    def clear(self):
        """Remove all modules."""
        self._modules.clear()

    def pop(self, key):
        """Take the module under `key` out and return it."""
        return self._modules.pop(key)

    def keys(self):
        """The names."""
        return self._modules.keys()

    def values(self):
        """The modules."""
        return self._modules.values()

    def items(self):
        """(name, module) of all."""
        return self._modules.items()

    def update(self, modules):
        """Add the entries of a dictionary, or of (name, module) pairs."""
        for key, module in modules.items() if hasattr(modules, "items") else modules:
            self[key] = module


def _as_parameter(container, value):
    if not isinstance(value, Tensor):
        raise TypeError(f"{type(container).__name__}: expected a Parameter or Tensor, got {type(value).__name__}")
    return value if isinstance(value, Parameter) else Parameter(value)


def _describe(name, p):
    place = "" if p.device.type == "cpu" else f" ({p.device})"
    size = "x".join(str(s) for s in p.shape)
    return f"  ({name}): Parameter containing: [{p.dtype} of size {size}{place}]"


class _Parameters(Module):
    """What ParameterList and ParameterDict share."""

    def __len__(self):
        return len(self._parameters)

    def __repr__(self):
        lines = [_describe(name, p) for name, p in self._parameters.items()]
        lines += [f"  ({name}): {indent(repr(module))}" for name, module in self._modules.items()]
        return f"{self._get_name()}(" + ("\n" + "\n".join(lines) + "\n" if lines else "") + ")"


class ParameterList(_Parameters):
    """A list of Parameters, registered; plain tensors become Parameters. It may hold modules, such as other lists, too."""

    def __init__(self, values=None):
        super().__init__()
        self.extend(values if values is not None else ())

    def __len__(self):
        return len(self._parameters) + len(self._modules)

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    def __getitem__(self, i):
        if isinstance(i, slice):
            return type(self)(list(self)[i])
        return getattr(self, str(_position(self, i)))

    def __setitem__(self, i, value):
        setattr(self, str(_position(self, i)), value if isinstance(value, Module) else _as_parameter(self, value))

    def append(self, value):
        """Add `value` at the end."""
        setattr(self, str(len(self)), value if isinstance(value, Module) else _as_parameter(self, value))
        return self

    def extend(self, values):
        """Add all `values` at the end."""
        for value in list(values):
            self.append(value)
        return self

    def __iadd__(self, values):
        return self.extend(values)


class ParameterDict(_Parameters):
    """A dictionary of Parameters, registered; plain tensors become Parameters."""

    def __init__(self, parameters=None):
        super().__init__()
        self.update(parameters if parameters is not None else {})

    def __getitem__(self, key):
        return self._parameters[key]

    def __setitem__(self, key, value):
        self.register_parameter(key, _as_parameter(self, value))

    def __delitem__(self, key):
        del self._parameters[key]

    def __iter__(self):
        return iter(self._parameters)

    def __contains__(self, key):
        return key in self._parameters

    def keys(self):
        """The names."""
        return self._parameters.keys()

    def values(self):
        """The Parameters."""
        return self._parameters.values()

    def items(self):
        """(name, Parameter) of all."""
        return self._parameters.items()

    def pop(self, key):
        """Take the Parameter under `key` out and return it."""
        return self._parameters.pop(key)

    def clear(self):
        """Remove all Parameters."""
        self._parameters.clear()

    def get(self, key, default=None):
        """The Parameter under `key`, or `default`."""
        return self._parameters.get(key, default)

    def setdefault(self, key, default=None):
        """The Parameter under `key`, which is made of `default` where there is none."""
        if key not in self:
            self[key] = default
        return self[key]

    def copy(self):
        """Another ParameterDict with the same Parameters."""
        return ParameterDict(self._parameters)

    def update(self, parameters):
        """Add the entries of a dictionary, or of (name, tensor) pairs."""
        for key, value in parameters.items() if hasattr(parameters, "items") else parameters:
            self[key] = value
