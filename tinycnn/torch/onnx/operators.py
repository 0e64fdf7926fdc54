"""What the operators of ONNX are here: `OPERATORS` maps the name of each to a function of Tensors and attributes.

Inputs that ONNX leaves out are None. Shapes, axes and the like are Tensors of whole numbers.
"""
import functools
import math

from onnx import helper

from .. import nn
from .. import abs, acos, acosh, arange, argmax, argmin, asin, asinh, atan, atanh, ceil, cos, cosh, erf, exp, floor, isnan
from .. import cat, einsum, log, log_softmax, maximum, minimum, neg, sigmoid, sign, sin, sinh, softmax, sqrt, tan, tanh
from .. import tensor, tril, triu, where

F = nn.functional
OPERATORS = dict(
    Abs=abs, Acos=acos, Acosh=acosh, Asin=asin, Asinh=asinh, Atan=atan, Atanh=atanh, Ceil=ceil, Cos=cos, Cosh=cosh, Erf=erf,
    Exp=exp, Floor=floor, IsNaN=isnan, Log=log, Neg=neg, Sigmoid=sigmoid, Sign=sign, Sin=sin, Sinh=sinh, Sqrt=sqrt, Tan=tan,
    Tanh=tanh, Where=where, Relu=F.relu, Identity=lambda x: x, HardSwish=F.hardswish, Softplus=F.softplus,
    Add=lambda x, y: x + y, Sub=lambda x, y: x - y, Mul=lambda x, y: x * y, Div=lambda x, y: x / y, Pow=lambda x, y: x ** y,
    MatMul=lambda x, y: x @ y, Greater=lambda x, y: x > y, Less=lambda x, y: x < y, Equal=lambda x, y: x == y,
    Max=lambda *xs: functools.reduce(maximum, xs), Min=lambda *xs: functools.reduce(minimum, xs),
    Sum=lambda *xs: functools.reduce(lambda x, y: x + y, xs), Concat=lambda *xs, axis: cat(xs, axis),
    Softmax=lambda x, axis=-1: softmax(x, axis), LogSoftmax=lambda x, axis=-1: log_softmax(x, axis),
    Gelu=lambda x, approximate="none": F.gelu(x, approximate=approximate), Elu=lambda x, alpha=1.0: F.elu(x, alpha),
    LeakyRelu=lambda x, alpha=0.01: F.leaky_relu(x, alpha), Dropout=lambda x, *rest, **options: x,
    HardSigmoid=lambda x, alpha=0.2, beta=0.5: (alpha * x + beta).clamp(0, 1),
    Clip=lambda x, low=None, high=None: x.clamp(low, high),
    Einsum=lambda *xs, equation: einsum(equation, *xs), Transpose=lambda x, perm: x.permute(*perm),
    Trilu=lambda x, k=None, upper=1: (triu if upper else tril)(x, int(k or 0)), CumSum=lambda x, axis: x.cumsum(int(axis)),
    Range=lambda start, stop, step: arange(int(start), int(stop), int(step)),
    Flatten=lambda x, axis=1: x.reshape(math.prod(x.shape[:axis]), -1),
    Shape=lambda x, start=0, end=None: tensor([*x.shape[start:end]]),
    Expand=lambda x, shape: x.expand(*_broadcast(x.shape, shape.tolist())),
    GatherElements=lambda x, index, axis=0: x.take_along_dim(index, axis),
    GatherND=lambda x, index: x[tuple(index.unbind(-1))],
    LRN=lambda x, size, alpha=1e-4, beta=0.75, bias=1.0: F.local_response_norm(x, size, alpha, beta, bias),
    GlobalAveragePool=lambda x: x.mean(tuple(range(2, x.ndim)), keepdim=True),
    GlobalMaxPool=lambda x: x.amax(tuple(range(2, x.ndim)), keepdim=True),
    GreaterOrEqual=lambda x, y: x >= y, LessOrEqual=lambda x, y: x <= y, Not=lambda x: ~x, And=lambda x, y: x & y,
    Or=lambda x, y: x | y, Reciprocal=lambda x: 1 / x, Round=lambda x: x.round(), Softsign=F.softsign,
    Mean=lambda *xs: functools.reduce(lambda x, y: x + y, xs) / len(xs), PRelu=lambda x, a: where(x > 0, x, a * x),
    Selu=lambda x, alpha=1.6732632, gamma=1.0507010: gamma * F.elu(x, alpha), Celu=lambda x, alpha=1.0: F.celu(x, alpha),
    Mod=lambda x, y, fmod=0: x.fmod(y) if fmod else x % y, Size=lambda x: tensor(x.numel()),
    Tile=lambda x, repeats: x.tile(repeats.tolist()),
    InstanceNormalization=lambda x, w, b, epsilon=1e-5: F.instance_norm(x, weight=w, bias=b, eps=epsilon),
)


def operator(function):
    """A decorator: the function below is the operator of its name."""
    OPERATORS[function.__name__] = function
    return function


def _broadcast(shape, wanted):
    """The common shape of two."""
    longest = max(len(shape), len(wanted))
    return [m if n == 1 else n for m, n in zip([1] * (longest - len(shape)) + [*shape],
                                               [1] * (longest - len(wanted)) + [*wanted])]


# ---- shapes ----------------------------------------------------------------------------------------------------------

@operator
def Cast(x, to):
    return x.to(helper.tensor_dtype_to_np_dtype(to))


@operator
def Reshape(x, shape, allowzero=0):
    return x.reshape(*(x.shape[i] if n == 0 and not allowzero else n for i, n in enumerate(shape.tolist())))


@operator
def Squeeze(x, axes=None):
    return x.squeeze() if axes is None else x.squeeze(tuple(axes.tolist()))


@operator
def Unsqueeze(x, axes):
    ndim = x.ndim + axes.numel()
    for axis in sorted(a % ndim for a in axes.tolist()):
        x = x.unsqueeze(axis)
    return x


@operator
def Slice(x, starts, ends, axes=None, steps=None):
    axes = range(starts.numel()) if axes is None else axes.tolist()
    steps = [1] * len(axes) if steps is None else steps.tolist()
    for start, end, axis, step in zip(starts.tolist(), ends.tolist(), axes, steps):
        places = arange(*slice(start, None if step < 0 and end < -x.shape[axis] else end, step).indices(x.shape[axis]))
        x = x.index_select(axis, places)
    return x


@operator
def Gather(x, index, axis=0):
    return x[(slice(None),) * (axis % x.ndim) + (index,)]


@operator
def Split(x, sizes=None, axis=0, num_outputs=None):
    return x.split(sizes.tolist() if sizes is not None else -(-x.shape[axis] // num_outputs), axis)


@operator
def Pad(x, pads, value=None, axes=None, mode="constant"):
    pads, mode = pads.tolist(), {"edge": "replicate", "wrap": "circular"}.get(mode, mode)
    widths = [n for pair in [*zip(pads[:x.ndim], pads[x.ndim:])][::-1] for n in pair]
    return F.pad(x, widths, mode, None if mode != "constant" or value is None else float(value))


@operator
def Compress(x, mask, axis=None):
    return x.flatten()[mask] if axis is None else x[(slice(None),) * (axis % x.ndim) + (mask,)]


@operator
def ScatterElements(x, index, value, axis=0, reduction="none"):
    if reduction == "none":
        return x.scatter(axis, index, value)
    names = {"add": "sum", "mul": "prod", "max": "amax", "min": "amin"}
    return x.scatter_reduce(axis, index, value, names[reduction])


@operator
def Col2Im(x, size, kernel, strides=None, pads=None, dilations=None):
    n = size.numel()
    pads = pads or [0] * 2 * n
    if pads[:n] != pads[n:]:
        raise NotImplementedError(f"onnx.load: Col2Im with other pads before than after: {pads}")
    return F.fold(x, size.tolist(), kernel.tolist(), dilations or 1, pads[:n], strides or 1)


# ---- reductions ------------------------------------------------------------------------------------------------------

def _reduction(reduce):
    """An operator: `reduce(x, axes, keepdim)` over some axes, or all."""
    def run(x, axes=None, keepdims=1, noop_with_empty_axes=0):
        axes = [] if axes is None else axes.tolist() if hasattr(axes, "tolist") else axes
        if not axes and noop_with_empty_axes:
            return x
        return reduce(x, tuple(axes or range(x.ndim)), bool(keepdims))
    return run


def _prod(x, axes, keepdim):
    for axis in sorted((a % x.ndim for a in axes), reverse=True):
        x = x.prod(axis, keepdim)
    return x


OPERATORS.update(ReduceSum=_reduction(lambda x, axes, keep: x.sum(axes, keep)),
                 ReduceMean=_reduction(lambda x, axes, keep: x.mean(axes, keep)),
                 ReduceMax=_reduction(lambda x, axes, keep: x.amax(axes, keep)),
                 ReduceMin=_reduction(lambda x, axes, keep: x.amin(axes, keep)),
                 ReduceLogSumExp=_reduction(lambda x, axes, keep: x.logsumexp(axes, keep)),
                 ReduceL1=_reduction(lambda x, axes, keep: x.abs().sum(axes, keep)),
                 ReduceL2=_reduction(lambda x, axes, keep: (x * x).sum(axes, keep).sqrt()), ReduceProd=_reduction(_prod),
                 ArgMax=lambda x, axis=0, keepdims=1: argmax(x, axis, bool(keepdims)),
                 ArgMin=lambda x, axis=0, keepdims=1: argmin(x, axis, bool(keepdims)))


# ---- layers ----------------------------------------------------------------------------------------------------------

def _padded(x, kernel, pads, value=0.0):
    """x with `pads`, a number for each side, where they differ; and the padding that is left to do."""
    n = len(kernel)
    pads = pads or [0] * 2 * n
    if pads[:n] == pads[n:]:
        return x, pads[:n]
    return F.pad(x, [w for pair in [*zip(pads[:n], pads[n:])][::-1] for w in pair], value=value), [0] * n


def _known(auto_pad):
    """Refuse padding that the file does not write down."""
    if auto_pad not in ("NOTSET", "VALID"):
        raise NotImplementedError(f"onnx.load: auto_pad {auto_pad} is unknown here, only pads that are written down")


@operator
def Conv(x, w, b=None, strides=None, pads=None, dilations=None, group=1, kernel_shape=None, auto_pad="NOTSET"):
    _known(auto_pad)
    x, padding = _padded(x, w.shape[2:], pads)
    return getattr(F, f"conv{w.ndim - 2}d")(x, w, b, strides or 1, padding, dilations or 1, group)


@operator
def ConvTranspose(x, w, b=None, strides=None, pads=None, dilations=None, group=1, kernel_shape=None, output_padding=None,
                  auto_pad="NOTSET"):
    _known(auto_pad)
    n = w.ndim - 2
    pads = pads or [0] * 2 * n
    if pads[:n] != pads[n:]:
        raise NotImplementedError(f"onnx.load: ConvTranspose with other pads before than after: {pads}")
    return getattr(F, f"conv_transpose{n}d")(x, w, b, strides or 1, pads[:n], output_padding or 0, group, dilations or 1)


@operator
def MaxPool(x, kernel_shape, strides=None, pads=None, dilations=None, ceil_mode=0, auto_pad="NOTSET", storage_order=0):
    _known(auto_pad)
    x, padding = _padded(x, kernel_shape, pads, -math.inf)
    return getattr(F, f"max_pool{x.ndim - 2}d")(x, kernel_shape, strides or 1, padding, dilations or 1, bool(ceil_mode))


@operator
def AveragePool(x, kernel_shape, strides=None, pads=None, count_include_pad=0, ceil_mode=0, auto_pad="NOTSET"):
    _known(auto_pad)
    pads = pads or [0] * 2 * len(kernel_shape)
    if count_include_pad:
        x, pads = _padded(x, kernel_shape, pads)
    elif pads[:len(kernel_shape)] != pads[len(kernel_shape):]:
        raise NotImplementedError(f"onnx.load: AveragePool with other pads before than after: {pads}")
    return getattr(F, f"avg_pool{x.ndim - 2}d")(x, kernel_shape, strides or 1, pads[:len(kernel_shape)], bool(ceil_mode),
                                                bool(count_include_pad))


@operator
def Gemm(x, w, b=None, alpha=1.0, beta=1.0, transA=0, transB=0):
    y = (x.T if transA else x) @ (w.T if transB else w)
    y = y if alpha == 1 else y * alpha
    return y if b is None else y + (b if beta == 1 else b * beta)


@operator
def BatchNormalization(x, w, b, mu, var, epsilon=1e-5, momentum=0.9, training_mode=0):
    return F.batch_norm(x, mu, var, w, b, eps=epsilon)


@operator
def LayerNormalization(x, w, b=None, axis=-1, epsilon=1e-5):
    return F.layer_norm(x, x.shape[axis:], w, b, epsilon)


@operator
def GridSample(x, grid, mode="linear", padding_mode="zeros", align_corners=0):
    modes = {"linear": "bilinear", "cubic": "bicubic"}
    return F.grid_sample(x, grid, modes.get(mode, mode), padding_mode, bool(align_corners))
