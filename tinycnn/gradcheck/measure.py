"""One input against finite differences: a projection as the gate, then entry by entry to locate what is wrong.

A projection compares <gradient, v> with the slope along a random direction v: four evaluations for an input of any size, and
no error in the gradient escapes it except by an accident of probability zero. It cannot say where the error is, nor judge a
kink. So small inputs are measured entry by entry at once, larger ones (and small ones of a function with many outputs) when
the gate fails, and very large ones by bisection: the failing half of a failing block, again and again.
"""
import time
from dataclasses import dataclass, field

import numpy as np

from .numeric import FURTHER, STEP, Bounds, line, look_closer, rounding, slope

SMALL = 48             # entries that are measured one by one at once
LARGE = 4096           # but not where the outputs hold more numbers than this: then the gate comes first
FULL = 4096            # entries that are measured one by one when the gate fails; beyond, bisection
LOOKS = 512            # entries that bisection measures at most
CLEAR = 0.01           # part of the tolerance beyond which a smaller step is tried: the error may be that of the step
JACOBIAN = 2_000_000   # numbers of a Jacobian that is kept for the diagnosis
BUDGET = 2.0           # seconds of work that one input may take entry by entry, before smaller inputs are tried
SPENT = 4.0            # seconds of work that a search by halves may take
TIES = 64              # groups of equal values that get a joint step


@dataclass(frozen=True)
class Tolerance:
    """When two numbers agree: |a - n| <= tol * scale; with atol or rtol, PyTorch's atol + rtol * |n|."""
    tol: float = 1e-7
    atol: float = None
    rtol: float = None
    step: float = STEP

    def slack(self, scale, number):
        """How far from `number` is still right."""
        if self.atol is None and self.rtol is None:
            return self.tol * scale
        return (self.atol or 0.0) + (self.rtol or 0.0) * abs(number)


@dataclass
class InputCheck:
    """What was found out about the gradient of one input; lists hold one array for each of the two cotangents."""
    name: str
    value: np.ndarray
    analytic: list
    numeric: list                  # NaN where not measured
    floors: list                   # the least scale, by the size of the outputs
    missing: bool = False          # no gradient arrived at all
    misshapen: np.ndarray = None   # a gradient that arrived in another shape
    wrong: np.ndarray = None       # which entries are wrong
    kinks: np.ndarray = None       # which are right, being between the slopes at a kink
    jumps: np.ndarray = None       # which cannot be judged, because the function jumps there
    error: float = 0.0
    jacobian: np.ndarray = None    # d outputs / d entries, (entries, outputs), where it was kept
    tie: tuple = None              # (value, how many, analytic, numeric) of a joint step that disagrees
    cause: str = ""
    vague: bool = False            # the cause says where or how much, not why
    scales: list = field(default_factory=list)

    @property
    def ok(self):
        """Whether this gradient is right."""
        return not (self.wrong.any() or self.tie or self.misshapen is not None)

    @property
    def measured(self):
        """Which entries were measured one by one."""
        return np.isfinite(self.numeric[0]) | self.wrong

    @property
    def shown(self):
        """The name of the gradient: dx of x, "gradient of conv.weight" of a long name."""
        return f"d{self.name}" if len(self.name) <= 2 else f"the gradient of {self.name}"


class TooSlow(Exception):
    """An input is wrong, and to look at all of its entries would take long."""


class Measurement:
    """The work on input `index` of `problem`. Where it would take long it is refused (TooSlow), unless `patient`."""

    def __init__(self, problem, index, check, cotangents, tolerance, rng, patient=True):
        self.patient = patient
        self.problem, self.index, self.check, self.rng = problem, index, check, rng
        self.cotangents, self.tolerance = cotangents, tolerance
        self.centre = self.noise = None
        shape = check.value.shape
        check.wrong, check.kinks, check.jumps = (np.zeros(shape, bool) for _ in range(3))
        check.scales = [max(largest(a), floor) for a, floor in zip(check.analytic, check.floors)]

    def run(self, entries):
        """Measure; `entries` says whether one by one at once (None: as the size suggests)."""
        size = self.check.value.size
        if size == 0:
            return
        small = size <= (SMALL if self.cotangents[0].size <= LARGE else 1)
        if entries or entries is None and small or self.check.misshapen is not None:
            self.measure(np.arange(size), keep=True)
        elif not self.passes(self._direction()):
            start = time.thread_time()
            self.problem.vector(self.problem.values)
            slow = min(size, LOOKS if size > FULL else size) * 8 * (time.thread_time() - start) > BUDGET and not entries
            if slow and not self.patient:
                raise TooSlow
            if size <= FULL and not slow:
                self.measure(np.arange(size), keep=True)
            else:
                self.bisect()

    # ---- the gate ----
    def _direction(self):
        """Every entry moves, by a step of its own size and sign."""
        shape = self.check.value.shape
        return self.rng.uniform(0.5, 1.0, shape) * self.rng.choice([-1.0, 1.0], shape)

    def passes(self, direction, note=True):
        """Whether gradient and slope agree along `direction`; if `note`, the error counts as that of the input."""
        y, best = line(self.problem, {self.index: direction}), np.inf
        numbers = [(a * direction).sum() for a in self.check.analytic]
        for step in (self.tolerance.step, FURTHER[1]):
            column, errors = slope(y, step), []
            for c, number, scale in zip(self.cotangents, numbers, self.check.scales):
                slack = self.tolerance.slack(scale, c @ column)
                errors.append((abs(number - c @ column) / max(slack, 1e-300), abs(number - c @ column) / scale))
            worst, error = (max(e) if np.isfinite(e).all() else np.inf for e in zip(*errors))
            if worst < best:
                best, best_error = worst, error
            if best <= CLEAR:
                break
        if best <= 1 and note:
            self.check.error = max(self.check.error, best_error)
        return best <= 1

    # ---- entry by entry ----
    def measure(self, entries, keep=False):
        """Judge `entries` (flat indices) one by one; with `keep` their columns are kept as the Jacobian."""
        check = self.check
        if keep and check.value.size * self.cotangents[0].size <= JACOBIAN:
            check.jacobian = np.empty((check.value.size, self.cotangents[0].size))
        columns = {}
        for e in entries:
            columns[e] = column = slope(self._line(e), self.tolerance.step)
            for c, numeric in zip(self.cotangents, check.numeric):
                numeric.flat[e] = c @ column
            if check.jacobian is not None:
                check.jacobian[e] = column
        check.scales = [max(largest(n), floor) for n, floor in zip(check.numeric, check.floors)]
        for e in entries:
            numbers = [n.flat[e] for n in check.numeric]
            if not self._agree(e, numbers, numbers, CLEAR):
                self._look_closer(e, columns[e])
            self._note_error(e)

    def _line(self, e):
        direction = np.zeros(self.check.value.shape)
        direction.flat[e] = 1.0
        return line(self.problem, {self.index: direction})

    def _agree(self, e, lows, highs, part=1.0):
        """Whether entry e lies between `lows` and `highs`, for both cotangents, up to a part of the tolerance."""
        slack = self.tolerance.slack
        return all(low - part * slack(scale, low) <= a.flat[e] <= high + part * slack(scale, high)
                   for a, low, high, scale in zip(self.check.analytic, lows, highs, self.check.scales))

    def _look_closer(self, e, column):
        """Judge entry e, whose first slope was `column`, again with small steps and one-sided slopes."""
        check = self.check
        if self.noise is None:
            self.centre, self.noise = self.problem.vector(self.problem.values), rounding(self.problem)

        def agrees(bounds):
            return self._agree(e, *zip(*(bounds.interval(c) for c in self.cotangents)))
        bounds = look_closer(self._line(e), agrees, self.centre, column, self.noise)
        for c, a, numeric in zip(self.cotangents, check.analytic, check.numeric):
            numeric.flat[e] = bounds.nearest(c, a.flat[e])
        if check.jacobian is not None:
            check.jacobian[e] = (bounds.lower + bounds.upper) / 2
        if bounds.kind == "jump":
            check.jumps.flat[e] = True
        elif not agrees(bounds):
            check.wrong.flat[e] = True
        elif bounds.kind == "kink":
            check.kinks.flat[e] = True

    def _note_error(self, e):
        check = self.check
        for a, n, scale in zip(check.analytic, check.numeric, check.scales):
            if not (check.kinks.flat[e] or check.jumps.flat[e]):
                difference = abs(a.flat[e] - n.flat[e])
                error = difference / scale if scale else float(difference > 0)
                check.error = max(check.error, error if np.isfinite(error) else np.inf)

    # ---- halves ----
    def bisect(self):
        """Find wrong entries of a very large input: split failing blocks in halves, measure small ones."""
        direction = self._direction().reshape(-1)
        blocks, looks, start = [np.arange(direction.size)], 0, time.thread_time()
        while blocks and looks < LOOKS and (time.thread_time() - start < SPENT or not self.check.wrong.any()):
            block = blocks.pop(self.rng.integers(len(blocks)))
            if block.size <= 16:
                self.measure(block)
                looks += block.size
                continue
            for half in np.array_split(block, 2):
                part = np.zeros(direction.size)
                part[half] = direction[half]
                if not self.passes(part.reshape(self.check.value.shape), note=False):
                    blocks.append(half)


def largest(array):
    """The largest finite magnitude in `array`, 0 where there is none."""
    finite = np.abs(array[np.isfinite(array)])
    return float(finite.max()) if finite.size else 0.0


def check_ties(problem, checks, cotangents, tolerance):
    """Move entries of equal value together: two winners that each take the whole gradient are right one by one only."""
    every = np.concatenate([c.value.ravel() for c in checks])
    values, counts = np.unique(every, return_counts=True)
    for value in values[counts > 1][:TIES]:
        direction = {i: (c.value == value).astype(np.float64) for i, c in enumerate(checks) if (c.value == value).any()}
        numbers = [sum((checks[i].analytic[d] * v).sum() for i, v in direction.items()) for d in range(len(cotangents))]
        y = line(problem, direction)

        def agrees(bounds):
            for d, (c, number) in enumerate(zip(cotangents, numbers)):
                low, high = bounds.interval(c)
                scale = max(abs(low), abs(high), *(checks[i].scales[d] for i in direction))
                if not low - tolerance.slack(scale, low) <= number <= high + tolerance.slack(scale, high):
                    return False
            return True
        column = slope(y, tolerance.step)
        bounds = Bounds(column, column)
        if not agrees(bounds):
            bounds = look_closer(y, agrees)
        if not agrees(bounds) and bounds.kind != "jump":
            first = checks[min(direction)]
            first.tie = (float(value), int(sum(v.sum() for v in direction.values())), numbers[0],
                         bounds.nearest(cotangents[0], numbers[0]))
            first.error = max(first.error, abs(first.tie[2] - first.tie[3]) / max(abs(first.tie[3]), first.scales[0]))
            return
