"""Checks of the learning-rate schedules."""
import math

import numpy as np

from .. import expect
from ..exercise import Exercise

exercise = Exercise(
    title="Learning rates that change with time", lecture=10, minutes=25,
    hints=("Write the rates of a training of 6 steps with a warm-up of 2 on paper, step by step, before you write the "
           "formula, and count: what has step 0, what has the last step of the warm-up, what the first behind it?",
           "step_decay counts the milestones with step >= milestone. For the cosines find t first: (step - first) / "
           "(last - first) is 0 at the first step and 1 at the last. math.cos wants radians.",
           "Warm-up: peak * (step + 1) / warmup while step < warmup, then t = (step - warmup) / (steps - warmup). One "
           "cycle: t = step / top, and then t = (step - top) / (steps - 1 - top)."))


def wave(a, b, t):
    """The oracle of the half wave."""
    return a * (0.5 + 0.5 * math.cos(math.pi * t)) + b * (0.5 - 0.5 * math.cos(math.pi * t))


def decayed(steps, base, milestones, gamma, late=0):
    """The oracle: a list that is multiplied behind each milestone."""
    rates = [base] * steps
    for milestone in milestones:
        for step in range(milestone + late, steps):
            rates[step] *= gamma
    return np.array(rates)


def warm(steps, warmup, peak, final, rise=lambda s, w: (s + 1) / w, t=lambda s, w, n: (s - w) / (n - w)):
    """The oracle of the warm-up; `rise` and `t` allow for what goes wrong."""
    return np.array([peak * rise(s, warmup) if s < warmup else wave(peak, final, t(s, warmup, steps))
                     for s in range(steps)])


def cycle(steps, top, peak, up=lambda s, top: s / top, down=lambda s, top, n: (s - top) / (n - 1 - top)):
    """The oracle of the one cycle."""
    return np.array([wave(peak / 25, peak, up(s, top)) if s <= top else wave(peak, peak / 10000, down(s, top, steps))
                     for s in range(steps)])


def rates(function, steps, *args):
    """What the student's function says for each step."""
    return np.array([float(expect.array(f"rate of step {step}", function(step, *args))) for step in range(steps)])


@exercise.check(points=20, name="step decay")
def step_decay(student, rng):
    for milestones in ([3, 7], [1], [], [2, 4, 5]):
        base, gamma, steps = float(0.1 + rng.random()), float(rng.choice([0.1, 0.3, 0.5])), 10
        right = decayed(steps, base, milestones, gamma)
        expect.close("rate of step_decay", rates(student.step_decay, steps, base, milestones, gamma), right,
                     mistaken=None if not milestones else {
            "falls one step late: step milestone itself has the smaller rate already":
                decayed(steps, base, milestones, gamma, late=1),
            "falls one step early: step milestone is the first with the smaller rate":
                decayed(steps, base, milestones, gamma, late=-1),
            "falls only once: base is multiplied by gamma at each milestone": decayed(steps, base, milestones[:1], gamma),
            "is multiplied by gamma in every step": base * gamma**np.arange(steps),
            "is gamma times the number of milestones: it is gamma to the power of their number":
                np.array([base * gamma * max(sum(s >= m for m in milestones), 1 / gamma) for s in range(steps)]),
            "grows: multiply by gamma, do not divide": decayed(steps, base, milestones, 1 / gamma)})


@exercise.check(points=15, name="the half wave")
def half_wave(student, rng):
    a, b = float(rng.random()), float(1 + rng.random())
    places = [0.0, 0.1, 0.25, 0.5, 0.8, 1.0]
    got = np.array([float(expect.array("cosine", student.cosine(a, b, t))) for t in places])

    def curve(f):
        return np.array([f(t) for t in places])
    expect.close("cosine", got, curve(lambda t: wave(a, b, t)), mistaken={
        "takes pi for 180 degrees: math.cos wants radians, cos(pi t)":
            curve(lambda t: wave(a, b, 180 * t / math.pi)),
        "goes from b to a: a at t = 0, b at t = 1": curve(lambda t: wave(b, a, t)),
        "makes a whole wave and comes back to a: cos(pi t), not cos(2 pi t)": curve(lambda t: wave(a, b, 2 * t)),
        "is only the falling quarter: cos(pi t), not cos(pi t / 2)": curve(lambda t: wave(a, b, t / 2)),
        "lacks pi: cos(pi t)": curve(lambda t: wave(a, b, t / math.pi)),
        "is a straight line": curve(lambda t: a + (b - a) * t),
        "swings twice as far: (1 + cos) / 2 lies between 0 and 1":
            curve(lambda t: b + (a - b) * (1 + math.cos(math.pi * t)))})


@exercise.check(points=40, name="warm-up and cosine")
def warmup_cosine(student, rng):
    for steps, warmup in ((12, 4), (9, 2), (8, 1), (6, 0)):
        peak, final = float(0.1 + rng.random()), float(0.01 + 0.05 * rng.random())
        known = {
            "starts the cosine at step 0: it begins when the warm-up ends, t = (step - warmup) / (steps - warmup)":
                warm(steps, warmup, peak, final, t=lambda s, w, n: s / n),
            "counts the steps after the warm-up out of all steps: there are steps - warmup of them":
                warm(steps, warmup, peak, final, t=lambda s, w, n: (s - w) / n),
            "is 0 in step 0: the rise begins with peak / warmup, so it is (step + 1) / warmup":
                warm(steps, warmup, peak, final, rise=lambda s, w: s / w),
            "is 0 in step 0, and rises too slowly: the rise is (step + 1) / warmup":
                warm(steps, warmup, peak, final, rise=lambda s, w: s / (w + 1)),
            "does not reach the peak in the warm-up: the rise is (step + 1) / warmup":
                warm(steps, warmup, peak, final, rise=lambda s, w: (s + 1) / (w + 1)),
            "reaches final in the last step: here t would be 1 one step behind it":
                warm(steps, warmup, peak, final, t=lambda s, w, n: (s - w) / (n - 1 - w)),
            "is one step early behind the warm-up: step warmup has t = 0":
                warm(steps, warmup, peak, final, t=lambda s, w, n: (s - w + 1) / (n - w)),
            "falls towards 0 and should fall towards final": warm(steps, warmup, peak, 0.0)}
        expect.close("rate of warmup_cosine", rates(student.warmup_cosine, steps, steps, warmup, peak, final),
                     warm(steps, warmup, peak, final), mistaken=known)


@exercise.check(points=25, name="one cycle")
def one_cycle(student, rng):
    for steps, top in ((12, 4), (9, 5), (10, 1)):
        peak = float(0.5 + rng.random())
        expect.close("rate of one_cycle", rates(student.one_cycle, steps, steps, top, peak), cycle(steps, top, peak),
                     mistaken={
            "does not arrive: the last step is steps - 1, and has peak / 10000":
                cycle(steps, top, peak, down=lambda s, top, n: (s - top) / (n - top)),
            "takes the way down from step 0 on: it begins at top, t = (step - top) / (steps - 1 - top)":
                cycle(steps, top, peak, down=lambda s, top, n: s / (n - 1)),
            "counts the way down out of all steps: from top to steps - 1 there are steps - 1 - top":
                cycle(steps, top, peak, down=lambda s, top, n: (s - top) / (n - 1)),
            "begins one step ahead: step 0 has peak / 25": cycle(steps, top, peak, up=lambda s, top: (s + 1) / (top + 1)),
            "reaches the peak one step late: step top has it": cycle(steps, top, peak, up=lambda s, top: s / (top + 1)),
            "rises in a straight line": np.where(
                np.arange(steps) <= top, peak / 25 + peak * 24 / 25 * np.arange(steps) / top, cycle(steps, top, peak))})


exercise.mistake("one step late", old="step >= milestone", new="step > milestone", says="one step late")
exercise.mistake("multiplied once", old="gamma**reached", new="gamma**min(reached, 1)", says="falls only once")
exercise.mistake("gamma in every step", old="gamma**reached", new="gamma**step", says="in every step")
exercise.mistake("degrees", old="math.cos(math.pi * t)", new="math.cos(180 * t)", says="180 degrees")
exercise.mistake("a whole wave", old="math.cos(math.pi * t)", new="math.cos(2 * math.pi * t)", says="whole wave")
exercise.mistake("a and b exchanged", old="b + (a - b) *", new="a + (b - a) *", says="from b to a")
exercise.mistake("the first step has rate 0", old="peak * (step + 1) / warmup", new="peak * step / warmup",
                 says="is 0 in step 0: the rise")
exercise.mistake("the warm-up ends below the peak", old="(step + 1) / warmup", new="(step + 1) / (warmup + 1)",
                 says="does not reach the peak")
exercise.mistake("the cosine starts at step 0", old="(step - warmup) / (steps - warmup)", new="step / steps",
                 says="starts the cosine at step 0")
exercise.mistake("the cosine is too long", old="(step - warmup) / (steps - warmup)", new="(step - warmup) / steps",
                 says="out of all steps")
exercise.mistake("it falls to zero", old="cosine(peak, final, (", new="cosine(peak, 0, (", says="towards 0")
exercise.mistake("the cycle does not arrive", old="/ (steps - 1 - top)", new="/ (steps - top)", says="does not arrive")
exercise.mistake("the way down from step 0", old="(step - top) / (steps - 1 - top)", new="step / (steps - 1)",
                 says="from step 0 on")
