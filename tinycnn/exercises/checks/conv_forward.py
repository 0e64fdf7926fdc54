"""Checks of the forward convolution."""
import numpy as np

from .. import expect
from ..exercise import Exercise

exercise = Exercise(
    title="Convolution, forward", lecture=4, minutes=45,
    hints=("Begin with the shape: make y of zeros with (N, F, OH, OW), and count the positions of the window on paper for "
           "a picture of 5 pixels and a window of 3.",
           "For a fixed place (p, q) of the window the pixels that meet it, over all positions, are one slice of x: it "
           "starts at (p, q) and has the size of y.",
           "In the two loops: y += np.einsum('ncij,fc->nfij', x[:, :, p:p + OH, q:q + OW], w[:, :, p, q]). The bias comes "
           "once, behind the loops, with a shape that lets it broadcast over the pixels: b[:, None, None]."))


def conv2d(x, w, b):
    """The oracle: the formula as it stands, an index after the other."""
    (N, C, H, W), (F, _, KH, KW) = x.shape, w.shape
    y = np.zeros((N, F, H - KH + 1, W - KW + 1))
    for n, f, i, j in np.ndindex(*y.shape):
        y[n, f, i, j] = b[f]
        for c, p, q in np.ndindex(C, KH, KW):
            y[n, f, i, j] += x[n, c, i + p, j + q] * w[f, c, p, q]
    return y


def draw(rng, N=2, C=3, F=4, size=(5, 6), kernel=(3, 2)):
    """x, w and b; the sizes are all different, so that exchanged axes do not go unnoticed."""
    return rng.standard_normal((N, C, *size)), rng.standard_normal((F, C, *kernel)), rng.standard_normal(F)


def compare(student, x, w, b):
    """The student's y against the oracle, and against what goes wrong most often."""
    square = w.shape[2] == w.shape[3]
    expect.close("y", student.conv2d(x, w, b), conv2d(x, w, b), b=b[:, None, None], mistaken={
        "is the convolution of the mathematicians: the kernel is flipped, and should not be":
            conv2d(x, w[:, :, ::-1, ::-1], b),
        "uses the window with its rows and columns exchanged": conv2d(x, w.swapaxes(2, 3), b) if square else None,
        "counts only the last place of the window: = overwrites where += must add":
            conv2d(x[:, :, w.shape[2] - 1:, w.shape[3] - 1:], w[:, :, -1:, -1:], b),
        "is computed without the bias b": conv2d(x, w, 0 * b),
        "counts the bias b once for every place of the window": conv2d(x, w, w.shape[2] * w.shape[3] * b),
        "sees only the first channel of x": conv2d(x[:, :1], w[:, :1], b),
        "sees only the last channel of x": conv2d(x[:, -1:], w[:, -1:], b),
        "weights the sum of the channels, where every channel has a weight of its own":
            conv2d(x.sum(1, keepdims=True), w.sum(1, keepdims=True), b)})


@exercise.check(points=15, name="the shape of y")
def shape_of_y(student, rng):
    kernel = tuple(rng.permutation([2, 3]))
    x, w, b = draw(rng, size=tuple(rng.permutation([5, 7])), kernel=kernel)
    expect.shape("y", student.conv2d(x, w, b), (2, 4, x.shape[2] - kernel[0] + 1, x.shape[3] - kernel[1] + 1))


@exercise.check(points=25, name="one channel, one window")
def one_channel(student, rng):
    for kernel in ((3, 3), (3, 2), (2, 3)):
        compare(student, *draw(rng, N=1, C=1, F=1, kernel=kernel))


@exercise.check(points=30, name="several of everything")
def several(student, rng):
    compare(student, *draw(rng))
    compare(student, *draw(rng, N=3, C=2, F=2, size=(4, 4), kernel=(2, 2)))


@exercise.check(points=10, name="windows of one pixel and of the whole picture")
def edges(student, rng):
    compare(student, *draw(rng, kernel=(1, 1)))
    compare(student, *draw(rng, size=(3, 4), kernel=(3, 4)))


@exercise.check(points=10, name="the arguments and the dtype stay as they were")
def contract(student, rng):
    y = expect.unchanged(student.conv2d, *(a.astype(np.float32) for a in draw(rng)))
    expect.dtype("y", y, np.float32)


@exercise.check(points=10, name="no loop over the pixels")
def speed(student, rng):
    x, w, b = draw(rng, N=4, C=8, F=8, size=(32, 32), kernel=(3, 3))
    y = expect.within(1.0, student.conv2d, x, w, b, advice="loop over the places of the window, not over the pixels")
    expect.close("y at the last pixel", y[:, :, -1:, -1:], conv2d(x[:, :, -3:, -3:], w, b))


exercise.mistake("the kernel is flipped", old="shifted, w[:, :, p, q]", new="shifted, w[:, :, KH - 1 - p, KW - 1 - q]",
                 says="kernel is flipped")
exercise.mistake("the bias is forgotten", old="return y + b[:, None, None]", new="return y", says="without the bias")
exercise.mistake("the bias is added in the loop", old='shifted, w[:, :, p, q])',
                 new='shifted, w[:, :, p, q]) + b[:, None, None] - (p + q == 0) * b[:, None, None]',
                 says="bias b once for every")
exercise.mistake("one position too few", old="OW = H - KH + 1, W - KW + 1", new="OW = H - KH, W - KW",
                 says="y has shape")
exercise.mistake("height and width exchanged", old="OH, OW = H - KH + 1, W - KW + 1", new="OW, OH = H - KH + 1, W - KW + 1",
                 says="raised ValueError|has shape")
exercise.mistake("= in the place of +=", old="y += np", new="y = np", says="= overwrites")
exercise.mistake("the window's rows and columns exchanged", old="shifted, w[:, :, p, q]",
                 new="shifted, w[:, :, q % KH, p % KW]", says="rows and columns")
exercise.mistake("only the first channel", old='np.einsum("ncij,fc->nfij", shifted, w[:, :, p, q])',
                 new='np.einsum("nij,f->nfij", shifted[:, 0], w[:, 0, p, q])', says="only the first channel")
exercise.mistake("channels are summed before they are weighted", old='"ncij,fc->nfij"', new='"ncij,fd->nfij"',
                 says="weights the sum of the channels")
