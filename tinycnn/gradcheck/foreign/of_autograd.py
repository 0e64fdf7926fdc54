"""HIPS autograd: functions of `autograd.numpy`, and primitives whose gradients `defvjp` defines."""
import contextlib
import warnings

import numpy as np
from autograd.builtins import tuple as traced_tuple
from autograd.core import make_vjp
from autograd.tracer import getval, isbox

from ..problem import flatten, kept_dice, names_of, title_of
from ..watch import same_values
from .problem import ForeignProblem


def serves(fn, inputs):
    """Whether the function is a primitive. Others cannot be told from functions of anything else: the caller names them."""
    return hasattr(fn, "_is_autograd_primitive")


class Foreign(ForeignProblem):
    """`fn` on NumPy's arrays, which autograd traces; each gradient comes from a trace of its own, by `make_vjp`."""

    def __init__(self, fn, inputs, options=None, seed=0):
        given = [np.array(v) if isinstance(v, (np.ndarray, list)) else v for v in inputs]
        places = [i for i, v in enumerate(given) if isinstance(v, np.ndarray) and v.dtype.kind == "f"]
        function = getattr(fn, "fun", fn)  # what a primitive was made of
        super().__init__(title_of(fn), options, seed, fn=fn, function=function, given=given, places=places,
                         argument_names=names_of(function, len(given)))
        self._look()

    def outputs(self, values):
        """The floating-point outputs at `values`; forward gets copies, in case it writes into them."""
        return [np.asarray(y) for y in self.compute([v.copy(order="K") for v in values])]

    def compute(self, values):
        """The floating-point outputs, traced where one of the values is."""
        inputs = [v.copy() if isinstance(v, np.ndarray) else v for v in self.given]
        for i, value in zip(self.places, values):
            inputs[i] = value
        with kept_dice():
            np.random.seed(self.seed % 2**32)
            outputs = flatten(self.fn(*inputs, **self.options))
        return [y for y in outputs if np.asarray(getval(y)).dtype.kind == "f"]

    @contextlib.contextmanager
    def run(self, values, needs=None):
        """A forward pass at `values`. `needs` means nothing here: there is a trace for each input anyway."""
        yield AutogradRun(self, values)


class AutogradRun:
    """One trace for each input."""

    def __init__(self, problem, values):
        self.problem, self.inputs, self.faults, self.misshapen = problem, values, [], {}
        self.traces = [self._trace(i) for i in range(len(values))]

    def _trace(self, i):
        """The function from cotangents to the gradient of input i; None where no output is traced back to it."""
        reached = []

        def of_one(x):
            ys = self.problem.compute([*self.inputs[:i], x, *self.inputs[i + 1:]])
            reached.extend(map(isbox, ys))
            return traced_tuple(ys)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Output seems independent of input")  # the report says so
            vjp, _ = make_vjp(of_one, self.inputs[i])
        return vjp if any(reached) else None

    def pull(self, cotangents):
        """The gradients for one cotangent an output; None where none arrives."""
        dy = tuple(c.copy(order="K") for c in cotangents)
        with kept_dice():
            np.random.seed((self.problem.seed + 1) % 2**32)
            gradients = [None if vjp is None else self._accept(i, vjp(dy)) for i, vjp in enumerate(self.traces)]
        if not all(map(same_values, dy, cotangents)):
            self.faults.append("a vjp writes into the upstream gradient it is given: other branches of the graph get the "
                               "changed numbers; compute a new array")
        return gradients

    def _accept(self, i, gradient):
        """Gradient i as an array; one of another shape is noted, and zeros go on in its place."""
        gradient = np.asarray(gradient, float)
        if gradient.shape != self.inputs[i].shape:
            self.misshapen[i] = gradient
            return np.zeros(self.inputs[i].shape)
        return gradient
