"""Checks of layer normalisation."""
import numpy as np

from .. import expect
from ..exercise import Exercise

exercise = Exercise(
    title="Layer normalisation, forward and backward", lecture=7, minutes=45,
    hints=("mean and variance run over axis=-1, with keepdims=True so that they broadcast against x again. w and b have "
           "the length of the last axis and broadcast by themselves.",
           "dw and db run over all axes but the last: axis=tuple(range(x.ndim - 1)). For dx put the weight in first, "
           "g = w * dy, and then never use dy again.",
           "dx = (g - mean(g) - xhat * mean(g * xhat)) / sigma, with both means over axis=-1 and keepdims=True."))


def layer_norm(x, w, b, eps, ddof=0, power=0.5, behind=0.0):
    """The oracle, row after row."""
    y = np.zeros(x.shape)
    for at in np.ndindex(*x.shape[:-1]):
        row = [float(v) for v in x[at]]
        mean = sum(row) / len(row)
        var = sum((v - mean)**2 for v in row) / (len(row) - ddof)
        for d, v in enumerate(row):
            y[(*at, d)] = w[d] * (v - mean) / ((var + eps)**power + behind) + b[d]
    return y


def over(x, w, b, eps, axes):
    """Normalised over other axes than the last."""
    return w * (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + eps) + b


def draw(rng, shape):
    """x, w and b."""
    return rng.standard_normal(shape) + 1, 0.5 + rng.random(shape[-1]), rng.standard_normal(shape[-1])


def wrong(mean=1, variance=1, early=1, late=0, axis=-1, plain=False):
    """A backward with some of its steps left out: `early` and `late` are the powers of w before and behind."""
    def backward(dy, x, w, b, eps):
        sigma = np.sqrt(x.var(-1, keepdims=True) + eps)
        xhat, rows = (x - x.mean(-1, keepdims=True)) / sigma, tuple(range(x.ndim - 1))
        g = dy * w**early
        dx = g - mean * g.mean(axis, keepdims=True) - variance * xhat * (g * xhat).mean(axis, keepdims=True)
        return dx / sigma * w**late, (dy * (x if plain else xhat)).sum(rows), dy.sum(rows)
    return backward


KNOWN = {
    "dx lacks the term through the mean: every x also moves the mean of its row": wrong(mean=0),
    "dx lacks the term through the variance: every x also stretches its row": wrong(variance=0),
    "dx lacks the terms through mean and variance: every x moves them too": wrong(mean=0, variance=0),
    "dx multiplies by w at the end: w differs from feature to feature, so g = w * dy must come before the means":
        wrong(early=0, late=1),
    "dx forgets the weight w: g = w * dy goes back through the normalisation": wrong(early=0),
    "dx takes its means over the rows (axis 0): they run over the features of a row, axis=-1": wrong(axis=0),
    "dw multiplies dy with x: the weight multiplies xhat, the normalised x": wrong(plain=True),
}


@exercise.check(points=35, name="the numbers of y")
def numbers_of_y(student, rng):
    for shape, eps in (((3, 5), 0.01), ((2, 3, 4), 0.3), ((1, 4), 0.01), ((5,), 0.01), ((4, 4), 0.01)):
        x, w, b = draw(rng, shape)
        known = {
            "uses the unbiased variance (D - 1): it is the biased one, divided by D": layer_norm(x, w, b, eps, ddof=1),
            "adds eps behind the root: it belongs under it, sqrt(var + eps)": layer_norm(x, w, b, 0.0, behind=eps),
            "is computed without eps: sigma = sqrt(var + eps)": layer_norm(x, w, b, 0.0),
            "is divided by the variance: divide by its root": layer_norm(x, w, b, eps, power=1),
            "is computed without the weight w": layer_norm(x, w**0, b, eps),
            "is computed without the bias b": layer_norm(x, w, 0 * b, eps)}
        if x.ndim > 1:
            known |= {
                "is normalised over the rows, as in batch normalisation: mean and variance run over the last axis":
                    over(x, w, b, eps, tuple(range(x.ndim - 1))),
                "is normalised over axis 0: mean and variance run over the last axis": over(x, w, b, eps, 0),
                "is normalised over all axes but the first: mean and variance run over the last axis alone":
                    over(x, w, b, eps, tuple(range(1, x.ndim))),
                "is normalised over the whole array: every row has a mean and variance of its own":
                    over(x, w, b, eps, None)}
        expect.close("y", student.layer_norm(x, w, b, eps), layer_norm(x, w, b, eps), mistaken=known)


@exercise.check(points=30, name="the gradients of rows")
def gradients(student, rng):
    for shape in ((3, 5), (4, 4)):
        x, w, b = draw(rng, shape)
        expect.gradient("layer_norm_backward", layer_norm, student.layer_norm_backward, x=x, w=w, b=b,
                        options={"eps": 0.1}, mistaken=KNOWN)


@exercise.check(points=25, name="the gradients with more axes in front")
def more_axes(student, rng):
    for shape in ((2, 3, 4), (1, 2, 3, 2), (4,)):
        x, w, b = draw(rng, shape)
        expect.gradient("layer_norm_backward", layer_norm, student.layer_norm_backward, x=x, w=w, b=b,
                        options={"eps": 0.1}, mistaken=KNOWN)


@exercise.check(points=10, name="the arguments and the dtype stay as they were")
def contract(student, rng):
    x, w, b = (a.astype(np.float32) for a in draw(rng, (3, 4)))
    y = expect.unchanged(student.layer_norm, x, w, b, 1e-5)
    expect.dtype("y", y, np.float32)
    got = expect.unchanged(student.layer_norm_backward, y, x, w, b, 1e-5)
    for name, gradient in zip(("dx", "dw", "db"), expect.several("layer_norm_backward", got, "dx, dw, db")):
        expect.dtype(name, gradient, np.float32)


exercise.mistake("statistics over the batch",
                 old="mean = x.mean(axis=-1, keepdims=True)\n    sigma = np.sqrt(x.var(axis=-1,",
                 new="mean = x.mean(axis=0, keepdims=True)\n    sigma = np.sqrt(x.var(axis=0,",
                 says="as in batch normalisation")
exercise.mistake("the unbiased variance", old="    sigma = np.sqrt(x.var(axis=-1, keepdims=True) + eps)\n    return",
                 new="    sigma = np.sqrt(x.var(axis=-1, ddof=1, keepdims=True) + eps)\n    return",
                 says="uses the unbiased variance")
exercise.mistake("eps behind the root", old="+ eps)\n    return w * (x - mean) / sigma + b",
                 new=")\n    return w * (x - mean) / (sigma + eps) + b", says="eps behind the root")
exercise.mistake("the weight is forgotten", old="    g = w * dy", new="    g = dy",
                 says="forgets the weight w")
exercise.mistake("the weight comes behind the means",
                 old="g = w * dy\n    along_xhat = (g * xhat).mean(axis=-1, keepdims=True)\n    dx = (g - ",
                 new="g = dy\n    along_xhat = (g * xhat).mean(axis=-1, keepdims=True)\n    dx = w * (g - ",
                 says="multiplies by w at the end")
exercise.mistake("the term through the mean is missing", old="g - g.mean(axis=-1, keepdims=True) - xhat", new="g - xhat",
                 says="through the mean")
exercise.mistake("the term through the variance is missing", old=" - xhat * along_xhat) / sigma", new=") / sigma",
                 says="through the variance")
exercise.mistake("the means run over the rows",
                 old="along_xhat = (g * xhat).mean(axis=-1, keepdims=True)\n    dx = (g - g.mean(axis=-1,",
                 new="along_xhat = (g * xhat).mean(axis=0, keepdims=True)\n    dx = (g - g.mean(axis=0,",
                 says="means over the rows")
exercise.mistake("only the first axis is summed", old="rows = tuple(range(x.ndim - 1))", new="rows = 0",
                 says="dw has shape.*sum it over axis")
exercise.mistake("dw with x", old="dw = (dy * xhat)", new="dw = (dy * x)", says="dw multiplies dy with x")
