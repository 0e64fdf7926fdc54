"""Layers that learn from their first input how many channels it has: `LazyLinear(10)` for `Linear(?, 10)`.

Until then their parameters are placeholders without a shape. The first call, or `load_state_dict`, fills them, and the layer
becomes one of the ordinary class; the Parameter objects stay, so an optimizer may be made before. Initialise such a network,
and count its parameters, after that call.
"""
import inspect

from ..engine.construct import as_tensor
from .conv import Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from .linear import Linear
from .module import Module
from .norm import BatchNorm1d, BatchNorm2d, BatchNorm3d, InstanceNorm1d, InstanceNorm2d, InstanceNorm3d
from .parameter import Parameter


class UninitializedParameter(Parameter):
    """A Parameter whose shape is not known yet."""

    @property
    def shape(self):
        """Not known: raises RuntimeError."""
        raise RuntimeError("this parameter is uninitialized and has no shape yet: run one batch through the network first")

    def numel(self):
        """Not known: raises RuntimeError."""
        return len(self.shape)

    nelement = size = numel

    def __repr__(self):
        return "<UninitializedParameter>"


class _Lazy(Module):
    """What all lazy layers share; `cls_to_become` is the class of the layer that each becomes."""
    cls_to_become = None
    count = ""  # its attribute for the channels of the input

    def _start(self, args, options):
        """Be a layer for inputs without channels, whose parameters are placeholders."""
        self.cls_to_become.__init__(self, 0, *args, **options)
        self._arguments = args, options
        for p in self._parameters.values():
            if p is not None:
                p.__class__ = UninitializedParameter

    def _become(self, channels):
        """Be an ordinary layer for inputs of so many channels."""
        args, options = self._arguments
        layer = self.cls_to_become(channels, *args, **options)
        for name, p in self._parameters.items():
            if p is not None:
                p.array, p.__class__ = layer.to(dtype=p.dtype, device=p.device)._parameters[name].array, Parameter
        for name, buffer in self._buffers.items():
            if buffer is not None:
                self._buffers[name] = layer.to(device=buffer.device)._buffers[name].to(buffer.dtype)
        setattr(self, self.count, channels)
        del self._arguments
        self.__class__ = self.cls_to_become

    def has_uninitialized_params(self):
        """Whether the channels of the input are not known yet: true as long as the layer is lazy."""
        return True

    def initialize_parameters(self, input):
        """Become an ordinary layer for inputs like this one."""
        self._become(input.shape[self._channel_dim(input)])

    def forward(self, input, *args, **options):
        self.initialize_parameters(input)
        return self.forward(input, *args, **options)  # that of the ordinary class

    def _load_from_state_dict(self, state_dict, prefix, *lists):
        loaded = [state_dict[prefix + name] for name in ("weight", "running_mean") if prefix + name in state_dict]
        if not loaded:
            super()._load_from_state_dict(state_dict, prefix, *lists)
            return
        self._become(self._channels_of(as_tensor(loaded[0]).shape))
        self._load_from_state_dict(state_dict, prefix, *lists)  # that of the ordinary class


class _LazyLinear(_Lazy):
    count = "in_features"

    def _channel_dim(self, input):
        return -1

    def _channels_of(self, weight):
        return weight[1]


class _LazyConv(_Lazy):
    count = "in_channels"

    def _channel_dim(self, input):
        return -1 - self.dimensions

    def _channels_of(self, weight):
        return weight[0] if self.transposed else weight[1] * self.groups


class _LazyNorm(_Lazy):
    count = "num_features"

    def _channels_of(self, weight):
        return weight[0]


def _lazy(family, cls, model=None):
    """The lazy class for `cls`. Its constructor has the arguments and defaults of `model` (cls) without the channels."""
    own, _, *rest = inspect.signature((model or cls).__init__).parameters.values()
    arguments = inspect.Signature([own, *rest])

    def __init__(self, *args, **options):
        given = arguments.bind(self, *args, **options)
        given.apply_defaults()
        self._start(given.args[1:], given.kwargs)
    __init__.__signature__ = arguments
    return type(f"Lazy{cls.__name__}", (family, cls), dict(
        __init__=__init__, cls_to_become=cls, __module__=__name__,
        __doc__=f"{cls.__name__} that finds its first argument, `{family.count}`, when it sees the first input."))


LazyLinear = _lazy(_LazyLinear, Linear)
LazyConv1d, LazyConv2d, LazyConv3d = (_lazy(_LazyConv, cls) for cls in (Conv1d, Conv2d, Conv3d))
LazyConvTranspose1d, LazyConvTranspose2d, LazyConvTranspose3d = (
    _lazy(_LazyConv, cls) for cls in (ConvTranspose1d, ConvTranspose2d, ConvTranspose3d))
LazyBatchNorm1d, LazyBatchNorm2d, LazyBatchNorm3d = (
    _lazy(_LazyNorm, cls) for cls in (BatchNorm1d, BatchNorm2d, BatchNorm3d))
LazyInstanceNorm1d, LazyInstanceNorm2d, LazyInstanceNorm3d = (
    _lazy(_LazyNorm, cls, BatchNorm1d) for cls in (InstanceNorm1d, InstanceNorm2d, InstanceNorm3d))  # as in PyTorch
