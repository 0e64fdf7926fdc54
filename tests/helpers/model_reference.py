"""Models against PyTorch: logits, running statistics and all gradients, given references that are written separately.

A reference is a function of (s, *inputs): `s` holds the weights under the published names and computes one layer a call, so
a reference that runs through also proves the names. Whatever the model has and the reference never asked for is an error.
"""
import numpy as np
import pytest

import tinycnn
from tinycnn import nn
from tinycnn.models.blocks import StochasticDepth

torch = pytest.importorskip("torch")
TF = torch.nn.functional


class Weights:
    """The state of a model as PyTorch tensors, and the layers that use it."""

    def __init__(self, state):
        self.state = {key: torch.tensor(np.array(value.array)) for key, value in state.items()}
        self.unused = {key for key in self.state if "num_batches_tracked" not in key}
        self.training = True

    def __getitem__(self, key):
        self.unused.discard(key)
        return self.state[key]

    def get(self, key):
        return self[key] if key in self.state else None

    def has(self, prefix):
        return any(key.startswith(prefix + ".") for key in self.state)

    def conv(self, x, name, **options):
        w = self[name + ".weight"]
        convolve = (TF.conv1d, TF.conv2d, TF.conv3d)[w.ndim - 3]
        return convolve(x, w, self.get(name + ".bias"), **options)

    def up(self, x, name, **options):
        return TF.conv_transpose2d(x, self[name + ".weight"], self.get(name + ".bias"), **options)

    def norm(self, x, name, eps=1e-5, momentum=0.1):
        return TF.batch_norm(x, self[name + ".running_mean"], self[name + ".running_var"], self[name + ".weight"],
                             self[name + ".bias"], self.training, momentum, eps)

    def layer_norm(self, x, name, eps=1e-6):
        w = self[name + ".weight"]
        return TF.layer_norm(x, w.shape, w, self[name + ".bias"], eps)

    def linear(self, x, name):
        return TF.linear(x, self[name + ".weight"], self.get(name + ".bias"))


def outputs(y):
    return [y] if hasattr(y, "backward") else list(y)


def unsettle(model, rng):
    """Move every norm and bias off its initial 1 or 0, and switch chance off."""
    for m in model.modules():
        if isinstance(m, (nn.Dropout, nn.Dropout2d, StochasticDepth)):
            m.p = 0.0
        for name, p in m.named_parameters(recurse=False):
            if p.ndim == 1:
                p.array += rng.normal(0, 0.1, p.shape)
    return model.double()


def assert_close(got, expected, what, least=0.0):
    """Equal to 1e-8 of the largest entry, or of `least`, for gradients that are zero but for rounding."""
    scale = max(float(np.abs(expected).max()), least)
    np.testing.assert_allclose(got, expected, rtol=1e-8, atol=1e-8 * scale, err_msg=what)


def check(model, reference, *inputs, seed=0):
    """Compare `model` with `reference` on float64 `inputs`: in training with all gradients, then in evaluation."""
    rng = np.random.default_rng(seed)
    unsettle(model, rng)
    weights = Weights(model.state_dict())
    theirs = [torch.tensor(x, requires_grad=True) for x in inputs]
    ours = [tinycnn.tensor(x, requires_grad=True) for x in inputs]
    names = dict(model.named_parameters())
    for name in names:
        weights.state[name].requires_grad_()

    expected, got = outputs(reference(weights, *theirs)), outputs(model(*ours))
    assert not weights.unused, f"the reference has no use for {sorted(weights.unused)}"
    assert len(got) == len(expected)
    cotangents = [rng.standard_normal(y.shape) for y in got]
    for y, t, c in zip(got, expected, cotangents):
        assert_close(y.array, t.detach().numpy(), "output")
    sum((y * tinycnn.tensor(c)).sum() for y, c in zip(got, cotangents)).backward()
    sum((t * torch.tensor(c)).sum() for t, c in zip(expected, cotangents)).backward()
    for x, t in zip(ours, theirs):
        assert_close(x.grad.array, t.grad.numpy(), "gradient of the input")
    largest = max(float(np.abs(p.grad.array).max()) for p in names.values())
    for name, p in names.items():
        assert_close(p.grad.array, weights.state[name].grad.numpy(), f"gradient of {name}", 1e-5 * largest)
    for name, b in model.named_buffers():
        if "num_batches_tracked" not in name:
            assert_close(b.array, weights.state[name].numpy(), name)

    weights.training = False
    with torch.no_grad(), tinycnn.no_grad():
        expected, got = outputs(reference(weights, *theirs)), outputs(model.eval()(*ours))
    for y, t in zip(got, expected, strict=True):
        assert_close(y.array, t.numpy(), "output in evaluation")


def picture(size, batch=2, channels=3, seed=0):
    size = size if isinstance(size, tuple) else (size, size)
    return np.random.default_rng(seed).standard_normal((batch, channels, *size))
