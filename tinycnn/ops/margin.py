"""Losses on scores for many classes that ask for a margin between right and wrong, and triplets with any distance.

The score of a right class shall exceed that of a wrong one by the margin; what is missing is the loss. Beyond the margin the
gradient is zero: such cases no longer count.
"""
from ..engine.arrays import array_module
from ..engine.half import wide
from ..engine.checks import check_floating, check_tensor
from ..engine.tensor import wrap
from .loss import BCEWithLogits, check_reduction, pairwise_distance, reduced


def _check_scores(function, input, target, reduction, target_shape):
    """Check reduction, scores (N, C) or (C), and a target of integers of the given shape."""
    check_reduction(function, reduction)
    check_floating(function, input=input)
    check_tensor(function, target=target)
    if input.ndim not in (1, 2) or not input.shape[-1]:
        raise ValueError(f"{function}: input must have shape (N, C) or (C), got {input.shape}")
    if target.dtype.kind not in "iu":
        raise TypeError(f"{function}: target must hold integers, got {target.dtype}")
    expected = target_shape(input.shape)
    if target.shape != expected:
        raise ValueError(f"{function}: target must have shape {expected} for input of shape {input.shape}, got "
                         f"{target.shape}")


@wide
def multi_margin_loss(input, target, p=1, margin=1.0, weight=None, *, reduction="mean"):
    """sum over i != t of max(0, margin - x_t + x_i)^p / C, for scores x (N, C) or (C) and right classes t (N) or ().

    `weight` (C,) multiplies the loss of a case by that of its right class. `p` is 1 or 2. Source: Crammer and Singer, "On
    the algorithmic implementation of multiclass kernel-based vector machines" (2001).
    """
    name = "multi_margin_loss"
    _check_scores(name, input, target, reduction, lambda shape: shape[:-1])
    if p not in (1, 2):
        raise ValueError(f"{name}: p must be 1 or 2, got {p}")
    classes = input.shape[-1]
    if weight is not None:
        check_floating(name, weight=weight)
        if weight.shape != (classes,):
            raise ValueError(f"{name}: weight must have shape ({classes},), one number a class, got {weight.shape}")
    xp = array_module(input.array)
    right = target.unsqueeze(-1)
    missing = (margin - input.gather(-1, right) + input).clamp(min=0)
    wrong = wrap((right.array != xp.arange(classes)).astype(input.dtype))
    loss = ((missing if p == 1 else missing * missing) * wrong).sum(-1) / classes
    return reduced(loss if weight is None else loss * weight[target], reduction)


@wide
def multilabel_margin_loss(input, target, *, reduction="mean"):
    """sum over right j, wrong i of max(0, 1 - x_j + x_i) / C, for scores x (N, C) or (C).

    `target`, of the same shape, lists the right classes of each case, and then -1; what stands behind the first -1 does not
    count.
    """
    name = "multilabel_margin_loss"
    _check_scores(name, input, target, reduction, lambda shape: shape)
    xp, classes = array_module(input.array), input.shape[-1]
    listed = xp.cumsum(target.array < 0, -1) == 0
    labels = xp.where(listed, target.array, 0)
    right = ((labels[..., None] == xp.arange(classes)) & listed[..., None]).any(-2)
    missing = (1 - input.gather(-1, wrap(labels)).unsqueeze(-1) + input.unsqueeze(-2)).clamp(min=0)
    pairs = wrap((listed[..., None] & ~right[..., None, :]).astype(input.dtype))
    return reduced((missing * pairs).sum((-2, -1)) / classes, reduction)


@wide
def multilabel_soft_margin_loss(input, target, weight=None, *, reduction="mean"):
    """The mean over classes of `binary_cross_entropy_with_logits`: scores (*, C), and a target of 0 and 1 of that shape.

    `weight` (C,) multiplies the terms of the classes.
    """
    name = "multilabel_soft_margin_loss"
    check_reduction(name, reduction)
    check_floating(name, input=input, target=target)
    if input.shape != target.shape or not input.ndim:
        raise ValueError(f"{name}: input and target must have the same shape (*, C), got {input.shape} and {target.shape}")
    loss = BCEWithLogits.apply(input, target, None)
    if weight is not None:
        check_floating(name, weight=weight)
        if weight.shape not in ((), (1,), (input.shape[-1],)):
            raise ValueError(f"{name}: weight must have shape ({input.shape[-1]},), got {weight.shape}")
        loss = loss * weight
    return reduced(loss.mean(-1), reduction)


@wide
def triplet_margin_with_distance_loss(anchor, positive, negative, *, distance_function=None, margin=1.0, swap=False,
                                      reduction="mean"):
    """max(0, d(anchor, positive) - d(anchor, negative) + margin) with any `distance_function` d of two tensors.

    d is `pairwise_distance` where None. `swap` also measures the distance from positive to negative, and uses the smaller
    one.
    """
    name = "triplet_margin_with_distance_loss"
    check_reduction(name, reduction)
    check_floating(name, anchor=anchor, positive=positive, negative=negative)
    if margin <= 0:
        raise ValueError(f"{name}: margin must be positive, got {margin}")
    if not anchor.ndim == positive.ndim == negative.ndim:
        raise ValueError(f"{name}: anchor, positive and negative must have as many dimensions, got shapes {anchor.shape}, "
                         f"{positive.shape} and {negative.shape}")
    distance = pairwise_distance if distance_function is None else distance_function
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = far.minimum(distance(positive, negative))
    return reduced((near - far + margin).clamp(min=0), reduction)


__all__ = ["multi_margin_loss", "multilabel_margin_loss", "multilabel_soft_margin_loss", "triplet_margin_with_distance_loss"]
