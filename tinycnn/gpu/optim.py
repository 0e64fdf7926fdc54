"""Optimizers on a GPU: one launch for many parameters."""
import numpy as np

from ..engine.arrays import array_module
from .launch import THREADS, WHOLE, by_value, launch, like

ENTRIES = 64       # parameters in one launch, as in optim.cu
ENTRY = np.dtype([*((name, np.uint64) for name in ("p", "m", "v", "dp")), ("size", np.int64), ("step", np.float64),
                  ("root", np.float64)])
TABLE = np.dtype([("entry", ENTRY, ENTRIES)])


def update(name, entries, *options):
    """Run the rule `name` of optim.cu on many parameters: dictionaries of the arrays p, dp, and m, v or None, and numbers
    step and root. All p are of one dtype, and contiguous as their m and v are. The table of their addresses travels with
    the launch: nothing is copied to the GPU before.
    """
    xp, dtype = array_module(entries[0]["p"]), entries[0]["p"].dtype
    entries = [{**entry, "dp": like(entry["p"], entry["dp"])[0]} for entry in entries]
    for first in range(0, len(entries), ENTRIES):
        table, some = np.zeros(1, TABLE), entries[first:first + ENTRIES]
        for row, entry in zip(table["entry"][0], some):
            for key in ("p", "m", "v", "dp"):
                row[key] = 0 if entry.get(key) is None else entry[key].data.ptr
            row["size"], row["step"], row["root"] = entry["p"].size, entry["step"], entry.get("root", 1)
        blocks = max(entry["p"].size for entry in some)
        launch("optim", name, xp, dtype, (min(-(-blocks // THREADS), WHOLE), len(some)), by_value(table), *options)
