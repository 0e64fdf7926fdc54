"""Roads at sizes at which even the smallest case takes them, and a note of which were taken."""
import contextlib
import functools
import importlib

import numpy as np

from tinycnn.engine.formula import ROADS

SMALL = {  # file of cpu/ -> its sizes: so small that every operation has several pieces
    "workers": {"_threads": 3, "WORTH": 1e-15, "SHARED": 1, "PIECE": 40},
    "columns": {"PIECE_BYTES": 400, "Columns.piece_rows": 1, "Columns.few_windows": 0},
    "layer_norm": {"PIECE_BYTES": 100, "LEAST": 1},
    "norm": {"PIECE": 25, "WIDTH": 12, "PLANE": 4},
}
WINOGRAD = {"winograd": {"LEAST": 0, "FEWEST": 0, "Tiles.least_rows": 1, "Squares.piece_rows": 1, "Rows.piece_rows": 1}}


def make_small(patch, threads=3, winograd=True):
    """Until the test ends, roads serve even the smallest work; with `winograd`, its road what it can serve."""
    for file, sizes in {**SMALL, **(WINOGRAD if winograd else {})}.items():
        for name, size in sizes.items():
            place, _, name = name.rpartition(".")
            module = importlib.import_module(f"tinycnn.cpu.{file}")
            patch.setattr(getattr(module, place) if place else module, name, size)
    patch.setattr("tinycnn.cpu.workers._threads", threads)


def name_of(way):
    """A road as named in messages: cpu.conv.convolve_on_cpu."""
    return f"{way.__module__.removeprefix('tinycnn.')}.{way.__qualname__}"


@contextlib.contextmanager
def noted():
    """Inside the `with` block: the set of the names of the roads that were taken."""
    taken = set()

    def noting(way):
        @functools.wraps(way)
        def run(*args, **options):
            taken.add(name_of(way))
            return way(*args, **options)
        return run
    before = {id(formula): (formula, list(formula.roads)) for formula, _, _ in ROADS}
    for formula, pairs in before.values():
        formula.roads[:] = [(serves, noting(way)) for serves, way in pairs]
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
