"""L-BFGS: the path of PyTorch's on hard functions and a network, its line search, its state."""
import math

import numpy as np
import pytest

import tinycnn
from tinycnn import nn, optim
from tinycnn.optim.lbfgs import Point, cubic_minimum, strong_wolfe


def rosenbrock(p, q):
    return (100 * (p[1:] - p[:-1] ** 2) ** 2 + (1 - p[:-1]) ** 2).sum() + (q * q - 1).square().sum()


def bowl(p, q):
    return 0.5 * (p * p * 3 + p).sum() + (q ** 2).sum() * 10 + p[0] * q[0, 0]


def waves(p, q):
    return (p.sin() + 0.1 * p * p).sum() + (q.cos() * 2 + 0.05 * q * q).sum()


FUNCTIONS = {"rosenbrock": rosenbrock, "bowl": bowl, "waves": waves}


def minimise(library, function, steps, state=None, at=None, **options):
    """(parameters, losses, evaluations, the optimizer) after some steps."""
    at = at or ([-1.2, 1.0, 0.7, -0.3], [[0.3, -2.0]])
    ps = [library.tensor(a, dtype=library.float64).requires_grad_() for a in at]
    optimizer, calls = library.optim.LBFGS(ps, **options), []
    if state:
        optimizer.load_state_dict(state)

    def closure():
        optimizer.zero_grad()
        loss = FUNCTIONS[function](*ps)
        loss.backward()
        calls.append(loss.item())
        return loss
    losses = [float(optimizer.step(closure)) for _ in range(steps)]
    return [p.detach().numpy() for p in ps], losses, calls, optimizer


@pytest.mark.filterwarnings("ignore:Converting a tensor with requires_grad=True")
@pytest.mark.parametrize("options", [
    dict(lr=0.002), dict(lr=0.002, max_iter=3, history_size=2), dict(lr=0.002, max_iter=1), dict(lr=0.002, max_eval=2),
    dict(line_search_fn="strong_wolfe"), dict(line_search_fn="strong_wolfe", max_iter=4, history_size=3),
    dict(line_search_fn="strong_wolfe", max_iter=1), dict(line_search_fn="strong_wolfe", lr=0.1),
    dict(line_search_fn="strong_wolfe", lr=30.0, max_eval=60), dict(line_search_fn="strong_wolfe", tolerance_grad=1.0),
    dict(line_search_fn="strong_wolfe", tolerance_change=0.1)], ids=str)
@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_evaluation_is_pytorchs(function, options):
    torch = pytest.importorskip("torch")
    ours, theirs = (minimise(library, function, 2, **options) for library in (tinycnn, torch))
    assert len(ours[2]) == len(theirs[2])
    np.testing.assert_allclose(ours[1], theirs[1], rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(ours[2], theirs[2], rtol=1e-8, atol=1e-9)
    for a, b in zip(ours[0], theirs[0]):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-9)
    (ours, theirs) = (run[3].state_dict()["state"][0] for run in (ours, theirs))
    assert ours.keys() == {name for name, value in theirs.items() if name != "al"}
    assert (ours["n_iter"], ours["func_evals"]) == (theirs["n_iter"], theirs["func_evals"])


@pytest.mark.filterwarnings("ignore:Converting a tensor with requires_grad=True")
@pytest.mark.parametrize("options", [dict(lr=0.002, max_iter=4), dict(line_search_fn="strong_wolfe", max_iter=3)], ids=str)
def test_pytorchs_state_and_our_own_continue_here(options):
    torch = pytest.importorskip("torch")
    runs = []
    for library in (tinycnn, torch):
        ps, _, _, optimizer = minimise(library, "rosenbrock", 2, **options)
        state = optimizer.state_dict()
        if library is torch:
            convert = lambda v: ([convert(x) for x in v] if isinstance(v, list)
                                 else tinycnn.tensor(v.numpy()) if torch.is_tensor(v) else v)
            state["state"] = {0: {name: convert(value) for name, value in state["state"][0].items()}}
        runs.append(minimise(tinycnn, "rosenbrock", 1, state, [p.tolist() for p in ps], **options)[2])
    whole = minimise(torch, "rosenbrock", 3, **options)[2]
    for run in runs:
        np.testing.assert_allclose(run, whole[-len(run):], rtol=1e-7)


def test_a_loaded_state_is_a_copy():
    state = minimise(tinycnn, "bowl", 1, lr=0.01, max_iter=3, max_eval=9)[3].state_dict()
    before = [y.array.copy() for y in state["state"][0]["old_dirs"]]
    minimise(tinycnn, "bowl", 2, state, lr=0.01, max_iter=3, history_size=2)
    assert len(before) == len(state["state"][0]["old_dirs"]) == 2
    assert all((a == b.array).all() for a, b in zip(before, state["state"][0]["old_dirs"]))


def test_one_step_solves_a_square_problem():
    ps, losses, calls, _ = minimise(tinycnn, "bowl", 1, max_iter=50, line_search_fn="strong_wolfe")
    gradients = np.r_[3 * ps[0] + 0.5, 20 * ps[1][0]] + np.r_[ps[1][0, 0], 0, 0, 0, ps[0][0], 0]
    assert np.abs(gradients).max() < 1e-3 and losses[0] == calls[0]


def test_float32_stays_and_parameters_without_gradient_stay_where_they_are():
    layer, idle = nn.Linear(3, 1), nn.Parameter(tinycnn.ones(2))
    x, y = tinycnn.randn(20, 3), tinycnn.randn(20, 1)
    optimizer = optim.LBFGS([*layer.parameters(), idle], line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(layer(x), y)
        loss.backward()
        return loss
    optimizer.step(closure)
    a = np.c_[x.array, np.ones(20)].astype(float)
    best = np.linalg.lstsq(a, y.array.astype(float), rcond=None)[0]
    np.testing.assert_allclose(np.r_[layer.weight.array[0], layer.bias.array], best[:, 0], atol=1e-3)
    assert layer.weight.dtype == tinycnn.float32 and idle.tolist() == [1, 1]
    assert all(y.dtype == tinycnn.float32 for y in optimizer.state_dict()["state"][0]["old_dirs"])


def test_an_update_is_noticed_by_a_graph_that_saved_the_weights():
    w = nn.Parameter(tinycnn.ones(2))
    optimizer = optim.LBFGS([w], max_iter=1)
    y = (w * w).sum()

    def closure():
        w.grad = tinycnn.ones(2)
        return tinycnn.tensor(1.0)
    optimizer.step(closure)
    with pytest.raises(RuntimeError, match="changed in place"):
        y.backward()


def test_a_schedule_changes_its_rate():
    w = nn.Parameter(tinycnn.ones(2))
    optimizer = optim.LBFGS([w], lr=0.1, max_iter=1)
    schedule = optim.lr_scheduler.StepLR(optimizer, 1, 0.5)

    def closure():
        optimizer.zero_grad()
        loss = (w * w).sum()
        loss.backward()
        return loss
    optimizer.step(closure)
    schedule.step()
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.05)


@pytest.mark.parametrize("t", [1e-4, 0.3, 1.0, 50.0])
@pytest.mark.parametrize("loss, slope", [
    (lambda t: (t - 3) ** 4, lambda t: 4 * (t - 3) ** 3), (lambda t: abs(t - 2), lambda t: math.copysign(1, t - 2)),
    (lambda t: -t / (t * t + 2), lambda t: (t * t - 2) / (t * t + 2) ** 2),
    (lambda t: math.sin(t) - 1.5 * t, lambda t: math.cos(t) - 1.5)])
def test_the_line_search_ends_where_the_loss_is_lower(loss, slope, t):
    def along(t):
        return Point(t, loss(t), slope(t), None)
    found, count = strong_wolfe(along, along(0), t, 1.0)
    assert found.loss <= loss(0) + 1e-4 * found.t * slope(0) and 1 <= count <= 26 and found == along(found.t)


def test_a_cubic_has_its_minimum_where_its_slope_is_zero():
    f, g = (lambda t: t ** 3 - 4 * t + 1), (lambda t: 3 * t * t - 4)
    a, b = (Point(t, f(t), g(t), None) for t in (0.2, 3.0))
    assert cubic_minimum(a, b, 0.2, 3.0) == pytest.approx(math.sqrt(4 / 3)) == cubic_minimum(b, a, 0.2, 3.0)
    assert cubic_minimum(a, b, 2.0, 3.0) == 2.0
    assert cubic_minimum(Point(0, 0, 3, None), Point(1, 2, 3, None), 0, 4) == 2.0
