"""Laws of the diagnosis, first part: one sentence for the whole gradient. See `diagnosis.py` for what a law is."""
import itertools

import numpy as np

from .scene import CLOSE, long_axes, same, subsets

CONSTANTS = (("e", np.e), ("sqrt(2)", 2 ** 0.5), ("pi", np.pi), ("2 pi", 2 * np.pi), ("sqrt(pi)", np.pi ** 0.5),
             ("sqrt(2 pi)", (2 * np.pi) ** 0.5), ("2 / sqrt(pi)", 2 / np.pi ** 0.5), ("sqrt(2 / pi)", (2 / np.pi) ** 0.5),
             ("log(2)", np.log(2)), ("log(10)", np.log(10)))


# ---- nothing, or nonsense ---------------------------------------------------------------------------------------------

def wrong_shape(s):
    """The gradient came in another shape."""
    g = s.check.misshapen
    if g is None:
        return None
    known = f"has shape {g.shape}, but {s.check.name} has shape {s.shape}"
    n = s.n[-1]  # the last gradient that was pulled
    for axes in subsets(range(g.ndim)):
        if g.ndim and np.sum(g, axis=axes).size == n.size and same(np.sum(g, axis=axes).reshape(s.shape), n):
            return (f"{known}: sum it over axis {' and '.join(map(str, axes))}, along which {s.check.name} was used for "
                    "every index (broadcast)")
    for order in itertools.permutations(range(g.ndim)) if g.ndim <= 5 else ():
        if same(g.transpose(order), n):
            return f"{known}: its axes are in the wrong order, transpose it with {order}"
    if g.size == n.size and same(g.reshape(s.shape), n):
        return f"{known}: the numbers are right, reshape them"
    return known


def not_a_number(s):
    """NaN or infinity."""
    bad = ~np.isfinite(s.a[0])
    if bad.any():
        return (f"holds NaN or infinity at {int(bad.sum())} of {bad.size} entries: look for 0 / 0, log(0), sqrt(0) or an "
                "overflow of exp in backward")


def not_connected(s):
    """No gradient, or zeros."""
    if s.check.missing:
        return (f"is missing: no gradient reaches {s.check.name}, though the output depends on it. backward returned None "
                "for it, or the graph was cut (.detach(), .data, .numpy(), no_grad)")
    if not any(a.any() for a in s.a):
        return f"is zero everywhere, though the output depends on {s.check.name}: its path is not connected"


def low_precision(s):
    """Right to the first digits only."""
    errors = [np.abs(a - n).max() / scale for a, n, scale in zip(s.a, s.n, s.check.scales) if np.isfinite(n).all()]
    if errors and s.check.wrong.sum() > 1 and max(errors) < 1e-5 and all(same(a, n, 1e-4) for a, n in zip(s.a, s.n)):
        kind = str(s.a[0].dtype) if s.a[0].dtype != np.float64 else "float32"
        return (f"is right to {max(errors):.0e} only, which is the precision of {kind}: look where it is computed or stored "
                "in that dtype, and keep the dtype of the input")


def upstream_ignored(s):
    """The gradient is the same whatever dy is."""
    if np.array_equal(s.a[0], s.a[1]) and not same(s.n[0], s.n[1]):
        if s.check.jacobian is not None and s.fits(s.pulled(lambda dy: [np.ones_like(c) for c in dy])):
            return "is that of sum(y): the upstream gradient dy is ignored, multiply by it (chain rule)"
        return "does not depend on the upstream gradient dy: multiply the local derivative by dy (chain rule)"


def tie_unfair(s):
    """Every entry alone is right, but not tied entries together."""
    if s.check.tie and not s.check.wrong.any():
        value, count, a, n = s.check.tie
        return (f"is right entry by entry but wrong only at ties: moving the {count} entries equal to {value:g} together "
                f"gives {a:.6g} by backward and {n:.6g} by finite differences. Equal winners must share one gradient, or "
                "one of them takes it; not each the whole")


def gradients_exchanged(s):
    """It is the gradient of another input."""
    for other in s.others:
        if other.value.shape == s.shape and s.fits(lambda k: other.numeric[k]):
            both = all(same(other.analytic[k], s.n[k]) for k in s.draws)
            reason = "backward returns the gradients in the wrong order" if both else "the gradient of another input"
            return f"is {other.shown}: {reason}"


# ---- one factor -------------------------------------------------------------------------------------------------------

def constant_ratio(s):
    """A = r N."""
    ratios = []
    for a, n in zip(s.a, s.n):
        known = np.isfinite(n)
        square = (n[known] ** 2).sum()
        ratios.append((a[known] * n[known]).sum() / square if square else np.nan)
    r = ratios[0]
    if not np.isfinite(r) or abs(r - 1) < CLOSE or abs(ratios[1] - r) > CLOSE * abs(r) or not s.fits(lambda k: r * s.n[k]):
        return None
    if s.n[0].size == 1 and _explain(s, r) is None:
        return None
    if abs(r + 1) < CLOSE:
        return "has the wrong sign: it is -1 times the right value"
    times = f"is {r:.6g} times the right value"
    return f"{times}: {_explain(s, r) or 'a constant factor is wrong'}"


def _explain(s, r):
    """What the factor r may come from, None where it is no known number."""
    if abs(r + 1) < CLOSE:
        return "the sign"
    sign = " and the sign is wrong" if r < 0 else ""
    size = max(abs(r), 1 / abs(r))
    sums = "a sum stands where the forward takes the mean" if abs(r) > 1 else "a mean stands where the sum belongs"
    counts = [(what, count) for what, count in _counts(s) if count > 1]
    found = [f"{count} is {what}" for what, count in counts if abs(size / count - 1) < CLOSE]
    if abs(size - 2) < CLOSE:
        doubt = f" ({found[0]}, so it may also be that {sums})" if found else ""
        return ("counted twice, or the 2 of a derivative of a square" if abs(r) > 1 else
                "the 2 of the derivative of a square is lost, or a term was halved") + doubt + sign
    if found:
        return f"{found[0]}, {sums}{sign}"
    for what, count in counts:
        if count > 2 and abs(size * (count - 1) / count - 1) < CLOSE:
            return f"that is n/(n - 1) or its inverse with n = {count}, {what}: n - 1 (Bessel) and n are mixed up{sign}"
        if "axis" in what and abs(size / count ** 0.5 - 1) < CLOSE:
            return f"that is the square root of {count}, {what}, or its inverse{sign}"
    if s.y is not None and s.y.size == 1 and s.y.any():
        for times in (1, 2, 3):
            if abs(abs(r) / abs(times * s.y.item()) - 1) < CLOSE or abs(abs(r * times * s.y.item()) - 1) < CLOSE:
                return f"that is {times} y or its inverse: a factor y is missing or too much{sign}".replace(" 1 y", " y")
    for name, value in s.problem.options.items():
        if isinstance(value, (int, float)) and not isinstance(value, bool) and value not in (0, 1):
            for what, factor in ((name, value), (f"1 - {name}", 1 - value)):
                if factor and abs(size / abs(factor) - 1) < CLOSE or factor and abs(size * abs(factor) - 1) < CLOSE:
                    return f"the factor {what} is missing or counted twice{sign}"
    for words, number in CONSTANTS:
        if abs(size / max(number, 1 / number) - 1) < CLOSE:
            return f"that is {words}, or its inverse: a constant is missing or counted twice{sign}"
    return None


def _counts(s):
    """(words, number) of the sizes that a sum or a mean may run over."""
    arrays = [("y", s.y)] if s.y is not None else []
    arrays += [(s.check.name, s.x)] + [(c.name, c.value) for c in s.others]
    if s.y is not None and s.y.ndim > 1 or s.x.ndim > 1:
        yield "the batch size", (s.y if s.y is not None and s.y.ndim > 1 else s.x).shape[0]
    if s.y is None:
        yield "the number of outputs", len(s.ys)
    for name, array in arrays:
        yield f"the number of elements of {name}", array.size
        for i, size in enumerate(array.shape):
            yield f"the size of axis {i} of {name}", size
        for r in range(2, array.ndim):
            for axes in itertools.combinations(range(array.ndim), r):
                yield f"the size of axes {axes} of {name}", int(np.prod([array.shape[i] for i in axes]))


def derivative_missing(s):
    """A = dy."""
    if s.y is None or s.y.shape != s.shape or not s.fits(lambda k: s.dy[k][0]):
        return None
    passed = np.isclose(s.n[0], s.dy[0][0], rtol=CLOSE)
    if (passed | (np.abs(s.n[0]) < CLOSE)).all() and passed.any():
        return (f"is the upstream gradient dy itself, also where the output does not depend on {s.check.name}: a mask is "
                "forgotten")
    if same(np.sort(s.n[0], axis=None), np.sort(s.dy[0][0], axis=None)):
        return "is the upstream gradient dy as it came: forward moved the elements, so backward must move them back"
    return "is the upstream gradient dy itself: the local derivative is missing"


def not_transposed(s):
    """A = J dy instead of the transpose of J times dy."""
    if s.check.jacobian is None or s.y is None or s.y.size != s.x.size:
        return None
    if s.fits(lambda k: (s.check.jacobian.T @ s.vectors[k]).reshape(s.shape)):
        return ("is what the forward operation makes of dy: backward needs its transpose (the inverse permutation, the "
                "opposite shift, the sum from the other end)")
    return None


# ---- right numbers in wrong places ------------------------------------------------------------------------------------

def axes_swapped(s):
    """A is a transpose of N, or N in another memory order."""
    if not 2 <= s.x.ndim <= 5:
        return None
    for order in list(itertools.permutations(range(s.x.ndim)))[1:]:
        if s.fits(lambda k: s.n[k].transpose(order)):
            moved = [i for i, j in enumerate(order) if i != j]
            return f"has its axes {' and '.join(map(str, moved))} swapped: transpose it with {order}"
        if s.fits(lambda k: s.n[k].transpose(order).reshape(s.shape)):
            return f"holds the right numbers in the wrong order: it was reshaped where transpose{order} belongs"
    return None


def reversed_axes(s):
    """A is N flipped."""
    for axes in subsets(long_axes(s.shape)[:5]):
        if s.fits(lambda k: np.flip(s.n[k], axes)):
            kernel = s.x.ndim >= 3 and min(axes) >= s.x.ndim - 3 and min(axes) >= 1
            words = "flipped" if kernel else "reversed"
            hint = (": the kernel must be flipped in exactly one of the two places, convolution is not correlation" if kernel
                    else "")
            return f"is {words} along {s.axes(axes)}{hint}"


def shifted(s):
    """A is N moved by one or two places along some axes."""
    for axes in subsets(long_axes(s.shape)[-3:]):
        for k in (1, -1, 2, -2):
            if any(s.shape[i] < 2 * abs(k) + 2 for i in axes):
                continue
            to, of = (tuple(slice(max(sign * k, 0), s.shape[i] + min(sign * k, 0)) if i in axes else slice(None)
                            for i in range(s.x.ndim)) for sign in (1, -1))
            if all(same(a[to], n[of]) for a, n in zip(s.a, s.n)):
                return (f"is shifted by {k} along {s.axes(axes)}: an index is off by {abs(k)} (look at the padding and at "
                        "where ranges start)")


def shuffled(s):
    """The same numbers in another order."""
    if s.x.size > 2 and all(same(np.sort(a, axis=None), np.sort(n, axis=None)) for a, n in zip(s.a, s.n)):
        return "holds the right numbers in the wrong places: look at the order of axes, reshapes and indices"
