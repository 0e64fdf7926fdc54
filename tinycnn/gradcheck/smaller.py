"""The same problem on less: a part of its inputs, to be quick, or one size one less, to see what a number depends on."""
import contextlib
import inspect
import itertools

import numpy as np

from ..engine.tensor import Tensor, wrap


def cut_down(values, batch, cut):
    """The values of a smaller problem: the first of `batch` examples, or `cut`, {(number of the value, axis): size}."""
    cut = dict(cut or {})
    if batch is not None:
        cut |= {(i, 0): 1 for i, v in enumerate(values) if getattr(v, "shape", ())[:1] == (batch,)}
    smaller = list(values)
    for i in {i for i, _ in cut}:
        at = tuple(slice(cut.get((i, axis))) for axis in range(len(values[i].shape)))
        v = values[i]
        smaller[i] = wrap(v.array[at].copy()).requires_grad_(v.requires_grad) if isinstance(v, Tensor) else v[at].copy()
    return smaller


def name_of(number):
    """A number of a text as its own name: 0.01, 2.0, 2."""
    return str(number) if type(number) is int or number == int(number) else f"{number:g}"


def numbers_of(fn, depth=2):
    """{name: number} of the numbers that `fn` has as defaults, knows from around or contains: its p, eps, window or rate.

    Those of functions that it calls by name count, too.
    """
    fn = fn.forward if isinstance(fn, type) and hasattr(fn, "forward") else fn
    code, known = getattr(fn, "__code__", None), {}
    if code is None:
        return known
    known.update({name_of(c): c for c in code.co_consts if type(c) is float or type(c) is int and 1 < c < 17})
    known.update({n: fn.__globals__[n] for n in code.co_names if n in fn.__globals__})
    with contextlib.suppress(TypeError, ValueError):  # a cell may be empty, a builtin has no signature
        known.update({n: c.cell_contents for n, c in zip(code.co_freevars, fn.__closure__ or ())})
        known.update({n: p.default for n, p in inspect.signature(fn).parameters.items() if p.default is not p.empty})
    called = [v for v in known.values() if inspect.isfunction(v) and v is not fn and depth]
    known = dict(item for f in called for item in numbers_of(f, depth - 1).items()) | known
    return {n: v for n, v in known.items() if isinstance(v, (int, float)) and not isinstance(v, bool)}


def reduced(problem):
    """The problem on a part of the inputs, in sizes that cannot be mistaken for each other; nothing where it cannot run."""
    short = {size: 7 if size >= 12 else 4 if size >= 6 else 2 for size in range(4, 1 + max(
        (size for v in problem.given for size in getattr(v, "shape", ())), default=0))}
    axes = [(i, axis, size) for i, v in enumerate(problem.given) for axis, size in enumerate(getattr(v, "shape", ()))]
    narrow = {(i, axis): short[size] - (size >= 12 and axis == len(problem.given[i].shape) - 1 > 1)
              for i, axis, size in axes if size > 3}
    batch = {(i, 0): 2 for i, axis, size in axes if axis == 0 and size == problem.given[axes[0][0]].shape[0] > 2}
    for cut in (narrow, {(i, axis): short[size] for i, axis, size in axes if size > 3}, batch):
        smaller = _runs(problem, cut)
        if smaller and smaller.vector(smaller.values).size > 1:
            yield smaller


def _runs(problem, cut):
    """The problem with `cut`, None where it cannot run: that sizes fit is a guess."""
    with contextlib.suppress(Exception), np.errstate(all="ignore"):
        smaller = problem.variant(cut=cut)
        y = smaller.vector(smaller.values)
        smaller.gradients([v.copy() for v in smaller.values], [np.ones(y.size)])
        return smaller if np.isfinite(y).all() else None
    return None


def one_less(problem, first=(), most=6):
    """Problems in which one size (those in `first` are tried first) is one less, wherever it has to be: what a wrong
    factor does then, tells its cause."""
    axes = [(i, axis, size) for i, v in enumerate(problem.given) for axis, size in enumerate(getattr(v, "shape", ()))]
    found = []
    for size in sorted({size for *_, size in axes if size > 1}, key=lambda n: (n not in first, -n)):
        places, done = [(i, axis) for i, axis, n in axes if n == size], []
        several = [c for r in (1, 2, 3) for c in itertools.combinations(places[:7], r) if len({i for i, _ in c}) == r]
        several += [tuple(places)] * (len(places) > 3)
        for some in several[::-1] if size == 2 else several:  # what has size 1 may be broadcast: then first all of them
            for less in sorted({size - 1, max(size // 2, 2)} - {size}, reverse=True):  # half, where it is divided
                if len(found) < most and not any(d <= set(some) for d in done):
                    smaller = _runs(problem, dict.fromkeys(some, less))
                    if smaller:
                        found.append(smaller)
                        done.append(set(some))
    return found
