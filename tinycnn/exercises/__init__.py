"""Floor 6: exercises that are checked offline, with a diagnosis instead of a red cross.

    from tinycnn import exercises
    exercises.start("linear")                                     # writes linear.py, to be filled in
    exercises.check("linear", "linear.py")                        # a file, in a process of its own
    exercises.check("linear", linear_forward, linear_backward)    # functions of a notebook

`sources/` holds what students get, with the reference solutions in it; `checks/` what is checked, with oracles in plain
loops and the mistakes that people make. `exercise.py` says what an exercise is, `expect.py` what checks can say;
`student.py` calls the submission, `wire.py` and `sandbox.py` are its process; `report.py` is the answer, `course.py` the
order of it all.
"""
import os
import secrets
from pathlib import Path

from .course import LECTURES, load, names
from .report import Report, Wrong
from .student import LocalStudent, ProcessStudent

__all__ = ["LECTURES", "Report", "Wrong", "check", "load", "names", "start"]


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


def check(name, *submission, seed=None, seconds=10.0):
    """The Report on a submission to exercise `name`, for numbers drawn from `seed` (default: a fresh one).

    The submission is the path of a file, which runs in a process of its own and may take `seconds` for each call, or
    functions, classes or a module of this process. Raises ValueError for an unknown exercise, OSError for a file that cannot
    be read, TypeError for no submission.
    """
    exercise = load(name)
    if not submission:
        raise TypeError(f"check: exercise {name} needs a submission: the path of a file, functions, or a module")
    seed = secrets.randbelow(2**31) if seed is None else seed
    if isinstance(submission[0], (str, os.PathLike)):
        student = ProcessStudent.from_file(submission[0], seconds=seconds)
    else:
        student = LocalStudent(*submission)
    with student:
        return exercise.grade(student, seed)
