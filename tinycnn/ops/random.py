"""Random tensors.

All numbers come from a `Generator` (`generators.py`): the one given, or the default one of the device, which `manual_seed`
restarts. Nothing random has a gradient.
"""
import numpy as np

from ..engine.arrays import array_module, Device, get_default_device
from ..engine.generators import Generator, default_generator
from ..engine.dtype import as_dtype, get_default_dtype, int64
from ..engine.checks import check_floating, check_number, check_tensor
from ..engine.tensor import Tensor, method, wrap
from .creation import alike, shape_of
from .inplace import write


def _stream(function, generator, device):
    """The generator to draw from; RuntimeError where it lives elsewhere than the tensor it shall fill."""
    if generator is None:
        return default_generator(Device(get_default_device() if device is None else device))
    if not isinstance(generator, Generator):
        raise TypeError(f"{function}: generator must be a Generator, got {type(generator).__name__}")
    if device is not None and generator.device != Device(device):
        raise RuntimeError(f"{function}: generator lives on {generator.device}, the tensor on {device}")
    return generator


def _floating(function, dtype):
    dtype = as_dtype(dtype or get_default_dtype())
    if dtype.kind != "f":
        raise TypeError(f"{function}: dtype must be floating point, got {dtype}; randint draws integers")
    return dtype


def rand(*sizes, size=None, generator=None, dtype=None, device=None, requires_grad=False):
    """Numbers uniform in [0, 1)."""
    stream = _stream("rand", generator, device)
    return wrap(stream.uniform(shape_of("rand", sizes, size), _floating("rand", dtype))).requires_grad_(requires_grad)


def randn(*sizes, size=None, generator=None, dtype=None, device=None, requires_grad=False):
    """Standard normal numbers."""
    stream = _stream("randn", generator, device)
    return wrap(stream.normal(shape_of("randn", sizes, size), _floating("randn", dtype))).requires_grad_(requires_grad)


def randint(low=0, high=None, size=None, *, generator=None, dtype=int64, device=None, requires_grad=False):
    """Integers uniform in [low, high); `randint(high, size)` starts at 0."""
    if size is None:
        low, high, size = 0, low, high
    elif high is None:
        low, high = 0, low
    if size is None:
        raise TypeError("randint: size is missing")
    if not low < high:
        raise ValueError(f"randint: low must be below high, got {low} and {high}")
    drawn = _stream("randint", generator, device).integers(low, high, shape_of("randint", (size,)), as_dtype(dtype))
    return wrap(drawn).requires_grad_(requires_grad)


def randperm(n, *, generator=None, dtype=int64, device=None, requires_grad=False):
    """The integers 0 to n - 1 in random order."""
    if not isinstance(n, (int, np.integer)) or n < 0:
        raise ValueError(f"randperm: n must be an integer of at least 0, got {n!r:.80}")
    drawn = _stream("randperm", generator, device).permutation(n).astype(as_dtype(dtype), copy=False)
    return wrap(drawn).requires_grad_(requires_grad)


def rand_like(input, *, dtype=None, device=None, requires_grad=False):
    """`rand` in the shape, dtype and device of `input`."""
    check_tensor("rand_like", input=input)
    return rand(input.shape, **alike(input, dtype, device), requires_grad=requires_grad)


def randn_like(input, *, dtype=None, device=None, requires_grad=False):
    """`randn` in the shape, dtype and device of `input`."""
    check_tensor("randn_like", input=input)
    return randn(input.shape, **alike(input, dtype, device), requires_grad=requires_grad)


def randint_like(input, low=0, high=None, *, dtype=None, device=None, requires_grad=False):
    """`randint` in the shape, dtype and device of `input`; `randint_like(input, high)` starts at 0."""
    check_tensor("randint_like", input=input)
    low, high = (0, low) if high is None else (low, high)
    return randint(low, high, input.shape, **alike(input, dtype, device),
                   requires_grad=requires_grad)


def normal(mean=0.0, std=1.0, size=None, *, generator=None, dtype=None, device=None, requires_grad=False):
    """Normal numbers of the given mean and standard deviation: two numbers and a size, or tensors, one number for each."""
    if size is not None:
        return (randn(size, generator=generator, dtype=dtype, device=device) * std + mean).requires_grad_(requires_grad)
    like = mean if isinstance(mean, Tensor) else std
    check_floating("normal", **{"mean" if like is mean else "std": like})
    shape = np.broadcast_shapes(*(v.shape for v in (mean, std) if isinstance(v, Tensor)))
    y = randn(shape, generator=generator, dtype=like.dtype, device=like.device) * std + mean
    return y.requires_grad_() if requires_grad else y


@method("bernoulli")
def bernoulli(input, *, generator=None):
    """1 with the probability that stands in `input` (floating point, from 0 to 1), else 0."""
    check_floating("bernoulli", input=input)
    x = input.array
    drawn = _stream("bernoulli", generator, input.device).uniform(x.shape, x.dtype)
    return wrap((drawn < x).astype(x.dtype))


@method("multinomial")
def multinomial(input, num_samples, replacement=False, *, generator=None):
    """`num_samples` positions in each row of weights `input` (M,) or (N, M), drawn with a probability in their proportion.

    With `replacement` by the running sum of the weights. Without, the positions of the largest w / e with exponential
    numbers e, one draw for all: e / w is the time at which an event of rate w happens first (Efraimidis and Spirakis,
    Weighted random sampling with a reservoir, 2006).
    """
    check_floating("multinomial", input=input)
    x, xp = input.array, array_module(input.array)
    if x.ndim not in (1, 2) or x.shape[-1] == 0:
        raise RuntimeError(f"multinomial: expected weights (M,) or (N, M), got shape {input.shape}")
    if num_samples < 1 or not replacement and num_samples > x.shape[-1]:
        raise RuntimeError(f"multinomial: cannot draw {num_samples} of {x.shape[-1]} positions without replacement")
    if xp is np and not ((x >= 0).all() and np.isfinite(x).all() and (x.sum(-1) > 0).all()):
        raise RuntimeError("multinomial: weights must be finite and not negative, and no row all 0")
    stream = _stream("multinomial", generator, input.device)
    if not replacement:
        keys = x / xp.maximum(-xp.log1p(-stream.uniform(x.shape, np.float64)), 1e-300)
        return wrap(xp.argsort(-keys, -1)[..., :num_samples].astype(int64, copy=False))
    ends = xp.cumsum(x, -1, dtype=np.float64)[..., None, :]
    drawn = stream.uniform((*x.shape[:-1], num_samples), np.float64)[..., None] * ends[..., -1:]
    return wrap((ends <= drawn).sum(-1).astype(int64, copy=False))


# ---- in place --------------------------------------------------------------------------------------------------------

@method("uniform_")
def _uniform_(x, a=0.0, b=1.0, *, generator=None):
    """Fill x with numbers uniform in [a, b)."""
    check_floating("uniform_", x=x)
    if not a <= b:
        raise ValueError(f"uniform_: the lower end must not exceed the upper, got {a} and {b}")
    drawn = _stream("uniform_", generator, x.device).uniform(x.shape, x.dtype)
    return write(x, wrap(a + (b - a) * drawn), "uniform_")


@method("normal_")
def _normal_(x, mean=0.0, std=1.0, *, generator=None):
    """Fill x with normal numbers of the given mean and standard deviation."""
    check_floating("normal_", x=x)
    check_number("normal_", mean=mean, std=std)
    if not std >= 0:
        raise ValueError(f"normal_: std must not be negative, got {std}")
    drawn = _stream("normal_", generator, x.device).normal(x.shape, x.dtype)
    return write(x, wrap(mean + std * drawn), "normal_")


@method("bernoulli_")
def _bernoulli_(x, p=0.5, *, generator=None):
    """Fill x with 1 with probability p, else 0; p is a number or a tensor that broadcasts."""
    if not isinstance(p, Tensor) and not 0 <= p <= 1:
        raise ValueError(f"bernoulli_: p must be from 0 to 1, got {p}")
    drawn = _stream("bernoulli_", generator, x.device).uniform(x.shape)
    return write(x, wrap((drawn < (p.array if isinstance(p, Tensor) else p)).astype(x.dtype)), "bernoulli_")


@method("random_")
def _random_(x, low, high=None, *, generator=None):
    """Fill x with integers uniform in [low, high); `x.random_(high)` starts at 0."""
    low, high = (0, low) if high is None else (low, high)
    if not low < high:
        raise ValueError(f"random_: low must be below high, got {low} and {high}")
    return write(x, wrap(_stream("random_", generator, x.device).integers(low, high, x.shape, x.dtype)), "random_")


@method("exponential_")
def _exponential_(x, lambd=1.0, *, generator=None):
    """Fill x with exponential numbers of rate `lambd`, that is of mean 1 / lambd."""
    check_floating("exponential_", x=x)
    if not lambd > 0:
        raise ValueError(f"exponential_: lambd must be positive, got {lambd}")
    drawn = _stream("exponential_", generator, x.device).uniform(x.shape, np.float64)
    return write(x, wrap((array_module(x.array).log1p(-drawn) / -lambd).astype(x.dtype)), "exponential_")


@method("log_normal_")
def _log_normal_(x, mean=1.0, std=2.0, *, generator=None):
    """Fill x with numbers whose logarithm is normal, of the given mean and standard deviation."""
    return x.normal_(mean, std, generator=generator).exp_()


__all__ = ["bernoulli", "multinomial", "normal", "rand", "rand_like", "randint", "randint_like", "randn", "randn_like",
           "randperm"]
