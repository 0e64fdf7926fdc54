"""Tensors out of nothing, and moving them between dtypes and devices. Random ones are in `random.py`.

All creation functions take `dtype` (default: float32, or what `set_default_dtype` chose), `device` and `requires_grad`.
"""
import math

import numpy as np

from ..engine.arrays import Device, device_of, get_default_device, library, on, pin, to_device
from ..engine.dtype import as_dtype, get_default_dtype, int64
from ..engine.function import Function
from ..engine.checks import check_number, check_tensor, whole
from ..engine.construct import as_tensor, tensor
from ..engine.tensor import Tensor, method, wrap


def place(array, device, requires_grad):
    """`array` as a tensor on `device`, by default the default device."""
    out = wrap(to_device(array, Device(get_default_device() if device is None else device)))
    return out.requires_grad_(requires_grad) if requires_grad else out


def shape_of(function, sizes, size=None):
    """The shape that `f(2, 3)`, `f((2, 3))`, `f([2, 3])` and `f(size=(2, 3))` all mean."""
    if sizes and size is not None:
        raise TypeError(f"{function}: size is given twice, as {sizes} and as {size!r}")
    size = sizes if size is None else (size,)
    if len(size) == 1 and isinstance(size[0], (tuple, list)):
        size = size[0]
    try:
        shape = tuple(map(whole, size))
    except TypeError:
        raise TypeError(f"{function}: size must be integers, got {size!r}") from None
    if any(n < 0 for n in shape):
        raise ValueError(f"{function}: size must not be negative, got {shape}")
    return shape


def _filled(name, device, requires_grad, *args):
    """The tensor of the library's function `name`, made where it is to live: nothing is copied."""
    device = Device(get_default_device() if device is None else device)
    with on(device):
        out = wrap(getattr(library(device), name)(*args))
    return out.requires_grad_(requires_grad) if requires_grad else out


def full(size, fill_value, *, dtype=None, device=None, requires_grad=False):
    """A tensor of shape `size` filled with `fill_value`, whose type decides the dtype where none is given."""
    check_number("full", fill_value=fill_value)
    if isinstance(fill_value, Tensor):
        dtype = dtype or fill_value.dtype
    if isinstance(fill_value, (Tensor, np.generic)):
        fill_value = fill_value.item()
    if dtype is None:
        dtype = get_default_dtype() if isinstance(fill_value, float) else np.asarray(fill_value).dtype
    return _filled("full", device, requires_grad, shape_of("full", (size,)), fill_value, as_dtype(dtype))


def zeros(*sizes, size=None, dtype=None, device=None, requires_grad=False):
    """A tensor of zeros."""
    return _filled("zeros", device, requires_grad, shape_of("zeros", sizes, size), as_dtype(dtype or get_default_dtype()))


def ones(*sizes, size=None, dtype=None, device=None, requires_grad=False):
    """A tensor of ones."""
    return _filled("ones", device, requires_grad, shape_of("ones", sizes, size), as_dtype(dtype or get_default_dtype()))


def empty(*sizes, size=None, dtype=None, device=None, requires_grad=False):
    """A tensor whose values are whatever the memory held."""
    return _filled("empty", device, requires_grad, shape_of("empty", sizes, size), as_dtype(dtype or get_default_dtype()))


def alike(x, dtype, device):
    """The options `dtype` and `device`, those of x where they are None."""
    return {"dtype": dtype or x.dtype, "device": x.device if device is None else device}


def _like(create, name):
    def like(input, *, dtype=None, device=None, requires_grad=False, memory_format=None):
        check_tensor(name, input=input)
        return create(input.shape, **alike(input, dtype, device), requires_grad=requires_grad)
    like.__name__ = like.__qualname__ = name
    like.__doc__ = f"`{create.__name__}` in the shape, dtype and device of `input`."
    return like


def arange(start, end=None, step=1, *, dtype=None, device=None, requires_grad=False):
    """start, start + step, ... up to but without `end`; `arange(end)` starts at 0. Integers give int64."""
    start, end = (0, start) if end is None else (start, end)
    start, end, step = (v.item() if isinstance(v, (Tensor, np.generic)) else v for v in (start, end, step))
    check_number("arange", start=start, end=end, step=step)
    if not all(map(math.isfinite, (start, end, step))):
        raise ValueError(f"arange: start, end and step must be finite, got {start}, {end} and {step}")
    if step == 0:
        raise ValueError("arange: step must not be 0")
    if (end - start) * step < 0:
        raise ValueError(f"arange: step {step} leads from start {start} away from end {end}")
    if dtype is None:
        dtype = int64 if all(isinstance(v, int) for v in (start, end, step)) else get_default_dtype()
    return place(np.arange(start, end, step).astype(as_dtype(dtype)), device, requires_grad)


def linspace(start, end, steps, *, dtype=None, device=None, requires_grad=False):
    """`steps` numbers at equal distances, `start` and `end` among them."""
    check_number("linspace", start=start, end=end, steps=steps)
    start, end, steps = (v.item() if isinstance(v, (Tensor, np.generic)) else v for v in (start, end, steps))
    if steps < 0:
        raise ValueError(f"linspace: steps must not be negative, got {steps}")
    return place(np.linspace(start, end, steps).astype(as_dtype(dtype or get_default_dtype())), device, requires_grad)


def logspace(start, end, steps, base=10.0, *, dtype=None, device=None, requires_grad=False):
    """`steps` numbers at equal ratios, from base ** start to base ** end."""
    check_number("logspace", start=start, end=end, steps=steps, base=base)
    start, end, steps, base = (v.item() if isinstance(v, (Tensor, np.generic)) else v for v in (start, end, steps, base))
    if steps < 0:
        raise ValueError(f"logspace: steps must not be negative, got {steps}")
    values = np.logspace(start, end, steps, base=base)
    return place(values.astype(as_dtype(dtype or get_default_dtype())), device, requires_grad)


def eye(n, m=None, *, dtype=None, device=None, requires_grad=False):
    """The n by m (default n by n) matrix with ones on its diagonal."""
    shape_of("eye", (n, n if m is None else m))
    return place(np.eye(n, m, dtype=as_dtype(dtype or get_default_dtype())), device, requires_grad)


zeros_like, ones_like, empty_like = _like(zeros, "zeros_like"), _like(ones, "ones_like"), _like(empty, "empty_like")


def asarray(obj, *, dtype=None, device=None, copy=None, requires_grad=False):
    """`obj` (numbers, lists, arrays, tensors) as a tensor: in the same memory where that is possible, or with `copy` in new.

    RuntimeError where `copy=False` forbids a copy that is needed.
    """
    if copy:
        return tensor(obj, dtype=dtype, device=device, requires_grad=requires_grad)
    x = as_tensor(obj, dtype=dtype, device=device)
    if copy is False and x.array is not getattr(obj, "array", obj):
        raise RuntimeError(f"asarray: copy=False, but a {type(obj).__name__} has to be copied for dtype {dtype} and device "
                           f"{device}")
    return x.requires_grad_() if requires_grad else x


def scalar_tensor(s, *, dtype=None, device=None, requires_grad=False):
    """The number s as a 0-d tensor, by default of the default dtype."""
    return full((), s, dtype=dtype or get_default_dtype(), device=device, requires_grad=requires_grad)


def full_like(input, fill_value, *, dtype=None, device=None, requires_grad=False):
    """`full` in the shape, dtype and device of `input`."""
    check_tensor("full_like", input=input)
    return full(input.shape, fill_value, **alike(input, dtype, device),
                requires_grad=requires_grad)


def _new(create, name):
    def new(tensor, *size, dtype=None, device=None, requires_grad=False):
        return create(*size, **alike(tensor, dtype, device), requires_grad=requires_grad)
    new.__name__ = new.__qualname__ = name
    new.__doc__ = f"`{create.__name__}` in the dtype and on the device of this tensor."
    return method(name)(new)


for _create in (zeros, ones, empty, full):
    _new(_create, "new_" + _create.__name__)


@method("new_tensor")
def _new_tensor(x, data, *, dtype=None, device=None, requires_grad=False):
    """`tensor(data)` in the dtype and on the device of this tensor."""
    return tensor(data, **alike(x, dtype, device), requires_grad=requires_grad)


# ---- moving ----------------------------------------------------------------------------------------------------------

class To(Function):
    """y = x in another dtype, on another device.  dx = dy on the way back."""

    @staticmethod
    def forward(ctx, x, dtype, device, non_blocking=False):
        ctx.back = x.dtype, device_of(x)
        return to_device(x, device, non_blocking).astype(dtype, copy=False)

    @staticmethod
    def backward(ctx, dy):
        dtype, device = ctx.back
        return to_device(dy, device).astype(dtype, copy=False)

    @staticmethod
    def backward_recorded(ctx, dy):
        dtype, device = ctx.back
        return dy.to(dtype=dtype, device=device)


@method()
def to(x, *target, dtype=None, device=None, copy=False, non_blocking=False, memory_format=None):
    """x in another dtype or on another device: `x.to("cuda")`, `x.to(float64)`, `x.to(other)`; x itself if nothing changes.

    With `non_blocking`, what lies in pinned memory is copied to a GPU while that goes on computing. `memory_format` changes
    nothing, here and below: the order in memory is each operation's own.
    """
    for t in target:
        if isinstance(t, Tensor):
            if dtype is not None or device is not None:
                raise TypeError("to: give a Tensor whose dtype and device to take, or these themselves, not both")
            dtype, device = t.dtype, t.device
        elif isinstance(t, bool):
            non_blocking = t
        elif isinstance(t, (Device, int)) or (isinstance(t, str) and t.partition(":")[0] in ("cpu", "cuda")):
            device = t
        elif t is not None:
            dtype = t
    dtype = x.dtype if dtype is None else as_dtype(dtype)
    device = x.device if device is None else Device(device)
    if dtype == x.dtype and device == x.device:
        return x.clone() if copy else x
    return To.apply(x, dtype=dtype, device=device, non_blocking=non_blocking)


@method()
def cpu(x):
    """x on the CPU."""
    return x.to("cpu")


@method()
def cuda(x, device=None, non_blocking=False):
    """x on a GPU, by default the current one."""
    return x.to(Device("cuda" if device is None else device), non_blocking=non_blocking)


@method()
def pin_memory(x):
    """A copy of x, a tensor on the CPU, in memory that a GPU can read by itself; x where there is no GPU."""
    if x.is_cuda:
        raise RuntimeError(f"pin_memory: only tensors on the CPU can be pinned, this one lives on {x.device}")
    return wrap(pin(x.array))


def _cast(name, dtype):
    def cast(x):
        return x.to(dtype)
    cast.__name__, cast.__doc__ = name, f"x as {dtype}."
    return method(name)(cast)


for _name, _dtype in dict(double="float64", float="float32", half="float16", bool="bool", byte="uint8", char="int8",
                          short="int16", int="int32", long="int64").items():
    _cast(_name, as_dtype(_dtype))


@method("type_as")
def _type_as(x, other):
    """x in the dtype of `other`."""
    check_tensor("type_as", other=other)
    return x.to(dtype=other.dtype)


class Clone(Function):
    """y = x in memory of its own, laid out like x.  dx = dy."""

    @staticmethod
    def forward(ctx, x):
        return x.copy(order="K")

    @staticmethod
    def backward(ctx, dy):
        return dy


@method("clone")
def clone(x, *, memory_format=None):
    """A copy of x; the gradient passes through it."""
    check_tensor("clone", x=x)
    return Clone.apply(x)


__all__ = ["arange", "asarray", "clone", "empty", "empty_like", "eye", "full", "full_like", "linspace", "logspace",
           "ones", "ones_like", "scalar_tensor", "zeros", "zeros_like"]
