"""Formulas, and the roads round them: a formula says what is computed, a road computes the same numbers faster.

    @formula                             # ops/conv.py: the textbook
    def bias_gradient(dy): ...

    @bias_gradient.road(on_cpu)          # cpu/numpy_only/conv.py: the same numbers, where `on_cpu(dy)` is true
    def _(dy): ...

This is `functools.singledispatch`, but that a road is asked whether it serves. `forward` and `backward` of every `Function`
are formulas, so that the files of operations need not say so: they know nothing of roads. `cpu/` and `gpu/` register them.

`with plainly():` takes no road. Exactly what you read is then what runs: to read, to step through, to check gradients.
"""
import contextlib
import functools
import os
import threading

__all__ = ["plainly"]

ROADS = []  # (formula, serves, way) of all that were registered, in order


class _Here(threading.local):
    """Whether this thread takes no road. The variable TINYCNN_ROADS=0 closes them everywhere."""
    plainly = os.environ.get("TINYCNN_ROADS") == "0"


_here = _Here()
_plain_places = [None] * _here.plainly  # one for each `with plainly()` of any thread: as long as there is none, nobody asks


def formula(plain):
    """The function `plain`, in whose place the newest of its roads runs that serves the arguments.

    It has the attributes `plain`, the function itself; `roads`, pairs (serves, way); and `road`, a decorator:
    `@f.road(serves)` makes the function below it a road of f, for those arguments of which `serves` is true.
    """
    roads = []

    @functools.wraps(plain)
    def compute(*args, **options):
        if not _plain_places or not _here.plainly:
            for serves, way in roads:
                if serves(*args, **options):
                    return way(*args, **options)
        return plain(*args, **options)

    def road(serves):
        def add(way):
            roads.insert(0, (serves, way))
            ROADS.append((compute, serves, way))
            return way
        return add

    compute.plain, compute.roads, compute.road = plain, roads, road
    return compute


@contextlib.contextmanager
def plainly():
    """`with plainly():`, or `@plainly()` above a function: this thread computes every formula as it stands."""
    before, _here.plainly = _here.plainly, True
    _plain_places.append(None)
    try:
        yield
    finally:
        _plain_places.pop()
        _here.plainly = before


def takes_roads():
    """Whether this thread takes the roads that serve."""
    return not _here.plainly
