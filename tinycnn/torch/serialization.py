"""PyTorch's `torch.serialization`."""
from .files.saving import load, save

__all__ = ["load", "save"]
