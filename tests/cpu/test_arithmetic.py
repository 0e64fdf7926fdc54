"""Gradients become the leaf's own without a copy where nobody else knows their memory, and only there."""
import numpy as np
import pytest

import tinycnn
from tests.helpers.roads import noted


def leaf(*shape):
    return tinycnn.randn(*shape or (70, 70)).requires_grad_()


def taken(loss):
    """Whether the gradients of a loss were kept."""
    with noted() as names:
        loss.backward()
    return any("keep_gradient" in name for name in names)


def test_a_gradient_that_only_the_walk_knows_is_kept():
    x = leaf()
    assert taken((x * x).sum()) and np.array_equal(x.grad.array, 2 * x.detach().array)
    w = leaf(32, 64, 3, 3)
    assert taken(tinycnn.conv2d(tinycnn.randn(2, 64, 8, 8), w, padding=1).relu().sum())
    assert taken(leaf().reshape(-1).relu().sum())


@pytest.mark.parametrize("make", [
    lambda x, seen: x.register_hook(seen.append) and (x * 2).sum(),
    lambda x, seen: x.expand(3, 70, 70).sum(),
    lambda x, seen: x.sum(),
], ids=["a hook", "an expansion", "a sum"])
def test_what_others_hold_or_share_is_copied(make):
    x, seen = leaf(), []
    make(x, seen).backward()
    assert x.grad.array.flags.writeable and not any(np.shares_memory(x.grad.array, g.array) for g in seen)


def test_leaves_never_share_their_gradients():
    def joined(x, y):
        return tinycnn.cat([x, y]) * 2
    for function in (lambda x, y: x + y, joined, lambda x, y: tinycnn.stack([x, y]).relu()):
        x, y = leaf(), leaf()
        z = function(x, y)
        z.retain_grad()
        dz = tinycnn.randn(*z.shape)
        z.backward(dz)
        gradients = [x.grad.array, y.grad.array, z.grad.array, dz.array]
        assert not any(np.shares_memory(a, b) for i, a in enumerate(gradients) for b in gradients[:i])


def test_a_graph_that_is_kept_keeps_what_it_saved():
    x = leaf()
    y = x.exp()
    y.sum().backward(retain_graph=True)
    first = x.grad.clone()
    y.sum().backward()
    assert np.array_equal(x.grad.array, 2 * first.array)
    assert np.array_equal(y.detach().array, np.exp(x.detach().array))
