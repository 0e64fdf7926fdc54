"""Cases and mutants of `ops/grid_sample.py`."""
from ...ops.grid_sample import GridSample
from ..registry import Sample, case, constant, mutant, normal


def _points(*shape):
    """Points from -1.6 to 1.6, inside and outside the picture, none on a pixel, an edge or half-way between pixels."""
    return Sample(lambda rng: rng.integers(-16, 17, shape) * 0.1 + 0.037)


def _sampled(name, x, grid, **options):
    case(GridSample, name, [normal(*x), _points(*grid)], lambda t, x, grid: t.nn.functional.grid_sample(x, grid, **options))


for _mode in ("bilinear", "nearest", "bicubic"):
    for _padding in ("zeros", "border", "reflection"):
        for _align in (False, True):
            _sampled(f"{_mode}, {_padding}" + ", aligned corners" * _align, (2, 3, 4, 5), (2, 3, 2, 2), mode=_mode,
                     padding_mode=_padding, align_corners=_align)
_sampled("in space", (2, 2, 3, 4, 2), (2, 2, 1, 3, 3), align_corners=False)
_sampled("in space, reflection", (1, 2, 3, 4, 2), (1, 2, 3, 1, 3), padding_mode="reflection", align_corners=False)
_sampled("in space, nearest", (1, 2, 3, 4, 2), (1, 2, 3, 1, 3), mode="nearest", align_corners=True)
_sampled("one pixel", (1, 2, 1, 1), (1, 2, 2, 2), align_corners=False)
_sampled("one pixel, reflection, aligned corners", (1, 2, 1, 3), (1, 2, 2, 2), padding_mode="reflection", align_corners=True)
_sampled("empty batch", (0, 2, 3, 3), (0, 2, 2, 2), align_corners=False)
_sampled("no points", (1, 2, 3, 3), (1, 0, 2, 2), align_corners=False)
case(GridSample, "one point read twice", [normal(1, 2, 3, 3), constant([[[[0.1, 0.2], [0.1, 0.2], [0.15, 0.25]]]])],
     lambda t, x, grid: t.nn.functional.grid_sample(x, grid, align_corners=False))


case(GridSample, "far outside", [normal(1, 2, 3, 3), constant([[[[900.0, 0.1], [-900.0, 900.0]]]])],
     lambda t, x, grid: t.nn.functional.grid_sample(x, grid, align_corners=False))


@mutant(GridSample, "x and y of the grid exchanged")
def _(backward, ctx, dy):
    dx, dgrid = backward(ctx, dy)
    return dx, dgrid[..., ::-1]


@mutant(GridSample, "gradient of the grid in pixels, the half size forgotten")
def _(backward, ctx, dy):
    dx, dgrid = backward(ctx, dy)
    return dx, dgrid / (dx.shape[-1] / 2)


@mutant(GridSample, "sign of the slope lost at reflections")
def _(backward, ctx, dy):
    dx, dgrid = backward(ctx, dy)
    if ctx.options[1] == "reflection":
        ctx.options = ctx.options[0], "border", ctx.options[2]
        dgrid = backward(ctx, dy)[1]
    return dx, dgrid


@mutant(GridSample, "clipped points still have a gradient")
def _(backward, ctx, dy):
    dx, dgrid = backward(ctx, dy)
    if ctx.options[1] == "border":
        ctx.options = ctx.options[0], "zeros", ctx.options[2]
        dgrid = backward(ctx, dy)[1]
    return dx, dgrid


@mutant(GridSample, "gradient of the picture to the nearest pixel alone")
def _(backward, ctx, dy):
    dgrid = backward(ctx, dy)[1]
    ctx.options = "nearest", *ctx.options[1:]
    return backward(ctx, dy)[0], dgrid


@mutant(GridSample, "gradient of the grid forgotten")
def _(backward, ctx, dy):
    dx, dgrid = backward(ctx, dy)
    return dx, dgrid * 0
