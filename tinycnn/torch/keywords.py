"""PyTorch's other spellings of arguments: NumPy's `axis`, `keepdims`, `x`, `x1` and `x2`, and `out` for the result.

A function of `ops/` has one name for an argument. Where users find it, in the package itself and among the methods of
Tensor, it is wrapped once, and reads the others as well.
"""
import functools
import inspect
import warnings

from .engine.dtype import category
from .engine.tensor import Tensor
from .ops.inplace import write

_FIRST = ("input", "x", "a", "x1")          # what NumPy and PyTorch call the first argument
_NUMPY_WRITES = ("clip", "round")           # methods without a dim to which NumPy's functions pass `out`


def reads_keywords(function):
    """`function`, an operation, that also reads NumPy's names of its arguments, and `out`.

    `out`, a Tensor (several, in a tuple, where several results come), receives the result and is returned; its shape
    changes where it has to, with a warning unless it was empty. RuntimeError where a gradient would be lost by that.
    """
    names = list(inspect.signature(function).parameters)
    others = {"axis": "dim", "keepdims": "keepdim", "x2": "other"}
    others |= {name: names[0] for name in _FIRST if names[0] in _FIRST}
    others = {name: word for name, word in others.items() if word in names and name not in names}
    makes = "dtype" in names and "requires_grad" in names  # out of nothing, in the dtype of `out`

    @functools.wraps(function)
    def call(*args, **options):
        if not options:
            return function(*args)
        for name in others.keys() & options.keys():
            if others[name] in options:
                raise TypeError(f"{function.__name__}: {name} and {others[name]} are one argument, give it once")
            options[others[name]] = options.pop(name)
        out = options.pop("out", None)
        if out is None:
            return function(*args, **options)
        if makes and isinstance(out, Tensor):
            options.setdefault("dtype", out.dtype)
        return _written(function.__name__, out, function(*args, **options))
    return call


def _written(name, out, result):
    """`result`, a Tensor or several, written into `out`."""
    if isinstance(result, tuple):
        if not isinstance(out, (tuple, list)) or len(out) != len(result):
            raise TypeError(f"{name}: out must be a tuple of {len(result)} Tensors, got {type(out).__name__}")
        written = [_written(name, *pair) for pair in zip(out, result)]
        return type(result)(*written) if hasattr(result, "_fields") else tuple(written)
    if not isinstance(out, Tensor) or not isinstance(result, Tensor):
        wrong = f"out must be a Tensor, got {type(out).__name__}" if isinstance(result, Tensor) else "it has no option out"
        raise TypeError(f"{name}: {wrong}")
    if result.requires_grad or out.requires_grad:
        raise RuntimeError(f"{name}: what is written into out has no gradient, but a tensor here requires one: write "
                           f"out = {name}(...), or put it under `with no_grad():`")
    if category(result.dtype) > category(out.dtype):
        raise RuntimeError(f"{name}: a result of {result.dtype} cannot be written into out of {out.dtype}")
    if out.shape != result.shape:
        if out.numel():
            warnings.warn(f"{name}: out of shape {out.shape} takes the shape of the result, {result.shape}: give a tensor "
                          "of that shape, or an empty one", stacklevel=4)
        out.resize_(result.shape)
    return write(out, result, name)


def _let_all_read_them(package):
    """Wrap the operations in the namespace `package`, and those methods of Tensor that have a dim."""
    wrapped = {}
    for name, value in package.items():
        if inspect.isfunction(value) and value.__module__.partition("tinycnn.ops.")[1]:
            if value not in wrapped:
                wrapped[value] = reads_keywords(value)
                wrapped[value].__module__, wrapped[value].__qualname__ = "tinycnn", name  # where pickle finds it
            package[name] = wrapped[value]
    for name, value in list(vars(Tensor).items()):
        names = inspect.signature(value).parameters if inspect.isfunction(value) else ()
        if not name.startswith("_") and (name in _NUMPY_WRITES or "dim" in names or "keepdim" in names):
            setattr(Tensor, name, wrapped.get(value) or reads_keywords(value))


__all__ = ["reads_keywords"]
