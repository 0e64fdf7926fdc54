"""Laws of the diagnosis: derivatives and sums that can be written down, yours next to the right one."""
import itertools

import numpy as np

from .jacobians import jacobians
from .numeric import line, slope
from .scene import CLOSE, same, subsets

TIMES = {1.0: "", -1.0: "-", 2.0: "2 * ", -2.0: "-2 * ", 0.5: "0.5 * ", -0.5: "-0.5 * ", 3.0: "3 * ", 1 / 3: "1/3 * "}


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
    "1/sqrt(1 - {u}**2)": lambda u: (1 - u * u) ** -0.5, "1/sqrt(1 + {u}**2)": lambda u: (1 + u * u) ** -0.5,
    "cos({u})": np.cos, "sin({u})": np.sin, "tan({u})": np.tan, "1/cos({u})**2": lambda u: np.cos(u) ** -2.0,
    "tanh({u})": np.tanh, "(1 - tanh({u}))": lambda u: 1 - np.tanh(u), "(1 + tanh({u})**2)": lambda u: 1 + np.tanh(u) ** 2,
    "(1 - tanh({u})**2)": lambda u: 1 - np.tanh(u) ** 2, "sigmoid({u})": _sigmoid, "sigmoid(-{u})": lambda u: _sigmoid(-u),
    "sigmoid({u}) * sigmoid(-{u})": lambda u: _sigmoid(u) * _sigmoid(-u),
    "{u} * sigmoid({u})": lambda u: u * _sigmoid(u),
    "{u} * sigmoid({u}) * sigmoid(-{u})": lambda u: u * _sigmoid(u) * _sigmoid(-u),
    "sign({u})": np.sign, "|{u}|": np.abs, "({u} > 0)": lambda u: (u > 0) * 1.0,
    "exp(-{u}**2)": lambda u: np.exp(-u * u), "exp(-{u}**2/2)": lambda u: np.exp(-u * u / 2),
    "log(1 + exp({u}))": lambda u: np.log1p(np.exp(u))}
OF_TWO = {
    "{u} * {v}": lambda u, v: u * v, "{u}/{v}": lambda u, v: u / v, "{v}/{u}": lambda u, v: v / u,
    "({u} - {v})": lambda u, v: u - v, "({u} + {v})": lambda u, v: u + v, "sign({u} - {v})": lambda u, v: np.sign(u - v),
    "({u} - {v})**2": lambda u, v: (u - v) ** 2, "{u}/{v}**2": lambda u, v: u / v ** 2,
    "{v}/{u}**2": lambda u, v: v / u ** 2,
    "{u} * (1 - {v})": lambda u, v: u * (1 - v), "{v} * (1 - {u})": lambda u, v: v * (1 - u),
    "(sigmoid({u}) - {v})": lambda u, v: _sigmoid(u) - v, "log({u}/{v})": lambda u, v: np.log(u / v),
    "({u} - {v})/({u} * (1 - {u}))": lambda u, v: (u - v) / (u * (1 - u))}


def _near(s):
    """(name, array) of the arrays that broadcast to x."""
    for name, array in s.near:
        try:
            yield name, np.broadcast_to(array, s.shape)
        except ValueError:
            continue


def _formula(s, numbers, at):
    """The entries `at` of an array of the shape of x, written down in x, y or other inputs; "" where nothing fits."""
    arrays = [(name, array[at]) for name, array in _near(s)]
    numbers = numbers[at]
    arrays = [a for a in arrays if a[0] != "y"] + [a for a in arrays if a[0] == "y"]
    tried = [(words.format(u=name), f(a)) for name, a in arrays for words, f in OF_ONE.items()]
    tried += [(words.format(u=one, v=two), f(a, b)) for (one, a), (two, b) in itertools.combinations(arrays, 2)
              if "y" not in (one, two) for words, f in OF_TWO.items()]
    tried.sort(key=lambda t: "sign" in t[0] and "-" not in t[0] or ">" in t[0])  # last: signs of several arrays may agree
    for words, array in tried:
        if not np.isfinite(array).all() or array.size < 2 or np.ptp(array) == 0:
            continue
        square = (array * array).sum()
        fitted = (array * numbers).sum() / square
        if not fitted or not same(numbers, fitted * array):
            continue
        for n in (1, s.x.size, s.shape[0] if s.shape else 1):
            for r, times in TIMES.items():
                if abs(fitted * n / r - 1) < CLOSE:
                    return times + words + f" / {n}" * (n > 1)
    return ""


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
        return (f"yours is {a}; " * bool(a)
                + f"the term {lost} is missing from it, as by a product rule of which one part is forgotten")
    if a:
        return f"yours is {a}"
    return f"right is {b}" if b else ""


def written_down(s):
    """A wrong local derivative that can be written down, where several entries make one output."""
    formula = local_formula(s)
    return f"has a wrong local derivative: {formula}" if formula else None


def at_another_value(s):
    """Right for another value of x: the derivative is taken at the output, or written for the output and given the input."""
    if s.y is None or s.y.shape != s.shape or s.x.size < 2 or not np.isfinite(s.y).all() or same(s.x, s.y):
        return None
    index = s.problem.names.index(s.check.name)
    values = list(s.problem.values)
    values[index] = s.y.copy()
    moved = s.gradients(values, s.vectors)
    if moved is not None and all(same(m, n) for m, n in zip(moved, s.n)):
        return (f"uses the input {s.check.name} where the output y belongs: the formula is written for the output, it would "
                f"be right with y in the place of {s.check.name}")
    if s.x.size > 64:
        return None
    for words, at in (("at the output y: either the derivative is taken at y in the place of "
                       f"{s.check.name}, or backward applies the function twice", s.y),
                      (f"at -{s.check.name}: a sign inside is wrong", -s.x)):
        values[index] = at
        y = [line(s.problem, {index: unit}, values) for unit in np.eye(s.x.size).reshape(-1, *s.shape)]
        columns = np.stack([slope(f, 1e-4) for f in y])
        if all(same(a.ravel(), columns @ c, 1e-5) for a, c in zip(s.a, s.vectors)):
            return f"is the derivative {words}"
    return None


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
    if s.x.ndim != 2 or min(s.shape) < 2 or not all(np.isfinite(g).all() for g in (*s.a, *s.n)):
        return None
    a, n = (np.linalg.matrix_rank(m, tol=1e-7 * max(np.abs(m).max(), 1e-300)) for m in (s.a[0], s.n[0]))
    if 0 < a < n:
        return (f"is a matrix of rank {a} where the right one has rank {n}: fewer products are added than belong, as if = "
                "overwrites where += should add, or a loop ends early")
    return None


def wrong_axis_term(s):
    """N - A is a known array times a number for each slice of one axis, less one for each slice of another."""
    off = [n - a for n, a in zip(s.n, s.a)]
    if s.x.ndim < 2 or s.y is None or s.y.shape != s.shape or not all(np.isfinite(o).all() for o in off):
        return None
    bases = [("", np.ones(s.shape)), ("y * ", s.y), ("exp(y) * ", np.exp(np.minimum(s.y, 50.0)))]
    for name, base in bases:
        if not (np.abs(base) > 1e-9).all():
            continue
        q = [o / base for o in off]
        for p, r in itertools.combinations([i for i in range(s.x.ndim) if s.shape[i] > 1], 2):
            rest = [v - v.mean(p, keepdims=True) - v.mean(r, keepdims=True) + v.mean((p, r), keepdims=True) for v in q]
            if all(np.abs(e).max() <= CLOSE * np.abs(v).max() for e, v in zip(rest, q)):
                return (f"has the term {name}sum(...) summed over the wrong axis: axis {p} and axis {r} are mixed up (the "
                        f"{'softmax' if name else 'mean'} of forward runs over the other one)")
    return None
