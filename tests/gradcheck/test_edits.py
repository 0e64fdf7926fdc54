"""A mistake whose text is known is mended by one change, and the report says which line it is and how it would be right."""
import ast
import inspect

import numpy as np
import pytest

from tinycnn.engine.function import Function
from tinycnn.gradcheck import check_functions, gradcheck
from tinycnn.gradcheck.edits import edits

rng = np.random.default_rng(5)


def recurrent(x, w, u):
    h = np.zeros((len(x), len(u)))
    hs = [h]
    for t in range(x.shape[1]):
        h = np.tanh(x[:, t] @ w + h @ u)
        hs.append(h)
    return np.stack(hs[1:], 1), (x, w, u, np.stack(hs, 1))


def through_u(dy, cache):
    x, w, u, hs = cache
    dx, dw, du, dh = np.zeros_like(x), np.zeros_like(w), np.zeros_like(u), 0
    for t in reversed(range(x.shape[1])):
        dz = (dy[:, t] + dh) * (1 - hs[:, t + 1] ** 2)
        dx[:, t] = dz @ w.T
        dw += x[:, t].T @ dz
        du += hs[:, t].T @ dz
        dh = dz @ u
    return dx, dw, du


def sigmoid_for_tanh(dy, cache):
    x, w, u, hs = cache
    dx, dw, du, dh = np.zeros_like(x), np.zeros_like(w), np.zeros_like(u), 0
    for t in reversed(range(x.shape[1])):
        dz = (dy[:, t] + dh) * hs[:, t + 1] * (1 - hs[:, t + 1])
        dx[:, t] = dz @ w.T
        dw += x[:, t].T @ dz
        du += hs[:, t].T @ dz
        dh = dz @ u.T
    return dx, dw, du


def state_after(dy, cache):
    x, w, u, hs = cache
    dx, dw, du, dh = np.zeros_like(x), np.zeros_like(w), np.zeros_like(u), 0
    for t in reversed(range(x.shape[1])):
        dz = (dy[:, t] + dh) * (1 - hs[:, t + 1] ** 2)
        dx[:, t] = dz @ w.T
        dw += x[:, t].T @ dz
        du += hs[:, t + 1].T @ dz
        dh = dz @ u.T
    return dx, dw, du


def attention(q, k, v):
    e = np.exp(q @ k.swapaxes(-1, -2))
    p = e / e.sum(-1, keepdims=True)
    return p @ v, (q, k, v, p)


def diagonal(dy, cache):
    q, k, v, p = cache
    dp = dy @ v.swapaxes(-1, -2)
    ds = dp * p * (1 - p)
    return ds @ k, ds.swapaxes(-1, -2) @ q, p.swapaxes(-1, -2) @ dy


def mean_for_sum(dy, cache):
    q, k, v, p = cache
    dp = dy @ v.swapaxes(-1, -2)
    ds = p * (dp - (dp * p).mean(-1, keepdims=True))
    return ds @ k, ds.swapaxes(-1, -2) @ q, p.swapaxes(-1, -2) @ dy


def spread(x):
    y = np.zeros((len(x), 2 * x.shape[1] + 1))
    for i in range(x.shape[1]):
        y[:, 2 * i:2 * i + 3] += x[:, i:i + 1] * np.array([1.0, 3.0, -2.0])
    return y, x.shape


def without_a_stride(dy, shape):
    dx = np.zeros(shape)
    for i in range(shape[1]):
        dx[:, i] = dy[:, i:i + 3] @ np.array([1.0, 3.0, -2.0])
    return dx


SEQUENCE, HEADS = ((2, 4, 3), (3, 5), (5, 5)), ((2, 3, 4), (2, 5, 4), (2, 5, 3))


@pytest.mark.parametrize("forward, backward, shapes, line, says", (
    (recurrent, through_u, SEQUENCE, "dh = dz @ u", "a transpose is missing, in line {}: it would be right as `dh = dz"),
    (recurrent, sigmoid_for_tanh, SEQUENCE, "dz = (dy", "that of a tanh belongs, in line {}: it would be right as"),
    (recurrent, state_after, SEQUENCE, "du += hs", "line {}: it would be right as `du += hs[:, t].T @ dz`"),
    (attention, diagonal, HEADS, "ds = dp", "the Jacobian of a softmax is more than its diagonal, in line {}:"),
    (attention, mean_for_sum, HEADS, "ds = p", "the mean is taken where the sum belongs, in line {}:"),
    (spread, without_a_stride, ((3, 5),), "dx[:, i] =", "the index i must be multiplied by 2 (a stride, a dilation)")))
def test_the_line_is_named_and_mended(forward, backward, shapes, line, says):
    lines, first = inspect.getsourcelines(backward)
    number = first + next(i for i, text in enumerate(lines) if line in text)
    report = check_functions(forward, backward, *map(rng.standard_normal, shapes))
    assert not report and says.format(number) in str(report).partition("\n")[0], str(report)


class Gate(Function):
    """y = x sigmoid(z).  dx = dy sigmoid(z), and for z the derivative of tanh."""

    @staticmethod
    def forward(ctx, x, z):
        s = 1 / (1 + np.exp(-z))
        ctx.save_for_backward(x, s)
        return np.cumsum(x * s, 1)

    @staticmethod
    def backward(ctx, dy):
        x, s = ctx.saved_tensors
        dy = np.cumsum(dy[:, ::-1], 1)[:, ::-1]
        return dy * s, dy * x * s * s


def test_the_text_of_a_function_is_known_too():
    report = gradcheck(Gate, rng.standard_normal((3, 4)), rng.standard_normal((3, 4)))
    assert not report and "(1 - s)" in report.cause, str(report)


def test_what_has_a_closure_is_left_alone():
    factor = 1.0

    def backward(dy, cache):
        return tuple(factor * g for g in diagonal(dy, cache))
    report = check_functions(attention, backward, *map(rng.standard_normal, HEADS))
    assert not report and "it would be right" not in str(report)


def test_every_change_is_another_program_and_leaves_the_tree_as_it_was():
    tree = ast.parse(inspect.getsource(through_u)).body[0]
    before, count = ast.unparse(tree), 0
    for edit in edits(tree):
        edit.put(edit.new)
        count += ast.unparse(tree) != before
        edit.put(edit.old)
        assert ast.unparse(tree) == before
    assert count > 300
