"""Guesses at what would mend a backward: another array in the cache, another number in forward."""
import dis
import itertools
import types

import numpy as np

FUNCTIONS = {
    "sigmoid({})": lambda u: 1 / (1 + np.exp(-u)), "tanh({})": np.tanh, "relu({})": lambda u: np.maximum(u, 0),
    "exp({})": np.exp, "log({0} / (1 - {0})) (what goes into a sigmoid)": lambda u: np.log(u / (1 - u)), "log({})": np.log,
    "arctanh({}) (what goes into a tanh)": np.arctanh, "(1 - {})": lambda u: 1 - u, "(1 - {}**2)": lambda u: 1 - u * u,
    "{0} * (1 - {0})": lambda u: u * (1 - u), "1/{}": lambda u: 1 / u, "sqrt({})": np.sqrt, "{}**2": lambda u: u * u,
    "({} > 0)": lambda u: (u > 0) * 1.0}
MOVES = {
    "{} moved by 1 along axis 0": lambda u: np.roll(u, 1, 0), "{} moved by -1 along axis 0": lambda u: np.roll(u, -1, 0),
    "{} transposed": lambda u: u.swapaxes(-1, -2).copy()}
SQUARE = {"({0} + {0} transposed)": lambda u: u + u.swapaxes(-1, -2),
          "({0} + {0} transposed)/2": lambda u: (u + u.swapaxes(-1, -2)) / 2}
PAIRS = {"({} - {})": np.subtract, "{} * {}": np.multiply}


def named_cache(cache, backward, inputs):
    """(key, name, array) of the floating-point arrays in a cache, a tuple, list or dict; nothing for another.

    The name is that of the input that it is, or of the dict, or what `backward` calls it when it unpacks the cache.
    """
    if not isinstance(cache, (dict, tuple, list)):
        return []
    keys = list(cache) if isinstance(cache, dict) else range(len(cache))
    names = list(cache) if isinstance(cache, dict) else _unpacked(backward, len(cache))
    found = []
    for key, name in zip(keys, names or [f"cache[{key}]" for key in keys]):
        array = cache[key]
        if isinstance(array, np.ndarray) and array.dtype.kind == "f" and array.ndim:
            same = next((given for given, v in inputs.items() if v.shape == array.shape and (v == array).all()), None)
            found.append((key, str(same or name), array))
    return found


def _unpacked(function, count):
    """The names under which a function unpacks something of `count` parts, None where it does not."""
    code = getattr(function, "__code__", None)
    steps = list(dis.get_instructions(code)) if code else []
    for i, step in enumerate(steps):
        if step.opname == "UNPACK_SEQUENCE" and step.arg == count:
            names = [step.argval for step in steps[i + 1:i + 1 + count] if step.opname == "STORE_FAST"]
            if len(names) == count:
                return names
    return None


def changes_of(cached, near):
    """(words, change): what puts another array in the place of one of the `cached`, (key, name, array).

    Others of its shape, of `cached` or of `near`, (name, array), and functions of them.
    """
    for key, name, array in cached:
        others = [(n, v) for k, n, v in cached if k != key] + [v for v in near if v[0] != name]
        others = [(n, v) for n, v in others if v.shape == array.shape]
        functions = FUNCTIONS | MOVES if array.ndim > 1 else FUNCTIONS
        functions = functions | SQUARE if array.ndim > 1 and array.shape[-1] == array.shape[-2] else functions
        made = [(words.format(name), f(array)) for words, f in functions.items()]
        made += [(words.format(n, m), f(u, v)) for (n, u), (m, v) in itertools.permutations([(name, array), *others], 2)
                 for words, f in PAIRS.items()]
        for words, other in others + made:
            if other.shape == array.shape and np.isfinite(other).all():
                yield f"{words} in the place of {name}", _put(key, other)


def _put(key, array):
    """A function that puts `array` into a cache."""
    def change(cache):
        changed = dict(cache) if isinstance(cache, dict) else list(cache)
        changed[key] = array.copy()
        return changed if isinstance(cache, (dict, list)) else tuple(changed)
    return change


def with_number(fn, name, number):
    """`fn` with another number in the place of the one that its code, or what is around it, knows by `name`."""
    code = fn.__code__
    constants = tuple(number if isinstance(c, float) and f"{c:g}" == name else c for c in code.co_consts)
    cells = tuple(types.CellType(number) if n == name else cell for n, cell in zip(code.co_freevars, fn.__closure__ or ()))
    code, around = code.replace(co_consts=constants), {**fn.__globals__, name: number}
    other = types.FunctionType(code, around, fn.__name__, fn.__defaults__, cells)
    other.__kwdefaults__ = fn.__kwdefaults__
    return other
