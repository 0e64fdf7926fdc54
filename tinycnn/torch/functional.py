"""`from torch.functional import F`, as editors complete it, and some functions that PyTorch keeps there."""
from .nn import functional as F
from .ops.matmul import einsum
from .ops.reduce import norm

__all__ = ["F", "einsum", "norm"]
