"""Dropout, which switches off random elements, or whole channels, in training."""
import math

from ..engine.generators import default_generator
from ..engine.function import Function
from ..engine.checks import check_floating
from ..engine.tensor import wrap
from .inplace import write


class Dropout(Function):
    """y = x keep scale: x (any shape), keep (bool, broadcast against x) -> y, shaped like x.

    keep_i is 1 with probability 1 - p, and scale = 1 / (1 - p), so that the mean of y_i is x_i: the network needs no
    correction in evaluation ("inverted" dropout).

    Derivation: y_i depends on x_i alone, dx_i = dy_i keep_i scale, with the very mask of the forward pass: a new one would
    send gradients through elements that had no part in y, and none through some that had. Saved: keep, a byte an element.
    Source: Srivastava et al., Dropout, Journal of Machine Learning Research 15, 2014.
    """

    @staticmethod
    def forward(ctx, x, keep, scale):
        ctx.scale = scale
        ctx.save_for_backward(keep)
        return x * keep * scale

    @staticmethod
    def backward(ctx, dy):
        (keep,) = ctx.saved_tensors
        return dy * keep * ctx.scale, None


# ---- the functions a user calls --------------------------------------------------------------------------------------

def _check(function, input, p):
    check_floating(function, input=input)
    if not 0 <= p <= 1:
        raise ValueError(f"{function}: p is the probability of dropping and must lie in [0, 1], got {p}")


def draw_mask(shape, p, device):
    """A boolean array that is False with probability p, from the default generator of `device`."""
    return default_generator(device).uniform(shape) >= p


def _drop(function, input, shape, p, training, inplace):
    """Drop with a mask of `shape`, which broadcasts against `input`."""
    if not training or p == 0:
        return input
    keep = draw_mask(shape, p, input.device)
    out = Dropout.apply(input, keep, scale=1 / (1 - p) if p < 1 else 0.0)
    return write(input, out, function) if inplace else out


def dropout(input, p=0.5, training=True, inplace=False):
    """Set every element to 0 with probability p and multiply the others by 1 / (1 - p); the identity unless `training`.

    The mask comes from the default generator of the input's device: `manual_seed` makes it repeatable.
    """
    _check("dropout", input, p)
    return _drop("dropout", input, input.shape, p, training, inplace)


def _channels(name, space):
    """`dropout1d`, `dropout2d` or `dropout3d`: whole channels, whose neighbouring elements are too alike to drop alone."""
    def drop(input, p=0.5, training=True, inplace=False):
        _check(name, input, p)
        # a batch of one may be left out, but not of pictures: there PyTorch reads (N, C, L), and we refuse to guess
        if input.ndim != len(space) + 2 and (input.ndim != len(space) + 1 or len(space) == 2):
            raise ValueError(f"{name}: input must be (N, C, {', '.join(space)}), got shape {input.shape}")
        shape = input.shape[:-len(space)] + (1,) * len(space)
        return _drop(name, input, shape, p, training, inplace)
    drop.__name__ = drop.__qualname__ = name
    drop.__doc__ = (f"Set every channel of input (N, C, {', '.join(space)}) to 0 with probability p and multiply the others "
                    "by 1 / (1 - p); the identity unless `training`.")
    return drop


dropout1d, dropout2d, dropout3d = _channels("dropout1d", "L"), _channels("dropout2d", "HW"), _channels("dropout3d", "DHW")

SELU_FLOOR = -1.7580993408473766  # what SELU tends to for very negative inputs


def _alpha_drop(function, input, shape, p, training, inplace):
    """Set elements to SELU's floor f instead of 0, then y = a x + c restores mean 0 and variance 1.

    For x of mean 0 and variance 1 the mixture has mean p f and variance (1 - p)(1 + p f^2); so a is one over the root of
    that variance and c = -a p f.
    """
    if not training or p == 0:
        return input
    keep = draw_mask(shape, p, input.device)
    a = 1 / math.sqrt((1 - p) * (1 + p * SELU_FLOOR**2)) if p < 1 else 0.0
    shift = ((~keep).astype(input.dtype) - p) * (a * SELU_FLOOR)
    out = Dropout.apply(input, keep, scale=a) + wrap(shift)
    return write(input, out, function) if inplace else out


def alpha_dropout(input, p=0.5, training=False, inplace=False):
    """Dropout for networks of SELU units: dropped elements take SELU's lowest value, mean and variance stay.

    Source: Klambauer et al., Self-Normalizing Neural Networks, 2017 (arXiv:1706.02515).
    """
    _check("alpha_dropout", input, p)
    return _alpha_drop("alpha_dropout", input, input.shape, p, training, inplace)


def feature_alpha_dropout(input, p=0.5, training=False, inplace=False):
    """`alpha_dropout` of whole channels: input (N, C, *S)."""
    _check("feature_alpha_dropout", input, p)
    if input.ndim < 2:
        raise ValueError(f"feature_alpha_dropout: input must be (N, C, *S), got shape {input.shape}")
    shape = input.shape[:2] + (1,) * (input.ndim - 2)
    return _alpha_drop("feature_alpha_dropout", input, shape, p, training, inplace)


__all__ = ["alpha_dropout", "dropout", "dropout1d", "dropout2d", "dropout3d", "feature_alpha_dropout"]
