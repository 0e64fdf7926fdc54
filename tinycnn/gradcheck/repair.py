"""Guesses at what would mend a backward: another array in the cache, another number in forward, another line of its own."""
import ast
import copy
import dis
import inspect
import itertools
import textwrap
import time
import types
import warnings

import numpy as np

from .edits import edits
from .smaller import name_of, one_less

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
    constants = tuple(number if type(c) in (int, float) and name_of(c) == name else c for c in code.co_consts)
    cells = tuple(types.CellType(number) if n == name else cell for n, cell in zip(code.co_freevars, fn.__closure__ or ()))
    code, around = code.replace(co_consts=constants), {**fn.__globals__, name: number}
    other = types.FunctionType(code, around, fn.__name__, fn.__defaults__, cells)
    other.__kwdefaults__ = fn.__kwdefaults__
    return other


# ---- another line -------------------------------------------------------------------------------------------------------

SPENT = 1.0   # seconds that it may take to try other lines, for all inputs of a function
LONG = 90     # letters of a line that is shown


def mended(s):
    """The one change of backward that makes this gradient right and no other wrong, in words; "" where none is found.

    The text of the function must be known, and it must not have a closure.
    """
    function = getattr(s.problem, "written", None)
    tree, first = _tree(function)
    if tree is None:
        return ""
    module, start = ast.Module([tree], []), time.thread_time()
    left = getattr(s.problem, "patience", SPENT)
    for edit in edits(tree):
        s.problem.patience = left - (time.thread_time() - start)
        if s.problem.patience < 0:
            return ""
        edit.put(edit.new)
        changed = _compiled(module, function)
        edit.put(edit.old)
        with warnings.catch_warnings(action="ignore"):
            right = changed and _is_right(s, changed)
        if right:
            return _told(edit, first)
    return ""


def _told(edit, first):
    """What is wrong and how the line would be right; a whole line where that is short."""
    if edit.statement is None:
        return f"{edit.words}, everywhere in backward: so changed it would be right"
    edit.put(edit.new)
    line, old, new = (" ".join(ast.unparse(node).partition("\n")[0].split())
                      for node in (edit.statement, edit.old, edit.new))
    edit.put(edit.old)
    at = f"{edit.words}, in line {first + edit.statement.lineno - 1}"
    if edit.old is edit.statement and isinstance(edit.new, ast.Pass):
        return f"{at}, `{old}`"
    shown = f"`{new if edit.old is edit.statement else line}`"
    if len(shown) > LONG:
        shown = f"`{new}` in the place of `{old}`" if len(new) + len(old) <= LONG else ""
    return f"{at}: it would be right" + f" as {shown}" * bool(shown)


def _tree(function):
    """The FunctionDef of a function and the number of its first line, (None, 0) where its text is not known."""
    if not isinstance(function, types.FunctionType) or function.__closure__ or function.__name__ == "<lambda>":
        return None, 0
    try:
        lines, first = inspect.getsourcelines(function)
        tree = ast.parse(textwrap.dedent("".join(lines))).body[0]
    except (OSError, SyntaxError, IndexError):
        return None, 0
    if not isinstance(tree, ast.FunctionDef):
        return None, 0
    tree.decorator_list = []
    return tree, first


def _compiled(module, function):
    """The function that the changed tree defines, None where it defines none."""
    names = {}
    try:
        code = compile(ast.fix_missing_locations(module), function.__code__.co_filename, "exec")
        exec(code, function.__globals__, names)
    except (SyntaxError, ValueError, TypeError):
        return None
    return names[function.__name__]


def _is_right(s, backward):
    """Whether `backward` has this gradient right, and all that were right before; at other numbers and sizes, too."""
    index = s.problem.names.index(s.check.name)
    must = [(i, c) for i, c in enumerate(s.checks) if i == index or c.ok]
    try:
        problem = s.problem.with_backward(backward)
        for k, vector in enumerate(s.vectors):
            (found,) = problem.gradients([v.copy() for v in problem.values], [vector])
            if not all(_close(found[i], c.numeric[k] if i == index else c.analytic[k], c.scales[k]) for i, c in must):
                return False
        rng, other = np.random.default_rng(0), copy.copy(problem)
        other.values = [rng.permutation(v.ravel()).reshape(v.shape) for v in problem.values]
        return all(s.measure(p)[index].ok for p in (other, *one_less(problem, most=2)))
    except Exception:  # of the changed function, which may fail in any way
        return False


def _close(a, b, scale):
    return a is not None and a.shape == b.shape and bool((np.abs(a - b)[np.isfinite(b)] <= 1e-7 * scale).all())
