"""Normalisation on a GPU: batch norm in 11 launches, layer norm in 4."""
from ..engine.arrays import array_module
from ..ops.norm import Normalize, blend, moments
from .launch import THREADS, WHOLE, launch, like, serves, some, sum_type, threads, warps


# ---- batch normalisation: x (N, C, *S), vectors (1, C, 1, ...) -------------------------------------------------------

def _planes(x):
    """(N, C, S) of x (N, C, *S), and into how many parts the numbers of a channel are cut for its sums."""
    n, c = x.shape[:2]
    s = x.size // (n * c)
    return n, c, s, max(1, min(WHOLE // c, n * s // (8 * THREADS)))


def channels_on_gpu(x, axes):
    """An array (N, C, *S) on a GPU, but of float16, whose variances need more range, and all axes but the channels."""
    return serves(x) and x.dtype != "float16" and x.ndim > 1 and axes == (0, *range(2, x.ndim))


@moments.road(channels_on_gpu)
def moments_on_gpu(x, axes):
    """Two launches, which join the moments of parts of a channel."""
    (x,), xp, (n, c, s, parts) = like(x, x), array_module(x), _planes(x)
    mean, squares = xp.empty((2, parts, c), sum_type(x.dtype))
    mu, var = xp.empty((2, 1, c, *[1] * (x.ndim - 2)), x.dtype)
    launch("norm", "moments", xp, x.dtype, (parts * c,), x, mean, squares, n, c, s, parts)
    launch("norm", "join_moments", xp, x.dtype, threads(c), mean, squares, mu, var, c, n * s, parts)
    return mu, var


def normalise(x, mu, r, w, b):
    """y = w (x - mu) r + b; w and b may be None."""
    (x, mu, r, w, b), xp, (_, c, s, _) = like(x, x, mu, r, w, b), array_module(x), _planes(x)
    y = xp.empty(x.shape, x.dtype)
    launch("norm", "normalise", xp, x.dtype, some(x.size), x, mu, r, w, b, y, x.size, c, s)
    return y


def sums(dy, x, mu, r):
    """s = sum dy and t = sum dy (x - mu) r of every channel, in the type of sums."""
    (dy, x, mu, r), xp, (n, c, s, parts) = like(dy, dy, x, mu, r), array_module(dy), _planes(dy)
    plain, weighted = xp.empty((2, parts, c), sum_type(dy.dtype))
    launch("norm", "gradient_sums", xp, dy.dtype, (parts * c,), dy, x, mu, plain, weighted, n, c, s, parts)
    return _joined(xp, dy.dtype, plain, weighted, r, (1, c, *[1] * (dy.ndim - 2)))


def _joined(xp, dtype, plain, weighted, r, shape):
    """The sums over all parts, each of `shape`."""
    s, t = xp.empty(shape, plain.dtype), xp.empty(shape, plain.dtype)  # two arrays: gradients must not share their memory
    launch("norm", "join_sums", xp, dtype, warps(s.size), plain, weighted, r, s, t, s.size, len(plain))
    return s, t


def combine(dy, x, mu, r, w, s, t):
    """dx = w r (dy - s / m - (x - mu) r t / m) with s, t from `sums`, and m numbers in a channel; w may be None."""
    (dy, x, mu, r, w), xp, (_, c, pixels, _) = like(dy, dy, x, mu, r, w), array_module(dy), _planes(dy)
    dx = xp.empty(dy.shape, dy.dtype)
    launch("norm", "combine", xp, dy.dtype, some(dy.size), dy, x, mu, r, w, s, t, dx, dy.size, c, pixels)
    return dx


def rate(var, eps):
    """1 / sqrt(var + eps)."""
    (var,), xp = like(var, var), array_module(var)
    r = xp.empty(var.shape, var.dtype)
    launch("norm", "rate", xp, var.dtype, threads(var.size), var, r, float(eps), var.size)
    return r


def contiguous_on_gpu(old, new, keep, add):
    """A contiguous array on a GPU."""
    return serves(old) and old.flags.c_contiguous


@blend.road(contiguous_on_gpu)
def blend_on_gpu(old, new, keep, add):
    """One launch."""
    (new,), xp = like(old, new), array_module(old)
    launch("norm", "move", xp, old.dtype, threads(old.size), old, new, float(keep), float(add), old.size)


def batch_norm_on_gpu(ctx, x, w, b, axes, along, eps, statistics=None):
    """An array (N, C, *S) on a GPU, with a mean for every channel."""
    return along == (1,) and channels_on_gpu(x, axes or (0, *range(2, x.ndim)))


@Normalize.forward.road(batch_norm_on_gpu)
def normalise_channels(ctx, x, w, b, axes, along, eps, statistics=None):
    """Four launches, two where the moments are known."""
    mu, var = statistics or moments_on_gpu(x, axes)
    r = rate(var, eps)
    ctx.axes, ctx.along, ctx.eps = axes, along, eps
    ctx.save_for_backward(x, mu, r, w)
    return normalise(x, mu, r, w, b)


def batch_norm_gradient_on_gpu(ctx, dy):
    """An array (N, C, *S) on a GPU, with a mean for every channel."""
    return ctx.along == (1,) and serves(dy) and channels_on_gpu(dy, ctx.axes or (0, *range(2, dy.ndim)))


@Normalize.backward.road(batch_norm_gradient_on_gpu)
def gradients_of_channels(ctx, dy):
    """Three launches."""
    x, mu, r, w = ctx.saved_tensors
    need_x, need_w, need_b = ctx.needs_input_grad
    s, t = sums(dy, x, mu, r)
    dx = None
    if need_x:
        dx = combine(dy, x, mu, r, w, s, t) if ctx.axes else dy * (r if w is None else r * w.reshape(r.shape))
    dw, db = (v.reshape(-1).astype(dy.dtype, copy=False) if need else None for v, need in ((t, need_w), (s, need_b)))
    return dx, dw, db


# ---- layer normalisation: x (..., *D), a row for all that share one mean ---------------------------------------------

def normalise_rows(x, w, b, eps, dims):
    """y = w (x - mu) r + b, where x is a row along its last `dims` axes; mu and r, of size 1 there. w, b may be None."""
    (x, w, b), xp, shape = like(x, x, w, b), array_module(x), (*x.shape[:-dims], *[1] * dims)
    y, mu, r = (xp.empty(s, x.dtype) for s in (x.shape, shape, shape))
    launch("layer_norm", "normalise_rows", xp, x.dtype, warps(mu.size), x, w, b, y, mu, r, float(eps), mu.size,
           x.size // mu.size)
    return y, mu, r


def gradients_of_rows(dy, x, mu, r, w, dims):
    """dx, dw and db, with mu and r from `normalise_rows`."""
    (dy, x, mu, r, w), xp, rows, size = like(dy, dy, x, mu, r, w), array_module(dy), mu.size, x.size // mu.size
    dx, parts = xp.empty(x.shape, x.dtype), max(1, min(rows // 32, WHOLE // -(-size // THREADS)))
    launch("layer_norm", "row_gradients", xp, x.dtype, warps(rows), dy, x, mu, r, w, dx, rows, size)
    plain, weighted = xp.empty((2, parts, size), sum_type(x.dtype))
    launch("layer_norm", "column_sums", xp, x.dtype, (-(-size // THREADS), parts), dy, x, mu, r, plain, weighted, rows, size,
           parts)
    db, dw = _joined(xp, x.dtype, plain, weighted, None, x.shape[-dims:])
    return dx, dw.astype(x.dtype, copy=False), db.astype(x.dtype, copy=False)


def rows_on_gpu(x, axes, along):
    """Whether x is an array on a GPU that is normalised over its last axes, and w runs along them."""
    return axes == along == tuple(range(x.ndim - len(axes), x.ndim)) and serves(x)


def layer_norm_on_gpu(ctx, x, w, b, axes, along, eps, statistics=None):
    """An array on a GPU, normalised over its last axes."""
    return statistics is None and rows_on_gpu(x, axes, along)


@Normalize.forward.road(layer_norm_on_gpu)
def normalise_rows_on_gpu(ctx, x, w, b, axes, along, eps, statistics=None):
    """One launch, a warp a row."""
    y, mu, r = normalise_rows(x, w, b, eps, len(axes))
    ctx.axes, ctx.along, ctx.eps = axes, along, eps
    ctx.save_for_backward(x, mu, r, w)
    return y


def layer_norm_gradient_on_gpu(ctx, dy):
    """An array on a GPU, normalised over its last axes."""
    return rows_on_gpu(dy, ctx.axes, ctx.along)


@Normalize.backward.road(layer_norm_gradient_on_gpu)
def gradients_of_rows_on_gpu(ctx, dy):
    """Three launches."""
    gradients = gradients_of_rows(dy, *ctx.saved_tensors, len(ctx.axes))
    return [g if need else None for g, need in zip(gradients, ctx.needs_input_grad)]
