"""Averages of weights: PyTorch's, over a training run."""
import numpy as np
import pytest

import tinycnn
from tinycnn import nn
from tinycnn.optim import SGD
from tinycnn.optim.swa_utils import AveragedModel, get_ema_avg_fn, update_bn

BATCHES = np.random.default_rng(0).standard_normal((5, 6, 3))


def train(library, **options):
    """A network after five steps, and its averaged twin."""
    net = library.nn.Sequential(library.nn.Linear(3, 4), library.nn.BatchNorm1d(4), library.nn.Linear(4, 1)).double()
    numbers = np.random.default_rng(1)
    net.load_state_dict({k: library.tensor(numbers.uniform(0.5, 1, tuple(v.shape))) for k, v in net.state_dict().items()})
    tools = library.optim.swa_utils
    average = tools.AveragedModel(net, **{k: getattr(tools, v)() if isinstance(v, str) else v for k, v in options.items()})
    optimizer = library.optim.SGD(net.parameters(), lr=0.1)
    for x in BATCHES:
        optimizer.zero_grad()
        (net(library.tensor(x)) ** 2).mean().backward()
        optimizer.step()
        average.update_parameters(net)
    return net, average


@pytest.fixture
def torch():
    """PyTorch, which divides by a count in its default dtype."""
    torch = pytest.importorskip("torch")
    torch.set_default_dtype(torch.float64)
    yield torch
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("options", [
    {}, dict(avg_fn="get_ema_avg_fn"), dict(avg_fn="get_swa_avg_fn"), dict(multi_avg_fn="get_ema_multi_avg_fn"),
    dict(multi_avg_fn="get_swa_multi_avg_fn"), dict(avg_fn=lambda average, weight, count: average * 0.3 + weight * 0.7),
    dict(use_buffers=True)], ids=lambda o: ",".join(f"{k}={getattr(v, '__name__', v)}" for k, v in o.items()))
def test_averages_are_pytorchs(options, torch):
    (net, ours), (_, theirs) = train(tinycnn, **options), train(torch, **options)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    for key, value in theirs.state_dict().items():
        np.testing.assert_allclose(ours.state_dict()[key].numpy(), value.numpy(), rtol=1e-10, err_msg=key)
    assert ours.n_averaged == 5 and (ours.module[0].weight.array != net[0].weight.array).all()
    tinycnn.optim.swa_utils.update_bn([tinycnn.tensor(x) for x in BATCHES], ours)
    torch.optim.swa_utils.update_bn([(torch.tensor(x), None) for x in BATCHES], theirs)
    x = BATCHES[0]
    np.testing.assert_allclose(ours.eval()(tinycnn.tensor(x)).detach().numpy(),
                               theirs.eval()(torch.tensor(x)).detach().numpy(), rtol=1e-10)


def test_the_first_weights_are_the_average_and_the_model_is_untouched():
    net = nn.Linear(2, 1)
    average = AveragedModel(net, avg_fn=get_ema_avg_fn(0.9))
    SGD(net.parameters(), lr=0.1)
    with tinycnn.no_grad():
        net.weight.fill_(2.0)
    average.update_parameters(net)
    assert average.module.weight.tolist() == [[2.0, 2.0]] and average.module.weight is not net.weight
    with tinycnn.no_grad():
        net.weight.fill_(3.0)
    average.update_parameters(net)
    np.testing.assert_allclose(average.module.weight.array, 2.1, rtol=1e-6)
    assert net.weight.tolist() == [[3.0, 3.0]] and average.module.weight.requires_grad


def test_statistics_keep_their_momentum_and_the_mode_of_the_model():
    net = nn.Sequential(nn.BatchNorm1d(3, momentum=0.3)).eval()
    update_bn([(tinycnn.tensor(x).float(), None) for x in BATCHES], net)
    assert net[0].momentum == 0.3 and not net.training and net[0].num_batches_tracked == 5
    np.testing.assert_allclose(net[0].running_mean.array, BATCHES.mean((0, 1)), rtol=1e-4, atol=1e-6)


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="get_ema_avg_fn: decay must be between 0 and 1, got 1.5"):
        get_ema_avg_fn(1.5)
    with pytest.raises(ValueError, match="AveragedModel: give avg_fn or multi_avg_fn, not both"):
        AveragedModel(nn.Linear(1, 1), avg_fn=min, multi_avg_fn=min)
