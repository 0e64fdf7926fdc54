"""PyTorch's `torch.distributed`, as it is where it was left out: tinycnn trains in one process."""

__all__ = ["get_rank", "get_world_size", "init_process_group", "is_available", "is_initialized"]


def is_available():
    """False."""
    return False


def is_initialized():
    """False."""
    return False


def get_rank(group=None):
    """0, the number of this process among all."""
    return 0


def get_world_size(group=None):
    """1, how many processes train."""
    return 1


def init_process_group(backend=None, init_method=None, timeout=None, world_size=-1, rank=-1, **options):
    """RuntimeError where more than one process is wanted."""
    if world_size not in (-1, 1):
        raise RuntimeError(f"init_process_group: tinycnn trains in one process, got world_size={world_size}")
