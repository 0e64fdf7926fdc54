"""Products of matrices on processors: in parts, in float16, and without copies."""
import numpy as np
import pytest

import tinycnn
from tests.helpers.roads import make_small
from tinycnn.cpu import matmul
from tinycnn.ops.attention import Attention


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
    for y, exact in zip(matmul.products((a, b), (b.T, a.T)), (a @ b, b.T @ a.T), strict=True):
        close(y, exact)
    batch = rng.standard_normal((3, n, k))
    for y, exact in zip(matmul.products((batch, b), (a, b)), (batch @ b, a @ b), strict=True):
        close(y, exact)


@pytest.mark.parametrize("shape", [(40, 3, 5, 4), (2, 7, 3)])
def test_attention_in_parts_of_the_batch_is_attention(shape, threads):
    rng = np.random.default_rng(0)
    q, k, v, dy = (rng.standard_normal(shape).swapaxes(-2, 1) for _ in range(4))
    m = rng.random((*q.shape[:-1], q.shape[-2])) * 2
    for mask in (None, m[0, ..., :, :] - 1, m * 3):
        tensors = [None if a is None else tinycnn.tensor(a, requires_grad=a is not mask) for a in (q, k, v, mask, m)]
        tensors[4].requires_grad_(False)

        def run():
            y = Attention.apply(*tensors, scale=0.7)
            return [y.array, *(g.array for g in tinycnn.autograd.grad(y, tensors[:3], tinycnn.tensor(dy)))]
        with tinycnn.plainly():
            expected = run()
        for a, b in zip(run(), expected, strict=True):
            close(a, b)


def test_a_linear_layer_does_not_copy_transposed_rows(threads):
    x = tinycnn.randn(5, 4, 3).transpose(0, 1).requires_grad_()
    w, b = tinycnn.randn(2, 3), tinycnn.randn(2)
    y = tinycnn.nn.functional.linear(x, w, b)
    assert y.array.transpose(1, 0, 2).flags.c_contiguous
    np.testing.assert_allclose(y.detach().numpy(), x.detach().numpy() @ w.numpy().T + b.numpy(), rtol=1e-5, atol=1e-6)
    (dx,) = tinycnn.autograd.grad(y, x, tinycnn.ones(4, 5, 2))
    np.testing.assert_allclose(dx.numpy(), np.broadcast_to(w.numpy().sum(0), (4, 5, 3)), rtol=1e-5, atol=1e-6)


def test_products_of_float16_are_those_of_float32_rounded(threads):
    rng = np.random.default_rng(0)
    x, w = (tinycnn.tensor(rng.standard_normal(shape), dtype=tinycnn.float16) for shape in ((2, 64, 5, 5), (3, 64, 3, 3)))
    a, b = x.reshape(10, 320), w.reshape(3, 576)[:, :320].T
    for y, exact in ((tinycnn.conv2d(x, w), tinycnn.conv2d(x.float(), w.float())), (a @ b, a.float() @ b.float())):
        assert y.dtype == np.float16 and np.array_equal(y.array, exact.array.astype(np.float16))
    half, whole = ([v.astype(dtype) for v in (a.array, b.array)] for dtype in (np.float16, np.float32))
    row = np.ones(3, np.float16)
    exact = (whole[0] @ whole[1]).astype(np.float16)
    assert np.array_equal(matmul.product(*half, row=row), exact + row)
    assert all(np.array_equal(y, exact) and y.dtype == np.float16 for y in matmul.products(half, half))
