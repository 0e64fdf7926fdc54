"""Spectral normalisation, w / sigma, with sigma the largest factor by which w lengthens a vector.

sigma is the largest singular value of w as a matrix of one row an output unit (dimension `dim`). One power iteration a step,
u <- W v / |W v|, v <- W^T u / |W^T u|, keeps u and v close to its singular vectors while W changes slowly, and
sigma = u^T W v; u and v count as constants in the gradient. Source: Miyato, Kataoka, Koyama and Yoshida, "Spectral
normalization for generative adversarial networks" (2018).
"""
from ...engine.grad_mode import no_grad
from ...ops.random import randn
from .. import functional as F
from ..conv import ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from ..parameter import Parameter
from .weight_norm import find_hook, take_hook


def default_dim(module):
    """The dimension of a weight that counts the output units."""
    return 1 if isinstance(module, (ConvTranspose1d, ConvTranspose2d, ConvTranspose3d)) else 0


def as_matrix(w, dim):
    """w with `dim` as rows and all else as columns."""
    return w.movedim(dim, 0).flatten(1)


def unit_vector(size, like, eps):
    """A random vector of length 1."""
    return F.normalize(randn(size, dtype=like.dtype, device=like.device), dim=0, eps=eps)


@no_grad()
def power_iteration(matrix, left, right, steps, eps):
    """Turn left towards matrix right, and right towards matrix^T left, `steps` times, in place."""
    for _ in range(steps):
        left.copy_(F.normalize(matrix @ right, dim=0, eps=eps))
        right.copy_(F.normalize(matrix.t() @ left, dim=0, eps=eps))


def over_sigma(w, matrix, u, v):
    """w / (u^T matrix v); copies of u and v enter the graph, since the next iteration overwrites them."""
    return w / (u.clone() @ (matrix @ v.clone()))


class SpectralNorm:
    """The hook that computes the weight before every forward, after a power iteration in training."""

    def __init__(self, name, n_power_iterations, dim, eps):
        self.name, self.n_power_iterations, self.dim, self.eps = name, n_power_iterations, dim, eps

    def compute_weight(self, module, iterate):
        """w / sigma of this module."""
        w, u, v = (getattr(module, self.name + part) for part in ("_orig", "_u", "_v"))
        matrix = as_matrix(w, self.dim)
        if iterate:
            power_iteration(matrix.detach().t(), v, u, self.n_power_iterations, self.eps)
        return over_sigma(w, matrix, u, v)

    def __call__(self, module, inputs):
        setattr(module, self.name, self.compute_weight(module, module.training))


def spectral_norm(module, name="weight", n_power_iterations=1, eps=1e-12, dim=None):
    """Divide the Parameter `name` of `module`, from now on `name_orig`, by its largest singular value; returns the module.

    Buffers: `name_u`, `name_v`. `parametrizations.spectral_norm` does the same in PyTorch's newer form, with other names in
    the state dict.
    """
    if n_power_iterations <= 0:
        raise ValueError(f"spectral_norm: n_power_iterations must be positive, got {n_power_iterations}")
    if find_hook(module, SpectralNorm, name):
        raise RuntimeError(f"spectral_norm: {name!r} of {type(module).__name__} is normalised already")
    weight = module._parameters.get(name)
    if weight is None:
        raise ValueError(f"spectral_norm: {type(module).__name__} has no parameter {name!r}")
    hook = SpectralNorm(name, n_power_iterations, default_dim(module) if dim is None else dim, eps)
    rows, columns = as_matrix(weight.detach(), hook.dim).shape
    delattr(module, name)
    module.register_parameter(name + "_orig", weight)
    setattr(module, name, weight.detach())
    module.register_buffer(name + "_u", unit_vector(rows, weight, eps))
    module.register_buffer(name + "_v", unit_vector(columns, weight, eps))
    module.register_forward_pre_hook(hook)
    return module


def remove_spectral_norm(module, name="weight"):
    """Make `name` a Parameter again, with its present value."""
    hook = take_hook("remove_spectral_norm", module, SpectralNorm, name)
    weight = hook.compute_weight(module, False).detach()
    for part in ("", "_orig", "_u", "_v"):
        delattr(module, name + part)
    module.register_parameter(name, Parameter(weight))
    return module
