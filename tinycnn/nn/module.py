"""`Module`, the base class of all layers and networks.

A module is state (parameters, buffers, submodules) and a `forward`. Assigning to an attribute sorts the value into one of
three dictionaries by its type; everything else here (`parameters`, `to`, `repr`, and in `state.py` `state_dict`) walks those
dictionaries.
"""
from ..engine.answers import explain_forward
from ..engine.arrays import Device, to_device
from ..engine.dtype import as_dtype, bfloat16, float16, float32, float64
from ..engine.hooks import RemovableHandle
from ..engine.tensor import Tensor, wrap
from .hooking import watch_backward
from .parameter import Buffer, Parameter
from .state import State


class Module(State):
    """The base of every layer and network: call `super().__init__()`, assign layers and Parameters, define `forward`.

        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = nn.Linear(4, 2)

            def forward(self, x):
                return self.fc(x).relu()

    Attributes: `training`, which `train()` and `eval()` switch for dropout and normalisation. Call the module, not its
    `forward`: hooks run only in the call.
    """
    def __init__(self):
        for kind in ("_parameters", "_buffers", "_modules"):
            self.__dict__[kind] = {}
        for kind in ("_forward_pre_hooks", "_forward_hooks", "_backward_pre_hooks", "_backward_hooks"):
            self.__dict__[kind] = []
        self.__dict__["_state_hooks"] = {"save_pre": [], "save": [], "load_pre": [], "load": []}
        self.__dict__["_non_persistent"] = set()
        self.training = True

    def forward(self, *inputs):
        """What the module computes; every subclass defines it."""
        raise NotImplementedError(f"{type(self).__name__}: define forward(self, ...) to say what this module computes")

    # ---- attributes ----
    def __setattr__(self, name, value):
        kinds = [self.__dict__.get(kind) for kind in ("_parameters", "_modules", "_buffers")]
        parameters, modules, buffers = kinds
        if isinstance(value, (Parameter, Module)):
            if parameters is None:
                raise AttributeError(f"{type(self).__name__}: call super().__init__() before assigning {name!r}")
            self.__dict__.pop(name, None)
            for kind in kinds:
                if kind is not (parameters if isinstance(value, Parameter) else modules):
                    kind.pop(name, None)
            self._non_persistent.discard(name)
            if isinstance(value, Parameter):
                self.register_parameter(name, value)
            else:
                self.register_module(name, value)
            return
        if isinstance(value, Buffer):
            self.__dict__.pop(name, None)
            self.register_buffer(name, value, value.persistent)
            return
        for kind, word in zip(kinds, ("Parameter", "Module", "Tensor")):
            if kind is not None and name in kind:
                if value is not None and not (kind is buffers and isinstance(value, Tensor)):
                    raise TypeError(f"{type(self).__name__}.{name}: expected a {word} or None, got {type(value).__name__}")
                kind[name] = value
                return
        object.__setattr__(self, name, value)

    def __getattr__(self, name):
        for kind in ("_parameters", "_buffers", "_modules"):
            found = self.__dict__.get(kind, ())
            if name in found:
                return found[name]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __delattr__(self, name):
        for kind in (self._parameters, self._buffers, self._modules):
            if name in kind:
                del kind[name]
                self._non_persistent.discard(name)
                return
        object.__delattr__(self, name)

    def __dir__(self):
        return sorted({*super().__dir__(), *self._parameters, *self._buffers, *self._modules})

    def _check_name(self, function, name, kind):
        """Raise unless `name` may become an attribute in the dictionary `kind`."""
        if not isinstance(name, str):
            raise TypeError(f"{function}: name must be a string, got {type(name).__name__}")
        if "." in name or name == "":
            raise KeyError(f"{function}: name must not be empty or contain a dot, got {name!r}")
        if name not in kind and hasattr(self, name):
            raise KeyError(f"{function}: {type(self).__name__} has an attribute {name!r} already")

    def register_parameter(self, name, param):
        """Add a Parameter (or None, a place for one) under `name`; assigning an attribute does the same."""
        if "_parameters" not in self.__dict__:
            raise AttributeError(f"register_parameter: call super().__init__() before registering {name!r}")
        self._check_name("register_parameter", name, self._parameters)
        if param is not None and not isinstance(param, Parameter):
            raise TypeError(f"register_parameter: {name} must be a Parameter or None, got {type(param).__name__}")
        if param is not None and param.grad_fn is not None:
            raise ValueError(f"register_parameter: {name} was made by an operation; parameters are leaves of the graph")
        self._parameters[name] = param

    def register_buffer(self, name, tensor, persistent=True):
        """Add a Tensor (or None) that is state but not trained; `persistent=False` keeps it out of `state_dict`."""
        if "_buffers" not in self.__dict__:
            raise AttributeError(f"register_buffer: call super().__init__() before registering {name!r}")
        self._check_name("register_buffer", name, self._buffers)
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeError(f"register_buffer: {name} must be a Tensor or None, got {type(tensor).__name__}")
        self._buffers[name] = tensor
        (self._non_persistent.discard if persistent else self._non_persistent.add)(name)

    def register_module(self, name, module):
        """Add a submodule (or None) under `name`; assigning an attribute does the same."""
        if module is not None and not isinstance(module, Module):
            raise TypeError(f"register_module: {name} must be a Module or None, got {type(module).__name__}")
        self._check_name("register_module", name, self._modules)
        self._modules[name] = module

    def add_module(self, name, module):
        """The same as `register_module`."""
        self.register_module(name, module)

    # ---- walking the tree ----
    def children(self):
        """The modules directly inside this one."""
        return (child for _, child in self.named_children())

    def named_children(self):
        """(name, module) of the modules directly inside this one; one that occurs twice comes once."""
        seen = set()
        for name, child in self._modules.items():
            if child is not None and child not in seen:
                seen.add(child)
                yield name, child

    def modules(self):
        """This module and all modules inside it, depth first; one that occurs twice comes once."""
        return (module for _, module in self.named_modules())

    def named_modules(self, memo=None, prefix="", remove_duplicate=True):
        """(dotted name, module) of this module, whose name is `prefix`, and of all inside it."""
        memo = set() if memo is None else memo
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        yield prefix, self
        for name, child in self._modules.items():
            if child is not None:
                yield from child.named_modules(memo, f"{prefix}.{name}" if prefix else name, remove_duplicate)

    def _named_members(self, kind, prefix, recurse, remove_duplicate):
        seen = set()
        modules = self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate) if recurse else [(prefix, self)]
        for path, module in modules:
            for name, value in module.__dict__[kind].items():
                if value is None or id(value) in seen:
                    continue
                if remove_duplicate:
                    seen.add(id(value))
                yield f"{path}.{name}" if path else name, value

    def parameters(self, recurse=True):
        """The Parameters of this module and, if `recurse`, of all inside it; a shared one comes once."""
        return (p for _, p in self.named_parameters(recurse=recurse))

    def named_parameters(self, prefix="", recurse=True, remove_duplicate=True):
        """(dotted name, Parameter), like `parameters`."""
        return self._named_members("_parameters", prefix, recurse, remove_duplicate)

    def buffers(self, recurse=True):
        """The buffers of this module and, if `recurse`, of all inside it."""
        return (b for _, b in self.named_buffers(recurse=recurse))

    def named_buffers(self, prefix="", recurse=True, remove_duplicate=True):
        """(dotted name, Tensor), like `buffers`."""
        return self._named_members("_buffers", prefix, recurse, remove_duplicate)

    def get_submodule(self, target):
        """The module under the dotted name `target`; "" is this one."""
        module = self
        for name in target.split(".") if target else ():
            child = getattr(module, name, None)
            if not isinstance(child, Module):
                raise AttributeError(f"get_submodule: {type(module).__name__} has no submodule {name!r} (looking for "
                                     f"{target!r})")
            module = child
        return module

    def set_submodule(self, target, module):
        """Put `module` in the place of the submodule under the dotted name `target`."""
        path, _, name = target.rpartition(".")
        self.get_submodule(target)
        self.get_submodule(path).register_module(name, module)

    def _get_member(self, function, kind, target):
        path, _, name = target.rpartition(".")
        module = self.get_submodule(path)
        if name not in module.__dict__[kind]:
            raise AttributeError(f"{function}: {type(module).__name__} has no {kind.strip('_')[:-1]} {name!r} "
                                 f"(looking for {target!r})")
        return module.__dict__[kind][name]

    def get_parameter(self, target):
        """The Parameter under the dotted name `target`."""
        return self._get_member("get_parameter", "_parameters", target)

    def get_buffer(self, target):
        """The buffer under the dotted name `target`."""
        return self._get_member("get_buffer", "_buffers", target)

    def apply(self, fn):
        """Call `fn(module)` on every module inside, then on this one; the usual way to initialise weights."""
        for child in self.children():
            child.apply(fn)
        fn(self)
        return self

    # ---- changing all of it ----
    def train(self, mode=True):
        """Switch this module and all inside it to training, or with `mode=False` to evaluation."""
        if not isinstance(mode, bool):
            raise ValueError(f"train: mode must be True or False, got {mode!r}")
        for module in self.modules():
            module.training = mode
        return self

    def eval(self):
        """Switch to evaluation: dropout passes everything, batch norm uses its running statistics."""
        return self.train(False)

    def requires_grad_(self, requires_grad=True):
        """Let autograd follow the parameters, or with False freeze them."""
        for p in self.parameters():
            p.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none=True):
        """Forget the gradients of all parameters, or with `set_to_none=False` fill them with zeros."""
        for p in self.parameters():
            clear_grad(p, set_to_none)

    def to(self, *target, dtype=None, device=None, non_blocking=False, memory_format=None):
        """Move parameters and buffers to a device, a floating-point dtype, both, or those of a tensor; returns the module.

        `m.to("cuda")`, `m.to(float64)`, `m.to("cuda", float64)`, `m.to(x)`. The Parameter objects stay the same, so an
        optimizer made before still trains them. Integer buffers keep their dtype. `non_blocking` and `memory_format`
        change nothing.
        """
        for t in target:
            if isinstance(t, Tensor):
                dtype, device = t.dtype, t.device
            elif isinstance(t, (Device, int)) or isinstance(t, str) and t.partition(":")[0] in ("cpu", "cuda"):
                device = t
            elif t is not None:
                dtype = t
        dtype = dtype if dtype is None else as_dtype(dtype)
        device = device if device is None else Device(device)
        if dtype is not None and dtype.kind != "f":
            raise TypeError(f"Module.to: dtype must be floating point, got {dtype}")

        def convert(array):
            array = array if device is None else to_device(array, device)
            return array.astype(dtype, copy=False) if dtype is not None and array.dtype.kind == "f" else array

        for module in self.modules():
            for p in module._parameters.values():
                if p is not None:
                    p.array = convert(p.array)
                    if p.grad is not None:
                        p.grad.array = convert(p.grad.array)
            for name, buffer in module._buffers.items():
                if buffer is not None:
                    array = convert(buffer.array)
                    module._buffers[name] = buffer if array is buffer.array else wrap(array)
        return self

    def type(self, dst_type):
        """Floating-point state as `dst_type`."""
        return self.to(dtype=dst_type)

    def cuda(self, device="cuda"):
        """Move everything to a GPU."""
        return self.to(device=device)

    def cpu(self):
        """Move everything to the CPU."""
        return self.to(device="cpu")

    def float(self):
        """Floating-point state as float32."""
        return self.to(dtype=float32)

    def double(self):
        """Floating-point state as float64."""
        return self.to(dtype=float64)

    def half(self):
        """Floating-point state as float16."""
        return self.to(dtype=float16)

    def bfloat16(self):
        """TypeError: nothing is computed in bfloat16 here."""
        return self.to(dtype=bfloat16)

    def compile(self, *args, **options):
        """Nothing: what a compiler would change is the time that a call takes."""

    # ---- calling, and hooks ----
    def __call__(self, *args, **kwargs):
        if self._forward_pre_hooks or self._forward_hooks or self._backward_hooks or self._backward_pre_hooks:
            return self._call_with_hooks(args, kwargs)
        try:
            return self.forward(*args, **kwargs)
        except Exception as error:
            explained = explain_forward(self, error, args, kwargs)
            if explained is error:
                raise
            raise explained from error

    def _call_with_hooks(self, args, kwargs):
        for hook, with_kwargs in tuple(self._forward_pre_hooks):
            changed = hook(self, args, kwargs) if with_kwargs else hook(self, args)
            if changed is not None and with_kwargs:
                args, kwargs = changed
            elif changed is not None:
                args = changed if isinstance(changed, tuple) else (changed,)
        lead_output = None
        if self._backward_hooks or self._backward_pre_hooks:
            args, lead_output = watch_backward(self, args)
        output = self.forward(*args, **kwargs)
        for hook, with_kwargs in tuple(self._forward_hooks):
            changed = hook(self, args, kwargs, output) if with_kwargs else hook(self, args, output)
            output = output if changed is None else changed
        return lead_output(output) if lead_output else output

    def register_forward_pre_hook(self, hook, *, prepend=False, with_kwargs=False):
        """Call `hook(module, args)` before every forward; what it returns, unless None, replaces the arguments.

        With `with_kwargs`, `hook(module, args, kwargs)` returns None or (args, kwargs).
        """
        return _add_hook(self._forward_pre_hooks, (hook, with_kwargs), prepend)

    def register_forward_hook(self, hook, *, prepend=False, with_kwargs=False):
        """Call `hook(module, args, output)` after every forward; what it returns, unless None, replaces the output.

        With `with_kwargs`, it is called as `hook(module, args, kwargs, output)`.
        """
        return _add_hook(self._forward_hooks, (hook, with_kwargs), prepend)

    def register_full_backward_hook(self, hook, prepend=False):
        """Call `hook(module, grad_input, grad_output)` in backward; what it returns, unless None, replaces grad_input.

        Both are tuples, one entry a positional argument and one an output; None for what needs no gradient.
        """
        return _add_hook(self._backward_hooks, hook, prepend)

    register_backward_hook = register_full_backward_hook  # an older name

    def register_full_backward_pre_hook(self, hook, prepend=False):
        """Call `hook(module, grad_output)` before this module's backward; what it returns replaces grad_output."""
        return _add_hook(self._backward_pre_hooks, hook, prepend)

    # ---- showing ----
    def extra_repr(self):
        """What stands between the parentheses of `repr`: the options of the layer."""
        return ""

    def _get_name(self):
        return type(self).__name__

    def __repr__(self):
        extra = self.extra_repr()
        lines = extra.split("\n") if extra else []
        if self._modules:
            lines += [f"({name}): {indent(repr(child))}" for name, child in self._modules.items()]
        elif len(lines) == 1:
            return f"{self._get_name()}({extra})"
        return f"{self._get_name()}(" + ("\n  " + "\n  ".join(lines) + "\n" if lines else "") + ")"


def indent(text):
    """`text` with every line but the first moved two columns to the right."""
    return text.replace("\n", "\n  ")


def clear_grad(param, set_to_none):
    """Drop the gradient of `param`, or fill it with zeros."""
    if set_to_none:
        param.grad = None
    elif param.grad is not None:
        param.grad.detach_()
        param.grad.array[...] = 0
        param.grad._version.writes += 1


def _add_hook(hooks, hook, prepend):
    hooks.insert(0 if prepend else len(hooks), hook)
    return RemovableHandle(hooks, hook)
