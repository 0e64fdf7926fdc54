"""Floor 2: arithmetic and functions that act on every element alone.

Two facts serve the whole file. A function of one input has dx = dy * f'(x). An operation on two inputs broadcasts them to
one shape, that is, it uses some elements several times; the gradient of an element is the sum over its uses, so `unbroadcast`
sums dy over every axis along which its input was repeated.
"""
import numpy as np

from ..backend import array_module
from ..dtype import category, get_default_dtype, result_type
from ..function import Function
from ..tensor import Tensor, as_tensor, method
from .inplace import write


def unbroadcast(dy, shape):
    """Sum dy over the axes along which an input of `shape` was repeated to reach the shape of dy."""
    if dy.shape == shape:
        return dy
    extra = dy.ndim - len(shape)
    repeated = tuple(i + extra for i, size in enumerate(shape) if size == 1 and dy.shape[i + extra] != 1)
    return dy.sum((*range(extra), *repeated), keepdims=True).reshape(shape)


# ---- two inputs ------------------------------------------------------------------------------------------------------

class Add(Function):
    """z = x + y.  dx = dz, dy = dz, each summed where its input was broadcast."""

    @staticmethod
    def forward(ctx, x, y):
        ctx.shapes = np.shape(x), np.shape(y)
        return x + y

    @staticmethod
    def backward(ctx, dz):
        return [unbroadcast(dz, shape) if need else None for shape, need in zip(ctx.shapes, ctx.needs_input_grad)]


class Mul(Function):
    """z = x y.  dx = dz y, dy = dz x, each summed where its input was broadcast."""

    @staticmethod
    def forward(ctx, x, y):
        ctx.shapes = np.shape(x), np.shape(y)
        ctx.save_for_backward(x, y)
        return x * y

    @staticmethod
    def backward(ctx, dz):
        x, y = ctx.saved_tensors
        need_x, need_y = ctx.needs_input_grad
        return (unbroadcast(dz * y, ctx.shapes[0]) if need_x else None,
                unbroadcast(dz * x, ctx.shapes[1]) if need_y else None)


# ---- one input -------------------------------------------------------------------------------------------------------

class Exp(Function):
    """y = e^x.  dx = dy e^x = dy y."""

    @staticmethod
    def forward(ctx, x):
        y = array_module(x).exp(x)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, dy):
        (y,) = ctx.saved_tensors
        return dy * y


# ---- the functions a user calls --------------------------------------------------------------------------------------

def _binary(function, x, y, *, floating=False):
    """Run a two-input Function on `x` and `y` in the dtype that PyTorch would choose; one of them may be a number."""
    x, y = (v if isinstance(v, (Tensor, bool, int, float)) else as_tensor(v) for v in (x, y))
    dtype = result_type(x, y)
    if floating and category(dtype) < 2:
        dtype = get_default_dtype()
    x, y = (v.to(dtype) if isinstance(v, Tensor) and v.dtype != dtype else v for v in (x, y))
    return function.apply(x, y)


@method("add", "__add__", "__radd__")
def add(x, y, *, alpha=1):
    """x + alpha * y, broadcast."""
    return _binary(Add, x, y if alpha == 1 else alpha * y)


@method("add_", "__iadd__")
def _add_(x, y, *, alpha=1):
    """`add` in place."""
    return write(x, add(x, y, alpha=alpha), "add_")


@method("exp")
def exp(x):
    """e^x."""
    return Exp.apply(x)

__all__ = ["add", "exp"]
