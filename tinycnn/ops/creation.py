"""Floor 2: tensors out of nothing, and moving them between dtypes and devices.

All creation functions take `dtype` (default: float32, or what `set_default_dtype` chose), `device` and `requires_grad`.
"""
import numpy as np

from .. import backend
from ..backend import Device, default_generator, to_device
from ..dtype import as_dtype, float32, get_default_dtype, int64
from ..function import Function
from ..tensor import Tensor, check_tensor, method, wrap


def _place(array, device, requires_grad):
    out = wrap(to_device(array, Device(device or backend.get_default_device())))
    return out.requires_grad_(requires_grad) if requires_grad else out


def _shape(function, size):
    """The shape that `f(2, 3)`, `f((2, 3))` and `f([2, 3])` all mean."""
    if len(size) == 1 and isinstance(size[0], (tuple, list)):
        size = size[0]
    try:
        shape = tuple(int(n.__index__()) for n in size)
    except AttributeError:
        raise TypeError(f"{function}: size must be integers, got {size!r}") from None
    if any(n < 0 for n in shape):
        raise ValueError(f"{function}: size must not be negative, got {shape}")
    return shape


def full(size, fill_value, *, dtype=None, device=None, requires_grad=False):
    """A tensor of shape `size` filled with `fill_value`, whose type decides the dtype where none is given."""
    if dtype is None:
        dtype = get_default_dtype() if isinstance(fill_value, float) else np.asarray(fill_value).dtype
    return _place(np.full(_shape("full", (size,)), fill_value, as_dtype(dtype)), device, requires_grad)


def zeros(*size, dtype=None, device=None, requires_grad=False):
    """A tensor of zeros."""
    return _place(np.zeros(_shape("zeros", size), as_dtype(dtype or get_default_dtype())), device, requires_grad)


def ones(*size, dtype=None, device=None, requires_grad=False):
    """A tensor of ones."""
    return _place(np.ones(_shape("ones", size), as_dtype(dtype or get_default_dtype())), device, requires_grad)


def empty(*size, dtype=None, device=None, requires_grad=False):
    """A tensor whose values are whatever the memory held."""
    return _place(np.empty(_shape("empty", size), as_dtype(dtype or get_default_dtype())), device, requires_grad)


def _like(create, name):
    def like(input, *, dtype=None, device=None, requires_grad=False):
        check_tensor(name, input=input)
        return create(input.shape, dtype=dtype or input.dtype, device=device or input.device, requires_grad=requires_grad)
    like.__name__ = like.__qualname__ = name
    like.__doc__ = f"`{create.__name__}` in the shape, dtype and device of `input`."
    return like


def arange(start, end=None, step=1, *, dtype=None, device=None, requires_grad=False):
    """start, start + step, ... up to but without `end`; `arange(end)` starts at 0. Integers give int64."""
    start, end = (0, start) if end is None else (start, end)
    if step == 0:
        raise ValueError("arange: step must not be 0")
    if dtype is None:
        dtype = int64 if all(isinstance(v, (int, np.integer)) for v in (start, end, step)) else get_default_dtype()
    return _place(np.arange(start, end, step).astype(as_dtype(dtype)), device, requires_grad)


def linspace(start, end, steps, *, dtype=None, device=None, requires_grad=False):
    """`steps` numbers at equal distances, `start` and `end` among them."""
    return _place(np.linspace(start, end, steps).astype(as_dtype(dtype or get_default_dtype())), device, requires_grad)


def eye(n, m=None, *, dtype=None, device=None, requires_grad=False):
    """The n by m (default n by n) matrix with ones on its diagonal."""
    return _place(np.eye(n, m, dtype=as_dtype(dtype or get_default_dtype())), device, requires_grad)


# ---- random ----------------------------------------------------------------------------------------------------------

def _stream(generator, device):
    return generator or default_generator(Device(device or backend.get_default_device()))


def rand(*size, generator=None, dtype=None, device=None, requires_grad=False):
    """Numbers uniform in [0, 1)."""
    stream = _stream(generator, device)
    return wrap(stream.uniform(_shape("rand", size), as_dtype(dtype or get_default_dtype()))).requires_grad_(requires_grad)


def randn(*size, generator=None, dtype=None, device=None, requires_grad=False):
    """Standard normal numbers."""
    stream = _stream(generator, device)
    return wrap(stream.normal(_shape("randn", size), as_dtype(dtype or get_default_dtype()))).requires_grad_(requires_grad)


def randint(low, high=None, size=None, *, generator=None, dtype=int64, device=None):
    """Integers uniform in [low, high); `randint(high, size)` starts at 0."""
    if size is None:
        low, high, size = 0, low, high
    if not low < high:
        raise ValueError(f"randint: low must be below high, got {low} and {high}")
    return wrap(_stream(generator, device).integers(low, high, _shape("randint", (size,)), as_dtype(dtype)))


def randperm(n, *, generator=None, dtype=int64, device=None):
    """The integers 0 to n - 1 in random order."""
    return wrap(_stream(generator, device).permutation(n).astype(as_dtype(dtype), copy=False))


zeros_like, ones_like, empty_like = _like(zeros, "zeros_like"), _like(ones, "ones_like"), _like(empty, "empty_like")
rand_like, randn_like = _like(rand, "rand_like"), _like(randn, "randn_like")


def full_like(input, fill_value, *, dtype=None, device=None, requires_grad=False):
    """`full` in the shape, dtype and device of `input`."""
    check_tensor("full_like", input=input)
    return full(input.shape, fill_value, dtype=dtype or input.dtype, device=device or input.device,
                requires_grad=requires_grad)


# ---- moving ----------------------------------------------------------------------------------------------------------

class To(Function):
    """y = x in another dtype, on another device.  dx = dy on the way back."""

    @staticmethod
    def forward(ctx, x, dtype, device):
        ctx.back = x.dtype, backend.device_of(x)
        return to_device(x, device).astype(dtype, copy=False)

    @staticmethod
    def backward(ctx, dy):
        dtype, device = ctx.back
        return to_device(dy, device).astype(dtype, copy=False)


@method()
def to(x, *target, dtype=None, device=None, copy=False, non_blocking=False):
    """x in another dtype or on another device: `x.to("cuda")`, `x.to(float64)`, `x.to(other)`; x itself if nothing changes.

    `non_blocking` is accepted for PyTorch's sake and changes nothing.
    """
    for t in target:
        if isinstance(t, Tensor):
            dtype, device = t.dtype, t.device
        elif isinstance(t, Device) or (isinstance(t, str) and t.partition(":")[0] in ("cpu", "cuda")):
            device = t
        else:
            dtype = t
    dtype = x.dtype if dtype is None else as_dtype(dtype)
    device = x.device if device is None else Device(device)
    if dtype == x.dtype and device == x.device:
        return x.clone() if copy else x
    return To.apply(x, dtype=dtype, device=device)


@method()
def cpu(x):
    """x on the CPU."""
    return x.to("cpu")


@method()
def cuda(x, device="cuda"):
    """x on a GPU."""
    return x.to(Device(device))


def _cast(name, dtype):
    def cast(x):
        return x.to(dtype)
    cast.__name__, cast.__doc__ = name, f"x as {dtype}."
    return method(name)(cast)


for _name, _dtype in dict(double="float64", half="float16", int="int32", long="int64", short="int16", bool="bool").items():
    _cast(_name, as_dtype(_dtype))
_cast("float", float32)
method("type")(lambda x, dtype: x.to(dtype))
method("type_as")(lambda x, other: x.to(other.dtype))


class Clone(Function):
    """y = x in memory of its own.  dx = dy."""

    @staticmethod
    def forward(ctx, x):
        return x.copy()

    @staticmethod
    def backward(ctx, dy):
        return dy


@method("clone")
def clone(x):
    """A copy of x; the gradient passes through it."""
    return Clone.apply(x)


__all__ = ["arange", "clone", "empty", "empty_like", "eye", "full", "full_like", "linspace", "ones", "ones_like",
           "rand", "rand_like", "randint", "randn", "randn_like", "randperm", "zeros", "zeros_like"]
