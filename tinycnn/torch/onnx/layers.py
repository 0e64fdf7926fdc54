"""How the operations with windows, the normalisations and attention are said in ONNX; see `operations.py`."""
import math
from types import SimpleNamespace

import numpy as np

from ..ops.pool import adaptive_windows
from ..ops.pool_average import elements
from ..ops.resize import Interpolate
from .operations import reduce, translates
from .recording import Value


def _sides(padding):
    """(befores, afters) of a padding: a number, or (before, after), an axis."""
    pairs = [p if isinstance(p, tuple) else (p, p) for p in padding]
    return [a for a, _ in pairs], [b for _, b in pairs]


# ---- windows ---------------------------------------------------------------------------------------------------------

@translates("Conv")
def conv(g, use, stride, padding, dilation, groups, out):
    size, kernel, (before, _) = use.x.shape[2:], use.shape(1)[2:], _sides(padding)
    after = [(o - 1) * s + d * (k - 1) + 1 - n - b for o, s, d, k, n, b in zip(out, stride, dilation, kernel, size, before)]
    after = [max(a, 0) for a in after]  # where the last windows do not reach the border
    return g.emit("Conv", *use.given(3), strides=[*stride], pads=[*before, *after], dilations=[*dilation], group=groups,
                  kernel_shape=[*kernel])


@translates("ConvTranspose")
def conv_transpose(g, use, stride, padding, dilation, groups, size):
    kernel, (before, after) = use.shape(1)[2:], _sides(padding)
    least = [(n - 1) * s + d * (k - 1) + 1 - b - a
             for n, s, d, k, b, a in zip(use.x.shape[2:], stride, dilation, kernel, before, after)]
    if any(n - m >= s for n, m, s in zip(size, least, stride)):
        raise use.refusal("an output padding beyond the stride is unknown to onnxruntime")
    return g.emit("ConvTranspose", *use.given(3), strides=[*stride], pads=[*before, *after], dilations=[*dilation],
                  group=groups, kernel_shape=[*kernel], output_padding=[s - m for s, m in zip(size, least)])


@translates("MaxPool")
def max_pool(g, use, kernel, stride, padding, dilation, return_indices):
    before, after = _sides(padding)
    names = g.emit("MaxPool", use.name(0), outputs=1 + return_indices, kernel_shape=[*kernel], strides=[*stride],
                   pads=[*before, *after], dilations=[*dilation])
    if not return_indices:
        return names
    y, indices = names  # which ONNX counts through the whole batch
    return [y, g.emit("Mod", indices, g.whole(math.prod(use.x.shape[2:])))]


@translates("AvgPool")
def avg_pool(g, use, kernel, stride, padding, room, count_include_pad, divisor):
    before, after = _sides(room)
    zeros = np.zeros((1, 1, *use.x.shape[2:]), use.x.dtype)
    m = elements(zeros, use.result.shape[2:], kernel, stride, padding, count_include_pad, divisor)
    y = g.emit("AveragePool", use.name(0), kernel_shape=[*kernel], strides=[*stride], pads=[*before, *after],
               count_include_pad=1)
    whole = math.prod(kernel)  # what that divided by; m counts other elements where windows reach beyond the picture
    return y if (m == whole).all() else g.emit("Mul", y, g.constant(whole / m, use.x.dtype))


def _along(g, x, axis, ndim, matrix):
    """The name of `x`, (..., I, ...), with `matrix` (O, I) applied along `axis`."""
    turn = [*range(ndim)]
    turn[axis], turn[-1] = turn[-1], turn[axis]
    y = g.emit("MatMul", g.emit("Transpose", x, perm=turn), g.constant(matrix.T))
    return g.emit("Transpose", y, perm=turn)


@translates("AdaptiveAvgPool")
def adaptive_avg_pool(g, use, out):
    size = use.x.shape[2:]
    if all(o == 1 for o in out):
        return reduce(g, "ReduceMean", use.name(0), range(2, 2 + len(out)))
    if all(n % o == 0 for n, o in zip(size, out)):
        kernel = [n // o for n, o in zip(size, out)]
        return g.emit("AveragePool", use.name(0), kernel_shape=kernel, strides=kernel)
    y = use.name(0)
    for axis, (n, o) in enumerate(zip(size, out), 2):
        matrix = np.zeros((o, n), use.x.dtype)
        for (i,), (window,) in adaptive_windows((n,), (o,)):
            matrix[i, window] = 1 / (window.stop - window.start)
        y = _along(g, y, axis, 2 + len(out), matrix)
    return y


@translates("AdaptiveMaxPool")
def adaptive_max_pool(g, use, out, return_indices):
    size = use.x.shape[2:]
    if return_indices:
        raise use.refusal("ONNX counts the indices of the maxima through the whole batch")
    if all(o == 1 for o in out):
        return reduce(g, "ReduceMax", use.name(0), range(2, 2 + len(out)))
    y = use.name(0)
    for axis, (n, o) in enumerate(zip(size, out), 2):
        windows = [window for _, (window,) in adaptive_windows((n,), (o,))]
        longest = max(w.stop - w.start for w in windows)  # shorter ones look at their last element again
        places = [[min(w.start + i, w.stop - 1) for i in range(longest)] for w in windows]
        y = reduce(g, "ReduceMax", g.emit("Gather", y, g.whole(*places), axis=axis), [axis + 1], keepdim=False)
    return y


@translates("Interpolate")
def interpolate(g, use, size, scales, mode, align_corners, antialias=False):
    ctx = SimpleNamespace(size=use.x.shape[2:], scales=scales, mode=mode, align_corners=align_corners, antialias=antialias)
    y = use.name(0)
    for axis, (index, weight) in enumerate(Interpolate.taps(ctx, np.zeros(0, use.x.dtype), size), 2):
        parts = [g.emit("Gather", y, g.constant(i, np.int64), axis=axis) for i in index]
        if weight is not None:
            facing = weight.reshape(*weight.shape, *[1] * (len(size) + 1 - axis))
            parts = [g.emit("Mul", part, g.constant(w)) for part, w in zip(parts, facing)]
        y = parts[0] if len(parts) == 1 else g.emit("Sum", *parts)
    return y


@translates("ConstantPad")
def constant_pad(g, use, pads, value):
    return g.emit("Pad", use.name(0), g.whole(*(a for a, _ in pads), *(b for _, b in pads)), use.number(value))


@translates("BorderPad")
def border_pad(g, use, pads, mode):
    modes = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}
    return g.emit("Pad", use.name(0), g.whole(*(a for a, _ in pads), *(b for _, b in pads)), mode=modes[mode])


@translates("GridSample")
def grid_sample(g, use, mode, padding_mode, align_corners):
    modes = {"bilinear": "linear", "nearest": "nearest", "bicubic": "cubic"}
    return g.emit("GridSample", use.name(0), use.name(1), mode=modes[mode], padding_mode=padding_mode,
                  align_corners=int(align_corners))


@translates("Unfold")
def unfold(g, use, kernel, stride, padding, dilation):
    ndim, (before, after) = len(kernel), _sides(padding)
    y = g.emit("Pad", use.name(0), g.whole(0, 0, *before, 0, 0, *after), use.number(0))
    for i, (n, k, s, d) in enumerate(zip(use.x.shape[2:], kernel, stride, dilation)):
        count = (n + before[i] + after[i] - d * (k - 1) - 1) // s + 1
        places = np.arange(k)[:, None] * d + np.arange(count) * s
        y = g.emit("Gather", y, g.constant(places, np.int64), axis=2 + 2 * i)
    y = g.emit("Transpose", y, perm=[0, 1, *range(2, 2 + 2 * ndim, 2), *range(3, 3 + 2 * ndim, 2)])
    return g.emit("Reshape", y, g.shape(use.sizes))


@translates("Fold")
def fold(g, use, windows_shape, size, stride, padding, dilation):
    kernel, (before, after) = windows_shape[2:2 + len(size)], _sides(padding)
    return g.emit("Col2Im", use.name(0), g.whole(*size), g.whole(*kernel), strides=[*stride], pads=[*before, *after],
                  dilations=[*dilation])


# ---- normalisation and attention -------------------------------------------------------------------------------------

def _facing(g, use, i, along):
    """The name of argument i, a vector that belongs to the axes `along`, in a shape that broadcasts against x."""
    shape = [n if axis in along else 1 for axis, n in enumerate(use.x.shape)]
    return use.name(i) if [*use.shape(i)] == shape[-len(use.shape(i)):] and min(along) == len(shape) - len(use.shape(i)) \
        else g.emit("Reshape", use.name(i), g.whole(*shape))


@translates("Normalize")
def normalize(g, use, axes, along, eps, statistics=None):
    if statistics and along == (1,) and not axes:
        ones = np.ones(use.x.shape[1], use.x.dtype)
        mu, var = (g.array(s, t) for s, t in zip(*(
            [v.reshape(-1) for v in options["statistics"]] for options in (use.node.options, use.second.options))))
        w = g.constant(ones) if use.arguments[1] is None else use.name(1)
        b = g.constant(ones * 0) if use.arguments[2] is None else use.name(2)
        return g.emit("BatchNormalization", use.name(0), w, b, mu, var, epsilon=float(eps))
    if statistics:
        raise use.refusal("statistics of a batch, as in training, are no constants: call model.eval() first")
    if use.arguments[1] is not None and axes == along == tuple(range(axes[0], len(use.x.shape))):
        return g.emit("LayerNormalization", *use.given(3), axis=axes[0], epsilon=float(eps))
    d = g.emit("Sub", use.name(0), reduce(g, "ReduceMean", use.name(0), axes))
    var = reduce(g, "ReduceMean", g.emit("Mul", d, d), axes)
    y = g.emit("Div", d, g.emit("Sqrt", g.emit("Add", var, use.number(eps))))
    y = y if use.arguments[1] is None else g.emit("Mul", y, _facing(g, use, 1, along))
    return y if use.arguments[2] is None else g.emit("Add", y, _facing(g, use, 2, along))


@translates("RMSNorm")
def rms_norm(g, use, axes, eps):
    x = use.name(0)
    mean = reduce(g, "ReduceMean", g.emit("Mul", x, x), axes)
    y = g.emit("Div", x, g.emit("Sqrt", g.emit("Add", mean, use.number(eps))))
    return y if use.arguments[1] is None else g.emit("Mul", y, use.name(1))


@translates("LocalResponseNorm")
def local_response_norm(g, use, size, alpha, beta, k):
    if size % 2 == 0:
        raise use.refusal("ONNX places an even number of channels otherwise: take an odd size")
    return g.emit("LRN", use.name(0), size=size, alpha=float(alpha), beta=float(beta), bias=float(k))


@translates("Attention")
def attention(g, use, scale):
    if use.arguments[4] is not None:
        raise use.refusal("dropout is no constant: call model.eval() first")
    ndim = len(use.shape(1))
    turned = g.emit("Transpose", use.name(1), perm=[*range(ndim - 2), ndim - 1, ndim - 2])
    z = g.emit("Mul", g.emit("MatMul", use.name(0), turned), use.number(scale))
    z = z if use.arguments[3] is None else g.emit("Add", z, use.name(3))
    p = g.emit("Softmax", z, axis=-1)
    mask = use.arguments[3]
    if mask is not None and (isinstance(mask, Value) or (mask == -math.inf).all(-1).any()):
        p = g.emit("Where", g.emit("IsNaN", p), use.number(0), p)  # a query that may look at nothing
    return g.emit("MatMul", p, use.name(2))
