"""Cases and mutants of `ops/loss.py`."""
import numpy as np

from ...engine.arrays import array_module
from ...ops.loss import BCEWithLogits, BinaryCrossEntropy, SmoothL1, SquaredError
from ..registry import case, constant, fixed, mutant, normal, positive, uniform

# ---- squared error ----
case(SquaredError, "mean", [normal(3, 4), normal(3, 4)], lambda t, x, y: t.nn.functional.mse_loss(x, y))
case(SquaredError, "sum", [normal(3, 4), normal(3, 4)], lambda t, x, y: t.nn.functional.mse_loss(x, y, reduction="sum"))
case(SquaredError, "none", [normal(2, 3, 2), normal(2, 3, 2)],
     lambda t, x, y: t.nn.functional.mse_loss(x, y, reduction="none"))
case(SquaredError, "0-d", [normal(), normal()], lambda t, x, y: t.nn.functional.mse_loss(x, y))
case(SquaredError, "empty batch", [normal(0, 4), normal(0, 4)],
     lambda t, x, y: t.nn.functional.mse_loss(x, y, reduction="sum"))
case(SquaredError, "gaussian likelihood", [normal(3, 4), normal(3, 4), positive(3, 4)],
     lambda t, x, y, v: t.nn.functional.gaussian_nll_loss(x, y, v))
case(SquaredError, "gaussian likelihood, one variance a row, full, none", [normal(3, 4), normal(3, 4), positive(3, 1)],
     lambda t, x, y, v: t.nn.functional.gaussian_nll_loss(x, y, v, full=True, reduction="none"))


@mutant(SquaredError, "the factor 2 is missing")
def _(backward, ctx, dl):
    dx, dt = backward(ctx, dl)
    return dx / 2, dt / 2


@mutant(SquaredError, "target gets the gradient of the input")
def _(backward, ctx, dl):
    dx, _ = backward(ctx, dl)
    return dx, dx


@mutant(SquaredError, "divided by the number of elements although the mean does that")
def _(backward, ctx, dl):
    dx, dt = backward(ctx, dl)
    return dx / max(dx.size, 1), dt / max(dx.size, 1)


# ---- smooth L1 ----
case(SmoothL1, "mean", [normal(4, 4), normal(4, 4)], lambda t, x, y: t.nn.functional.smooth_l1_loss(x, y))
case(SmoothL1, "beta, sum", [normal(4, 4), normal(4, 4)],
     lambda t, x, y: t.nn.functional.smooth_l1_loss(x, y, beta=0.4, reduction="sum"))
case(SmoothL1, "huber, none", [normal(4, 4), normal(4, 4)],
     lambda t, x, y: t.nn.functional.huber_loss(x, y, reduction="none", delta=0.7))
case(SmoothL1, "empty batch", [normal(0, 4), normal(0, 4)],
     lambda t, x, y: t.nn.functional.huber_loss(x, y, reduction="sum"))


@mutant(SmoothL1, "not cut off outside")
def _(backward, ctx, dl):
    x, t = ctx.saved_tensors
    d = x - t
    return d / ctx.beta * dl, -d / ctx.beta * dl


@mutant(SmoothL1, "the sign everywhere, as for L1")
def _(backward, ctx, dl):
    x, t = ctx.saved_tensors
    dx = array_module(dl).sign(x - t) * dl
    return dx, -dx


@mutant(SmoothL1, "beta taken as 1 inside")
def _(backward, ctx, dl):
    x, t = ctx.saved_tensors
    dx = array_module(dl).clip(x - t, -1, 1) * dl
    return dx, -dx


# ---- binary cross-entropy ----
case(BinaryCrossEntropy, "mean", [uniform(0.05, 0.95, 3, 4), uniform(0.0, 1.0, 3, 4)],
     lambda t, p, y: t.nn.functional.binary_cross_entropy(p, y))
case(BinaryCrossEntropy, "weight, sum", [uniform(0.05, 0.95, 3, 4), uniform(0.0, 1.0, 3, 4), fixed(positive(4))],
     lambda t, p, y, w: t.nn.functional.binary_cross_entropy(p, y, w, reduction="sum"))
case(BinaryCrossEntropy, "none", [uniform(0.05, 0.95, 5), uniform(0.0, 1.0, 5)],
     lambda t, p, y: t.nn.functional.binary_cross_entropy(p, y, reduction="none"))
case(BinaryCrossEntropy, "empty batch", [uniform(0.05, 0.95, 0, 4), uniform(0.0, 1.0, 0, 4)],
     lambda t, p, y: t.nn.functional.binary_cross_entropy(p, y, reduction="sum"))


@mutant(BinaryCrossEntropy, "p - t, as if the input were scores")
def _(backward, ctx, dl):
    p, t = ctx.saved_tensors
    return (p - t) * dl, backward(ctx, dl)[1]


@mutant(BinaryCrossEntropy, "only the positive term: -t/p")
def _(backward, ctx, dl):
    p, t = ctx.saved_tensors
    return -t / p * dl, backward(ctx, dl)[1]


@mutant(BinaryCrossEntropy, "the sign of the target's gradient")
def _(backward, ctx, dl):
    dp, dt = backward(ctx, dl)
    return dp, None if dt is None else -dt


# ---- binary cross-entropy with logits ----
case(BCEWithLogits, "mean", [normal(3, 4), uniform(0.0, 1.0, 3, 4)],
     lambda t, x, y: t.nn.functional.binary_cross_entropy_with_logits(x, y))
case(BCEWithLogits, "weight for each row, sum", [normal(3, 4), uniform(0.0, 1.0, 3, 4), fixed(positive(3, 1))],
     lambda t, x, y, w: t.nn.functional.binary_cross_entropy_with_logits(x, y, w, reduction="sum"))
case(BCEWithLogits, "weight of the positives, none", [normal(3, 4), uniform(0.0, 1.0, 3, 4), fixed(positive(4))],
     lambda t, x, y, c: t.nn.functional.binary_cross_entropy_with_logits(x, y, pos_weight=c, reduction="none"))
case(BCEWithLogits, "huge scores", [constant(np.array([-800.0, 800.0, -800.0, 800.0, 0.0])),
                                    constant(np.array([0.0, 0.0, 1.0, 1.0, 0.5]))],
     lambda t, x, y: t.nn.functional.binary_cross_entropy_with_logits(x, y, reduction="none"))
case(BCEWithLogits, "empty batch", [normal(0, 4), uniform(0.0, 1.0, 0, 4)],
     lambda t, x, y: t.nn.functional.binary_cross_entropy_with_logits(x, y, reduction="sum"))
case(BCEWithLogits, "soft margin", [normal(3, 4), constant(np.sign(np.arange(12).reshape(3, 4) % 2 - 0.5).astype(int))],
     lambda t, x, y: t.nn.functional.soft_margin_loss(x, y))


@mutant(BCEWithLogits, "s - t whatever the weight of the positives")
def _(backward, ctx, dl):
    x, t, _ = ctx.saved_tensors
    return (1 / (1 + array_module(x).exp(-x)) - t) * dl, *backward(ctx, dl)[1:]


@mutant(BCEWithLogits, "the sign: t - s")
def _(backward, ctx, dl):
    dx, *rest = backward(ctx, dl)
    return (None if dx is None else -dx, *rest)


@mutant(BCEWithLogits, "multiplied by s (1 - s), as for a squared error behind a sigmoid")
def _(backward, ctx, dl):
    x = ctx.saved_tensors[0]
    s = 1 / (1 + array_module(x).exp(-x))
    dx, *rest = backward(ctx, dl)
    return (dx * s * (1 - s), *rest)
