"""Laws of the diagnosis, first part: one sentence for the whole gradient. See `diagnosis.py` for what a law is."""
import itertools

import numpy as np

from .laws_known import right_formula
from .numeric import line
from .scene import CLOSE, diagonal, long_axes, same, subsets


# ---- nothing, or nonsense ---------------------------------------------------------------------------------------------

def wrong_shape(s):
    """The gradient came in another shape."""
    g = s.check.misshapen
    if g is None:
        return None
    known = f"has shape {g.shape}, but {s.check.name} has shape {s.shape}"
    n = s.n[-1]  # the last gradient that was pulled
    if g.size == n.size and [size for size in g.shape if size > 1] == [size for size in s.shape if size > 1]:
        right = ": the numbers are right, and" * same(g.reshape(s.shape), n)
        return f"{known}{right or ':'} an axis of length 1 is missing or too much (keepdims, [:, None]), reshape it"
    for axes in subsets(range(g.ndim)):
        if g.ndim and np.sum(g, axis=axes).size == n.size and same(np.sum(g, axis=axes).reshape(s.shape), n):
            return (f"{known}: sum it over axis {' and '.join(map(str, axes))}, along which {s.check.name} was used for "
                    "every index (broadcast)")
    for order in itertools.permutations(range(g.ndim)) if 2 <= g.ndim <= 5 else ():
        if same(g.transpose(order), n):
            return f"{known}: its axes are in the wrong order, transpose it with {order}"
    for other in s.others:
        if g.shape == other.value.shape and same(g, other.numeric[-1]):
            return (f"is {other.shown}, of shape {g.shape}, where {s.check.name} has shape {s.shape}: backward returns the "
                    "gradients in another order than forward has its inputs")
    if g.size == n.size and same(g.reshape(s.shape), n):
        return f"{known}: the numbers are right, reshape them"
    for axes in subsets(long_axes(s.shape)):
        for words, reduced in (("summed", n.sum(axes)), ("averaged", n.mean(axes))):
            if g.size == reduced.size and same(g.reshape(reduced.shape), reduced):
                return f"{known}: it was {words} over {s.axes(axes)}, too, where every index has a gradient of its own"
    if g.ndim == len(s.shape) > 1 and sorted(g.shape) == sorted(s.shape):
        return f"{known}: its axes are in another order, as of a matrix that is not transposed"
    if s.y is not None and g.shape == s.y.shape:
        return f"{known}: it is left in the shape of y, bring dy back to that of {s.check.name} (a product, a sum)"
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
        larger = s.gradients(s.problem.values, [1e6 * c for c in s.vectors])
        if larger is not None and any(g.any() for g in larger) and all((g == np.round(g)).all() for g in larger):
            return ("is rounded to zero everywhere: somewhere an array of integers is made or written into (np.zeros with "
                    "dtype int, zeros_like of integers, astype(int), //); make it float")
        return (f"is zero everywhere, though the output depends on {s.check.name}: its path is not connected, or the loop "
                "that should fill it never runs")


def low_precision(s):
    """Right to the first digits only, or to float32 or float16 exactly; or forward itself goes in such steps."""
    if s.check.wrong.sum() < 2 or not all(np.isfinite(a).all() for a in s.a):
        return None
    kind = _stairs(s)
    if kind:
        return (f"cannot be right to more than the precision of {kind}: forward computes in {kind} somewhere, so that its "
                "output moves in steps; keep the dtype of the input")
    for dtype, close in ((np.float16, 0.02), (np.float32, 1e-3)):
        if all((a == a.astype(dtype)).all() and same(a, n, close) for a, n in zip(s.a, s.n)):
            return (f"is rounded to {dtype.__name__}, in which it is computed or stored: keep the dtype of the input")
    if _smooth(s):
        return None
    errors = [np.abs(a - n).max() / scale for a, n, scale in zip(s.a, s.n, s.check.scales) if np.isfinite(n).all()]
    most = max(errors, default=1.0)
    if most < 1e-5 and all(same(a, n, 1e-4) for a, n in zip(s.a, s.n)):
        return (f"is right to {most:.0e} only, which is the precision of float32: look where it is computed or stored "
                "in that dtype, and keep the dtype of the input")
    off = [(a / n - 1)[n != 0] for a, n in zip(s.a, s.n)]
    if all(o.size > 3 and np.abs(o).max() < 1e-3 and o.min() < 0 < o.max() for o in off) and 1e-6 < most < 1e-3:
        return (f"is right to {most:.0e} only, and off now up, now down: the precision of float16, in which something is "
                "computed or stored; keep the dtype of the input")


def _smooth(s):
    """Whether A follows a change of x that float32 would not see."""
    rng, index = np.random.default_rng(0), s.problem.names.index(s.check.name)
    values = list(s.problem.values)
    values[index] = values[index] * (1 + 1e-10 * rng.uniform(0.5, 1.0, s.shape))
    moved = s.gradients(values, s.vectors[:1])
    change = np.inf if moved is None else np.abs(moved[0] - s.a[0]).max() / s.check.scales[0]
    return 1e-13 < change < 1e-8


def _stairs(s):
    """The dtype in whose steps the output moves, None where it moves smoothly."""
    index = s.problem.names.index(s.check.name) if s.check.name in s.problem.names else None
    if index is None or not s.x.size:
        return None
    direction = np.random.default_rng(0).uniform(0.5, 1.0, s.shape) * np.maximum(np.abs(s.x), 0.1)
    y = line(s.problem, {index: direction})
    centre, far = y(0.0), y(1e-2)
    moving = np.isfinite(far) & (np.abs(far - centre) > 1e-4 * np.abs(centre))
    if moving.sum() < 3:
        return None
    for step, kind in ((1e-6, "float16"), (1e-10, "float32")):
        if (y(step) == centre)[moving].mean() > 0.6:
            return kind


def whole_numbers(s):
    """Every entry is a whole number, and should not be."""
    a, n = np.stack(s.a), np.stack(s.n)
    broken = np.abs(n - np.round(n))[n != 0] > 1e-6
    if not np.isfinite(a).all() or (a != np.round(a)).any() or not a.any() or not broken.mean() > 0.5:
        return None
    larger = s.gradients(s.problem.values, [1e6 * c for c in s.vectors[:1]])
    if larger is not None and not np.array_equal(larger[0], a[0]):   # the same for every dy is another mistake
        return ("holds whole numbers only: somewhere an array of integers is made or written into (np.zeros with dtype int, "
                "zeros_like of integers, astype(int), //); make it float")


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
            if both and np.abs(s.n[0] * other.numeric[0]).max(initial=0) < CLOSE * s.check.scales[0]:
                reason = f"either {reason}, or the condition that chooses between the inputs is the wrong way round"
            return f"is {other.shown}: {reason}"


def derivative_missing(s):
    """A = dy."""
    if s.y is None or s.y.shape != s.shape or not s.fits(lambda k: s.dy[k][0]):
        return None
    passed = np.isclose(s.n[0], s.dy[0][0], rtol=CLOSE)
    if (passed | (np.abs(s.n[0]) < CLOSE)).all() and passed.any():
        return (f"is the upstream gradient dy itself, also where the output does not depend on {s.check.name}: a mask is "
                "forgotten")
    factors = (s.n[0] / s.dy[0][0])[~(np.abs(s.n[0]) < CLOSE)]
    if 1 < factors.size < s.x.size and same(factors, np.full(factors.shape, factors[0])):
        return (f"is the upstream gradient dy itself: a mask is forgotten, and the factor {factors[0]:.6g} with which "
                "forward multiplies what it lets through")
    if same(np.sort(s.n[0], axis=None), np.sort(s.dy[0][0], axis=None)):
        return "is the upstream gradient dy as it came: forward moved the elements, so backward must move them back"
    if not diagonal(s):
        return None
    formula = right_formula(s)
    return f"is the upstream gradient dy itself: the local derivative is missing{formula and f', it is {formula}'}"


def dy_moved(s):
    """A = dy reversed or transposed."""
    if s.y is None or s.y.shape != s.shape:
        return None
    for axes in subsets(long_axes(s.shape)[:4]):
        if s.fits(lambda k: np.flip(s.dy[k][0], axes)):
            return f"is the upstream gradient dy, reversed along {s.axes(axes)}, and nothing else: the derivative is missing"
    return None


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
            kernel = s.x.ndim >= 3 and min(axes) >= max(s.x.ndim - 3, 1) and (s.y is None or s.y.shape != s.shape)
            if [s.shape[i] for i in axes] == [2] and not kernel:
                return f"has its two indices along {s.axes(axes)} exchanged: each holds what belongs to the other"
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
    for axis in long_axes(s.shape):
        for parts in (p for p in (2, 3, 4) if s.shape[axis] % p == 0 and s.shape[axis] > p):
            for i, j in itertools.combinations(range(parts), 2):
                order = list(range(parts))
                order[i], order[j] = j, i
                if s.fits(lambda k: np.concatenate([np.split(s.n[k], parts, axis)[p] for p in order], axis)):
                    return (f"has parts {i} and {j} of the {parts} along {s.axis(axis)} exchanged: look at the order in "
                            "which they are put together")


def shuffled(s):
    """The same numbers in another order."""
    if s.x.size > 2 and all(same(np.sort(a, axis=None), np.sort(n, axis=None)) for a, n in zip(s.a, s.n)):
        return "holds the right numbers in the wrong places: look at the order of axes, reshapes and indices"
