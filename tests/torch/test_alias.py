"""`as_torch()` and the command `tinycnn torch`: what says `torch` is run by tinycnn, in a process of its own."""
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ALIASED = "import tinycnn; tinycnn.as_torch(); "


def python(*arguments, cwd):
    """(exit status, what it printed, what it complained) of Python in a process of its own."""
    run = subprocess.run([sys.executable, *arguments], cwd=cwd, capture_output=True, text=True,
                         env={**os.environ, "PYTHONPATH": str(ROOT)})
    return run.returncode, run.stdout, run.stderr


@pytest.mark.parametrize("code, output", [
    ("import torch; print(torch is tinycnn)", "True"),
    ("import torch.nn.functional as F; import torch.nn as nn; print(F is tinycnn.nn.functional, nn is tinycnn.nn)",
     "True True"),
    ("from torch.utils.data import DataLoader; print(DataLoader is tinycnn.data.DataLoader)", "True"),
    ("from torchvision import datasets; import torchvision.transforms as T; print(T is tinycnn.vision.transforms)", "True"),
    ("from torch.nn.modules.batchnorm import _BatchNorm; print(issubclass(tinycnn.nn.BatchNorm2d, _BatchNorm))", "True"),
    ("import torch.jit; print(torch.jit.__spec__.name, torch.__name__, tinycnn.as_torch())", "tinycnn.jit tinycnn None"),
    ("import importlib.util as u; print(u.find_spec('torch.fx'), u.find_spec('torch.nn').name)", "None torch.nn"),
    ("import torch; print(torch.__version__ >= '1.13', torch.__version__.endswith('+tinycnn0.1.0'))", "True True"),
    ("import sys, torch.hub; print([n for n in sorted(sys.modules) if n.endswith('.hub')], torch.hub is tinycnn.hub)",
     "['tinycnn.hub', 'torch.hub'] True"),
    ("import pickle, torch; print(pickle.loads(pickle.dumps(torch.cat)) is torch.cat)", "True"),
])
def test_torch_is_tinycnn_and_no_module_is_there_twice(code, output, tmp_path):
    assert python("-W", "error", "-c", ALIASED + code, cwd=tmp_path) == (0, output + "\n", "")


def test_a_module_that_tinycnn_lacks_is_missing_under_its_name(tmp_path):
    status, _, complaint = python("-c", ALIASED + "import torch.fx", cwd=tmp_path)
    assert status == 1 and "No module named 'torch.fx'" in complaint


def test_it_is_refused_where_pytorch_itself_is_imported(tmp_path):
    (tmp_path / "torch.py").write_text("real = True")
    status, _, complaint = python("-c", "import sys; sys.path.insert(0, ''); import torch, tinycnn; tinycnn.as_torch()",
                                  cwd=tmp_path)
    assert status == 1 and "RuntimeError: as_torch: torch itself is imported already" in complaint


def test_who_does_not_ask_finds_no_other_torch(tmp_path):
    (tmp_path / "torch.py").write_text("real = True")
    found = python("-c", "import sys; sys.path.insert(0, ''); import tinycnn, torch; print(torch.real)", cwd=tmp_path)
    assert found == (0, "True\n", "")


SCRIPT = """
import sys
import torch
from helper import double
if __name__ == "__main__":
    print(sys.argv[1:], double(torch.ones(2)).tolist())
"""


@pytest.fixture
def folder(tmp_path):
    """A folder with a script and a module beside it."""
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "train.py").write_text(SCRIPT)
    (tmp_path / "there" / "helper.py").write_text("import torch\ndouble = lambda x: torch.mul(x, 2)\n")
    return tmp_path


def test_the_command_runs_a_script_with_its_arguments(folder):
    found = python("-m", "tinycnn", "torch", "there/train.py", "--epochs", "3", "-h", cwd=folder)
    assert found == (0, "['--epochs', '3', '-h'] [2.0, 2.0]\n", "")
    assert python("-m", "tinycnn", "torch", "-m", "train", "x", cwd=folder / "there")[1] == "['x'] [2.0, 2.0]\n"


def test_the_command_runs_the_cells_of_a_notebook(folder):
    cells = [("markdown", "# import nothing"),
             ("code", "%matplotlib inline\n!pip install torch\nimport torch\nx = torch.ones(2)"),
             ("code", ["print(x.sum().item(),\n", "      torch.__name__)"])]
    notebook = {"cells": [{"cell_type": kind, "source": source} for kind, source in cells]}
    (folder / "lesson.ipynb").write_text(json.dumps(notebook))
    assert python("-m", "tinycnn", "torch", "lesson.ipynb", cwd=folder) == (0, "2.0 tinycnn\n", "")


@pytest.mark.parametrize("text, status, words", [
    ("import torch.fx", 1, "tinycnn stands in for PyTorch here, and has no torch.fx."),
    ("raise ValueError('of the script')", 1, "script.py\", line 1"), ("raise SystemExit(3)", 3, ""),
])
def test_what_a_script_raises_is_shown_as_python_shows_it(text, status, words, tmp_path):
    (tmp_path / "script.py").write_text(text)
    found, _, complaint = python("-m", "tinycnn", "torch", "script.py", cwd=tmp_path)
    assert found == status and words in complaint


def test_the_command_says_what_is_wrong_with_its_call(tmp_path):
    assert python("-m", "tinycnn", "torch", cwd=tmp_path)[0] == 2
    status, output, _ = python("-m", "tinycnn", "torch", "--help", cwd=tmp_path)
    assert status == 0 and output.startswith("usage: tinycnn torch SCRIPT")
    status, _, complaint = python("-m", "tinycnn", "torch", "nothing.py", cwd=tmp_path)
    assert (status, complaint) == (1, "tinycnn: error: torch: there is no script nothing.py\n")
