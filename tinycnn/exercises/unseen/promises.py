"""Backwards that break a promise: they write into what they are given, keep state, throw dice or overflow."""
import numpy as np

from tinycnn.engine.function import Function

from . import away, given, positive, wrong

WRITES = ("writ", "chang", "overwrit", "modif", "in.place", "alter")
AGAIN = ("state", "again", "second (time|call|run|backward)", "twice", "repeat", "once more", "same answer",
         "from call to call",
         "another (answer|gradient)", "kept", "first call", "reset")


@wrong(away(4, 5), truth="backward writes its mask into dy", cause=WRITES)
class ReluOwn:
    def forward(x):
        return np.maximum(x, 0), x
    def backward(dy, x):
        dx = dy
        dx[x <= 0] = 0
        return dx


@wrong((4, 5), truth="forward squares its input in place", cause=WRITES, misleading=("factor", "too much"))
class SquareOwn:
    def forward(x):
        x *= x
        return x, x
    def backward(dy, x):
        return 2 * x * dy


@wrong((5, 3), (3, 4), truth="backward scales a cached array in place, so that a second backward is wrong",
       cause=WRITES + AGAIN)
class MatmulOwn:
    def forward(x, w):
        return x @ w, [x.copy(), w.copy()]
    def backward(dy, cache):
        x, w = cache
        x *= 0.5
        return dy @ w.T, 2 * x.T @ dy


@wrong((5, 3), (3, 4), truth="a step of gradient descent is taken in backward, before dx is computed",
       cause=WRITES + ("gradient descent", r"\blr\b", "learning rate", "step", "update"))
class MatmulStep:
    def forward(x, w):
        return x @ w, (x, w)
    def backward(dy, cache):
        x, w = cache
        dw = x.T @ dy
        w -= 0.1 * dw
        return dy @ w.T, dw


@wrong((5, 3), (3, 4), truth="the gradient is added to a buffer that is never set to zero",
       cause=AGAIN + ("buffer", "zero(ed)?\\b", "accumul"))
class MatmulBuffer:
    buffer = np.zeros((3, 4))
    def forward(x, w):
        return x @ w, (x, w)
    def backward(dy, cache):
        x, w = cache
        MatmulBuffer.buffer += x.T @ dy
        return dy @ w.T, MatmulBuffer.buffer.copy()


@wrong((4, 6), truth="backward draws a new mask", cause=("random", "dice", "draws", "mask") + AGAIN)
class DropoutDice:
    rng = np.random.default_rng(3)
    def forward(x):
        mask = np.random.default_rng(5).random(x.shape) < 0.5
        return 2 * x * mask, None
    def backward(dy, _):
        return 2 * dy * (DropoutDice.rng.random(dy.shape) < 0.5)


@wrong((4, 6), truth="noise is added to the gradient", cause=("random", "dice", "noise") + AGAIN)
class NoisyGradient:
    rng = np.random.default_rng(4)
    def forward(x):
        return np.sin(x), x
    def backward(dy, x):
        return dy * np.cos(x) + NoisyGradient.rng.normal(0, 1e-3, dy.shape)


@wrong((5, 4), (4, 3), truth="the gradient is scaled to length 1",
       cause=("not linear", "normalis", "length", "norm\\b", "scaled"))
class MatmulUnit:
    def forward(x, w):
        return x @ w, (x, w)
    def backward(dy, cache):
        x, w = cache
        dw = x.T @ dy
        return dy @ w.T, dw / np.linalg.norm(dw)


@wrong((5, 4), (4, 3), truth="the gradient is rounded to two digits",
       cause=("round", "precision", "digits", "decimal", "not linear"))
class MatmulRounded:
    def forward(x, w):
        return x @ w, (x, w)
    def backward(dy, cache):
        x, w = cache
        return np.round(dy @ w.T, 2), x.T @ dy


@wrong(lambda rng: np.abs(rng.standard_normal((3, 4))) * 400 + 600,
       truth="exp overflows in backward, and infinity / infinity is not a number",
       cause=("nan", "overflow", "not finite", "infinit", "not a number"))
class LogSumExpOverflow:
    def forward(x):
        m = x.max(1, keepdims=True)
        return (m + np.log(np.exp(x - m).sum(1, keepdims=True)))[:, 0], x
    def backward(dy, x):
        with np.errstate(all="ignore"):
            e = np.exp(x)
            return dy[:, None] * e / e.sum(1, keepdims=True)


@wrong(given([3.0, -1.0, 2.0], [0.0, 1.0, 0.0], [0.5, 0.5, 2.0]),
       truth="0 * infinity: where a weight is zero, log's derivative gives NaN",
       cause=("nan", "overflow", "not finite", "infinit", "not a number"))
class XLogX:
    def forward(x):
        a = np.abs(x)
        return a * a * np.log(a + (a == 0)), a
    def backward(dy, a):
        with np.errstate(all="ignore"):
            return dy * (2 * a * np.log(a) + a) * np.sign(a)


@wrong((5, 3), (3, 4), (4,), truth="None is returned for w, as if it had no gradient",
       cause=("none", "no gradient", "missing", "not connected", "zero"))
class LinearNone:
    def forward(x, w, b):
        return x @ w + b, (x, w)
    def backward(dy, cache):
        x, w = cache
        return dy @ w.T, None, dy.sum(0)


@wrong((5, 3), truth="a running mean moves with each call and stands in the output",
       cause=AGAIN + ("random", "differ", "moves", "running"),
       misleading=("contiguous",))
class RunningMean:
    mean = np.zeros(3)
    def forward(x):
        RunningMean.mean = 0.9 * RunningMean.mean + 0.1 * x.mean(0)
        return x * 2 - RunningMean.mean, None
    def backward(dy, _):
        return 2 * dy - 0.1 * dy.mean(0)


@wrong((4, 5), truth="dy's magnitude decides: small gradients are set to zero",
       cause=("not linear", "threshold", "small", "magnitude"))
class Threshold:
    def forward(x):
        return 3 * x, None
    def backward(dy, _):
        return np.where(np.abs(dy) < 1, 0, 3 * dy)


@wrong((4, 5), truth="mixed precision's loss scale is divided out, though nobody multiplied it in",
       cause=("1/8", r"0\.125", "1/8", r"\b8\b", "scale", "constant"))
class LossScale:
    def forward(x):
        return np.sin(x), x
    def backward(dy, x):
        return dy * np.cos(x) / 8


@wrong((5, 3), (3, 4), truth="a Function whose backward writes into a saved array", cause=WRITES + AGAIN)
class MatmulSaved(Function):
    @staticmethod
    def forward(ctx, x, w):
        ctx.save_for_backward(x, w)
        return x @ w

    @staticmethod
    def backward(ctx, dy):
        x, w = ctx.saved_tensors
        dx = dy @ w.T
        w *= dy.sum() * 0 + 2
        return dx, x.T @ dy


@wrong(positive(4, 3), truth="a Function that keeps its last input on the class: two calls mix up",
       cause=AGAIN + ("ctx", "class", "last call", "between calls", "mix"),
       misleading=("float32", "float64"))
class SquareShared(Function):
    @staticmethod
    def forward(ctx, x):
        first = not hasattr(SquareShared, "seen")
        SquareShared.seen = x if first else SquareShared.seen
        return x * x

    @staticmethod
    def backward(ctx, dy):
        return 2 * SquareShared.seen * dy


@wrong((4, 3), (3, 5), truth="a Function that returns the gradients in another order",
       cause=("order", "exchanged", "swapped", "in the place of", "is d[xw]\\b", "(gradient|that) of (the )?(other|x|w)\\b"))
class MatmulOrder(Function):
    @staticmethod
    def forward(ctx, x, w):
        ctx.save_for_backward(x, w)
        return x @ w

    @staticmethod
    def backward(ctx, dy):
        x, w = ctx.saved_tensors
        return x.T @ dy, dy @ w.T


@wrong((4, 3), (4, 3), truth="a Function that returns one gradient for two inputs",
       cause=("returned (1|one)", "one gradient", r"\b1\b.*\b2\b", "two", "number of gradients", "too few", "2 "))
class ProductShort(Function):
    @staticmethod
    def forward(ctx, a, b):
        ctx.save_for_backward(a, b)
        return a * b

    @staticmethod
    def backward(ctx, dy):
        a, b = ctx.saved_tensors
        return dy * b
