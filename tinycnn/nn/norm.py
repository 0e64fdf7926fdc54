"""Normalisation layers: the parameters and running statistics; the mathematics is in `ops/norm.py`."""
from ..engine.dtype import int64
from ..ops.creation import ones, zeros
from . import functional as F
from . import init
from .arguments import integer
from .module import Module
from .parameter import Parameter


class _ChannelNorm(Module):
    """What batch and instance norm share: a scale and a shift for every channel, and running statistics."""
    dimensions = ()  # how many the input may have
    _optional_state = ("num_batches_tracked",)  # checkpoints from before PyTorch 0.4.1 have none

    def __init__(self, num_features, eps, momentum, affine, track_running_stats, device, dtype, bias):
        super().__init__()
        self.num_features = integer(type(self).__name__, "num_features", num_features, 0)
        self.eps, self.momentum, self.affine, self.track_running_stats = eps, momentum, affine, track_running_stats
        place = dict(device=device, dtype=dtype)
        self.register_parameter("weight", Parameter(ones(num_features, **place)) if affine else None)
        self.register_parameter("bias", Parameter(zeros(num_features, **place)) if affine and bias else None)
        self.register_buffer("running_mean", zeros(num_features, **place) if track_running_stats else None)
        self.register_buffer("running_var", ones(num_features, **place) if track_running_stats else None)
        self.register_buffer("num_batches_tracked", zeros((), dtype=int64, device=device) if track_running_stats else None)

    def reset_running_stats(self):
        """Mean 0, variance 1, no batch seen."""
        if self.track_running_stats:
            init.zeros_(self.running_mean)
            init.ones_(self.running_var)
            init.zeros_(self.num_batches_tracked)

    def reset_parameters(self):
        """Scale 1, shift 0, and `reset_running_stats`."""
        self.reset_running_stats()
        if self.affine:
            init.ones_(self.weight)
            if self.bias is not None:
                init.zeros_(self.bias)

    def _check_input(self, input):
        name = type(self).__name__
        if input.ndim not in self.dimensions:
            expected = " or ".join(f"{n}D" for n in self.dimensions)
            raise ValueError(f"{name}: expected {expected} input, got {input.ndim}D input of shape {input.shape}")
        channels = input.shape[self._channel_dim(input)]
        if channels != self.num_features:
            raise ValueError(f"{name}: expected input with num_features={self.num_features} channels, got {channels} in "
                             f"shape {input.shape}")

    def _channel_dim(self, input):
        return 1

    def extra_repr(self):
        return (f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
                f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}")


class _BatchNorm(_ChannelNorm):
    """What the three batch norms share."""

    def __init__(self, num_features, eps=1e-5, momentum=0.1, affine=True, track_running_stats=True, device=None, dtype=None,
                 *, bias=True):
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias)

    def forward(self, input):
        self._check_input(input)
        tracking = self.training and self.track_running_stats
        momentum = self.momentum
        if momentum is None:
            momentum = 1 / (int(self.num_batches_tracked) + 1) if tracking else 0.0
        statistics = (self.running_mean, self.running_var) if tracking or not self.training else (None, None)
        output = self._normalise(input, *statistics, self.training or not self.track_running_stats, momentum)
        if tracking:
            self.num_batches_tracked.array += 1
        return output

    def _normalise(self, input, running_mean, running_var, training, momentum):
        return F.batch_norm(input, running_mean, running_var, self.weight, self.bias, training, momentum, self.eps)


class BatchNorm1d(_BatchNorm):
    """Normalise every feature of x (N, C) or (N, C, L) over the batch, then scale and shift it; see `F.batch_norm`.

    Parameters: `weight` and `bias` (C,), unless `affine=False`. Buffers: `running_mean`, `running_var`,
    `num_batches_tracked`, what `eval()` uses in place of the batch, unless `track_running_stats=False`. `momentum` is the
    weight of the newest batch in them; None makes them plain means over all batches.
    """
    dimensions = (2, 3)


class BatchNorm2d(_BatchNorm):
    """Normalise every channel of x (N, C, H, W) over the batch and the picture, see BatchNorm1d."""
    dimensions = (4,)


class BatchNorm3d(_BatchNorm):
    """Normalise every channel of x (N, C, D, H, W) over the batch and the volume, see BatchNorm1d."""
    dimensions = (5,)


class _InstanceNorm(_ChannelNorm):
    """What the three instance norms share."""

    def __init__(self, num_features, eps=1e-5, momentum=0.1, affine=False, track_running_stats=False, device=None,
                 dtype=None, *, bias=True):
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias)

    def _channel_dim(self, input):
        return input.ndim - self.dimensions[0]

    def forward(self, input):
        self._check_input(input)
        if input.ndim == self.dimensions[0]:
            return self.forward(input.unsqueeze(0)).squeeze(0)
        return F.instance_norm(input, self.running_mean, self.running_var, self.weight, self.bias,
                               self.training or not self.track_running_stats,
                               0.0 if self.momentum is None else self.momentum, self.eps)


class InstanceNorm1d(_InstanceNorm):
    """Normalise every channel of every item of x (N, C, L) or (C, L) over L, see `F.instance_norm`.

    Parameters `weight` and `bias` (C,) only with `affine=True`, running statistics only with `track_running_stats=True`.
    """
    dimensions = (2, 3)


class InstanceNorm2d(_InstanceNorm):
    """Normalise every channel of every picture of x (N, C, H, W) or (C, H, W), see InstanceNorm1d."""
    dimensions = (3, 4)


class InstanceNorm3d(_InstanceNorm):
    """Normalise every channel of every volume of x (N, C, D, H, W) or (C, D, H, W), see InstanceNorm1d."""
    dimensions = (4, 5)


class GroupNorm(Module):
    """Split the channels of x (N, C, *S) into `num_groups` and normalise each over its channels and S, see `F.group_norm`.

    Parameters: `weight` and `bias` (C,), unless `affine=False`.
    """

    def __init__(self, num_groups, num_channels, eps=1e-5, affine=True, device=None, dtype=None, *, bias=True):
        super().__init__()
        self.num_groups = integer("GroupNorm", "num_groups", num_groups, 1)
        self.num_channels = integer("GroupNorm", "num_channels", num_channels, 1)
        if num_channels % num_groups:
            raise ValueError(f"GroupNorm: num_channels must be divisible by num_groups, got {num_channels} and {num_groups}")
        self.eps, self.affine = eps, affine
        place = dict(device=device, dtype=dtype)
        self.register_parameter("weight", Parameter(ones(num_channels, **place)) if affine else None)
        self.register_parameter("bias", Parameter(zeros(num_channels, **place)) if affine and bias else None)

    def reset_parameters(self):
        """Scale 1, shift 0."""
        _reset(self.weight, self.bias)

    def forward(self, input):
        return F.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self):
        return (f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, "
                f"bias={self.bias is not None}")


def _reset(weight, bias):
    if weight is not None:
        init.ones_(weight)
    if bias is not None:
        init.zeros_(bias)


def _shape_of(layer, normalized_shape):
    """`normalized_shape`, an integer or several, as a tuple."""
    sizes = normalized_shape if isinstance(normalized_shape, (tuple, list)) else (normalized_shape,)
    if not sizes:
        raise ValueError(f"{layer}: normalized_shape must have at least one dimension, got {normalized_shape!r}")
    return tuple(integer(layer, "normalized_shape", size, 1) for size in sizes)


class LayerNorm(Module):
    """Normalise x (..., *normalized_shape) over its last dimensions, then scale and shift it, see `F.layer_norm`.

    Parameters: `weight` and `bias` of shape normalized_shape, unless `elementwise_affine=False`; `bias=False` leaves the
    shift out.
    """

    def __init__(self, normalized_shape, eps=1e-5, elementwise_affine=True, bias=True, device=None, dtype=None):
        super().__init__()
        self.normalized_shape = shape = _shape_of("LayerNorm", normalized_shape)
        self.eps, self.elementwise_affine = eps, elementwise_affine
        self.register_parameter("weight", Parameter(ones(shape, device=device, dtype=dtype)) if elementwise_affine else None)
        self.register_parameter("bias", Parameter(zeros(shape, device=device, dtype=dtype))
                                if elementwise_affine and bias else None)

    def reset_parameters(self):
        """Scale 1, shift 0."""
        _reset(self.weight, self.bias)

    def forward(self, input):
        return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self):
        return (f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}, "
                f"bias={self.bias is not None}")


class RMSNorm(Module):
    """Divide x (..., *normalized_shape) by its root mean square over the last dimensions and scale it, see `F.rms_norm`.

    Parameter: `weight` of shape normalized_shape, unless `elementwise_affine=False`. `eps` None is the dtype's epsilon.
    """

    def __init__(self, normalized_shape, eps=None, elementwise_affine=True, device=None, dtype=None):
        super().__init__()
        self.normalized_shape = shape = _shape_of("RMSNorm", normalized_shape)
        self.eps, self.elementwise_affine = eps, elementwise_affine
        self.register_parameter("weight", Parameter(ones(shape, device=device, dtype=dtype)) if elementwise_affine else None)

    def reset_parameters(self):
        """Scale 1."""
        _reset(self.weight, None)

    def forward(self, input):
        return F.rms_norm(input, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self):
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"


class LocalResponseNorm(Module):
    """Divide each channel by a power of the mean square of the `size` channels around it, see `F.local_response_norm`."""

    def __init__(self, size, alpha=1e-4, beta=0.75, k=1.0):
        super().__init__()
        self.size = integer("LocalResponseNorm", "size", size, 1)
        self.alpha, self.beta, self.k = alpha, beta, k

    def forward(self, input):
        return F.local_response_norm(input, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self):
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"
