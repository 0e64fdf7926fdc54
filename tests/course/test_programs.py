"""Programs in the manner of courses, each about one stumbling block: they say `torch`, and print what they print there.

What a program must print stands at its end. It is run with tinycnn in the place of PyTorch, and with PyTorch where that is
installed: so what stands there is what PyTorch says, and nobody's opinion.
"""
import functools
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PROGRAMS = sorted((HERE / "programs").glob("*.py"))
each_program = pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)


def expected(path):
    """What stands at the end of a program."""
    lines = path.read_text().partition("\n# prints\n")[2].splitlines()
    assert lines, f"{path.name} does not say what it prints"
    return "".join(f"{line.removeprefix('#').removeprefix(' ')}\n" for line in lines)


@functools.cache
def printed_under(library):
    """{name of a program: what it printed}, all of them run in one process."""
    run = subprocess.run([sys.executable, HERE / "run_programs.py", library, HERE / "programs"], capture_output=True,
                         text=True, env={**os.environ, "PYTHONPATH": str(HERE.parents[1])})
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


@each_program
def test_a_program_prints_what_it_should(path):
    assert printed_under("tinycnn")[path.stem] == expected(path)


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="PyTorch is not installed: pip install torch")
@each_program
def test_pytorch_prints_the_same(path):
    assert printed_under("torch")[path.stem] == expected(path)
