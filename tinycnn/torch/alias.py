"""`as_torch()`: from then on, in this process, `import torch` means tinycnn, `import torchvision` tinycnn.vision."""
import importlib
import importlib.abc
import importlib.util
import sys

from .version import __version__ as pytorch_version

PLACES = {"torch": "tinycnn", "torchvision": "tinycnn.vision"}


def as_torch():
    """Let this process, and no other, find tinycnn where its code says `torch` or `torchvision`.

    For notebooks and scripts that were written for PyTorch: `import tinycnn; tinycnn.as_torch()` in the first cell, or
    `tinycnn torch script.py` in a terminal. Every module stays one object under both of its names, so that
    `torch.nn.Linear is tinycnn.nn.Linear`. `torch.__version__` then begins with the version of PyTorch whose names tinycnn
    follows. RuntimeError where PyTorch or torchvision itself is imported already.
    """
    if any(isinstance(finder, _Finder) for finder in sys.meta_path):
        return
    real = [name for name in PLACES if name in sys.modules]
    if real:
        raise RuntimeError(f"as_torch: {' and '.join(real)} itself is imported already, and a program cannot have two: call "
                           "tinycnn.as_torch() before anything imports it (in a notebook, restart the kernel first)")
    sys.meta_path.insert(0, _Finder())
    tinycnn = importlib.import_module("tinycnn")
    tinycnn.__version__ = f"{pytorch_version}+tinycnn{tinycnn.__version__}"


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Python's import system asks it first: it answers for the names in PLACES, with modules that exist already."""

    def find_spec(self, name, path=None, target=None):
        """The spec of `name`, None where it is not ours to answer, or where tinycnn has no such module."""
        top, dot, rest = name.partition(".")
        if top not in PLACES:
            return None
        own_name = PLACES[top] + dot + rest
        try:
            module = importlib.import_module(own_name)
        except ModuleNotFoundError as error:
            if error.name is None or not f"{own_name}.".startswith(f"{error.name}."):
                raise
            return None
        spec = importlib.util.spec_from_loader(name, self, is_package=hasattr(module, "__path__"))
        spec.loader_state = module, module.__spec__
        return spec

    def create_module(self, spec):
        """The module itself, not a new one."""
        return spec.loader_state[0]

    def exec_module(self, module):
        """Nothing is run a second time; the module gets back the spec by which Python knows what it is."""
        module.__spec__ = module.__spec__.loader_state[1]


__all__ = ["as_torch"]
