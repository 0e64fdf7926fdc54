"""Checks of transfer."""
import math

import numpy as np

from .. import expect
from ..exercise import Exercise
from .linear import linear

NAMES = ("w1", "b1", "w2", "b2")
BODY = ["w1", "b1"]

exercise = Exercise(
    title="Transfer: keep the body, replace the head", lecture=10, minutes=45,
    hints=("Make new dicts and leave the given ones alone: {name: array.copy() for ...}. Start with sgd_step and print "
           "which names have moved.",
           "gradients: compute all four as in the exercises on the linear layer and the cross-entropy, with "
           "da = (dlogits @ w2) * (a > 0) on the way to the body, and leave out the frozen names at the end.",
           "fine_tune: in step i < head_steps frozen = ['w1', 'b1'] and the rate is rate, later frozen = [] and rate / 10. "
           "Every step is parameters = sgd_step(parameters, gradients(parameters, x, labels, frozen), ...)."))


def loss(w1, b1, w2, b2, x, labels):
    """The mean cross-entropy, an example after the other."""
    h = linear(x, w1, b1)
    logits = linear(np.where(h > 0, h, 0), w2, b2)
    return np.array(sum(math.log(sum(math.exp(z) for z in row)) - row[label] for row, label in zip(logits.tolist(), labels))
                    / len(x))


def right_gradients(p, x, labels, mask=True):
    """The gradients, written out; without the mask of the ReLU where `mask` is false."""
    dlogits, h = np.zeros((len(x), len(p["w2"]))), np.maximum(linear(x, p["w1"], p["b1"]), 0)
    for n, (row, label) in enumerate(zip(linear(h, p["w2"], p["b2"]), labels)):
        for k in range(len(row)):
            dlogits[n, k] = (np.exp(row[k]) / np.exp(row).sum() - (k == label)) / len(x)
    da = (dlogits @ p["w2"]) * (h > 0 if mask else 1)
    return {"w1": da.T @ x, "b1": da.sum(0), "w2": dlogits.T @ h, "b2": dlogits.sum(0)}


def tuned(p, x, labels, head_steps, all_steps, rate, decay, after=0.1, thaw=True):
    """The oracle of fine_tune; `after` and `thaw` allow for what goes wrong."""
    for step in range(head_steps + all_steps):
        g, head = right_gradients(p, x, labels), step < head_steps
        speed = rate if head else rate * after
        moves = {name: name not in BODY or thaw and not head for name in NAMES}
        p = {name: p[name] - speed * (g[name] + decay * p[name]) * moves[name] for name in NAMES}
    return p


def draw(rng, N=5, D=4, H=3, K=2):
    """Parameters, x and labels."""
    p = {"w1": rng.standard_normal((H, D)), "b1": rng.standard_normal(H),
         "w2": rng.standard_normal((K, H)), "b2": rng.standard_normal(K)}
    return p, rng.standard_normal((N, D)), rng.integers(0, K, N)


def a_dict(name, got, keys):
    """`got` is a dict with these keys."""
    if not isinstance(got, dict):
        raise expect.Wrong(f"{name} must return a dict, got {type(got).__name__}")
    if set(got) != set(keys):
        raise expect.Wrong(f"{name} returns {', '.join(sorted(map(str, got))) or 'nothing'}; expected {', '.join(keys)}")
    return got


@exercise.check(points=20, name="the head is replaced")
def head(student, rng):
    for K in (5, 3):
        p, _, _ = draw(rng)
        normal = rng.standard_normal((K, 3))
        new = a_dict("replace_head", expect.unchanged(student.replace_head, p, normal), NAMES)
        for name in BODY:
            expect.close(f"{name} of the new network, whose body is kept,", new[name], p[name])
        expect.close("w2 of the new network", new["w2"], normal / math.sqrt(3), mistaken={
            "is not scaled: divide by sqrt(H), so that the logits start small": normal,
            "is divided by H: divide by its root": normal / 3,
            "is divided by the root of the number of classes: divide by sqrt(H)": normal / math.sqrt(K)})
        expect.close("b2 of the new network", new["b2"], np.zeros(K))
        shared = student.run("new = replace_head(p, normal)\nfor name in ('w1', 'b1'):\n    new[name] += 1\n"
                             "result = [name for name in ('w1', 'b1') if (p[name] == new[name]).all()]", p=p, normal=normal)
        if shared:
            raise expect.Wrong(f"{shared[0]} of the new network is the very array of the old one: whoever trains the new "
                               "one changes the old one; the body is copied, .copy()")
        expect.in_float32(student.replace_head, p, normal)


@exercise.check(points=30, name="the gradients")
def gradients_of(student, rng):
    for sizes in ({}, {"N": 2, "D": 3, "H": 4, "K": 5}):
        compare(student, *draw(rng, **sizes))


def compare(student, p, x, labels):
    """The gradients, of everything and of a part."""
    for frozen in ([], BODY, ["w2", "b2"]):
        keys = [name for name in NAMES if name not in frozen]
        got = expect.unchanged(student.gradients, p, x, labels, frozen)
        if frozen and isinstance(got, dict) and set(got) & set(frozen):
            raise expect.Wrong(f"gradients has an entry for {', '.join(sorted(set(got) & set(frozen)))}, though frozen is "
                               f"{frozen}: leave it out, also where it would be zero")
        a_dict(f"gradients with frozen={frozen}", got, keys)

        def backward(dy, *arrays):
            g = student.gradients(dict(zip(NAMES, arrays)) | {name: p[name] for name in frozen}, x, labels, frozen)
            return tuple(dy * expect.array(f"the gradient of {name}", g.get(name)) for name in keys)

        def wrong(factor=1, **how):
            return lambda dy, *arrays: tuple(
                factor * dy * g for g in right_gradients(dict(zip(NAMES, arrays)), x, labels, **how).values())
        if not frozen:
            expect.gradient("gradients", lambda *arrays: loss(*arrays, x, labels), backward, **p, mistaken={
                "dw1 and db1 lack the mask of the ReLU: da = (dlogits @ w2) * (a > 0)": wrong(mask=False),
                "all four are sums over the batch: the loss is its mean, so dlogits is divided by N": wrong(len(x))})
    right = right_gradients(p, x, labels)
    for frozen in (BODY, ["w2", "b2"]):
        for name, gradient in student.gradients(p, x, labels, frozen).items():
            expect.close(f"{name} of the gradients with frozen={frozen}", gradient, right[name])
    expect.in_float32(student.gradients, p, x, labels, BODY)


@exercise.check(points=20, name="a step: who moves")
def step(student, rng):
    p, x, labels = draw(rng)
    g, rate, decay = {name: rng.standard_normal(p[name].shape) for name in NAMES}, 0.1 + float(rng.random()), 0.25
    for frozen in ([], BODY):
        given = {name: g[name] for name in NAMES if name not in frozen}
        new = a_dict("sgd_step", expect.unchanged(student.sgd_step, p, given, rate, decay), NAMES)
        for name in NAMES:
            if name in frozen:
                if not np.array_equal(expect.array(name, new[name]), p[name]):
                    raise expect.Wrong(f"sgd_step moves {name}, which has no gradient: what is frozen must stay to the last "
                                       "bit, decay does not touch it either")
                continue
            expect.close(f"{name} after a step", new[name], p[name] - rate * (g[name] + decay * p[name]), mistaken={
                "has not moved": p[name],
                "is moved without decay": p[name] - rate * g[name],
                "goes uphill: subtract rate times the gradient": p[name] + rate * (g[name] + decay * p[name]),
                "decays by decay and not by rate times decay": p[name] - rate * g[name] - decay * p[name],
                "grows by decay: decay * old is added to the gradient": p[name] - rate * (g[name] - decay * p[name])})
    expect.in_float32(student.sgd_step, p, g, rate, decay)


@exercise.check(points=30, name="first the head, then everything")
def fine_tune(student, rng):
    for steps in ((3, 0), (0, 2), (2, 3)):
        p, x, labels = draw(rng, *rng.permutation([2, 3, 4, 5]))
        args = (x, labels, *steps, 0.5, 0.01)
        new = a_dict("fine_tune", expect.unchanged(student.fine_tune, p, *args), NAMES)
        right = tuned(p, *args)
        fast, frozen, old = tuned(p, *args, after=1.0), tuned(p, *args, thaw=False), stale(p, *args)
        if not steps[1]:
            for name in BODY:
                if not np.array_equal(expect.array(name, new[name]), p[name]):
                    raise expect.Wrong(f"fine_tune moves {name} in the first steps: only the head moves there")
        for name in NAMES:
            expect.close(f"{name} after {steps[0]} steps of the head and {steps[1]} of everything", new[name], right[name],
                         mistaken={
                "is what it would be with the body frozen to the end: in the second phase everything moves":
                    frozen[name] if steps[1] else None,
                "is as it was": p[name],
                "has moved with the full rate in the second phase: it is rate / 10 there": fast[name],
                "was moved with the gradients of the first step again and again: take them anew in each step":
                    old[name]})
    expect.in_float32(student.fine_tune, p, x, labels, 1, 1, 0.1, 0.01)


def stale(p, x, labels, head_steps, all_steps, rate, decay):
    """What fine_tune gives with the gradients of the first step throughout."""
    g = right_gradients(p, x, labels)
    for step in range(head_steps + all_steps):
        speed = rate if step < head_steps else rate / 10
        moves = {name: name not in BODY or step >= head_steps for name in NAMES}
        p = {name: p[name] - speed * (g[name] + decay * p[name]) * moves[name] for name in NAMES}
    return p


exercise.mistake("the new head is not scaled", old="normal / np.sqrt(normal.shape[1])", new="normal * 1.0",
                 says="w2 .*not scaled")
exercise.mistake("the old head stays", old='    new["w2"] = normal / np.sqrt(normal.shape[1])\n',
                 new='    new["w2"] = parameters["w2"]\n', says="w2 of the new network has shape")
exercise.mistake("the old dict gets the new head", says="replace_head changes its argument parameters",
                 old='    new = {"w1": parameters["w1"].copy(), "b1": parameters["b1"].copy()}\n',
                 new="    new = parameters\n")
exercise.mistake("the body is shared", old='"w1": parameters["w1"].copy()', new='"w1": parameters["w1"]',
                 says="w1 of the new network is the very array")
exercise.mistake("the head is frozen, not the body", old="if name not in frozen", new="if not frozen or name in frozen",
                 says="gradients has an entry for b1, w1, though frozen")
exercise.mistake("frozen gradients are zeros",
                 old="{name: gradient for name, gradient in all_of_them.items() if name not in frozen}",
                 new="{name: gradient * (name not in frozen) for name, gradient in all_of_them.items()}",
                 says="leave it out, also where it would be zero")
exercise.mistake("the gradients are sums over the batch", old="    dlogits /= N\n", new="",
                 says="sums over the batch")
exercise.mistake("the mask of the ReLU is forgotten", old="(dlogits @ w2) * (a > 0)", new="(dlogits @ w2)",
                 says="lack the mask of the ReLU")
exercise.mistake("decay moves the frozen ones", old="new[name] = old.copy()", new="new[name] = old - rate * decay * old",
                 says="decay does not touch it")
exercise.mistake("decay is not times the rate", old="old - rate * (gradients[name] + decay * old)",
                 new="old - rate * gradients[name] - decay * old", says="not by rate times decay")
exercise.mistake("the step goes uphill", old="old - rate * (", new="old + rate * (", says="uphill")
exercise.mistake("the body stays frozen", old='frozen = ["w1", "b1"] if only_head else []', new='frozen = ["w1", "b1"]',
                 says="w1 .*frozen to the end")
exercise.mistake("the body moves from the start", old='frozen = ["w1", "b1"] if only_head else []', new="frozen = []",
                 says="moves w1 in the first steps")
exercise.mistake("the full rate for the body", old="rate if only_head else rate / 10", new="rate",
                 says="full rate in the second")
exercise.mistake("the gradients of the first step again and again", says="gradients of the first step",
                 old='        frozen = ["w1", "b1"] if only_head else []\n'
                 "        now = gradients(parameters, x, labels, frozen)\n",
                 new='        start = gradients(parameters, x, labels, []) if step == 0 else start\n'
                 '        now = {name: start[name] for name in start if not only_head or name in ("w2", "b2")}\n')
