"""PyTorch's `torch.amp`, mixed precision: code that asks for it runs, and computes in the types of its tensors.

So does PyTorch where there is no GPU: `autocast("cuda")` and `GradScaler` switch themselves off. A factor that keeps small
float16 gradients from vanishing is not needed in float32.
"""
import contextlib
import warnings


class autocast(contextlib.ContextDecorator):  # noqa: N801 (PyTorch's name)
    """`with autocast("cuda", dtype=float16):`, or a decorator: accepted; operations keep the dtype of their inputs.

    Unless `enabled` is False, a warning says so: PyTorch would compute in `dtype`, float16 on a GPU and bfloat16 on a CPU.
    """

    def __init__(self, device_type="cuda", dtype=None, enabled=True, cache_enabled=None):
        if enabled:
            lower = dtype or ("bfloat16" if device_type == "cpu" else "float16")
            warnings.warn("autocast: computed is in the dtypes of the tensors, float32 unless they are others, not in "
                          f"{lower}: on a CPU that is as fast, and more exact", stacklevel=2)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        return None


def is_autocast_enabled(device_type="cuda"):
    """False"""
    if not isinstance(device_type, str):
        raise TypeError(f"is_autocast_enabled: device_type must be a string, got {type(device_type).__name__}")
    return False


class GradScaler:
    """The scaler of losses, switched off: `scale(loss)` is the loss, and `step(optimizer)` is `optimizer.step()`."""

    def __init__(self, device="cuda", init_scale=65536.0, growth_factor=2.0, backoff_factor=0.5, growth_interval=2000,
                 enabled=True):
        """All are accepted, and change nothing."""

    def scale(self, outputs):
        """`outputs`, a tensor or several, as they are."""
        return outputs

    def unscale_(self, optimizer):
        """Nothing to do: gradients were not scaled."""

    def step(self, optimizer, *args, **kwargs):
        """`optimizer.step(*args, **kwargs)` and what it returns."""
        return optimizer.step(*args, **kwargs)

    def update(self, new_scale=None):
        """Nothing to do."""

    def get_scale(self):
        """1.0"""
        return 1.0

    def is_enabled(self):
        """False"""
        return False

    def state_dict(self):
        """{}: there is nothing to remember."""
        return {}

    def load_state_dict(self, state_dict):
        """Accepted, and ignored: a checkpoint of a run in mixed precision continues in full precision."""


__all__ = ["GradScaler", "autocast", "is_autocast_enabled"]
