"""What stands around the exercises: releases, progress, demos, exercises of one's own, and the bank that counts."""
import json
import re
import runpy
from pathlib import Path

import numpy as np
import pytest

from tinycnn import exercises
from tinycnn.cli import main
from tinycnn.exercises import bank, course, demos, expect
from tinycnn.exercises.exercise import SOURCES, Faulty, Mistake
from tinycnn.exercises.hostile import HOSTILE
from tinycnn.exercises.student import LocalStudent, ProcessStudent, StudentError
from tinycnn.viz import style

PAGE = SOURCES.with_name("README.md")
NAMES = exercises.names()


# ---- releases ---------------------------------------------------------------------------------------------------------

def solution_lines(source):
    """The lines between the marks that the student is not given."""
    lines = []
    for region in re.findall(r"(?s)### BEGIN SOLUTION\n(.*?)### END SOLUTION", source):
        solution, _, given = region.partition("### STUB")
        kept = {line.strip().removeprefix("# ") for line in given.splitlines()}
        lines += [line.strip() for line in solution.splitlines() if line.strip() not in kept]
    return lines


def test_a_release_holds_every_stub_and_no_solution(tmp_path):
    paths = exercises.make_release(tmp_path / "out")
    assert {p.name for p in paths} == {f"{name}.py" for name in NAMES} | {"README.md"} == {
        p.name for p in (tmp_path / "out").rglob("*")}
    for name in NAMES:
        released = (tmp_path / "out" / f"{name}.py").read_text(encoding="utf-8")
        code = re.sub(r'(?s)""".*?"""', "", released)
        assert "SOLUTION" not in released and "STUB" not in released
        leaked = [line for line in solution_lines(exercises.load(name).source)
                  if len(line) > 16 and line in map(str.strip, code.splitlines())]
        assert not leaked, f"{name}: {leaked}"
    readme = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert all(f"({name}.py)" in readme for name in NAMES)
    with pytest.raises(FileExistsError, match="new or empty folder"):
        exercises.make_release(tmp_path / "out")


def test_the_commands_for_instructors_write_what_they_say(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["exercises", "make-release", "week", "--only", "linear"]) == 0
    assert sorted(p.name for p in Path("week").iterdir()) == ["README.md", "linear.py"]
    assert main(["exercises", "make-release", "course", "--nbgrader", "--only", "linear"]) == 0
    assert Path("course/source/linear/linear.ipynb").exists() and "nbgrader generate_assignment" in capsys.readouterr().out
    assert main(["exercises", "gradescope", "a.zip", "--only", "linear"]) == 0 and Path("a.zip").exists()
    assert main(["exercises", "make-release", "week"]) == 1 and "week" in capsys.readouterr().err


# ---- progress ---------------------------------------------------------------------------------------------------------

def test_progress_is_kept_beside_the_files(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source = exercises.load("adam").source
    Path("linear.py").write_text(exercises.load("linear").stub)
    Path("adam.py").write_text(source)
    assert main(["exercises", "check", "adam"]) == 0
    known = {e.name: e for e in exercises.progress().entries}
    assert (known["adam"].state, known["adam"].points, known["adam"].minutes) == ("checked", 100, 0)
    assert (known["linear"].state, known["value"].state) == ("started", "not started")
    Path("adam.py").write_text(source.replace("m_hat / (", "m / ("))
    assert {e.name: e for e in exercises.progress().entries}["adam"].state == "changed"
    assert main(["exercises", "check", "adam"]) == 1
    adam = {e.name: e for e in exercises.progress().entries}["adam"]
    assert adam.best == 100 > adam.points and adam.state == "checked"
    capsys.readouterr()
    assert main(["exercises", "progress"]) == 0
    said = capsys.readouterr().out
    assert "best 100" in said and f"0 of {len(NAMES)} solved, {adam.points} of {100 * len(NAMES)} points" in said
    Path("progress.json").write_text("[1]")
    assert main(["exercises", "progress"]) == 1 and "progress.json is damaged" in capsys.readouterr().err


def test_one_record_is_kept_wherever_the_files_lie(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("week 3").mkdir()
    Path("week 3/mine.py").write_text(exercises.load("linear").source)
    Path("adam.py").write_text(exercises.load("adam").source)
    assert main(["exercises", "check", "linear", "--file", "week 3/mine.py"]) == 0
    assert main(["exercises", "check", "adam", "--file", str(Path("adam.py").resolve())]) == 0
    assert [p for p in tmp_path.rglob("progress.json")] == [tmp_path / "progress.json"]
    assert {e.name for e in exercises.progress(tmp_path).entries if e.state == "checked"} == {"linear", "adam"}
    assert json.loads(Path("progress.json").read_text())["linear"]["file"] == "week 3/mine.py"


# ---- what a student may get wrong about the commands -----------------------------------------------------------------

@pytest.mark.parametrize("command, says", [
    ("check linear", r"linear.py: no such file; `tinycnn exercises start linear` writes it"),
    ("demo linear", "linear.py: no such file; `tinycnn exercises start linear` writes it"),
    ("check linear --file a.py", r"a.py: no such file; `tinycnn exercises start linear --file a.py` writes it"),
    ("check adam", r"adam.py: no such file; for your notebook say --file adam.ipynb"),
    ("check lineer", "there is no exercise 'lineer'; did you mean 'linear'"),
    ("hint adm", "there is no exercise 'adm'; did you mean 'adam'"),
    ("demo Momentum", "there is no exercise 'Momentum'; did you mean 'momentum'"),
    ("bank --only conv", "there is no exercise 'conv'"),
    ("start valu", "there is no exercise 'valu'; did you mean 'value'")])
def test_a_command_that_cannot_work_says_what_would(tmp_path, capsys, monkeypatch, command, says):
    monkeypatch.chdir(tmp_path)
    Path("adam.ipynb").write_text("{}")
    assert main(["exercises", *command.split()]) == 1
    assert re.search(says, capsys.readouterr().err)


def test_a_hint_fits_a_page_and_says_how_to_get_the_next(capsys):
    assert main(["exercises", "hint", "linear"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("Hint 1 of 3 for linear\n\n") and max(map(len, said.splitlines())) <= 100
    assert said.endswith("More: tinycnn exercises hint linear 2\n")
    assert " ".join(said.split("\n\n")[1].split()) == exercises.load("linear").hints[0]
    assert main(["exercises", "hint", "linear", "3"]) == 0 and "More:" not in capsys.readouterr().out


# ---- demos ------------------------------------------------------------------------------------------------------------

APART = {"initialisation", "augmentation", "learning_rate_schedule"}    # which are compared with something else


@pytest.fixture
def short(monkeypatch):
    monkeypatch.setattr(demos, "EPOCHS", 1)


@pytest.mark.parametrize("name", demos.DEMOS)
def test_a_demo_runs_the_students_function(name, tmp_path, short):
    source = exercises.load(name).source
    file = tmp_path / "mine.py"
    file.write_text(source, encoding="utf-8")
    results = exercises.demo(name, file, tmp_path / "p.png")
    assert (tmp_path / "p.png").stat().st_size > 5000
    yours, other = results["yours"][1], results["other"][1]
    assert np.allclose(yours, other, atol=1e-3) != (name in APART)
    file.write_text(re.sub(r"### BEGIN SOLUTION", "raise OverflowError('planted 8213')", source), encoding="utf-8")
    with pytest.raises(RuntimeError, match=r"raised OverflowError in line \d+: planted 8213"):
        exercises.demo(name, file, tmp_path / "q.png")
    assert not (tmp_path / "q.png").exists()


def test_a_wrong_function_learns_worse_and_leaves_the_library_as_it_was(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source = exercises.load("conv_backward").source
    Path("conv_backward.py").write_text(source.replace("return dx, dw, db", "return dx, -dw, db"))
    for expected in (0, 0):
        assert main(["exercises", "demo", "conv_backward"]) == expected
    first, second = re.findall(r"([\d.]+)% (?:of|with)", capsys.readouterr().out)[:2]
    assert float(first) < float(second) - 5 and float(second) > 85
    assert main(["exercises", "demo", "value"]) == 0
    assert "there is no demo for value; there is one for linear," in capsys.readouterr().out


def test_the_picture_shows_both_curves_even_where_they_are_one(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(demos, "new_figure", lambda *size: drawn.append(style.new_figure(*size)) or drawn[-1])
    run = demos.Training(0.9, [2.0, 1.0, 0.5, np.nan, 1e30, 0.2, 0.1, 0.1], [0.5, 0.9])
    demos._draw("linear", {"yours": run, "other": run}, tmp_path / "p.png")
    for axes in drawn[0].axes:
        below, above = axes.lines
        assert below.get_linewidth() > 3 * above.get_linewidth() and below.get_color() != above.get_color()
    labels = [text.get_text() for text in drawn[0].legends[0].get_texts()]
    assert labels == ["with the library's own: 90.0%", "with your function: 90.0%"]


# ---- one's own --------------------------------------------------------------------------------------------------------

@pytest.fixture
def own(tmp_path, monkeypatch):
    """The example of the page for instructors, in a file."""
    monkeypatch.setattr(course, "_own", {})
    text = re.search(r"(?s)```python\n(.*?)```", PAGE.read_text(encoding="utf-8"))[1]
    file = tmp_path / "own.py"
    file.write_text(text, encoding="utf-8")
    return file


def test_the_example_of_an_exercise_of_ones_own_works(own, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert len(own.read_text().splitlines()) <= 35
    command = ["exercises", "--with", str(own)]
    assert main([*command, "start", "smooth"]) == 0
    assert main([*command, "check", "smooth"]) == 1 and "smooth is not written yet" in capsys.readouterr().out
    Path("smooth.py").write_text(exercises.load("smooth").source)
    assert main([*command, "check", "smooth"]) == 0
    assert main([*command, "bank", "--only", "smooth"]) == 0
    assert "1  of these named in the first line" in capsys.readouterr().out
    assert main([*command, "list"]) == 0 and "12. Your own" in capsys.readouterr().out
    assert main([*command, "make-release", "out", "--only", "smooth"]) == 0
    assert "cumsum" not in Path("out/smooth.py").read_text()
    assert main(["exercises", "--with", "missing.py", "list"]) == 1


def test_an_exercise_of_ones_own_must_be_complete(own):
    space = runpy.run_path(str(own))
    assert exercises.names()[-1] == "smooth"
    with pytest.raises(ValueError, match="'linear' is taken"):
        exercises.register("linear", space["exercise"], space["SOURCE"])
    half = exercises.Exercise(title="", lecture=12, minutes=5, hints=())
    with pytest.raises(ValueError, match="add up to 0, expected 100"):
        exercises.register("half", half, "")


# ---- exercises that are faulty themselves -----------------------------------------------------------------------------

FAULTS = {   # an edit of the example, and what its author is told
    "a wrong oracle": ("right = np.array(", "right = 1 + np.array(", "the reference itself does not pass the check"),
    "no such method": ("rng.standard_normal", "rng.standard_norml", "AttributeError in line 24: .*standard_norml"),
    "no such name": ("expect.close", "expct.close", "'the means' raised NameError in line 27: name 'expct' is not defined"),
    "no loop": ("for k in (1, 3, 9)", "for k in 3", "TypeError in line 25: 'int' object is not iterable")}


@pytest.mark.parametrize("old, new, says", FAULTS.values(), ids=FAULTS)
def test_a_faulty_exercise_is_told_to_its_author_and_judges_nobody(own, tmp_path, capsys, monkeypatch, old, new, says):
    monkeypatch.chdir(tmp_path)
    own.write_text(own.read_text().replace(old, new), encoding="utf-8")
    command = ["exercises", "--with", str(own)]
    assert main([*command, "bank", "--only", "smooth", "--seeds", "2"]) == 1
    told = f"to the author of {re.escape(str(own))}, exercise smooth: .*{says}"
    assert re.search(f"FAULTY: {told}", capsys.readouterr().out)
    Path("smooth.py").write_text(exercises.load("smooth").source.replace("total[:-k]", "total[:-k] + 1"))
    assert main([*command, "check", "smooth"]) == 1
    said = capsys.readouterr()
    assert re.search(told, said.err) and not said.out and not Path("progress.json").exists()
    Path("in").mkdir()
    Path("in/ada_smooth.py").write_text(exercises.load("smooth").source.replace("total[:-k]", "total[:-k] + 1"))
    with pytest.raises(Faulty, match=told):
        exercises.grade("in", trusted=True)
    assert not Path("grades.csv").exists()


def test_a_fault_that_only_wrong_submissions_show_does_not_blame_them(own):
    own.write_text(own.read_text().replace("        expect.close(", "        if student.smooth(x, k)[0] != right[0]:\n"
                                           "            raise expect.Wrongg('no')\n        expect.close("))
    runpy.run_path(str(own))
    counted = bank.count(["smooth"], 1)
    assert not counted.ok and "stumbles over the mistake 'not divided'" in str(counted)


def test_a_check_that_accepts_everything_is_found(own):
    own.write_text(re.sub(r"expect.close.*", "pass", own.read_text()))
    runpy.run_path(str(own))
    assert "the stub gets 100 points with seed 0 and should get 0: smooth: all right" in str(bank.count(["smooth"], 1))


@pytest.mark.parametrize("old, new, says", [
    ("return (total", "return )total", r"in line 31: register: smooth: unmatched '\)' \(the source of smooth, line 12\)"),
    ('"np.cumsum"', "", "ValueError in line 31: register: smooth has 2 hints, expected 3"),
    ('old="(total', 'old="(totl', "register: smooth: mistake 'not divided': .* occurs 0 times in the reference"),
    ("points=100", "points=90", "the points of smooth add up to 90, expected 100"),
    ("Exercise, expect", "Exercise, expct", "ImportError in line 3"),
    ("exercise = Exercise(", "exercise = Exercise((", "SyntaxError")])
def test_what_cannot_be_registered_is_told_with_its_file_and_line(own, capsys, old, new, says):
    own.write_text(own.read_text().replace(old, new))
    assert main(["exercises", "--with", str(own), "list"]) == 1
    assert re.search(f"to the author of {re.escape(str(own))}: .*{says}", capsys.readouterr().err)


def test_a_folder_of_exercises_is_registered_as_a_whole(own, capsys):
    own.with_name("second.py").write_text(own.read_text().replace('"smooth"', '"smoother"'))
    assert main(["exercises", "--with", str(own.parent), "list"]) == 0
    assert re.search("smooth .*\n.*smoother ", capsys.readouterr().out)


# ---- counts -----------------------------------------------------------------------------------------------------------

def test_the_bank_counts_what_survives_and_what_is_not_named(monkeypatch, capsys):
    exercise = exercises.load("momentum")
    counted = bank.count(["momentum"], 1)
    assert counted.ok and counted.counts["of these named in the first line"] == len(exercise.mistakes)
    monkeypatch.setattr(exercise, "mistakes", [
        Mistake("nothing", "return w - lr * dw", "return w - dw * lr", "x"),
        Mistake("much", "return w - lr * dw", "return w + lr * dw", "no such words"),
        Mistake("more", "return w - lr * dw", "return w + 2 * lr * dw", "is wrong at|times|goes uphill")])
    counted = bank.count(["momentum"], 2)
    counts = counted.counts
    assert not counted.ok and (counts["of these caught"], counts["of these named in the first line"]) == (2, 1)
    assert "SURVIVED: momentum: nothing" in str(counted) and "not named: momentum: much" in str(counted)
    assert "| nothing | 0 of 2 | 0 of 2 |" in counted.markdown()
    assert dict(counted.shares[0].words) == {"missed": 2, "misleading": 2, "named": 2}


def test_the_published_counts_are_those_of_the_course():
    page = SOURCES.with_name("BANK.md").read_text(encoding="utf-8")
    published = dict(re.findall(r"(?m)^\| ([a-z ]+) \| (\d+)%? \|$", page))
    expected = {"exercises": len(NAMES), "of these faulty": 0, "demos": len(demos.DEMOS),
                "checks": sum(len(exercises.load(n).checks) for n in NAMES),
                "known mistakes": sum(len(exercises.load(n).mistakes) for n in NAMES),
                "hostile or broken submissions": len(HOSTILE), "of these judged as they should be": len(HOSTILE)}
    assert {key: int(published[key]) for key in expected} == expected, "run: tinycnn exercises bank --markdown BANK.md"
    assert f"{len(NAMES)} exercises in {len(exercises.LECTURES)} lectures" in PAGE.read_text(encoding="utf-8")
    assert not re.search(r"/(home|tmp|root|work|opt)/", page)


# ---- what checks say --------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("body, says", [
    ("return x @ w", r"in a @ b the last axis of a has 3 entries, and the last axis but one of b .* has 4; they must"),
    ("return x + w", r"axis -1, counted from the end, has 3 entries in the first and 5 in the second")])
def test_shapes_that_clash_are_told_by_axis(body, says):
    with ProcessStudent(f"def f(x, w):\n    {body}\n") as student, pytest.raises(StudentError, match=says):
        student.f(np.ones((2, 3)), np.ones((4, 5)))


def test_the_limit_on_all_calls_together_ends_a_slow_submission():
    with ProcessStudent("import time\ndef f():\n    time.sleep(0.3)\n", seconds=5, total=0.7) as student:
        with pytest.raises(expect.Wrong, match="all calls together took longer than 0.7 s"):
            for _ in range(5):
                student.f()
        with pytest.raises(expect.Wrong, match="all calls together"):
            student.f()


@pytest.mark.parametrize("got, says", [
    (np.ones(4), "y is 1 at every entry"),
    (np.ones(4) + 0j, "y holds complex numbers, expected real ones"),
    (np.array([1.1, 2.2, 3.3, 4.4]).astype(np.float16), "y is right, but rounded to float16")])
def test_first_sentences_on_arrays(got, says):
    right = np.array([1.1, 2.2, 3.3, 4.4])
    with pytest.raises(expect.Wrong, match=f"^{says}"):
        expect.close("y", got, right, x=np.array([1.0, 2, 3, 4]))


@pytest.mark.parametrize("name, label", [("the running mean", "at [0]"), ("y of f", "y[0]"), ("db, summed", "db[0]")])
def test_the_worst_entry_has_a_readable_name(name, label):
    with pytest.raises(expect.Wrong) as wrong:
        expect.close(name, np.array([5.0, 2.0]), np.array([1.0, 2.0]))
    assert f"\n{label}: yours 5, right 1" in str(wrong.value)


def test_single_precision_in_a_gradient_is_named():
    x = np.random.default_rng(0).standard_normal((3, 4))
    with pytest.raises(expect.Wrong, match="which is the precision of float32"):
        expect.gradient("f_backward", lambda x: np.exp(x), lambda dy, x: dy * np.exp(x.astype(np.float32)) * 1.0000002, x=x)


def test_one_check_alone_can_be_asked_for():
    space = {}
    exec(exercises.load("linear").source, space)
    student = LocalStudent(space["linear_forward"], space["linear_backward"])
    report = exercises.check("linear", space["linear_forward"], space["linear_backward"], part="the gradients")
    assert report.points == report.of == 45
    with pytest.raises(ValueError, match="has no part 'gradients'; there are 'the shape of y', "):
        exercises.load("linear").grade(student, 0, "gradients")


def test_in_a_notebook_one_function_may_have_any_name():
    space = {}
    exec(exercises.load("conv_forward").source, space)
    assert exercises.check("conv_forward", lambda x, w, b: space["conv2d"](x, w, b)).points == 100
    assert exercises.check("linear", lambda x, w, b: x).points == 0


def test_messages_call_a_function_of_a_notebook_by_its_own_name():
    def my_conv(x, w, b):
        return x.nothing
    report = exercises.check("conv_forward", my_conv)
    assert report.headline.startswith("my_conv raised AttributeError") and "conv2d raised" not in str(report)
    assert exercises.check("conv_forward", lambda x, w, b: x.nothing).headline.startswith("conv2d raised AttributeError")


@pytest.mark.parametrize("kind", [ProcessStudent, lambda source: LocalStudent(_module(source))], ids=["process", "local"])
def test_a_misspelt_function_is_recognised(kind):
    source = exercises.load("linear").source.replace("def linear_forward", "def linear_Foward")
    with kind(source) as student:
        headline = exercises.load("linear").grade(student, 0).headline
    assert headline == ("there is no function linear_forward in your file; it defines linear_Foward, linear_backward (is "
                        "linear_Foward misspelt?)")
    with kind("def adam(w):\n    return w\n") as student:   # which is asked for, too: adamw is not meant
        student.expects(["adam", "adamw"])
        with pytest.raises(expect.Wrong, match="^there is no function adamw in your file; it defines adam$"):
            student.adamw(1)


def _module(source):
    space = {}
    exec(source, space)
    return space


def test_list_is_also_json(capsys):
    assert main(["exercises", "list", "--json"]) == 0
    assert [e["name"] for e in json.loads(capsys.readouterr().out)] == NAMES
