"""Limits on the size of gradients.

One steep minibatch can throw the weights far away; scaled down to a maximal length, its gradient still points downhill.
Source: Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural networks" (2013).
"""
import math

from ...engine.arrays import array_module
from ...engine.dtype import float32
from ...engine.half import is_half, widened
from ...engine.construct import tensor
from ...engine.tensor import Tensor, wrap


def _gradients(parameters):
    """The gradients of one Parameter or of several, of those that have one with entries."""
    parameters = [parameters] if isinstance(parameters, Tensor) else parameters
    return [p.grad for p in parameters if p.grad is not None and p.grad.numel()]


def get_total_norm(tensors, norm_type=2.0, error_if_nonfinite=False, foreach=None):
    """The norm of all `tensors` as one long vector: sum |g|^p to the power 1/p, the largest |g| for p = inf.

    Raises RuntimeError for a norm that is NaN or infinite if `error_if_nonfinite`, ValueError for a norm_type that is not
    positive. `foreach` changes nothing. The norm of float16 is a float32: it may be larger than any float16.
    """
    norm_type = float(norm_type)
    if not norm_type > 0:
        raise ValueError(f"get_total_norm: norm_type must be positive, got {norm_type}")
    tensors = [tensors] if isinstance(tensors, Tensor) else list(tensors)
    if not tensors:
        return tensor(0.0)
    xp = array_module(tensors[0].array)
    sizes = [xp.abs(widened(t.array)) for t in tensors]
    if norm_type == math.inf:
        total = xp.stack([size.max() for size in sizes]).max()
    else:
        total = xp.stack([(size ** norm_type).sum() for size in sizes]).sum() ** (1 / norm_type)
    if error_if_nonfinite and not bool(xp.isfinite(total)):
        raise RuntimeError(f"get_total_norm: the total norm is {float(total)}, so the gradients cannot be clipped; pass "
                           "error_if_nonfinite=False to scale them anyway")
    return wrap(xp.asarray(total))


def clip_grads_with_norm_(parameters, max_norm, total_norm, foreach=None):
    """Scale all gradients by one factor, so that their joint norm, now `total_norm`, is at most `max_norm`."""
    grads = _gradients(parameters)
    for g in grads:
        xp = array_module(g.array)
        g.array[...] = widened(g.array) * xp.minimum(float(max_norm) / (total_norm.array + 1e-6), 1).astype(
            float32 if is_half(g) else g.dtype)
        g._version.writes += 1


def clip_grad_norm_(parameters, max_norm, norm_type=2.0, error_if_nonfinite=False, foreach=None):
    """Scale all gradients by one factor so that their joint norm is at most `max_norm`; returns the norm before.

    The norm, and the errors, are those of `get_total_norm`.
    """
    parameters = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    total = get_total_norm(_gradients(parameters), norm_type, error_if_nonfinite)
    clip_grads_with_norm_(parameters, max_norm, total)
    return total


def clip_grad_value_(parameters, clip_value, foreach=None):
    """Limit every entry of every gradient to [-clip_value, clip_value]."""
    clip_value = float(clip_value)
    for g in _gradients(parameters):
        array_module(g.array).clip(g.array, -clip_value, clip_value, out=g.array)
        g._version.writes += 1
