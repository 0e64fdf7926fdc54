"""Mistakes in functions that act on each number alone."""
import numpy as np

from . import away, integers, positive, wrong


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


class Sigmoid:
    def forward(x):
        y = sigmoid(x)
        return y, y
    def backward(dy, y):
        return dy * y * (1 - y)


@wrong((4, 3), truth="the cache holds y already, and the sigmoid is taken of it once more",
       cause=("at (the )?(y|output|result)", "twice", "of (the )?(y|output)", "(y|output|result) instead of", "once more"),
       misleading=("counted twice", "2 times"))
class SigmoidA(Sigmoid):
    def backward(dy, y):
        s = sigmoid(y)
        return dy * s * (1 - s)


@wrong((4, 3), truth="the input stands in 1 - x where the output belongs: y (1 - x)",
       cause=(r"1 - x", "x (stands )?(instead of|for|in place of) y", "input instead of", "output, not (of )?the input"))
class SigmoidB:
    def forward(x):
        y = sigmoid(x)
        return y, (x, y)
    def backward(dy, cache):
        x, y = cache
        return dy * y * (1 - x)


@wrong((4, 3), truth="the derivative of tanh is written with its input: 1 - x^2 for 1 - y^2",
       cause=("1 - x", "x (stands )?(instead of|for|in place of) y", "input instead of", "derivative at x",
              "not (of )?the input"))
class TanhA:
    def forward(x):
        return np.tanh(x), x
    def backward(dy, x):
        return dy * (1 - x**2)


@wrong((4, 3), truth="the square is missing: 1 - y for 1 - y^2",
       cause=("square", r"1 - y\b(?!\^| ?\*)", r"1 \+ y"))
class TanhB:
    def forward(x):
        y = np.tanh(x)
        return y, y
    def backward(dy, y):
        return dy * (1 - y)


@wrong((5, 4), truth="the mask looks at the sign of dy, not of x",
       cause=("not linear", "sign of (the )?(dy|upstream)", "dy > 0", "negative dy", "depends on dy"))
class ReluA:
    def forward(x):
        return np.maximum(x, 0), x
    def backward(dy, x):
        return np.where(dy > 0, dy, 0)


@wrong(away(5, 4), truth="where x > 0 the gradient is 1 without dy: dy is only used on the other side",
       cause=("without dy", "dy is (missing|left out|forgotten|not used|ignored)", "not (linear|proportional)",
              "does not depend on (dy|the upstream)", "ignores"), misleading=("label", "maximum"))
class LeakyReluA:
    def forward(x):
        return np.where(x > 0, x, 0.1 * x), x
    def backward(dy, x):
        return np.where(x > 0, 1.0, 0.1 * dy)


@wrong(away(5, 4), truth="negative inputs let nothing through: relu's derivative for leaky relu",
       cause=("where x (<|is negative)", "negative (x|input|entries|side)", "slope", "x < 0", "x <= 0", "relu"))
class LeakyReluB:
    def forward(x, slope=0.2):
        return np.where(x > 0, x, slope * x), x
    def backward(dy, x):
        return dy * (x > 0)


@wrong(away(5, 4), truth="elu's derivative alpha exp(x) is taken at y instead of x",
       cause=(r"exp\(y\)", "at (the )?(y|output|result)", "(y|output) instead of", "x (<|is negative)", "negative"))
class EluA:
    def forward(x):
        y = np.where(x > 0, x, np.expm1(np.minimum(x, 0)))
        return y, (x, y)
    def backward(dy, cache):
        x, y = cache
        return np.where(x > 0, dy, dy * np.exp(y))


@wrong((4, 5), truth="the inner derivative of the cubic term is missing from gelu's tanh approximation",
       cause=("inner", "chain rule", "cubic", r"0\.044"))
class GeluA:
    def forward(x):
        t = np.tanh(0.79788456 * (x + 0.044715 * x**3))
        return 0.5 * x * (1 + t), (x, t)
    def backward(dy, cache):
        x, t = cache
        return dy * (0.5 * (1 + t) + 0.5 * x * (1 - t * t) * 0.79788456)


@wrong((4, 3), truth="softplus' derivative is sigmoid(x), and sigmoid(-x) is written",
       cause=(r"sigmoid\(-", "at -x", "sign of (x|the (input|argument))", r"1 - ", "minus x"))
class SoftplusA:
    def forward(x):
        return np.logaddexp(0, x), x
    def backward(dy, x):
        return dy / (1 + np.exp(x))


@wrong((4, 3), truth="the product rule's first term is missing: x s', without s",
       cause=("product rule", "term", "missing", "direct", "off by (a multiple of )?(dy )?\\*? ?s", "both factors"))
class SwishA:
    def forward(x):
        s = sigmoid(x)
        return x * s, (x, s)
    def backward(dy, cache):
        x, s = cache
        return dy * x * s * (1 - s)


@wrong(positive(3, 4), truth="backward divides by x + 0.01 where forward takes log(x)",
       cause=("eps", r"0?\.01\b", "1e-0?2", r"x \+", "constant (is )?added"))
class LogA:
    def forward(x):
        return np.log(x), x
    def backward(dy, x):
        return dy / (x + 0.01)


@wrong(positive(3, 4, low=1.5, high=4), truth="divided by the output y = log x instead of by x",
       cause=("at (the )?(y|output|result)", r"1 ?/ ?y", "by y", "(y|output|result) (stands )?(instead|for|in place)"))
class LogB:
    def forward(x):
        y = np.log(x)
        return y, y
    def backward(dy, y):
        return dy / y


@wrong((3, 4), truth="the derivative of exp is its result, and the input is written",
       cause=("x instead of", "input instead of", "times x", "is x", r"exp\(x\)", "output", "result"))
class ExpA:
    def forward(x):
        return np.exp(x), x
    def backward(dy, x):
        return dy * x


@wrong(positive(3, 4), truth="dy y / 2 instead of dy / (2 y): multiplied where one divides",
       cause=("divi", "1 ?/ ?y", "reciprocal", "inverse", "upside", "instead of its"))
class SqrtA:
    def forward(x):
        y = np.sqrt(x)
        return y, y
    def backward(dy, y):
        return 0.5 * dy * y


@wrong(positive(3, 4), truth="the exponent is not lowered: 3 x^3 for 3 x^2",
       cause=("factor (of )?x", "times x", "x too (much|many)", "exponent", "power", "multiplied by x"))
class PowerA:
    def forward(x):
        return x**3, x
    def backward(dy, x):
        return dy * 3 * x**3


@wrong((3, 4), truth="the 2 of the square is missing", cause=("half", r"0\.5", "1/2", "2 .*(missing|square)", "square"))
class SquareA:
    def forward(x):
        return x * x, x
    def backward(dy, x):
        return dy * x


@wrong(away(3, 5), truth="the sign of the output is taken, which is always positive, for that of the input",
       cause=("sign", "x (<|is negative)", "negative", "minus", r"-1\b"))
class AbsA:
    def forward(x):
        y = np.abs(x)
        return y, y
    def backward(dy, y):
        return dy * np.sign(y)


@wrong(lambda rng: rng.permutation(np.linspace(-2.5, 2.6, 20)).reshape(4, 5),
       truth="the mask of the clamp is forgotten: gradient flows where the output is held at its bounds",
       cause=("mask", "clip", "clamp", "bound", "should be (0|zero)", "is zero", "flat", "let through", "saturat"))
class ClampA:
    def forward(x):
        return np.clip(x, -1, 1), None
    def backward(dy, _):
        return dy


@wrong((6, 5), (5, 4), truth="gradient clipping was left in the backward: dx cut off at -1 and 1",
       cause=("clip", "not linear", "cut off", "limited", "bounded", "clamp"))
class MatmulClip:
    def forward(x, w):
        return x @ w, (x, w)
    def backward(dy, cache):
        x, w = cache
        return np.clip(dy @ w.T, -1, 1), x.T @ dy


@wrong((3, 4), away(3, 4, gap=0.5), truth="the square of the denominator is missing in db: -a / b for -a / b^2",
       cause=("square", "factor (of )?b", "times b", "by b", "b too (much|many)", r"b\^2", r"b\*\*2"))
class DivideA:
    def forward(a, b):
        return a / b, (a, b)
    def backward(dy, cache):
        a, b = cache
        return dy / b, -dy * a / b


@wrong((3, 4), away(3, 4, gap=0.5), truth="the minus sign of db is missing", cause=("sign", "minus", "negative", r"-1\b"))
class DivideB:
    def forward(a, b):
        return a / b, (a, b)
    def backward(dy, cache):
        a, b = cache
        return dy / b, dy * a / b**2


@wrong((4, 3), (4, 3), truth="the condition is forgotten for b: it gets dy also where a was chosen",
       cause=("mask", "where", "condition", "chosen", "should be (0|zero)", "let through"))
class WhereA:
    def forward(a, b):
        c = a > 0.3
        return np.where(c, a, b), c
    def backward(dy, c):
        return dy * c, dy


@wrong(away(3, 4), away(3, 4), truth="hypot: not divided by y, da = dy a",
       cause=("divi", r"/ ?y", "factor (of )?y", "times y", "y too (much|many)", "output", "by y"))
class HypotA:
    def forward(a, b):
        y = np.sqrt(a * a + b * b)
        return y, (a, b, y)
    def backward(dy, cache):
        a, b, y = cache
        return dy * a, dy * b / y


@wrong(positive(3, 4, low=0.1, high=0.9), truth="1 + p stands for 1 - p in the logit's derivative",
       cause=(r"1 [-+] (p|x)", "sign"))
class LogitA:
    def forward(p):
        return np.log(p / (1 - p)), p
    def backward(dy, p):
        return dy / (p * (1 + p))


@wrong((4, 3), (3, 5), truth="dw is put into an array of integers, which cuts off what is behind the point",
       cause=("integer", "whole number", "truncat", "round", r"\bint"))
class TruncatedA:
    def forward(x, w):
        return x @ w, (x, w)
    def backward(dy, cache):
        x, w = cache
        dw = np.zeros(w.shape, int)
        dw[...] = (3 * x.T @ dy) / 3
        return dy @ w.T, dw


@wrong((4, 3), truth="the gradient goes through float16 and keeps three digits",
       cause=("precision", "float16", "half", "round", "digits"))
class HalfPrecision:
    def forward(x):
        return x**2, x
    def backward(dy, x):
        return (2 * x * dy).astype(np.float16).astype(np.float64)


@wrong(away(4, 3),
       truth="the exponential of the selu is scaled by alpha, and the outer scale is forgotten on the negative side",
       cause=("scale", r"1\.05", r"0\.95", "factor", "negative", "x (<|is negative)"))
class SeluA:
    def forward(x):
        return 1.0507 * np.where(x > 0, x, 1.67326 * np.expm1(np.minimum(x, 0))), x
    def backward(dy, x):
        return np.where(x > 0, 1.0507 * dy, dy * 1.67326 * np.exp(np.minimum(x, 0)))


@wrong(positive(4, 3), truth="sin's derivative has a sign that belongs to cos", cause=("sign", "minus", "negative", r"-1\b"))
class SineA:
    def forward(x):
        return np.sin(x), x
    def backward(dy, x):
        return -dy * np.cos(x)


@wrong(integers(6, 5, low=-2, high=3), away(6, 5), truth="n x^(n - 1) is multiplied by y once more",
       cause=("factor (of )?y", "times y", "y too (much|many)", "multiplied by y", "output"))
class IntegerPowerA:
    def forward(n, x):
        y = x ** n.astype(float)
        return y, (n, x, y)
    def backward(dy, cache):
        n, x, y = cache
        return None, dy * n * x ** (n - 1.0) * y
