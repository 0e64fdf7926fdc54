"""Checks of the convolution with the channels last."""
import numpy as np

from .. import expect
from ..exercise import Exercise

exercise = Exercise(
    title="Convolution with the channels last", lecture=11, minutes=60,
    hints=("np.pad wants a pair of widths for every axis: (0, 0) for the batch, (P, P) twice, (0, 0) for the channels. The "
           "rows are axis 1 here, and the columns axis 2.",
           "Forward is y += padded[:, p:p + S * OH:S, q:q + S * OW:S] @ w[p, q] in two loops, then + b. Backward goes "
           "through the same slices.",
           "dpadded[slice] += dy @ w[p, q].T; dw[p, q] = padded[slice].reshape(-1, C).T @ dy.reshape(-1, F); dx = "
           "dpadded[:, P:P + H, P:P + W]; db = dy.sum(axis=(0, 1, 2))."))


def conv2d(x, w, b, stride=1, padding=0):
    """The oracle: one position of the window after the other."""
    (N, H, W, C), (KH, KW, _, F) = x.shape, w.shape
    padded = np.zeros((N, H + 2 * padding, W + 2 * padding, C))
    padded[:, padding:padding + H, padding:padding + W] = x
    y = np.zeros((N, (H + 2 * padding - KH) // stride + 1, (W + 2 * padding - KW) // stride + 1, F))
    for i, j in np.ndindex(*y.shape[1:3]):
        window = padded[:, i * stride:i * stride + KH, j * stride:j * stride + KW]
        y[:, i, j] = np.einsum("npqc,pqcf->nf", window, w) + b
    return y


def draw(rng, size=(4, 5), kernel=(3, 2), N=2, C=2, F=3):
    """x, w and b."""
    return rng.standard_normal((N, *size, C)), rng.standard_normal((*kernel, C, F)), rng.standard_normal(F)


def compare(student, x, w, b, stride=1, padding=0):
    """The student's y against the oracle, and against what goes wrong most often."""
    right, P = conv2d(x, w, b, stride, padding), padding
    _, OH, OW, _ = right.shape
    name = f"y with stride={stride} and padding={padding}"
    last = np.zeros_like(w)
    last[-1, -1] = w[-1, -1]
    expect.close(name, student.conv2d(x, w, b, stride, padding), right, b=b, mistaken={
        "steps by 1 whatever the stride": conv2d(x, w, b, 1, padding)[:, :OH, :OW],
        "is computed without the bias b": right - b,
        "uses the kernel flipped: place (p, q) of the window meets w[p, q]": conv2d(x, w[::-1, ::-1], b, stride, padding),
        "counts only the last place of the window: = overwrites where += must add": conv2d(x, last, b, stride, padding),
        "has all of the padding on the left and at the top":
            conv2d(np.pad(x, ((0, 0), (2 * P, 0), (2 * P, 0), (0, 0))), w, b, stride),
        "takes the columns of the picture for its rows":
            conv2d(x.swapaxes(1, 2), w, b, stride, padding) if x.shape[1] == x.shape[2] else None,
        "uses w as (F, C): its third axis counts the channels of x":
            conv2d(x, w.swapaxes(2, 3), b, stride, padding) if w.shape[2] == w.shape[3] else None,
        "uses the window with its rows and columns exchanged":
            conv2d(x, w.swapaxes(0, 1), b, stride, padding) if w.shape[0] == w.shape[1] else None})


def pulled(dy, x, w, stride, padding, step=None, join=np.add):
    """The gradient of the padded picture; `step` in the place of the stride, `join` in that of +=."""
    dpadded = np.zeros((len(x), *(n + 2 * padding for n in x.shape[1:3]), x.shape[3]))
    for p, q, i, j in np.ndindex(*w.shape[:2], *dy.shape[1:3]):
        at = np.s_[:, i * (step or stride) + p, j * (step or stride) + q]
        dpadded[at] = join(dpadded[at], dy[:, i, j] @ w[p, q].T)
    return dpadded


def middle(dpadded, x, padding):
    """Where x lies in the padded picture."""
    return dpadded[:, padding:padding + x.shape[1], padding:padding + x.shape[2]], None, None


def replace(old, new):
    """What = does."""
    return new


def first_picture(dy, x, w, stride, padding):
    """dw of the first picture alone."""
    padded, dw = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0))), np.zeros(w.shape)
    for p, q, i, j in np.ndindex(*w.shape[:2], *dy.shape[1:3]):
        dw[p, q] += np.outer(padded[0, i * stride + p, j * stride + q], dy[0, i, j])
    return None, dw, None


def gradient(student, rng, stride, padding, **sizes):
    """All gradients."""
    x, w, b = draw(rng, **sizes)
    expect.gradient("conv2d_backward", conv2d, student.conv2d_backward, seed=int(rng.integers(1000)), x=x, w=w, b=b,
                    options={"stride": stride, "padding": padding}, mistaken={
        "dx is cut out at the top left: x begins behind the padding, at row and column `padding`":
            lambda dy, x, w, b, stride, padding: middle(pulled(dy, x, w, stride, padding), x, 0),
        "dx keeps only what the last place of the window has written: = overwrites where += must add":
            lambda dy, x, w, b, stride, padding: middle(pulled(dy, x, w, stride, padding, join=replace), x, padding),
        "dx puts neighbouring windows one pixel apart, whatever the stride":
            lambda dy, x, w, b, stride, padding: middle(pulled(dy, x, w, stride, padding, step=1), x, padding),
        "dx uses the window flipped: what forward reads beside w[p, q], backward adds to beside w[p, q]":
            lambda dy, x, w, b, stride, padding: middle(pulled(dy, x, w[::-1, ::-1], stride, padding), x, padding),
        "dw looks at the first picture alone: it is the sum over the batch":
            lambda dy, x, w, b, stride, padding: first_picture(dy, x, w, stride, padding)})


@exercise.check(points=10, name="the shape of y")
def shape(student, rng):
    for size, kernel, stride, padding in (((5, 7), (3, 2), 1, 0), ((6, 4), (2, 3), 2, 1)):
        x, w, b = draw(rng, size, kernel)
        expect.shape(f"y for x {x.shape}, w {w.shape}, stride={stride} and padding={padding}",
                     student.conv2d(x, w, b, stride, padding), conv2d(x, w, b, stride, padding).shape)


@exercise.check(points=20, name="forward")
def forward(student, rng):
    compare(student, *draw(rng, kernel=(1, 1)))
    compare(student, *draw(rng))
    compare(student, *draw(rng, size=(4, 4), kernel=(2, 2), F=2))


@exercise.check(points=20, name="forward with stride and padding")
def strided(student, rng):
    compare(student, *draw(rng, kernel=(3, 3)), padding=1)
    compare(student, *draw(rng, size=(5, 7), kernel=(3, 3)), stride=2)
    compare(student, *draw(rng, size=(4, 5)), stride=2, padding=1)
    compare(student, *draw(rng, size=(4, 5), kernel=(2, 1), C=3, F=6), stride=2)


@exercise.check(points=20, name="backward")
def backward(student, rng):
    gradient(student, rng, 1, 0, size=(2, 3), kernel=(1, 1), N=3)
    gradient(student, rng, 1, 0, size=(3, 3), kernel=(2, 2), N=3)


@exercise.check(points=20, name="backward with stride and padding")
def strided_backward(student, rng):
    gradient(student, rng, 1, 1, size=(3, 3), kernel=(3, 2), F=2)
    gradient(student, rng, 2, 1, size=(4, 3), kernel=(3, 2), F=2)


@exercise.check(points=10, name="the arguments and the dtype stay as they were")
def contract(student, rng):
    x, w, b = (a.astype(np.float32) for a in draw(rng))
    y = expect.unchanged(student.conv2d, x, w, b, 1, 1)
    expect.dtype("y", y, np.float32)
    got = expect.several("conv2d_backward", expect.unchanged(student.conv2d_backward, y, x, w, b, 1, 1), "dx, dw, db")
    for name, gradient in zip(("dx", "dw", "db"), got):
        expect.dtype(name, gradient, np.float32)


exercise.mistake("the stride is forgotten", old="padded[:, p:p + stride * OH:stride, q:q + stride * OW:stride] @",
                 new="padded[:, p:p + OH, q:q + OW] @", says="steps by 1 whatever the stride")
exercise.mistake("the result has its channels first", old="    return y + b\n",
                 new="    return (y + b).transpose(0, 3, 1, 2)\n", says="axes are in another order")
exercise.mistake("the bias is forgotten", old="    return y + b\n", new="    return y\n", says="without the bias")
exercise.mistake("the bias is summed as in NCHW", old="dy.sum(axis=(0, 1, 2))", new="dy.sum(axis=(0, 2, 3))",
                 says=r"db has shape \(\d+,\), but b has shape")
exercise.mistake("the bias is not summed over the batch", old="dy.sum(axis=(0, 1, 2))", new="dy.sum(axis=(1, 2))",
                 says="db has shape.*sum it over axis 0")
exercise.mistake("= in the place of +=", old="dpadded[place] += dy", new="dpadded[place] = dy", says="= overwrites")
exercise.mistake("forward overwrites", old="y += padded", new="y = padded", says="= overwrites")
exercise.mistake("w is not transposed", old="dy @ w[p, q].T", new="dy @ w[p, q]", says="raised ValueError.*matmul")
exercise.mistake("w is flipped in backward", old="dy @ w[p, q].T", new="dy @ w[KH - 1 - p, KW - 1 - q].T",
                 says="window flipped")
exercise.mistake("dx is cut out at the top left", old="dpadded[:, padding:padding + H, padding:padding + W]",
                 new="dpadded[:, :H, :W]", says="cut out at the top left")
exercise.mistake("dw is that of the first picture", old="padded[place].reshape(-1, C).T @ dy.reshape(-1, F)",
                 new="padded[place][0].reshape(-1, C).T @ dy[0].reshape(-1, F)", says="first picture alone")
exercise.mistake("dw is averaged over the batch", old="dy.reshape(-1, F)", new="dy.reshape(-1, F) / len(x)",
                 says="dw .*a mean stands")
