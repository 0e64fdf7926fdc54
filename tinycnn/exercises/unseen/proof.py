"""Is every wrong entry wrong, and every right one right? Shown here without the library's checker.

A function is compared with central differences of its own forward, for a random upstream gradient, and held to its promises
by hand. A solution is compared with the reference, on inputs drawn here, and so is what it leaves in its arguments.
"""
import copy

import numpy as np

from tinycnn.engine.function import Function

from . import load_all
from .calls import calls, load_reference


# ---- functions ----
class Ctx:
    """What a Function's methods are given."""
    def save_for_backward(self, *arrays):
        self.saved_tensors = arrays


def passes(entry):
    """(forward, backward) with a list of outputs and of gradients."""
    def forward(arrays):
        if issubclass(entry.code, Function):
            ctx = Ctx()
            return [entry.code.forward(ctx, *arrays)], ctx
        y, cache = entry.code.forward(*arrays, **dict(entry.options))
        return list(y) if isinstance(y, tuple) else [y], cache

    def backward(dy, cache):
        if issubclass(entry.code, Function):
            gradients = entry.code.backward(cache, *dy)
        else:
            gradients = entry.code.backward(dy[0] if len(dy) == 1 else tuple(dy), cache)
        return list(gradients) if isinstance(gradients, (tuple, list)) else [gradients]
    return forward, backward


def differences(forward, arrays, dy, h):
    """The gradients of sum(y dy) by central differences."""
    def loss(changed):
        return sum(np.vdot(d, y) for d, y in zip(dy, forward([a.copy() for a in changed])[0]))
    found = []
    for i, a in enumerate(arrays):
        g = np.full(a.shape, np.nan)
        for at in np.ndindex(a.shape) if a.dtype.kind == "f" else ():
            step = h * max(abs(a[at]), 1e-2)
            up, down = [[b.copy() for b in arrays] for _ in range(2)]
            up[i][at] += step
            down[i][at] -= step
            g[at] = (loss(up) - loss(down)) / (up[i][at] - down[i][at])
        found.append(g)
    return found


def same(a, b, tolerance):
    """Whether two nests of arrays and numbers agree."""
    if isinstance(a, (list, tuple)) or isinstance(b, (list, tuple)):
        return (isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)) and len(a) == len(b)
                and all(same(x, y, tolerance) for x, y in zip(a, b)))
    if isinstance(a, dict) or isinstance(b, dict):
        return isinstance(a, dict) and isinstance(b, dict) and set(a) == set(b) and all(same(a[k], b[k],
                                                                                             tolerance) for k in a)
    if a is None or b is None or isinstance(a, (str, bool)):
        return a is b or a == b
    a, b = np.asarray(a, float), np.asarray(b, float)
    scale = np.abs(b[np.isfinite(b)]).max(initial=1e-30)
    return a.shape == b.shape and bool(np.allclose(a, b, rtol=0, atol=tolerance * scale, equal_nan=True))


def function_is_right(entry, seed=0):
    """Whether its gradients are those of its forward and all promises are kept."""
    forward, backward = passes(entry)
    arrays = [a.astype(float) if a.dtype.kind == "f" else a for a in map(np.asarray, entry.draw(seed))]
    given = copy.deepcopy(arrays)
    y, cache = forward(arrays)
    rng = np.random.default_rng(seed)
    dy = [rng.uniform(0.5, 1.5, np.shape(v)) * rng.choice([-1, 1], np.shape(v)) for v in y]
    kept = copy.deepcopy((y, dy))
    first = copy.deepcopy(backward(dy, cache))
    again = copy.deepcopy(backward([d.copy() for d in kept[1]], cache))
    twice = backward([2 * d for d in kept[1]], cache)
    other = forward(copy.deepcopy(given))[0]
    for mine, then in ((arrays, given), (dy, kept[1]), (again, first), (twice,
                                                                        [None if g is None else 2 * g for g in first]),
                       (other, kept[0])):
        if not same(mine, then, 1e-12):
            return False
    floats = [i for i, a in enumerate(given) if a.dtype.kind == "f"]
    if len(first) == len(given):
        first = [first[i] for i in floats]
    if len(first) != len(floats) or any(g is None or not np.isfinite(g).all() for g in first):
        return False
    # A pair that keeps the input of another call for itself is found out by a second one.
    shifted = [a * 1.1 if a.dtype.kind == "f" else a for a in given]
    for at in (given, shifted):
        cache = forward(copy.deepcopy(at))[1]
        mine = backward(copy.deepcopy(kept[1]), cache)
        mine = [mine[i] for i in floats] if len(mine) == len(given) else mine
        right = [[g[i] for i in floats] for g in (differences(forward, at, kept[1], h) for h in (1e-3, 1e-4, 1e-5, 1e-6,
                                                                                                 1e-7))]
        if not any(same(mine, g, 2e-5) for g in right):
            return False
        if at is given and entry.name == "ArcsineNearOne":   # 1.1 times its arguments lie beyond 1
            break
    return True


# ---- solutions ----
def values(names):
    """What the numbers that know their derivatives say about a formula."""
    V = names["Value"]
    a, b = V(0.7), V(-0.4)
    c = a * 2
    y = (c + c * b * a).tanh() + a**3 + b * c * 3
    y.backward()
    return [y.data, a.grad, b.grad, c.grad]


def results(exercise, names, seed):
    """What all calls return, what they leave in their arguments, and which of them share memory with an argument."""
    if exercise == "value":
        return values(names)
    found = []
    for name, *args in calls(exercise, np.random.default_rng([seed, 7])):
        args = copy.deepcopy(args)
        with np.errstate(over="raise"):     # the exercise on activations forbids an infinity on the way
            y = names[name](*args)
        shared = exercise == "transfer" and isinstance(y, dict) and any(
            np.shares_memory(v, w) for v in y.values() for w in args[0].values())
        found.append([y, [a for a in args if not callable(a)], shared])
    return found


def solution_is_right(entry, seed=0):
    """Whether it returns what the reference returns and leaves its arguments as the reference does."""
    right = results(entry.exercise, load_reference(entry.exercise), seed)
    try:
        mine = results(entry.exercise, load_reference(entry.exercise, entry.code), seed)
    except (ValueError, IndexError, TypeError, KeyError, FloatingPointError):
        return False
    return same(mine, right, 1e-7)


def unproven(seed=0):
    """The entries that are not what they say."""
    with np.errstate(all="ignore"):
        return [f"{e.name}: {e.truth}" for e in load_all()
                if (solution_is_right if e.exercise else function_is_right)(e, seed) == bool(e.truth)]
