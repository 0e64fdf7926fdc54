"""Convolution as sums in registers, where Numba is installed: no columns, each number read where it lies.

Images lie channels last in memory, so the C channels of L neighbouring pixels are one run of L * C numbers. For J
neighbouring pixels of the output and V vectors of filters, a tile of `registers.py` goes once through their windows:

    for each row of the kernel: for each pixel and channel in it:   t = outer(t, x, place in x, stride, w, place in w)

and is written down once. Everything is this loop:

- the forward pass, with the weights packed so that the filters of a tile stand side by side (`packed`);
- the gradient of the input: a convolution of dy with the kernel reversed. With stride s the pixels of x fall into s
  classes along each axis, by their remainder; those of one class see the same weights, every s-th, at neighbouring places of
  dy. So they are one convolution each, of which the results stand s apart;
- the gradient of the weights is the same sum in another order: the tile holds J neighbouring weights by V vectors of
  filters, and goes through all pixels (`correlation`).

Signals are images of one row, and volumes have their rows in two directions: where each row begins is a list.
Measured on one core of an AMD Zen 4 (AVX-512), they take 0.9 to 1.4 times as long as PyTorch's, 1.5 to 1.8 in small groups.
"""
import functools
import math

import numpy as np

from ..ops import conv as formulas
from .compiled import compiled
from .serving import compiled_floats
from .layout import channels_first, channels_last
from .numpy_only.conv import few_pixels
from .workers import aligned, parallel

ROOM = 2**17        # numbers that stay in the second-level cache
SHARED = 2**17      # weights, from which on threads share out the weights of dw, not the images
PIXELS = 24         # whose sum is worth reading and writing a tile


# ---- the loops -------------------------------------------------------------------------------------------------------

@functools.cache
def convolution(J, V, dtype):
    """The loop that computes J neighbouring pixels of V vectors of filters at a time."""
    from .registers import get, lanes, outer, put, put_some, zero
    wide = V * lanes(dtype)

    def run(x, w, b, y, first, last, images, out, F, blocks, C, L, step, far, x_image, x_rows, k_rows, y_image, y_rows,
            y_pixel):
        """Units first to last of (block of filters, image, row of y); w is (blocks, kernel rows, L, C, wide)."""
        rows = len(y_rows)
        for unit in range(first, last):
            block, image, row = unit // (images * rows), unit // rows % images, unit % rows
            group, f = block // blocks, block % blocks * wide
            for j in range(0, out, J):
                o = min(j, max(0, out - J))
                t = get(zero(J, V, x), b, block * wide, 0)
                k = block * len(k_rows) * L * C * wide
                for a in range(len(k_rows)):
                    i0 = image * x_image + x_rows[row] + k_rows[a] + o * step + group * C
                    for _ in range(L):
                        for i in range(i0, i0 + C):
                            t = outer(t, x, i, step, w, k)
                            k += wide
                        i0 += far
                at = image * y_image + y_rows[row] + o * y_pixel + group * F + f
                if out >= J and F - f >= wide:
                    put(t, y, at, y_pixel)
                else:
                    put_some(t, y, at, y_pixel, out, F - f)
    return compiled(run)


@functools.cache
def correlation(J, V, dtype):
    """The loop for the gradient of the weights: J neighbouring weights of V vectors of filters at a time."""
    from .registers import add, lanes, outer, zero
    wide = V * lanes(dtype)

    def run(x, dy, dw, first, last, images, out, blocks, C, L, step, far, x_image, x_rows, k_rows, dy_block, dy_pixel,
            together):
        """Units first to last of (block of filters, row of the kernel); dw is (blocks, kernel rows, L, C, wide).

        Blocks of dy stand dy_block apart, pixels dy_pixel. Some rows `together`
        stay in the cache for all weights; their sums are added up, and so are smaller than one long sum, and more exact.
        """
        rows = len(x_rows)
        for unit in range(first, last):
            block, a = unit // len(k_rows), unit % len(k_rows)
            for part in range(0, images * rows, together):
                for n in range(0, L * C, J):
                    t = zero(J, V, x)
                    k = block * dy_block + part * out * dy_pixel
                    for row in range(part, min(part + together, images * rows)):
                        i = row // rows * x_image + x_rows[row % rows] + k_rows[a] + n // C * far
                        i += block // blocks * C + n % C
                        for _ in range(out):
                            t = outer(t, x, i, 1, dy, k)
                            i += step
                            k += dy_pixel
                    add(t, dw, (unit * L * C + n) * wide, wide)
    return compiled(run)


# ---- how they are called ---------------------------------------------------------------------------------------------

def tile_for(out, filters, dtype):
    """J and V: as many sums as there are registers for, and as few of them idle as possible."""
    from .registers import WIDE, lanes
    V = 1 if filters <= lanes(dtype) else 4 if WIDE and out <= 6 and filters >= 4 * lanes(dtype) else 2
    heights = {1: (8, 14), 2: (4, 7, 8, 14), 4: (4, 6)}[V] if WIDE else {1: (6, 8), 2: (4, 5, 6)}[V]
    return min(reversed(heights), key=lambda J: -(-out // J) * (J + 0.8)), V


def tile_of_weights(run, filters, dtype):
    """J and V for sums of `run` neighbouring weights: J divides run, and the sums are enough to keep the processor busy."""
    from .registers import WIDE, lanes
    vectors, registers = -(-filters // lanes(dtype)), 28 if WIDE else 12
    J = next(j for j in range(registers if vectors == 1 else registers // 2, 0, -1) if run % j == 0)
    return J, min(vectors, 2 if J > 3 else 3 if J == 3 else 4)


def three(values, missing_one):
    """Numbers for each of three dimensions, as an array."""
    return np.array([*[missing_one] * (3 - len(values)), *values])


def volumes(x):
    """x (N, C, *S) as a contiguous array (N, D, H, W, C): dimensions that are not there have the size 1."""
    x = channels_last(x)
    return x.reshape(len(x), *[1] * (5 - x.ndim), *x.shape[1:])


@functools.lru_cache(1000)
def rows_of(depth, height, plane, row):
    """Where rows begin: d * plane + h * row for all (d, h)."""
    return (np.arange(depth)[:, None] * plane + np.arange(height) * row).reshape(-1)


def numbers_of(view):
    """(the numbers of an array from its first to its last as they lie in memory, the distances of neighbours in them)."""
    steps = [s // view.itemsize for s in view.strides]
    length = 1 + sum((n - 1) * s for n, s in zip(view.shape, steps))
    return np.lib.stride_tricks.as_strided(view, (length,), (view.itemsize,)), steps


def framed(x, before, size, channels=None):
    """x (N, D, H, W, C) within zeros, `before` of them before it, of `size` and so many channels; itself if it is so."""
    channels = channels or x.shape[4]
    if x.shape[1:] == (*size, channels):
        return x
    y = aligned((len(x), *size, channels), x.dtype)
    inside = tuple(slice(n, n + s) for n, s in zip((*before, 0), x.shape[1:]))

    def work(i, j):
        y[i:j] = 0
        y[i:j, *inside] = x[i:j]
    parallel(work, len(x), moved=3 * y.nbytes)
    return y


def filled(x, axis, size):
    """x with zeros behind it, so that it has this size along the axis."""
    if x.shape[axis] == size:
        return x
    y = np.zeros((*x.shape[:axis], size, *x.shape[axis + 1:]), x.dtype)
    y[(*[slice(None)] * axis, slice(x.shape[axis]))] = x
    return y


def packed(w, b, V):
    """w (G, F, C, *K) in blocks of V vectors, (blocks, kernel rows, L, C, wide); biases like that; the blocks of a group."""
    from .registers import lanes
    wide = V * lanes(w.dtype)
    groups, filters, channels, *kernel = w.shape
    blocks, rows = -(-filters // wide), kernel[0] * kernel[1]
    y = aligned((groups, blocks, rows, kernel[2], channels, wide), w.dtype)
    w = filled(w.reshape(groups, filters, channels, rows, kernel[2]), 1, blocks * wide)
    w = w.reshape(groups, blocks, wide, *w.shape[2:]).transpose(0, 1, 4, 5, 3, 2)
    parallel(lambda i, j: np.copyto(y[..., i:j, :], w[..., i:j, :]), channels, moved=10 * y.nbytes)
    bias = np.zeros((groups, filters), w.dtype) if b is None else b.reshape(groups, filters)
    return y.reshape(-1), filled(bias, 1, blocks * wide).reshape(-1), blocks


def unpacked(y, groups, filters, kernel):
    """The inverse: y (blocks, kernel rows, L, C, wide) as w (F, C, *kernel)."""
    count, rows, L, channels, wide = y.shape
    blocks = count // groups
    w = np.empty((groups, blocks, wide, channels, rows, L), y.dtype)
    y = y.reshape(groups, blocks, *y.shape[1:]).transpose(0, 1, 5, 4, 2, 3)
    parallel(lambda i, j: np.copyto(w[:, :, :, i:j], y[:, :, :, i:j]), channels, moved=8 * w.nbytes)
    return w.reshape(groups, blocks * wide, -1)[:, :filters].reshape(groups * filters, channels, *kernel)


def packed_pixels(dy, groups, wide):
    """dy (..., groups * filters) as (blocks, pixels, wide), with zeros behind each group."""
    dy = dy.reshape(-1, groups, dy.shape[-1] // groups)
    dy = filled(dy, 2, -(-dy.shape[2] // wide) * wide).reshape(len(dy), -1, wide).swapaxes(0, 1)
    if dy.flags.c_contiguous:
        return dy
    y = aligned(dy.shape, dy.dtype)
    parallel(lambda i, j: np.copyto(y[:, i:j], dy[:, i:j]), dy.shape[1], moved=2 * y.nbytes)
    return y


def one_run(groups, dilation, columns, channels):
    """(L, C) of the loops: where nothing lies between them, the pixels of a kernel's row are one run."""
    return (1, columns * channels) if groups == 1 and dilation == 1 else (columns, channels)


def run_all(x, before, jobs, stride, dilation, b=None):
    """y = x convolved with w, for all (w (G, F, C, *K), first pixel in the framed x, y (N, D', H', W', F)) of `jobs`.

    x (N, D, H, W, C) gets `before` zeros before it, and as many behind it as windows reach. y may be a view with steps.
    """
    count, dtype, size, channels, ready = len(x), x.dtype, x.shape[1:4] + before, x.shape[4], []
    for w, start, y in jobs:
        J, V = tile_for(y.shape[3], w.shape[1], dtype)
        last = [max(o, J if axis == 2 else 1) - 1 for axis, o in enumerate(y.shape[1:4])]
        size = np.maximum(size, start + last * stride + (np.array(w.shape[3:]) - 1) * dilation + 1)
        ready.append((J, V, w.shape, start, y, *packed(w, b, V)))
    size = tuple(size.tolist())
    steps = np.array([size[1] * size[2], size[2], 1]) * channels

    def sums(J, V, shape, start, y, weights, bias, blocks):
        """(a function that computes units first to last of z, images from the n-th on; units of an image; operations)."""
        (groups, filters, inside, *kernel), out = shape, y.shape[1:4]
        L, C = one_run(groups, dilation[2], kernel[2], inside)
        y, (y_image, *y_rows, y_pixel, _) = numbers_of(y)
        run, at, rows = convolution(J, V, dtype), int(start @ steps), groups * blocks * out[0] * out[1]
        rest = (C, L, int(stride[2]) * channels, int(dilation[2]) * channels, math.prod(size) * channels,
                rows_of(*out[:2], *(steps * stride)[:2]), rows_of(*kernel[:2], *(steps * dilation)[:2]), y_image,
                rows_of(*out[:2], *y_rows), y_pixel)

        def go(z, n, first, last):
            run(z.reshape(-1)[at:], weights, bias, y[n * y_image:], first, last, len(z), out[2], filters, blocks, *rest)
        return go, rows, 2 * count * math.prod(out) * math.prod(shape)

    ready = [sums(*job) for job in ready]
    few = max(1, ROOM // (math.prod(size) * channels)) if count >= 8 else count

    def work(start, stop):
        for n in range(start, stop, few):
            z = framed(x[n:min(n + few, stop)], before, size)
            for go, rows, flops in ready:
                parallel(lambda i, j: go(z, n, i, j), rows * len(z), flops=flops)

    if count >= 8:       # each thread has some images, else some rows of the results
        parallel(work, count, flops=sum(flops for _, _, flops in ready))
    else:
        work(0, count)


# ---- the roads -------------------------------------------------------------------------------------------------------

def as_groups(w, groups):
    """w (F, C/G, *K) as (G, F/G, C/G, *K) with three dimensions of K."""
    return w.reshape(groups, len(w) // groups, w.shape[1], *three(w.shape[2:], 1))


def repays_packing(x, w, out, stride, padding, dilation, groups, b=None):
    """NumPy arrays of float32 or float64, unless few pixels meet many weights, where Numba is installed."""
    return compiled_floats(x) and not few_pixels(x, w, out, stride, padding, dilation, groups)


@formulas.convolve.road(repays_packing)
def convolve_directly(x, w, out, stride, padding, dilation, groups, b=None):
    """Sums in registers: every number is read where it lies."""
    y = aligned((len(x), *three(out, 1), len(w)), x.dtype)
    run_all(volumes(x), three([p for p, _ in padding], 0), [(as_groups(w, groups), three((), 0), y)], three(stride, 1),
            three(dilation, 1), b)
    return channels_first(y.reshape(len(x), *out, len(w)))


@formulas.input_gradient.road(compiled_floats)
def input_gradient_directly(dy, w, size, stride, padding, dilation, groups):
    """A convolution of dy with the kernel reversed, for every remainder of a pixel divided by the stride."""
    sizes, steps, dilation = three(size, 1), three(stride, 1), three(dilation, 1)
    classes = [remainders(*axis) for axis in zip(sizes, steps, three([p for p, _ in padding], 0), dilation,
                                                 three(w.shape[2:], 1))]
    before = np.array([max([0, *(-start for _, _, start in axis)]) for axis in classes])
    whole = all(len(axis) == min(pair) for axis, *pair in zip(classes, steps, sizes))
    dx = (aligned if whole else np.zeros)((len(dy), *sizes, w.shape[1] * groups), dy.dtype)
    w = as_groups(w, groups).swapaxes(1, 2)
    jobs = [(w[:, :, :, a[1], b[1], c[1]][..., ::-1, ::-1, ::-1], before + (a[2], b[2], c[2]),
             dx[:, a[0]::steps[0], b[0]::steps[1], c[0]::steps[2]])
            for a in classes[0] for b in classes[1] for c in classes[2]]
    if jobs:
        # weights that neighbours of a class see stand dilation / gcd(stride, dilation) apart in dy
        run_all(volumes(dy), before, jobs, three((), 1), dilation // np.gcd(steps, dilation))
    return channels_first(dx.reshape(len(dy), *size, -1))


def remainders(size, stride, padding, dilation, kernel):
    """[(r, weights, start), ...] along one axis, for the pixels r, r + stride, ... of which there are some.

    Pixel i stands at weight k of window o where i = o * stride + k * dilation - padding. For one remainder r these are every
    n-th weight from a first one on, n = stride / gcd(stride, dilation), and each next one stands in a window before. Counted
    backward, weight by weight, the windows begin at `start`.
    """
    n = stride // math.gcd(stride, dilation)
    found = []
    for r in range(min(stride, size)):
        first = next((k for k in range(min(n, kernel)) if (r + padding - k * dilation) % stride == 0), None)
        if first is not None:
            before = (len(range(first, kernel, n)) - 1) * dilation * n // stride
            found.append((r, slice(first, None, n), (r + padding - first * dilation) // stride - before))
    return found


@formulas.weight_gradient.road(compiled_floats)
def weight_gradient_directly(x, dy, kernel, stride, padding, dilation, groups):
    """Sums over all pixels in registers, for some weights of some filters at a time."""
    from .registers import lanes
    channels, filters, sizes = x.shape[1] // groups, dy.shape[1] // groups, three(kernel, 1)
    x, dy, dtype, count = volumes(x), volumes(dy), x.dtype, len(x)
    out, stride, dilation, before = dy.shape[1:4], three(stride, 1), three(dilation, 1), three([p for p, _ in padding], 0)
    size = tuple(np.maximum(x.shape[1:4] + before, (np.array(out) - 1) * stride + (sizes - 1) * dilation + 1).tolist())
    rows, (L, C) = int(sizes[0] * sizes[1]), one_run(groups, dilation[2], int(sizes[2]), channels)
    J, V = tile_of_weights(C, filters, dtype)
    wide, blocks = V * lanes(dtype), -(-filters // (V * lanes(dtype)))
    width = x.shape[4]
    steps = width * np.array([size[1] * size[2], size[2], 1])
    shape = groups * blocks, rows, int(sizes[2]), channels, wide
    flops = 2 * dy.size * math.prod(shape[1:4])
    run, rest = correlation(J, V, dtype), (
        out[2], blocks, C, L, int(stride[2]) * width, int(dilation[2]) * width, math.prod(size) * width,
        rows_of(*out[:2], *(stride * steps)[:2]), rows_of(*sizes[:2], *(dilation * steps)[:2]))

    def work(start, stop, few):
        """The sum over some images, a few at a time."""
        dw = np.zeros(shape, dtype)
        for n in range(start, stop, few):
            piece = slice(n, min(n + few, stop))
            z, dys = framed(x[piece], before, size), packed_pixels(dy[piece], groups, wide)
            parallel(lambda i, j: run(z.reshape(-1), dys.reshape(-1), dw.reshape(-1), i, j, len(z), *rest, dys[0].size, wide,
                                      max(1, PIXELS // out[2])), groups * blocks * rows, flops=flops)
        return dw

    if math.prod(shape) > SHARED:          # much to sum up: each thread has some weights, else some images
        dw = work(0, count, count)
    else:
        few = max(1, ROOM // (math.prod(size) * width + dy[0].size))
        dw = functools.reduce(np.add, parallel(lambda i, j: work(i, j, few), count, flops=flops, most=4))
    return unpacked(dw, groups, filters, kernel)
