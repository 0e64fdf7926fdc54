"""Every exercise: the stub scores nothing, the reference everything, and each known mistake is found and named."""
import functools
import re
import types
import warnings

import numpy as np
import pytest

from tinycnn import exercises
from tinycnn.exercises import Wrong, expect, wire
from tinycnn.exercises.course import LECTURES
from tinycnn.exercises.exercise import SOURCES, stub_of
from tinycnn.exercises.student import LocalStudent, ProcessStudent

NAMES = exercises.names()
ENOUGH = 100     # mistakes from which on the share of those that are named counts
NAMED = 0.8


def module(source):
    """The text of a submission as a module of this process."""
    made = types.ModuleType("submission")
    exec(compile(source, "<submission>", "exec"), made.__dict__)
    return made


def grade(exercise, source, seed=0):
    return exercise.grade(LocalStudent(module(source)), seed)


@functools.cache
def mistaken(name):
    """(mistake, report on it) for every mistake of an exercise."""
    exercise = exercises.load(name)
    return [(mistake, grade(exercise, mistake.apply(exercise.source), seed=3)) for mistake in exercise.mistakes]


@pytest.mark.parametrize("name", NAMES)
def test_the_stub_scores_nothing_and_the_reference_everything(name):
    exercise = exercises.load(name)
    with ProcessStudent(exercise.stub) as student:
        report = exercise.grade(student, 0)
        assert report.points == 0, str(report)
    with ProcessStudent(exercise.source) as student:
        for seed in (1, 2):
            report = exercise.grade(student, seed)
            assert report.points == report.of == 100 and report, str(report)
            assert max(r.seconds for r in report.results) < 20


@pytest.mark.parametrize("name", NAMES)
def test_every_mistake_loses_points_and_most_are_named(name):
    unnamed = []
    assert len(mistaken(name)) >= 3 and len({m.name for m, _ in mistaken(name)}) == len(mistaken(name))
    for mistake, report in mistaken(name):
        assert report.points < 100, f"{name}: {mistake.name}: no check notices"
        assert not any(r.crashed for r in report.results), f"{name}: {mistake.name}: a check stumbles\n{report}"
        if not re.search(mistake.says, report.headline):
            unnamed.append(f"{mistake.name}: {report.headline}")
    assert len(unnamed) <= len(mistaken(name)) // 2, "\n".join(unnamed)


def test_most_mistakes_are_named_in_the_first_line():
    rows = [(name, m.name, m.says, report.headline) for name in NAMES for m, report in mistaken(name)]
    unnamed = [f"{name}: {mistake}: {headline}" for name, mistake, says, headline in rows if not re.search(says, headline)]
    share = 1 - len(unnamed) / len(rows)
    print(f"{len(rows)} mistakes, {share:.0%} named in the first line", *unnamed, sep="\n")
    assert len(rows) < ENOUGH or share >= NAMED, "\n".join(unnamed)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_checked_is_the_submission(name):
    exercise = exercises.load(name)
    made = module(exercise.source)
    defined = [n for n, v in vars(made).items() if not n.startswith("_") and getattr(v, "__module__", "") == "submission"]
    assert defined, f"{name} defines nothing"
    traps = "".join(f"\n\ndef {n}(*args, **options):\n    raise RuntimeError('planted 8213')\n" for n in defined)
    report = grade(exercise, exercise.source + traps)
    assert report.points == 0 and "planted 8213" in report.headline, str(report)


@pytest.mark.parametrize("name", NAMES)
def test_the_declaration_is_complete(name):
    exercise = exercises.load(name)
    assert sum(check.points for check in exercise.checks) == 100 and all(check.points > 0 for check in exercise.checks)
    assert len(exercise.hints) == 3 and all(len(hint) > 40 for hint in exercise.hints)
    assert exercise.title == module(exercise.source).__doc__.partition("\n")[0]
    assert 5 <= exercise.minutes <= 180
    assert name in LECTURES[exercise.lecture - 1][1]


@pytest.mark.parametrize("name", NAMES)
def test_the_file_stands_alone_and_the_stub_gives_nothing_away(name):
    exercise = exercises.load(name)
    imports = set(re.findall(r"(?m)^\s*(?:import|from)\s+(\w+)", exercise.source))
    assert imports <= {"numpy", "math"}
    assert "### " not in exercise.stub
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        compile(exercise.stub, name, "exec")


# ---- what a check is made of ------------------------------------------------------------------------------------------

class Recorder(LocalStudent):
    """A student who writes down the shapes of the arrays that each function is given."""

    def __init__(self, *code):
        super().__init__(*code)
        self.calls = {}

    def call(self, name, args, kwargs):
        self.calls.setdefault(name, set()).add(tuple(a.shape for a in wire.arrays([*args, *kwargs.values()])))
        return super().call(name, args, kwargs)


@functools.cache
def recorded(name):
    student = Recorder(module(exercises.load(name).source))
    assert exercises.load(name).grade(student, 0).points == 100
    return student.calls


@pytest.mark.parametrize("name", NAMES)
def test_every_function_is_tried_with_several_sizes_and_with_axes_that_cannot_be_mistaken(name):
    for function, calls in recorded(name).items():
        if any(len(shape) > 1 for shapes in calls for shape in shapes):
            assert len(calls) > 1, f"{function} is tried with one size only: {calls}"
            apart = [shapes for shapes in calls if len(set(largest := max(shapes, key=lambda s: (len(s), np.prod(s))))) ==
                     len(largest) > 1]
            assert apart, f"{function} is never given an array whose axes all differ: {calls}"


def lost(value):
    """`value` with NaN in the place of its numbers."""
    if isinstance(value, dict):
        return {key: lost(v) for key, v in value.items()}
    if isinstance(value, (tuple, list)):
        return type(value)(map(lost, value))
    return value * np.float32(np.nan) if isinstance(value, (np.ndarray, np.generic, float)) else value


@pytest.mark.parametrize("name", NAMES)
def test_nan_for_float32_alone_loses_points(name):
    exercise = exercises.load(name)
    written = re.findall(r"def (\w+)\([^#]*?### BEGIN SOLUTION", exercise.source)
    for function in {f for f in written if any(len(s) for shapes in recorded(name).get(f, ()) for s in shapes)}:
        names = dict(vars(module(exercise.source)))

        @functools.wraps(names[function])
        def wrong(*args, right=names[function], **options):
            single = any(a.dtype == np.float32 for a in wire.arrays([*args, *options.values()]))
            return lost(right(*args, **options)) if single else right(*args, **options)
        report = exercise.grade(LocalStudent(names | {function: wrong}), 0)
        assert report.points < 100, f"{function} returns NaN for float32, and nobody notices"
        assert "NaN" in str(report) or "nan" in str(report), str(report)


@pytest.mark.parametrize("name", NAMES)
def test_sentences_on_a_gradient_name_it(name, monkeypatch):
    right, faceless = expect.gradient, []

    def gradient(called, forward, backward, /, *, mistaken=None, **inputs):
        named = "|".join(f"d{key}" for key in inputs)
        faceless.extend(text for text in mistaken or () if not re.match(rf"(?:{named}|dx|the|all|each|ds|dy)\b", text))
        return right(called, forward, backward, mistaken=mistaken, **inputs)
    monkeypatch.setattr(expect, "gradient", gradient)
    grade(exercises.load(name), exercises.load(name).source)
    assert not faceless


def test_every_source_belongs_to_a_lecture():
    assert {path.stem for path in SOURCES.glob("*.py")} == set(NAMES)


def test_reports_do_not_depend_on_anything_but_the_seed():
    exercise = exercises.load("linear")
    wrong = exercise.mistakes[0].apply(exercise.source)
    assert str(grade(exercise, wrong, 5)) == str(grade(exercise, wrong, 5))
    seen = []
    for seed in (5, 5, 6):
        exercise.grade(LocalStudent({"linear_forward": lambda x, w, b: seen.append(x[0, 0])}), seed)
    count = len(seen) // 3
    assert seen[:count] == seen[count:2 * count] != seen[2 * count:]


# ---- the process of a submission --------------------------------------------------------------------------------------

CLASS = '''
class Value:
    def __init__(self, x):
        self.x = x

    def __add__(self, other):
        return Value(self.x + other.x)

    def __mul__(self, other):
        raise NotImplementedError("Value.__mul__: your code goes here")


def scale(x, by):
    x *= by
    return {"x": x, "shape": (x.shape, [x.dtype.itemsize, None])}


def refuse(x):
    raise ValueError(f"no {x}")
'''


@pytest.mark.parametrize("kind", [ProcessStudent, lambda source: LocalStudent(module(source))], ids=["process", "local"])
def test_both_kinds_of_student_say_the_same(kind):
    with kind(CLASS) as student:
        x = np.arange(4, dtype=np.float32).reshape(2, 2)
        answer = student.scale(x, by=2.0)
        assert np.array_equal(answer["x"], 2 * x) and answer["x"].dtype == np.float32
        assert answer["shape"] == ((2, 2), [4, None]) and x[1, 1] == 3
        with pytest.raises(Wrong, match="^scale changes its argument x"):
            expect.unchanged(student.scale, x, 2.0)
        assert student.run("result = (Value(2.0) + Value(b)).x", b=3.0) == 5.0
        with pytest.raises(Wrong, match=r"^Value.__mul__ is not written yet$"):
            student.run("result = Value(1) * Value(2)")
        with pytest.raises(Wrong, match=r"^Value.__add__ raised AttributeError in line 7: "):
            student.run("result = Value(1) + 2")
        with pytest.raises(Wrong, match="^your code must not return a value of type Value"):
            student.run("result = Value(1)")
        with pytest.raises(Wrong, match="^there is no function missing in your file; it defines Value, refuse, scale"):
            student.missing(x)
        assert expect.raises("ValueError", student.refuse, 3) == "no 3"
        with pytest.raises(Wrong, match=r"^scale must raise ValueError here, but returned a dict"):
            expect.raises("ValueError", student.scale, x, 1)


@pytest.mark.parametrize("source, says", [
    ("def f(x):\n    while True:\n        pass", "^f did not end within 0.5 s"),
    ("while True:\n    pass", "^your file did not end within 0.5 s"),
    ("import torch", "^loading your file raised ImportError in line 1: import of torch is not allowed"),
    ("def f(x):\n    from tinycnn import Tensor", "^f raised ImportError in line 2: import of tinycnn is not allowed"),
    ("def f(x)\n    return x", "^loading your file raised SyntaxError in line 1"),
    ("def f(x):\n    open('../x', 'w')", "^f raised PermissionError in line 2: the file ../x is out of bounds"),
    ("def f(x):\n    __import__('os').system('true')", "^f raised PermissionError in line 2: os.system is refused"),
    ("def f(x):\n    return __import__('os')._exit(3)", "^f: the process of your file ended without an answer"),
    ("def f(x):\n    return f(x)", "^f raised RecursionError"),
    ("def f(x):\n    return object()", "^f must not return a value of type object")])
def test_what_a_process_must_not_do_has_a_clear_verdict(source, says):
    with ProcessStudent(source, seconds=0.5) as student, pytest.raises(Wrong, match=says):
        student.f(1.0)


def test_what_the_submission_prints_stands_in_the_report():
    exercise = exercises.load("linear")
    source = exercise.source.replace("    dw = ", "    print('dy is', dy.shape)\n    dw = ")
    with ProcessStudent(source) as student:
        report = exercise.grade(student, 0)
    assert report.points == 100 and "dy is (" in report.printed and "dy is (" in str(report)


def test_a_stub_may_give_lines_to_start_from():
    source = ("def f(x):\n    ### BEGIN SOLUTION\n    return x\n    ### STUB\n    # if x:\n    #     return 2\n"
              "    ### END SOLUTION\n")
    assert stub_of(source) == "def f(x):\n    if x:\n        return 2\n"
    with pytest.raises(ValueError, match="line 2: ### END SOLUTION without its partner"):
        stub_of("def f(x):\n    ### END SOLUTION\n")


# ---- what a check says ------------------------------------------------------------------------------------------------

def test_every_failing_check_is_printed_in_full_the_first_one_first():
    exercise = exercises.load("activations")
    wrong = exercise.source.replace("np.where(x > 0, dy, 0)", "dy * 1").replace("dy * s * (1 - s)", "dy * s")
    text = str(grade(exercise, wrong))
    assert text.startswith("relu_backward: ") and text.count("again:") == 0
    for part in ("relu and leaky relu:", "sigmoid, tanh and softplus:"):
        assert f"\n{part}\n" in text
    assert text.count("yours") >= 2 and text.index("relu and leaky relu:") < text.index("sigmoid, tanh and softplus:")


def test_float64_is_accepted_and_nan_of_float32_is_not():
    exercise = exercises.load("conv_forward")
    wide = exercise.source.replace("np.zeros((N, F, OH, OW), x.dtype)", "np.zeros((N, F, OH, OW))")
    assert wide != exercise.source and grade(exercise, wide).points == 100
    lost = exercise.source + ("\n\nright = conv2d\n\n\ndef conv2d(x, *more):\n    y = right(x, *more)\n"
                              "    return y * np.nan if x.dtype == np.float32 else y\n")
    report = grade(exercise, lost)
    assert report.points < 100 and "y holds NaN or infinity" in report.headline and "of float32" in report.headline


@pytest.mark.parametrize("answer, says", [
    (lambda x: x, None), (lambda x: {"a": x, "b": (x, 2.0)}, None), (lambda x: float(x.sum()), None),
    (lambda x: x * (x.dtype == np.float64), "^f returns something else for float32"),
    (lambda x: x / (x.dtype == np.float64), "^what f returns for float32 holds NaN or infinity"),
    (lambda x: {"a": x, "b": (x, 2.0 + (x.dtype == np.float32))}, "^f returns something else for float32")])
def test_an_answer_to_float32_is_that_to_float64(answer, says):
    student = LocalStudent({"f": answer})
    if says is None:
        return expect.in_float32(student.f, np.arange(1.0, 4.0))
    with np.errstate(all="ignore"), pytest.raises(Wrong, match=says):
        expect.in_float32(student.f, np.arange(1.0, 4.0))


def test_a_check_is_tried_with_several_draws():
    exercise, seen = exercises.load("linear"), []

    def forward(x, w, b):
        seen.append(float(x[0, 0]))
        return x @ w.T + b if x.shape[1] == w.shape[1] else x @ w + b
    exercise.grade(LocalStudent({"linear_forward": forward}), 1, part=exercise.checks[0].name)
    assert len(set(seen)) >= 3


def test_promises_head_the_report_of_an_exercise():
    exercise = exercises.load("activations")
    right = "    return np.where(x > 0, dy, 0)\n"
    wrong = exercise.source.replace(right, "    dy *= 2\n" + right)
    report = grade(exercise, wrong)
    assert report.headline.startswith("relu_backward changes its argument dy") and "2 times the right value" in str(report)
