"""Laws of the diagnosis: what an entry gets from the other entries of its row, slice or sequence."""
import numpy as np

from .jacobians import jacobians
from .laws_part import named_arrays
from .scene import CLOSE, diagonal, long_axes, same, subsets

VAGUE = "is missing or wrong"


def normalisation_term(s):
    """N - A is constant, or a multiple of x or of y, over the axes that a mean or a sum runs over."""
    off = [n - a for n, a in zip(s.n, s.a)]
    if not all(np.isfinite(o).all() for o in off):
        return None
    for axes in reversed(subsets(long_axes(s.shape)[:5])):
        if np.prod([s.shape[i] for i in axes]) < 4:
            continue
        over = f"over {s.axes(axes)}"
        means = [o.mean(axes, keepdims=True) for o in off]
        centred, ones = s.x - s.x.mean(axes, keepdims=True), np.ones(s.shape)
        if all(same(o, np.broadcast_to(m, s.shape)) for o, m in zip(off, means)):
            return (f"is off by a constant {over}: the term through the mean {_amount(s, axes, centred, ones)} (subtract "
                    "the mean of the gradient, every entry also moves the mean)")
        if not (centred ** 2).sum(axes).all():
            continue
        if all(same(o, _fit(o, centred, axes)) for o in off):
            return (f"is off by a multiple of {s.check.name} {over}: the term through the variance "
                    f"{_amount(s, axes, ones, centred)} (every entry also moves the standard deviation)")
        if all(same(o, _fit(o, s.x, axes)) for o in off):
            return (f"is off by a multiple of {s.check.name} {over}: a term proportional to {s.check.name} "
                    f"{_amount(s, axes, s.x)} (every entry also moves the norm or scale)")
        if s.y is not None and s.y.shape == s.shape and all(same(o - m, _fit(o, centred, axes)) for o, m in zip(off, means)):
            shares = [_amount(s, axes, *pair) for pair in ((centred, ones), (ones, centred))]
            told = f"the term through the mean {shares[0]}, that through the variance {shares[1]}"
            if shares == ["is missing"] * 2:
                told = "the terms through mean and variance are missing"
            if VAGUE in shares:
                told = "the terms through mean and variance are missing or wrong, or run over other axes than in forward"
            return f"is off by a constant and a multiple of {s.check.name} {over}: {told}"
        if s.y is not None and s.y.shape == s.shape:
            if all(_swapped(s, axes, *pair) for pair in zip(s.a, s.n, s.draws)):
                return (f"has the term y * sum(...) {over}, where exp(y) * sum(...) belongs: y is a logarithm")
            for base, name in ((s.y, "y"), (np.exp(np.minimum(s.y, 50.0)), "exp(y)")):
                if (base ** 2).sum(axes).all() and all(same(o, _fit(o, base, axes)) for o in off):
                    return (f"is off by {name} times a number that is constant {over}: the term {name} * sum(dy * ...) "
                            f"{_amount(s, axes, base)} (every x also moves the denominator)")
    return None


def _swapped(s, axes, a, n, k):
    """Whether A is dy plus a multiple of y along `axes`, and N dy plus one of exp(y)."""
    return all((base ** 2).sum(axes).all() and same(g - s.dy[k][0], _fit(g - s.dy[k][0], base, axes))
               for g, base in ((a, s.y), (n, np.exp(np.minimum(s.y, 50.0)))))


def _fit(off, base, axes):
    """The multiple of `base` that is nearest to `off`, a factor for each slice along `axes`."""
    return base * ((off * base).sum(axes, keepdims=True) / (base * base).sum(axes, keepdims=True))


def _amount(s, axes, *terms):
    """How much of the last of `terms` A holds, in proportion to N: the end of a sentence on that term.

    Along `axes`, both are taken for sums of dy, perhaps times something known, and of the terms, with numbers of their own
    for every slice.
    """
    if s.y is None or s.y.shape != s.shape:
        return VAGUE
    for lead in (1, *(g for _, g in named_arrays(s))):
        shares = []
        for a, n, dy in zip(s.a, s.n, s.dy):
            yours, right = (_parts(g, [lead * dy[0], *terms], axes) for g in (a, n))
            if yours is None or right is None or not right.all():
                break
            shares += [*(yours / right)]
        else:
            return _of_right(shares, int(np.prod([s.shape[i] for i in axes])))
    return VAGUE


def _parts(g, columns, axes):
    """The multiples of the last of `columns` in g, one for each slice along `axes`; None where g is no sum of them."""
    rows = [np.moveaxis(v, axes, range(-len(axes), 0)).reshape(-1, int(np.prod([g.shape[i] for i in axes])))
            for v in (g, *columns)]
    if rows[0].shape[1] <= len(columns):
        return None
    found = []
    for target, *basis in zip(*rows):
        numbers = np.linalg.lstsq(np.stack(basis, 1), target, rcond=None)[0]
        if np.abs(np.stack(basis, 1) @ numbers - target).max() > CLOSE * np.abs(target).max():
            return None
        found.append(numbers[-1])
    return np.array(found)


def _of_right(shares, count):
    """What a term is, of which A has these shares of the right one in the slices of `count` entries."""
    share = float(np.mean(shares))
    if np.abs(shares).max() < CLOSE:
        return "is missing"
    if not same(np.array(shares), np.full(len(shares), share)):
        return VAGUE
    for number, words in ((1, "is right"), (-1, "has the wrong sign"), (count, "holds a sum where the mean belongs"),
                          (1 / count, "holds a mean where the sum belongs"),
                          (count / (count - 1), "is divided by n - 1 where n belongs"),
                          ((count - 1) / count, "is divided by n where n - 1 belongs")):
        if abs(share / number - 1) < CLOSE:
            return words
    return f"is {share:.6g} times the right one"


# ---- which entries meet -------------------------------------------------------------------------------------------------

def wrong_axes(s):
    """Forward brings together the entries along some axes, as a mean or a softmax does, and backward those along others."""
    both = jacobians(s)
    if both is None or s.y is None or min(s.x.ndim, s.y.ndim) < 2:
        return None
    pairs = [np.argwhere(np.abs(m) > CLOSE * np.abs(both[1]).max(initial=0)) for m in both]
    yours, right = (_apart(p, s.shape, s.y.shape) for p in pairs)
    more, less = ([i for i in one if i not in other] for one, other in ((yours, right), (right, yours)))
    alike = s.shape == s.y.shape and 2 * len(pairs[1]) >= s.x.size * np.prod([s.shape[i] for i in right])  # no windows
    wrong = "runs over the wrong axes: a sum, a mean, a softmax or a product"
    if more and less and alike:
        return f"{wrong} mixes the entries along axis {_listed(yours)}, that of forward those along axis {_listed(right)}"
    if more and (alike or more == [0]):
        return f"{wrong} mixes the entries along axis {_listed(more)}, too, which forward keeps apart"
    if less and alike and yours:
        return f"{wrong} keeps the entries along axis {_listed(less)} apart, which forward mixes"
    return None


def only_own(s):
    """Entry by entry, where forward mixes them."""
    both = jacobians(s)
    if both is None or s.y is None or s.y.shape != s.shape or diagonal(s):
        return None
    if (np.abs(both[0] - np.diag(np.diagonal(both[0]))) <= CLOSE * np.abs(both[1]).max(initial=0)).all():
        return ("hands every entry of dy to its own entry alone, where forward mixes entries: the path through a sum, a "
                "product or a softmax is missing")
    return None


def sums_to_zero(s):
    """Forward does not change when all entries along an axis grow by the same, so that their gradients sum to zero."""
    for axis in long_axes(s.shape):
        sizes = [np.abs(n).max() for n in s.n]
        right, yours = ([np.abs(g.sum(axis)).max() for g in gradients] for gradients in (s.n, s.a))
        if all(r < CLOSE * size and y > 1e-3 * size for r, y, size in zip(right, yours, sizes)):
            return (f"does not sum to zero along {s.axis(axis)}, as it must, because forward does not change when every "
                    "entry there grows by the same number (a softmax, or a mean that is subtracted): the term through that "
                    "sum or mean, sum(dy * y) for a softmax, is missing or wrong")
    return None


def _listed(axes):
    return " and ".join(map(str, axes))


def _apart(pairs, shape, shape_y):
    """The axes, of equal length in x and y, along which some of the pairs (flat indices) lie apart."""
    one, other = np.unravel_index(pairs[:, 0], shape), np.unravel_index(pairs[:, 1], shape_y)
    return [i for i in range(min(len(shape), len(shape_y))) if shape[i] == shape_y[i] and (one[i] != other[i]).any()]


def sequence(s):
    """Right for what comes from the same index of an axis, wrong for what comes from later or earlier ones."""
    both = jacobians(s)
    if both is None or s.y is None:
        return None
    for axis in range(min(s.x.ndim, s.y.ndim)):
        length = s.shape[axis]
        if length < 3 or s.y.shape[axis] != length:
            continue
        yours, right = (np.moveaxis(m.reshape(*s.shape, *s.y.shape), (axis, s.x.ndim + axis), (0, 1)) for m in both)
        yours, right = (m.reshape(length, length, -1) for m in (yours, right))
        wrong = (np.abs(yours - right) > CLOSE * np.abs(right).max()).any(2)
        got, reach = ((np.abs(m) > CLOSE * np.abs(right).max()).any(2) for m in (yours, right))
        later = np.triu(np.ones((length, length), bool), 1)
        if (got & later.T).any() and (reach & later).any() and not (got & later).any() and not (reach & later.T).any():
            return (f"gets dy of earlier indices along axis {axis}, where that of later ones belongs: what was last in "
                    "forward comes first in backward, so the loop must run from the end")
        for mask, words in ((later, "later"), (later.T, "earlier")):
            if not wrong.any() or (wrong & ~mask).any() or wrong.any(1).sum() < 2:
                continue
            what = f"what comes back from {words} steps (indices along axis {axis})"
            if not (got & mask).any():
                return f"lacks {what}, and is right for dy of the same step: through them (a state, a sum) it acts as well"
            if not (reach & mask).any():
                return f"also counts dy of {words} indices along axis {axis}, upon which forward does not let it act"
            return f"is wrong in {what} (through a state, a sum, a mask), and right for dy of the same step"
    return None
