"""Floor 2: NumPy's names for functions of Tensors.

Where a gradient is itself recorded (`create_graph=True`), the `backward` of an operation is given Tensors in place of arrays.
It asks `array_module(dy)` for the library of dy, and this module answers: the same names and argument orders as in NumPy, for
functions that autograd can differentiate again. Only what some backward uses is here.
"""
import sys

from ..backend import array_module
from ..tensor import Tensor, wrap
from .creation import arange, full, ones, ones_like, zeros, zeros_like
from .elementwise import *
from .indexing import *
from .matmul import *
from .rearrange import *
from .reduce import *
from .selection import *
from .shape import *
from .unary import *

moveaxis, concatenate = movedim, cat
expand_dims = unsqueeze

Tensor.array_module = sys.modules[__name__]
