"""Modules without initial weights."""
from ..init import no_init


def skip_init(module_cls, *args, **kwargs):
    """`module_cls(*args, **kwargs)` without drawing random weights: what they hold is whatever the memory held.

    For modules whose weights are loaded or set next, or only counted.
    """
    with no_init():
        return module_cls(*args, **kwargs)
