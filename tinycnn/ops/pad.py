"""Padding, in PyTorch's order: the first two numbers of `pad` belong to the last dimension."""
import math

from ..engine.arrays import array_module
from ..engine.function import Function
from ..engine.checks import check_number, check_tensor
from .creation import arange
from .gather import index_add
from .shape import integers


class ConstantPad(Function):
    """x with `before` and `after` entries of one value added along each dimension; negative numbers cut entries away.

    The constants have no gradient, and neither has what was cut away. So dx is dy without the entries that were added, and
    with zeros where entries were cut: dy padded with zeros by the opposite widths.
    """

    @staticmethod
    def forward(ctx, x, pads, value):
        ctx.opposite = [(-a, -b) for a, b in pads]
        return _resized(x, pads, value)

    @staticmethod
    def backward(ctx, dy):
        return _resized(dy, ctx.opposite, 0)

    @staticmethod
    def backward_recorded(ctx, dy):
        return ConstantPad.apply(dy, pads=ctx.opposite, value=0)


def _resized(x, pads, value):
    """A copy of the array x, enlarged by entries of `value` or cut at both ends of each dimension."""
    y = array_module(x).full([n + a + b for n, (a, b) in zip(x.shape, pads)], value, x.dtype)
    source = tuple(slice(max(-a, 0), n - max(-b, 0)) for n, (a, b) in zip(x.shape, pads))
    target = tuple(slice(max(a, 0), n - max(b, 0)) for n, (a, b) in zip(y.shape, pads))
    y[target] = x[source]
    return y


class BorderPad(Function, wide=True):
    """x with borders copied from x itself; along one dimension of size n, padded by a before and b after:

        reflect     y = x[a] ... x[1]      x[0] ... x[n-1]   x[n-2] ... x[n-1-b]
        replicate   y = x[0] ... x[0]      x[0] ... x[n-1]   x[n-1] ... x[n-1]
        circular    y = x[n-a] ... x[n-1]  x[0] ... x[n-1]   x[0] ... x[b-1]

    Forward puts x into the middle of y and then, dimension by dimension, runs assignments y[border] = y[source]. The
    adjoint of one assignment is dy[source] += dy[border] (summed, where one entry was replicated); backward runs them in
    reverse order, and dx is what then stands in the middle.
    """

    @staticmethod
    def forward(ctx, x, pads, mode):
        y = array_module(x).empty([n + a + b for n, (a, b) in zip(x.shape, pads)], x.dtype)
        ctx.shape, ctx.pads, ctx.mode = x.shape, pads, mode
        ctx.middle = tuple(slice(a, a + n) for n, (a, b) in zip(x.shape, pads))
        ctx.copies = [c for dim, (n, (a, b)) in enumerate(zip(x.shape, pads)) for c in _copies(mode, dim, n, a, b)]
        y[ctx.middle] = x
        for border, source, turned in ctx.copies:
            y[border] = y[source][turned]
        return y

    @staticmethod
    def backward(ctx, dy):
        dy = dy.copy()
        for border, source, turned in reversed(ctx.copies):
            part, onto = dy[border][turned], dy[source]
            dim = len(source) - 1
            onto += part if onto.shape == part.shape else part.sum(dim, keepdims=True)
        return dy[ctx.middle]

    @staticmethod
    def backward_recorded(ctx, dy):
        """Dimension by dimension, dx[j] sums the dy[i] whose y[i] shows x[j]; padding 0, ..., n - 1 tells j for each i."""
        for dim, (n, pad) in enumerate(zip(ctx.shape, ctx.pads)):
            source = BorderPad.apply(arange(n, device=dy.device), pads=[pad], mode=ctx.mode)
            dy = index_add(dy.new_zeros(*dy.shape[:dim], n, *dy.shape[dim + 1:]), dim, source, dy)
        return dy


def _copies(mode, dim, n, a, b):
    """The two assignments y[border] = y[source][turned] along `dim`, as triples of indices into y."""
    first, last = a, a + n - 1                                          # where x[0] and x[n-1] stand in y
    sources = {"reflect": [(first + 1, first + 1 + a), (last - b, last)],
               "replicate": [(first, first + 1), (last, last + 1)],
               "circular": [(last + 1 - a, last + 1), (first, first + b)]}[mode]
    borders = [(0, a), (last + 1, last + 1 + b)]
    along = (slice(None),) * dim
    turned = (*along, slice(None, None, -1 if mode == "reflect" else 1))
    return [((*along, slice(*border)), (*along, slice(*source)), turned)
            for border, source in zip(borders, sources) if border[0] < border[1]]


def pad(input, pad, mode="constant", value=None):
    """`input` enlarged at its borders: (left, right), (left, right, top, bottom), ... from the last dimension forwards.

    `mode`: "constant" fills with `value` (default 0); "reflect" mirrors at the outermost entry without repeating it;
    "replicate" repeats the outermost entry; "circular" continues with the other end. Negative numbers crop, before anything
    is added.
    """
    check_tensor("pad", input=input)
    widths = integers("pad", "pad", (pad,))
    if len(widths) % 2 or len(widths) > 2 * input.ndim:
        raise ValueError(f"pad: pad must hold two numbers for each padded dimension, at most {2 * input.ndim} for shape "
                         f"{input.shape}, got {widths}")
    pairs = [(widths[i], widths[i + 1]) for i in range(0, len(widths), 2)]
    pads = [(0, 0)] * (input.ndim - len(pairs)) + pairs[::-1]
    if mode == "constant" or min(widths, default=0) < 0:
        for dim, (n, (a, b)) in enumerate(zip(input.shape, pads)):
            if min(a, 0) + min(b, 0) + n < 0:
                raise ValueError(f"pad: {widths} cuts more from dimension {dim} than its size {n}")
    if mode == "constant":
        value = 0 if value is None else value
        check_number("pad", value=value)
        return ConstantPad.apply(input, pads=pads, value=value)
    if mode not in ("reflect", "replicate", "circular"):
        raise ValueError(f"pad: mode must be 'constant', 'reflect', 'replicate' or 'circular', got {mode!r}")
    if value:
        raise ValueError(f"pad: value belongs to mode 'constant', got {value} with mode {mode!r}")
    if min(widths, default=0) < 0:
        input = ConstantPad.apply(input, pads=[(min(a, 0), min(b, 0)) for a, b in pads], value=0)
        pads = [(max(a, 0), max(b, 0)) for a, b in pads]
    for dim, (n, widths) in enumerate(zip(input.shape, pads)):
        limit = {"reflect": n - 1, "circular": n, "replicate": math.inf if n else 0}[mode]
        if max(widths) > max(limit, 0):
            raise ValueError(f"pad: mode {mode!r} can pad dimension {dim} of size {n} by 0 to {max(limit, 0)}, got {widths}")
    return BorderPad.apply(input, pads=pads, mode=mode)


__all__ = ["pad"]
