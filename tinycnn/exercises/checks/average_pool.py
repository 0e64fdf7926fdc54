"""Checks of average pooling."""
import functools

import numpy as np

from .. import expect
from ..exercise import Exercise

exercise = Exercise(
    title="Average pooling, with padding that does not count", lecture=6, minutes=45,
    hints=("Rows and columns are independent: the count of a window is (its rows in the picture) * (its columns in the "
           "picture). Along one axis the window starts at i * stride - padding and ends, exclusively, size further on.",
           "Along one axis: count = min(start + size, length) - max(start, 0). Forward adds up the slices "
           "padded[:, :, p:p + OH * stride:stride, q:q + OW * stride:stride] and divides by the counts at the end.",
           "Backward: share = dy / m; into an array of zeros with the padded size, the same slices += share, for all p and "
           "q; return it without its border, [:, :, padding:padding + H, padding:padding + W]."))


@functools.cache
def pixels(H, W, size, stride, padding, before=0, after=0):
    """A list of ((i, j), the places of the window (i, j) that lie in the picture) for every window.

    The picture is taken to begin `before` pixels earlier and to end `after` pixels later than it does.
    """
    found = []
    for i, j in np.ndindex((H + 2 * padding - size) // stride + 1, (W + 2 * padding - size) // stride + 1):
        rows, columns = ([o * stride - padding + p for p in range(size)] for o in (i, j))
        found.append(((i, j), [(k, l) for k in rows for l in columns
                               if -before <= k < H + after and -before <= l < W + after]))
    return found


def pixel_counts(H, W, size, stride, padding, **picture):
    """The oracle of the counts."""
    counts = {at: len(places) for at, places in pixels(H, W, size, stride, padding, **picture)}
    m = np.zeros([o + 1 for o in max(counts)])
    for at, count in counts.items():
        m[at] = count
    return m


def average_pool(x, size, stride, padding, counts=None):
    """The oracle, a window after the other; `counts` in the place of the right ones."""
    m = pixel_counts(*x.shape[2:], size, stride, padding)
    counts = m if counts is None else counts
    y = np.zeros((*x.shape[:2], *m.shape))
    for (i, j), places in pixels(*x.shape[2:], size, stride, padding):
        for k, l in places:
            y[:, :, i, j] += x[:, :, k, l] / counts[i, j]
    return y


def average_pool_backward(dy, x, size, stride, padding, counts):
    """The gradient with the given counts."""
    dx = np.zeros(x.shape)
    for (i, j), places in pixels(*x.shape[2:], size, stride, padding):
        for k, l in places:
            dx[:, :, k, l] += dy[:, :, i, j] / counts[i, j]
    return dx


def whole(x, size, stride, padding):
    """The counts of those who count the padding."""
    return np.full(pixel_counts(*x.shape[2:], size, stride, padding).shape, size * size)


@exercise.check(points=20, name="how many pixels a window holds")
def counts(student, rng):
    for size, stride, padding in ((2, 2, 0), (3, 1, 1), (3, 2, 1), (3, 2, 2), (5, 3, 2)):
        H, W = map(int, rng.permutation([5, 8]))
        right = pixel_counts(H, W, size, stride, padding)
        expect.close("m", student.pixel_counts(H, W, size, stride, padding), right, mistaken={
            "counts the padding: a window at the edge holds fewer pixels than size * size": 0 * right + size * size,
            "counts the padding above and to the left: no window starts before row 0 or column 0 of the picture":
                pixel_counts(H, W, size, stride, padding, before=padding),
            "counts the padding below and to the right: no window ends behind the last row or column of the picture":
                pixel_counts(H, W, size, stride, padding, after=padding)})


@exercise.check(points=25, name="the numbers of y")
def numbers_of_y(student, rng):
    for size, stride, padding in ((2, 2, 0), (3, 1, 1), (3, 2, 1), (2, 3, 1)):
        x = 2 + rng.standard_normal((2, 3, *rng.permutation([4, 5])))
        m = pixel_counts(*x.shape[2:], size, stride, padding)
        y = student.average_pool(x, size, stride, padding)
        expect.close("y", y, average_pool(x, size, stride, padding), mistaken={
            "counts the padding: divide a window at the edge by the number of its real pixels, not by size * size":
                average_pool(x, size, stride, padding, whole(x, size, stride, padding)),
            "is the sum of each window: divide by the number of its pixels":
                average_pool(x, size, stride, padding, 0 * m + 1),
            "is divided by size and should be by the number of pixels":
                average_pool(x, size, stride, padding, 0 * m + size)})


@exercise.check(points=20, name="backward without padding")
def backward(student, rng):
    for size, stride in ((2, 2), (3, 1), (3, 2)):
        x = rng.standard_normal((1, 1, *rng.permutation([4, 5])))
        expect.gradient("average_pool_backward", average_pool, student.average_pool_backward, x=x,
                        options={"size": size, "stride": stride, "padding": 0}, mistaken=known(size))


@exercise.check(points=20, name="backward with padding")
def backward_padded(student, rng):
    for size, stride, padding in ((3, 1, 1), (3, 2, 1), (4, 3, 2)):
        x = rng.standard_normal((1, 2, *rng.permutation([3, 4])))
        expect.gradient("average_pool_backward", average_pool, student.average_pool_backward, x=x,
                        options={"size": size, "stride": stride, "padding": padding}, mistaken=known(size))


def known(size):
    """Wrong backwards in the words of this exercise."""
    return {"each pixel gets the whole dy of its windows: divide dy by the number of pixels that share it":
            lambda dy, x, **o: average_pool_backward(dy, x, **o, counts=whole(x, **o) // size**2),
            "dy is divided by size * size, also where a window holds fewer pixels":
            lambda dy, x, **o: average_pool_backward(dy, x, **o, counts=whole(x, **o))}


@exercise.check(points=15, name="the arguments and the dtype stay as they were")
def contract(student, rng):
    x = rng.standard_normal((2, 2, 4, 5)).astype(np.float32)
    y = expect.unchanged(student.average_pool, x, 3, 2, 1)
    expect.dtype("y", y, np.float32)
    expect.dtype("dx", expect.unchanged(student.average_pool_backward, y, x, 3, 2, 1), np.float32)


exercise.mistake("the padding counts", old="return rows[:, None] * columns",
                 new="return 0 * rows[:, None] * columns + size**2", says="counts the padding")
exercise.mistake("rows and columns exchanged", old="return rows[:, None] * columns", new="return rows * columns[:, None]",
                 says="m has shape.*axes are in another order")
exercise.mistake("rows that lie above the picture count", old=" - np.maximum(start, 0)", new=" - start",
                 says="padding above and to the left")
exercise.mistake("rows that lie below the picture count", old="np.minimum(start + size, length)", new="(start + size)",
                 says="padding below and to the right")
exercise.mistake("the sum and not the mean", old="return y / m.astype(x.dtype)", new="return y",
                 says="y is the sum of each window")
exercise.mistake("forward divides by size * size", old="return y / m.astype(x.dtype)", new="return y / size**2",
                 says="counts the padding|dividing")
exercise.mistake("backward does not divide", old="share = dy / m.astype(dy.dtype)", new="share = dy",
                 says="whole dy of its windows")
exercise.mistake("backward divides by size * size", old="share = dy / m.astype(dy.dtype)", new="share = dy / size**2",
                 says="divided by size \\* size")
exercise.mistake("= in the place of +=", old="stride] += share", new="stride] = share",
                 says="only one of the terms.*\\+=")
exercise.mistake("the border is not cut off", old="return padded[:, :, padding:padding + H, padding:padding + W]",
                 new="return padded", says="dx .*has shape")
exercise.mistake("the border is cut off at the end only", new="return padded[:, :, :H, :W]",
                 old="return padded[:, :, padding:padding + H, padding:padding + W]",
                 says="look at the padding|how padding enters backward")
