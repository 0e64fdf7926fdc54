"""One operation in every library that the gradient checker knows: forward and backward written once, wrapped five times.

`forward(xp, *inputs)` returns y, `backward(xp, dy, *inputs)` the gradients, with xp numpy, torch or jax.numpy.
"""
import functools
import inspect

import numpy as np
import pytest

import tinycnn
from tinycnn.engine.function import Function


def imported(name):
    """The library, ready for float64; the test is skipped where it is not installed."""
    library = pytest.importorskip(name)
    if name == "jax":
        library.config.update("jax_enable_x64", True)
        pytest.importorskip("jax.numpy")
    if name == "autograd":
        pytest.importorskip("autograd.numpy")
    return library


def _signed(method, forward):
    """`method`, which takes ctx in the place of `forward`'s xp, with the names of its arguments."""
    parameters = list(inspect.signature(forward).parameters.values())[1:]
    ctx = inspect.Parameter("ctx", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    method.__signature__ = inspect.Signature([ctx, *parameters])
    return staticmethod(method)


def _function(base, xp, forward, backward):
    def of_ctx(ctx, *inputs):
        ctx.save_for_backward(*inputs)
        return forward(xp, *inputs)
    methods = dict(forward=_signed(of_ctx, forward),
                   backward=staticmethod(lambda ctx, dy: backward(xp, dy, *ctx.saved_tensors)))
    return type(forward.__name__, (base,), methods)


def in_tinycnn(forward, backward, *arrays):
    return _function(Function, np, forward, backward), *map(tinycnn.from_numpy, arrays)


def in_torch(forward, backward, *arrays):
    torch = imported("torch")
    return _function(torch.autograd.Function, torch, forward, backward), *map(torch.from_numpy, arrays)


def in_jax(forward, backward, *arrays):
    jax = imported("jax")
    of_jax = functools.partial(forward, jax.numpy)
    fn = jax.custom_vjp(functools.update_wrapper(lambda *inputs: of_jax(*inputs), of_jax))
    fn.defvjp(lambda *inputs: (of_jax(*inputs), inputs), lambda inputs, dy: backward(jax.numpy, dy, *inputs))
    return fn, *map(jax.numpy.array, arrays)


def in_autograd(forward, backward, *arrays):
    imported("autograd")
    from autograd.extend import defvjp, primitive

    fn = primitive(functools.partial(forward, np))
    defvjp(fn, *(lambda y, *inputs, i=i: lambda dy: backward(np, dy, *inputs)[i] for i in range(len(arrays))))
    return fn, *arrays


def in_pairs(forward, backward, *arrays):
    fn = functools.partial(forward, np)
    keeping = functools.update_wrapper(lambda *inputs: (fn(*inputs), inputs), fn)
    return (keeping, lambda dy, inputs: backward(np, dy, *inputs)), *arrays


FOREIGN = {"torch": in_torch, "jax": in_jax, "autograd": in_autograd, "pairs": in_pairs}
