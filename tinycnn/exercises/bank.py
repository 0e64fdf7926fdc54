"""The counts of the course, measured: `tinycnn exercises bank` tries every known mistake and every hostile submission."""
import importlib
import re
import sys
import types
from dataclasses import dataclass

from . import hostile
from .course import load, names
from .demos import DEMOS
from .student import LocalStudent


@dataclass(frozen=True)
class Row:
    """One exercise: its checks, minutes, hints, and of its mistakes how many are caught, and named in the first line."""
    name: str
    checks: int
    minutes: int
    hints: int
    demo: bool
    mistakes: tuple      # (name, caught, named, first line of the report)

    @property
    def caught(self):
        """How many mistakes lose points."""
        return sum(caught for _, caught, *_ in self.mistakes)

    @property
    def named(self):
        """How many mistakes the first line of the report names."""
        return sum(named for _, _, named, _ in self.mistakes)


@dataclass(frozen=True)
class Bank:
    """All rows, and the hostile submissions as (what it tries, points, verdict, whether that is as it should be)."""
    rows: tuple
    hostile: tuple

    @property
    def ok(self):
        """Whether every mistake loses points, and every hostile submission got the verdict it should."""
        return all(r.caught == len(r.mistakes) for r in self.rows) and all(ok for *_, ok in self.hostile)

    @property
    def counts(self):
        """The totals, by name."""
        mistakes = sum(len(r.mistakes) for r in self.rows)
        named = sum(r.named for r in self.rows)
        return {"exercises": len(self.rows), "checks": sum(r.checks for r in self.rows),
                "hours of work": round(sum(r.minutes for r in self.rows) / 60), "hints": sum(r.hints for r in self.rows),
                "demos": sum(r.demo for r in self.rows), "known mistakes": mistakes,
                "of these caught": sum(r.caught for r in self.rows), "of these named in the first line": named,
                "share named": f"{named / max(mistakes, 1):.0%}", "hostile or broken submissions": len(self.hostile),
                "of these judged as they should be": sum(ok for *_, ok in self.hostile)}

    def __str__(self):
        lines = [f"{'exercise':22}  checks  min  mistakes  caught  named  demo"]
        lines += [f"{r.name:22}  {r.checks:6}  {r.minutes:3}  {len(r.mistakes):8}  {r.caught:6}  {r.named:5}  "
                  f"{'yes' if r.demo else 'no'}" for r in self.rows]
        lines += [f"SURVIVED: {r.name}: {m[0]}" for r in self.rows for m in r.mistakes if not m[1]]
        lines += [f"not named: {r.name}: {m[0]}: {m[3]}" for r in self.rows for m in r.mistakes if m[1] and not m[2]]
        lines += [f"NOT AS IT SHOULD BE: {name}: {points} points, {verdict}"
                  for name, points, verdict, ok in self.hostile if not ok]
        return "\n".join([*lines, "", *(f"{value:>5}  {key}" for key, value in self.counts.items())])

    def markdown(self):
        """The published page."""
        lines = ["# The bank of mistakes, counted", "",
                 "Written by `tinycnn exercises bank --markdown`, which tries all of it.", "", "| | |", "|---|---|",
                 *(f"| {key} | {value} |" for key, value in self.counts.items()), "",
                 "## Known mistakes", "", "What the first line of the report says to each.", ""]
        for r in self.rows:
            lines += [f"### {r.name}", "", "| mistake | caught | named | first line |", "|---|---|---|---|"]
            lines += [f"| {_cell(name)} | {'yes' if caught else 'NO'} | {'yes' if named else 'no'} | {_cell(line)} |"
                      for name, caught, named, line in r.mistakes] + [""]
        lines += ["## Hostile and broken submissions", "",
                  "Handed in as `linear` among honest ones, which all got 100 points.", "",
                  "| what it tries | points | verdict | as it should be |", "|---|---|---|---|"]
        lines += [f"| {_cell(name)} | {points} | {_cell(verdict)} | {'yes' if ok else 'NO'} |"
                  for name, points, verdict, ok in self.hostile]
        return "\n".join([*lines, ""])


def count(exercises=(), seed=3, jobs=2):
    """The Bank of `exercises` (default: all), the hostile submissions included where it is all of them."""
    loaded = [load(name) for name in exercises or names()]
    total = sum(len(e.mistakes) for e in loaded)
    rows = []
    with importlib.import_module("tqdm").tqdm(total=total, unit="mistake", delay=2, file=sys.stderr, leave=False,
                                              disable=None) as bar:
        for e in loaded:
            found = []
            for mistake in e.mistakes:
                module = types.ModuleType("submission")
                exec(compile(mistake.apply(e.source), "<submission>", "exec"), module.__dict__)
                report = e.grade(LocalStudent(module), seed)
                named = report.points < 100 and bool(re.search(mistake.says, report.headline))
                found.append((mistake.name, report.points < 100, named, report.headline))
                bar.update()
            rows.append(Row(e.name, len(e.checks), e.minutes, len(e.hints), e.name in DEMOS, tuple(found)))
    tried = () if exercises else hostile.try_all(jobs=jobs)
    return Bank(tuple(rows), tuple((h.name, g.total, g.remark or "all right", ok) for h, g, ok in tried))


def _cell(text):
    text = " ".join(re.sub(r"/\S*/(?=\w)", "", text)[:160].split())   # without the folders of the machine that wrote it
    return text.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")


__all__ = ["Bank", "Row", "count"]
