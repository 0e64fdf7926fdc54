"""Losses that compare two tensors. (`cross_entropy` and `nll_loss` stand in `softmax.py`.)

Every loss is computed element by element, or row by row, and then reduced: "none" keeps the numbers, "sum" adds them,
"mean" also divides by how many they are. The Functions below know only the first step: in `mse_loss`, the gradient of the
mean brings dl = 1/N, and `SquaredError` turns it into 2 (x - t) / N.

Input and target must have the same shape. PyTorch broadcasts them, mostly with a warning: (N, 1) against (N,) then silently
compares all N^2 pairs.
"""
import math

import numpy as np

from ..engine.arrays import array_module
from ..engine.function import Function
from ..engine.half import wide
from ..engine.checks import check_floating, check_number, check_tensor
from ..engine.tensor import Tensor
from .activation import log_of_one_and_exp, logistic, sigmoid, softplus
from .creation import ones_like
from .elementwise import check_broadcast
from .shape import broadcast_tensors


class SquaredError(Function, wide=True):
    """l = (x - t)^2, elementwise.  dx = 2 (x - t) dl, dt = -dx.  Saved: x and t."""

    @staticmethod
    def forward(ctx, x, t):
        ctx.save_for_backward(x, t)
        d = x - t
        return d * d

    @staticmethod
    def backward(ctx, dl):
        x, t = ctx.saved_tensors
        dx = 2 * (x - t) * dl
        return dx, -dx


class SmoothL1(Function, wide=True):
    """l = d^2 / (2 beta) where |d| < beta, else |d| - beta/2, with d = x - t: a parabola that goes over into two lines.

    Derivation: dl/dd = d / beta inside and sign(d) outside, that is, d / beta cut off at -1 and 1. dx = dl clip(d / beta),
    dt = -dx: a target that is far off pulls no harder than one at distance beta. Saved: x and t.
    Source: Girshick, Fast R-CNN, 2015 (arXiv:1504.08083), equation 3; Huber, 1964.
    """

    @staticmethod
    def forward(ctx, x, t, beta):
        xp = array_module(x)
        ctx.beta = beta
        ctx.save_for_backward(x, t)
        a = xp.abs(x - t)
        return xp.where(a < beta, a * a * (0.5 / beta), a - 0.5 * beta)

    @staticmethod
    def backward(ctx, dl):
        x, t = ctx.saved_tensors
        dx = array_module(x).clip((x - t) / ctx.beta, -1, 1) * dl
        return dx, -dx


class BinaryCrossEntropy(Function, wide=True):
    """l = -(t log p + (1 - t) log(1 - p)), elementwise: probabilities p, targets t in [0, 1]; logarithms of at least -100.

    Derivation: dl/dp = -t/p + (1 - t)/(1 - p) = (p - t) / (p (1 - p)), the divisor kept above 1e-12;
        dl/dt = log(1 - p) - log p.
    At p = 0 or 1 this loses the gradient; `BCEWithLogits` does not. Saved: p, t.
    """

    @staticmethod
    def forward(ctx, p, t):
        ctx.save_for_backward(p, t)
        log_p, log_q = _logarithms(p)
        return (t - 1) * log_q - t * log_p

    @staticmethod
    def backward(ctx, dl):
        p, t = ctx.saved_tensors
        dt = None
        if ctx.needs_input_grad[1]:
            log_p, log_q = _logarithms(p)
            dt = (log_q - log_p) * dl
        return (p - t) / array_module(p).maximum(p * (1 - p), 1e-12) * dl, dt


def _logarithms(p):
    """log p and log(1 - p), at least -100, without taking the logarithm of 0; NaN of NaN."""
    xp = array_module(p)
    log_p = xp.where(p <= 0, -100, xp.log(xp.where(p <= 0, 1, p)))
    log_q = xp.where(p >= 1, -100, xp.log1p(-xp.where(p >= 1, 0, p)))
    return xp.maximum(log_p, -100), xp.maximum(log_q, -100)


class BCEWithLogits(Function, wide=True):
    """l = -(c t log s + (1 - t) log(1 - s)) with s = 1 / (1 + e^-x), elementwise: scores x, targets t; c = `pos_weight`.

    Stable form: log(1 - s) = -x + log s and log s = -softplus(-x) = min(x, 0) - log(1 + e^-|x|), so
        l = (1 - t) x + (1 + (c - 1) t) softplus(-x), where no exponent is positive.

    Derivation: dlog s/dx = 1 - s and dlog(1 - s)/dx = -s, so
        dx = dl (-c t (1 - s) + (1 - t) s), which is dl (s - t) for c = 1: what the network says less what is true;
        dt = dl (-c log s + log(1 - s)) = dl ((c - 1) softplus(-x) - x).
    Composed of a sigmoid and a logarithm, a confident mistake would get 1/0 times 0. Saved: x, t, c.
    """

    @staticmethod
    def forward(ctx, x, t, pos_weight):
        c = 1 if pos_weight is None else pos_weight
        ctx.save_for_backward(x, t, c)
        return (1 - t) * x + (1 + (c - 1) * t) * _softplus(-x)

    @staticmethod
    def backward(ctx, dl):
        x, t, c = ctx.saved_tensors
        dx = dt = None
        if ctx.needs_input_grad[0]:
            dx = (_sigmoid(x) * (1 + (c - 1) * t) - c * t) * dl
        if ctx.needs_input_grad[1]:
            dt = ((c - 1) * _softplus(-x) - x) * dl
        return dx, dt, None


def _sigmoid(x):
    """1 / (1 + e^-x), of an array or a Tensor."""
    return sigmoid(x) if isinstance(x, Tensor) else logistic(x)


def _softplus(x):
    """log(1 + e^x), of an array or a Tensor."""
    return softplus(x, threshold=math.inf) if isinstance(x, Tensor) else log_of_one_and_exp(x)


# ---- what all losses share -------------------------------------------------------------------------------------------

def check_reduction(function, reduction):
    """Raise ValueError where `reduction` is none of the three."""
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"{function}: reduction must be 'none', 'mean' or 'sum', got {reduction!r}")


def reduced(loss, reduction):
    """`loss` itself, its mean or its sum."""
    return loss.mean() if reduction == "mean" else loss.sum() if reduction == "sum" else loss


def _check_pair(function, input, target, reduction, names=("input", "target")):
    """Check `reduction` and that both are floating-point tensors of one shape."""
    check_reduction(function, reduction)
    check_floating(function, **dict(zip(names, (input, target))))
    if input.shape != target.shape:
        raise ValueError(f"{function}: {names[0]} and {names[1]} must have the same shape, got {input.shape} and "
                         f"{target.shape}")


def _weighted(function, loss, weight):
    """`loss` times `weight` (None, or a tensor that broadcasts to its shape)."""
    if weight is None:
        return loss
    check_tensor(function, weight=weight)
    return loss * _expand(function, "weight", weight, loss.shape)


def _expand(function, name, tensor, shape):
    """`tensor`, after checking that it broadcasts to `shape`."""
    pairs = zip(reversed(tensor.shape), reversed(shape))
    if tensor.ndim > len(shape) or any(n not in (1, m) for n, m in pairs):
        raise ValueError(f"{function}: {name} of shape {tensor.shape} does not broadcast to input's shape {shape}")
    return tensor


# ---- regression ------------------------------------------------------------------------------------------------------

@wide
def mse_loss(input, target, *, reduction="mean"):
    """(input - target)^2."""
    _check_pair("mse_loss", input, target, reduction)
    return reduced(SquaredError.apply(input, target), reduction)


@wide
def l1_loss(input, target, *, reduction="mean"):
    """|input - target|."""
    _check_pair("l1_loss", input, target, reduction)
    return reduced((input - target).abs(), reduction)


@wide
def smooth_l1_loss(input, target, *, reduction="mean", beta=1.0):
    """d^2 / (2 beta) where |d| < beta, else |d| - beta/2, with d = input - target; `l1_loss` for beta 0."""
    _check_pair("smooth_l1_loss", input, target, reduction)
    if beta < 0:
        raise ValueError(f"smooth_l1_loss: beta must not be negative, got {beta}")
    loss = (input - target).abs() if beta == 0 else SmoothL1.apply(input, target, beta=beta)
    return reduced(loss, reduction)


@wide
def huber_loss(input, target, reduction="mean", delta=1.0):
    """d^2 / 2 where |d| < delta, else delta (|d| - delta/2), with d = input - target: delta times `smooth_l1_loss`."""
    _check_pair("huber_loss", input, target, reduction)
    if delta <= 0:
        raise ValueError(f"huber_loss: delta must be positive, got {delta}")
    return reduced(SmoothL1.apply(input, target, beta=delta) * delta, reduction)


@wide
def poisson_nll_loss(input, target, log_input=True, full=False, *, eps=1e-8, reduction="mean"):
    """The negative log-likelihood of counts: e^input - target input, or input - target log(input + eps) without `log_input`.

    `full` adds Stirling's approximation of log(target!) where target > 1.
    """
    _check_pair("poisson_nll_loss", input, target, reduction)
    loss = input.exp() - target * input if log_input else input - target * (input + eps).log()
    if full:
        t = target.clamp(min=1)
        loss = loss + (t * t.log() - t + (2 * math.pi * t).log() * 0.5) * (target > 1).to(loss.dtype)
    return reduced(loss, reduction)


@wide
def gaussian_nll_loss(input, target, var, full=False, eps=1e-6, reduction="mean"):
    """(log var + (input - target)^2 / var) / 2 with var at least `eps`: the target is normal around input.

    `var` is a tensor in the shape of input, or with 1 as, or without, the last dimension. `full` adds log(2 pi) / 2.
    """
    _check_pair("gaussian_nll_loss", input, target, reduction)
    check_floating("gaussian_nll_loss", var=var)
    if var.shape == input.shape[:-1] and input.ndim:
        var = var.reshape((*var.shape, 1))
    if var.shape not in (input.shape, (*input.shape[:-1], 1)):
        raise ValueError(f"gaussian_nll_loss: var must have the shape of input, {input.shape}, or 1 as, or lack, its last "
                         f"dimension, got {var.shape}")
    if bool((var.array < 0).any()):
        raise ValueError("gaussian_nll_loss: var must not be negative")
    var = var + (var.detach().clamp(min=eps) - var.detach())  # clamped values, but the gradient passes, as in PyTorch
    loss = (var.log() + SquaredError.apply(input, target) / var) * 0.5
    return reduced(loss + 0.5 * math.log(2 * math.pi) if full else loss, reduction)


# ---- probabilities ---------------------------------------------------------------------------------------------------

@wide
def binary_cross_entropy(input, target, weight=None, *, reduction="mean"):
    """-(target log input + (1 - target) log(1 - input)) for probabilities `input`; each logarithm is at least -100.

    `weight` multiplies the losses, broadcast. Prefer `binary_cross_entropy_with_logits`. ValueError where an input or a
    target lies outside [0, 1] or is NaN (on a GPU, which would have to be waited for, nobody looks).
    """
    _check_pair("binary_cross_entropy", input, target, reduction)
    for name, x in (("input", input.array), ("target", target.array)):
        if array_module(x) is np and not ((x >= 0) & (x <= 1)).all():
            advice = "; for scores use binary_cross_entropy_with_logits" if name == "input" else ""
            raise ValueError(f"binary_cross_entropy: {name} holds probabilities and must lie in [0, 1], got values from "
                             f"{x.min()} to {x.max()}{advice}")
    return reduced(_weighted("binary_cross_entropy", BinaryCrossEntropy.apply(input, target), weight), reduction)


@wide
def binary_cross_entropy_with_logits(input, target, weight=None, *, reduction="mean", pos_weight=None):
    """`binary_cross_entropy` of sigmoid(input), stable for scores of any size.

    `weight` multiplies the losses and `pos_weight` those of the positive targets only, both broadcast.
    """
    name = "binary_cross_entropy_with_logits"
    _check_pair(name, input, target, reduction)
    if pos_weight is not None:
        check_floating(name, pos_weight=pos_weight)
        if _expand(name, "pos_weight", pos_weight, input.shape).requires_grad:
            raise ValueError(f"{name}: pos_weight is a constant and cannot require a gradient; pass pos_weight.detach()")
    return reduced(_weighted(name, BCEWithLogits.apply(input, target, pos_weight), weight), reduction)


@wide
def kl_div(input, target, *, reduction="mean", log_target=False):
    """target (log target - input): the divergence from the log-probabilities `input` to the probabilities `target`.

    0 where the target is 0, NaN where it is negative.

    With `log_target` the target holds logarithms as well. `reduction` "batchmean" divides the sum by the first dimension,
    which is the divergence of the mathematicians; "mean" divides by the number of elements.
    """
    _check_pair("kl_div", input, target, "sum" if reduction == "batchmean" else reduction)
    if log_target:
        loss = target.exp() * (target - input)
    else:
        loss = target * ((target + (target.detach() == 0).to(target.dtype)).log() - input)  # 0 log 0 = 0
    return loss.sum() / input.shape[0] if reduction == "batchmean" and input.ndim else reduced(loss, reduction)


# ---- distances and margins -------------------------------------------------------------------------------------------

@wide
def cosine_similarity(x1, x2, dim=1, eps=1e-8):
    """x1 . x2 / (max(|x1|, eps) max(|x2|, eps)) along `dim`; x1 and x2 broadcast."""
    check_floating("cosine_similarity", x1=x1, x2=x2)
    check_broadcast("cosine_similarity", x1, x2)
    check_number("cosine_similarity", dim=dim, eps=eps)
    x1, x2 = (x / x.norm(2, dim, keepdim=True).clamp(min=eps) for x in broadcast_tensors(x1, x2))
    return (x1 * x2).sum(dim)


@wide
def pairwise_distance(x1, x2, p=2.0, eps=1e-6, keepdim=False):
    """The p-norm of x1 - x2 + eps along the last dimension; x1 and x2 broadcast."""
    check_floating("pairwise_distance", x1=x1, x2=x2)
    check_broadcast("pairwise_distance", x1, x2)
    return (x1 - x2 + eps).norm(p, -1, keepdim=keepdim)


@wide
def cosine_embedding_loss(input1, input2, target, margin=0.0, *, reduction="mean"):
    """1 - cos(input1, input2) where target is 1, max(0, cos - margin) where it is -1: inputs (N, D) or (D)."""
    name = "cosine_embedding_loss"
    _check_pair(name, input1, input2, reduction, ("input1", "input2"))
    _check_signs(name, target, input1.shape[:-1])
    a, b = ((x * x).sum(-1) + 1e-12 for x in (input1, input2))
    cos = (input1 * input2).sum(-1) / (a * b).sqrt()
    return reduced(_select(target, 1, 1 - cos) + _select(target, -1, (cos - margin).clamp(min=0)), reduction)


@wide
def margin_ranking_loss(input1, input2, target, margin=0.0, *, reduction="mean"):
    """max(0, -target (input1 - input2) + margin): target 1 where input1 should be the larger one, else -1."""
    _check_pair("margin_ranking_loss", input1, input2, reduction, ("input1", "input2"))
    _check_signs("margin_ranking_loss", target, input1.shape)
    return reduced((-target * (input1 - input2) + margin).clamp(min=0), reduction)


@wide
def hinge_embedding_loss(input, target, margin=1.0, *, reduction="mean"):
    """input where target is 1, max(0, margin - input) where it is -1."""
    check_reduction("hinge_embedding_loss", reduction)
    check_floating("hinge_embedding_loss", input=input)
    _check_signs("hinge_embedding_loss", target, input.shape)
    return reduced(_select(target, 1, input) + _select(target, -1, (margin - input).clamp(min=0)), reduction)


@wide
def soft_margin_loss(input, target, *, reduction="mean"):
    """log(1 + e^(-target input)), target 1 or -1: `binary_cross_entropy_with_logits` with other names for the classes."""
    check_reduction("soft_margin_loss", reduction)
    check_floating("soft_margin_loss", input=input)
    _check_signs("soft_margin_loss", target, input.shape)
    z = target * input
    return reduced(BCEWithLogits.apply(z, ones_like(z), None), reduction)


def _check_signs(function, target, shape):
    """Check that `target` (of 1 and -1) has the given shape."""
    check_tensor(function, target=target)
    if target.shape != shape:
        raise ValueError(f"{function}: target must have shape {shape}, got {target.shape}")


def _select(target, sign, loss):
    """`loss` where target is `sign`, else 0."""
    return loss * (target.detach() == sign).to(loss.dtype)


@wide
def triplet_margin_loss(anchor, positive, negative, margin=1.0, p=2.0, eps=1e-6, swap=False, *, reduction="mean"):
    """max(0, d(anchor, positive) - d(anchor, negative) + margin) with d = `pairwise_distance`: inputs (N, D) or (D).

    `swap` also measures the distance from positive to negative, and uses the smaller one.
    """
    _check_pair("triplet_margin_loss", anchor, positive, reduction, ("anchor", "positive"))
    _check_pair("triplet_margin_loss", anchor, negative, reduction, ("anchor", "negative"))
    near, far = pairwise_distance(anchor, positive, p, eps), pairwise_distance(anchor, negative, p, eps)
    if swap:
        far = far.minimum(pairwise_distance(positive, negative, p, eps))
    return reduced((near - far + margin).clamp(min=0), reduction)


__all__ = ["binary_cross_entropy", "binary_cross_entropy_with_logits", "cosine_embedding_loss", "cosine_similarity",
           "gaussian_nll_loss", "hinge_embedding_loss", "huber_loss", "kl_div", "l1_loss", "margin_ranking_loss", "mse_loss",
           "pairwise_distance", "poisson_nll_loss", "smooth_l1_loss", "soft_margin_loss", "triplet_margin_loss"]
