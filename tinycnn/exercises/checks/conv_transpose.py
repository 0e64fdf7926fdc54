"""Checks of the transposed convolution."""
import numpy as np

from .. import expect
from ..exercise import Exercise

exercise = Exercise(
    title="Transposed convolution", lecture=5, minutes=60,
    hints=("Make `stamped` of zeros with ((H - 1) S + KH) rows, add all stamps, cut the border off, and only then add the "
           "bias, once for each pixel.",
           "For a fixed place (p, q), einsum('ncij,cf->nfij', x, w[:, :, p, q]) is what all pixels write there, and it goes "
           "to the rows p, p + S, ..., of which there are H. Use += because stamps overlap.",
           "Backward: dstamped = np.pad(dy, P on both sides); seen = dstamped[:, :, p:p + S * H:S, q:q + S * W:S]; dx += "
           "einsum('nfij,cf->ncij', seen, w[:, :, p, q]); dw[:, :, p, q] = einsum('ncij,nfij->cf', x, seen)."))


def stamp(x, w, stride, join=np.add):
    """The oracle before its border is cut off, pixel after pixel; `join` in the place of +=."""
    (N, _, H, W), (_, F, KH, KW) = x.shape, w.shape
    stamped = np.zeros((N, F, (H - 1) * stride + KH, (W - 1) * stride + KW))
    for p, q, i, j in np.ndindex(KH, KW, H, W):
        at = np.s_[:, :, i * stride + p, j * stride + q]
        stamped[at] = join(stamped[at], x[:, :, i, j] @ w[:, :, p, q])
    return stamped


def cut(stamped, padding):
    """`stamped` without its border."""
    return stamped[:, :, padding:stamped.shape[2] - padding, padding:stamped.shape[3] - padding]


def conv_transpose2d(x, w, b, stride=1, padding=0):
    """The oracle."""
    return cut(stamp(x, w, stride), padding) + b[:, None, None]


def replace(old, new):
    """What = does."""
    return new


def draw(rng, size=(3, 4), kernel=(3, 2), N=2, C=2, F=3):
    """x, w and b."""
    return rng.standard_normal((N, C, *size)), rng.standard_normal((C, F, *kernel)), rng.standard_normal(F)


def picture(student, x, w, b, stride, padding, shape):
    """The student's y, which has the right shape."""
    name = f"y for x {x.shape}, w {w.shape}, stride={stride} and padding={padding}"
    got = expect.array(name, student.conv_transpose2d(x, w, b, stride, padding))
    off = {2 * padding: ": cut P rows and columns off on every side",
           4 * padding: ": the padding is cut off here, not added"}
    if got.ndim == 4 and padding and got.shape[2:] != shape[2:]:
        for more, words in off.items():
            if got.shape[2:] == tuple(n + more for n in shape[2:]):
                raise expect.Wrong(f"{name} has shape {got.shape}, expected {shape}{words}")
    if 0 in got.shape:
        raise expect.Wrong(f"{name} has shape {got.shape}, nothing is left of it: a slice like [0:-0] is empty; say where "
                           "it ends")
    expect.shape(name, got, shape)
    return got


def compare(student, x, w, b, stride=1, padding=0):
    """The student's y against the oracle, and against what goes wrong most often."""
    right, bias = conv_transpose2d(x, w, b, stride, padding), b[:, None, None]
    stamped, (OH, OW) = stamp(x, w, stride), right.shape[2:]
    stamps = stamp(np.ones((1, 1, *x.shape[2:])), np.ones((1, 1, *w.shape[2:])), stride)   # how many meet in each pixel
    got = picture(student, x, w, b, stride, padding, right.shape)
    expect.close(f"y with stride={stride} and padding={padding}", got, right, b=bias, mistaken={
        "keeps only the last of the stamps that meet in a pixel: = overwrites where += must add":
            cut(stamp(x, w, stride, replace), padding) + bias,
        "has its border cut off at the bottom right alone: P rows and columns go on every side":
            stamped[:, :, :OH, :OW] + bias,
        "has its border cut off at the top left alone: P rows and columns go on every side":
            stamped[:, :, -OH:, -OW:] + bias,
        "stamps the window flipped: w[c, f, p, q] goes to row i S + p":
            conv_transpose2d(x, w[:, :, ::-1, ::-1], b, stride, padding),
        "is computed without the bias b": right - bias,
        "adds the bias with every stamp: it comes once for each pixel of y": right + cut(stamps - 1, padding) * bias,
        "adds the bias with every stamp, and once more: it comes once for each pixel of y":
            right + cut(stamps, padding) * bias,
        "moves by one pixel whatever the stride": _narrow(x, w, stride, padding, bias) if stride > 1 else None,
        "uses w as (F, C): its first axis counts the channels of x":
            conv_transpose2d(x, w.swapaxes(0, 1), b, stride, padding) if w.shape[0] == w.shape[1] else None})


def _narrow(x, w, stride, padding, bias):
    """y where all stamps are one pixel apart, in an array of the right size."""
    stamped, narrow = np.zeros_like(stamp(x, w, stride)), stamp(x, w, 1)
    stamped[:, :, :narrow.shape[2], :narrow.shape[3]] = narrow[:, :, :stamped.shape[2], :stamped.shape[3]]
    return cut(stamped, padding) + bias


def seen(dy, w, x, stride, before, after):
    """(p, q, what the place (p, q) has written to) of dy with a border."""
    sides = ((before, after), (before, after))
    dstamped, (H, W) = np.pad(dy, ((0, 0), (0, 0), *sides)), x.shape[2:]
    for p, q in np.ndindex(*w.shape[2:]):
        yield p, q, dstamped[:, :, p:p + stride * H:stride, q:q + stride * W:stride]


def pulled(dy, x, w, stride, before, after, flip=False):
    """dx and dw, with a border of zeros before and after dy."""
    dx, dw = np.zeros_like(x), np.zeros_like(w)
    for p, q, part in seen(dy, w, x, stride, before, after):
        for c, f in np.ndindex(*w.shape[:2]):
            dx[:, c] += part[:, f] * (w[c, f, -1 - p, -1 - q] if flip else w[c, f, p, q])
            dw[c, f, p, q] = (x[:, c] * part[:, f]).sum()
    return dx, dw, None


def last_place(dy, x, w, b, stride, padding):
    """dx where = stands in the place of +=."""
    *_, (p, q, part) = seen(dy, w, x, stride, padding, padding)
    return np.einsum("nfij,cf->ncij", part, w[:, :, p, q]), None, None


def gradient(student, rng, stride, padding, **sizes):
    """All gradients."""
    x, w, b = draw(rng, **sizes)
    name = "conv_transpose2d_backward"
    expect.gradient(name, conv_transpose2d, student.conv_transpose2d_backward, seed=int(rng.integers(1000)), x=x, w=w, b=b,
                    options={"stride": stride, "padding": padding}, mistaken={
        "dx keeps only the last place of the window: = overwrites where += must add": last_place,
        "dx uses the window flipped: what forward writes with w[p, q], backward reads with w[p, q]":
            lambda dy, x, w, b, stride, padding: pulled(dy, x, w, stride, padding, padding, flip=True),
        "the border that was cut off belongs on both sides of dy: it has been put behind it alone":
            lambda dy, x, w, b, stride, padding: pulled(dy, x, w, stride, 0, 2 * padding),
        "the border that was cut off belongs on both sides of dy: it has been put before it alone":
            lambda dy, x, w, b, stride, padding: pulled(dy, x, w, stride, 2 * padding, 0)})


@exercise.check(points=15, name="the shape of y")
def shape(student, rng):
    for size, kernel, stride, padding in (((3, 4), (3, 2), 1, 0), ((2, 5), (2, 3), 3, 0), ((4, 3), (4, 4), 2, 1)):
        x, w, b = draw(rng, size, kernel)
        right = (2, 3, *((n - 1) * stride + k - 2 * padding for n, k in zip(size, kernel)))
        picture(student, x, w, b, stride, padding, right)


@exercise.check(points=20, name="forward with stride 1")
def overlapping(student, rng):
    compare(student, *draw(rng, kernel=(1, 1)))
    compare(student, *draw(rng))
    compare(student, *draw(rng, size=(3, 3), kernel=(3, 3), F=2))


@exercise.check(points=20, name="forward with stride and padding")
def strided(student, rng):
    compare(student, *draw(rng), stride=2)
    compare(student, *draw(rng, kernel=(2, 2)), stride=3)
    compare(student, *draw(rng, kernel=(3, 4)), stride=1, padding=1)
    compare(student, *draw(rng, size=(2, 3), kernel=(4, 3)), stride=2, padding=1)
    compare(student, *draw(rng, size=(4, 5), kernel=(2, 1), C=3, F=6), stride=2)


@exercise.check(points=35, name="backward")
def backward(student, rng):
    gradient(student, rng, 1, 0, size=(2, 3), kernel=(2, 2), N=3)
    gradient(student, rng, 2, 0, size=(2, 3), kernel=(3, 2), F=2)
    gradient(student, rng, 2, 1, size=(3, 2), kernel=(3, 3), F=2)
    gradient(student, rng, 2, 0, size=(4, 1), kernel=(2, 5), C=3, F=4)


@exercise.check(points=10, name="the arguments and the dtype stay as they were")
def contract(student, rng):
    x, w, b = (a.astype(np.float32) for a in draw(rng))
    y = expect.unchanged(student.conv_transpose2d, x, w, b, 2, 0)
    expect.dtype("y", y, np.float32)
    got = expect.several("conv_transpose2d_backward",
                         expect.unchanged(student.conv_transpose2d_backward, y, x, w, b, 2, 0), "dx, dw, db")
    for name, gradient in zip(("dx", "dw", "db"), got):
        expect.dtype(name, gradient, np.float32)


exercise.mistake("= in the place of +=", old="q:q + stride * W:stride] += part", new="q:q + stride * W:stride] = part",
                 says="= overwrites")
exercise.mistake("the window is flipped", old='"ncij,cf->nfij", x, w[:, :, p, q])',
                 new='"ncij,cf->nfij", x, w[:, :, KH - 1 - p, KW - 1 - q])', says="stamps the window flipped")
exercise.mistake("the size of a convolution's output", old="(H - 1) * stride + KH, (W - 1) * stride + KW",
                 new="H * stride + KH, W * stride + KW", says="y for x .* has shape")
exercise.mistake("cut off at the bottom right alone", old="padding:rows - padding, padding:cols - padding]",
                 new=":rows - 2 * padding, :cols - 2 * padding]", says="bottom right alone")
exercise.mistake("a slice up to -padding", old="padding:rows - padding, padding:cols - padding]",
                 new="padding:-padding, padding:-padding]", says=r"\[0:-0\] is empty")
exercise.mistake("the bias is in the loop", old="x, w[:, :, p, q])\n            stamped",
                 new="x, w[:, :, p, q]) + b[:, None, None]\n            stamped",
                 says="adds the bias with every stamp")
exercise.mistake("the stride is forgotten", old="stamped[:, :, p:p + stride * H:stride, q:q + stride * W:stride] += part",
                 new="stamped[:, :, p:p + H, q:q + W] += part", says="moves by one pixel whatever the stride")
exercise.mistake("backward puts the border behind dy alone",
                 old="np.pad(dy, ((0, 0), (0, 0), (padding, padding), (padding, padding)))",
                 new="np.pad(dy, ((0, 0), (0, 0), (0, 2 * padding), (0, 2 * padding)))", says="put behind it alone")
exercise.mistake("dx keeps the last place", old="dx += np", new="dx = np", says="dx keeps only the last place")
exercise.mistake("dx uses the window flipped", old='"nfij,cf->ncij", seen, w[:, :, p, q])',
                 new='"nfij,cf->ncij", seen, w[:, :, KH - 1 - p, KW - 1 - q])', says="dx uses the window flipped")
exercise.mistake("dx is summed into x", old="np.zeros_like(x), np.zeros_like(w)", new="x, np.zeros_like(w)",
                 says="conv_transpose2d_backward")
exercise.mistake("the bias is averaged over the batch", old="dy.sum(axis=(0, 2, 3))", new="dy.sum(axis=(2, 3)).mean(axis=0)",
                 says="db .*(mean|batch)")
