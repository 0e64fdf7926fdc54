"""Mistakes in normalisation."""
import numpy as np

from . import wrong

CONSTANT = ("constant", "detach", "depends on", "through the (mean|variance|statistic)", "mean and (the )?variance",
            "statistics")


def normalised(x, axes, eps):
    mean = x.mean(axes, keepdims=True)
    sigma = np.sqrt(x.var(axes, keepdims=True) + eps)
    return (x - mean) / sigma, sigma


def right_dx(g, xhat, sigma, axes):
    return (g - g.mean(axes, keepdims=True) - xhat * (g * xhat).mean(axes, keepdims=True)) / sigma


class BatchNorm:
    def forward(x, w, b):
        xhat, sigma = normalised(x, 0, 1e-5)
        return w * xhat + b, (x, xhat, sigma, w)


@wrong((7, 3), (3,), (3,), truth="mean and variance are treated as constants", cause=CONSTANT + ("mean",))
class BatchNormA(BatchNorm):
    def backward(dy, cache):
        x, xhat, sigma, w = cache
        return dy * w / sigma, (dy * xhat).sum(0), dy.sum(0)


@wrong((7, 3), (3,), (3,), truth="the term that goes through the mean is missing",
       cause=("mean",), misleading=("variance is",))
class BatchNormB(BatchNorm):
    def backward(dy, cache):
        x, xhat, sigma, w = cache
        g = dy * w
        return (g - xhat * (g * xhat).mean(0)) / sigma, (dy * xhat).sum(0), dy.sum(0)


@wrong((7, 3), (3,), (3,), truth="the term that goes through the variance is missing",
       cause=("varian", "xhat", "sigma", r"\bstd", "standard deviation", "spread"))
class BatchNormC(BatchNorm):
    def backward(dy, cache):
        x, xhat, sigma, w = cache
        g = dy * w
        return (g - g.mean(0)) / sigma, (dy * xhat).sum(0), dy.sum(0)


@wrong((7, 3), (3,), (3,), truth="dw multiplies dy with x instead of the normalised xhat",
       cause=("xhat", "normalis", "x instead of", r"\bx\b.*(not|instead)"))
class BatchNormD(BatchNorm):
    def backward(dy, cache):
        x, xhat, sigma, w = cache
        return right_dx(dy * w, xhat, sigma, 0), (dy * x).sum(0), dy.sum(0)


@wrong((7, 3), (3,), (3,), truth="multiplied by the standard deviation where one divides by it",
       cause=("divid", "sigma", r"\bstd", "standard deviation", "1 ?/ ?"))
class BatchNormE(BatchNorm):
    def backward(dy, cache):
        x, xhat, sigma, w = cache
        return right_dx(dy * w, xhat, 1 / sigma, 0), (dy * xhat).sum(0), dy.sum(0)


@wrong((7, 3), (3,), (3,), truth="the weight is forgotten in dx", cause=(r"\bw\b", "weight", "gamma", "scale"))
class BatchNormF(BatchNorm):
    def backward(dy, cache):
        x, xhat, sigma, w = cache
        return right_dx(dy, xhat, sigma, 0), (dy * xhat).sum(0), dy.sum(0)


@wrong((7, 3), (3,), (3,), truth="the standard deviation is that of n - 1 in backward, that of n in forward",
       cause=("ddof", r"n ?- ?1", "unbiased", "biased", "bessel", r"\b(6|7)\b.*\b(6|7)\b", "degrees"))
class BatchNormG(BatchNorm):
    def backward(dy, cache):
        x, xhat, sigma, w = cache
        return right_dx(dy * w, xhat, x.std(0, ddof=1), 0), (dy * xhat).sum(0), dy.sum(0)


class BatchNormImages:
    def forward(x, w, b):
        xhat, sigma = normalised(x, (0, 2, 3), 0.1)
        return w[:, None, None] * xhat + b[:, None, None], (x, xhat, sigma, w)


@wrong((2, 3, 4, 5), (3,), (3,), truth="the sums are divided by N alone, where N H W numbers share a mean",
       cause=(r"n ?\*? ?h ?\*? ?w", r"h ?\*? ?w", "pixels", r"\b20\b", r"\b40\b", "divid", "number of", "axes"))
class BatchNormImagesA(BatchNormImages):
    def backward(dy, cache):
        x, xhat, sigma, w = cache
        g, n, axes = dy * w[:, None, None], len(x), (0, 2, 3)
        sums = g.sum(axes, keepdims=True) + xhat * (g * xhat).sum(axes, keepdims=True)
        return (g - sums / n) / sigma, (dy * xhat).sum(axes), dy.sum(axes)


@wrong((2, 3, 4, 5), (3,), (3,), truth="eps is left out of backward", cause=("eps", r"0\.1\b"))
class BatchNormImagesB(BatchNormImages):
    def backward(dy, cache):
        x, xhat, sigma, w = cache
        axes = (0, 2, 3)
        sigma = np.sqrt(x.var(axes, keepdims=True))
        return right_dx(dy * w[:, None, None], xhat, sigma, axes), (dy * xhat).sum(axes), dy.sum(axes)


@wrong((2, 3, 4, 5), (3,), (3,), truth="the means run over the batch only, each pixel by itself",
       cause=("axis", "axes", "pixel", "over the batch", r"h ?\*? ?w"))
class BatchNormImagesC(BatchNormImages):
    def backward(dy, cache):
        x, xhat, sigma, w = cache
        return right_dx(dy * w[:, None, None], xhat, sigma, 0), (dy * xhat).sum((0, 2, 3)), dy.sum((0, 2, 3))


@wrong((2, 3, 4, 5), (3,), (3,), (3,), lambda rng: rng.uniform(0.5, 2, 3),
       truth="in use the statistics are constants, and backward is that of training",
       cause=("constant(?! and)", "running", "in use", "eval", "training"))
class BatchNormUseA:
    def forward(x, w, b, mean, var):
        sigma = np.sqrt(var + 1e-5)[:, None, None]
        return w[:, None, None] * (x - mean[:, None, None]) / sigma + b[:, None, None], (x, w, mean, sigma)
    def backward(dy, cache):
        x, w, mean, sigma = cache
        axes, g = (0, 2, 3), dy * w[:, None, None]
        xhat = (x - mean[:, None, None]) / sigma
        dmean = -(g / sigma).sum(axes)
        dvar = -0.5 * (g * xhat / sigma**2).sum(axes)
        return right_dx(g, xhat, sigma, axes), (dy * xhat).sum(axes), dy.sum(axes), dmean, dvar


class LayerNorm:
    def forward(x, w, b):
        xhat, sigma = normalised(x, -1, 1e-5)
        return w * xhat + b, (x, xhat, sigma, w)


@wrong((4, 6), (6,), (6,), truth="the weight is multiplied at the end, not before the means are taken",
       cause=(r"\bw\b", "weight", "gamma", "before"),
       misleading=("transpose",))
class LayerNormA(LayerNorm):
    def backward(dy, cache):
        x, xhat, sigma, w = cache
        return w * right_dx(dy, xhat, sigma, -1), (dy * xhat).sum(0), dy.sum(0)


@wrong((6, 6), (6,), (6,), truth="the means are taken over the rows of the batch instead of the features",
       cause=("axis", "axes", "feature", "over the (batch|rows|examples)"))
class LayerNormB(LayerNorm):
    def backward(dy, cache):
        x, xhat, sigma, w = cache
        return right_dx(dy * w, xhat, sigma, 0), (dy * xhat).sum(0), dy.sum(0)


@wrong((2, 4, 6), (6,), (6,), truth="dw and db are summed over the tokens of the first example only",
       cause=("first", "axis 0", "axes", "batch", "only", "sum"))
class LayerNormC(LayerNorm):
    def backward(dy, cache):
        x, xhat, sigma, w = cache
        return right_dx(dy * w, xhat, sigma, -1), (dy * xhat).sum(0)[0], dy.sum((0, 1))


@wrong((4, 6), (6,), truth="the mean's 1/D is missing in the term through the root mean square",
       cause=("1/d", "divid", "mean", r"\b6\b", "number of (features|entries)", "size of"))
class RmsNormA:
    def forward(x, w):
        r = 1 / np.sqrt((x * x).mean(1, keepdims=True) + 1e-6)
        return w * x * r, (x, w, r)
    def backward(dy, cache):
        x, w, r = cache
        g = dy * w
        return g * r - x * r**3 * (g * x).sum(1, keepdims=True), (dy * x * r).sum(0)


@wrong((4, 6), (6,), truth="r stands with the power 2 where 3 belongs",
       cause=(r"r\^?\*?\*?3", "power", "factor (of )?r", "r too", "cube", "exponent", "root mean square", r"\brms"))
class RmsNormB:
    def forward(x, w):
        r = 1 / np.sqrt((x * x).mean(1, keepdims=True) + 1e-6)
        return w * x * r, (x, w, r)
    def backward(dy, cache):
        x, w, r = cache
        g = dy * w
        return g * r - x * r**2 * (g * x).mean(1, keepdims=True), (dy * x * r).sum(0)


@wrong((2, 6, 3, 4), truth="groups of two channels share a mean, and backward takes it over all channels",
       cause=(r"\bgroups?\b(?! (starts|ends))", "all channels", "wrong axes", "means? (run|over|taken)"))
class GroupNormA:
    def forward(x):
        xhat, sigma = normalised(x.reshape(2, 3, 2, 3, 4), (2, 3, 4), 1e-5)
        return xhat.reshape(x.shape), (xhat, sigma)
    def backward(dy, cache):
        xhat, sigma = cache
        return right_dx(dy.reshape(xhat.shape), xhat, sigma, (1, 2, 3, 4)).reshape(dy.shape)


@wrong((3, 2, 4, 5), truth="instance norm: the means run over the batch as well",
       cause=("over the batch", "each (picture|example)", "wrong axes", "means? (run|over|taken)"))
class InstanceNormA:
    def forward(x):
        xhat, sigma = normalised(x, (2, 3), 1e-5)
        return xhat, (xhat, sigma)
    def backward(dy, cache):
        return right_dx(dy, *cache, (0, 2, 3))


@wrong((4, 5), truth="the length is taken as a constant: the part of dy along y is not taken away",
       cause=("constant", "norm", "length", "along", "project", "through", "detach"))
class UnitLengthA:
    def forward(x):
        length = np.sqrt((x * x).sum(1, keepdims=True))
        return x / length, length
    def backward(dy, length):
        return dy / length


@wrong((5, 4), truth="eps stands outside of the root in backward: sqrt(var) + eps for sqrt(var + eps)",
       cause=("eps", "root", r"0\.1\b"))
class StandardiseA:
    def forward(x):
        xhat, sigma = normalised(x, 1, 0.1)
        return xhat, (x, xhat)
    def backward(dy, cache):
        x, xhat = cache
        return right_dx(dy, xhat, x.std(1, keepdims=True) + 0.1, 1)
