"""The transforms of `tinycnn.data.transforms`; without chance, as functions, in `functional`; of whole samples in `v2`."""
from ...data.transforms import *  # noqa: F401, F403
from . import functional, v2
