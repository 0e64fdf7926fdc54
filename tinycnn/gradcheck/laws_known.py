"""Laws of the diagnosis: derivatives and sums that can be written down, yours next to the right one."""
import contextlib
import itertools

import numpy as np

from .jacobians import jacobians
from .scene import CLOSE, same, subsets

TIMES = {1.0: "", -1.0: "-1 * ", 2.0: "2 * ", -2.0: "-2 * ", 0.5: "0.5 * ", -0.5: "-0.5 * ", 3.0: "3 * ", 1 / 3: "1/3 * "}


def _sigmoid(u):
    return 1 / (1 + np.exp(-u))


OF_ONE = {
    "{u}": lambda u: u, "{u}**2": lambda u: u * u, "{u}**3": lambda u: u ** 3,
    "(1 - {u})": lambda u: 1 - u, "(1 + {u})": lambda u: 1 + u,
    "(1 - {u}**2)": lambda u: 1 - u * u, "(1 + {u}**2)": lambda u: 1 + u * u,
    "{u} * (1 - {u})": lambda u: u * (1 - u), "{u} * (1 + {u})": lambda u: u * (1 + u),
    "1/{u}": lambda u: 1 / u, "1/{u}**2": lambda u: u ** -2.0, "1/{u}**3": lambda u: u ** -3.0,
    "sqrt({u})": np.sqrt, "1/sqrt({u})": lambda u: u ** -0.5,
    "exp({u})": np.exp, "exp(-{u})": lambda u: np.exp(-u), "(exp({u}) - 1)": np.expm1, "log({u})": np.log,
    "1/(1 + {u})": lambda u: 1 / (1 + u), "1/(1 - {u})": lambda u: 1 / (1 - u),
    "1/(1 + {u}**2)": lambda u: 1 / (1 + u * u), "1/(1 - {u}**2)": lambda u: 1 / (1 - u * u),
    "1/(1 + {u})**2": lambda u: (1 + u) ** -2.0, "1/(1 - {u})**2": lambda u: (1 - u) ** -2.0,
    "1/(1 + |{u}|)**2": lambda u: (1 + np.abs(u)) ** -2.0,
    "1/sqrt(1 - {u}**2)": lambda u: (1 - u * u) ** -0.5, "1/sqrt(1 + {u}**2)": lambda u: (1 + u * u) ** -0.5,
    "cos({u})": np.cos, "sin({u})": np.sin, "tan({u})": np.tan, "1/cos({u})**2": lambda u: np.cos(u) ** -2.0,
    "tanh({u})": np.tanh, "(1 - tanh({u}))": lambda u: 1 - np.tanh(u), "(1 + tanh({u})**2)": lambda u: 1 + np.tanh(u) ** 2,
    "(1 - tanh({u})**2)": lambda u: 1 - np.tanh(u) ** 2, "sigmoid({u})": _sigmoid, "sigmoid(-{u})": lambda u: _sigmoid(-u),
    "sigmoid({u}) * sigmoid(-{u})": lambda u: _sigmoid(u) * _sigmoid(-u),
    "{u} * sigmoid({u})": lambda u: u * _sigmoid(u),
    "{u} * sigmoid({u}) * sigmoid(-{u})": lambda u: u * _sigmoid(u) * _sigmoid(-u),
    "sign({u})": np.sign, "|{u}|": np.abs, "({u} > 0)": lambda u: (u > 0) * 1.0,
    "exp(-{u}**2)": lambda u: np.exp(-u * u), "exp(-{u}**2/2)": lambda u: np.exp(-u * u / 2),
    "{u} * exp(-{u}**2)": lambda u: u * np.exp(-u * u), "{u} * exp(-{u}**2/2)": lambda u: u * np.exp(-u * u / 2),
    "log(1 + exp({u}))": lambda u: np.log1p(np.exp(u))}
OF_TWO = {
    "{u} * {v}": lambda u, v: u * v, "{u}/{v}": lambda u, v: u / v, "{v}/{u}": lambda u, v: v / u,
    "({u} - {v})": lambda u, v: u - v, "({u} + {v})": lambda u, v: u + v, "sign({u} - {v})": lambda u, v: np.sign(u - v),
    "({u} - {v})**2": lambda u, v: (u - v) ** 2, "{u}/{v}**2": lambda u, v: u / v ** 2,
    "{v}/{u}**2": lambda u, v: v / u ** 2,
    "{u} * (1 - {v})": lambda u, v: u * (1 - v), "{v} * (1 - {u})": lambda u, v: v * (1 - u),
    "(1 - {u})/(1 - {v})": lambda u, v: (1 - u) / (1 - v),
    "(1 - {v})/(1 - {u})": lambda u, v: (1 - v) / (1 - u),
    "(sigmoid({u}) - {v})": lambda u, v: _sigmoid(u) - v, "log({u}/{v})": lambda u, v: np.log(u / v),
    "({u} - {v})/({u} * (1 - {u}))": lambda u, v: (u - v) / (u * (1 - u))}


def _near(s):
    """(name, array) of the arrays that broadcast to x, y the last of them."""
    for name, array in sorted(s.near, key=lambda near: near[0] == "y"):
        try:
            yield name, np.broadcast_to(array, s.shape)
        except ValueError:
            continue


def _over_axes(s):
    """(name, array) of what functions of whole rows are made of: softmax(x), and x less its mean."""
    name = s.check.name
    for axes in [(i,) for i in reversed(range(s.x.ndim)) if s.shape[i] > 1] + [tuple(range(s.x.ndim))] * (s.x.ndim > 1):
        e = np.exp(s.x - s.x.max(axes, keepdims=True))
        where = f" over axis {', '.join(map(str, axes))}" * (s.x.ndim > 1)
        yield f"softmax({name}{where})", e / e.sum(axes, keepdims=True)
        yield f"({name} - mean({name}{where}))", s.x - s.x.mean(axes, keepdims=True)


def _formula(s, numbers, at):
    """The entries `at` of an array of the shape of x, written down in x, y or other inputs; "" where nothing fits."""
    numbers = numbers[at]
    if not np.isfinite(numbers).all():
        return ""
    if numbers.size > 1 and np.ptp(numbers) <= CLOSE * np.abs(numbers).max():
        return _times(s, numbers.mean())[:-3] or "1"
    near, rows = ([(name, array[at]) for name, array in arrays] for arrays in (_near(s), _over_axes(s)))
    tried = [(words.format(u=name), f(a)) for name, a in near + rows for words, f in OF_ONE.items()
             if name in dict(near) or not _is_step(words)]
    pairs = [*itertools.product(rows[:1], near[1:]), *itertools.combinations(near, 2)]
    pairs.sort(key=lambda pair: pair[1][0] == "y")
    tried += [(words.format(u=one, v=two), f(a, b)) for (one, a), (two, b) in pairs for words, f in OF_TWO.items()]
    tried.sort(key=lambda t: _is_step(t[0]))  # last: the signs of several arrays may agree
    for words, array in tried:
        if not np.isfinite(array).all() or array.size < (8 if _is_step(words) else 2) or np.ptp(array) == 0:
            continue
        fitted = (array * numbers).sum() / (array * array).sum()
        if fitted and same(numbers, fitted * array):
            return (_times(s, fitted) + words).replace("-1 * ", "-")
    smooth = [t for t in tried if "sign" not in t[0] and ">" not in t[0] and "softmax" not in t[0]]
    return _two_terms(s, numbers, smooth)


def _two_terms(s, numbers, tried):
    """The numbers as a sum of multiples of two of the `tried`, (words, array); "" where no two fit."""
    tried = [(words, a / np.linalg.norm(a), np.linalg.norm(a)) for words, a in tried if np.isfinite(a).all() and a.any()]
    if numbers.size < 8 or len(tried) < 2:
        return ""
    basis = np.stack([np.ones(numbers.size) / numbers.size ** 0.5, *(a for _, a, _ in tried)])
    words, sizes = ["1", *(w for w, _, _ in tried)], [numbers.size ** 0.5, *(size for *_, size in tried)]
    cross, along = basis @ basis.T, basis @ numbers
    wide = np.triu(1 - cross ** 2, 1) > 1e-6
    squares = (along[:, None] ** 2 + along[None] ** 2 - 2 * cross * along[:, None] * along[None]) / np.where(
        wide, 1 - cross ** 2, np.inf)
    best = np.argwhere(wide & (squares > (1 - 1e-9) * (numbers * numbers).sum()))
    for i, j in best[:20]:
        pair = basis[[i, j]].T
        factors = np.linalg.lstsq(pair, numbers, rcond=None)[0]
        if same(numbers, pair @ factors) and min(np.abs(factors)) > 1e-3 * max(np.abs(factors)):
            one, other = ((_times(s, f / sizes[m]) + words[m]).replace("-1 * ", "-") for f, m in zip(factors, (i, j)))
            return f"{one} + {other}".replace("+ -", "- ").replace(" * 1 ", " ")
    return ""


def _is_step(words):
    return "sign" in words and "-" not in words or ">" in words


def _times(s, number):
    """A factor in words, with its sign of multiplication; what a mean divides by stands beside it."""
    counts = [] if s.y is None or not s.y.size else [s.x.size // s.y.size, *s.shape[:1]]
    for n in (1, *counts):
        for r, words in TIMES.items():
            if abs(number * n / r - 1) < CLOSE:
                return words if n == 1 else f"{words or '1 * '}"[:-3] + f"/{n} * "
    return f"{number:.6g} * " if abs(number) > CLOSE else "0 * "


def right_formula(s):
    """The right local derivative, written down; "" where it is not known."""
    both = jacobians(s)
    if both is None or s.y is None or s.y.shape != s.shape:
        return ""
    return _formula(s, np.diagonal(both[1]).reshape(s.shape), np.ones(s.shape, bool))


def local_formula(s):
    """A wrong local derivative in terms of the right one, or both written down; "" where neither is known."""
    both = jacobians(s)
    if both is None:
        return ""
    yours, right = both
    alone = np.abs(right) > CLOSE * np.abs(right).max(initial=0)
    if (alone.sum(1) > 1).any() or (np.abs(yours[~alone]) > CLOSE * np.abs(yours).max(initial=0)).any():
        return ""
    d, n = ((m * (alone | (m != 0))).sum(1).reshape(s.shape) for m in both)
    for words, array in (("squared: it is multiplied twice", n * n),
                         ("inverted: divided, where it must be multiplied, or the reverse", 1 / n)):
        if np.isfinite(array).all() and np.ptp(n) and same(d, array):
            return f"yours is the right one {words}"
    at = s.check.wrong if s.check.wrong.sum() > 2 else np.ones(s.shape, bool)
    a, b = _formula(s, d, at), _formula(s, n, at)
    if a and b:
        return f"yours is {a}, where {b} belongs"
    branches = _exchanged(s, d, n) if at.all() else ""
    if branches:
        return branches
    for words, array in (("lacks the factor", n / d), ("has a factor too much,", d / n)):
        factor = _formula(s, array, at)
        if factor and not factor.startswith("1/") and "y" not in factor:
            return f"yours {words} {factor}" + f"; yours is {a}" * bool(a) + f"; right is {b}" * bool(b)
    relations = (("1 minus the right one", 1 - n), ("1 plus the right one", 1 + n),
                 ("2 minus the right one: a sign inside is wrong", 2 - n), ("the square root of the right one",
                 np.sqrt(np.abs(n))), ("the right one minus 1", n - 1), ("its absolute value", np.abs(n)))
    for words, array in relations:
        if np.isfinite(array).all() and same(d, array):
            return f"yours is {words}"
    if s.y is not None and s.y.shape == s.shape and np.ptp(s.y):
        for words, array in (("the value y of the function, not its derivative", s.y), ("the right one times y", n * s.y),
                             ("the right one divided by y", n / s.y), ("the right one times x", n * s.x),
                             ("the right one divided by x", n / s.x)):
            if np.isfinite(array).all() and same(d, array):
                return f"yours is {words}".replace(" x", f" {s.check.name}")
    lost = _formula(s, n - d, at)
    if lost:
        return (f"yours is {a}; " * bool(a) + f"right is {b}; " * bool(b)
                + f"the term {lost} is missing from it, as by a product rule of which one part is forgotten"
                + ", or half of it stands there with the wrong sign" * lost.lstrip("-").startswith("2 *"))
    if a:
        return f"yours is {a}"
    return f"right is {b}" if b else ""


def _exchanged(s, d, n):
    """Whether d has on the one side of 0 what n has on the other."""
    sides = s.x > 0, s.x < 0
    if min(side.sum() for side in sides) < 3:
        return ""
    (d1, d2), (n1, n2) = ([_formula(s, array, side) for side in sides] for array in (d, n))
    if d1 and d2 and (d1, d2) == (n2, n1):
        return (f"the branches are exchanged: where {s.check.name} is positive yours is {d1}, right is {n1}, where it is "
                f"negative yours is {d2}, right is {n2}")
    return ""


DERIVATIVES = {words: OF_ONE[words] for words in ("(1 - {u})", "(1 - {u}**2)", "{u} * (1 - {u})", "{u}", "{u}**2")}
INVERSES = {"sigmoid": lambda y: np.log(y / (1 - y)), "tanh": np.arctanh, "exp": np.log}


def factor_of_outputs(s, factors, at):
    """What the factor is, one for each output, with which dy is multiplied too often or not often enough; "" if unknown."""
    if at.sum() < 3 or np.ptp(factors[at]) == 0:
        return ""
    arrays = [("y", s.y[at])]
    for name, array in s.near:
        with contextlib.suppress(ValueError):  # another shape
            arrays += [(name, np.broadcast_to(array, s.y.shape)[at])] * (name != "y")
    for name, u in arrays:
        for words, f in OF_ONE.items():
            words, value = words.format(u=name), f(u)
            if not np.isfinite(value).all() or np.ptp(value) == 0 or _is_step(words):
                continue
            if same(factors[at] * value, np.ones(u.shape)) and not words.startswith("1/"):
                return f"lacks the factor {words} at each dy" + ", the derivative of what comes last" * (name == "y")
            if same(factors[at], value) and not words.startswith("1/"):
                return f"multiplies each dy by {words}, which is too much"
    y = s.y[at]
    for right, g in DERIVATIVES.items():
        right = right.format(u="y")
        for words, f in OF_ONE.items():
            if same(factors[at] * g(y), f(y)):
                return f"multiplies each dy by {words.format(u='y')}, where {right} belongs"
            for name, inverse in INVERSES.items():
                if same(factors[at] * g(y), f(inverse(y))):
                    return (f"multiplies each dy by {words.format(u='z')} with z, what goes into the {name}, where {right} "
                            "with its output y belongs")
    return ""


def written_down(s):
    """A wrong local derivative that can be written down, where several entries make one output."""
    formula = local_formula(s)
    return f"has a wrong local derivative: {formula}" if formula else None


def at_another_value(s):
    """Right for another value of x: the derivative is taken at the output, or written for the output and given the input."""
    if s.y is None or s.x.size < 2 or not np.isfinite(s.y).all():
        return None
    index, name = s.problem.names.index(s.check.name), s.check.name
    values, places = list(s.problem.values), []
    if s.y.shape == s.shape and not same(s.x, s.y):
        values[index] = s.y.copy()
        moved = s.gradients(values, s.vectors)
        if moved is not None and all(same(m, n) for m, n in zip(moved, s.n)):
            return (f"uses the input {name} where the output y belongs: the formula is written for the output, it would be "
                    f"right with y in the place of {name}")
        places.append((s.y, f"the output y: either the derivative is taken at y in the place of {name}, or backward applies "
                            "the function twice"))
    places += [(-s.x, f"-{name}: a sign inside is wrong")]
    made = [(f"sigmoid({name})", _sigmoid(s.x)), (f"tanh({name})", np.tanh(s.x)), (f"exp({name})", np.exp(s.x)),
            *_over_axes(s)]
    places += [(array, f"{words}: {words.partition('(')[0]} is applied twice, once more to what went through it already")
               for words, array in made if words[0] != "("]
    direction = np.random.default_rng(0).standard_normal(s.shape)
    for array, words in places:
        values[index] = array
        column = s.column(direction, values)
        numbers = [((a * direction).sum(), c @ column) for a, c in zip(s.a, s.vectors)]
        if all(abs(one - other) <= CLOSE * abs(one) for one, other in numbers):
            formula = local_formula(s)
            return f"is the derivative at {words}" + f"; {formula}" * (" where " in formula)
    return None


def blind_to_x(s):
    """Backward gives the same wherever x is, and the right one does not."""
    if s.x.size < 3 or s.check.jacobian is not None and ((s.check.jacobian != 0).sum(1) <= 1).all():
        return None  # a local derivative is better told otherwise
    index, values, rng = s.problem.names.index(s.check.name), list(s.problem.values), np.random.default_rng(0)
    values[index] = rng.permutation(s.x.ravel()).reshape(s.shape)
    moved = s.gradients(values, s.vectors)
    if moved is None or not all(same(m, a, 1e-12) for m, a in zip(moved, s.a)):
        return None
    direction = rng.standard_normal(s.shape)
    here, there = (s.column(direction, v) for v in (s.problem.values, values))
    if not np.isfinite(there).all() or same(here, there, 1e-5):
        return None
    return (f"does not depend on the values of {s.check.name}, where the right one does: on the way the derivative of "
            "something that is not linear (an activation and its mask, a softmax, a maximum, a square) is forgotten")


# ---- sums ---------------------------------------------------------------------------------------------------------------

def _terms(s):
    """(words, [an array of the shape of y for each dy]) of what is summed: dy, dy times an input, dy times y."""
    yield "dy", [dy[0] for dy in s.dy]
    for name, array in s.near:
        if name != s.check.name or array.ndim == s.y.ndim:
            try:
                yield f"dy * {name}", [dy[0] * np.broadcast_to(array, s.y.shape) for dy in s.dy]
            except ValueError:
                continue
    scale = _column_scale(s)
    if scale is not None:
        yield f"dy * (the derivative of y along {s.check.name})", [dy[0] * scale for dy in s.dy]


def _column_scale(s):
    """dy/dx of the one entry that each output depends on, in the shape of y."""
    j = s.check.jacobian
    if j is None or not np.isfinite(j).all() or ((j != 0).sum(0) > 1).any():
        return None
    return j.sum(0).reshape(s.y.shape)


def _sum_of(s, values, terms):
    """(term, "sum" or "mean", axes) that `values`, an array for each dy, are."""
    for words, arrays in terms:
        for axes in [(), *subsets(range(s.y.ndim))]:
            reduced = [a.sum(axes) for a in arrays]
            if reduced[0].size != s.x.size:
                continue
            count = int(np.prod([s.y.shape[i] for i in axes])) if axes else 1
            for how, r in (("sum", 1.0), ("mean", 1.0 / count)):
                if all(same(v, r * t.reshape(s.shape)) for v, t in zip(values, reduced)):
                    return words, how, axes
    return None


def wrong_sum(s):
    """A sum of something over axes, where another belongs."""
    if s.y is None or s.y.ndim < 1 or s.shape == s.y.shape or s.x.size < 2 and s.y.size < 3:
        return None
    terms = list(_terms(s))
    yours = _sum_of(s, s.a, terms)
    if yours is None or yours[0].startswith("dy * (the") and yours[1] == "sum" and not yours[2]:
        return None
    words, how, axes = yours
    told = f"is the {how} of {words} over axes {axes} of dy" if axes else f"is {words} itself"
    right = _sum_of(s, s.n, terms)
    if right is None:
        return f"{told}, which leaves out a factor or takes another array for it"
    if right[0] == words and right[1] == how:
        return f"{told}, where the axes {right[2]} belong: the sum runs over the wrong axes"
    return f"{told}, where the {right[1]} of {right[0]} over axes {right[2]} belongs"


def fewer_terms(s):
    """A matrix of lower rank than the right one: some of the products that are summed are lost."""
    if s.x.ndim != 2 or min(s.shape) < 2 or not all(np.isfinite(g).all() for g in (*s.a, *s.n)) or not _shared(s):
        return None
    a, n = (np.linalg.matrix_rank(m, tol=1e-7 * max(np.abs(m).max(), 1e-300)) for m in (s.a[0], s.n[0]))
    if 0 < a < n:
        return (f"is a matrix of rank {a} where the right one has rank {n}: either fewer products are added than belong, as "
                "if = overwrites where += should add or a loop ends early, or what is multiplied element by element on the "
                "way (a mask, a derivative) is forgotten")
    return None


def _shared(s):
    """Whether every entry of x acts on several indices of the first axis of y, as a weight does."""
    j = s.check.jacobian
    if j is None or s.y is None or s.y.ndim < 2:
        return False
    reach = (np.abs(j) > CLOSE * np.abs(j).max(initial=0)).reshape(s.x.size, len(s.y), -1).any(2)
    return len(s.y) > 1 and bool((reach.sum(1) > 1).all())
