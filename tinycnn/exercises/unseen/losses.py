"""Mistakes in softmax and the losses behind it."""
import numpy as np

from . import integers, positive, wrong


def softmax(x, axis=1):
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


class Softmax:
    def forward(x):
        p = softmax(x)
        return p, p
    def backward(dy, p):
        return p * (dy - (dy * p).sum(1, keepdims=True))


@wrong((4, 5), truth="only the diagonal of softmax's Jacobian is used",
       cause=("diagonal", "other (entries|probabilities|outputs|classes)", "jacobian", "own", "sum over", "depends on all"))
class SoftmaxA(Softmax):
    def backward(dy, p):
        return dy * p * (1 - p)


@wrong((4, 5), truth="the sum runs over the batch instead of the classes",
       cause=("axis", "axes", "over the (batch|rows|examples)"))
class SoftmaxB(Softmax):
    def backward(dy, p):
        return p * (dy - (dy * p).sum(0, keepdims=True))


@wrong((4, 5), truth="the sum has lost its weights p: sum(dy) for sum(dy p)",
       cause=("sum of dy", r"sum\(dy", "weight", r"p .*missing", r"dy \* p", r"dy p", r"\bp\b.*sum", "missing"))
class SoftmaxC(Softmax):
    def backward(dy, p):
        return p * (dy - dy.sum(1, keepdims=True))


@wrong((4, 5), truth="the input x stands for the probabilities in the sum",
       cause=("x instead of", "input instead of", "x .*(for|in place of)", "(y|p|output|probabilit).*(not|instead)"))
class SoftmaxD:
    def forward(x):
        p = softmax(x)
        return p, (x, p)
    def backward(dy, cache):
        x, p = cache
        return p * (dy - (dy * x).sum(1, keepdims=True))


class CrossEntropy:
    def forward(x, labels):
        p = softmax(x)
        return np.array(-np.log(p[np.arange(len(x)), labels]).mean()), (p, labels)


@wrong((6, 4), integers(6), truth="the loss is a mean, and the gradient is not divided by the batch size",
       cause=("mean", "batch", "divid", r"\b6\b"))
class CrossEntropyA(CrossEntropy):
    def backward(dy, cache):
        p, labels = cache
        dx = p.copy()
        dx[np.arange(len(p)), labels] -= 1
        return dx * dy, None


@wrong((6, 4), integers(6), truth="divided by the number of all entries instead of the batch size",
       cause=("classes", "size of", "divid", r"\b4\b", "entries"))
class CrossEntropyB(CrossEntropy):
    def backward(dy, cache):
        p, labels = cache
        return dy * (p - np.eye(4)[labels]) / p.size, None


@wrong((6, 4), lambda rng: np.array([0, 1, 2, 2, 3, 1]),
       truth="p[:, labels] -= 1 subtracts in every row at all labels, not in each row at its own",
       cause=("arange", "every row", "all rows", "label", "index", "each row", "should be"))
class CrossEntropyC(CrossEntropy):
    def backward(dy, cache):
        p, labels = cache
        dx = p.copy()
        dx[:, labels] -= 1
        return dx * dy / len(p), None


@wrong((6, 4), integers(6), truth="onehot - p: the sign is the wrong way round",
       cause=("sign", "minus", "negative", r"-1\b"))
class CrossEntropyD(CrossEntropy):
    def backward(dy, cache):
        p, labels = cache
        return dy * (np.eye(4)[labels] - p) / len(p), None


@wrong((6, 4), integers(6), truth="the one-hot is never subtracted: the gradient is p alone",
       cause=("label", "one-?hot", "chosen", "subtract", "target", "right class"))
class CrossEntropyE(CrossEntropy):
    def backward(dy, cache):
        p, labels = cache
        return dy * p / len(p), None


class LogSoftmax:
    def forward(x):
        y = x - np.log(np.exp(x).sum(1, keepdims=True))
        return y, y


@wrong((4, 5), truth="dy - p dy: the sum over the classes is missing",
       cause=("sum", "diagonal", "other (classes|entries|outputs)", "jacobian", "own", "depends on all"))
class LogSoftmaxA(LogSoftmax):
    def backward(dy, y):
        return dy - np.exp(y) * dy


@wrong((4, 5), truth="y stands for exp(y): the output is already the logarithm",
       cause=(r"exp", "logarithm", "log p", r"\by\b.*(instead|for)"))
class LogSoftmaxB(LogSoftmax):
    def backward(dy, y):
        return dy - y * dy.sum(1, keepdims=True)


@wrong((4, 5), truth="the backward of softmax stands behind log-softmax",
       cause=("log", "softmax", "jacobian", r"p too", "factor (of )?(p|exp)", "times (p|exp)"))
class LogSoftmaxC(LogSoftmax):
    def backward(dy, y):
        p = np.exp(y)
        return p * (dy - (dy * p).sum(1, keepdims=True))


@wrong((6, 4), integers(6), truth="forward smooths the labels, backward takes them hard",
       cause=("smooth", "label", "target", r"0\.05", r"0\.8\b"))
class SmoothingA:
    def forward(x, labels):
        t = 0.8 * np.eye(4)[labels] + 0.05
        return np.array(-(t * np.log(softmax(x))).sum() / len(x)), (softmax(x), labels)
    def backward(dy, cache):
        p, labels = cache
        return dy * (p - np.eye(4)[labels]) / len(p), None


@wrong((5, 3), positive(5, 3, low=0.1, high=0.9),
       truth="binary cross-entropy on logits, with the sigmoid's derivative once more",
       cause=(r"p \(1 ?- ?p\)", "sigmoid", "twice", "extra", "too much", "once more", r"y \(1"),
       misleading=("2 times",))
class BinaryA:
    def forward(x, t):
        return np.logaddexp(0, x) - t * x, (x, t)
    def backward(dy, cache):
        x, t = cache
        p = 1 / (1 + np.exp(-x))
        return dy * (p - t) * p * (1 - p), -dy * x


@wrong(positive(5, 3, low=0.1, high=0.9), positive(5, 3, low=0.1, high=0.9),
       truth="binary cross-entropy of probabilities, with the gradient that belongs to the logits: p - t",
       cause=(r"1 ?- ?p", "divid", "logit", "sigmoid"))
class BinaryB:
    def forward(p, t):
        return -t * np.log(p) - (1 - t) * np.log(1 - p), (p, t)
    def backward(dy, cache):
        p, t = cache
        return dy * (p - t), dy * (np.log(1 - p) - np.log(p))


@wrong((6, 4), lambda rng: np.array([2, -1, 0, 3, -1, 1]), truth="rows whose label is to be ignored get a gradient",
       cause=("ignor", "mask", "label", r"\brow", "index 1"),
       misleading=("stride",))
class IgnoreA:
    def forward(x, labels):
        keep = labels >= 0
        logp = np.log(softmax(x))
        return np.array(-(logp[np.arange(len(x)), labels] * keep).sum()), (np.exp(logp), labels)
    def backward(dy, cache):
        p, labels = cache
        return dy * (p - np.eye(4)[labels]), None


@wrong((6, 4), lambda rng: np.array([2, 1, 0, 3, 0, 1]), truth="the weights of the classes are forgotten in backward",
       cause=("weight", "class", "label", r"\brow", "example"))
class ClassWeightsA:
    def forward(x, labels):
        weights = np.array([0.5, 2, 1, 3])[labels]
        logp = np.log(softmax(x))
        return np.array(-(logp[np.arange(len(x)), labels] * weights).sum()), (np.exp(logp), labels)
    def backward(dy, cache):
        p, labels = cache
        return dy * (p - np.eye(4)[labels]), None


@wrong((5, 4), integers(5), truth="hinge loss: the right class gets -1 once, not once for each margin that is violated",
       cause=("right class", "correct class", "label", "chosen", "count", "each margin", "number of"))
class HingeA:
    def forward(x, labels):
        n = np.arange(len(x))
        margins = x - x[n, labels][:, None] + 1
        margins[n, labels] = 0
        return np.array(np.maximum(margins, 0).sum()), (margins, labels)
    def backward(dy, cache):
        margins, labels = cache
        dx = (margins > 0) * 1.0
        dx[np.arange(len(dx)), labels] = -1
        return dx * dy, None


@wrong(lambda rng: rng.permutation(np.linspace(-3, 3.1, 12)).reshape(3, 4),
       truth="Huber: the gradient keeps growing in the linear part, where it should be the sign",
       cause=("sign", "linear part", "clip", "bound", "large", "beyond", r"\|x\| >", "constant"))
class HuberA:
    def forward(x):
        return np.where(np.abs(x) < 1, 0.5 * x * x, np.abs(x) - 0.5), x
    def backward(dy, x):
        return dy * x


@wrong(positive(4, 3), positive(4, 3), truth="-t for -t / p: the logarithm's derivative is forgotten",
       cause=("log", r"1 ?/ ?p", r"/ ?p", "divid", "by p", "factor (of )?p"))
class NegativeLogA:
    def forward(p, t):
        return np.array(-(t * np.log(p)).sum()), (p, t)
    def backward(dy, cache):
        p, t = cache
        return -dy * t, -dy * np.log(p)


@wrong((4, 5), truth="the log-sum-exp's gradient has softmax over the whole matrix, not over each row",
       cause=("whole (matrix|array)", "over the (batch|rows)", "wrong ax", "normalis", "denominator", "each row"))
class LogSumExpA:
    def forward(x):
        return np.log(np.exp(x).sum(1)), x
    def backward(dy, x):
        e = np.exp(x)
        return dy[:, None] * e / e.sum()


@wrong((4, 5), truth="the temperature is forgotten in backward",
       cause=("temperature", "scale", r"\b2\.5", r"0\.4", "2.5 times"))
class TemperatureA:
    def forward(x):
        p = softmax(x / 2.5)
        return p, p
    def backward(dy, p):
        return p * (dy - (dy * p).sum(1, keepdims=True))
