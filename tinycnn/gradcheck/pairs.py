"""A pair of plain functions on arrays, as many courses write them, seen as what is checked; see `problem.py`."""
import contextlib
import copy
import inspect

import numpy as np

from ..engine.arrays import as_array, device_of, is_array, to_device, to_numpy, welcome
from .problem import Problem, dice, flatten, names_of, title_of
from .repair import named_cache, with_number
from .smaller import cut_down
from .watch import ONE_BUFFER, alien_memory, same_values


class ArrayProblem(Problem):
    """`forward(*arrays) -> (y, cache)` and `backward(dy, cache) -> gradients`, as in many courses, of NumPy or CuPy."""

    def __init__(self, forward, backward, arrays, options=None, seed=0, title=None, names=None):
        super().__init__(title or title_of(forward), options, seed)
        self.forward, self.backward = forward, backward
        for a in arrays:
            welcome(a)
        self.arguments = self.given = [np.asarray(a) if isinstance(a, (list, float, np.ndarray)) else a for a in arrays]
        self.places = [i for i, a in enumerate(self.arguments) if is_array(a) and a.dtype.kind == "f"]
        if not self.places:
            raise ValueError(f"gradcheck: {self.title} got no floating-point array, so there is no gradient to check")
        self.all_names = self.argument_names = names = names or names_of(forward, len(arrays))
        self.function = forward
        self.names = [names[i] for i in self.places]
        self.devices = [device_of(self.arguments[i]) for i in self.places]
        self.values = [to_numpy(self.arguments[i]).astype(np.float64) for i in self.places]
        self._look()

    def with_number(self, name, number):
        """The same problem with another value of one of the `numbers` that forward has as an option or in its code."""
        if name in inspect.signature(self.forward).parameters:
            other = self.variant(options={**self.options, name: number})
        else:
            forward = with_number(self.forward, name, number)
            other = ArrayProblem(forward, self.backward, self.arguments, self.options, self.seed, self.title, self.all_names)
        other.numbers = self.numbers | {name: number}
        return other

    @property
    def written(self):
        """The function whose text may be looked at."""
        return self.backward

    def with_backward(self, backward):
        """The same problem with another backward."""
        other = copy.copy(self)
        other.backward = backward
        return other

    def variant(self, options=None, batch=None, cut=None):
        """The same problem with other options, or on less: see `smaller.py`."""
        arguments = cut_down(self.arguments, batch, cut)
        return ArrayProblem(self.forward, self.backward, arguments, self.options if options is None else options, self.seed,
                            self.title, self.all_names)

    def outputs(self, values):
        """The floating-point outputs at `values`; forward gets copies, in case it writes into them."""
        arrays = [to_device(v.copy(), device) for v, device in zip(values, self.devices)]
        return [to_numpy(y) for y in self._forward(arrays)[1]]

    def _forward(self, values):
        arguments = [a.copy() if is_array(a) else a for a in self.arguments]
        for i, v in zip(self.places, values):
            arguments[i] = v
        with dice(self.seed, self.devices):
            result = self.forward(*arguments, **self.options)
        if not isinstance(result, tuple) or len(result) != 2:
            raise TypeError(f"gradcheck: {self.title} must return (y, cache), got {type(result).__name__}")
        outputs = [as_array(y, values[0]) for y in flatten(result[0])]
        return arguments, [y for y in outputs if y.dtype.kind == "f"], isinstance(result[0], (tuple, list)), result[1]

    @contextlib.contextmanager
    def run(self, values, needs=None, dtype=np.float64, same=None, change=None):
        """A forward pass at `values`; `same` (i, j) makes two inputs one array. `needs` means nothing to plain functions.

        `change(cache)` is what backward gets in the place of the cache.
        """
        values = [to_device(v.astype(dtype, copy=False), device) for v, device in zip(values, self.devices)]
        if same:
            values[same[1]] = values[same[0]]
        run = ArrayRun(self, values)
        run.cache = change(run.cache) if change else run.cache
        yield run

    def handed_on(self):
        """(key, name, array) of what forward hands on to backward in its cache, where it hands on several things."""
        with self.run([v.copy() for v in self.values]) as run:
            return named_cache(run.cache, self.backward, dict(zip(self.names, self.values)))


class ArrayRun:
    """One forward pass of plain functions, and its cache."""

    def __init__(self, problem, values):
        self.problem, self.inputs, self.faults, self.misshapen = problem, values, [], {}
        self.handed_out = []  # (gradient, as it was) of the last call
        _, self.arrays, self.several, self.cache = problem._forward(values)

    def pull(self, cotangents):
        """What the student's backward returns for these cotangents."""
        dy = [to_device(c.astype(y.dtype), device_of(y)) for c, y in zip(cotangents, self.arrays)]
        given = [d.copy() for d in dy]
        kept = [a for a in flatten(self.cache.values() if isinstance(self.cache, dict) else self.cache)
                if is_array(a) or isinstance(a, np.ndarray)]
        before = [a.copy() for a in kept]
        with dice(self.problem.seed + 1, self.problem.devices):
            result = self.problem.backward(tuple(dy) if self.several else dy[0], self.cache)
        result = list(result) if isinstance(result, (tuple, list)) else [result]
        places, total = self.problem.places, len(self.problem.arguments)
        if len(result) not in (len(places), total):
            raise ValueError(f"gradcheck: {title_of(self.problem.backward)} returned {len(result)} gradient(s) for "
                             f"the inputs {', '.join(self.problem.names)}")
        if len(result) != len(places):
            result = [result[i] for i in places]
        if not all(map(same_values, dy, given)):
            self.faults.append("backward writes into the upstream gradient it is given: work on a copy, other users of it "
                               "get the changed numbers")
        if not all(map(same_values, kept, before)):
            self.faults.append("backward writes into arrays of the cache: a second backward would see the changed numbers")
        if any(not same_values(g, copied) for g, copied in self.handed_out):
            self.faults.append(f"backward {ONE_BUFFER}")
        gradients = [self._accept(i, g, kept) for i, g in enumerate(result)]
        self.handed_out = [(g, g.copy()) for g in gradients if g is not None]
        return [None if g is None else g.copy() for g in gradients]

    def _accept(self, i, gradient, kept):
        """Gradient i as an array, after a look at its shape, dtype and memory."""
        if gradient is None:
            return None
        x, name = self.inputs[i], self.problem.names[i]
        gradient = as_array(gradient, x)
        if gradient.shape != x.shape:
            self.misshapen[i] = to_numpy(gradient)
            return np.zeros(x.shape)
        if gradient.dtype != x.dtype:
            self.faults.append(f"the gradient of {name} is {gradient.dtype} although {name} is {x.dtype}: keep the dtype")
        owner = alien_memory(gradient, [*self.inputs, *kept])
        if owner is not None:
            self.faults.append(f"the gradient of {name} shares memory with "
                               f"{'an input' if owner < len(self.inputs) else 'the cache'}: whoever adds to the gradient "
                               "changes that too; return a copy")
        return to_numpy(gradient)
