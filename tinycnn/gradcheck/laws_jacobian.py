"""Laws of the diagnosis, fourth part: the Jacobian that backward must have in mind, against the right one.

Backward is linear, so that one upstream gradient for each output, 1 there and 0 elsewhere, shows the whole matrix that it
multiplies with. Where that matrix is wrong says more than what came of it.
"""
import numpy as np

from .jacobians import jacobians
from .laws_known import factor_of_outputs, local_formula
from .laws_part import place
from .scene import CLOSE, diagonal, same


def _zero(matrix, right):
    return np.abs(matrix) <= CLOSE * np.abs(right).max(initial=0)


def _close(a, b, right):
    return np.abs(a - b) <= CLOSE * np.abs(right).max(initial=0)


def _at(s, e):
    """Entry e of the gradient, in words."""
    place = ", ".join(map(str, map(int, np.unravel_index(e, s.shape))))
    return f"{s.d}[{place}]" if s.shape else s.d


def _output(s, j):
    """Entry j of dy, in words."""
    for k, y in enumerate(s.ys):
        if j < y.size:
            place = ", ".join(map(str, map(int, np.unravel_index(j, y.shape))))
            return ("dy" if s.y is not None else f"dy{k}") + f"[{place}]" * (y.ndim > 0)
        j -= y.size


def local_derivative(s):
    """Every entry of x reaches one output alone, and backward knows which, but multiplies with a wrong number."""
    both = jacobians(s)
    if both is None:
        return None
    yours, right = both
    alone = ~_zero(right, right)
    if (alone.sum(1) > 1).any() or (~_zero(yours, right) & ~alone).any() or alone.any(1).sum() < 2:
        return None
    if (alone.sum(0) > 1).any() and s.y is not None and s.y.size > 1:
        return None  # an output made of several entries is better told otherwise
    e = int(np.where(s.check.wrong.ravel(), np.abs(yours - right).max(1), -1).argmax())
    j = int(alone[e].argmax())
    formula = local_formula(s)
    numbers = yours[alone]
    if same(numbers, np.full(numbers.shape, numbers[0])):
        return (f"takes the local derivative for {numbers[0]:.6g} at every entry; it is not everywhere the same, at "
                f"{_at(s, e)} it is {right[e, j]:.6g}")
    return (f"is dy times a wrong local derivative: at {s.check.name} = {s.x.flat[e]:.6g} yours is {yours[e, j]:.6g}, right "
            f"is {right[e, j]:.6g}{formula and '; ' + formula}")


def wrong_places(s):
    """Backward has the right numbers and multiplies them with other entries of dy."""
    both = jacobians(s)
    if both is None or s.x.size < 2:
        return None
    yours, right = both
    if (_zero(yours, right) == _zero(right, right)).all():
        return None  # the places are right, and the numbers were exchanged among them, as by a kernel that is not flipped
    for axis, words in ((1, "takes dy from the wrong places"), (0, "brings dy to the wrong places")):
        if yours.shape[axis] > 1 and _close(np.sort(yours, axis), np.sort(right, axis), right).all():
            e = int((~_close(yours, right, right)).any(1).argmax())
            get, should = (np.flatnonzero(~_zero(m[e], right) & ~_close(yours[e], right[e], right)) for m in both)
            get, should = ([_output(s, j) for j in js[:3]] for js in (get, should))
            return (f"{words}: {_at(s, e)} gets {' and '.join(get) or 'nothing'}, where {' and '.join(should) or 'nothing'} "
                    "belongs: look at the order of axes, offsets and indices")
    return None


def shared_out(s):
    """Every output is shared among entries of which only one made it."""
    both = jacobians(s)
    if both is None:
        return None
    got, reach = (~_zero(m, both[1]) for m in both)
    if (reach.sum(0) == 1).all() and (got.sum(0) > 1).all() and not (reach & ~got).any() and _even(both[0], got):
        return ("shares dy among all entries of a window or row, where only the chosen one (the maximum) gets it, and gets "
                "all of it")
    return None


def wrong_reach(s):
    """Right, except that outputs are left out, or counted that do not depend on x."""
    both = jacobians(s)
    if both is None:
        return None
    yours, right = both
    wrong, reach = ~_close(yours, right, right), ~_zero(right, right)
    where = place(s, s.check.wrong)
    if not wrong.any() or not (reach & ~wrong).any():
        return None
    e, j = map(int, np.argwhere(wrong)[0])
    if not (wrong & reach).any():
        return (f"also counts outputs that do not depend on an entry{where}, and is right elsewhere: {_at(s, e)} gets a "
                f"part of {_output(s, j)}, and should not")
    if _zero(yours, right)[wrong].all():
        return (f"leaves out some of the outputs that an entry acts upon{where}, and is right elsewhere: {_at(s, e)} gets "
                f"nothing of {_output(s, j)}; sum over all uses")
    return None


def _even(yours, got):
    """Whether every output is shared in equal parts."""
    shares = yours.sum(0) / got.sum(0)
    return bool((np.abs(yours - got * shares) <= 1e-6 * np.abs(yours).max()).all())


def dead_outputs(s):
    """Right, but for outputs that do not move at all, as behind a ReLU that is shut."""
    both = jacobians(s)
    if both is None or s.y is None or s.y.shape == s.shape and diagonal(s) or both[0].shape[1] < 2:
        return None
    yours, right = both
    dead, deaf = (_zero(m, right).all(0) for m in (right, yours))
    live = ~dead & ~deaf
    if not live.any() or not _close(yours, right, right)[:, live].all():
        return None
    if (dead & ~deaf).any() and not (deaf & ~dead).any():
        zero, dy = " is 0 and" * bool((s.y.ravel()[dead] == 0).all()), _output(s, int((dead & ~deaf).argmax()))
        return (f"counts {dy}, though y there{zero} does not depend on {s.check.name}, and is right elsewhere: a mask (of a "
                "ReLU, of dropout), a condition or an index is forgotten")
    if (deaf & ~dead).sum() > 1 and not (dead & ~deaf).any() and set(np.unique(s.y.ravel()[deaf] > 0)) == {False}:
        return (f"does not count {_output(s, int((deaf & ~dead).argmax()))}, though y there depends on {s.check.name}, and "
                "is right elsewhere: a mask or a condition is too strict")
    return None


def _factors(s):
    """(factors, where known): the part of every output is off by one of these, each (outputs,); None where it is not."""
    both = jacobians(s)
    if both is None or both[0].shape[1] < 2:
        return None
    yours, right = both
    square = (right * right).sum(0)
    factors = np.divide((yours * right).sum(0), square, out=np.ones(square.shape), where=square > 0)
    return (factors, square > 0) if _close(yours, right * factors, right).all() else None


def known_factor_per_output(s):
    """The part of each output is off by a factor that has a name."""
    found = _factors(s)
    return found and s.y is not None and factor_of_outputs(s, *(v.reshape(s.y.shape) for v in found)) or None


def factor_per_output(s):
    """The part of each output is off by a factor of its own."""
    found = _factors(s)
    if found is None or 2 * ((jacobians(s)[1] != 0).sum(0) > 1).sum() < found[0].size:
        return None
    factors, _ = found
    j = int(np.abs(factors - 1).round(9).argmax())
    return (f"weights the outputs wrongly: the part of {_output(s, j)} is {factors[j]:.6g} times the right one, others "
            f"{factors.min():.6g} to {factors.max():.6g} times: look at what dy is divided by or multiplied with first")


def ones_for_values(s):
    """Backward has 1 wherever the right factors of dy are different numbers."""
    both = jacobians(s)
    if both is None or s.x.size < 2 or s.y is not None and s.y.shape == s.shape:
        return None
    yours, right = both
    got = yours[~_zero(yours, right)]
    if got.size < 4 or np.ptp(got) > CLOSE * np.abs(got).max() or abs(got[0] ** 2 - 1) > CLOSE or np.ptp(right) == 0:
        return None
    if (~_zero(yours, right) & _zero(right, right)).any():
        return None
    return (f"multiplies dy by {got[0]:.0f} wherever it counts, where the right factors are numbers from "
            f"{right.min():.4g} to {right.max():.4g}: the values of an array are missing, or a mask stands in their place")


def one_hot(s):
    """Right, but for the same amount at single entries of rows: something was taken off at the wrong places."""
    if s.y is None or s.x.ndim < 2 or s.y.shape not in ((), s.shape[:1]):
        return None
    off = [(a - n) / dy[0].reshape(dy[0].shape + (1,) * (s.x.ndim - dy[0].ndim)) for a, n, dy in zip(s.a, s.n, s.dy)]
    most = np.abs(off[0]).max()
    if not all(np.isfinite(o).all() for o in off) or not same(*off):
        return None
    hit = np.abs(off[0]) > CLOSE * most
    if not same(np.abs(off[0])[hit], np.full(hit.sum(), most)) or hit.sum() < 2 or (hit.sum(-1) > s.shape[-1] / 2).any():
        return None
    return (f"is right but for {most:.4g} times dy at {int(hit.sum())} single entries: what is taken off or added at the "
            "label (one-hot, the chosen one) is forgotten, or lies at the wrong entries")


def pinpointed(s):
    """Words on one entry of the Jacobian that is wrong, "" where it was not measured."""
    both = jacobians(s)
    if both is None:
        return ""
    yours, right = both
    wrong = ~_close(yours, right, right) & s.check.wrong.reshape(-1, 1)
    if not wrong.any():
        return ""
    e, j = map(int, np.unravel_index(np.where(wrong, np.abs(yours - right), -1).argmax(), wrong.shape))
    return f"; {_at(s, e)} counts {_output(s, j)} {yours[e, j]:.6g} times, right is {right[e, j]:.6g} times"
