"""A sweep over the edges: every function of a table, at every extreme input, in every dtype, against PyTorch.

A snippet is one call; its value, its dtype and its gradient are compared, or that both libraries refuse it. Where ours is
another on purpose, `DIFFERENCES` says why; an entry there that no longer differs is an error, too.
"""
import fnmatch
import math
import warnings

import numpy as np
import pytest

import tinycnn

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.slow

INF, NAN = math.inf, math.nan
LIMITS = {"float16": (60000.0, 6e-8, 300.0), "float32": (3e38, 1e-40, 1e10), "float64": (1e308, 1e-310, 1e100)}
TOLERANCE = {"float16": 2e-3, "float32": 2e-5, "float64": 1e-9}


def floats(dtype):
    huge, tiny, large = LIMITS[dtype]
    return {"huge": [huge, -huge, huge / 2], "large": [large, large, -large], "tiny": [tiny, -tiny, 2 * tiny],
            "zeros": [0.0, -0.0, 0.0], "equal": [0.5, 0.5, 0.5], "infinite": [INF, -INF, 1.0], "infinities": [INF, INF, INF],
            "minus": [-INF, -INF, -INF], "nan": [NAN, 1.0, 2.0], "empty": [], "one": [0.25], "edges": [1.0, -1.0, 0.0],
            "plain": [0.3, -0.7, 2.5], "wide": [1e-3, 100.0, -50.0]}


def integers(dtype):
    limits = np.iinfo(dtype)
    return {"extremes": [limits.max, limits.min, 1], "small": [3, 0, 2], "empty": [], "one": [2]}


ONE = {name: (lambda t, x, name=name: getattr(t, name)(x)) for name in (
    "abs neg exp exp2 expm1 log log2 log10 log1p sqrt rsqrt sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh erf "
    "erfc erfinv sigmoid sign floor ceil round trunc frac reciprocal square nan_to_num isfinite isnan lgamma digamma "
    "logit sinc deg2rad signbit sgn positive relu").split()}
ONE |= {f"F.{name}": (lambda t, x, name=name: getattr(t.nn.functional, name)(x)) for name in (
    "relu relu6 leaky_relu elu selu celu gelu silu softplus mish hardswish hardsigmoid hardtanh logsigmoid softsign "
    "tanhshrink hardshrink softshrink").split()}
ONE |= {
    "clamp": lambda t, x: x.clamp(-1, 1), "clamp_min": lambda t, x: x.clamp(min=0), "pow 2": lambda t, x: x ** 2,
    "pow 3": lambda t, x: x ** 3, "pow -1": lambda t, x: x ** -1, "pow 0": lambda t, x: x ** 0,
    "pow 0.5": lambda t, x: x ** 0.5, "2 pow": lambda t, x: 2 ** x, "gelu tanh": lambda t, x: t.nn.functional.gelu(
        x, approximate="tanh"), "remainder": lambda t, x: x % 3, "fmod": lambda t, x: t.fmod(x, 3),
    "floor_divide": lambda t, x: x // 3, "divide 0": lambda t, x: x / 0, "heaviside": lambda t, x: t.heaviside(x, x),
    "threshold": lambda t, x: t.nn.functional.threshold(x, 1, 0), "xlogy": lambda t, x: t.xlogy(x, x),
    "sum": lambda t, x: x.sum(), "mean": lambda t, x: x.mean(), "prod": lambda t, x: x.prod(), "var": lambda t, x: x.var(),
    "var 0": lambda t, x: x.var(unbiased=False), "std": lambda t, x: x.std(), "std 0": lambda t, x: x.std(unbiased=False),
    "norm": lambda t, x: t.norm(x), "norm 1": lambda t, x: t.norm(x, 1), "norm 3": lambda t, x: t.norm(x, 3),
    "norm inf": lambda t, x: t.norm(x, INF), "norm 0": lambda t, x: t.norm(x, 0),
    "logsumexp": lambda t, x: t.logsumexp(x, 0),
    "softmax": lambda t, x: t.softmax(x, 0), "log_softmax": lambda t, x: t.log_softmax(x, 0),
    "softmin": lambda t, x: t.nn.functional.softmin(x, 0), "cumsum": lambda t, x: x.cumsum(0),
    "cumprod": lambda t, x: x.cumprod(0), "logcumsumexp": lambda t, x: t.logcumsumexp(x, 0), "amax": lambda t, x: x.amax(),
    "amin": lambda t, x: x.amin(), "max": lambda t, x: x.max(), "min": lambda t, x: x.min(),
    "argmax": lambda t, x: x.argmax(),
    "median": lambda t, x: x.median(), "sort": lambda t, x: x.sort()[0], "cummax": lambda t, x: x.cummax(0)[0],
    "nansum": lambda t, x: x.nansum(), "nanmean": lambda t, x: x.nanmean(), "diff": lambda t, x: x.diff(),
    "any": lambda t, x: x.any(), "all": lambda t, x: x.all(), "count_nonzero": lambda t, x: t.count_nonzero(x),
    "sum float32": lambda t, x: x.sum(dtype=t.float32), "sum int32": lambda t, x: x.sum(dtype=t.int32),
    "cumsum float64": lambda t, x: x.cumsum(0, dtype=t.float64), "prod float32": lambda t, x: x.prod(dtype=t.float32),
    "layer_norm": lambda t, x: t.nn.functional.layer_norm(x, x.shape), "rms_norm": lambda t, x: t.nn.functional.rms_norm(
        x, x.shape), "batch_norm": lambda t, x: t.nn.functional.batch_norm(x[:, None], None, None, training=True),
    "normalize": lambda t, x: t.nn.functional.normalize(x, dim=0),
    "avg_pool1d": lambda t, x: t.nn.functional.avg_pool1d(x[None, None], 1, ()) if t is tinycnn else
    t.nn.functional.avg_pool1d(x[None, None], 1), "adaptive_avg_pool1d": lambda t, x: t.nn.functional.adaptive_avg_pool1d(
        x[None], 1), "max_pool1d": lambda t, x: t.nn.functional.max_pool1d(x[None], 1),
    "cat": lambda t, x: t.cat([x, x]), "stack": lambda t, x: t.stack([x, x]), "flip": lambda t, x: x.flip(0),
    "pad": lambda t, x: t.nn.functional.pad(x, (1, 1)), "repeat_interleave": lambda t, x: x.repeat_interleave(2),
    "matmul": lambda t, x: x @ x, "outer": lambda t, x: t.outer(x, x), "linear": lambda t, x: t.nn.functional.linear(
        x, x[None]), "dist": lambda t, x: t.dist(x, x * 0.5), "where": lambda t, x: t.where(x > 0, x, -x),
    "shift": lambda t, x: x >> 1, "shift left": lambda t, x: x << 1,
}
TWO = {name: (lambda t, x, y, name=name: getattr(t, name)(x, y)) for name in (
    "add sub mul div atan2 hypot logaddexp logaddexp2 maximum minimum fmax fmin remainder fmod pow copysign xlogy "
    "floor_divide eq lt").split()}
TWO |= {f"F.{name}": (lambda t, x, y, name=name: getattr(t.nn.functional, name)(x, y)) for name in (
    "mse_loss l1_loss smooth_l1_loss huber_loss binary_cross_entropy binary_cross_entropy_with_logits kl_div "
    "poisson_nll_loss soft_margin_loss").split()}
TWO |= {"cosine_similarity": lambda t, x, y: t.nn.functional.cosine_similarity(x, y, 0),
        "pairwise_distance": lambda t, x, y: t.nn.functional.pairwise_distance(x, y),
        "cross_entropy": lambda t, x, y: t.nn.functional.cross_entropy(x[None], t.tensor([0])) + 0 * y.sum()}
PAIRS = ("huge huge", "large large", "tiny tiny", "zeros zeros", "zeros plain", "plain zeros", "infinite infinite",
         "infinite plain", "nan plain", "empty empty", "one one", "edges equal", "plain edges", "equal equal", "minus minus",
         "equal edges", "infinities infinities")

# (function, input, dtype): patterns, and why ours is another
ANY = "*"
STAYS = "NaN and infinity - infinity stay NaN in the gradient: the slope there is not known"
SLOPE = "the value is NaN, and the slope there a convention"
LIMIT = "the limit is taken, where PyTorch divides infinities or zeros"
WIDE = "float16 is computed in float32 and rounded once, where PyTorch squares, adds or rounds in float16"
RANGE = "near the largest and smallest numbers, where an intermediate result of one of the two leaves the range"
NO_GRADIENT = "constant between jumps: no gradient, where PyTorch refuses an input that requires one"
TYPES = "the dtype that fits the result, where PyTorch keeps uint8 or refuses"
DIFFERENCES = [
    *((f, "*nan*", ANY, STAYS) for f in ("abs", "sign", "sgn", "norm 1", "norm inf", "max", "min", "median", "F.l1_loss")),
    *(("F.l1_loss", k, ANY, STAYS) for k in ("infinite infinite", "minus minus", "infinities infinities")),
    *((f, "nan*", ANY, SLOPE) for f in ("relu", "F.relu", "F.relu6", "F.elu", "F.selu", "F.celu", "F.hardswish",
                                        "F.hardtanh", "F.softshrink", "clamp", "clamp_min", "maximum", "minimum", "logit")),
    *(("logit", k, ANY, SLOPE + ": outside of [0, 1]") for k in ("huge", "large", "tiny", "infinite", "edges", "plain",
                                                                 "wide", "zeros", "infinities", "minus")),
    *((f, key, ANY, LIMIT) for f, keys in (
        ("prod", "inf* minus nan"), ("prod float32", "inf* minus nan huge large"), ("cumprod", "inf* minus nan large"),
        ("logsumexp", "large inf* minus"), ("logcumsumexp", "huge large inf* minus"), ("xlogy", "zeros* edges"),
        ("logaddexp", "infinite?infinite minus* infinities*"), ("logaddexp2", "infinite?infinite minus* infinities*"),
        ("copysign", "inf* minus*"), ("F.kl_div", "*zeros *edges"), ("pow 0.5", "inf* minus zeros"), ("F.hardswish", "huge"),
        ("hypot", "zeros*")) for key in keys.split()),
    ("logcumsumexp", ANY, "*int*", "of integers, which PyTorch refuses"),
    *((f, ANY, "float16", WIDE) for f in (
        "sinc", "var 0", "std", "std 0", "norm 3", "rms_norm", "batch_norm", "normalize",
        "pairwise_distance", "F.poisson_nll_loss", "F.binary_cross_entropy", "F.mish",
        "F.binary_cross_entropy_with_logits", "hypot", "F.kl_div", "logcumsumexp")),
    ("outer", ANY, "float[16][64]*", "float16 as above; the order of a sum of infinities decides whether it is NaN"),
    ("F.gelu", "[hi]*", ANY, "the limit at infinity, and near the largest numbers, where PyTorch's vectors give NaN"),
    *((f, "huge*", ANY, RANGE) for f in ("F.mish", "gelu tanh", "std", "std 0", "norm 3", "layer_norm", "rms_norm",
                                         "batch_norm", "hypot")),
    *((f, "tiny", "float32", RANGE) for f in ("std", "std 0")),
    ("erf", "tiny", "float16", RANGE), ("asinh", "huge", ANY, RANGE), ("asinh", "large", "float16", RANGE),
    *(("acosh", k, ANY, SLOPE + ": below 1") for k in ("huge", "large", "infinite", "minus", "edges", "wide")),
    ("hypot", "tiny tiny", "float16", RANGE), ("sinc", "huge", "float64", RANGE),
    ("sinc", "wide", "float32", "cos(pi x) and sin(pi x) / (pi x) cancel in the slope near 0: -0.00329 is right"),
    ("cosine_similarity", "*", ANY, "the slope at the largest cosine is 0, of which both give some rounding error"),
    *(("atan2", k, ANY, "the gradient x / r / r is in range where r^2 is not") for k in ("huge*", "large*", "tiny*")),
    *(("F.binary_cross_entropy_with_logits", k, ANY, "0 times an infinite target or score, in the term of pos_weight")
      for k in ("infinite*", "minus*", "infinities*")),
    ("F.binary_cross_entropy", "zeros zeros", ANY, "the logarithms are at least -100 in the gradient of the target, too"),
    ("digamma", ANY, ANY, "at its poles, the negative whole numbers, the slope is infinite"),
    ("lgamma", ANY, ANY, "near its roots, 1 and 2, exact to 5e-15 of 1, not of itself"),
    ("F.hardsigmoid", ANY, "float64", "PyTorch rounds 1/6 to float32"),
    ("floor_divide", ANY, ANY, NO_GRADIENT), ("heaviside", ANY, ANY, NO_GRADIENT), ("sum int32", ANY, ANY, NO_GRADIENT),
    ("F.soft_margin_loss", ANY, ANY, "the target may have a gradient, which PyTorch refuses"),
    ("frac", ANY, "*int*", "of integers 0, which PyTorch refuses"),
    ("F.softsign", ANY, "*int*", "integers are converted before 1 + |x| wraps round"),
    ("median", "empty", ANY, "nothing has no median: refused, where PyTorch gives NaN or the smallest integer"),
    ("adaptive_avg_pool1d", "empty", ANY, "nothing has no mean: refused"),
    *((f, "empty", "*int*", "integers are refused, empty or not; PyTorch accepts empty ones")
      for f in ("softmax", "log_softmax", "softmin", "batch_norm")),
    ("avg_pool1d", ANY, "*int*", "integers are refused: their mean is none"),
    *((f, ANY, "uint8", TYPES) for f in ("any", "all", "F.hardtanh")),
]


def snippets():
    """(function's name, input's name, dtype, call, values) of all snippets."""
    for dtype in LIMITS:
        inputs = floats(dtype)
        for name, call in ONE.items():
            yield from ((name, key, dtype, call, [values]) for key, values in inputs.items())
        for name, call in TWO.items():
            yield from ((name, pair, dtype, call, [inputs[key] for key in pair.split()]) for pair in PAIRS)
    for dtype in ("int64", "int32", "uint8"):
        for name, call in ONE.items():
            yield from ((name, key, dtype, call, [values]) for key, values in integers(dtype).items())


def outcome(t, call, arrays):
    """What a library makes of a call: (dtype, value, gradients), or None where it refuses."""
    leaves = [t.from_numpy(a.copy()) for a in arrays]
    for leaf in leaves:
        leaf.requires_grad_(leaf.is_floating_point())
    try:
        y = call(t, *leaves)
        if y.requires_grad:
            y.backward(t.arange(1, y.numel() + 1).reshape(y.shape).to(y.dtype))
    except Exception:
        return None
    gradients = [np.zeros_like(a) if leaf.grad is None else as_numpy(leaf.grad) for leaf, a in zip(leaves, arrays)]
    return str(y.dtype).removeprefix("torch."), as_numpy(y.detach()), gradients


def as_numpy(tensor):
    return tensor.numpy(force=True)


def difference(ours, theirs, dtype):
    """What differs, "" where nothing does."""
    if ours is None or theirs is None:
        return "" if ours is theirs else "ours refuses" if ours is None else "PyTorch refuses"
    if ours[0] != theirs[0]:
        return f"dtype {ours[0]}, PyTorch {theirs[0]}"
    tolerance = max(TOLERANCE.get(d, 2e-5) for d in (dtype, ours[0]))
    for what, a, b in (("value", ours[1], theirs[1]), *(("gradient", *g) for g in zip(ours[2], theirs[2]))):
        if a.shape != b.shape:
            return f"{what} of shape {a.shape}, PyTorch {b.shape}"
        a, b = a.astype(np.float64), b.astype(np.float64)
        largest = np.abs(b[np.isfinite(b)]).max(initial=0)  # rounding errors are relative to it, or below normal numbers
        smallest = np.finfo(dtype).tiny if dtype in ("float32", "float64") else 6e-8
        if not np.allclose(a, b, rtol=tolerance, atol=max(tolerance / 2 * largest, smallest), equal_nan=True):
            return f"{what} {a.ravel()[:3]}, PyTorch {b.ravel()[:3]}"
    return ""


def test_sweep():
    unexplained, used, count = [], set(), 0
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for name, key, dtype, call, values in snippets():
            count += 1
            arrays = [np.array(v, dtype) for v in values]
            found = difference(outcome(tinycnn, call, arrays), outcome(torch, call, arrays), dtype)
            reasons = [i for i, (f, k, d, _) in enumerate(DIFFERENCES)
                       if fnmatch.fnmatchcase(name, f) and fnmatch.fnmatchcase(key, k) and fnmatch.fnmatchcase(dtype, d)]
            if found and reasons:
                used.update(reasons)
            elif found:
                unexplained.append(f"{name} | {key} | {dtype} | {found}")
    assert count >= 1500
    assert not unexplained, f"{len(unexplained)} of {count} differ:\n" + "\n".join(unexplained)
    assert used == set(range(len(DIFFERENCES))), [DIFFERENCES[i] for i in set(range(len(DIFFERENCES))) - used]
