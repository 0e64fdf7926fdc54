"""Random numbers: seeded streams, one for each device, with PyTorch's names."""
import contextlib
import os
import threading

import numpy as np

from .arrays import CPU, Device, load_cupy, on

STREAMS = {}  # kind of device -> its stream of numbers, from the library of arrays and a seed; `gpu/` brings that of GPUs


class Generator:
    """A seeded stream of random numbers on one device, with PyTorch's names.

    The same seed gives the same numbers on the same device; the CPU and the GPU have different streams.
    """

    def __init__(self, device="cpu"):
        self.device = Device(device)
        self.manual_seed(0)

    @classmethod
    def like(cls, other):
        """A generator that goes on from where `other` is now, on the same device."""
        generator = cls(other.device)
        generator.set_state(other.get_state())
        return generator

    def manual_seed(self, seed):
        """Restart the stream from `seed` (an integer); returns the generator itself."""
        if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)):
            raise TypeError(f"manual_seed: seed must be an integer, got {seed!r}")
        self._seed = int(seed)
        words = self._seed % 2**64
        if self.device.type == "cpu":
            self._numbers = np.random.Generator(np.random.PCG64(words))
        else:
            self._numbers = STREAMS[self.device.type](load_cupy(), words)
        return self

    def seed(self):
        """Restart from a seed that the operating system draws, and return it."""
        self.manual_seed(int.from_bytes(os.urandom(7), "little"))
        return self._seed

    def initial_seed(self):
        """The seed from which the stream started."""
        return self._seed

    def get_state(self):
        """The position in the stream, as a plain dictionary of strings and integers."""
        return self._numbers.bit_generator.state if self.device.type == "cpu" else dict(self._numbers.state)

    def set_state(self, state):
        """Continue from a position that `get_state` reported."""
        if (self.device.type == "cpu") == (set(state) == {"seed", "position"}):
            raise ValueError(f"set_state: the state belongs to a generator of another kind of device than {self.device}")
        if self.device.type == "cpu":
            self._numbers.bit_generator.state = state
        else:
            self._numbers.state = dict(state)

    def uniform(self, shape, dtype=np.float32):
        """Numbers in [0, 1); float16 is drawn as float32."""
        drawn = np.float64 if dtype == np.float64 else np.float32
        with on(self.device):
            return self._numbers.random(shape, dtype=drawn).astype(dtype, copy=False)

    def normal(self, shape, dtype=np.float32):
        """Numbers of mean 0 and standard deviation 1; float16 is drawn as float32."""
        drawn = np.float64 if dtype == np.float64 else np.float32
        with on(self.device):
            return self._numbers.standard_normal(shape, dtype=drawn).astype(dtype, copy=False)

    def integers(self, low, high, shape, dtype=np.int64):
        """Integers in [low, high)."""
        with on(self.device):
            return self._numbers.integers(low, high, shape, dtype=np.int64).astype(dtype, copy=False)

    def permutation(self, n):
        """0 to n - 1 in random order."""
        return self.uniform(n, np.float64).argsort().astype(np.int64)


_generators = {}
_in_this_thread = threading.local()


@contextlib.contextmanager
def generator_in_this_thread(generator):
    """Inside the `with` block `generator` is the default one of its device, for this thread only.

    So threads that work side by side draw numbers which do not depend on who comes first.
    """
    outer = getattr(_in_this_thread, "generator", None)
    _in_this_thread.generator = generator
    try:
        yield
    finally:
        _in_this_thread.generator = outer


def default_generator(device=CPU):
    """The generator that serves everyone who names none on `device`."""
    own = getattr(_in_this_thread, "generator", None)
    if own is not None and own.device == device:
        return own
    if device not in _generators:
        _generators[device] = Generator(device).manual_seed(_initial_seed)
    return _generators[device]


def check_generator(function, generator):
    """Raise TypeError naming `function` when `generator` is neither a Generator nor None."""
    if generator is not None and not isinstance(generator, Generator):
        raise TypeError(f"{function}: generator must be a tinycnn.Generator, got {type(generator).__name__}")


_initial_seed = int.from_bytes(os.urandom(7), "little")


def manual_seed(seed):
    """Restart the default generators of all devices from `seed`; returns the CPU's."""
    global _initial_seed
    generator = default_generator().manual_seed(seed)
    _initial_seed = seed
    for device in _generators:
        _generators[device].manual_seed(seed)
    return generator


def seed():
    """Restart the default generators from a seed that the operating system draws, and return it."""
    manual_seed(int.from_bytes(os.urandom(7), "little"))
    return initial_seed()


def initial_seed():
    """The seed from which the CPU's default generator started."""
    return default_generator().initial_seed()


def get_rng_state(device=CPU):
    """The position of the default generator of a device in its stream, by default the CPU's."""
    return default_generator(device).get_state()


def set_rng_state(state, device=CPU):
    """Continue the default generator of a device from a position that `get_rng_state` reported."""
    default_generator(device).set_state(state)
