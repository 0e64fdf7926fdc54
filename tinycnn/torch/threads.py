"""How many threads an operation may use: one, without the roads of `cpu/`."""
try:
    from .cpu.workers import get_num_threads, set_num_threads
except ImportError:
    def get_num_threads():
        """1: without the roads of processors an operation is computed by its caller."""
        return 1

    def set_num_threads(n):
        """Accepted, and changes nothing."""

__all__ = ["get_num_threads", "set_num_threads"]
