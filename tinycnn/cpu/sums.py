"""Sums of columns, the gradients of biases."""
import math

import numpy as np

from .compiled import loop
from .serving import compiled_floats
from .workers import parallel

BLOCK = 32   # rows that are summed in the dtype of x, beyond in float64
WIDE = 256   # numbers in a row, about: setting out for a row costs as much as 100 of them


@loop
def add_columns(x, first, last):
    """sum_m x[m, c] over rows first to last, in float64."""
    channels = x.shape[1]
    total, s = np.zeros(channels), np.empty(channels, x.dtype)
    for block in range(first, last, BLOCK):
        s[:] = 0
        for m in range(block, min(last, block + BLOCK)):
            for c in range(channels):
                s[c] += x[m, c]
        total += s
    return total


def column_sums(x):
    """The sum of the rows of x (M, C): (C)."""
    if not compiled_floats(x) or not x.flags.c_contiguous:
        return x.sum(0)
    rows, channels = x.shape
    wide = x.reshape(rows // (pack := packed(rows, channels)), -1)
    sums = sum(parallel(lambda i, j: add_columns(wide, i, j), len(wide), moved=x.nbytes))
    return sums.reshape(pack, channels).sum(0).astype(x.dtype)


def packed(pixels, channels):
    """How many of so many pixels share a row, such that it has about `WIDE` numbers and all rows have as many."""
    return math.gcd(pixels, 2**max(0, (WIDE // channels).bit_length() - 1))
