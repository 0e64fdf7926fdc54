"""Checks of the four mended functions."""
import numpy as np

from .. import expect
from ..exercise import Exercise

exercise = Exercise(
    title="Find the bug", lecture=11, minutes=45,
    hints=("Write four lines that compare each backward with numerical_gradient, with random x and dy of sizes (3, 5), ids "
           "with a number that occurs twice, and dy as it was before the call. Each function fails one such comparison.",
           "leaky_relu_backward: what has become of dy? embedding_backward: what does dtable[ids] += dy do when ids is "
           "[1, 1]? softmax_backward: over which axis does forward add up? standardise_backward: let dy be constant along a "
           "row; what must dx be?",
           "Copy dy before writing into it; np.add.at(dtable, ids, dy) adds up what += on a repeated index overwrites; the "
           "sum of the softmax runs over axis=1; every x also moves the mean, so subtract dy.mean(axis=1, keepdims=True)."))


def leaky_relu(x, slope):
    """The oracle, number after number."""
    y = x.copy()
    for at in np.ndindex(*x.shape):
        y[at] = x[at] if x[at] > 0 else slope * x[at]
    return y


def softmax(x):
    """The oracle."""
    y = np.zeros(x.shape)
    for n, row in enumerate(x):
        e = [np.exp(v) for v in row]
        y[n] = [v / sum(e) for v in e]
    return y


def standardise(x, eps):
    """The oracle."""
    y = np.zeros(x.shape)
    for n, row in enumerate(x):
        mean = sum(row) / len(row)
        var = sum((v - mean)**2 for v in row) / len(row)
        y[n] = [(v - mean) / (var + eps)**0.5 for v in row]
    return y


def wrong_softmax(axis):
    """A backward whose sum runs over `axis`, or is left out where that is None."""
    def backward(dy, x):
        y = softmax(x)
        return y * (dy - (0 if axis is None else (dy * y).sum(axis, keepdims=True)))
    return backward


def wrong_standardise(mean, variance):
    """A backward in which one of the two terms is missing."""
    def backward(dy, x, eps):
        sigma, y = np.sqrt(x.var(1, keepdims=True) + eps), standardise(x, eps)
        return (dy - mean * dy.mean(1, keepdims=True) - variance * y * (dy * y).mean(1, keepdims=True)) / sigma
    return backward


@exercise.check(points=25, name="leaky_relu_backward")
def of_leaky_relu(student, rng):
    x = rng.uniform(0.1, 2, (3, 5)) * rng.choice([-1, 1], (3, 5))
    x[0, :2] = 1, -1
    dy = rng.standard_normal(x.shape)
    expect.unchanged(student.leaky_relu_backward, dy, x, 0.1)
    expect.gradient("leaky_relu_backward", leaky_relu, student.leaky_relu_backward, x=x, options={"slope": 0.1})
    at_zero = student.leaky_relu_backward(np.ones((2, 2)), np.zeros((2, 2)), 0.1)
    expect.close("dx of leaky_relu_backward at x = 0", at_zero, np.full((2, 2), 0.1), mistaken={
        "is 1: only what is greater than 0 passes unchanged": np.ones((2, 2))})
    expect.in_float32(student.leaky_relu_backward, dy, x, 0.1)


@exercise.check(points=25, name="embedding_backward")
def of_embedding(student, rng):
    for ids in (rng.permutation([0, 1, 1, 1, 3]), rng.permutation(4)):
        table, dy = rng.standard_normal((6, 3)), 1 + rng.random((len(ids), 3))
        right, last, first = (np.zeros(table.shape) for _ in range(3))
        for n, row in enumerate(ids):
            right[row] += dy[n]
            last[row] = dy[n]
            first[ids[-1 - n]] = dy[-1 - n]
        got = expect.unchanged(student.embedding_backward, dy, ids, table)
        counts = np.maximum(np.bincount(ids, minlength=6), 1)[:, None]
        expect.close("dtable", got, right, mistaken={
            "keeps only one of the gradients of a row that was used several times: they add up, and dtable[ids] += dy does "
            "not do that": last,
            "keeps only the first of the gradients of a row that was used several times: they add up": first,
            "is the mean over the uses of a row: the gradients of all uses add up": right / counts})
        expect.in_float32(student.embedding_backward, dy, ids, table)


@exercise.check(points=25, name="softmax_backward")
def of_softmax(student, rng):
    for shape in ((3, 5), (4, 4), (1, 3)):
        x = rng.standard_normal(shape)
        expect.unchanged(student.softmax_backward, np.ones(shape), x)
        expect.gradient("softmax_backward", softmax, student.softmax_backward, x=x, mistaken={
            "dx lacks the sum of dy y: every output of a row depends on all its inputs": wrong_softmax(None),
            "dx adds up dy y over the wrong axis: forward adds up over the classes of a row": wrong_softmax(0),
            "dx adds up dy y over the whole batch: forward adds up over the classes of a row": wrong_softmax((0, 1))})
        expect.in_float32(student.softmax_backward, rng.standard_normal(shape), x)


@exercise.check(points=25, name="standardise_backward")
def of_standardise(student, rng):
    for shape in ((3, 5), (4, 4)):
        x = rng.standard_normal(shape) + 1
        expect.unchanged(student.standardise_backward, np.ones(shape), x, 0.1)
        expect.gradient("standardise_backward", standardise, student.standardise_backward, x=x, options={"eps": 0.1},
                        mistaken={
            "dx lacks the term through the mean: every x also moves the mean of its row": wrong_standardise(0, 1),
            "dx lacks the term through the variance: every x also stretches its row": wrong_standardise(1, 0),
            "dx lacks the terms through mean and variance: every x moves them too": wrong_standardise(0, 0)})
        expect.in_float32(student.standardise_backward, rng.standard_normal(shape), x, 0.1)


exercise.mistake("leaky ReLU writes into dy", old="dx = dy.copy()", new="dx = dy", says="changes its argument dy")
exercise.mistake("leaky ReLU passes all", old="    dx[x <= 0] *= slope\n    return dx\n    ### STUB",
                 new="    return dx\n    ### STUB", says="the local derivative is missing")
exercise.mistake("leaky ReLU passes at 0", old="    dx = dy.copy()\n    dx[x <= 0]", new="    dx = dy.copy()\n    dx[x < 0]",
                 says="at x = 0 is 1")
exercise.mistake("repeated rows overwrite", old="np.add.at(dtable, ids, dy) ", new="dtable[ids] += dy ",
                 says="keeps only one of the gradients")
exercise.mistake("repeated rows get the mean", old="    np.add.at(dtable, ids, dy) ",
                 new="    dtable[ids] = [dy[ids == i].mean(axis=0) for i in ids] ", says="mean over the uses")
exercise.mistake("the softmax adds up the batch", old="    along = (dy * y).sum(axis=1, keepdims=True)\n",
                 new="    along = (dy * y).sum(axis=0, keepdims=True)\n", says="over the wrong axis")
exercise.mistake("the softmax forgets its sum", old="    return y * (dy - along)\n    ### STUB",
                 new="    return y * dy\n    ### STUB", says="lacks the sum of dy y")
exercise.mistake("no term through the mean", old="dy - dy.mean(axis=1, keepdims=True) - y * along", new="dy - y * along",
                 says="through the mean")
exercise.mistake("the term through the mean takes the place of the other", says="through the variance",
                 old="dy - dy.mean(axis=1, keepdims=True) - y * along", new="dy - dy.mean(axis=1, keepdims=True)")
