"""float16 is a format to keep numbers in, not one to add them up in.

It has 11 bits, ends at 65504, and its smallest number is 6e-8: the sum of 70,000 ones is infinite there, one of 5,000 stops
at 2048, and an eps of 1e-8 is 0. So there is one rule. What sums - reductions, statistics, products of matrices, losses,
normalisations, the steps of optimizers - computes in float32 where it is given float16, and rounds its results once. What
treats each element alone keeps to float16.

An operation that follows the rule says so where it is declared, `class Sum(Function, wide=True)`; a function of arrays or of
Tensors carries the decorator `wide`. Neither then needs to mention it.
"""
import functools

from .dtype import float16, float32


def widened(value):
    """A float16 array or Tensor in float32; everything else as it is."""
    return value.astype(float32) if is_half(value) else value


def narrowed(value):
    """A float32 array or Tensor, or a tuple of them, in float16; everything else as it is."""
    if isinstance(value, tuple):
        return tuple(map(narrowed, value))
    return value.astype(float16) if getattr(value, "dtype", None) is float32 else value


def is_half(value):
    """Whether `value` is an array or a Tensor of float16."""
    return getattr(value, "dtype", None) is float16


def wide(function):
    """`function`, which sums, under the rule: its result has float16 where all floating-point arguments have."""
    @functools.wraps(function)
    def compute(*values, **options):
        named = [*values, *options.values()]
        if not any(map(is_half, named)):
            return function(*values, **options)
        result = function(*map(widened, values), **{name: widened(value) for name, value in options.items()})
        wider = any(getattr(getattr(v, "dtype", None), "kind", "") == "f" and not is_half(v) for v in named)
        return result if wider else narrowed(result)
    return compute


def wide_forward(forward):
    """`forward` of an operation, under the rule: results have float16 where the first argument has.

    What it saves of its arguments and results is kept as float16.
    """
    @functools.wraps(forward)
    def compute(ctx, *values, **options):
        if not any(map(is_half, values)):
            return forward(ctx, *values, **options)
        inputs = [widened(value) for value in values]
        options = {name: [*map(widened, v)] if type(v) is list else widened(v) for name, v in options.items()}
        result = forward(ctx, *inputs, **options)
        given = narrowed(result) if is_half(values[0]) else result
        narrow = dict(zip(map(id, inputs), values))
        narrow.update(zip(map(id, _several(result)), _several(given)))
        ctx.saved_tensors = tuple(narrow.get(id(array), array) for array in ctx.saved_tensors)
        return given
    return compute


def _several(result):
    return result if isinstance(result, tuple) else (result,)


def wide_backward(backward):
    """`backward` of an operation, under the rule; autograd rounds the gradients to the dtypes of the inputs."""
    @functools.wraps(backward)
    def compute(ctx, *dys):
        if not any(map(is_half, dys)):
            return backward(ctx, *dys)
        saved, ctx.saved_tensors = ctx.saved_tensors, tuple(map(widened, ctx.saved_tensors))
        try:
            return backward(ctx, *map(widened, dys))
        finally:
            ctx.saved_tensors = saved
    return compute
