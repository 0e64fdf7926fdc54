"""Cases and mutants of `ops/resize.py`."""
from ...ops.resize import Interpolate
from ..registry import case, mutant, normal


def _resized(name, shape, **options):
    case(Interpolate, name, [normal(*shape)], lambda t, x: t.nn.functional.interpolate(x, **options), linear=True)


_resized("nearest 1-d, larger", (2, 3, 4), size=7)
_resized("nearest 2-d, twice", (2, 3, 3, 4), scale_factor=2)
_resized("nearest 2-d, one axis smaller, one larger", (1, 2, 5, 4), size=(3, 9))
_resized("nearest 2-d, odd scale", (1, 2, 5, 4), scale_factor=(1.5, 2.4))
_resized("nearest 3-d", (1, 2, 2, 3, 4), size=(3, 2, 5))
_resized("nearest-exact 1-d", (1, 2, 5), size=3, mode="nearest-exact")
_resized("nearest-exact 2-d", (1, 2, 5, 3), size=(3, 7), mode="nearest-exact")
_resized("nearest-exact 3-d", (1, 1, 3, 2, 4), scale_factor=1.7, mode="nearest-exact")
_resized("linear", (2, 3, 5), size=8, mode="linear")
_resized("linear, aligned corners", (2, 3, 5), size=8, mode="linear", align_corners=True)
_resized("linear, to one element", (1, 2, 5), size=1, mode="linear", align_corners=True)
_resized("bilinear, twice", (2, 3, 3, 4), scale_factor=2, mode="bilinear")
_resized("bilinear, aligned corners", (2, 2, 3, 4), size=(5, 7), mode="bilinear", align_corners=True)
_resized("bilinear, smaller", (1, 2, 6, 7), size=(2, 3), mode="bilinear")
_resized("bilinear, same size", (1, 2, 4, 4), size=4, mode="bilinear")
_resized("bilinear, from one pixel", (1, 2, 1, 1), size=(2, 3), mode="bilinear")
_resized("bilinear, scale kept", (1, 2, 5, 5), scale_factor=1.3, mode="bilinear")
_resized("bilinear, scale recomputed", (1, 2, 5, 5), scale_factor=1.3, mode="bilinear", recompute_scale_factor=True)
_resized("bicubic, larger", (1, 2, 4, 5), size=(7, 9), mode="bicubic")
_resized("bicubic, aligned corners", (1, 2, 4, 5), size=(7, 3), mode="bicubic", align_corners=True)
_resized("bicubic, scale kept", (1, 2, 5, 5), scale_factor=1.3, mode="bicubic")
_resized("trilinear", (1, 2, 2, 3, 4), size=(3, 5, 2), mode="trilinear")
_resized("trilinear, aligned corners", (1, 2, 2, 3, 4), scale_factor=2, mode="trilinear", align_corners=True)
_resized("bilinear, antialiased", (1, 2, 7, 5), size=(3, 4), mode="bilinear", antialias=True)
_resized("bicubic, antialiased", (2, 1, 9, 6), size=(4, 8), mode="bicubic", antialias=True)
_resized("bicubic, antialiased, scale kept", (1, 2, 7, 5), scale_factor=0.45, mode="bicubic", antialias=True)
_resized("empty batch", (0, 2, 3, 4), size=(5, 6), mode="bilinear")


@mutant(Interpolate, "gradient averaged instead of summed over the elements that read a pixel")
def _(backward, ctx, dy):
    dx = backward(ctx, dy)
    return dx * (dx[0, 0].size / dy[0, 0].size if dy.size else 1)


@mutant(Interpolate, "corners aligned backward and not forward, or the other way")
def _(backward, ctx, dy):
    ctx.align_corners = not ctx.align_corners
    return backward(ctx, dy)


@mutant(Interpolate, "gradient to the nearest pixel alone")
def _(backward, ctx, dy):
    ctx.mode = "nearest"
    return backward(ctx, dy)


@mutant(Interpolate, "without the antialiasing of forward, or with")
def _(backward, ctx, dy):
    ctx.antialias = ctx.mode.startswith("bi") and not ctx.antialias
    return backward(ctx, dy)


@mutant(Interpolate, "scale factor replaced by the ratio of the sizes")
def _(backward, ctx, dy):
    ctx.scales = [None] * len(ctx.scales)
    return backward(ctx, dy)


@mutant(Interpolate, "of two elements that read a pixel the last one wins")
def _(backward, ctx, dy):
    last = dy.copy()
    last[:, :, :-1:2] = 0
    return backward(ctx, last)
