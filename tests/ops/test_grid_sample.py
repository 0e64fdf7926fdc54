"""Sampling at points: what the registry's cases do not show."""
import numpy as np
import pytest

import tinycnn as t
from tinycnn.ops.grid_sample import affine_grid, grid_sample


def ramp(*shape, dtype="float32"):
    return t.tensor(np.arange(np.prod(shape)).reshape(shape).astype(dtype))


def draw(*shape, dtype="float32", seed=0):
    return t.tensor(np.random.default_rng(seed).standard_normal(shape).astype(dtype))


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("size", [(2, 3, 4, 5), (2, 3, 1, 2), (2, 1, 3, 4, 2)])
def test_the_identity_gives_the_picture_back(size, align_corners):
    dims = len(size) - 2
    theta = t.tensor(np.repeat(np.eye(dims, dims + 1)[None], 2, 0))
    x = draw(*size, dtype="float64")
    y = grid_sample(x, affine_grid(theta, size, align_corners), align_corners=align_corners)
    assert np.allclose(y.array, x.array, atol=1e-12)


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.filterwarnings("ignore:Since version 1.3.0")
@pytest.mark.parametrize("size", [(2, 3, 4, 5), (2, 3, 1, 2), (2, 1, 3, 4, 2)])
def test_affine_grid_and_its_gradient_are_pytorchs(size, align_corners):
    torch = pytest.importorskip("torch")
    dims = len(size) - 2
    theta = draw(2, dims, dims + 1, dtype="float64").requires_grad_()
    q = torch.tensor(theta.array, requires_grad=True)
    y, z = affine_grid(theta, size, align_corners), torch.nn.functional.affine_grid(q, list(size), align_corners)
    dy = draw(*y.shape, dtype="float64", seed=1)
    y.backward(dy)
    z.backward(torch.tensor(dy.array))
    assert np.allclose(y.array, z.detach().numpy(), atol=1e-12) and np.allclose(theta.grad.array, q.grad.numpy(), atol=1e-12)


def test_points_outside_read_zeros_the_border_or_the_reflection():
    x = ramp(1, 1, 1, 4) + 1
    far = t.tensor([[[[1.5, 0.0]]]])   # pixel 4.5 of pixels 0 to 3; the edge is at 3.5
    values = [grid_sample(x, far, padding_mode=p).item() for p in ("zeros", "border", "reflection")]
    assert values == [0, 4, 3.5]


@pytest.mark.parametrize("mode", ["nearest", "bilinear", "bicubic"])
@pytest.mark.parametrize("padding_mode", ["zeros", "border", "reflection"])
def test_a_point_that_is_no_number_reads_none(mode, padding_mode):
    nan = float("nan")
    grid = t.tensor([[[[nan, 0.0], [0.0, 0.0], [9.0, nan]]]])
    y = grid_sample(t.ones(1, 1, 2, 2), grid, mode, padding_mode, align_corners=False)
    assert y.isnan().tolist() == [[[[True, False, True]]]]


def test_only_the_wanted_gradient_is_computed():
    x, grid = draw(1, 2, 3, 3), draw(1, 2, 2, 2, seed=1)
    grid_sample(x.requires_grad_(), grid).sum().backward()
    assert x.grad is not None and grid.grad is None
    y = grid_sample(x.detach(), grid.requires_grad_())
    y.backward(t.ones_like(y))
    assert grid.grad.shape == grid.shape and grid.grad.dtype == np.float32


@pytest.mark.parametrize("x, grid, options, message", [
    ((1, 1, 4, 4), (2, 2, 2, 2), {}, r"\(1, 1, 4, 4\) and \(2, 2, 2, 2\)"),
    ((1, 1, 4, 4), (1, 2, 2, 3), {}, r"\(1, 2, 2, 3\)"),
    ((1, 1, 4, 4), (1, 2, 2), {}, r"\(1, 2, 2\)"),
    ((1, 1, 4), (1, 2, 1), {}, r"\(1, 1, 4\)"),
    ((1, 1, 0, 4), (1, 2, 2, 2), {}, r"empty.*\(1, 1, 0, 4\)"),
    ((1, 1, 4, 4), (1, 2, 2, 2), dict(mode="cubic"), "mode.*'cubic'"),
    ((1, 1, 4, 4), (1, 2, 2, 2), dict(padding_mode="circular"), "padding_mode.*'circular'"),
])
def test_grid_sample_says_what_is_wrong(x, grid, options, message):
    with pytest.raises(ValueError, match="grid_sample: .*" + message):
        grid_sample(t.zeros(x), t.zeros(grid), **options)


def test_grid_sample_mixes_no_dtypes():
    with pytest.raises(TypeError, match="same dtype, got float32 and float64"):
        grid_sample(t.zeros(1, 1, 2, 2), t.zeros(1, 2, 2, 2).double())


@pytest.mark.parametrize("theta, size", [((2, 2, 3), (1, 1, 4, 4)), ((1, 3, 4), (1, 1, 4, 4)), ((1, 2, 3), (1, 1, 4))])
def test_affine_grid_says_what_is_wrong(theta, size):
    with pytest.raises(ValueError, match="affine_grid: .*got theta of shape"):
        affine_grid(t.zeros(theta), size)
    with pytest.raises(ValueError, match="positive"):
        affine_grid(t.zeros(1, 2, 3), (1, 1, 0, 4))
