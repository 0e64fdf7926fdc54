"""Memory for time, under PyTorch's name."""
from ..nn.checkpoint import checkpoint, checkpoint_sequential

__all__ = ["checkpoint", "checkpoint_sequential"]
