"""Checks of stride and padding."""
import numpy as np

from .. import expect
from ..exercise import Exercise

exercise = Exercise(
    title="Stride and padding", lecture=5, minutes=60,
    hints=("Draw a side of 7 pixels and a window of 3 that moves by 2: the windows begin at 0, 2, 4. np.pad(x, ((0, 0), "
           "(0, 0), (P, P), (P, P))) puts the zeros around.",
           "The slice of a place (p, q) begins at p, has the step S, and must have OH entries: p:p + S * OH:S. Use the same "
           "slice in forward (read), for dw (read) and for dx (add).",
           "In backward: dpadded = zeros of the padded shape; in the loops dpadded[..., p:p + S * OH:S, q:q + S * OW:S] += "
           "einsum('nfij,fc->ncij', dy, w[:, :, p, q]); dx = dpadded[:, :, P:P + H, P:P + W]."))

AROUND = ((0, 0), (0, 0))


def output_size(size, kernel, stride, padding):
    """The oracle: count."""
    return sum(1 for first in range(0, size + 2 * padding, stride) if first + kernel <= size + 2 * padding)


def conv2d(x, w, b, stride=1, padding=0):
    """The oracle: one position of the window after the other."""
    (N, C, H, W), (F, _, KH, KW) = x.shape, w.shape
    padded = np.zeros((N, C, H + 2 * padding, W + 2 * padding))
    padded[:, :, padding:padding + H, padding:padding + W] = x
    y = np.zeros((N, F, output_size(H, KH, stride, padding), output_size(W, KW, stride, padding)))
    for i, j in np.ndindex(*y.shape[2:]):
        window = padded[:, :, i * stride:i * stride + KH, j * stride:j * stride + KW]
        y[:, :, i, j] = np.einsum("ncpq,fcpq->nf", window, w) + b
    return y


def draw(rng, size, kernel, N=2, C=2, F=2):
    """x, w and b."""
    return rng.standard_normal((N, C, *size)), rng.standard_normal((F, C, *kernel)), rng.standard_normal(F)


def forward(student, x, w, b, stride, padding):
    """The student's y against the oracle, and against what goes wrong most often."""
    right = conv2d(x, w, b, stride, padding)
    OH, OW = right.shape[2:]

    def lopsided(*sides, mode="constant"):
        return conv2d(np.pad(x, (*AROUND, sides, sides), mode), w, b, stride)

    expect.close(f"y with stride={stride} and padding={padding}", student.conv2d(x, w, b, stride, padding), right,
                 b=b[:, None, None], mistaken={
        "steps by 1 whatever the stride": conv2d(x, w, b, 1, padding)[:, :, :OH, :OW],
        "has all of the padding on the left and at the top": lopsided(2 * padding, 0),
        "has all of the padding on the right and at the bottom": lopsided(0, 2 * padding),
        "repeats the border of the picture: the padding is zeros": lopsided(padding, padding, mode="edge"),
        "mirrors the border of the picture: the padding is zeros": _or_none(lopsided, padding, padding, mode="reflect"),
        "counts only the last place of the window: = overwrites where += must add":
            conv2d(x, w * (np.indices(w.shape)[2:].sum(0) == sum(w.shape[2:]) - 2), b, stride, padding)})


def _or_none(function, *args, **options):
    try:
        return function(*args, **options)
    except ValueError:
        return None


def pull(dy, x, w, stride, padding, step=None, join=np.add):
    """The gradient of the padded picture; `step` in the place of the stride, `join` in that of +=."""
    dpadded = np.zeros((*x.shape[:2], *(n + 2 * padding for n in x.shape[2:])))
    for p, q, i, j in np.ndindex(*w.shape[2:], *dy.shape[2:]):
        at = np.s_[:, :, i * (step or stride) + p, j * (step or stride) + q]
        dpadded[at] = join(dpadded[at], dy[:, :, i, j] @ w[:, :, p, q])
    return dpadded


def replace(old, new):
    """What = does."""
    return new


def middle(dpadded, x, padding):
    """Where x lies in the padded picture."""
    return dpadded[:, :, padding:padding + x.shape[2], padding:padding + x.shape[3]], None, None


def unseen(dy, x, w, stride, padding):
    """dw where the zeros of the padding are taken for more of x: x at the top left of the padded picture."""
    padded = np.pad(x, (*AROUND, (0, 2 * padding), (0, 2 * padding)))
    dw = np.zeros(w.shape)
    for p, q, i, j in np.ndindex(*w.shape[2:], *dy.shape[2:]):
        dw[:, :, p, q] += dy[:, :, i, j].T @ padded[:, :, i * stride + p, j * stride + q]
    return None, dw, None


def backward(student, rng, size, kernel, stride, padding, **more):
    """All gradients."""
    x, w, b = draw(rng, size, kernel, **more)
    expect.gradient("conv2d_backward", conv2d, student.conv2d_backward, seed=int(rng.integers(1000)), x=x, w=w, b=b,
                    options={"stride": stride, "padding": padding}, mistaken={
        "dx is cut out at the top left: x begins behind the padding, at row and column `padding`":
            lambda dy, x, w, b, stride, padding: middle(pull(dy, x, w, stride, padding), x, 0),
        "dx keeps only what the last place of the window has written: = overwrites where += must add":
            lambda dy, x, w, b, stride, padding: middle(pull(dy, x, w, stride, padding, join=replace), x, padding),
        "dx puts neighbouring windows one pixel apart, whatever the stride":
            lambda dy, x, w, b, stride, padding: middle(pull(dy, x, w, stride, padding, step=1), x, padding),
        "dx uses the window flipped: what forward reads beside w[p, q], backward adds to beside w[p, q]":
            lambda dy, x, w, b, stride, padding: middle(pull(dy, x, w[:, :, ::-1, ::-1], stride, padding), x, padding),
        "dw looks at x without its padding: it must read what forward has read":
            lambda dy, x, w, b, stride, padding: unseen(dy, x, w, stride, padding)})


@exercise.check(points=15, name="the number of positions")
def positions(student, rng):
    asked = [(7, 3, 2, 1), (6, 3, 2, 0)]
    for _ in range(6):
        kernel, stride, padding = int(rng.integers(1, 5)), int(rng.integers(1, 4)), int(rng.integers(0, 3))
        asked.append((int(rng.integers(kernel, 12)), kernel, stride, padding))
    right, got = [output_size(*a) for a in asked], [student.output_size(*a) for a in asked]
    known = {"the stride is forgotten": lambda n, k, s, p: n + 2 * p - k + 1,
             "the first position is not counted": lambda n, k, s, p: (n + 2 * p - k) // s,
             "the padding is on both sides, count it twice": lambda n, k, s, p: (n + p - k) // s + 1,
             "the padding is forgotten": lambda n, k, s, p: (n - k) // s + 1,
             "a window that does not fit is counted, round down": lambda n, k, s, p: -(-(n + 2 * p - k) // s) + 1,
             "without the division of integers, //": lambda n, k, s, p: (n + 2 * p - k) / s + 1}
    for a, yours, count in zip(asked, got, right):
        if yours != count:
            why = next((f": {words}" for words, law in known.items() if got == [law(*a) for a in asked]), "")
            raise expect.Wrong(f"output_size{a} is {yours!r:.50}, expected {count}{why}")
        if not isinstance(yours, int):
            raise expect.Wrong(f"output_size{a} must be an integer, got {yours!r:.50}: // divides integers")


@exercise.check(points=15, name="forward with padding")
def forward_padded(student, rng):
    forward(student, *draw(rng, (4, 5), (3, 3), F=3), 1, 0)
    forward(student, *draw(rng, (4, 5), (3, 3), F=3), 1, 1)
    forward(student, *draw(rng, (3, 5), (3, 2), F=3), 1, 2)
    forward(student, *draw(rng, (4, 5), (2, 1), C=3, F=5), 1, 1)


@exercise.check(points=20, name="forward with stride")
def forward_strided(student, rng):
    forward(student, *draw(rng, (5, 7), (3, 3), F=3), 2, 0)
    forward(student, *draw(rng, (6, 7), (3, 2), F=3), 2, 0)
    forward(student, *draw(rng, (5, 6), (2, 3), F=3), 3, 1)
    forward(student, *draw(rng, (4, 5), (2, 1), C=3, F=5), 2, 1)


@exercise.check(points=15, name="backward with padding")
def backward_padded(student, rng):
    backward(student, rng, (3, 2), (2, 2), 1, 0)
    backward(student, rng, (3, 4), (3, 3), 1, 1)
    backward(student, rng, (4, 3), (2, 1), 1, 1, N=2, C=1, F=5)


@exercise.check(points=25, name="backward with stride")
def backward_strided(student, rng):
    backward(student, rng, (5, 4), (3, 2), 2, 0)
    backward(student, rng, (4, 5), (3, 2), 2, 1)     # the last column is left over
    backward(student, rng, (4, 3), (2, 2), 3, 1)     # and so are rows between the windows
    backward(student, rng, (4, 5), (2, 1), 2, 1, C=3, F=5)


@exercise.check(points=10, name="the arguments and the dtype stay as they were")
def contract(student, rng):
    x, w, b = (a.astype(np.float32) for a in draw(rng, (4, 5), (2, 2)))
    for stride, padding in ((1, 0), (2, 1)):
        y = expect.unchanged(student.conv2d, x, w, b, stride, padding)
        expect.dtype("y", y, np.float32)
        got = expect.several("conv2d_backward", expect.unchanged(student.conv2d_backward, y, x, w, b, stride, padding),
                             "dx, dw, db")
        for name, gradient in zip(("dx", "dw", "db"), got):
            expect.dtype(name, gradient, np.float32)


exercise.mistake("the first position is not counted", old="- kernel) // stride + 1", new="- kernel) // stride",
                 says="first position is not counted")
exercise.mistake("one padding in the place of two", old="size + 2 * padding - kernel", new="size + padding - kernel",
                 says="padding is on both sides")
exercise.mistake("forward forgets the stride", old="seen = padded[:, :, p:p + stride * OH:stride, q:q + stride * OW:stride]",
                 new="seen = padded[:, :, p:p + OH, q:q + OW]", says="steps by 1 whatever the stride")
exercise.mistake("backward forgets the stride in dx", old="            dpadded[place] +=",
                 new="            dpadded[:, :, p:p + OH, q:q + OW] +=", says="dx puts neighbouring windows one pixel apart")
exercise.mistake("dx is cut out at the top left", old="dpadded[:, :, padding:padding + H, padding:padding + W]",
                 new="dpadded[:, :, :H, :W]", says="dx is cut out at the top left")
exercise.mistake("a slice up to -padding", old="dpadded[:, :, padding:padding + H, padding:padding + W]",
                 new="dpadded[:, :, padding:-padding, padding:-padding]", says=r"dx has shape \(2, 2, 0, 0\)")
exercise.mistake("= in the place of +=", old="dpadded[place] += np", new="dpadded[place] = np", says="= overwrites")
exercise.mistake("the border is repeated", old="    y = np.zeros((N, F, OH, OW), x.dtype)\n",
                 new='    padded = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)), mode="edge")\n'
                     "    y = np.zeros((N, F, OH, OW), x.dtype)\n", says="the padding is zeros")
exercise.mistake("dw reads x without its padding", old="dy, padded[place])",
                 new="dy, np.pad(x, ((0, 0), (0, 0), (0, 2 * padding), (0, 2 * padding)))[place])",
                 says="dw looks at x without")
exercise.mistake("only for square pictures",
                 old="OW = output_size(H, KH, stride, padding), output_size(W, KW, stride, padding)",
                 new="OW = [output_size(H, KH, stride, padding)] * 2", says="raised ValueError|has shape")
exercise.mistake("the kernel is flipped in backward", old="dy, w[:, :, p, q])\n    dx",
                 new="dy, w[:, :, KH - 1 - p, KW - 1 - q])\n    dx", says="window flipped")
