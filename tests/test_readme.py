"""What the README says is what happens."""
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
pytestmark = pytest.mark.skipif(not README.exists(), reason="the README is not beside the tests")


@pytest.mark.parametrize("code", re.findall(r"```python\n(.*?)```", README.read_text() if README.exists() else "", re.S))
def test_the_python_examples_of_the_readme_run(code):
    exec(compile(code, str(README), "exec"), {"__name__": "readme"})


def test_ci_runs_the_readmes_test_command():
    command = next(line.strip() for line in README.read_text().splitlines() if line.startswith("    ") and "pytest" in line)
    assert command in (ROOT / ".ci" / "run").read_text().splitlines()


def test_the_files_that_the_readme_names_exist():
    for path in re.findall(r"\]\(([\w/.]+)\)", README.read_text()):
        assert (ROOT / path).exists(), path
