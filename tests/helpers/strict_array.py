"""A stand-in for CuPy on machines without a GPU: an array that refuses what CuPy refuses, and a module `strict` around it.

The numbers are NumPy's; the manners are those of CuPy 14: no silent conversion to NumPy, no mixing with host arrays or
lists, no keywords and functions that CuPy lacks, 0-d arrays where NumPy gives scalars, no `__index__`, no
`flags.writeable`. What CuPy allows at the price of waiting for the GPU (`bool(x)`, `x.item()`, `x[mask]`, `nonzero`) is
allowed and noted in `waits`. Code that passes here may still fail on a GPU, but the usual ways to break it are caught.
"""
import contextlib
import ctypes
import sys
import types

import numpy as np

from tinycnn.engine import arrays, generators
from tinycnn.gpu import cuda
from tinycnn.ops import error_function

waits = []    # the names of what made the host wait for the device, in order
uploads = []  # the shapes of host arrays that were copied to the device, in order

# In NumPy 2.4 and not in CuPy 14.2, found by comparing dir(numpy) with dir(cupy).
MISSING = set("""
asmatrix block bmat bytes_ char clongdouble datetime64 datetime_as_string datetime_data einsum_path emath errstate
frompyfunc fromregex geomspace getbufsize geterr histogram_bin_edges insert is_busday isnat longdouble ma matrix matvec
memmap nanpercentile nanquantile ndenumerate nditer nested_iters object_ polyder polydiv polyint rec recarray seterr
spacing str_ strings timedelta64 typecodes unstack vecdot vecmat void
""".split())
REFUSED_KEYWORDS = {"where", "initial", "device", "like", "subok", "stable", "correction", "signature", "extobj"}
REFUSED_OF = {"clip": {"min", "max"}, "sort": {"order"}, "argsort": {"order"}, "argpartition": {"kind", "order"},
              "partition": {"kind", "order"}, "take": {"mode"}, "count_nonzero": {"keepdims"}, "isin": {"kind"}}
FROM_HOST = {"array", "asarray", "asanyarray", "ascontiguousarray"}  # the explicit ways from the host to the device
TAKES_SEQUENCE = {"zeros", "ones", "empty", "full", "concatenate", "stack", "vstack", "hstack", "dstack", "column_stack",
                  "broadcast_shapes", "unravel_index", "ravel_multi_index", "lexsort", "indices", "ix_"} | FROM_HOST
WAITING = {"nonzero", "argwhere", "flatnonzero", "unique", "bincount", "array_equal", "allclose", "extract", "compress"}
ATOMIC = ("float16", "float32", "float64", "int32", "uint32", "uint64")  # the dtypes that add.at takes
LINALG = {"cholesky", "det", "eigh", "inv", "lstsq", "matrix_power", "matrix_rank", "norm", "pinv", "qr", "slogdet",
          "solve", "svd"}
QUOTIENTS = ("floor_divide", "remainder")
METHODS = {"all", "any", "argmax", "argmin", "argpartition", "argsort", "astype", "choose", "clip", "compress", "conj",
           "copy", "cumprod", "cumsum", "diagonal", "dot", "fill", "flatten", "max", "mean", "min", "nonzero", "partition",
           "prod", "ptp", "put", "ravel", "repeat", "reshape", "round", "searchsorted", "sort", "squeeze", "std", "sum",
           "swapaxes", "take", "trace", "transpose", "var", "view"}


class _Device:
    id = 0


DEVICE = _Device()


class _Flags:
    """CuPy's flags: those of NumPy without `writeable`."""

    def __init__(self, flags):
        self.c_contiguous, self.f_contiguous, self.owndata = flags.c_contiguous, flags.f_contiguous, flags.owndata
        self.forc, self.fnc = flags.forc, flags.fnc


class StrictArray:
    """An array on a pretended GPU; `_a` holds its numbers, which only this file may look at."""
    __array_priority__ = 100
    __hash__ = None

    def __init__(self, array, base=None):
        self._a, self.base = array, base

    device = DEVICE
    shape, dtype, ndim, size, itemsize, nbytes, strides = (
        property(lambda self, name=name: getattr(self._a, name))
        for name in ("shape", "dtype", "ndim", "size", "itemsize", "nbytes", "strides"))
    flags = property(lambda self: _Flags(self._a.flags))
    data = property(lambda self: types.SimpleNamespace(ptr=self._a.ctypes.data))
    T = property(lambda self: self.transpose())

    # ---- what CuPy refuses ----
    def __array__(self, dtype=None, copy=None):
        raise TypeError("Implicit conversion to a NumPy array is not allowed. Please use `.get()`.")

    def __array_function__(self, function, kinds, args, kwargs):
        if function in (np.shape, np.ndim, np.size):
            return function(args[0]._a)
        raise TypeError(f"numpy.{function.__name__} was called on a device array: ask array_module for the function")

    def __array_ufunc__(self, ufunc, method, *args, **kwargs):
        scalars = any(isinstance(a, np.generic) for a in args)
        if method == "__call__" and scalars and not kwargs and all(isinstance(a, (np.generic, StrictArray)) for a in args):
            return _call(ufunc, ufunc.__name__, args, {})  # a NumPy scalar beside a device array, as in CuPy
        raise TypeError(f"numpy.{ufunc.__name__} was called on a device array, or a host array mixed with one")

    # ---- what makes the host wait ----
    def get(self):
        """The only way back to the host."""
        waits.append("get")
        return self._a.copy()

    def set(self, array, stream):
        """Fill with an array from pinned memory, without waiting."""
        if strict.cuda.runtime.pointerGetAttributes(array.ctypes.data).type != 1:
            waits.append("set")
        uploads.append(array.shape)
        timeline.append((stream.name, ("copy", array.shape)))
        self._a[...] = array

    def item(self):
        waits.append("item")
        return self._a.item()

    def tolist(self):
        waits.append("tolist")
        return self._a.tolist()

    def __bool__(self):
        waits.append("bool")
        return bool(self._a)

    def __float__(self):
        waits.append("float")
        return float(self._a)

    def __int__(self):
        waits.append("int")
        return int(self._a)

    # ---- what CuPy does ----
    def __len__(self):
        return len(self._a)

    def __iter__(self):
        return (self[i] for i in range(len(self._a)))

    def __getitem__(self, index):
        return _wrap(self._a[_index(index)], [self])

    def __setitem__(self, index, value):
        self._a[_index(index)] = _bare("assignment", value)

    def __getattr__(self, name):
        if name not in METHODS:
            raise AttributeError(f"cupy.ndarray has no attribute {name!r}")
        return lambda *args, **kwargs: _call(getattr(self._a, name), name, args, kwargs, [self])

    def __repr__(self):
        return f"StrictArray({self._a!r})"


def _add_operator(name, in_place=False):
    def operator(self, *others):
        if any(isinstance(o, (np.ndarray, list, tuple)) for o in others):
            raise TypeError(f"Unsupported type {type(others[0])} beside a device array")
        if not all(isinstance(o, (StrictArray, int, float, np.generic)) for o in others):
            return NotImplemented
        result = getattr(self._a, name)(*(_bare(name, o) for o in others))
        if in_place and result is not NotImplemented:
            self._a = result
            return self
        return result if result is NotImplemented else _wrap(_in_rows(result), [])
    setattr(StrictArray, name, operator)


for _name in "add sub mul truediv floordiv mod pow matmul and or xor lshift rshift divmod".split():
    _add_operator(f"__{_name}__")
    _add_operator(f"__r{_name}__")
    if _name != "divmod":
        _add_operator(f"__i{_name}__", in_place=True)
for _name in "lt le gt ge eq ne neg pos abs invert".split():
    _add_operator(f"__{_name}__")


def _index(index):
    """The index with device arrays in the place of strict ones; host arrays and lists would be silent transfers."""
    if isinstance(index, tuple):
        return tuple(map(_index, index))
    if isinstance(index, (np.ndarray, list)):
        raise TypeError(f"an index of type {type(index).__name__} from the host beside a device array")
    if isinstance(index, StrictArray):
        if index.dtype == bool:
            waits.append("index by a mask")
        return index._a
    return index


def _bare(name, value):
    """`value` for NumPy's eyes; TypeError where it holds a host array."""
    if isinstance(value, StrictArray):
        return value._a
    if isinstance(value, np.ndarray):
        raise TypeError(f"{name}: Unsupported type numpy.ndarray, a host array, among device arrays")
    if isinstance(value, (tuple, list)):
        return type(value)(_bare(name, v) for v in value)
    return value


def _wrap(result, parents):
    """What a function returned, as CuPy returns it: no scalars, and views that know their base."""
    if isinstance(result, (tuple, list)) and any(isinstance(r, (np.ndarray, np.generic)) for r in result):
        parts = [_wrap(r, parents) for r in result]
        return type(result)(parts) if type(result) in (tuple, list) else result._make(parts)
    if isinstance(result, np.generic):
        return StrictArray(np.asarray(result))
    if not isinstance(result, np.ndarray):
        return result
    for p in parents:
        if isinstance(p, StrictArray) and result.base is not None and result.size and np.shares_memory(result, p._a):
            return StrictArray(result, p if p.base is None else p.base)
    return StrictArray(result)


def _call(function, name, args, kwargs, parents=()):
    """Call NumPy's `function` as CuPy's of that name would answer."""
    refused = {k for k, v in kwargs.items() if k in REFUSED_KEYWORDS or k in REFUSED_OF.get(name, ())}
    if isinstance(function, np.ufunc):
        refused = set(kwargs) - {"out", "dtype", "casting"}
    if refused:
        raise TypeError(f"{name}() got an unexpected keyword argument {sorted(refused)[0]!r}")
    if name in ("sort", "argsort") and kwargs.get("kind") not in (None, "stable"):
        raise ValueError(f"{name}: kind can only be None or 'stable'")
    if not parents and args and isinstance(args[0], (list, tuple)) and name not in TAKES_SEQUENCE:
        raise TypeError(f"{name}: a {type(args[0]).__name__} where an array is expected")
    if isinstance(function, np.ufunc) and any(isinstance(a, (list, tuple)) for a in args):
        raise TypeError(f"{name}: a list or tuple beside device arrays")
    if name in WAITING or name == "repeat" and isinstance(args[-1], StrictArray):
        waits.append(name)
    parents = [*parents, *(a for a in args if isinstance(a, StrictArray))]
    out = kwargs.get("out")
    result = function(*(_bare(name, a) for a in args), **{k: _bare(name, v) for k, v in kwargs.items()})
    if isinstance(function, np.ufunc) and out is None:
        result = _in_rows(result)
    return out if isinstance(out, StrictArray) else _wrap(result, parents)


def _in_rows(result):
    """What arithmetic returned in C order, as CuPy does whatever the order of its arguments."""
    return tuple(map(_in_rows, result)) if isinstance(result, tuple) else np.asarray(result, order="C")


class _Ufunc:
    """A CuPy ufunc: callable, with the few methods that CuPy has on the GPU."""

    def __init__(self, ufunc):
        self.ufunc, self.__name__ = ufunc, ufunc.__name__

    def __call__(self, *args, **kwargs):
        return _call(self.ufunc, self.__name__, args, kwargs) if self.__name__ not in QUOTIENTS else self._by_quotient(*args)

    def _by_quotient(self, x, y):
        """CuPy rounds the quotient first: its 1 // 0.1 is 10."""
        if any(getattr(v, "dtype", np.dtype(int)).kind == "f" for v in (x, y)):
            quotient = strict.floor(x / y)
            return quotient if self.__name__ == "floor_divide" else x - quotient * y
        return _call(self.ufunc, self.__name__, (x, y), {})

    def at(self, target, index, values):
        """Only these four, on dtypes that have an atomic addition."""
        if self.__name__ not in ("add", "subtract", "maximum", "minimum"):
            raise NotImplementedError(f"{self.__name__}.at")
        if target.dtype.name not in ATOMIC:
            raise TypeError(f"scatter_add does not support {target.dtype}")
        if self.__name__ in ("maximum", "minimum") and target.dtype.kind == "f":
            raise NotImplementedError(f"{self.__name__}.at: CuPy rounds float64 to float32 and overlooks NaN")
        self.ufunc.at(target._a, _index(index), _bare("at", values))

    def outer(self, a, b):
        """As in NumPy."""
        return _call(self.ufunc.outer, "outer", (a, b), {})


class _Namespace(types.ModuleType):
    """numpy, or a module inside it, with CuPy's manners."""

    def __init__(self, name, source, allowed=None):
        super().__init__(name)
        self.__dict__.update(_source=source, _allowed=allowed)

    def __getattr__(self, name):
        if name.startswith("__") or name in MISSING or self._allowed is not None and name not in self._allowed:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        value = getattr(self._source, name)
        if isinstance(value, np.ufunc):
            return _Ufunc(value)
        if isinstance(value, type) or not callable(value):
            return value
        if name in FROM_HOST:
            return lambda a, *args, **kwargs: (a if _as_it_is(name, a) and not args and not kwargs else _wrap(
                value(a._a if isinstance(a, StrictArray) else _upload(name, a), *args, **kwargs), [a]))
        return lambda *args, **kwargs: _call(value, name, args, kwargs)


def _as_it_is(name, a):
    """Whether the function `name` returns the array `a` itself."""
    return isinstance(a, StrictArray) and name != "array" and (name != "ascontiguousarray" or a._a.flags.c_contiguous)


def _upload(name, value):
    """Host data on its way to the device. A list of device arrays is none: CuPy takes it, one transfer an element."""
    if isinstance(value, (list, tuple)) and any(isinstance(v, StrictArray) for v in value):
        raise TypeError(f"{name}: a list of device arrays; use stack")
    if not isinstance(value, (int, float, np.generic)):  # a number travels with the launch that fills the array
        uploads.append(np.shape(value))
    return np.array(value)


strict = _Namespace("cupy", np)
strict.ndarray = StrictArray
strict.linalg = _Namespace("cupy.linalg", np.linalg, LINALG)
strict.lib = types.SimpleNamespace(stride_tricks=types.SimpleNamespace(
    as_strided=lambda x, shape=None, strides=None: _wrap(np.lib.stride_tricks.as_strided(x._a, shape, strides), [x])))
strict.shares_memory = lambda a, b: a.ndim == b.ndim == 0 or np.shares_memory(a._a, b._a)  # CuPy: True for all 0-d arrays


class CpuStream:
    """The CPU's random numbers on the device, in the place of a `CounterStream`, so that results can be compared."""

    def __init__(self, xp, seed):
        self._numbers, self._wrap, self._seed = np.random.Generator(np.random.PCG64(seed)), xp.asarray, seed

    @property
    def state(self):
        return {"seed": self._seed, "position": self._numbers.bit_generator.state}

    @state.setter
    def state(self, state):
        self._numbers.bit_generator.state = state["position"]

    def random(self, shape, dtype=np.float64):
        return self._wrap(np.asarray(self._numbers.random(shape, dtype)))

    def standard_normal(self, shape, dtype=np.float64):
        return self._wrap(np.asarray(self._numbers.standard_normal(shape, dtype)))

    def integers(self, low, high, shape, dtype=np.int64):
        return self._wrap(np.asarray(self._numbers.integers(low, high, shape, dtype)))


timeline = []  # what was put into which queue, in order: (queue, what)


class Event:
    """A mark in a queue: how long the timeline was when it was set. Nothing on it is ever done, as on a slow GPU."""
    done = False

    def __init__(self):
        self.at = len(timeline)


class Stream:
    """A queue of a pretended GPU."""

    def __init__(self, name="copies", non_blocking=True):
        self.name = name

    def record(self):
        return Event()

    def wait_event(self, event):
        timeline.append((self.name, ("wait", event.at)))


def _allocate_pinned(size):
    memory = bytearray(size)
    address = np.frombuffer(memory, np.uint8).ctypes.data
    _pinned.append((address, address + size, memory))
    return memory


class _Gpu(contextlib.nullcontext):
    """cupy.cuda.Device, of compute capability 9.0."""
    compute_capability = "90"


_compute, _pinned = Stream("compute"), []
strict.cuda = types.SimpleNamespace(
    runtime=types.SimpleNamespace(
        getDeviceCount=lambda: 1, getDevice=lambda: 0, memoryTypeHost=1,
        pointerGetAttributes=lambda p: types.SimpleNamespace(type=int(any(a <= p < b for a, b, _ in _pinned)))),
    device=types.SimpleNamespace(get_cublas_handle=lambda: 7),
    Device=_Gpu, Stream=Stream, get_current_stream=lambda: _compute,
    alloc_pinned_memory=_allocate_pinned)


def _gemm(handle, flip_a, flip_b, m, n, k, alpha, a, a_kind, a_step, a_next, b, b_kind, b_step, b_next, beta, c, c_kind,
          c_step, c_next, count, compute, algorithm):
    """cublasGemmStridedBatchedEx: C = alpha op(A) op(B), matrices stored column by column, `step` numbers apart."""
    def columns(address, kind, step, next, shape):
        dtype = np.dtype("fde"[kind])
        size = ((count - 1) * next + (shape[1] - 1) * step + shape[0]) * dtype.itemsize
        memory = np.frombuffer((ctypes.c_char * size).from_address(address), dtype)
        return np.lib.stride_tricks.as_strided(memory, (count, *shape), [dtype.itemsize * s for s in (next, 1, step)])

    number = np.dtype({68: "f", 70: "d"}[compute])
    factor, zero = (np.frombuffer((ctypes.c_char * number.itemsize).from_address(p), number)[0] for p in (alpha, beta))
    x = columns(a, a_kind, a_step, a_next, (k, m) if flip_a else (m, k)).astype(number)
    y = columns(b, b_kind, b_step, b_next, (n, k) if flip_b else (k, n)).astype(number)
    out = columns(c, c_kind, c_step, c_next, (m, n))
    out[...] = factor * ((x.swapaxes(1, 2) if flip_a else x) @ (y.swapaxes(1, 2) if flip_b else y)) + zero


cublas = types.SimpleNamespace(gemmStridedBatchedEx=_gemm)


def install(monkeypatch, kernels=None, stream=CpuStream):
    """Until the test ends, 'cuda' is the strict array's device and the default one, with the CPU's random numbers.

    `kernels`: a class in the place of cupy.RawModule (`emulated.py` has one); without it the formulas run.
    """
    special = types.ModuleType("cupyx.scipy.special")
    for name in ("erf", "erfc", "erfinv"):  # which answer float16 in another dtype
        setattr(special, name, lambda x, f=getattr(error_function, name): StrictArray(
            f(x._a.astype(np.float64) if x.dtype == np.float16 else x._a)))
    for name in ("cupyx", "cupyx.scipy"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setitem(sys.modules, "cupyx.scipy.special", special)
    monkeypatch.setitem(arrays._MODULES, StrictArray, strict)
    for module in [m for name, m in sys.modules.items() if name.startswith("tinycnn.") and "load_cupy" in vars(m)]:
        monkeypatch.setattr(module, "load_cupy", lambda: strict)
    monkeypatch.setattr(arrays, "PREPARE", [])
    monkeypatch.setattr(arrays, "_default_device", arrays.Device("cuda"))
    monkeypatch.setattr(generators, "_generators", dict(generators._generators))
    monkeypatch.setitem(generators.STREAMS, "cuda", stream)
    if kernels:
        monkeypatch.setitem(strict.__dict__, "RawModule", kernels)
        for name in ("cupy_backends", "cupy_backends.cuda"):
            monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
        monkeypatch.setitem(sys.modules, "cupy_backends.cuda.libs", types.SimpleNamespace(cublas=cublas))
    cuda.uploads.cache_clear()
    timeline.clear()
    uploads.clear()
    waits.clear()
