"""Activations and dropout on a GPU: one launch each way, where the formulas would walk through memory several times."""
import importlib
from operator import attrgetter

import numpy as np

from ..engine.arrays import array_module
from ..ops import error_function
from ..ops.activation import ELU, GELU, Sigmoid, SiLU
from ..ops.dropout import Dropout
from ..ops.rectifier import Hardsigmoid, Hardswish, Hardtanh, LeakyReLU, ReLU
from .launch import launch, like, serves, threads


def each(name, x, *others, numbers=()):
    """The kernel `name` of elementwise.cu on arrays of one shape, with the `numbers` that it takes besides."""
    xp = array_module(x)
    x, *others = like(x, x, *others)
    y = xp.empty(x.shape, x.dtype)
    launch("elementwise", name, xp, x.dtype, threads(x.size), x, *others, y, x.size, *numbers)
    return y


def on_gpu(ctx, x, **options):
    """Arrays on a GPU."""
    return serves(x)


# ---- forward ---------------------------------------------------------------------------------------------------------

@LeakyReLU.forward.road(on_gpu)
def leaky_relu_in_one_launch(ctx, x, slope):
    """One launch."""
    ctx.slope = slope
    ctx.save_for_backward(x > 0)
    return each("leaky_relu", x, numbers=(slope,))


@ELU.forward.road(on_gpu)
def elu_in_one_launch(ctx, x, alpha, scale, input_scale):
    """One launch."""
    ctx.alpha, ctx.scale, ctx.input_scale = alpha, scale, input_scale
    ctx.save_for_backward(x)
    return each("elu", x, numbers=(alpha, scale, input_scale))


@GELU.forward.road(on_gpu)
def gelu_in_one_launch(ctx, x, approximate):
    """One launch."""
    ctx.exact = approximate == "none"
    ctx.save_for_backward(x)
    return each("gelu", x, numbers=(ctx.exact,))


def forward_in_one_launch(function, name, keeps_y=False):
    """Give `function`, y = f(x), a road of forward that saves y, or else x."""
    @function.forward.road(on_gpu)
    def forward(ctx, x):
        """One launch."""
        y = each(name, x)
        ctx.save_for_backward(y if keeps_y else x)
        return y


forward_in_one_launch(Hardsigmoid, "hardsigmoid", keeps_y=True)
forward_in_one_launch(Hardswish, "hardswish")
forward_in_one_launch(Sigmoid, "sigmoid", keeps_y=True)
forward_in_one_launch(SiLU, "silu")


# ---- backward, with the numbers that forward left on ctx ---------------------------------------------------------------

def backward_in_one_launch(function, name, numbers=lambda ctx: ()):
    """Give `function` a road of backward: dx from dy and the one array that forward saved."""
    @function.backward.road(on_gpu)
    def backward(ctx, dy):
        """One launch."""
        return each(name, dy, *ctx.saved_tensors, numbers=numbers(ctx))


backward_in_one_launch(ReLU, "relu_backward")
backward_in_one_launch(LeakyReLU, "leaky_relu_backward", lambda ctx: (ctx.slope,))
backward_in_one_launch(Hardtanh, "hardtanh_backward", attrgetter("low", "high"))
backward_in_one_launch(Hardsigmoid, "hardsigmoid_backward")
backward_in_one_launch(Hardswish, "hardswish_backward")
backward_in_one_launch(Sigmoid, "sigmoid_backward")
backward_in_one_launch(SiLU, "silu_backward")
backward_in_one_launch(ELU, "elu_backward", attrgetter("alpha", "scale", "input_scale"))
backward_in_one_launch(GELU, "gelu_backward", lambda ctx: (ctx.exact,))


# ---- dropout ---------------------------------------------------------------------------------------------------------

def of_elements(ctx, x, keep, scale):
    """Arrays on a GPU, with a mask of their shape."""
    return serves(x) and keep.shape == x.shape


def of_elements_backward(ctx, dy):
    """Arrays on a GPU, with a mask of their shape."""
    return serves(dy) and ctx.saved_tensors[0].shape == dy.shape


@Dropout.forward.road(of_elements)
def dropout_in_one_launch(ctx, x, keep, scale):
    """One launch."""
    ctx.scale = scale
    ctx.save_for_backward(keep)
    return each("keep_scaled", x, keep, numbers=(scale,))


@Dropout.backward.road(of_elements_backward)
def dropout_gradient_in_one_launch(ctx, dy):
    """One launch."""
    return each("keep_scaled", dy, *ctx.saved_tensors, numbers=(ctx.scale,)), None


# ---- the error function ------------------------------------------------------------------------------------------------

def gpu_array(x):
    """Arrays on a GPU."""
    return serves(x)


def by_cupy(name):
    """Give the formula `name` CuPy's function as a road, which answers float16 in another dtype."""
    @getattr(error_function, name).road(gpu_array)
    def compute(x):
        """CuPy's own: one launch."""
        function = getattr(importlib.import_module("cupyx.scipy.special"), name)
        return function(x.astype(np.float32)).astype(x.dtype) if x.dtype == np.float16 else function(x)


for _name in ("erf", "erfc", "erfinv"):
    by_cupy(_name)
