"""Code that is not tinycnn's, under the same checker: an adapter a library, each a `Problem` (`../problem.py`).

    of_torch.py       functions, autograd.Functions and modules of PyTorch
    of_jax.py         functions of JAX, with a custom_vjp or without
    of_autograd.py    functions and primitives of HIPS autograd

An adapter is imported when its library is there already: this package never loads one. It says by `serves` whether a
function or its inputs are of its library. A plain pair (forward, backward) on arrays is an `ArrayProblem`.
"""
import importlib
import sys

from ..pairs import ArrayProblem
from ..problem import TensorProblem

LIBRARIES = ("torch", "jax", "autograd")


def problem_of(fn, inputs, options=None, seed=0, library=None):
    """What `gradcheck` checks: the Problem of `fn`, of the library whose function, module or arrays are given.

    `library` names it where neither tells: a function of autograd.numpy, given NumPy's arrays, looks like one of Tensors.
    Raises ValueError for a library that is not known, or that the program has not imported.
    """
    if isinstance(fn, (tuple, list)) and len(fn) == 2 and all(map(callable, fn)):
        return ArrayProblem(*fn, inputs, options, seed)
    if library not in (None, *LIBRARIES):
        raise ValueError(f"gradcheck: library must be None or one of {', '.join(LIBRARIES)}, got {library!r}")
    if library and not _is_there(library):
        raise ValueError(f"gradcheck: library is {library!r}, which the program has not imported, so fn cannot use it")
    for name in [library] if library else LIBRARIES:
        if _is_there(name):
            adapter = importlib.import_module(f".of_{name}", __name__)
            if library or adapter.serves(fn, inputs):
                return adapter.Foreign(fn, inputs, options, seed)
    return TensorProblem(fn, inputs, options, seed)


def _is_there(name):
    """Whether the program has imported the library, and not another under its name."""
    return getattr(sys.modules.get(name), "__name__", "") == name
