"""What the grader and the process of a submission share: the format of their messages, and how a function is called.

A message is a JSON text and, behind it, the bytes of its arrays. Nothing is ever unpickled: whatever a hostile submission
writes can become numbers, strings and arrays, and nothing else. This file imports only numpy, because the process of the
submission loads it before everything else is forbidden.
"""
import ast
import contextlib
import inspect
import json
import linecache
import math
import re
import struct
import traceback
import warnings

import numpy as np

HEAD = struct.Struct("<QQ")   # bytes of the JSON text, bytes of the arrays
LIMIT = 64 * 2**20            # bytes of a message
TEXT = 4 * 2**20              # bytes of its JSON text
MANY = 200_000                # values in a message
DEEP = 40                     # lists within lists
KEYS = 5000                   # entries of all dicts: keys whose hashes are equal take the square of their number
SCALARS = (type(None), bool, int, float, str)


class Malformed(ValueError):
    """Bytes that are no message, or one that would take long to read."""


# ---- messages ---------------------------------------------------------------------------------------------------------

def send(stream, message):
    """Write `message`, made of dicts, lists, tuples, strings, numbers, None and arrays of numbers."""
    blobs = []
    text = json.dumps(_encode(message, blobs)).encode()
    size = len(text) + sum(map(len, blobs))
    if size > LIMIT or len(text) > TEXT:
        raise TypeError(f"something of {size:,} bytes; at most {LIMIT:,} are allowed, {TEXT:,} of them outside of arrays")
    stream.write(b"".join([HEAD.pack(len(text), sum(map(len, blobs))), text, *blobs]))
    stream.flush()


def receive(stream):
    """The next message; None where the other end has closed. Raises Malformed for anything else."""
    head = stream.read(HEAD.size)
    if len(head) < HEAD.size:
        return None
    sizes = HEAD.unpack(head)
    if sizes[0] > TEXT or sum(sizes) > LIMIT:
        raise Malformed(f"a message of {sizes[0]:,} and {sizes[1]:,} bytes; at most {TEXT:,} and {LIMIT:,} are allowed")
    text, blob = (stream.read(size) for size in sizes)
    if (len(text), len(blob)) != sizes:
        return None
    if text.count(b",") + text.count(b"[") > MANY:
        raise Malformed(f"a message of more than {MANY:,} values")
    try:
        return _Reader(memoryview(blob)).value(json.loads(text, object_pairs_hook=_refuse))
    except (ValueError, TypeError, LookupError, RecursionError, OverflowError) as error:
        raise Malformed(f"no message: {type(error).__name__}: {error}") from None


def _refuse(pairs):
    raise ValueError("a JSON object")


def _encode(value, blobs):
    if type(value) in SCALARS:
        return value
    if isinstance(value, (np.ndarray, np.generic)):
        array = np.asarray(value)
        if array.dtype.kind not in "biufc":
            raise TypeError(f"an array of dtype {array.dtype}; arrays of numbers are expected")
        blobs.append(array.tobytes())
        return ["array" if isinstance(value, np.ndarray) else "scalar", array.dtype.str, list(array.shape)]
    if isinstance(value, dict):
        return ["dict", *([_encode(k, blobs), _encode(v, blobs)] for k, v in value.items())]
    if isinstance(value, (list, tuple)):
        return ["tuple" if isinstance(value, tuple) else "list", *(_encode(v, blobs) for v in value)]
    if isinstance(value, SCALARS):
        return next(kind for kind in (bool, int, float, str) if isinstance(value, kind))(value)
    raise TypeError(f"a value of type {type(value).__name__}; numbers, strings, arrays, and tuples, lists and dicts of them "
                    "are expected")


class _Reader:
    """Makes values of what JSON gave, and of the bytes of the arrays; what would take long or much is refused."""

    def __init__(self, blob):
        self.blob, self.at, self.keys = blob, 0, 0

    def value(self, value, depth=0):
        """The value that `value`, of lists and scalars, stands for."""
        if not isinstance(value, list):
            return value
        if depth > DEEP:
            raise ValueError(f"more than {DEEP} lists within lists")
        kind, *parts = value
        if kind in ("array", "scalar"):
            array = self.array(*parts)
            return array[()] if kind == "scalar" else array
        if kind == "dict":
            self.keys += len(parts)
            if self.keys > KEYS:
                raise ValueError(f"dicts of more than {KEYS} entries")
            return {self.value(k, depth + 1): self.value(v, depth + 1) for k, v in parts}
        return {"tuple": tuple, "list": list}[kind](self.value(v, depth + 1) for v in parts)

    def array(self, code, shape):
        """The next array, of the dtype `code`."""
        if type(code) is not str or not re.fullmatch(r"[<>|=][biufc]\d{1,2}", code):
            raise ValueError("no dtype of numbers")
        if len(shape) > 32 or not all(type(n) is int and 0 <= n < 2**32 for n in shape):
            raise ValueError("no shape")
        dtype = np.dtype(code)
        size = dtype.itemsize * math.prod(shape)
        if size > len(self.blob) - self.at:
            raise ValueError("an array longer than the message")
        part, self.at = self.blob[self.at:self.at + size], self.at + size
        return np.frombuffer(part, dtype).reshape(shape).copy() if size else np.empty(shape, dtype)


def fit(value):
    """`value`, if it can be sent; raises TypeError or RecursionError otherwise."""
    _encode(value, [])
    return value


# ---- texts ------------------------------------------------------------------------------------------------------------

CELLS = "# the code cells of a notebook\n"     # the first line of a text that was one
DEFINING = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
NAMING = (ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign)


def execute(source, filename, namespace):
    """Run the text of a submission.

    Of a notebook's cells only what defines or names something: calls, loops, plots and tests stay out, and so does a name
    that cannot be made here, as of a library that is not there.
    """
    if not source.startswith(CELLS):
        exec(compile(source, filename, "exec"), namespace)
        return
    for statement in ast.parse(source, filename).body:
        code = compile(ast.Module([statement], []), filename, "exec")
        if isinstance(statement, DEFINING):
            exec(code, namespace)
        elif isinstance(statement, NAMING):
            with contextlib.suppress(Exception):
                exec(code, namespace)


# ---- calls ------------------------------------------------------------------------------------------------------------

def call(function, args, kwargs):
    """(what the function returns, the names of the arguments that it changed); each is copied before."""
    args, kwargs = _copied(args), _copied(kwargs)
    before = [[a.copy() for a in arrays(value)] for value in (*args, *kwargs.values())]
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        value = function(*args, **kwargs)
    changed = [i for i, (old, new) in enumerate(zip(before, (*args, *kwargs.values())))
               if any(a.tobytes() != b.tobytes() for a, b in zip(old, arrays(new)))]
    names = [name for name, _ in named(parameters(function), args, kwargs)]
    return value, [names[i] for i in changed]


def run(source, namespace, values):
    """The variable `result` after `source` has run among the names of the submission and `values`."""
    space = {**namespace, "np": np, **_copied(values)}
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        exec(compile(source, "<driver>", "exec"), space)
    return space["result"]


def parameters(function):
    """The names of the positional parameters."""
    try:
        return [p.name for p in inspect.signature(function).parameters.values() if p.kind < p.VAR_POSITIONAL]
    except (TypeError, ValueError):
        return []


def named(known, args, kwargs):
    """The arguments of a call with their names, "argument 3" where unknown."""
    return [*((known[i] if i < len(known) else f"argument {i + 1}", a) for i, a in enumerate(args)), *kwargs.items()]


def arrays(value):
    """The arrays in nested tuples, lists and dicts."""
    if isinstance(value, np.ndarray):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    return [a for v in value for a in arrays(v)] if isinstance(value, (list, tuple)) else []


def _copied(value):
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, dict):
        return {k: _copied(v) for k, v in value.items()}
    return type(value)(map(_copied, value)) if type(value) in (list, tuple) else value


def fault(error, filename):
    """An exception of the submission as a dict: type, message, line, code and function, where `filename` is its file."""
    frames = [(frame, line) for frame, line in traceback.walk_tb(error.__traceback__)
              if frame.f_code.co_filename == filename]
    line, code, function = None, "", ""
    if isinstance(error, SyntaxError) and error.filename == filename:
        line, code = error.lineno, linecache.getline(filename, error.lineno or 0)
    elif frames:
        (frame, line), function = frames[-1], frames[-1][0].f_code.co_qualname
        code = linecache.getline(filename, line, frame.f_globals)
    try:
        message = str(error.msg if isinstance(error, SyntaxError) else error)
    except BaseException:  # of an exception that the submission has made
        message = "its message cannot be shown"
    return {"type": type.__getattribute__(type(error), "__name__"), "message": message[:1000], "line": line,
            "code": code.strip()[:200], "function": str(function)}
