"""Convolutions and transposed convolutions in one, two and three dimensions."""
import math

from ..ops.creation import empty
from . import functional as F
from . import init
from .arguments import integer, integers, one_of
from .module import Module
from .parameter import Parameter

PADDING_MODES = ("zeros", "reflect", "replicate", "circular")


class _ConvNd(Module):
    """What all six layers share: the checked arguments, the parameters, their initial values, and the repr."""
    dimensions = 0
    transposed = False

    def __init__(self, in_channels, out_channels, kernel_size, stride, padding, output_padding, groups, bias, dilation,
                 padding_mode, device, dtype):
        super().__init__()
        name, n = type(self).__name__, self.dimensions
        self.in_channels = integer(name, "in_channels", in_channels, 0)
        self.out_channels = integer(name, "out_channels", out_channels, 0)
        self.groups = integer(name, "groups", groups, 1)
        for word, channels in (("in_channels", in_channels), ("out_channels", out_channels)):
            if channels % groups:
                raise ValueError(f"{name}: {word} must be divisible by groups, got {channels} and groups={groups}")
        self.kernel_size = integers(name, "kernel_size", kernel_size, n, 1)
        self.stride = integers(name, "stride", stride, n, 1)
        self.dilation = integers(name, "dilation", dilation, n, 1)
        self.output_padding = integers(name, "output_padding", output_padding, n, 0)
        self.padding_mode = one_of(name, "padding_mode", padding_mode, PADDING_MODES)
        if isinstance(padding, str) and not self.transposed:
            self.padding = one_of(name, "padding", padding, ("valid", "same"))
            if padding == "same" and any(s != 1 for s in self.stride):
                raise ValueError(f"{name}: padding='same' needs stride 1, got {self.stride}")
        else:
            self.padding = integers(name, "padding", padding, n, 0)
        first, second = (in_channels, out_channels) if self.transposed else (out_channels, in_channels)
        self.weight = Parameter(empty(first, second // groups, *self.kernel_size, device=device, dtype=dtype))
        self.register_parameter("bias", Parameter(empty(out_channels, device=device, dtype=dtype)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self):
        """Draw weight and bias anew, uniform in +-1 / sqrt(fan_in)."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))  # the gain for this slope makes the bound 1 / sqrt(fan_in)
        fan_in = init._calculate_fan_in_and_fan_out(self.weight)[0]
        if self.bias is not None and fan_in:
            init.uniform_(self.bias, -1 / math.sqrt(fan_in), 1 / math.sqrt(fan_in))

    def extra_repr(self):
        n = self.dimensions
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        for name, usual in (("padding", (0,) * n), ("dilation", (1,) * n), ("output_padding", (0,) * n), ("groups", 1)):
            if getattr(self, name) != usual:
                text += f", {name}={getattr(self, name)}"
        text += ", bias=False" if self.bias is None else ""
        return text if self.padding_mode == "zeros" else f"{text}, padding_mode={self.padding_mode}"


class _Convolution(_ConvNd):
    """What Conv1d, Conv2d and Conv3d share; `function` is theirs."""
    function = None

    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0, dilation=1, groups=1, bias=True,
                 padding_mode="zeros", device=None, dtype=None):
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, 0, groups, bias, dilation, padding_mode,
                         device, dtype)

    def _borders(self):
        """The padding for `F.pad`: left and right of the last dimension, then of the one before, ..."""
        if self.padding == "same":
            totals = [d * (k - 1) for d, k in zip(self.dilation, self.kernel_size)]
            pairs = [(total // 2, total - total // 2) for total in totals]
        else:
            pairs = [(p, p) for p in ((0,) * self.dimensions if self.padding == "valid" else self.padding)]
        return [p for pair in reversed(pairs) for p in pair]

    def forward(self, input):
        padding = self.padding
        if self.padding_mode != "zeros":
            input, padding = F.pad(input, self._borders(), mode=self.padding_mode), 0
        return self.function(input, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)


class Conv1d(_Convolution):
    """x (N, in_channels, L) -> y (N, out_channels, L'), see `F.conv1d`.

    Parameters: `weight` (out_channels, in_channels / groups, *kernel_size), `bias` (out_channels). `padding` is a width for
    each dimension, "valid" (none) or "same" (what keeps the size, for stride 1); `padding_mode` what stands there: "zeros",
    "reflect", "replicate" or "circular".
    """
    dimensions = 1
    function = staticmethod(F.conv1d)


class Conv2d(_Convolution):
    """x (N, in_channels, H, W) -> y (N, out_channels, H', W'), see `F.conv2d`; the options are those of Conv1d."""
    dimensions = 2
    function = staticmethod(F.conv2d)


class Conv3d(_Convolution):
    """x (N, in_channels, D, H, W) -> y (N, out_channels, D', H', W'), see `F.conv3d`; the options are those of Conv1d."""
    dimensions = 3
    function = staticmethod(F.conv3d)


class _TransposedConvolution(_ConvNd):
    """What the three transposed convolutions share; `function` is theirs."""
    transposed = True
    function = None

    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0, output_padding=0, groups=1, bias=True,
                 dilation=1, padding_mode="zeros", device=None, dtype=None):
        one_of(type(self).__name__, "padding_mode", padding_mode, ("zeros",))
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, output_padding, groups, bias, dilation,
                         padding_mode, device, dtype)

    def _output_padding(self, input, output_size):
        """The output_padding with which the result has the spatial size `output_size`."""
        n, name = self.dimensions, type(self).__name__
        wanted = tuple(output_size)[-n:]
        geometry = zip(input.shape[-n:], self.stride, self.padding, self.dilation, self.kernel_size)
        smallest = [(size - 1) * s - 2 * p + d * (k - 1) + 1 for size, s, p, d, k in geometry]
        if len(wanted) != n or not all(low <= w < low + s for low, w, s in zip(smallest, wanted, self.stride)):
            largest = [low + s - 1 for low, s in zip(smallest, self.stride)]
            raise ValueError(f"{name}: output_size must be between {smallest} and {largest} for an input of shape "
                             f"{input.shape}, got {output_size}")
        return tuple(w - low for low, w in zip(smallest, wanted))

    def forward(self, input, output_size=None):
        output_padding = self.output_padding if output_size is None else self._output_padding(input, output_size)
        return self.function(input, self.weight, self.bias, self.stride, self.padding, output_padding, self.groups,
                             self.dilation)


class ConvTranspose1d(_TransposedConvolution):
    """x (N, in_channels, L) -> y (N, out_channels, L'), the gradient of Conv1d as a layer, see `F.conv_transpose1d`.

    Parameters: `weight` (in_channels, out_channels / groups, *kernel_size), `bias` (out_channels). With stride s, s output
    sizes belong to one input size; `output_padding`, or `output_size` in the call, chooses.
    """
    dimensions = 1
    function = staticmethod(F.conv_transpose1d)


class ConvTranspose2d(_TransposedConvolution):
    """x (N, in_channels, H, W) -> y (N, out_channels, H', W'), see ConvTranspose1d."""
    dimensions = 2
    function = staticmethod(F.conv_transpose2d)


class ConvTranspose3d(_TransposedConvolution):
    """x (N, in_channels, D, H, W) -> y (N, out_channels, D', H', W'), see ConvTranspose1d."""
    dimensions = 3
    function = staticmethod(F.conv_transpose3d)
