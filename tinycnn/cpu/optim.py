"""Large parameters are updated in pieces, and on all cores.

The rules of `optim/` are formulas, each of whose operations makes an array. Those of a piece stay in the processor's cache
together.
"""
import numpy as np

from ..engine.arrays import is_array
from ..optim.optimizer import update_one
from .workers import parallel

PIECE = 2**17  # entries of a parameter that are updated at once


def arrays_of(state):
    """The entries of a state that are arrays."""
    return {name: value for name, value in state.items() if is_array(value)}


def is_large(optimizer, p, dp, state, group):
    """Elementwise rules, of a NumPy array of more than 2^17 numbers."""
    return (type(p) is np.ndarray and p.size > PIECE and optimizer.elementwise
            and all(a.flags.c_contiguous for a in (p, *arrays_of(state).values())))


@update_one.road(is_large)
def update_in_pieces(optimizer, p, dp, state, group):
    """Pieces that fit the cache, shared out to the cores."""
    arrays = {name: a.reshape(-1) for name, a in arrays_of(state).items()}
    p, dp = p.reshape(-1), dp.reshape(-1)

    def work(start, stop):
        for piece in (slice(i * PIECE, (i + 1) * PIECE) for i in range(start, stop)):
            part = {**state, **{name: a[piece] for name, a in arrays.items()}}
            update_one.plain(optimizer, p[piece], dp[piece], part, group)

    parallel(work, -(-p.size // PIECE), moved=(3 + 2 * len(arrays)) * p.nbytes)
