"""Checks of the backward convolution."""
import numpy as np

from .. import expect
from ..exercise import Exercise

exercise = Exercise(
    title="Convolution, backward", lecture=4, minutes=60,
    hints=("Begin with db, which is one sum: over which axes of dy (N, F, OH, OW), if one b[f] serves all pictures and all "
           "positions? Then dw, then dx.",
           "In the loops over p and q of the forward pass everything is at hand: shifted = x[:, :, p:p + OH, q:q + OW]. "
           "dw[:, :, p, q] sums dy times shifted over n, i, j: einsum 'nfij,ncij->fc'.",
           "dx = zeros; in the loops dx[:, :, p:p + OH, q:q + OW] += einsum('nfij,fc->ncij', dy, w[:, :, p, q]): what "
           "forward has read from a slice, backward adds to the same slice. db = dy.sum(axis=(0, 2, 3))."))


def conv2d(x, w, b):
    """The oracle: one position of the window after the other."""
    (N, _, H, W), (F, _, KH, KW) = x.shape, w.shape
    y = np.zeros((N, F, H - KH + 1, W - KW + 1))
    for i, j in np.ndindex(*y.shape[2:]):
        y[:, :, i, j] = np.einsum("ncpq,fcpq->nf", x[:, :, i:i + KH, j:j + KW], w) + b
    return y


def draw(rng, N=3, C=2, F=3, size=(3, 3), kernel=(2, 2)):
    """x, w and b."""
    return rng.standard_normal((N, C, *size)), rng.standard_normal((F, C, *kernel)), rng.standard_normal(F)


def parts(dy, x, w):
    """For each place (p, q): what it adds to dx, as an array of the shape of x."""
    OH, OW = dy.shape[2:]
    for p, q in np.ndindex(*w.shape[2:]):
        part = np.zeros_like(x)
        for n, f, i, j in np.ndindex(*dy.shape):
            part[n, :, i + p, j + q] += dy[n, f, i, j] * w[f, :, p, q]
        yield (slice(None), slice(None), slice(p, p + OH), slice(q, q + OW)), part


def overwritten(dy, x, w, b):
    """dx where = stands in the place of +=."""
    dx = np.zeros_like(x)
    for place, part in parts(dy, x, w):
        dx[place] = part[place]
    return dx, None, None


def top_left(dy, x, w, b):
    """dx where all places write to the same slice."""
    dx = np.zeros_like(x)
    for place, part in parts(dy, x, w):
        dx[:, :, :dy.shape[2], :dy.shape[3]] += part[place]
    return dx, None, None


def unshifted(dy, x, w, b):
    """dw where x is not shifted."""
    part = np.einsum("nfij,ncij->fc", dy, x[:, :, :dy.shape[2], :dy.shape[3]])
    return None, np.broadcast_to(part[:, :, None, None], w.shape), None


def unflipped(dy, x, w, b):
    """dx where the window is flipped once too often."""
    return sum(part for _, part in parts(dy, x, w[:, :, ::-1, ::-1])), None, None


def compare(student, rng, **sizes):
    """All gradients, with the mistakes for which no general law speaks as plainly."""
    x, w, b = draw(rng, **sizes)
    seed = int(rng.integers(1000))
    expect.gradient("conv2d_backward", conv2d, student.conv2d_backward, seed=seed, x=x, w=w, b=b, mistaken={
        "dw multiplies dy by the same part of x at every place of the window: x must be shifted by (p, q)": unshifted,
        "dx is not shifted: what belongs to place (p, q) of the window goes to dx[:, :, p:p + OH, q:q + OW]": top_left,
        "dx keeps only what the last place of the window has written: = overwrites where += must add": overwritten,
        "dx uses the window flipped: where forward reads x[i + p, j + q] beside w[p, q], backward adds to dx[i + p, j + q], "
        "again beside w[p, q]": unflipped})


@exercise.check(points=15, name="the shapes")
def shapes(student, rng):
    x, w, b = draw(rng, size=tuple(int(n) for n in rng.permutation([4, 5])), kernel=(3, 2))
    got = expect.several("conv2d_backward", student.conv2d_backward(0 * conv2d(x, w, b) + 1, x, w, b), "dx, dw, db")
    for name, gradient, right in zip(("dx", "dw", "db"), got, (x, w, b)):
        expect.shape(f"{name} of conv2d_backward", gradient, right.shape)


@exercise.check(points=20, name="windows of one pixel")
def one_pixel(student, rng):
    compare(student, rng, size=(2, 3), kernel=(1, 1))
    compare(student, rng, N=1, size=(3, 3), kernel=(1, 1))


@exercise.check(points=45, name="windows that overlap")
def overlap(student, rng):
    compare(student, rng)
    compare(student, rng, N=1, C=1, F=1, size=(5, 5), kernel=(3, 3))
    compare(student, rng, N=3, C=1, F=2, size=(3, 5), kernel=(2, 3))


@exercise.check(points=10, name="the window is the whole picture")
def whole(student, rng):
    compare(student, rng, size=(3, 2), kernel=(3, 2))


@exercise.check(points=10, name="the arguments and the dtype stay as they were")
def contract(student, rng):
    x, w, b = (a.astype(np.float32) for a in draw(rng))
    dy = conv2d(x, w, b).astype(np.float32)
    got = expect.several("conv2d_backward", expect.unchanged(student.conv2d_backward, dy, x, w, b), "dx, dw, db")
    for name, gradient in zip(("dx", "dw", "db"), got):
        expect.dtype(name, gradient, np.float32)


exercise.mistake("= in the place of +=", old="q:q + OW] += np", new="q:q + OW] = np", says="dx.*= overwrites")
exercise.mistake("the bias is not summed over the batch", old="dy.sum(axis=(0, 2, 3))", new="dy.sum(axis=(2, 3))",
                 says="db .*has shape")
exercise.mistake("the bias gets the first example alone", old="dy.sum(axis=(0, 2, 3))", new="dy[0].sum(axis=(1, 2))",
                 says="db .*only the first index of dy along axis 0.*sum over that axis")
exercise.mistake("the bias is averaged", old="dy.sum(axis=(0, 2, 3))", new="dy.mean(axis=(0, 2, 3))",
                 says="db .*mean stands")
exercise.mistake("the weights are averaged over the batch", old='"nfij,ncij->fc", dy, shifted)',
                 new='"nfij,ncij->fc", dy, shifted) / len(x)', says="dw .*3 is the batch size, a mean stands")
exercise.mistake("the kernel is flipped where it should not be", old="dy, w[:, :, p, q])",
                 new="dy, w[:, :, KH - 1 - p, KW - 1 - q])", says="uses the window flipped")
exercise.mistake("dx has the channels of w exchanged", old='"nfij,fc->ncij", dy, w[:, :, p, q])',
                 new='"nfij,cf->ncij", dy, w[:, :, p, q])', says="raised ValueError")
exercise.mistake("dw is flipped", old="dw[:, :, p, q] =", new="dw[:, :, KH - 1 - p, KW - 1 - q] =",
                 says="dw is flipped along")
exercise.mistake("dx is written at the top left", old="dx[:, :, p:p + OH, q:q + OW] +=", new="dx[:, :, :OH, :OW] +=",
                 says="dx is not shifted")
exercise.mistake("dw forgets the shift", old="shifted = x[:, :, p:p + OH, q:q + OW]", new="shifted = x[:, :, :OH, :OW]",
                 says="x must be shifted by")
