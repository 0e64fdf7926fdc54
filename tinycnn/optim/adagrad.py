"""Adagrad, a learning rate for every weight, and Adadelta, which needs none."""
from ..engine.arrays import array_module
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
                 maximize=False, **execution):
        super().__init__(params, dict(lr=lr, lr_decay=lr_decay, weight_decay=weight_decay,
                                      initial_accumulator_value=initial_accumulator_value, eps=eps, maximize=maximize),
                         **execution)

    def check_options(self, group):
        self.non_negative(group, "lr", "lr_decay", "weight_decay", "initial_accumulator_value", "eps")

    def start(self, p, dp, group):
        return dict(step=0, sum=array_module(p).full_like(p, group["initial_accumulator_value"]))

    def update(self, p, dp, state, group):
        if group["weight_decay"]:
            dp = dp + group["weight_decay"] * p
        s = state["sum"]
        s += dp * dp
        lr = group["lr"] / (1 + (state["step"] - 1) * group["lr_decay"])
        p -= lr * dp / (array_module(p).sqrt(s) + group["eps"])


class Adadelta(Optimizer):
    """Give each weight a step as long as its last steps were, in proportion to its gradient's usual size:

        dp <- dp + weight_decay p
        v  <- rho v + (1 - rho) dp^2
        d  =  sqrt(u + eps) / sqrt(v + eps) * dp
        u  <- rho u + (1 - rho) d^2
        p  <- p - lr d

    The roots of v and u are running sizes of gradients and of steps, so d has the unit of p, whatever the unit of the loss,
    and lr = 1 is the paper's rule. Both start at 0: `eps` makes the first steps. Source: Zeiler, "ADADELTA: an adaptive
    learning rate method" (2012).

    State: "step", "square_avg" (v), "acc_delta" (u).
    """

    def __init__(self, params, lr=1.0, rho=0.9, eps=1e-6, weight_decay=0, *, maximize=False, **execution):
        super().__init__(params, dict(lr=lr, rho=rho, eps=eps, weight_decay=weight_decay, maximize=maximize), **execution)

    def check_options(self, group):
        self.non_negative(group, "lr", "eps", "weight_decay")
        if not 0 <= group["rho"] <= 1:
            raise ValueError(f"Adadelta: rho must be between 0 and 1, got {group['rho']}")

    def start(self, p, dp, group):
        zeros_like = array_module(p).zeros_like
        return dict(step=0, square_avg=zeros_like(p), acc_delta=zeros_like(p))

    def update(self, p, dp, state, group):
        xp = array_module(p)
        rho, eps = group["rho"], group["eps"]
        if group["weight_decay"]:
            dp = dp + group["weight_decay"] * p
        v, u = state["square_avg"], state["acc_delta"]
        v *= rho
        v += (1 - rho) * dp * dp
        d = xp.sqrt((u + eps) / (v + eps)) * dp
        u *= rho
        u += (1 - rho) * d * d
        p -= group["lr"] * d
