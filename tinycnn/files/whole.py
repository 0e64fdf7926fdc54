"""Whole modules in files: a class by its name, and what its object holds. No program, unlike a pickle.

`describe` writes a module as JSON can hold it:
    {"module": [module of the class, its name, parameters, buffers, submodules, attributes]}
the last four as lists of [name, value]. What occurs a second time is {"again": number}, counted in the order in which
modules and parameters occur first. `restore` makes the object without calling its class, and puts all of that in place.

A file can thus choose among the classes and functions that are there, but bring none along. It is given those of tinycnn's
layers, operations and networks, and of others only those that the program has asked for by name.
"""
import contextlib
import importlib
import types

import numpy as np

from ..engine.arrays import Device
from ..engine.dtype import as_dtype
from ..engine.names import printable
from ..engine.tensor import Tensor
from ..nn.module import Module
from ..nn.parameter import Parameter

OWN = ("tinycnn.nn.", "tinycnn.ops.", "tinycnn.models.")  # modules whose classes and functions are always given
_HOOKS = ("_forward_pre_hooks", "_forward_hooks", "_backward_pre_hooks", "_backward_hooks")
_BASE = {*_HOOKS, "_state_hooks", "_non_persistent", "_parameters", "_buffers", "_modules"}
KINDS = ("module", "parameter", "again", "set", "dtype", "device", "name")  # the methods by which a Reader restores
_safe = []


def add_safe_globals(safe_globals):
    """From now on `load` makes objects of these classes, and finds these functions, where a file of a module names them."""
    if not isinstance(safe_globals, (list, tuple, set)) or not all(map(callable, safe_globals)):
        raise TypeError(f"add_safe_globals: safe_globals must be a list of classes and functions, got {safe_globals!r:.80}")
    _safe.extend(safe_globals)


def get_safe_globals():
    """The list of what `add_safe_globals` was given."""
    return list(_safe)


def clear_safe_globals():
    """Forget what `add_safe_globals` was given."""
    _safe.clear()


@contextlib.contextmanager
def safe_globals(safe_globals):
    """A `with` block inside which `load` finds these classes and functions, too."""
    before = list(_safe)
    add_safe_globals(safe_globals)
    try:
        yield
    finally:
        _safe[:] = before


# ---- writing ---------------------------------------------------------------------------------------------------------

class Writer:
    """Describes the modules of one file, whose arrays are put into `arrays`, by the two functions of `saving.py`."""

    def __init__(self, describe_any, put_aside, arrays):
        self._describe_any, self._put_aside, self.arrays = describe_any, put_aside, arrays
        self.numbers, self.inside = {}, 0

    def describe(self, value, path):
        """`value` as JSON, None where it is nothing that belongs to a module."""
        if isinstance(value, Module) or self.inside and isinstance(value, Parameter):
            if id(value) in self.numbers:
                return {"again": self.numbers[id(value)]}
            self.numbers[id(value)] = len(self.numbers)
            if isinstance(value, Module):
                return self._module(value, path)
            return {"parameter": [self._put_aside(value, path, self.arrays), value.requires_grad]}
        if not self.inside:
            return None
        if isinstance(value, (set, frozenset)):
            return {"set": [self._any(v, (*path, i)) for i, v in enumerate(sorted(value, key=repr))]}
        if isinstance(value, np.dtype):
            return {"dtype": as_dtype(value).name}
        if isinstance(value, Device):
            return {"device": str(value)}
        if isinstance(value, (type, types.FunctionType)):
            return {"name": self._name(value, path)}
        return None

    def _any(self, value, path):
        return self._describe_any(value, path, self.arrays, self)

    def _module(self, module, path):
        hooks = [kind for kind in _HOOKS if module.__dict__[kind]] + [h for h in module._state_hooks.values() if h]
        if hooks:
            raise TypeError(f"save: {place(path)} has hooks, which are functions and stay in the program: remove them, or "
                            "save its state_dict()")
        self.inside += 1
        others = {name: value for name, value in module.__dict__.items() if name not in _BASE}
        parts = [[[name, self._any(value, (*path, name))] for name, value in entries.items()]
                 for entries in (module._parameters, module._buffers, module._modules, others)]
        parts[1] = [[*entry, entry[0] not in module._non_persistent] for entry in parts[1]]
        self.inside -= 1
        return {"module": [*self._name(type(module), path), *parts]}

    def _name(self, value, path):
        """[module, qualified name] of a class or function; TypeError where nobody could find it by them."""
        names = [value.__module__, value.__qualname__]
        with contextlib.suppress(ImportError, AttributeError):
            if _look_up(*names) is value:
                return names
        raise TypeError(f"save: {place(path)} is made with {value.__qualname__}, which cannot be imported by its name, as "
                        "what a function defines or a lambda: define it in a module, or save the state_dict() of the model "
                        "and load it with model.load_state_dict(load(f))")


def place(path):
    """The expression that leads to a part of the object, for messages."""
    return "obj" + "".join(f"[{key!r}]" for key in path)


def _look_up(module, name):
    found = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return found


# ---- reading ---------------------------------------------------------------------------------------------------------

class Reader:
    """Makes the modules of one file; `restore_any` is the function of `saving.py` for everything in it.

    `trusted`: whatever class or function the file names is imported and given.
    """

    def __init__(self, restore_any, arrays, make, trusted):
        self._restore_any, self.arrays, self.make, self.trusted, self.found = restore_any, arrays, make, trusted, []
        self.begun = []  # the modules that are being made, each inside the one before

    def restore(self, described):
        """What a description says, of any kind."""
        return self._restore_any(described, self.arrays, self.make, self)

    def module(self, content):
        """An object of the class named in `content`, with its state; its `__init__` is not called."""
        home, name, parameters, buffers, modules, others = content
        cls = self._given(home, name)
        if not (isinstance(cls, type) and issubclass(cls, Module)):
            raise ValueError(f"damaged: {printable(f'{home}.{name}')} is no class of modules")
        module = cls.__new__(cls)
        Module.__init__(module)
        self.found.append(module)
        self.begun.append(module)
        for part, value in parameters:
            module._parameters[part] = self._part(part, value, Parameter)
        for part, value, persistent in buffers:
            module._buffers[part] = self._part(part, value, Tensor)
            if not persistent:
                module._non_persistent.add(part)
        for part, value in modules:
            module._modules[part] = self._part(part, value, Module)
        for part, value in others:
            if part in _BASE or type(part) is not str:
                raise ValueError(f"damaged: {printable(str(part))} is no attribute")
            module.__dict__[part] = self.restore(value)
        self.begun.pop()
        return module

    def _part(self, part, value, kind):
        """A parameter, buffer or submodule that the file calls `part`: of the `kind` that it must be, or None."""
        found = self.restore(value)
        if type(part) is not str or not isinstance(found, (kind, type(None))):
            raise ValueError(f"damaged: {printable(str(part))} is no {kind.__name__}")
        if any(found is module for module in self.begun):
            raise ValueError(f"damaged: a module contains itself, as {printable(part)}")
        return found

    def parameter(self, content):
        """A Parameter."""
        array, requires_grad = content
        self.found.append(Parameter(self.make(self.arrays[array]), requires_grad))
        return self.found[-1]

    def again(self, number):
        """What occurred before."""
        return self.found[number]

    def set(self, content):
        """A set."""
        return {self.restore(part) for part in content}

    def dtype(self, name):
        """A dtype."""
        return as_dtype(name)

    def device(self, name):
        """A Device."""
        return Device(name)

    def name(self, content):
        """A class or function."""
        return self._given(*content)

    def _given(self, home, name):
        """The class or function of that name, if this file may have it."""
        full = printable(f"{home}.{name}")
        for known in _safe:
            if (known.__module__, known.__qualname__) == (home, name):
                return known
        if not self.trusted and home != "tinycnn" and not f"{home}.".startswith(OWN):
            short = printable(name)
            raise ValueError(f"it holds a whole model made with {full}. Where {short} can be imported, ask for it by name, "
                             f"`with tinycnn.serialization.safe_globals([{short}]):`, or trust the file to name anything "
                             "with load(f, weights_only=False). What works everywhere is to save model.state_dict(), and to "
                             "load it with model.load_state_dict(load(f))")
        try:
            found = _look_up(home, name)
        except (ImportError, AttributeError):
            raise ValueError(f"it holds a whole model made with {full}, which cannot be found here: "
                             "define or import it as it was when the model was saved") from None
        if (getattr(found, "__module__", None), getattr(found, "__qualname__", None)) != (home, name):
            raise ValueError(f"damaged: {full} is defined elsewhere")
        return found
