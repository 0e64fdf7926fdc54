"""Which library a function is of; and plain pairs, of NumPy's arrays or of a GPU's."""
import subprocess
import sys

import numpy as np
import pytest

import tinycnn
from tests.helpers.strict_array import StrictArray, install
from tinycnn.engine.arrays import is_array
from tinycnn.gradcheck import gradcheck


def draw(*shape):
    return np.random.default_rng(3).standard_normal(shape)


def linear(x, w, b):
    return x @ w + b, (x, w)


def linear_backward(dy, cache):
    x, w = cache
    return dy @ w.T, x.T @ dy, dy.sum(0)


def mean_backward(dy, cache):
    x, w = cache
    return dy @ w.T, x.T @ dy, dy.mean(0)


def writing_backward(dy, cache):
    cache[0][...] *= 2
    return linear_backward(dy, cache)


INPUTS = draw(5, 3), draw(3, 4), draw(4)


def test_a_pair_of_plain_functions_is_checked():
    assert gradcheck((linear, linear_backward), *INPUTS)
    report = gradcheck([linear, mean_backward], *INPUTS)
    assert report.cause == "db is 0.2 times the right value: 5 is the batch size, a mean stands where the sum belongs"
    assert "again: gradcheck(linear, x, w, b, seed=0)" in str(report)


def test_a_pair_on_a_gpu_stays_there(monkeypatch):
    install(monkeypatch)
    inputs = [StrictArray(a.copy()) for a in INPUTS]
    seen = []

    def forward(x, w, b):
        y, cache = linear(x, w, b)
        seen.extend(map(type, (x, w, b, y)))
        return y, cache
    assert gradcheck((forward, linear_backward), *inputs) and set(seen) == {StrictArray}
    assert "5 is the batch size" in gradcheck((forward, mean_backward), *inputs).cause
    assert "backward writes into" in gradcheck((forward, writing_backward), *inputs).cause
    shaped = gradcheck((forward, lambda dy, c: (*linear_backward(dy, c)[:2], dy)), *inputs)
    assert "db has shape (5, 4), but b has shape (4,): sum it over axis 0" in shaped.cause
    assert all((a._a == b).all() for a, b in zip(inputs, INPUTS))


def test_an_array_of_cupys_is_known_though_nobody_has_asked_for_a_gpu(monkeypatch):
    class Cupys(StrictArray):
        __module__ = "cupy"
    asked = []
    monkeypatch.setattr("tinycnn.engine.arrays.load_cupy", lambda: asked.append(True))
    with pytest.raises(ValueError, match="no floating-point array"):
        gradcheck((linear, linear_backward), Cupys(draw(3)))
    assert asked == [True] and not is_array(Cupys(draw(3)))


# ---- which library -------------------------------------------------------------------------------------------------------

def test_a_library_must_be_known_and_imported(monkeypatch):
    with pytest.raises(ValueError, match="library must be None or one of torch, jax, autograd, got 'tensorflow'"):
        gradcheck(np.exp, draw(3), library="tensorflow")
    monkeypatch.delitem(sys.modules, "autograd", raising=False)
    with pytest.raises(ValueError, match="library is 'autograd', which the program has not imported"):
        gradcheck(np.exp, draw(3), library="autograd")


def test_another_library_under_the_name_of_pytorch_is_not_taken_for_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", tinycnn)
    assert gradcheck(tinycnn.exp, tinycnn.ones(3)) and gradcheck(tinycnn.nn.Linear(3, 2), draw(4, 3))


def test_no_library_is_imported_for_what_needs_none():
    code = ("import sys, numpy as np, tinycnn\n"
            "assert tinycnn.gradcheck(tinycnn.exp, np.ones(3))\n"
            "assert tinycnn.gradcheck((lambda x: (2 * x, x), lambda dy, x: 2 * dy), np.ones(3))\n"
            "print(sorted({'torch', 'jax', 'autograd'} & set(sys.modules)))")
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_the_class_of_a_module_is_no_module():
    with pytest.raises(TypeError, match=r"fn is the class Linear; give one of its modules, Linear\(...\)"):
        gradcheck(tinycnn.nn.Linear, draw(4, 3))
