"""Laws of the diagnosis: what backward does with dy besides multiplying and summing it."""
import numpy as np

from .laws_part import place
from .scene import CLOSE, same


def not_linear(s):
    """Backward is not linear in dy: it adds something, squares dy, or asks dy a condition."""
    c = s.vectors[0]
    found = s.gradients(s.problem.values, [c, 2 * c, -c, 0 * c, c + 2 * s.vectors[1]])
    if found is None or not all(np.isfinite(g).all() for i, g in enumerate(found) if i != 3):
        return None
    found[3] = np.nan_to_num(found[3], nan=0.0, posinf=0.0, neginf=0.0)  # dy / |dy|
    one, double, minus, zero, both = found
    scale = max(np.abs(g).max(initial=0) for g in (one, double, both, s.a[1]))
    if scale == 0 or not same(one, s.a[0], 1e-9) or np.abs(both - one - 2 * s.a[1]).max() <= 1e-9 * scale:
        return None

    def fits(a, b):
        return np.abs(a - b).max() <= 1e-9 * scale
    if np.abs(zero).max() > CLOSE * scale and fits(double - zero, 2 * (one - zero)):
        right = " and is right without it" if same(one - zero, s.n[0]) else ""
        return f"contains a term that dy does not multiply{right}: {_named(s, zero)}"
    if fits(double, 4 * one):
        return "is not linear in dy: dy occurs squared, so it is multiplied twice"
    if fits(double, one):
        return "is not linear in dy: only its sign or direction counts, as if dy were divided by its own size"
    if fits(double, 2 * one) and fits(minus, one):
        return "is not linear in dy: its absolute value is taken"
    if fits(double, 2 * one):
        return ("is not linear in dy: dy occurs in a condition (a mask, maximum or abs made of dy); masks are those of the "
                "forward pass, made of its input or output")
    return "is not linear in dy: dy may only be multiplied and summed, not squared, clipped, rounded or divided by"


def _named(s, term):
    """The term as a multiple of an array that stands near."""
    for name, array in s.near:
        try:
            array = np.broadcast_to(array, s.shape)
        except ValueError:
            continue
        square = (array * array).sum()
        r = (term * array).sum() / square if square else 0.0
        if r and array.size > 1 and np.ptp(array) > 0 and same(term, r * array):
            return f"it is {r:.6g} times {name} (the gradient of a penalty on {name}, or a factor dy is forgotten)"
    if term.size > 1 and np.ptp(term) <= CLOSE * np.abs(term).max():
        return f"{term.flat[0]:.6g} is added at every entry"
    return "multiply every term by dy"


def missing_somewhere(s):
    """At a part of the entries dy does not count."""
    deaf = np.abs(s.a[0] - s.a[1]) <= 1e-12 * s.check.scales[0]
    deaf &= (np.abs(s.a[0]) > CLOSE * s.check.scales[0]) & ~(np.abs(s.n[0] - s.n[1]) <= CLOSE * s.check.scales[0])
    if deaf.sum() < 1 or deaf.all() or (s.check.wrong & ~deaf).any():
        return None
    where = place(s, deaf)
    if deaf.sum() == 1 and not where:
        return None
    return f"does not depend on the upstream gradient dy{where or ' at some entries'}: multiply by dy there too"
