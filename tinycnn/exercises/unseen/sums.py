"""Mistakes in products, sums and rearrangements: factors, axes, broadcasting, places."""
import numpy as np

from . import away, distinct, given, positive, wrong

MEAN = ("mean", "average", "batch size", "number of (examples|rows|entries)", "size of")
PLACES = ("wrong place", "place", "permut", "moved", "shuffl", "order")


class Linear:
    def forward(x, w, b):
        return x @ w + b, (x, w)
    def backward(dy, cache):
        x, w = cache
        return dy @ w.T, x.T @ dy, dy.sum(0)


@wrong((6, 4), (4, 4), (4,), truth="w is not transposed in dx", cause=("transpos", r"w\.t", "swapped", "exchanged", "w\\^t"))
class LinearA(Linear):
    def backward(dy, cache):
        x, w = cache
        return dy @ w, x.T @ dy, dy.sum(0)


@wrong((7, 3), (3, 4), (4,), truth="dw is divided by the batch size, which only a mean loss does",
       cause=MEAN + (r"1/7", r"\b7\b"))
class LinearB(Linear):
    def backward(dy, cache):
        x, w = cache
        return dy @ w.T, x.T @ dy / len(x), dy.sum(0)


@wrong((6, 3), (3, 4), (4,), truth="db is that of the first example, not the sum over all",
       cause=("first", "only", "sum", "one example", "row 0", "index 0"))
class LinearC(Linear):
    def backward(dy, cache):
        x, w = cache
        return dy @ w.T, x.T @ dy, dy[0].copy()


@wrong((4, 3), (3, 4), (4,), truth="db sums over the outputs instead of the examples (the batch has as many)",
       cause=("sum.*ax(is|es)", "over the (outputs|examples|columns|rows)", "wrong ax"))
class LinearD(Linear):
    def backward(dy, cache):
        x, w = cache
        return dy @ w.T, x.T @ dy, dy.sum(1)


@wrong((4, 4), (4, 4), truth="the gradients come back in another order, dw first",
       cause=("order", "exchanged", "swapped", "in the place of", "(gradient|that) of (the )?(other|w|x)", "is d[wx]"))
class MatmulA:
    def forward(x, w):
        return x @ w, (x, w)
    def backward(dy, cache):
        x, w = cache
        return x.T @ dy, dy @ w.T


@wrong((4, 3, 5), (), truth="the gradient of the scale is a mean over all entries, not a sum",
       cause=MEAN + (r"\b60\b", "1/60"))
class ScaleA:
    def forward(x, s):
        return x * s, (x, s)
    def backward(dy, cache):
        x, s = cache
        return dy * s, np.array((dy * x).mean())


@wrong((4, 3, 5), (3, 1), truth="b was broadcast along the batch too, and only the first picture's gradient is summed",
       cause=("axis 0", "axes", "first", "broadcast", "batch", "only"))
class BroadcastA:
    def forward(x, b):
        return x + b, None
    def backward(dy, _):
        return dy.copy(), dy[0].sum(-1, keepdims=True)


@wrong((4, 3), (3, 1), truth="y = x @ w keeps an axis of size 1 that dw has lost: the shape is (3), not (3, 1)",
       cause=("shape", "keepdims", "axis of size 1", "size 1"))
class BroadcastB:
    def forward(x, w):
        return x @ w, (x, w)
    def backward(dy, cache):
        x, w = cache
        return dy @ w.T, (x.T @ dy)[:, 0]


@wrong((4, 3, 5), truth="the mean over the last axis is divided by the number of all entries",
       cause=("divid", "size of", "number of", "mean", r"\b12\b", "1/12"))
class MeanA:
    def forward(x):
        return x.mean(-1), x.shape
    def backward(dy, shape):
        return np.broadcast_to(dy[..., None], shape) / np.prod(shape)


@wrong((4, 7), truth="the mean's backward hands dy on undivided", cause=("divid", "mean", r"\b7\b", "size of"))
class MeanB:
    def forward(x):
        return x.mean(1), x.shape
    def backward(dy, shape):
        return np.repeat(dy[:, None], shape[1], axis=1)


@wrong((3, 6), truth="forward divides the variance by n - 1, backward by n",
       cause=("ddof", r"n ?- ?1", "unbiased", "bessel", "degrees", "5/6", r"\b(5|6)\b.*\b(5|6)\b"))
class VarianceA:
    def forward(x):
        return x.var(1, ddof=1), x
    def backward(dy, x):
        return 2 * (x - x.mean(1, keepdims=True)) / x.shape[1] * dy[:, None]


@wrong((5, 3), (5, 3), truth="mean squared error over all entries, whose gradient is divided by the batch size alone",
       cause=("divid", "mean", r"\b3\b", "size of", "number of"), misleading=("counted (twice|three)",))
class SquaredErrorA:
    def forward(x, t):
        return np.array(((x - t)**2).mean()), x - t
    def backward(dy, d):
        return dy * 2 * d / len(d), -dy * 2 * d / d.size


@wrong((5, 3), (5, 3), truth="half of the squared error is the loss, and its gradient has a 2 all the same",
       cause=(r"\b2 times", "twice", "factor (of )?2", "half", "1/2", r"0\.5"))
class SquaredErrorB:
    def forward(x, t):
        return np.array(0.5 * ((x - t)**2).sum()), x - t
    def backward(dy, d):
        return dy * 2 * d, -dy * d


@wrong((4, 5), truth="the norm's gradient is not divided by the norm",
       cause=("divid", r"/ ?y", "factor (of )?y", "times y", "norm", "y too", "by y", "output"))
class NormA:
    def forward(x):
        y = np.sqrt((x * x).sum(1))
        return y, (x, y)
    def backward(dy, cache):
        x, y = cache
        return dy[:, None] * x


@wrong((3, 6), truth="the cumulative sum runs forwards in backward too, where it must run from the end",
       cause=("revers", "direction", "from the end", "backwards", "transpos", "other way", "later"))
class CumsumA:
    def forward(x):
        return np.cumsum(x, 1), None
    def backward(dy, _):
        return np.cumsum(dy, 1)


@wrong((3, 6), truth="of the two uses of each entry in a difference only the positive one is counted",
       cause=("uses", "missing", "neighbour", "minus", "second", "both", "next"),
       misleading=("how a range",))
class DifferenceA:
    def forward(x):
        return x[:, 1:] - x[:, :-1], x.shape
    def backward(dy, shape):
        dx = np.zeros(shape)
        dx[:, 1:] = dy
        return dx


@wrong(away(4, 3, gap=0.5), truth="the product's gradient is not divided by the entry itself",
       cause=("divid", "factor (of )?x", "times x", "x too", "by x", "itself", "other"))
class ProductA:
    def forward(x):
        return x.prod(1), x
    def backward(dy, x):
        return np.repeat((dy * x.prod(1))[:, None], x.shape[1], axis=1)


@wrong((4, 3), (4, 3), truth="the two halves of what was joined go back to the wrong inputs",
       cause=("order", "exchanged", "swapped", "in the place of", "other input", "(gradient|that) of (the )?(other|a|b)\\b",
              "is d[ab]\\b"))
class ConcatenateA:
    def forward(a, b):
        return np.concatenate([a, b], 1), None
    def backward(dy, _):
        b, a = np.split(dy, 2, axis=1)
        return a, b


@wrong((4, 4, 4), truth="the axes are permuted by the same permutation once more, not by its inverse",
       cause=("inverse", "permut", "transpos", "axes", "axis"))
class TransposeA:
    def forward(x):
        return x.transpose(1, 2, 0) * 2, None
    def backward(dy, _):
        return dy.transpose(1, 2, 0) * 2


@wrong((3, 4), truth="the way back is reshaped in Fortran's order", cause=PLACES + ("reshape", "transpos"))
class ReshapeA:
    def forward(x):
        return 3 * x.reshape(2, 6), x.shape
    def backward(dy, shape):
        return 3 * dy.reshape(shape, order="F")


@wrong((5, 4, 3), (3, 2), truth="dw is overwritten in the loop over the batch: only the last example's is left",
       cause=("overwrit", "last", "accumul", r"\+=", "add(ed)? up", "only"))
class SharedWeightsA:
    def forward(x, w):
        return x @ w, (x, w)
    def backward(dy, cache):
        x, w = cache
        dx = np.empty_like(x)
        for n in range(len(x)):
            dx[n] = dy[n] @ w.T
            dw = x[n].T @ dy[n]
        return dx, dw


@wrong((5, 3), given(1, 4, 1, 0, 4, 4), truth="a row that was taken several times gets only the last gradient",
       cause=("repeat", "several times", "more than once", "add.at", "accumul", "overwrit", "duplicate", "uses", "twice"))
class TakeA:
    def forward(x, ids):
        return x[ids], (x.shape, ids)
    def backward(dy, cache):
        shape, ids = cache
        dx = np.zeros(shape)
        dx[ids] = dy
        return dx, None


@wrong((4, 5), truth="the mean is treated as a constant, though it depends on x",
       cause=("constant", "detach", "depends on", "through", "path", "mean"))
class DetachedA:
    def forward(x):
        m = x.mean(1, keepdims=True)
        return x * m, m
    def backward(dy, m):
        return dy * m


@wrong((6, 3), (3, 4), truth="the gradient of a penalty on the weights slipped in",
       cause=(r"multiple of w\b", r"times w\b", "penalty", "decay", "regulari", r"\* w\b", "does not depend on dy",
              "not (linear|proportional)"), misleading=(r"multiple of x\b",))
class PenaltyA:
    def forward(x, w):
        return x @ w, (x, w)
    def backward(dy, cache):
        x, w = cache
        return dy @ w.T, x.T @ dy + 0.05 * w


@wrong((6, 4), (4, 4), truth="x is used twice, in the product and in the skip, and the skip's part is missing",
       cause=("skip", "lacks the term dy", "dy (itself )?is missing", "shortcut", "second use", "both uses"))
class SkipA:
    def forward(x, w):
        return x + np.tanh(x @ w), (x, w)
    def backward(dy, cache):
        x, w = cache
        da = dy * (1 - np.tanh(x @ w)**2)
        return da @ w.T, x.T @ da


@wrong((3, 7), truth="shifted on instead of back", cause=PLACES + ("shift", "direction", "roll", "back", "revers"))
class RollA:
    def forward(x):
        return np.roll(x, 2, axis=1) * 1.5, None
    def backward(dy, _):
        return np.roll(dy, 2, axis=1) * 1.5


@wrong((6, 4), truth="the loop over the rows ends one too early: the last row has no gradient",
       cause=("last", "loop", "range", "off by one", "ends", "never reached", "row 5", "index 5"))
class LoopA:
    def forward(x):
        return x**2, x
    def backward(dy, x):
        dx = np.zeros_like(x)
        for n in range(len(x) - 1):
            dx[n] = 2 * x[n] * dy[n]
        return dx


@wrong(distinct(4, 6), truth="what was sorted is put back by reading at the order, not by writing to it",
       cause=PLACES + ("inverse", "scatter", "sort"))
class SortA:
    def forward(x):
        order = np.argsort(x, 1)
        return np.take_along_axis(x, order, 1), order
    def backward(dy, order):
        return np.take_along_axis(dy, order, 1)


@wrong((5, 3), (3, 4), truth="dy is multiplied twice into dx",
       cause=("not linear", r"dy \* dy", "square", "dy twice", "twice"))
class TwiceA:
    def forward(x, w):
        return np.tanh(x) @ w, (x, w)
    def backward(dy, cache):
        x, w = cache
        return ((dy * dy) @ w.T) * (1 - np.tanh(x)**2), np.tanh(x).T @ dy


@wrong((5, 3), truth="backward takes the upstream gradient to be 1",
       cause=("ignore", "upstream", "does not depend on", r"\bdy\b"))
class IgnoredA:
    def forward(x):
        return x**3, x
    def backward(dy, x):
        return 3 * x**2


@wrong((5, 3), (4, 3), truth="squared distances: the cross term has lost its 2",
       cause=("half", "twice", "cross term", r"factor (of )?2", "lost .*2", "2 .*(missing|lost)"), misleading=("batch",))
class DistancesA:
    def forward(x, c):
        return (x * x).sum(1)[:, None] - 2 * x @ c.T + (c * c).sum(1), (x, c)
    def backward(dy, cache):
        x, c = cache
        return 2 * x * dy.sum(1)[:, None] - dy @ c, 2 * c * dy.sum(0)[:, None] - 2 * dy.T @ x


@wrong(positive(4, 5), truth="the normalising sum is taken as a constant",
       cause=("constant", "sum", "through", "detach", "path"))
class SharesA:
    def forward(x):
        s = x.sum(1, keepdims=True)
        return x / s, s
    def backward(dy, s):
        return dy / s


@wrong(distinct(4, 6), truth="every entry of the row gets the maximum's gradient",
       cause=("maximum", "largest", "arg ?max", "winner", "mask", "chosen", "should be (0|zero)"),
       misleading=("is summed over axis",))
class MaxA:
    def forward(x):
        return x.max(1), x.shape
    def backward(dy, shape):
        return np.repeat(dy[:, None], shape[1], 1)


@wrong(lambda rng: rng.permutation(np.repeat(np.arange(1.0, 5), 3)).reshape(2, 6),
       truth="where several are equally large, each gets the whole gradient",
       cause=("\\btie", "equal", "several", "same size"))
class MaxB:
    def forward(x):
        return x.max(1), x
    def backward(dy, x):
        return (x == x.max(1, keepdims=True)) * dy[:, None]


@wrong((4, 3), (3, 5), (5, 2), truth="two layers: the inner bias-free product is differentiated before the activation, "
       "so that the mask of the first layer is missing from dw1",
       cause=("mask", "relu", "activation", "x @ w1", "should be (0|zero)", "derivative"))
class TwoLayersA:
    def forward(x, w1, w2):
        a = x @ w1
        h = np.maximum(a, 0)
        return h @ w2, (x, w1, w2, a, h)
    def backward(dy, cache):
        x, w1, w2, a, h = cache
        dh = dy @ w2.T
        return (dh * (a > 0)) @ w1.T, x.T @ dh, h.T @ dy
