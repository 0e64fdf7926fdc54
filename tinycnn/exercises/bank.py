"""The counts of the course, measured: `tinycnn exercises bank`.

Every known mistake is tried with several seeds, every reference must get all points and every stub none, and hostile
submissions get their verdicts. The known mistakes are those that the checks were written against. So the same is measured
with what nobody who writes checks or laws has looked at (`unseen/`): the second number says what a student may expect.
"""
import importlib
import re
import sys
import types
from dataclasses import dataclass

from . import hostile, unseen
from .course import load, names
from .demos import DEMOS
from .exercise import Faulty
from .student import LocalStudent
from .unseen.measure import WORDS, Share, measure, table

SEEDS = 5


@dataclass(frozen=True)
class Tried:
    """A known mistake: one of WORDS for each seed, and the first line of the report where it was worst."""
    name: str
    words: tuple
    line: str

    @property
    def caught(self):
        """With how many seeds it loses points."""
        return sum(word != "missed" for word in self.words)

    @property
    def named(self):
        """With how many seeds the first line names it."""
        return self.words.count("named")


@dataclass(frozen=True)
class Row:
    """One exercise: its checks, minutes, hints, its mistakes as tried, and what its author has to mend."""
    name: str
    checks: int
    minutes: int
    hints: int
    demo: bool
    mistakes: tuple
    alarms: tuple        # (name, seed, first line) of the reference where it does not get all points
    faults: tuple

    @property
    def caught(self):
        """How many mistakes lose points, whatever the seed."""
        return sum(m.caught == len(m.words) for m in self.mistakes)

    @property
    def named(self):
        """How many mistakes the first line of the report names, whatever the seed."""
        return sum(m.named == len(m.words) for m in self.mistakes)


@dataclass(frozen=True)
class Bank:
    """All rows; the Shares of known and of unseen mistakes; and hostile submissions as (what it tries, points, verdict,
    whether that is as it should be)."""
    rows: tuple
    seeds: tuple
    shares: tuple
    hostile: tuple

    @property
    def faults(self):
        """What is wrong with the exercises themselves, addressed to their authors."""
        return [fault for row in self.rows for fault in row.faults]

    @property
    def ok(self):
        """Whether no exercise is faulty, every mistake loses points, and every hostile submission got its verdict."""
        caught = all(row.caught == len(row.mistakes) for row in self.rows)
        return caught and not self.faults and all(ok for *_, ok in self.hostile)

    @property
    def counts(self):
        """The totals, by name."""
        mistakes, named = (sum(numbers) for numbers in ((len(r.mistakes) for r in self.rows), (r.named for r in self.rows)))
        return {"exercises": len(self.rows), "of these faulty": sum(bool(r.faults) for r in self.rows),
                "checks": sum(r.checks for r in self.rows),
                "hours of work": round(sum(r.minutes for r in self.rows) / 60), "hints": sum(r.hints for r in self.rows),
                "demos": sum(r.demo for r in self.rows), "known mistakes": mistakes,
                "of these caught": sum(r.caught for r in self.rows), "of these named in the first line": named,
                "share named": f"{named / max(mistakes, 1):.0%}", "hostile or broken submissions": len(self.hostile),
                "of these judged as they should be": sum(ok for *_, ok in self.hostile)}

    def __str__(self):
        lines = [f"{'exercise':22}  checks  min  mistakes  caught  named  demo"]
        lines += [f"{r.name:22}  {r.checks:6}  {r.minutes:3}  {len(r.mistakes):8}  {r.caught:6}  {r.named:5}  "
                  f"{'yes' if r.demo else 'no'}" for r in self.rows]
        lines += [f"FAULTY: {fault}" for fault in self.faults]
        lines += [f"{'SURVIVED' if m.caught < len(m.words) else 'not named'}: {r.name}: {m.name}: {m.line}"
                  for r in self.rows for m in r.mistakes if m.named < len(m.words)]
        lines += [f"NOT AS IT SHOULD BE: {name}: {points} points, {verdict}"
                  for name, points, verdict, ok in self.hostile if not ok]
        lines += [f"false alarm: {name}, seed {seed}: {line}" for s in self.shares[1:] for name, seed, line in s.alarms]
        return "\n".join([*lines, "", *(f"{value:>5}  {key}" for key, value in self.counts.items()), "",
                          f"with the seeds {_listed(self.seeds)}:", *table(self.shares, self.seeds)])

    def markdown(self):
        """The published page."""
        seeds = _listed(self.seeds)
        lines = ["# The bank of mistakes, counted", "",
                 "Written by `tinycnn exercises bank --markdown`, which tries all of it.", "", "| | |", "|---|---|",
                 *(f"| {key} | {value} |" for key, value in self.counts.items()), "", "## Seen and unseen", "",
                 "The known mistakes are those that checks and laws were written against, and the right ones beside them",
                 "are the references of the exercises. What is in `unseen/` was written by somebody else, and nobody who",
                 f"writes checks or laws reads it. Everything was tried with the seeds {seeds}, and each try counts. The",
                 "first line of a report is vague where it does not name the cause, and misleading where it names another.",
                 "",
                 *table(self.shares, self.seeds), "", "## Known mistakes", "",
                 f"What the first line of the report says to each, and with how many of the seeds {seeds} it is caught",
                 "and named.", ""]
        for r in self.rows:
            lines += [f"### {r.name}", "", "| mistake | caught | named | first line |", "|---|---|---|---|"]
            lines += [f"| {_cell(m.name)} | {m.caught} of {len(m.words)} | {m.named} of {len(m.words)} | {_cell(m.line)} |"
                      for m in r.mistakes] + [""]
        lines += ["## Hostile and broken submissions", "",
                  "Handed in as `linear` among honest ones, which all got 100 points.", "",
                  "| what it tries | points | verdict | as it should be |", "|---|---|---|---|"]
        lines += [f"| {_cell(name)} | {points} | {_cell(verdict)} | {'yes' if ok else 'NO'} |"
                  for name, points, verdict, ok in self.hostile]
        return "\n".join([*lines, ""])


def count(exercises=(), seeds=SEEDS, jobs=2):
    """The Bank of `exercises` (default: all, the unseen and the hostile ones included), each tried with `seeds` seeds."""
    loaded, seeds = [load(name) for name in exercises or names()], tuple(range(seeds))
    others = [] if exercises else unseen.load_all()
    total = len(seeds) * (sum(2 + len(e.mistakes) for e in loaded) + len(others))
    with importlib.import_module("tqdm").tqdm(total=total, unit="try", delay=2, file=sys.stderr, leave=False,
                                              disable=None) as bar:
        rows = tuple(_row(exercise, seeds, bar.update) for exercise in loaded)
        shares = measure(others, seeds, lambda *_: bar.update()) if others else ()
    tried = () if exercises else hostile.try_all(jobs=jobs)
    return Bank(rows, seeds, (_known(rows), *shares), tuple((h.name, g.total, g.remark or "all right", ok)
                                                            for h, g, ok in tried))


def _row(exercise, seeds, step):
    """One exercise: its two files, and then its mistakes where these are as they should be."""
    alarms, first, mistakes = [], {}, []
    for seed in seeds:
        step(2)
        for file, text, points in (("reference", exercise.source, 100), ("stub", exercise.stub, 0)):
            try:
                report = _graded(exercise, text, seed)
                fault = (f"{exercise.author}: the {file} gets {report.points} points with seed {seed} and should get "
                         f"{points}: {report.headline}") * (report.points != points)
            except Faulty as error:
                fault = str(error)
            if fault:
                first.setdefault(file, fault)
                alarms += [(exercise.name, seed, fault)] * (file == "reference")
    faults = list(dict.fromkeys(first.values()))
    for mistake in exercise.mistakes if not faults else ():
        mistakes.append(_tried(exercise, mistake, seeds, faults))
        step(len(seeds))
    return Row(exercise.name, len(exercise.checks), exercise.minutes, len(exercise.hints), exercise.name in DEMOS,
               tuple(mistakes), tuple(alarms), tuple(dict.fromkeys(faults)))


def _tried(exercise, mistake, seeds, faults):
    """A mistake with every seed. What misleads is a first line that another mistake of the exercise should have."""
    words, lines = [], []
    for seed in seeds:
        report = _graded(exercise, mistake.apply(exercise.source), seed)
        line = report.headline
        others = any(re.search(m.says, line) for m in exercise.mistakes if m is not mistake)
        words.append("missed" if report else "named" if re.search(mistake.says, line) else
                     "misleading" if others else "vague")
        lines.append(line)
        faults += [f"{exercise.author}: the check {r.name!r} stumbles over the mistake {mistake.name!r}: {r.headline}"
                   for r in report.results if r.crashed]
    return Tried(mistake.name, tuple(words), lines[max(range(len(words)), key=lambda i: WORDS.index(words[i]))])


def _graded(exercise, source, seed):
    module = types.ModuleType("submission")
    exec(compile(source, "<submission>", "exec"), module.__dict__)
    return exercise.grade(LocalStudent(module), seed)


def _known(rows):
    """The Share of the known mistakes, with the references as what is right."""
    share = Share("known mistakes", sum(len(r.mistakes) for r in rows), len(rows))
    for row in rows:
        share.words.update(word for m in row.mistakes for word in m.words)
        share.alarms += row.alarms
    return share


def _listed(seeds):
    return ", ".join(map(str, seeds))


def _cell(text):
    text = " ".join(re.sub(r"/\S*/(?=\w)", "", text)[:160].split())   # without the folders of the machine that wrote it
    return text.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")


__all__ = ["SEEDS", "Bank", "Row", "Tried", "count"]
