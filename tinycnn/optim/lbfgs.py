"""L-BFGS, a quasi-Newton method for few parameters and a loss without noise, and its line search."""
import math
from collections import namedtuple
from functools import partial

from ..engine.arrays import array_module, quiet
from ..engine.checks import check_number
from ..engine.grad_mode import enable_grad
from ..engine.tensor import Tensor
from .optimizer import Optimizer, numbers


class LBFGS(Optimizer):
    """Descend along d = -H g, where g is the gradient and H an estimate of the inverse matrix of second derivatives.

    H is never formed. Each step s = t d, and the change y of the gradient along it, say that H y = s should hold; from the
    last `history_size` such pairs, newest to oldest and back again, two loops over inner products compute H g:

        q = -g;  for the pairs, newest first:  a_i = s_i.q / s_i.y_i,   q <- q - a_i y_i
        d = q s.y / y.y (of the newest pair)
        for the pairs, oldest first:           d <- d + s_i (a_i - y_i.d / s_i.y_i)

    Then p <- p + t d, with t = lr, or where the line search `line_search_fn="strong_wolfe"` finds the loss and its slope
    low enough. The first direction is -g, with t = lr min(1, 1 / sum |g|).

    One `step(closure)` makes up to `max_iter` such iterations, and calls the closure, which computes the loss and runs
    backward, up to about `max_eval` times (by default 5/4 of max_iter). It stops early where no gradient exceeds
    `tolerance_grad`, or where p or the loss changes by less than `tolerance_change`. The loss must be the same function at
    each call: whole data sets or one picture (style transfer), not changing minibatches, and no dropout. All parameters
    form one group. Sources: Nocedal, "Updating quasi-Newton matrices with limited storage" (1980); Nocedal and Wright,
    "Numerical optimization" (2006), algorithms 7.4, 3.5 and 3.6.

    State, kept at the first parameter: "n_iter", "func_evals", and where it will go on: "d", "t", "old_dirs" (the y),
    "old_stps" (the s), "ro" (1 / s.y), "H_diag" (s.y / y.y), "prev_flat_grad", "prev_loss".
    """
    scalars = ("n_iter", "func_evals", "t", "ro", "H_diag", "prev_loss")

    def __init__(self, params, lr=1, max_iter=20, max_eval=None, tolerance_grad=1e-7, tolerance_change=1e-9,
                 history_size=100, line_search_fn=None):
        if line_search_fn not in (None, "strong_wolfe"):
            raise ValueError(f"LBFGS: line_search_fn must be None or 'strong_wolfe', got {line_search_fn!r}")
        super().__init__(params, dict(lr=lr, max_iter=max_iter, max_eval=max_iter * 5 // 4 if max_eval is None else max_eval,
                                      tolerance_grad=tolerance_grad, tolerance_change=tolerance_change,
                                      history_size=history_size, line_search_fn=line_search_fn))

    def check_options(self, group):
        self.non_negative(group, "lr", "tolerance_grad", "tolerance_change")
        check_number("LBFGS", max_iter=group["max_iter"], max_eval=group["max_eval"], history_size=group["history_size"])
        if self.param_groups:
            raise ValueError("LBFGS: all parameters must be in one group")

    def step(self, closure):
        """Run up to `max_iter` iterations; returns the loss before them. `closure` computes the loss and runs backward."""
        group = numbers(self.param_groups[0])
        with quiet():
            loss = self._iterate(closure, group, self.state[group["params"][0]])
        self._step_count += 1
        return loss

    def _iterate(self, closure, group, state):
        first = self._evaluate(closure)
        loss, g = float(first), self._gradient()
        evaluations, iteration = 1, 0
        state["func_evals"], state["n_iter"] = state.get("func_evals", 0) + 1, state.get("n_iter", 0)
        flat = float(abs(g).max()) <= group["tolerance_grad"]
        while not flat and iteration < group["max_iter"]:
            iteration, state["n_iter"] = iteration + 1, state["n_iter"] + 1
            d = self._direction(g, state, group["history_size"])
            t = group["lr"] * (min(1.0, 1 / float(abs(g).sum())) if state["n_iter"] == 1 else 1)
            state.update(d=d, t=t, prev_flat_grad=g, prev_loss=loss)
            slope = float(g @ d)
            if slope > -group["tolerance_change"]:
                break
            start = [p.array.copy() for p in group["params"]]
            if group["line_search_fn"]:
                line = partial(self._point, closure, d, start)
                (t, loss, _, g), count = strong_wolfe(line, Point(0, loss, slope, g), t, float(abs(d).max()),
                                                      group["max_eval"] - evaluations)
                state["t"] = t
                self._move(t, d, start)
            elif iteration < group["max_iter"]:
                (_, loss, _, g), count = self._point(closure, d, start, t), 1
            else:
                self._move(t, d, start)  # nobody will look at the loss there
                count = 0
            evaluations, state["func_evals"] = evaluations + count, state["func_evals"] + count
            if (evaluations >= group["max_eval"] or float(abs(g).max()) <= group["tolerance_grad"]
                    or abs(t) * float(abs(d).max()) <= group["tolerance_change"]
                    or abs(loss - state["prev_loss"]) < group["tolerance_change"]):
                break
        return first

    def _direction(self, g, state, history_size):
        """-H g; the last step and what it did to the gradient become a pair of the history."""
        if state["n_iter"] == 1:
            state.update(old_dirs=[], old_stps=[], ro=[], H_diag=1)
            return -g
        ys, ss, ro = (state[name] for name in ("old_dirs", "old_stps", "ro"))
        y, s = g - state["prev_flat_grad"], state["d"] * state["t"]
        product = float(y @ s)
        if product > 1e-10:  # else H would lose its positive sign, and d might lead uphill
            if len(ys) == history_size:
                del ys[0], ss[0], ro[0]
            ys.append(y), ss.append(s), ro.append(1 / product)
            state["H_diag"] = product / float(y @ y)
        q, shares = -g, []
        for y, s, r in zip(reversed(ys), reversed(ss), reversed(ro)):
            shares.append(float(s @ q) * r)
            q -= shares[-1] * y
        d = q * state["H_diag"]
        for y, s, r, share in zip(ys, ss, ro, reversed(shares)):
            d += (share - float(y @ d) * r) * s
        return d

    def _evaluate(self, closure):
        with enable_grad():
            return closure()

    def _gradient(self):
        """The gradients of all parameters as one vector; 0 where there is none."""
        params = self._params()
        xp = array_module(params[0].array)
        return xp.concatenate([(xp.zeros_like(p.array) if p.grad is None else p.grad.array).reshape(-1) for p in params])

    def _point(self, closure, d, start, t):
        """The Point at t on the line from the arrays `start` along d; the parameters are moved there."""
        self._move(t, d, start)
        loss, g = float(self._evaluate(closure)), self._gradient()
        return Point(t, loss, float(g @ d), g)

    def _move(self, t, d, start):
        """Put the parameters to start + t d."""
        place = 0
        for p, origin in zip(self._params(), start):
            p.array[...] = origin + t * d[place:place + p.array.size].reshape(p.array.shape)
            p._version.writes += 1
            place += p.array.size

    def _loaded(self, name, value, p):
        if isinstance(value, list):
            return [self._loaded(name, v, p) for v in value]
        value = super()._loaded(name, value, p)
        return value.array if isinstance(value, Tensor) else value


# ---- the line search -------------------------------------------------------------------------------------------------

Point = namedtuple("Point", "t loss slope gradient")  # on the line p + t d: slope is the derivative of the loss by t


def strong_wolfe(along, start, t, length, most=25, c1=1e-4, c2=0.9, tolerance=1e-9):
    """(the Point, the number of evaluations): a t where the loss and the size of its slope have fallen enough.

    `along(t)` is the Point at t, `start` the one at 0, and `length` the largest entry of d. Enough (Wolfe's conditions) is

        loss(t) <= loss(0) + c1 t slope(0)    and    |slope(t)| <= c2 |slope(0)|.

    First t grows until such a point lies behind, then the bracket around it shrinks. New points are the minimum of the
    cubic through two points and their slopes. After `most` + 1 evaluations the lowest point so far has to do.
    """
    def too_high(point):
        return point.loss > start.loss + c1 * point.t * start.slope

    def enough(point):
        return abs(point.slope) <= -c2 * start.slope

    before, point, count = start, along(t), 1
    while count <= most and not too_high(point) and not (count > 2 and point.loss >= before.loss):
        if enough(point):
            return point, count
        if point.slope >= 0:
            break
        t = cubic_minimum(before, point, point.t + 0.01 * (point.t - before.t), point.t * 10)
        before, point, count = point, along(t), count + 1

    before = before if count <= most else start
    low, high = (before, point) if before.loss <= point.loss else (point, before)
    stalled = False  # the last point was already close to an end of the bracket
    while count <= most and abs(high.t - low.t) * length >= tolerance:
        left, right = sorted((low, high), key=lambda end: end.t)
        t, margin = cubic_minimum(left, right, left.t, right.t), 0.1 * (right.t - left.t)
        close = min(right.t - t, t - left.t) < margin
        if close and (stalled or not left.t < t < right.t):
            t, close = right.t - margin if right.t - t < t - left.t else left.t + margin, False
        stalled = close
        point, count = along(t), count + 1
        if too_high(point) or point.loss >= low.loss:
            low, high = sorted((low, point), key=lambda end: end.loss)
        elif enough(point):
            return point, count
        else:
            low, high = point, low if point.slope * (high.t - low.t) >= 0 else high
    return low, count


def cubic_minimum(a, b, least, most):
    """Where the cubic with the losses and slopes of the points a and b has its minimum, or the middle; in [least, most]."""
    mean = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.t - b.t)
    square = mean ** 2 - a.slope * b.slope
    a, b = sorted((a, b), key=lambda point: point.t)
    root = math.sqrt(max(square, 0))
    turn = b.slope - a.slope + 2 * root
    if square < 0 or turn == 0:
        return (least + most) / 2
    return min(max(b.t - (b.t - a.t) * (b.slope + root - mean) / turn, least), most)
