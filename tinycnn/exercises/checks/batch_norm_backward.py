"""Checks of the gradient of batch normalisation."""
import numpy as np

from .. import expect
from ..exercise import Exercise
from .batch_norm import normalised, statistics

exercise = Exercise(
    title="The gradient of batch normalisation", lecture=7, minutes=60,
    hints=("Compute xhat and sigma again from x. dw and db have shape (C,): everything that a channel touches adds up, "
           "over axis=(0, 2, 3). For dx start with g = dy * w[:, None, None].",
           "d mean / d x[i] = 1/n, and d sigma / d x[i] = (x[i] - mean) / (n sigma) = xhat[i] / n. The 1/n makes the two "
           "sums over j means over the channel.",
           "dx = (g - mean(g) - xhat * mean(g * xhat)) / sigma, both means over axis=(0, 2, 3) with keepdims=True. "
           "sigma contains eps, xhat too."))


def batch_norm(x, w, b, eps):
    """The oracle: forward with the statistics of the batch."""
    return normalised(x, *statistics(x), w, b, eps)


def draw(rng, shape=(3, 2, 2, 2)):
    """x, w and b."""
    C = shape[1]
    return rng.standard_normal(shape) + rng.uniform(-2, 2, C)[:, None, None], 0.5 + rng.random(C), rng.standard_normal(C)


def wrong(mean=1, variance=1, weight=True, power=1, axes=(0, 2, 3), total=False):
    """A backward with some of its steps left out, or with sums (`total`) in the place of its means."""
    def backward(dy, x, w, b, eps):
        sigma = np.sqrt(x.var((0, 2, 3), keepdims=True) + eps)
        xhat = (x - x.mean((0, 2, 3), keepdims=True)) / sigma
        n = x.size // x.shape[1] if total else 1
        g = dy * (w[:, None, None] if weight else 1)
        dx = g - mean * n * g.mean(axes, keepdims=True) - variance * n * xhat * (g * xhat).mean(axes, keepdims=True)
        return dx / sigma**power, (dy * xhat).sum((0, 2, 3)), dy.sum((0, 2, 3))
    return backward


KNOWN = {
    "dx lacks the term through the variance: every x also stretches its channel": wrong(variance=False),
    "dx lacks the term through the mean: every x also moves the mean of its channel": wrong(mean=False),
    "dx lacks the terms through mean and variance: every x moves them too": wrong(mean=False, variance=False),
    "dx takes away sums where the two means of the channel belong: each carries a 1/n": wrong(total=True),
    "dx forgets the weight w: y = w xhat + b, so g = w dy goes back through the normalisation": wrong(weight=False),
    "dx is not divided by sigma": wrong(power=0),
    "dx is divided by the variance: divide by sigma, its root": wrong(power=2),
    "dx takes its means over the batch alone: they run over the pixels too, axis=(0, 2, 3)": wrong(axes=0),
    "dx takes its means over the pixels alone: they run over the batch too, axis=(0, 2, 3)": wrong(axes=(2, 3)),
}


def compare(student, x, w, b, eps=0.1):
    """The student's gradients against finite differences of the oracle."""
    expect.gradient("batch_norm_backward", batch_norm, student.batch_norm_backward, x=x, w=w, b=b, options={"eps": eps},
                    mistaken=KNOWN)


@exercise.check(points=25, name="the gradients of w and b")
def of_weight_and_bias(student, rng):
    x, w, b = draw(rng)
    dy = 1 + rng.random(x.shape)
    got = student.batch_norm_backward(dy, x, w, b, 0.1)
    _, dw, db = expect.several("batch_norm_backward", got, "dx, dw, db")
    _, right_dw, right_db = wrong()(dy, x, w, b, 0.1)
    (mean, var), n, one, zero = statistics(x), x.size // x.shape[1], w**0, 0 * b
    expect.close("db", db, right_db, mistaken={
        "is the mean of dy: it is the sum over batch and pixels": right_db / n})
    expect.close("dw", dw, right_dw, mistaken={
        "is the mean of dy xhat: it is the sum over batch and pixels": right_dw / n,
        "multiplies dy with x: the weight multiplies xhat, the normalised x": (dy * x).sum((0, 2, 3)),
        "multiplies dy with y: the weight multiplies xhat, the normalised x":
            (dy * normalised(x, mean, var, w, b, 0.1)).sum((0, 2, 3)),
        "normalises with the unbiased variance (n - 1): forward divides by n":
            (dy * normalised(x, mean, var * n / (n - 1), one, zero, 0.1)).sum((0, 2, 3)),
        "normalises without eps: sigma = sqrt(var + eps)":
            (dy * normalised(x, mean, var, one, zero, 0)).sum((0, 2, 3))})


@exercise.check(points=45, name="the gradient of x")
def of_input(student, rng):
    compare(student, *draw(rng))
    compare(student, *draw(rng, (2, 3, 1, 2)), eps=0.5)
    compare(student, *draw(rng, (2, 3, 4, 1)))


@exercise.check(points=20, name="directions that cannot matter")
def projections(student, rng):
    x, w, b = draw(rng, (4, 3, 3, 2))
    dy = rng.standard_normal(x.shape)
    dx = expect.several("batch_norm_backward", student.batch_norm_backward(dy, x, w, b, 0.0), "dx, dw, db")[0]
    expect.shape("dx", dx, x.shape)
    right, size = wrong()(dy, x, w, b, 0.0)[0], np.abs(dx).sum()
    if np.abs(dx.sum((0, 2, 3))).max() > 1e-9 * size:
        raise expect.Wrong("dx does not add up to zero in each channel: adding a constant to a channel leaves y as it is, "
                           "so no gradient may point there")
    if np.abs((dx * (x - x.mean((0, 2, 3), keepdims=True))).sum((0, 2, 3))).max() > 1e-9 * size:
        raise expect.Wrong("dx is not orthogonal to x - mean in each channel: with eps = 0 stretching a channel leaves y "
                           "as it is, so no gradient may point there")
    expect.close("dx", dx, right)


@exercise.check(points=10, name="the arguments and the dtype stay as they were")
def contract(student, rng):
    x, w, b = (a.astype(np.float32) for a in draw(rng))
    got = expect.unchanged(student.batch_norm_backward, np.ones_like(x), x, w, b, 1e-5)
    for name, gradient in zip(("dx", "dw", "db"), expect.several("batch_norm_backward", got, "dx, dw, db")):
        expect.dtype(name, gradient, np.float32)


exercise.mistake("the term through the mean is missing", old="g - along_mean - xhat", new="g - xhat",
                 says="through the mean")
exercise.mistake("the term through the variance is missing", old=" - xhat * along_xhat)", new=")",
                 says="through the variance")
exercise.mistake("both are missing", old="(g - along_mean - xhat * along_xhat) / sigma", new="g / sigma",
                 says="through mean and variance")
exercise.mistake("sums in the place of the means",
                 old="g.mean(axes, keepdims=True)\n    along_xhat = (g * xhat).mean(axes, keepdims=True)",
                 new="g.sum(axes, keepdims=True)\n    along_xhat = (g * xhat).sum(axes, keepdims=True)",
                 says="sums where the two means")
exercise.mistake("dw with x", old="dw = (dy * xhat)", new="dw = (dy * x)", says="dw multiplies dy with x")
exercise.mistake("db is the mean", old="db = dy.sum(axes)", new="db = dy.mean(axes)", says="db is the mean of dy")
exercise.mistake("dx forgets w", old="g = dy * w[:, None, None]", new="g = dy", says="forgets the weight w")
exercise.mistake("divided by the variance", old="along_xhat) / sigma", new="along_xhat) / sigma**2",
                 says="divided by the variance")
exercise.mistake("the unbiased variance", old="x.var(axes, keepdims=True)", new="x.var(axes, ddof=1, keepdims=True)",
                 says="unbiased variance")
exercise.mistake("eps is forgotten", old="np.sqrt(x.var(axes, keepdims=True) + eps)",
                 new="np.sqrt(x.var(axes, keepdims=True))", says="without eps")
exercise.mistake("the means run over the batch alone",
                 old="g.mean(axes, keepdims=True)\n    along_xhat = (g * xhat).mean(axes, keepdims=True)",
                 new="g.mean(0, keepdims=True)\n    along_xhat = (g * xhat).mean(0, keepdims=True)",
                 says="means over the batch alone")
exercise.mistake("db keeps the pixels", old="db = dy.sum(axes)", new="db = dy.sum(0)", says="db has shape")
