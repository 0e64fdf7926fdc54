"""What a backward promises besides right numbers. Each contract is a generator of sentences on what is broken."""
import copy
import types

import numpy as np

from .numeric import line, nudged, relative
from .problem import TensorProblem
from .watch import same_values

CLOSE = 1e-11  # what rounding may change when the order of a sum changes


class Evidence:
    """A problem, its two cotangent vectors and the gradients they gave (zeros where none arrived).

    `run` is a forward pass that several contracts look at, `early` whether forward wrote into its inputs, `pulls` the
    gradients for the first cotangent, the second, the first once more, zero, and the first with twice the second; `there`
    those at other inputs, `elsewhere`.
    """

    def __init__(self, problem, cotangents, gradients, floor, nondet_tol):
        self.problem, self.cotangents, self.gradients = problem, cotangents, gradients
        self.floor, self.nondet_tol = floor, nondet_tol
        self.run, self.early, self.pulls, self.there = None, None, None, None
        self.elsewhere = [np.asarray(v + 1e-3) for v in problem.values]

    @property
    def close(self):
        """CLOSE, or what the last digit of the inputs changes, where that is more (a difference of large numbers)."""
        if not hasattr(self, "_close"):
            rng = np.random.default_rng(0)
            with np.errstate(all="ignore"):
                (moved,) = self.problem.gradients([nudged(v, rng) for v in self.problem.values], self.cotangents[:1])
            changes = [relative(a, b, self.floor) for a, b in zip(self.filled(moved), self.gradients[0])]
            self._close = max([CLOSE, *(30 * c for c in changes if c < 1e-3)])  # more is a kink or a tie
        return self._close

    def values(self):
        """Fresh copies of the inputs."""
        return [v.copy() for v in self.problem.values]

    def filled(self, gradients):
        """`gradients` with zeros for those that did not arrive."""
        return [np.zeros_like(v) if g is None else g for g, v in zip(gradients, self.problem.values)]

    def differing(self, one, other, tol=None):
        """The names of the inputs whose gradients differ by more than `tol` (default: rounding) of their scale."""
        return [name for name, a, b in zip(self.problem.names, self.filled(one), self.filled(other))
                if not self.alike(a, b, tol)]

    def alike(self, a, b, tol=None):
        """Whether two gradients are the same up to `tol` (default: rounding) of their scale."""
        off = 0.0 if same_values(a, b) else relative(a, b, self.floor)
        return off <= (CLOSE if tol is None else tol) or tol is None and off <= self.close


def _listing(names):
    return ", ".join(names)


def leaves_its_inputs_alone(e):
    """Neither forward nor backward writes into the inputs, dy, what forward kept or an earlier gradient."""
    for name, a, b, forward in zip(e.problem.names, e.run.inputs, e.problem.values, e.early):
        if not same_values(a, b):
            yield f"{'forward' if forward else 'backward'} writes into its input {name}: compute a new array"
    yield from (fault for fault in e.run.faults if "writes into" in fault)


def hands_out_what_is_its_own(e):
    """Gradients have the right number, dtype and memory."""
    yield from (fault for fault in e.run.faults if "writes into" not in fault)


def forward_answers_twice_the_same(e):
    """Forward is a function of its inputs, with the same dice."""
    with np.errstate(all="ignore"):
        one, other = (e.problem.vector(e.values()) for _ in range(2))
    if not (same_values(one, other) or relative(one, other) <= max(CLOSE, e.nondet_tol)):
        yield ("forward keeps state between calls, or draws random numbers of its own: the second call on the same inputs "
               "answers differently (for random numbers that can be repeated use numpy.random or those of your library)")


def answers_twice_the_same(e):
    """A second backward through one graph, and a second graph, give the same gradient."""
    first, between, again = map(e.filled, e.pulls[:3])
    wrong = e.differing(again, first, e.nondet_tol)
    if wrong:
        heap = all((b - a).any() and relative(b - a, first_of_all) < 1e-9
                   for a, b, first_of_all in zip(between, again, e.gradients[0]))
        yield (f"the gradient of {_listing(wrong)} grows with every call: what the last call left is added to and never set "
               "back to zero (keeps state between calls)" if heap else
               f"a second backward through the same graph gives other gradients of {_listing(wrong)}: backward changes what "
               "forward saved, or keeps state between calls")
        return
    wrong = e.differing(first, e.gradients[0], e.nondet_tol)
    if wrong:
        yield ("keeps state between calls, or draws random numbers of its own: the second of two forward and backward "
               f"passes on the same inputs gives other gradients of {_listing(wrong)}")


def keeps_passes_apart(e):
    """A forward pass elsewhere does not change the gradients of an earlier one."""
    with e.problem.run(e.values()) as run:
        first = e.filled(run.pull(e.problem.split(e.cotangents[0])))
        with np.errstate(all="ignore"), e.problem.run([v.copy() for v in e.elsewhere]) as other:
            e.there = e.filled(other.pull(e.problem.split(e.cotangents[0])))
        later = run.pull(e.problem.split(e.cotangents[0]))
    wrong = e.differing(first, later, e.nondet_tol)
    if wrong:
        yield (f"a forward pass on other inputs changes the gradients of {_listing(wrong)} of the pass before: state must "
               "be kept in ctx (or the cache), not in the class, the module or a global")


def remembers_no_earlier_inputs(e):
    """Gradients at other inputs are those of the other inputs, and not still those of the first ones."""
    c, rng = e.cotangents[0], np.random.default_rng(0)
    stay = {i: rng.uniform(0.5, 1.0, a.shape) for i, (a, b) in enumerate(zip(e.gradients[0], e.there))
            if a.any() and same_values(a, b)}
    told = sum((e.gradients[0][i] * v).sum() for i, v in stay.items())
    scale = sum(np.abs(e.gradients[0][i] * v).sum() for i, v in stay.items())

    def right(origin):
        y = line(e.problem, stay, origin)
        return abs(told - c @ (y(1e-4) - y(-1e-4)) / 2e-4) <= 1e-5 * scale
    if stay and not right(e.elsewhere) and right(None):
        yield (f"the gradient of {_listing(e.problem.names[i] for i in stay)} at other inputs is still that at the first "
               "ones: what forward kept of its first call is used for ever; state must be kept in ctx (or the cache), not "
               "in the class or a global (keeps state between calls)")


def is_an_object(problem):
    """Whether plain functions are methods of an object, or call those of one: a layer that keeps its cache in self."""
    function = getattr(problem, "forward", None)
    near = [cell.cell_contents for cell in getattr(function, "__closure__", None) or ()]
    known = getattr(function, "__globals__", {})
    near += [known[name] for name in getattr(getattr(function, "__code__", None), "co_names", ()) if name in known]
    near += [n.__self__ for n in [function, *near] if isinstance(n, types.MethodType)]
    return any(hasattr(n, "__dict__") and not isinstance(n, (type, types.ModuleType, types.FunctionType, types.MethodType))
               and type(n).__module__ != "builtins" and hasattr(n, "backward") for n in near)


def zero_gives_zero(e):
    """A zero upstream gradient gives an exactly zero gradient."""
    wrong = [name for name, g in zip(e.problem.names, e.filled(e.pulls[3])) if g.any()]
    if wrong:
        yield (f"an upstream gradient of zero gives a gradient of {_listing(wrong)} that is not zero: multiply every term "
               "by dy")


def is_linear(e):
    """Backward is linear in the upstream gradient."""
    for name, g, one, two in zip(e.problem.names, e.filled(e.pulls[4]), *e.gradients):
        scale = (np.abs(one) + 2 * np.abs(two)).max(initial=e.floor)
        off = np.abs(g - (one + 2 * two)).max(initial=0)
        if not off > CLOSE * scale or not off > e.close * scale:
            continue
        if (g != np.round(g)).any() and all((v == v.astype(np.float32)).all() for v in (g, one, two)):
            yield f"the gradient of {name} is rounded to float32, in which it is computed or stored: keep the dtype"
        else:
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


def _forward_close(e, plain):
    """What rounding may change in the outputs."""
    with np.errstate(all="ignore"):
        moved = e.problem.vector([nudged(v, np.random.default_rng(0)) for v in e.problem.values])
        return max(CLOSE, min(30 * relative(moved, plain), 1e-3))


def _throws_dice(problem, plain):
    """Whether the outputs, `plain`, change with the seed: a library may deal its random numbers in the order of memory."""
    other = copy.copy(problem)
    other.seed += 1
    return not same_values(other.vector([v.copy() for v in problem.values]), plain)


def does_not_care_for_strides(e):
    """Inputs and upstream gradients that are not contiguous give the same."""
    problem = e.problem
    try:
        outputs = problem.vector([_strided(v) for v in problem.values])
    except RuntimeError:  # a function that refuses them, as Tensor.view does
        return
    plain = problem.vector(e.values())
    if not (same_values(outputs, plain) or relative(outputs, plain) <= _forward_close(e, plain)):
        if _throws_dice(problem, plain):
            return
        yield "forward gives other values when its inputs are not contiguous (a transposed or sliced array)"
    with problem.run([_strided(v) for v in problem.values]) as run:
        try:
            gradients = run.pull([_strided(c) for c in problem.split(e.cotangents[0])])
        except RuntimeError as error:
            yield ("backward fails when inputs and upstream gradient are not contiguous (a transposed or sliced array), "
                   f"which it cannot choose: {error}")
            return
    wrong = e.differing(gradients, e.gradients[0])
    if wrong:
        yield (f"the gradients of {_listing(wrong)} change when inputs and upstream gradient are not contiguous (a "
               "transposed or sliced array): do not rely on the memory order (ravel(order='K'), .data, as_strided)")


def asks_only_for_what_is_wanted(e):
    """Each input alone requiring a gradient gets the same as all together."""
    if not e.problem.graph or len(e.problem.values) < 2:
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
    if not e.problem.graph:
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


WRITES = (leaves_its_inputs_alone, forward_answers_twice_the_same, answers_twice_the_same)   # before any number
CONTRACTS = (keeps_passes_apart, remembers_no_earlier_inputs, hands_out_what_is_its_own, zero_gives_zero, is_linear,
             does_not_care_for_strides, adds_up, keeps_float32)


def broken(problem, cotangents, gradients, floor, *, linear=False, nondet_tol=0.0, partly=True):
    """(what makes every number meaningless, other broken promises, remarks), each a list of sentences.

    `partly`: also with a part of the inputs requiring gradients. Gradients smaller than `floor` are rounding errors. That
    a layer object keeps its cache is no more than a remark.
    """
    e = Evidence(problem, cotangents, gradients, floor, nondet_tol)
    contracts = CONTRACTS + (asks_only_for_what_is_wanted,) * partly + (is_an_adjoint,) * linear
    grave, found, remarks = [], [], []
    with problem.run(e.values()) as e.run:
        e.early = [not same_values(a, b) for a, b in zip(e.run.inputs, problem.values)]
        one, other = cotangents
        with np.errstate(all="ignore"):
            e.pulls = [e.run.pull(problem.split(c)) for c in (one, other, one, 0 * one, one + 2 * other)]
        for contract in WRITES + contracts:
            to = grave if contract in WRITES + (remembers_no_earlier_inputs,) else found
            if contract is keeps_passes_apart and is_an_object(problem):
                to = remarks
            with np.errstate(all="ignore"):
                to += [sentence for sentence in contract(e) if sentence not in to]
    return grave, found, remarks
