"""Grading a class: every hostile submission gets its verdict, everybody else their points, and nothing is lost."""
import csv
import functools
import json
import os
import re
import zipfile

import pytest

from tinycnn import exercises
from tinycnn.cli import main
from tinycnn.exercises import grading, hostile, walls
from tinycnn.exercises.notebook import source_of
from tinycnn.exercises.release import gradescope_results
from tinycnn.exercises.submissions import collect

TRUSTED = bool(walls.trouble_with(walls.Bubblewrap()))   # where there is no sandbox, its tests skip and these go without
grade = functools.partial(grading.grade, trusted=TRUSTED)
LINEAR = exercises.load("linear").source
WRONG = LINEAR.replace("x @ w.T + b", "x @ w.T")


@pytest.fixture(scope="module")
def tried():
    """{what was tried: (Grade, whether it is as it should be)}; raises where an honest student was harmed."""
    return {h.name: (g, ok) for h, g, ok in hostile.try_all()}


@pytest.mark.parametrize("attack", hostile.HOSTILE, ids=lambda h: h.name)
def test_a_hostile_submission_gets_its_verdict_and_nobody_else_is_harmed(attack, tried):
    if attack.name not in tried and "linked" in attack.name:
        pytest.skip("nobody may make links on this system")
    grade, ok = tried[attack.name]
    assert ok, f"{grade.total} points, {grade.remark!r}; expected {attack.least} to {attack.most} and {attack.says!r}"
    assert grade.seconds < 20


def test_there_are_many_different_attacks():
    assert len({h.name for h in hostile.HOSTILE}) == len(hostile.HOSTILE) >= 100
    assert len({h.content() for h in hostile.HOSTILE if h.layout == "file"}) >= 90


# ---- a class ----------------------------------------------------------------------------------------------------------

def hand_in(folder, /, **students):
    """{student: text of linear.py, or {file name: text}} as folders."""
    for student, files in students.items():
        (folder / student).mkdir(parents=True, exist_ok=True)
        for name, text in (files.items() if isinstance(files, dict) else [("linear.py", files)]):
            (folder / student / name).write_text(text, encoding="utf-8")
    return folder


def rows(path):
    with open(path, encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file))[TRUSTED:]


def test_a_class_gets_a_table_a_record_and_a_page_each(tmp_path):
    folder = hand_in(tmp_path / "in", ada=LINEAR, bob=WRONG, eve={"adam.py": exercises.load("adam").source})
    result = grade(folder, tmp_path / "out.csv", seed=5)
    assert rows(tmp_path / "out.csv") == [
        ["student", "linear", "adam", "total", "remark"], ["ada", "100", "", "100", ""],
        ["bob", "75", "", "75", "linear: y is computed without the bias b"], ["eve", "", "100", "100", ""]]
    record = json.loads((tmp_path / "out.json").read_text())
    assert record["seed"] == result.seed == 5 and record["exercises"] == ["linear", "adam"]
    page = (tmp_path / "out-feedback" / "bob.md").read_text()
    assert page.startswith("# bob: 75 of 200 points") and "y is computed without the bias b" in page and "Seed 5." in page
    assert "| adam | not handed in |" in page and "There is no file adam.py" in page and "x @ w.T + b" not in page


def test_the_seed_is_fresh_and_repeats_a_grading(tmp_path):
    folder = hand_in(tmp_path / "in", ada=LINEAR.replace("x @ w.T + b", "x @ w.T + 1.01 * b"))
    first, second = (grade(folder, tmp_path / f"{i}.csv") for i in range(2))
    assert first.seed != second.seed
    again = grade(folder, tmp_path / "2.csv", seed=first.seed)
    assert again.grades[0].feedback == first.grades[0].feedback != second.grades[0].feedback


def test_an_interrupted_grading_goes_on_with_the_same_seed(tmp_path, monkeypatch):
    folder = hand_in(tmp_path / "in", ada=LINEAR, bob=WRONG, cy=WRONG)
    right = grading._grade_one

    def interrupted(submission, *args):
        if submission.student == "cy":
            raise KeyboardInterrupt
        return right(submission, *args)
    monkeypatch.setattr(grading, "_grade_one", interrupted)
    with pytest.raises(KeyboardInterrupt):
        grade(folder, tmp_path / "out.csv", seed=3)
    assert [r[0] for r in rows(tmp_path / "out.csv")] == ["student", "ada", "bob"]
    monkeypatch.setattr(grading, "_grade_one", right)
    hand_in(folder, bob=LINEAR)
    result = grade(folder, tmp_path / "out.csv")
    assert result.kept == 1 and result.seed == 3
    assert [r[2] for r in rows(tmp_path / "out.csv")] == ["total", "100", "100", "75"]
    assert grade(folder, tmp_path / "out.csv", fresh=True, seed=4).kept == 0


def test_a_stumbling_grader_is_told_and_does_not_stop(tmp_path, monkeypatch):
    folder = hand_in(tmp_path / "in", ada=LINEAR, bob=WRONG)
    right = grading._grade_one

    def stumble(submission, *args):
        if submission.student == "bob":
            raise ZeroDivisionError("a bug")
        return right(submission, *args)
    monkeypatch.setattr(grading, "_grade_one", stumble)
    result = grade(folder, tmp_path / "out.csv")
    assert [g.total for g in result.grades] == [100, 0]
    assert result.grades[1].remark == "the grader itself stumbled: ZeroDivisionError: a bug"
    monkeypatch.setattr(grading, "_grade_one", right)
    assert grade(folder, tmp_path / "out.csv").grades[1].total == 75, "who was not graded must be tried again"


def test_submissions_come_as_folders_archives_and_files(tmp_path):
    hand_in(tmp_path, folder={"linear.py": LINEAR}, nested={"notes.txt": "x"}, unnamed={"homework.py": LINEAR},
            badly={"Linear (2).py": LINEAR, "lineer.py": "x"}, twice={"linear.py": LINEAR, "linear-final.py": WRONG})
    hand_in(tmp_path / "nested", deep=LINEAR)
    with zipfile.ZipFile(tmp_path / "archive.zip", "w") as archive:
        archive.writestr("week 3/linear.py", LINEAR)
        archive.writestr("__MACOSX/._linear.py", b"\0\1")
    (tmp_path / "single_linear.py").write_text(LINEAR, encoding="utf-8")
    (tmp_path / "essay.pdf").write_bytes(b"x")
    (tmp_path / ".hidden").mkdir()
    found = {s.student: s for s in collect(tmp_path)}
    assert sorted(found) == ["archive", "badly", "essay.pdf", "folder", "nested", "single", "twice", "unnamed"]
    assert {s for s, e in found.items() if e.sources == {"linear": LINEAR}} == set(found) - {"essay.pdf"}
    assert found["badly"].remarks == ["Linear (2).py was taken for linear.py",
                                      "lineer.py is not the name of an exercise; did you mean linear.py?"]
    assert found["twice"].remarks == ["linear-final.py was taken for linear.py",
                                      "there are several files for linear; linear.py was graded"]
    assert found["unnamed"].remarks == ["homework.py was taken for linear.py, whose functions it defines"]
    assert found["essay.pdf"].remarks == ["essay.pdf is neither a folder nor a .zip, a .py or an .ipynb"]
    assert not found["archive"].remarks and not found["folder"].remarks
    (tmp_path / "ada.py").write_text("y = 1\n", encoding="utf-8")
    assert {s.student: s for s in collect(tmp_path, ["adam"])}["ada"].sources == {"adam": "y = 1\n"}


def notebook(*cells, kind="code"):
    """The text of a notebook with these cells."""
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [
        {"cell_type": kind, "metadata": {}, "outputs": [], "execution_count": None, "source": cell.splitlines(True)}
        for cell in cells]})


MESSY = notebook("%matplotlib inline\nimport numpy as np\nimport matplotlib.pyplot as plt\nfrom tinycnn import exercises",
                 "%%time\n" + LINEAR.replace("    return x @ w.T + b", "    !ls\n    return x @ w.T + OFFSET * b"),
                 "OFFSET = 1\nfigure = plt.figure()", "files = !ls\nnp.dot?\nfor i in range(10**12):\n    pass",
                 "%%bash\nrm -rf /", "report = exercises.check('linear', linear_forward, linear_backward)\nprint(report)\n"
                 "assert report, report.headline")


def test_notebooks_are_read_and_only_what_they_define_is_run(tmp_path):
    hand_in(tmp_path / "in", folder={"linear.ipynb": MESSY}, named={"Homework 3.ipynb": MESSY},
            both={"linear.ipynb": notebook("x = 1"), "linear.py": LINEAR}, wrong={"linear.ipynb": notebook(WRONG)},
            broken={"linear.ipynb": "{"}, old={"linear.ipynb": '{"worksheets": []}'}, deep={"linear.ipynb": "[" * 99999},
            text={"linear.ipynb": notebook("some words", kind="markdown")}, bad={"linear.ipynb": notebook("def f(:")})
    (tmp_path / "in" / "single_linear.ipynb").write_text(MESSY)
    with zipfile.ZipFile(tmp_path / "in" / "zipped.zip", "w") as archive:
        archive.writestr("linear.ipynb", MESSY)
    grades = {g.student: g for g in grade(tmp_path / "in", tmp_path / "out.csv", exercises=["linear"]).grades}
    right = {student for student, g in grades.items() if g.points == {"linear": 100}}
    assert right == {"folder", "named", "both", "single", "zipped"}, [g.feedback for g in grades.values()]
    assert grades["wrong"].points == {"linear": 75} and grades["bad"].points == {"linear": 0}
    assert "loading your file raised SyntaxError" in grades["bad"].remark
    assert grades["named"].remark == "Homework 3.ipynb was taken for linear.py, whose functions it defines"
    for student in ("broken", "old", "deep"):
        assert grades[student].points == {"linear": None}
        assert grades[student].remark.startswith("linear.ipynb is no notebook of Jupyter (version 4 or later): save it")
    assert grades["text"].remark == "linear.ipynb is a notebook without code"


def test_a_notebook_can_be_checked_and_shown_in_a_demo(tmp_path, monkeypatch):
    (tmp_path / "mine.ipynb").write_text(MESSY)
    assert exercises.check("linear", tmp_path / "mine.ipynb").points == 100
    monkeypatch.setattr("tinycnn.exercises.demos.EPOCHS", 1)
    assert exercises.demo("linear", tmp_path / "mine.ipynb", tmp_path / "p.png")["yours"].accuracy > 0.1


@pytest.mark.parametrize("line, stays", [
    ("    != b)", True), ("y = x  # what is this?", True), ("x = a % b", True), ("help?", False), ("np.dot??", False),
    ("%timeit f(x)", False), ("  !pip install x", False), ("t = %timeit -o f()", False), ("if x != 3: pass", True)])
def test_magics_are_skipped_and_python_is_not(line, stays):
    text = source_of(notebook(f"a = 1\n{line}\nb = 2").encode(), "x.ipynb")
    assert text.splitlines()[2] == (line if stays else line[:len(line) - len(line.lstrip())] + "pass")


def test_odd_names_of_students_harm_neither_table_nor_files(tmp_path):
    names = ["=1+1", "a b", "ä", "x" * 60, "con.", "A B"] if os.name == "posix" else ["=1+1", "a b", "ä"]
    hand_in(tmp_path / "in", **{name: "" for name in names})
    result = grade(tmp_path / "in", tmp_path / "out.csv", jobs=3)
    assert len(result.grades) == len(os.listdir(tmp_path / "out-feedback")) == len(names)
    assert "'=1+1" in {r[0] for r in rows(tmp_path / "out.csv")}


def test_bad_arguments_are_refused(tmp_path):
    with pytest.raises(NotADirectoryError):
        grade(tmp_path / "missing")
    with pytest.raises(ValueError, match="is empty"):
        grade(tmp_path, tmp_path / "out.csv")
    with pytest.raises(ValueError, match="there is no exercise 'lineer'"):
        grade(tmp_path, exercises=["lineer"])
    hand_in(tmp_path / "in", ada="")
    (tmp_path / "out.json").write_text("{}")
    with pytest.raises(ValueError, match="out.json is no record of a grading"):
        grade(tmp_path / "in", tmp_path / "out.csv")


def test_the_command_grades(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    hand_in(tmp_path / "in", ada=LINEAR, bob=WRONG)
    trusted = ["--trusted"] * TRUSTED
    assert main(["exercises", "grade", "in", "--jobs", "2", "--only", "linear", "--seed", "1", *trusted]) == 0
    said = capsys.readouterr().out
    assert "2 students, 1 exercises, 87.5 of 100 points on average, seed 1" in said and "grades-feedback" in said
    assert main(["exercises", "grade", "nowhere"]) == 1 and "nowhere" in capsys.readouterr().err


# ---- other graders ----------------------------------------------------------------------------------------------------

def test_the_gradescope_archive_holds_what_it_needs(tmp_path):
    path = exercises.make_gradescope(tmp_path / "a.zip", ["linear"])
    with zipfile.ZipFile(path) as archive:
        assert {"setup.sh", "run_autograder", "tinycnn/__init__.py", "tinycnn/exercises/sources/linear.py"} <= set(
            archive.namelist())
        assert not [n for n in archive.namelist() if "__pycache__" in n]
        assert archive.getinfo("run_autograder").external_attr >> 16 == 0o755
        run = archive.read("run_autograder").decode()
    call = re.search(r"gradescope_results\((.*)\)\"", run, re.S)[1].replace("\\\n", "")
    assert eval(f"({call})") == ("/autograder/submission", "/autograder/results/results.json", ["linear"])
    with pytest.raises(FileExistsError):
        exercises.make_gradescope(path)


def test_gradescope_gets_a_line_for_each_check(tmp_path):
    hand_in(tmp_path, submission=WRONG)
    gradescope_results(tmp_path / "submission", tmp_path / "results.json", ["linear", "adam"])
    tests = json.loads((tmp_path / "results.json").read_text())["tests"]
    assert sum(t["score"] for t in tests) == 75 and sum(t["max_score"] for t in tests) == 200
    assert [t["output"].partition("\n")[0] for t in tests if t["name"] == "linear: the numbers of y"] == [
        "y is computed without the bias b"]
    assert tests[-1] == {"name": "adam", "score": 0, "max_score": 100, "output": "there is no file adam.py"}


def cells(notebook, kind):
    return [c for c in notebook["cells"] if c["metadata"].get("nbgrader", {}).get(kind)]


@pytest.mark.parametrize("name", ["linear", "conv_forward", "value"])
def test_a_notebook_of_tests_gives_the_reference_all_points_and_the_stub_none(name, tmp_path):
    (path,) = exercises.make_nbgrader(tmp_path / "course", [name])
    notebook = json.loads(path.read_text(encoding="utf-8"))
    assert sum(c["metadata"]["nbgrader"]["points"] for c in cells(notebook, "grade")) == 100
    ids = [c["metadata"]["nbgrader"]["grade_id"] for c in notebook["cells"] if "nbgrader" in c["metadata"]]
    assert len(set(ids)) == len(ids) and len({c["id"] for c in notebook["cells"]}) == len(notebook["cells"])
    for cleared, points in ((False, 100), (True, 0)):
        space, won = {}, 0
        for cell in notebook["cells"]:
            text = "".join(cell["source"])
            if cleared:
                text = re.sub(r"(?s)### BEGIN SOLUTION.*?### END SOLUTION", "raise NotImplementedError()", text)
            try:
                exec(text if cell["cell_type"] == "code" else "", space)
                won += cell["metadata"].get("nbgrader", {}).get("points", 0)
            except AssertionError:
                assert cleared
        assert won == points


def test_what_nbgrader_would_clear_is_left_out(tmp_path):
    assert exercises.make_nbgrader(tmp_path / "course", ["find_the_bug"]) == []


@pytest.mark.slow
def test_nbgrader_itself_gives_the_reference_100_points_and_the_released_notebook_none(tmp_path):
    pytest.importorskip("nbgrader", reason="nbgrader is not installed")
    import shutil
    import subprocess
    import sys
    course = tmp_path / "course"
    exercises.make_nbgrader(course, ["linear"])

    def run(*command):
        environment = {**os.environ, "PATH": os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"]}
        done = subprocess.run([sys.executable, "-m", "nbgrader", *command], cwd=course, env=environment, capture_output=True,
                              text=True, timeout=300)
        assert done.returncode == 0, done.stderr[-3000:]
    run("generate_assignment", "linear")
    released = course / "release" / "linear" / "linear.ipynb"
    assert "SOLUTION" not in released.read_text() and "x @ w.T" not in released.read_text()
    for student, notebook in (("reference", course / "source" / "linear" / "linear.ipynb"), ("stub", released)):
        (course / "submitted" / student / "linear").mkdir(parents=True)
        shutil.copy(notebook, course / "submitted" / student / "linear")
    run("autograde", "linear")
    run("export")
    with open(course / "grades.csv", newline="") as file:
        assert {r["student_id"]: (r["score"], r["max_score"]) for r in csv.DictReader(file)} == {
            "reference": ("100.0", "100.0"), "stub": ("0.0", "100.0")}
