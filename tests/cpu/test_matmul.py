"""Products of matrices on processors: in parts, and in float16."""
import numpy as np
import pytest

import tinycnn
from tests.helpers.roads import make_small
from tinycnn import einsum
from tinycnn.cpu import matmul, workers
from tinycnn.ops.matmul import Linear, MatMul


@pytest.fixture(params=[1, 2, 3])
def threads(request, monkeypatch):
    """One, two or three threads, which take even the smallest work; pieces so small that every operation has several."""
    make_small(monkeypatch, request.param)
    return request.param


def close(a, b):
    assert a.shape == b.shape and a.dtype == b.dtype
    np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("n, k, m", [(40, 7, 30), (6, 50, 9), (1, 3, 5), (5, 4, 1)])
def test_products_in_parts_are_products(n, k, m, threads):
    rng = np.random.default_rng(0)
    a, b, row = rng.standard_normal((n, k)), rng.standard_normal((k, m)), rng.standard_normal(m)
    close(matmul.product(a, b, row=row), a @ b + row)
    close(matmul.product(b.T, a.T), b.T @ a.T)
    batch = rng.standard_normal((3, n, k))
    close(matmul.product(batch, b), batch @ b)


def test_products_of_float16_are_those_of_float32_rounded(threads):
    rng = np.random.default_rng(0)
    x, w = (tinycnn.tensor(rng.standard_normal(shape), dtype=tinycnn.float16) for shape in ((2, 64, 5, 5), (3, 64, 3, 3)))
    a, b = x.reshape(10, 320), w.reshape(3, 576)[:, :320].T
    for y, exact in ((tinycnn.conv2d(x, w), tinycnn.conv2d(x.float(), w.float())), (a @ b, a.float() @ b.float())):
        assert y.dtype == np.float16 and np.array_equal(y.array, exact.array.astype(np.float16))


def results(function, arrays, dy):
    """The output and all gradients of function(*tensors), each with its dtype."""
    tensors = [tinycnn.tensor(a, requires_grad=True) for a in arrays]
    y = function(*tensors)
    return [y.array, *(g.array for g in tinycnn.autograd.grad(y, tensors, tinycnn.tensor(dy)))]


def draw(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


@pytest.mark.parametrize("shapes, function", [
    (((60, 80), (80, 50)), MatMul), (((50, 80), (80, 60)), MatMul), (((3, 40, 50), (3, 50, 40)), MatMul),
    (((1, 60, 80), (1, 80, 50)), MatMul), (((4, 20, 50), (50, 30)), MatMul), (((300, 400), (400,)), MatMul),
    (((400,), (400, 300)), MatMul), (((40, 50), (4, 50, 40)), MatMul), (((2, 1, 30, 40), (3, 40, 30)), MatMul),
    (((80, 40), (30, 40), (30,)), Linear), (((4, 20, 40), (30, 40), (30,)), Linear), (((400,), (300, 400), (300,)), Linear),
], ids=str)
@pytest.mark.parametrize("worth", [workers.WORTH, 1e-9], ids=["whole", "cut"])
def test_large_products_take_roads_to_the_same_numbers(shapes, function, worth, monkeypatch):
    monkeypatch.setattr(workers, "WORTH", worth)
    arrays = [draw(*shape, seed=seed) for seed, shape in enumerate(shapes)]
    dy = draw(*function.apply(*map(tinycnn.tensor, arrays)).shape, seed=9)
    found = results(function.apply, arrays, dy)
    with tinycnn.plainly():
        expected = results(function.apply, arrays, dy)
    for a, b in zip(found, expected, strict=True):
        assert a.shape == b.shape and a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("spec", ["bik,bkj->bij", "bik,kj->bij", "ik,kj->ij"])
@pytest.mark.parametrize("function", [einsum, lambda spec, a, b: a @ b], ids=["einsum", "matmul"])
def test_large_products_are_shared_out_both_ways(spec, function, monkeypatch):
    monkeypatch.setattr(workers, "WORTH", 1e-9)
    cuts = []
    monkeypatch.setattr(matmul, "solve", lambda equations, solve=matmul.solve: cuts.append(1) or solve(equations))
    a, b = (draw(*[{"b": 3, "i": 40, "k": 50, "j": 30}[letter] for letter in letters])
            for letters in spec.partition("->")[0].split(","))
    y, *_ = results(lambda a, b: function(spec, a, b), [a, b], np.ones_like(a @ b))
    np.testing.assert_allclose(y, a @ b, rtol=1e-11)
    assert len(cuts) == 3  # y, da and db


@pytest.mark.parametrize("shapes, function", [(((5, 4), (4, 3)), MatMul), (((2, 5, 4), (3, 4), (3,)), Linear)])
def test_float16_is_computed_in_float32_and_rounded(shapes, function):
    arrays = [draw(*shape, seed=seed).astype(np.float16) for seed, shape in enumerate(shapes)]
    dy = draw(*function.apply(*map(tinycnn.tensor, arrays)).shape, seed=9).astype(np.float16)
    exact = results(function.apply, [a.astype(np.float64) for a in arrays], dy.astype(np.float64))
    for a, b in zip(results(function.apply, arrays, dy), exact, strict=True):
        assert a.dtype == np.float16
        np.testing.assert_allclose(a, b, rtol=4e-3, atol=4e-3)
