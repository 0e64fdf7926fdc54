"""Derivatives from values of the function alone: finite differences, and an honest answer at a kink.

Everything is measured along a line: y(t), all outputs as one vector, at `values + t * direction`. The five-point rule

    y'(0) = (8 (y(h) - y(-h)) - (y(2h) - y(-2h))) / 12h + O(h^4)

is good to about 1e-13 at h = 1e-3 in float64. Source: Abramowitz and Stegun, 25.3.6.

Where the function has a kink (ReLU at 0, two equal numbers under a maximum) there is no derivative, only a slope to the
right and one to the left, and every value between them is a fair answer. A kink shows itself by the gap between the two: at
a smooth point the gap closes as the step shrinks, at a kink it stays; at a jump the slopes grow, and no answer is right or
wrong.
"""
import numpy as np

STEP = 1e-3            # of the first look
FURTHER = tuple(10.0 ** -k for k in range(4, 13))   # of further ones, at entries where the first disagrees
SETTLED = 1e-8         # two steps agree when their slopes differ by less than this part of the steepest


def line(problem, direction, origin=None):
    """The function t -> y for `direction`, {number of the input: array}, starting from the problem's values or `origin`."""
    def y(t):
        values = list(origin or problem.values)
        for i, v in direction.items():
            values[i] = np.asarray(values[i] + t * v)  # NumPy makes a scalar of 0-d sums
        with np.errstate(all="ignore"):
            return problem.vector(values)
    return y


def _minus(a, b):
    """a - b, where equal infinities differ by nothing."""
    return np.where(a == b, 0.0, a - b)


@np.errstate(all="ignore")
def slope(y, h=STEP):
    """dy/dt at 0 by the five-point rule: a vector, one number an output element."""
    return (8 * _minus(y(h), y(-h)) - _minus(y(2 * h), y(-2 * h))) / (12 * h)


@np.errstate(all="ignore")
def _three_slopes(y, h, centre):
    """dy/dt at 0 from both sides, from the left and from the right, the latter two to second order."""
    right, left, right2, left2 = (y(t) for t in (h, -h, 2 * h, -2 * h))
    both = (8 * _minus(right, left) - _minus(right2, left2)) / (12 * h)
    from_left = (_minus(left2, centre) - 4 * _minus(left, centre)) / (2 * h)
    from_right = (4 * _minus(right, centre) - _minus(right2, centre)) / (2 * h)
    return both, from_left, from_right


class Bounds:
    """The slopes dy/dt that are right, between `lower` and `upper`: one and the same vector except at a kink or jump.

    `doubt` is how much of each number may be a rounding error.
    """

    def __init__(self, lower, upper, kind="smooth", doubt=0.0):
        self.lower, self.upper, self.kind, self.doubt = lower, upper, kind, doubt

    def interval(self, cotangent):
        """The least and the greatest right value of <cotangent, dy/dt>."""
        a, b = cotangent * self.lower, cotangent * self.upper
        doubt = 3 * float(np.linalg.norm(cotangent * self.doubt))
        return np.minimum(a, b).sum() - doubt, np.maximum(a, b).sum() + doubt

    def nearest(self, cotangent, number):
        """The right value of <cotangent, dy/dt> that is nearest to `number`."""
        low, high = self.interval(cotangent)
        return low if not low <= number else min(number, high)


def rounding(problem, draws=5):
    """How far rounding moves each output: what it changes by when the last digit of every input does.

    A difference of large numbers, as x - mean(x) at an offset, moves a lot; a function that rounds to float32 on its way
    does not even notice, so that this tells the one from the other.
    """
    centre = problem.vector(problem.values)
    finite = np.abs(np.where(np.isfinite(centre), centre, 0.0))
    most, rng = np.finfo(float).eps * finite, np.random.default_rng(0)
    for _ in range(draws):
        with np.errstate(all="ignore"):
            moved = np.abs(_minus(problem.vector([nudged(v, rng) for v in problem.values]), centre))
        jumps = ~(moved <= 1e-3 * max(finite.max(initial=0), 1e-300))
        most = np.maximum(most, np.where(jumps, 0.0, moved))
    return 2 * most


def nudged(array, rng):
    """`array` with the last digit of every entry moved up or down."""
    return np.asarray(np.nextafter(array, np.where(rng.random(array.shape) < 0.5, -np.inf, np.inf)))


@np.errstate(all="ignore")
def look_closer(y, agrees, centre=None, first=None, noise=0.0):
    """The Bounds of dy/dt where the first look disagreed: the step shrinks until two slopes agree, from either side too.

    `agrees(bounds)` tells whether the gradient under test lies within. At a kink the bounds hold an interval for every
    output element whose gap stays open, because each may choose its own value. At a jump the slopes grow as the step
    shrinks. A step that leaves the domain (of log, near 0) makes NaN, which agrees with nothing. `centre` is y(0), `first`
    the slope of the first look, `noise` how much of y is rounding.
    """
    centre = y(0.0) if centre is None else centre
    before, best, last, kink = slope(y) if first is None else first, None, None, None
    for h in FURTHER:
        both, left, right = _three_slopes(y, h, centre)
        gap, steep = np.abs(right - left), np.maximum(np.abs(left), np.abs(right))
        top, doubt, change = steep[np.isfinite(steep)].max(initial=0), noise / h, np.abs(both - before)
        smooth = np.isfinite(both) & (change <= SETTLED * top + 2 * doubt) & (gap <= 1e-4 * top + 9 * doubt)
        if smooth.all():
            if np.linalg.norm(doubt) > SETTLED * top:  # then the larger step tells more
                return Bounds(before, before, doubt=doubt / 10)
            return Bounds(both, both, doubt=doubt)
        far = float((change + doubt).sum())
        if np.isfinite(far) and (best is None or far < best[0]):
            best = far, Bounds(both, both, doubt=doubt)
            if agrees(best[1]):
                return best[1]
        stays = ~smooth & (gap > 1e-5 * top) & (gap > 9 * doubt)
        if last and stays.any():
            still = stays & (np.abs(left - last[0]) <= 1e-4 * top) & (np.abs(right - last[1]) <= 1e-4 * top)
            if (smooth | still).all() and (kink is None or np.linalg.norm(doubt) <= SETTLED * top):
                kink = Bounds(np.where(still, np.minimum(left, right), both), np.where(still, np.maximum(left, right), both),
                              "kink", doubt)
                if agrees(kink):
                    return kink  # otherwise the kink may be nearby only: look closer
        before, last, grows = both, (left, right, gap, steep), steep > 5 * (last[3] if last else np.inf)
    if kink:
        return kink
    if last and np.isfinite(last[3]).all() and np.any(grows & (last[3] * h > 9 * np.asarray(noise))):
        return Bounds(before, before, "jump")
    return best[1] if best else Bounds(before, before)


def relative(a, b, floor=0.0):
    """The largest difference of two arrays as a fraction of the largest magnitude in them (or of `floor`)."""
    if a.size == 0:
        return 0.0
    scale = max(np.abs(a).max(), np.abs(b).max(), floor)
    return float(np.abs(a - b).max() / scale) if scale > 0 else 0.0
