"""A student's own overview: what is solved, how many points, how much is left; kept in one `progress.json`."""
import hashlib
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

from ..files.atomic import write_atomically
from .course import lectures, load, names

FILE = "progress.json"


@dataclass(frozen=True)
class Entry:
    """What is known about one exercise: "not started", "started", "changed" since the last check, or "checked"."""
    name: str
    state: str
    points: int
    best: int
    when: str
    minutes: int     # that are left, by the estimate and the best points


@dataclass(frozen=True)
class Progress:
    """All exercises of a folder; `str` is a table."""
    entries: tuple

    @property
    def points(self):
        """The points of the last checks."""
        return sum(e.points for e in self.entries)

    @property
    def minutes(self):
        """The minutes that are left, by the estimates."""
        return sum(e.minutes for e in self.entries)

    def __str__(self):
        known, lines = {e.name: e for e in self.entries}, []
        for number, (title, members) in enumerate(lectures(), 1):
            lines.append(f"{number}. {title}")
            for e in (known[name] for name in members if name in known):
                state = e.state
                if state == "checked":
                    state = "solved" if e.points == 100 else f"best {e.best}" * (e.best > e.points)
                points = f"{e.points:3} of 100" if e.state in ("checked", "changed") else " " * 10
                lines.append(f"   {e.name:22}  {points}  {state:11}  " + f"{e.minutes:3} min left" * bool(e.minutes))
        solved = sum(e.points == 100 for e in self.entries)
        return "\n".join([*(line.rstrip() for line in lines), f"{solved} of {len(self.entries)} solved, {self.points} of "
                          f"{100 * len(self.entries)} points, about {self.minutes / 60:.0f} hours left"])

    __repr__ = __str__


def record(report, path, folder="."):
    """Note in `folder` what a check of the file `path`, wherever it lies, has found."""
    memo = Path(folder) / FILE
    known = _read(memo)
    earlier = known.get(report.name, {})
    known[report.name] = {"file": _from(folder, path), "points": report.points,
                          "best": max(report.points, earlier.get("best", 0)), "when": time.strftime("%Y-%m-%d %H:%M"),
                          "checks": earlier.get("checks", 0) + 1, "digest": _digest(Path(path))}
    write_atomically(memo, json.dumps(known, indent=1).encode())


def _from(folder, path):
    """`path` as it is found from `folder`, with slashes."""
    try:
        return Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:  # on another drive of Windows
        return Path(path).resolve().as_posix()


def progress(folder="."):
    """The Progress in `folder`. Raises ValueError where its progress.json is damaged."""
    folder = Path(folder)
    known = _read(folder / FILE)
    return Progress(tuple(_entry(load(name), folder, known.get(name)) for name in names()))


def _entry(exercise, folder, noted):
    if noted is None:
        state = "started" if (folder / f"{exercise.name}.py").exists() else "not started"
        return Entry(exercise.name, state, 0, 0, "", exercise.minutes)
    path = folder / noted["file"]
    state = "checked" if path.exists() and _digest(path) == noted["digest"] else "changed"
    left = round(exercise.minutes * (1 - noted["best"] / 100))
    return Entry(exercise.name, state, noted["points"], noted["best"], noted["when"], left)


def _digest(path):
    return hashlib.sha256(path.read_bytes().replace(b"\r\n", b"\n")).hexdigest()


def _read(memo):
    if not memo.exists():
        return {}
    try:
        known = json.loads(memo.read_text(encoding="utf-8"))
        return {name: {"file": str(e["file"]), "points": int(e["points"]), "best": int(e["best"]), "when": str(e["when"]),
                       "checks": int(e["checks"]), "digest": str(e["digest"])} for name, e in known.items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ValueError(f"progress: {memo} is damaged; delete it, and check your files again") from None


__all__ = ["Entry", "Progress", "progress", "record"]
