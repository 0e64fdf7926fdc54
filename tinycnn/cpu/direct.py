"""Convolution as sums in registers, where Numba is installed: no columns, each number read where it lies.

Images lie channels last in memory, so the C channels of L neighbouring pixels are one run of L * C numbers. For J
neighbouring pixels of the output and V vectors of filters, a tile of `registers.py` goes once through their windows:

    for each row of the kernel: for each pixel and channel in it:   t = outer(t, x, place in x, stride, w, place in w)

and is written down once. Everything is this loop:

- the forward pass, with the weights packed so that the filters of a tile stand side by side (`pack`);
- the gradient of the input: a convolution of dy with the kernel reversed. With stride s the pixels of x fall into s
  classes along each axis, by their remainder; those of one class see the same weights, every s-th, at neighbouring places of
  dy. So they are one convolution each, of which the results stand s apart;
- the gradient of the weights is the same sum in another order: the tile holds J neighbouring weights by V vectors of
  filters, and goes through all pixels (`correlation`).

Signals are images of one row, and volumes have their rows in two directions: where each row begins is a list.
Measured on two cores of an AMD Zen 3 against columns and BLAS: see benchmarks/RESULTS.md.
"""
import functools
import math

import numpy as np

from ..ops import conv as formulas
from .compiled import compiled, loop
from .serving import compiled_floats
from .layout import channels_first, channels_last
from .workers import aligned, parallel

ROOM = 2**17        # numbers that stay in the second-level cache
OWN = 2**17         # weights, from which on threads share out the weights of dw, not the images
OFTEN = 64          # weights of a row, from which on it is worth it to lay dy out for them
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
    from .registers import get, lanes, outer, put, zero
    wide = V * lanes(dtype)

    def run(x, dy, dw, first, last, images, out, blocks, C, L, step, far, x_image, x_rows, k_rows, dy_block, dy_pixel,
            together):
        """Units first to last of (block of filters, row of the kernel); dw is (blocks, kernel rows, L, C, wide).

        Blocks of dy stand dy_block apart, pixels dy_pixel. Some rows `together` stay in the cache for all weights.
        """
        rows = len(x_rows)
        for unit in range(first, last):
            block, a = unit // len(k_rows), unit % len(k_rows)
            for part in range(0, images * rows, together):
                for n in range(0, L * C, J):
                    at = (unit * L * C + n) * wide
                    t = get(zero(J, V, x), dw, at, wide)
                    k = block * dy_block + part * out * dy_pixel
                    for row in range(part, min(part + together, images * rows)):
                        i = row // rows * x_image + x_rows[row % rows] + k_rows[a]
                        i += n // C * far + block // blocks * C + n % C
                        for _ in range(out):
                            t = outer(t, x, i, 1, dy, k)
                            i += step
                            k += dy_pixel
                    put(t, dw, at, wide)
    return compiled(run)


@loop
def frame(x, y, first, last, before, above, left):
    """y (N, D', H', W', C') = x (N, D, H, W, C) with zeros around, for images first to last."""
    _, depth, height, width, channels = x.shape
    for n in range(first, last):
        for d in range(y.shape[1]):
            for h in range(y.shape[2]):
                inside = 0 <= d - before < depth and 0 <= h - above < height
                for w in range(y.shape[3]):
                    first = 0
                    if inside and 0 <= w - left < width:
                        for c in range(channels):
                            y[n, d, h, w, c] = x[n, d - before, h - above, w - left, c]
                        first = channels
                    for c in range(first, y.shape[4]):
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
def pack_pixels(dy, y, first, last, filters):
    """y (G * blocks, pixels, wide) = dy (pixels, G * filters), with zeros behind each group, for pixels first to last."""
    wide, groups = y.shape[2], dy.shape[1] // filters
    blocks = y.shape[0] // groups
    for block in range(y.shape[0]):
        f0 = block % blocks * wide
        some, at = min(wide, filters - f0), block // blocks * filters + f0
        for pixel in range(first, last):
            for f in range(some):
                y[block, pixel, f] = dy[pixel, at + f]
            for f in range(some, wide):
                y[block, pixel, f] = 0


@loop
def unpack(dw, y, first, last):
    """y (G * F, C, K, L) = dw (G, blocks, K, L, C, wide), for filters first to last."""
    _, blocks, rows, columns, channels, wide = dw.shape
    filters = y.shape[0] // dw.shape[0]
    for number in range(first, last):
        group, f = number // filters, number % filters
        for c in range(channels):
            for a in range(rows):
                for b in range(columns):
                    y[number, c, a, b] = dw[group, f // wide, a, b, c, f % wide]


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
    vectors = -(-filters // lanes(dtype))
    if vectors == 1:
        most = 28 if WIDE else 12
        return next(j for j in range(most, 0, -1) if run % j == 0), 1
    J = next(j for j in range(14 if WIDE else 6, 0, -1) if run % j == 0)
    return J, min(vectors, 2 if J > 3 else 3 if J == 3 else 4)


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

    `kernels` are (w (G, F, C, *K), start in x, start in y, steps in y): results stand some steps apart in y.
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
        columns = kernel[2]
        if groups == 1 and dilation[2] == 1:                       # the pixels of a kernel's row are one run
            inside, columns = inside * columns, 1
        x_at = sum(a * s for a, s in zip(x_start, step[::-1]))
        y_at = n * y[0].size + sum(a * s for a, s in zip(y_start, y_step[::-1]))
        convolution(J, V, dtype)(
            z.reshape(-1)[x_at:], weights, bias, flat[y_at:], first or 0, last or groups * blocks * images * out[0] * out[1],
            images, out[2], filters, blocks, inside, columns, stride[2] * channels, dilation[2] * channels,
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
    w = w.reshape(groups, filters, channels, kernel[0] * kernel[1], kernel[2])
    y = aligned((groups * blocks, *w.shape[3:], channels, wide), w.dtype)
    parallel(lambda i, j: pack(w, y, i, j), len(y), moved=10 * y.nbytes)
    bias = np.zeros((groups, blocks * wide), w.dtype)
    if b is not None:
        bias[:, :filters] = b.reshape(groups, filters)
    return y.reshape(-1), bias.reshape(-1), blocks


def framed(x, before, size, channels=None):
    """x (n, D, H, W, C) within zeros, `before` of them before it, of `size`; itself where that is its size.

    `channels` may be more than C: then there are zeros behind them, too.
    """
    channels = channels or x.shape[4]
    if x.shape[1:] == (*size, channels):
        return x
    y = aligned((len(x), *size, channels), x.dtype)
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

def thin(kernel, groups, channels, filters, most):
    """Whether a product of matrices is worth less than sums of its own: it is best at many channels and filters, or 1x1."""
    return groups > 1 or (max(kernel) > 1 and channels * filters < most)


def thin_forward(x, w, out, stride, padding, dilation, groups, b=None):
    """Images of not too many channels, or in groups, where Numba is installed."""
    return compiled_floats(x) and thin(w.shape[2:], groups, w.shape[1], len(w), 2**15)


def thin_back(dy, w, size, stride, padding, dilation, groups):
    """Gradients of not too many channels, or in groups, where Numba is installed."""
    return compiled_floats(dy) and thin(w.shape[2:], groups, w.shape[1], len(w), 2**15)


def thin_across(x, dy, kernel, stride, padding, dilation, groups):
    """Images and gradients of not too many channels, or in groups, where Numba is installed."""
    return compiled_floats(x) and thin(kernel, groups, x.shape[1], dy.shape[1], 2**13)


@formulas.convolve.road(thin_forward)
def convolve_directly(x, w, out, stride, padding, dilation, groups, b=None):
    """Sums in registers: every number is read where it lies."""
    y = aligned((len(x), *three(out, 1), len(w)), x.dtype)
    run_all(volumes(x), y, [(as_groups(w, groups), (0, 0, 0), (0, 0, 0), (1, 1, 1))], three(stride, 1), three(dilation, 1),
            [p[0] for p in three(padding, (0, 0))], groups, b)
    return channels_first(y.reshape(len(x), *out, len(w)))


@formulas.input_gradient.road(thin_back)
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


@formulas.weight_gradient.road(thin_across)
def weight_gradient_directly(x, dy, kernel, stride, padding, dilation, groups):
    """Sums over all pixels in registers, for some weights of some filters at a time."""
    from .registers import lanes
    (channels, filters), sizes = (x.shape[1] // groups, dy.shape[1] // groups), three(kernel, 1)
    x, dy, dtype = volumes(x), volumes(dy), x.dtype
    count, out, stride, dilation = len(x), dy.shape[1:4], three(stride, 1), three(dilation, 1)
    before = [p[0] for p in three(padding, (0, 0))]
    size = tuple(max(s + p, (o - 1) * t + (k - 1) * d + 1)
                 for s, p, o, t, k, d in zip(x.shape[1:4], before, out, stride, sizes, dilation))
    rows, L, C, run = sizes[0] * sizes[1], sizes[2], channels, channels
    if groups == 1 and dilation[2] == 1:                           # the pixels of a kernel's row are one run
        L, C, run = 1, sizes[2] * channels, sizes[2] * channels
    J, V = tile_of_weights(run, filters, dtype)
    wide, blocks = V * lanes(dtype), -(-filters // (V * lanes(dtype)))
    step = x.shape[4], size[2] * x.shape[4], size[1] * size[2] * x.shape[4]
    x_rows, k_rows = rows_of(out, stride, step[:0:-1]), rows_of(sizes, dilation, step[:0:-1])
    shape, pixels = (groups, blocks, rows, sizes[2], channels, wide), math.prod(out)
    flops, few = 2 * dy.size * rows * sizes[2] * channels, max(1, ROOM // (size[0] * step[2] + dy[0].size))

    as_it_is = groups * blocks * wide == dy.shape[4] and run < OFTEN   # few weights: dy is not read often

    def packed(n, images):
        if as_it_is:
            return dy[n:n + images].reshape(-1)
        y = aligned((groups * blocks, images * pixels, wide), dtype)
        pack_pixels(dy[n:n + images].reshape(images * pixels, -1), y, 0, images * pixels, filters)
        return y.reshape(-1)

    def go(z, dy, images, dw, first, last):
        apart = (wide, blocks * groups * wide) if as_it_is else (images * pixels * wide, wide)
        correlation(J, V, dtype)(z.reshape(-1), dy, dw, first, last, images, out[2], blocks, C, L, stride[2] * step[0],
                                 dilation[2] * step[0], size[0] * step[2], x_rows, k_rows, *apart, max(1, PIXELS // out[2]))

    if math.prod(shape) > OWN:             # much to sum up: each thread has some weights
        z, dys, dw = framed_by_all(x, before, size), packed(0, count), np.zeros(shape, dtype)
        parallel(lambda i, j: go(z, dys, count, dw.reshape(-1), i, j), groups * blocks * rows, flops=flops)
    else:                                  # each thread has some images
        def work(start, stop):
            dw = np.zeros(shape, dtype)
            for n in range(start, stop, few):
                images = min(few, stop - n)
                go(framed(x[n:n + images], before, size), packed(n, images), images, dw.reshape(-1), 0,
                   groups * blocks * rows)
            return dw
        dw = functools.reduce(np.add, parallel(work, count, flops=flops, most=4))
    y = np.empty((groups * filters, channels, rows, sizes[2]), dtype)
    parallel(lambda i, j: unpack(dw, y, i, j), len(y), moved=8 * y.nbytes)
    return y.reshape(groups * filters, channels, *kernel)
