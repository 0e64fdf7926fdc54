"""Saving and loading a module: its parameters and buffers as a dictionary of dotted names."""
from collections import OrderedDict, namedtuple

from ..engine.arrays import to_device
from ..engine.hooks import RemovableHandle
from ..engine.construct import as_tensor
from .parameter import Parameter

EXTRA = "_extra_state"  # the key of what `get_extra_state` returns


class IncompatibleKeys(namedtuple("IncompatibleKeys", "missing_keys unexpected_keys")):
    """What `load_state_dict(strict=False)` found: keys the module wanted, and keys it does not know."""
    __slots__ = ()

    def __repr__(self):
        return super().__repr__() if self.missing_keys or self.unexpected_keys else "<All keys matched successfully>"


class State:
    """The part of `Module` that saves and loads.

    A module that keeps its state in another form, or reads older ones, overrides `_save_to_state_dict` or
    `_load_from_state_dict`, or registers a hook; the names and arguments are PyTorch's.
    """
    _optional_state = ()  # names that a checkpoint may lack without being incomplete

    def state_dict(self, *, destination=None, prefix="", keep_vars=False):
        """All parameters and persistent buffers under their dotted names, in order, detached and sharing memory.

        The entries are added to `destination` where one is given; `keep_vars` keeps them attached to the graph.
        """
        state = OrderedDict() if destination is None else destination
        for hook in tuple(self._state_hooks["save_pre"]):
            hook(self, prefix, keep_vars)
        self._save_to_state_dict(state, prefix, keep_vars)
        for name, child in self._modules.items():
            if child is not None:
                child.state_dict(destination=state, prefix=f"{prefix}{name}.", keep_vars=keep_vars)
        for hook in tuple(self._state_hooks["save"]):
            hook(self, state, prefix, {})
        return state

    def _own_state(self):
        """(name, tensor) of the parameters and persistent buffers that are this module's own."""
        for name, value in (*self._parameters.items(), *self._buffers.items()):
            if value is not None and name not in self._non_persistent:
                yield name, value

    def _save_to_state_dict(self, destination, prefix, keep_vars):
        """Put this module's own state, not that of its children, into `destination`."""
        for name, value in self._own_state():
            destination[prefix + name] = value if keep_vars else value.detach()
        if self._has_extra_state():
            destination[prefix + EXTRA] = self.get_extra_state()

    def _has_extra_state(self):
        return type(self).get_extra_state is not State.get_extra_state

    def get_extra_state(self):
        """What else belongs into the state dict; a subclass that defines it also defines `set_extra_state`."""
        raise RuntimeError(f"{type(self).__name__}: define get_extra_state(self) to save more than parameters and buffers")

    def set_extra_state(self, state):
        """Take back what `get_extra_state` returned."""
        raise RuntimeError(f"{type(self).__name__}: define set_extra_state(self, state) to load what get_extra_state saved")

    def load_state_dict(self, state_dict, strict=True, assign=False):
        """Copy the values of `state_dict` (name: Tensor or array) into the parameters and buffers of those names.

        Returns `(missing_keys, unexpected_keys)`. Raises RuntimeError that lists every shape that differs and, if `strict`,
        every missing and unexpected key; nothing is copied then. Values are cast to the module's dtype and device, unless
        `assign`: then the loaded tensors themselves take the places of the old ones.
        """
        if not hasattr(state_dict, "keys"):
            raise TypeError(f"load_state_dict: state_dict must be a dictionary, got {type(state_dict).__name__}")
        metadata, writes = getattr(state_dict, "_metadata", None) or {}, []
        missing, unexpected, errors = [], [], []
        self._load_all(OrderedDict(state_dict), "", metadata, writes, missing, unexpected, errors)
        if strict and unexpected:
            errors.insert(0, "Unexpected key(s) in state_dict: " + ", ".join(f'"{key}"' for key in unexpected) + ". ")
        if strict and missing:
            errors.insert(0, "Missing key(s) in state_dict: " + ", ".join(f'"{key}"' for key in missing) + ". ")
        if errors:
            raise RuntimeError(f"Error(s) in loading state_dict for {type(self).__name__}:\n\t" + "\n\t".join(errors))
        for module, name, value in writes:
            module._write_state(name, value, assign)
        return IncompatibleKeys(missing, unexpected)

    def _load_all(self, entries, prefix, metadata, writes, missing, unexpected, errors):
        """Compare the state of this module and, below it, of its children with `entries`; the lists are filled."""
        local = {**metadata.get(prefix[:-1], {}), "writes": writes}
        arguments = (entries, prefix, local, True, missing, unexpected, errors)
        for hook in tuple(self._state_hooks["load_pre"]):
            hook(self, *arguments)
        self._load_from_state_dict(*arguments)
        for name, child in self._modules.items():
            if child is not None:
                below = f"{prefix}{name}."
                mine = {key: value for key, value in entries.items() if key.startswith(below)}
                child._load_all(mine, below, metadata, writes, missing, unexpected, errors)
        found = IncompatibleKeys(missing, unexpected)
        for hook in tuple(self._state_hooks["load"]):
            hook(self, found)

    def _load_from_state_dict(self, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs):
        """Find this module's own state under `prefix`; what does not fit goes into the three lists.

        The values are written when all modules have had their turn: until then they wait in `local_metadata["writes"]`.
        """
        own, expected = dict(self._own_state()), set()
        for name, tensor in own.items():
            key = prefix + name
            expected.add(key)
            if key in state_dict:
                value = as_tensor(state_dict[key])
                if value.shape == tensor.shape:
                    local_metadata["writes"].append((self, name, value))
                else:
                    error_msgs.append(f"size mismatch for {key}: copying a param with shape {value.shape} from checkpoint, "
                                      f"the shape in current model is {tensor.shape}.")
            elif strict and name not in self._optional_state:
                missing_keys.append(key)
        if self._has_extra_state():
            expected.add(prefix + EXTRA)
            if prefix + EXTRA in state_dict:
                local_metadata["writes"].append((self, EXTRA, state_dict[prefix + EXTRA]))
            elif strict:
                missing_keys.append(prefix + EXTRA)
        for key in state_dict if strict else ():
            child, dot, _ = key.removeprefix(prefix).partition(".")
            if key.startswith(prefix) and key not in expected and not (dot and self._modules.get(child) is not None):
                unexpected_keys.append(key)

    def _write_state(self, name, value, assign):
        """Write a loaded value into the parameter or buffer `name`, or make it that."""
        if name == EXTRA:
            self.set_extra_state(value)
            return
        own = self._parameters.get(name)
        if assign:
            setattr(self, name, value if own is None else Parameter(value, own.requires_grad))
            return
        own = self._buffers[name] if own is None else own
        own.array[...] = to_device(value.array, own.device)
        own._version.writes += 1

    def _register_state_hook(self, when, hook):
        self._state_hooks[when].append(hook)
        return RemovableHandle(self._state_hooks[when], hook)

    def register_state_dict_pre_hook(self, hook):
        """Call `hook(module, prefix, keep_vars)` before every `state_dict`."""
        return self._register_state_hook("save_pre", hook)

    def register_state_dict_post_hook(self, hook):
        """Call `hook(module, state_dict, prefix, local_metadata)` after every `state_dict`, to change it in place."""
        return self._register_state_hook("save", hook)

    def register_load_state_dict_pre_hook(self, hook):
        """Call `hook(module, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs)` first.

        It may change, rename or remove entries of `state_dict` (a copy) before they are loaded.
        """
        return self._register_state_hook("load_pre", hook)

    def register_load_state_dict_post_hook(self, hook):
        """Call `hook(module, incompatible_keys)` when the keys have been compared; it may change the lists in there."""
        return self._register_state_hook("load", hook)
