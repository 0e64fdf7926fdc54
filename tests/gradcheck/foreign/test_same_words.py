"""A mistake is named with the same words, whoever's library it was made in; and right code is right in all of them."""
import numpy as np
import pytest

from tests.helpers.libraries import FOREIGN, in_tinycnn
from tinycnn.gradcheck import gradcheck

SHAPES = {"linear": [(5, 3), (3, 4), (4,)], "scale": [(5, 3), (1, 3)], "mse": [(4, 3), (4, 3)],
          "product": [(3, 4), (4, 4)], "square_product": [(4, 4), (4, 4)]}


def linear(xp, x, w, b):
    return x @ w + b


def product(xp, x, w):
    return x @ w


def square_product(xp, x, w):
    return x @ w


def scale(xp, x, w):
    return x * w


def mse(xp, x, t):
    return ((x - t) ** 2).mean()


def tanh(xp, x):
    return xp.tanh(x)


def square(xp, x):
    return x * x


def log(xp, x):
    return xp.log(xp.abs(x))


def relu(xp, x):
    return xp.where(x > 0, x, 0 * x)


def cumsum(xp, x):
    return xp.cumsum(x, 0)


def transposed(xp, x):
    return x.T * 1.0


def softmax(xp, x):
    e = xp.exp(x)
    return e / e.sum(1)[:, None]


def layer_norm(xp, x):
    centred = x - x.mean(1)[:, None]
    return centred / xp.sqrt((centred ** 2).mean(1)[:, None])


def layer_norm_backward(mean, variance):
    def backward(xp, dy, x):
        centred = x - x.mean(1)[:, None]
        std = xp.sqrt((centred ** 2).mean(1)[:, None])
        y = centred / std
        return ((dy - mean * dy.mean(1)[:, None] - variance * y * (dy * y).mean(1)[:, None]) / std,)
    return backward


def softmax_backward(xp, dy, x):
    y = softmax(xp, x)
    return y * (dy - (dy * y).sum(1)[:, None]),


RIGHT = [
    (linear, lambda xp, dy, x, w, b: (dy @ w.T, x.T @ dy, dy.sum(0))),
    (product, lambda xp, dy, x, w: (dy @ w.T, x.T @ dy)),
    (scale, lambda xp, dy, x, w: (dy * w, (dy * x).sum(0)[None])),
    (mse, lambda xp, dy, x, t: (dy * (x - t) * 2 / 12, dy * (t - x) * 2 / 12)),
    (tanh, lambda xp, dy, x: (dy * (1 - xp.tanh(x) ** 2),)),
    (square, lambda xp, dy, x: (dy * 2 * x,)),
    (log, lambda xp, dy, x: (dy / x,)),
    (relu, lambda xp, dy, x: (dy * (x > 0),)),
    (cumsum, lambda xp, dy, x: (xp.flip(xp.cumsum(xp.flip(dy, (0,)), 0), (0,)),)),
    (transposed, lambda xp, dy, x: (dy.T * 1.0,)),
    (softmax, softmax_backward),
    (layer_norm, layer_norm_backward(1, 1))]

WRONG = [
    (linear, lambda xp, dy, x, w, b: (dy @ w.T, x.T @ dy, dy.mean(0)), "a mean stands where the sum belongs"),
    (linear, lambda xp, dy, x, w, b: (dy @ w.T, (x.T @ dy).T, dy.sum(0)), "transpose it with (1, 0)"),
    (linear, lambda xp, dy, x, w, b: (dy @ w.T, x.T @ dy, dy[0]), "counts only the first index of dy"),
    (square_product, lambda xp, dy, x, w: (x.T @ dy, dy @ w.T), "backward returns the gradients in the wrong order"),
    (product, lambda xp, dy, x, w: (dy @ w, x.T @ dy), "backward needs its transpose"),
    (mse, lambda xp, dy, x, t: (dy * (x - t) / 12, dy * (t - x) * 2 / 12), "dx is 0.5 times the right value"),
    (mse, lambda xp, dy, x, t: (dy * (x - t) * 2, dy * (t - x) * 2 / 12), "a sum stands where the forward takes the mean"),
    (tanh, lambda xp, dy, x: (dy * (1 - x ** 2),), "uses the input x where the output y belongs"),
    (tanh, lambda xp, dy, x: (1 - xp.tanh(x) ** 2,), "the upstream gradient dy is ignored"),
    (tanh, lambda xp, dy, x: (-dy * (1 - xp.tanh(x) ** 2),), "has the wrong sign"),
    (tanh, lambda xp, dy, x: (dy * dy * (1 - xp.tanh(x) ** 2),), "dy occurs squared"),
    (square, lambda xp, dy, x: (0 * dy,), "zero everywhere, though the output depends on x"),
    (log, lambda xp, dy, x: (dy * x,), "has a factor x**2 too much"),
    (log, lambda xp, dy, x: (dy * float("nan"),), "holds NaN or infinity"),
    (relu, lambda xp, dy, x: (dy * 1.0,), "a mask is forgotten"),
    (relu, lambda xp, dy, x: (dy * (x < 0),), "a mask is the wrong way round"),
    (cumsum, lambda xp, dy, x: (xp.cumsum(dy, 0),), "backward needs its transpose"),
    (transposed, lambda xp, dy, x: (dy.reshape(x.shape) * 1.0,), "it was reshaped where transpose(1, 0) belongs"),
    (softmax, lambda xp, dy, x: (dy * softmax(xp, x) * (1 - softmax(xp, x)),), "depended on its own input alone"),
    (softmax, lambda xp, dy, x: (dy * softmax(xp, x),), "y times a number that is constant over axis 1"),
    (layer_norm, layer_norm_backward(0, 1), "the term through the mean is missing"),
    (layer_norm, layer_norm_backward(1, 0), "the term through the variance is missing")]


def drawn(forward):
    rng = np.random.default_rng(5)
    return [rng.standard_normal(shape) for shape in SHAPES.get(forward.__name__, [(4, 5)])]


@pytest.mark.parametrize("library", FOREIGN)
@pytest.mark.parametrize("forward, backward", RIGHT, ids=[forward.__name__ for forward, _ in RIGHT])
def test_what_is_right_is_right_in_every_library(forward, backward, library):
    report = gradcheck(*FOREIGN[library](forward, backward, *drawn(forward)))
    assert report and report.error < 1e-9, str(report)


@pytest.mark.parametrize("library", FOREIGN)
@pytest.mark.parametrize("forward, backward, says", WRONG, ids=[f"{f.__name__}: {says[:30]}" for f, _, says in WRONG])
def test_a_mistake_is_named_with_the_words_for_a_function_of_tinycnn(forward, backward, says, library):
    ours, theirs = (gradcheck(*wrap(forward, backward, *drawn(forward))) for wrap in (in_tinycnn, FOREIGN[library]))
    assert not ours and says in ours.cause, str(ours)
    assert theirs.cause == ours.cause and [c.shown for c in theirs.inputs] == [c.shown for c in ours.inputs]
    assert str(theirs).splitlines()[0].endswith(ours.cause)
