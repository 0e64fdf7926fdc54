"""Checks of Adam and AdamW."""
import math

import numpy as np

from .. import expect
from ..exercise import Exercise

exercise = Exercise(
    title="Adam and AdamW", lecture=3, minutes=30,
    hints=("The geometric series of t terms is 1 + beta + ... + beta^(t - 1) = (1 - beta^t) / (1 - beta), so after t steps "
           "m is g (1 - beta1^t).",
           "Keep the corrected averages in variables of their own, and return m and v without the correction. t begins at "
           "1, so the correction never divides by zero.",
           "m_hat = m / (1 - beta1 ** t), v_hat = v / (1 - beta2 ** t), w - lr * m_hat / (np.sqrt(v_hat) + eps). adamw is "
           "adam of w * (1 - lr * weight_decay)."))


def draw(rng, t=1):
    """w, dw, m, v and the numbers; before the first step the averages are zero."""
    shape = (3, *rng.permutation([2, 3, 4])[:2])
    w, dw, m = rng.uniform(0.5, 2, shape) * rng.choice([-1, 1], shape)
    v = rng.uniform(0.5, 2, w.shape)
    numbers = dict(t=t, lr=float(rng.uniform(0.05, 0.2)), beta1=float(rng.uniform(0.6, 0.8)),
                   beta2=float(rng.uniform(0.85, 0.95)), eps=0.1)
    return (w, dw, m * (t > 1), v * (t > 1)), numbers


def adam(w, dw, m, v, *, t, lr, beta1, beta2, eps, weight_decay=0.0):
    """The oracle, number by number; the corrections are the sums of the weights that the gradients have had."""
    new = np.zeros((3, *w.shape))
    sum1, sum2 = (sum((1 - beta) * beta ** k for k in range(t)) for beta in (beta1, beta2))
    for i in np.ndindex(*w.shape):
        new[1][i] = beta1 * m[i] + (1 - beta1) * dw[i]
        new[2][i] = beta2 * v[i] + (1 - beta2) * dw[i] ** 2
        step = new[1][i] / sum1 / (math.sqrt(new[2][i] / sum2) + eps)
        new[0][i] = w[i] - lr * weight_decay * w[i] - lr * step
    return tuple(new)


def wrong_steps(w, dw, m, v, right, t, lr, beta1, beta2, eps, weight_decay=0.0):
    """Sentences and the w that they lead to."""
    _, m1, v1 = right
    c1, c2, w0 = 1 - beta1 ** t, 1 - beta2 ** t, w * (1 - lr * weight_decay)

    def step(m_hat, v_hat):
        return w0 - lr * m_hat / (np.sqrt(v_hat) + eps)

    def late(t):
        return step(m1 / (1 - beta1 ** t), v1 / (1 - beta2 ** t))

    return {
        "is computed without the bias correction: divide m by 1 - beta1^t and v by 1 - beta2^t": step(m1, v1),
        "corrects m alone: v is too small as well, divide it by 1 - beta2^t": step(m1 / c1, v1),
        "corrects v alone: m is too small as well, divide it by 1 - beta1^t": step(m1, v1 / c2),
        "forgets the power t in the correction, 1 - beta^t": step(m1 / (1 - beta1), v1 / (1 - beta2)) if t > 1 else None,
        "uses t + 1 in the correction: t is 1 in the first step": late(t + 1),
        "uses t - 1 in the correction: t is 1 in the first step": late(t - 1) if t > 1 else None,
        "multiplies by the corrections where it must divide": step(m1 * c1, v1 * c2),
        "has eps inside of the root: it is sqrt(v) + eps": w0 - lr * m1 / c1 / np.sqrt(v1 / c2 + eps),
        "forgets the root of v": w0 - lr * m1 / c1 / (v1 / c2 + eps),
        "steps along the gradient: Adam steps along the average m": step(dw, v1 / c2),
        "goes uphill: the step is subtracted": 2 * w0 - right[0],
        "uses the old m and v: compute the new ones first": step(m / c1, v / c2)}


def compare(student, name, arrays, numbers, mistaken=None):
    """The student's new w, m and v against the oracle."""
    w, dw, m, v = arrays
    right = adam(*arrays, **numbers)
    _, m1, v1 = right
    beta1, beta2, t = numbers["beta1"], numbers["beta2"], numbers["t"]
    new = expect.several(name, getattr(student, name)(*arrays, *numbers.values()), "w, m, v")
    corrected = "is stored with its bias correction: keep the average as it is, and correct it only for the step"
    expect.close(f"the new m of {name}", new[1], right[1], mistaken={
        corrected: m1 / (1 - beta1 ** t), "has beta1 and 1 - beta1 exchanged": (1 - beta1) * m + beta1 * dw,
        "lacks the factor 1 - beta1 at the gradient": beta1 * m + dw,
        "fades by beta2: m belongs to beta1": beta2 * m + (1 - beta2) * dw,
        "is the other average: return w, m, v in this order": v1,
        "contains the weight decay: it is decoupled, so the gradient is averaged as it is":
            m1 + (1 - beta1) * numbers.get("weight_decay", 0) * w if numbers.get("weight_decay") else None})
    expect.close(f"the new v of {name}", new[2], right[2], mistaken={
        corrected: v1 / (1 - beta2 ** t), "has beta2 and 1 - beta2 exchanged": (1 - beta2) * v + beta2 * dw * dw,
        "lacks the factor 1 - beta2 at the square": beta2 * v + dw * dw,
        "fades by beta1: v belongs to beta2": beta1 * v + (1 - beta1) * dw * dw,
        "averages the gradients: the average of their squares is meant": beta2 * v + (1 - beta2) * dw,
        "averages the squares of the new m: those of the gradients are meant": beta2 * v + (1 - beta2) * m1 * m1})
    expect.close(f"the new w of {name}", new[0], right[0],
                 mistaken={**(mistaken or {}), **wrong_steps(w, dw, m, v, right, **numbers)})


@exercise.check(points=25, name="the first step of Adam")
def first(student, rng):
    compare(student, "adam", *draw(rng))


@exercise.check(points=30, name="later steps of Adam")
def later(student, rng):
    for t in (2, int(rng.integers(4, 9))):
        compare(student, "adam", *draw(rng, t))


@exercise.check(points=25, name="AdamW")
def decoupled(student, rng):
    for t in (1, 5):
        arrays, numbers = draw(rng, t)
        decay = numbers["weight_decay"] = float(rng.uniform(0.2, 0.4))
        w, lr, plain = arrays[0], numbers["lr"], {**numbers, "weight_decay": 0.0}
        step = adam(*arrays, **plain)[0]
        compare(student, "adamw", arrays, numbers, {
            "is computed without the weight decay": step,
            "decays by weight_decay alone: the fraction is lr * weight_decay": step - decay * w,
            "lets the weight grow: the decay is subtracted": step + lr * decay * w,
            "decays behind the step: the weight shrinks first, then comes Adam's step": step * (1 - lr * decay)})


@exercise.check(points=10, name="weights without a gradient")
def idle(student, rng):
    (w, dw, m, v), numbers = draw(rng)
    numbers["eps"] = 1e-8
    new_w, _, _ = expect.several("adam", student.adam(w, 0 * dw, m, v, *numbers.values()), "w, m, v")
    expect.finite("the new w of adam where no gradient has ever been", new_w)
    expect.close("the new w of adam where no gradient has ever been", new_w, w)


@exercise.check(points=10, name="the arguments and the dtype stay as they were")
def contract(student, rng):
    arrays, numbers = draw(rng, 3)
    arrays = [a.astype(np.float32) for a in arrays]
    for function, more in ((student.adam, ()), (student.adamw, (0.1,))):
        value = expect.several(function.__name__, expect.unchanged(function, *arrays, *numbers.values(), *more), "w, m, v")
        for name, a in zip("wmv", value):
            expect.dtype(f"the new {name} of {function.__name__}", a, np.float32)


exercise.mistake("no bias correction", old="    m_hat = m / (1 - beta1 ** t)\n    v_hat = v / (1 - beta2 ** t)",
                 new="    m_hat, v_hat = m, v", says="without the bias correction")
exercise.mistake("only m is corrected", old="v_hat = v / (1 - beta2 ** t)", new="v_hat = v", says="corrects m alone")
exercise.mistake("the correction forgets t", old="    m_hat = m / (1 - beta1 ** t)\n    v_hat = v / (1 - beta2 ** t)",
                 new="    m_hat = m / (1 - beta1)\n    v_hat = v / (1 - beta2)", says="forgets the power t")
exercise.mistake("t counts from 0", old="    m_hat = m / (1 - beta1 ** t)\n    v_hat = v / (1 - beta2 ** t)",
                 new="    m_hat = m / (1 - beta1 ** (t + 1))\n    v_hat = v / (1 - beta2 ** (t + 1))", says=r"uses t \+ 1")
exercise.mistake("the corrected average is stored", old="    m_hat = m / (1 - beta1 ** t)",
                 new="    m_hat = m = m / (1 - beta1 ** t)", says="m of adam is stored with its bias correction")
exercise.mistake("eps is inside of the root", old="np.sqrt(v_hat) + eps", new="np.sqrt(v_hat + eps)",
                 says="inside of the root")
exercise.mistake("the root is forgotten", old="np.sqrt(v_hat) + eps", new="v_hat + eps", says="forgets the root")
exercise.mistake("v averages the gradients", old="(1 - beta2) * dw * dw", new="(1 - beta2) * dw",
                 says="squares is meant")
exercise.mistake("m is changed in place", old="    m = beta1 * m + (1 - beta1) * dw",
                 new="    m *= beta1\n    m += (1 - beta1) * dw", says="adam changes its argument m")
exercise.mistake("weight decay in the gradient", old="adam(w * (1 - lr * weight_decay), dw,",
                 new="adam(w, dw + weight_decay * w,", says="contains the weight decay: it is decoupled")
exercise.mistake("weight decay without the learning rate", old="1 - lr * weight_decay", new="1 - weight_decay",
                 says="the fraction is lr \\* weight_decay")
