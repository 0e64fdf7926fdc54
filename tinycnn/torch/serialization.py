"""PyTorch's `torch.serialization`."""
from .files.saving import load, save
from .files.whole import add_safe_globals, clear_safe_globals, get_safe_globals, safe_globals

__all__ = ["add_safe_globals", "clear_safe_globals", "get_safe_globals", "load", "safe_globals", "save"]
