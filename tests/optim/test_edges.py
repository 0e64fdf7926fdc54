"""Optimizers at the edges: options given as tensors, parameters of float16, gradients that do not fit, clipping."""
import numpy as np
import pytest

import tinycnn
from tinycnn import nn, optim

OPTIONS = [
    ("SGD", dict(lr=0.5)), ("SGD", dict(lr=0.5, momentum=0.5)), ("SGD", dict(lr=0.5, weight_decay=0.25)),
    ("SGD", dict(lr=0.5, momentum=0.5, dampening=0.25)), ("Adam", dict(lr=0.5)), ("Adam", dict(lr=0.5, eps=0.25)),
    ("Adam", dict(lr=0.5, betas=(0.5, 0.75))), ("Adam", dict(lr=0.5, weight_decay=0.25)), ("AdamW", dict(lr=0.5)),
    ("AdamW", dict(lr=0.5, weight_decay=0.25)), ("RMSprop", dict(lr=0.5, alpha=0.5)),
    ("RMSprop", dict(lr=0.5, momentum=0.5)),
    ("Adagrad", dict(lr=0.5, lr_decay=0.25)), ("Adamax", dict(lr=0.5)), ("NAdam", dict(lr=0.5, momentum_decay=0.25)),
    ("RAdam", dict(lr=0.5)), ("Adadelta", dict(lr=0.5, rho=0.5)), ("Rprop", dict(lr=0.5)), ("ASGD", dict(lr=0.5)),
    ("Adafactor", dict(lr=0.5)), ("LARS", dict(lr=0.5)), ("LAMB", dict(lr=0.5)),
]


def as_tensors(value):
    return tuple(map(as_tensors, value)) if isinstance(value, tuple) else tinycnn.tensor(value)


def steps(name, options, dtype=tinycnn.float32, change=None, count=3):
    """Where a parameter is after a few steps."""
    p = nn.Parameter(tinycnn.tensor([[1.0, -2.0], [0.5, 4.0]], dtype=dtype))
    optimizer = getattr(optim, name)([p], **options)
    for i in range(count):
        p.grad = tinycnn.tensor([[0.5, -1.0], [0.25 * i, 2.0]], dtype=dtype)
        if change:
            change(optimizer.param_groups[0])
        optimizer.step()
    return p.detach()


@pytest.mark.parametrize("name, options", OPTIONS)
def test_options_may_be_tensors(name, options):
    expected = steps(name, options)
    tensors = {key: as_tensors(value) for key, value in options.items()}
    assert not expected.equal(tinycnn.tensor([[1.0, -2.0], [0.5, 4.0]])) and steps(name, tensors).equal(expected)


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "RMSprop", "Adagrad"])
def test_a_rate_multiplied_by_a_tensor_is_taken(name):
    def halve(factor):
        def change(group):
            group["lr"] = group["lr"] * factor
        return change
    expected = steps(name, dict(lr=0.5), change=halve(0.5))
    assert steps(name, dict(lr=0.5), change=halve(tinycnn.tensor(0.5))).equal(expected)
    assert steps(name, dict(lr=tinycnn.tensor(0.5)), change=halve(0.5)).equal(expected)


def test_a_rate_changed_in_place_acts_at_once_and_a_schedule_keeps_the_first():
    lr = tinycnn.tensor(0.5)
    p = nn.Parameter(tinycnn.zeros(1))
    optimizer = optim.SGD([p], lr=lr)
    schedule = optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    optimizer.param_groups[0]["lr"] = lr
    lr.mul_(0.5)
    p.grad = tinycnn.ones(1)
    optimizer.step()
    assert p.tolist() == [-0.25] and schedule.base_lrs == [0.5]


def test_lbfgs_takes_a_tensor():
    def run(lr):
        p = nn.Parameter(tinycnn.tensor([3.0]))
        optimizer = optim.LBFGS([p], lr=lr, max_iter=2)

        def closure():
            p.grad = None
            loss = (p * p).sum()
            loss.backward()
            return loss
        optimizer.step(closure)
        return p.tolist()
    assert run(0.5) == run(tinycnn.tensor(0.5)) != [3.0]


@pytest.mark.parametrize("make", [lambda p, o: optim.SGD([p], lr=o), lambda p, o: optim.Adam([p], betas=(o, 0.9)),
                                  lambda p, o: optim.SGD([p], 0.1, weight_decay=o)])
def test_an_option_of_several_numbers_is_refused(make):
    with pytest.raises(ValueError, match=r"optimizer: \w+ must be a number or a tensor of one element.*\(2,\)"):
        make(nn.Parameter(tinycnn.ones(2)), tinycnn.tensor([0.1, 0.2]))
    with pytest.raises(ValueError, match="must not be negative"):
        optim.SGD([nn.Parameter(tinycnn.ones(2))], lr=tinycnn.tensor(-1.0))


@pytest.mark.parametrize("name, options", OPTIONS)
def test_float16_follows_float32(name, options):
    """The steps are float32's: gradients whose squares vanish in float16, and an eps that does, do no harm."""
    expected, half = steps(name, options), steps(name, options, tinycnn.float16)
    assert half.dtype == np.float16
    np.testing.assert_allclose(half.numpy().astype(float), expected.numpy(), rtol=4e-3, atol=4e-3)


@pytest.mark.parametrize("name", ["Adam", "AdamW", "RMSprop", "Adagrad", "NAdam", "Adadelta"])
@pytest.mark.parametrize("gradient", [0.0, 1e-4, 300.0, 60000.0])
def test_float16_takes_steps_of_any_gradient(name, gradient):
    """1e-4 squared is 0 in float16, 300 squared is infinite, and so is 1 / 1e-8 with an eps of 0."""
    def step(dtype):
        p = nn.Parameter(tinycnn.ones(2, dtype=dtype))
        optimizer = getattr(optim, name)([p], lr=0.25)
        for _ in range(2):
            p.grad = tinycnn.full((2,), gradient, dtype=dtype)
            optimizer.step()
        return p.detach().float().numpy()
    np.testing.assert_allclose(step(tinycnn.float16), step(tinycnn.float32), rtol=2e-3)


def test_the_state_of_float16_is_saved_and_loaded_in_float32():
    p = nn.Parameter(tinycnn.ones(2, dtype=tinycnn.float16))
    optimizer = optim.Adam([p])
    p.grad = tinycnn.full((2,), 1e-4, dtype=tinycnn.float16)
    optimizer.step()
    again = optim.Adam([p])
    again.load_state_dict(optimizer.state_dict())
    v = again.state_dict()["state"][0]["exp_avg_sq"]
    assert v.dtype == np.float32 and 0 < v[0].item() < 1e-10


@pytest.mark.parametrize("wrong, message", [
    (tinycnn.ones(1), r"shape.*\(3,\).*\(1,\)"), (tinycnn.ones(()), "shape"), (tinycnn.ones(1, 3), "shape"),
    (tinycnn.ones(3, dtype=tinycnn.float64), "dtype.*float32.*float64"), (1.0, "Tensor"), (np.ones(3), "Tensor")])
def test_a_gradient_that_does_not_fit_is_refused(wrong, message):
    p = nn.Parameter(tinycnn.zeros(3))
    with pytest.raises((RuntimeError, TypeError), match=message):
        p.grad = wrong
    assert p.grad is None
    p.grad = tinycnn.ones(3)
    p.grad = None


@pytest.mark.parametrize("value, count", [(300.0, 1000), (1e-4, 1000), (60000.0, 2)])
@pytest.mark.parametrize("norm_type", [1.0, 2.0, 3.0, float("inf")])
def test_gradients_of_float16_are_clipped_to_their_norm(value, count, norm_type):
    """Sums of powers of 300 or 1e-4 leave the range of float16: the norm of n equal numbers a is a n^(1/p)."""
    p = nn.Parameter(tinycnn.zeros(count, dtype=tinycnn.float16))
    p.grad = tinycnn.full((count,), value, dtype=tinycnn.float16)
    given = p.grad[0].item()
    total = nn.utils.clip_grad_norm_([p], 1e-2, norm_type)
    norm = given * count ** (1 / norm_type)
    np.testing.assert_allclose(total.item(), norm, rtol=1e-3)
    np.testing.assert_allclose(p.grad.float().numpy(), given * min(1, 1e-2 / norm), rtol=2e-3, atol=1e-7)
