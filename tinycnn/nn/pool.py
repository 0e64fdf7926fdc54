"""Pooling layers. They have no parameters; the mathematics is in `ops/pool_max.py` and `ops/pool_average.py`."""
from . import functional as F
from .arguments import integer, integers
from .module import Module


class _Pool(Module):
    """What all layers with a window share: `kernel_size`, `stride` (None: the kernel's size) and `padding`."""
    dimensions = 0

    def __init__(self, kernel_size, stride, padding=0):
        super().__init__()
        name, n = type(self).__name__, self.dimensions
        kernel = integers(name, "kernel_size", kernel_size, n, 1)
        if stride is not None:
            integers(name, "stride", stride, n, 1)
        for p, k in zip(integers(name, "padding", padding, n, 0), kernel):
            if p > k // 2:
                raise ValueError(f"{name}: padding must be at most half of kernel_size, got padding={padding} and "
                                 f"kernel_size={kernel_size}")
        self.kernel_size, self.padding = kernel_size, padding
        self.stride = kernel_size if stride is None else stride

    def extra_repr(self):
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class _MaxPool(_Pool):
    """What the three max pools share."""

    def __init__(self, kernel_size, stride=None, padding=0, dilation=1, return_indices=False, ceil_mode=False):
        super().__init__(kernel_size, stride, padding)
        integers(type(self).__name__, "dilation", dilation, self.dimensions, 1)
        self.dilation, self.return_indices, self.ceil_mode = dilation, return_indices, ceil_mode

    def forward(self, input):
        return self.pool(input, self.kernel_size, self.stride, self.padding, self.dilation, ceil_mode=self.ceil_mode,
                         return_indices=self.return_indices)

    def extra_repr(self):
        return f"{super().extra_repr()}, dilation={self.dilation}, ceil_mode={self.ceil_mode}"


class MaxPool1d(_MaxPool):
    """The largest value in every window of x (N, C, L); with `return_indices` also where it stood."""
    dimensions, pool = 1, staticmethod(F.max_pool1d)


class MaxPool2d(_MaxPool):
    """The largest value in every window of x (N, C, H, W); with `return_indices` also where it stood."""
    dimensions, pool = 2, staticmethod(F.max_pool2d)


class MaxPool3d(_MaxPool):
    """The largest value in every window of x (N, C, D, H, W); with `return_indices` also where it stood."""
    dimensions, pool = 3, staticmethod(F.max_pool3d)


class _MaxUnpool(_Pool):
    """What the three unpoolings share."""

    def __init__(self, kernel_size, stride=None, padding=0):
        super().__init__(kernel_size, stride, padding)
        name, n = type(self).__name__, self.dimensions
        self.kernel_size = integers(name, "kernel_size", kernel_size, n, 1)
        self.stride = integers(name, "stride", self.stride, n, 1)
        self.padding = integers(name, "padding", padding, n, 0)

    def forward(self, input, indices, output_size=None):
        return self.unpool(input, indices, self.kernel_size, self.stride, self.padding, output_size)


class MaxUnpool1d(_MaxUnpool):
    """Puts the values of MaxPool1d back where they stood, between zeros; called with the pool's output and indices."""
    dimensions, unpool = 1, staticmethod(F.max_unpool1d)


class MaxUnpool2d(_MaxUnpool):
    """Puts the values of MaxPool2d back where they stood, between zeros; called with the pool's output and indices."""
    dimensions, unpool = 2, staticmethod(F.max_unpool2d)


class MaxUnpool3d(_MaxUnpool):
    """Puts the values of MaxPool3d back where they stood, between zeros; called with the pool's output and indices."""
    dimensions, unpool = 3, staticmethod(F.max_unpool3d)


class AvgPool1d(_Pool):
    """The mean of every window of x (N, C, L); without `count_include_pad` padding does not count as values."""
    dimensions = 1

    def __init__(self, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True):
        super().__init__(kernel_size, stride, padding)
        self.kernel_size = integers("AvgPool1d", "kernel_size", kernel_size, 1, 1)
        self.stride = integers("AvgPool1d", "stride", self.stride, 1, 1)
        self.padding = integers("AvgPool1d", "padding", padding, 1, 0)
        self.ceil_mode, self.count_include_pad = ceil_mode, count_include_pad

    def forward(self, input):
        return F.avg_pool1d(input, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad)


class _AvgPool(_Pool):
    """What AvgPool2d and AvgPool3d share."""

    def __init__(self, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True, divisor_override=None):
        super().__init__(kernel_size, stride, padding)
        if divisor_override is not None and divisor_override == 0:
            raise ValueError(f"{type(self).__name__}: divisor_override must not be 0")
        self.ceil_mode, self.count_include_pad, self.divisor_override = ceil_mode, count_include_pad, divisor_override

    def forward(self, input):
        return self.pool(input, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad,
                         self.divisor_override)


class AvgPool2d(_AvgPool):
    """The mean of every window of x (N, C, H, W): its sum divided by the number of values, or by `divisor_override`.

    Without `count_include_pad` padding does not count as values.
    """
    dimensions, pool = 2, staticmethod(F.avg_pool2d)


class AvgPool3d(_AvgPool):
    """The mean of every window of x (N, C, D, H, W), with the options of AvgPool2d."""
    dimensions, pool = 3, staticmethod(F.avg_pool3d)


class _LPPool(_Pool):
    """What the power-average pools share."""

    def __init__(self, norm_type, kernel_size, stride=None, ceil_mode=False):
        super().__init__(kernel_size, stride)
        if norm_type == 0:
            raise ValueError(f"{type(self).__name__}: norm_type must not be 0")
        self.norm_type, self.stride, self.ceil_mode = norm_type, stride, ceil_mode

    def forward(self, input):
        return self.pool(input, self.norm_type, self.kernel_size, self.stride, self.ceil_mode)

    def extra_repr(self):
        return (f"norm_type={self.norm_type}, kernel_size={self.kernel_size}, stride={self.stride}, "
                f"ceil_mode={self.ceil_mode}")


class LPPool1d(_LPPool):
    """(sum x^p)^(1/p) over every window of x (N, C, L), p = `norm_type`: a sum for 1, near the maximum for large p."""
    dimensions, pool = 1, staticmethod(F.lp_pool1d)


class LPPool2d(_LPPool):
    """(sum x^p)^(1/p) over every window of x (N, C, H, W), see LPPool1d."""
    dimensions, pool = 2, staticmethod(F.lp_pool2d)


class LPPool3d(_LPPool):
    """(sum x^p)^(1/p) over every window of x (N, C, D, H, W), see LPPool1d."""
    dimensions, pool = 3, staticmethod(F.lp_pool3d)


class _AdaptivePool(Module):
    """What the adaptive pools share: `output_size`, whose entries may be None, "as in the input"."""
    dimensions = 0

    def __init__(self, output_size):
        super().__init__()
        name = type(self).__name__
        sizes = list(output_size) if isinstance(output_size, (tuple, list)) else [output_size]
        if len(sizes) not in (1, self.dimensions):
            raise ValueError(f"{name}: output_size must be one integer or {self.dimensions}, got {output_size!r}")
        for size in sizes:
            if size is not None:
                integer(name, "output_size", size, 1)
        self.output_size = output_size

    def extra_repr(self):
        return f"output_size={self.output_size}"


class _AdaptiveAvgPool(_AdaptivePool):
    def forward(self, input):
        return self.pool(input, self.output_size)


class _AdaptiveMaxPool(_AdaptivePool):
    def __init__(self, output_size, return_indices=False):
        super().__init__(output_size)
        self.return_indices = return_indices

    def forward(self, input):
        return self.pool(input, self.output_size, self.return_indices)


class AdaptiveAvgPool1d(_AdaptiveAvgPool):
    """x (N, C, L) -> y (N, C, output_size): means of windows of nearly equal size."""
    dimensions, pool = 1, staticmethod(F.adaptive_avg_pool1d)


class AdaptiveAvgPool2d(_AdaptiveAvgPool):
    """x (N, C, H, W) -> y (N, C, *output_size): means of windows of nearly equal size; output_size 1 is global pooling."""
    dimensions, pool = 2, staticmethod(F.adaptive_avg_pool2d)


class AdaptiveAvgPool3d(_AdaptiveAvgPool):
    """x (N, C, D, H, W) -> y (N, C, *output_size): means of windows of nearly equal size."""
    dimensions, pool = 3, staticmethod(F.adaptive_avg_pool3d)


class AdaptiveMaxPool1d(_AdaptiveMaxPool):
    """x (N, C, L) -> y (N, C, output_size): the largest values of windows of nearly equal size."""
    dimensions, pool = 1, staticmethod(F.adaptive_max_pool1d)


class AdaptiveMaxPool2d(_AdaptiveMaxPool):
    """x (N, C, H, W) -> y (N, C, *output_size): the largest values of windows of nearly equal size."""
    dimensions, pool = 2, staticmethod(F.adaptive_max_pool2d)


class AdaptiveMaxPool3d(_AdaptiveMaxPool):
    """x (N, C, D, H, W) -> y (N, C, *output_size): the largest values of windows of nearly equal size."""
    dimensions, pool = 3, staticmethod(F.adaptive_max_pool3d)
