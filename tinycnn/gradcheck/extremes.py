"""The cases of the registry at extremes: the same call with numbers that are huge, tiny, equal, zero, infinite or NaN, and
with axes of size 0 and 1.

They are made of the inputs of a case, so that every Function with a case has them, and so has one that is written tomorrow.
There is nothing to differentiate numerically at an infinity; what holds there all the same is that a wider number type, a
road and another library come to the same numbers, NaN for NaN.
"""
import dataclasses

import numpy as np

from ..engine.arrays import quiet
from .problem import flatten, names_of
from .registry import Sample, library

REFUSALS = (ValueError, TypeError, RuntimeError, LookupError, AssertionError)


# ---- what becomes of an input ----------------------------------------------------------------------------------------

def _infinite(x):
    """x with infinity as its first and -infinity as its last number."""
    y = x.ravel().copy()
    y[-1:], y[:1] = -np.inf, np.inf
    return y.reshape(x.shape)


def _nan(x):
    """x with NaN as its last number."""
    y = x.ravel().copy()
    y[-1:] = np.nan
    return y.reshape(x.shape)


def _equal(x):
    """The first number of x everywhere."""
    return np.full_like(x, x.flat[0])


def _values(dtype):
    """{kind: change of an input}. The square of a huge number is infinite in `dtype`, that of a tiny one 0."""
    large = float(np.finfo(dtype).max) ** 0.75
    return {"huge": lambda x: x * large, "tiny": lambda x: x / large, "equal": _equal, "zeros": np.zeros_like,
            "infinite": _infinite, "nan": _nan}


def _cut(size, to):
    """The change of an input that leaves `to` elements of each of its axes of `size`."""
    return lambda x: x[tuple(slice(to) if n == size else slice(None) for n in x.shape)].copy()


KINDS = (*_values(np.float64), "empty", "one")
UNHARMED = ("plain", "equal", "zeros", "empty", "one")  # the kinds in which all numbers have ordinary sizes


def extremes_of(case, dtype=np.float64):
    """[(kind, case)]: the variants of a case at every extreme of `dtype`, one input after the other, and all together.

    A huge, infinite or NaN input stands among ordinary ones: of two, the sums of products would be undetermined. Sizes are
    changed in all inputs at once, wherever they occur; those of 1 stay, for they may be there to be broadcast.
    """
    arrays, found = case.draw(), []
    names = names_of(case.call, len(arrays), skip=1)
    floats = [i for i, x in enumerate(arrays) if x.dtype.kind == "f" and x.size]

    def add(kind, what, change, places):
        inputs = [Sample(lambda rng, s=s: change(s.draw(rng)), s.differentiable) if i in places else s
                  for i, s in enumerate(case.inputs)]
        found.append((kind, dataclasses.replace(case, name=f"{case.name}, {what}", inputs=tuple(inputs))))

    for kind, change in _values(dtype).items():
        for i in floats:
            add(kind, f"{names[i]} {kind}", change, [i])
        if len(floats) > 1 and kind in ("tiny", "equal", "zeros"):
            add(kind, f"all {kind}", change, floats)
    for size in sorted({n for x in arrays for n in x.shape if n > 1}):
        for kind, to in (("empty", 0), ("one", 1)):
            add(kind, f"axes of {size} made {to}", _cut(size, to), range(len(arrays)))
    return found


# ---- what a call makes of them ---------------------------------------------------------------------------------------

@quiet()
def outcome(case, dtype, computed=None, t=None, call=None):
    """The outputs of a case and the gradients of its inputs, as arrays, or the exception with which it is refused.

    Inputs and upstream gradients are numbers of `dtype`, with which it is computed in the dtype `computed` (the same by
    default), in the library t by `call` (tinycnn, as the case says).
    """
    t, call, computed = t or library(), call or case.call, computed or dtype

    def tensor(x):
        return t.from_numpy(np.asarray(x.astype(dtype).astype(computed) if x.dtype.kind == "f" else x))
    leaves = [tensor(x).requires_grad_(s.differentiable) for x, s in zip(case.draw(seed=1), case.inputs)]
    rng = np.random.default_rng(2)
    try:
        outputs = [y for y in flatten(call(t, *leaves)) if hasattr(y, "requires_grad")]
        roots = [y for y in outputs if y.requires_grad]
        upstream = [tensor(np.asarray(rng.standard_normal(tuple(y.shape)))) for y in roots]
        upstream = [dy.to(y.dtype) for dy, y in zip(upstream, roots)]
        wanted = [x for x in leaves if x.requires_grad]
        gradients = t.autograd.grad(roots, wanted, upstream, allow_unused=True) if roots else []
    except REFUSALS as refusal:
        return refusal.__cause__ or refusal  # what was said first, before the door explained it (see `engine/answers.py`)
    gradients = [t.zeros_like(x) if g is None else g for g, x in zip(gradients, wanted)]
    return [y.detach().numpy() for y in (*outputs, *gradients)]


def apart(found, right, tolerance, ordinary=False):
    """What differs between two outcomes, "" where nothing does.

    What is not finite must be in its place. Other numbers may differ by `tolerance`, in proportion to the largest of their
    array, or to 1 where all inputs are of `ordinary` size, for there a 0 may be the rounding error of a difference; and by
    some of the smallest numbers that `found` can hold.
    """
    if isinstance(found, Exception) or isinstance(right, Exception):
        both = isinstance(found, Exception) and isinstance(right, Exception)
        return "" if both else f"{_told(found)}, expected {_told(right)}"
    for k, (a, b) in enumerate(zip(found, right, strict=True)):
        if a.shape != b.shape or a.dtype != b.dtype:
            return f"array {k}: {a.dtype} of shape {a.shape}, expected {b.dtype} of {b.shape}"
        smallest = 8 * float(np.finfo(a.dtype).smallest_subnormal) if a.dtype.kind == "f" else 0
        a, b = a.astype(np.float64), b.astype(np.float64)
        scale = max(np.abs(b[np.isfinite(b)]).max(initial=0), float(ordinary))
        wrong = ~np.isclose(a, b, rtol=0, atol=max(tolerance * scale, smallest), equal_nan=True)
        if wrong.any():
            return f"array {k}: {a[wrong][0]:.6g}, expected {b[wrong][0]:.6g}; the largest is {scale:.3g}"
    return ""


def _told(outcome):
    return f"refused ({type(outcome).__name__}: {outcome})" if isinstance(outcome, Exception) else "an answer"
