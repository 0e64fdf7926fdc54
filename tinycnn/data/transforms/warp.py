"""Pictures sampled at other places: every pixel of the result asks where it came from."""
import numpy as np

from ...engine.arrays import array_module
from .base import InterpolationMode, fill_values, working_type


def warp(function, x, rows, columns, interpolation, fill):
    """The pictures x (N, C, H, W) read at `rows` and `columns` (N, 1, H', W'), counted from the middle of the first pixel.

    What lies outside is `fill`. Bilinear: the four pixels around the place, in proportion to their nearness.
    """
    xp = array_module(x)
    n, c, h, w = x.shape
    size = rows.shape[2:]
    length = size[0] * size[1]
    framed = xp.empty((n, c, h + 2, w + 2), x.dtype)  # with a border of fill, so that every place has neighbours
    framed[...] = fill_values(function, fill, x)
    framed[:, :, 1:-1, 1:-1] = x
    framed = framed.reshape(n, c, (h + 2) * (w + 2))
    if interpolation is InterpolationMode.NEAREST:
        down = xp.floor(rows.clip(-1, h) + 1.5).astype(np.int64)
        right = xp.floor(columns.clip(-1, w) + 1.5).astype(np.int64)
        place = (down.clip(0, h + 1) * (w + 2) + right.clip(0, w + 1)).reshape(n, 1, length)
        return xp.take_along_axis(framed, place, 2).reshape(n, c, *size)
    dtype = working_type(x)
    down, right = rows.clip(-1, h).astype(dtype, copy=False) + 1, columns.clip(-1, w).astype(dtype, copy=False) + 1
    top, left = xp.minimum(xp.floor(down), h), xp.minimum(xp.floor(right), w)
    below, beside = (down - top).reshape(n, 1, length), (right - left).reshape(n, 1, length)
    corner = (top * (w + 2) + left).astype(np.int64).reshape(n, 1, length)
    y = 0
    for step, weight in ((0, (1 - below) * (1 - beside)), (1, (1 - below) * beside),
                         (w + 2, below * (1 - beside)), (w + 3, below * beside)):
        y = y + xp.take_along_axis(framed, corner + step, 2) * weight
    y = y.reshape(n, c, *size)
    return y if x.dtype.kind == "f" else xp.rint(y).astype(x.dtype)


def affine_matrices(xp, angle, scale, shear_x, shear_y):
    """The entries (a, b, c, d) of M = s R(angle) Y(shear_y) X(shear_x), for angles in degrees, clockwise.

    In the picture's axes (x to the right, y down) R turns by (cos, -sin; sin, cos), X = (1, -tan; 0, 1) slants to the side
    and Y = (1, 0; -tan, 1) up and down. The determinant of each but the scale is 1.
    """
    degree = np.pi / 180
    cos, sin = xp.cos(angle * degree), xp.sin(angle * degree)
    x, y = xp.tan(shear_x * degree), xp.tan(shear_y * degree)
    a, c = cos + sin * y, sin - cos * y
    return scale * a, scale * (-a * x - sin), scale * c, scale * (-c * x + cos)


def affine_sources(xp, size, out_size, matrices, shift, centre):
    """Where each pixel of the results comes from: rows and columns (N, 1, H', W').

    A picture whose places p, counted from `centre` (x, y), move to M p + shift shows at q what lay at M^-1 (q - shift).
    `matrices` is (a, b, c, d), each (N, 1, 1, 1); centre None is the middle. A result of another size than `size` keeps the
    middle of the picture in its own.
    """
    a, b, c, d = matrices
    (h, w), (out_h, out_w) = size, out_size
    x, y = ((w - 1) / 2, (h - 1) / 2) if centre is None else (centre[0] - 0.5, centre[1] - 0.5)
    right = xp.arange(out_w, dtype=a.dtype) - (x + (out_w - w) / 2) - shift[0]
    down = xp.arange(out_h, dtype=a.dtype)[:, None] - (y + (out_h - h) / 2) - shift[1]
    det = a * d - b * c
    return (a * down - c * right) / det + y, (d * right - b * down) / det + x


def perspective_sources(xp, size, start, end):
    """Where each pixel comes from when the corners `start` move to `end`, both (N, 4, 2) of (x, y): rows and columns.

    The map from results q = (u, v) back to the picture is x = (a u + b v + c) / (g u + h v + 1) and y = (d u + e v + f) /
    (the same); multiplied by the denominator, each of the four corners gives two linear equations for the eight numbers.
    """
    n, (h, w) = len(end), size
    u, v, x, y = end[:, :, 0], end[:, :, 1], start[:, :, 0], start[:, :, 1]
    one, nil = xp.ones_like(u), xp.zeros_like(u)
    across = xp.stack([u, v, one, nil, nil, nil, -u * x, -v * x], 2)
    along = xp.stack([nil, nil, nil, u, v, one, -u * y, -v * y], 2)
    solved = xp.linalg.solve(xp.concatenate([across, along], 1), xp.concatenate([x, y], 1)[:, :, None])
    a, b, c, d, e, f, g, i = (solved[:, k].reshape(n, 1, 1, 1) for k in range(8))
    u, v = xp.arange(w, dtype=end.dtype), xp.arange(h, dtype=end.dtype)[:, None]
    below = g * u + i * v + 1
    return (d * u + e * v + f) / below, (a * u + b * v + c) / below
