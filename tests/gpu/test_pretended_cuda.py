"""The pretended GPU is built from nothing, and CuPy computes on it; `tests/helpers/pretended_cuda` says what it is."""
import os
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.helpers.pretended_cuda import build
from tests.helpers.pretended_cuda.__main__ import main

ROOT = Path(__file__).parents[2]


def run(*arguments, **options):
    """(exit status, output) of `python -m tests.helpers.pretended_cuda`."""
    command = [sys.executable, "-m", "tests.helpers.pretended_cuda", *map(str, arguments)]
    result = subprocess.run(command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)
    return result.returncode, result.stdout


@pytest.mark.slow
def test_the_gpus_tests_run_on_the_pretended_gpu(tmp_path):
    if sys.platform != "linux" or shutil.which("g++") is None:
        pytest.skip("needs Linux and g++")
    try:
        urllib.request.urlopen("https://pypi.org/simple/cupy/", timeout=20).close()
    except (urllib.error.URLError, TimeoutError):
        pytest.skip("needs a network, for CuPy from PyPI")
    status, output = run("build", tmp_path / "gpu")
    assert status == 0 and "[5/5]" in output, output
    status, output = run("build", tmp_path / "gpu")
    assert status == 0 and "[1/5]" not in output, "the second time there should be nothing to do"
    names = "neither_copies or runs_out or another_gpu or (a_case and Sigmoid)"
    status, output = run("run", tmp_path / "gpu", "-m", "pytest", "-m", "gpu", "tests/gpu", "-p", "no:cacheprovider",
                         "-rs", "-k", names, env=os.environ | {"PRETENDED_GPUS": "2"})
    assert status == 0 and "skipped" not in output.lower(), output


def test_what_is_missing_is_said(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(build.shutil, "which", lambda tool: None)
    assert main(["build", str(tmp_path / "gpu")]) == 1
    assert main(["run", str(tmp_path / "gpu"), "-c", "1"]) == 1
    error = capsys.readouterr().err
    assert "g++ is missing" in error and "build-essential" in error
    assert f"python -m tests.helpers.pretended_cuda build {tmp_path / 'gpu'}" in error and not (tmp_path / "gpu").exists()
