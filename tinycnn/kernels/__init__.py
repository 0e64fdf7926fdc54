"""Floor 0: kernels, small programs for GPUs, where NumPy's functions are not the right tools.

The operations are written once for NumPy and CuPy, and most of them stay so on a GPU. A few are worth a program of their
own: those that would walk through memory several times for one formula, and im2col, which moves most of the bytes of a
convolution. They stand in the .cu files beside this one, in CUDA C++, and here is a function for each: it allocates the
results, says how many threads are needed, and launches them. What they compute is said in `ops/`, by the plain road that
runs where `serves` says no.

A launch only puts the work into the GPU's queue. Nothing here waits for a result, and no result depends on which thread
comes first: no kernel adds to a number that another thread may be adding to.

CuPy compiles a file when one of its kernels is first launched (a second or so), and keeps the program on disk.
"""
import functools
import re
from pathlib import Path

import numpy as np

from ..backend import array_module, is_array

THREADS = 256      # in a block, as in common.cuh
BLOCKS = 65536     # at most; each thread then does the work of several, see FOR_EACH in common.cuh
WHOLE = 2048       # blocks that keep every processor of a large GPU busy
ENTRIES = 64       # parameters in one launch, as in optim.cu
TYPES = {"float32": "float", "float64": "double", "float16": "__half"}
FILES = {path.stem: path for path in Path(__file__).parent.glob("*.cu")}
GEOMETRY = np.dtype([(name, np.int32) for name in "N C H W OH OW KH KW SH SW PH PW DH DW".split()])
ENTRY = np.dtype([*((name, np.uint64) for name in ("p", "m", "v", "dp")), ("size", np.int64), ("step", np.float64),
                  ("root", np.float64)])
TABLE = np.dtype([("entry", ENTRY, ENTRIES)])


# ---- compiling and launching -----------------------------------------------------------------------------------------

def serves(x):
    """Whether the kernels can work on the array x: on a GPU, of float16, float32 or float64, and not empty."""
    return (type(x) is not np.ndarray and is_array(x) and x.dtype.name in TYPES and x.size > 0
            and hasattr(array_module(x), "RawModule"))


def knows(file, dtype):
    """Whether the kernels of a file work on arrays of `dtype`: those that draw numbers or keep weights not on float16."""
    return dtype.name in TYPES and (dtype.name != "float16" or file not in ("optim", "random"))


def source(file, dtype):
    """The text of a .cu file that is compiled for arrays of `dtype`, and the names of the kernels in it."""
    text = FILES[file].read_text()
    names = re.findall(r"__global__ void (\w+)\(", text)
    half = "#include <cuda_fp16.h>\n" if dtype == "float16" else ""
    return half + FILES[file].with_name("common.cuh").read_text() + text, [f"{name}<{TYPES[dtype]}>" for name in names]


@functools.cache
def _module(xp, file, dtype):
    text, names = source(file, dtype)
    return xp.RawModule(code=text, options=("-std=c++17",), name_expressions=tuple(names))


@functools.cache
def _kernel(xp, file, name, dtype):
    return _module(xp, file, dtype).get_function(f"{name}<{TYPES[dtype]}>")


def launch(file, name, xp, dtype, grid, *args):
    """Run a kernel in a grid of blocks. Integers arrive there as long long, floats as double, arrays as pointers."""
    _kernel(xp, file, name, dtype.name)(grid, (THREADS,), args)


def _each(count):
    """The grid for a thread an element."""
    return (max(1, min(-(-count // THREADS), BLOCKS)),)


def _like(x, *arrays):
    """The arrays (None stays None), contiguous and in the dtype of x."""
    xp = array_module(x)
    return [a if a is None or a.dtype == x.dtype and a.flags.c_contiguous else xp.ascontiguousarray(a, x.dtype)
            for a in arrays]


# ---- windows ---------------------------------------------------------------------------------------------------------

def geometry(images, channels, size, out, kernel, stride, padding, dilation):
    """What the kernels know about windows, of images or signals; `padding` holds (before, after) for each dimension."""
    rows = [size, out, kernel, stride, [before for before, _ in padding], dilation]
    if len(size) == 1:  # a signal is an image of one row
        rows = [[first, *row] for first, row in zip((1, 1, 1, 1, 0, 1), rows)]
    return np.array([(images, channels, *(number for row in rows for number in row))], GEOMETRY)


def im2col(x, g):
    """x (N, C, H, W) -> the matrix of columns (C * KH * KW, N * OH * OW)."""
    n, c, oh, ow, kh, kw = (int(g[name][0]) for name in ("N", "C", "OH", "OW", "KH", "KW"))
    (x,), xp = _like(x, x), array_module(x)
    cols = xp.empty((c * kh * kw, n * oh * ow), x.dtype)
    launch("windows", "im2col", xp, x.dtype, _each(c * n * oh * ow), x, cols, g)
    return cols


def col2im(cols, g):
    """The adjoint: the matrix of columns -> x (N, C, H, W)."""
    xp = array_module(cols)
    (cols,), x = _like(cols, cols), xp.empty([int(g[name][0]) for name in "NCHW"], cols.dtype)
    launch("windows", "col2im", xp, x.dtype, _each(x.size), cols, x, g)
    return x


def depthwise(x, w, b, g):
    """x (N, C, H, W), w (C, 1, KH, KW), b (C) or None -> y (N, C, OH, OW): a filter of its own for every channel."""
    (x, w, b), xp = _like(x, x, w, b), array_module(x)
    y = xp.empty([int(g[name][0]) for name in ("N", "C", "OH", "OW")], x.dtype)
    launch("depthwise", "depthwise", xp, x.dtype, _each(y.size), x, w, b, y, g)
    return y


def depthwise_input(dy, w, g):
    """dy (N, C, OH, OW), w (C, 1, KH, KW) -> dx (N, C, H, W)."""
    (dy, w), xp = _like(dy, dy, w), array_module(dy)
    dx = xp.empty([int(g[name][0]) for name in "NCHW"], dy.dtype)
    launch("depthwise", "depthwise_input", xp, dx.dtype, _each(dx.size), dy, w, dx, g)
    return dx


def depthwise_weight(x, dy, g):
    """x (N, C, H, W), dy (N, C, OH, OW) -> dw (C, 1, KH, KW)."""
    (x, dy), xp = _like(x, x, dy), array_module(x)
    c, kh, kw = (int(g[name][0]) for name in ("C", "KH", "KW"))
    dw = xp.empty((c, 1, kh, kw), x.dtype)
    launch("depthwise", "depthwise_weight", xp, x.dtype, (dw.size,), x, dy, dw, g)
    return dw


def max_pool(x, g):
    """x (N, C, H, W) -> the maxima (N, C, OH, OW) and their indices, int32, in their planes."""
    (x,), xp = _like(x, x), array_module(x)
    shape = [int(g[name][0]) for name in ("N", "C", "OH", "OW")]
    y, winner = xp.empty(shape, x.dtype), xp.empty(shape, np.int32)
    launch("pool", "max_pool", xp, x.dtype, _each(y.size), x, y, winner, g)
    return y, winner


def max_pool_backward(dy, winner, g):
    """dy (N, C, OH, OW) -> dx (N, C, H, W), each dy added to the pixel that won."""
    (dy,), xp = _like(dy, dy), array_module(dy)
    dx = xp.empty([int(g[name][0]) for name in "NCHW"], dy.dtype)
    launch("pool", "max_pool_backward", xp, dy.dtype, _each(dx.size), dy, winner, dx, g)
    return dx


# ---- batch normalisation: x (N, C, *S), vectors (1, C, 1, ...) -------------------------------------------------------

def _planes(x):
    """(N, C, S) of x (N, C, *S), and into how many parts the numbers of a channel are cut for its sums."""
    n, c = x.shape[:2]
    s = x.size // (n * c)
    return n, c, s, max(1, min(WHOLE // c, n * s // (8 * THREADS)))


def _sum_type(dtype):
    """The dtype of the type Sum<T> in common.cuh."""
    return np.dtype(np.float64 if dtype == np.float64 else np.float32)


def moments(x):
    """Mean and biased variance of every channel."""
    (x,), xp, (n, c, s, parts) = _like(x, x), array_module(x), _planes(x)
    mean, squares = xp.empty((parts, c), _sum_type(x.dtype)), xp.empty((parts, c), _sum_type(x.dtype))
    mu, var = (xp.empty((1, c, *[1] * (x.ndim - 2)), x.dtype) for _ in range(2))
    launch("norm", "moments", xp, x.dtype, (parts * c,), x, mean, squares, n, c, s, parts)
    launch("norm", "join_moments", xp, x.dtype, _each(c), mean, squares, mu, var, c, n * s, parts)
    return mu, var


def normalise(x, mu, r, w, b):
    """y = w (x - mu) r + b; w and b may be None."""
    (x, mu, r, w, b), xp, (_, c, s, _) = _like(x, x, mu, r, w, b), array_module(x), _planes(x)
    y = xp.empty(x.shape, x.dtype)
    launch("norm", "normalise", xp, x.dtype, _each(x.size), x, mu, r, w, b, y, x.size, c, s)
    return y


def sums(dy, x, mu, r):
    """sum dy and sum dy (x - mu) r of every channel."""
    (dy, x, mu), xp, (n, c, s, parts) = _like(dy, dy, x, mu), array_module(dy), _planes(dy)
    plain, weighted = xp.empty((parts, c), _sum_type(dy.dtype)), xp.empty((parts, c), _sum_type(dy.dtype))
    launch("norm", "gradient_sums", xp, dy.dtype, (parts * c,), dy, x, mu, plain, weighted, n, c, s, parts)
    shape = (1, c, *[1] * (dy.ndim - 2))
    plain, weighted = (part.sum(0).astype(dy.dtype, copy=False).reshape(shape) for part in (plain, weighted))
    return plain, weighted * r


def combine(dy, x, mu, a, b, c):
    """a dy + b (x - mu) + c, with numbers mu, a, b, c for every channel."""
    (dy, x, mu, a, b, c), xp, (_, channels, s, _) = _like(dy, dy, x, mu, a, b, c), array_module(dy), _planes(dy)
    dx = xp.empty(dy.shape, dy.dtype)
    launch("norm", "combine", xp, dy.dtype, _each(dy.size), dy, x, mu, a, b, c, dx, dy.size, channels, s)
    return dx


# ---- softmax along the last axis -------------------------------------------------------------------------------------

def _rows(name, x, *arrays):
    """Run a kernel with a block for every row; the result is shaped like x."""
    xp, y = array_module(x), array_module(x).empty(x.shape, x.dtype)
    launch("softmax", name, xp, x.dtype, (x.size // x.shape[-1],), *_like(x, x, *arrays), y, x.shape[-1])
    return y


def softmax(x):
    """p = e^x / sum e^x."""
    return _rows("softmax", x)


def log_softmax(x):
    """log p."""
    return _rows("log_softmax", x)


def softmax_backward(dp, p):
    """p (dp - sum dp p)."""
    return _rows("softmax_backward", dp, p)


def cross_entropy_backward(dl, logp, y):
    """dl (p sum y - y), with a dl for every row."""
    xp, dx = array_module(logp), array_module(logp).empty(logp.shape, logp.dtype)
    launch("softmax", "cross_entropy_backward", xp, logp.dtype, (dl.size,), *_like(logp, dl, logp, y), dx, logp.shape[-1])
    return dx


# ---- elementwise -----------------------------------------------------------------------------------------------------

def relu_backward(dy, y):
    """dy where y > 0, else 0."""
    (dy, y), xp = _like(dy, dy, y), array_module(dy)
    dx = xp.empty(dy.shape, dy.dtype)
    launch("elementwise", "relu_backward", xp, dy.dtype, _each(dy.size), dy, y, dx, dy.size)
    return dx


def keep_scaled(x, keep, scale):
    """x scale where keep, of the same shape, else 0."""
    (x,), xp = _like(x, x), array_module(x)
    y = xp.empty(x.shape, x.dtype)
    launch("elementwise", "keep_scaled", xp, x.dtype, _each(x.size), x, xp.ascontiguousarray(keep), y, float(scale), x.size)
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
        launch("optim", name, xp, dtype, (min(-(-blocks // THREADS), WHOLE), len(some)), table, *options)
