"""Arrays, and where they live: NumPy's on the CPU, CuPy's on a GPU.

Every operation is written once, against the functions that NumPy and CuPy share: it asks `array_module(x)` for `np` or `cp`
and never looks further. What the two libraries do differently stands here, a short function each.
"""
import contextlib
import functools
import importlib.util
import os

import numpy as np

from .formula import formula
from .dtype import float16, float32

_MODULES = {np.ndarray: np}  # array type -> the library that made it; cupy joins when it is first asked for
PREPARE = []                 # functions of CuPy, called when it joins: `gpu/` has a wish or two


def array_module(array):
    """The library (numpy or cupy) whose functions work on `array`.

    A Tensor in place of an array, as backward receives it where the gradient is itself recorded, brings its own: NumPy's
    names for tinycnn's functions (`ops/as_numpy.py`).
    """
    return _MODULES.get(type(array)) or getattr(array, "array_module", np)


def is_array(value):
    """Whether `value` is an array of a known library (a NumPy scalar or a list is not)."""
    return type(value) in _MODULES


def welcome(value):
    """Let CuPy join where `value` is an array of its, made by a program that has not asked tinycnn for a GPU."""
    if type(value).__module__.partition(".")[0] == "cupy":
        load_cupy()


def as_array(value, like):
    """`value` as an array of the library of `like`: full reductions return scalars in NumPy, 0-d arrays in CuPy."""
    return value if type(value) in _MODULES else array_module(like).asarray(value)


def quiet():
    """Inside `with quiet():` 1/0 is infinity and 0/0 is NaN without a warning, as on a GPU; `detect_anomaly` finds them."""
    return np.errstate(all="ignore")


# ---- devices ---------------------------------------------------------------------------------------------------------

class Device:
    """Where an array lives: `Device("cpu")`, `Device("cuda")`, `Device("cuda:1")`, `Device("cuda", 1)`.

    Equal devices compare equal; `type` is "cpu" or "cuda", `index` the GPU's number (None on the CPU). "cuda" alone is the
    current GPU: number 0, or what `tinycnn.cuda.set_device` chose.
    """
    __slots__ = ("type", "index")

    def __init__(self, device, index=None):
        if isinstance(device, Device):
            device, index = device.type, device.index
        if isinstance(device, int):
            device, index = "cuda", device
        kind, _, number = str(device).partition(":")
        if kind not in ("cpu", "cuda") or (number and not number.isdigit()):
            raise ValueError(f"device: expected 'cpu', 'cuda' or 'cuda:N', got {device!r}")
        self.type = kind
        self.index = None if kind == "cpu" else int(number) if number else _current_gpu if index is None else index

    def __eq__(self, other):
        return isinstance(other, Device) and (self.type, self.index) == (other.type, other.index)

    def __hash__(self):
        return hash((self.type, self.index))

    def __str__(self):
        return "cpu" if self.type == "cpu" else f"cuda:{self.index}"

    def __repr__(self):
        return f"device({str(self)!r})"


CPU = Device("cpu")
_default_device = None
_current_gpu = 0
_NOTHING = contextlib.nullcontext()


def get_default_device():
    """The device of new tensors: what `set_default_device` chose, else the variable TINYCNN_DEVICE, else the CPU."""
    return _default_device or Device(os.environ.get("TINYCNN_DEVICE", "cpu"))


def set_default_device(device):
    """Create new tensors on `device` from now on; None returns to TINYCNN_DEVICE or the CPU."""
    global _default_device
    _default_device = None if device is None else Device(device)
    if _default_device and _default_device.type == "cuda":
        load_cupy()


@functools.cache
def load_cupy():
    """The cupy module; RuntimeError says how to install it where it, or a GPU, is missing."""
    advice = ("install CuPy for your CUDA version with pip install 'cupy-cuda12x[ctk]' or 'cupy-cuda13x[ctk]', check "
              "the GPU with nvidia-smi, or use device 'cpu'")
    try:
        import cupy
    except ImportError as error:
        raise RuntimeError(f"device 'cuda' needs CuPy, which cannot be imported ({error}): {advice}") from None
    try:
        count = cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        raise RuntimeError(f"device 'cuda' needs a GPU, and CuPy finds none ({error}): {advice}") from None
    if count == 0:
        raise RuntimeError(f"device 'cuda' needs a GPU, and CuPy finds none: {advice}")
    _MODULES[cupy.ndarray] = cupy
    for prepare in PREPARE:
        prepare(cupy)
    return cupy


def cuda_device_count():
    """How many GPUs CuPy can use; 0 without CuPy."""
    if len(_MODULES) == 1 and importlib.util.find_spec("cupy") is None:
        return 0
    try:
        return load_cupy().cuda.runtime.getDeviceCount()
    except RuntimeError:
        return 0


def device_of(array):
    """The Device on which `array` lives."""
    return CPU if type(array) is np.ndarray else Device("cuda", array.device.id)


def set_gpu(index):
    """Make GPU number `index` the one that "cuda" means, and on which new arrays are made."""
    global _current_gpu
    cupy = load_cupy()
    if not 0 <= index < cupy.cuda.runtime.getDeviceCount():
        raise RuntimeError(f"device: cuda:{index} does not exist, this machine has {cuda_device_count()} GPU(s)")
    cupy.cuda.Device(index).use()
    _current_gpu = index


def on(device):
    """Inside the `with` block new arrays are made on `device`, where it is a GPU; its arrays can be computed with there."""
    return _NOTHING if device.type == "cpu" or device.index == _current_gpu else _on_another(device)


@contextlib.contextmanager
def _on_another(device):
    outer = _current_gpu
    set_gpu(device.index)
    try:
        yield
    finally:
        set_gpu(outer)


def library(device):
    """The library (numpy or cupy) that makes arrays on `device`."""
    return np if device.type == "cpu" else load_cupy()


def to_device(array, device, non_blocking=False):
    """`array` on `device`: itself when it is there already, else a copy.

    With `non_blocking`, an array in pinned memory is copied to a GPU while that, and the caller, go on with other things.
    """
    if device_of(array) == device:
        return array
    if device.type == "cpu":
        return array.get()
    with on(device):
        return upload(array, non_blocking)


@formula
def upload(array, non_blocking):
    """A NumPy array as one of the current GPU."""
    return load_cupy().asarray(array)


@formula
def pin(array):
    """A copy of a NumPy array in pinned memory, which a GPU can read by itself; the array itself where there is none."""
    return array


class OutOfMemoryError(RuntimeError):
    """The memory of the GPU does not suffice."""


PRECISIONS = ("highest", "high", "medium")
_precision = "highest"


def precision():
    """How exactly GPUs multiply float32 matrices, as `set_precision` was last told."""
    return _precision


def set_precision(name):
    """Let GPUs round the float32 numbers that they multiply: "highest" is not at all, "high" and "medium" to TF32."""
    global _precision
    if not isinstance(name, str) or name not in PRECISIONS:
        raise ValueError(f"set_float32_matmul_precision: precision must be one of {', '.join(PRECISIONS)}, got {name!r}")
    _precision = name
    if len(_MODULES) > 1:
        for prepare in PREPARE:
            prepare(load_cupy())


def to_numpy(array):
    """`array` as a NumPy array: itself (or a NumPy number) on the CPU, a copy from a GPU."""
    return array if isinstance(array, (np.ndarray, np.generic)) else array.get()


# ---- what the libraries spell differently ----------------------------------------------------------------------------

def sliding_windows(x, kernel, stride, dilation, writeable=False):
    """The windows of x (N, C, *S) as a view (N, C, *K, *O): no element is copied.

    Entry [n, c, *k, *o] is x[n, c, *(o * stride + k * dilation)], with O = (S - dilation * (K - 1) - 1) // stride + 1.
    Windows overlap, so an element of x may stand in many places: write with care.
    """
    out = [(s - d * (k - 1) - 1) // t + 1 for s, k, t, d in zip(x.shape[2:], kernel, stride, dilation)]
    steps = x.strides[2:]
    shape = (*x.shape[:2], *kernel, *out)
    strides = (*x.strides[:2], *(a * d for a, d in zip(steps, dilation)), *(a * t for a, t in zip(steps, stride)))
    if type(x) is np.ndarray:
        return np.lib.stride_tricks.as_strided(x, shape, strides, writeable=writeable)
    return array_module(x).lib.stride_tricks.as_strided(x, shape, strides)


def _rest(x, y):
    """x - trunc(x / y) y, exact, and where its sign is not that of y; None for NumPy and for integers."""
    like = y if is_array(y) else x
    xp = array_module(like)
    if xp is np or like.dtype.kind != "f":
        return None
    rest = xp.fmod(x, y)
    return xp, rest, (rest != 0) & ((rest < 0) != (y < 0))


def remainder(x, y):
    """x - floor(x / y) y, with the sign of y.

    CuPy computes it by this formula, so that 1 % 0.1, a little less than 0.1, is 0 there: not so here.
    """
    found = _rest(x, y)
    if found is None:
        return array_module(y if is_array(y) else x).remainder(x, y)
    xp, rest, other = found
    return xp.where(rest == 0, xp.copysign(rest, y), xp.where(other, rest + y, rest))


def floor_divide(x, y):
    """floor(x / y), of the exact quotient: 1 // 0.1 is 9, since 0.1 stands for a number a little larger."""
    found = _rest(x, y)
    if found is None:
        return array_module(y if is_array(y) else x).floor_divide(x, y)
    xp, rest, other = found
    quotient = x / y
    down = xp.rint((x - rest) / y) - other
    down = xp.where(down == 0, xp.copysign(down, quotient), down)
    if is_array(y):
        return xp.where(y == 0, quotient, down)
    return down if y else quotient


@formula
def matmul(a, b):
    """a @ b, of arrays or Tensors."""
    return a @ b


def diagonal(x, k, axis1, axis2):
    """Diagonal k of x along two axes, as a view; NumPy's own cannot be written to."""
    y = x.diagonal(k, axis1, axis2)
    if type(y) is np.ndarray and x.flags.writeable:
        y.flags.writeable = True
    return y


@formula
def add_at(target, index, values):
    """`target[index] += values` where an index that occurs twice adds twice, always in the same order."""
    total = target.astype(float32) if target.dtype is float16 else target  # the rule of `half.py`
    array_module(target).add.at(total, index, values)
    if total is not target:
        target[...] = total


@formula
def extreme_at(target, index, values, largest):
    """`target[index] = maximum(target[index], values)`, or minimum, of all values for one element."""
    xp = array_module(target)
    (xp.maximum if largest else xp.minimum).at(target, index, values)
