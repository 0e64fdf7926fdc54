"""What several families share: convolution with norm and activation, squeeze-and-excitation, stochastic depth, widths."""
from functools import partial

from .. import nn
from ..nn import functional as F

he_normal_ = partial(nn.init.kaiming_normal_, mode="fan_out", nonlinearity="relu")


def initialise(model, conv=he_normal_, linear=None):
    """Fill the weights of all convolutions with `conv(weight)`, of linear layers with `linear(weight)`; their biases are 0.

    None leaves the layers of that kind as they are. Batch norm starts as the identity anyway.
    """
    for m in model.modules():
        fill = conv if isinstance(m, (nn.Conv2d, nn.Conv3d)) else linear if isinstance(m, nn.Linear) else None
        if fill is not None:
            fill(m.weight)
            if m.bias is not None:
                nn.init.zeros_(m.bias)


def check_size(model, x, least):
    """Raise ValueError unless the pictures x (N, C, *S) are at least `least` pixels high and wide."""
    if x.ndim < 4 or min(x.shape[-2:]) < least:
        raise ValueError(f"{type(model).__name__}: expected pictures (N, C, H, W) of at least {least}x{least} pixels, "
                         f"got shape {tuple(x.shape)}")


def conv_norm(in_channels, out_channels, kernel_size=3, stride=1, padding=None, groups=1, norm_layer=nn.BatchNorm2d,
              activation=nn.ReLU, dilation=1, bias=None):
    """Sequential of a convolution "0", its normalisation "1" and its activation "2"; either of the latter may be None.

    `padding` None keeps the size at stride 1; `bias` None leaves the bias to the normalisation, if there is one.
    """
    if padding is None:
        padding = (kernel_size - 1) // 2 * dilation
    layers = [nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding, dilation, groups,
                        bias=norm_layer is None if bias is None else bias)]
    layers += [norm_layer(out_channels)] if norm_layer else []
    layers += [activation()] if activation else []
    return nn.Sequential(*layers)


class SqueezeExcitation(nn.Module):
    """Weigh the channels of x (N, C, H, W): their means, through a bottleneck, say which of them matter here.

    Source: Hu, Shen and Sun, "Squeeze-and-excitation networks" (2018).
    """

    def __init__(self, input_channels, squeeze_channels, activation=nn.ReLU, scale_activation=nn.Sigmoid):
        super().__init__()
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc1 = nn.Conv2d(input_channels, squeeze_channels, 1)
        self.fc2 = nn.Conv2d(squeeze_channels, input_channels, 1)
        self.activation, self.scale_activation = activation(), scale_activation()

    def forward(self, x):
        return x * self.scale_activation(self.fc2(self.activation(self.fc1(self.avgpool(x)))))


class StochasticDepth(nn.Module):
    """Drop whole items of the batch x (N, ...) with probability p in training, so that a residual branch is left out.

    A network of random depth trains like an ensemble of shallow ones, and the gradient finds short ways. What remains is
    divided by 1 - p. Source: Huang et al., "Deep networks with stochastic depth" (2016).
    """

    def __init__(self, p):
        super().__init__()
        self.p = p

    def forward(self, x):
        if not self.training or self.p == 0:
            return x
        return x * F.dropout(x.new_ones((x.shape[0],) + (1,) * (x.ndim - 1)), self.p)

    def extra_repr(self):
        return f"p={self.p}"


class Permute(nn.Module):
    """x.permute(dims) as a layer."""

    def __init__(self, dims):
        super().__init__()
        self.dims = dims

    def forward(self, x):
        return x.permute(self.dims)

    def extra_repr(self):
        return f"{self.dims}"


class LayerNorm2d(nn.LayerNorm):
    """Layer norm over the channels of every pixel of x (N, C, H, W)."""

    def forward(self, x):
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def make_divisible(width, divisor=8, least=None):
    """The multiple of `divisor` nearest to `width`, at least `least` (or `divisor`) and not more than 10 % below `width`."""
    rounded = max(least or divisor, int(width + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * width else rounded
