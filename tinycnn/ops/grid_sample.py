"""Pictures read at given points, between pixels and beyond the border: the core of a spatial transformer."""
import functools
import itertools
import math
import operator

import numpy as np

from ..engine.arrays import add_at, array_module
from ..engine.function import Function
from ..engine.checks import check_floating
from ..engine.tensor import wrap
from .resize import far, near
from .shape import reshape


def affine_grid(theta, size, align_corners=None):
    """The points at which `grid_sample` reads to transform a picture by the matrices theta.

    theta (N, 2, 3) and `size` (N, C, H, W) give (N, H, W, 2); theta (N, 3, 4) and (N, C, D, H, W) give (N, D, H, W, 3).
    Point (x, y) of the new picture, both from -1 to 1, is read at theta (x, y, 1) of the old one. -1 and 1 are the outer
    edges of the picture, or, with `align_corners`, the centres of its outermost pixels.
    Source: Jaderberg et al., "Spatial transformer networks", 2015.
    """
    check_floating("affine_grid", theta=theta)
    n, *space = size[0], *size[2:]
    dims = len(space)
    if dims not in (2, 3) or theta.shape != (n, dims, dims + 1):
        raise ValueError(f"affine_grid: theta must be (N, 2, 3) for a size (N, C, H, W), or (N, 3, 4) for (N, C, D, H, W), "
                         f"got theta of shape {theta.shape} and size {tuple(size)}")
    if min(space) < 1:
        raise ValueError(f"affine_grid: size must be positive in space, got {tuple(size)}")
    xp = array_module(theta.array)
    axes = [xp.linspace(-1, 1, s) * (1 if align_corners else (s - 1) / s) if s > 1 else xp.zeros(1) for s in space]
    points = xp.meshgrid(*axes, indexing="ij")[::-1]
    points = xp.stack([*points, xp.ones_like(points[0])], -1).reshape(1, -1, dims + 1).astype(theta.dtype)
    return reshape(wrap(points) @ theta.mT, (n, *space, dims))


def _position(g, size, mode, padding_mode, align_corners):
    """Where a coordinate g (-1 to 1 over the picture) lies on an axis of `size` pixels, and the derivative by g."""
    stretch = (size - 1) / 2 if align_corners else size / 2
    p = (g + 1) * stretch - (0 if align_corners else 0.5)
    if mode == "bicubic":  # which reads around the point, wherever that lies; then each pixel is sought in the picture
        return p, array_module(g).full_like(p, stretch)
    p, slope = _in_picture(p, size, padding_mode, align_corners)
    return p, slope * stretch


def _in_picture(p, size, padding_mode, align_corners):
    """The place p on an axis of `size` pixels moved into the picture, and the derivative by p."""
    xp = array_module(p)
    slope = xp.ones_like(p)
    if padding_mode == "reflection":  # p runs to and fro between the edges; each turn changes the sign of the slope
        low, span = (0, size - 1) if align_corners else (-0.5, size)
        distance = xp.abs(p - low)
        turned = xp.floor(distance / max(span, 1)) % 2 == 1
        rest = xp.fmod(distance, max(span, 1))
        slope = xp.where(turned == (p < low), slope, -slope)
        p = low + xp.where(turned, span - rest, rest)
    if padding_mode != "zeros":
        slope = slope * ((p > 0) & (p < size - 1))
        p = p.clip(0, size - 1)
    return p, slope


def _taps(p, mode):
    """The pixels of one axis that the point p reads: (place, weight, derivative of the weight by p) of each.

    Linear: of the two neighbours of p, the upper one, at distance t from the lower, has weight t, the lower 1 - t. Cubic:
    Keys' kernel with a = -3/4 at two neighbours on either side. The weight of the nearest pixel is 1, of NaN it is NaN.
    """
    xp = array_module(p)
    if mode == "nearest":
        return [(xp.rint(p), xp.where(xp.isnan(p), p, 1), 0)]
    floor = xp.floor(p)
    t = p - floor
    if mode == "bilinear":
        return [(floor, 1 - t, -1), (floor + 1, t, 1)]
    a, u = -0.75, 1 - t
    return [(floor - 1, far(t + 1, a), far_slope(t + 1, a)), (floor, near(t, a), near_slope(t, a)),
            (floor + 1, near(u, a), -near_slope(u, a)), (floor + 2, far(u + 1, a), -far_slope(u + 1, a))]


def near_slope(d, a):
    """The derivative of `near`."""
    return (3 * (a + 2) * d - 2 * (a + 3)) * d


def far_slope(d, a):
    """The derivative of `far`."""
    return (3 * a * d - 10 * a) * d + 8 * a


def _corners(positions, sizes, mode, padding_mode, align_corners):
    """The pixels that each point reads, as (index into the flat picture, inside, weights, slopes of the weights).

    They are the combinations of the taps of all axes; weights and slopes stand an axis each. Where a coordinate is NaN, so
    is a weight, and that counts as inside.
    """
    unknown = functools.reduce(operator.or_, map(array_module(positions[0]).isnan, positions))
    for taps in itertools.product(*(_taps(p, mode) for p in positions)):
        index, inside = 0, True
        for (at, _, _), size in zip(taps, sizes):
            if mode == "bicubic":
                at, _ = _in_picture(at, size, padding_mode, align_corners)
            inside = inside & ~((at < 0) | (at > size - 1))
            index = index * size + at.astype(np.int64).clip(0, size - 1)
        yield index, inside | unknown, [weight for _, weight, _ in taps], [slope for _, _, slope in taps]


class GridSample(Function, wide=True):
    """x (N, C, *S), grid (N, *O, D) -> y (N, C, *O): y[n, :, o] is picture n at the point grid[n, o], for D axes.

    p = position(grid) in pixels, axis by axis (the last coordinate of the grid belongs to the first axis), and
    y[o] = sum over the corners q around p of w_q x[q], w_q = prod_a w_qa, w_qa = t_a or 1 - t_a, t_a = p_a - floor(p_a).
    A corner outside the picture counts 0. A point that is NaN reads NaN. Cubic interpolation reads more corners, with other
    weights (see `_taps`); the rest is the same.

    dx[q]  = sum over the o that read q of w_q dy[o]: the corners are scattered back.
    dp_a   = sum over channels and corners of dy x[q] dw_q/dp_a, dw_q/dp_a = dw_qa/dp_a * prod of the other weights;
    dgrid  = dp * dposition/dgrid, the slope: S/2, with the sign of reflections, 0 where the border clips.
    For the nearest pixel y is constant around almost every p: dgrid = 0.

    Cost: 2^D reads an element; saves x and grid. Source: Jaderberg et al., "Spatial transformer networks", 2015.
    """

    @staticmethod
    def forward(ctx, x, grid, mode, padding_mode, align_corners):
        ctx.save_for_backward(x, grid)
        ctx.options = mode, padding_mode, align_corners
        xp, sizes = array_module(x), x.shape[2:]
        pixels = x.reshape(*x.shape[:2], math.prod(sizes))
        positions = [p for p, _ in GridSample.places(ctx, grid, sizes)]
        y = xp.zeros((*x.shape[:2], math.prod(grid.shape[1:-1])), x.dtype)
        for index, inside, weights, _ in _corners(positions, sizes, *ctx.options):
            weight = xp.where(inside, math.prod(weights), 0)
            y += weight[:, None] * xp.take_along_axis(pixels, index[:, None], 2)
        return y.reshape(*x.shape[:2], *grid.shape[1:-1])

    @staticmethod
    def backward(ctx, dy):
        x, grid = ctx.saved_tensors
        need_x, need_grid = ctx.needs_input_grad
        xp, (n, c, *sizes) = array_module(x), x.shape
        pixels, dy = x.reshape(n, c, math.prod(sizes)), dy.reshape(n, c, math.prod(dy.shape[2:]))
        places = GridSample.places(ctx, grid, sizes)
        dx = xp.zeros(math.prod(x.shape), x.dtype) if need_x else None
        dp = [xp.zeros_like(p) for p, _ in places]
        planes = xp.arange(n * c).reshape(n, c, 1) * pixels.shape[2]
        for index, inside, weights, slopes in _corners([p for p, _ in places], sizes, *ctx.options):
            if need_x:
                weight = xp.where(inside, math.prod(weights), 0)
                add_at(dx, (planes + index[:, None]).ravel(), (weight[:, None] * dy).ravel())
            if need_grid and ctx.options[0] != "nearest":
                dw = xp.where(inside, (dy * xp.take_along_axis(pixels, index[:, None], 2)).sum(1), 0)
                for a, slope in enumerate(slopes):
                    dp[a] += dw * slope * math.prod(weights[:a] + weights[a + 1:])
        dgrid = xp.stack([d * slope for d, (_, slope) in zip(dp, places)][::-1], -1)
        return dx.reshape(x.shape) if need_x else None, dgrid.reshape(grid.shape) if need_grid else None

    @staticmethod
    def places(ctx, grid, sizes):
        """(position, slope) of every point, each (N, points), an axis each."""
        points = grid.reshape(len(grid), math.prod(grid.shape[1:-1]), len(sizes))
        return [_position(points[..., -1 - a], size, *ctx.options) for a, size in enumerate(sizes)]


def grid_sample(input, grid, mode="bilinear", padding_mode="zeros", align_corners=None):
    """input (N, C, H, W) read at the points grid (N, P, Q, 2) -> (N, C, P, Q); in space (N, C, D, H, W), (N, P, Q, R, 3).

    A point is (x, y), or (x, y, z), from -1 to 1 over the picture (see `affine_grid` for `align_corners`). `mode`:
    "bilinear" (also for the trilinear), "nearest" or, of pictures only, "bicubic". `padding_mode` says what lies outside the
    picture: "zeros", the "border" pixel, or the picture's "reflection". A point that is NaN gives NaN.
    """
    check_floating("grid_sample", input=input, grid=grid)
    if mode not in ("bilinear", "nearest", "bicubic") or mode == "bicubic" and input.ndim == 5:
        raise ValueError(f"grid_sample: mode must be 'bilinear' or 'nearest', or for (N, C, H, W) 'bicubic', got {mode!r} "
                         f"for shape {input.shape}")
    if padding_mode not in ("zeros", "border", "reflection"):
        raise ValueError(f"grid_sample: padding_mode must be 'zeros', 'border' or 'reflection', got {padding_mode!r}")
    dims = input.ndim - 2
    if dims not in (2, 3) or grid.ndim != input.ndim or grid.shape[-1] != dims or grid.shape[0] != input.shape[0]:
        raise ValueError("grid_sample: expected input (N, C, H, W) with grid (N, P, Q, 2), or (N, C, D, H, W) with "
                         f"(N, P, Q, R, 3), got shapes {input.shape} and {grid.shape}")
    if min(input.shape[2:]) < 1:
        raise ValueError(f"grid_sample: input must not be empty in space, got shape {input.shape}")
    if input.dtype != grid.dtype:
        raise TypeError(f"grid_sample: input and grid must have the same dtype, got {input.dtype} and {grid.dtype}")
    return GridSample.apply(input, grid, mode=mode, padding_mode=padding_mode, align_corners=bool(align_corners))


__all__ = ["affine_grid", "grid_sample"]
