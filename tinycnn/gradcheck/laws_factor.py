"""Laws of the diagnosis: one factor for the whole gradient, or one for each slice, and where it comes from.

A number has many explanations: 2 may be the 2 of a square, the size of an axis, or the root of 4. So every explanation that
fits is kept, then sizes are changed, and those stay that still fit.
"""
import contextlib
import itertools

import numpy as np

from .problem import Problem
from .scene import CLOSE, Scene, diagonal, long_axes, same, subsets
from .smaller import name_of, one_less

CONSTANTS = (("e", np.e), ("sqrt(2)", 2 ** 0.5), ("pi", np.pi), ("2 pi", 2 * np.pi), ("sqrt(pi)", np.pi ** 0.5),
             ("sqrt(2 pi)", (2 * np.pi) ** 0.5), ("2 / sqrt(pi)", 2 / np.pi ** 0.5), ("sqrt(2 / pi)", (2 / np.pi) ** 0.5),
             ("log(2)", np.log(2)), ("log(10)", np.log(10)), ("180 / pi", 180 / np.pi))
OF_NUMBERS = {"{}": lambda p: p, "1 - {}": lambda p: 1 - p, "{}**2": lambda p: p ** 2, "sqrt({})": lambda p: abs(p) ** 0.5,
              "(1 - {})**2": lambda p: (1 - p) ** 2, "(1 - {0})/{0}": lambda p: (1 - p) / p}
UNLIKELY = ("twice", "bessel", "root of bessel", "power")   # explanations that are told after the others


def ratio(s):
    """The r of A = r N, None where there is none."""
    ratios = []
    for a, n in zip(s.a, s.n):
        known = np.isfinite(n)
        square = (n[known] ** 2).sum()
        ratios.append((a[known] * n[known]).sum() / square if square else np.nan)
    r = ratios[0]
    fits = np.isfinite(r) and abs(ratios[1] - r) <= CLOSE * abs(r) and s.fits(lambda k: r * s.n[k])
    return float(r) if fits else None


def constant_ratio(s):
    """A = r N."""
    r = ratio(s)
    if r is None:
        return None
    if abs(r + 1) < CLOSE:
        return "has the wrong sign: it is -1 times the right value"
    words = _explain(s, r)
    if s.n[0].size == 1 and words is None:
        return None
    return f"is {r:.6g} times the right value: {words or 'a constant factor is wrong'}"


def _explain(s, r):
    """What the factor r may come from, None where it is no known number."""
    sign = " and the sign is wrong" if r < 0 else ""
    found, sure = _surviving(s, r, _candidates)
    if not found or not sure:
        found |= {what: words for what, words in _surviving(s, r, _quotients)[0].items()
                  if not found or "axes (" not in what and "number of" not in what}
    found = {what: words for what, words in found.items()
             if not what.startswith("bessel") or what.replace("bessel", "mean") not in found}   # 2/(2 - 1) is 2
    kinds = {}
    for what, words in found.items():  # sizes that are equal are one explanation, told by the first
        kinds.setdefault(what.partition(" the ")[0], []).append((what, words))
    likely = sorted(kinds, key=lambda kind: kind.startswith(UNLIKELY))   # a stable order, these last
    words = list(dict.fromkeys(kinds[kind][0][1] for kind in likely))
    if not words:
        return None
    if len(words) == 1:
        return words[0] + sign
    return f"either {', or '.join(words[:4])}: try sizes that differ" + sign


def _surviving(s, r, candidates):
    """{what: words} of the candidates that explain the factor at other sizes, too, and whether there were such."""
    found, sure = dict(candidates(s, r)), False
    if not found or not isinstance(s.problem, Problem):
        return found, sure
    proven = _follows(s, r, candidates)
    if proven:
        return {what: words for what, words in found.items() if what in proven}, True
    found = {what: words for what, words in found.items() if not what.lstrip("sqrt(").rstrip(")*").isdigit()}
    for problem in one_less(s.problem, [count for what, count in _counts(s) if any(what in f for f in found)]):
        smaller = again(s, problem)
        if smaller is None or np.abs(smaller.n[0]).max(initial=0) <= CLOSE * smaller.check.scales[0]:
            continue  # a gradient that is zero, as of a softmax of one number, proves nothing
        other = 1.0 if smaller.check.ok else ratio(smaller)
        if other is None:
            continue
        sure = sure or abs(other - r) > CLOSE
        still = {what for what, _ in candidates(smaller, other)}
        if abs(other - 1) < CLOSE:  # right for a size of 1
            ones = [what for what, count in _counts(smaller) if count == 1]
            still = {what for what in found if what.partition(" ")[2] in ones or what.startswith("quotient")}
        found = {what: words for what, words in found.items() if what in still}
    return found, sure


def _follows(s, r, candidates):
    """The candidates with which the factor goes along, where a number of forward is another; nothing where it stays."""
    for name, value in s.problem.numbers.items():
        made = {words.format(name) for words in OF_NUMBERS}
        if any(what in made for what, _ in candidates(s, r)):
            with contextlib.suppress(Exception):  # a number that forward refuses, or that cannot be changed
                changed = again(s, s.problem.with_number(name, value + 1 if isinstance(value, int) else 1.25 * value))
                other = ratio(changed)
                if other and abs(other - r) > CLOSE:
                    return {what for what, _ in candidates(changed, other) if what in made}
    return set()


def again(s, problem):
    """The Scene of the same input in another problem, None where it cannot be measured."""
    try:
        checks = s.measure(problem)
    except Exception:  # the smaller problem is a guess: that it cannot run only means that it says nothing
        return None
    check = checks[s.problem.names.index(s.check.name)]
    if check.misshapen is not None:
        return None
    y = problem.vector(problem.values)
    rng = np.random.default_rng(problem.seed)
    cotangents = [rng.uniform(0.5, 1.5, y.size) * rng.choice([-1.0, 1.0], y.size) for _ in range(2)]
    return Scene(check, checks, problem, cotangents, y, s.measure)


def other_number(s):
    """A is right for another value of one of the numbers that forward knows: 0 (an eps left out), 1 (a scale), 1 - p."""
    if not isinstance(s.problem, Problem) or s.x.size < 2:
        return None
    direction = np.random.default_rng(0).standard_normal(s.shape)
    for name, value in s.problem.numbers.items():
        for number in dict.fromkeys((0 * value, 0 * value + 1, 1 - value, -value, value * value)):
            try:
                column = s.column(direction, problem=s.problem.with_number(name, number))
            except Exception:  # a number that forward refuses, or that cannot be changed
                continue
            right = [c @ column if c.shape == column.shape else np.nan for c in s.vectors]
            if number != value and all(abs((a * direction).sum() - r) <= 1e-8 * abs(r) for a, r in zip(s.a, right)):
                known = "" if name == name_of(value) else f"{name} = "
                if number == 0:
                    eps = " (an eps)" * (0 < abs(value) < 0.02)
                    return f"is what it would be without the {known}{value:g}{eps} of forward: backward leaves it out"
                return (f"is what it would be with {known}{number:g} in forward, where {known}{value:g} stands: backward "
                        "leaves that number out, or takes another")
    return None


def _near(a, b):
    return abs(a - b) < CLOSE * abs(b)


def _candidates(s, r):
    """(what, words) of everything that the factor r may be; `what` is the same at other sizes."""
    if not r:
        return
    size, up = max(abs(r), 1 / abs(r)), abs(r) > 1
    sums = "a sum stands where the forward takes the mean" if up else "a mean stands where the sum belongs"
    if _near(size, 2):
        twice = ("counted twice, or the 2 of a derivative of a square, or another 2 that does not belong there"
                 if _quadratic(s) or diagonal(s) else
                 "either a factor 1/2 of forward is missing (a scale, a temperature), or something is added twice")
        yield "two", (twice if up else
                      "the 2 of the derivative of a square (or of 2 * x within) is lost, or a term was halved")
    for k, words in ((3, "a cube"), (4, "a power, x**4,"), (5, "a power, x**5,"), (6, "a power, x**6,")):
        if _near(1 / abs(r), k) or _near(abs(r), 1 - 1 / k):
            lost = f"(or of {k} * x within) is lost" if abs(r) < 0.5 else f"is taken for {k - 1}"
            yield f"power {k}", f"the {k} of the derivative of {words} {lost}"
    for what, count in _counts(s):
        if count < 2:
            continue
        for kind, number, words in (
                ("mean", count, f"{count} is {what}, {sums}"),
                ("root", count ** 0.5, f"that is the square root of {count}, {what}, or its inverse"),
                ("twice", count ** 2, f"that is {count} squared, {what}: divided or multiplied by it twice"),
                ("bessel", count / (count - 1), f"that is n/(n - 1) or its inverse with n = {count}, {what}: n - 1 "
                                                "(Bessel) and n are mixed up"),
                ("root of bessel", (count / (count - 1)) ** 0.5,
                 f"that is sqrt(n/(n - 1)) or its inverse with n = {count}, {what}: a standard deviation with n - 1 "
                 "(ddof=1) where forward has n, or the reverse")):
            if _near(size, number):
                yield f"{kind} {what}", words
    if s.y is not None and s.y.size == 1 and s.y.any():
        for times in (1, 2, 3):
            if _near(abs(r), abs(times * s.y.item())) or _near(1, abs(r * times * s.y.item())):
                yield "y", f"that is {times} y or its inverse: a factor y is missing or too much".replace(" 1 y", " y")
    yield from _numbers(s, size)
    scale = _scale_of_forward(s)
    if scale and (_near(size, scale) or _near(size * scale, 1)) and not _near(scale, 1):
        dropout = ", as dropout does with 1/(1 - p)," * bool(scale > 1 and (s.n[0] == 0).any())
        yield "scale", (f"forward multiplies what it lets through by {scale:.6g}{dropout or ','} and "
                        f"backward {'does so twice' if (abs(r) > 1) == (scale > 1) else 'does not, or divides by it'}")
    for words, number in CONSTANTS:
        if _near(size, max(number, 1 / number)):
            yield words, f"that is {words}, or its inverse: a constant is missing or counted twice"


def _quadratic(s):
    """Whether the output is of second degree in x: its slope changes by the same with every step."""
    if s.y is None or not isinstance(s.problem, Problem):
        return True
    index, direction = s.problem.names.index(s.check.name), np.random.default_rng(0).uniform(0.5, 1.0, s.shape)
    slopes = []
    for step in (0.0, 0.1, 0.2):
        values = list(s.problem.values)
        values[index] = values[index] + step * direction
        slopes.append(s.column(direction, values))
    first, second = slopes[1] - slopes[0], slopes[2] - slopes[1]
    return bool(np.abs(first).max() > 0 and np.abs(second - first).max() <= 1e-6 * np.abs(first).max())


def _quotients(s, r):
    """The same for two sizes of which one stands in the place of the other."""
    sizes = sorted((size for size in _counts(s) if size[1]), key=lambda size: size[1])
    for (over, a), (under, b) in itertools.permutations(sizes, 2):
        for kind, words, number in (("quotient", f"{a}/{b}", a / b), ("quotient's root", f"sqrt({a}/{b})", (a / b) ** 0.5)):
            if a != b and _near(abs(r), number):
                yield (f"{kind} the {over} {under}",
                       f"that is {words}, the sizes are mixed up: {a} is {over}, {b} is {under}")


def _numbers(s, size):
    """The options and other numbers that forward knows, and what is made of them."""
    for name, value in getattr(s.problem, "numbers", s.problem.options).items():
        if not isinstance(value, (int, float)) or isinstance(value, bool) or value in (0, 1):
            continue
        for words, function in OF_NUMBERS.items():
            words, factor = words.format(name), function(value)
            axis = name.isdigit() and words not in (name, f"sqrt({name})")   # a whole number in the text may be one
            if factor and not axis and (_near(size, abs(factor)) or _near(size * abs(factor), 1)):
                yield words, f"the factor {words} is missing or counted twice"


def _scale_of_forward(s):
    """The c of a forward that hands some entries on times c, and the others not at all; None for any other."""
    j = s.check.jacobian
    if j is None or not np.isfinite(j).all():
        return None
    used = j[np.abs(j) > CLOSE]
    alone = (np.abs(j) > CLOSE).sum(1).max(initial=0) == 1 == (np.abs(j) > CLOSE).sum(0).max(initial=0)
    return float(used[0]) if alone and used.size > 1 and same(used, np.full(used.shape, used[0])) and used[0] > 0 else None


def _counts(s):
    """(words, number) of the sizes that a sum or a mean may run over."""
    arrays = [("y", s.y)] if s.y is not None else []
    arrays += [(s.check.name, s.x)] + [(c.name, c.value) for c in s.others]
    j, windows = s.check.jacobian, []
    if j is not None and s.y is not None and s.y.ndim > 1:
        reach = np.abs(j) > CLOSE * np.abs(j).max(initial=0)
        if s.shape != s.y.shape and s.x.ndim == s.y.ndim:
            name, (made_of, makes) = s.check.name, (reach.sum(axis).max(initial=0) for axis in (0, 1))
            windows = [(f"the number of entries of {name} that make one of y (the window)", made_of),
                       (f"the number of entries of {name} to one of y (the window)", s.x.size / s.y.size),
                       (f"the number of entries of y that one of {name} makes", makes)]
            windows = [(what, int(count)) for what, count in windows if count == int(count)]
    yield from windows if s.x.ndim > 2 else ()
    if s.y is not None and s.y.ndim > 1 or s.x.ndim > 1:
        yield "the batch size", (s.y if s.y is not None and s.y.ndim > 1 else s.x).shape[0]
    if s.y is None:
        yield "the number of outputs", len(s.ys)
    for name, parts in getattr(s.problem, "numbers", {}).items():   # as of attention with several heads
        if isinstance(parts, int) and s.x.ndim > 1 and parts > 1 and s.shape[-1] % parts == 0:
            yield f"the size of one of {name} parts of axis {s.x.ndim - 1} of {s.check.name}", s.shape[-1] // parts
    for name, array in arrays:
        yield f"the number of elements of {name}", array.size
        for i, size in enumerate(array.shape):
            yield f"the size of axis {i}{', the last,' * (i == array.ndim - 1 > 0)} of {name}", size
        for r in range(2, array.ndim):
            for axes in itertools.combinations(range(array.ndim), r):
                yield f"the size of axes {axes} of {name}", int(np.prod([array.shape[i] for i in axes]))
    yield from windows if s.x.ndim <= 2 else ()


# ---- a factor for each slice ------------------------------------------------------------------------------------------

def scale_of_slices(s):
    """A / N is constant over the axes that a norm or deviation runs over: std for 1/std, eps forgotten, n - 1 for n."""
    if not all((np.abs(n) > 0).all() and np.isfinite(n).all() for n in s.n):
        return None
    factor = s.a[0] / s.n[0]
    if not same(factor * s.n[1], s.a[1]):
        return None
    for axes in subsets(long_axes(s.shape)[:5]):
        f = factor.mean(axes)
        if f.size < 2 or not same(factor, np.broadcast_to(factor.mean(axes, keepdims=True), s.shape)) or np.ptp(f) == 0:
            continue
        for name, v in (("the variance of x", s.x.var(axes)), ("the variance of x (ddof=1)", s.x.var(axes, ddof=1)),
                        ("the mean of x**2", (s.x ** 2).mean(axes)), ("the sum of x**2", (s.x ** 2).sum(axes))):
            words = _of_variance(f, v)
            if words:
                name = name.replace("x", s.check.name)
                return f"is off by a factor for each slice over {s.axes(axes)}: with v, {name}, {words}"
    return None


def _of_variance(f, v):
    """What the factors f of the slices are in terms of their variances v, perhaps with an eps that is not known."""
    for words, power in (("it lacks the division by the standard deviation, sqrt(v + eps)", 0.5),
                         ("it is divided by the standard deviation, sqrt(v + eps), once too often", -0.5),
                         ("it is multiplied by the standard deviation where it must be divided by it (std for 1/std)", 1.0),
                         ("it is divided twice too often by the standard deviation, sqrt(v + eps)", -1.0)):
        eps = f ** (1 / power) - v
        if np.ptp(eps) <= 1e-5 * v.max() and -1e-5 * v.max() <= eps.mean() <= 0.1 * v.max():
            return words
    eps = v / f ** 2 - v if (f < 1).all() else v * f ** 2 - v     # f = sqrt(v / (v + eps)), or its inverse
    middle = float(np.median(eps))
    if 0 < middle < v.max() and np.ptp(eps) <= 1e-3 * middle + 1e-12 * v.max() / CLOSE * 1e-4:
        return f"eps, about {middle:.3g}, is left out of the root or is there once too often: sqrt(v + eps)"
    root = v ** 0.5
    eps = root / f - root if (f < 1).all() else root * f - root
    middle = float(np.median(eps))
    if 0 < middle < root.max() and np.ptp(eps) <= 1e-3 * middle + 1e-12 * root.max() / CLOSE * 1e-4:
        return f"eps, about {middle:.3g}, is added outside the root where forward has it under it, or the reverse"
    return None
