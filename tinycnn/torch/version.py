"""PyTorch's `torch.version`: whose names these are, and with which CUDA they compute."""
from .engine import arrays

__version__ = "2.0.0"  # of PyTorch, whose names tinycnn follows; code that asks for a version wants to know which there are
git_version = hip = None
debug = False


def __getattr__(name):  # CuPy is loaded when asked for
    if name == "cuda":
        if not arrays.cuda_device_count():
            return None
        version = arrays.load_cupy().cuda.runtime.runtimeGetVersion()
        return f"{version // 1000}.{version % 1000 // 10}"
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
