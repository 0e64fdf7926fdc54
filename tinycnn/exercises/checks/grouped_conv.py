"""Checks of the convolution in groups."""
import numpy as np

from .. import expect
from ..exercise import Exercise

exercise = Exercise(
    title="Groups, and depthwise convolution", lecture=5, minutes=60,
    hints=("Begin with a loop over the groups and the convolution you know for each: group g takes x[:, g * C // G:(g + 1) "
           "* C // G] and w[g * F // G:(g + 1) * F // G], and fills as many channels of y.",
           "Consecutive channels form a group, so x.reshape(N, G, C // G, H, W) is right, and (N, C // G, G, H, W) is not. "
           "w has only C/G channels; its first axis counts all F outputs.",
           "With the group g as an index of its own: forward 'ngcij,gfc->ngfij', dw 'ngfij,ngcij->gfc', dx "
           "'ngfij,gfc->ngcij' with +=, each for a fixed (p, q); db is dy.sum(axis=(0, 2, 3))."))


def conv2d(x, w, b, groups):
    """The oracle: one output channel after the other, from the channels of its group."""
    (N, C, H, W), (F, _, KH, KW) = x.shape, w.shape
    y = np.zeros((N, F, H - KH + 1, W - KW + 1))
    for f in range(F):
        first = f // (F // groups) * (C // groups)
        for i, j in np.ndindex(*y.shape[2:]):
            window = x[:, first:first + C // groups, i:i + KH, j:j + KW]
            y[:, f, i, j] = (window * w[f]).sum((1, 2, 3)) + b[f]
    return y


def draw(rng, C, F, groups, N=2, size=(3, 4), kernel=(2, 2)):
    """x, w and b."""
    return rng.standard_normal((N, C, *size)), rng.standard_normal((F, C // groups, *kernel)), rng.standard_normal(F)


def dealt(count, groups):
    """The order that deals out channels one by one, as one deals out cards."""
    return np.arange(count).reshape(count // groups, groups).T.ravel()


def compare(student, rng, C, F, groups, **sizes):
    """The student's y against the oracle, and against what goes wrong most often."""
    x, w, b = draw(rng, C, F, groups, **sizes)
    right, zero, per = conv2d(x, w, b, groups), 0 * b, F // groups
    kind = "of a depthwise convolution" if groups == C else f"with groups={groups}"
    only = np.where(np.indices(w.shape)[2:].sum(0) == sum(w.shape[2:]) - 2, w, 0)
    expect.close(f"y {kind}, C = {C}, F = {F}", student.conv2d(x, w, b, groups), right, b=b[:, None, None], mistaken={
        "lets every group look at the channels of the first": conv2d(np.tile(x[:, :C // groups], (1, groups, 1, 1)), w, b,
                                                                     groups),
        "lets every group use the weights of the first": conv2d(x, np.tile(w[:per], (groups, 1, 1, 1)), b, groups),
        "deals the input channels out one by one: a group is C/G consecutive channels":
            conv2d(x[:, dealt(C, groups)], w, b, groups),
        "deals the output channels out one by one: a group is F/G consecutive channels":
            conv2d(x, w[dealt(F, groups)], zero, groups)[:, np.argsort(dealt(F, groups))] + b[:, None, None],
        "takes the weights dealt out one by one: output f uses w[f]": conv2d(x, w[dealt(F, groups)], b, groups),
        "has its output channels in the order (F/G, G), where (G, F/G) belongs":
            conv2d(x, w, zero, groups).reshape(len(x), groups, per, *right.shape[2:]).swapaxes(1, 2).reshape(right.shape)
            + b[:, None, None],
        "counts only the last place of the window: = overwrites where += must add": conv2d(x, only, b, groups),
        "sees only the first channel of each group":
            conv2d(x, w * (np.arange(C // groups) == 0)[:, None, None], b, groups) if groups < C else None})


def gradient(student, rng, C, F, groups, **sizes):
    """All gradients."""
    x, w, b = draw(rng, C, F, groups, **sizes)
    expect.gradient("conv2d_backward", conv2d, student.conv2d_backward, seed=int(rng.integers(1000)), x=x, w=w, b=b,
                    options={"groups": groups}, mistaken={
        "dx keeps only what the last place of the window has written: = overwrites where += must add":
            lambda dy, x, w, b, groups: (overwritten(dy, x, w, groups), None, None),
        "dx has its channels dealt out one by one: a group is C/G consecutive channels, so the axes are (G, C/G)":
            lambda dy, x, w, b, groups: (pulled(dy, x, w, groups)[:, np.argsort(dealt(x.shape[1], groups))], None, None)})


def terms(dy, x, w, groups):
    """For each place of the window its slice of x, and what it adds there."""
    (F, per, KH, KW), (OH, OW) = w.shape, dy.shape[2:]
    for p, q in np.ndindex(KH, KW):
        part = np.zeros((*x.shape[:2], OH, OW))
        for f in range(F):
            first = f // (F // groups) * per
            part[:, first:first + per] += dy[:, f, None] * w[f, :, p, q][:, None, None]
        yield np.s_[:, :, p:p + OH, q:q + OW], part


def pulled(dy, x, w, groups):
    """The right dx."""
    dx = np.zeros(x.shape)
    for place, part in terms(dy, x, w, groups):
        dx[place] += part
    return dx


def overwritten(dy, x, w, groups):
    """dx with = in the place of +=."""
    dx = np.zeros(x.shape)
    for place, part in terms(dy, x, w, groups):
        dx[place] = part
    return dx


@exercise.check(points=10, name="the number of parameters")
def count(student, rng):
    for groups in (1, 2, 4):
        C, F = (groups * int(n) for n in rng.permutation([2, 3]))
        KH, KW = (int(n) for n in rng.permutation([3, 2]))
        right = sum(1 for _ in np.ndindex(F, C // groups, KH, KW)) + F
        got = student.parameters(C, F, KH, KW, groups)
        words = {right - F: "without the biases", F * C * KH * KW + F: "w has only C/G channels",
                 F * C // groups ** 2 * KH * KW + F: "every one of the F outputs has its weights, not F/G of them",
                 right - F + F // groups: "every one of the F outputs has a bias"}
        if got != right:
            raise expect.Wrong(f"parameters({C}, {F}, {KH}, {KW}, {groups}) is {got!r:.50}, expected {right}"
                               + (f": {words[got]}" if isinstance(got, (int, float)) and got in words else ""))


@exercise.check(points=35, name="forward")
def forward(student, rng):
    compare(student, rng, 2, 3, 1)
    compare(student, rng, 4, 6, 2)
    compare(student, rng, 6, 4, 2)
    compare(student, rng, 6, 3, 3, size=(4, 3), kernel=(3, 2))
    compare(student, rng, 4, 6, 2, size=(3, 5), kernel=(3, 1))


@exercise.check(points=10, name="forward, depthwise")
def depthwise(student, rng):
    compare(student, rng, 3, 3, 3)
    compare(student, rng, 3, 6, 3)


@exercise.check(points=35, name="backward")
def backward(student, rng):
    gradient(student, rng, 2, 3, 1, size=(3, 3))
    gradient(student, rng, 4, 6, 2, size=(3, 2))
    gradient(student, rng, 6, 3, 3, size=(2, 3), N=3)
    gradient(student, rng, 3, 6, 3, size=(2, 3))
    gradient(student, rng, 4, 6, 2, size=(3, 5), kernel=(3, 1))


@exercise.check(points=10, name="the arguments and the dtype stay as they were")
def contract(student, rng):
    x, w, b = (a.astype(np.float32) for a in draw(rng, 4, 2, 2))
    y = expect.unchanged(student.conv2d, x, w, b, 2)
    expect.dtype("y", y, np.float32)
    got = expect.several("conv2d_backward", expect.unchanged(student.conv2d_backward, y, x, w, b, 2), "dx, dw, db")
    for name, gradient in zip(("dx", "dw", "db"), got):
        expect.dtype(name, gradient, np.float32)


exercise.mistake("the weights are counted without groups", old="F * (C // groups) * KH", new="F * C * KH",
                 says="only C/G channels")
exercise.mistake("the input channels are dealt out one by one", old="    x = x.reshape(N, groups, C // groups, H, W)",
                 new="    x = x.reshape(N, C // groups, groups, H, W).swapaxes(1, 2)", says="deals the input channels out")
exercise.mistake("the output channels are dealt out one by one", old="    return y.reshape(N, F, OH, OW) + b",
                 new="    return y.swapaxes(1, 2).reshape(N, F, OH, OW) + b", says=r"order \(F/G, G\)")
exercise.mistake("the weights are dealt out one by one", old="    w = w.reshape(groups, F // groups, C // groups, KH, KW)",
                 new="    w = w.reshape(F // groups, groups, C // groups, KH, KW).swapaxes(0, 1)", says="weights dealt out")
exercise.mistake("every group looks at the first", old="x[..., p:p + OH, q:q + OW], w[..., p, q])\n    return",
                 new="x[:, [0] * groups, :, p:p + OH, q:q + OW], w[..., p, q])\n    return", says="channels of the first")
exercise.mistake("every group uses the weights of the first", old="q:q + OW], w[..., p, q])",
                 new="q:q + OW], w[[0] * groups, ..., p, q])", says="weights of the first")
exercise.mistake("= in the place of +=", old="dx[..., p:p + OH, q:q + OW] += np", new="dx[..., p:p + OH, q:q + OW] = np",
                 says="= overwrites")
exercise.mistake("dx has its channels dealt out", old="dx.reshape(x.shape)", new="dx.swapaxes(1, 2).reshape(x.shape)",
                 says="dx has its channels dealt out")
exercise.mistake("only for depthwise", old='"ngcij,gfc->ngfij", x[..., p:p + OH, q:q + OW], w[..., p, q])',
                 new='"ngij,gf->ngfij", x[:, :, 0, p:p + OH, q:q + OW], w[:, :, 0, p, q])',
                 says="only the first channel of each")
exercise.mistake("the bias is not summed over the batch", old="dy.sum(axis=(0, 2, 3))", new="dy[0].sum(axis=(1, 2))",
                 says="db .*axis 0")
