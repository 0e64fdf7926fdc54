"""Optimizers on a GPU: one launch for many parameters.

Rules of `optim/` that have a program in optim.cu stand in `RULES`, each under its method `update` itself: a subclass that
overrides it is computed as it says.
"""
import math

import numpy as np

from ..engine.arrays import array_module, is_array
from ..optim.adam import Adam
from ..optim.optimizer import update_all, update_one
from ..optim.sgd import SGD
from .launch import THREADS, WHOLE, by_value, knows, launch, like, serves

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


# ---- what the programs ask for: of one parameter, and after the table, of the whole group ------------------------------

def sgd_entry(state, group):
    """The running sum of gradients, and the step."""
    return dict(m=state.get("momentum_buffer"), step=float(group["lr"]))


def sgd_options(group):
    """momentum, dampening, weight_decay, nesterov."""
    return float(group["momentum"]), float(group["dampening"]), float(group["weight_decay"]), int(group["nesterov"])


def adam_entry(state, group):
    """m and v; step = lr / (1 - beta1^t) and root = sqrt(1 - beta2^t), so that m / (1 - beta1^t) is not computed."""
    (beta1, beta2), t = group["betas"], state["step"]
    return dict(m=state["exp_avg"], v=state["exp_avg_sq"], step=float(group["lr"]) / (1 - beta1 ** t),
                root=math.sqrt(1 - beta2 ** t))


def adam_options(group):
    """beta1, beta2, eps, the weight decay of the gradient, and the factor by which p itself shrinks."""
    weight_decay, decoupled = float(group["weight_decay"]), group.get("decoupled_weight_decay")
    return (*map(float, group["betas"]), float(group["eps"]), 0.0 if decoupled else weight_decay,
            1 - float(group["lr"]) * weight_decay if decoupled else 1.0)


RULES = {SGD.update: ("sgd", sgd_entry, sgd_options), Adam.update: ("adam", adam_entry, adam_options)}


def rule_of(optimizer):
    """The entry of RULES for the rule of this optimizer, or None."""
    return RULES.get(getattr(optimizer.update, "__func__", None))


def have_a_program(optimizer, entries, group):
    """SGD, Adam and AdamW (without amsgrad), of parameters on a GPU."""
    return rule_of(optimizer) is not None and not group.get("amsgrad") and any(serves(p) for p, _, _ in entries)


@update_all.road(have_a_program)
def update_in_one_launch(optimizer, entries, group):
    """One launch for up to 64 parameters."""
    name, entry, options = rule_of(optimizer)
    tables = {}
    for p, dp, state in entries:
        if (serves(p) and knows("optim", p.dtype)
                and all(a.flags.c_contiguous for a in (p, *state.values()) if is_array(a))):
            tables.setdefault(p.dtype, []).append(dict(p=p, dp=dp, **entry(state, group)))
        else:
            update_one(optimizer, p, dp, state, group)
    for table in tables.values():
        update(name, table, *options(group), -1.0 if group.get("maximize") else 1.0)
