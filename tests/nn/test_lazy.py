"""Layers that learn their number of input channels from the first input."""
import inspect

import numpy as np
import pytest

import tinycnn
from tinycnn import nn, optim

LAYERS = [("LazyLinear", (3,), {}, (2, 5)), ("LazyLinear", (3, False), {}, (5,)),
          ("LazyConv1d", (4, 2), {}, (2, 6, 5)), ("LazyConv2d", (4, (3, 2)), dict(stride=2, groups=2), (2, 6, 5, 5)),
          ("LazyConv2d", (4, 3), dict(bias=False, padding="same"), (6, 5, 5)), ("LazyConv3d", (4, 2), {}, (1, 2, 3, 3, 3)),
          ("LazyConvTranspose1d", (4, 2), {}, (2, 6, 5)),
          ("LazyConvTranspose2d", (4, 3, 2), dict(groups=2, output_padding=1), (2, 6, 5, 5)),
          ("LazyConvTranspose3d", (4, 2), {}, (1, 2, 3, 3, 3)),
          ("LazyBatchNorm1d", (), {}, (4, 3)), ("LazyBatchNorm2d", (0.1,), dict(affine=False), (4, 3, 2, 2)),
          ("LazyBatchNorm3d", (), dict(momentum=None, bias=False), (2, 3, 2, 2, 2)),
          ("LazyInstanceNorm1d", (), {}, (2, 3, 4)), ("LazyInstanceNorm2d", (), dict(affine=True), (2, 3, 4, 4)),
          ("LazyInstanceNorm3d", (), dict(track_running_stats=True), (2, 3, 2, 2, 2))]


def numbers(shape):
    return np.random.default_rng(0).standard_normal(shape)


@pytest.mark.filterwarnings("ignore:Lazy modules are a new feature:UserWarning")
@pytest.mark.parametrize("name, args, options, shape", LAYERS, ids=lambda v: v if isinstance(v, str) else "")
def test_lazy_layers_become_pytorchs(name, args, options, shape):
    torch = pytest.importorskip("torch")
    ours, theirs = (getattr(library.nn, name)(*args, **options).double() for library in (tinycnn, torch))
    assert repr(ours) == repr(theirs)
    assert [k for k, _ in ours.named_parameters()] == [k for k, _ in theirs.named_parameters()]
    theirs(torch.tensor(numbers(shape)))
    ours.load_state_dict({k: v.numpy() for k, v in theirs.state_dict().items()})
    assert type(ours) is getattr(nn, name.removeprefix("Lazy"))
    y = ours(tinycnn.tensor(numbers(shape)))
    np.testing.assert_allclose(y.detach().numpy(), theirs(torch.tensor(numbers(shape))).detach().numpy(), rtol=1e-10,
                               atol=1e-12)
    assert repr(ours) == repr(theirs)


@pytest.mark.parametrize("name, args, options, shape", LAYERS, ids=lambda v: v if isinstance(v, str) else "")
def test_the_first_input_makes_a_layer_what_it_would_have_been(name, args, options, shape):
    tinycnn.manual_seed(0)
    layer = getattr(nn, name)(*args, **options).double()
    before = dict(layer.named_parameters())
    assert layer.has_uninitialized_params() and isinstance(layer, getattr(nn, name.removeprefix("Lazy")))
    x = tinycnn.tensor(numbers(shape), requires_grad=True)
    tinycnn.manual_seed(1)
    y = layer(x)
    tinycnn.manual_seed(1)
    if "Instance" in name:  # lazy ones have the defaults of batch norm, in PyTorch as well
        options = {"affine": True, "track_running_stats": True, **options}
    ordinary = getattr(nn, name.removeprefix("Lazy"))(channels(name, shape), *args, **options).double()
    assert type(layer) is type(ordinary)
    assert repr(layer) == repr(ordinary) and layer.state_dict().keys() == ordinary.state_dict().keys()
    np.testing.assert_allclose(y.detach().numpy(), ordinary(x).detach().numpy(), rtol=1e-6, atol=1e-7)
    assert all(p is before[k] and type(p) is nn.Parameter for k, p in layer.named_parameters())
    y.sum().backward()


def channels(name, shape):
    """The channels of an input of this shape."""
    if name == "LazyLinear":
        return shape[-1]
    return shape[-1 - int(name[-2])] if "Conv" in name else shape[1]


def test_an_optimizer_made_before_trains_the_layer():
    net = nn.Sequential(nn.LazyLinear(4), nn.ReLU(), nn.LazyLinear(1))
    optimizer = optim.SGD(net.parameters(), lr=0.1)
    net(tinycnn.randn(5, 3)).sum().backward()
    before = net[0].bias.tolist(), net[2].bias.tolist()
    optimizer.step()
    assert net[2].bias.tolist() != before[1] and net[0].weight.shape == (4, 3)
    assert [p.requires_grad for p in net.parameters()] == [True] * 4


def test_a_parameter_without_shape_says_what_to_do():
    layer = nn.LazyConv2d(3, 2)
    for look in (lambda: layer.weight.shape, lambda: layer.weight.numel(), lambda: nn.init.kaiming_normal_(layer.weight)):
        with pytest.raises(RuntimeError, match="run one batch through the network first"):
            look()
    assert repr(layer.weight) == "<UninitializedParameter>"


def test_a_state_without_this_layer_is_reported():
    with pytest.raises(RuntimeError, match='Missing key.*"weight", "bias"'):
        nn.LazyLinear(2).load_state_dict({})


def test_constructors_are_those_of_the_ordinary_layers_without_the_channels():
    for name in {name for name, *_ in LAYERS}:
        lazy, ordinary = (list(inspect.signature(cls.__init__).parameters.values()) for cls in
                          (getattr(nn, name), getattr(nn, name.removeprefix("Lazy").replace("Instance", "Batch"))))
        assert lazy == [ordinary[0], *ordinary[2:]]
    with pytest.raises(TypeError):
        nn.LazyLinear(3, in_features=4)
