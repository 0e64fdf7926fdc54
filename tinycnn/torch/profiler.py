"""PyTorch's `torch.profiler`: `profile`, and what it measures."""
from .train.profiler import *  # noqa: F401, F403
