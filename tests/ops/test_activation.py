"""Activation functions: values, stability, the argument `inplace`, and what is refused."""
import inspect
import math

import numpy as np
import pytest

import tinycnn as t
import tinycnn.nn.functional as F
from tinycnn.ops import activation, rectifier

FAR = [-1e4, -1000.0, -100.0, -88.0, -20.0, -1.0, 0.0, 1.0, 20.0, 88.0, 100.0, 1000.0, 1e4]
SMOOTH = ["sigmoid", "tanh", "softplus", "logsigmoid", "elu", "selu", "celu", "gelu", "silu", "mish", "softsign",
          "tanhshrink"]
BENT = ["relu", "relu6", "leaky_relu", "hardtanh", "hardsigmoid", "hardswish", "softshrink", "hardshrink", "rrelu"]
IN_PLACE = [name for name in (*activation.__all__, *rectifier.__all__)
            if name[-1] != "_" and "inplace" in inspect.signature(getattr(t, name)).parameters]


def options(name):
    return dict(threshold=0.3, value=-2.0) if name == "threshold" else {}


@pytest.mark.parametrize("name", SMOOTH + BENT)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_activations_and_their_slopes_are_those_of_pytorch_however_far_from_0(name, dtype):
    torch = pytest.importorskip("torch")
    values = np.array(FAR, dtype)
    x, y = t.tensor(values, requires_grad=True), torch.tensor(values, requires_grad=True)
    ours, theirs = getattr(F, name)(x), getattr(torch.nn.functional, name)(y)
    ours.sum().backward()
    theirs.sum().backward()
    tolerance = dict(rtol=1e-10, atol=1e-12) if dtype == "float64" else dict(rtol=2e-6, atol=1e-7)
    assert ours.dtype == dtype and x.grad.dtype == dtype
    np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), **tolerance)
    if name != "hardsigmoid":  # whose 1/6 PyTorch rounds to float32
        np.testing.assert_allclose(x.grad.numpy(), y.grad.numpy(), **tolerance)


@pytest.mark.parametrize("function, arguments", [
    (rectifier.ReLU, {}), (rectifier.LeakyReLU, dict(slope=0.1)), (rectifier.Hardtanh, dict(low=0.0, high=6.0)),
    (activation.ELU, dict(alpha=1.0, scale=1.0, input_scale=1.0)), (activation.Sigmoid, {}), (activation.Tanh, {}),
    (activation.Softplus, dict(beta=1.0, threshold=20.0)), (activation.GELU, dict(approximate="none"))])
def test_no_formula_overflows_on_the_way(function, arguments):
    """Inside operations floating point is silent, so this would not show elsewhere."""
    ctx = function()
    ctx.needs_input_grad = [True]
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        y = function.forward(ctx, np.array(FAR), **arguments)
        function.backward(ctx, np.ones_like(y))


def test_extreme_values_are_finite():
    x = t.tensor([-1000.0, 1000.0])
    assert t.sigmoid(x).tolist() == [0, 1]
    assert F.softplus(x).tolist() == [0, 1000]
    assert F.logsigmoid(x).tolist() == [-1000, 0]


def test_small_sigmoids_keep_their_digits():
    assert t.sigmoid(t.tensor(-40.0, dtype=t.float64)).item() == pytest.approx(math.exp(-40), rel=1e-14)
    assert F.logsigmoid(t.tensor(40.0, dtype=t.float64)).item() == pytest.approx(-math.exp(-40), rel=1e-14)


@pytest.mark.parametrize("name", SMOOTH + BENT)
def test_nan_is_not_hidden(name):
    assert math.isnan(getattr(F, name)(t.tensor([math.nan])).item())


@pytest.mark.parametrize("name", IN_PLACE)
@pytest.mark.parametrize("positional", [False, True])
def test_in_place_gives_the_same_values_and_gradients_in_the_same_memory(name, positional):
    results = []
    for inplace in (False, True):
        x = t.tensor(np.linspace(-8, 8, 23), requires_grad=True)
        h = x * 1.0
        memory = h.array
        function = getattr(F, name)
        if positional:
            defaults = [options(name).get(p.name, p.default) for p in inspect.signature(function).parameters.values()][1:-1]
            y = function(h, *defaults, inplace)
        else:
            y = function(h, **options(name), inplace=inplace)
        assert (y is h and y.array is memory) == inplace
        values = y.tolist()
        (y * t.tensor(np.arange(23.0))).sum().backward()
        results.append((values, x.grad.tolist()))
    assert results[0] == results[1]


def test_every_activation_of_pytorch_with_inplace_has_it():
    assert set(IN_PLACE) >= {"relu", "relu6", "leaky_relu", "rrelu", "elu", "selu", "celu", "silu", "mish", "hardtanh",
                             "hardsigmoid", "hardswish", "threshold"}


def test_signatures_are_those_of_pytorch():
    torch = pytest.importorskip("torch")
    for name in ("relu", "relu6", "leaky_relu", "rrelu", "elu", "selu", "celu", "silu", "mish", "hardtanh", "hardsigmoid",
                 "hardswish", "glu", "tanhshrink", "softsign"):
        ours, theirs = (inspect.signature(getattr(module, name)).parameters.values()
                        for module in (F, torch.nn.functional))
        assert [(p.name, p.default) for p in ours] == [(p.name, p.default) for p in theirs], name


def test_rrelu_draws_a_slope_for_every_negative_element():
    t.manual_seed(0)
    x = t.full((1000,), -1.0, requires_grad=True)
    y = F.rrelu(x, 0.2, 0.4, training=True)
    slopes = -y.detach().numpy()
    assert y.dtype == t.float32 and 0.2 <= slopes.min() < 0.21 and 0.39 < slopes.max() <= 0.4
    y.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), slopes)
    t.manual_seed(0)
    assert F.rrelu(x, 0.2, 0.4, training=True).tolist() == y.tolist()
    assert F.rrelu(t.ones(3), training=True).tolist() == [1, 1, 1]


def test_leaky_relu_does_not_need_the_input_that_was_overwritten():
    x = t.tensor([-1.0, 2.0], requires_grad=True)
    h = x * 1.0
    y = F.leaky_relu(h, 0.1)
    h += 5.0
    y.sum().backward()
    assert x.grad.tolist() == pytest.approx([0.1, 1])


def test_step_is_1_at_0_and_has_no_slope():
    x = t.tensor([-1.0, 0.0, 2.0], requires_grad=True)
    y = t.step(x)
    y.sum().backward()
    assert y.tolist() == [0, 1, 1] and x.grad.tolist() == [0, 0, 0]
    assert t.step(t.tensor([-1, 1])).tolist() == [0, 1]


def test_identity_is_the_input_itself():
    x = t.ones(2)
    assert t.identity(x) is x


def test_glu_halves_the_given_dimension():
    x = t.tensor([[1.0, 2.0], [0.0, 0.0]])
    assert F.glu(x, 0).tolist() == [[0.5, 1.0]]


def test_numpy_numbers_do_not_widen_float32():
    x, number = t.ones(3), np.float64(0.3)
    for y in (F.leaky_relu(x, number), F.elu(x, number), F.celu(x, number), F.softplus(x, number), F.hardtanh(x, 0, number),
              F.threshold(x, number, number), F.softshrink(x, number), F.hardshrink(x, number), F.gelu(x), F.selu(x),
              F.gelu(x, "tanh"), F.mish(x), F.hardswish(x), F.prelu(x, t.ones(1)), F.rrelu(x, number, number, True)):
        assert y.dtype == t.float32


@pytest.mark.parametrize("call, exception, message", [
    (lambda: t.relu([1.0]), TypeError, "relu: input must be a Tensor, got list"),
    (lambda: t.relu(t.tensor([True])), TypeError, r"relu: input must be floating point, got bool"),
    (lambda: F.silu(t.tensor([1])), TypeError, r"silu: input must be floating point, got int64"),
    (lambda: F.gelu(t.ones(2), "fast"), ValueError, "gelu: approximate must be 'none' or 'tanh', got 'fast'"),
    (lambda: F.softplus(t.ones(2), 0), ValueError, "softplus: beta must not be 0"),
    (lambda: F.celu(t.ones(2), 0), ValueError, "celu: alpha must not be 0"),
    (lambda: F.hardtanh(t.ones(2), 1, -1), ValueError, "hardtanh: min_val must not exceed max_val, got 1 and -1"),
    (lambda: F.rrelu(t.ones(2), 0.5, 0.1), ValueError, "rrelu: lower must not exceed upper, got 0.5 and 0.1"),
    (lambda: F.softshrink(t.ones(2), -1), ValueError, "softshrink: lambd must not be negative, got -1"),
    (lambda: F.glu(t.ones(2, 3)), ValueError, r"glu: the size of dim -1 must be even.*\(2, 3\)"),
    (lambda: F.prelu(t.ones(2, 3), t.ones(2)), ValueError, r"prelu: weight must hold 1 slope or 3.*\(2, 3\).*\(2,\)"),
    (lambda: F.prelu(t.ones(2, 3), 0.1), TypeError, "prelu: weight must be a Tensor, got float"),
    (lambda: t.sigmoid(1.0), TypeError, "sigmoid: input must be a Tensor, got float"),
])
def test_bad_input_is_refused_by_name(call, exception, message):
    with pytest.raises(exception, match=message):
        call()
