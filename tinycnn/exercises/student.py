"""The submission as a check sees it: `student.conv2d(x, w, b)` calls the student's function, wherever it lives.

`LocalStudent` holds functions of this process, as in a notebook; `ProcessStudent` a file, which runs in a process of its own
behind a pipe. Both hand over copies, note which arguments a function changed, and turn what it raises into a `Wrong`.
"""
import contextlib
import difflib
import json
import os
import re
import signal
import subprocess
import tempfile
import threading
import time
import types
from pathlib import Path

import numpy as np

from . import walls, wire
from .notebook import source_of
from .report import Wrong

DAWN = 60    # seconds that Python and numpy have to start
LONG = 86400
PRINTED = 2000
DRIVEN = "your code"   # in messages, where no function of the submission can be named


class StudentError(Wrong):
    """The submission raised an exception; `kind` is its name ("ValueError") and `message` its text."""

    def __init__(self, text, kind="", message=""):
        super().__init__(text)
        self.kind, self.message = kind, message


class Function:
    """A function of the submission; `changed` names the arguments that its last call has changed."""

    def __init__(self, student, name):
        self.student, self.name, self.__name__, self.changed = student, name, student.shown(name), []

    def __call__(self, *args, **kwargs):
        value, self.changed = self.student.call(self.name, args, kwargs)
        return value


class Student:
    """The common part: attributes are functions of the submission."""

    _wanted = ()    # the names that the exercise asks for

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        return Function(self, name)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def close(self):
        """End the process, where there is one."""

    def expects(self, names):
        """Note which names the exercise asks for, so that another can be recognised as one of them, misspelt."""
        self._wanted = tuple(names)

    def shown(self, name):
        """What messages call the function `name`."""
        return name

    def printed(self):
        """The end of what the submission printed, where it was kept."""
        return ""

    def _missing(self, name, names):
        others = {n.lower(): n for n in names if n not in self._wanted}
        close = difflib.get_close_matches(name.lower(), others, 1, 0.7)
        return Wrong(f"there is no function {name} in your file" + f"; it defines {', '.join(sorted(names))}" * bool(names)
                     + "".join(f" (is {others[n]} misspelt?)" for n in close))


def raised(fault, call, args=()):
    """The StudentError for a fault (see `wire.fault`) in `call`."""
    fault = fault if isinstance(fault, dict) else {}
    kind, message = str(fault.get("type"))[:100], str(fault.get("message"))[:1000]
    if call == DRIVEN and fault.get("function") not in (None, "", "<module>"):
        call = str(fault["function"])[:100]
    if kind == "NotImplementedError":
        function = message.partition(":")[0] if ":" in message else call
        return StudentError(f"{function} is not written yet", kind, message)
    place = f" in line {fault['line']}" if type(fault.get("line")) is int else ""
    text = f"{call} raised {kind}{place}: {' '.join(message.split()) or 'no message'}{_clash(message)}"
    text += f"\n{str(fault['code'])[:200]}" if fault.get("code") else ""
    shapes = [f"{name} {a.shape}" for name, value in args for a in wire.arrays(value)]
    text += f"\nits arguments had the shapes {', '.join(shapes)}" if shapes else ""
    return StudentError(text, kind, message)


def _clash(message):
    """What NumPy means when it says that shapes do not fit, as the rest of a sentence; "" for other messages."""
    found = re.search(r"matmul: Input operand 1 has a mismatch in its core dimension 0.*size (\d+) is different from (\d+)",
                      message)
    if found:
        return (f": in a @ b the last axis of a has {found[2]} entries, and the last axis but one of b (its first, where b "
                f"is a matrix) has {found[1]}; they must be equal")
    found = re.search(r"could not be broadcast together with shapes \(([\d,]*)\) \(([\d,]*)\)", message)
    if found:
        one, other = (tuple(int(n) for n in text.split(",") if n) for text in found.groups())
        for back in range(1, min(len(one), len(other)) + 1):
            if one[-back] != other[-back] and 1 not in (one[-back], other[-back]):
                return (f": axis {-back}, counted from the end, has {one[-back]} entries in the first and {other[-back]} in "
                        "the second")
    return ""


class LocalStudent(Student):
    """Functions, classes, modules or dicts of names in this process."""

    def __init__(self, *code):
        self._names = {}
        for part in code:
            if isinstance(part, types.ModuleType):
                part = vars(part)
            self._names.update(part if isinstance(part, dict) else {part.__name__: part})

    def shown(self, name):
        """The name that the function itself has."""
        own = getattr(self._names.get(name), "__name__", name)
        return own if own.isidentifier() else name

    def call(self, name, args, kwargs):
        """(value, names of the changed arguments) of a call."""
        function = self._names.get(name)
        if not callable(function):
            raise self._missing(name, [n for n, v in self._names.items() if callable(v) and not n.startswith("_")])
        try:
            value, changed = wire.call(function, args, kwargs)
        except Exception as error:  # the submission's, whatever it is
            file = getattr(getattr(function, "__code__", None), "co_filename", "")
            args = wire.named(wire.parameters(function), args, kwargs)
            raise raised(wire.fault(error, file), self.shown(name), args) from error
        return _fit(value, self.shown(name)), changed

    def run(self, source, **values):
        """Run a short text among the submission's names and `values`; what it leaves in `result`."""
        try:
            value = wire.run(source, self._names, values)
        except Exception as error:
            functions = [f for v in self._names.values() for f in (vars(v).values() if isinstance(v, type) else [v])]
            files = {f.__code__.co_filename for f in functions if isinstance(f, types.FunctionType)}
            faults = [wire.fault(error, file) for file in sorted(files)]
            raise raised(next((f for f in faults if f["line"]), wire.fault(error, "")), DRIVEN) from error
        return _fit(value, DRIVEN)


def _fit(value, name):
    try:
        return wire.fit(value)
    except (TypeError, RecursionError) as error:
        fault = "something that contains itself" if isinstance(error, RecursionError) else error
        raise Wrong(f"{name} must not return {fault}") from None


class ProcessStudent(Student):
    """A submission's text in a process of its own, which is started when needed and stopped after `seconds` a call.

    All calls together may take `total` seconds; `memory` is in bytes, where the system can limit it. `wall` (see `walls.py`)
    stands around the process; without one it has the rights of whoever checks, who should be the one who wrote the text.
    """

    def __init__(self, source, seconds=10.0, memory=2 * 2**30, total=float("inf"), wall=None):
        self._source, self._seconds, self._memory, self._total, self._left = source, seconds, memory, total, total
        self._wall, self._known = wall or walls.Open(), None
        self._home, self._printed = tempfile.TemporaryDirectory(prefix="exercise-"), tempfile.TemporaryFile()
        self._process, self._names, self._broken = None, {}, None
        self._deadline, self._late = float("inf"), False

    @classmethod
    def from_file(cls, path, **limits):
        """The submission in the file `path`."""
        return cls(source_of(Path(path).read_bytes(), path), **limits)

    def call(self, name, args, kwargs):
        """(value, names of the changed arguments) of a call."""
        self._start()
        if name not in self._names:
            raise self._missing(name, self._names)
        reply = self._ask({"call": name, "args": args, "kwargs": kwargs}, name,
                          wire.named(self._names[name], args, kwargs))
        changed = reply.get("changed")
        return reply.get("value"), [str(n)[:100] for n in changed] if isinstance(changed, list) else []

    def run(self, source, **values):
        """Run a short text among the submission's names and `values`; what it leaves in `result`."""
        self._start()
        return self._ask({"run": source, "values": values}, DRIVEN).get("value")

    def printed(self):
        """The end of what the submission printed."""
        with open(os.dup(self._printed.fileno()), "rb") as file:   # of no name, so that nothing else can stand in its place
            file.seek(max(0, file.seek(0, os.SEEK_END) - PRINTED))
            return file.read(PRINTED).decode(errors="replace").strip()

    def close(self):
        """End the process and remove its folder."""
        self._kill()
        self._printed.close()
        self._home.cleanup()

    # ---- the process ----
    def _start(self):
        if self._broken:
            raise self._broken
        if self._process and self._process.poll() is None:
            return
        self._kill()
        limits = json.dumps({"seconds": int(20 * self._seconds), "memory": self._memory})
        command, self._known = self._wall.command(limits, DAWN + min(self._left, LONG))
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._printed,
                                         cwd=self._home.name, env=self._wall.environment(),
                                         start_new_session=os.name == "posix")
        self._late = False
        threading.Thread(target=self._watch, args=(self._process,), daemon=True).start()
        self._exchange(None, "python", DAWN)
        try:
            text = np.frombuffer(self._source.encode(errors="replace"), np.uint8)
            reply = self._exchange({"source": text}, "your file", self._seconds)
            if "fault" in reply:
                raise raised(reply["fault"], "loading your file")
        except Wrong as wrong:
            self._broken = wrong
            raise
        names = reply.get("names")
        self._names = {str(name): list(map(str, parameters)) if isinstance(parameters, list) else []
                       for name, parameters in (names.items() if isinstance(names, dict) else ())}

    def _watch(self, process):
        """End the process when its answer is late."""
        while process.poll() is None:
            if time.monotonic() > self._deadline and process is self._process:
                self._late = True
                self._end(process)
                return
            time.sleep(0.05)

    def _ask(self, request, name, args=()):
        reply = self._exchange(request, name, self._seconds)
        if "fault" in reply:
            raise raised(reply["fault"], name, args)
        if "unfit" in reply:
            raise Wrong(f"{name} must not return {reply['unfit']}")
        return reply

    def _exchange(self, request, name, seconds):
        """The reply to a request, or the next one where it is None."""
        start, nonsense, reply = time.monotonic(), False, None
        self._deadline = start + min(seconds, self._left)
        try:
            with contextlib.suppress(OSError):   # of a process that has ended; why, its exit code says
                if request is not None:
                    wire.send(self._process.stdin, request)
                reply = wire.receive(self._process.stdout)
                nonsense = not isinstance(reply, (dict, type(None)))
        except wire.Malformed:
            nonsense = True
        finally:
            self._deadline = float("inf")
            self._left -= time.monotonic() - start
        if not nonsense and reply is not None:
            return reply
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(0 if nonsense else 5)
        code, late = self._process.poll(), self._late
        self._kill()
        if self._left <= 0:
            self._broken = Wrong(f"{name}: all calls together took longer than {self._total:g} s, so the rest was not tried")
            raise self._broken
        if late:
            raise Wrong(f"{name} did not end within {seconds:g} s: look for an endless loop")
        if code and getattr(signal, "SIGXCPU", 0) in (-code, code - 128):
            raise Wrong(f"{name} used more computing time than allowed: look for an endless loop")
        raise Wrong(f"{name}: the process of your file answered nonsense" if nonsense else
                    f"{name}: the process of your file ended without an answer (exit code {code})")

    def _kill(self):
        process, self._process = self._process, None
        if process is not None:
            self._end(process)
            process.wait()
            if self._known:
                self._wall.end(self._known)
            for stream in (process.stdin, process.stdout):
                with contextlib.suppress(OSError):
                    stream.close()

    @staticmethod
    def _end(process):
        if process.poll() is None:
            with contextlib.suppress(OSError):
                os.killpg(process.pid, signal.SIGKILL) if os.name == "posix" else process.kill()
