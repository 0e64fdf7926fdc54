"""The model zoo on either library: the files of `tinycnn/models/` with PyTorch where they say tinycnn.

The zoo is written in PyTorch's names, so a package whose `nn` is `torch.nn` makes PyTorch's models of the same files,
without importing tinycnn.
"""
import importlib
import importlib.util
import sys
import types
from pathlib import Path

TWIN = "zoo_on_pytorch"


def family(t, name):
    """The module `tinycnn/models/NAME.py` on library `t`, tinycnn or torch."""
    if t.__name__ == "tinycnn":
        return importlib.import_module(f"tinycnn.models.{name}")
    if TWIN not in sys.modules:
        sys.modules.update(_package(t))
    return importlib.import_module(f"{TWIN}.models.{name}")


def _package(t):
    """{name: module} of a package that stands for tinycnn."""
    package = types.ModuleType(TWIN)
    package.__path__ = []
    package.__getattr__ = lambda name: getattr(t, name)
    package.nn = t.nn
    zoo = types.ModuleType(f"{TWIN}.models")
    zoo.__path__ = [str(Path(importlib.util.find_spec("tinycnn").origin).parent / "models")]
    modules = {name: types.ModuleType(f"{TWIN}.{name}")
               for name in ("files", "files.saving", "models.weights", "engine", "engine.names")}
    modules["files.saving"].load, modules["models.weights"].shipped = t.load, lambda name: []
    modules["engine.names"].did_you_mean = lambda *names: ""
    modules |= {"nn": t.nn, "nn.functional": t.nn.functional, "nn.utils": t.nn.utils, "models": zoo}
    return {TWIN: package, **{f"{TWIN}.{name}": module for name, module in modules.items()}}
