"""What the README says is what happens."""
import os
import re
import shlex
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.helpers.pages import examples, without_rounding

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
pytestmark = pytest.mark.skipif(not README.exists(), reason="the README is not beside the tests")

TEXT = README.read_text() if README.exists() else ""
EXAMPLES = examples(TEXT)
BELOW_THE_FIRST = [code for code, _ in EXAMPLES if "import" not in code]


@pytest.mark.parametrize("code, printed", EXAMPLES)
def test_an_example_of_the_readme_prints_what_stands_below_it(code, printed, capsys):
    if code in BELOW_THE_FIRST:
        code, printed = EXAMPLES[0][0] + code, EXAMPLES[0][1] + printed
    exec(compile(code, str(README), "exec"), {"__name__": "readme"})
    assert without_rounding(capsys.readouterr().out) == without_rounding(printed)


def test_rounding_is_told_from_mistakes():
    assert without_rounding("error 1.8e-13, 8.0e-01") == without_rounding("error 5.1e-12, 8.0e-01")
    assert without_rounding("error 1.8e-13") != without_rounding("error 1.8e-05") != without_rounding("error 1.9e-05")


@pytest.mark.parametrize("plainly", [True, False])
def test_the_debugger_stops_in_the_convolution_that_one_reads_and_only_plainly(plainly, tmp_path):
    (below,) = BELOW_THE_FIRST
    (tmp_path / "example.py").write_text(EXAMPLES[0][0] + (below if plainly else textwrap.dedent(below.partition("\n")[2])))
    command = shlex.split(re.search(r"^    python (-m pdb .*) example.py$", TEXT, re.M)[1])
    run = subprocess.run([sys.executable, *command, tmp_path / "example.py"], input="p cols.shape\nq\n", cwd=ROOT, text=True,
                         env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert ("(1, 25, 6272)" in run.stdout) == plainly, run.stdout


def test_ci_runs_the_readmes_test_command():
    command = next(line.strip() for line in TEXT.splitlines() if line.startswith("    ") and "pytest" in line)
    assert command in (ROOT / ".ci" / "run").read_text().splitlines()


def test_the_files_that_the_readme_names_exist():
    for path in re.findall(r"\]\(([\w/.]+)\)", TEXT):
        assert (ROOT / path).exists(), path
