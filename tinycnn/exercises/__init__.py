"""Exercises that are checked offline, with a diagnosis instead of a red cross.

    from tinycnn import exercises
    exercises.start("linear")                                     # writes linear.py, to be filled in
    exercises.check("linear", "linear.py")                        # a file, in a process of its own
    exercises.check("linear", linear_forward, linear_backward)    # functions of a notebook

`sources/` holds what students get, with the reference solutions in it; `checks/` what is checked, with oracles in plain
loops and the mistakes that people make. `exercise.py` says what an exercise is, `expect.py` what checks can say;
`notebook.py` reads the submission, `student.py` calls it, `wire.py` and `sandbox.py` are its process, `walls.py` is what
stands around it;
`report.py` is the answer, `course.py` the order of it all. For instructors: `grading.py` and `submissions.py` grade a class,
`release.py` writes what students and other graders get, `hostile.py` and `bank.py` are the proof; see README.md. `demos.py`
and `progress.py` are for students.
"""
import os
import secrets
import types
from pathlib import Path

from . import expect
from .course import LECTURES, lectures, load, names, register
from .exercise import Exercise
from .grading import grade
from .progress import progress
from .release import make_gradescope, make_nbgrader, make_release
from .report import Report, Wrong
from .student import LocalStudent, ProcessStudent

__all__ = ["Exercise", "LECTURES", "Report", "Wrong", "check", "demo", "expect", "grade", "lectures", "load",
           "make_gradescope", "make_nbgrader", "make_release", "names", "progress", "register", "start"]


def start(name, path=None):
    """Write the file of exercise `name`, to be filled in, to `path` (default: name.py here), and return the path.

    Raises FileExistsError where there is one already: it may be somebody's work.
    """
    exercise, path = load(name), Path(path or f"{name}.py")
    if path.exists():
        raise FileExistsError(f"start: {path} exists already; name another file, or move it away first")
    with open(path, "x", encoding="utf-8") as file:
        file.write(exercise.stub)
    return path


def check(name, *submission, seed=None, seconds=10.0, part=None):
    """The Report on a submission to exercise `name`, for numbers drawn from `seed` (default: a fresh one).

    The submission is the path of a .py or .ipynb, which runs in a process of its own and may take `seconds` for each call,
    or functions, classes or a module of this process; where one function is all there is to write, its name does not matter.
    With `part`, the name of one check, only that is made. Raises ValueError for an unknown exercise or part, OSError for a
    file that cannot be read, TypeError for no submission, Faulty where an exercise is wrong and not the submission.
    """
    exercise = load(name)
    if not submission:
        raise TypeError(f"check: exercise {name} needs a submission: the path of a file, functions, or a module; "
                        f"exercises.start({name!r}) writes a file to fill in")
    seed = secrets.randbelow(2**31) if seed is None else seed
    if isinstance(submission[0], (str, os.PathLike)):
        student = ProcessStudent.from_file(submission[0], seconds=seconds)
    elif len(submission) == len(exercise.defines) == 1 and isinstance(submission[0], types.FunctionType):
        student = LocalStudent({exercise.defines[0]: submission[0]})
    else:
        student = LocalStudent(*submission)
    with student:
        return exercise.grade(student, seed, part)


def demo(name, path=None, picture=None, seed=0):
    """Train a small network with the student's function inside: see `demos.py`."""
    from . import demos
    return demos.demo(name, path, picture, seed)
