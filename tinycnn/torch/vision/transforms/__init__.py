"""The transforms of `tinycnn.data.transforms`, and without chance, as functions, in `functional`."""
from ...data.transforms import *  # noqa: F401, F403
from . import functional
