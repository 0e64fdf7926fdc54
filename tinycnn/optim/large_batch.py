"""LARS and LAMB, for batches of thousands: a learning rate for every layer.

A larger batch allows a larger rate, until the steps of some layers are longer than their weights. Both rules measure the
step of a parameter by the length of the parameter itself. PyTorch has neither.
"""
from ..engine.arrays import array_module
from .adam import AdamFamily, moments
from .optimizer import Optimizer


def _length(xp, x):
    return xp.sqrt((x * x).sum())


class LARS(Optimizer):
    """SGD with momentum whose rate in each parameter is lr times the ratio of the parameter to its gradient:

        ratio = trust_coefficient |p| / (|dp| + weight_decay |p| + eps)     (1 where p or dp is 0)
        b <- momentum b + lr ratio (dp + weight_decay p)
        p <- p - b

    Biases and the parameters of norms belong into a group with trust_coefficient=None, where ratio is 1: plain SGD. Source:
    You, Gitman and Ginsburg, "Large batch training of convolutional networks" (2017).

    State: "momentum_buffer" (b).
    """

    def __init__(self, params, lr=0.1, momentum=0.9, weight_decay=0, trust_coefficient=1e-3, eps=1e-8, *, maximize=False):
        super().__init__(params, dict(lr=lr, momentum=momentum, weight_decay=weight_decay,
                                      trust_coefficient=trust_coefficient, eps=eps, maximize=maximize))

    def check_options(self, group):
        self.non_negative(group, "lr", "momentum", "weight_decay", "eps")
        if group["trust_coefficient"] is not None:
            self.non_negative(group, "trust_coefficient")

    def start(self, p, dp, group):
        return dict(momentum_buffer=array_module(p).zeros_like(p))

    def update(self, p, dp, state, group):
        xp = array_module(p)
        decay, trust, b = group["weight_decay"], group["trust_coefficient"], state["momentum_buffer"]
        ratio = 1
        if trust is not None:
            size, slope = _length(xp, p), _length(xp, dp)
            ratio = trust * size / (slope + decay * size + group["eps"])
            ratio = xp.where((size > 0) & (slope > 0), ratio, 1).astype(p.dtype)
        b *= group["momentum"]
        b += group["lr"] * ratio * (dp + decay * p)
        p -= b


class LAMB(AdamFamily):
    """Adam whose step in each parameter is as long as lr times the parameter:

        m, v as in `moments`
        r = (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps) + weight_decay p     in step t = 1, 2, ...
        p <- p - lr |p| / |r| * r                                                      (|p| / |r| is 1 where p or r is 0)

    Source: You et al., "Large batch optimization for deep learning: training BERT in 76 minutes" (2020), algorithm 2.

    State: "step", "exp_avg" (m), "exp_avg_sq" (v).
    """

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-6, weight_decay=0, *, maximize=False):
        super().__init__(params, dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, maximize=maximize))

    def update(self, p, dp, state, group):
        xp = array_module(p)
        (beta1, beta2), t = group["betas"], state["step"]
        m, v = moments(dp, state, group)
        r = m / (1 - beta1 ** t) / (xp.sqrt(v / (1 - beta2 ** t)) + group["eps"]) + group["weight_decay"] * p
        size, step = _length(xp, p), _length(xp, r)
        p -= group["lr"] * xp.where((size > 0) & (step > 0), size / step, 1).astype(p.dtype) * r
