"""The pytest plugin: the fixture `gradcheck`, its marker, and that it costs nothing where it is not asked for."""
import configparser
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FUNCTIONS = """
import numpy as np
import pytest
from tinycnn.engine.function import Function

class Scale(Function):
    @staticmethod
    def forward(ctx, x, w):
        ctx.save_for_backward(x, w)
        return x * w

    @staticmethod
    def backward(ctx, dy):
        x, w = ctx.saved_tensors
        return dy * w, (dy * x).sum(0)

class Mean(Scale):
    @staticmethod
    def backward(ctx, dy):
        x, w = ctx.saved_tensors
        return dy * w, (dy * x).mean(0)
"""


@pytest.fixture
def run(tmp_path):
    """Run pytest in a project of its own with these tests: (exit status, output)."""
    def run(text, *options, conftest=""):
        (tmp_path / "conftest.py").write_text(conftest)
        (tmp_path / "test_theirs.py").write_text(text)
        command = [sys.executable, "-m", "pytest", "-p", "pytest_tinycnn", "-p", "no:cacheprovider", *options]
        alone = {**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        found = subprocess.run(command, cwd=tmp_path, env=alone, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return found.returncode, found.stdout
    return run


def test_shapes_and_arrays_are_checked_and_the_report_is_the_message(run):
    status, output = run(FUNCTIONS + """
def test_right(gradcheck):
    report = gradcheck(Scale, (4, 3), (3,))
    assert report and report.seed == 0 and [c.value.shape for c in report.inputs] == [(4, 3), (3,)]
    assert gradcheck(Scale, (), ()) and gradcheck(Scale, np.ones((4, 3)), (3,))
    assert (gradcheck(Scale, np.ones((4, 3)), (3,)).inputs[0].value == 1).all()

def test_wrong(gradcheck):
    gradcheck(Mean, (4, 3), (3,))

def test_a_pair(gradcheck):
    gradcheck((lambda x: (x * x, x), lambda dy, x: 2 * x * dy), (4, 3))
    gradcheck((lambda x, n=2: (x ** n, (x, n)), lambda dy, c: c[1] * c[0] ** (c[1] - 1) * dy), (4,),
              options=dict(n=3))
""", "-q")
    assert status == 1 and "1 failed, 2 passed" in output, output
    assert ("E       AssertionError: Mean: dw is 0.25 times the right value: 4 is the batch size, a mean stands where the "
            "sum belongs\nE         dx: right, relative error") in output
    assert ">       gradcheck(Mean, (4, 3), (3,))" in output and "pytest_tinycnn.py" not in output


def test_the_marker_sets_tolerance_and_seeds(run):
    status, output = run(FUNCTIONS + """
class Nearly(Scale):
    @staticmethod
    def backward(ctx, dy):
        x, w = ctx.saved_tensors
        return dy * w * (1 + 1e-4), (dy * x).sum(0)

seen = []

class Noting(Scale):
    @staticmethod
    def forward(ctx, x, w):
        seen.append(x.copy())
        return Scale.forward(ctx, x, w)

@pytest.mark.gradcheck(tol=1e-3)
def test_tolerance(gradcheck):
    gradcheck(Nearly, (4, 3), (3,))

def test_the_usual_tolerance(gradcheck):
    with pytest.raises(AssertionError, match="1.0001 times the right value"):
        gradcheck(Nearly, (4, 3), (3,))

def test_of_a_call(gradcheck):
    gradcheck(Nearly, (4, 3), (3,), tol=1e-3)

@pytest.mark.gradcheck(seeds=range(2, 5))
class TestSeeds:
    def test_all(self, gradcheck):
        assert gradcheck(Noting, (4, 3), (3,)).seed == 4
        drawn = [np.random.default_rng(seed).standard_normal((4, 3)) for seed in range(2, 5)]
        assert all(any(np.array_equal(x, d) for x in seen) for d in drawn)

    def test_of_a_call(self, gradcheck):
        assert gradcheck(Noting, (4, 3), (3,), seed=7).seed == 7
""", "-q", "--strict-markers")
    assert status == 0 and "5 passed" in output, output


@pytest.mark.parametrize("marker, got", [("(1e-3)", r"(0.001,)"), ("(tolerance=1e-3)", "{'tolerance': 0.001}")])
def test_a_marker_with_other_settings_is_an_error_that_names_them(run, marker, got):
    status, output = run(f"import pytest\n@pytest.mark.gradcheck{marker}\ndef test(gradcheck): pass\n")
    assert status == 1 and f"TypeError: pytest.mark.gradcheck: takes tol and seeds, by name, got {got}" in output, output


def test_where_it_is_not_asked_for_nothing_is_imported(run):
    status, output = run("import sys\ndef test():\n    assert 'pytest_tinycnn' in sys.modules\n"
                         "    assert not {'tinycnn', 'numpy'} & set(sys.modules)\n")
    assert status == 0, output


def test_a_project_may_have_a_fixture_and_a_marker_of_that_name(run):
    conftest = ("import pytest\ndef pytest_configure(config):\n    config.addinivalue_line('markers', 'gradcheck: theirs')\n"
                "@pytest.fixture\ndef gradcheck():\n    return 'theirs'\n")
    status, output = run("import pytest\n@pytest.mark.gradcheck(1, theirs=True)\ndef test(gradcheck):\n"
                         "    assert gradcheck == 'theirs'\n", "--strict-markers", conftest=conftest)
    assert status == 0, output


def test_functions_of_other_libraries_are_checked(run):
    pytest.importorskip("torch")
    status, output = run("""
import torch

class Square(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, dy):
        return dy * ctx.saved_tensors[0]

def test_square(gradcheck):
    gradcheck(Square, (4, 3))

def test_layer(gradcheck):
    gradcheck(torch.nn.Linear(3, 2), (4, 3))

def test_function(gradcheck):
    gradcheck(lambda x: torch.exp(x), (4, 3), library="torch")
""", "-q")
    assert status == 1 and "1 failed, 2 passed" in output, output
    assert "AssertionError: Square: dx is 0.5 times the right value: the 2 of the derivative of a square" in output


@pytest.mark.skipif(not (ROOT / "setup.cfg").exists(), reason="setup.cfg is not beside the tests")
def test_it_is_installed_as_a_plugin():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    assert config["options"]["py_modules"] == "pytest_tinycnn"
    (name, module), = re.findall(r"(\w+) = (\w+)", config["options.entry_points"]["pytest11"])
    assert name == module == "pytest_tinycnn"  # one name, so that `-p pytest_tinycnn` does not load it a second time
