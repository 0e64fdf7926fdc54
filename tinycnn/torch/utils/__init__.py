"""PyTorch's places: `tinycnn.utils.data` has names of `tinycnn.data`, `tinycnn.utils.checkpoint` trades time for memory."""
from . import checkpoint, data, hooks, model_zoo
