"""PyTorch's place for the loader: `tinycnn.utils.data` holds names of `tinycnn.data`."""
from . import data
