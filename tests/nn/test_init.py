"""Initialisation: the distributions, the fans, the gains, and what is refused."""
import math

import numpy as np
import pytest

import tinycnn
from tinycnn.nn import init
from tinycnn.nn.utils import clip_grad_norm_, clip_grad_value_, parameters_to_vector, vector_to_parameters


def empty(*shape, dtype=tinycnn.float32):
    return tinycnn.empty(*shape, dtype=dtype)


@pytest.fixture(autouse=True)
def seed():
    tinycnn.manual_seed(0)


BIG = (60, 40, 5, 5)
FILLS = [
    (init.uniform_, dict(a=-1, b=3)), (init.normal_, dict(mean=2, std=3)),
    (init.trunc_normal_, dict(std=0.5, a=-0.4, b=1)),
    (init.constant_, dict(val=3)), (init.ones_, {}), (init.zeros_, {}),
    (init.xavier_uniform_, {}), (init.xavier_normal_, {}),
    (init.kaiming_uniform_, {}), (init.kaiming_normal_, {}), (init.orthogonal_, {})]


@pytest.mark.parametrize("fill, options", FILLS, ids=lambda v: getattr(v, "__name__", ""))
@pytest.mark.parametrize("dtype", [tinycnn.float32, tinycnn.float64])
def test_fills_in_place_outside_autograd_and_returns_the_tensor(fill, options, dtype):
    x = empty(6, 4, dtype=dtype).requires_grad_()
    array, writes = x.array, x._version.writes
    assert fill(x, **options) is x
    assert x.array is array and x.dtype == dtype and x.is_leaf and x.requires_grad and x._version.writes > writes
    assert np.isfinite(x.array).all()


@pytest.mark.parametrize("fill, options", [f for f in FILLS if f[0] not in (init.constant_, init.ones_, init.zeros_)],
                         ids=lambda v: getattr(v, "__name__", ""))
def test_a_generator_decides_the_numbers(fill, options):
    draws = [fill(empty(5, 5), **options, generator=tinycnn.Generator().manual_seed(seed)).array for seed in (1, 1, 2)]
    assert (draws[0] == draws[1]).all() and (draws[0] != draws[2]).any()


def test_uniform_fills_its_interval():
    x = init.uniform_(empty(*BIG), -1, 3).array
    assert x.min() >= -1 and x.max() < 3
    np.testing.assert_allclose([x.mean(), x.std()], [1, 4 / 12 ** 0.5], atol=0.02)


def test_normal_has_its_moments():
    x = init.normal_(empty(*BIG), 2, 3).array
    np.testing.assert_allclose([x.mean(), x.std()], [2, 3], atol=0.03)


@pytest.mark.parametrize("mean, std, a, b", [(0, 1, -2, 2), (0, 0.02, -2, 2), (1, 2, 0.9, 1.1), (0, 1, 3, 9), (0, 1, -9, -3),
                                             (0, 1, -1, 50), (5, 1, -2, 2)])
def test_truncated_normal_is_the_conditional_distribution(mean, std, a, b):
    x = init.trunc_normal_(empty(20000, dtype=tinycnn.float64), mean, std, a, b).array
    assert x.min() >= a and x.max() <= b

    def cdf(t):
        return np.array([0.5 * math.erfc((mean - v) / std / math.sqrt(2)) for v in np.atleast_1d(t)])
    low, high = cdf(a)[0], cdf(b)[0]
    if high - low < 1e-12 or high == 1 and low > 1 - 1e-9:
        return
    points = np.quantile(x, [0.1, 0.3, 0.5, 0.7, 0.9])
    np.testing.assert_allclose((cdf(points) - low) / (high - low), [0.1, 0.3, 0.5, 0.7, 0.9], atol=0.02)


@pytest.mark.parametrize("shape, fans", [((3, 5), (5, 3)), ((6, 4, 3), (12, 18)), ((6, 4, 3, 2), (24, 36)),
                                         ((2, 3, 4, 5, 6), (360, 240))])
def test_fans(shape, fans):
    assert init._calculate_fan_in_and_fan_out(empty(*shape)) == fans


@pytest.mark.parametrize("fill, options, std", [
    (init.xavier_uniform_, dict(gain=2), 2 * math.sqrt(2 / 2500)), (init.xavier_normal_, {}, math.sqrt(2 / 2500)),
    (init.kaiming_uniform_, {}, math.sqrt(2 / 1000)), (init.kaiming_normal_, dict(mode="fan_out"), math.sqrt(2 / 1500)),
    (init.kaiming_normal_, dict(a=math.sqrt(5)), math.sqrt(1 / 3000)),
    (init.kaiming_uniform_, dict(nonlinearity="tanh"), 5 / 3 / math.sqrt(1000))])
def test_scaled_distributions_have_the_variance_of_their_paper(fill, options, std):
    x = fill(empty(*BIG), **options).array
    np.testing.assert_allclose([x.mean(), x.std()], [0, std], atol=0.02 * std)
    if "uniform" in fill.__name__:
        np.testing.assert_allclose(abs(x).max(), std * 3 ** 0.5, rtol=1e-3)


def test_gains_are_pytorchs():
    torch = pytest.importorskip("torch")
    for name in ("linear", "conv1d", "conv_transpose3d", "sigmoid", "tanh", "relu", "leaky_relu", "selu"):
        assert init.calculate_gain(name) == torch.nn.init.calculate_gain(name)
    assert init.calculate_gain("leaky_relu", 0.3) == torch.nn.init.calculate_gain("leaky_relu", 0.3)


@pytest.mark.parametrize("shape", [(4, 7), (7, 4), (3, 4, 2, 2), (24, 3, 2, 2)])
def test_orthogonal_rows_or_columns(shape):
    w = init.orthogonal_(empty(*shape, dtype=tinycnn.float64), gain=2).array.reshape(shape[0], -1)
    product = w @ w.T if w.shape[0] <= w.shape[1] else w.T @ w
    np.testing.assert_allclose(product, 4 * np.eye(len(product)), atol=1e-12)


def test_orthogonal_signs_are_not_fixed():
    corners = [np.sign(init.orthogonal_(empty(3, 3)).array[0, 0]) for _ in range(20)]
    assert set(corners) == {-1, 1}


def test_sparse_zeroes_the_fraction_of_every_column():
    x = init.sparse_(empty(10, 30), 0.33, std=2).array
    assert ((x == 0).sum(0) == 4).all()
    np.testing.assert_allclose(x[x != 0].std(), 2, rtol=0.2)
    assert len({tuple(column) for column in (x == 0).T}) > 5


@pytest.mark.parametrize("shape, groups", [((4, 4, 3), 1), ((6, 2, 3, 3), 3), ((2, 4, 3, 5), 1), ((4, 2, 3, 3, 3), 2)])
def test_dirac_is_pytorchs_and_eye_is_the_identity(shape, groups):
    torch = pytest.importorskip("torch")
    expected = torch.nn.init.dirac_(torch.empty(*shape), groups).numpy()
    assert (init.dirac_(empty(*shape), groups).array == expected).all()
    assert (init.eye_(empty(3, 5)).array == np.eye(3, 5)).all()


@pytest.mark.parametrize("call, words", [
    (lambda: init.xavier_uniform_(empty(3)), r"at least 2 dimensions, got shape \(3,\)"),
    (lambda: init.kaiming_normal_(empty(3)), "at least 2 dimensions"),
    (lambda: init.kaiming_normal_(empty(3, 3), mode="fan"), "kaiming_normal_: mode must be 'fan_in' or .*, got 'fan'"),
    (lambda: init.kaiming_uniform_(empty(3, 3), nonlinearity="gelu"), "nonlinearity must be one of.*got 'gelu'"),
    (lambda: init.calculate_gain("leaky_relu", "big"), "param, the negative slope, must be a number, got 'big'"),
    (lambda: init.eye_(empty(3)), "eye_: tensor must have 2 dimensions"),
    (lambda: init.dirac_(empty(3, 3)), "dirac_: tensor must have 3, 4 or 5 dimensions"),
    (lambda: init.dirac_(empty(3, 3, 3), 2), "3 output channels do not divide into groups=2"),
    (lambda: init.orthogonal_(empty(3)), "orthogonal_: tensor must have at least 2 dimensions"),
    (lambda: init.sparse_(empty(3), 0.1), "sparse_: tensor must have 2 dimensions"),
    (lambda: init.sparse_(empty(3, 3), 1.1), "sparsity must be between 0 and 1, got 1.1"),
    (lambda: init.uniform_(empty(3), 2, 1), "uniform_: a must not exceed b, got 2 and 1"),
    (lambda: init.normal_(empty(3), 0, -1), "normal_: std must not be negative, got -1"),
    (lambda: init.trunc_normal_(empty(3), 0, 1, 2, 2), "std must be positive and a below b"),
])
def test_bad_arguments_are_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_integers_are_refused():
    with pytest.raises(TypeError, match="uniform_: tensor must be floating point"):
        init.uniform_(tinycnn.zeros(3, dtype=tinycnn.int64))


def test_tensors_without_elements_pass():
    for fill in (init.kaiming_uniform_, init.kaiming_normal_, init.orthogonal_, init.uniform_, init.trunc_normal_):
        assert fill(empty(0, 3)).shape == (0, 3)


# ---- nn.utils ----

def with_grads(*grads):
    ps = [tinycnn.nn.Parameter(tinycnn.zeros(len(g))) for g in grads]
    for p, g in zip(ps, grads):
        p.grad = tinycnn.tensor([float(v) for v in g])
    return ps


def test_clipping_scales_all_gradients_by_one_factor_and_returns_the_norm():
    a, b = ps = with_grads([3, 0], [0, 4])
    without = tinycnn.nn.Parameter(tinycnn.zeros(1))
    assert clip_grad_norm_(iter([*ps, without]), 1.0).item() == 5
    np.testing.assert_allclose([*a.grad.tolist(), *b.grad.tolist()], [0.6, 0, 0, 0.8], rtol=1e-6)
    assert a.grad.dtype == tinycnn.float32
    assert clip_grad_norm_(a, 10.0, norm_type=math.inf).item() == pytest.approx(0.6)
    assert clip_grad_norm_([without], 1.0).item() == 0


def test_clipping_can_refuse_what_is_not_finite():
    ps = with_grads([math.nan, 1])
    with pytest.raises(RuntimeError, match="total norm is nan"):
        clip_grad_norm_(ps, 1.0, error_if_nonfinite=True)
    assert ps[0].grad.tolist()[1] == 1
    with pytest.raises(ValueError, match="norm_type must be positive, got 0"):
        clip_grad_norm_(ps, 1.0, norm_type=0)


def test_clipping_values():
    ps = with_grads([3, -4, 0.5])
    clip_grad_value_(ps, 1)
    assert ps[0].grad.tolist() == [1, -1, 0.5]


def test_parameters_as_one_vector_and_back():
    net = tinycnn.nn.Linear(2, 3)
    vector = parameters_to_vector(net.parameters())
    assert vector.shape == (9,) and vector.requires_grad
    weight = net.weight
    vector_to_parameters(tinycnn.arange(9, dtype=tinycnn.float32), net.parameters())
    assert net.weight is weight and weight.tolist() == [[0, 1], [2, 3], [4, 5]] and net.bias.tolist() == [6, 7, 8]
    with pytest.raises(ValueError, match=r"vec must have shape \(9,\), got \(8,\)"):
        vector_to_parameters(tinycnn.zeros(8), net.parameters())
    with pytest.raises(TypeError, match="vec must be a Tensor"):
        vector_to_parameters([1.0], net.parameters())
