"""Floor 0: arrays and where they live. The only file that names cupy.

Every operation above is written once, against the functions that NumPy and CuPy share: it asks `array_module(x)` for
`np` or `cp` and never looks further. What the two libraries do differently lives here, one short function each.
"""
import contextlib
import functools
import os
import threading

import numpy as np

_MODULES = {np.ndarray: np}  # array type -> the library that made it; cupy joins when it is first asked for


def array_module(array):
    """The library (numpy or cupy) whose functions work on `array`.

    A Tensor in place of an array, as backward receives it where the gradient is itself recorded, brings its own: NumPy's
    names for tinycnn's functions (`ops/as_numpy.py`).
    """
    return _MODULES.get(type(array)) or getattr(array, "array_module", np)


def is_array(value):
    """Whether `value` is an array of a known library (a NumPy scalar or a list is not)."""
    return type(value) in _MODULES


def as_array(value, like):
    """`value` as an array of the library of `like`: full reductions return scalars in NumPy, 0-d arrays in CuPy."""
    return value if type(value) in _MODULES else array_module(like).asarray(value)


def quiet():
    """Inside `with quiet():` 1/0 is infinity and 0/0 is NaN without a warning, as on a GPU; `detect_anomaly` finds them."""
    return np.errstate(all="ignore")


# ---- devices ---------------------------------------------------------------------------------------------------------

class Device:
    """Where an array lives: `Device("cpu")`, `Device("cuda")`, `Device("cuda:1")`, `Device("cuda", 1)`.

    Equal devices compare equal; `type` is "cpu" or "cuda", `index` the GPU's number (None on the CPU).
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
        self.index = None if kind == "cpu" else int(number) if number else index or 0

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
    advice = ("install the CuPy wheel for your CUDA version with pip install 'tinycnn[cuda12]' or 'tinycnn[cuda13]', "
              "check the GPU with nvidia-smi, or use device 'cpu'")
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
    return cupy


def cuda_device_count():
    """How many GPUs CuPy can use; 0 without CuPy."""
    try:
        return load_cupy().cuda.runtime.getDeviceCount()
    except RuntimeError:
        return 0


def device_of(array):
    """The Device on which `array` lives."""
    return CPU if type(array) is np.ndarray else Device("cuda", array.device.id)


def to_device(array, device):
    """`array` on `device`: itself when it is there already, else a copy."""
    if device_of(array) == device:
        return array
    if device.type == "cpu":
        return array.get()
    cupy = load_cupy()
    if device.index >= cupy.cuda.runtime.getDeviceCount():
        raise RuntimeError(f"device: {device} does not exist, this machine has {cuda_device_count()} GPU(s)")
    with cupy.cuda.Device(device.index):
        return cupy.asarray(array)


def to_numpy(array):
    """`array` as a NumPy array: itself on the CPU, a copy from a GPU."""
    return array if type(array) is np.ndarray else array.get()


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
    as_strided = array_module(x).lib.stride_tricks.as_strided
    if type(x) is np.ndarray:
        return as_strided(x, shape, strides, writeable=writeable)
    return as_strided(x, shape, strides)


def diagonal(x, k, axis1, axis2):
    """Diagonal k of x along two axes, as a view; NumPy's own cannot be written to."""
    y = x.diagonal(k, axis1, axis2)
    if type(y) is np.ndarray and x.flags.writeable:
        y.flags.writeable = True
    return y


def scatter_add(target, index, values):
    """`target[index] += values` where an index that occurs twice adds twice."""
    array_module(target).add.at(target, index, values)


def erf(x):
    """The error function 2/sqrt(pi) * integral of exp(-t^2) from 0 to x, elementwise, to double precision.

    NumPy has none. |x| < 2 takes the Taylor-like series x * exp(-x^2) * sum (2x^2)^n / (2n+1)!!, larger |x| the
    continued fraction of erfc, evaluated backwards. Source: Abramowitz and Stegun, 7.1.6 and 7.1.14.
    """
    xp = array_module(x)
    if xp is not np:
        from cupyx.scipy.special import erf as cuda_erf
        return cuda_erf(x)
    if x.dtype != np.float64:
        return _erf_by_fit(x)
    t = np.abs(x)
    return np.copysign(np.where(t < 2, _erf_series(t), 1 - _erfc_fraction(t)), x).astype(x.dtype, copy=False)


def erfc(x):
    """1 - erf(x), elementwise, exact also where that is close to 0."""
    xp = array_module(x)
    if xp is not np:
        from cupyx.scipy.special import erfc as cuda_erfc
        return cuda_erfc(x)
    t = np.abs(x)
    y = np.where(t < 2, 1 - _erf_series(t), _erfc_fraction(t))
    return np.where(x < 0, 2 - y, y).astype(x.dtype, copy=False)


def erfinv(y):
    """The x with erf(x) = y, elementwise: +-infinity at +-1, NaN beyond.

    Winitzki's approximation (A handy approximation for the error function and its inverse, 2008) is right to three digits;
    every step of Halley's method triples them. Near 1 the error is that of erfc, which loses no digits there.
    """
    xp = array_module(y)
    if xp is not np:
        from cupyx.scipy.special import erfinv as cuda_erfinv
        return cuda_erfinv(y)
    t = np.abs(y)
    inside = np.where(t < 1, t, 0)
    a, log = 0.147, np.log1p(-inside * inside)
    u = 2 / (np.pi * a) + log / 2
    x = np.sqrt(np.sqrt(u * u - log / a) - u)
    for _ in range(3):
        error = np.where(inside < 0.5, erf(x) - inside, (1 - inside) - erfc(x))
        step = error * (np.sqrt(np.pi) / 2) * np.exp(x * x)
        x = x - step / (1 + x * step)
    x = np.where(t < 1, x, np.where(t == 1, np.inf, np.nan))
    return np.copysign(x, y).astype(y.dtype, copy=False)


def _erf_series(t):
    """erf(t) for 0 <= t <= 2; larger t count as 2."""
    t = np.minimum(t, 2.0)
    term = total = np.ones_like(t)
    for n in range(1, 40):
        term = term * (2 * t * t / (2 * n + 1))
        total = total + term
    return 2 / np.sqrt(np.pi) * t * np.exp(-t * t) * total


def _erfc_fraction(t):
    """1 - erf(t) for t >= 2; smaller t count as 2."""
    t = np.maximum(t, 2.0)
    fraction = np.zeros_like(t)
    for n in range(80, 0, -1):
        fraction = (n / 2) / (t + fraction)
    return np.exp(-t * t) / (np.sqrt(np.pi) * (t + fraction))


_ERF_P = (1.98677985e-06, 0.000284567163, 0.00388338375, 0.0531018658, 0.19354594, 1.12837914)
_ERF_Q = (3.74202163e-05, 0.00118558155, 0.015207329, 0.115350367, 0.504858179, 1.0)


def _erf_by_fit(x):
    """erf in float32, the type in which networks compute, in a tenth of the time: x P(x^2) / Q(x^2).

    The polynomials were fitted to be off by at most 2.5e-8 of the value up to |x| = 4, where erf is 1 to this precision.
    """
    z = np.clip(x, -4, 4).astype(np.float32, copy=False)
    square = z * z
    above, below = (np.full_like(z, c[0]) for c in (_ERF_P, _ERF_Q))
    for p, q in zip(_ERF_P[1:], _ERF_Q[1:]):
        above *= square
        above += p
        below *= square
        below += q
    return np.clip(z * above / below, -1, 1).astype(x.dtype, copy=False)


# ---- random numbers --------------------------------------------------------------------------------------------------

class Generator:
    """A seeded stream of random numbers on one device, with PyTorch's names.

    The same seed gives the same numbers on the same device; the CPU and the GPU have different streams.
    """

    def __init__(self, device="cpu"):
        self.device = Device(device)
        self.manual_seed(0)

    def manual_seed(self, seed):
        """Restart the stream from `seed` (an integer); returns the generator itself."""
        if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)):
            raise TypeError(f"manual_seed: seed must be an integer, got {seed!r}")
        self._seed = int(seed)
        words = self._seed % 2**64
        if self.device.type == "cpu":
            self._numbers = np.random.Generator(np.random.PCG64(words))
        else:
            random = load_cupy().random
            self._numbers = random.Generator(random.Philox4x3210(words))
        return self

    def seed(self):
        """Restart from a seed that the operating system draws, and return it."""
        self.manual_seed(int.from_bytes(os.urandom(7), "little"))
        return self._seed

    def initial_seed(self):
        """The seed from which the stream started."""
        return self._seed

    def get_state(self):
        """The position in the stream, as a plain dictionary of strings and integers (CPU only)."""
        if self.device.type != "cpu":
            raise RuntimeError("get_state: CuPy's generators cannot report their position; seed them again instead")
        return self._numbers.bit_generator.state

    def set_state(self, state):
        """Continue from a position that `get_state` reported."""
        if self.device.type != "cpu":
            raise RuntimeError("set_state: CuPy's generators cannot be positioned; seed them again instead")
        self._numbers.bit_generator.state = state

    def uniform(self, shape, dtype=np.float32):
        """Numbers in [0, 1); float16 is drawn as float32."""
        drawn = np.float64 if dtype == np.float64 else np.float32
        return self._numbers.random(shape, dtype=drawn).astype(dtype, copy=False)

    def normal(self, shape, dtype=np.float32):
        """Numbers of mean 0 and standard deviation 1; float16 is drawn as float32."""
        drawn = np.float64 if dtype == np.float64 else np.float32
        return self._numbers.standard_normal(shape, dtype=drawn).astype(dtype, copy=False)

    def integers(self, low, high, shape, dtype=np.int64):
        """Integers in [low, high)."""
        return self._numbers.integers(low, high, shape, dtype=np.int64).astype(dtype, copy=False)

    def permutation(self, n):
        """0 to n - 1 in random order."""
        return self.uniform(n, np.float64).argsort().astype(np.int64)


_generators = {}
_in_this_thread = threading.local()


@contextlib.contextmanager
def generator_in_this_thread(generator):
    """Inside the `with` block `generator` is the default one of its device, for this thread only.

    So threads that work side by side draw numbers which do not depend on who comes first.
    """
    outer = getattr(_in_this_thread, "generator", None)
    _in_this_thread.generator = generator
    try:
        yield
    finally:
        _in_this_thread.generator = outer


def default_generator(device=CPU):
    """The generator that serves everyone who names none on `device`."""
    own = getattr(_in_this_thread, "generator", None)
    if own is not None and own.device == device:
        return own
    if device not in _generators:
        _generators[device] = Generator(device).manual_seed(_initial_seed)
    return _generators[device]


_initial_seed = int.from_bytes(os.urandom(7), "little")


def manual_seed(seed):
    """Restart the default generators of all devices from `seed`; returns the CPU's."""
    global _initial_seed
    generator = default_generator().manual_seed(seed)
    _initial_seed = seed
    for device in _generators:
        _generators[device].manual_seed(seed)
    return generator


def seed():
    """Restart the default generators from a seed that the operating system draws, and return it."""
    manual_seed(int.from_bytes(os.urandom(7), "little"))
    return initial_seed()


def initial_seed():
    """The seed from which the CPU's default generator started."""
    return default_generator().initial_seed()


def get_rng_state():
    """The position of the CPU's default generator in its stream."""
    return default_generator().get_state()


def set_rng_state(state):
    """Continue the CPU's default generator from a position that `get_rng_state` reported."""
    default_generator().set_state(state)
