"""Roads at sizes at which even the smallest case takes them, and a note of which were taken."""
import contextlib
import functools
import importlib
import sys

import numpy as np

from tinycnn.cli.roads import _closed
from tinycnn.cpu.compiled import missing
from tinycnn.engine.formula import ROADS

SMALL = {  # file of cpu/ -> its sizes: so small that every operation has several pieces
    "workers": {"_threads": 3, "WORTH": 1e-15, "SHARED": 1, "PIECE": 7},
    "numpy_only.conv": {"PIECE": 50, "WINDOWS": 1, "MANY": 1, "PIXELS": 5}, "direct": {"ROOM": 100},
    "norm": {"ROWS": 2}, "sums": {"WIDE": 12}, "matmul": {"LEAST": 1},
    "numpy_only.depthwise": {"NUMBERS": 300}, "numpy_only.pool": {"NUMBERS": 300},
    "attention": {"PIECE_BYTES": 500}, "optim": {"LEAST": 1}, "arithmetic": {"LEAST": 1},
    "elementwise": {"SMALL": 0}, "softmax": {"LEAST": 1},
}
WINOGRAD = {"winograd": {"LEAST": 0, "FEWEST": 1, "TILES": 1}}
REPLACED = tuple("cpu.numpy_only." + road for road in (  # by loops, with Numba
    "depthwise:",))


def make_small(patch, threads=3, winograd=True):
    """Until the test ends, roads serve even the smallest work; with `winograd`, its road what it can serve."""
    for file, sizes in {**SMALL, **(WINOGRAD if winograd else {})}.items():
        for name, size in sizes.items():
            place, _, name = name.rpartition(".")
            module = importlib.import_module(f"tinycnn.cpu.{file}")
            patch.setattr(getattr(module, place) if place else module, name, size)
    patch.setattr("tinycnn.cpu.workers._threads", threads)


def on_a_gpu_of(patch, **sizes):
    """Until the test ends, the sizes of `gpu/launch.py` are those of a small GPU, wherever they are known."""
    for name, size in sizes.items():
        modules = [m for file, m in sys.modules.items() if file.startswith("tinycnn.gpu.") and hasattr(m, name)]
        assert modules, f"no file of gpu/ knows {name}"
        for module in modules:
            patch.setattr(module, name, size)


def name_of(formula, serves, way):
    """A road as named in messages."""
    room = way.__module__.removeprefix("tinycnn.")
    return f"{room}: {formula.__qualname__} by {way.__name__} where {serves.__name__}"


def roads_of(room):
    """The names of the roads of `cpu` or `gpu`."""
    return {name_of(*road) for road in ROADS if road[2].__module__.split(".")[1] == room}


def in_reach():
    """The names of the roads of processors that can be taken here: those of loops with Numba, what they replace without."""
    closed = {name_of(*road) for road in ROADS if _closed(*road[1:])}
    return {name for name in roads_of("cpu") - closed if missing() or not name.startswith(REPLACED)}


@contextlib.contextmanager
def noted():
    """Inside the `with` block: the set of the names of the roads that were taken."""
    taken = set()

    def noting(formula, serves, way):
        @functools.wraps(way)
        def run(*args, **options):
            taken.add(name_of(formula, serves, way))
            return way(*args, **options)
        return serves, run
    before = {id(formula): (formula, list(formula.roads)) for formula, _, _ in ROADS}
    for formula, pairs in before.values():
        formula.roads[:] = [noting(formula, *pair) for pair in pairs]
    try:
        yield taken
    finally:
        for formula, pairs in before.values():
            formula.roads[:] = pairs


def run_all(programs, make=np.copy, until=lambda: False):
    """Run programs in every dtype, until there is no need for more."""
    for dtype in ("float64", "float32", "float16"):
        for program in programs:
            try:
                program.run(dtype, make)
            except (TypeError, RuntimeError):
                if dtype != "float16":
                    raise
            if until():
                return
