"""Parametrizations that are in use, see `parametrize.py`."""
from .. import functional as F
from ..module import Module
from .parametrize import register_parametrization
from .spectral_norm import as_matrix, default_dim, over_sigma, power_iteration, unit_vector
from .weight_norm import length, normalized


class _WeightNorm(Module):
    """original0, original1 -> original0 original1 / |original1|."""

    def __init__(self, dim=0):
        super().__init__()
        self.dim = -1 if dim is None else dim

    def forward(self, weight_g, weight_v):
        return normalized(weight_v, weight_g, self.dim)

    def right_inverse(self, weight):
        """The length and, as direction, the weight itself."""
        return length(weight, self.dim), weight


def weight_norm(module, name="weight", dim=0):
    """Learn length and direction of the Parameter `name` apart: w = g v / |v|, see `weight_norm.py`; returns the module."""
    return register_parametrization(module, name, _WeightNorm(dim), unsafe=True)


class _SpectralNorm(Module):
    """w -> w / sigma(w). Buffers: `_u`, `_v`, unless w is a vector, whose sigma is its length."""

    def __init__(self, weight, n_power_iterations=1, dim=0, eps=1e-12):
        super().__init__()
        if not -weight.ndim <= dim < weight.ndim:
            raise IndexError(f"spectral_norm: dim must be from {-weight.ndim} to {weight.ndim - 1}, got {dim}")
        if n_power_iterations <= 0:
            raise ValueError(f"spectral_norm: n_power_iterations must be positive, got {n_power_iterations}")
        self.dim, self.eps, self.n_power_iterations = dim % weight.ndim, eps, n_power_iterations
        if weight.ndim > 1:
            matrix = as_matrix(weight.detach(), self.dim)
            self.register_buffer("_u", unit_vector(matrix.shape[0], weight, eps))
            self.register_buffer("_v", unit_vector(matrix.shape[1], weight, eps))
            power_iteration(matrix, self._u, self._v, 15, eps)

    def forward(self, weight):
        if weight.ndim == 1:
            return F.normalize(weight, dim=0, eps=self.eps)
        matrix = as_matrix(weight, self.dim)
        if self.training:
            power_iteration(matrix.detach(), self._u, self._v, self.n_power_iterations, self.eps)
        return over_sigma(weight, matrix, self._u, self._v)

    def right_inverse(self, value):
        """The value itself, whose sigma should be 1 already."""
        return value


def spectral_norm(module, name="weight", n_power_iterations=1, eps=1e-12, dim=None):
    """Divide the Parameter `name` by its largest singular value, see `spectral_norm.py`; returns the module."""
    weight = getattr(module, name, None)
    if weight is None:
        raise ValueError(f"spectral_norm: {type(module).__name__} has no parameter {name!r}")
    dim = default_dim(module) if dim is None else dim
    return register_parametrization(module, name, _SpectralNorm(weight, n_power_iterations, dim, eps))
