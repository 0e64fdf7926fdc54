"""Right code is not accused: near the edge of a domain, at large offsets, in unusual styles; and a verdict comes soon."""
import time

import numpy as np
import pytest

import tinycnn.nn.functional as F
from tinycnn.gradcheck import check_functions, gradcheck

rng = np.random.default_rng(21)
EDGES = {"log": (np.log, lambda x: 1 / x), "sqrt": (np.sqrt, lambda x: 0.5 / np.sqrt(x)), "1/x": (lambda x: 1 / x,
         lambda x: -1 / x ** 2), "log2": (np.log2, lambda x: 1 / x / np.log(2)), "x log x": (lambda x: x * np.log(x),
         lambda x: np.log(x) + 1), "x**-0.5": (lambda x: x ** -0.5, lambda x: -0.5 * x ** -1.5)}


@pytest.mark.parametrize("small", (1e-3, 1e-4, 1e-6, 1e-8))
@pytest.mark.parametrize("name", EDGES)
def test_the_step_stays_in_the_domain(name, small):
    f, slope = EDGES[name]
    x = rng.uniform(0.2, 2, (3, 4))
    x[0, 0], x[1, 2] = small, 2 * small
    report = check_functions(lambda x: (f(x), x), lambda dy, x: dy * slope(x), x)
    assert report, str(report)
    wrong = check_functions(lambda x: (f(x), x), lambda dy, x: dy * slope(x) * 1.001, x)
    assert not wrong and wrong.error > 1e-4


def layer_norm(x, naive=False):
    mean = x.mean(-1, keepdims=True)
    var = (x * x).mean(-1, keepdims=True) - mean ** 2 if naive else x.var(-1, keepdims=True)
    std = np.sqrt(var + 1e-5)
    return (x - mean) / std, ((x - mean) / std, std)


def layer_norm_backward(dy, cache):
    y, std = cache
    return (dy - dy.mean(-1, keepdims=True) - y * (dy * y).mean(-1, keepdims=True)) / std


@pytest.mark.parametrize("offset, noise, naive", ((1e3, 0.01, False), (1e4, 1.0, False), (1e4, 0.01, False),
                                                  (1e6, 1.0, False), (1e3, 0.1, True), (1e4, 1.0, True)))
def test_cancellation_is_not_float32(offset, noise, naive):
    for shape in ((6, 4), (4, 6)):
        x = offset + noise * rng.standard_normal(shape)
        for x in (x, x.T):
            report = check_functions(lambda x: layer_norm(x, naive), layer_norm_backward, x)
            assert report, str(report)


def test_wrong_is_wrong_at_an_offset_too():
    x = 1e4 + rng.standard_normal((6, 4))
    report = check_functions(layer_norm, lambda dy, c: layer_norm_backward(dy, c) * 1.001, x)
    assert not report and "1.001 times the right value" in report.cause


def test_the_library_is_right_at_an_offset():
    for f in (lambda x: F.layer_norm(x, (6,)), lambda x: F.softmax(x, 1), lambda x: x.var(1), lambda x: x.std(0)):
        assert gradcheck(f, 1e4 + 0.1 * rng.standard_normal((5, 6)))


def test_kinks_very_near_are_right():
    x = rng.standard_normal((3, 4))
    x[0] = [0, 1e-9, -1e-7, 1e-5]
    for f, slope in ((lambda x: np.maximum(x, 0), lambda x: x > 0), (np.abs, np.sign)):
        assert check_functions(lambda x: (f(x), x), lambda dy, x: dy * slope(x), x)
        assert not check_functions(lambda x: (f(x), x), lambda dy, x: dy * slope(x) * 1.01, x)


def test_an_object_that_keeps_its_cache_is_a_remark():
    class Square:
        def forward(self, x):
            self.x = x
            return x * x

        def backward(self, dy):
            return 2 * self.x * dy
    layer = Square()
    report = check_functions(lambda x: (layer.forward(x), None), lambda dy, cache: layer.backward(dy),
                             rng.standard_normal((3, 4)))
    assert report and "remark: a forward pass on other inputs" in str(report)


def loops(x, w, padding=0):
    x = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    k, (height, width) = w.shape[2], (x.shape[2] - w.shape[2] + 1, x.shape[3] - w.shape[2] + 1)
    y = np.zeros((len(x), len(w), height, width))
    for n, i, j in np.ndindex(len(x), height, width):
        y[n, :, i, j] = (w * x[n, :, i:i + k, j:j + k]).sum((1, 2, 3))
    return y, (x, w, padding)


def loops_backward(mistake):
    def backward(dy, cache):
        x, w, padding = cache
        dx, dw, k = np.zeros_like(x), np.zeros_like(w), w.shape[2]
        for n, i, j in np.ndindex(len(x), *dy.shape[2:]):
            here, d = np.s_[n, :, i:i + k, j:j + k], dy[n, :, i, j, None, None, None]
            part = (d * (w[:, :, ::-1, ::-1] if mistake == "flip" else w)).sum(0)
            dx[here] = part if mistake == "assign" else dx[here] + part
            dw += d * x[here] / (len(x) if mistake == "mean" else 1)
        return dx[:, :, padding:x.shape[2] - padding, padding:x.shape[3] - padding].copy(), dw
    return backward


@pytest.mark.parametrize("mistake, says", (("flip", "with w flipped"), ("assign", r"+= (or add.at)"),
                                           ("mean", "is the batch size, a mean stands")))
def test_a_large_wrong_convolution_is_told_from_a_part_of_it(mistake, says):
    x, w = rng.standard_normal((4, 3, 16, 16)), rng.standard_normal((8, 3, 3, 3))
    start = time.process_time()
    report = check_functions(loops, loops_backward(mistake), x, w, options=dict(padding=1))
    assert not report and says in report.cause and "on a part of the inputs, x (2, 3, 7, 6), w (4, 3, 3, 3)" in str(report)
    assert time.process_time() - start < 30  # 2 to 4 s, on a machine that is busy with nothing else
    assert check_functions(loops, loops_backward(""), x, w, options=dict(padding=1))


def test_few_evaluations_judge_a_right_function_of_many_outputs():
    x, w, b = rng.standard_normal((4, 3, 16, 16)), rng.standard_normal((8, 3, 3, 3)), rng.standard_normal(8)
    count, right = {"forward": 0, "backward": 0}, loops_backward("")

    def forward(x, w, b, padding):
        count["forward"] += 1
        y, cache = loops(x, w, padding)
        return y + b[:, None, None], cache

    def backward(dy, cache):
        count["backward"] += 1
        return *right(dy, cache), dy.sum((0, 2, 3))
    assert check_functions(forward, backward, x, w, b, options=dict(padding=1))
    assert count["forward"] <= 27 and count["backward"] <= 11, count
    wrong = check_functions(forward, lambda dy, cache: (*backward(dy, cache)[:2], dy.mean((0, 2, 3))), x, w, b,
                            options=dict(padding=1))
    assert not wrong and "db is" in wrong.cause and "mean" in wrong.cause, str(wrong)
