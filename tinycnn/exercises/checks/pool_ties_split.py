"""Checks of max pooling that shares at ties."""
import numpy as np

from .. import expect
from ..exercise import Exercise
from .max_pool import max_pool, max_pool_backward, windows

exercise = Exercise(
    title="Max pooling that shares at ties", lecture=11, minutes=30,
    hints=("Try it on paper with one window of 2 x 2: [[3, 1], [3, 0]]. How many winners, and what does each get of dy = 1? "
           "Then with a row of three equal pixels and windows that overlap.",
           "One walk counts: k += (slice of x at the place (p, q)) == y. The comparison gives booleans in the shape of y, "
           "which add up to the number of winners.",
           "share = dy / k, in the shape of y. The second walk adds for each place dx[slice] += (x[slice] == y) * share, "
           "with the slice [:, :, p:p + OH * stride:stride, q:q + OW * stride:stride]."))


def shared(dy, x, size, stride):
    """The oracle."""
    return max_pool_backward(dy, x, size, stride, "split")


def per_pixel(dy, x, size, stride):
    """dx of those who divide what a pixel got by the number of windows that it won."""
    every, wins = (max_pool_backward(d, x, size, stride, "all") for d in (dy, np.ones_like(dy)))
    return every / np.maximum(wins, 1)


def last_share(dy, x, size, stride):
    """dx of those who write = in the place of +=, walking over the places of the window."""
    y, dx = max_pool(x, size, stride), np.zeros(x.shape)
    k = np.zeros(y.shape)
    for share in (False, True):
        for p, q in np.ndindex(size, size):
            place = np.s_[:, :, p:p + y.shape[2] * stride:stride, q:q + y.shape[3] * stride:stride]
            wins = x[place] == y
            if share:
                dx[place] = np.where(wins, dy / k, dx[place])
            else:
                k += wins
    return dx


def known(dy, x, size, stride):
    """What goes wrong most often, and what it gives."""
    return {"gives every winner the whole of dy: divide it by the number of winners of the window":
            max_pool_backward(dy, x, size, stride, "all"),
            "gives everything to the first winner: all pixels that equal the maximum share":
            max_pool_backward(dy, x, size, stride, "first"),
            "gives everything to the last winner: all pixels that equal the maximum share":
            max_pool_backward(dy, x, size, stride, "last"),
            "is divided by the size of the window: divide by the number of its winners":
            max_pool_backward(dy, x, size, stride, "all") / size**2,
            "divides by the number of windows that a pixel wins: k belongs to the window, and counts its winners":
            per_pixel(dy, x, size, stride),
            "keeps of a pixel that wins in several windows one share only: add the shares, with +=":
            last_share(dy, x, size, stride)}


@exercise.check(points=25, name="how many winners a window has")
def counts(student, rng):
    for size, stride, shape in ((2, 2, (2, 2, 4, 6)), (3, 1, (1, 2, 5, 4)), (2, 3, (2, 1, 5, 6))):
        x = rng.integers(-3, 0, shape).astype(float)
        right = np.zeros(max_pool(x, size, stride).shape)
        for (n, c, i, j), pixels in windows(x, size, stride):
            values = [x[n, c, row, column] for row, column in pixels]
            right[n, c, i, j] = values.count(max(values))
        expect.close("k", student.winner_counts(x, size, stride), right, mistaken={
            "is 1 everywhere: count every pixel of the window that equals its maximum": 0 * right + 1,
            "counts the winners of the whole plane: every window has a count of its own":
                right.sum((2, 3), keepdims=True) + 0 * right})


@exercise.check(points=20, name="no ties: as every max pooling")
def without_ties(student, rng):
    for size, stride in ((2, 2), (3, 1), (2, 3)):
        x = rng.permutation(np.arange(60.0)).reshape(2, 1, 5, 6)
        dy = 1 + rng.random(max_pool(x, size, stride).shape)
        expect.close("dx", student.max_pool_backward(dy, x, size, stride), shared(dy, x, size, stride),
                     mistaken=known(dy, x, size, stride))
        expect.gradient("max_pool_backward", max_pool, student.max_pool_backward, x=x,
                        options={"size": size, "stride": stride})


@exercise.check(points=25, name="ties within windows that tile the picture")
def tiles(student, rng):
    for x in (rng.integers(0, 3, (2, 2, 4, 6)).astype(float), np.zeros((1, 1, 4, 4))):
        dy = 1 + rng.random(max_pool(x, 2, 2).shape)
        expect.close("dx", student.max_pool_backward(dy, x, 2, 2), shared(dy, x, 2, 2), mistaken=known(dy, x, 2, 2))


@exercise.check(points=20, name="ties where windows overlap")
def overlap(student, rng):
    for size, stride in ((2, 1), (3, 2)):
        x = rng.integers(0, 3, (2, 2, 5, 5)).astype(float)
        dy = 1 + rng.random(max_pool(x, size, stride).shape)
        expect.close("dx", student.max_pool_backward(dy, x, size, stride), shared(dy, x, size, stride),
                     mistaken=known(dy, x, size, stride))


@exercise.check(points=10, name="the arguments and the dtype stay as they were")
def contract(student, rng):
    x = rng.integers(0, 3, (2, 2, 4, 4)).astype(np.float32)
    dy = rng.random((2, 2, 2, 2), np.float32)
    expect.unchanged(student.winner_counts, x, 2, 2)
    expect.in_float32(student.winner_counts, x.astype(float), 2, 2)
    expect.dtype("dx", expect.unchanged(student.max_pool_backward, dy, x, 2, 2), np.float32)


exercise.mistake("every winner gets the whole", old="share = dy / winner_counts(x, size, stride).astype(dy.dtype)",
                 new="share = dy", says="every winner the whole")
exercise.mistake("a winner counts once", old="k += x[:, :, p:p + OH * stride:stride, q:q + OW * stride:stride] == y",
                 new="k |= x[:, :, p:p + OH * stride:stride, q:q + OW * stride:stride] == y", says="k is 1 everywhere")
exercise.mistake("divided by the size of the window", old="winner_counts(x, size, stride).astype(dy.dtype)", new="size**2",
                 says="divided by the size of the window")
exercise.mistake("winners of the whole plane are counted", old="    return k\n",
                 new="    return k.sum(axis=(2, 3), keepdims=True) + 0 * k\n", says="winners of the whole plane")
exercise.mistake("= in the place of +=", old="dx[place] += (x[place] == y) * share",
                 new="dx[place] = np.where(x[place] == y, share, dx[place])", says="one share only.*\\+=")
exercise.mistake("only zeros tie", old="k += x[:, :, p:p + OH * stride:stride, q:q + OW * stride:stride] == y",
                 new="k += (x[:, :, p:p + OH * stride:stride, q:q + OW * stride:stride] == y) & (y == 0)", says="k is zero")
