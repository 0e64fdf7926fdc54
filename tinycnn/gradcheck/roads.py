"""Every road against its formula, on the cases of the registry.

The checker proves the formulas: it takes no road. That a road computes the same numbers is then a comparison of two arrays.
"""
import contextlib
import functools

import numpy as np

from ..engine.formula import ROADS, plainly
from ..engine.tensor import Tensor
from .problem import flatten
from .registry import library


@contextlib.contextmanager
def noted():
    """Inside the `with` block: the set of the roads (`way` of `formula.ROADS`) that were taken."""
    taken = set()

    def noting(serves, way):
        @functools.wraps(way)
        def run(*args, **options):
            taken.add(way)
            return way(*args, **options)
        return serves, run
    before = {id(formula): (formula, list(formula.roads)) for formula, _, _ in ROADS}
    for formula, roads in before.values():
        formula.roads[:] = [noting(*road) for road in roads]
    try:
        yield taken
    finally:
        for formula, roads in before.values():
            formula.roads[:] = roads


def difference(case, seed=0, dtype=np.float64):
    """(the largest difference between a case computed by roads and plainly, the roads taken).

    Compared are all outputs, and all gradients from random ones upstream; the difference is in proportion to the largest
    number of an array.
    """
    with plainly():
        expected = _run(case, seed, dtype)
    with noted() as taken:
        found = _run(case, seed, dtype)
    worst = 0.0
    for a, b in zip(expected, found, strict=True):
        if not np.array_equal(a, b, equal_nan=True):
            with np.errstate(all="ignore"):
                scale = max(np.abs(a[np.isfinite(a)]).max(initial=0), np.finfo(dtype).tiny)
                apart = np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0, np.abs(a - b))
            worst = max(worst, float(np.nan_to_num(apart, nan=np.inf).max()) / float(scale))
    return worst, taken


def _run(case, seed, dtype):
    """The outputs of a case and the gradients of its inputs, as arrays."""
    t = library()
    t.manual_seed(seed)
    inputs = [x.astype(dtype) if x.dtype.kind == "f" else x for x in case.draw(seed)]
    leaves = [t.tensor(x, requires_grad=sample.differentiable) for x, sample in zip(inputs, case.inputs)]
    outputs = [y for y in flatten(case.call(t, *leaves)) if isinstance(y, Tensor)]
    rng = np.random.default_rng(seed)
    upstream = [(y, t.tensor(rng.standard_normal(y.shape).astype(y.dtype))) for y in outputs if y.requires_grad]
    if upstream:
        t.autograd.backward(*map(list, zip(*upstream)))
    return [a.array for a in (*outputs, *(leaf.grad for leaf in leaves if leaf.grad is not None))]
