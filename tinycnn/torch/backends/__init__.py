"""PyTorch's `torch.backends`, so that code which sets `torch.backends.cudnn.benchmark` runs."""
from ..engine.arrays import precision, set_precision
from . import cuda, cudnn, mps

__all__ = ["cuda", "cudnn", "get_float32_matmul_precision", "mps", "set_float32_matmul_precision",
           "use_deterministic_algorithms"]


def use_deterministic_algorithms(mode, *, warn_only=False):
    """Accepted, and changes nothing: results repeat anyway, on GPUs, too."""


def set_float32_matmul_precision(precision):
    """How exactly a GPU multiplies float32 matrices: "highest" (float32, as at first), or "high" and "medium" (TF32).

    TF32 keeps 10 of the 23 bits after the leading one of what is multiplied; sums stay float32. CPUs are not concerned.
    """
    set_precision(precision)


def get_float32_matmul_precision():
    """What `set_float32_matmul_precision` was last told."""
    return precision()
