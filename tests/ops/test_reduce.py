"""Reductions and extremes: arguments, dtypes, empty tensors, and what is refused."""
import itertools
import math

import numpy as np
import pytest

import tinycnn as t

DIFFERENTIABLE = ["sum", "mean", "std", "var", "amax", "amin", "norm", "logsumexp"]


def both(values, dtype=None):
    torch = pytest.importorskip("torch")
    array = np.array(values, dtype)
    return t.tensor(array), torch.tensor(array)


def same(ours, theirs):
    """Equal values, shapes and dtypes, of one tensor or a tuple of them."""
    if isinstance(theirs, tuple):
        assert isinstance(ours, tuple) and len(ours) == len(theirs)
        for a, b in zip(ours, theirs):
            same(a, b)
        return
    assert ours.shape == tuple(theirs.shape) and f"torch.{ours.dtype.name}" == str(theirs.dtype)
    np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-12)


@pytest.mark.parametrize("name", ["sum", "mean", "std", "var", "amax", "amin", "any", "all", "var_mean", "std_mean",
                                  "nansum"])
def test_every_way_to_name_dimensions_means_what_it_means_in_pytorch(name):
    torch = pytest.importorskip("torch")
    x, y = both(np.random.default_rng(0).standard_normal((2, 3, 4)))
    same(getattr(t, name)(x), getattr(torch, name)(y))
    dims = [0, 1, -1, (0,), (1, 2), (-1, 0), (0, 1, 2), [0, 2]]
    for dim, keepdim in itertools.product(dims, (False, True)):
        same(getattr(t, name)(x, dim, keepdim=keepdim), getattr(torch, name)(y, dim, keepdim=keepdim))
    for dim in dims:
        if "_" not in name and name != "nansum":
            same(getattr(x, name)(axis=dim, keepdims=True), getattr(y, name)(axis=dim, keepdims=True))


@pytest.mark.parametrize("name", ["max", "min", "argmax", "argmin", "prod", "cumsum", "logsumexp", "norm", "count_nonzero"])
def test_reductions_along_one_dimension_are_those_of_pytorch(name):
    torch = pytest.importorskip("torch")
    x, y = both(np.random.default_rng(0).integers(-2, 3, (3, 5, 4)).astype(float))
    for dim in (0, 1, -1):
        options = dict(p=3) if name == "norm" else {}
        same(getattr(t, name)(x, dim=dim, **options), getattr(torch, name)(y, dim=dim, **options))
        if name not in ("cumsum", "count_nonzero"):
            same(getattr(x, name)(dim=dim, keepdim=True, **options), getattr(y, name)(dim=dim, keepdim=True, **options))


def test_the_first_of_equal_elements_wins():
    x = t.tensor([[1, 3, 3], [2, 2, 0]])
    assert t.argmax(x, 1).tolist() == [1, 0] and x.max(1).indices.tolist() == [1, 0]
    assert t.argmin(t.tensor([1.0, 0.0, 0.0])).item() == 1 and t.argmax(x).item() == 1
    assert t.argmax(x).dtype == t.int64 and t.argmax(x, keepdim=True).shape == (1, 1)


def test_max_over_a_dimension_is_a_named_pair():
    result = t.tensor([[1.0, 5.0]]).max(dim=1)
    values, indices = result
    assert result.values is values and result.indices is indices and indices.dtype == t.int64


def test_max_of_two_tensors_is_maximum():
    assert t.max(t.tensor([1, 5]), t.tensor([3, 4])).tolist() == [3, 5]
    assert t.tensor([1, 5]).min(t.tensor([3, 4])).tolist() == [1, 4]


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int32", "int64", "float16", "float32", "float64"])
@pytest.mark.parametrize("name", ["sum", "prod", "cumsum", "max", "amin", "any", "all", "argmax", "count_nonzero"])
def test_dtypes_of_results_are_those_of_pytorch(name, dtype):
    torch = pytest.importorskip("torch")
    x, y = both([[0, 1], [1, 1]], dtype)
    if (name, dtype) in (("any", "uint8"), ("all", "uint8"), ("argmax", "bool")):
        pytest.skip("PyTorch keeps uint8 for the sake of old programs, and has no argmax of booleans")
    same(getattr(t, name)(x, 0), getattr(torch, name)(y, 0))
    if name != "cumsum":
        same(getattr(t, name)(x), getattr(torch, name)(y))


def test_dtype_converts_first():
    x = t.tensor([1, 2])
    assert x.mean(dtype=t.float64).dtype == x.sum(dtype=t.float64).dtype == x.prod(dtype=t.float64).dtype == t.float64
    assert x.cumsum(0, dtype=t.float32).dtype == t.float32 and x.mean(dtype=t.float32).item() == 1.5


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_float32_stays_float32(name):
    x = t.rand(3, 4, requires_grad=True)
    for dim in ((0, 1), 1):
        y = getattr(t, name)(x, dim=dim)
        assert y.dtype == t.float32
        y.sum().backward()
        assert x.grad.dtype == t.float32
    assert t.var(x, correction=np.int64(1)).dtype == t.norm(x, np.float64(3)).dtype == t.float32


def test_0d_tensors_have_one_dimension_to_reduce():
    torch = pytest.importorskip("torch")
    x, y = both(2.5)
    for name in ("sum", "mean", "prod", "amax", "max", "argmax", "any", "logsumexp", "norm", "cumsum", "count_nonzero"):
        options = dict(p=2) if name == "norm" else {}
        same(getattr(t, name)(x, dim=0, **options), getattr(torch, name)(y, dim=0, **options))
        same(getattr(t, name)(x, dim=-1, **options), getattr(torch, name)(y, dim=-1, **options))


def test_empty_tensors_reduce_as_in_pytorch():
    torch = pytest.importorskip("torch")
    x, y = t.zeros(0, 3), torch.zeros(0, 3)
    for name in ("sum", "mean", "prod", "any", "all", "count_nonzero", "nansum", "norm"):
        same(getattr(t, name)(x), getattr(torch, name)(y))
        if name != "norm":
            same(getattr(t, name)(x, dim=0), getattr(torch, name)(y, dim=0))
            same(getattr(t, name)(x, dim=1), getattr(torch, name)(y, dim=1))
    same(t.logsumexp(x, 0), torch.logsumexp(y, 0))
    same(t.amax(x, 1), torch.amax(y, 1))
    same(tuple(t.max(x, 1)), tuple(torch.max(y, 1)))
    same(t.cumsum(x, 0), torch.cumsum(y, 0))
    assert math.isnan(t.zeros(0).var().item()) and math.isnan(t.ones(1).std().item())


def test_unbiased_and_correction_say_the_same():
    x = t.tensor([1.0, 2.0, 6.0])
    assert x.var(False).item() == x.var(unbiased=False).item() == x.var(correction=0).item() == pytest.approx(14 / 3)
    assert x.var().item() == x.var(0, True).item() == x.var(unbiased=True).item() == pytest.approx(7)
    assert [v.item() for v in t.std_mean(x, False)] == pytest.approx([math.sqrt(14 / 3), 3])


@pytest.mark.parametrize("p", [0, 0.5, 1, 2, 3.5, math.inf, -math.inf, "fro"])
@pytest.mark.parametrize("dim", [None, 1, (0, 1)])
def test_norms_and_their_gradients_are_those_of_pytorch(p, dim):
    torch = pytest.importorskip("torch")
    x, y = both([[3.0, -4.0, 1.0], [2.0, 0.5, -1.0]])
    x.requires_grad_()
    y.requires_grad_()
    ours, theirs = t.norm(x, p, dim), torch.norm(y, p, dim)
    np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), rtol=1e-12)
    (ours ** 2).sum().backward()
    (theirs ** 2).sum().backward()
    expected = np.zeros(x.shape) if p == 0 else y.grad.numpy()  # PyTorch has None for p = 0
    np.testing.assert_allclose(x.grad.numpy(), expected, rtol=1e-12)


def test_the_variance_of_large_numbers_keeps_its_digits():
    x = t.tensor([1e6 + 1, 1e6 + 2, 1e6 + 3])
    assert x.var().item() == 1


def test_logsumexp_of_nothing_but_minus_infinity():
    x = t.tensor([[-math.inf, -math.inf], [0.0, -math.inf]])
    assert t.logsumexp(x, 1).tolist() == [-math.inf, 0]
    assert t.logsumexp(t.tensor([math.inf, 1.0]), 0).item() == math.inf


def test_nan_is_not_overlooked():
    x = t.tensor([1.0, math.nan, 2.0])
    for y in (x.max(), x.min(), x.amax(), x.max(0).values, x.sum(), x.mean(), x.std(), x.norm(), x.logsumexp(0)):
        assert math.isnan(y.item())
    assert x.argmax().item() == 1 and x.nansum().item() == 3


def test_the_gradient_of_a_sum_may_be_added_to():
    """It is handed on as a view of one number, which nobody may write into."""
    x = t.zeros(2, 3, requires_grad=True)
    (x.sum() + x.sum(0).sum() + (2 * x).sum()).backward()
    x.grad += 1
    assert x.grad.tolist() == [[5] * 3] * 2


@pytest.mark.parametrize("call, exception, message", [
    (lambda x: x.sum(3), IndexError, "sum: dim must be from -2 to 1 for a tensor of 2 dimensions, got 3"),
    (lambda x: x.mean((0, -3)), IndexError, "mean: dim must be from -2 to 1.*got -3"),
    (lambda x: x.max(2), IndexError, "max: dim must be from -2 to 1.*got 2"),
    (lambda x: x.argmin(2), IndexError, "argmin: dim must be from -2 to 1.*got 2"),
    (lambda x: x.cumsum(-3), IndexError, "cumsum: dim must be from -2 to 1.*got -3"),
    (lambda x: x.prod(2), IndexError, "prod: dim must be from -2 to 1.*got 2"),
    (lambda x: t.tensor(1.0).sum(1), IndexError, "sum: dim must be from -1 to 0 for a tensor of 0 dimensions, got 1"),
    (lambda x: x.sum((0, -2)), RuntimeError, r"sum: dim \(0, -2\) names one dimension twice"),
    (lambda x: x.sum(0, 1), TypeError, "sum: keepdim must be True or False, got 1; several dims go into a tuple"),
    (lambda x: x.mean(0, 1), TypeError, "mean: keepdim must be"),
    (lambda x: x.prod(0, 1), TypeError, "prod: keepdim must be"),
    (lambda x: x.any(0, 1), TypeError, "any: keepdim must be"),
    (lambda x: x.sum(1.5), TypeError, "sum: dim must be an integer, got 1.5"),
    (lambda x: x.argmax((0, 1)), TypeError, r"argmax: dim must be an integer, got \(0, 1\)"),
    (lambda x: x.prod((0, 1)), TypeError, r"prod: dim must be an integer, got \(0, 1\)"),
    (lambda x: x.long().mean(), TypeError, "mean: input must be floating point, got int64"),
    (lambda x: x.long().std(), TypeError, "std: input must be floating point, got int64"),
    (lambda x: x.var(0, True, correction=1), ValueError, "var: unbiased and correction"),
    (lambda x: x.norm("nuc"), ValueError, "norm: p must be a number or 'fro', got 'nuc'"),
    (lambda x: t.sum([1.0]), TypeError, "sum: input must be a Tensor, got list"),
    (lambda x: t.zeros(0, 3).max(), RuntimeError, r"max: input \(0, 3\) has no elements"),
    (lambda x: t.zeros(0, 3).max(0), IndexError, r"max: input \(0, 3\) has no elements to choose from along dim 0"),
    (lambda x: t.zeros(0, 3).amin(0), IndexError, r"amin: dim 0 of input \(0, 3\) has no elements"),
    (lambda x: t.zeros(0).argmax(), IndexError, r"argmax: input \(0,\) has no elements to choose from"),
])
def test_bad_input_is_refused_by_name(call, exception, message):
    with pytest.raises(exception, match=message):
        call(t.ones(2, 3))
