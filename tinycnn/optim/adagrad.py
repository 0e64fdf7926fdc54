"""Floor 3: Adagrad, a learning rate for every weight."""
from ..backend import array_module
from .optimizer import Optimizer


class Adagrad(Optimizer):
    """Divide each weight's step by the root of the sum of its squared gradients so far:

        dp <- dp + weight_decay p
        s  <- s + dp^2                                   (s = initial_accumulator_value before the first step)
        p  <- p - lr / (1 + (t - 1) lr_decay) * dp / (sqrt(s) + eps)     in step t = 1, 2, ...

    Weights whose gradient is mostly zero keep large steps. Source: Duchi, Hazan and Singer, "Adaptive subgradient methods
    for online learning and stochastic optimization" (2011).

    State: "step", "sum".
    """

    def __init__(self, params, lr=1e-2, lr_decay=0, weight_decay=0, initial_accumulator_value=0, eps=1e-10, *,
                 maximize=False):
        super().__init__(params, dict(lr=lr, lr_decay=lr_decay, weight_decay=weight_decay,
                                      initial_accumulator_value=initial_accumulator_value, eps=eps, maximize=maximize))

    def check_options(self, group):
        self.non_negative(group, "lr", "lr_decay", "weight_decay", "initial_accumulator_value", "eps")

    def update(self, p, dp, state, group):
        xp = array_module(p)
        if not state:
            state.update(step=0, sum=xp.full_like(p, group["initial_accumulator_value"]))
        state["step"] += 1
        if group["weight_decay"]:
            dp = dp + group["weight_decay"] * p
        s = state["sum"]
        s += dp * dp
        p -= group["lr"] / (1 + (state["step"] - 1) * group["lr_decay"]) * dp / (xp.sqrt(s) + group["eps"])
