"""Cases and mutants of `ops/reduce.py`."""
import math

from ...ops.reduce import Cumsum, LogSumExp, Norm, Prod, Std, Sum, Var
from ..registry import case, constant, distinct, mutant, normal

case(Sum, "everything", [normal(3, 4)], lambda t, x: t.sum(x), linear=True)
case(Sum, "one dim", [normal(3, 4, 2)], lambda t, x: x.sum(1), linear=True)
case(Sum, "several dims, kept", [normal(3, 4, 2)], lambda t, x: x.sum((0, -1), keepdim=True), linear=True)
case(Sum, "negative dim", [normal(3, 4, 2)], lambda t, x: t.sum(x, dim=-2), linear=True)
case(Sum, "size 1", [normal(3, 1)], lambda t, x: x.sum(1), linear=True)
case(Sum, "0-d", [constant(2.0)], lambda t, x: x.sum(0), linear=True)
case(Sum, "empty batch", [normal(0, 3)], lambda t, x: x.sum(0), linear=True)
case(Sum, "mean", [normal(3, 4, 2)], lambda t, x: x.mean((0, 2)), linear=True)
case(Sum, "mean of everything", [normal(3, 4)], lambda t, x: t.mean(x), linear=True)
case(Sum, "nansum", [constant([1.0, math.nan, 3.0])], lambda t, x: t.nansum(x), kinks=True)

case(Prod, "everything", [normal(3, 2)], lambda t, x: t.prod(x))
case(Prod, "one dim", [normal(3, 4, 2)], lambda t, x: x.prod(1))
case(Prod, "negative dim, kept", [normal(3, 4)], lambda t, x: x.prod(-1, keepdim=True))
case(Prod, "one 0 and two", [constant([[0.0, 2.0, 3.0], [0.0, 0.0, 3.0], [4.0, 5.0, 0.0]])], lambda t, x: x.prod(1))
case(Prod, "size 1", [normal(3, 1)], lambda t, x: x.prod(1))
case(Prod, "0-d", [constant(2.0)], lambda t, x: x.prod(0))
case(Prod, "empty batch", [normal(0, 3)], lambda t, x: x.prod(0))

for _function, _name in ((Var, "var"), (Std, "std")):
    case(_function, "everything", [normal(3, 4)], lambda t, x, f=_name: getattr(t, f)(x))
    case(_function, "one dim", [normal(3, 4, 2)], lambda t, x, f=_name: getattr(x, f)(1))
    case(_function, "biased", [normal(3, 4, 2)], lambda t, x, f=_name: getattr(x, f)((0, 2), unbiased=False))
    case(_function, "correction, kept", [normal(3, 4)], lambda t, x, f=_name: getattr(x, f)(-1, correction=2, keepdim=True))
    case(_function, "with mean", [normal(3, 4)], lambda t, x, f=_name: getattr(t, f + "_mean")(x, 0))
    case(_function, "empty batch", [normal(0, 3)], lambda t, x, f=_name: getattr(x, f)(1),
         torch=lambda t, x: x.sum(1))  # as empty, but without PyTorch's warning
case(Std, "equal numbers", [constant([[1.0, 1.0, 1.0], [1.0, 2.0, 3.0]])], lambda t, x: x.std(1), kinks=True)

case(Norm, "everything", [normal(3, 4)], lambda t, x: t.norm(x))
case(Norm, "one dim", [normal(3, 4, 2)], lambda t, x: t.norm(x, dim=1))
case(Norm, "p = 1, kept", [distinct(3, 4)], lambda t, x: x.norm(1, -1, True))
case(Norm, "p = 3, several dims", [distinct(3, 4, 2)], lambda t, x: x.norm(3, (0, 2)))
case(Norm, "p = 1.5", [distinct(3, 4)], lambda t, x: x.norm(1.5))
case(Norm, "zero vector", [constant([[0.0, 0.0], [3.0, 4.0]])], lambda t, x: x.norm(2, 1), kinks=True)
case(Norm, "zero elements, p = 3", [constant([[0.0, 0.0], [0.0, 4.0]])], lambda t, x: x.norm(3, 1), kinks=True)
case(Norm, "empty batch", [normal(0, 3)], lambda t, x: x.norm(2, 1))

case(LogSumExp, "one dim", [normal(3, 4, 2)], lambda t, x: t.logsumexp(x, 1))
case(LogSumExp, "several dims, kept", [normal(3, 4, 2)], lambda t, x: x.logsumexp((0, -1), keepdim=True))
case(LogSumExp, "large numbers", [constant([[1000.0, 1001.0], [-1000.0, -1000.5]])], lambda t, x: x.logsumexp(1),
     torch=lambda t, x: (x - x.detach().amax(1, True)).logsumexp(1) + x.detach().amax(1))  # whose gradient is more exact
case(LogSumExp, "masked", [constant([[-math.inf, 1.0, 2.0]])], lambda t, x: x.logsumexp(1), kinks=True)
case(LogSumExp, "0-d", [constant(2.0)], lambda t, x: x.logsumexp(0))
case(LogSumExp, "empty batch", [normal(0, 3)], lambda t, x: x.logsumexp(1))

case(Prod, "size 0", [normal(3, 0)], lambda t, x: x.prod(1))
case(Norm, "large", [constant([[300.0, -400.0], [3.0, 4.0]])],
     lambda t, x: x.norm(2, 1))
case(LogSumExp, "equal", [constant([[7.0, 7.0, 7.0]])], lambda t, x: x.logsumexp(1))
case(LogSumExp, "size 1", [normal(3, 1)], lambda t, x: x.logsumexp(1), linear=True)
case(Cumsum, "one dim", [normal(3, 4, 2)], lambda t, x: t.cumsum(x, 1), linear=True)
case(Cumsum, "negative dim", [normal(3, 4)], lambda t, x: x.cumsum(-1), linear=True)
case(Cumsum, "size 1", [normal(3, 1)], lambda t, x: x.cumsum(1), linear=True)
case(Cumsum, "empty batch", [normal(0, 3)], lambda t, x: x.cumsum(0), linear=True)


def _times(factor):
    return lambda backward, ctx, dy: factor(ctx) * backward(ctx, dy)


def _biased(ctx):
    """(n - c) / n."""
    return ctx.divisor / math.prod(ctx.saved_tensors[0].shape[a] for a in ctx.axes)


def _kept(ctx):
    """The shape of the input with size 1 at the reduced axes."""
    return tuple(1 if i in ctx.axes else n for i, n in enumerate(ctx.saved_tensors[0].shape))


mutant(Sum, "mean instead of sum")(_times(lambda ctx: math.prod(ctx.kept) / max(math.prod(ctx.shape), 1)))
mutant(Sum, "sign")(_times(lambda ctx: -1))
mutant(Sum, "upstream gradient forgotten")(lambda backward, ctx, dy: backward(ctx, dy * 0 + 1))
mutant(Var, "2 forgotten")(_times(lambda ctx: 0.5))
mutant(Var, "correction forgotten")(_times(_biased))
mutant(Std, "1/2 of the square root's slope forgotten")(_times(lambda ctx: 2))
mutant(Std, "correction forgotten")(_times(_biased))
mutant(LogSumExp, "weights 1 instead of the softmax")(
    lambda backward, ctx, dy: dy.reshape(ctx.kept) + 0 * ctx.saved_tensors[0])
mutant(LogSumExp, "e^x not divided by the sum")(
    lambda backward, ctx, dy: dy.reshape(ctx.kept) * 2.718281828459045 ** ctx.saved_tensors[0].clip(-9, 9))
mutant(LogSumExp, "upstream gradient forgotten")(lambda backward, ctx, dy: backward(ctx, dy * 0 + 1))
mutant(Cumsum, "summed forward, not backward")(lambda backward, ctx, dy: dy.cumsum(ctx.axis))
mutant(Cumsum, "own gradient left out")(lambda backward, ctx, dy: backward(ctx, dy) - dy)
mutant(Cumsum, "own gradient only")(lambda backward, ctx, dy: dy + 0)


@mutant(Prod, "y / x, which is NaN at 0")
def _(backward, ctx, dy):
    (x,) = ctx.saved_tensors
    return dy.reshape(ctx.kept) * x.prod(axis=ctx.axis, keepdims=True) / x


@mutant(Prod, "factor itself not left out")
def _(backward, ctx, dy):
    (x,) = ctx.saved_tensors
    return backward(ctx, dy) * x


@mutant(Prod, "slope 1, as of a sum")
def _(backward, ctx, dy):
    return 0 * backward(ctx, dy) + dy.reshape(ctx.kept)


@mutant(Var, "mean not subtracted")
def _(backward, ctx, dy):
    (x,) = ctx.saved_tensors
    return dy.reshape(_kept(ctx)) * 2 / ctx.divisor * x


@mutant(Std, "slope of the variance")
def _(backward, ctx, dy):
    x, y = ctx.saved_tensors
    return 2 * y.reshape(_kept(ctx)) * backward(ctx, dy)


@mutant(Norm, "squared norm: 2 x")
def _(backward, ctx, dy):
    x, y = ctx.saved_tensors
    return 2 * dy.reshape(ctx.kept) * x


@mutant(Norm, "not divided by the norm")
def _(backward, ctx, dy):
    x, y = ctx.saved_tensors
    return dy.reshape(ctx.kept) * abs(x) ** (ctx.p - 1) * ((x > 0) * 1.0 - (x < 0))


@mutant(Norm, "sign forgotten")
def _(backward, ctx, dy):
    x, y = ctx.saved_tensors
    return backward(ctx, dy) * (1.0 - 2.0 * (x < 0))


@mutant(Norm, "p = 2 for every p")
def _(backward, ctx, dy):
    x, y = ctx.saved_tensors
    return dy.reshape(ctx.kept) / (y + (y == 0)).reshape(ctx.kept) * x
