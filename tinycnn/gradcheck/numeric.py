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
SMALL = (1e-5, 1e-6)   # of the second, at entries where the first disagrees,
TINY = (1e-8, 1e-10)   # and of the third, where the second left the domain of the function


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
def _three_slopes(y, h):
    """dy/dt at 0 from both sides, from the left and from the right, the latter two to second order, and how large y is."""
    centre, right, left, right2, left2 = (y(t) for t in (0.0, h, -h, 2 * h, -2 * h))
    both = (8 * _minus(right, left) - _minus(right2, left2)) / (12 * h)
    from_left = (_minus(left2, centre) - 4 * _minus(left, centre)) / (2 * h)
    from_right = (4 * _minus(right, centre) - _minus(right2, centre)) / (2 * h)
    size = np.abs(centre[np.isfinite(centre)])
    return both, from_left, from_right, size.max() if size.size else 0.0


class Bounds:
    """The slopes dy/dt that are right, between `lower` and `upper`: one and the same vector except at a kink or jump."""

    def __init__(self, lower, upper, kind="smooth"):
        self.lower, self.upper, self.kind = lower, upper, kind

    def interval(self, cotangent):
        """The least and the greatest right value of <cotangent, dy/dt>."""
        a, b = cotangent * self.lower, cotangent * self.upper
        return np.minimum(a, b).sum(), np.maximum(a, b).sum()

    def nearest(self, cotangent, number):
        """The right value of <cotangent, dy/dt> that is nearest to `number`."""
        low, high = self.interval(cotangent)
        return low if not low <= number else min(number, high)


@np.errstate(all="ignore")
def look_closer(y, agrees):
    """The Bounds of dy/dt where the first look disagreed: smaller steps, then left and right slopes.

    `agrees(bounds)` tells whether the gradient under test lies within. At a kink the bounds hold an interval for every
    output element whose gap stays open, because each may choose its own value. At a jump the slopes grow as the step
    shrinks.
    """
    looks = []
    for h in SMALL:
        both, left, right, size = _three_slopes(y, h)
        smooth, gap = Bounds(both, both), np.abs(right - left)
        if agrees(smooth):
            return smooth
        looks.append((smooth, left, right, gap, np.maximum(np.abs(left), np.abs(right))))
    if not np.isfinite(looks[-1][0].lower).all():
        for h in TINY:
            tiny = Bounds(*[slope(y, h)] * 2)
            if agrees(tiny):
                return tiny
    (smooth, left, right, gap, steep), (last, *_, last_gap, last_steep) = looks
    if (~(last_steep <= 2 * steep) & (steep * SMALL[0] > 1e-5 * size)).any():
        return Bounds(last.lower, last.upper, "jump")
    stays = (gap > 1e-5 * steep.max(initial=0)) & (gap > 1e-7 * size) & (last_gap > gap / 2)
    if not stays.any():
        return smooth if np.isfinite(smooth.lower).all() else last
    lower, upper = np.minimum(left, right), np.maximum(left, right)
    return Bounds(np.where(stays, lower, smooth.lower), np.where(stays, upper, smooth.upper), "kink")


def relative(a, b, floor=0.0):
    """The largest difference of two arrays as a fraction of the largest magnitude in them (or of `floor`)."""
    if a.size == 0:
        return 0.0
    scale = max(np.abs(a).max(), np.abs(b).max(), floor)
    return float(np.abs(a - b).max() / scale) if scale > 0 else 0.0
