"""Checks of softmax and cross-entropy."""
import math

import numpy as np

from .. import expect
from ..exercise import Exercise

exercise = Exercise(
    title="Softmax and cross-entropy", lecture=2, minutes=40,
    hints=("The classes lie along axis 1, and keepdims=True keeps the sums and maxima of the rows in a shape that can be "
           "subtracted from x.",
           "Subtract the largest logit of each row first: then the largest exp is 1, so the sum is at least 1 and its "
           "logarithm is harmless. x[np.arange(N), labels] picks one number of each row.",
           "dx is p, minus 1 at the labels, times dy / N: p = exp(log_softmax(x)); p[np.arange(N), labels] -= 1; "
           "return p * dy / N."))


def log_softmax(x):
    """The oracle: a row after the other, with the sums of Python."""
    rows = []
    for row in x.tolist():
        top = max(row)
        log_sum = top + math.log(math.fsum(math.exp(v - top) for v in row))
        rows.append([v - log_sum for v in row])
    return np.array(rows).reshape(x.shape)


def loss(x, labels):
    """The oracle: the mean of -log p of the labels, a number of shape ()."""
    return np.asarray(-sum(row[k] for row, k in zip(log_softmax(x), labels)) / len(x))


def draw(rng, N=3, K=4):
    """Logits, and labels that are not all the same."""
    return rng.standard_normal((N, K)), np.concatenate([rng.permutation(K)[:2], rng.integers(0, K, N)])[:N]


@exercise.check(points=25, name="log_softmax")
def numbers(student, rng):
    for N, K in ((3, 4), (1, 5), (4, 2), (3, 3)):
        x, _ = draw(rng, N, K)
        expect.close("log_softmax(x)", student.log_softmax(x), log_softmax(x), mistaken={
            "runs over the batch: the probabilities of one picture, a row, must sum to 1 (axis=1)":
                log_softmax(x.T).T if N > 1 else None,
            "normalises over the whole array: the probabilities of each picture, a row, must sum to 1 (axis=1)":
                log_softmax(x.reshape(1, -1)).reshape(x.shape),
            "is the softmax itself: its logarithm is asked for": np.exp(log_softmax(x)),
            "forgets the exp in the denominator": x - np.log(np.abs(x.sum(1, keepdims=True)))})


@exercise.check(points=15, name="log_softmax of very large and very different logits")
def extremes(student, rng):
    x = rng.standard_normal((4, 3)) + np.array([[1000.0], [-1000.0], [0.0], [300.0]])
    got = student.log_softmax(x)
    expect.finite("log_softmax(x) of rows about 1000, -1000, 0 and 300", got)
    expect.close("log_softmax(x) of rows about 1000, -1000, 0 and 300", got, log_softmax(x))
    x = rng.permutation([0.0, 1000.0, -1000.0])[None] + rng.standard_normal((1, 3))
    got = student.log_softmax(x)
    if not np.isfinite(got).all():
        raise expect.Wrong("log_softmax(x) is minus infinity where a probability is rounded to 0: it is the logarithm of a "
                           f"softmax; subtract log(sum(exp)) from x instead\nx = {x[0]}")
    expect.close("log_softmax(x) of logits about -1000, 0 and 1000", got, log_softmax(x))


@exercise.check(points=15, name="the loss")
def value(student, rng):
    for N, K in ((3, 4), (1, 3), (4, 4)):
        x, labels = draw(rng, N, K)
        right = loss(x, labels)
        expect.close("the loss", student.cross_entropy(x, labels), right, mistaken={
            "is the sum over the batch: the mean is asked for": N * right,
            "has the wrong sign: -log p is at least 0": -right,
            "is divided by the number of classes too: the mean is over the pictures": right / K,
            "is a mean over whole columns, log p[:, labels]: pick one entry for each picture":
                -log_softmax(x)[:, labels].mean()})


@exercise.check(points=35, name="the gradient")
def gradient(student, rng):
    def spread(x):
        return np.exp(log_softmax(x))

    def picked(x, labels):
        return np.eye(x.shape[1])[labels]

    for N, K in ((3, 4), (1, 3), (4, 4)):
        x, labels = draw(rng, N, K)
        expect.gradient("cross_entropy_backward", loss, student.cross_entropy_backward, seed=int(rng.integers(1000)),
                        x=x, labels=labels, mistaken={
            "dx is that of the sum over the batch: the loss is the mean, divide by N":
                lambda dy, x, labels: dy * (spread(x) - picked(x, labels)),
            "dx is divided by N twice": lambda dy, x, labels: dy * (spread(x) - picked(x, labels)) / len(x) ** 2,
            "dx forgets to subtract 1 at the labels: it is p where p - 1 belongs":
                lambda dy, x, labels: dy * spread(x) / len(x),
            "dx holds p - 1 at the labels but p is missing elsewhere: wrong classes are pushed down too":
                lambda dy, x, labels: dy * (spread(x) - 1) * picked(x, labels) / len(x),
            "dx is the one-hot labels minus p, the wrong way round":
                lambda dy, x, labels: dy * (picked(x, labels) - spread(x)) / len(x),
            "dx uses log p where p belongs": lambda dy, x, labels: dy * (log_softmax(x) - picked(x, labels)) / len(x),
            "dx subtracts 1 from whole columns: p[:, labels] are the columns, p[np.arange(N), labels] one entry of each row":
                lambda dy, x, labels: dy * (spread(x) - picked(x, labels).any(0)) / len(x)})


@exercise.check(points=10, name="the arguments and the dtype stay as they were")
def contract(student, rng):
    x, labels = draw(rng)
    expect.in_float32(student.cross_entropy, x, labels)
    x, dy = x.astype(np.float32), np.asarray(1.5, np.float32)
    expect.dtype("log_softmax(x)", expect.unchanged(student.log_softmax, x), np.float32)
    expect.unchanged(student.cross_entropy, x, labels)
    dx = expect.unchanged(student.cross_entropy_backward, dy, x, labels)
    expect.dtype("dx", dx, np.float32)


exercise.mistake("softmax over the batch", old="x = x - x.max(axis=1, keepdims=True)\n    return x - np.log("
                 "np.exp(x).sum(axis=1, keepdims=True))",
                 new="x = x - x.max(axis=0, keepdims=True)\n    return x - np.log(np.exp(x).sum(axis=0, keepdims=True))",
                 says="runs over the batch")
exercise.mistake("the maximum is not subtracted", old="    x = x - x.max(axis=1, keepdims=True)\n", new="",
                 says="NaN or infinity.*overflow of exp")
exercise.mistake("one maximum for the whole batch", old="x.max(axis=1, keepdims=True)", new="x.max()",
                 says="NaN or infinity")
exercise.mistake("the logarithm of a softmax", old="x - np.log(np.exp(x).sum(axis=1, keepdims=True))",
                 new="np.log(np.exp(x) / np.exp(x).sum(axis=1, keepdims=True))", says="logarithm of a softmax")
exercise.mistake("the maximum is subtracted in place", old="    x = x - x.max(axis=1", new="    x -= x.max(axis=1",
                 says="changes its argument x")
exercise.mistake("the sum over the batch", old="labels].mean()", new="labels].sum()", says="sum over the batch")
exercise.mistake("a column for each label", old="log_softmax(x)[np.arange(len(x)), labels]", new="log_softmax(x)[:, labels]",
                 says="pick one entry for each picture")
exercise.mistake("divided twice by N", old="(dy / len(x))", new="(dy / len(x) ** 2)", says="divided by N twice")
exercise.mistake("not divided by N", old="(dy / len(x))", new="dy", says="divide by N")
exercise.mistake("dy is forgotten", old="(dy / len(x))", new="(1 / len(x))", says="upstream gradient dy")
exercise.mistake("1 is subtracted from columns", old="dx[np.arange(len(x)), labels] -= 1", new="dx[:, labels] -= 1",
                 says="whole columns")
exercise.mistake("the labels are not subtracted", old="    dx[np.arange(len(x)), labels] -= 1\n", new="",
                 says="subtract 1 at the labels")
exercise.mistake("the wrong way round", old="return dx * (dy", new="return -dx * (dy", says="wrong way round|wrong sign")
