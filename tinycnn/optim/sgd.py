"""Stochastic gradient descent, with momentum."""
from ..engine.arrays import as_array
from ..engine.checks import check_number
from .optimizer import Optimizer


class SGD(Optimizer):
    """p <- p - lr b, where b is the gradient dp, or with momentum a running sum of gradients:

        dp <- dp + weight_decay p
        b  <- momentum b + (1 - dampening) dp          (b = dp in the first step)
        dp <- dp + momentum b  if nesterov, else b
        p  <- p - lr dp

    With momentum mu, a gradient that stays the same builds up to 1 / (1 - mu) times its step, one that alternates cancels.
    Nesterov's variant looks where the momentum is about to carry the parameter. Sources: Polyak (1964); Sutskever,
    Martens, Dahl and Hinton, "On the importance of initialization and momentum in deep learning" (2013), whose learning
    rate stands inside b; here, as in PyTorch, it stands outside, so that changing it acts at once.

    `maximize` climbs instead of descending. State: "momentum_buffer".
    """
    elementwise = True

    def __init__(self, params, lr=1e-3, momentum=0, dampening=0, weight_decay=0, nesterov=False, *, maximize=False,
                 **execution):
        super().__init__(params, dict(lr=lr, momentum=momentum, dampening=dampening, weight_decay=weight_decay,
                                      nesterov=nesterov, maximize=maximize), **execution)

    def check_options(self, group):
        self.non_negative(group, "lr", "momentum", "weight_decay")
        check_number("SGD", dampening=group["dampening"])
        if group["nesterov"] and (group["momentum"] <= 0 or group["dampening"] != 0):
            raise ValueError(f"SGD: nesterov needs a positive momentum and no dampening, got momentum={group['momentum']}, "
                             f"dampening={group['dampening']}")

    def start(self, p, dp, group):
        if not group["momentum"]:
            return {}
        dp = dp + group["weight_decay"] * p
        buffer = dp * (group["dampening"] / group["momentum"])  # so that the first step makes it dp
        return {"momentum_buffer": as_array(buffer, p)}         # of one number, too, to be changed in place

    def update(self, p, dp, state, group):
        if group["weight_decay"]:
            dp = dp + group["weight_decay"] * p
        momentum = group["momentum"]
        if momentum:
            b = state["momentum_buffer"]
            b *= momentum
            b += (1 - group["dampening"]) * dp if group["dampening"] else dp
            dp = dp + momentum * b if group["nesterov"] else b
        p -= group["lr"] * dp
