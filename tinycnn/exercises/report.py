"""What a check found out about a submission, in words: the cause first."""
from dataclasses import dataclass


MOST = 90   # characters of a line in the table of checks


class Wrong(Exception):
    """A check's verdict: the first line says what is wrong in one sentence, further lines where."""


def plain(text):
    """`text` without what a terminal or a page would obey: escape codes, marks of direction, surrogates."""
    return "".join(c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text)


@dataclass(frozen=True)
class Result:
    """One check: its name, the points won of those to be had, what is wrong (empty when nothing is), and the seconds."""
    name: str
    points: int
    of: int
    text: str = ""
    seconds: float = 0.0
    crashed: bool = False   # the check itself failed on what the submission returned

    @property
    def ok(self):
        """Whether the check was passed."""
        return self.points == self.of

    @property
    def headline(self):
        """The first line of what is wrong."""
        return self.text.partition("\n")[0]


@dataclass(frozen=True)
class Report:
    """All checks of one exercise on one submission; true when all were passed. `str` and `markdown` tell."""
    name: str
    title: str
    results: tuple
    seed: int
    printed: str = ""       # the end of what the submission printed

    @property
    def points(self):
        """The points won."""
        return sum(r.points for r in self.results)

    @property
    def of(self):
        """The points to be had."""
        return sum(r.of for r in self.results)

    def __bool__(self):
        return all(r.ok for r in self.results)

    @property
    def headline(self):
        """What is wrong, in one line: that of the first check that failed."""
        return next((r.headline for r in self.results if not r.ok), f"{self.name}: all right")

    def __str__(self):
        width = max(len(r.name) for r in self.results)
        lines = [self.headline, ""]
        lines += [f"  {r.name:{width}}  {r.points:3} of {r.of:3}  {_short(r.headline)}".rstrip() for r in self.results]
        lines += [f"  {'points':{width}}  {self.points:3} of {self.of:3}"]
        failed = [r for r in self.results if not r.ok]
        for r in failed:
            if "\n" in r.text or len(failed) > 1 and len(r.headline) > MOST:
                lines += ["", f"{r.name}:", *(f"  {line}" for line in r.text.split("\n"))]
        if self.printed:
            lines += ["", "your code printed:", *(f"  {line}" for line in self.printed.splitlines())]
        return "\n".join([*lines, f"seed {self.seed}"])

    __repr__ = __str__

    def markdown(self):
        """The same for a page."""
        lines = [f"## {self.title}: {self.points} of {self.of} points", "", self.headline.replace("<", "&lt;"), "",
                 "| check | points |", "|---|---|"]
        lines += [f"| {r.name} | {r.points} of {r.of} |" for r in self.results]
        for r in self.results:
            if not r.ok:
                lines += ["", f"### {r.name}", "", *(f"    {line}" for line in r.text.split("\n"))]
        if self.printed:
            lines += ["", "### Printed", "", *(f"    {line}" for line in self.printed.splitlines())]
        return "\n".join([*lines, "", f"Seed {self.seed}.", ""])

    _repr_markdown_ = markdown


def _short(text, most=MOST):
    return text if len(text) <= most else text[:most].rsplit(" ", 1)[0] + " ..."
