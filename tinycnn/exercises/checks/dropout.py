"""Checks of dropout."""
import numpy as np

from .. import expect
from ..exercise import Exercise

exercise = Exercise(
    title="Dropout", lecture=8, minutes=20,
    hints=("u >= p is the mask, an array of booleans; multiplied with x it keeps or drops. Draw no random numbers of your "
           "own, in neither function.",
           "The scale 1 / (1 - p) belongs to training alone. Deal with training=False and with p = 1 before you divide.",
           "dropout(x, u, p, True) = x * (u >= p) / (1 - p). y is a linear function of x with that factor, so backward does "
           "the very same with dy."))


def dropout(x, u, p, training):
    """The oracle, number after number."""
    if not training:
        return x.copy()
    y = np.zeros(x.shape)
    for at in np.ndindex(*x.shape):
        if u[at] >= p:
            y[at] = x[at] / (1 - p)
    return y


def draw(rng, p=None):
    """x, u and p; u has numbers on both sides of p and one equal to it, and p is far from 1/2."""
    shape = rng.permutation([3, 4, 5])[:2]
    p = rng.choice([0.2, 0.25, 0.3, 0.8]) if p is None else p
    u = rng.random(shape)
    u[0, :3] = p / 2, (1 + p) / 2, p
    return rng.standard_normal(shape) + 0.1, u, float(p)


def known(x, u, p, got):
    """What goes wrong most often, and what it gives."""
    kept = x / (1 - p) if p < 1 else 0 * x
    masked = np.shape(got) == x.shape and (np.isclose(got, 0) | np.isclose(got, kept)).all()
    return {"is not scaled: what is kept must be divided by 1 - p, so that the mean stays": np.where(u >= p, x, 0),
            "keeps what should be dropped: drop where u < p, keep where u >= p": np.where(u < p, x / (1 - p), 0),
            "keeps what should be dropped, and is scaled by 1 / p": np.where(u < p, x / p, 0),
            "keeps with probability p, where p is that of dropping, and is not scaled": np.where(u < p, x, 0),
            "is scaled by 1 / p: what is kept is 1 - p of all, so divide by 1 - p": np.where(u >= p, x / p, 0),
            "is multiplied by 1 - p: what is kept must be divided by it": np.where(u >= p, x * (1 - p), 0),
            "drops where u = p: dropped is where u < p": np.where(u > p, x / (1 - p), 0),
            "is not dropped anywhere": x, "is scaled, but dropped nowhere: multiply by the mask u >= p": kept,
            "has the right scale but the wrong mask: an entry is kept where its own u >= p, with the u that was given":
                got if masked else None}


@exercise.check(points=30, name="forward in training")
def training(student, rng):
    for p in (None, 0.7, 0.0):
        x, u, p = draw(rng, p)
        y = expect.same_twice(student.dropout, x, u, p, True)
        expect.close("y", y, dropout(x, u, p, True), mistaken=known(x, u, p, y) if p else None)


@exercise.check(points=20, name="forward in use")
def use(student, rng):
    x, u, p = draw(rng)
    expect.close("y in use (training=False)", student.dropout(x, u, p, False), x, mistaken={
        "is scaled by 1 - p: inverted dropout has scaled in training, and leaves x alone in use": x * (1 - p),
        "is scaled by 1 / (1 - p): in use x stays as it is": x / (1 - p),
        "is dropped as in training: in use x stays as it is": dropout(x, u, p, True)})


@exercise.check(points=35, name="backward")
def backward(student, rng):
    x, u, p = draw(rng)
    dy = rng.standard_normal(x.shape)
    right = dropout(dy, u, p, True)
    dx = expect.same_twice(student.dropout_backward, dy, u, p, True)
    expect.close("dx", dx, right, mistaken=known(dy, u, p, dx))
    expect.close("dx in use (training=False)", student.dropout_backward(dy, u, p, False), dy, mistaken={
        "is dropped as in training: in use y is x": right, "is scaled: in use y is x": dy / (1 - p)})
    expect.gradient("dropout_backward", dropout, lambda dy, x, **options: student.dropout_backward(dy, **options), x=x,
                    options={"u": u, "p": p, "training": True})


@exercise.check(points=15, name="p = 1, the arguments and the dtype")
def contract(student, rng):
    x, u, _ = draw(rng)
    for name, function in (("y", student.dropout), ("dx", student.dropout_backward)):
        got = function(x, u, 1.0, True)
        expect.finite(f"{name} for p = 1", got)
        expect.close(f"{name} for p = 1", got, 0 * x)
        for training in (True, False):
            got = expect.unchanged(function, x.astype(np.float32), u, 0.3, training)
            expect.dtype(name, got, np.float32)


exercise.mistake("the mask is the wrong way round", old="return x * (u >= p) / (1 - p)", new="return x * (u < p) / (1 - p)",
                 says="keeps what should be dropped")
exercise.mistake("not rescaled", old="return x * (u >= p) / (1 - p)", new="return x * (u >= p)", says="is not scaled")
exercise.mistake("rescaled in use", old="return x.copy()", new="return x * (1 - p)", says="in use .*scaled by 1 - p")
exercise.mistake("dropped in use too", old="    if not training:\n        return x.copy()\n", new="",
                 says="in use .*dropped as in training")
exercise.mistake("scaled by 1 / p", old="return x * (u >= p) / (1 - p)", new="return x * (u >= p) / max(p, 1e-9)",
                 says="scaled by 1 / p")
exercise.mistake("backward draws a new mask", old="mask = u >= p", new="mask = np.random.random(u.shape) >= p",
                 says="answers differently when asked twice")
exercise.mistake("backward draws a new mask from a seed", old="mask = u >= p",
                 new="mask = np.random.default_rng(0).random(u.shape) >= p", says="dx .*wrong mask")
exercise.mistake("backward does not scale", old="return dy * mask / (1 - p)", new="return dy * mask",
                 says="dx is not scaled")
exercise.mistake("backward forgets the mask", old="return dy * mask / (1 - p)", new="return dy / (1 - p)",
                 says="dx is scaled, but dropped nowhere")
exercise.mistake("0/0 for p = 1", old="    if p == 1:\n        return np.zeros_like(x)\n", new="    p = np.float64(p)\n",
                 says="for p = 1 holds NaN")
exercise.mistake("one mask for all rows", old="x * (u >= p)", new="x * (u[0] >= p)", says="y .*wrong mask")
