"""Checks of attention."""
import math

import numpy as np

from .. import expect
from ..exercise import Exercise

exercise = Exercise(
    title="Scaled dot-product attention, with its gradient", lecture=9, minutes=60,
    hints=("a @ b multiplies the last two axes and takes the others along. So the scores are q @ k.swapaxes(1, 2), and the "
           "softmax runs over the last axis, that of the keys.",
           "The mask: np.where(mask, scores, -np.inf), before the largest is subtracted. In backward dv = p^T dy and "
           "dp = dy v^T, where ^T exchanges the last two axes.",
           "ds = p * (dp - (p * dp).sum(axis=2, keepdims=True)); then dq = ds @ k / sqrt(D) and dk = ds^T @ q / sqrt(D). "
           "Where p is 0, ds is 0 by itself."))


def softmax(row):
    """The weights of a list of scores."""
    largest = max(row)
    e = [math.exp(s - largest) for s in row]
    return [v / sum(e) for v in e]


def weights(q, k, mask=None, power=0.5):
    """The oracle of the weights, a query after the other."""
    (N, T, D), S = q.shape, k.shape[1]
    p, queries, keys = np.zeros((N, T, S)), q.tolist(), k.tolist()
    for n, t in np.ndindex(N, T):
        seen = [j for j in range(S) if mask is None or mask[t, j]]
        row = softmax([sum(a * b for a, b in zip(queries[n][t], keys[n][j])) / D**power for j in seen])
        for j, weight in zip(seen, row):
            p[n, t, j] = weight
    return p


def attention(q, k, v, mask=None):
    """The oracle of the outputs."""
    p = weights(q, k, mask)
    y = np.zeros((*q.shape[:2], v.shape[2]))
    for n, t, j in np.ndindex(*p.shape):
        y[n, t] += p[n, t, j] * v[n, j]
    return y


def over(scores, axis):
    """Softmax over an axis."""
    e = np.exp(scores - scores.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def wrong(axis=2, second=1, q_scale=True, k_scale=True, masked=True):
    """A backward with a step left out."""
    def backward(dy, q, k, v, mask=None):
        p, scale = weights(q, k, mask if masked else None), q.shape[2]**-0.5
        dp = dy @ v.swapaxes(1, 2)
        ds = p * (dp - second * (p * dp).sum(axis, keepdims=True))
        dq, dk = ds @ k, ds.swapaxes(1, 2) @ q
        return dq * (scale if q_scale else 1), dk * (scale if k_scale else 1), p.swapaxes(1, 2) @ dy
    return backward


LATE = ("is masked behind the softmax: the weights of the others must add up to 1, so the mask comes before it, as scores "
        "of -inf")
KNOWN = {
    "ds lacks the second term of the softmax: every weight depends on all scores of its row": wrong(second=0),
    "the sum in ds runs over the queries: it runs over the keys, as the softmax does, axis=2": wrong(axis=1),
    "dq and dk are not divided by sqrt(D): the scale of forward goes back too": wrong(q_scale=False, k_scale=False),
    "dq is not divided by sqrt(D): the scale of forward goes back too": wrong(q_scale=False),
    "dk is not divided by sqrt(D): the scale of forward goes back too": wrong(k_scale=False),
    "the mask is forgotten in backward: it needs the weights of forward": wrong(masked=False),
}


def draw(rng, N=2, T=2, S=3, D=3, E=2):
    """q, k and v; queries and keys large enough that the scale shows."""
    return 2 * rng.standard_normal((N, T, D)), rng.standard_normal((N, S, D)), rng.standard_normal((N, S, E))


def visible(rng, T, S):
    """A mask that leaves each query at least one key, and not all."""
    mask = rng.random((T, S)) < 0.5
    mask[:, 0], mask[:, -1], mask[0] = True, False, [True] * (S - 1) + [False]
    return mask[:, rng.permutation(S)]


@exercise.check(points=30, name="the weights")
def weights_of(student, rng):
    for sizes in ({}, {"N": 3, "T": 3, "S": 3, "D": 5}, {"T": 1, "S": 2}):
        q, k, _ = draw(rng, **sizes)
        scores = q @ k.swapaxes(1, 2) / q.shape[2]**0.5
        e = np.exp(scores)
        expect.close("p", student.attention_weights(q, k), weights(q, k), mistaken={
            "lacks the scale: divide the scores by sqrt(D)": weights(q, k, power=0),
            "is scaled by D: divide the scores by its root, sqrt(D)": weights(q, k, power=1),
            "is scaled the wrong way: the scores are divided by sqrt(D), not multiplied": weights(q, k, power=-0.5),
            "is a softmax over the queries: it runs over the keys, the last axis": over(scores, 1),
            "is a softmax over the batch: it runs over the keys, the last axis": over(scores, 0),
            "is a softmax over all queries and keys: each query's weights add up to 1": over(scores, (1, 2)),
            "holds exp of the scores, which are not yet divided by their sum": e,
            "holds the scores: their softmax is missing": scores})


@exercise.check(points=10, name="the outputs")
def outputs(student, rng):
    for sizes in ({}, {"T": 3, "S": 3, "D": 3, "E": 3}):
        q, k, v = draw(rng, **sizes)
        expect.close("y", student.attention(q, k, v), attention(q, k, v), mistaken={
            "multiplies with the transpose of the weights": None if q.shape[1] != k.shape[1] else
            weights(q, k).swapaxes(1, 2) @ v})


@exercise.check(points=15, name="the mask, and large scores")
def masks(student, rng):
    q, k, v = draw(rng, T=3, S=4)
    mask = visible(rng, 3, 4)
    p, right = student.attention_weights(q, k, mask), weights(q, k, mask)
    zero = np.where(mask, q @ k.swapaxes(1, 2) / q.shape[2]**0.5, 0)
    expect.close("p with a mask", p, right, mistaken={
        LATE: np.where(mask, weights(q, k), 0),
        "is masked the wrong way round: True lets a key count": weights(q, k, ~mask) if (~mask).any(1).all() else None,
        "gives what is shut out the score 0, whose weight is not 0: it must be -inf": over(zero, 2),
        "ignores the mask": weights(q, k)})
    expect.close("y with a mask", student.attention(q, k, v, mask), attention(q, k, v, mask))
    for factor in (500.0, -500.0):
        large = student.attention_weights(factor * q, k)
        if not np.isfinite(expect.array("p", large)).all():
            raise expect.Wrong("p overflows where scores are large: subtract the largest score of each row before exp")
        expect.close("p with large scores", large, weights(factor * q, k))


@exercise.check(points=25, name="backward")
def backward(student, rng):
    for sizes in ({}, {"N": 1, "T": 3, "S": 3, "D": 3, "E": 3}, {"N": 2, "T": 3, "S": 4, "D": 5, "E": 1}):
        q, k, v = draw(rng, **sizes)
        expect.gradient("attention_backward", attention, student.attention_backward, q=q, k=k, v=v, mistaken=KNOWN)


@exercise.check(points=10, name="backward with a mask")
def backward_masked(student, rng):
    q, k, v = draw(rng, N=1, T=3, S=3)
    expect.gradient("attention_backward with a mask", attention, student.attention_backward, q=q, k=k, v=v,
                    options={"mask": visible(rng, 3, 3)}, mistaken=KNOWN)


@exercise.check(points=10, name="the arguments and the dtype stay as they were")
def contract(student, rng):
    q, k, v = draw(rng, T=3, S=3)
    mask = visible(rng, 3, 3)
    expect.in_float32(student.attention_weights, q, k, mask)
    q, k, v = (a.astype(np.float32) for a in (q, k, v))
    y = expect.unchanged(student.attention, q, k, v, mask)
    expect.dtype("y", y, np.float32)
    got = expect.unchanged(student.attention_backward, y, q, k, v, mask)
    for name, gradient in zip(("dq", "dk", "dv"), expect.several("attention_backward", got, "dq, dk, dv")):
        expect.dtype(name, gradient, np.float32)


exercise.mistake("the scale is forgotten", old=" / q.shape[2]**0.5", new="", says="lacks the scale")
exercise.mistake("scaled by D", old=" / q.shape[2]**0.5", new=" / q.shape[2]", says="scaled by D: divide")
exercise.mistake("softmax over the queries", says="softmax over the queries",
                 old="scores.max(axis=2, keepdims=True))\n    return e / e.sum(axis=2,",
                 new="scores.max(axis=1, keepdims=True))\n    return e / e.sum(axis=1,")
exercise.mistake("the mask comes behind the softmax", says="masked behind the softmax",
                 old="        scores = np.where(mask, scores, -np.inf)\n",
                 new="        e = np.exp(scores - scores.max(axis=2, keepdims=True))\n"
                 "        return np.where(mask, e / e.sum(axis=2, keepdims=True), 0)\n")
exercise.mistake("the mask the wrong way round", old="np.where(mask, scores, -np.inf)",
                 new="np.where(mask, -np.inf, scores)", says="wrong way round")
exercise.mistake("masked scores are 0", old="np.where(mask, scores, -np.inf)", new="np.where(mask, scores, 0.0)",
                 says="score 0, whose weight is not 0")
exercise.mistake("exp overflows", old="np.exp(scores - scores.max(axis=2, keepdims=True))", new="np.exp(scores)",
                 says="overflows where scores are large")
exercise.mistake("the softmax's second term is missing", old="dp - (p * dp).sum(axis=2, keepdims=True)", new="dp",
                 says="second term of the softmax")
exercise.mistake("the sum of the softmax over the wrong axis", old="(p * dp).sum(axis=2,", new="(p * dp).sum(axis=1,",
                 says="sum in ds runs over the queries")
exercise.mistake("the scale is lost in backward", old="scale = q.shape[2]**-0.5", new="scale = 1",
                 says="dq and dk are not divided")
exercise.mistake("dk is not transposed", old="ds.swapaxes(1, 2) @ q", new="ds @ q", says="raised ValueError")
exercise.mistake("dv is not transposed", old="dv = p.swapaxes(1, 2) @ dy", new="dv = p @ dy", says="raised ValueError")
exercise.mistake("backward forgets the mask", old="    p = attention_weights(q, k, mask)\n",
                 new="    p = attention_weights(q, k)\n", says="mask is forgotten in backward")
