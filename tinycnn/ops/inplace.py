"""The one way by which every in-place operation (`x += y`, `x.add_()`, `x[i] = v`) writes.

An in-place operation computes its result out of place, as a new node, and `write` then moves values and history into the
tensor. `twin` makes the in-place form of any function in one line.
"""
import inspect

from ..engine.arrays import array_module
from ..engine.dtype import category
from ..engine.grad_mode import mode
from ..engine.checks import check_number, check_tensor
from ..engine.tensor import Tensor, method, wrap


def write(tensor, result, function):
    """Make `result`, computed from `tensor` out of place, the new value of `tensor`, its memory and its history.

    Every in-place operation ends here, so one rule serves all: the memory is shared with views, the version moves on so
    that a node which saved the old value notices, and the history is that of `result`, or none where it has none.
    """
    recorded = mode.recording and (tensor.requires_grad or result.requires_grad)
    if recorded and tensor.requires_grad and tensor.grad_fn is None:
        raise RuntimeError(f"{function}: a leaf that requires a gradient cannot be changed in place while autograd records: "
                           "use `with no_grad():` to update a parameter, or write x = x + ... to compute with it")
    if result.shape != tensor.shape or category(result.dtype) > category(tensor.dtype):
        raise RuntimeError(f"{function}: a result of shape {result.shape} and dtype {result.dtype} does not fit in place "
                           f"into a tensor of shape {tensor.shape} and dtype {tensor.dtype}")
    check_apart(function, tensor.array)
    if recorded and tensor._viewed_at is not None:
        return _write_through(tensor, result, function)
    tensor.array[...] = result.array
    tensor._version.writes += 1
    if recorded:
        tensor._version.rewrites += 1
        tensor.requires_grad, tensor.grad_fn, tensor.output_nr = result.requires_grad, result.grad_fn, result.output_nr
    return tensor


def check_apart(function, array):
    """RuntimeError where elements of `array` share a place in memory, as in an expanded tensor: one write would change many.

    NumPy refuses such writes by itself, CuPy does not.
    """
    if array.size and 0 in array.strides and any(n > 1 and step == 0 for n, step in zip(array.shape, array.strides)):
        raise RuntimeError(f"{function}: elements of this tensor of shape {array.shape} share a place in memory, as expand "
                           "leaves them; write into x.clone()")


def _write_through(view, result, function):
    """Write `result` into a view: to its base this is an in-place operation that replaces the part which the view shows.

    `x[0] += y` first asks for the view x[0]. The base, which may be a view itself, gets the history of `put`, and the view
    that of a view just taken of the new base.
    """
    base, made_by, options = view._view
    if made_by.put is None:
        raise RuntimeError(f"{function}: this tensor is a view made by {made_by.__name__}, through which autograd cannot "
                           "record a write: index the whole tensor instead (x[i] = value), or build the result with cat or "
                           "where")
    write(base, made_by.put(base, result.to(base.dtype), **options), function)
    again = made_by.apply(base, **options)
    view._viewed_at = again._viewed_at
    view.requires_grad, view.grad_fn, view.output_nr = again.requires_grad, again.grad_fn, again.output_nr
    return view


def private(x, *others):
    """x for a function of x and `others` whose backward looks at x again, and that is about to be overwritten.

    A copy if autograd records, be it for one of the others only: in `eps.mul_(std)` eps is the derivative by std.
    """
    tracked = any(isinstance(v, Tensor) and v.requires_grad for v in (x, *others))
    return x.clone() if mode.recording and tracked else x


def _signature(function):
    """The signature of f_, whose first argument is a tensor of any name."""
    first, *others = inspect.signature(function).parameters.values()
    return inspect.Signature([first.replace(kind=first.POSITIONAL_ONLY), *others])


def twin(function, *operators, rereads=False):
    """Make `f_`, the in-place form of the function f, a method of Tensor (and of its `operators`): x.f_(...) returns x.

    `rereads`: the backward of f looks at x again, so f is given a copy.
    """
    name = function.__name__ + "_"

    def in_place(x, *args, **options):
        return write(x, function(private(x, *args, *options.values()) if rereads else x, *args, **options), name)
    in_place.__name__ = in_place.__qualname__ = name
    in_place.__signature__, in_place.__wrapped__ = _signature(function), function
    in_place.__doc__ = f"`{function.__name__}` in place: the result is written into x, which is returned."
    return method(name, *operators)(in_place)


def reshaping_twin(function):
    """Make `f_` a method of Tensor, of a function f that shows the same memory in another shape, such as `t` or `squeeze`.

    Nothing is written: x itself takes the shape and the history of the result. Views taken before keep theirs.
    """
    name = function.__name__ + "_"

    def in_place(x, *args, **options):
        recorded = mode.recording and x.requires_grad
        if recorded and x.grad_fn is None:
            raise RuntimeError(f"{name}: a leaf that requires a gradient cannot be changed in place while autograd records: "
                               f"write y = x.{function.__name__}(...)")
        y = function(x, *args, **options)
        x.array = y.array
        x._version.writes += 1
        if recorded:
            x.grad_fn, x.output_nr = y.grad_fn, y.output_nr
        return x
    in_place.__name__ = in_place.__qualname__ = name
    in_place.__signature__, in_place.__wrapped__ = _signature(function), function
    in_place.__doc__ = f"`{function.__name__}` in place: x itself takes the new shape."
    return method(name)(in_place)


@method("copy_")
def copy_(x, source, non_blocking=False):
    """Write `source`, broadcast and cast as needed, into x. `non_blocking` changes nothing."""
    check_tensor("copy_", source=source)
    source = source.to(dtype=x.dtype, device=x.device)
    return write(x, private(source if source.shape == x.shape else source.expand(x.shape)), "copy_")


@method("fill_")
def fill_(x, value):
    """Write `value`, a number or a 0-d tensor, into every element of x."""
    if isinstance(value, Tensor):
        return copy_(x, value)
    check_number("fill_", value=value)
    xp = array_module(x.array)
    return write(x, wrap(xp.broadcast_to(xp.asarray(value, x.dtype), x.shape)), "fill_")


@method("zero_")
def zero_(x):
    """Write 0 into every element of x."""
    return write(x, wrap(array_module(x.array).zeros_like(x.array)), "zero_")
