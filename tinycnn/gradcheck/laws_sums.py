"""Laws of the diagnosis, second part: what was done to sums, to dy and to the other inputs. See `diagnosis.py`."""
import itertools
import time

import numpy as np

from .repair import changes_of
from .scene import CLOSE, long_axes, same, subsets

SPENT = 2.0   # seconds that it may take to try another cache


def extra_sum(s):
    """A is N summed or averaged over axes, the same at every index along them."""
    if not all(np.isfinite(n).all() for n in s.n):
        return None
    for axes in subsets(long_axes(s.shape)[:5]):
        chosen = (np.abs(s.n[0]) > CLOSE * s.check.scales[0]).sum(axes)
        if (chosen == 1).all() and s.fits(lambda k: np.broadcast_to(s.n[k].sum(axes, keepdims=True), s.shape)):
            return (f"is handed to every entry along {s.axes(axes)}, where only the chosen one (the maximum, the index, the "
                    "label) has a gradient: a mask is forgotten")
        for words, reduce in (("summed", np.sum), ("averaged", np.mean)):
            if s.fits(lambda k: np.broadcast_to(reduce(s.n[k], axis=axes, keepdims=True), s.shape)):
                return f"is {words} over {s.axes(axes)}, where every index has a gradient of its own"


def mistreated_dy(s):
    """A is right for another upstream gradient: flipped, transposed, shifted, averaged, or only a part of it."""
    if s.check.jacobian is None or not np.isfinite(s.check.jacobian).all():
        return None
    for words, change in _changes(s):
        if s.fits(s.pulled(change)):
            return words
    return None


def _changes(s):
    """(words, what was done to dy)."""
    for m in range(len(s.ys) if s.y is None else 0):
        yield (f"counts only output {m} of {len(s.ys)}: add the gradients that arrive through the other outputs",
               lambda dy, m=m: [c if i == m else c * 0 for i, c in enumerate(dy)])
        yield (f"has the wrong sign for the part that comes through output {m} of {len(s.ys)}",
               lambda dy, m=m: [c * (-1 if i == m else 1) for i, c in enumerate(dy)])
        yield (f"ignores the upstream gradient of output {m}", lambda dy, m=m: [c * (i != m) for i, c in enumerate(dy)])
    if s.y is None:
        return
    long = long_axes(s.y.shape)
    for axis in long:
        for index, words in ((0, "first"), (-1, "last")):
            def only(dy, axis=axis, index=index):
                part = np.zeros_like(dy[0])
                at = (slice(None),) * axis + (index,)
                part[at] = dy[0][at]
                return [part]
            if not _joined(s, axis, index):
                continue  # a mask on dx would look the same
            yield (f"counts only the {words} index of dy along {s.axis(axis, s.y)}: a sum over that axis is missing, or = "
                   "overwrites where += should add", only)
            if s.y.shape[axis] < 3:
                continue  # of two, to leave out one is to count only the other
            yield (f"leaves out the {words} index of dy along {s.axis(axis, s.y)}: a range ends too early or starts too "
                   "late",
                   lambda dy, only=only: [dy[0] - only(dy)[0]])
    for axes in itertools.combinations([i for i in long if s.y.shape[i] > 1], 2):
        inside = np.zeros(s.y.shape)
        inside[tuple(slice(-1) if i in axes else slice(None) for i in range(s.y.ndim))] = 1
        yield (f"leaves out the last index of dy along {s.axes(axes, s.y)}: ranges end too early",
               lambda dy, inside=inside: [dy[0] * inside])
    for axes in subsets(long[:4]):
        yield (f"uses dy reversed along axis {' and '.join(map(str, axes))}", lambda dy, axes=axes: [np.flip(dy[0], axes)])
        yield (f"uses the mean of dy over axis {' and '.join(map(str, axes))} in the place of dy",
               lambda dy, axes=axes: [np.broadcast_to(dy[0].mean(axes, keepdims=True), dy[0].shape)])
        yield (f"uses the sum of dy over axis {' and '.join(map(str, axes))} in the place of dy",
               lambda dy, axes=axes: [np.broadcast_to(dy[0].sum(axes, keepdims=True), dy[0].shape)])
    for order in list(itertools.permutations(range(s.y.ndim)))[1:] if 2 <= s.y.ndim <= 4 else ():
        yield (f"uses dy in the wrong order: its axes were swapped or reshaped without transpose{order}",
               lambda dy, order=order: [dy[0].transpose(order).reshape(dy[0].shape)])
    for axis in long:
        for k in (1, -1):
            yield (f"uses dy shifted by {k} along axis {axis}", lambda dy, axis=axis, k=k: [np.roll(dy[0], k, axis)])


def _joined(s, axis, index):
    """Whether enough entries of x get parts of dy both from `index` of `axis` and from elsewhere."""
    uses = np.moveaxis(s.check.jacobian.reshape(s.x.size, *s.y.shape), axis + 1, 1) != 0
    uses = uses.reshape(s.x.size, s.y.shape[axis], -1).any(2)
    joined = uses[:, index] & np.delete(uses, index, 1).any(1)
    return joined.sum() >= min(2, uses.any(1).sum())


def uses_not_added(s):
    """An entry of x is used at several places of y, but only one of the terms counts, or their mean."""
    jacobian = s.check.jacobian
    if jacobian is None or s.y is None or s.y.ndim == 0 or not np.isfinite(jacobian).all():
        return None
    for channels in {(), (1,) if s.y.ndim == 2 else (1, 2) if s.y.ndim > 2 else ()}:  # summed along the way, as in products
        lead = s.y.shape[:len(channels)]
        parts = jacobian.reshape(s.x.size, *lead, -1)
        used = (parts != 0).any(channels) if channels else parts != 0
        uses = used.sum(1)
        if uses.max() < 2:
            continue
        if len(set(uses)) > 1 and s.fits(lambda k: s.n[k] / np.maximum(uses, 1).reshape(s.shape)):
            return "is the mean over the places that use an entry, where it must be their sum"
        for chosen in (used.argmax(1), used.shape[1] - 1 - used[:, ::-1].argmax(1)):
            def make(k):
                terms = parts * s.dy[k][0].reshape(1, *lead, -1)
                terms = terms.sum(channels) if channels else terms
                return terms[np.arange(s.x.size), chosen].reshape(s.shape)
            if s.fits(make):
                return ("keeps only one of the terms that meet in an entry: where several windows, indices or later steps "
                        "use it, their gradients must be added, with += (or add.at) in the place of =")
    return None


def other_winners(s):
    """Forward chooses the largest entries of slices or windows, backward those of other slices, or the smallest."""
    chosen, yours = (np.abs(g[0]) > CLOSE * s.check.scales[0] for g in (s.n, s.a))
    if s.x.ndim < 2 or chosen.sum() < 2 or chosen.all() or not yours.any() or (yours == chosen).all():
        return None
    sets = subsets(long_axes(s.shape)[:4])
    right = next((axes for axes in sets if (chosen == (s.x == s.x.max(axes, keepdims=True))).all()), None)
    belongs = f"takes it over {s.axes(right)}" if right else "chooses several (one in every window, the k best)"
    for axes in sets:
        if (yours == (s.x == s.x.max(axes, keepdims=True))).all():
            return f"has one winner over {s.axes(axes)} together, where forward {belongs}"
        if right == axes and (yours == (s.x == s.x.min(axes, keepdims=True))).all():
            return f"goes to the smallest entry over {s.axes(axes)}, where forward takes the largest"
    return None


def other_cache(s):
    """A would be right if something that forward handed on were another: what went in for what came out, a step before."""
    start = time.thread_time()
    for words, change in changes_of(s.handed_on(), s.near):
        if time.thread_time() - start > SPENT:
            return None
        found = s.gradients(s.problem.values, s.vectors, change=change)
        if found is not None and all(same(f, n) for f, n in zip(found, s.n)):
            return (f"would be right with {words} in backward: another array is taken there, or a function is applied "
                    "twice or not at all")
    return None


def other_dy(s):
    """A would be right if dy were multiplied or divided first by something known."""
    near = list(s.near)
    if s.y is None:
        near += [(f"y{k}", y) for k, y in enumerate(s.ys)]
    near += [(name, array) for _, name, array in s.handed_on()]
    for name, u in near:
        for words, f in (("{}", u), ("(1 - {})", 1 - u), ("(1 - {}**2)", 1 - u * u), ("{0} * (1 - {0})", u * (1 - u)),
                         ("1/{}", 1 / u)):
            if f.ndim and np.ptp(f) > 0 and np.isfinite(f).all() and any(y.shape == f.shape for y in s.ys):
                changed = [np.concatenate([(dy * f if dy.shape == f.shape else dy).ravel() for dy in dys]) for dys in s.dy]
                found = s.gradients(s.problem.values, changed)
                r = found and (s.n[0] * found[0]).sum() / (found[0] ** 2).sum()
                if r and all(same(r * g, n) for g, n in zip(found, s.n)):
                    times = "" if abs(r - 1) < CLOSE else f"{r:.6g} * "
                    return (f"would be right if dy were multiplied by {times}{words.format(name)} first: that factor is "
                            "missing")
    return None


def diagonal_only(s):
    """Each output is taken to depend on its own input alone."""
    if s.check.jacobian is None or s.y is None or s.y.shape != s.shape:
        return None
    own = np.diagonal(s.check.jacobian).reshape(s.shape)
    if s.fits(lambda k: s.dy[k][0] * own):
        return ("treats every output as if it depended on its own input alone: the other entries of the Jacobian are "
                "forgotten")
    return None


def mistreated_input(s):
    """A is right at another value of another input: flipped, transposed, or forgotten (ones)."""
    rng = np.random.default_rng(0)
    direction = rng.standard_normal(s.shape)
    numbers = [(a * direction).sum() for a in s.a]
    for other in s.others:
        i = s.problem.names.index(other.name)
        changes = [(f"replaced by {third.name}", third.value) for third in [s.check, *s.others]
                   if third is not other and third.value.shape == other.value.shape]
        for words, changed in [*_variants(other.value), *changes]:
            values = list(s.problem.values)
            values[i] = changed
            column = s.column(direction, values)
            if all(abs(c @ column - number) <= CLOSE * abs(number) for c, number in zip(s.vectors, numbers)):
                return f"is what it would be with {other.name} {words}"
    return None


def _variants(value):
    """(words, array) of what people turn an operand into by mistake."""
    for axes in subsets(long_axes(value.shape)[-4:]):
        hint = ": a kernel must be flipped in exactly one of the two places" if value.ndim > 2 else ""
        yield f"flipped along axis {' and '.join(map(str, axes))}{hint}", np.flip(value, axes)
    for order in list(itertools.permutations(range(value.ndim)))[1:] if value.ndim <= 4 else ():
        if value.transpose(order).shape == value.shape:
            yield f"transposed by {order}: its axes are in the wrong order", value.transpose(order)
        yield (f"read in the wrong order: it was reshaped where transpose{order} belongs, or the other way round",
               value.transpose(order).reshape(value.shape))
    yield "replaced by ones: the factor is missing", np.ones_like(value)
