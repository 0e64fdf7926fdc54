"""Floor 0: PyTorch's `torch.backends`, so that code which sets `torch.backends.cudnn.benchmark` runs."""
from . import cudnn, mps

__all__ = ["cudnn", "mps", "use_deterministic_algorithms"]


def use_deterministic_algorithms(mode, *, warn_only=False):
    """Accepted, and changes nothing: results repeat anyway."""
