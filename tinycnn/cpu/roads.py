"""All roads of processors: whoever imports this file opens them."""
from . import (attention, autograd, conv, elementwise, error_function, gelu, layer_norm, matmul, norm, optim,  # noqa: F401
               pool, process)
