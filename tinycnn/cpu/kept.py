"""Machine code of loops kept on disk: a processor compiles them once.

Numba has such files of its own, in a folder beside the source or, where that cannot be written to, in the user's cache. The
folder is used here, but each loop has a file for each combination of types, named by all that its machine code depends on.
In Numba's, a loop that a function has made (`direct.py: convolution`) is not found again, since the words of `registers.py`
that it uses have new names in every process; a loop is not made anew where one that it calls has changed in another file;
and of two processes that write at once, one may later be given what the other has compiled.
"""
import hashlib
import os
import pickle
import sys
import time
import types
import uuid
from pathlib import Path

import numba
from numba.core import event
from numba.core.caching import FunctionCache
from numba.core.serialize import dumps

PATIENCE = 2  # seconds of compiling after which a terminal shows it


def keep(loop, options):
    """Keep the machine code of a function of Numba's, made with these options, if any folder can be written to."""
    try:
        loop._cache = Kept(loop.py_func, options)
    except RuntimeError:
        pass
    return loop


class Kept(FunctionCache):
    """Files with the machine code of one loop. Whatever is wrong with one of them, the loop is compiled anew."""

    def __init__(self, function, options):
        super().__init__(function)
        self._folder = Path(self.cache_path)
        name = f"{function.__module__}.{function.__qualname__}"
        self._function = name.replace("<locals>.", "").replace("<lambda>", "lambda")
        texts, self._constants = origins(function)
        self._name = f"{self._function}-{digest(numba.__version__, sys.version, options, texts)}"

    def _path(self, signature, codegen):
        return self._folder / f"{self._name}-{digest(self._constants, signature, codegen.magic_tuple())}.nbc"

    def load_overload(self, signature, target):
        target.refresh()
        try:
            content = self._path(signature, target.codegen()).read_bytes()
            if hashlib.sha256(content[32:]).digest() == content[:32]:
                return self._impl.rebuild(target, pickle.loads(content[32:]))
        except Exception:  # it is not there, or from another version of something
            pass

    def save_overload(self, signature, result):
        try:
            content, path = dumps(self._impl.reduce(result)), self._path(signature, result.codegen)
            new = path.with_suffix(f".{uuid.uuid4().hex}")
            new.write_bytes(hashlib.sha256(content).digest() + content)
            os.replace(new, path)
            for old in self._folder.glob(f"{self._function}-*.nbc"):
                if not old.name.startswith(self._name):  # compiled from other source text
                    old.unlink(missing_ok=True)
        except OSError:
            pass


def digest(*values):
    """A name for such values."""
    return hashlib.sha256(repr(values).encode()).hexdigest()[:20]


def origins(function):
    """What machine code is made from: (the files of a function and of all that it calls, its places there and constants)."""
    texts, constants, seen = {}, [], set()

    def visit(function):
        if function in seen:
            return
        seen.add(function)
        path = function.__code__.co_filename
        texts[path] = Path(path).read_text()
        constants.append([*function.__code__.co_positions()])
        used = [function.__globals__.get(name) for name in names(function.__code__)]
        for value in [*used, *(cell.cell_contents for cell in function.__closure__ or ())]:
            if isinstance(value, (int, float, str, tuple)):
                constants.append(value)
            elif hasattr(value, "__wrapped__"):  # another loop, or a word of `registers.py`
                visit(value.__wrapped__)
    visit(function)
    return list(texts.values()), constants


def names(code):
    """The names that a function's code looks up, and those of functions in it."""
    yield from code.co_names
    for part in code.co_consts:
        if isinstance(part, types.CodeType):
            yield from names(part)


class Progress(event.Listener):
    """A line on the terminal while loops are compiled, if that takes long."""

    def __init__(self):
        self.count = self.seconds = 0
        self.began = []   # when the loops began that are compiled just now: one may call another

    def on_start(self, what):
        if ours(what):
            self.began.append(time.perf_counter())
            self.count += 1
            self.shown = self.seconds + self.began[-1] - self.began[0] > PATIENCE
            if self.shown:
                self.show(f"compiling loops for this processor, once: {self.count}")

    def on_end(self, what):
        if ours(what):
            began = self.began.pop()
            if not self.began:
                self.seconds += time.perf_counter() - began
                if self.shown:
                    self.show("")

    def show(self, text):
        if sys.stderr is not None and sys.stderr.isatty():
            print(f"\r{text:60}\r{text}", end="", file=sys.stderr, flush=True)


def ours(what):
    """Whether what is compiled belongs to tinycnn."""
    return what.data["dispatcher"].py_func.__module__.partition(".")[0] == __name__.partition(".")[0]


event.register("numba:compile", Progress())
