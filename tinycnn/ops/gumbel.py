"""Samples of categories through which gradients flow."""
from ..engine.arrays import array_module, device_of
from ..engine.generators import default_generator
from ..engine.checks import check_floating
from ..engine.tensor import wrap
from .embedding import one_hot
from .softmax import softmax


def gumbel_softmax(logits, tau=1, hard=False, eps=1e-10, dim=-1):
    """softmax((logits + g) / tau) along `dim`, with g drawn from the Gumbel distribution: nearly one-hot for small `tau`.

    The largest entry of logits + g stands at i with probability softmax(logits)_i, so with `hard` the result, one-hot, is a
    sample of that distribution; its gradient is that of the soft one. `eps` changes nothing. Source: Jang, Gu and
    Poole, "Categorical reparameterization with Gumbel-softmax" (2017).
    """
    check_floating("gumbel_softmax", logits=logits)
    if not tau > 0:
        raise ValueError(f"gumbel_softmax: tau must be positive, got {tau}")
    xp = array_module(logits.array)
    uniform = default_generator(device_of(logits.array)).uniform(logits.shape, logits.dtype)
    g = -xp.log(-xp.log1p(-xp.maximum(uniform, xp.finfo(uniform.dtype).tiny)))
    soft = softmax((logits + wrap(g)) / tau, dim)
    if not hard:
        return soft
    sample = one_hot(soft.argmax(dim), soft.shape[dim]).to(soft.dtype).movedim(-1, dim)
    return sample - soft.detach() + soft


__all__ = ["gumbel_softmax"]
