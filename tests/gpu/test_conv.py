"""The convolution of GPUs, run on the CPU by `emulated.py`: tiles, parts, and tensor cores with their rounding."""
import ctypes
import mmap
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tinycnn
from tests.helpers import emulated
from tests.helpers.strict_array import StrictArray, install, strict
from tinycnn.engine import arrays
from tinycnn.gpu import conv as gpu_conv
from tinycnn.gpu import cuda
from tinycnn.ops import conv

pytestmark = pytest.mark.skipif(emulated.COMPILER is None, reason="needs a C++ compiler, to run the CUDA kernels on the CPU")
TOLERANCE = {"float64": 1e-13, "float32": 2e-6, "float16": 1e-3}


@pytest.fixture(autouse=True)
def device(monkeypatch):
    """'cuda' is the emulated GPU, whose products are exact."""
    install(monkeypatch, kernels=emulated.RawModule)
    monkeypatch.setattr(arrays, "_precision", "highest")
    cuda._capability.cache_clear()
    emulated.launches.clear()


def to_tf32(a):
    """float32 rounded to 10 bits after the leading one."""
    return ((np.asarray(a, np.float32).view(np.uint32) + 0x1000) & np.uint32(0xffffe000)).view(np.float32)


def same(a):
    return a


class Layer:
    """A layer with random numbers, its results on the emulated GPU and, in float64, on the CPU."""

    def __init__(self, images, channels, filters, size, kernel, stride=1, padding=0, dilation=1, groups=1, dtype="float64"):
        dims, rng = len(size), np.random.default_rng(0)
        stride, dilation = (v if isinstance(v, tuple) else (v,) * dims for v in (stride, dilation))
        padding = padding if isinstance(padding, tuple) else ((padding, padding),) * dims
        self.out = tuple((s + before + after - d * (k - 1) - 1) // t + 1
                         for s, (before, after), d, k, t in zip(size, padding, dilation, kernel, stride))
        self.size, self.kernel, self.options = size, kernel, (stride, padding, dilation, groups)
        self.arrays = [rng.standard_normal(shape).astype(dtype) for shape in (
            (images, channels, *size), (filters, channels // groups, *kernel), (filters,), (images, filters, *self.out))]

    def results(self, x, w, b, dy):
        """(y, dw, dx)."""
        return (conv.convolve(x, w, self.out, *self.options, b), conv.weight_gradient(x, dy, self.kernel, *self.options),
                conv.input_gradient(dy, w, self.size, *self.options))

    def on_gpu(self):
        return [a._a for a in self.results(*map(StrictArray, self.arrays))]

    def on_cpu(self, rounded=same):
        x, w, b, dy = self.arrays
        with tinycnn.plainly():
            return self.results(*(a.astype(np.float64) for a in (rounded(x), rounded(w), b, rounded(dy))))

    def errors(self, rounded=same):
        """The largest error of each result, relative to the largest number in it."""
        found, expected = self.on_gpu(), self.on_cpu(rounded)
        assert all(a.dtype == self.arrays[0].dtype and a.shape == b.shape for a, b in zip(found, expected))
        return [np.abs(a - b).max() / np.abs(b).max() for a, b in zip(found, expected)]


LARGE = {  # more than one tile of rows, of columns, and several steps of the sum, unless the name says otherwise
    "tiles": dict(images=3, channels=20, filters=140, size=(9, 8), kernel=(3, 3), padding=1),
    "one channel": dict(images=5, channels=1, filters=6, size=(14, 13), kernel=(5, 5), padding=2),
    "three channels": dict(images=2, channels=3, filters=70, size=(12, 11), kernel=(3, 3), padding=1),
    "strides": dict(images=4, channels=34, filters=18, size=(13, 12), kernel=(3, 2), stride=(2, 3),
                    padding=((1, 0), (0, 2))),
    "stride beyond the kernel": dict(images=3, channels=18, filters=17, size=(14, 13), kernel=(2, 1), stride=(3, 2)),
    "dilation": dict(images=3, channels=17, filters=33, size=(12, 14), kernel=(3, 3), padding=((2, 3), (1, 2)),
                     dilation=(2, 3)),
    "stride and dilation": dict(images=3, channels=9, filters=40, size=(15, 16), kernel=(3, 4), stride=(2, 4), padding=2,
                                dilation=(2, 6)),
    "groups": dict(images=3, channels=36, filters=105, size=(8, 9), kernel=(3, 3), stride=(1, 2), padding=1, groups=3),
    "kernel of size 1": dict(images=3, channels=40, filters=130, size=(9, 9), kernel=(1, 1), stride=2),
    "signals": dict(images=4, channels=19, filters=66, size=(83,), kernel=(4,), stride=2, padding=((1, 2),)),
    "many small images": dict(images=40, channels=2, filters=3, size=(3, 7), kernel=(2, 2), stride=2),
    "parts": dict(images=9, channels=5, filters=7, size=(12, 11), kernel=(3, 3), padding=1),
}


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", LARGE)
def test_a_layer_of_many_tiles_has_the_cpus_numbers(name, dtype):
    assert max(Layer(**LARGE[name], dtype=dtype).errors()) < TOLERANCE[dtype]


@pytest.mark.parametrize("name", LARGE)
def test_tensor_cores_multiply_rounded_numbers_exactly(name, monkeypatch):
    monkeypatch.setattr(arrays, "_precision", "high")
    layer = Layer(**LARGE[name], dtype="float32")
    assert max(layer.errors(to_tf32)) < TOLERANCE["float32"]
    assert all(1e-5 < error < 3e-3 for error in layer.errors())


@pytest.mark.parametrize("precision", ["highest", "high"])
def test_no_number_depends_on_which_thread_comes_first(precision, monkeypatch):
    monkeypatch.setattr(arrays, "_precision", precision)
    layer = Layer(3, 9, 70, (13, 11), (3, 3), 2, 1, dtype="float32")
    forward = layer.on_gpu()
    monkeypatch.setenv("EMULATION_BACKWARD", "1")
    assert all(a.tobytes() == b.tobytes() for a, b in zip(layer.on_gpu(), forward))


@pytest.mark.parametrize("rows", [16, 32, 64, 128])
@pytest.mark.parametrize("precision", ["highest", "high"])
def test_tiles_of_every_height_give_the_same(rows, precision, monkeypatch):
    monkeypatch.setattr(arrays, "_precision", precision)
    monkeypatch.setattr(gpu_conv, "_heights", lambda dtype: (rows,))
    gpu_conv._tiles.cache_clear()
    layer = Layer(2, 19, 37, (9, 9), (3, 3), padding=1, dtype="float32")
    assert max(layer.errors(to_tf32 if precision == "high" else same)) < TOLERANCE["float32"]
    gpu_conv._tiles.cache_clear()


def test_the_height_of_a_tile_fits_the_layer():
    def high(*args):
        tiles, (rows, tensor) = gpu_conv._tiles(*args)
        return tiles, int(rows.removeprefix("-DROWS=")), tensor
    many = 10**6
    assert high(64, many, "float32", True) == (1, 64, "-DTENSOR=1") and high(6, many, "float32", False)[:2] == (1, 16)
    assert high(192, many, "float32", True)[:2] == (3, 64) and high(512, many, "float32", True)[:2] == (4, 128)
    assert high(512, 16, "float32", True)[:2] == (8, 64)  # 64 tiles of 128 rows would leave half of the processors idle
    assert high(512, many, "float64", False)[:2] == (8, 64)


def test_old_gpus_have_no_tensor_cores_for_this(monkeypatch):
    monkeypatch.setattr(arrays, "_precision", "high")
    assert cuda.tensor_cores(strict, np.dtype("float32")) and cuda.tensor_cores(strict, np.dtype("float16"))
    assert not cuda.tensor_cores(strict, np.dtype("float64"))
    monkeypatch.setattr(strict.cuda.Device, "compute_capability", "75")
    cuda._capability.cache_clear()
    assert not any(cuda.tensor_cores(strict, np.dtype(dtype)) for dtype in TOLERANCE)
    for dtype in ("float16", "float32"):
        assert max(Layer(**LARGE["groups"], dtype=dtype).errors()) < TOLERANCE[dtype]
    cuda._capability.cache_clear()


@pytest.mark.parametrize("value", [np.nan, np.inf, np.uint32(0x7fffffff).view(np.float32)])
def test_what_is_no_number_goes_through_tensor_cores(value, monkeypatch):
    monkeypatch.setattr(arrays, "_precision", "high")
    layer = Layer(1, 3, 4, (6, 6), (3, 3), dtype="float32")
    layer.arrays[0][0, 1, 2, 2] = value
    y = layer.on_gpu()[0]
    assert not np.isfinite(y[:, :, :3, :3]).any() and np.isfinite(y[:, :, 3:]).all()
    assert np.isnan(y[:, :, :3, :3]).all() == np.isnan(value)


def test_the_parts_of_a_weights_gradient_are_added_up_in_order():
    layer = Layer(**LARGE["parts"], dtype="float32")
    first, second = layer.on_gpu(), layer.on_gpu()
    assert emulated.launches[:4] == ["convolve", "weight_parts", "sum_parts", "input_gradient"]
    assert all(a.tobytes() == b.tobytes() for a, b in zip(first, second))


def test_columns_are_never_written_down(monkeypatch):
    sizes, empty = [], strict.empty

    def note(shape, dtype):
        sizes.append(int(np.prod(shape)))
        return empty(shape, dtype)
    monkeypatch.setitem(strict.__dict__, "empty", note)
    layer = Layer(8, 16, 8, (16, 16), (3, 3), padding=1, dtype="float32")
    layer.on_gpu()
    x, w, _, dy = layer.arrays
    assert sizes[0] == dy.size and sizes[1] == w.size and sizes[-1] == x.size
    assert len(sizes) == 4 and sizes[2] <= dy.size  # the parts of dw


def test_a_layer_takes_one_launch_forward_and_one_for_each_gradient():
    layer = Layer(2, 5, 7, (6, 5), (1, 1))
    assert max(layer.errors()) < 1e-13
    assert emulated.launches == ["convolve", "weight_parts", "input_gradient"]


def test_images_too_large_to_be_counted_take_the_plain_road():
    x = StrictArray(np.broadcast_to(np.float32(1), (1, 1, 2**16, 2**15)))
    assert not gpu_conv.on_images(x) and gpu_conv.on_images(x[:, :, 1:])


# ---- reading beside an array, which need not show in the numbers --------------------------------------------------------

def guarded(a, at_end):
    """A copy of `a` whose last number, or first, lies beside memory that must not be touched."""
    size, page, libc = a.nbytes, mmap.PAGESIZE, ctypes.CDLL(None)
    pages = -(-size // page) * page
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long
    libc.mprotect.argtypes = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
    start = libc.mmap(None, pages + 2 * page, mmap.PROT_READ | mmap.PROT_WRITE,
                      mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0)
    for guard in (start, start + page + pages):
        libc.mprotect(guard, page, 0)
    place = start + page + (pages - size if at_end else 0)
    copy = np.frombuffer((ctypes.c_char * size).from_address(place), a.dtype).reshape(a.shape)
    copy[...] = a
    return copy


def run_beside_guards():
    """Every layer, with arrays that lie beside forbidden memory: where a kernel touches it, the process dies."""
    with pytest.MonkeyPatch.context() as patch:
        install(patch, kernels=emulated.RawModule)
        for precision, at_end in (("highest", True), ("high", True), ("high", False)):
            patch.setattr(arrays, "_precision", precision)
            patch.setitem(strict.__dict__, "empty",
                          lambda shape, dtype: StrictArray(guarded(np.full(shape, np.nan, dtype), at_end)))
            for options in LARGE.values():
                layer = Layer(**options, dtype="float32")
                layer.arrays = [guarded(a, at_end) for a in layer.arrays]
                assert all(np.isfinite(a).all() for a in layer.on_gpu())


@pytest.mark.skipif(sys.platform != "linux", reason="protects memory as Linux does")
def test_no_kernel_touches_what_lies_beside_its_arrays():
    run = subprocess.run([sys.executable, "-c", "from tests.gpu.test_conv import run_beside_guards; run_beside_guards()"],
                         cwd=Path(__file__).parents[2], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr or "it read or wrote beside an array"
