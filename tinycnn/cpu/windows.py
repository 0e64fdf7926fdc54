"""Which pixels a window holds, as lists that loops follow. Signals are images of one row, volumes have their rows one plane
after the other, and so one loop over rows and columns serves any number of dimensions."""
import functools
import math

import numpy as np

from .layout import channels_first, channels_last


@functools.lru_cache(1000)
def pixels(size, out, kernel, stride, padding, dilation):
    """`rows` (windows, K), `columns` (windows, L): window (r, j) holds pixel (rows[r, k], columns[j, l]) at weight (k, l).

    Where that is outside of the image they say -1. Everything is given for each axis; `padding` is that before the image.
    """
    *outer, columns = (np.where((0 <= places) & (places < s), places, -1) for places, s in zip(
        (np.arange(o)[:, None] * s + np.arange(k) * d - p for o, k, s, p, d in zip(out, kernel, stride, padding, dilation)),
        size))
    rows = np.zeros((1, 1), np.int64)
    for places, s in zip(outer, size):
        inside = (rows[:, None, :, None] >= 0) & (places[:, None] >= 0)
        rows = np.where(inside, rows[:, None, :, None] * s + places[:, None], -1)
        rows = rows.reshape(rows.shape[0] * rows.shape[1], -1)
    return rows, columns


@functools.lru_cache(1000)
def holders(size, out, kernel, stride, padding, dilation):
    """The same lists read the other way round: window (rows[h, k], columns[v, l]) holds pixel (h, v) at weight (k, l)."""
    found = []
    for places, count in zip(pixels(size, out, kernel, stride, padding, dilation), (math.prod(size[:-1]), size[-1])):
        windows, weights = np.nonzero(places >= 0)
        found.append(np.full((count, places.shape[1]), -1))
        found[-1][places[windows, weights], weights] = windows
    return found


def as_rows(x):
    """x (N, C, *S) as a contiguous array (N, rows, columns, C)."""
    x = channels_last(x)
    return x.reshape(len(x), -1, *x.shape[-2:])


def as_images(y, size):
    """The inverse: y (N, rows, columns, C) as the view (N, C, *size)."""
    return channels_first(y.reshape(len(y), *size, y.shape[-1]))
