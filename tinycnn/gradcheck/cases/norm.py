"""Cases and mutants of `ops/norm.py`."""
from ...ops.norm import LocalResponseNorm, Normalize, RMSNorm, facing, mean_over, sum_onto, window_sum
from ..registry import case, fixed, mutant, normal, positive

# ---- batch norm ----
case(Normalize, "batch norm in training", [normal(3, 2, 2, 3), normal(2), normal(2)],
     lambda t, x, w, b: t.nn.functional.batch_norm(x, None, None, w, b, training=True))
case(Normalize, "batch norm in training, plain", [normal(5, 3)],
     lambda t, x: t.nn.functional.batch_norm(x, None, None, training=True, eps=0.1))
case(Normalize, "batch norm in training, weight only, one picture", [normal(1, 2, 4), positive(2)],
     lambda t, x, w: t.nn.functional.batch_norm(x, None, None, w, training=True))
case(Normalize, "batch norm in training, running statistics", [normal(2, 3, 2, 2, 2), normal(3), normal(3), fixed(normal(3)),
                                                               fixed(positive(3))],
     lambda t, x, w, b, m, v: t.nn.functional.batch_norm(x, m.clone(), v.clone(), w, b, training=True, momentum=0.3))
case(Normalize, "batch norm in training, empty batch", [normal(0, 2, 3), normal(2), normal(2)],
     lambda t, x, w, b: t.nn.functional.batch_norm(x, None, None, w, b, training=True))
case(Normalize, "batch norm in evaluation", [normal(3, 2, 3), normal(2), normal(2), fixed(normal(2)), fixed(positive(2))],
     lambda t, x, w, b, m, v: t.nn.functional.batch_norm(x, m, v, w, b))
case(Normalize, "batch norm in evaluation, empty batch", [normal(0, 2, 3), normal(2), normal(2), fixed(normal(2)),
                                                          fixed(positive(2))],
     lambda t, x, w, b, m, v: t.nn.functional.batch_norm(x, m, v, w, b))
case(Normalize, "batch norm in evaluation, plain", [normal(3, 2), fixed(normal(2)), fixed(positive(2))],
     lambda t, x, m, v: t.nn.functional.batch_norm(x, m, v))

# ---- layer norm ----
case(Normalize, "layer norm of one dimension", [normal(2, 3, 4), normal(4), normal(4)],
     lambda t, x, w, b: t.nn.functional.layer_norm(x, (4,), w, b))
case(Normalize, "layer norm of two dimensions", [normal(2, 3, 4), normal(3, 4), normal(3, 4)],
     lambda t, x, w, b: t.nn.functional.layer_norm(x, (3, 4), w, b, eps=0.1))
case(Normalize, "layer norm of everything, bias only", [normal(3, 4), normal(3, 4)],
     lambda t, x, b: t.nn.functional.layer_norm(x, (3, 4), None, b))
case(Normalize, "layer norm, plain, size 1 beside it", [normal(1, 5)], lambda t, x: t.nn.functional.layer_norm(x, (5,)))
case(Normalize, "layer norm, empty batch", [normal(0, 5), normal(5), normal(5)],
     lambda t, x, w, b: t.nn.functional.layer_norm(x, (5,), w, b))

# ---- group and instance norm ----
case(Normalize, "group norm", [normal(2, 6, 2, 3), normal(6), normal(6)],
     lambda t, x, w, b: t.nn.functional.group_norm(x, 3, w, b))
case(Normalize, "group norm, one group, no space", [normal(2, 4), normal(4)],
     lambda t, x, w: t.nn.functional.group_norm(x, 1, w))
case(Normalize, "group norm, plain, empty batch", [normal(0, 4, 3)], lambda t, x: t.nn.functional.group_norm(x, 2))
case(Normalize, "instance norm", [normal(2, 3, 2, 3), normal(3), normal(3)],
     lambda t, x, w, b: t.nn.functional.instance_norm(x, weight=w, bias=b, eps=1e-3))
case(Normalize, "instance norm with running statistics", [normal(2, 3, 4), fixed(normal(3)), fixed(positive(3))],
     lambda t, x, m, v: t.nn.functional.instance_norm(x, m, v, use_input_stats=False))


def _saved(ctx):
    """The normalised x, 1 / the standard deviation, and the weight of Normalize, facing x."""
    x, mu, r, w = ctx.saved_tensors
    return (x - mu) * r, r, None if w is None else facing(w, x, ctx.along)


def _recompute_dx(ctx, dy, with_mean=True, with_correlation=True, whole_axes=True, scaled=True, weighted=True,
                  outside=False):
    """dx of Normalize step by step, so that each mutant below can leave out one."""
    xhat, r, w = _saved(ctx)
    g = dy if w is None or not weighted else dy * w
    axes = ctx.axes if whole_axes else ctx.axes[-1:]
    dx = g
    if axes:
        dx = dx - mean_over(g, axes) if with_mean else dx
        dx = dx - xhat * mean_over(g * xhat, axes) if with_correlation else dx
    if outside and w is not None:
        dx = dx * w
    return dx * r if scaled else dx


def _wrong_dx(name, **step):
    @mutant(Normalize, name)
    def _(backward, ctx, dy):
        return (_recompute_dx(ctx, dy, **step), *backward(ctx, dy)[1:])


_wrong_dx("the mean term is missing: the mean taken as a constant", with_mean=False)
_wrong_dx("the term of the variance is missing: the variance taken as a constant", with_correlation=False)
_wrong_dx("both mean terms are missing: training treated like evaluation", with_mean=False, with_correlation=False)
_wrong_dx("means over the last axis only", whole_axes=False)
_wrong_dx("not divided by the standard deviation", scaled=False)
_wrong_dx("weight forgotten in dx", weighted=False)
_wrong_dx("weight applied after the means, as if it were constant over the axes", weighted=False, outside=True)


@mutant(Normalize, "mean terms subtracted in evaluation too")
def _(backward, ctx, dy):
    ctx.axes = ctx.axes or tuple(axis for axis in range(dy.ndim) if axis not in ctx.along)
    return backward(ctx, dy)


@mutant(Normalize, "dw from y instead of the normalised x")
def _(backward, ctx, dy):
    dx, dw, db = backward(ctx, dy)
    if dw is not None:
        xhat, _, w = _saved(ctx)
        dw = sum_onto(dy * xhat * w, ctx.along)
    return dx, dw, db


@mutant(Normalize, "db divided by the number of elements")
def _(backward, ctx, dy):
    dx, dw, db = backward(ctx, dy)
    return dx, dw, None if db is None else db / max(dy.size // db.size, 1)


# ---- rms norm ----
case(RMSNorm, "weight", [normal(2, 3, 4), normal(4)], lambda t, x, w: t.nn.functional.rms_norm(x, (4,), w))
case(RMSNorm, "plain, two dimensions", [normal(2, 3, 4)], lambda t, x: t.nn.functional.rms_norm(x, (3, 4), eps=0.1))
case(RMSNorm, "one row", [normal(4), normal(4)], lambda t, x, w: t.nn.functional.rms_norm(x, (4,), w, eps=1e-5))
case(RMSNorm, "empty batch", [normal(0, 4), normal(4)], lambda t, x, w: t.nn.functional.rms_norm(x, (4,), w))


@mutant(RMSNorm, "the root mean square taken as a constant")
def _(backward, ctx, dy):
    _, r, w = ctx.saved_tensors
    return r * (dy if w is None else dy * w), backward(ctx, dy)[1]


@mutant(RMSNorm, "the mean of the gradient subtracted, as in layer norm")
def _(backward, ctx, dy):
    dx, dw = backward(ctx, dy)
    return dx - mean_over(dx, ctx.axes), dw


@mutant(RMSNorm, "dw is the mean over the rows")
def _(backward, ctx, dy):
    dx, dw = backward(ctx, dy)
    return dx, None if dw is None else dw / max(dy.size // dw.size, 1)


# ---- local response norm ----
case(LocalResponseNorm, "odd window", [normal(2, 6, 2, 3)],
     lambda t, x: t.nn.functional.local_response_norm(x, 3, alpha=0.5, beta=0.75, k=2.0))
case(LocalResponseNorm, "even window, one dimension of space", [normal(2, 6, 3)],
     lambda t, x: t.nn.functional.local_response_norm(x, 4, alpha=2.0, beta=0.5))
case(LocalResponseNorm, "window wider than the channels", [normal(1, 3, 2, 2, 2)],
     lambda t, x: t.nn.functional.local_response_norm(x, 8, alpha=1.0))
case(LocalResponseNorm, "window of 1", [normal(2, 3, 2, 2)],
     lambda t, x: t.nn.functional.local_response_norm(x, 1, alpha=1.0))
case(LocalResponseNorm, "empty batch", [normal(0, 3, 2, 2)], lambda t, x: t.nn.functional.local_response_norm(x, 2))


@mutant(LocalResponseNorm, "the window is not mirrored")
def _(backward, ctx, dy):
    x, s = ctx.saved_tensors
    direct = dy * s**-ctx.beta
    through = window_sum(direct * x / s, ctx.size // 2, (ctx.size - 1) // 2)
    return direct - 2 * ctx.alpha * ctx.beta / ctx.size * x * through,


@mutant(LocalResponseNorm, "the neighbours are forgotten")
def _(backward, ctx, dy):
    x, s = ctx.saved_tensors
    direct = dy * s**-ctx.beta
    return direct - 2 * ctx.alpha * ctx.beta / ctx.size * x * (direct * x / s),


@mutant(LocalResponseNorm, "the divisor taken as a constant")
def _(backward, ctx, dy):
    _, s = ctx.saved_tensors
    return dy * s**-ctx.beta,


@mutant(LocalResponseNorm, "the factor 2 of the square is missing")
def _(backward, ctx, dy):
    _, s = ctx.saved_tensors
    direct = dy * s**-ctx.beta
    return (direct + backward(ctx, dy)[0]) / 2,
