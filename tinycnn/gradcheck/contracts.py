"""What a backward promises besides right numbers. Each contract is a generator of sentences on what is broken."""
import numpy as np

from .numeric import relative
from .problem import TensorProblem
from .watch import same_values

CLOSE = 1e-11  # what rounding may change when the order of a sum changes


class Evidence:
    """A problem, its two cotangent vectors and the gradients they gave (zeros where none arrived)."""

    def __init__(self, problem, cotangents, gradients, floor, nondet_tol):
        self.problem, self.cotangents, self.gradients = problem, cotangents, gradients
        self.floor, self.nondet_tol = floor, nondet_tol

    def values(self):
        """Fresh copies of the inputs."""
        return [v.copy() for v in self.problem.values]

    def filled(self, gradients):
        """`gradients` with zeros for those that did not arrive."""
        return [np.zeros_like(v) if g is None else g for g, v in zip(gradients, self.problem.values)]

    def differing(self, one, other, tol=CLOSE):
        """The names of the inputs whose gradients differ by more than `tol` of their scale."""
        return [name for name, a, b in zip(self.problem.names, self.filled(one), self.filled(other))
                if not self.alike(a, b, tol)]

    def alike(self, a, b, tol=CLOSE):
        """Whether two gradients are the same up to `tol` of their scale."""
        return same_values(a, b) or relative(a, b, self.floor) <= tol


def _listing(names):
    return ", ".join(names)


def leaves_its_inputs_alone(e):
    """Neither forward nor backward writes into the inputs; nothing hands out or overwrites what is not its own."""
    values = e.values()
    with e.problem.run(values) as run:
        inputs = run.inputs
        after_forward = [not same_values(a, b) for a, b in zip(inputs, e.problem.values)]
        run.pull(e.problem.split(e.cotangents[0]))
        for name, a, b, early in zip(e.problem.names, inputs, e.problem.values, after_forward):
            if not same_values(a, b):
                yield f"{'forward' if early else 'backward'} writes into its input {name}: compute a new array"
        yield from run.faults


def answers_twice_the_same(e):
    """A second backward through one graph, after a forward pass elsewhere, and a second graph, give the same gradient."""
    elsewhere = [np.asarray(v + 1e-3) for v in e.problem.values]
    with e.problem.run(e.values()) as run:
        first = e.filled(run.pull(e.problem.split(e.cotangents[0])))
        again = run.pull(e.problem.split(e.cotangents[0]))
        with np.errstate(all="ignore"):
            e.problem.outputs(elsewhere)
        later = run.pull(e.problem.split(e.cotangents[0]))
    for other, words in ((e.gradients[0], "two forward and backward passes on the same inputs give different gradients "
                                          "of {}: is a random number or leftover state involved?"),
                         (again, "a second backward through the same graph gives other gradients of {}: backward "
                                 "changes what forward saved"),
                         (later, "a forward pass on other inputs changes the gradients of {} of the pass before: state "
                                 "must be kept in ctx (or the cache), not in the class, the module or a global")):
        wrong = e.differing(first, other, e.nondet_tol)
        if wrong:
            yield words.format(_listing(wrong))


def zero_gives_zero(e):
    """A zero upstream gradient gives an exactly zero gradient."""
    zero = np.zeros_like(e.cotangents[0])
    wrong = [name for name, g in zip(e.problem.names, e.filled(e.problem.gradients(e.values(), [zero])[0])) if g.any()]
    if wrong:
        yield (f"an upstream gradient of zero gives a gradient of {_listing(wrong)} that is not zero: multiply every term "
               "by dy")


def is_linear(e):
    """Backward is linear in the upstream gradient."""
    a, b = e.cotangents
    (both,) = e.problem.gradients(e.values(), [a + 2 * b])
    for name, g, one, two in zip(e.problem.names, e.filled(both), *e.gradients):
        scale = (np.abs(one) + 2 * np.abs(two)).max(initial=e.floor)
        if np.abs(g - (one + 2 * two)).max(initial=0) > CLOSE * scale:
            yield (f"the gradient of {name} is not linear in the upstream gradient dy: dy may only be multiplied and "
                   "summed, never squared, clipped, divided by or added to")


def _strided(array):
    """The same numbers, transposed in memory and with a gap after each."""
    if array.ndim == 0:
        return array.copy()
    memory = np.full((*array.shape[:0:-1], 2 * array.shape[0]), 7.0)
    view = memory[..., ::2].T
    view[...] = array
    return view


def does_not_care_for_strides(e):
    """Inputs and upstream gradients that are not contiguous give the same."""
    problem = e.problem
    try:
        outputs = problem.vector([_strided(v) for v in problem.values])
    except RuntimeError:  # a function that refuses them, as Tensor.view does
        return
    plain = problem.vector(e.values())
    if not (same_values(outputs, plain) or relative(outputs, plain) <= CLOSE):
        yield "forward gives other values when its inputs are not contiguous (a transposed or sliced array)"
    with problem.run([_strided(v) for v in problem.values]) as run:
        wrong = e.differing(run.pull([_strided(c) for c in problem.split(e.cotangents[0])]), e.gradients[0])
    if wrong:
        yield (f"the gradients of {_listing(wrong)} change when inputs and upstream gradient are not contiguous (a "
               "transposed or sliced array): do not rely on the memory order (ravel(order='K'), .data, as_strided)")


def asks_only_for_what_is_wanted(e):
    """Each input alone requiring a gradient gets the same as all together."""
    if not isinstance(e.problem, TensorProblem) or len(e.problem.values) < 2:
        return
    for i, name in enumerate(e.problem.names):
        needs = [j == i for j in range(len(e.problem.values))]
        try:
            (alone,) = e.problem.gradients(e.values(), e.cotangents[:1], needs=needs)
        except Exception as error:  # of the function under test, whatever it may be
            yield f"backward fails when only {name} requires a gradient: {type(error).__name__}: {error}"
            continue
        got, expected = e.filled(alone)[i], e.gradients[0][i]
        if not e.alike(got, expected):
            yield (f"the gradient of {name} changes when {name} alone requires one: look at how backward uses "
                   "ctx.needs_input_grad")


def adds_up(e):
    """One tensor used as two inputs, or in two calls, gets the sum of the gradients."""
    if not isinstance(e.problem, TensorProblem):
        return
    with e.problem.run(e.values(), times=2) as run:
        twice = run.pull(e.problem.split(e.cotangents[0]) + e.problem.split(e.cotangents[1]))
    wrong = e.differing(twice, [a + b for a, b in zip(*e.gradients)])
    if wrong:
        yield f"used in two calls, {_listing(wrong)} gets a gradient that is not the sum of those of the calls"
    count = len(e.problem.places)
    pairs = [(i, j) for i in range(count) for j in range(i) if e.problem.values[i].shape == e.problem.values[j].shape]
    for i, j in pairs[:3]:
        values = e.values()
        values[i] = values[j].copy()
        try:
            (apart,) = e.problem.gradients(values, e.cotangents[:1])
        except ValueError:  # the function refuses these values for the other input, as a variance that is negative
            continue
        (shared,) = e.problem.gradients(values, e.cotangents[:1], same=(j, i))
        apart, shared = e.filled(apart), e.filled(shared)
        total = apart[i] + apart[j]
        if not e.alike(shared[j], total):
            yield (f"one tensor used as both {e.problem.names[j]} and {e.problem.names[i]} gets a gradient that is not "
                   "the sum of the two")


def keeps_float32(e):
    """float32 inputs have float32 gradients; a problem that cannot run in float32 promises nothing."""
    if not isinstance(e.problem, TensorProblem):
        return
    try:
        with np.errstate(all="ignore"), e.problem.run(e.values(), dtype=np.float32) as run:
            run.pull(e.problem.split(e.cotangents[0]))
            faults = run.faults
    except (TypeError, RuntimeError):
        return
    yield from (fault for fault in faults if "keep the dtype" in fault)


def is_an_adjoint(e):
    """For a linear function, <f(x), c> = <x, f*(c)> up to rounding, whatever x: an identity without a step size."""
    y = e.problem.vector(e.values())
    for c, gradients in zip(e.cotangents, e.gradients):
        left = (y * c).sum()
        products = [v * g for v, g in zip(e.problem.values, gradients)]
        right = sum(p.sum() for p in products)
        scale = np.abs(y * c).sum() + sum(np.abs(p).sum() for p in products)
        if not abs(left - right) <= 1e-12 * scale:
            yield (f"the adjoint identity <f(x), dy> = <x, dx> does not hold: {left:.12g} against {right:.12g}; backward "
                   "of a linear function is its transpose")
            return


CONTRACTS = (leaves_its_inputs_alone, answers_twice_the_same, zero_gives_zero, is_linear, does_not_care_for_strides,
             adds_up, keeps_float32)


def broken(problem, cotangents, gradients, floor, *, linear=False, nondet_tol=0.0, partly=True):
    """Every promise that `problem` breaks, as sentences; `partly`: also with a part of the inputs requiring gradients.

    Gradients smaller than `floor` are rounding errors.
    """
    evidence = Evidence(problem, cotangents, gradients, floor, nondet_tol)
    contracts = CONTRACTS + (asks_only_for_what_is_wanted,) * partly + (is_an_adjoint,) * linear
    found = [sentence for contract in contracts for sentence in contract(evidence)]
    return list(dict.fromkeys(found))
