"""PyTorch's `torch.cuda`: what code asks about GPUs, and tells them."""
import contextlib
import sys

from ..engine import arrays, generators
from ..engine.arrays import Device, OutOfMemoryError
from ..engine.generators import manual_seed
from . import amp


def is_available():
    """Whether CuPy and a GPU are here, so that device "cuda" can be used."""
    return arrays.cuda_device_count() > 0


def device_count():
    """How many GPUs can be used."""
    return arrays.cuda_device_count()


def current_device():
    """The number of the GPU that "cuda" means."""
    return Device("cuda").index


def set_device(device):
    """Make a GPU (a number, a Device or a string) the current one: what "cuda" means, and where operations run.

    An operation runs on the current GPU and its inputs should live there: to use another one for a while, write
    `with tinycnn.cuda.device(1):`. `fit`, `evaluate` and `predict` go to the GPU of the model by themselves.
    """
    arrays.set_gpu(_index(device))


@contextlib.contextmanager
def device(device):
    """Inside the `with` block this GPU is the current one, as with `set_device`."""
    with arrays.on(Device("cuda", _index(device))):
        yield


def get_device_name(device=None):
    """The name of a GPU."""
    return get_device_properties(device)["name"].decode()


def get_device_properties(device=None):
    """What CUDA tells about a GPU, a dictionary: "name", "totalGlobalMem" in bytes, "multiProcessorCount", ..."""
    return arrays.load_cupy().cuda.runtime.getDeviceProperties(_index(device))


def get_device_capability(device=None):
    """The compute capability of a GPU, a pair: (8, 0) for an A100."""
    properties = get_device_properties(device)
    return properties["major"], properties["minor"]


def synchronize(device=None):
    """Wait until the GPU has finished all that was asked of it. To be called before a clock is read."""
    if is_available():
        arrays.load_cupy().cuda.Device(_index(device)).synchronize()


# ---- memory ----------------------------------------------------------------------------------------------------------

def empty_cache():
    """Give the GPU memory that no array uses back to the system."""
    if is_available():
        arrays.load_cupy().get_default_memory_pool().free_all_blocks()


def memory_allocated(device=None):
    """Bytes of GPU memory in use by arrays; 0 without a GPU."""
    return _of_pool("used_bytes", device)


def memory_reserved(device=None):
    """Bytes of GPU memory held, by arrays or for the next ones, which is the most that was ever in use; 0 without a GPU."""
    return _of_pool("total_bytes", device)


def mem_get_info(device=None):
    """(free, total) bytes of memory of a GPU."""
    with arrays.on(Device("cuda", _index(device))):
        return arrays.load_cupy().cuda.runtime.memGetInfo()


def _of_pool(method, device):
    if not is_available():
        return 0
    with arrays.on(Device("cuda", _index(device))):
        return getattr(arrays.load_cupy().get_default_memory_pool(), method)()


# ---- random numbers --------------------------------------------------------------------------------------------------

def manual_seed_all(seed):
    """`tinycnn.manual_seed`, which seeds every device."""
    manual_seed(seed)


def get_rng_state(device="cuda"):
    """The position of a GPU's default generator in its stream."""
    return generators.get_rng_state(Device(device))


def set_rng_state(new_state, device="cuda"):
    """Continue a GPU's default generator from a position that `get_rng_state` reported."""
    generators.set_rng_state(new_state, Device(device))


def _index(device):
    """The number of a GPU: of the current one where `device` is None."""
    device = Device("cuda" if device is None else device)
    if device.type != "cuda":
        raise ValueError(f"device: expected a GPU, got {str(device)!r}")
    return device.index


random = sys.modules[__name__]  # where PyTorch has the functions on random numbers a second time

__all__ = ["OutOfMemoryError", "amp", "current_device", "device", "device_count", "empty_cache", "get_device_capability",
           "get_device_name", "get_device_properties", "get_rng_state", "is_available", "manual_seed", "manual_seed_all",
           "mem_get_info", "memory_allocated", "memory_reserved", "set_device", "set_rng_state", "synchronize"]
