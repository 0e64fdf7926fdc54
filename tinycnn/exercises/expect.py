"""What checks say about arrays. Each function raises `Wrong`, whose first line names the cause as closely as can be.

The first argument of most is a name for the message, "y" or "dw of linear_backward"; then what the student's function
returned, then what is right.
"""
import time

import numpy as np

from ..gradcheck.checker import check
from ..gradcheck.measure import Tolerance
from ..gradcheck.pairs import ArrayProblem
from ..gradcheck.scene import same
from .differences import explain
from .report import Wrong
from .student import StudentError

__all__ = ["Wrong", "array", "close", "dtype", "equal", "finite", "gradient", "in_float32", "raises", "same_twice",
           "several", "shape", "unchanged", "within"]


def array(name, got):
    """`got` as an array of numbers; numbers and lists of them will do."""
    try:
        found = np.asarray(got)
    except ValueError:
        found = np.asarray(None)
    if got is None or found.dtype.kind not in "biufc":
        raise Wrong(f"{name} must be an array of numbers, got {_kind(got)}" + ": is a return missing?" * (got is None))
    return found


def several(name, got, names):
    """The values that function `name` returns together: `dx, dw = several("f_backward", got, "dx, dw")`."""
    wanted = names.split(", ")
    if not isinstance(got, (tuple, list)) or len(got) != len(wanted):
        count = f" of {len(got)} values" if isinstance(got, (tuple, list)) else ""
        raise Wrong(f"{name} must return {len(wanted)} values, {names}; got {_kind(got)}{count}")
    return got


def shape(name, got, right):
    """The shape is `right`."""
    got, right = array(name, got), tuple(map(int, right))
    if got.shape != right:
        hint = ""
        if got.ndim == len(right) and sorted(got.shape) == sorted(right):
            hint = ": its axes are in another order"
        elif got.size == np.prod(right, dtype=int):
            hint = ": as many numbers, but in another shape"
        raise Wrong(f"{name} has shape {got.shape}, expected {right}{hint}")


def dtype(name, got, right):
    """The dtype is `right`; float64 for float32 will do. There is no NaN and no infinity where numbers were given."""
    got = finite(name, got)
    if got.dtype != np.dtype(right) and (got.dtype, np.dtype(right)) != (np.float64, np.float32):
        raise Wrong(f"{name} is {got.dtype}, expected {np.dtype(right)}: keep the dtype of the input")


def finite(name, got):
    """There is no NaN and no infinity."""
    got = array(name, got)
    bad = ~np.isfinite(got)
    if bad.any():
        raise Wrong(f"{name} holds NaN or infinity at {int(bad.sum())} of {bad.size} entries"
                    f"{f' of {got.dtype}' * (got.dtype != np.float64)}: look for 0 / 0, log(0) or an overflow of exp")
    return got


def equal(name, got, right):
    """The very same number, text, or list."""
    if isinstance(got, np.generic):
        got = got.item()
    if type(got) is bool and type(right) is not bool or got != right:
        raise Wrong(f"{name} is {got!r:.100}, expected {right!r:.100}")


def close(name, got, right, *, tol=1e-7, mistaken=None, **inputs):
    """The numbers are `right`, up to `tol` times the largest of them.

    `mistaken` maps sentences to the arrays that well-known mistakes give (None: not here): {"uses the kernel flipped": y};
    the first that `got` equals becomes the message. Without one the difference is searched for a simple law; `inputs`,
    arrays by name (x=x, b=b), let it find a forgotten or doubled term or factor, and signs of x that go wrong.
    """
    got, right = array(name, got), np.asarray(right)
    shape(name, got, right.shape)
    if got.dtype.kind == "c" and right.dtype.kind != "c":
        raise Wrong(f"{name} holds complex numbers, expected real ones")
    rounded = got.dtype if got.dtype.kind == "f" and got.dtype.itemsize < right.dtype.itemsize else None
    got, right = (a.astype(complex if a.dtype.kind == "c" else float) for a in (got, right))
    scale = np.abs(right[np.isfinite(right)]).max(initial=0)
    with np.errstate(all="ignore"):
        wrong = ~((got == right) | (np.abs(got - right) <= tol * max(scale, 1e-300)) | (np.isnan(got) & np.isnan(right)))
    if not wrong.any():
        return
    inputs = {key: np.asarray(a, float) for key, a in inputs.items() if isinstance(a, (np.ndarray, float, int))}
    words = next((text for text, a in (mistaken or {}).items() if _alike(got, a, tol)), None)
    if rounded and _alike(got, right, 8 * np.finfo(rounded).eps):
        words = f"is right, but rounded to {rounded}: keep the dtype of the input"
    words = words or explain(got, right, wrong, inputs)
    raise Wrong(f"{name} {words}" + _worst(name, got, right, wrong) * (right.size > 1))


def _alike(got, other, tol):
    if other is None:
        return False
    other = np.asarray(other, got.dtype)
    return other.shape == got.shape and np.allclose(got, other, rtol=0, atol=tol * np.abs(other).max(initial=0),
                                                    equal_nan=True)


def _worst(name, got, right, wrong):
    """A line on the worst entry."""
    with np.errstate(all="ignore"):
        off = np.where(wrong, np.abs(got - right), -1.0)
    off[wrong & ~np.isfinite(off)] = np.inf
    index = np.unravel_index(off.argmax(), off.shape)
    label = name.split(" ")[0].rstrip(",")
    label = "at " if label.lower() in ("the", "a", "an") else label
    return (f"\n{label}[{', '.join(map(str, index))}]: yours {got[index]:.10g}, right {right[index]:.10g}; "
            f"{int(wrong.sum())} of {wrong.size} entries are wrong")


def gradient(name, forward, backward, *, options=None, tol=1e-7, seed=0, mistaken=None, **inputs):
    """`backward(dy, *inputs, **options)` is the gradient of `forward(*inputs, **options)`, by the gradient checker.

        expect.gradient("linear_backward", linear, student.linear_backward, x=x, w=w, b=b)

    `forward` is the check's own plain loops, so that a student's wrong forward cannot make a right backward look wrong; it
    returns y, or a tuple of arrays (then dy is one too). `inputs` are named in the order of the arguments; the
    floating-point ones need a gradient, labels do not (a number such as eps is an option, not an input). `backward` returns
    a gradient for each of those, one alone or in a tuple. Everything the checker knows is said: two random upstream
    gradients, the diagnosis, broken promises. Inputs are promoted to float64; some 100 entries in all are a good size.
    `options` are keywords for both, with which the diagnosis experiments ("wrong only with stride=2").

    `mistaken` maps sentences to wrong backwards: {"forgets the mean": lambda dy, x: dx}, told when one explains it.
    """
    names = [key for key, v in inputs.items() if np.asarray(v).dtype.kind == "f"]
    wanted, changed = ", ".join(f"d{key}" for key in names), set()

    def both(*args, **options):
        return forward(*args, **options), (args, options)

    def pull(dy, cache):
        args, options = cache
        got = backward(dy, *args, **options)
        changed.update(getattr(backward, "changed", ()))
        got = several(name, got, wanted) if len(names) > 1 else [_single(got)]
        return tuple(None if g is None else array(f"{label} of {name}", g) for label, g in zip(wanted.split(", "), got))

    problem = ArrayProblem(both, pull, list(inputs.values()), options, seed, title=name, names=list(inputs))
    report = check(problem, Tolerance(tol), known=lambda report: _known(report, problem, mistaken or {}))
    if not report:
        lines = str(report).splitlines()[:-1]
        raise Wrong("\n".join([_changes(name, sorted(changed)), *(f"  {line}" for line in lines)] if changed else lines))


def _single(got):
    return got[0] if isinstance(got, (tuple, list)) and len(got) == 1 else got


def _known(report, problem, mistaken):
    """The first sentence of `mistaken` whose backward gives what the student's gave, for every wrong gradient."""
    places = [i for i, c in enumerate(report.inputs) if not c.ok]
    for text, wrong in mistaken.items():
        with np.errstate(all="ignore"):
            pulled = [wrong(dy[0] if len(dy) == 1 else tuple(dy), *problem.arguments, **problem.options) for dy in report.dy]
        pulled = [p if isinstance(p, (tuple, list)) else (p,) for p in pulled]
        yours = [report.inputs[i].analytic for i in places]
        if places and all(same(a[k], np.asarray(p[i])) for k, p in enumerate(pulled) for i, a in zip(places, yours)):
            return text
    return None


def unchanged(function, *args, **kwargs):
    """The student's function leaves its arguments alone; returns what it returned."""
    value = function(*args, **kwargs)
    if function.changed:
        raise Wrong(_changes(function.__name__, function.changed))
    return value


def _changes(name, arguments):
    return (f"{name} changes its argument {' and '.join(arguments)}, which belongs to the caller: compute a new array "
            "(x = x + 1, not x += 1)")


def in_float32(function, *args):
    """The student's function answers to float32 arrays what it answers to the same numbers in float64, up to 1e-3."""
    name, wide = function.__name__, list(_numbers(function(*args)))
    for got, right in zip(_numbers(function(*_narrow(args))), wide):
        finite(f"what {name} returns for float32", got)
        if got.shape != right.shape or not np.allclose(got, right, rtol=0, atol=1e-3 * np.abs(right).max(initial=1e-30)):
            raise Wrong(f"{name} returns something else for float32 than for the same numbers in float64, by more than "
                        "rounding")


def _narrow(value):
    """`value` with its float64 arrays in float32."""
    if isinstance(value, dict):
        return {key: _narrow(v) for key, v in value.items()}
    if isinstance(value, (tuple, list)):
        return type(value)(map(_narrow, value))
    return value.astype(np.float32) if isinstance(value, np.ndarray) and value.dtype == np.float64 else value


def _numbers(value):
    """The arrays of numbers in an answer, those of dicts in the order of their keys."""
    if isinstance(value, dict):
        value = [value[key] for key in sorted(value, key=str)]
    if isinstance(value, (tuple, list)):
        return [a for v in value for a in _numbers(v)]
    return [np.asarray(value)] if isinstance(value, (np.ndarray, np.generic, int, float)) else []


def same_twice(function, *args, **kwargs):
    """The student's function answers twice the same to the same arguments; returns what it returned."""
    first, second = (function(*args, **kwargs) for _ in range(2))
    if repr(first) != repr(second):
        raise Wrong(f"{function.__name__} answers differently when asked twice: it must not draw random numbers or remember "
                    "earlier calls")
    return first


def within(seconds, function, *args, advice):
    """The student's function answers within `seconds` (fifty times what the reference takes, say); returns the answer."""
    for _ in range(2):  # of a busy machine the better of two tells more
        start = time.perf_counter()
        value = function(*args)
        taken = time.perf_counter() - start
        if taken <= seconds:
            break
    else:
        raise Wrong(f"{function.__name__} takes {taken:.1f} s where less than {seconds:g} s will do: {advice}")
    return value


def raises(kind, function, *args, **kwargs):
    """The student's function raises an exception named `kind` ("ValueError"); returns its message."""
    try:
        value = function(*args, **kwargs)
    except StudentError as error:
        if error.kind == kind:
            return error.message
        raise
    raise Wrong(f"{function.__name__} must raise {kind} here, but returned {_kind(value)}")


def _kind(value):
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape} and dtype {value.dtype}"
    return {type(None): "None", tuple: "a tuple", list: "a list", dict: "a dict", str: "a string",
            int: f"the number {value}", float: f"the number {value}"}.get(type(value), type(value).__name__)
