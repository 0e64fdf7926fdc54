"""All roads of processors: whoever imports this file opens them."""
from . import (activation, attention, autograd, conv, depthwise, layer_norm, matmul, norm, optim,  # noqa: F401
               pool, process, softmax)
