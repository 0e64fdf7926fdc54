"""The handle of a hook under PyTorch's name."""
from ..engine.hooks import RemovableHandle

__all__ = ["RemovableHandle"]
