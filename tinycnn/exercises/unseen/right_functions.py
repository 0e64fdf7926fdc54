"""Right functions in unusual styles: loops, einsum, own copies, float64 from float32, edges of a domain, layer objects."""
import numpy as np

from tinycnn.engine.function import Function

from . import distinct, given, integers, positive, right
from .losses import CrossEntropy, Softmax
from .norms import BatchNorm, right_dx
from .pictures import AveragePool, Conv, ConvStrided, MaxPool
from .sequences import Attention, Recurrent
from .sums import Linear

right((7, 3), (3, 4), (4,))(Linear)
right((4, 5))(Softmax)
right((2, 2, 6, 5), (4, 2, 3, 2), (4,))(Conv)
right((2, 2, 7, 9), (3, 2, 3, 3))(ConvStrided)
right((2, 3, 4), (2, 5, 4), (2, 5, 6))(Attention)
right((5, 2, 3), (2, 4), (3, 4), (4, 4))(Recurrent)


@right((5, 3), (3, 4))
class MatmulLoops:
    def forward(x, w):
        return np.array([[sum(x[n, d] * w[d, m] for d in range(3)) for m in range(4)] for n in range(5)]), (x, w)
    def backward(dy, cache):
        x, w = cache
        dx = [[sum(dy[n, m] * w[d, m] for m in range(4)) for d in range(3)] for n in range(5)]
        dw = np.zeros((3, 4))
        for n in range(5):
            for d in range(3):
                for m in range(4):
                    dw[d, m] += dy[n, m] * x[n, d]
        return np.array(dx), dw


@right((5, 3), (3, 4), (4,))
class LinearEinsum:
    def forward(x, w, b):
        return np.einsum("nd,dm->nm", x, w) + b, (x, w)
    def backward(dy, cache):
        x, w = cache
        return np.einsum("nm,dm->nd", dy, w), np.einsum("nd,nm->dm", x, dy), np.einsum("nm->m", dy)


@right((5, 3), (3, 4))
class MatmulLists:
    def forward(x, w):
        return x @ w, {"x": x, "w": w}
    def backward(dy, cache):
        return [dy @ cache["w"].T, cache["x"].T @ dy]


@right(given(1e-4, 2e-4, 1e-3, 0.5))
class LogNearZero:
    def forward(x):
        return np.log(x), x
    def backward(dy, x):
        return dy / x


@right(given(1e-4, 3e-4, 0.2, 1.0))
class SqrtNearZero:
    def forward(x):
        y = np.sqrt(x)
        return y, y
    def backward(dy, y):
        return dy / (2 * y)


@right(given(1e-4, -2e-4, 0.3, 4.0))
class ReciprocalNearZero:
    def forward(x):
        return 1 / x, x
    def backward(dy, x):
        return -dy / x**2


@right(given(0.9995, -0.9995, 0.2, 0.0))
class ArcsineNearOne:
    def forward(x):
        return np.arcsin(x), x
    def backward(dy, x):
        return dy / np.sqrt(1 - x * x)


@right(lambda rng: 1e4 + rng.standard_normal((8, 3)), (3,), (3,))
class BatchNormFarOff(BatchNorm):
    def backward(dy, cache):
        x, xhat, sigma, w = cache
        return right_dx(dy * w, xhat, sigma, 0), (dy * xhat).sum(0), dy.sum(0)


@right(lambda rng: 1e3 + 1e-2 * rng.standard_normal((4, 9)))
class LayerNormFarOff:
    def forward(x):
        xhat = (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 1e-6)
        return xhat, (xhat, np.sqrt(x.var(1, keepdims=True) + 1e-6))
    def backward(dy, cache):
        return right_dx(dy, *cache, 1)


@right((7, 3), (3,), (3,))
class BatchNormStepwise(BatchNorm):
    """Through dvar and dmean, node by node, as in many blogs."""
    def backward(dy, cache):
        x, xhat, sigma, w = cache
        N, centred = len(x), x - x.mean(0)
        dxhat = dy * w
        dvar = (dxhat * centred).sum(0) * -0.5 / sigma[0]**3
        dmean = -dxhat.sum(0) / sigma[0] + dvar * (-2 * centred).mean(0)
        return dxhat / sigma + dvar * 2 * centred / N + dmean / N, (dy * xhat).sum(0), dy.sum(0)


@right((4, 5))
class OwnCopyInPlace:
    def forward(x):
        y = x.copy()
        y *= y
        return y, x
    def backward(dy, x):
        dx = dy.copy()
        dx *= x
        dx += dx
        return dx


@right((4, 3))
class LayerObject:
    y = None
    def forward(x):
        LayerObject.y = np.tanh(x)
        return LayerObject.y.copy(), LayerObject.y
    def backward(dy, y):
        return dy * (1 - y) * (1 + y)


@right((4, 3))
class ByRecursion:
    """A balanced sum of halves."""
    def forward(x):
        def total(rows):
            return rows[0] if len(rows) == 1 else total(rows[:len(rows) // 2]) + total(rows[len(rows) // 2:])
        return total(x), len(x)
    def backward(dy, n):
        def spread(n):
            return [dy] if n == 1 else spread(n // 2) + spread(n - n // 2)
        return np.stack(spread(n))


@right((3, 6))
class ByGenerators:
    def forward(x):
        return np.fromiter((v * v * v for v in x.flat), float).reshape(x.shape), x
    def backward(dy, x):
        return np.fromiter((3 * v * v * d for v, d in zip(x.flat, dy.flat)), float).reshape(x.shape)


@right(distinct(3, 6))
class IntegerRanks:
    """An integer intermediate, the order, and right results."""
    def forward(x):
        ranks = np.argsort(np.argsort(x, 1), 1)
        return x * (ranks % 2 == 0), ranks
    def backward(dy, ranks):
        return dy * (1 - ranks % 2)


@right((4, 6))
class ReturnsView:
    def forward(x):
        return 2 * x[:, ::-1], None
    def backward(dy, _):
        return (2 * dy)[:, ::-1]


@right((4, 6))
class ReturnsBroadcast:
    def forward(x):
        return x.sum(1), x.shape
    def backward(dy, shape):
        return np.broadcast_to(dy[:, None], shape)


@right((3, 4), (3, 4))
class HandsOnDy:
    """An addition hands on one and the same array twice."""
    def forward(a, b):
        return a + b, None
    def backward(dy, _):
        return dy, dy


@right((5, 4))
class FullJacobian:
    def forward(x):
        e = np.exp(x - x.max(1, keepdims=True))
        p = e / e.sum(1, keepdims=True)
        return p, p
    def backward(dy, p):
        return np.stack([(np.diag(row) - np.outer(row, row)) @ d for row, d in zip(p, dy)])


@right((6, 4), integers(6))
class CrossEntropyOneHot(CrossEntropy):
    def backward(dy, cache):
        p, labels = cache
        return dy * (p - np.eye(4)[labels]) / len(p), None


@right(lambda rng: 300 * rng.standard_normal((4, 5)))
class LogSumExpLarge:
    def forward(x):
        m = x.max(1)
        return m + np.log(np.exp(x - m[:, None]).sum(1)), x
    def backward(dy, x):
        e = np.exp(x - x.max(1, keepdims=True))
        return dy[:, None] * e / e.sum(1, keepdims=True)


@right((5, 3), (3, 1))
class KeepsAxis:
    def forward(x, w):
        return x @ w, (x, w)
    def backward(dy, cache):
        x, w = cache
        return dy * w[:, 0], (x.T @ dy).reshape(3, 1)


@right((2, 3, 4, 5), (3,))
class BroadcastByAdd:
    def forward(x, w):
        return x * w[:, None, None], (x, w)
    def backward(dy, cache):
        x, w = cache
        dw = np.zeros(3)
        for n, c in np.ndindex(2, 3):
            dw[c] += np.vdot(dy[n, c], x[n, c])
        return dy * w.reshape(1, 3, 1, 1), dw


@right(distinct(2, 2, 6, 4))
class MaxPoolByPutting(MaxPool):
    def backward(dy, cache):
        x, winner, slices = cache
        blocks = np.zeros((*dy.shape, 4))
        np.put_along_axis(blocks, winner[..., None], dy[..., None], -1)
        N, C, OH, OW = dy.shape
        return blocks.reshape(N, C, OH, OW, 2, 2).transpose(0, 1, 2, 4, 3, 5).reshape(x.shape)


@right(distinct(2, 2, 6, 4))
class MaxPoolLoops(MaxPool):
    def backward(dy, cache):
        x = cache[0]
        dx = 0 * x
        for n, c, i, j in np.ndindex(*dy.shape):
            window = x[n, c, 2 * i:2 * i + 2, 2 * j:2 * j + 2]
            dx[n, c, 2 * i:2 * i + 2, 2 * j:2 * j + 2] += (window == window.max()) * dy[n, c, i, j]
        return dx


@right((2, 2, 6, 9))
class AveragePoolKron(AveragePool):
    def backward(dy, cache):
        return np.kron(dy, np.full((3, 3), 1 / 9))


@right(given(0, 3, 3, 1), (5, 4))
class EmbeddingOneHot:
    def forward(ids, table):
        onehot = np.eye(len(table))[ids]
        return onehot @ table, onehot
    def backward(dy, onehot):
        return None, onehot.T @ dy


@right((3, 7))
class CumsumMatrix:
    def forward(x):
        return x @ np.triu(np.ones((7, 7))), None
    def backward(dy, _):
        return dy[:, ::-1].cumsum(1)[:, ::-1]


@right((4, 4))
class ComplexSteps:
    """By the Fourier transform; what is imaginary in the result is rounding."""
    def forward(x):
        return np.fft.ifft2(np.fft.fft2(x) * np.arange(4)).real, None
    def backward(dy, _):
        return np.fft.fft2(np.fft.ifft2(dy) * np.arange(4)).real


@right(lambda rng: np.array([[4.0, 1, 0], [1, 3, 0.5], [0, 0.5, 5]]) + 0.1 * rng.standard_normal((3, 3)))
class Inverse:
    def forward(x):
        y = np.linalg.inv(x)
        return y, y
    def backward(dy, y):
        return -y.T @ dy @ y.T


@right(lambda rng: rng.uniform(1, 2, (3, 4)).astype(np.float32))
class Float64FromFloat32:
    def forward(x):
        return np.sqrt(x.astype(np.float64)), x
    def backward(dy, x):
        return dy / 2 / np.sqrt(x.astype(np.float64))


@right((4, 3))
class StepsOfNewton:
    """The cube root, by fifty steps of Newton's method on x^2 + 1."""
    def forward(x):
        a = x * x + 1
        y = a.copy()
        for _ in range(50):
            y = (2 * y + a / y**2) / 3
        return y, (x, y)
    def backward(dy, cache):
        x, y = cache
        return dy * 2 * x / (3 * y**2)


@right((2, 3), (2, 3))
class TwoOutputs:
    def forward(a, b):
        return (a * b, a - b), (a, b)
    def backward(dy, cache):
        a, b = cache
        return dy[0] * b + dy[1], dy[0] * a - dy[1]


@right((3, 4), positive(3, 4))
class ScaledTwice:
    """Tiny and huge gradients beside each other."""
    def forward(x, s):
        return 1e-4 * x + 1e3 * np.log(s), s
    def backward(dy, s):
        return 1e-4 * dy, 1e3 * dy / s


@right((4, 5))
class FunctionOnCtx(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.mask = x > 0
        return np.where(ctx.mask, x, 0.2 * x)

    @staticmethod
    def backward(ctx, dy):
        return np.where(ctx.mask, dy, 0.2 * dy)
