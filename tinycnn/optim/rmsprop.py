"""Floor 3: RMSprop, Adagrad with a memory that fades."""
from ..backend import array_module
from .optimizer import Optimizer


class RMSprop(Optimizer):
    """Divide each weight's step by the root of a running mean of its squared gradients:

        dp <- dp + weight_decay p
        v  <- alpha v + (1 - alpha) dp^2
        a  <- alpha a + (1 - alpha) dp                   if centered: v - a^2, a variance, replaces v below
        b  <- momentum b + dp / (sqrt(v) + eps)          (b starts at 0; no b without momentum)
        p  <- p - lr b

    Sources: Tieleman and Hinton, lecture 6.5 of "Neural networks for machine learning" (2012); the centered version: Graves,
    "Generating sequences with recurrent neural networks" (2013).

    State: "step", "square_avg", with the options "momentum_buffer" and "grad_avg".
    """

    def __init__(self, params, lr=1e-2, alpha=0.99, eps=1e-8, weight_decay=0, momentum=0, centered=False, *, maximize=False):
        super().__init__(params, dict(lr=lr, alpha=alpha, eps=eps, weight_decay=weight_decay, momentum=momentum,
                                      centered=centered, maximize=maximize))

    def check_options(self, group):
        self.non_negative(group, "lr", "alpha", "eps", "weight_decay", "momentum")

    def update(self, p, dp, state, group):
        xp = array_module(p)
        alpha, momentum = group["alpha"], group["momentum"]
        if not state:
            state.update(step=0, square_avg=xp.zeros_like(p))
            if momentum:
                state["momentum_buffer"] = xp.zeros_like(p)
            if group["centered"]:
                state["grad_avg"] = xp.zeros_like(p)
        state["step"] += 1
        if group["weight_decay"]:
            dp = dp + group["weight_decay"] * p
        v = state["square_avg"]
        v *= alpha
        v += (1 - alpha) * dp * dp
        if group["centered"]:
            a = state["grad_avg"]
            a *= alpha
            a += (1 - alpha) * dp
            v = v - a * a
        step = dp / (xp.sqrt(v) + group["eps"])
        if momentum:
            b = state["momentum_buffer"]
            b *= momentum
            b += step
            step = b
        p -= group["lr"] * step
