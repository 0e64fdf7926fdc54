"""ASGD, gradient descent whose answer is the mean of the places it visited."""
from ..engine.arrays import array_module
from ..engine.checks import check_number
from .optimizer import Optimizer


class ASGD(Optimizer):
    """In step t = 1, 2, ..., with eta = lr and mu = 1 at first:

        dp  <- dp + weight_decay p
        p   <- (1 - lambd eta) p - eta dp
        ax  <- ax + mu (p - ax)
        eta =  lr / (1 + lambd lr t)^alpha,   mu = 1 / max(1, t - t0)     for the next step

    From step `t0` on, `ax` in the state is the mean of all p since: the noise of the steps averages out. p itself goes on
    as it is (`swa_utils.AveragedModel` takes averages with any optimizer). Source: Polyak and Juditsky, "Acceleration of
    stochastic approximation by averaging" (1992).

    State: "step", "eta", "mu", "ax".
    """
    scalars = ("step", "eta", "mu")

    def __init__(self, params, lr=1e-2, lambd=1e-4, alpha=0.75, t0=1e6, weight_decay=0, *, maximize=False, **execution):
        super().__init__(params, dict(lr=lr, lambd=lambd, alpha=alpha, t0=t0, weight_decay=weight_decay, maximize=maximize),
                         **execution)

    def check_options(self, group):
        self.non_negative(group, "lr", "weight_decay")
        check_number("ASGD", lambd=group["lambd"], alpha=group["alpha"], t0=group["t0"])

    def start(self, p, dp, group):
        return dict(step=0, eta=group["lr"], mu=1.0, ax=array_module(p).zeros_like(p))

    def update(self, p, dp, state, group):
        lr, lambd, eta, t = group["lr"], group["lambd"], state["eta"], state["step"]
        if group["weight_decay"]:
            dp = dp + group["weight_decay"] * p
        p *= 1 - lambd * eta
        p -= eta * dp
        ax = state["ax"]
        ax += state["mu"] * (p - ax)
        state["eta"], state["mu"] = lr / (1 + lambd * lr * t) ** group["alpha"], 1 / max(1, t - group["t0"])
