"""The table of cases and mutants, one of each kind for every `Function`.

A **case** is a way to call one Function: named inputs and a call. The call is written against a library `t`, tinycnn or
PyTorch, because both have the same names; so one table drives the gradient checks, the comparison with PyTorch, the
comparison between CPU and GPU, the benchmarks and the find-the-bug exercises.

A **mutant** is a wrong backward: a mistake people really make. The checker must catch it, on at least one case of its
Function. A checker without mutants is itself untested.

The files of `cases/`, one a family of operations, fill the table when `load()` imports them.
"""
import contextlib
import importlib
import pkgutil
from dataclasses import dataclass
from typing import Callable

import numpy as np

from ..engine.formula import plainly

CASES = []
MUTANTS = []


# ---- inputs ----------------------------------------------------------------------------------------------------------

@dataclass(frozen=True)
class Sample:
    """How to draw one input array from a `numpy.random.Generator`, and whether it has a gradient."""
    draw: Callable
    differentiable: bool = True


def normal(*shape):
    """Standard normal numbers, float64."""
    return Sample(lambda rng: rng.standard_normal(shape))


def uniform(low, high, *shape):
    """Numbers between `low` and `high`, float64."""
    return Sample(lambda rng: rng.uniform(low, high, shape))


def positive(*shape):
    """Numbers between 0.5 and 2, float64."""
    return uniform(0.5, 2.0, *shape)


def distinct(*shape):
    """A shuffle of numbers at least 0.1 apart and none nearer to 0 than 0.05: no ties, no kinks at 0."""
    count = int(np.prod(shape))
    return Sample(lambda rng: (rng.permutation(count).reshape(shape) - count // 2 + 0.5) * 0.1)


def tied(*shape):
    """Small whole numbers, float64: many ties, some zeros."""
    return Sample(lambda rng: rng.integers(-2, 3, shape).astype(float))


def constant(values):
    """These very values; floating-point ones have a gradient."""
    values = np.asarray(values)
    return Sample(lambda rng: values.copy(), values.dtype.kind == "f")


def integers(low, high, *shape):
    """Whole numbers in [low, high), int64: indices and labels, without gradient."""
    return Sample(lambda rng: rng.integers(low, high, shape), False)


def booleans(*shape):
    """A mask, about half of it True, without gradient."""
    return Sample(lambda rng: rng.random(shape) < 0.5, False)


def fixed(sample):
    """`sample` as a constant: drawn like it, without gradient."""
    return Sample(sample.draw, False)


# ---- the table -------------------------------------------------------------------------------------------------------

@dataclass(frozen=True)
class Case:
    """One call of `function`: `call(t, *tensors)` with t the library. See `case`."""
    function: type
    name: str
    inputs: tuple
    call: Callable
    torch: Callable
    linear: bool
    kinks: bool

    @property
    def id(self):
        """Function and case, for reports."""
        return f"{self.function.__name__}: {self.name}"

    def draw(self, seed=0):
        """The input arrays of this case, drawn from `seed`."""
        rng = np.random.default_rng(seed)
        return [sample.draw(rng) for sample in self.inputs]


@dataclass(frozen=True)
class Mutant:
    """A wrong `backward(right_backward, ctx, *grad_outputs)` of `function`."""
    function: type
    name: str
    backward: Callable


def case(function, name, inputs, call, *, torch=None, linear=False, kinks=False):
    """Register one call of `function`.

    `inputs`: Samples, one a tensor. `call(t, *tensors)` returns a tensor (or a tuple) and is run with t = tinycnn and with
    t = torch; where PyTorch spells it differently, `torch(t, *tensors)` is its call. `linear`: the output is linear in all
    differentiable inputs together, so that the adjoint identity holds exactly. `kinks`: the inputs hold points where the
    function has no derivative (ties, zeros of ReLU), there any value between the slopes is right, and PyTorch's choice is
    ours.
    """
    CASES.append(Case(function, name, tuple(inputs), call, torch or call, linear, kinks))


def mutant(function, name):
    """Register the decorated `wrong(backward, ctx, *grad_outputs)` as a mutant; `backward` is the right one."""
    def add(wrong):
        MUTANTS.append(Mutant(function, name, wrong))
        return wrong
    return add


def cases_of(function):
    """The cases of one Function, in the order of registration."""
    return [case for case in CASES if case.function is function]


def mutants_of(function):
    """The mutants of one Function, in the order of registration."""
    return [mutant for mutant in MUTANTS if mutant.function is function]


@contextlib.contextmanager
def mutated(mutant):
    """Inside the `with` block the Function of `mutant` has its wrong backward."""
    with swapped(mutant.function, backward=mutant.backward):
        yield


@contextlib.contextmanager
def swapped(function, **methods):
    """Inside the `with` block `function` has other methods, forward or backward; each gets the right one first.

    No road is taken meanwhile: one of forward may bring a backward of its own, past the other method.
    """
    before = {name: function.__dict__[name] for name in methods}

    def bound(name, method):
        return staticmethod(lambda ctx, *args, **options: method(before[name].__func__, ctx, *args, **options))
    for name, method in methods.items():
        setattr(function, name, bound(name, method))
    try:
        with plainly():
            yield
    finally:
        for name, right in before.items():
            setattr(function, name, right)


def library():
    """tinycnn, as the cases know it: by PyTorch's names."""
    return importlib.import_module(__package__.partition(".")[0])


def load():
    """Import every file of `cases/` once, filling CASES and MUTANTS."""
    package = importlib.import_module(__package__ + ".cases")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")
