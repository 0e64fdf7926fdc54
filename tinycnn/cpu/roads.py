"""All roads of processors: whoever imports this file opens them."""
from . import (activation, attention, autograd, conv, layer_norm, matmul, norm, optim,  # noqa: F401
               pool, process, softmax)
