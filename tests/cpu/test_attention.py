"""Attention on processors, in parts of the batch."""
import numpy as np
import pytest

import tinycnn as t
from tinycnn.cpu import attention as roads, workers
from tinycnn.ops.attention import Attention


def draw(*shape, seed=0):
    return t.tensor(np.random.default_rng(seed).standard_normal(shape))


@pytest.mark.parametrize("shape", [(40, 3, 5, 4), (2, 7, 3)])
@pytest.mark.parametrize("masked", ["no", "one", "each"])
def test_attention_in_parts_of_the_batch_is_attention(shape, masked, monkeypatch):
    monkeypatch.setattr(roads, "PIECE_BYTES", 500)
    monkeypatch.setattr(workers, "WORTH", 1e-9)
    q, k, v, dy = (draw(*shape, seed=i).transpose(-2, 1) for i in range(4))
    m = t.tensor(np.random.default_rng(5).random((*q.shape[:-1], q.shape[-2])) * 2)
    mask = {"no": None, "one": m[0] - 1, "each": m * 3}[masked]
    assert roads.divisible(None, *(None if x is None else x.array for x in (q, k, v, mask)))
    inputs = [x.requires_grad_() for x in (q, k, v)]

    def run():
        y = Attention.apply(*inputs, mask, m.array, scale=0.7)
        return y.array, *(g.array for g in t.autograd.grad(y, inputs, dy))
    found = run()
    with t.plainly():
        expected = run()
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-11)
