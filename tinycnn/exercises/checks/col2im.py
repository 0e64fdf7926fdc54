"""Checks of col2im."""
import numpy as np

from .. import expect
from ..exercise import Exercise

exercise = Exercise(
    title="col2im: the way back from the columns", lecture=4, minutes=40,
    hints=("Reshape the columns to (N, C, KH, KW, OH, OW): then columns[:, :, p, q] is a small picture (N, C, OH, OW), one "
           "entry for each position of the window.",
           "Add it with += to the slice of the padded picture that im2col reads: rows p, p + stride, ..., of which there "
           "are OH. Different places (p, q) meet in a pixel, so = would lose what was there.",
           "padded = zeros (N, C, H + 2 padding, W + 2 padding); in the loops padded[:, :, p:p + stride * OH:stride, q:q + "
           "stride * OW:stride] += columns[:, :, p, q]; return padded[:, :, padding:padding + H, padding:padding + W]."))

SUM, LAST = np.add, lambda old, new: new


def scatter(columns, shape, KH, KW, stride, padding, join=SUM, order="cpq"):
    """The oracle on the padded picture, entry by entry."""
    N, C, H, W = shape
    OH, OW = ((n + 2 * padding - k) // stride + 1 for n, k in ((H, KH), (W, KW)))
    lengths = {"c": C, "p": KH, "q": KW}
    axes = [1 + order.index(letter) for letter in "cpq"]
    columns = columns.reshape(N, *(lengths[letter] for letter in order), OH, OW).transpose(0, *axes, 4, 5)
    padded = np.zeros((N, C, H + 2 * padding, W + 2 * padding))
    for p, q, i, j in np.ndindex(KH, KW, OH, OW):
        at = (slice(None), slice(None), i * stride + p, j * stride + q)
        padded[at] = join(padded[at], columns[:, :, p, q, i, j])
    return padded


def picture(name, got, shape, padding):
    """`got` as an array of the picture's shape."""
    got = expect.array(name, got)
    if padding and got.shape == (*shape[:2], *(n + 2 * padding for n in shape[2:])):
        raise expect.Wrong(f"{name} has shape {got.shape}: the padding is still there, cut it off")
    if 0 in got.shape:
        raise expect.Wrong(f"{name} has shape {got.shape}, nothing is left of it: a slice like [0:-0] is empty; say where "
                           "it ends, padding:padding + H")
    expect.shape(name, got, shape)
    return got


def compare(student, rng, kernel, stride=1, padding=0, shape=(2, 3, 5, 6)):
    """The picture against the oracle, and against what goes wrong most often."""
    (N, C, H, W), (KH, KW) = shape, kernel
    OH, OW = ((n + 2 * padding - k) // stride + 1 for n, k in ((H, KH), (W, KW)))
    columns = rng.standard_normal((N, C * KH * KW, OH * OW))
    inside = (slice(None), slice(None), slice(padding, padding + H), slice(padding, padding + W))

    def put(columns, **how):
        return scatter(columns, shape, KH, KW, stride, padding, **how)

    padded = put(columns)
    count = np.maximum(put(np.ones_like(columns)), 1)
    six = columns.reshape(N, C, KH, KW, OH, OW)
    name = f"x for a window {kernel}" + f", stride={stride}" * (stride > 1) + f", padding={padding}" * (padding > 0)
    got = picture(name, student.col2im(columns, shape, KH, KW, stride, padding), shape, padding)
    expect.close(name, got, padded[inside], mistaken={
        "keeps only the last of the entries that meet in a pixel: = overwrites where += must add":
            put(columns, join=LAST)[inside],
        "is the mean of the entries that meet in a pixel: their sum is meant": (padded / count)[inside],
        "is cut out at the top left: the picture begins behind the padding, at row and column `padding`":
            padded[:, :, :H, :W],
        "is cut out at the bottom right: the picture begins at row and column `padding`": padded[:, :, -H:, -W:],
        "puts neighbouring windows one pixel apart, whatever the stride":
            side_by_side(six, shape, padding) if stride > 1 else None,
        "has the window flipped: place (p, q) belongs to row i stride + p": put(
            six[:, :, ::-1, ::-1].reshape(columns.shape))[inside],
        "reads the rows of the columns in the order (p, q, c): the channel comes first": put(columns, order="pqc")[inside],
        "reads the rows of the columns in the order (c, q, p): p comes before q": put(columns, order="cqp")[inside],
        "reads the positions of the columns in the order (j, i): row after row is meant": put(
            columns.reshape(N, -1, OW, OH).swapaxes(2, 3).reshape(columns.shape))[inside]})


def side_by_side(six, shape, padding):
    """What comes of forgetting the stride."""
    N, C, KH, KW, OH, OW = six.shape
    padded = np.zeros((N, C, shape[2] + 2 * padding, shape[3] + 2 * padding))
    for p, q, i, j in np.ndindex(KH, KW, OH, OW):
        padded[:, :, i + p, j + q] += six[:, :, p, q, i, j]
    return padded[:, :, padding:padding + shape[2], padding:padding + shape[3]]


@exercise.check(points=10, name="the shape")
def shape(student, rng):
    for shape, kernel, stride, padding in (((2, 3, 5, 8), (3, 2), 1, 0), ((1, 2, 6, 5), (3, 2), 2, 1)):
        OH, OW = ((n + 2 * padding - k) // stride + 1 for n, k in zip(shape[2:], kernel))
        columns = rng.standard_normal((shape[0], shape[1] * kernel[0] * kernel[1], OH * OW))
        picture("x", student.col2im(columns, shape, *kernel, stride, padding), shape, padding)


@exercise.check(points=15, name="windows that do not overlap")
def apart(student, rng):
    compare(student, rng, (1, 1))
    compare(student, rng, (2, 3), stride=3, shape=(2, 2, 8, 9))
    compare(student, rng, (2, 2), stride=2, shape=(2, 2, 4, 4))


@exercise.check(points=30, name="windows that overlap")
def overlap(student, rng):
    compare(student, rng, (2, 2), shape=(1, 1, 3, 4))
    compare(student, rng, (3, 2))
    compare(student, rng, (2, 2), shape=(2, 3, 4, 4))
    compare(student, rng, (3, 3), stride=2, shape=(2, 2, 5, 7))


@exercise.check(points=20, name="padding")
def padded(student, rng):
    compare(student, rng, (3, 3), padding=1)
    compare(student, rng, (3, 2), stride=2, padding=2, shape=(2, 2, 4, 5))


@exercise.check(points=15, name="pixels that no window sees")
def left_over(student, rng):
    compare(student, rng, (2, 3), stride=2, shape=(2, 2, 5, 6))
    compare(student, rng, (2, 2), stride=3, shape=(1, 2, 7, 6))
    compare(student, rng, (2, 2), stride=3, padding=1, shape=(1, 2, 5, 6))


@exercise.check(points=10, name="the arguments and the dtype stay as they were")
def contract(student, rng):
    columns = rng.standard_normal((2, 12, 12)).astype(np.float32)
    x = expect.unchanged(student.col2im, columns, (2, 3, 4, 5), 2, 2, 1, 0)
    expect.dtype("x", x, np.float32)


exercise.mistake("= in the place of +=", old="] += columns", new="] = columns", says="= overwrites")
exercise.mistake("the mean of what meets", old="    return padded[:,",
                 new="    seen = np.zeros_like(padded)\n    for p in range(KH):\n        for q in range(KW):\n"
                     "            seen[:, :, p:p + stride * OH:stride, q:q + stride * OW:stride] += 1\n"
                     "    padded = padded / np.maximum(seen, 1)\n    return padded[:,", says="their sum is meant")
exercise.mistake("cut out at the top left", old="padded[:, :, padding:padding + H, padding:padding + W]",
                 new="padded[:, :, :H, :W]", says="cut out at the top left")
exercise.mistake("a slice up to -padding", old="padded[:, :, padding:padding + H, padding:padding + W]",
                 new="padded[:, :, padding:-padding, padding:-padding]", says=r"\[0:-0\] is empty")
exercise.mistake("the padding stays", old="return padded[:, :, padding:padding + H, padding:padding + W]",
                 new="return padded", says="still there")
exercise.mistake("the stride is forgotten", old="p:p + stride * OH:stride, q:q + stride * OW:stride] +=",
                 new="p:p + OH, q:q + OW] +=", says="whatever the stride")
exercise.mistake("the window is flipped", old="+= columns[:, :, p, q]", new="+= columns[:, :, KH - 1 - p, KW - 1 - q]",
                 says="window flipped")
exercise.mistake("the rows are read with the channels last", old="columns.reshape(N, C, KH, KW, OH, OW)",
                 new="columns.reshape(N, KH, KW, C, OH, OW).transpose(0, 3, 1, 2, 4, 5)", says=r"order \(p, q, c\)")
exercise.mistake("only for one picture", old="+= columns[:, :, p, q]", new="+= columns[:1, :, p, q]", says="x for a window")
