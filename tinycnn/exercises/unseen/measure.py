"""What the library says to the entries, and what that is worth."""
import re
from collections import Counter
from dataclasses import dataclass, field

from ...engine.function import Function
from ...gradcheck import check_functions, gradcheck
from .. import check

WORDS = ("named", "vague", "misleading", "missed")   # what the first line does with the cause of what is wrong


@dataclass
class Share:
    """What became of wrong implementations and of right ones, each tried with several seeds."""
    title: str
    entries: int = 0                                      # that are wrong
    right: int = 0                                        # and that are right
    words: Counter = field(default_factory=Counter)       # of all tries of wrong ones
    alarms: list = field(default_factory=list)            # (name, seed, first line) of right ones that were accused

    @property
    def tries(self):
        """How often wrong ones were tried."""
        return sum(self.words.values())

    @property
    def caught(self):
        """How many of these tries found something."""
        return self.tries - self.words["missed"]


def report(entry, seed):
    """The library's report on an entry, true when it finds nothing."""
    if entry.exercise:
        names = {"__name__": "solution"}
        exec(compile(entry.text(), f"{entry.exercise}.py", "exec"), names)
        return check(entry.exercise, names, seed=seed)
    arrays = entry.draw(seed)
    if issubclass(entry.code, Function):
        return gradcheck(entry.code, *arrays, options=dict(entry.options), seed=seed)
    return check_functions(entry.code.forward, entry.code.backward, *arrays, options=dict(entry.options), seed=seed)


def said(entry, seed):
    """(whether anything was found, the first line without the name of what was checked)."""
    try:
        found = report(entry, seed)
    except Exception as error:
        return True, f"{type(error).__name__}: {error}".partition("\n")[0]
    line = str(found).partition("\n")[0]
    return not found, line if entry.exercise else line.partition(": ")[2] or line


def word(entry, found, line):
    """One of the WORDS for a wrong entry; "right" or "false alarm" for a right one."""
    if not entry.truth:
        return "false alarm" if found else "right"
    if not found:
        return "missed"
    if any(re.search(pattern, line.lower()) for pattern in entry.misleading):
        return "misleading"
    return "named" if any(re.search(pattern, line.lower()) for pattern in entry.cause) else "vague"


def measure(entries, seeds, told=lambda entry, seed, word, line: None):
    """Two Shares, of functions and of exercises, over all `seeds`; `told` hears of every try."""
    shares = {True: Share("exercises"), False: Share("functions")}
    for entry in entries:
        share = shares[bool(entry.exercise)]
        share.entries, share.right = share.entries + bool(entry.truth), share.right + (not entry.truth)
        for seed in seeds:
            found, line = said(entry, seed)
            verdict = word(entry, found, line)
            if entry.truth:
                share.words[verdict] += 1
            elif found:
                share.alarms.append((entry.name, seed, line))
            told(entry, seed, verdict, line)
    return shares[False], shares[True]


def table(shares, seeds):
    """Lines of Markdown: a row a Share, which counts tries."""
    columns = ("wrong ones", "tries", "caught", "cause named", "vague", "misleading", "missed", "right ones", "false alarms")
    lines = [f"| |{'|'.join(f' {c} ' for c in columns)}|", f"|---|{'---|' * len(columns)}"]
    for s in shares:
        counts = [s.caught, *(s.words[w] for w in WORDS)]
        cells = [s.entries, s.tries, *(f"{n} ({n / max(s.tries, 1):.1%})" for n in counts), s.right,
                 f"{len(s.alarms)} of {s.right * len(seeds)}"]
        lines.append(f"| {s.title} |{'|'.join(f' {c} ' for c in cells)}|")
    return lines
