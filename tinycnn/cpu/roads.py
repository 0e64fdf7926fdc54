"""All roads of processors: whoever imports this file opens them."""
from . import autograd, conv, process  # noqa: F401
