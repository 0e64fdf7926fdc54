"""Normalisation on processors: in rows of any length, and as exact as the numbers allow."""
import numpy as np
import pytest

import tinycnn
from tests.helpers.roads import make_small
from tinycnn.cpu import layout, sums
from tinycnn.cpu.compiled import missing
from tinycnn.nn import functional as F

needs_loops = pytest.mark.skipif(missing() != "", reason="the roads of NumPy are less exact")


@pytest.fixture(params=[1, 2, 3])
def threads(request, monkeypatch):
    """One, two or three threads, which take even the smallest work; pieces so small that every operation has several."""
    make_small(monkeypatch, request.param)
    return request.param


def test_layer_norm_keeps_small_differences_of_large_numbers(threads):
    """Mean 1000, deviation 1: a variance in one pass, mean(x^2) - mean(x)^2, would have no right digit."""
    rng = np.random.default_rng(0)
    x = tinycnn.tensor((1000 + rng.standard_normal((40, 30))).astype("f"), requires_grad=True)
    w = tinycnn.tensor(rng.standard_normal(30, dtype=np.float32), requires_grad=True)
    y = F.layer_norm(x, (30,), w)
    y.backward(y.detach().cos())
    assert {v.dtype for v in (y, x.grad, w.grad)} == {tinycnn.float32}
    exact = x.array.astype(float) - x.array.mean(1, float, keepdims=True)
    exact /= exact.std(1, keepdims=True)
    np.testing.assert_allclose(y.detach().array, w.array * exact, atol=3e-4)
    np.testing.assert_allclose(w.grad.array, (np.cos(y.detach().array) * exact).sum(0), atol=3e-3)


def test_second_derivatives_of_layer_norm_are_those_of_the_formula(threads):
    rng = np.random.default_rng(0)
    values, v = rng.standard_normal((2, 4, 6))

    def second():
        x, w = tinycnn.tensor(values, requires_grad=True), tinycnn.tensor(v[0], requires_grad=True)
        y = F.layer_norm(x, (6,), w)
        (dx,) = tinycnn.autograd.grad((y * y * y).sum(), x, create_graph=True)
        return [g.array for g in tinycnn.autograd.grad((dx * tinycnn.tensor(v)).sum(), (x, w))]
    with tinycnn.plainly():
        expected = second()
    for a, b in zip(second(), expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("shape", [(7, 3), (5, 4, 9), (2, 3, 61, 67), (1, 1, 40, 50), (3, 700, 2, 1), (1, 9000, 2, 2)])
@pytest.mark.parametrize("channels_last", [True, False])
def test_batch_norm_in_rows_of_any_length_is_plain_batch_norm(shape, channels_last):
    def run():
        x = tinycnn.tensor(a, requires_grad=True)
        y = F.batch_norm(x, None, None, w, b, training=True)
        return [t.array for t in (y.detach(), *tinycnn.autograd.grad(y, (x, w, b), dy))]
    rng = np.random.default_rng(0)
    a = rng.standard_normal(shape)
    if channels_last:
        a = layout.channels_first(layout.channels_last(a))
    w, b = (tinycnn.tensor(rng.standard_normal(shape[1]), requires_grad=True) for _ in range(2))
    dy = tinycnn.tensor(rng.standard_normal(shape))
    with tinycnn.plainly():
        expected = run()
    for x, y in zip(run(), expected, strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-11, atol=1e-11)


def test_batch_norm_is_as_exact_as_float32_allows_where_the_mean_is_large():
    rng = np.random.default_rng(0)
    x, dy = rng.standard_normal((8, 3, 40, 40)) + 30, rng.standard_normal((8, 3, 40, 40)) + 0.5
    x[0] -= 3

    def run(dtype):
        t, w, b = (tinycnn.tensor(a, dtype=dtype, requires_grad=True) for a in (x.astype(np.float32), [2.0] * 3, [1.0] * 3))
        mean, variance = tinycnn.zeros(3, dtype=dtype), tinycnn.zeros(3, dtype=dtype)
        y = F.batch_norm(t, mean, variance, w, b, training=True, momentum=1.0)
        gradients = tinycnn.autograd.grad(y, (t, w, b), tinycnn.tensor(dy, dtype=dtype))
        return [r.detach().array for r in (mean, variance, y, *gradients)]
    for got, exact in zip(run(tinycnn.float32), run(tinycnn.float64), strict=True):
        assert abs(got - exact).max() <= 2e-4 * abs(exact).max()


def test_the_variance_of_a_large_constant_is_never_negative():
    mean, variance = tinycnn.zeros(2), tinycnn.zeros(2)
    x = tinycnn.full((64, 2, 64, 64), 1e8)
    x[:, 1] = 3e7 + 1
    y = F.batch_norm(x, mean, variance, training=True, momentum=1.0)
    assert variance.array.min() >= 0 and np.isfinite(y.array).all()


def layouts(a):
    """The array a (N, C, *S) in memory as it is, with channels last, with gaps, and one that nobody may write to."""
    gaps = np.zeros((*a.shape[:-1], 2 * a.shape[-1]), a.dtype)[..., ::2]
    gaps[...] = a
    closed = a.copy()
    closed.flags.writeable = False
    return {"first": a, "last": layout.channels_first(layout.channels_last(a)), "gaps": gaps, "read-only": closed}


def norms(channels):
    """Every normalisation of (N, C, *S), as functions of x, weight and bias."""
    groups = next(g for g in (4, 3, 2, 1) if channels % g == 0)
    return {"batch": lambda x, w, b: F.batch_norm(x, None, None, w, b, training=True),
            "evaluated": lambda x, w, b: F.batch_norm(x, w.detach(), b.detach() ** 2 + 1, w, b),
            "instance": lambda x, w, b: F.instance_norm(x, None, None, w, b),
            "group": lambda x, w, b: F.group_norm(x, groups, w, b),
            "layer": lambda x, w, b: F.layer_norm(x.movedim(1, -1), (channels,), w, b),
            "rms": lambda x, w, b: F.rms_norm(x.movedim(1, -1), (channels,), w),
            "image": lambda x, w, b: F.layer_norm(x, x.shape[1:])}


def differentiated(norm, a, vectors, g):
    """y, dx, dw and db (where they are) of arrays."""
    x, w, b = tinycnn.from_numpy(a).requires_grad_(), *(tinycnn.tensor(v, requires_grad=True) for v in vectors)
    y = norm(x, w, b)
    g = np.moveaxis(g, 1, -1) if y.shape != g.shape else g
    grads = tinycnn.autograd.grad(y, (x, w, b), tinycnn.from_numpy(g), allow_unused=True)
    return [t.detach().array for t in (y, *grads) if t is not None]


def drawn(shape, dtype="float64", seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal(shape).astype(dtype), rng.standard_normal((2, shape[1])).astype(dtype), rng.standard_normal(
        shape).astype(dtype)


@pytest.mark.parametrize("kind", norms(1))
@pytest.mark.parametrize("shape", [(5, 6, 131), (2, 20, 61, 67), (3, 300, 3, 2), (130, 7, 1, 1, 3)])
def test_every_layout_in_memory_gives_the_same(shape, kind, monkeypatch):
    make_small(monkeypatch)
    a, vectors, g = drawn(shape)
    norm = norms(shape[1])[kind]
    with tinycnn.plainly():
        expected = differentiated(norm, a, vectors, g)
    dys = layouts(g)
    for (name, x), dy in zip(layouts(a).items(), (dys["last"], dys["gaps"], dys["read-only"], dys["first"])):
        for found, right in zip(differentiated(norm, x, vectors, dy), expected, strict=True):
            np.testing.assert_allclose(found, right, rtol=1e-10, atol=1e-10, err_msg=name)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", norms(1))
@pytest.mark.parametrize("layout", ["first", "last"])
def test_the_last_bit_does_not_depend_on_the_number_of_threads(layout, kind, dtype, monkeypatch):
    monkeypatch.setattr("tinycnn.cpu.workers.WORTH", 1e-9)
    a, vectors, g = drawn((9, 33, 41, 29), dtype)
    results = []
    for threads in (1, 2, 3):
        monkeypatch.setattr("tinycnn.cpu.workers._threads", threads)
        results.append(differentiated(norms(33)[kind], layouts(a)[layout], vectors, g))
    for other in results[1:]:
        for x, y in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(x, y)


@needs_loops
@pytest.mark.parametrize("kind", norms(1))
@pytest.mark.parametrize("layout", ["first", "last"])
@pytest.mark.parametrize("trouble", ["plain", "offset", "outliers"])
def test_float32_is_nearly_as_exact_as_the_formula(trouble, layout, kind):
    """Errors against float64, at most three times those of the formula; where it makes none, some units of rounding."""
    a, vectors, g = drawn((8, 24, 32, 32), "float32")
    if trouble == "offset":
        a += 300
    if trouble == "outliers":  # where a row of pixels begins, and with it a block of pixels that are summed
        a[..., 0] += 50
    norm, x = norms(24)[kind], layouts(a)[layout]
    exact = differentiated(norm, *(v.astype(float) for v in (a, vectors, g)))
    found = differentiated(norm, x, vectors, g)
    with tinycnn.plainly():
        plain = differentiated(norm, x, vectors, g)
    for got, formula, right in zip(found, plain, exact, strict=True):
        error, allowed = (np.sqrt(np.mean((v - right) ** 2)) for v in (got, formula))
        assert error <= 3 * allowed + 2e-7 * np.sqrt(np.mean(right ** 2))


@pytest.mark.parametrize("kind", norms(1))
@pytest.mark.parametrize("layout", ["first", "last"])
@pytest.mark.parametrize("special", [np.nan, np.inf, -np.inf])
def test_special_numbers_go_where_the_formula_takes_them(special, layout, kind, monkeypatch):
    make_small(monkeypatch)
    a, vectors, g = drawn((4, 6, 5, 7))
    a[1, 2, 0, 0] = a[3, 4, 4, 6] = special
    norm, x = norms(6)[kind], layouts(a)[layout]
    found = differentiated(norm, x, vectors, g)
    with tinycnn.plainly():
        expected = differentiated(norm, x, vectors, g)
    for got, right in zip(found, expected, strict=True):
        np.testing.assert_allclose(got, right, rtol=1e-9, atol=1e-9)


@needs_loops
@pytest.mark.parametrize("layout", ["first", "last"])
def test_the_running_mean_of_an_infinite_number_is_infinite(layout):
    a, _, _ = drawn((4, 6, 5, 7), "float32")
    a[0, 2, 0, 0], a[3, 4, 4, 6] = np.inf, -np.inf
    mean, variance = tinycnn.zeros(6), tinycnn.zeros(6)
    F.batch_norm(tinycnn.from_numpy(layouts(a)[layout]), mean, variance, training=True, momentum=1.0)
    assert np.isposinf(mean.array[2]) and np.isneginf(mean.array[4]) and np.isfinite(mean.array).sum() == 4
    assert np.isnan(variance.array).tolist() == [False, False, True, False, True, False]


@needs_loops
@pytest.mark.parametrize("channels", [1, 3, 10, 65, 1000])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sums_of_columns_are_exact_and_do_not_depend_on_threads(channels, dtype, monkeypatch):
    monkeypatch.setattr("tinycnn.cpu.workers.WORTH", 1e-9)
    x = (np.random.default_rng(0).standard_normal((3001, channels)) + 5).astype(dtype)
    results = []
    for threads in (1, 2, 3):
        monkeypatch.setattr("tinycnn.cpu.workers._threads", threads)
        results.append(sums.column_sums(x))
        np.testing.assert_array_equal(results[0], results[-1])
    assert results[0].dtype == dtype
    np.testing.assert_allclose(results[0], x.sum(0, np.float64), rtol=3e-7 if dtype == "float32" else 1e-14)
    np.testing.assert_allclose(sums.column_sums(x[::2]), x[::2].sum(0), rtol=1e-4)
