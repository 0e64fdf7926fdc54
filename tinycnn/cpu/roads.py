"""All roads of processors: whoever imports this file opens them."""
from . import autograd, conv, optim, process  # noqa: F401
