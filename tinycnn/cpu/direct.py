"""Convolution as sums in registers, where Numba is installed: no columns, each number read where it lies.

Images lie channels last in memory, so the C channels of L neighbouring pixels are one run of L * C numbers. For J neighbouring
pixels of the output and V vectors of filters, a tile of `registers.py` goes once through their windows:

    for each row of the kernel: for each pixel and channel in it:   t = outer(t, x, place in x, stride, w, place in w)

and is written down once. Everything is this loop:

- the forward pass, with the weights packed so that the filters of a tile stand side by side (`pack`);
- the gradient of the input: a convolution of dy with the kernel reversed. With stride s the pixels of x fall into s classes
  along each axis, by their remainder; those of one class see the same weights, every s-th, at neighbouring places of dy. So
  they are one convolution each, of which the results stand s apart;
- the gradient of the weights is the same sum in another order: the tile holds J neighbouring weights by V vectors of filters,
  and goes through all pixels (`correlation`).

Signals are images of one row, and volumes have their rows in two directions: where each row begins is a list.
Measured on two cores of an AMD Zen 3 against columns and BLAS: see benchmarks/RESULTS.md.
"""
import functools
import math

import numpy as np

from ..ops import conv as formulas
from .compiled import compiled, loop, missing
from .columns import channels_first, channels_last
from .workers import aligned, parallel

ROOM = 2**18        # numbers that stay in the second-level cache
OWN = 2**17         # weights, from which on threads share out the weights of dw, not the images


def compiled_floats(x, *rest, **options):
    """NumPy arrays of float32 or float64, where Numba is installed."""
    return type(x) is np.ndarray and x.dtype.char in "fd" and x.size > 0 and not missing()


# ---- the loops -------------------------------------------------------------------------------------------------------

@functools.cache
def convolution(J, V, dtype):
    """The loop that computes J neighbouring pixels of V vectors of filters at a time."""
    from .registers import get, lanes, outer, put, put_some, zero
    wide = V * lanes(dtype)

    def run(x, w, b, y, first, last, images, out, F, blocks, C, L, step, far, pixel, x_image, x_rows, k_rows, y_image, y_rows,
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
    from .registers import get, lanes, outer, put_some, zero
    wide = V * lanes(dtype)

    def run(x, dy, dw, first, last, images, out, groups, F, blocks, C, L, step, far, x_image, x_rows, k_rows, fresh):
        """Units first to last of (row of the kernel, group, block of filters); dw is (kernel rows, L, C, groups * F)."""
        rows, filters = len(x_rows), groups * F
        for unit in range(first, last):
            a, group, f = unit // (groups * blocks), unit // blocks % groups, unit % blocks * wide
            for n in range(0, L * C, J):
                at = (a * L * C + n) * filters + group * F + f
                t = zero(J, V, x)
                if not fresh:
                    t = get(t, dw, at, filters)
                for image in range(images):
                    for row in range(rows):
                        i = image * x_image + x_rows[row] + k_rows[a] + n // C * far + group * C + n % C
                        k = (image * rows + row) * out * filters + group * F + f
                        for _ in range(out):
                            t = outer(t, x, i, 1, dy, k)
                            i += step
                            k += filters
                put_some(t, dw, at, filters, J, F - f)
    return compiled(run)


@loop
def frame(x, y, first, last, before, above, left):
    """y (N, D', H', W', C) = x (N, D, H, W, C) with zeros around, for images first to last."""
    _, depth, height, width, channels = x.shape
    for n in range(first, last):
        for d in range(y.shape[1]):
            for h in range(y.shape[2]):
                inside = 0 <= d - before < depth and 0 <= h - above < height
                for w in range(y.shape[3]):
                    if inside and 0 <= w - left < width:
                        for c in range(channels):
                            y[n, d, h, w, c] = x[n, d - before, h - above, w - left, c]
                    else:
                        for c in range(channels):
                            y[n, d, h, w, c] = 0


@loop
def pack(w, y, first, last):
    """y (blocks, K, L, C, wide) = w (G, F, C, K, L), with zeros for filters that do not exist, for blocks first to last."""
    groups, filters, channels, rows, columns = w.shape
    wide = y.shape[4]
    blocks = y.shape[0] // groups
    for block in range(first, last):
        for f in range(wide):
            number = block % blocks * wide + f
            for c in range(channels):
                for a in range(rows):
                    for b in range(columns):
                        y[block, a, b, c, f] = w[block // blocks, number, c, a, b] if number < filters else 0


@loop
def unpack(dw, y, first, last):
    """y (F, C, K, L) = dw (K, L, C, F), for filters first to last."""
    _, channels, rows, columns = y.shape
    for f in range(first, last):
        for c in range(channels):
            for a in range(rows):
                for b in range(columns):
                    y[f, c, a, b] = dw[a, b, c, f]


# ---- how they are called ---------------------------------------------------------------------------------------------

def tile_for(out, filters, dtype):
    """J and V: as many sums as there are registers for, and as few of them idle as possible."""
    from .registers import WIDE, lanes
    V = 1 if filters <= lanes(dtype) else 4 if WIDE and out <= 6 and filters >= 4 * lanes(dtype) else 2
    heights = {1: (8, 14), 2: (4, 7, 8, 14), 4: (4, 6)}[V] if WIDE else {1: (6, 8), 2: (4, 6)}[V]
    cost = lambda J: -(-out // J) * (J + 1.5 if J * V >= 10 else 12 / V)
    return min(reversed(heights), key=cost), V


def volumes(x):
    """x (N, C, *S) as a contiguous array (N, D, H, W, C): dimensions that are not there have the size 1."""
    x = channels_last(x)
    return x.reshape(len(x), *[1] * (5 - x.ndim), *x.shape[1:])


def three(values, missing_one):
    """Numbers, or pairs, for each of three dimensions."""
    return (*[missing_one] * (3 - len(values)), *values)


def rows_of(counts, steps, strides):
    """Where rows begin: for all (d, h) of `counts`, d and h times their `steps` in an array with such `strides`."""
    d, h = (np.arange(n) * s * stride for n, s, stride in zip(counts, steps, strides))
    return (d[:, None] + h).reshape(-1)


def run_all(x, y, kernels, stride, dilation, before, groups, b):
    """Convolve x (N, D, H, W, C), `before` zeros before it, with each w of `kernels`, into y (N, D', H', W', F).

    `kernels` are (w (G, F, C, *K), start in x, start in y, steps in y): results stand some steps apart in y, from a start on.
    """
    count, channels, dtype = len(x), x.shape[4], x.dtype
    jobs, size = [], np.array(x.shape[1:4]) + before
    for w, x_start, y_start, y_steps in kernels:
        out = [-(-(s - a) // step) for s, a, step in zip(y.shape[1:4], y_start, y_steps)]
        if min(out) > 0:
            J, V = tile_for(out[2], w.shape[1], dtype)
            room = (*out[:2], max(out[2], J))
            size = np.maximum(size, [a + (o - 1) * s + (k - 1) * d + 1
                                     for a, o, s, k, d in zip(x_start, room, stride, w.shape[3:], dilation)])
            jobs.append((w, x_start, y_start, y_steps, out, J, V, *packed(w, b, V, groups)))
    if not jobs:
        return
    depth, height, width = (int(s) for s in size)
    step = channels, width * channels, height * width * channels   # to the next pixel, row and plane
    y_step = y.shape[4], y.shape[3] * y.shape[4], y.shape[2] * y.shape[3] * y.shape[4]
    flat = y.reshape(-1)

    def go(job, z, n, images, first=None, last=None):
        w, x_start, y_start, y_steps, out, J, V, weights, bias, blocks = job
        _, filters, inside, *kernel = w.shape
        rows, columns = kernel[0] * kernel[1], kernel[2]
        if groups == 1 and dilation[2] == 1:                       # the pixels of a kernel's row are one run
            inside, columns = inside * columns, 1
        x_at = sum(a * s for a, s in zip(x_start, step[::-1]))
        y_at = n * y[0].size + sum(a * s for a, s in zip(y_start, y_step[::-1]))
        convolution(J, V, dtype)(
            z.reshape(-1)[x_at:], weights, bias, flat[y_at:], first or 0, last or groups * blocks * images * out[0] * out[1],
            images, out[2], filters, blocks, inside, columns, stride[2] * channels, dilation[2] * channels, channels,
            depth * step[2], rows_of(out, stride, step[:0:-1]), rows_of(kernel, dilation, step[:0:-1]), y[0].size,
            rows_of(out, y_steps, y_step[:0:-1]), y_steps[2] * y_step[0])

    flops = sum(2 * count * math.prod(job[4]) * job[0].size for job in jobs)
    few = max(1, ROOM // (depth * step[2]))
    if count >= 8:                                                 # each thread has some images

        def work(start, stop):
            for n in range(start, stop, few):
                images = min(few, stop - n)
                z = framed(x[n:n + images], before, (depth, height, width))
                for job in jobs:
                    go(job, z, n, images)
        parallel(work, count, flops=flops)
    else:                                                          # or some rows of the results
        z = framed(x, before, (depth, height, width))
        for job in jobs:
            units = groups * job[9] * count * job[4][0] * job[4][1]
            parallel(lambda i, j: go(job, z, 0, count, i, j), units, flops=flops / len(jobs))


def packed(w, b, V, groups):
    """w (G, F, C, *K) for tiles of V vectors, a bias for every place in them, and how many blocks a group has."""
    from .registers import lanes
    wide = V * lanes(w.dtype)
    _, filters, channels, *kernel = w.shape
    blocks = -(-filters // wide)
    y, w = aligned((groups * blocks, kernel[0] * kernel[1], kernel[2], channels, wide), w.dtype), w.reshape(
        groups, filters, channels, kernel[0] * kernel[1], kernel[2])
    parallel(lambda i, j: pack(w, y, i, j), len(y), moved=10 * y.nbytes)
    bias = np.zeros((groups, blocks * wide), w.dtype)
    if b is not None:
        bias[:, :filters] = b.reshape(groups, filters)
    return y.reshape(-1), bias.reshape(-1), blocks


def framed(x, before, size):
    """x (n, D, H, W, C) within zeros, `before` of them before it, of `size`; itself where that is its size."""
    if x.shape[1:4] == size:
        return x
    y = aligned((len(x), *size, x.shape[4]), x.dtype)
    frame(x, y, 0, len(x), *before)
    return y


def framed_by_all(x, before, size):
    """The same by all threads."""
    if x.shape[1:4] == size:
        return x
    y = aligned((len(x), *size, x.shape[4]), x.dtype)
    parallel(lambda i, j: frame(x, y, i, j, *before), len(x), moved=2 * y.nbytes)
    return y


def as_groups(w, groups):
    """w (F, C/G, *K) as (G, F/G, C/G, *K) with three dimensions of K."""
    return w.reshape(groups, len(w) // groups, w.shape[1], *three(w.shape[2:], 1))


# ---- the roads -------------------------------------------------------------------------------------------------------

@formulas.convolve.road(compiled_floats)
def convolve_directly(x, w, out, stride, padding, dilation, groups, b=None):
    """Sums in registers: every number is read where it lies."""
    y = aligned((len(x), *three(out, 1), len(w)), x.dtype)
    run_all(volumes(x), y, [(as_groups(w, groups), (0, 0, 0), (0, 0, 0), (1, 1, 1))], three(stride, 1), three(dilation, 1),
            [p[0] for p in three(padding, (0, 0))], groups, b)
    return channels_first(y.reshape(len(x), *out, len(w)))


@formulas.input_gradient.road(compiled_floats)
def input_gradient_directly(dy, w, size, stride, padding, dilation, groups):
    """A convolution of dy with the kernel reversed, for every remainder of a pixel divided by the stride."""
    steps = three(stride, 1)
    classes = [remainders(*axis) for axis in zip(three(size, 1), steps, three([p[0] for p in padding], 0),
                                                 three(dilation, 1), three(w.shape[2:], 1))]
    before = [max([0, *(-start for _, _, start, _ in axis)]) for axis in classes]
    whole = all(len(axis) == min(step, s) for axis, step, s in zip(classes, steps, three(size, 1)))
    dx = (aligned if whole else np.zeros)((len(dy), *three(size, 1), w.shape[1] * groups), dy.dtype)
    w = as_groups(w, groups).swapaxes(1, 2)
    kernels = [(np.ascontiguousarray(w[:, :, :, a[1], b[1], c[1]][..., ::-1, ::-1, ::-1]),
                [first + part[2] for first, part in zip(before, (a, b, c))], (a[0], b[0], c[0]), steps)
               for a in classes[0] for b in classes[1] for c in classes[2]]
    # weights that neighbours of a class see stand dilation / gcd(stride, dilation) apart in dy
    apart = [d // math.gcd(s, d) for s, d in zip(steps, three(dilation, 1))]
    run_all(volumes(dy), dx, kernels, (1, 1, 1), apart, before, groups, None)
    return channels_first(dx.reshape(len(dy), *size, -1))


def remainders(size, stride, padding, dilation, kernel):
    """[(r, weights, start, apart), ...] along one axis, for the pixels r, r + stride, ... of which there are some.

    Pixel i stands at weight k of window o where i = o * stride + k * dilation - padding. For one remainder r these are every
    n-th weight from a first one on, n = stride / gcd(stride, dilation), and each next one stands in a window before. Counted
    backward, weight by weight, the windows begin at `start`.
    """
    n = stride // math.gcd(stride, dilation)
    found = []
    for r in range(min(stride, size)):
        first = next((k for k in range(min(n, kernel)) if (r + padding - k * dilation) % stride == 0), None)
        if first is not None:
            count = len(range(first, kernel, n))
            apart = dilation * n // stride
            found.append((r, slice(first, None, n), (r + padding - first * dilation) // stride - (count - 1) * apart, apart))
    return found


@formulas.weight_gradient.road(compiled_floats)
def weight_gradient_directly(x, dy, kernel, stride, padding, dilation, groups):
    """Sums over all pixels in registers, for some weights of some filters at a time."""
    from .registers import WIDE, lanes
    (channels, filters), sizes = (x.shape[1] // groups, dy.shape[1] // groups), three(kernel, 1)
    x, dy, dtype = volumes(x), volumes(dy), x.dtype
    count, out, stride, dilation = len(x), dy.shape[1:4], three(stride, 1), three(dilation, 1)
    before = [p[0] for p in three(padding, (0, 0))]
    size = tuple(max(s + p, (o - 1) * t + (k - 1) * d + 1)
                 for s, p, o, t, k, d in zip(x.shape[1:4], before, out, stride, sizes, dilation))
    V = 1 if filters <= lanes(dtype) else 2
    wide, run = V * lanes(dtype), channels
    L, C = sizes[2], channels
    if groups == 1 and dilation[2] == 1:
        L, C, run = 1, sizes[2] * channels, sizes[2] * channels
    J = next(j for j in range({1: 28, 2: 14}[V] if WIDE else {1: 12, 2: 6}[V], 0, -1) if run % j == 0)
    blocks, step = -(-filters // wide), (x.shape[4], size[2] * x.shape[4], size[1] * size[2] * x.shape[4])
    x_rows, k_rows = rows_of(out, stride, step[:0:-1]), rows_of(sizes, dilation, step[:0:-1])
    extra = wide if filters % wide else 0  # the last vectors reach beyond the filters: there must be room
    flat = dy.reshape(-1)
    if extra:
        flat = aligned((dy.size + extra,), dtype)
        flat[:dy.size], flat[dy.size:] = dy.reshape(-1), 0
    units, shape = len(k_rows) * groups * blocks, (len(k_rows), L, C, groups * filters)
    flops, few = 2 * dy.size * len(k_rows) * L * C, max(1, ROOM // (size[0] * step[2] + dy[0].size))

    def go(z, n, images, dw, first, last, fresh):
        correlation(J, V, dtype)(z.reshape(-1), flat[n * dy[0].size:], dw, first, last, images, out[2], groups, filters, blocks, C,
                                 L, stride[2] * step[0], dilation[2] * step[0], size[0] * step[2], x_rows, k_rows, fresh)

    def weights():
        return aligned((math.prod(shape) + extra,), dtype)

    if math.prod(shape) > OWN:             # much to sum up: each thread has some weights
        z, dw = framed_by_all(x, before, size), weights()

        def work(first, last):
            for unit in range(first, last):
                for n in range(0, count, few):
                    go(z[n:n + few], n, min(few, count - n), dw, unit, unit + 1, n == 0)
        parallel(work, units, flops=flops)
    else:                                  # each thread has some images
        def work(start, stop):
            dw = weights()
            for n in range(start, stop, few):
                images = min(few, stop - n)
                go(framed(x[n:n + images], before, size), n, images, dw, 0, units, n == start)
            return dw
        dw = functools.reduce(np.add, parallel(work, count, flops=flops, most=4))
    dw = dw[:math.prod(shape)].reshape(sizes[0] * sizes[1], sizes[2], channels, groups * filters)
    y = np.empty((groups * filters, channels, sizes[0] * sizes[1], sizes[2]), dtype)
    parallel(lambda i, j: unpack(dw, y, i, j), len(y), moved=8 * y.nbytes)
    return y.reshape(groups * filters, channels, *kernel)
