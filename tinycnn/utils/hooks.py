"""The handle of a hook under PyTorch's name."""
from ..hooks import RemovableHandle

__all__ = ["RemovableHandle"]
