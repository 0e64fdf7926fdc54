"""Floor 3: Adam and AdamW, momentum and a learning rate for every weight."""
import math

from ..backend import array_module
from .optimizer import Optimizer


class Adam(Optimizer):
    """Step along a running mean of the gradient, divided by the root of a running mean of its square:

        dp <- dp + weight_decay p
        m  <- beta1 m + (1 - beta1) dp
        v  <- beta2 v + (1 - beta2) dp^2
        p  <- p - lr (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps)     in step t = 1, 2, ...

    m and v start at 0, so after t steps their weights sum to 1 - beta^t only; the divisions correct that. With `amsgrad`,
    the largest v so far takes the place of v: steps that can only shrink, for which convergence can be proved. Sources:
    Kingma and Ba, "Adam: a method for stochastic optimization" (2015); Reddi, Kale and Kumar, "On the convergence of Adam
    and beyond" (2018).

    State: "step", "exp_avg" (m), "exp_avg_sq" (v), with amsgrad "max_exp_avg_sq".
    """

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, amsgrad=False, *, maximize=False):
        super().__init__(params, dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, amsgrad=amsgrad,
                                      maximize=maximize))

    def check_options(self, group):
        self.non_negative(group, "lr", "eps", "weight_decay")
        betas = group["betas"]
        if len(betas) != 2 or not all(0 <= beta < 1 for beta in betas):
            raise ValueError(f"{self._name()}: betas must be two numbers in [0, 1), got {betas}")

    def decay(self, p, dp, group):
        """The gradient with the weight decay: that of the penalty weight_decay / 2 |p|^2 added to the loss."""
        return dp + group["weight_decay"] * p

    def update(self, p, dp, state, group):
        xp = array_module(p)
        beta1, beta2 = group["betas"]
        if not state:
            state.update(step=0, exp_avg=xp.zeros_like(p), exp_avg_sq=xp.zeros_like(p))
            if group["amsgrad"]:
                state["max_exp_avg_sq"] = xp.zeros_like(p)
        state["step"] = t = state["step"] + 1
        if group["weight_decay"]:
            dp = self.decay(p, dp, group)
        m, v = state["exp_avg"], state["exp_avg_sq"]
        m *= beta1
        m += (1 - beta1) * dp
        v *= beta2
        v += (1 - beta2) * dp * dp
        if group["amsgrad"]:
            v = xp.maximum(state["max_exp_avg_sq"], v, out=state["max_exp_avg_sq"])
        step = xp.sqrt(v)
        step /= math.sqrt(1 - beta2 ** t)
        step += group["eps"]
        xp.divide(m, step, out=step)
        step *= group["lr"] / (1 - beta1 ** t)
        p -= step


class AdamW(Adam):
    """Adam whose weight decay shrinks the weights directly: p <- p - lr weight_decay p, before the step.

    In Adam, decay added to the gradient is divided by sqrt(v) like the rest, so weights with large gradients hardly decay;
    here all decay alike. Source: Loshchilov and Hutter, "Decoupled weight decay regularization" (2019).
    """

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2, amsgrad=False, *, maximize=False):
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize)

    def decay(self, p, dp, group):
        """Shrink p; the gradient stays as it is."""
        p *= 1 - group["lr"] * group["weight_decay"]
        return dp
