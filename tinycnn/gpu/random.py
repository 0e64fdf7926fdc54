"""Random numbers on a GPU: a stream that is told by its seed and by how many numbers have been drawn, and so can be saved.

CuPy's own generators keep their state to themselves, and a training that draws from them cannot be continued where it was.
Here number i is a function of the seed and of i: ten rounds of multiplying and crossing over (Philox4x32-10). To save the
stream means to write down two integers. Source: Salmon et al., Parallel random numbers: as easy as 1, 2, 3, 2011.
"""
import math

import numpy as np

from ..engine.generators import STREAMS
from .launch import BLOCKS, THREADS, launch

LOW = 0xFFFFFFFF  # the lower 32 bits


def philox(xp, seed, first, count):
    """Four words of 32 bits, as uint64 (count, 4), for each of the counters first, first + 1, ...: the plain road."""
    counter = xp.arange(first, first + count, dtype=np.uint64)
    c0, c1 = counter & LOW, counter >> 32
    c2 = c3 = xp.zeros_like(counter)
    key0, key1 = seed & LOW, seed >> 32
    for _ in range(10):
        a, b = c0 * 0xD2511F53, c2 * 0xCD9E8D57  # of 32 by 32 bits: 64
        c0, c1, c2, c3 = b >> 32 ^ c1 ^ key0, b & LOW, a >> 32 ^ c3 ^ key1, a & LOW
        key0, key1 = key0 + 0x9E3779B9 & LOW, key1 + 0xBB67AE85 & LOW
    return xp.stack([c0, c1, c2, c3], -1)


def uniform(xp, seed, first, count, dtype):
    """`count` numbers in [0, 1) from the counters first, first + 1, ...: 24 random bits in float32, 53 in float64."""
    if hasattr(xp, "RawModule"):
        y, each = xp.empty(count, dtype), 2 if dtype == np.float64 else 4
        blocks = max(1, min(-(-count // (THREADS * each)), BLOCKS))
        launch("random", "uniform", xp, y.dtype, (blocks,), y, count, np.uint64(seed), first)
        return y
    if dtype == np.float64:
        words = philox(xp, seed, first, -(-count // 2)).reshape(-1, 2)[:count]
        return ((words[:, 0] >> 5) * 2.0**26 + (words[:, 1] >> 6)) * 2.0**-53
    words = philox(xp, seed, first, -(-count // 4)).reshape(-1)[:count]
    return (words >> 8).astype(np.float32) * np.float32(2.0**-24)


class CounterStream:
    """What `Generator` draws from on a GPU, with the methods of NumPy's generators.

    `state` is {"seed": ..., "position": ...}: how many counters have been used up, four floats or two doubles each.
    """

    def __init__(self, xp, seed):
        self.xp, self.state = xp, {"seed": seed, "position": 0}

    def random(self, shape, dtype=np.float64):
        """Numbers in [0, 1)."""
        shape = tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)
        dtype, count, first = np.dtype(dtype), math.prod(shape), self.state["position"]
        self.state = {**self.state, "position": first + -(-count // (2 if dtype == np.float64 else 4))}
        if count == 0:
            return self.xp.empty(shape, dtype)
        return uniform(self.xp, self.state["seed"], first, count, dtype).reshape(shape)

    def standard_normal(self, shape, dtype=np.float64):
        """Normal numbers: a radius and an angle make a pair, of which one is used (Box and Muller, 1958)."""
        radius = self.xp.sqrt(-2 * self.xp.log1p(-self.random(shape, dtype)))
        return radius * self.xp.cos(self.random(shape, dtype) * (2 * math.pi))

    def integers(self, low, high, shape, dtype=np.int64):
        """Integers in [low, high)."""
        if high - low <= 2**53:
            return self.xp.floor(self.random(shape) * (high - low)).astype(dtype) + low
        upper, lower = (self.xp.floor(self.random(shape) * 2**bits).astype(np.int64) for bits in (31, 32))
        return ((upper << 32 | lower) % (high - low) + low).astype(dtype, copy=False)


STREAMS["cuda"] = CounterStream
