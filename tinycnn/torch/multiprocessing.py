"""PyTorch's `torch.multiprocessing`: Python's own."""
from multiprocessing import *  # noqa: F401, F403
