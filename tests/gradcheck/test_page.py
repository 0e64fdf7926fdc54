"""What the page on checking gradients shows is what happens, with each library that is installed."""
import os
import subprocess
import sys
from pathlib import Path

import pytest

import tinycnn.gradcheck
from tests.helpers.libraries import imported
from tests.helpers.pages import examples, without_rounding

PAGE = Path(tinycnn.gradcheck.__file__).parent / "README.md"
ROOT = Path(tinycnn.gradcheck.__file__).parents[2]
pytestmark = pytest.mark.skipif(not PAGE.exists(), reason="the page does not come with an installed package")
EXAMPLES = examples(PAGE.read_text()) if PAGE.exists() else []
TESTS = [example for example in EXAMPLES if "def test_" in example[0]]


def before(code):
    """What stands above the example on the page, where it has no imports of its own."""
    above = EXAMPLES[:EXAMPLES.index(code)]
    return "" if code[0].startswith("import") else above[-1][0].replace("print", "str")


@pytest.mark.parametrize("example", [e for e in EXAMPLES if e not in TESTS], ids=lambda e: e[0].split("\n")[0])
def test_an_example_prints_what_stands_below_it(example, capsys):
    code = before(example) + example[0]
    for library in ("torch", "jax", "autograd"):
        if f"import {library}" in code:
            imported(library)
    exec(compile(code, str(PAGE), "exec"), {"__name__": "page"})
    assert without_rounding(capsys.readouterr().out) == without_rounding(example[1])


def test_the_example_of_a_test_fails_as_it_is_shown(tmp_path):
    (code, printed), = TESTS
    (tmp_path / "test_mine.py").write_text(code)
    run = subprocess.run([sys.executable, "-m", "pytest", "-p", "pytest_tinycnn", "-p", "no:cacheprovider", "-q"],
                         cwd=tmp_path, text=True, capture_output=True,
                         env={**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"})
    assert without_rounding(printed) in without_rounding(run.stdout) and "1 failed, 1 passed" in run.stdout, run.stdout
