"""Floor 1: PyTorch's `torch.cuda`: what code asks about GPUs before it uses one."""
from .. import backend
from ..backend import Device, manual_seed
from . import amp


def is_available():
    """Whether CuPy and a GPU are here, so that device "cuda" can be used."""
    return backend.cuda_device_count() > 0


def device_count():
    """How many GPUs can be used."""
    return backend.cuda_device_count()


def current_device():
    """The number of the GPU that "cuda" means."""
    return 0


def get_device_name(device=0):
    """The name of a GPU."""
    properties = backend.load_cupy().cuda.runtime.getDeviceProperties(Device(device).index)
    return properties["name"].decode()


def synchronize(device=0):
    """Wait until the GPU has finished all that was asked of it."""
    if is_available():
        backend.load_cupy().cuda.Device(Device(device).index).synchronize()


def empty_cache():
    """Give the GPU memory that no array uses back to the system."""
    if is_available():
        backend.load_cupy().get_default_memory_pool().free_all_blocks()


def memory_allocated(device=0):
    """Bytes of GPU memory in use by arrays; 0 without a GPU."""
    return backend.load_cupy().get_default_memory_pool().used_bytes() if is_available() else 0


def manual_seed_all(seed):
    """`tinycnn.manual_seed`, which seeds every device."""
    manual_seed(seed)


__all__ = ["amp", "current_device", "device_count", "empty_cache", "get_device_name", "is_available", "manual_seed",
           "manual_seed_all", "memory_allocated", "synchronize"]
