"""Checkpoints: the same gradients to the last bit, in less memory."""
import tracemalloc

import numpy as np
import pytest

from tests.helpers import strict_array
import tinycnn
from tinycnn import nn
from tinycnn.gpu.random import CounterStream
from tinycnn.nn import functional as F
from tinycnn.nn.checkpoint import checkpoint, checkpoint_sequential


def block(channels=6):
    return nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1), nn.BatchNorm2d(channels), nn.ReLU(), nn.Dropout(0.4))


class Deep(nn.Module):
    """Blocks, checkpointed as told: "none", "each", or "nested" (a checkpoint of checkpoints)."""

    def __init__(self, blocks=4):
        super().__init__()
        self.blocks = nn.ModuleList(block() for _ in range(blocks))
        self.head = nn.Linear(6, 3)

    def forward(self, x, how):
        def some(part, x):
            for b in part:
                x = checkpoint(b, x) if how != "none" else b(x)
            return x
        if how == "nested":
            x = checkpoint(some, self.blocks[:2], x)
            x = checkpoint(some, self.blocks[2:], x, use_reentrant=False)
        else:
            x = some(self.blocks, x)
        return self.head(x.mean((2, 3)))


def gradients(model, run, x):
    """The output, and the gradients of x and all weights, from one seed."""
    tinycnn.manual_seed(7)
    model.zero_grad()
    x = x.detach().requires_grad_()
    y = run(x)
    after = tinycnn.rand(3).array
    (y * tinycnn.arange(y.numel()).reshape(y.shape)).sum().backward()
    return [y.array, x.grad.array, after, tinycnn.rand(3).array, *(p.grad.array for p in model.parameters())]


def assert_same_bits(got, expected):
    assert len(got) == len(expected)
    for g, e in zip(got, expected):
        np.testing.assert_array_equal(*(getattr(a, "_a", a) for a in (g, e)))


@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize("how", ["each", "nested"])
def test_gradients_and_random_numbers_are_the_same_bit_for_bit(how, device, monkeypatch):
    if device == "cuda":
        strict_array.install(monkeypatch, stream=CounterStream)
    model, x = Deep(), tinycnn.randn(3, 6, 5, 4)
    expected = gradients(model, lambda x: model(x, "none"), x)
    assert_same_bits(gradients(model, lambda x: model(x, how), x), expected)


@pytest.mark.parametrize("segments", [1, 2, 3, 5])
def test_sequential_in_segments_has_the_same_gradients(segments):
    model, x = nn.Sequential(*(block() for _ in range(5))), tinycnn.randn(2, 6, 4, 4)
    expected = gradients(model, model, x)
    assert_same_bits(gradients(model, lambda x: checkpoint_sequential(model, segments, x), x), expected)
    assert_same_bits(gradients(model, lambda x: checkpoint_sequential(list(model), segments, x, use_reentrant=False), x),
                     expected)


def test_sequential_runs_all_but_the_last_segment_again():
    runs = [0] * 5

    def layer(i):
        def run(x):
            runs[i] += 1
            return x * 2
        return run

    x = tinycnn.ones(2, requires_grad=True)
    checkpoint_sequential([layer(i) for i in range(5)], 2, x).sum().backward()
    assert runs == [2, 2, 1, 1, 1] and x.grad.array.tolist() == [32, 32]


def test_gradients_equal_those_of_pytorch():
    torch = pytest.importorskip("torch")
    from torch.utils.checkpoint import checkpoint as theirs
    found = []
    for t, cut in ((tinycnn, checkpoint), (torch, theirs)):
        x, w = (t.tensor(np.linspace(-1, 1, 6).reshape(2, 3), requires_grad=True) for _ in range(2))
        a, b = cut(lambda x, n, scale: (t.tanh(x * w) * scale, n), x, 3, scale=w, use_reentrant=False)
        (a ** b).sum().backward()
        found.append([np.asarray(x.grad.detach().numpy()), np.asarray(w.grad.detach().numpy())])
    np.testing.assert_allclose(found[0], found[1], rtol=1e-12)


def test_memory_of_a_step_is_smaller():
    layers = [nn.Sequential(nn.Linear(64, 64), nn.Sigmoid(), nn.Linear(64, 64), nn.Tanh()) for _ in range(16)]

    def peak(run):
        x = tinycnn.randn(500, 64)
        tracemalloc.start()
        try:
            run(x).sum().backward()
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
            for layer in layers:
                layer.zero_grad()

    model = nn.Sequential(*layers)
    peak(model)
    whole, cut = peak(model), peak(lambda x: checkpoint_sequential(model, 4, x))
    assert cut < 0.6 * whole, (cut, whole)


def test_activations_are_freed_when_the_segment_has_run():
    x = tinycnn.ones(1000, requires_grad=True)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        y = checkpoint(lambda x: x.exp().sin().exp().sum(), x)
        assert tracemalloc.get_traced_memory()[0] - before < 4000, "less than one activation"
        y.backward()
    finally:
        tracemalloc.stop()


def test_weights_get_gradients_although_no_input_needs_one():
    layer = nn.Linear(3, 2)
    checkpoint(layer, tinycnn.ones(4, 3)).sum().backward()
    assert layer.weight.grad.array.tolist() == [[4.0] * 3] * 2


def test_frozen_weights_and_integers_pass_through():
    layer, picked = nn.Linear(3, 2), tinycnn.tensor([1, 0])
    layer.bias.requires_grad_(False)
    x = tinycnn.randn(2, 3, requires_grad=True)

    def run(x, index, *, twice):
        return [layer(x).gather(1, index.unsqueeze(1)) * (2 if twice else 1), index, None, x.argmax(1)]

    y, index, nothing, best = checkpoint(run, x, picked, twice=True)
    y.sum().backward()
    assert layer.bias.grad is None and nothing is None and best.array.tolist() == x.argmax(1).array.tolist()
    assert not index.requires_grad and not best.requires_grad
    np.testing.assert_allclose(x.grad.array, 2 * layer.weight.array[[1, 0]], rtol=1e-6)


def test_nothing_is_recorded_where_nobody_asks():
    x = tinycnn.ones(2)
    assert not checkpoint(lambda x: x * 2, x).requires_grad
    with tinycnn.no_grad():
        assert checkpoint(lambda x: x * 2, tinycnn.ones(2, requires_grad=True)).grad_fn is None


def test_random_numbers_go_on_unless_they_are_to_be_preserved():
    x = tinycnn.ones(1000, requires_grad=True)
    tinycnn.manual_seed(0)
    y = checkpoint(F.dropout, x, 0.5)
    y.sum().backward()
    np.testing.assert_array_equal(y.array, x.grad.array)
    x.grad = None
    y = checkpoint(F.dropout, x, 0.5, preserve_rng_state=False)
    y.sum().backward()
    assert (y.array != x.grad.array).any()


def test_tensors_from_outside_must_be_arguments():
    x = tinycnn.ones(2, requires_grad=True)
    outside = x * 2
    with pytest.raises(RuntimeError, match="Mul.*pass it as an argument"):
        checkpoint(lambda x: x * outside, x)
    checkpoint(lambda x, y: x * y, x, outside).sum().backward()
    assert x.grad.array.tolist() == [4, 4]


def test_changes_between_forward_and_backward_are_noticed():
    x, w = tinycnn.ones(2, requires_grad=True), tinycnn.ones(2, requires_grad=True)
    z = x * 1
    y = checkpoint(lambda z: z * w, z)
    with tinycnn.no_grad():
        w.add_(1)
    with pytest.raises(RuntimeError, match="changed in place"):
        y.sum().backward()


def test_a_function_that_does_something_else_the_second_time_is_reported():
    sizes = iter([2, 3])
    x = tinycnn.ones(4, requires_grad=True)
    y = checkpoint(lambda x: x[:next(sizes)], x)
    with pytest.raises(RuntimeError, match=r"shapes \[\(2,\)\], and \[\(3,\)\] when it ran again"):
        y.sum().backward()


def test_second_derivatives_are_those_of_the_function_itself():
    x, w = (tinycnn.randn(2, 3, dtype=tinycnn.float64, requires_grad=True) for _ in range(2))
    found = []
    for cut in (checkpoint, lambda function, *args: function(*args)):
        z = x.sin()                                      # has a history, which the second derivative must reach
        y = cut(lambda z, e: (z * w).exp() * e, z, w * x)
        (g,) = tinycnn.autograd.grad(y.square().sum(), x, create_graph=True)
        found.append([g.array, *(d.array for d in tinycnn.autograd.grad(g.cos().sum(), [x, w]))])
    for ours, expected in zip(*found):
        np.testing.assert_allclose(ours, expected, rtol=1e-12)


def test_retained_graphs_run_twice_and_freed_ones_say_so():
    x = tinycnn.ones(2, requires_grad=True)
    y = checkpoint(lambda x: x ** 3, x).sum()
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.array.tolist() == [6, 6]
    with pytest.raises(RuntimeError, match="already used"):
        y.backward()


@pytest.mark.parametrize("segments", [0, 4, 1.5])
def test_impossible_segments_are_refused(segments):
    with pytest.raises(ValueError, match=f"segments.*3 layers, got {segments}"):
        checkpoint_sequential([nn.ReLU()] * 3, segments, tinycnn.ones(1))
