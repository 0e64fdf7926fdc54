"""Optimizers: one loop for a parameter, where Numba is installed.

The rules of `optim/` are formulas, each of whose operations makes an array; a loop makes none. `RULES` holds the rules that
have one, each under its method `update` itself: a subclass that overrides it is computed as it says.
"""
import math

import numpy as np

from ..engine.arrays import is_array
from ..optim.adam import Adam
from ..optim.optimizer import update_one
from ..optim.sgd import SGD
from .compiled import exactly, missing
from .workers import parallel

LEAST = 2**12  # entries of a parameter from which a loop gains what calling it costs


# ---- the loops: dp is multiplied by `sign`, -1 to climb ---------------------------------------------------------------

@exactly
def descend(p, dp, b, sign, lr, weight_decay, momentum, dampening, nesterov):
    """SGD with momentum: b is the running sum of gradients."""
    t = p.dtype.type
    sign, lr, decay, mu, fresh = t(sign), t(lr), t(weight_decay), t(momentum), t(1 - dampening)
    ahead, now = (mu, t(1)) if nesterov else (t(1), t(0))
    for i in range(p.size):
        g = sign * dp[i] + decay * p[i]
        b[i] = mu * b[i] + fresh * g
        p[i] -= lr * (ahead * b[i] + now * g)


@exactly
def adam(p, dp, m, v, sign, lr, eps, decay, shrink, beta1, beta2, step):
    """Adam and AdamW: `decay` is added to the gradient, in proportion to p, and p multiplied by `shrink`."""
    t = p.dtype.type
    rate, correction = t(lr / (1 - beta1 ** step)), t(1 / math.sqrt(1 - beta2 ** step))
    sign, eps, decay, shrink = t(sign), t(eps), t(decay), t(shrink)
    old, fresh, old2, fresh2 = t(beta1), t(1 - beta1), t(beta2), t(1 - beta2)
    for i in range(p.size):
        q = shrink * p[i]
        g = sign * dp[i] + decay * q
        m[i] = old * m[i] + fresh * g
        v[i] = old2 * v[i] + fresh2 * g * g
        p[i] = q - rate * m[i] / (np.sqrt(v[i]) * correction + eps)


# ---- what they are called with ---------------------------------------------------------------------------------------

def of_sgd(state, group):
    """The loop, its arrays and its numbers."""
    names = "lr", "weight_decay", "momentum", "dampening", "nesterov"
    return descend, (state["momentum_buffer"],), [group[name] for name in names]


def of_adam(state, group):
    """The loop, its arrays and its numbers."""
    decay, decoupled = group["weight_decay"], group.get("decoupled_weight_decay")
    return adam, (state["exp_avg"], state["exp_avg_sq"]), (
        group["lr"], group["eps"], 0.0 if decoupled else decay, 1 - group["lr"] * decay if decoupled else 1.0,
        *group["betas"], state["step"])


RULES = {SGD.update: of_sgd, Adam.update: of_adam}


def has_a_loop(optimizer, p, dp, state, group):
    """SGD with momentum, Adam and AdamW (without amsgrad), of NumPy arrays of 2^12 numbers or more of float32 or float64,
    where Numba is installed."""
    return (type(p) is np.ndarray and p.size >= LEAST and p.dtype.char in "fd" and dp.dtype == p.dtype
            and p.flags.c_contiguous and getattr(optimizer.update, "__func__", None) in RULES
            and not group.get("amsgrad") and group.get("momentum") != 0 and not missing()
            and all(a.flags.c_contiguous and a.dtype == p.dtype for a in state.values() if is_array(a)))


@update_one.road(has_a_loop)
def update_in_a_loop(optimizer, p, dp, state, group):
    """A compiled loop."""
    loop, arrays, numbers = RULES[optimizer.update.__func__](state, group)
    numbers = [-1.0 if group.get("maximize") else 1.0, *map(float, numbers)]
    arrays = [a.reshape(-1) for a in (p, np.ascontiguousarray(dp), *arrays)]
    parallel(lambda i, j: loop(*[a[i:j] for a in arrays], *numbers), p.size, moved=len(arrays) * p.nbytes)
