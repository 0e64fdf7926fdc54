"""Mistakes and right answers that the laws have not seen.

Laws and their tests do not read these files. Whoever improves what the checker or an exercise says works from other lists;
this one was written down beforehand, from mistakes that people have made in homework, forums and issue trackers, and only
measures. What is learnt from its table is a number, never an entry.

`elementwise.py` to `promises.py` hold functions, pairs of a forward and a backward, for the gradient checker;
`solutions_*.py` holds solutions of exercises; `right_*.py` what is right in an unusual style and must be accepted.
`proof.py` shows that the wrong ones are wrong and the right ones right, without the library's verdict; `measure.py` counts:

    python -m tinycnn.exercises.unseen --seeds 3 --show
"""
import importlib
from dataclasses import dataclass

import numpy as np

from .. import load

FILES = ("elementwise", "sums", "losses", "norms", "pictures", "sequences", "promises", "right_functions",
         "solutions_pictures", "solutions_blocks", "solutions_derivatives", "solutions_training", "right_solutions")


@dataclass(frozen=True)
class Entry:
    """An implementation: of a function (`code` is a class with forward and backward) or of an exercise (`code` is text).

    `truth` says in a sentence what is wrong with it and is empty where nothing is. The first line of a report names the
    cause where one of the expressions `cause` is found in it, and misleads where one of `misleading` is.
    """
    name: str
    code: object
    truth: str = ""
    cause: tuple = ()
    misleading: tuple = ()
    exercise: str = ""
    arrays: tuple = ()
    options: tuple = ()

    def draw(self, seed):
        """The arguments of a function: a shape stands for normal numbers, a function of a generator for what it draws."""
        rng = np.random.default_rng([seed, 16])
        return [a(rng) if callable(a) else rng.standard_normal(a) for a in self.arrays]

    def text(self):
        """The whole file of a solution: the functions of `code` take the place of those in the reference."""
        return f"{load(self.exercise).source}\n\n{self.code}"


entries = []


def wrong(*arrays, truth, cause, misleading=(), **options):
    """Register the decorated class as a wrong function of `arrays`."""
    def register(code):
        entries.append(Entry(code.__name__, code, truth, tuple(cause), tuple(misleading), arrays=arrays,
                             options=tuple(options.items())))
        return code
    return register


def right(*arrays, **options):
    """Register the decorated class as a right function of `arrays`."""
    def register(code):
        entries.append(Entry(code.__name__, code, arrays=arrays, options=tuple(options.items())))
        return code
    return register


def solution(exercise, truth="", cause=(), misleading=(), *, code):
    """Register a solution of `exercise`; without a truth it is right."""
    number = sum(e.exercise == exercise for e in entries)
    entries.append(Entry(f"{exercise} {number + 1}", code.strip() + "\n", truth, tuple(cause), tuple(misleading), exercise))


def load_all():
    """All entries, in the order of the files."""
    for file in FILES:
        importlib.import_module(f"{__name__}.{file}")
    return list(entries)


# ---- what functions are given ----
def positive(*shape, low=0.2, high=2.0):
    """Numbers between low and high."""
    return lambda rng: rng.uniform(low, high, shape)


def integers(*shape, low=0, high=4):
    """Integers from low to high - 1."""
    return lambda rng: rng.integers(low, high, shape)


def away(*shape, gap=0.1):
    """Normal numbers, none of them nearer to 0 than gap."""
    def draw(rng):
        x = rng.standard_normal(shape)
        return x + np.sign(x) * gap
    return draw


def distinct(*shape):
    """Numbers in random order, each at least 0.1 from all others."""
    def draw(rng):
        size = int(np.prod(shape))
        return ((rng.permutation(size) - size / 2) * 0.1 + 0.03).reshape(shape)
    return draw


def given(*values):
    """These numbers, whatever the seed."""
    return lambda rng: np.array(values)
