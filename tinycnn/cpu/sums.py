"""Sums in loops: of some numbers in their own type, beyond in float64.

A row is cut into slices, because LLVM makes vectors of a loop over a whole array, but not of one between two bounds.
"""
import math

import numpy as np

from .compiled import loop
from .serving import compiled_floats
from .workers import parallel

BLOCK = 32    # rows that are summed up in the dtype of x
RUN = 1024    # numbers of a row that are: vector instructions make at least 16 sums of them
WIDE = 256    # numbers in a row of `packed` pixels, about: setting out for a row costs as much as 100 of them


@loop
def total(x):
    """The sum of a row."""
    whole = 0.0
    for first in range(0, x.size, RUN):
        some, part = x[first:first + RUN], x.dtype.type(0)
        for i in range(some.size):
            part += some[i]
        whole += part
    return whole


@loop
def dot(x, y):
    """The sum of the products of two rows."""
    whole = 0.0
    for first in range(0, x.size, RUN):
        some, others, part = x[first:first + RUN], y[first:first + RUN], x.dtype.type(0)
        for i in range(some.size):
            part += some[i] * others[i]
        whole += part
    return whole


@loop
def add_columns(x, first, last):
    """sum_m x[m, c] over rows first to last."""
    channels = x.shape[1]
    whole, s = np.zeros(channels), np.empty(channels, x.dtype)
    for block in range(first, last, BLOCK):
        s[:] = 0
        for m in range(block, min(last, block + BLOCK)):
            for c in range(channels):
                s[c] += x[m, c]
        whole += s
    return whole


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
