"""The data sets of `tinycnn.data`."""
from ..data.datasets import *  # noqa: F401, F403
