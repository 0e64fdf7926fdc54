"""PyTorch's compilers, `torch.jit` and `torch.compile`: what they are given comes back as it is.

They change how fast a model runs, not what it computes, so code that uses them has the same numbers here. The decorators
mean what they mean in PyTorch with the variable PYTORCH_JIT=0.
"""
from typing import Final


class ScriptModule:
    """The class of modules that a compiler made: there are none."""


def compile(model=None, **options):
    """`model`, a module or function, itself; without it, a decorator that says so of what stands below it."""
    return (lambda model: model) if model is None else model


def script(obj, **options):
    """`obj`, a module, function or class, itself."""
    return obj


def trace(func, example_inputs=None, **options):
    """`func`, a module or function, itself; it is not called."""
    return func


def ignore(drop=False, **options):
    """A decorator that changes nothing, `@ignore` or `@ignore(drop=True)`."""
    return drop if callable(drop) else lambda function: function


def annotate(the_type, the_value):
    """`the_value` itself."""
    return the_value


def unused(function):
    """`function` itself."""
    return function


export = script_method = script_if_tracing = _overload_method = unused


def is_scripting():
    """False: the code runs as Python."""
    return False


def is_tracing():
    """False: the code runs as Python."""
    return False


def _assert(condition, message):
    """AssertionError with `message` unless `condition`: what models that are traced write in place of the statement."""
    if not condition:
        raise AssertionError(message)


__all__ = ["Final", "ScriptModule", "annotate", "compile", "export", "ignore", "is_scripting", "is_tracing", "script",
           "script_if_tracing", "script_method", "trace", "unused"]
