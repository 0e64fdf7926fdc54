"""All roads of processors: who imports this file opens them. Of two that serve, the one imported later is asked first."""
from . import conv, direct, tiles, depthwise  # noqa: F401
from . import activation, attention, autograd, layer_norm, matmul, norm, optim, pool, process, softmax  # noqa: F401
