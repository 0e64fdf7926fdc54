"""PyTorch's `torch.accelerator`: the GPU of this machine, whichever it is; here only CUDA through CuPy."""
from .engine.arrays import Device
from .cuda import device_count, is_available


def current_accelerator(check_available=False):
    """The device "cuda", or None where it cannot be used."""
    return Device("cuda") if is_available() else None


__all__ = ["current_accelerator", "device_count", "is_available"]
