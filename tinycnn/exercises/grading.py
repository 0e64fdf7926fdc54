"""Grading a whole class: `tinycnn exercises grade FOLDER --out grades.csv`.

Every submission runs in a process of its own, behind a wall (`walls.py`) and under limits; the numbers it is checked with
come from one seed, the same for all students and fresh for every grading unless it is given. What is found is written down
after every student, so that an interrupted grading goes on where it stopped, and nothing that a student hands in ends it.
"""
import csv
import importlib
import io
import json
import re
import secrets
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ..files.atomic import write_atomically
from . import walls
from .course import load, names
from .exercise import Faulty
from .report import plain
from .student import ProcessStudent
from .submissions import collect

TRUSTED = "graded without a sandbox (--trusted): nothing kept these submissions from each other or from this file"


@dataclass
class Grade:
    """What one student got: points an exercise (None where it was not handed in), remarks, and the text for the student."""
    student: str
    points: dict = field(default_factory=dict)
    remarks: list = field(default_factory=list)
    feedback: str = ""
    digest: str = ""
    seconds: float = 0.0

    @property
    def total(self):
        """All points."""
        return sum(points or 0 for points in self.points.values())

    @property
    def remark(self):
        """The remarks in one line."""
        return "; ".join(self.remarks)


@dataclass
class Grading:
    """The result of `grade`: the seed, the exercises, and a Grade for each student in the order of their names."""
    seed: int
    exercises: list
    grades: list
    out: Path
    trusted: bool = False
    kept: int = 0     # grades that an earlier run has left


def grade(folder, out="grades.csv", *, exercises=(), seed=None, seconds=10.0, total=120.0, memory=2 * 2**30, jobs=1,
          fresh=False, container=None, trusted=False):
    """Grade the submissions in `folder` and return a Grading.

    `out` is the CSV (student, points an exercise, total, remark), with an empty cell for an exercise that somebody has not
    handed in; beside it come `<stem>.json`, with the seed and all that
    is needed to go on or to repeat the grading, and `<stem>-feedback/`, a Markdown file a student. `exercises` are those
    that count (default: all that anybody handed in). A call may take `seconds`, an exercise of a student `total` seconds
    and `memory` bytes. `jobs` students are graded at a time. Where `<stem>.json` exists and names the same exercises, its
    seed is used again and whoever's files have not changed is not graded again, unless `fresh` or with another `seed`.

    Submissions run in the sandbox of bubblewrap, or of a `container`: "docker" or "podman". `trusted` grades without one,
    which the CSV's first line and every page say.

    Raises NotADirectoryError for what is no folder, ValueError for unknown exercises, an empty folder, or one from which
    Python imports or in which `out` lies, RuntimeError where there is no sandbox, Faulty where an exercise itself is wrong.
    """
    out, exercises = Path(out), list(exercises)
    for name in exercises:
        load(name)
    _apart(Path(folder).resolve())
    submissions = collect(folder, exercises)
    if not submissions:
        raise ValueError(f"grade: {folder} is empty; a folder, a .zip or a .py for each student is expected")
    if out.resolve().is_relative_to(Path(folder).resolve()):
        raise ValueError(f"grade: {out} lies among the submissions in {folder}; write it elsewhere (--out)")
    wall = walls.choose(container, trusted)
    exercises = [n for n in names() if n in exercises or not exercises and any(n in s.sources for s in submissions)]
    memo = out.with_suffix(".json")
    feedback = out.with_name(f"{out.stem}-feedback")
    seed, known = _known(memo, exercises, seed, fresh, trusted)
    grading = Grading(seed, exercises, [], out, trusted)
    done = {s.student: known[s.student] for s in submissions
            if s.student in known and known[s.student].digest == s.digest}
    grading.kept = len(done)
    todo = [s for s in submissions if s.student not in done]
    feedback.mkdir(parents=True, exist_ok=True)
    files = _files([s.student for s in submissions])
    limits = {"seconds": seconds, "total": total, "memory": memory, "wall": wall}
    pool = ThreadPoolExecutor(max(1, jobs))
    try:
        with _bar(len(submissions), len(done)) as step:
            futures = {pool.submit(_grade_one, s, exercises, seed, limits): s for s in todo}
            for future in as_completed(futures):
                submission = futures[future]
                try:
                    result = future.result()
                except Faulty:   # of which no student can be guilty; when it is mended, the grading goes on
                    raise
                except Exception as error:  # one student must not keep the others from their grades
                    text = f"the grader itself stumbled: {type(error).__name__}: {error}"[:300]
                    result = Grade(submission.student, dict.fromkeys(exercises, 0), [*submission.remarks, text],
                                   f"# {submission.student}\n\n{text}\n", "")
                done[submission.student] = result
                (feedback / files[submission.student]).write_text(result.feedback, encoding="utf-8", errors="replace")
                grading.grades = [done[s.student] for s in submissions if s.student in done]
                _write(grading, memo)
                step()
    finally:
        pool.shutdown(cancel_futures=True)
    grading.grades = [done[s.student] for s in submissions]
    _write(grading, memo)
    return grading


def _apart(folder):
    """Refuse to import what students have handed in."""
    for path in map(Path, sys.path):
        if path.resolve().is_relative_to(folder) and path.is_dir():
            raise ValueError(f"grade: Python looks for modules in {path.resolve()}, which belongs to the submissions; run "
                             "tinycnn exercises grade, or python -I -m tinycnn exercises grade, from another folder")


def _grade_one(submission, exercises, seed, limits):
    """The Grade of one student."""
    start, grade = time.perf_counter(), Grade(submission.student, remarks=list(submission.remarks))
    parts = []
    for name in exercises:
        exercise = load(name)
        if name not in submission.sources:
            grade.points[name] = None
            parts.append(f"## {exercise.title}: not handed in\n\nThere is no file {name}.py.\n")
            continue
        with ProcessStudent(submission.sources[name], **limits) as student:
            report = exercise.grade(student, seed)
        grade.points[name] = report.points
        if not report:
            grade.remarks.append(f"{name}: {report.headline}"[:200])
        parts.append(report.markdown())
    grade.seconds, grade.digest = time.perf_counter() - start, submission.digest
    notes = [TRUSTED] * (type(limits["wall"]) is walls.Open)
    grade.feedback = _feedback(grade, exercises, [*notes, *submission.remarks], parts)
    return grade


def _feedback(grade, exercises, remarks, parts):
    """The Markdown for one student."""
    lines = [f"# {_inline(grade.student)}: {grade.total} of {100 * len(exercises)} points", ""]
    lines += ["| exercise | points |", "|---|---|",
              *(f"| {name} | {'not handed in' if p is None else f'{p} of 100'} |" for name, p in grade.points.items()), ""]
    lines += [f"- {_inline(remark)}" for remark in remarks] + [""] * bool(remarks)
    return "\n".join([*lines, *parts])


def _inline(text):
    return re.sub(r"([<>`*_|\[\]])", r"\\\1", " ".join(plain(text).split()))


def _known(memo, exercises, seed, fresh, trusted):
    """(seed, {student: Grade}) to go on from; a new seed and nothing where there is no earlier grading of the same."""
    if memo.exists() and not fresh:
        try:
            stored = json.loads(memo.read_text(encoding="utf-8"))
            known = {g["student"]: Grade(**g) for g in stored["grades"]}
            same = stored["exercises"] == exercises and stored["trusted"] == trusted
            if same and seed in (None, stored["seed"]):
                return stored["seed"], known
        except (ValueError, KeyError, TypeError):
            raise ValueError(f"grade: {memo} is no record of a grading; move it away, or grade with --fresh") from None
    return secrets.randbelow(2**31) if seed is None else seed, {}


def _write(grading, memo):
    """The record and the CSV, as far as they are known."""
    stored = {"seed": grading.seed, "exercises": grading.exercises, "trusted": grading.trusted,
              "grades": [vars(g) for g in grading.grades]}
    write_atomically(memo, json.dumps(stored, indent=1).encode())
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if grading.trusted:
        writer.writerow([f"# {TRUSTED}"])
    writer.writerow(["student", *grading.exercises, "total", "remark"])
    for g in grading.grades:
        writer.writerow([_cell(g.student), *(g.points.get(n) for n in grading.exercises), g.total, _cell(g.remark)])
    write_atomically(grading.out, text.getvalue().encode("utf-8-sig", errors="replace"))


def _cell(text):
    """A text that no spreadsheet takes for a formula, without what no screen should be told."""
    text = plain(text)
    return "'" + text if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def _files(students):
    """{student: name of a feedback file}, fit for every file system and different for everybody."""
    files, taken = {}, set()
    for student in students:
        stem = re.sub(r"[^\w .-]", "_", student).strip(" .")[:80] or "student"
        name, number = f"{stem}.md", 1
        while name.casefold() in taken:
            number += 1
            name = f"{stem}-{number}.md"
        taken.add(name.casefold())
        files[student] = name
    return files


@contextmanager
def _bar(count, done):
    """A step function that moves a progress bar, which appears when the work takes longer than 2 seconds."""
    with importlib.import_module("tqdm").tqdm(total=count, initial=done, unit="student", delay=2, file=sys.stderr,
                                              leave=False, disable=None) as bar:
        yield bar.update


__all__ = ["Grade", "Grading", "grade"]
