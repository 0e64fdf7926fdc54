"""Activations, dropout, sums, products and the error function as loops of `elementwise.py`, where Numba is installed."""
import numpy as np

from ..ops import elementwise as formulas
from ..ops import error_function
from ..ops.activation import ELU, GELU, Sigmoid, SiLU, Softplus, Tanh
from ..ops.dropout import Dropout
from ..ops.elementwise import Add, Mul, Sub
from ..ops.rearrange import Cat, along
from ..ops.rectifier import Hardsigmoid, Hardswish, Hardtanh, LeakyReLU, ReLU
from . import elementwise as loops
from .elementwise import each
from .serving import compiled_floats
from .workers import by_pieces, large, parallel

LEAST = 2**17    # numbers from which one operation alone, which NumPy does as fast, is worth several cores


# ---- activations -----------------------------------------------------------------------------------------------------

def floats(ctx, x, **options):
    """NumPy arrays of float32 or float64, where Numba is installed."""
    return compiled_floats(x)


def loops_for(function, forward, backward, keeps_y=False, options=lambda ctx: ()):
    """Give `function` two loops as roads. Forward saves y, or else x.

    `options(ctx, **options)` leaves the options on ctx, as the formula does; both ways it returns the loops' numbers.
    """
    @function.forward.road(floats)
    def forward_in_a_loop(ctx, x, **given):
        """A compiled loop."""
        y = each(forward, x, numbers=options(ctx, **given))
        ctx.save_for_backward(y if keeps_y else x)
        return y

    @function.backward.road(floats)
    def backward_in_a_loop(ctx, dy):
        """A compiled loop."""
        return each(backward, dy, *ctx.saved_tensors, numbers=options(ctx))


def bounds(ctx, low=None, high=None):
    """Of Hardtanh."""
    if low is not None:
        ctx.bounds = low, high
    return ctx.bounds


def bends(ctx, beta=None, threshold=None):
    """Of Softplus."""
    if beta is not None:
        ctx.beta, ctx.threshold = beta, threshold
    return ctx.beta, ctx.threshold


loops_for(ReLU, loops.relu, loops.relu_gradient, keeps_y=True)
loops_for(Hardtanh, loops.hardtanh, loops.hardtanh_gradient, keeps_y=True, options=bounds)
loops_for(Hardsigmoid, loops.hardsigmoid, loops.hardsigmoid_gradient, keeps_y=True)
loops_for(Hardswish, loops.hardswish, loops.hardswish_gradient)
loops_for(Sigmoid, loops.sigmoid, loops.sigmoid_gradient, keeps_y=True)
loops_for(Tanh, loops.tanh_of, loops.tanh_gradient, keeps_y=True)
loops_for(SiLU, loops.silu, loops.silu_gradient)
loops_for(Softplus, loops.softplus, loops.softplus_gradient, options=bends)


@LeakyReLU.forward.road(floats)
def leaky_relu_in_a_loop(ctx, x, slope):
    """A compiled loop."""
    positive = np.empty_like(x, dtype=bool)
    y = each(loops.leaky_relu, x, positive, numbers=(slope,))
    ctx.slope = slope
    ctx.save_for_backward(positive)
    return y


@LeakyReLU.backward.road(floats)
def leaky_relu_gradient_in_a_loop(ctx, dy):
    """A compiled loop."""
    return each(loops.leaky_relu_gradient, dy, *ctx.saved_tensors, numbers=(ctx.slope,))


@GELU.forward.road(floats)
def gelu_in_a_loop(ctx, x, approximate):
    """A compiled loop."""
    ctx.exact = approximate == "none"
    ctx.save_for_backward(x)
    return each(loops.gelu if ctx.exact else loops.gelu_by_tanh, x)


@GELU.backward.road(floats)
def gelu_gradient_in_a_loop(ctx, dy):
    """A compiled loop."""
    return each(loops.gelu_gradient if ctx.exact else loops.gelu_by_tanh_gradient, dy, *ctx.saved_tensors)


def bent_upward(ctx, x, alpha, scale=1.0, input_scale=1.0):
    """NumPy arrays of float32 or float64, where Numba is installed; of CELU those with alpha > 0."""
    return compiled_floats(x) and input_scale > 0


@ELU.forward.road(bent_upward)
def elu_in_a_loop(ctx, x, alpha, scale=1.0, input_scale=1.0):
    """A compiled loop."""
    ctx.numbers = alpha, scale, input_scale
    ctx.save_for_backward(x)
    return each(loops.elu, x, numbers=ctx.numbers)


def gradients_bent_upward(ctx, dy):
    """Their gradients."""
    return compiled_floats(dy) and ctx.numbers[2] > 0


@ELU.backward.road(gradients_bent_upward)
def elu_gradient_in_a_loop(ctx, dy):
    """A compiled loop."""
    return each(loops.elu_gradient, dy, *ctx.saved_tensors, numbers=ctx.numbers)


def masks_of_elements(ctx, x, keep, scale):
    """NumPy arrays of float32 or float64 with a mask of their shape, where Numba is installed."""
    return compiled_floats(x) and keep.shape == x.shape


def gradients_by_masks(ctx, dy):
    """Their gradients."""
    return compiled_floats(dy) and ctx.saved_tensors[0].shape == dy.shape


@Dropout.forward.road(masks_of_elements)
def drop_in_a_loop(ctx, x, keep, scale):
    """A compiled loop."""
    ctx.scale = scale
    ctx.save_for_backward(keep)
    return each(loops.drop, x, keep, numbers=(scale,))


@Dropout.backward.road(gradients_by_masks)
def drop_gradient_in_a_loop(ctx, dy):
    """A compiled loop."""
    return each(loops.drop, dy, *ctx.saved_tensors, numbers=(ctx.scale,)), None


# ---- arithmetic: nothing is gained but cores -------------------------------------------------------------------------

def worth_sharing(x, y):
    """Whether x and y are large arrays of one shape and dtype, or y a number."""
    return (type(x) is np.ndarray and x.size >= LEAST and compiled_floats(x)
            and (type(y) is float or type(y) is np.ndarray and y.shape == x.shape and y.dtype == x.dtype))


def of_many(ctx, x, y):
    """Two NumPy arrays of one shape, of 2^17 numbers or more, or one and a number, where Numba is installed."""
    return worth_sharing(x, y)


def two_of_many(ctx, x, y):
    """Two NumPy arrays of one shape, of 2^17 numbers or more, where Numba is installed."""
    return type(y) is np.ndarray and worth_sharing(x, y)


def products_of_many(ctx, dz):
    """Their gradients."""
    return type(dz) is np.ndarray and all(
        not need or worth_sharing(dz, factor) for factor, need in zip(ctx.saved_tensors[::-1], ctx.needs_input_grad))


def product(x, y):
    """x y, of two arrays or an array and a number."""
    return each(loops.scale, x, numbers=(y,)) if type(y) is float else each(loops.multiply, x, y)


@Add.forward.road(two_of_many)
def add_in_a_loop(ctx, x, y):
    """A compiled loop that the cores share."""
    ctx.shapes = x.shape, y.shape
    return each(loops.add, x, y)


@Sub.forward.road(two_of_many)
def subtract_in_a_loop(ctx, x, y):
    """A compiled loop that the cores share."""
    ctx.shapes = x.shape, y.shape
    return each(loops.subtract, x, y)


@Mul.forward.road(of_many)
def multiply_in_a_loop(ctx, x, y):
    """A compiled loop that the cores share."""
    ctx.shapes = x.shape, getattr(y, "shape", ())
    need_x, need_y = ctx.needs_input_grad
    ctx.save_for_backward(x if need_y else None, y if need_x else None)
    return product(x, y)


@Mul.backward.road(products_of_many)
def multiply_gradients_in_loops(ctx, dz):
    """Compiled loops that the cores share."""
    return [product(dz, factor) if need else None for factor, need in zip(ctx.saved_tensors[::-1], ctx.needs_input_grad)]


# ---- what needs no Numba ---------------------------------------------------------------------------------------------

# Q of `erf_in_float32`, highest power first
Q = (1.41851531e-07, -5.66846324e-06, 8.76372498e-05, -0.000619784447, -0.000191831055, 0.102769056, 1.12837927)


def of_single_precision(x):
    """NumPy arrays of float32 or float16."""
    return type(x) is np.ndarray and x.dtype != np.float64


@error_function.erf.road(of_single_precision)
def erf_in_float32(x):
    """A tanh of a polynomial that was fitted to float32.

    erf(x) = tanh(x Q(x^2)), because erf rises from -1 to 1 much like tanh. Q was fitted for 0 < x < 4 by Lawson's algorithm:
    the largest error in proportion to erf is 9.5e-8; with the rounding errors of float32, 2.7e-7. Beyond 4, where erf is 1,
    Q grows on, and tanh is 1.
    """
    def tanh_of_odd(x):
        with np.errstate(over="ignore"):  # infinity is as good as any other large number
            square, y = x * x, np.full_like(x, Q[0])
            for c in Q[1:]:
                y *= square
                y += c
            y *= x
            return np.tanh(y, out=y)
    return by_pieces(tanh_of_odd, x.astype(np.float32, copy=False)).astype(x.dtype, copy=False)


@error_function.erf.road(compiled_floats)
def erf_in_a_loop(x):
    """A compiled loop."""
    return each(loops.erf_of, x)


@error_function.erfc.road(compiled_floats)
def erfc_in_a_loop(x):
    """A compiled loop."""
    return each(loops.erfc_of, x)


def of_batches(ctx, *xs, dim):
    """NumPy arrays, the first of 2^19 numbers or more, joined along another dimension than the first."""
    return dim != 0 and large(xs[0])


@Cat.forward.road(of_batches)
def cat_in_shares(ctx, *xs, dim):
    """Each core joins a part of the batch."""
    x, sizes = xs[0], [x.shape[dim] for x in xs]
    ctx.parts = along(dim, sizes)
    y = np.empty_like(x, shape=(*x.shape[:dim], sum(sizes), *x.shape[dim + 1:]))
    parallel(lambda i, j: np.concatenate([a[i:j] for a in xs], dim, out=y[i:j]), len(x), moved=2 * y.nbytes)
    return y


def of_cubes(x, y):
    """NumPy arrays to the power of the number 3 or 4."""
    return type(y) in (int, float) and y in (3, 4) and type(x) is np.ndarray


@formulas.power.road(of_cubes)
def power_by_products(x, y):
    """Two products: some 20 times as fast."""
    square = x * x
    return square * (x if y == 3 else square)
