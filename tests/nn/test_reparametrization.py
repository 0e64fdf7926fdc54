"""Weights that are computed from others: weight and spectral normalisation in both of PyTorch's forms, parametrizations of
one's own, and batch norms that are fused into the layer before them.
"""
import copy
import warnings

import numpy as np
import pytest

import tinycnn
from tinycnn import nn
from tinycnn.nn.utils import (fuse_conv_bn_eval, fuse_linear_bn_eval, parametrizations, parametrize, remove_spectral_norm,
                              remove_weight_norm, spectral_norm, weight_norm)

RNG = np.random.default_rng(0)


def normal(*shape):
    return RNG.standard_normal(shape)


FORMS = [("weight_norm", dict()), ("weight_norm", dict(dim=1)), ("weight_norm", dict(dim=None)),
         ("parametrizations.weight_norm", dict()), ("parametrizations.weight_norm", dict(dim=1)),
         ("parametrizations.weight_norm", dict(dim=None)), ("parametrizations.weight_norm", dict(name="bias")),
         ("spectral_norm", dict()), ("spectral_norm", dict(n_power_iterations=3, dim=1)),
         ("parametrizations.spectral_norm", dict()), ("parametrizations.spectral_norm", dict(n_power_iterations=2, dim=1)),
         ("parametrizations.spectral_norm", dict(name="bias", dim=0))]
LAYERS = [("Linear", (4, 3), (2, 4)), ("Conv2d", (2, 3, 3), (2, 2, 5, 4)), ("ConvTranspose2d", (2, 3, 3), (2, 2, 4, 3))]


def build(library, form, options, layer, args):
    utils = library.nn.utils
    normalize = getattr(utils.parametrizations if "." in form else utils, form.rpartition(".")[2])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's older forms
        return normalize(getattr(library.nn, layer)(*args).double(), **options)


@pytest.mark.parametrize("layer, args, shape", LAYERS, ids=[layer for layer, *_ in LAYERS])
@pytest.mark.parametrize("form, options", FORMS, ids=lambda v: v if isinstance(v, str) else ",".join(map(str, v.items())))
def test_normalised_layers_are_pytorchs(form, options, layer, args, shape):
    torch = pytest.importorskip("torch")
    ours, theirs = (build(library, form, options, layer, args) for library in (tinycnn, torch))
    assert {k: v.shape for k, v in ours.state_dict().items()} == {k: tuple(v.shape) for k, v in theirs.state_dict().items()}
    assert list(ours.state_dict()) == list(theirs.state_dict()) and repr(ours) == repr(theirs)
    ours.load_state_dict({k: v.numpy() for k, v in theirs.state_dict().items()})
    assert [k for k, _ in ours.named_parameters()] == [k for k, _ in theirs.named_parameters()]
    for mode in (True, True, False):
        x, runs = normal(*shape), []
        for library, net in ((tinycnn, ours), (torch, theirs)):
            net.train(mode).zero_grad()
            leaf = library.tensor(x, requires_grad=True)
            y = net(leaf)
            y.backward(library.tensor(np.cos(np.arange(y.numel())).reshape(tuple(y.shape))))
            runs.append([y.detach(), leaf.grad, net.weight.detach(), *(p.grad for p in net.parameters()),
                         *net.state_dict().values()])
        for a, b in zip(*runs, strict=True):
            np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-10, atol=1e-12)


def test_two_passes_before_one_backward():
    net = spectral_norm(nn.Linear(3, 2))
    (net(tinycnn.ones(1, 3)) - net(tinycnn.zeros(1, 3))).sum().backward()
    assert net.weight_orig.grad.array.any()


@pytest.mark.parametrize("apply, remove", [
    (weight_norm, remove_weight_norm), (spectral_norm, remove_spectral_norm),
    (parametrizations.weight_norm, lambda net: parametrize.remove_parametrizations(net, "weight")),
    (parametrizations.spectral_norm, lambda net: parametrize.remove_parametrizations(net, "weight"))])
def test_removing_leaves_the_present_weight(apply, remove):
    net = apply(nn.Linear(3, 2)).eval()
    x = tinycnn.randn(4, 3)
    y = net(x)
    remove(net)
    assert type(net) is nn.Linear and sorted(dict(net.named_parameters())) == ["bias", "weight"] and not list(net.buffers())
    np.testing.assert_allclose(net(x).detach().numpy(), y.detach().numpy(), rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match="'weight' of Linear is not"):
        remove(net)


def test_a_second_hook_on_one_weight_is_refused():
    for apply in (weight_norm, spectral_norm):
        with pytest.raises((RuntimeError, ValueError), match=f"{apply.__name__}: 'weight' of Linear is normalised already"):
            apply(apply(nn.Linear(3, 2)))
        with pytest.raises(ValueError, match=f"{apply.__name__}: Linear has no parameter 'bias'"):
            apply(nn.Linear(3, 2, bias=False), "bias")


def test_spectral_norm_makes_the_largest_singular_value_one():
    layer = nn.Conv2d(3, 4, 3).double()
    net = parametrizations.spectral_norm(layer, n_power_iterations=50)
    assert net is layer
    assert np.linalg.svd(net.weight.detach().numpy().reshape(4, -1))[1][0] == pytest.approx(1, abs=1e-6)
    for bad, error in ((dict(n_power_iterations=0), ValueError), (dict(dim=4), IndexError), (dict(name="w"), ValueError)):
        with pytest.raises(error, match="spectral_norm"):
            parametrizations.spectral_norm(nn.Conv2d(1, 1, 1), **bad)


# ---- parametrizations of one's own ----

def symmetric(library):
    class Symmetric(library.nn.Module):
        def forward(self, x):
            return x.triu() + x.triu(1).transpose(-1, -2)

        def right_inverse(self, a):
            return a.triu()
    return Symmetric()


def exponential(library):
    class Exponential(library.nn.Module):
        def forward(self, x):
            return x.exp()

        def right_inverse(self, a):
            return a.log()
    return Exponential()


def libraries():
    """tinycnn, and PyTorch where it is installed."""
    try:
        import torch
    except ImportError:
        return [tinycnn]
    return [tinycnn, torch]


@pytest.mark.parametrize("library", libraries(), ids=lambda library: library.__name__)
def test_parametrizations_chain_invert_train_and_go(library):
    tools = library.nn.utils.parametrize
    net = library.nn.Linear(3, 3)
    weight, start = net.weight, net.weight.detach().clone()
    optimizer = library.optim.SGD(net.parameters(), lr=0.1)
    tools.register_parametrization(net, "weight", symmetric(library))
    assert net.parametrizations.weight.original is weight and tools.is_parametrized(net, "weight")
    assert not tools.is_parametrized(net, "bias") and tools.type_before_parametrizations(net) is library.nn.Linear
    assert list(net.state_dict()) == ["bias", "parametrizations.weight.original"]
    assert (net.weight == net.weight.T).all() and (net.weight.triu() == start.triu()).all()
    net(library.ones(1, 3)).sum().backward()
    optimizer.step()
    assert (net.weight == net.weight.T).all() and (net.weight.triu() != start.triu()).any()
    net.weight = library.eye(3)
    assert net.weight.tolist() == library.eye(3).tolist()
    twin = copy.deepcopy(net)
    twin.weight = library.zeros(3, 3)
    assert net.weight.sum().item() == 3 and isinstance(net, library.nn.Linear)
    net.weight = library.ones(3, 3) * 2
    tools.register_parametrization(net, "weight", exponential(library))
    assert len(net.parametrizations.weight) == 2
    np.testing.assert_allclose(net.weight.detach().numpy(), np.exp(2), rtol=1e-6)
    net.weight = library.ones(3, 3) * 5
    tools.remove_parametrizations(net, "weight")
    assert type(net) is library.nn.Linear and not tools.is_parametrized(net)
    np.testing.assert_allclose(net.weight.detach().numpy(), 5, rtol=1e-6)
    assert net.weight is weight and net.weight.requires_grad


def test_a_buffer_can_be_parametrized_and_the_original_can_stay():
    net = nn.BatchNorm1d(2)
    parametrize.register_parametrization(net, "running_var", exponential(tinycnn))
    assert net.running_var.tolist() == [1, 1] and "parametrizations.running_var.original" in net.state_dict()
    parametrize.remove_parametrizations(net, "running_var", leave_parametrized=False)
    assert net.running_var.tolist() == [0, 0] and "running_var" in net.state_dict()


def test_what_cannot_be_parametrized_is_named():
    with pytest.raises(KeyError, match="Linear has no parameter or buffer 'w'"):
        parametrize.register_parametrization(nn.Linear(1, 1), "w", nn.Identity())
    with pytest.raises(ValueError, match=r"Flatten must keep the shape \(2, 3, 1, 1\) .*, got shape \(2, 3\)"):
        parametrize.register_parametrization(nn.Conv2d(3, 2, 1), "weight", nn.Flatten())
    net = parametrizations.weight_norm(nn.Linear(2, 2))
    with pytest.raises(ValueError, match="'weight' has 2 originals"):
        parametrize.remove_parametrizations(net, "weight", leave_parametrized=False)


# ---- fusion ----

def trained(library, layer, args, channels, kind):
    torch_like = getattr(library.nn, layer)(*args).double(), getattr(library.nn, kind)(channels).double()
    numbers = np.random.default_rng(1)
    for module in torch_like:
        module.load_state_dict({k: library.tensor(numbers.uniform(0.5, 2, tuple(v.shape))) if v.is_floating_point() else v
                                for k, v in module.state_dict().items()})
        module.eval()
    return torch_like


@pytest.mark.parametrize("layer, args, channels, kind, shape, transpose", [
    ("Conv2d", (2, 4, 3), 4, "BatchNorm2d", (2, 2, 5, 4), False),
    ("Conv2d", (2, 4, 3, 2, 1, 1, 2, False), 4, "BatchNorm2d", (2, 2, 5, 4), False),
    ("Conv1d", (2, 3, 2), 3, "BatchNorm1d", (2, 2, 5), False),
    ("ConvTranspose2d", (2, 3, 3), 3, "BatchNorm2d", (2, 2, 4, 4), True),
    ("Linear", (3, 4), 4, "BatchNorm1d", (5, 3), None)])
def test_fused_layers_compute_both_and_are_pytorchs(layer, args, channels, kind, shape, transpose):
    first, second = trained(tinycnn, layer, args, channels, kind)
    x = tinycnn.tensor(normal(*shape))
    fused = fuse_linear_bn_eval(first, second) if transpose is None else fuse_conv_bn_eval(first, second, transpose)
    np.testing.assert_allclose(fused(x).detach().numpy(), second(first(x)).detach().numpy(), rtol=1e-10)
    assert fused is not first and fused.weight is not first.weight and type(fused) is type(first)
    torch = pytest.importorskip("torch")
    twins = trained(torch, layer, args, channels, kind)
    utils = torch.nn.utils
    theirs = utils.fuse_linear_bn_eval(*twins) if transpose is None else utils.fuse_conv_bn_eval(*twins, transpose)
    for key, value in theirs.state_dict().items():
        np.testing.assert_allclose(fused.state_dict()[key].numpy(), value.numpy(), rtol=1e-12)
        assert fused.state_dict(keep_vars=True)[key].requires_grad


def test_only_layers_in_evaluation_that_fit_are_fused():
    conv, bn = nn.Conv2d(2, 3, 1), nn.BatchNorm2d(3)
    with pytest.raises(ValueError, match="fuse_conv_bn_eval: both layers must be in evaluation"):
        fuse_conv_bn_eval(conv, bn.eval())
    with pytest.raises(ValueError, match=r"weights of shape \(3, 2, 1, 1\), the batch norm 4 features"):
        fuse_conv_bn_eval(conv.eval(), nn.BatchNorm2d(4).eval())
    with pytest.raises(ValueError, match="no running statistics"):
        fuse_conv_bn_eval(conv, nn.BatchNorm2d(3, track_running_stats=False).eval())
