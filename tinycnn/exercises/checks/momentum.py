"""Checks of gradient descent, momentum and Nesterov."""
import numpy as np

from .. import expect
from ..exercise import Exercise

exercise = Exercise(
    title="Gradient descent, momentum and Nesterov", lecture=3, minutes=25,
    hints=("Each function is one or two lines, the formulas as they stand. Compute the new v first: both rules use it, not "
           "the old one.",
           "Do not write v *= beta or w -= ..., which changes the caller's arrays: v = beta * v + dw makes a new one. The "
           "new w and the new v are returned together, as a tuple.",
           "momentum returns w - lr * v, v and nesterov returns w - lr * (dw + beta * v), v, each after v = beta * v + dw. "
           "The terminal velocity is the v with v = beta * v + 1."))


def draw(rng, shape=None):
    """w, dw, v, lr and beta; lr is far from 1 and beta from 1/2, so that nothing fits by chance."""
    shape = (3, *(shape or rng.permutation([2, 3, 4])[:2]))
    w, dw, v = rng.uniform(0.5, 2, shape) * rng.choice([-1, 1], shape)
    return w, dw, v, float(rng.uniform(0.05, 0.2)), float(rng.uniform(0.7, 0.95))


def rules(w, dw, v, lr, beta, nesterov):
    """The oracle, number by number."""
    new_w, new_v = np.zeros(w.shape), np.zeros(w.shape)
    for i in np.ndindex(*w.shape):
        new_v[i] = beta * v[i] + dw[i]
        new_w[i] = w[i] - lr * (dw[i] + beta * new_v[i] if nesterov else new_v[i])
    return new_w, new_v


def compare(student, rng, name, steps, **mistaken):
    """One rule, several steps in a row; `mistaken` maps sentences on w to functions of (w, dw, v, new v, lr, beta)."""
    w, _, v, lr, beta = draw(rng)
    for step in range(steps):
        dw = draw(rng, w.shape)[1]
        if steps > 1:
            lr *= float(rng.uniform(0.5, 0.9))
        right_w, right_v = rules(w, dw, v, lr, beta, name == "nesterov")
        new_w, new_v = expect.several(name, getattr(student, name)(w, dw, v, lr, beta), "w, v")
        expect.close(f"the new v of {name}", new_v, right_v, mistaken={
            "takes (1 - beta) * dw: here the gradient goes into v whole": beta * v + (1 - beta) * dw,
            "holds the learning rate: it belongs into the step of w, not into v": beta * v + lr * dw,
            "holds the learning rate and a minus: both belong into the step of w, not into v": beta * v - lr * dw,
            "has the gradient with the wrong sign: v is beta * v + dw, and the minus stands in the step of w": beta * v - dw,
            "does not fade: the old v is multiplied by beta": v + dw,
            "has beta at the gradient, where it belongs to the old v": v + beta * dw,
            "is the old v": v, "is the new w: return w, v in this order": right_w})
        expect.close(f"the new w of {name}", new_w, right_w, mistaken={
            "goes uphill: the step is subtracted": 2 * w - right_w,
            "uses the old v: compute the new one first": w - lr * v if name == "momentum" else None,
            **{text: make(w, dw, v, right_v, lr, beta) for text, make in mistaken.items()}})
        w, v = right_w, right_v


@exercise.check(points=15, name="gradient descent")
def descent(student, rng):
    w, dw, _, lr, _ = draw(rng)
    expect.close("the new w of sgd", student.sgd(w, dw, lr), w - lr * dw, mistaken={
        "goes uphill: the gradient points up, so it is subtracted": w + lr * dw,
        "forgets the learning rate": w - dw, "is the step alone: add it to w": -lr * dw})


@exercise.check(points=30, name="momentum")
def with_momentum(student, rng):
    compare(student, rng, "momentum", 1)
    compare(student, rng, "momentum", 3)


@exercise.check(points=30, name="Nesterov")
def with_nesterov(student, rng):
    for steps in (1, 3):
        compare(student, rng, "nesterov", steps, **{
            "is that of plain momentum: Nesterov steps along dw + beta * v with the new v":
                lambda w, dw, v, new, lr, beta: w - lr * new,
            "adds the whole velocity to dw: beta * v belongs there": lambda w, dw, v, new, lr, beta: w - lr * (dw + new),
            "leaves out dw: the step is along dw + beta * v": lambda w, dw, v, new, lr, beta: w - lr * beta * new,
            "applies beta to dw too: the step is along dw + beta * v":
                lambda w, dw, v, new, lr, beta: w - lr * beta * (dw + new)})


@exercise.check(points=10, name="how fast it rolls")
def terminal(student, rng):
    for beta in (0.0, float(rng.uniform(0.3, 0.5)), float(rng.uniform(0.6, 0.95))):
        v = 0.0
        for _ in range(1000):
            v = beta * v + 1
        expect.close(f"terminal_velocity({beta:.4g})", student.terminal_velocity(beta), v, mistaken={
            "is beta / (1 - beta): the newest gradient counts whole, so the series begins with 1": beta / (1 - beta),
            "is 1 - beta: the velocity must grow, v = beta * v + 1": 1 - beta})


@exercise.check(points=15, name="the arguments and the dtype stay as they were")
def contract(student, rng):
    w, dw, v, lr, beta = draw(rng)
    w, dw, v = (a.astype(np.float32) for a in (w, dw, v))
    expect.dtype("the new w of sgd", expect.unchanged(student.sgd, w, dw, lr), np.float32)
    for function in (student.momentum, student.nesterov):
        value = expect.several(function.__name__, expect.unchanged(function, w, dw, v, lr, beta), "w, v")
        for name, a in zip("wv", value):
            expect.dtype(f"the new {name} of {function.__name__}", a, np.float32)


exercise.mistake("uphill", old="return w - lr * dw", new="return w + lr * dw", says="goes uphill")
exercise.mistake("w is changed in place", old="    return w - lr * dw", new="    w -= lr * dw\n    return w",
                 says="sgd changes its argument w")
exercise.mistake("the velocity is an average", old="dw\n    return w - lr * v, v",
                 new="(1 - beta) * dw\n    return w - lr * v, v", says=r"takes \(1 - beta\) \* dw")
exercise.mistake("the learning rate is in the velocity", old="    v = beta * v + dw\n    return w - lr * v, v",
                 new="    v = beta * v + lr * dw\n    return w - v, v", says="holds the learning rate: it belongs")
exercise.mistake("the momentum has the wrong sign", old="    v = beta * v + dw\n    return w - lr * v, v",
                 new="    v = beta * v - dw\n    return w + lr * v, v", says="wrong sign")
exercise.mistake("momentum steps with the old velocity", old="    v = beta * v + dw\n    return w - lr * v, v",
                 new="    return w - lr * v, beta * v + dw", says="uses the old v")
exercise.mistake("Nesterov steps with the old velocity", old="    v = beta * v + dw\n    return w - lr * (dw + beta * v), v",
                 new="    return w - lr * (dw + beta * v), beta * v + dw", says="plain momentum.*with the new v")
exercise.mistake("Nesterov is plain momentum", old="lr * (dw + beta * v)", new="lr * v", says="that of plain momentum")
exercise.mistake("Nesterov without beta", old="(dw + beta * v)", new="(dw + v)", says="beta \\* v belongs there")
exercise.mistake("the series begins too late", old="1 / (1 - beta)", new="beta / (1 - beta)", says="begins with 1")
