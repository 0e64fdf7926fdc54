"""Checks of AdaGrad and RMSProp."""
import math

import numpy as np

from .. import expect
from ..exercise import Exercise

exercise = Exercise(
    title="AdaGrad and RMSProp: a learning rate for each weight", lecture=3, minutes=25,
    hints=("Two lines a function: first the new s, a new array (s = s + ..., not s += ...), then the step, which uses it.",
           "s has the shape of w: every weight has a number of its own, nothing is summed over the array. eps is added to "
           "the root, not to s.",
           "adagrad: s = s + dw * dw, then w - lr * dw / (np.sqrt(s) + eps). rmsprop differs in s = beta * s + (1 - beta) * "
           "dw * dw alone. With s = t * dw^2 AdaGrad's step is lr * dw / (sqrt(t) * |dw|)."))


def draw(rng, shape=None):
    """w, dw, s, lr, beta and an eps so large that its place matters."""
    shape = (2, *(shape or rng.permutation([2, 3, 4])[:2]))
    w, dw = rng.uniform(0.5, 2, shape) * rng.choice([-1, 1], shape)
    return w, dw, rng.uniform(0.5, 2, w.shape), float(rng.uniform(0.05, 0.2)), float(rng.uniform(0.7, 0.9)), 0.1


def rule(w, dw, s, lr, beta, eps):
    """The oracle, number by number; beta None is AdaGrad."""
    new_w, new_s = np.zeros(w.shape), np.zeros(w.shape)
    for i in np.ndindex(*w.shape):
        new_s[i] = s[i] + dw[i] ** 2 if beta is None else beta * s[i] + (1 - beta) * dw[i] ** 2
        new_w[i] = w[i] - lr * dw[i] / (math.sqrt(new_s[i]) + eps)
    return new_w, new_s


def compare(student, rng, name, steps, small=False):
    """One rule, several steps in a row."""
    w, _, s, lr, beta, eps = draw(rng)
    eps, s = (1e-8, 0 * s) if small else (eps, s)
    options = (lr, eps) if name == "adagrad" else (lr, beta, eps)
    for _ in range(steps):
        dw = draw(rng, w.shape)[1]

        def grown(squares, s=s):
            return s + squares if name == "adagrad" else beta * s + (1 - beta) * squares

        right_w, right_s = rule(w, dw, s, lr, None if name == "adagrad" else beta, eps)
        new_w, new_s = expect.several(name, getattr(student, name)(w, dw, s, *options), "w, s")
        expect.close(f"the new s of {name}", new_s, right_s, mistaken={
            "adds dw where its square belongs": grown(dw),
            "is the last square alone: the old s is lost": dw * dw,
            **({"lacks the factor 1 - beta at the new square": beta * s + dw * dw,
                "has beta and 1 - beta exchanged: beta belongs to the old s": (1 - beta) * s + beta * dw * dw,
                "is the sum of AdaGrad: RMSProp forgets, beta * s + (1 - beta) * dw^2": s + dw * dw}
               if name == "rmsprop" else {}),
            **{f"{words} the squares over the whole array: every weight has an s of its own":
               grown(np.full(w.shape, reduce(dw * dw))) for words, reduce in (("sums", np.sum), ("averages", np.mean))},
            "is the old s": s, "holds the root: s is the sum of squares, its root belongs into the step": np.sqrt(right_s),
            "holds eps: it belongs into the step": right_s + eps})
        root = np.sqrt(right_s)
        expect.close(f"the new w of {name}", new_w, right_w, mistaken={
            "goes uphill: the step is subtracted": 2 * w - right_w,
            "has eps inside of the root: it is sqrt(s) + eps": w - lr * dw / np.sqrt(right_s + eps),
            "divides by s itself: take its root": w - lr * dw / (right_s + eps),
            "multiplies by the root where it must divide": w - lr * dw * (root + eps),
            "uses the old s: compute the new one first": w - lr * dw / (np.sqrt(s) + eps),
            "forgets eps": w - lr * dw / root, "subtracts eps": w - lr * dw / (root - eps),
            "is plain gradient descent: divide by sqrt(s) + eps": w - lr * dw})
        w, s = right_w, right_s


@exercise.check(points=35, name="AdaGrad")
def with_the_sum(student, rng):
    compare(student, rng, "adagrad", 1)
    compare(student, rng, "adagrad", 3)


@exercise.check(points=35, name="RMSProp")
def with_the_average(student, rng):
    compare(student, rng, "rmsprop", 1)
    compare(student, rng, "rmsprop", 3)


@exercise.check(points=10, name="the first step, and weights without a gradient")
def first_step(student, rng):
    compare(student, rng, "adagrad", 1, small=True)
    compare(student, rng, "rmsprop", 1, small=True)
    zero, w = np.zeros(3), rng.standard_normal(3)
    for name, options in (("adagrad", (0.1, 1e-10)), ("rmsprop", (0.1, 0.9, 1e-10))):
        new_w, _ = expect.several(name, getattr(student, name)(w, zero, zero, *options), "w, s")
        expect.finite(f"the new w of {name} where no gradient has ever been", new_w)
        expect.close(f"the new w of {name} where no gradient has ever been", new_w, w)


@exercise.check(points=10, name="how AdaGrad's steps shrink")
def shrinks(student, rng):
    lr, w, s = float(rng.uniform(0.1, 0.9)), np.zeros(1), np.zeros(1)
    dw = rng.uniform(2, 3, 1)
    for t in range(1, 6):
        before = w
        w, s = rule(w, dw, s, lr, None, 0.0)
        expect.close(f"adagrad_step({t}, {lr:.4g})", student.adagrad_step(t, lr), (before - w).item(), mistaken={
            "does not shrink: the sum of squares grows with t": lr,
            "shrinks with t: s grows with t, but the step divides by its root": lr / t if t > 1 else None})


@exercise.check(points=10, name="the arguments and the dtype stay as they were")
def contract(student, rng):
    w, dw, s, lr, beta, eps = draw(rng)
    w, dw, s = (a.astype(np.float32) for a in (w, dw, s))
    for function, options in ((student.adagrad, (lr, eps)), (student.rmsprop, (lr, beta, eps))):
        value = expect.several(function.__name__, expect.unchanged(function, w, dw, s, *options), "w, s")
        for name, a in zip("ws", value):
            expect.dtype(f"the new {name} of {function.__name__}", a, np.float32)


exercise.mistake("AdaGrad's eps is inside of the root", old="(np.sqrt(s) + eps), s\n    ### END SOLUTION\n\n\ndef rmsprop",
                 new="np.sqrt(s + eps), s\n    ### END SOLUTION\n\n\ndef rmsprop", says="inside of the root")
exercise.mistake("AdaGrad forgets the square", old="s + dw * dw", new="s + dw", says="adds dw where its square belongs")
exercise.mistake("AdaGrad changes s in place", old="    s = s + dw * dw", new="    s += dw * dw",
                 says="changes its argument s")
exercise.mistake("AdaGrad forgets the root", old="(np.sqrt(s) + eps), s\n    ### END SOLUTION\n\n\ndef rmsprop",
                 new="(s + eps), s\n    ### END SOLUTION\n\n\ndef rmsprop", says="take its root")
exercise.mistake("AdaGrad steps with the old s", old="    s = s + dw * dw\n    return w - lr * dw / (np.sqrt(s) + eps), s",
                 new="    return w - lr * dw / (np.sqrt(s) + eps), s + dw * dw", says="uses the old s")
exercise.mistake("RMSProp exchanges beta and 1 - beta", old="beta * s + (1 - beta) * dw", new="(1 - beta) * s + beta * dw",
                 says="beta and 1 - beta exchanged")
exercise.mistake("RMSProp accumulates", old="beta * s + (1 - beta) * dw * dw", new="beta * s + dw * dw",
                 says="lacks the factor 1 - beta")
exercise.mistake("RMSProp sums over the array", old="(1 - beta) * dw * dw", new="(1 - beta) * np.mean(dw * dw)",
                 says="averages the squares over the whole array")
exercise.mistake("RMSProp has no eps", old="(np.sqrt(s) + eps), s\n    ### END SOLUTION\n\n\ndef adagrad_step",
                 new="np.sqrt(s), s\n    ### END SOLUTION\n\n\ndef adagrad_step", says="forgets eps")
exercise.mistake("the steps shrink with t", old="lr / np.sqrt(t)", new="lr / t", says="divides by its root")
