"""The older place of mixed precision, where the device need not be named."""
from .. import amp


class autocast(amp.autocast):  # noqa: N801 (PyTorch's name)
    """`tinycnn.amp.autocast` for the GPU."""

    def __init__(self, enabled=True, dtype=None, cache_enabled=True):
        super().__init__("cuda", dtype, enabled, cache_enabled)


class GradScaler(amp.GradScaler):
    """`tinycnn.amp.GradScaler` for the GPU."""

    def __init__(self, init_scale=65536.0, growth_factor=2.0, backoff_factor=0.5, growth_interval=2000, enabled=True):
        super().__init__("cuda", init_scale, growth_factor, backoff_factor, growth_interval, enabled)


__all__ = ["GradScaler", "autocast"]
