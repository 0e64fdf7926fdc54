"""Checks of im2col."""
import numpy as np

from .. import expect
from ..exercise import Exercise

exercise = Exercise(
    title="im2col: a convolution is a matrix product", lecture=4, minutes=45,
    hints=("Fill an array with the axes (N, C, KH, KW, OH, OW) and reshape it at the end; np.pad with a pair of widths for "
           "each axis makes the border of zeros, and leaves batch and channels alone with (0, 0).",
           "For a fixed (p, q) the rows are p, p + stride, p + 2 stride, ...: a slice p:p + stride * OH:stride, which has "
           "just OH entries. The columns alike.",
           "columns[:, :, p, q] = padded[:, :, p:p + stride * OH:stride, q:q + stride * OW:stride] in two loops, then "
           "reshape(N, C * KH * KW, OH * OW). conv2d: w.reshape(F, -1) @ columns + b[:, None], reshaped."))


def sizes(x, KH, KW, stride, padding):
    """OH and OW."""
    return tuple((n + 2 * padding - k) // stride + 1 for n, k in zip(x.shape[2:], (KH, KW)))


def im2col(x, KH, KW, stride, padding):
    """The oracle with the axes (N, C, KH, KW, OH, OW), pixel by pixel."""
    out = np.zeros((*x.shape[:2], KH, KW, *sizes(x, KH, KW, stride, padding)))
    for n, c, p, q, i, j in np.ndindex(*out.shape):
        a, b = i * stride + p - padding, j * stride + q - padding
        if 0 <= a < x.shape[2] and 0 <= b < x.shape[3]:
            out[n, c, p, q, i, j] = x[n, c, a, b]
    return out


def draw(rng, N=2, C=3, size=(5, 6)):
    """A picture of 1, 2, 3, ... in random order: every number occurs once."""
    return 1.0 + rng.permutation(N * C * size[0] * size[1]).reshape(N, C, *size)


def compare(student, x, KH, KW, stride=1, padding=0):
    """The columns against the oracle, and against what goes wrong most often."""
    right = im2col(x, KH, KW, stride, padding)
    N, C, _, _, OH, OW = right.shape
    name = f"columns of a window ({KH}, {KW})" + f" with stride={stride}" * (stride > 1)
    name += f"{' and' if stride > 1 else ' with'} padding={padding}" * (padding > 0)
    got = expect.array(name, student.im2col(x, KH, KW, stride, padding))
    if got.shape == (N, OH * OW, C * KH * KW) != (N, C * KH * KW, OH * OW):
        raise expect.Wrong(f"{name} are transposed: a column holds one window, a row one of its places; the shape is "
                           f"{(N, C * KH * KW, OH * OW)}, yours {got.shape}")

    def flat(array):
        return array.reshape(N, C * KH * KW, OH * OW)

    def ordered(*axes):
        return flat(right.transpose(axes))

    wide = ((0, 0), (0, 0))
    expect.close(name, got, flat(right), mistaken={
        "step by 1 whatever the stride": flat(im2col(x, KH, KW, 1, padding)[..., :OH, :OW]),
        "have the rows in the order (p, q, c): channel first, then p, then q": ordered(0, 2, 3, 1, 4, 5),
        "have the rows in the order (c, q, p): p comes before q": ordered(0, 1, 3, 2, 4, 5),
        "have the positions in the order (j, i): row after row of the picture is meant": ordered(0, 1, 2, 3, 5, 4),
        "hold the positions where the places of the window belong": ordered(0, 1, 4, 5, 2, 3),
        "see all of the padding on the left and at the top, where half of it belongs to the other side":
            flat(im2col(np.pad(x, (*wide, (2 * padding, 0), (2 * padding, 0))), KH, KW, stride, 0)),
        "see all of the padding on the right and at the bottom, where half of it belongs to the other side":
            flat(im2col(np.pad(x, (*wide, (0, 2 * padding), (0, 2 * padding))), KH, KW, stride, 0)),
        "repeat the border of the picture: the padding is zeros":
            flat(im2col(np.pad(x, (*wide, *((padding, padding),) * 2), "edge"), KH, KW, stride, 0)),
        "hold the window flipped": flat(right[:, :, ::-1, ::-1])} if KH * KW > 1 else None)


@exercise.check(points=15, name="the shape")
def shape(student, rng):
    x = draw(rng, size=tuple(int(n) for n in rng.permutation([5, 8])))
    for KH, KW, stride, padding in ((2, 3, 1, 0), (3, 2, 2, 0), (3, 3, 1, 1), (2, 3, 3, 2)):
        OH, OW = sizes(x, KH, KW, stride, padding)
        expect.shape(f"the array of columns for a picture {x.shape[2:]}, window ({KH}, {KW}), stride {stride} and padding "
                     f"{padding}", student.im2col(x, KH, KW, stride, padding), (2, 3 * KH * KW, OH * OW))


@exercise.check(points=25, name="stride 1, without padding")
def plain(student, rng):
    compare(student, draw(rng, N=1, C=1), 2, 2)
    compare(student, draw(rng), 3, 2)
    compare(student, draw(rng, size=(4, 4)), 2, 2)
    compare(student, draw(rng), 1, 1)


@exercise.check(points=15, name="padding")
def padded(student, rng):
    compare(student, draw(rng), 3, 3, padding=1)
    compare(student, draw(rng, size=(3, 4)), 3, 2, padding=2)


@exercise.check(points=20, name="stride")
def strided(student, rng):
    compare(student, draw(rng, size=(5, 7)), 3, 3, stride=2)
    compare(student, draw(rng, size=(6, 7)), 3, 2, stride=2)    # the last row is left over
    compare(student, draw(rng, size=(6, 5)), 2, 3, stride=3, padding=1)


@exercise.check(points=15, name="the convolution")
def convolution(student, rng):
    for kernel, stride, padding in (((3, 2), 1, 0), ((2, 2), 2, 1)):
        x, w, b = rng.standard_normal((2, 3, 4, 5)), rng.standard_normal((4, 3, *kernel)), rng.standard_normal(4)
        columns = im2col(x, *kernel, stride, padding)
        y = np.zeros((2, 4, *columns.shape[4:]))
        for n, f, i, j in np.ndindex(*y.shape):
            y[n, f, i, j] = b[f] + (columns[n, :, :, :, i, j] * w[f]).sum()
        bias = b[:, None, None]
        expect.close("y of conv2d", student.conv2d(x, w, b, stride, padding), y, b=bias, mistaken={
            "is computed without the bias b": y - bias,
            "has the batch where the channels belong: the product is (N, F, OH OW) already":
                y.swapaxes(0, 1).reshape(y.shape)})


@exercise.check(points=10, name="the arguments and the dtype stay as they were")
def contract(student, rng):
    x = draw(rng).astype(np.float32)
    w, b = np.ones((2, 3, 2, 2), np.float32), np.ones(2, np.float32)
    for padding in (0, 1):
        expect.dtype("what im2col returns", expect.unchanged(student.im2col, x, 2, 2, 1, padding), np.float32)
        expect.dtype("what conv2d returns", expect.unchanged(student.conv2d, x, w, b, 1, padding), np.float32)


exercise.mistake("the stride is forgotten", old="padded[:, :, p:p + stride * OH:stride, q:q + stride * OW:stride]",
                 new="padded[:, :, p:p + OH, q:q + OW]", says="step by 1 whatever the stride")
exercise.mistake("one position too few", old="OH = (H + 2 * padding - KH) // stride + 1",
                 new="OH = (H + 2 * padding - KH) // stride", says="has shape")
exercise.mistake("only for square pictures", old="    OW = (W + 2 * padding - KW) // stride + 1\n", new="    OW = OH\n",
                 says="has shape|could not broadcast")
exercise.mistake("the channels come last", old="    return columns.reshape(N, C * KH * KW, OH * OW)",
                 new="    columns = columns.transpose(0, 2, 3, 1, 4, 5)\n"
                     "    return columns.reshape(N, C * KH * KW, OH * OW)",
                 says=r"order \(p, q, c\)")
exercise.mistake("a row for each window", old="    return columns.reshape(N, C * KH * KW, OH * OW)",
                 new="    return columns.reshape(N, C * KH * KW, OH * OW).transpose(0, 2, 1)",
                 says="in another order|transposed")
exercise.mistake("reshaped without a transpose", old="    return columns.reshape(N, C * KH * KW, OH * OW)",
                 new="    columns = columns.transpose(0, 1, 4, 5, 2, 3)\n"
                     "    return columns.reshape(N, C * KH * KW, OH * OW)",
                 says="positions where the places of the window belong")
exercise.mistake("all padding on one side", old="(padding, padding), (padding, padding)))",
                 new="(2 * padding, 0), (2 * padding, 0)))", says="all of the padding on the left")
exercise.mistake("the border is repeated", old="(padding, padding), (padding, padding)))",
                 new='(padding, padding), (padding, padding)), mode="edge")', says="the padding is zeros")
exercise.mistake("the bias is forgotten", old=" + b[:, None]\n", new="\n", says="without the bias")
