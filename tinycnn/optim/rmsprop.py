"""Rprop, which follows only the gradient's sign, and RMSprop, which makes that work on minibatches."""
from ..engine.arrays import array_module
from ..engine.checks import check_number
from .optimizer import Optimizer


class Rprop(Optimizer):
    """Give each weight a step size of its own, which grows while the gradient keeps its sign and shrinks when it turns:

        s  <- clip(s * (eta+ if dp dp' > 0, eta- if dp dp' < 0, else 1), step_sizes)      (s = lr at first)
        dp <- 0 where dp dp' < 0
        p  <- p - s sign(dp),   dp' <- dp

    with dp' the gradient of the step before and `etas` = (eta-, eta+). For full batches: between minibatches, signs turn by
    chance. Source: Riedmiller and Braun, "A direct adaptive method for faster backpropagation learning" (1993).

    State: "step", "prev" (dp'), "step_size" (s).
    """
    elementwise = True

    def __init__(self, params, lr=1e-2, etas=(0.5, 1.2), step_sizes=(1e-6, 50), *, maximize=False, **execution):
        super().__init__(params, dict(lr=lr, etas=etas, step_sizes=step_sizes, maximize=maximize), **execution)

    def check_options(self, group):
        self.non_negative(group, "lr")
        if not 0 < group["etas"][0] < 1 < group["etas"][1]:
            raise ValueError(f"Rprop: etas must be one number between 0 and 1 and one above 1, got {group['etas']}")
        smallest, largest = group["step_sizes"]
        check_number("Rprop", **{"step_sizes[0]": smallest, "step_sizes[1]": largest})

    def start(self, p, dp, group):
        xp = array_module(p)
        return dict(step=0, prev=xp.zeros_like(p), step_size=xp.full_like(p, group["lr"]))

    def update(self, p, dp, state, group):
        xp = array_module(p)
        shrink, grow = group["etas"]
        before, s = state["prev"], state["step_size"]
        turn = xp.sign(dp * before)
        s *= 1 + (turn > 0) * xp.asarray(grow - 1, p.dtype) + (turn < 0) * xp.asarray(shrink - 1, p.dtype)
        xp.clip(s, *group["step_sizes"], out=s)
        before[...] = dp * (turn >= 0)
        p -= s * xp.sign(before)


class RMSprop(Optimizer):
    """Divide each weight's step by the root of a running mean of its squared gradients:

        dp <- dp + weight_decay p
        v  <- alpha v + (1 - alpha) dp^2
        a  <- alpha a + (1 - alpha) dp                   if centered: v - a^2, a variance, replaces v below
        b  <- momentum b + dp / (sqrt(v) + eps)          (b starts at 0; no b without momentum)
        p  <- p - lr b

    It is Rprop with signs that are means over minibatches, and Adagrad with a memory that fades. Sources: Tieleman and
    Hinton, lecture 6.5 of "Neural networks for machine learning" (2012); the centered version: Graves, "Generating
    sequences with recurrent neural networks" (2013).

    State: "step", "square_avg", with the options "momentum_buffer" and "grad_avg".
    """
    elementwise = True

    def __init__(self, params, lr=1e-2, alpha=0.99, eps=1e-8, weight_decay=0, momentum=0, centered=False, *, maximize=False,
                 **execution):
        super().__init__(params, dict(lr=lr, alpha=alpha, eps=eps, weight_decay=weight_decay, momentum=momentum,
                                      centered=centered, maximize=maximize), **execution)

    def check_options(self, group):
        self.non_negative(group, "lr", "alpha", "eps", "weight_decay", "momentum")

    def start(self, p, dp, group):
        names = ["square_avg"] + ["momentum_buffer"] * bool(group["momentum"]) + ["grad_avg"] * bool(group["centered"])
        return dict(step=0, **{name: array_module(p).zeros_like(p) for name in names})

    def update(self, p, dp, state, group):
        alpha, momentum = group["alpha"], group["momentum"]
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
        step = dp / (array_module(p).sqrt(v) + group["eps"])
        if momentum:
            b = state["momentum_buffer"]
            b *= momentum
            b += step
            step = b
        p -= group["lr"] * step
