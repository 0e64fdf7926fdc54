"""The lessons: each runs from top to bottom, its notebook is made of it, and it names exercises that exist."""
import base64
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tinycnn import data, exercises

FOLDER = Path(__file__).parent.parent / "notebooks"
LESSONS = sorted(FOLDER.glob("[0-9][0-9]_*.py"))
DATA = {"mnist": data.MNIST, "cifar10": data.CIFAR10}
each_lesson = pytest.mark.parametrize("path", LESSONS, ids=lambda p: p.stem)
pytestmark = pytest.mark.skipif(not LESSONS, reason="the lessons are not beside the tests")


def cells(path):
    """[(kind, text), ...] of a lesson in the percent format."""
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("# %%"):
            found.append(("markdown" if line.strip() == "# %% [markdown]" else "code", []))
        elif found:
            kind, lines = found[-1]
            lines.append(re.sub("^# ?", "", line) if kind == "markdown" else line)
    return [(kind, "\n".join(lines).strip()) for kind, lines in found]


def notebook(path):
    """The notebook of a lesson, as JSON says it."""
    made = path.with_suffix(".ipynb")
    assert made.exists(), f"{made.name} is missing: python notebooks/build.py {path.stem}"
    return json.loads(made.read_text(encoding="utf-8"))


def outputs(path):
    """All outputs of the notebook of a lesson."""
    return [output for cell in notebook(path)["cells"] if cell["cell_type"] == "code" for output in cell["outputs"]]


@each_lesson
def test_a_lesson_runs_without_errors_or_warnings(path, tmp_path):
    needed = re.match(r"#.*\n# data: (\w+)\n", path.read_text(encoding="utf-8"))
    if needed and DATA[needed[1]].place() is None:
        pytest.skip(f"{needed[1]} is not in the data folder {data.data_folder()}")
    nowhere = "http://127.0.0.1:9"  # lessons download nothing
    environment = {**os.environ, "MPLBACKEND": "Agg", "https_proxy": nowhere, "http_proxy": nowhere}
    run = subprocess.run([sys.executable, "-W", "error", "-W", "ignore:FigureCanvasAgg is non-interactive", str(path)],
                         cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600)
    assert run.returncode == 0, run.stderr
    assert not run.stderr, run.stderr


@each_lesson
def test_the_notebook_has_the_cells_of_the_lesson(path):
    made = [(cell["cell_type"], "".join(cell["source"])) for cell in notebook(path)["cells"]]
    assert made == cells(path), f"python notebooks/build.py {path.stem}"


@each_lesson
def test_the_notebook_was_run_and_shows_its_pictures(path):
    for cell in notebook(path)["cells"]:
        assert cell["cell_type"] != "code" or cell["execution_count"], "".join(cell["source"])
    for output in outputs(path):
        assert output["output_type"] != "error" and output.get("name") != "stderr", output
    pictures = [output["data"]["image/png"] for output in outputs(path) if "image/png" in output.get("data", {})]
    assert pictures and all(base64.b64decode(picture).startswith(b"\x89PNG") for picture in pictures)


@each_lesson
def test_the_notebook_is_small_and_knows_no_machine(path):
    assert path.with_suffix(".ipynb").stat().st_size < 300_000
    assert set(notebook(path)["metadata"]) == {"kernelspec", "language_info"}
    for output in outputs(path):
        text = "".join(output.get("text", output.get("data", {}).get("text/plain", "")))
        assert not re.search(r"/home/|/Users/|/tmp/|[A-Z]:\\", text), text


@each_lesson
def test_a_lesson_ends_with_exercises_that_exist(path):
    kind, last = cells(path)[-1]
    assert kind == "markdown" and "## Exercises" in last
    named = re.findall(r"`tinycnn exercises start (\w+)`", last)
    assert named and set(named) <= set(exercises.names())


def test_the_table_of_lessons_is_complete():
    table = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"\]\((\d\d_\w+)\.ipynb\)", table) == [path.stem for path in LESSONS]


@pytest.mark.parametrize("stem", ["01_what_a_convolution_is", "04_im2col"])
def test_a_lesson_as_a_web_page_needs_no_network_and_cuts_no_line(stem, tmp_path):
    pytest.importorskip("nbconvert", reason="needs pip install -e '.[lessons]'")
    pytest.importorskip("latex2mathml", reason="needs pip install -e '.[lessons]'")
    run = subprocess.run([sys.executable, FOLDER / "pages.py", tmp_path, stem], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    page = (tmp_path / f"{stem}.html").read_text(encoding="utf-8")
    links = set(re.findall(r"(?:src|href)=[\"'](?!#|data:)([^\"']*)", page))
    links |= set(re.findall(r"url\((?!data:)[^)]*\)", page))
    assert not {link for link in links if "//" in link} and "<script" not in page
    formulas = sum(text.count("$$") // 2 for kind, text in cells(FOLDER / f"{stem}.py") if kind == "markdown")
    assert page.count("<math") >= formulas > 0 and "$$" not in page and "white-space: pre-wrap" in page
