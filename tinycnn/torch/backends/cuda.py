"""PyTorch's `torch.backends.cuda`: how exactly a GPU multiplies."""
from ..engine.arrays import precision, set_precision


class _Matmul:
    """`tinycnn.backends.cuda.matmul`: switches of the products of matrices, and so of convolutions, too."""

    @property
    def allow_tf32(self):
        """Whether products of float32 matrices may round what they multiply to 10 bits: up to ten times as fast."""
        return precision() != "highest"

    @allow_tf32.setter
    def allow_tf32(self, allow):
        set_precision("high" if allow else "highest")


matmul = _Matmul()


def is_built():
    """True: what GPUs need is part of tinycnn; whether one is here, `tinycnn.cuda.is_available` tells."""
    return True
