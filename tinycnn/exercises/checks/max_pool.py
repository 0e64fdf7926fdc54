"""Checks of max pooling."""
import numpy as np

from .. import expect
from ..exercise import Exercise

exercise = Exercise(
    title="Max pooling", lecture=6, minutes=45,
    hints=("The place (p, q) of all windows together is x[:, :, p:p + OH * stride:stride, q:q + OW * stride:stride], which "
           "has the shape of y. Forward is the np.maximum of size * size such slices.",
           "In backward compute y again. A place wins where its slice of x equals y; add dy there to the same slice of dx, "
           "with +=. Start forward from -inf and not from 0: pictures may be negative.",
           "Keep a boolean array in the shape of y, at first all True: the windows that still look for their winner. wins = "
           "(slice == y) & looking; dx[slice] += wins * dy; looking &= ~wins. Looping over p and then q is the order of "
           "reading."))


def windows(x, size, stride):
    """((n, c, i, j), the pixels of the window as (row, column) in the order of reading) for every entry of y."""
    N, C, H, W = x.shape
    for n, c, i, j in np.ndindex(N, C, (H - size) // stride + 1, (W - size) // stride + 1):
        yield (n, c, i, j), [(i * stride + p, j * stride + q) for p in range(size) for q in range(size)]


def max_pool(x, size, stride, start=-np.inf):
    """The oracle, a window after the other."""
    N, C, H, W = x.shape
    y = np.zeros((N, C, (H - size) // stride + 1, (W - size) // stride + 1))
    for (n, c, i, j), pixels in windows(x, size, stride):
        y[n, c, i, j] = max([start] + [x[n, c, k, l] for k, l in pixels])
    return y


def max_pool_backward(dy, x, size, stride, ties="first"):
    """The gradient of the oracle; `ties` says who gets it where several win."""
    dx = np.zeros(x.shape)
    for (n, c, i, j), pixels in windows(x, size, stride):
        largest = max(x[n, c, k, l] for k, l in pixels)
        winners = [pixel for pixel in pixels if x[n, c, *pixel] == largest]
        for k, l in {"first": winners[:1], "last": winners[-1:], "all": winners, "split": winners}[ties]:
            dx[n, c, k, l] += dy[n, c, i, j] / (len(winners) if ties == "split" else 1)
    return dx


def overwritten(dy, x, size, stride):
    """dx of those who write = in the place of +=, walking over the places of the window."""
    y, dx = max_pool(x, size, stride), np.zeros(x.shape)
    for p, q in np.ndindex(size, size):
        place = np.s_[:, :, p:p + y.shape[2] * stride:stride, q:q + y.shape[3] * stride:stride]
        dx[place] = (x[place] == y) * dy
    return dx


def compare(student, x, size, stride):
    """The student's y against the oracle."""
    y = student.max_pool(x, size, stride)
    expect.close("y", y, max_pool(x, size, stride), mistaken={
        "is never negative: the search for the maximum starts from 0, and must start from -inf or from the first place":
            max_pool(x, size, stride, start=0.0),
        "is the smallest of each window, not the largest": -max_pool(-x, size, stride)})


@exercise.check(points=15, name="the shape of y")
def shape_of_y(student, rng):
    for size, stride in ((2, 2), (3, 2), (2, 3), (3, 1)):
        H, W = rng.permutation([7, 10])
        y = student.max_pool(rng.standard_normal((2, 3, H, W)), size, stride)
        expect.shape(f"y (of {H} x {W} pixels, size={size}, stride={stride})", y,
                     (2, 3, (H - size) // stride + 1, (W - size) // stride + 1))


@exercise.check(points=25, name="the numbers of y")
def numbers_of_y(student, rng):
    for size, stride, H, W in ((2, 2, 4, 6), (3, 2, 7, 5), (2, 1, 4, 3), (1, 2, 3, 4)):
        compare(student, rng.standard_normal((2, 2, H, W)), size, stride)
    compare(student, -1 - rng.random((2, 2, 4, 4)), 2, 2)


@exercise.check(points=15, name="backward: windows that tile the picture")
def tiles(student, rng):
    x = rng.permutation(48.0 + np.arange(48)).reshape(2, 1, 4, 6)
    expect.gradient("max_pool_backward", max_pool, student.max_pool_backward, x=x, options={"size": 2, "stride": 2})


@exercise.check(points=20, name="backward: windows that overlap or leave gaps")
def overlap(student, rng):
    for size, stride in ((3, 1), (3, 2), (2, 3)):
        x = rng.permutation(np.arange(50.0)).reshape(1, 2, 5, 5)
        expect.gradient("max_pool_backward", max_pool, student.max_pool_backward, x=x,
                        options={"size": size, "stride": stride}, mistaken={
                            "dx[...] = overwrites what other windows have left there: add, with +=": overwritten})


@exercise.check(points=15, name="backward: ties")
def ties(student, rng):
    for x in (rng.integers(0, 3, (2, 2, 5, 5)).astype(float), np.ones((1, 2, 4, 4))):
        dy = 1 + rng.random(max_pool(x, 2, 2).shape)
        expect.close("dx", student.max_pool_backward(dy, x, 2, 2), max_pool_backward(dy, x, 2, 2), mistaken={
            "goes at ties to every winner, each the whole of dy: a window has one winner, the first":
                max_pool_backward(dy, x, 2, 2, "all"),
            "goes at ties to the last winner, and should go to the first in the order of reading":
                max_pool_backward(dy, x, 2, 2, "last"),
            "is split at ties among the winners, and should go to the first": max_pool_backward(dy, x, 2, 2, "split")})


@exercise.check(points=10, name="the arguments and the dtype stay as they were")
def contract(student, rng):
    x = rng.standard_normal((2, 2, 4, 4)).astype(np.float32)
    y = expect.unchanged(student.max_pool, x, 2, 2)
    expect.dtype("y", y, np.float32)
    expect.dtype("dx", expect.unchanged(student.max_pool_backward, y, x, 2, 2), np.float32)


exercise.mistake("the maximum starts at zero", old="np.full((N, C, OH, OW), -np.inf, x.dtype)",
                 new="np.zeros((N, C, OH, OW), x.dtype)", says="never negative.*starts from 0")
exercise.mistake("the last window is forgotten", old="(H - size) // stride + 1, (W - size) // stride + 1",
                 new="(H - size) // stride, (W - size) // stride", says="y .*has shape")
exercise.mistake("the windows are counted without their size", old="(H - size) // stride + 1, (W - size) // stride + 1",
                 new="H // stride, W // stride", says="raised ValueError|has shape")
exercise.mistake("all ties win", old=" & open_windows\n", new="\n", says="ties to every winner")
exercise.mistake("the last tie wins", says="last winner",
                 old="np.ones(y.shape, bool)\n    for p in range(size):\n        for q in range(size):",
                 new="np.ones(y.shape, bool)\n    for p in range(size)[::-1]:\n        for q in range(size)[::-1]:")
exercise.mistake("= in the place of +=", old="dx[place] += wins * dy", new="dx[place] = np.where(wins, dy, dx[place])",
                 says="(only one of the terms|overwrites).*\\+=")
exercise.mistake("dx is overwritten also where nobody wins", old="dx[place] += wins * dy", new="dx[place] = wins * dy",
                 says="overwrites.*\\+=")
exercise.mistake("backward forgets dy", old="+= wins * dy", new="+= wins", says="upstream gradient dy is ignored")
exercise.mistake("the gradient goes to every pixel of the window", old="wins = (x[place] == y) & open_windows",
                 new="wins = np.ones(y.shape, bool)", says="should be zero where.*mask is forgotten")
exercise.mistake("the gradient is multiplied by the maximum", old="wins * dy", new="wins * dy * y",
                 says="factor x too much")
