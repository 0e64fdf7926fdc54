"""An exercise: a file to fill in, checks with points, and the mistakes that people make in it."""
import re
import textwrap
import time
import traceback
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .report import Report, Result, Wrong, plain
from .student import LocalStudent

SOURCES = Path(__file__).with_name("sources")
ROUNDS = 3        # times that a check is tried, with other numbers each time
PATIENCE = 1.0    # seconds after which it is not tried once more
BEGIN, STUB, END = "### BEGIN SOLUTION", "### STUB", "### END SOLUTION"


class Faulty(RuntimeError):
    """What is wrong with an exercise itself, addressed to its author: no verdict on a student follows from it."""


@dataclass(frozen=True)
class Check:
    """A check: `function(student, rng)` raises Wrong or wins `points`."""
    points: int
    name: str
    function: object


@dataclass(frozen=True)
class Mistake:
    """A mistake that people make, as an edit of the reference: `old` becomes `new`.

    `says`, a regular expression, is what the first line of the report must say about it.
    """
    name: str
    old: str
    new: str
    says: str

    def apply(self, source):
        """`source` with the mistake in it; raises ValueError unless `old` occurs exactly once."""
        if source.count(self.old) != 1:
            raise ValueError(f"mistake {self.name!r}: {self.old!r} occurs {source.count(self.old)} times in the reference")
        return source.replace(self.old, self.new)


class Exercise:
    """What `checks/<name>.py` declares; `sources/<name>.py` is the file with the reference solution.

        exercise = Exercise(title="The linear layer", lecture=2, minutes=30, hints=("...", "...", "..."))

        @exercise.check(points=20, name="the forward pass")
        def forward(student, rng):
            x = rng.standard_normal((3, 4))
            expect.close("y", student.relu(x), relu(x), x=x)

        exercise.mistake("the mask is the wrong way round", old="x > 0", new="x < 0", says="only where")
    """

    def __init__(self, *, title, lecture, minutes, hints):
        self.title, self.lecture, self.minutes, self.hints = title, lecture, minutes, tuple(hints)
        self.checks, self.mistakes, self.name, self.text = [], [], "", None

    def check(self, *, points, name):
        """Register a check worth `points`."""
        def register(function):
            self.checks.append(Check(points, name, function))
            return function
        return register

    def mistake(self, name, *, old, new, says):
        """Register a mistake."""
        self.mistakes.append(Mistake(name, old, new, says))

    # ---- the file ----
    @property
    def source(self):
        """The text of the reference."""
        return self.text or (SOURCES / f"{self.name}.py").read_text(encoding="utf-8")

    @property
    def defines(self):
        """The names of the functions and classes that a submission defines."""
        return defined(self.source)

    @property
    def stub(self):
        """The text that a student starts from."""
        return stub_of(self.source, self.name)

    @property
    def author(self):
        """Whom messages about the exercise itself are for, with the file of the checks."""
        file = self.checks[0].function.__code__.co_filename
        return f"to the author of {file if self.text else Path(file).name}, exercise {self.name}"

    # ---- grading ----
    def grade(self, student, seed, part=None):
        """Every check on `student`, with numbers drawn from `seed`; or only the check whose name is `part`.

        Raises ValueError where there is no such check, Faulty where the exercise is wrong and not the student: where the
        reference does not pass either.
        """
        known = [check.name for check in self.checks]
        if part is not None and part not in known:
            raise ValueError(f"check: exercise {self.name} has no part {part!r}; there are "
                             f"{', '.join(map(repr, known))}")
        student.expects(self.defines)
        results = [self._result(i, student, seed) for i in range(len(known)) if part in (None, known[i])]
        return Report(self.name, self.title, tuple(results), seed, plain(student.printed()))

    def _result(self, i, student, seed):
        check, start, text, crashed = self.checks[i], time.perf_counter(), "", False
        for again in range(ROUNDS):
            if text or again and time.perf_counter() - start > PATIENCE:
                break
            numbers = [seed, i, zlib.crc32(self.name.encode()), *[again] * (again > 0)]
            try:
                check.function(student, np.random.default_rng(numbers))
            except Wrong as wrong:
                text = str(wrong)
            except Exception as error:  # a check stumbles over what the submission returned
                self._blame(check, error)
                text, crashed = f"what your function returned cannot be used: {type(error).__name__}: {error}", True
            if text and (crashed or self.text):
                self._vouch(check, numbers, seed)
        points, seconds = 0 if text else check.points, time.perf_counter() - start
        return Result(check.name, points, check.points, plain(text), seconds, crashed)

    def _blame(self, check, error):
        """Raise Faulty for an error that no submission can be the cause of."""
        if isinstance(error, (NameError, ImportError)):
            raise Faulty(f"{self.author}: the check {check.name!r} raised {_placed(error, check)}") from error

    def _vouch(self, check, numbers, seed):
        """Raise Faulty where the reference, in the place of the student, does not pass a check with the same numbers."""
        try:
            names = {"__name__": "reference"}
            exec(compile(self.source, f"the reference of {self.name}", "exec"), names)
            check.function(LocalStudent(names), np.random.default_rng(numbers))
        except Exception as error:
            said = str(error).partition("\n")[0] if isinstance(error, Wrong) else f"it raised {_placed(error, check)}"
            raise Faulty(f"{self.author}: the reference itself does not pass the check {check.name!r} with seed {seed}, so "
                         f"nobody can be judged by it; mend the one or the other: {said}") from error


def _placed(error, check):
    """An error with its line in the file of the check."""
    lines = [line for frame, line in traceback.walk_tb(error.__traceback__)
             if frame.f_code.co_filename == check.function.__code__.co_filename]
    return f"{type(error).__name__}{f' in line {lines[-1]}' if lines else ''}: {error}"


def defined(source):
    """The names of the functions and classes in a text, in its order.

    They are looked for line by line, since a stranger may have written the text to choke a parser.
    """
    return re.findall(r"(?m)^(?:def|class)[ \t]+(\w+)", source)


def stub_of(source, name="the file"):
    """`source` without its solutions: each becomes a NotImplementedError, or the commented lines behind `### STUB`."""
    lines, out, solution = source.splitlines(), [], None
    for number, line in enumerate(lines, 1):
        mark = line.strip()
        if mark == BEGIN and solution is None:
            solution, indent = [], line[:len(line) - len(line.lstrip())]
            function = _enclosing(lines[:number - 1], len(indent))
        elif mark == END and solution is not None:
            given = solution[solution.index(STUB) + 1:] if STUB in solution else None
            out += ([f'{indent}raise NotImplementedError("{function}: your code goes here")'] if given is None else
                    textwrap.indent(re.sub(r"(?m)^# ?", "", "\n".join(given)), indent).splitlines())
            solution = None
        elif mark in (BEGIN, END):
            raise ValueError(f"{name}, line {number}: {mark} without its partner")
        elif solution is not None:
            solution.append(line[len(indent):])
        else:
            out.append(line)
    if solution is not None:
        raise ValueError(f"{name}: {BEGIN} without {END}")
    return "\n".join(out) + "\n"


def _enclosing(lines, indent):
    """The name of the function whose body is indented by `indent` behind `lines`, with its class."""
    names = []
    for line in reversed(lines):
        depth = len(line) - len(line.lstrip())
        found = re.match(r"\s*(?:def|class)\s+(\w+)", line)
        if found and depth < indent:
            names.insert(0, found[1])
            indent = depth
    if not names:
        raise ValueError(f"{BEGIN} outside of a function")
    return ".".join(names)
