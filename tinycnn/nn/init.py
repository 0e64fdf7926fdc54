"""Initial weights. Each function fills its tensor in place, outside autograd, and returns it.

A layer y = W x with independent weights of mean 0 and variance s^2 multiplies the variance of its input by fan_in * s^2
on the way forward and that of its gradient by fan_out * s^2 on the way back. Both Xavier and Kaiming initialisation choose
s so that a deep network neither shrinks nor blows up its signal.
"""
import functools
import math
from contextlib import contextmanager
from contextvars import ContextVar

from ..engine.arrays import array_module
from ..engine.generators import default_generator
from ..engine.checks import check_floating, check_number


_skipping = ContextVar("skipping", default=False)


@contextmanager
def no_init():
    """Inside, the random functions below leave their tensor as it is: for a network whose weights will be loaded anyway.

    Nothing touches the memory of its large parameters then, so building even VGG-16 takes no time.
    """
    token = _skipping.set(True)
    try:
        yield
    finally:
        _skipping.reset(token)


def _random(fill):
    """Make the function `fill` do nothing inside `no_init`."""
    @functools.wraps(fill)
    def fill_unless_skipped(tensor, *args, **kwargs):
        return tensor if _skipping.get() else fill(tensor, *args, **kwargs)
    return fill_unless_skipped


def _fill(tensor, values):
    """Make the array (or number) `values` the contents of `tensor`, unseen by autograd."""
    tensor.array[...] = values
    tensor._version.writes += 1
    return tensor


def _stream(tensor, generator):
    return generator or default_generator(tensor.device)


def _calculate_fan_in_and_fan_out(tensor):
    """How many inputs reach one output, and how many outputs one input reaches.

    For a weight (F, C, *K): C * prod(K) and F * prod(K). Raises ValueError below 2 dimensions.
    """
    if tensor.ndim < 2:
        raise ValueError(f"fan in and fan out need a tensor of at least 2 dimensions, got shape {tensor.shape}")
    field = math.prod(tensor.shape[2:])
    return tensor.shape[1] * field, tensor.shape[0] * field


def calculate_gain(nonlinearity, param=None):
    """By how much to enlarge the weights before this activation so that the signal keeps its variance.

    ReLU halves the second moment of a symmetric input, hence sqrt(2); leaky ReLU of slope a keeps (1 + a^2) / 2 of it. The
    values of tanh, 5/3, and selu, 3/4, are PyTorch's. `param` is the slope of "leaky_relu", 0.01 by default.
    """
    linear = ["linear", "sigmoid", *(f"conv{t}{n}d" for t in ("", "_transpose") for n in (1, 2, 3))]
    gains = {**dict.fromkeys(linear, 1.0), "tanh": 5.0 / 3, "relu": math.sqrt(2.0), "selu": 3.0 / 4}
    if nonlinearity == "leaky_relu":
        if param is not None and (isinstance(param, bool) or not isinstance(param, (int, float))):
            raise ValueError(f"calculate_gain: param, the negative slope, must be a number, got {param!r}")
        return math.sqrt(2.0 / (1 + (0.01 if param is None else param) ** 2))
    if nonlinearity not in gains:
        raise ValueError(f"calculate_gain: nonlinearity must be one of {', '.join(gains)}, leaky_relu, got {nonlinearity!r}")
    return gains[nonlinearity]


@_random
def uniform_(tensor, a=0.0, b=1.0, generator=None):
    """Fill with numbers uniform in [a, b)."""
    check_floating("uniform_", tensor=tensor)
    if a > b:
        raise ValueError(f"uniform_: a must not exceed b, got {a} and {b}")
    return _fill(tensor, _stream(tensor, generator).uniform(tensor.shape, tensor.dtype) * (b - a) + a)


@_random
def normal_(tensor, mean=0.0, std=1.0, generator=None):
    """Fill with normal numbers."""
    check_floating("normal_", tensor=tensor)
    check_number("normal_", mean=mean, std=std)
    if not std >= 0:
        raise ValueError(f"normal_: std must not be negative, got {std}")
    return _fill(tensor, _stream(tensor, generator).normal(tensor.shape, tensor.dtype) * std + mean)


@_random
def trunc_normal_(tensor, mean=0.0, std=1.0, a=-2.0, b=2.0, generator=None):
    """Fill with normal numbers, given that they lie in [a, b].

    Candidates are drawn until all are inside: from the normal distribution where most of it lies in the interval, else
    uniformly from the interval, kept with a probability in proportion to their density. Source: C. P. Robert, "Simulation
    of truncated normal variables" (1995).
    """
    check_floating("trunc_normal_", tensor=tensor)
    if std <= 0 or not a < b:
        raise ValueError(f"trunc_normal_: std must be positive and a below b, got std={std}, a={a}, b={b}")
    stream, xp = _stream(tensor, generator), array_module(tensor.array)
    low, high = (a - mean) / std, (b - mean) / std
    mode = min(max(0.0, low), high)  # where in the interval the density is highest
    inside = (math.erf(high / math.sqrt(2)) - math.erf(low / math.sqrt(2))) / 2
    reach = math.sqrt(mode * mode + 80)  # beyond it the density is below e^-40 of its maximum
    low, high = max(low, -reach), min(high, reach)
    values = xp.empty(tensor.numel(), tensor.dtype)
    wanted = xp.arange(tensor.numel())
    while wanted.size:
        if inside > 0.3:
            drawn = stream.normal(wanted.shape, tensor.dtype)
            kept = (drawn >= low) & (drawn <= high)
        else:
            drawn = stream.uniform(wanted.shape, tensor.dtype) * (high - low) + low
            kept = stream.uniform(wanted.shape, tensor.dtype) < xp.exp((mode * mode - drawn * drawn) / 2)
        values[wanted[kept]] = drawn[kept]
        wanted = wanted[~kept]
    return _fill(tensor, (values * std + mean).clip(a, b).reshape(tensor.shape))


def constant_(tensor, val):
    """Fill with `val`."""
    check_number("constant_", val=val)
    return _fill(tensor, val)


def ones_(tensor):
    """Fill with 1."""
    return _fill(tensor, 1)


def zeros_(tensor):
    """Fill with 0."""
    return _fill(tensor, 0)


def eye_(tensor):
    """Make a matrix the identity, as far as its shape allows: a linear layer that passes its input on."""
    if tensor.ndim != 2:
        raise ValueError(f"eye_: tensor must have 2 dimensions, got shape {tensor.shape}")
    return _fill(tensor, array_module(tensor.array).eye(*tensor.shape, dtype=tensor.dtype))


def dirac_(tensor, groups=1):
    """Make a convolution weight (F, C, *K) pass channel c on as output c, in each of its `groups`."""
    if not 3 <= tensor.ndim <= 5:
        raise ValueError(f"dirac_: tensor must have 3, 4 or 5 dimensions, got shape {tensor.shape}")
    if groups < 1 or tensor.shape[0] % groups:
        raise ValueError(f"dirac_: the {tensor.shape[0]} output channels do not divide into groups={groups}")
    _fill(tensor, 0)
    per_group = tensor.shape[0] // groups
    center = tuple(k // 2 for k in tensor.shape[2:])
    for group in range(groups):
        for channel in range(min(per_group, tensor.shape[1])):
            tensor.array[(group * per_group + channel, channel, *center)] = 1
    return tensor


def xavier_uniform_(tensor, gain=1.0, generator=None):
    """Fill uniformly in +-gain sqrt(6 / (fan_in + fan_out)).

    fan_in * s^2 = 1 keeps the signal's variance, fan_out * s^2 = 1 the gradient's; 2 / (fan_in + fan_out) compromises.
    Source: Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks" (2010).
    """
    bound = gain * math.sqrt(6.0 / sum(_calculate_fan_in_and_fan_out(tensor)))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor, gain=1.0, generator=None):
    """Fill with normal numbers of the variance of `xavier_uniform_`, gain^2 * 2 / (fan_in + fan_out)."""
    if gain < 0:
        raise ValueError(f"xavier_normal_: gain must not be negative, got {gain}")
    return normal_(tensor, 0.0, gain * math.sqrt(2.0 / sum(_calculate_fan_in_and_fan_out(tensor))), generator)


def _kaiming_std(function, tensor, a, mode, nonlinearity):
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"{function}: mode must be 'fan_in' or 'fan_out', got {mode!r}")
    fan = _calculate_fan_in_and_fan_out(tensor)[mode == "fan_out"]
    return calculate_gain(nonlinearity, a) / math.sqrt(fan)


def kaiming_uniform_(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu", generator=None):
    """Fill uniformly in +-gain sqrt(3 / fan), with `a` the slope of the leaky ReLU that follows (0: ReLU).

    ReLU throws half of the second moment away, so the weights carry the factor 2 that Xavier's lack. A tensor without
    elements stays as it is. Source: He, Zhang, Ren and Sun, "Delving deep into rectifiers" (2015).
    """
    if tensor.numel() == 0:
        return tensor
    bound = math.sqrt(3.0) * _kaiming_std("kaiming_uniform_", tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu", generator=None):
    """Fill with normal numbers of the variance of `kaiming_uniform_`, gain^2 / fan."""
    if tensor.numel() == 0:
        return tensor
    return normal_(tensor, 0.0, _kaiming_std("kaiming_normal_", tensor, a, mode, nonlinearity), generator)


@_random
def orthogonal_(tensor, gain=1, generator=None):
    """Make the tensor, flattened to (shape[0], rest), `gain` times a random matrix with orthonormal rows or columns.

    It keeps the length of every vector exactly, in any depth of linear layers. Q of a QR decomposition of normal numbers,
    with the signs that make R's diagonal positive, is uniform among such matrices. Source: Saxe, McClelland and Ganguli,
    "Exact solutions to the nonlinear dynamics of learning in deep linear neural networks" (2013).
    """
    if tensor.ndim < 2:
        raise ValueError(f"orthogonal_: tensor must have at least 2 dimensions, got shape {tensor.shape}")
    if tensor.numel() == 0:
        return tensor
    xp = array_module(tensor.array)
    rows, columns = tensor.shape[0], math.prod(tensor.shape[1:])
    drawn = "float64" if tensor.dtype == "float64" else "float32"
    q, r = xp.linalg.qr(_stream(tensor, generator).normal((max(rows, columns), min(rows, columns)), drawn))
    q = q * xp.sign(xp.diag(r))
    return _fill(tensor, (q if rows >= columns else q.T).reshape(tensor.shape) * gain)


@_random
def sparse_(tensor, sparsity, std=0.01, generator=None):
    """Fill a matrix with normal numbers and set the fraction `sparsity` of every column, chosen at random, to 0.

    Few inputs a unit keep units different and unsaturated. Source: Martens, "Deep learning via Hessian-free
    optimization" (2010).
    """
    if tensor.ndim != 2:
        raise ValueError(f"sparse_: tensor must have 2 dimensions, got shape {tensor.shape}")
    if not 0 <= sparsity <= 1:
        raise ValueError(f"sparse_: sparsity must be between 0 and 1, got {sparsity}")
    normal_(tensor, 0, std, generator)
    rank = _stream(tensor, generator).uniform(tensor.shape).argsort(axis=0).argsort(axis=0)
    tensor.array[rank < math.ceil(sparsity * tensor.shape[0])] = 0
    return tensor


# names from before PyTorch 0.4, without the underscore
constant, dirac, eye, normal, orthogonal, sparse, uniform = constant_, dirac_, eye_, normal_, orthogonal_, sparse_, uniform_
kaiming_normal, kaiming_uniform, xavier_normal, xavier_uniform = (
    kaiming_normal_, kaiming_uniform_, xavier_normal_, xavier_uniform_)
