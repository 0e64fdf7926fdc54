"""Softmax, its logarithm, and the cross-entropy that is built on them.

p_i = e^(x_i) / sum_j e^(x_j) does not change when every x loses the same number, so all of these subtract the maximum
first: the largest exponent is then 0 and nothing overflows.
"""
import math
import warnings

import numpy as np

from ..engine.arrays import array_module, as_array, quiet
from ..engine.formula import formula
from ..engine.function import Function
from ..engine.half import wide
from ..engine.checks import check_floating, check_number, check_tensor
from ..engine.tensor import Tensor, method, wrap
from .loss import check_reduction, reduced
from .selection import where


def shifted(x, axis):
    """x - max x along `axis`; nothing has no maximum."""
    return x - x.max(axis, keepdims=True) if x.size else x


def log_probabilities(x, axis):
    """log p of the array x along `axis`: z - log sum e^z, where z = x - max x."""
    xp, z = array_module(x), shifted(x, axis)
    return z - xp.log(xp.exp(z).sum(axis, keepdims=True))


def _weighted(logp, y):
    """y log p, and 0 where y = 0 even if p = 0: a class that does not count may be impossible."""
    return array_module(y).where(y == 0, y, logp) * y


class Softmax(Function, wide=True):
    """p_i = e^(x_i) / sum_j e^(x_j) along `axis` (None for a 0-d x): x (any shape) -> p.

    Derivation, with d_ij = 1 where i = j, else 0:
        dp_j/dx_i = p_j (d_ij - p_i)
        dx_i = sum_j dp_j p_j (d_ij - p_i) = p_i (dp_i - sum_j dp_j p_j)
    sum_i dx_i = 0: adding the same number to every x changes nothing. Saved: p.
    """

    @staticmethod
    def forward(ctx, x, axis):
        ctx.axis = axis
        p = array_module(x).exp(shifted(x, axis))
        p /= p.sum(axis, keepdims=True)
        ctx.save_for_backward(p)
        return p

    @staticmethod
    def backward(ctx, dp):
        (p,) = ctx.saved_tensors
        return p * (dp - (dp * p).sum(ctx.axis, keepdims=True))


class LogSoftmax(Function, wide=True):
    """l_i = log p_i = x_i - log sum_j e^(x_j) along `axis` (None for a 0-d x): x (any shape) -> l.

    Derivation: dl_j/dx_i = d_ij - p_i, so dx_i = dl_i - p_i sum_j dl_j with p = e^l. Saved: l.
    """

    @staticmethod
    def forward(ctx, x, axis):
        ctx.axis = axis
        logp = log_probabilities(x, axis)
        ctx.save_for_backward(logp)
        return logp

    @staticmethod
    def backward(ctx, dl):
        (logp,) = ctx.saved_tensors
        return dl - array_module(logp).exp(logp) * dl.sum(ctx.axis, keepdims=True)


class CrossEntropy(Function, wide=True):
    """l = -sum_c y_c log p_c with p = softmax(x) along `axis`: scores x (N, C, *S), targets y (N, C, *S) -> l (N, *S).

    y_c says how much class c counts: 1 at the label and 0 elsewhere, or probabilities; weighted, it need not sum to 1.

    Derivation, with Y = sum_c y_c and dlog p_c/dx_i = d_ci - p_i:
        dx_i = -dl sum_c y_c (d_ci - p_i) = dl (Y p_i - y_i)
        dy_c = -dl log p_c
    For probabilities Y = 1, and what flows back is p - y: what the network believes less what is true. The division by p
    in the gradient of the logarithm cancels against the p of the softmax's, so a confident mistake (p near 0 at the label)
    gets a gradient near -1, where the two steps one after the other would compute 0 times infinity.
    Saved: log p and y, each as large as x.
    """

    @staticmethod
    def forward(ctx, x, y, axis):
        ctx.axis = axis
        logp = log_probabilities(x, axis)
        ctx.save_for_backward(logp, y)
        return -_weighted(logp, y).sum(axis)

    @staticmethod
    def backward(ctx, dl):
        return CrossEntropy.gradients(ctx, dl, *ctx.saved_tensors)

    @staticmethod
    def backward_recorded(ctx, dl):
        """With log p as a function of x. A shift of x does not change it, and so log p = x - log sum e^x serves as x."""
        logp, y = ctx.saved_tensors
        return CrossEntropy.gradients(ctx, dl, LogSoftmax.apply(ctx.stand_in(0, logp), axis=ctx.axis), y)

    @staticmethod
    def gradients(ctx, dl, logp, y):
        """dx and dy, from arrays or Tensors."""
        xp = array_module(dl)
        dl = xp.expand_dims(dl, ctx.axis)
        dx = dl * (xp.exp(logp) * y.sum(ctx.axis, keepdims=True) - y)
        return dx, -dl * logp if ctx.needs_input_grad[1] else None


class NegativeLogLikelihood(Function, wide=True):
    """l = -sum_c y_c x_c: log-probabilities x (N, C, *S), targets y (N, C, *S), summed along `axis` -> l (N, *S).

    Derivation: dx_c = -dl y_c. Saved: y. (The targets are constants, made from labels.)
    """

    @staticmethod
    def forward(ctx, x, y, axis):
        ctx.axis = axis
        ctx.save_for_backward(y)
        return -_weighted(x, y).sum(axis)

    @staticmethod
    def backward(ctx, dl):
        (y,) = ctx.saved_tensors
        return -array_module(dl).expand_dims(dl, ctx.axis) * y, None


@formula
def targets(labels, shape, axis, weight, dtype, ignored, smoothing):
    """Labels (N, *S) as the y (N, C, *S) of `CrossEntropy`, and the sum of their weights (their number, without weights).

    y is (1 - smoothing) at the label plus smoothing / C everywhere, times the weight of the class; 0 for a label that is
    `ignored`, and NaN for one that is no class. `weight` broadcasts against y, whose `shape` and `dtype` are given.
    """
    xp, classes = array_module(labels), shape[axis]
    labels = xp.expand_dims(labels, axis)
    wrong = ((labels < 0) | (labels >= classes)) & (labels != ignored)
    counts = xp.where(wrong, math.nan, labels != ignored).astype(dtype)
    if weight is not None:
        counts = xp.where(counts == 0, 0, counts * weight)
    chosen = labels == xp.arange(classes).reshape(-1, *[1] * (len(shape) - 1 - axis))
    y = xp.where(chosen | wrong, counts, 0)
    total = as_array(y.sum(), y)
    return y if smoothing == 0 else y * (1 - smoothing) + counts * (smoothing / classes), total


# ---- the functions a user calls --------------------------------------------------------------------------------------

def _axis(function, input, dim):
    """`dim` as an axis for the array of `input`, None where it has no dimensions.

    Without `dim` it is the first of an input with 0, 1 or 3 dimensions, the second of others: PyTorch's old rule, in which
    3 dimensions were a picture (C, H, W). It warns, because what adds up to 1 should be said.
    """
    check_floating(function, input=input)
    if dim is None:
        dim = 0 if input.ndim in (0, 1, 3) else 1
        warnings.warn(f"{function}: dim should be given, it says along which dimension the results add up to 1: dim=1 for "
                      f"scores (N, C) or (N, C, H, W), dim=-1 for the last; for shape {input.shape} it is now {dim}",
                      stacklevel=3)
    if not isinstance(dim, (int, np.integer)):
        raise TypeError(f"{function}: dim must be an integer, got {dim!r:.80}")
    if not -max(input.ndim, 1) <= dim < max(input.ndim, 1):
        raise IndexError(f"{function}: dim {dim} is out of range for an input of shape {input.shape}")
    return dim if input.ndim else None


@method("softmax")
def softmax(input, dim=None, dtype=None):
    """e^x / sum e^x along `dim`: positive numbers that add up to 1. `dtype` converts the input first."""
    check_tensor("softmax", input=input)
    input = input if dtype is None else input.to(dtype=dtype)
    return Softmax.apply(input, axis=_axis("softmax", input, dim))


@method("log_softmax")
def log_softmax(input, dim=None, dtype=None):
    """The logarithm of `softmax`, computed without leaving the logarithms. `dtype` converts the input first."""
    check_tensor("log_softmax", input=input)
    input = input if dtype is None else input.to(dtype=dtype)
    return LogSoftmax.apply(input, axis=_axis("log_softmax", input, dim))


def softmin(input, dim=None, dtype=None):
    """softmax(-x): the smallest x gets the largest share."""
    check_tensor("softmin", input=input)
    input = input if dtype is None else input.to(dtype=dtype)
    return Softmax.apply(-input, axis=_axis("softmin", input, dim))


def _check_scores(function, input, weight):
    """The class axis of `input` and `weight` as an array that broadcasts against it (None where there is none)."""
    check_floating(function, input=input)
    if input.ndim == 0:
        raise ValueError(f"{function}: input must be (C), (N, C) or (N, C, *S), got a 0-d tensor")
    axis = min(input.ndim - 1, 1)
    if weight is None:
        return axis, None
    check_floating(function, weight=weight)
    if weight.shape != (input.shape[axis],):
        raise ValueError(f"{function}: weight must have shape {(input.shape[axis],)}, one number for each class of input "
                         f"{input.shape}, got {weight.shape}")
    if weight.requires_grad:
        raise ValueError(f"{function}: weight is a constant and cannot require a gradient; pass weight.detach()")
    return axis, weight.array.astype(input.dtype, copy=False).reshape(-1, *[1] * (input.ndim - 1 - axis))


def _targets(function, input, target, axis, weight, ignore_index, smoothing=0.0):
    """`targets` of the labels `target`, after checking them; to look for a wrong one on a GPU would mean to wait for it."""
    check_number(function, ignore_index=ignore_index)
    classes, labels = input.shape[axis], target.array
    expected = input.shape[:axis] + input.shape[axis + 1:]
    if target.shape != expected:
        raise ValueError(f"{function}: target must hold labels of shape {expected} for an input of shape {input.shape}, got "
                         f"shape {target.shape}")
    if array_module(labels) is np:
        wrong = ((labels < 0) | (labels >= classes)) & (labels != ignore_index)
        if wrong.any():
            raise IndexError(f"{function}: target holds the label {labels[wrong][0]}, labels must lie in [0, {classes - 1}] "
                             f"for an input of shape {input.shape} (or be ignore_index, {ignore_index})")
    with quiet():
        y, divisor = targets(labels, input.shape, axis, weight, input.dtype, ignore_index, smoothing)
    return wrap(y), wrap(divisor)


@wide
def cross_entropy(input, target, weight=None, *, ignore_index=-100, reduction="mean", label_smoothing=0.0):
    """-log of the probability that softmax(input) gives to the target: input (C), (N, C) or (N, C, *S), unnormalised.

    `target` holds labels, integers in [0, C), shape (), (N) or (N, *S), or floating-point probabilities in the shape of
    input, which may require a gradient. `weight` (C) scales every class. Labels equal to `ignore_index` do not count.
    `label_smoothing` e mixes the target with the uniform distribution: (1 - e) target + e / C.
    `reduction` "mean" divides the sum by the weights of the labels (for probabilities by their number), "sum" does not,
    "none" keeps one loss for each target.
    IndexError for a label out of range (on a GPU, which would have to be waited for, the loss is then NaN); ValueError or
    TypeError for shapes and dtypes that do not fit.
    """
    check_reduction("cross_entropy", reduction)
    axis, weight = _check_scores("cross_entropy", input, weight)
    check_tensor("cross_entropy", target=target)
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"cross_entropy: label_smoothing must lie in [0, 1], got {label_smoothing}")
    if target.is_floating_point():
        if target.shape != input.shape:
            raise ValueError(f"cross_entropy: a floating-point target holds probabilities and must have the shape of input, "
                             f"{input.shape}, got {target.shape}; labels are integers: target.long()")
        if ignore_index >= 0:
            raise ValueError(f"cross_entropy: ignore_index is for labels; target holds probabilities, got {ignore_index}")
        y, divisor = target.to(input.dtype), input.numel() // max(input.shape[axis], 1)
        if label_smoothing > 0:
            y = y * (1 - label_smoothing) + label_smoothing / max(input.shape[axis], 1)
        if weight is not None:
            y = y * wrap(weight)
    else:
        _check_integer("cross_entropy", target)
        y, divisor = _targets("cross_entropy", input, target, axis, weight, ignore_index, label_smoothing)
    loss = CrossEntropy.apply(input, y, axis=axis)
    return mean_of(loss, divisor) if reduction == "mean" else reduced(loss, reduction)


@wide
def nll_loss(input, target, weight=None, *, ignore_index=-100, reduction="mean"):
    """`cross_entropy` of log-probabilities (what `log_softmax` returns) and labels, without label smoothing."""
    check_reduction("nll_loss", reduction)
    axis, weight = _check_scores("nll_loss", input, weight)
    check_tensor("nll_loss", target=target)
    _check_integer("nll_loss", target)
    y, divisor = _targets("nll_loss", input, target, axis, weight, ignore_index)
    loss = NegativeLogLikelihood.apply(input, y, axis=axis)
    return mean_of(loss, divisor) if reduction == "mean" else reduced(loss, reduction)


def mean_of(loss, divisor):
    """The sum of the losses divided by `divisor`, a number or a 0-d Tensor.

    Where no label counts this is NaN, 0 / 0; but each loss is then 0 whatever the scores are, and so are the gradients. On a
    GPU it takes longer to ask for the divisor than to compute with both.
    """
    if not isinstance(divisor, Tensor) or array_module(divisor.array) is np and divisor.array:
        return loss.sum() / divisor
    nothing = divisor == 0
    return loss.sum() / (divisor + nothing) + where(nothing, math.nan, 0.0)


def _check_integer(function, target):
    if target.dtype.kind not in "iu":
        raise TypeError(f"{function}: target must hold integer labels, got {target.dtype}; convert with target.long()")


__all__ = ["cross_entropy", "log_softmax", "nll_loss", "softmax", "softmin"]
