"""Cases and mutants of `ops/softmax.py`."""
import numpy as np

from ...engine.arrays import array_module
from ...ops.softmax import CrossEntropy, LogSoftmax, NegativeLogLikelihood, Softmax
from ..registry import Sample, case, constant, fixed, integers, mutant, normal, positive

# ---- softmax ----
case(Softmax, "last dimension", [normal(3, 4)], lambda t, x: t.nn.functional.softmax(x, -1))
case(Softmax, "middle dimension", [normal(2, 3, 4)], lambda t, x: x.softmax(1))
case(Softmax, "dtype", [normal(3, 4)], lambda t, x: t.nn.functional.softmax(x, 0, dtype=x.dtype))
case(Softmax, "softmin", [normal(3, 4)], lambda t, x: t.nn.functional.softmin(x, 1))
case(Softmax, "large offset", [constant(np.array([[1e3, 1e3 + 1, 1e3 - 2], [-1e3, -1e3, -999.0]]))],
     lambda t, x: t.nn.functional.softmax(x, 1))
case(Softmax, "equal, large and tiny", [constant(np.array([[7.0, 7.0, 7.0], [50.0, -50.0, 50.0], [1e-300, 0.0, -1e-300]]))],
     lambda t, x: x.softmax(1))
case(Softmax, "one class, 0-d", [normal()], lambda t, x: t.nn.functional.softmax(x, 0))
case(Softmax, "empty batch", [normal(0, 4)], lambda t, x: t.nn.functional.softmax(x, 1))


@mutant(Softmax, "as if it acted on each element alone: p (1 - p)")
def _(backward, ctx, dp):
    (p,) = ctx.saved_tensors
    return dp * p * (1 - p),


@mutant(Softmax, "the sum is missing")
def _(backward, ctx, dp):
    (p,) = ctx.saved_tensors
    return dp * p,


@mutant(Softmax, "sum without the factor p inside")
def _(backward, ctx, dp):
    (p,) = ctx.saved_tensors
    return p * (dp - dp.sum(ctx.axis, keepdims=True)),


@mutant(Softmax, "sum over everything instead of over the axis")
def _(backward, ctx, dp):
    (p,) = ctx.saved_tensors
    return p * (dp - (dp * p).sum()),


# ---- log softmax ----
case(LogSoftmax, "last dimension", [normal(3, 4)], lambda t, x: t.nn.functional.log_softmax(x, -1))
case(LogSoftmax, "middle dimension", [normal(2, 3, 4)], lambda t, x: x.log_softmax(dim=1))
case(LogSoftmax, "very unequal", [constant(np.array([[0.0, 900.0, -900.0], [1.0, 2.0, 3.0]]))],
     lambda t, x: t.nn.functional.log_softmax(x, 1))
case(LogSoftmax, "0-d", [normal()], lambda t, x: t.nn.functional.log_softmax(x, -1))
case(LogSoftmax, "empty batch", [normal(0, 4)], lambda t, x: t.nn.functional.log_softmax(x, 1))


@mutant(LogSoftmax, "the normaliser forgotten")
def _(backward, ctx, dl):
    return dl,


@mutant(LogSoftmax, "log p instead of p")
def _(backward, ctx, dl):
    (logp,) = ctx.saved_tensors
    return dl - logp * dl.sum(ctx.axis, keepdims=True),


@mutant(LogSoftmax, "the sum of the gradient forgotten")
def _(backward, ctx, dl):
    (logp,) = ctx.saved_tensors
    return dl - dl * array_module(logp).exp(logp),


# ---- cross entropy ----
def probabilities(*shape):
    """Positive numbers that add up to 1 along dimension 1."""
    def draw(rng):
        y = rng.uniform(0.1, 1, shape)
        return y / y.sum(1, keepdims=True)
    return Sample(draw)


def ignoring(low, high, *shape, ignored=-100):
    """Labels in [low, high), every third of them `ignored` instead."""
    def draw(rng):
        labels = rng.integers(low, high, shape)
        labels.ravel()[::3] = ignored
        return labels
    return Sample(draw, False)


case(CrossEntropy, "labels", [normal(5, 4), integers(0, 4, 5)], lambda t, x, y: t.nn.functional.cross_entropy(x, y))
case(CrossEntropy, "pictures of labels, none", [normal(2, 3, 2, 4), integers(0, 3, 2, 2, 4)],
     lambda t, x, y: t.nn.functional.cross_entropy(x, y, reduction="none"))
case(CrossEntropy, "sequences of labels, weight, ignored labels",
     [normal(2, 3, 4), ignoring(0, 3, 2, 4), fixed(positive(3))],
     lambda t, x, y, w: t.nn.functional.cross_entropy(x, y, w))
case(CrossEntropy, "an ignored class, sum", [normal(6, 3), ignoring(0, 3, 6, ignored=1)],
     lambda t, x, y: t.nn.functional.cross_entropy(x, y, ignore_index=1, reduction="sum"))
case(CrossEntropy, "smoothing, ignored labels", [normal(5, 4), ignoring(0, 4, 5)],
     lambda t, x, y: t.nn.functional.cross_entropy(x, y, label_smoothing=0.2))
case(CrossEntropy, "smoothing, weight, ignored labels", [normal(5, 4, 2), ignoring(0, 4, 5, 2), fixed(positive(4))],
     lambda t, x, y, w: t.nn.functional.cross_entropy(x, y, w, label_smoothing=0.2))
case(CrossEntropy, "smoothing, weight, none", [normal(5, 4), ignoring(0, 4, 5), fixed(positive(4))],
     lambda t, x, y, w: t.nn.functional.cross_entropy(x, y, w, label_smoothing=1.0, reduction="none"))
case(CrossEntropy, "no batch", [normal(4), integers(0, 4)], lambda t, x, y: t.nn.functional.cross_entropy(x, y))
case(CrossEntropy, "probabilities", [normal(5, 4), probabilities(5, 4)],
     lambda t, x, y: t.nn.functional.cross_entropy(x, y))
case(CrossEntropy, "probabilities, weight, smoothing", [normal(2, 3, 4), probabilities(2, 3, 4), fixed(positive(3))],
     lambda t, x, y, w: t.nn.functional.cross_entropy(x, y, w, label_smoothing=0.1))
case(CrossEntropy, "targets that do not add up to 1, sum", [normal(5, 4), normal(5, 4)],
     lambda t, x, y: t.nn.functional.cross_entropy(x, y, reduction="sum"))
case(CrossEntropy, "probabilities, none, no batch", [normal(4), normal(4)],
     lambda t, x, y: t.nn.functional.cross_entropy(x, y, reduction="none"))
case(CrossEntropy, "confident mistake", [constant(np.array([[0.0, 800.0], [50.0, -50.0]])), integers(0, 2, 2)],
     lambda t, x, y: t.nn.functional.cross_entropy(x, y, reduction="none"))
case(CrossEntropy, "empty batch", [normal(0, 4), integers(0, 4, 0)],
     lambda t, x, y: t.nn.functional.cross_entropy(x, y, reduction="sum"))


@mutant(CrossEntropy, "softmax without the labels: p instead of p - y")
def _(backward, ctx, dl):
    xp = array_module(dl)
    logp, y = ctx.saved_tensors
    dl = xp.expand_dims(dl, ctx.axis)
    return dl * xp.exp(logp) * y.sum(ctx.axis, keepdims=True), backward(ctx, dl.squeeze(ctx.axis))[1]


@mutant(CrossEntropy, "the sum of the targets taken as 1")
def _(backward, ctx, dl):
    xp = array_module(dl)
    logp, y = ctx.saved_tensors
    return xp.expand_dims(dl, ctx.axis) * (xp.exp(logp) - y), backward(ctx, dl)[1]


@mutant(CrossEntropy, "the sign: y - p")
def _(backward, ctx, dl):
    dx, dy = backward(ctx, dl)
    return -dx, dy


@mutant(CrossEntropy, "the incoming gradient ignored")
def _(backward, ctx, dl):
    return backward(ctx, array_module(dl).ones_like(dl))


@mutant(CrossEntropy, "probabilities get p instead of -log p")
def _(backward, ctx, dl):
    xp = array_module(dl)
    logp, _ = ctx.saved_tensors
    return backward(ctx, dl)[0], xp.expand_dims(dl, ctx.axis) * xp.exp(logp)


# ---- negative log-likelihood ----
case(NegativeLogLikelihood, "labels", [normal(5, 4), integers(0, 4, 5)], lambda t, x, y: t.nn.functional.nll_loss(x, y))
case(NegativeLogLikelihood, "weight, ignored labels", [normal(2, 3, 2, 2), ignoring(0, 3, 2, 2, 2), fixed(positive(3))],
     lambda t, x, y, w: t.nn.functional.nll_loss(x, y, w))
case(NegativeLogLikelihood, "weight, none, an ignored class",
     [normal(6, 3), ignoring(0, 3, 6, ignored=2), fixed(positive(3))],
     lambda t, x, y, w: t.nn.functional.nll_loss(x, y, w, ignore_index=2, reduction="none"))
case(NegativeLogLikelihood, "sum, no batch", [normal(3), integers(0, 3)],
     lambda t, x, y: t.nn.functional.nll_loss(x, y, reduction="sum"))
case(NegativeLogLikelihood, "empty batch", [normal(0, 3), integers(0, 3, 0)],
     lambda t, x, y: t.nn.functional.nll_loss(x, y, reduction="sum"))


@mutant(NegativeLogLikelihood, "the sign")
def _(backward, ctx, dl):
    return -backward(ctx, dl)[0], None


@mutant(NegativeLogLikelihood, "weights and ignored labels forgotten")
def _(backward, ctx, dl):
    (y,) = ctx.saved_tensors
    return -array_module(dl).expand_dims(dl, ctx.axis) * (y != 0), None


@mutant(NegativeLogLikelihood, "the gradient of cross entropy on log-probabilities: p - y")
def _(backward, ctx, dl):
    (y,) = ctx.saved_tensors
    return array_module(dl).expand_dims(dl, ctx.axis) * (y.sum(ctx.axis, keepdims=True) / y.shape[ctx.axis] - y), None
