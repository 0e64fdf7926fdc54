"""Convolution on a GPU: a product of matrices for the whole batch, without its columns.

A GPU wants few, large pieces of work, the opposite of a processor with caches; it computes so much faster than it reads that
to write the columns down, and to read them again, would take longer than to multiply them. So they are never written:
`conv.cu` gathers each tile of them from the images when it is needed. Images stay N C H W in memory, as CuPy's own functions
leave them. A kernel of size 1 goes the same way: its columns are the images, but CuPy's product of one matrix with many
would take four launches. Signals are images of one row; volumes take no road.
"""
import functools

import numpy as np

from ..engine.arrays import array_module
from ..ops import conv as formulas
from .cuda import tensor_cores
from .launch import by_value, launch, like, serves, sum_type, threads

PROCESSORS = 132   # of a large GPU
COLUMNS = 128      # of a tile of a product, as in product.cuh
LEAST_PART = 256   # windows in a part of the sum of a weight's gradient
GEOMETRY = np.dtype([(name, np.int32) for name in "N C H W OH OW KH KW SH SW PH PW DH DW".split()])


class Geometry:
    """What the kernels know about windows: N, C, ..., DW of `struct Geometry`, and `struct`, which travels with a launch."""

    def __init__(self, *numbers):
        self.struct = by_value(np.array([numbers], GEOMETRY))
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


def variants(file, dtype):
    """The options with which a file may be compiled for arrays of `dtype`: how many rows its tiles have, and which cores."""
    if file != "conv":
        return [()]
    return [_options(rows, tensor) for rows in _heights(dtype) for tensor in (False, True)[:1 + (dtype != "float64")]]


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


# ---- the roads -------------------------------------------------------------------------------------------------------

def on_images(x, *rest, **options):
    """A batch of images or signals on a GPU, each of less than 2^31 numbers."""
    return x.ndim in (3, 4) and serves(x) and x.size // len(x) < 2**31


def depthwise(w, groups):
    """Whether every channel has its own filter, and just one."""
    return w.shape[0] == groups and w.shape[1] == 1


@formulas.convolve.road(on_images)
def convolve_images(x, w, out, stride, padding, dilation, groups, b=None):
    """The columns of a tile gathered where they are multiplied; a channel's own filter by itself."""
    g = geometry(*x.shape[:2], x.shape[2:], out, w.shape[2:], stride, padding, dilation)
    (x, w, b), xp = like(x, x, w, b), array_module(x)
    y = xp.empty((len(x), len(w), *out), x.dtype)
    if depthwise(w, groups):
        launch("depthwise", "depthwise", xp, x.dtype, threads(y.size), x, w, b, y, g.struct)
        return y
    columns = -(-g.N * g.OH * g.OW // COLUMNS) * groups
    tiles, options = _tiles(len(w) // groups, columns, x.dtype, tensor_cores(xp, x.dtype))
    launch("conv", "convolve", xp, x.dtype, (tiles * columns,), x, w, b, y, g.struct, len(w), groups, options=options)
    return y


@formulas.weight_gradient.road(on_images)
def weight_gradient_of_images(x, dy, kernel, stride, padding, dilation, groups):
    """dw in parts of the batch, added in a fixed order."""
    g = geometry(*x.shape[:2], x.shape[2:], dy.shape[2:], kernel, stride, padding, dilation)
    (x, dy), xp, filters = like(x, x, dy), array_module(x), dy.shape[1]
    dw = xp.empty((filters, x.shape[1] // groups, *kernel), x.dtype)
    if depthwise(dw, groups):
        launch("depthwise", "depthwise_weight", xp, x.dtype, (dw.size,), x, dy, dw, g.struct)
        return dw
    columns = -(-dw.size // filters // COLUMNS) * groups
    tiles, options = _tiles(filters // groups, PROCESSORS * columns, x.dtype, tensor_cores(xp, x.dtype))
    parts = max(1 + g.N * g.OH * g.OW // 2**30, min(4 * PROCESSORS // (tiles * columns), g.N * g.OH * g.OW // LEAST_PART))
    part = dw if parts == 1 and x.dtype != "float16" else xp.empty((parts, dw.size), sum_type(x.dtype))
    launch("conv", "weight_parts", xp, x.dtype, (tiles * columns * parts,), x, dy, part, g.struct, filters, groups, parts,
           options=options)
    if part is not dw:
        launch("conv", "sum_parts", xp, x.dtype, threads(dw.size), part, dw, dw.size, parts, options=options)
    return dw


@formulas.input_gradient.road(on_images)
def input_gradient_of_images(dy, w, size, stride, padding, dilation, groups):
    """dx as a product whose columns are gathered from dy: stride^2 convolutions, one for each remainder."""
    (dy, w), xp = like(dy, dy, w), array_module(dy)
    dx = xp.empty((len(dy), w.shape[1] * groups, *size), dy.dtype)
    g = geometry(*dx.shape[:2], size, dy.shape[2:], w.shape[2:], stride, padding, dilation)
    if depthwise(w, groups):
        launch("depthwise", "depthwise_input", xp, dx.dtype, threads(dx.size), dy, w, dx, g.struct)
        return dx
    columns = -(-g.N * -(-g.H // g.SH) * -(-g.W // g.SW) // COLUMNS) * g.SH * g.SW * groups
    tiles, options = _tiles(g.C // groups, columns, dy.dtype, tensor_cores(xp, dy.dtype))
    launch("conv", "input_gradient", xp, dy.dtype, (tiles * columns,), dy, w, dx, g.struct, len(w), groups, options=options)
    return dx


@formulas.bias_gradient.road(on_images)
def bias_gradient_of_images(dy):
    """The places of one image first: they stand side by side."""
    return dy.reshape(*dy.shape[:2], -1).sum(2).sum(0)
