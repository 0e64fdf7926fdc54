"""What goes out to students, and into other graders: stubs without solutions, nbgrader notebooks, a Gradescope archive."""
import ast
import hashlib
import json
import secrets
import sys
import zipfile
from pathlib import Path

from . import walls
from .course import lectures, load, names
from .exercise import BEGIN, STUB
from .student import ProcessStudent
from .submissions import collect

PAGE = """# Exercises

Each file is one exercise and stands alone. Its first lines say what to do; fill in what raises NotImplementedError, with
NumPy alone. All of it works without a network:

    pip install {install}           # the folder of tinycnn that your course hands out
    tinycnn exercises check linear        # what is right, and what is wrong and why
    tinycnn exercises hint linear         # three hints, from gentle to nearly the answer
    tinycnn exercises demo linear         # a network learns digits with your function inside
    tinycnn exercises progress            # what you have solved

Hand in this folder, or a .zip of it, with the names of the files as they are.

| lecture | exercise | minutes | what |
|---|---|---|---|
{rows}
"""


def make_release(folder, exercises=(), install="PATH/TO/tinycnn"):
    """Write the stubs of `exercises` (default: all) and a README into the new `folder`; returns the paths.

    `install` is what the README tells students to give to pip: a folder, or an address ("git+https://...").

    Raises FileExistsError where the folder exists and is not empty, ValueError for unknown exercises.
    """
    folder, exercises = _new(folder), [load(name) for name in exercises or names()]
    paths = []
    for exercise in exercises:
        paths.append(folder / f"{exercise.name}.py")
        paths[-1].write_text(exercise.stub, encoding="utf-8", newline="\n")
    rows = "\n".join(f"| {_lecture(e)} | [{e.name}]({e.name}.py) | {e.minutes} | {e.title} |"
                     for e in exercises)
    paths.append(folder / "README.md")
    paths[-1].write_text(PAGE.format(rows=rows, install=install), encoding="utf-8", newline="\n")
    return paths


def _lecture(exercise):
    number, title = next((i, title) for i, (title, members) in enumerate(lectures(), 1) if exercise.name in members)
    return f"{number}. {title}"


def _new(folder):
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FileExistsError(17, "a new or empty folder is expected", str(folder))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


# ---- nbgrader ---------------------------------------------------------------------------------------------------------

def make_nbgrader(folder, exercises=()):
    """Write an nbgrader course: `folder`/source/NAME/NAME.ipynb for each exercise; returns the paths of the notebooks.

    Exercises whose stub gives lines to start from are left out, because nbgrader clears whole solutions (find_the_bug).
    """
    folder, paths = _new(folder), []
    for exercise in map(load, exercises or names()):
        if STUB in exercise.source:
            continue
        paths.append(folder / "source" / exercise.name / f"{exercise.name}.ipynb")
        paths[-1].parent.mkdir(parents=True)
        paths[-1].write_text(json.dumps(notebook(exercise), indent=1) + "\n", encoding="utf-8", newline="\n")
    (folder / "nbgrader_config.py").write_text('c = get_config()\nc.CourseDirectory.course_id = "tinycnn"\n'
                                               "c.ExecutePreprocessor.timeout = 300\n", encoding="utf-8")
    return paths


def notebook(exercise):
    """The source notebook of an exercise: its statement, a solution cell a function, a cell of tests a check."""
    source = exercise.source
    tree, lines = ast.parse(source), source.splitlines()
    cells = [_cell("markdown", f"# {ast.get_docstring(tree)}", "statement", locked=True)]
    plain = []
    starts = [node.lineno - 1 for node in tree.body[1:]]
    for node, start, end in zip(tree.body[1:], starts, [*starts[1:], len(lines)]):
        text = "\n".join(lines[start:end]).strip()
        if BEGIN in text:
            cells += [_cell("code", "\n\n".join(plain))] * bool(plain) + [_cell("code", text, node.name, solution=True)]
            plain = []
        else:
            plain.append(text)
    cells += [_cell("code", "\n\n".join(plain))] * bool(plain)
    for number, check in enumerate(exercise.checks, 1):
        test = (f"# {check.name}: {check.points} points\nfrom tinycnn import exercises\n\n"
                f"report = exercises.check({exercise.name!r}, {', '.join(exercise.defines)}, part={check.name!r})\n"
                "print(report)\nassert report, report.headline")
        cells.append(_cell("code", test, f"check_{number}", points=check.points))
    return {"cells": cells, "metadata": {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
                                         "language_info": {"name": "python"}}, "nbformat": 4, "nbformat_minor": 5}


def _cell(kind, source, name="", solution=False, points=None, locked=False):
    """A cell of a notebook, with nbgrader's metadata where it has a `name`."""
    metadata = {"grade": points is not None, "grade_id": name, "locked": locked or points is not None,
                "schema_version": 3, "solution": solution, "task": False}
    cell = {"cell_type": kind, "metadata": {"nbgrader": metadata | ({} if points is None else {"points": points})}
            if name else {},
            "source": source.splitlines(True),
            "id": hashlib.sha256((name + source).encode()).hexdigest()[:16]}
    return cell | ({"execution_count": None, "outputs": []} if kind == "code" else {})


# ---- Gradescope -------------------------------------------------------------------------------------------------------

SETUP = """#!/usr/bin/env bash
# tinycnn needs Python 3.11 or newer: choose a base image that has it.
set -e
python3 -m pip install --break-system-packages "numpy>=2.0" || python3 -m pip install "numpy>=2.0"
apt-get install -y -q bubblewrap || echo "no bubblewrap: submissions will run without a sandbox"
"""
RUN = """#!/usr/bin/env bash
exec python3 -I -c "import sys; sys.path.append('/autograder/source')
from tinycnn.exercises.release import gradescope_results; gradescope_results('/autograder/submission', \\
'/autograder/results/results.json', {exercises!r})"
"""


def make_gradescope(path, exercises=()):
    """Write the archive of a Gradescope autograder for `exercises` (default: all) to `path`: setup.sh, run_autograder and
    tinycnn itself. Returns the path; raises FileExistsError where there is one."""
    path, exercises = Path(path), [load(name).name for name in exercises or names()]
    package = Path(__file__).parents[1]
    with zipfile.ZipFile(path, "x", zipfile.ZIP_DEFLATED) as archive:
        for name, text in (("setup.sh", SETUP), ("run_autograder", RUN.format(exercises=exercises))):
            info = zipfile.ZipInfo(name)
            info.external_attr = 0o755 << 16
            archive.writestr(info, text)
        for file in sorted(package.rglob("*")):
            if file.suffix in (".py", ".cu", ".cuh") and "__pycache__" not in file.parts:
                archive.write(file, Path("tinycnn", file.relative_to(package)).as_posix())
    return path


def gradescope_results(submission, out, exercises, seconds=10.0, total=120.0):
    """Grade the folder `submission` of one student and write the results.json that Gradescope reads to `out`."""
    folder, tests = Path(submission), []
    wall = walls.Bubblewrap()
    trouble = walls.trouble_with(wall)
    wall, notes = (walls.Open(), [f"graded without a sandbox: {trouble}"]) if trouble else (wall, [])
    (entry,) = [s for s in collect(folder.parent, exercises) if s.student == folder.name]
    for name in exercises:
        exercise = load(name)
        if name not in entry.sources:
            tests.append({"name": name, "score": 0, "max_score": 100, "output": f"there is no file {name}.py"})
            continue
        with ProcessStudent(entry.sources[name], seconds=seconds, total=total, wall=wall) as student:
            report = exercise.grade(student, secrets.randbelow(2**31))
        tests += [{"name": f"{name}: {r.name}", "score": r.points, "max_score": r.of, "output": r.text or "right"}
                  for r in report.results]
    results = {"output": "\n".join([*notes, *entry.remarks]), "tests": tests}
    Path(out).write_text(json.dumps(results, indent=1), encoding="utf-8")
    print(f"{sum(t['score'] for t in tests)} points", file=sys.stderr)
    return results


__all__ = ["gradescope_results", "make_gradescope", "make_nbgrader", "make_release", "notebook"]
