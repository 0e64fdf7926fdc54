"""Cases and mutants of `ops/pad.py`."""
from ...ops.pad import BorderPad, ConstantPad
from ..registry import case, mutant, normal


def _pad(*args, **options):
    return lambda t, x: t.nn.functional.pad(x, *args, **options)


case(ConstantPad, "last dimension", [normal(2, 3)], _pad((1, 2)), linear=True)
case(ConstantPad, "two dimensions, all widths different", [normal(1, 2, 3)], _pad((1, 2, 3, 4)), linear=True)
case(ConstantPad, "every dimension", [normal(2, 3)], _pad((1, 0, 0, 2)), linear=True)
case(ConstantPad, "value", [normal(2, 3)], _pad((1, 1), value=2.5))
case(ConstantPad, "negative widths crop", [normal(4, 5)], _pad((-1, 2, 1, -2)), linear=True)
case(ConstantPad, "empty batch", [normal(0, 2, 3)], _pad((1, 1, 1, 1)), linear=True)

case(BorderPad, "reflect", [normal(1, 2, 5)], _pad((3, 2), mode="reflect"), linear=True)
case(BorderPad, "reflect in two dimensions", [normal(2, 1, 3, 4)], _pad((1, 3, 2, 1), mode="reflect"), linear=True)
case(BorderPad, "replicate", [normal(1, 2, 3)], _pad((5, 1), mode="replicate"), linear=True)
case(BorderPad, "replicate in three dimensions", [normal(1, 1, 2, 3, 2)], _pad((1, 2, 0, 3, 2, 1), mode="replicate"),
     linear=True)
case(BorderPad, "reflect, cropped at one end", [normal(1, 2, 5)], _pad((-2, 1), mode="reflect"), linear=True)
case(BorderPad, "replicate, cropped at one end", [normal(1, 2, 3)], _pad((2, -2), mode="replicate"), linear=True)
case(BorderPad, "circular", [normal(1, 2, 4)], _pad((4, 3), mode="circular"), linear=True)
case(BorderPad, "circular in two dimensions", [normal(1, 2, 3, 4)], _pad((1, 2, 3, 0), mode="circular"), linear=True)
case(BorderPad, "size 1 replicated", [normal(1, 1, 1, 1)], _pad((2, 1, 1, 2), mode="replicate"), linear=True)
case(BorderPad, "empty batch", [normal(0, 2, 4)], _pad((1, 2), mode="circular"), linear=True)


@mutant(ConstantPad, "widths before and after exchanged")
def _(backward, ctx, dy):
    ctx.opposite = [(b, a) for a, b in ctx.opposite]
    return backward(ctx, dy)


@mutant(ConstantPad, "first dimension first")
def _(backward, ctx, dy):
    dx = backward(ctx, dy)
    return dx.swapaxes(-1, -2).reshape(dx.shape)


@mutant(ConstantPad, "gradient of what was cut away too")
def _(backward, ctx, dy):
    dx = backward(ctx, dy)
    return dx + (dx == 0)


@mutant(BorderPad, "border has no gradient")
def _(backward, ctx, dy):
    return dy[ctx.middle]


@mutant(BorderPad, "only the border before is carried back")
def _(backward, ctx, dy):
    ctx.copies = ctx.copies[::2]
    return backward(ctx, dy)


@mutant(BorderPad, "reflected without turning around")
def _(backward, ctx, dy):
    ctx.copies = [(border, source, ()) for border, source, _ in ctx.copies]
    return backward(ctx, dy)
