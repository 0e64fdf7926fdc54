"""Adam and its variants, momentum and a learning rate for every weight."""
import math

from ..engine.arrays import array_module
from .optimizer import Optimizer


class AdamFamily(Optimizer):
    """What all share: two running means, m of the gradient and v of its square, with `betas` for memories."""

    def check_options(self, group):
        self.non_negative(group, "lr", "eps", "weight_decay")
        betas = group["betas"]
        if len(betas) != 2 or not all(0 <= beta < 1 for beta in betas):
            raise ValueError(f"{self._name()}: betas must be two numbers in [0, 1), got {betas}")

    def start(self, p, dp, group):
        zeros_like = array_module(p).zeros_like
        return dict(step=0, exp_avg=zeros_like(p), exp_avg_sq=zeros_like(p))


def decay(p, dp, group):
    """The gradient with the weight decay: that of the penalty weight_decay / 2 |p|^2 added to the loss.

    With `decoupled_weight_decay` p shrinks directly and the gradient stays as it is.
    """
    if group["weight_decay"] and group.get("decoupled_weight_decay"):
        p *= 1 - group["lr"] * group["weight_decay"]
    elif group["weight_decay"]:
        dp = dp + group["weight_decay"] * p
    return dp


def moments(dp, state, group):
    """m and v after one more gradient:

        m <- beta1 m + (1 - beta1) dp
        v <- beta2 v + (1 - beta2) dp^2

    m and v start at 0, so after t steps their weights sum to 1 - beta^t only. m / (1 - beta1^t) and v / (1 - beta2^t)
    correct that, and are the means of dp and dp^2.
    """
    (beta1, beta2), m, v = group["betas"], state["exp_avg"], state["exp_avg_sq"]
    m *= beta1
    m += (1 - beta1) * dp
    v *= beta2
    v += (1 - beta2) * dp * dp
    return m, v


class Adam(AdamFamily):
    """Step along a running mean of the gradient, divided by the root of a running mean of its square:

        dp <- dp + weight_decay p
        m, v as in `moments`
        p  <- p - lr (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps)     in step t = 1, 2, ...

    With `amsgrad`, the largest v so far takes the place of v: steps that can only shrink, for which convergence can be
    proved. Sources: Kingma and Ba, "Adam: a method for stochastic optimization" (2015); Reddi, Kale and Kumar, "On the
    convergence of Adam and beyond" (2018). `decoupled_weight_decay` makes it AdamW.

    State: "step", "exp_avg" (m), "exp_avg_sq" (v), with amsgrad "max_exp_avg_sq".
    """

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, amsgrad=False, *, maximize=False,
                 decoupled_weight_decay=False, **execution):
        super().__init__(params, dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, amsgrad=amsgrad,
                                      maximize=maximize, decoupled_weight_decay=decoupled_weight_decay), **execution)

    def start(self, p, dp, group):
        largest = dict(max_exp_avg_sq=array_module(p).zeros_like(p)) if group["amsgrad"] else {}
        return {**super().start(p, dp, group), **largest}

    def update(self, p, dp, state, group):
        xp = array_module(p)
        (beta1, beta2), t = group["betas"], state["step"]
        m, v = moments(decay(p, dp, group), state, group)
        if group["amsgrad"]:
            v = xp.maximum(state["max_exp_avg_sq"], v, out=state["max_exp_avg_sq"])
        root = xp.sqrt(v) / math.sqrt(1 - beta2 ** t)
        p -= group["lr"] / (1 - beta1 ** t) * m / (root + group["eps"])


class AdamW(Adam):
    """Adam whose weight decay shrinks the weights directly: p <- p - lr weight_decay p, before the step.

    In Adam, decay added to the gradient is divided by sqrt(v) like the rest, so weights with large gradients hardly decay;
    here all decay alike. Source: Loshchilov and Hutter, "Decoupled weight decay regularization" (2019).
    """

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2, amsgrad=False, *, maximize=False,
                 **execution):
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize, decoupled_weight_decay=True,
                         **execution)


class Adamax(AdamFamily):
    """Adam with the largest recent gradient in place of the root of the mean square:

        dp <- dp + weight_decay p
        m  <- beta1 m + (1 - beta1) dp
        u  <- max(beta2 u, |dp| + eps)
        p  <- p - lr / (1 - beta1^t) * m / u

    The root of a mean of squares is a norm with p = 2; here p is infinite. Source: Kingma and Ba (2015), section 7.1.

    State: "step", "exp_avg" (m), "exp_inf" (u).
    """

    def __init__(self, params, lr=2e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, *, maximize=False, **execution):
        super().__init__(params, dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, maximize=maximize),
                         **execution)

    def start(self, p, dp, group):
        zeros_like = array_module(p).zeros_like
        return dict(step=0, exp_avg=zeros_like(p), exp_inf=zeros_like(p))

    def update(self, p, dp, state, group):
        xp = array_module(p)
        (beta1, beta2), m, u = group["betas"], state["exp_avg"], state["exp_inf"]
        dp = decay(p, dp, group)
        m *= beta1
        m += (1 - beta1) * dp
        u *= beta2
        xp.maximum(u, xp.abs(dp) + group["eps"], out=u)
        p -= group["lr"] / (1 - beta1 ** state["step"]) * m / u


class NAdam(AdamFamily):
    """Adam with Nesterov's momentum: the step uses the momentum as it will be in the next step. In step t = 1, 2, ...:

        dp   <- dp + weight_decay p
        mu_t =  beta1 (1 - 0.96^(t momentum_decay) / 2)
        m, v as in `moments`
        n    =  mu_t+1 m / (1 - mu_1 ... mu_t+1) + (1 - mu_t) dp / (1 - mu_1 ... mu_t)
        p    <- p - lr n / (sqrt(v / (1 - beta2^t)) + eps)

    Source: Dozat, "Incorporating Nesterov momentum into Adam" (2016).

    State: "step", "mu_product" (mu_1 ... mu_t), "exp_avg" (m), "exp_avg_sq" (v).
    """
    scalars = ("step", "mu_product")

    def __init__(self, params, lr=2e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, momentum_decay=4e-3,
                 decoupled_weight_decay=False, *, maximize=False, **execution):
        super().__init__(params, dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, momentum_decay=momentum_decay,
                                      decoupled_weight_decay=decoupled_weight_decay, maximize=maximize), **execution)

    def check_options(self, group):
        super().check_options(group)
        self.non_negative(group, "momentum_decay")

    def start(self, p, dp, group):
        return {**super().start(p, dp, group), "mu_product": 1.0}

    def advance(self, state, group):
        super().advance(state, group)
        state["mu_product"] *= self._mu(state["step"], group)

    def _mu(self, t, group):
        return group["betas"][0] * (1 - 0.5 * 0.96 ** (t * group["momentum_decay"]))

    def update(self, p, dp, state, group):
        t, product = state["step"], state["mu_product"]
        mu, mu_next = self._mu(t, group), self._mu(t + 1, group)
        dp = decay(p, dp, group)
        m, v = moments(dp, state, group)
        root = array_module(p).sqrt(v / (1 - group["betas"][1] ** t))
        n = mu_next / (1 - product * mu_next) * m + (1 - mu) / (1 - product) * dp
        p -= group["lr"] * n / (root + group["eps"])


class RAdam(AdamFamily):
    """Adam without its reckless first steps: 1 / sqrt(v) counts as far as its variance can be known. In step t = 1, 2, ...:

        dp  <- dp + weight_decay p
        m, v as in `moments`
        rho =  rho_inf - 2 t beta2^t / (1 - beta2^t),   rho_inf = 2 / (1 - beta2) - 1
        r   =  sqrt((rho - 4) (rho - 2) rho_inf / ((rho_inf - 4) (rho_inf - 2) rho))
        p   <- p - lr m / (1 - beta1^t) * r sqrt(1 - beta2^t) / (sqrt(v) + eps)      where rho > 5
        p   <- p - lr m / (1 - beta1^t)                                              where not, momentum alone

    rho is the number of gradients that v averages. Source: Liu et al., "On the variance of the adaptive learning rate and
    beyond" (2020).

    State: "step", "exp_avg" (m), "exp_avg_sq" (v).
    """

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, decoupled_weight_decay=False, *,
                 maximize=False, **execution):
        super().__init__(params, dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay,
                                      decoupled_weight_decay=decoupled_weight_decay, maximize=maximize), **execution)

    def update(self, p, dp, state, group):
        (beta1, beta2), t = group["betas"], state["step"]
        m, v = moments(decay(p, dp, group), state, group)
        last = 2 / (1 - beta2) - 1
        rho = last - 2 * t * beta2 ** t / (1 - beta2 ** t)
        step = group["lr"] / (1 - beta1 ** t) * m
        if rho > 5:
            r = math.sqrt((rho - 4) * (rho - 2) * last / ((last - 4) * (last - 2) * rho))
            step *= r * math.sqrt(1 - beta2 ** t) / (array_module(p).sqrt(v) + group["eps"])
        p -= step
