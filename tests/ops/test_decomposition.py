"""Gradients of decompositions where numbers leave the range in which their squares can be held."""
import numpy as np
import pytest

import tinycnn as t


def gradient(a, du, ds, dv):
    """dA of <du, U> + <ds, s> + <dv, V^T>."""
    a = t.tensor(a, requires_grad=True)
    u, s, vh = t.linalg.svd(a, full_matrices=False)
    return t.autograd.grad([u, s, vh], a, [t.tensor(du), t.tensor(ds), t.tensor(dv)])[0].numpy()


@pytest.mark.parametrize("shape", [(3, 3), (4, 2), (2, 4)])
@pytest.mark.parametrize("c", [1e-200, 1e200])
def test_singular_vectors_do_not_change_with_the_scale_of_a_matrix(shape, c):
    rng = np.random.default_rng(0)
    a, k = rng.standard_normal(shape), min(shape)
    du, ds, dv = rng.standard_normal((shape[0], k)), rng.standard_normal(k), rng.standard_normal((k, shape[1]))
    # U(cA) = U(A), s(cA) = c s(A): by the chain rule c dA at cA is that at A, with ds scaled by c
    np.testing.assert_allclose(gradient(c * a, du, 0 * ds, dv) * c, gradient(a, du, 0 * ds, dv), rtol=1e-10)
    np.testing.assert_allclose(gradient(c * a, 0 * du, ds, 0 * dv), gradient(a, 0 * du, ds, 0 * dv), rtol=1e-10)


@pytest.mark.parametrize("shape", [(1, 1), (3, 2), (2, 3)])
def test_singular_values_alone_have_slopes_where_they_are_zero(shape):
    a = t.zeros(*shape, requires_grad=True)
    t.linalg.svdvals(a)[0].backward()
    assert np.abs(a.grad.numpy()).sum() == 1, "s_1 = u^T A v with unit vectors along axes"
