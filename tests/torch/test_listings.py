"""Programs written for PyTorch run after their imports are changed, and give PyTorch's numbers.

Each file of `listings/` is such a program: `build()` makes the model, `train(model, loader)` yields losses and metrics,
BATCH and CLASSES say what pictures and labels it wants. It runs twice, from the same weights, data and random numbers, in
float64.
"""
import pathlib
import re
import types

import numpy as np
import pytest

import tinycnn

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # PyTorch's, of pinned memory and of what it will change
LISTINGS = sorted((pathlib.Path(__file__).parent / "listings").glob("*.py"))


def changed(source):
    """The program with `tinycnn` in its imports in place of `torch`, and nothing else changed."""
    source = re.sub(r"^import torch$", "import tinycnn as torch", source, flags=re.M)
    source = re.sub(r"^import torch\.", "import tinycnn.", source, flags=re.M)
    return re.sub(r"^from torch\b", "from tinycnn", source, flags=re.M)


class Chance:
    """Random numbers from NumPy under the names of the library, so that both libraries draw the same."""

    def __init__(self, library, monkeypatch):
        self.library, self.rng = library, np.random.default_rng(0)
        for name, draw in (("rand", self.rng.random), ("randn", self.rng.standard_normal)):
            monkeypatch.setattr(library, name, self.creation(draw))
            monkeypatch.setattr(library, name + "_like", self.like(draw))

    def creation(self, draw):
        def create(*size, **options):
            size = size[0] if len(size) == 1 and isinstance(size[0], (tuple, list)) else size
            return self.library.tensor(draw(tuple(size)))
        return create

    def like(self, draw):
        return lambda x, **options: self.library.tensor(draw(tuple(x.shape)))


def load(path, library, monkeypatch):
    """The program as a module of the library, in float64."""
    source = path.read_text()
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", False)
    monkeypatch.setattr(tinycnn.backends.cudnn, "benchmark", False)
    Chance(library, monkeypatch)
    module = types.ModuleType(path.stem)
    exec(compile(source if library is torch else changed(source), str(path), "exec"), module.__dict__)
    return module


def batches(module, library):
    rng = np.random.default_rng(1)
    return [(library.from_numpy(rng.standard_normal(module.BATCH)),
             library.from_numpy(rng.integers(0, module.CLASSES, module.BATCH[0]))) for _ in range(3)]


def run(module, library, model):
    """Everything that training yields, and the final state, as numbers."""
    for layer in model.modules():
        if "Dropout" in type(layer).__name__ and hasattr(layer, "p"):
            layer.p = 0.0  # each library has its own random numbers inside
    numbers = [float(v) for v in module.train(model, batches(module, library))]
    return numbers, {name: np.asarray(t.detach().numpy()) for name, t in model.state_dict().items()}


@pytest.fixture(autouse=True)
def double_precision():
    torch.set_default_dtype(torch.float64)
    tinycnn.set_default_dtype(tinycnn.float64)
    yield
    torch.set_default_dtype(torch.float32)
    tinycnn.set_default_dtype(tinycnn.float32)


@pytest.mark.parametrize("path", LISTINGS, ids=[p.stem for p in LISTINGS])
def test_program_gives_pytorchs_numbers_after_its_imports_are_changed(path, monkeypatch):
    theirs_module = load(path, torch, monkeypatch)
    theirs = theirs_module.build()
    ours_module = load(path, tinycnn, monkeypatch)
    ours = ours_module.build()
    start = {name: t.detach().numpy().copy() for name, t in theirs.state_dict().items()}
    ours.load_state_dict({name: tinycnn.tensor(a) for name, a in start.items()})
    Chance(torch, monkeypatch)
    expected, final = run(theirs_module, torch, theirs)
    Chance(tinycnn, monkeypatch)
    found, state = run(ours_module, tinycnn, ours)
    assert len(expected) >= 4
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-10)
    assert list(state) == list(final)
    for name in final:
        np.testing.assert_allclose(state[name], final[name], rtol=1e-7, atol=1e-9, err_msg=name)
    moved = [name for name in final if not np.array_equal(final[name], start[name])]
    assert moved or path.stem in ("adversarial", "style_transfer")  # those change the image


def test_the_mnist_net_has_28938_parameters(monkeypatch):
    module = load(next(p for p in LISTINGS if p.stem == "mnist_net"), tinycnn, monkeypatch)
    assert sum(p.numel() for p in module.build().parameters()) == 28_938


@pytest.mark.parametrize("statement", [
    "import tinycnn as torch; torch.nn.functional.relu; torch.utils.data.DataLoader; torch.optim.lr_scheduler.StepLR",
    "import tinycnn.nn as nn", "import tinycnn.nn.functional as F", "from tinycnn import nn, optim",
    "from tinycnn.utils.data import DataLoader, Dataset", "import tinycnn.optim.lr_scheduler",
    "from tinycnn.optim.lr_scheduler import StepLR", "from tinycnn.nn import Module, Parameter, init",
    "from tinycnn.autograd import Function, Variable, grad", "import tinycnn.nn.init as init", "from tinycnn import Tensor",
    "import tinycnn.optim as optim", "import tinycnn.backends.cudnn as cudnn; cudnn.deterministic = True",
    "from tinycnn.nn.parameter import Parameter", "from tinycnn.nn.modules import Module",
    "from tinycnn.nn.modules.utils import _pair", "import tinycnn.utils.data as data", "import tinycnn.linalg as LA",
    "from tinycnn.nn.utils import clip_grad_norm_", "from tinycnn.utils.data.dataset import Dataset",
    "from tinycnn.nn.modules.conv import Conv2d", "from tinycnn.optim.optimizer import Optimizer",
    "from tinycnn.nn.modules.batchnorm import BatchNorm2d", "from tinycnn.utils.data import random_split",
    "from tinycnn.functional import F, einsum, norm; F.relu", "import tinycnn.nn.parallel",
    "import tinycnn.utils.data.distributed",
    "from tinycnn.hub import load_state_dict_from_url", "import tinycnn.utils.model_zoo as model_zoo; model_zoo.load_url",
    "from tinycnn.utils import model_zoo, checkpoint", "from tinycnn.cuda.amp import GradScaler, autocast",
    "from tinycnn.amp import GradScaler, autocast", "import tinycnn as torch; torch.cuda.amp.GradScaler(); torch.jit.script",
    "import tinycnn.multiprocessing as mp", "import tinycnn.distributed as dist",
    "from tinycnn.utils.hooks import RemovableHandle"])
def test_import_works(statement):
    exec(statement, {})
