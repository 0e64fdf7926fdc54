"""Checks of constructor arguments. Each raises ValueError or TypeError that names the layer and the argument."""
from ..engine.checks import whole


def integer(layer, name, value, least=None):
    """`value` as an int, of at least `least` where that is given."""
    try:
        number = whole(value)
    except TypeError:
        raise TypeError(f"{layer}: {name} must be an integer, got {value!r}") from None
    if least is not None and number < least:
        raise ValueError(f"{layer}: {name} must be at least {least}, got {value!r}")
    return number


def integers(layer, name, value, n, least=None):
    """`value`, one integer (or a list of one) for all of `n` places or one for each, as a tuple of n."""
    if not isinstance(value, (tuple, list)):
        return (integer(layer, name, value, least),) * n
    value = value * n if len(value) == 1 else value
    if len(value) != n:
        raise ValueError(f"{layer}: {name} must be one integer or {n}, got {value!r}")
    return tuple(integer(layer, name, v, least) for v in value)


def one_of(layer, name, value, allowed):
    """`value`, which is one of the strings `allowed`."""
    if value not in allowed:
        raise ValueError(f"{layer}: {name} must be one of {', '.join(map(repr, allowed))}, got {value!r}")
    return value


def probability(layer, p):
    """`p`, a number from 0 to 1."""
    if not 0 <= p <= 1:
        raise ValueError(f"{layer}: p must be a probability between 0 and 1, got {p!r}")
    return p
