"""Floor 0: kernels, small programs for GPUs, where NumPy's functions are not the right tools.

The operations are written once for NumPy and CuPy, and most of them stay so on a GPU. A few are worth a program of their
own: those that would walk through memory several times for one formula, and convolution, whose columns would be most of the
bytes that it moves. They stand in the .cu files beside this one, in CUDA C++, and here is a function for each: it allocates
the results, says how many threads are needed, and launches them. What they compute is said in `ops/`, by the plain road that
runs where `serves` says no.

A launch only puts the work into the GPU's queue. Nothing here waits for a result, and no result depends on which thread
comes first: no kernel adds to a number that another thread may be adding to.

CuPy compiles a file when one of its kernels is first launched (a second or so), and keeps the program on disk.
"""
import functools
import math
import re
from pathlib import Path

import numpy as np

from ..engine.arrays import array_module, is_array
from .cuda import tensor_cores

THREADS = 256      # in a block, as in common.cuh
BLOCKS = 65536     # at most; each thread then does the work of several, see FOR_EACH in common.cuh
WHOLE = 2048       # blocks that keep every processor of a large GPU busy
PROCESSORS = 132   # of a large GPU
COLUMNS = 128      # of a tile of a product, as in product.cuh
LEAST_PART = 256   # windows in a part of the sum of a weight's gradient
ENTRIES = 64       # parameters in one launch, as in optim.cu
TYPES = {"float32": "float", "float64": "double", "float16": "__half"}
DTYPES = {np.dtype(name) for name in TYPES}
FILES = {path.stem: path for path in Path(__file__).parent.glob("*.cu")}
GEOMETRY = np.dtype([(name, np.int32) for name in "N C H W OH OW KH KW SH SW PH PW DH DW".split()])
ENTRY = np.dtype([*((name, np.uint64) for name in ("p", "m", "v", "dp")), ("size", np.int64), ("step", np.float64),
                  ("root", np.float64)])
TABLE = np.dtype([("entry", ENTRY, ENTRIES)])


# ---- compiling and launching -----------------------------------------------------------------------------------------

def serves(x):
    """Whether the kernels can work on the array x: on a GPU, of float16, float32 or float64, and not empty."""
    return (type(x) is not np.ndarray and is_array(x) and x.dtype in DTYPES and x.size > 0
            and hasattr(array_module(x), "RawModule"))


def knows(file, dtype):
    """Whether the kernels of a file work on arrays of `dtype`: those that draw numbers or keep weights not on float16."""
    return dtype in DTYPES and (dtype != "float16" or file not in ("optim", "random"))


def source(file, dtype):
    """The text of a .cu file that is compiled for arrays of `dtype`, and the names of the kernels in it."""
    text = re.sub(r'#include "(.*)"\n', lambda match: FILES[file].with_name(match[1]).read_text(), FILES[file].read_text())
    names = re.findall(r"__global__ (?:__launch_bounds__\S* \S* )?void (\w+)\(", text)
    half = "#include <cuda_fp16.h>\n" if dtype == "float16" else ""
    return half + FILES[file].with_name("common.cuh").read_text() + text, [f"{name}<{TYPES[dtype]}>" for name in names]


def variants(file, dtype):
    """The options with which a file may be compiled for arrays of `dtype`: how many rows its tiles have, and which cores."""
    if file != "conv":
        return [()]
    return [_options(rows, tensor) for rows in _heights(dtype) for tensor in (False, True)[:1 + (dtype != "float64")]]


@functools.cache
def _module(xp, file, dtype, options):
    text, names = source(file, dtype)
    return xp.RawModule(code=text, options=("-std=c++17", *options), name_expressions=tuple(names))


@functools.cache
def _kernel(xp, file, name, dtype, options):
    return _module(xp, file, dtype.name, options).get_function(f"{name}<{TYPES[dtype.name]}>")


def launch(file, name, xp, dtype, grid, *args, options=()):
    """Run a kernel in a grid of blocks. Integers arrive there as long long, floats as double, arrays as pointers."""
    _kernel(xp, file, name, dtype, options)(grid, (THREADS,), args)


def _each(count):
    """The grid for a thread an element."""
    return (max(1, min(-(-count // THREADS), BLOCKS)),)


def _warps(rows):
    """The grid for a warp, 32 threads, a row."""
    return (-(-rows // (THREADS // 32)),)


def _like(x, *arrays):
    """The arrays, contiguous and in the dtype of x; None stays None, and booleans stay booleans."""
    dtype, out = x.dtype, []
    for a in arrays:
        if a is not None and not (a.dtype == dtype and a.flags.c_contiguous):
            a = array_module(x).ascontiguousarray(a, bool if a.dtype == bool else dtype)
        out.append(a)
    return out


# ---- windows ---------------------------------------------------------------------------------------------------------

def _by_value(struct):
    """An array of one structure, as CuPy takes it for a launch; as mere bytes it costs a tenth of the time."""
    return struct.view(f"V{struct.itemsize}")


class Geometry:
    """What the kernels know about windows: N, C, ..., DW of `struct Geometry`, and `struct`, which travels with a launch."""

    def __init__(self, *numbers):
        self.struct = _by_value(np.array([numbers], GEOMETRY))
        self.__dict__.update(zip(GEOMETRY.names, numbers))


def geometry(images, channels, size, out, kernel, stride, padding, dilation):
    """The Geometry of images or signals; `padding` holds (before, after) for each dimension."""
    return _geometry(images, channels, tuple(size), tuple(out), tuple(kernel), tuple(stride), tuple(map(tuple, padding)),
                     tuple(dilation))


@functools.lru_cache(1024)
def _geometry(images, channels, size, out, kernel, stride, padding, dilation):
    rows = [size, out, kernel, stride, [before for before, _ in padding], dilation]
    if len(size) == 1:  # a signal is an image of one row
        rows = [[first, *row] for first, row in zip((1, 1, 1, 1, 0, 1), rows)]
    return Geometry(images, channels, *(number for row in rows for number in row))


def _heights(dtype):
    """How many rows the tiles of a product of `dtype` may have: a thread can keep half as many float64."""
    return (32, 64) if dtype == "float64" else (16, 32, 64, 128)


def _options(rows, tensor):
    return f"-DROWS={rows}", f"-DTENSOR={int(tensor)}"


@functools.lru_cache(1024)
def _tiles(rows, columns, dtype, tensor):
    """(how many tiles cover `rows`, the options that make them so high), given how many tiles there are side by side.

    The fewer rows a tile has, the less is lost where they do not divide `rows`, and the more processors find work; but what
    is gathered for its columns then serves fewer products, a cost like that of 32 rows.
    """
    cost = lambda high: -(-(-(-rows // high) * columns) // PROCESSORS) * (high + 32)
    high = min(reversed(_heights(dtype)), key=cost)
    return -(-rows // high), _options(high, tensor)


def convolve(x, w, b, shape, g, groups):
    """x (N, C, *S), w (F, C / groups, *K), b (F) or None -> y of `shape` (N, F, *O)."""
    (x, w, b), xp = _like(x, x, w, b), array_module(x)
    y, columns = xp.empty(shape, x.dtype), -(-g.N * g.OH * g.OW // COLUMNS) * groups
    tiles, options = _tiles(len(w) // groups, columns, x.dtype, tensor_cores(xp, x.dtype))
    launch("conv", "convolve", xp, x.dtype, (tiles * columns,), x, w, b, y, g.struct, len(w), groups, options=options)
    return y


def input_gradient(dy, w, shape, g, groups):
    """dy (N, F, *O), w (F, C / groups, *K) -> dx of `shape` (N, C, *S)."""
    (dy, w), xp = _like(dy, dy, w), array_module(dy)
    dx, columns = xp.empty(shape, dy.dtype), -(-g.N * -(-g.H // g.SH) * -(-g.W // g.SW) // COLUMNS) * g.SH * g.SW * groups
    tiles, options = _tiles(g.C // groups, columns, dy.dtype, tensor_cores(xp, dy.dtype))
    launch("conv", "input_gradient", xp, dy.dtype, (tiles * columns,), dy, w, dx, g.struct, len(w), groups, options=options)
    return dx


def weight_gradient(x, dy, shape, g, groups):
    """x (N, C, *S), dy (N, F, *O) -> dw of `shape` (F, C / groups, *K)."""
    (x, dy), xp = _like(x, x, dy), array_module(x)
    dw, filters = xp.empty(shape, x.dtype), shape[0]
    columns = -(-dw.size // filters // COLUMNS) * groups
    tiles, options = _tiles(filters // groups, PROCESSORS * columns, x.dtype, tensor_cores(xp, x.dtype))
    parts = max(1 + g.N * g.OH * g.OW // 2**30, min(4 * PROCESSORS // (tiles * columns), g.N * g.OH * g.OW // LEAST_PART))
    part = dw if parts == 1 and x.dtype != "float16" else xp.empty((parts, dw.size), _sum_type(x.dtype))
    launch("conv", "weight_parts", xp, x.dtype, (tiles * columns * parts,), x, dy, part, g.struct, filters, groups, parts,
           options=options)
    if part is not dw:
        launch("conv", "sum_parts", xp, x.dtype, _each(dw.size), part, dw, dw.size, parts, options=options)
    return dw


def depthwise(x, w, b, shape, g):
    """x (N, C, *S), w (C, 1, *K), b (C) or None -> y of `shape` (N, C, *O): a filter of its own for every channel."""
    (x, w, b), xp = _like(x, x, w, b), array_module(x)
    y = xp.empty(shape, x.dtype)
    launch("depthwise", "depthwise", xp, x.dtype, _each(y.size), x, w, b, y, g.struct)
    return y


def depthwise_input(dy, w, shape, g):
    """dy (N, C, *O), w (C, 1, *K) -> dx of `shape` (N, C, *S)."""
    (dy, w), xp = _like(dy, dy, w), array_module(dy)
    dx = xp.empty(shape, dy.dtype)
    launch("depthwise", "depthwise_input", xp, dx.dtype, _each(dx.size), dy, w, dx, g.struct)
    return dx


def depthwise_weight(x, dy, shape, g):
    """x (N, C, *S), dy (N, C, *O) -> dw of `shape` (C, 1, *K)."""
    (x, dy), xp = _like(x, x, dy), array_module(x)
    dw = xp.empty(shape, x.dtype)
    launch("depthwise", "depthwise_weight", xp, x.dtype, (dw.size,), x, dy, dw, g.struct)
    return dw


def max_pool(x, g):
    """x (N, C, H, W) -> the maxima (N, C, OH, OW) and their indices, int32, in their planes."""
    (x,), xp = _like(x, x), array_module(x)
    shape = (g.N, g.C, g.OH, g.OW)
    y, winner = xp.empty(shape, x.dtype), xp.empty(shape, np.int32)
    launch("pool", "max_pool", xp, x.dtype, _each(y.size), x, y, winner, g.struct)
    return y, winner


def max_pool_backward(dy, winner, g):
    """dy (N, C, OH, OW) -> dx (N, C, H, W), each dy added to the pixel that won."""
    (dy,), xp = _like(dy, dy), array_module(dy)
    dx = xp.empty((g.N, g.C, g.H, g.W), dy.dtype)
    launch("pool", "max_pool_backward", xp, dy.dtype, _each(dx.size), dy, winner, dx, g.struct)
    return dx


# ---- batch normalisation: x (N, C, *S), vectors (1, C, 1, ...) -------------------------------------------------------

def _planes(x):
    """(N, C, S) of x (N, C, *S), and into how many parts the numbers of a channel are cut for its sums."""
    n, c = x.shape[:2]
    s = x.size // (n * c)
    return n, c, s, max(1, min(WHOLE // c, n * s // (8 * THREADS)))


def _some(count):
    """The grid for threads that do many elements each, where the first takes longer than those after it."""
    return (max(1, min(-(-count // THREADS), WHOLE)),)


def _sum_type(dtype):
    """The dtype of the type Sum<T> in common.cuh."""
    return np.dtype(np.float64 if dtype == np.float64 else np.float32)


def moments(x):
    """Mean and biased variance of every channel."""
    (x,), xp, (n, c, s, parts) = _like(x, x), array_module(x), _planes(x)
    mean, squares = xp.empty((2, parts, c), _sum_type(x.dtype))
    mu, var = xp.empty((2, 1, c, *[1] * (x.ndim - 2)), x.dtype)
    launch("norm", "moments", xp, x.dtype, (parts * c,), x, mean, squares, n, c, s, parts)
    launch("norm", "join_moments", xp, x.dtype, _each(c), mean, squares, mu, var, c, n * s, parts)
    return mu, var


def normalise(x, mu, r, w, b):
    """y = w (x - mu) r + b; w and b may be None."""
    (x, mu, r, w, b), xp, (_, c, s, _) = _like(x, x, mu, r, w, b), array_module(x), _planes(x)
    y = xp.empty(x.shape, x.dtype)
    launch("norm", "normalise", xp, x.dtype, _some(x.size), x, mu, r, w, b, y, x.size, c, s)
    return y


def sums(dy, x, mu, r):
    """s = sum dy and t = sum dy (x - mu) r of every channel, in the type of sums."""
    (dy, x, mu, r), xp, (n, c, s, parts) = _like(dy, dy, x, mu, r), array_module(dy), _planes(dy)
    plain, weighted = xp.empty((2, parts, c), _sum_type(dy.dtype))
    launch("norm", "gradient_sums", xp, dy.dtype, (parts * c,), dy, x, mu, plain, weighted, n, c, s, parts)
    return _joined(xp, dy.dtype, plain, weighted, r, (1, c, *[1] * (dy.ndim - 2)))


def _joined(xp, dtype, plain, weighted, r, shape):
    """The sums over all parts, each of `shape`."""
    s, t = xp.empty(shape, plain.dtype), xp.empty(shape, plain.dtype)  # two arrays: gradients must not share their memory
    launch("norm", "join_sums", xp, dtype, _warps(s.size), plain, weighted, r, s, t, s.size, len(plain))
    return s, t


def combine(dy, x, mu, r, w, s, t):
    """dx = w r (dy - s / m - (x - mu) r t / m) with s, t from `sums`, and m numbers in a channel; w may be None."""
    (dy, x, mu, r, w), xp, (_, c, pixels, _) = _like(dy, dy, x, mu, r, w), array_module(dy), _planes(dy)
    dx = xp.empty(dy.shape, dy.dtype)
    launch("norm", "combine", xp, dy.dtype, _some(dy.size), dy, x, mu, r, w, s, t, dx, dy.size, c, pixels)
    return dx


def rate(var, eps):
    """1 / sqrt(var + eps)."""
    (var,), xp = _like(var, var), array_module(var)
    r = xp.empty(var.shape, var.dtype)
    launch("norm", "rate", xp, var.dtype, _each(var.size), var, r, float(eps), var.size)
    return r


def move(x, y, a, b):
    """x = a x + b y in place, with numbers a and b and a contiguous x."""
    (y,), xp = _like(x, y), array_module(x)
    launch("norm", "move", xp, x.dtype, _each(x.size), x, y, float(a), float(b), x.size)


# ---- layer normalisation: x (..., *D), a row for all that share one mean ---------------------------------------------

def normalise_rows(x, w, b, eps, dims):
    """y = w (x - mu) r + b, where x is a row along its last `dims` axes; mu and r, of size 1 there. w, b may be None."""
    (x, w, b), xp, shape = _like(x, x, w, b), array_module(x), (*x.shape[:-dims], *[1] * dims)
    y, mu, r = (xp.empty(s, x.dtype) for s in (x.shape, shape, shape))
    launch("layer_norm", "normalise_rows", xp, x.dtype, _warps(mu.size), x, w, b, y, mu, r, float(eps), mu.size,
           x.size // mu.size)
    return y, mu, r


def gradients_of_rows(dy, x, mu, r, w, dims):
    """dx, dw and db, with mu and r from `normalise_rows`."""
    (dy, x, mu, r, w), xp, rows, size = _like(dy, dy, x, mu, r, w), array_module(dy), mu.size, x.size // mu.size
    dx, parts = xp.empty(x.shape, x.dtype), max(1, min(rows // 32, WHOLE // -(-size // THREADS)))
    launch("layer_norm", "row_gradients", xp, x.dtype, _warps(rows), dy, x, mu, r, w, dx, rows, size)
    plain, weighted = xp.empty((2, parts, size), _sum_type(x.dtype))
    launch("layer_norm", "column_sums", xp, x.dtype, (-(-size // THREADS), parts), dy, x, mu, r, plain, weighted, rows, size,
           parts)
    db, dw = _joined(xp, x.dtype, plain, weighted, None, x.shape[-dims:])
    return dx, dw.astype(x.dtype, copy=False), db.astype(x.dtype, copy=False)


# ---- softmax along the last axis -------------------------------------------------------------------------------------

def _rows(name, x, *arrays, options=()):
    """Run a kernel with a warp for every row; the result is shaped like x."""
    xp, y, rows = array_module(x), array_module(x).empty(x.shape, x.dtype), x.size // x.shape[-1]
    launch("softmax", name, xp, x.dtype, _warps(rows), *_like(x, x, *arrays), y, rows, x.shape[-1], *options)
    return y


def softmax(x, zeros=False):
    """p = e^x / sum e^x; with `zeros`, 0 in a row where every x is -inf."""
    return _rows("softmax", x, options=(zeros,))


def log_softmax(x):
    """log p."""
    return _rows("log_softmax", x)


def softmax_backward(dp, p):
    """p (dp - sum dp p)."""
    return _rows("softmax_backward", dp, p)


def one_hot(labels, shape, axis, weight, dtype, ignored, smoothing):
    """Targets y of `shape` from labels (y's shape without `axis`), and how much each label counts."""
    xp = array_module(labels)
    y, counts = xp.empty(shape, dtype), xp.empty(labels.shape, dtype)
    (weight,), labels = _like(y, weight), xp.ascontiguousarray(labels, np.int64)
    launch("softmax", "one_hot", xp, y.dtype, _each(y.size), labels, weight, y, counts, y.size, shape[axis],
           math.prod(shape[axis + 1:]), int(ignored), float(smoothing))
    return y, counts


def cross_entropy(x, y):
    """log p, and -sum y log p of every row."""
    (x, y), xp = _like(x, x, y), array_module(x)
    logp, l = xp.empty(x.shape, x.dtype), xp.empty(x.shape[:-1], x.dtype)
    launch("softmax", "cross_entropy", xp, x.dtype, _warps(l.size), x, y, logp, l, l.size, x.shape[-1])
    return logp, l


def cross_entropy_backward(dl, logp, y):
    """dl (p sum y - y), with a dl for every row."""
    xp, dx = array_module(logp), array_module(logp).empty(logp.shape, logp.dtype)
    launch("softmax", "cross_entropy_backward", xp, logp.dtype, _warps(dl.size), *_like(logp, dl, logp, y), dx, dl.size,
           logp.shape[-1])
    return dx


# ---- elementwise -----------------------------------------------------------------------------------------------------

def each(name, x, *others, options=()):
    """The kernel `name` of elementwise.cu on arrays of one shape; its `options` are numbers."""
    xp = array_module(x)
    x, *others = _like(x, x, *others)
    y = xp.empty(x.shape, x.dtype)
    launch("elementwise", name, xp, x.dtype, _each(x.size), x, *others, y, x.size, *options)
    return y


def _runs(name, target, index, values, *options):
    """Run a kernel of scatter.cu: target (M,), index and values (N,)."""
    xp = array_module(target)
    index = index.astype(np.int64, copy=False)
    order = index.argsort().astype(np.int64, copy=False)  # CuPy's keeps the order of equal entries
    (values,) = _like(target, values)
    launch("scatter", name, xp, target.dtype, _each(order.size), target, index[order], order, values, order.size, *options)


def add_at(target, index, values):
    """target[index] += values, where an index that occurs twice adds twice: target (M,), index and values (N,)."""
    _runs("add_runs", target, index, values)


def extreme_at(target, index, values, largest):
    """target[index] = the largest (or smallest) of itself and of the values for this index."""
    _runs("extreme_runs", target, index, values, largest)


# ---- optimizers ------------------------------------------------------------------------------------------------------

def update(name, entries, *options):
    """Run the rule `name` of optim.cu on many parameters: dictionaries of the arrays p, dp, and m, v or None, and numbers
    step and root. All p are of one dtype, and contiguous as their m and v are. The table of their addresses travels with
    the launch: nothing is copied to the GPU before.
    """
    xp, dtype = array_module(entries[0]["p"]), entries[0]["p"].dtype
    entries = [{**entry, "dp": _like(entry["p"], entry["dp"])[0]} for entry in entries]
    for first in range(0, len(entries), ENTRIES):
        table, some = np.zeros(1, TABLE), entries[first:first + ENTRIES]
        for row, entry in zip(table["entry"][0], some):
            for key in ("p", "m", "v", "dp"):
                row[key] = 0 if entry.get(key) is None else entry[key].data.ptr
            row["size"], row["step"], row["root"] = entry["p"].size, entry["step"], entry.get("root", 1)
        blocks = max(entry["p"].size for entry in some)
        launch("optim", name, xp, dtype, (min(-(-blocks // THREADS), WHOLE), len(some)), _by_value(table), *options)
