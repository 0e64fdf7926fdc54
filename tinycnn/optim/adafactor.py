"""Adafactor, Adam's step sizes in the memory of a row and a column."""
from ..engine.arrays import array_module
from .optimizer import Optimizer


class Adafactor(Optimizer):
    """RMSprop whose squared gradients are kept as sums over rows and over columns, and whose steps are relative to p:

        p  <- p - lr weight_decay p
        b  =  1 - t^beta2_decay in step t
        r  <- b r + (1 - b) mean of dp^2 over columns,   c  <- b c + (1 - b) mean of dp^2 over rows
        v  =  r c / mean of r                            (of the last two dimensions; vectors keep v itself)
        u  =  dp / max(sqrt(v), eps_1)
        p  <- p - max(eps_2, rms(p)) min(lr, 1 / sqrt(t)) u / max(1, rms(u) / d)

    rms is the root of the mean square. v is the matrix of rank one with the row and column sums of the squared gradients:
    n + m numbers where Adam keeps 2 n m. `eps` is (eps_1, eps_2), eps_1 the machine's precision where None. Source:
    Shazeer and Stern, "Adafactor: adaptive learning rates with sublinear memory cost" (2018).

    State: "step", "row_var" and "col_var", or "variance".
    """

    def __init__(self, params, lr=1e-2, beta2_decay=-0.8, eps=(None, 1e-3), d=1.0, weight_decay=0.0, *, maximize=False,
                 **execution):
        super().__init__(params, dict(lr=lr, beta2_decay=beta2_decay, eps=eps, d=d, weight_decay=weight_decay,
                                      maximize=maximize), **execution)

    def check_options(self, group):
        self.non_negative(group, "lr", "weight_decay")
        if group["beta2_decay"] > 0:
            raise ValueError(f"Adafactor: beta2_decay must not be positive, got {group['beta2_decay']}")
        if len(group["eps"]) != 2 or not all(e is None or e >= 0 for e in group["eps"]) or group["eps"][1] is None:
            raise ValueError(f"Adafactor: eps must be (a number that is not negative or None, another), got {group['eps']}")
        if group["d"] < 1:
            raise ValueError(f"Adafactor: d must be at least 1, got {group['d']}")

    def start(self, p, dp, group):
        zeros = array_module(p).zeros
        if p.ndim < 2:
            return dict(step=0, variance=zeros(p.shape, p.dtype))
        return dict(step=0, row_var=zeros((*p.shape[:-1], 1), p.dtype),
                    col_var=zeros((*p.shape[:-2], 1, p.shape[-1]), p.dtype))

    def update(self, p, dp, state, group):
        xp, t, lr = array_module(p), state["step"], group["lr"]
        tiny = float(xp.finfo(p.dtype).eps) if group["eps"][0] is None else group["eps"][0]
        share = t ** group["beta2_decay"]
        if p.size == 0:
            return
        size = max(group["eps"][1], float(xp.sqrt((p * p).mean())))
        if group["weight_decay"]:
            p *= 1 - lr * group["weight_decay"]
        square = dp * dp
        if p.ndim < 2:
            v = state["variance"]
            v += share * (square - v)
        else:
            r, c = state["row_var"], state["col_var"]
            r += share * (square.mean(-1, keepdims=True) - r)
            c += share * (square.mean(-2, keepdims=True) - c)
            v = r * c / xp.maximum(r.mean(-2, keepdims=True), tiny)
        u = dp / xp.sqrt(xp.maximum(v, tiny * tiny))
        p -= size * min(lr, t ** -0.5) / max(1.0, float(xp.sqrt((u * u).mean())) / group["d"]) * u
