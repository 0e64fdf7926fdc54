"""Frozen parts of a network cost no work and no memory in the backward pass."""
import weakref

import pytest

import tinycnn
from tinycnn import nn
from tinycnn.nn import functional as F
from tinycnn.ops.conv import Conv


@pytest.fixture
def gradients(monkeypatch):
    """For each backward pass of a convolution: which of (dx, dw, db) it was asked for."""
    asked, backward = [], Conv.backward

    def counted(ctx, dy):
        asked.append(tuple(ctx.needs_input_grad[:3]))
        return backward(ctx, dy)
    monkeypatch.setattr(Conv, "backward", staticmethod(counted))
    return asked


def network():
    tinycnn.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 5, 3), nn.ReLU(), nn.Conv2d(5, 6, 3), nn.Flatten(),
                         nn.Linear(24, 3))


def learn(model):
    F.cross_entropy(model(tinycnn.randn(2, 1, 8, 8)), tinycnn.tensor([0, 2])).backward()


def freeze(*layers):
    for layer in layers:
        for p in layer.parameters():
            p.requires_grad_(False)


def test_backward_ends_where_the_frozen_part_begins(gradients):
    model = network()
    freeze(model[0], model[2])
    assert model[:4](tinycnn.randn(2, 1, 8, 8)).grad_fn is None
    learn(model)
    assert gradients == [(False, True, True)], "one convolution learns, and nothing below it needs a gradient"
    assert model[0].weight.grad is None and model[4].weight.grad is not None


def test_frozen_layers_between_learning_ones_pass_gradients_on_but_make_none_of_their_own(gradients):
    model = network()
    freeze(model[2])
    learn(model)
    assert gradients == [(True, True, True), (True, False, False), (False, True, True)]
    assert model[2].weight.grad is None and model[0].weight.grad is not None


def test_everything_frozen_records_nothing(gradients):
    model = network()
    freeze(model)
    assert not model(tinycnn.randn(2, 1, 8, 8)).requires_grad and not gradients


def test_what_frozen_layers_compute_is_freed_at_once():
    def kept(model):
        """Which outputs of the first three layers live on after the forward pass."""
        alive = []
        handles = [layer.register_forward_hook(lambda m, i, y: alive.append(weakref.ref(y.array))) for layer in model[:3]]
        y = model(tinycnn.randn(2, 1, 8, 8))
        for handle in handles:
            handle.remove()
        found = [reference() is not None for reference in alive]
        y.sum().backward()
        return found

    model = network()
    assert any(kept(model)), "training keeps what backward needs"
    freeze(model[0], model[2])
    assert not any(kept(model))


def test_optimizer_leaves_frozen_weights_alone():
    model = network()
    freeze(model[0])
    optimizer = tinycnn.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=0.1)
    before = [p.array.copy() for p in model.parameters()]
    learn(model)
    optimizer.step()
    same = [bool((p.array == b).all()) for p, b in zip(model.parameters(), before)]
    assert same == [True, True] + [False] * 6
