"""Maximum pooling on a GPU: one launch each way."""
import numpy as np

from ..engine.arrays import array_module
from .launch import launch, like, threads


def max_pool(x, g):
    """x (N, C, H, W) -> the maxima (N, C, OH, OW) and their indices, int32, in their planes."""
    (x,), xp = like(x, x), array_module(x)
    shape = (g.N, g.C, g.OH, g.OW)
    y, winner = xp.empty(shape, x.dtype), xp.empty(shape, np.int32)
    launch("pool", "max_pool", xp, x.dtype, threads(y.size), x, y, winner, g.struct)
    return y, winner


def max_pool_backward(dy, winner, g):
    """dy (N, C, OH, OW) -> dx (N, C, H, W), each dy added to the pixel that won."""
    (dy,), xp = like(dy, dy), array_module(dy)
    dx = xp.empty((g.N, g.C, g.H, g.W), dy.dtype)
    launch("pool", "max_pool_backward", xp, dy.dtype, threads(dx.size), dy, winner, dx, g.struct)
    return dx
