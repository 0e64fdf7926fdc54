"""Laws of the diagnosis, third part: one term, one factor, one place, one option. See `diagnosis.py` for what a law is."""
import math

import numpy as np

from .laws_known import local_formula
from .scene import CLOSE, diagonal, long_axes, same, subsets

NEUTRAL = {"stride": 1, "dilation": 1, "groups": 1, "padding": 0, "output_padding": 0}


# ---- one term or factor, element by element ---------------------------------------------------------------------------

def named_arrays(s, arrays=None):
    """(name, array) of the inputs and the output (or of `arrays`), where they broadcast to the shape of x."""
    for name, array in s.near if arrays is None else arrays:
        shapes = [array.shape]
        if array.ndim == 1:  # one number for each index of an axis, such as the weight of a channel
            shapes += [(array.size,) + (1,) * after for after in range(1, s.x.ndim)]
        for shape in shapes:
            try:
                fitting = np.broadcast_to(array.reshape(shape), s.shape)
            except ValueError:
                continue
            if fitting.size > 1 and np.ptp(fitting) > 0 and np.isfinite(fitting).all():
                yield name, fitting


def factor_off(s):
    """A = N times, or divided by, something known."""
    words = _factor(s, named_arrays(s))
    if words:
        return words + _in_formulas(s)
    if all(same(np.abs(a), np.abs(n)) for a, n in zip(s.a, s.n)):
        count = int((np.sign(s.a[0]) != np.sign(s.n[0])).sum())
        return f"has the right size but the wrong sign at {count} of {s.x.size} entries" + _where(s)


def handed_on_factor(s):
    """The same with what forward hands on, such as a standard deviation."""
    return _factor(s, named_arrays(s, [(name, array) for _, name, array in s.handed_on()]))


def _factor(s, arrays):
    """The one of `arrays`, (name, array), that is a factor too much or too little, in words; None where none is."""
    for name, g in arrays:
        for words, f in ((name, g), (f"{name}**2", g * g), (f"(1 - {name})", 1 - g)):
            if s.fits(lambda k: s.n[k] * f):
                return f"has a factor {words} too much"
            if all(same(a * f, n) for a, n in zip(s.a, s.n)):
                return f"lacks a factor {words}"
    return None


def _in_formulas(s):
    """Both derivatives, where every output has its own input and they can be written down."""
    formula = local_formula(s) if s.y is not None and s.y.shape == s.shape and diagonal(s) else ""
    return f"; {formula}" if " where " in formula else ""


def factor_at_the_end(s):
    """A factor multiplies what comes out, where dy must be multiplied by it before entries meet; or the other way round."""
    if s.y is None or s.y.shape != s.shape or s.check.jacobian is None or diagonal(s):
        return None
    for name, g in named_arrays(s):
        for first, last, words in ((1 / g, g, f"multiplies by {name} at the end, where dy must be multiplied by it first"),
                                   (g, 1 / g, f"multiplies dy by {name} first, where that must come last")):
            if np.isfinite(first).all() and np.isfinite(last).all():
                pulled = s.pulled(lambda dy: [dy[0] * first])
                if s.fits(lambda k: pulled(k) * last):
                    return f"{words}: what lies between (a mean, a norm, a softmax) mixes the entries"
    return None


def more_factors(s):
    """The same with factors that are rarer."""
    for name, g in named_arrays(s):
        for words, f in ((f"(1 + {name})", 1 + g), (f"{name}**3", g ** 3), (f"exp({name})", np.exp(g)),
                         (f"sqrt({name})", np.sqrt(g)), (f"|{name}|", np.abs(g)), (f"2 * {name}", 2 * g)):
            if not np.isfinite(f).all() or np.ptp(f) == 0:
                continue
            if s.fits(lambda k: s.n[k] * f):
                return f"has a factor {words} too much"
            if all(same(a * f, n) for a, n in zip(s.a, s.n)):
                return f"lacks a factor {words}"
    return None


def mask_wrong(s):
    """Zeros where there should be none, and the other way round."""
    zero_a, zero_n = ([np.abs(g) <= CLOSE * scale for g, scale in zip(grads, s.check.scales)] for grads in (s.a, s.n))
    if not all(zero.any() for zero in zero_n):
        if _alike_elsewhere(s, zero_a):
            return "is zero at entries where it should not be" + _made_of(s, zero_a[0])
        made = _made_of(s, zero_a[0])
        return made and f"is zero at entries where it should not be, and wrong elsewhere{made}"
    if all(zero.all() for zero in zero_n):
        return f"should be zero: the output does not change with {s.check.name}"
    if all((a | n).all() and not (a & n).all() for a, n in zip(zero_a, zero_n)):
        return "is zero where it should not be, and not zero where it should be: a mask is the wrong way round"
    if _alike_elsewhere(s, [a | n for a, n in zip(zero_a, zero_n)]):
        if not any((a & ~n).any() for a, n in zip(zero_a, zero_n)):
            other = ", or it is not that of the forward pass" * bool((zero_a[0] & zero_n[0]).any())
            return (f"should be zero where the output does not depend on {s.check.name}, and is right elsewhere: a mask is "
                    f"forgotten{other}")
        if not any((n & ~a).any() for a, n in zip(zero_a, zero_n)):
            return "is zero at entries where it should not be, and is right elsewhere: a mask or a condition is too strict"
        return ("is zero at the wrong entries, and is right elsewhere: the mask is not that of the forward pass"
                + _made_of(s, zero_a[0]))
    return None


def _made_of(s, zero):
    """Words on what a mask is made of, "" where that is not known."""
    for name, g in s.near:
        for mask, words in ((g <= 0, "positive"), (g >= 0, "negative")):
            if g.shape == s.shape and (zero == mask).all() and 2 < mask.sum() < mask.size - 2:
                return f": it lets through where {name} is {words}"
    return ""


def _alike_elsewhere(s, masks):
    """Whether A and N agree outside `masks`, at two entries at least."""
    return all((~m).sum() > 1 and m.any() and same(a[~m], n[~m]) for a, n, m in zip(s.a, s.n, masks))


def factor_per_slice(s):
    """A / N is a factor that is constant over some axes and does not depend on dy."""
    factor = s.a[0] / s.n[0]
    if not _known(s).all() or not same(factor * s.n[1], s.a[1]):
        return None
    for axes in reversed(subsets(long_axes(s.shape)[:5])):
        part = np.broadcast_to(factor.mean(axes, keepdims=True), s.shape)
        if len(axes) < len(long_axes(s.shape)) and same(factor, part):
            return _values_of(s, np.median(factor, axes).ravel()) or (
                    f"is off by a factor that is constant over {s.axes(axes)} and differs elsewhere: a scale, weight or "
                    "standard deviation of each slice is missing or doubled, or is another than that of forward")
    return None


def _values_of(s, factor):
    """Words on an array whose entries the factors are, whatever their places, as weights that labels choose; or counts."""
    given = [(name, np.asarray(getattr(v, "array", v))) for name, v in zip(s.problem.argument_names, s.problem.given)]
    handed_on = [(name, array) for _, name, array in s.handed_on()]
    for name, array in [*handed_on, *((n, a) for n, a in given if a.dtype.kind in "fiu" and a.ndim)]:
        values = np.unique(array.astype(float))
        for words, power in (("has a factor {} too much", 1), ("lacks a factor {}", -1), ("has a factor {}**2 too much", 2),
                             ("lacks a factor {}**2", -2)):
            near = np.abs(factor[:, None] / values ** power - 1).min(1) if 1 < values.size <= 4096 else np.ones(1)
            if near.max() < CLOSE and np.ptp(factor) > 0.01 * np.abs(factor).max():
                return words.format(name) + f", the entry of {name} that belongs to each slice"
    parts = np.abs(factor[:, None] * np.arange(1, 13))
    if (np.abs(parts - parts.round()).min(1) < 1e-5).all() and factor.size > 2:
        shown = ", ".join(f"{f:.4g}" for f in np.unique(factor.round(6))[:4])
        return (f"is off by factors ({shown}) that are ratios of whole numbers: either a mean divides by another count than "
                "in forward (of entries that are padding or masked, too), or something is counted several times")
    return None


def local_factor(s):
    """Every output depends on its own input alone, and A has another derivative there."""
    if s.y is None or s.y.shape != s.shape or not diagonal(s):
        return None
    known = _known(s)
    if known.sum() < 2 or 2 * known.sum() < known.size:
        return None
    factor = s.a[0] / s.n[0]
    if not same(np.where(known, factor * s.n[1], np.nan), np.where(known, s.a[1], np.nan)):
        return None
    e = np.unravel_index(np.where(known, s.check.wrong * np.abs(s.a[0] - s.n[0]), -1).argmax(), s.shape)
    c, formula = s.dy[0][0][e], local_formula(s)
    return (f"is dy times a wrong local derivative{_where(s)}: at {s.check.name} = {s.x[e]:.6g} yours is "
            f"{s.a[0][e] / c:.6g}, right is {s.n[0][e] / c:.6g}{formula and '; ' + formula}")


def _known(s):
    """The entries at which A / N says something."""
    return np.isfinite(s.n[0]) & np.isfinite(s.n[1]) & (np.abs(s.n[0]) > CLOSE * s.check.scales[0])


def one_of_each_row(s):
    """Exactly one entry of each row is wrong, or not zero."""
    hit = np.abs(s.a[0]) > CLOSE * s.check.scales[0]
    for axis in long_axes(s.shape):
        if s.x.ndim > 1 and s.shape[axis] > 2 and (hit.sum(axis) == 1).all() and np.abs(s.n[0]).min() > 0:
            if len(set(hit.argmax(axis).ravel())) > 1:
                return (f"is zero but for one entry of each row along {s.axis(axis)} (the label, the maximum), where all of "
                        "them have a gradient: the others move the output, too")
        each = s.check.wrong.sum(axis)
        if s.x.ndim > 1 and s.shape[axis] > 2 and s.x.size > s.shape[axis] and (each == 1).all():
            if len(set(s.check.wrong.argmax(axis).ravel())) > 1:
                return (f"is wrong at exactly one entry of each row along {s.axis(axis)}: the term of the chosen one "
                        "(label, maximum) is missing or wrong")
    return None


def term_off(s):
    """A lacks, or has too much, a multiple of something known."""
    extras = [(other.shown, other.numeric) for other in s.others if other.value.shape == s.shape]
    extras += [(name, [g, g]) for name, g in named_arrays(s)]
    for name, terms in extras:
        for r in (1.0, -1.0):
            if all(same(a - n, r * t) for a, n, t in zip(s.a, s.n, terms)):
                return f"contains the term {name} too much" if r > 0 else f"lacks the term {name}"
    for dy in _dy_over_x(s) if s.x.size > 1 else ():
        off = [(n - a) / d for a, n, d in zip(s.a, s.n, dy)]
        if not same(*off):
            continue
        number = float(off[0].mean())
        if same(off[0], np.full(s.shape, number)):
            times = "" if abs(abs(number) - 1) < CLOSE else f"{abs(number):.6g} * "
            return f"lacks the term {times}dy" if number > 0 else f"contains the term {times}dy too much"
        handed_on = [(n, v) for _, n, v in s.handed_on() if v.shape == s.shape]
        for name, g in [] if s.y.shape == s.shape and diagonal(s) else [*named_arrays(s), *handed_on]:
            for words, f in ((name, g), (f"(1 - {name})", 1 - g)):
                if same(off[0], f) or same(off[0], -f):
                    return f"lacks the term dy * {words}" if same(off[0], f) else f"contains the term dy * {words} too much"
    return None


def direct_path(s):
    """N - A is dy times a number for each entry."""
    if s.y is None or s.y.shape != s.shape or diagonal(s) or not same(*((n - a) / d[0] for a, n, d in zip(s.a, s.n, s.dy))):
        return None
    return ("is off by dy times a number of each entry: the direct path from an input to its own output (a skip connection, "
            "a gate) is missing or wrong")


def _dy_over_x(s):
    """dy, a list of two arrays in the shape of x: as it is, or along an axis that y does not have."""
    if s.y is not None and s.y.shape in (s.shape, ()):
        yield [np.broadcast_to(dy[0], s.shape) for dy in s.dy]
    for axis in range(s.x.ndim) if s.y is not None else ():
        if s.y.shape == s.shape[:axis] + s.shape[axis + 1:] != ():
            yield [np.broadcast_to(np.expand_dims(dy[0], axis), s.shape) for dy in s.dy]


# ---- only somewhere ---------------------------------------------------------------------------------------------------

def only_somewhere(s):
    """Wrong at a part of the entries that a sentence can describe."""
    where, formula = _where(s), "" if s.check.jacobian is None else local_formula(s)
    return f"is wrong{where}{_how_there(s) or formula and f'; there {formula}'}" if where else None


def clearly_somewhere(s):
    """The same, where the wrong entries have something in common besides."""
    return only_somewhere(s) if _how_there(s) and " only at indices" not in _where(s) else None


def _where(s):
    """The place of the wrong entries in words, "" where none fits."""
    return place(s, s.check.wrong)


def place(s, wrong):
    """The place of the entries `wrong` in words, "" where none fits."""
    right = s.check.measured & ~wrong & (np.abs(s.n[0]) > 0)  # a right zero proves nothing
    if not right.any() or not wrong.any():
        return ""
    for axis in long_axes(s.shape):
        others = tuple(i for i in range(s.x.ndim) if i != axis)
        bad, good = np.flatnonzero(wrong.any(others)), np.flatnonzero(right.any(others))
        if len(bad) == 1 and bad[0] not in good:
            last = ", the last" if bad[0] == s.shape[axis] - 1 else ""
            return f" only at index {bad[0]}{last}, of {s.axis(axis)}"
    border = _border(s, wrong, right)
    if border:
        return border
    ties = np.isin(s.x, [v for v, c in zip(*np.unique(s.x, return_counts=True)) if c > 1])
    if not (wrong & ~ties).any() and not (right & ties).any():
        return " only at ties (entries whose value occurs more than once)"
    for values, words in _sorting_values(s):
        for mask, where in ((values == 0, "0"), (values < 0, "negative"), (values > 0, "positive")):
            if not (wrong & ~mask).any() and not (right & mask).any():
                return f" only where {words} is {where}"
        if _likely_by_chance(wrong, right):
            continue
        if values[wrong].min() > values[right].max():
            return f" only where {words} is above {values[right].max():.4g} (right up to there)"
        if values[wrong].max() < values[right].min():
            return f" only where {words} is below {values[right].min():.4g} (right from there)"
    for axis in long_axes(s.shape):
        others = tuple(i for i in range(s.x.ndim) if i != axis)
        bad, good = set(np.flatnonzero(wrong.any(others))), set(np.flatnonzero(right.any(others)))
        if bad & good or len(bad) < 2:
            continue
        for step in (2, 3):
            if len({b % step for b in bad}) == 1 and len(bad) > 2:
                return (f" only at every {'second' if step == 2 else 'third'} index of {s.axis(axis)}: look at the step of "
                        "a slice or range (stride, dilation)")
        ends = ("either a range, loop or slice stops short or starts late, or what comes from the other steps of a "
                "sequence (through a later step, a sum, a mask) is missing")
        for parts in (2, 3, 4):
            size, first = s.shape[axis] // parts, min(bad)
            if 1 < size == len(bad) and size * parts == s.shape[axis] and first % size == 0 and max(bad) - first < size:
                last = parts > 2 and first + size == s.shape[axis]
                which = "last" if last else ("first", "second", "third")[first // size]
                what = ("half", "third", "quarter")[parts - 2]
                return (f" only in the {which} {what} of {s.axis(axis)} (indices {first} to {max(bad)}), and everywhere in "
                        "it: look at the formula of this part, or at a range or slice that leaves it out")
        last = good == {s.shape[axis] - 1}
        if s.shape[axis] > 2 and (last or good == {0} and "batch" not in s.axis(axis)):
            return (f" everywhere but at the {'last' if last else 'first'} index of {s.axis(axis)}: in a sequence, what "
                    f"comes back from the {'later' if last else 'earlier'} steps (or through a mask) is missing or wrong; "
                    "otherwise look at a range or slice")
        if min(bad) > max(good):
            return f" only from index {min(bad)} of {s.axis(axis)} on: {ends}"
        if max(bad) < min(good):
            return f" only below index {max(bad) + 1} of {s.axis(axis)}: {ends}"
        if len(bad) <= 4:
            return f" only at indices {sorted(map(int, bad))} of {s.axis(axis)}"
    return ""


def _likely_by_chance(wrong, right):
    """Whether few entries decide, so that some sorting would tell them from the others anyway."""
    return right.sum() < 3 or math.comb(int(wrong.sum() + right.sum()), int(wrong.sum())) < 10


def _sorting_values(s):
    """(values, words) of what branches of a function may depend on: x, its distance from another input, their sizes."""
    yield s.x, s.check.name
    yield np.abs(s.x), f"|{s.check.name}|"
    for other in s.others:
        if other.value.shape == s.shape:
            yield s.x - other.value, f"{s.check.name} - {other.name}"
            yield np.abs(s.x - other.value), f"|{s.check.name} - {other.name}|"


def _border(s, wrong, right):
    """Whether only a border of the spatial axes is wrong."""
    spatial = list(range(2, s.x.ndim))
    if not spatial:
        return ""
    for width in (1, 2):
        inside = tuple(slice(width, s.shape[i] - width) if i in spatial else slice(None) for i in range(s.x.ndim))
        if right[inside].any() and not wrong[inside].any() and all(s.shape[i] > 2 * width for i in spatial):
            sides = [(i, side) for i in spatial for side in (slice(width), slice(s.shape[i] - width, None))
                     if wrong[tuple(side if j == i else slice(None) for j in range(s.x.ndim))].mean() > 0.5]
            if len(sides) == 2 * len(spatial):
                return f" only at the border ({width} wide): look at the padding"
            if sides and all(side.stop is None for _, side in sides):
                return (f" only at the end of {s.axes([i for i, _ in sides])} ({width} wide): a loop over the places of a "
                        "window ends too early, or the padding is cut off on one side")
    return ""


def _how_there(s):
    """What the wrong entries have in common."""
    w = s.check.wrong
    a, n = ([g[w] for g in gradients] for gradients in (s.a, s.n))
    if not all(np.isfinite(v).all() for v in n):
        return ""
    if not any(v.any() for v in a):
        return "; there it is zero and should not be"
    if all(np.abs(v).max() <= CLOSE * scale for v, scale in zip(n, s.check.scales)):
        return "; there it should be zero"
    r = (a[0] * n[0]).sum() / (n[0] ** 2).sum()
    if w.sum() > 1 and all(same(v, r * m) for v, m in zip(a, n)):
        return f"; there it is {r:.6g} times the right value"
    return ""


# ---- try again with less ----------------------------------------------------------------------------------------------

def passes_without_an_option(s):
    """Right once a stride, dilation, padding or group is switched off."""
    for name, neutral in NEUTRAL.items():
        value = s.problem.options.get(name, neutral)
        if np.all(np.asarray(value) == neutral) or isinstance(value, str):
            continue
        if _right_again(s, options={**s.problem.options, name: neutral}):
            return (f"is wrong only with {name}={value}: with {name}={neutral} it is right, so look at how {name} enters "
                    "backward")
    return None


def passes_for_one_example(s):
    """Right for a batch of one."""
    if s.y is None or s.y.ndim < 2 or s.y.shape[0] < 2:
        return None
    count = s.y.shape[0]
    if s.problem.values[0].shape[:1] == (count,) and _right_again(s, batch=count):
        return (f"is right where axis 0 has one index alone, and wrong for {count}: look at what is summed, averaged or "
                "overwritten (= for +=) over the examples of a batch, or the steps of a sequence")
    return None


def _right_again(s, **change):
    """Whether this gradient is right with other options or with the first example alone; False where that cannot run."""
    try:
        checks = s.measure(s.problem.variant(**change))
    except Exception:  # the smaller problem is a guess: that it cannot run only means that this law has nothing to say
        return False
    check = checks[s.problem.names.index(s.check.name)]
    return check.ok and any(np.abs(a).max(initial=0) > 1e-9 * scale for a, scale in zip(check.analytic, s.check.scales))
