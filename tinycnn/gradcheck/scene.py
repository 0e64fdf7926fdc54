"""What a law of the diagnosis sees: the wrong gradient A, the right one N, and everything near them."""
import itertools

import numpy as np

from .numeric import line, slope

CLOSE = 1e-6    # two arrays are the same for a law


def same(a, b, close=CLOSE):
    """Whether two arrays agree wherever both are known, which must be at least at half of the entries."""
    if a.shape != b.shape or a.size == 0:
        return False
    known = np.isfinite(a) & np.isfinite(b)
    if 2 * known.sum() < a.size:
        return False
    scale = max(np.abs(a[known]).max(), np.abs(b[known]).max())
    return bool(scale > 0 and np.abs(a[known] - b[known]).max() <= close * scale)


class Scene:
    """What the laws see: lists `a`, `n`, `dy` hold one entry for each of the two upstream gradients."""

    def __init__(self, check, checks, problem, cotangents, y, measure):
        self.measure, self.checks = measure, checks
        self.check, self.others, self.problem = check, [c for c in checks if c is not check], problem
        self.d, self.x, self.shape = check.shown, check.value, check.value.shape
        self.a = check.analytic
        self.n = [np.where(check.kinks | check.jumps, np.nan, n) for n in check.numeric]
        self.vectors, self.dy, self.ys = cotangents, [problem.split(c) for c in cotangents], problem.split(y)
        self.y = self.ys[0] if len(self.ys) == 1 else None
        self.draws = range(len(cotangents))
        self.near = [(check.name, self.x), *((c.name, c.value) for c in self.others)]
        self.near += [("y", self.y)] if self.y is not None else []

    def fits(self, make):
        """Whether the wrong gradient is `make(k)` for every upstream gradient k."""
        return all(same(self.a[k], make(k)) for k in self.draws)

    def gradients(self, values, vectors, **how):
        """The student's gradients of this input at `values`, for `vectors` as upstream gradients; None where it fails."""
        i = self.problem.names.index(self.check.name)
        try:
            found = self.problem.gradients([v.copy() for v in values], vectors, **how)
        except Exception:  # of the function under test: then the law that asked has nothing to say
            return None
        return [np.zeros(self.shape) if g[i] is None else g[i] for g in found]

    def column(self, direction, values=None, problem=None):
        """dy/dt along `direction` of this input, at `values` or of another problem; NaN where forward does not go there."""
        index = self.problem.names.index(self.check.name)
        try:
            return slope(line(problem or self.problem, {index: direction}, values))
        except Exception:  # of the function under test, which may refuse these values
            return np.full(self.vectors[0].shape, np.nan)

    def handed_on(self):
        """(key, name, array) of what forward hands on to backward in a cache; nothing where there is none."""
        if not hasattr(self, "_handed_on"):
            self._handed_on = self.problem.handed_on() if hasattr(self.problem, "handed_on") else []
        return self._handed_on

    def linear_with(self, close):
        """Whether backward is linear in dy up to `close`."""
        a, b = self.vectors
        both = self.gradients(self.problem.values, [a + 2 * b])
        return both is not None and same(both[0], self.a[0] + 2 * self.a[1], close)

    def pulled(self, change):
        """The right gradient, had the upstream gradient been `change(list of arrays)`; needs the Jacobian."""
        def make(k):
            changed = np.concatenate([c.ravel() for c in change(self.dy[k])])
            return (self.check.jacobian @ changed).reshape(self.shape)
        return make

    def axis(self, axis, array=None):
        """An axis of x (or of `array`) in words: its number, and that it is the batch where it looks like it."""
        shape = self.shape if array is None else array.shape
        batch = (axis == 0 and len(shape) > 1 and self.y is not None and self.y.shape[:1] == shape[:1]
                 and self.problem.values[0].shape[:1] == shape[:1])
        return f"axis {axis}" + " (the batch)" * batch

    def axes(self, axes, array=None):
        """Several axes in words."""
        return " and ".join(self.axis(a, array) for a in axes)


def subsets(axes):
    """All subsets but the empty one, small ones first."""
    return [s for r in range(1, len(axes) + 1) for s in itertools.combinations(axes, r)]


def long_axes(shape):
    """The axes that are longer than 1."""
    return [i for i, size in enumerate(shape) if size > 1]


def diagonal(s):
    """Whether every output depends on its own input alone."""
    j = s.check.jacobian
    return j is not None and j.shape[0] == j.shape[1] and np.count_nonzero(j - np.diag(np.diagonal(j))) == 0
