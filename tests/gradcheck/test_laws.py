"""Mistakes that people make in plain backward functions, each with what the first line of the report must say about it."""
import re

import numpy as np
import pytest

from tinycnn.gradcheck import check_functions

SEEDS = (11, 12, 13)
CASES = []


def case(name, forward, backward, *shapes, says, positive=False, options=None):
    """A mistake: inputs are standard normal of these shapes, or uniform in (0.3, 0.9)."""
    CASES.append(pytest.param(forward, backward, shapes, says, positive, options, id=name))


def elementwise(f, slope):
    """f with a backward that multiplies dy by `slope(x, y)`."""
    return lambda x: (f(x), (x.copy(), f(x))), lambda dy, c: dy * slope(*c)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(x, axis=-1):
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


# ---- the local derivative of a function of one number --------------------------------------------------------------------

for _name, _f, _slope, _says in (
        ("tanh at x", np.tanh, lambda x, y: 1 - x * x, r"input x where the output y belongs|\(1 - x\*\*2\)"),
        ("tanh with a plus", np.tanh, lambda x, y: 1 + y * y, r"\(1 \+ tanh\(x\)\*\*2\), where \(1 - tanh\(x\)\*\*2\)"),
        ("tanh twice", np.tanh, lambda x, y: 1 - np.tanh(y) ** 2, "at the output y"),
        ("sigmoid at x", sigmoid, lambda x, y: x * (1 - x), "input x where the output y belongs"),
        ("sigmoid twice", sigmoid, lambda x, y: sigmoid(y) * (1 - sigmoid(y)), "at the output y"),
        ("sigmoid as tanh", sigmoid, lambda x, y: 1 - y * y,
         r"yours is \(1 - y\*\*2\), where sigmoid\(x\) \* sigmoid\(-x\)"),
        ("sigmoid with a plus", sigmoid, lambda x, y: y * (1 + y), r"yours is y \* \(1 \+ y\)"),
        ("softplus as sigmoid'", lambda x: np.log1p(np.exp(x)), lambda x, y: sigmoid(x) * sigmoid(-x),
         r"sigmoid\(x\) \* sigmoid\(-x\), where sigmoid\(x\) belongs"),
        ("square of the slope", np.sin, lambda x, y: np.cos(x) ** 2, "squared: it is multiplied twice"),
        ("the value, not the slope", np.sin, lambda x, y: y, r"yours is sin\(x\), where cos\(x\)|the value y"),
        ("cos without its minus", np.cos, lambda x, y: np.sin(x), "wrong sign"),
        ("cube without its 3", lambda x: x ** 3, lambda x, y: x * x, "the 3 of the derivative of a cube"),
        ("exp of the output", np.exp, lambda x, y: np.exp(y), r"exp\(y\), where|at the output y"),
        ("arctan without the plus", np.arctan, lambda x, y: 1 / (1 - x * x), r"1/\(1 - x\*\*2\), where 1/\(1 \+ x\*\*2\)"),
        ("gelu's gaussian unscaled", lambda x: x * x * 0.5, lambda x, y: x * 2, "counted twice"),
        ("silu without its x", lambda x: x * sigmoid(x), lambda x, y: sigmoid(x) + sigmoid(x) * sigmoid(-x),
         r"where sigmoid\(x\) \+ x \* sigmoid\(x\) \* sigmoid\(-x\) belongs"),
        ("relu with >= of dy", lambda x: np.maximum(x, 0), lambda x, y: (y > 0) * 1.0 + (x < 0), "mask|should be zero")):
    case(_name, *elementwise(_f, _slope), (4, 5), says=_says)
for _name, _f, _slope, _says in (
        ("log as x", np.log, lambda x, y: x, r"factor x\*\*2 too much"),
        ("log10 without log(10)", np.log10, lambda x, y: 1 / x, r"log\(10\)"),
        ("sqrt without the 2", np.sqrt, lambda x, y: 1 / y, "counted twice"),
        ("sqrt with x", np.sqrt, lambda x, y: 0.5 / x, "where|factor"),
        ("reciprocal without minus", lambda x: 1 / x, lambda x, y: y * y, "wrong sign"),
        ("reciprocal to the first", lambda x: 1 / x, lambda x, y: -y, "factor|where"),
        ("arcsin with a plus", np.arcsin, lambda x, y: (1 + x * x) ** -0.5, "wrong local derivative")):
    case(_name, *elementwise(_f, _slope), (3, 6), says=_says, positive=True)


# ---- dy ------------------------------------------------------------------------------------------------------------------

def _square(x):
    return x * x, x.copy()


for _name, _backward, _says in (
        ("dy squared", lambda dy, x: dy * dy * 2 * x, "dy occurs squared"),
        ("|dy|", lambda dy, x: np.abs(dy) * 2 * x, "absolute value"),
        ("a mask of dy", lambda dy, x: np.where(dy > 0, dy, 0) * 2 * x, "made of dy"),
        ("dy normalised", lambda dy, x: dy / np.linalg.norm(dy) * 2 * x, "its own size"),
        ("dy clipped", lambda dy, x: np.clip(dy, -1, 1) * 2 * x, "not linear in dy"),
        ("dy added", lambda dy, x: dy + 2 * x, r"dy does not multiply.*2 times x"),
        ("a penalty slips in", lambda dy, x: 2 * x * dy + 0.01 * x, r"right without it: it is 0.01 times x"),
        ("one is added", lambda dy, x: 2 * x * dy + 1, "dy does not multiply.*1 is added"),
        ("dy forgotten below zero", lambda dy, x: np.where(x > 0, 2 * x * dy, 2 * x),
         r"only where x is negative: multiply by"),
        ("dy forgotten", lambda dy, x: 2 * x, "dy is ignored"),
        ("integers", lambda dy, x: (2 * x * dy * 3).astype(int) * 1.0, "whole numbers only"),
        ("float16", lambda dy, x: (2 * x * dy).astype(np.float16).astype(float), "float16"),
        ("float32", lambda dy, x: (2 * x * dy).astype(np.float32).astype(float), "float32"),
        ("a float16 on the way", lambda dy, x: 2 * x.astype(np.float16).astype(float) * dy, "float16")):
    case(_name, _square, _backward, (4, 6), says=_says)
case("float32 in forward", lambda x: (np.tanh(x.astype(np.float32)).astype(float), x.copy()),
     lambda dy, x: dy * (1 - np.tanh(x) ** 2), (4, 5), says="forward computes in float32")
case("float16 in forward", lambda x: (np.tanh(x.astype(np.float16)).astype(float), x.copy()),
     lambda dy, x: dy * (1 - np.tanh(x) ** 2), (4, 5), says="forward computes in float16")


# ---- promises ------------------------------------------------------------------------------------------------------------

def _inplace_forward(x):
    y = np.multiply(x, x, out=x)
    return y.copy(), x


def _inplace_dy(dy, x):
    dy *= 2
    return dy * x


def _inplace_cache(dy, x):
    x *= 2
    return dy * x


def _heap():
    kept = {}

    def backward(dy, x):
        kept["dx"] = kept.get("dx", 0) + 2 * x * dy
        return kept["dx"].copy()
    return backward


def _counter():
    kept = [0]

    def backward(dy, x):
        kept[0] += 1
        return 2 * x * dy * (1 if kept[0] < 2 else 0.9 ** kept[0])
    return backward


def _sgd_before_dx(dy, c):
    x, w = c
    dw = x.T @ dy
    w -= 0.1 * dw
    return dy @ w.T, dw


case("forward squares its input in place", _inplace_forward, lambda dy, x: 2 * x * dy, (3, 4),
     says="^.{0,20}forward writes into its input x")
case("backward doubles dy in place", _square, _inplace_dy, (3, 4), says="backward writes into the upstream gradient")
case("backward doubles the cache", _square, _inplace_cache, (3, 4), says="backward writes into arrays of the cache")
case("gradients never zeroed", _square, _heap(), (3, 4), says="never set back to zero|keeps state between calls")
case("a counter in backward", _square, _counter(), (3, 4), says="keeps state between calls|changes what forward saved")


def _buffer():
    kept = np.zeros((3, 4))
    return lambda dy, x: np.multiply(2 * x, dy, out=kept)


def _first_input():
    kept = {}

    def forward(x):
        kept.setdefault("x", x.copy())
        return x * x, None
    return forward, lambda dy, cache: 2 * kept["x"] * dy


case("one buffer for all gradients", _square, _buffer(), (3, 4), says="writes into the gradient that its last call returned")
case("a step before dx", lambda x, w: (x @ w, (x, w)), _sgd_before_dx, (4, 3), (3, 2), says="writes into")


# ---- constants -----------------------------------------------------------------------------------------------------------

def _attention(q, k):
    return q @ k.T / np.sqrt(q.shape[1]), (q, k)


def _pool(x):
    N, C, H, W = x.shape
    return x.reshape(N, C, H // 2, 2, W // 2, 2).mean((3, 5)), x.shape


def _mse(x, t):
    return ((x - t) ** 2).mean(), (x, t)


def _two(dx):
    return dx, -dx


def _std_rows(x):
    return x.std(1), x.copy()


def _std_back(dy, x):
    return (dy / x.std(1, ddof=1))[:, None] * (x - x.mean(1, keepdims=True)) / x.shape[1]


def _drop(x, p=0.4):
    mask = np.random.rand(*x.shape) > p
    return x * mask / (1 - p), mask


case("attention without the root, 4", _attention, lambda dy, c: (dy @ c[1], dy.T @ c[0]), (5, 4), (3, 4),
     says="square root of 4")
case("attention without the root, 6", _attention, lambda dy, c: (dy @ c[1], dy.T @ c[0]), (5, 6), (3, 6),
     says="square root of 6")
case("average pool undivided", _pool, lambda dy, shape: dy.repeat(2, 2).repeat(2, 3), (3, 5, 6, 4), says=r"the window\)")
case("mse with a sum", _mse, lambda dy, c: (2 * dy * (c[0] - c[1]), -2 * dy * (c[0] - c[1])), (5, 3), (5, 3),
     says="15 is the number of elements")
case("mse over the batch only", _mse, lambda dy, c: _two((2 * dy * (c[0] - c[1])) / len(c[0])), (5, 3), (5, 3),
     says="3 is the size of axis 1")
case("ddof", _std_rows, _std_back, (3, 6), says=r"sqrt\(n/\(n - 1\)\).*n = 6")
case("dropout not rescaled", _drop, lambda dy, mask: dy * mask, (6, 7), says="1 - p|dropout")
case("dropout rescaled twice", _drop, lambda dy, mask: dy * mask / 0.36, (6, 7), says="1 - p|dropout")
case("dropout without its mask", _drop, lambda dy, mask: dy / 0.6, (6, 7), says="a mask is forgotten")
case("dropout draws again", _drop, lambda dy, mask: dy * (np.random.rand(*dy.shape) > 0.4) / 0.6, (6, 7),
     says="not that of the forward pass")


# ---- sums and axes -------------------------------------------------------------------------------------------------------

def _affine(x, g, b):
    xhat = (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 1e-2)
    return g * xhat + b, (x.copy(), xhat, g, np.sqrt(x.var(1, keepdims=True) + 1e-2))


def _affine_back(mistake):
    def backward(dy, c):
        x, xhat, g, std = c
        d = dy * g
        axis = 0 if mistake == "axis" else 1
        mean, corr = d.mean(axis, keepdims=True), (d * xhat).mean(axis, keepdims=True)
        mean = 0 * mean if mistake == "mean" else mean
        corr = 0 * corr if mistake == "variance" else corr
        std = {"std": 1 / std, "no std": 1, "no eps": np.sqrt(std ** 2 - 1e-2),
               "ddof": std * np.sqrt(x.shape[1] / (x.shape[1] - 1))}.get(mistake, std)
        dx = (d - mean - xhat * corr) / std
        return dx, (dy * (x if mistake == "dgamma x" else xhat)).sum(0), dy.sum(0) if mistake != "db mean" else dy.mean(0)
    return backward


for _mistake, _says in (("mean", "term through the mean"), ("variance", "term through the variance"),
                        ("axis", ""),
                        ("std", r"std for 1/std"), ("no std", "division by the standard deviation"), ("no eps", "eps"),
                        ("ddof", r"sqrt\(n/\(n - 1\)\).*n = 5"), ("dgamma x", "sum of dy \\* x over axes"),
                        ("db mean", "a mean stands where the sum")):
    case(f"layer norm: {_mistake}", _affine, _affine_back(_mistake), (7, 5), (5,), (5,), says=_says)


def _log_softmax(x):
    y = x - x.max(1, keepdims=True)
    y = y - np.log(np.exp(y).sum(1, keepdims=True))
    return y, y


case("log-softmax: y for exp(y)", _log_softmax, lambda dy, y: dy - y * dy.sum(1, keepdims=True), (4, 6),
     says=r"exp\(y\) \* sum")
case("log-softmax: no sum", _log_softmax, lambda dy, y: dy - np.exp(y) * dy, (4, 6), says="depended on its own input|exp")
case("softmax over the wrong axis", lambda x: (softmax(x), softmax(x)),
     lambda dy, y: y * (dy - (dy * y).sum(0, keepdims=True)), (4, 6),
     says="over the wrong axes.*along axis 0, that of forward those along axis 1")
case("softmax: the diagonal", lambda x: (softmax(x), softmax(x)), lambda dy, y: dy * y * (1 - y), (4, 6),
     says="own input alone")
case("cross-entropy: p - t for -t/p", lambda p, t: (-(t * np.log(p)).sum(1), (p.copy(), t.copy())),
     lambda dy, c: (dy[:, None] * (c[0] - c[1]), -dy[:, None] * np.log(c[0])), (4, 3), (4, 3), positive=True,
     says=r"yours is \(p - t\), where -t/p")
case("a bias over the wrong axes", lambda x, b: (x + b[:, None], None), lambda dy, c: (dy * 1, dy.sum((0, 1))), (3, 4, 4),
     (4,), says="wrong axes")
case("a bias's mean", lambda x, b: (x + b[:, None, None], None), lambda dy, c: (dy * 1, dy.mean((0, 2, 3))),
     (3, 4, 2, 5), (4,), says="mean stands")
case("gradients in another order", lambda x, w: (x @ w, (x, w)), lambda dy, c: (c[0].T @ dy, dy @ c[1].T), (4, 3), (3, 2),
     says="in another order")
case("gradients in another order, equal shapes", lambda x, w: (x @ w, (x, w)), lambda dy, c: (c[0].T @ dy, dy @ c[1].T),
     (3, 3), (3, 3), says="wrong order")
case("w not transposed", lambda x, w: (x @ w, (x, w)), lambda dy, c: (dy @ c[1], c[0].T @ dy), (4, 3), (3, 3),
     says="backward needs its transpose")
case("w not transposed, and an activation", lambda x, w: (np.tanh(x @ w), (x, w, np.tanh(x @ w))),
     lambda dy, c: ((dy * (1 - c[2] ** 2)) @ c[1], c[0].T @ (dy * (1 - c[2] ** 2))), (4, 3), (3, 3),
     says="w transposed|wrong")
case("maximum handed to all", lambda x: (x.max(1), x), lambda dy, x: np.broadcast_to(dy[:, None], x.shape) * 1, (4, 6),
     says="only the chosen one")
case("one winner over all", lambda x: (x.max(1), x.copy()), lambda dy, x: dy[:, None] * (x == x.max()), (4, 6),
     says="one winner over")


# ---- sequences and windows -----------------------------------------------------------------------------------------------

def _rnn(x, w):
    h, hs = np.zeros(x.shape[1]), []
    for v in x:
        h = np.tanh(v + h @ w)
        hs.append(h)
    return np.array(hs), (x.copy(), w.copy(), np.array(hs))


def _rnn_back(mistake):
    def backward(dy, c):
        x, w, hs = c
        dx, dw, carry = np.zeros_like(x), np.zeros_like(w), np.zeros(x.shape[1])
        for t in reversed(range(len(x))):
            dz = (dy[t] + (0 if mistake == "no carry" else carry)) * (1 - hs[t] ** 2)
            before = hs[t - 1] if t else np.zeros(x.shape[1])
            dx[t] = dz
            if not (mistake == "early" and t == 1):
                dw = np.outer(before, dz) if mistake == "overwrite" and t else dw + np.outer(before, dz)
            carry = dz @ w.T
        return dx, dw
    return backward


def _windows(x, size=2, stride=2, dilation=1, pad=0):
    x = np.pad(x, ((0, 0), (0, 0), (pad, pad)))
    count = (x.shape[2] - (size - 1) * dilation - 1) // stride + 1
    at = np.arange(count)[:, None] * stride + np.arange(size) * dilation
    return x[:, :, at] @ (1.0 + np.arange(size)), (x.shape, at, size, pad)


def _windows_back(**wrong):
    def backward(dy, c):
        shape, at, size, pad = c
        count = dy.shape[2]
        if wrong:
            at = (np.arange(count)[:, None] * wrong["stride"] + np.arange(size) * wrong["dilation"] + wrong.get("off", 0))
        dx = np.zeros((shape[0], shape[1], shape[2] + 9))
        np.add.at(dx, (slice(None), slice(None), at), dy[..., None] * (1.0 + np.arange(size)))
        return dx[:, :, pad:shape[2] - pad].copy()
    return backward


def _grouped(x, w):
    N, C, L = x.shape
    F = len(w)
    groups = [x[:, f // (F // 2) * (C // 2) + np.arange(C // 2)] for f in range(F)]
    return np.stack([g.transpose(0, 2, 1) @ v for g, v in zip(groups, w)], 1), (x, w)


def _grouped_back(dy, c):
    x, w = c
    C, F = x.shape[1], len(w)
    dx, dw = np.zeros_like(x), np.zeros_like(w)
    for f in range(F):
        good = f // (F // 2) * (C // 2) + np.arange(C // 2)
        bad = f % 2 * (C // 2) + np.arange(C // 2)
        dx[:, bad] += dy[:, f, None] * w[f][:, None]
        dw[f] = (dy[:, f, None] * x[:, good]).sum((0, 2))
    return dx, dw


case("no gradient comes back from later steps", _rnn, _rnn_back("no carry"), (5, 3), (3, 3), says="later steps|earlier ones")
case("dw of each step overwritten", _rnn, _rnn_back("overwrite"), (5, 3), (3, 3), says=r"\+=")
case("the stride is forgotten", _windows, _windows_back(stride=1, dilation=1), (2, 3, 9), says="window by 1 .*by 2.*stride")
case("the dilation is forgotten", _windows, _windows_back(stride=1, dilation=1), (2, 3, 9),
     options=dict(stride=1, dilation=3), says="dilation")
case("the padding is off by one", _windows, _windows_back(stride=2, dilation=1, off=1), (2, 3, 9),
     options=dict(pad=2, size=3), says="moved by|shifted by")
case("f % G for f // (F / G)", _grouped, _grouped_back, (2, 6, 3), (4, 3), says="takes channels .*groups")


@pytest.mark.parametrize("forward, backward, shapes, says, positive, options", CASES)
def test_the_first_line_names_the_mistake(forward, backward, shapes, says, positive, options):
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        arrays = [rng.uniform(0.3, 0.9, shape) if positive else rng.standard_normal(shape) for shape in shapes]
        report = check_functions(forward, backward, *arrays, seed=seed, options=options)
        assert not report
        assert re.search(says, str(report).splitlines()[0]), str(report)


def test_what_is_kept_of_a_first_call_is_named():
    report = check_functions(*_first_input(), np.random.default_rng(3).standard_normal((3, 4)))
    assert not report and "at other inputs is still that at the first ones" in report.cause, str(report)


def test_a_mask_where_dy_belongs_is_no_array_of_integers():
    x = np.random.default_rng(3).standard_normal((3, 4))
    report = check_functions(lambda x: (np.maximum(x, 0), x > 0), lambda dy, mask: mask * 1.0, x)
    assert not report and "dy is ignored" in report.cause, str(report)
