"""PyTorch's `torch.random`: seeds and states of the default generators."""
import contextlib

from .engine.arrays import Device
from .engine.generators import default_generator, get_rng_state, initial_seed, manual_seed, seed, set_rng_state

__all__ = ["fork_rng", "get_rng_state", "initial_seed", "manual_seed", "seed", "set_rng_state"]


@contextlib.contextmanager
def fork_rng(devices=(), enabled=True):
    """A `with` block after which the default generator of the CPU, and those of `devices`, are where they were before."""
    devices = [Device("cuda", d) if isinstance(d, int) else Device(d) for d in devices or ()]
    generators = [default_generator(), *map(default_generator, devices)] if enabled else []
    states = [generator.get_state() for generator in generators]
    try:
        yield
    finally:
        for generator, state in zip(generators, states):
            generator.set_state(state)
