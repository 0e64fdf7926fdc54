"""Learning rates that change with time

At the start of training a large learning rate throws the weights about, because the statistics of the optimiser and of the
norms are not yet worth much; at the end it keeps them from settling. So the rate first rises and then falls. Steps are
counted from 0: a training of `steps` steps has the steps 0, 1, ..., steps - 1, and rate(step) is the one that step uses.

step_decay: the old way. The rate starts at `base` and is multiplied by `gamma` at each milestone, a list of steps. Step
milestone itself is the first with the smaller rate.

cosine: a half wave between two numbers, from a at t = 0 to b at t = 1, flat at both ends, halfway at t = 1/2:

    cosine(a, b, t) = b + (a - b) (1 + cos(pi t)) / 2

warmup_cosine: the `warmup` first steps rise in a straight line. A rate of 0 would waste the very first step, so step 0 has
already peak / warmup, and step warmup - 1, the last of the rise, has peak. Then, from step = warmup, a cosine from peak at
t = 0 towards final; the place t within it counts the steps *since the warm-up* out of all steps that come after it, so that
it would reach 1 at the step behind the last. warmup may be 0.

one_cycle: a cosine from peak / 25 at step 0 up to peak at step `top`, and another from there down to peak / 10000, which
the last step, steps - 1, has exactly. It rises by a cosine too. Each half must arrive: find for each the t that is 0 at its
first step and 1 at its last.
"""
import math


def step_decay(step, base, milestones, gamma):
    """The rate of step `step`: base times gamma for each milestone that has been reached."""
    ### BEGIN SOLUTION
    reached = sum(step >= milestone for milestone in milestones)
    return base * gamma**reached
    ### END SOLUTION


def cosine(a, b, t):
    """From a at t = 0 to b at t = 1, along half a cosine."""
    ### BEGIN SOLUTION
    return b + (a - b) * (1 + math.cos(math.pi * t)) / 2
    ### END SOLUTION


def warmup_cosine(step, steps, warmup, peak, final):
    """The rate of step `step` of `steps`: a straight rise in `warmup` steps, then a cosine from peak to final."""
    ### BEGIN SOLUTION
    if step < warmup:
        return peak * (step + 1) / warmup
    return cosine(peak, final, (step - warmup) / (steps - warmup))
    ### END SOLUTION


def one_cycle(step, steps, top, peak):
    """The rate of step `step` of `steps`: up to peak at step `top`, and down; 0 < top < steps - 1."""
    ### BEGIN SOLUTION
    if step <= top:
        return cosine(peak / 25, peak, step / top)
    return cosine(peak, peak / 10000, (step - top) / (steps - 1 - top))
    ### END SOLUTION
