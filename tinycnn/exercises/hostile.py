"""Submissions that no honest student writes, and some that only look like it: the grader's own proof.

Each of them, among the submissions of a class, must get a verdict that explains it, within seconds, without a trace outside
of its process, while everybody else is graded as if it were not there. `HOSTILE` is the list; `place` puts one into a folder
of submissions, `try_all` grades them all. They hand in the exercise `linear`.
"""
import os
import re
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from .course import load
from .grading import grade
from .walls import Bubblewrap, trouble_with

EXERCISE = "linear"
HONEST = "an honest student"
LIMITS = {"seconds": 1.0, "total": 4.0, "memory": 2**30}
DOOR = '    """x (N, D), w (M, D), b (M) -> y (N, M)."""\n'   # behind which the body of the first function begins


@dataclass(frozen=True)
class Hostile:
    """A submission: what it tries, what the verdict must say (a regular expression), and between which points it ends.

    `top` stands before the reference solution, `body` at the start of its first function; `whole`, a text or bytes, takes
    the place of all that; `layout` is how it comes into the folder.
    """
    name: str
    says: str
    top: str = ""
    body: str = ""
    whole: object = None
    least: int = 0
    most: int = 99
    layout: str = "file"

    def content(self):
        """The bytes of the file."""
        if self.whole is not None:
            return self.whole if isinstance(self.whole, bytes) else self.whole.encode()
        lines = "".join(f"    {line}\n" for line in self.body.splitlines())
        text = self.top + "\n" + load(EXERCISE).source.replace(DOOR, DOOR + lines)
        if self.layout == "windows":
            return text.replace("\n", "\r\n").encode("utf-8-sig")
        return text.encode("latin-1" if self.layout == "latin" else "utf-8")

    def place(self, folder, student):
        """Put it into `folder` as the submission of `student`."""
        home = Path(folder, student)
        if self.layout == "link":
            outside = Path(folder).parent / "secret.py"
            outside.write_text("secret = 4711\n", encoding="utf-8")
            os.symlink(outside, Path(folder, f"{student}.py"))
        elif self.layout == "linked folder":
            os.symlink(Path(folder).parent, home, target_is_directory=True)
        elif self.layout == "archive":
            Path(folder, f"{student}.zip").write_bytes(self.content())
        elif self.layout == "bomb":
            with zipfile.ZipFile(Path(folder, f"{student}.zip"), "w", zipfile.ZIP_DEFLATED) as archive:
                archive.writestr("linear.py", b"#" * 50_000_000)
        elif self.layout == "climbing":
            with zipfile.ZipFile(Path(folder, f"{student}.zip"), "w") as archive:
                archive.writestr("../../../escaped.py", "x = 1\n")
        elif self.layout != "empty folder":
            home.mkdir()
            (home / (self.layout if self.layout.endswith(".py") else "linear.py")).write_bytes(self.content())
        else:
            home.mkdir()


HOSTILE = (
    # ---- looks for the solution elsewhere ----
    Hostile("imports tinycnn", "import of tinycnn is not allowed", top="import tinycnn"),
    Hostile("imports torch", "import of torch is not allowed", body="import torch"),
    Hostile("imports the exercise's reference", r"import of tinycnn\S* is not allowed",
            body="from tinycnn.exercises.sources.linear import linear_forward as f\nreturn f(x, w, b)"),
    Hostile("importlib", "out of bounds|is not allowed|No module named",
            body="import importlib\nimportlib.import_module('tinycnn')"),
    Hostile("importlib for another library", "out of bounds|is not allowed|No module",
            body="import importlib\nimportlib.import_module('matplotlib')"),
    Hostile("a loader of its own", "out of bounds|refused|not allowed",
            body="import importlib.util as u\ns = u.spec_from_file_location('t', __import__('numpy').__path__[0] + "
                 "'/../tinycnn/exercises/checks/linear.py')\ns.loader.exec_module(u.module_from_spec(s))"),
    Hostile("reads the grader's files", "is out of bounds",
            body="import sys\nopen(sys.argv[0].replace('sandbox.py', 'checks/linear.py')).read()"),
    Hostile("reads /etc/passwd", "out of bounds", body="open('/etc/passwd').read()"),
    Hostile("climbs out with ..", "out of bounds", body="open('../../../../etc/hostname').read()"),
    Hostile("lists folders", "out of bounds", body="import os\nos.listdir('/')"),
    # ---- looks for the seed ----
    Hostile("looks for a seed in the environment", "no seed here", top="import os, sys",
            body="raise KeyError('no seed here' if not any('seed' in str(v).lower() for v in [*os.environ, *sys.argv]) "
                 "else 'found')"),
    Hostile("looks for a seed in the frames", "no seed here", top="import sys",
            body="f = sys._getframe()\nwhile f:\n    if 'rng' in f.f_locals or 'seed' in f.f_locals:\n"
                 "        raise KeyError('found')\n    f = f.f_back\nraise KeyError('no seed here')"),
    Hostile("looks for a seed with gc", "gc.get_objects is refused", body="import gc\ngc.get_objects()"),
    Hostile("looks for a seed in /proc", "out of bounds", body="open('/proc/self/environ').read()"),
    Hostile("looks for a seed in the parent's memory", "out of bounds|refused",
            body="import os\nopen(f'/proc/{os.getppid()}/mem', 'rb')"),
    # ---- never ends, or takes everything ----
    Hostile("an endless loop", "linear_forward did not end within 1 s", body="while True:\n    pass"),
    Hostile("an endless loop on loading", "your file did not end within 1 s", top="while True:\n    pass"),
    Hostile("sleeps", "did not end within 1 s", body="import time\ntime.sleep(1000)"),
    Hostile("a little slow each time", "took longer than 4 s", body="import time\ntime.sleep(0.8)"),
    Hostile("a memory bomb", "raised (_Array)?MemoryError|ended without an answer|did not end",
            body="import numpy as np\nkept = []\nwhile True:\n    kept.append(np.ones(20_000_000))"),
    Hostile("a list that grows", "raised MemoryError|did not end within", body="a = [0]\nwhile True:\n    a += a"),
    Hostile("endless recursion", "raised RecursionError", body="return linear_forward(x, w, b)"),
    Hostile("a number of a million digits", "cannot be sent|must not return", body="return 10 ** 1_000_000"),
    Hostile("prints megabytes", "all right", top="print('x' * 5_000_000)", least=100, most=100),
    Hostile("prints without end", "did not end within|too large|raised OSError",
            body="while True:\n    print('x' * 100_000)"),
    # ---- ends the process, or goes for the parent ----
    Hostile("sys.exit", "raised SystemExit", body="import sys\nsys.exit(0)"),
    Hostile("sys.exit on loading", "raised SystemExit", top="import sys\nsys.exit()"),
    Hostile("os._exit", "ended without an answer", body="import os\nos._exit(0)"),
    Hostile("os.abort", "ended without an answer|refused", body="import os\nos.abort()"),
    Hostile("kills its parent", "os.kill is refused", body="import os, signal\nos.kill(os.getppid(), signal.SIGKILL)"),
    Hostile("raises a signal", "refused|ended without|raised", body="import signal\nsignal.raise_signal(signal.SIGTERM)"),
    Hostile("crashes the interpreter", "ended without an answer|refused|out of bounds",
            body="import numpy as np\nnp.lib.stride_tricks.as_strided(x, (10**9,), (2**30,)).sum()"),
    Hostile("KeyboardInterrupt", "raised KeyboardInterrupt", body="raise KeyboardInterrupt"),
    # ---- lies to the grader ----
    Hostile("prints a report", "y is zero everywhere",
            body="print('linear: all right\\n100 of 100')\nreturn 0 * (x @ w.T + b)"),
    Hostile("writes answers onto every pipe", "answered nonsense|ended without|did not end",
            body="import os\nfor fd in range(64):\n    try:\n        os.write(fd, b'{\"points\": 100}' * 9)\n"
                 "    except OSError:\n        pass"),
    Hostile("fakes answers in the grader's own format", "y |must|raised|nonsense|ended",
            body="import json, os, struct\nt = json.dumps(['dict', ['value', ['tuple', 100, 100]]]).encode()\n"
                 "for fd in range(3, 64):\n    try:\n        os.write(fd, struct.pack('<QQ', len(t), 0) + t)\n"
                 "    except OSError:\n        pass"),
    Hostile("closes every file", "ended", body="import os\nos.closerange(0, 64)"),
    Hostile("closes stdin and stdout", "all right",
            top="import sys\nsys.stdin.close()\nsys.stdout.close()", least=100, most=100),
    Hostile("an object with a lying __array__", "must not return a value of type Liar",
            top="class Liar:\n    def __array__(self, *a, **k):\n        return 1\n", body="return Liar()"),
    Hostile("an object equal to everything", "must not return a value of type Equal",
            top="class Equal:\n    __eq__ = lambda *a: True\n    shape = (2, 3)\n", body="return Equal()"),
    Hostile("an array equal to everything", "y is zero everywhere|nonsense",
            top="import numpy as np\nclass Yes(np.ndarray):\n    def __eq__(self, o):\n"
                "        return np.ones(self.shape, bool)\n"
                "    def __sub__(self, o):\n        return np.zeros(self.shape)\n    __rsub__ = __sub__\n",
            body="return (0 * (x @ w.T + b)).view(Yes)"),
    Hostile("an array whose bytes lie", "all right", least=100, most=100,
            top="import numpy as np\nclass Bytes(np.ndarray):\n    def tobytes(self, *a):\n        return b'lies'\n",
            body="return (x @ w.T + b).view(Bytes)"),
    Hostile("replaces numpy", "y is zero|has shape|wrong",
            top="import numpy as np\nnp.allclose = np.array_equal = lambda *a, **k: True\nnp.abs = lambda *a: 0\n",
            body="return 0 * (x @ w.T + b)"),
    Hostile("replaces builtins", "raised|zero|ended|nonsense",
            top="import builtins\nbuiltins.isinstance = lambda *a: True\n", body="return 0 * (x @ w.T + b)"),
    Hostile("replaces the server's own functions", "ended|nonsense|must|y |raised",
            top="import sys\nm = sys.modules.get('wire')\nm.call = lambda f, a, k: (100, [])\n"),
    Hostile("tampers with audit hooks", "is refused", top="import sys\nsys.addaudithook(lambda *a: None)\n",
            body="import os\nos.system('true')"),
    Hostile("sys.settrace", "os.system is refused", top="import sys\nsys.settrace(lambda *a: None)\n",
            body="import os\nos.system('true')"),
    # ---- reaches outside ----
    Hostile("writes a file outside", "out of bounds", body="open('../planted.txt', 'w').write('x')"),
    Hostile("writes into its temporary folder", "No usable temporary|out of bounds|refused",
            body="import tempfile\ntempfile.mkstemp()"),
    Hostile("deletes files", "os.remove is refused", body="import os\nos.remove(__file__)"),
    Hostile("deletes a tree", "refused|out of bounds", body="import shutil\nshutil.rmtree('..')"),
    Hostile("forks", "os.fork is refused|raised AttributeError", body="import os\nwhile True:\n    os.fork()"),
    Hostile("starts a program", "is not allowed|refused", body="import subprocess\nsubprocess.run(['true'])"),
    Hostile("os.system", "os.system is refused", body="import os\nos.system('true')"),
    Hostile("opens a socket", "is not allowed|refused", body="import socket\nsocket.create_connection(('127.0.0.1', 9))"),
    Hostile("fetches a page", "is not allowed|refused",
            body="import urllib.request\nurllib.request.urlopen('http://127.0.0.1')"),
    Hostile("ctypes", "is not allowed|refused", body="import ctypes\nctypes.string_at(0)"),
    Hostile("ctypes that numpy has loaded", "refused|raised", body="import sys\nsys.modules['ctypes'].CDLL(None)"),
    Hostile("a pickle bomb", "os.system is refused|refused",
            body="import pickle\npickle.loads(b'cos\\nsystem\\n(S\"true\"\\ntR.')"),
    Hostile("leaves threads behind", "all right|can't start new thread", most=100,
            top="import threading\n\ndef spin():\n    while True:\n        pass\n\nfor _ in range(3):\n"
                "    threading.Thread(target=spin).start()\n"),
    Hostile("leaves work for its end", "all right", least=100, most=100,
            top="import atexit\natexit.register(lambda: print('still here'))\n"),
    # ---- exceptions ----
    Hostile("an exception with an evil __str__", "its message cannot be shown",
            top="class Evil(Exception):\n    def __str__(self):\n        raise RuntimeError\n", body="raise Evil"),
    Hostile("an exception of a megabyte", "raised ValueError", body="raise ValueError('x' * 1_000_000)"),
    Hostile("a flood of exceptions", "raised ValueError",
            body="e = None\nfor i in range(1000):\n    n = ValueError(i)\n    n.__cause__ = e\n    e = n\nraise e"),
    Hostile("an exception that is no text", "raised StopIteration", body="raise StopIteration(x)"),
    # ---- mistakes that look like it ----
    Hostile("a syntax error", "raised SyntaxError", whole="def linear_forward(x, w, b)\n    return x\n"),
    Hostile("mixed tabs", "raised TabError", whole="def f(x):\n\tif x:\n        return x\n"),
    Hostile("an empty file", "there is no function linear_forward in your file", whole=""),
    Hostile("binary junk", "is not a text in UTF-8", whole=bytes(range(256)) * 40),
    Hostile("zero bytes", "raised (ValueError|SyntaxError)", whole=b"x = 1\0\0\n"),
    Hostile("Latin-1 without saying so", "is not a text in UTF-8", whole="# na\u00efve\n".encode("latin-1")),
    Hostile("Latin-1 that says so", "all right", least=100, most=100,
            top="# -*- coding: latin-1 -*-\n# \u00e9", layout="latin"),
    Hostile("a megabyte and more", "was not read", whole=b"#" * (2**20 + 1)),
    Hostile("deep nesting", "raised (SyntaxError|MemoryError|RecursionError)", whole="x = " + "(" * 5000 + ")" * 5000),
    Hostile("another name for the function", "there is no function linear_forward",
            whole="def forward(x, w, b):\n    return x @ w.T + b\n"),
    Hostile("another signature", "raised TypeError", whole="def linear_forward(x):\n    return x\n"),
    Hostile("a class in place of a function", "must not return a value of type linear_forward",
            whole="class linear_forward:\n    def __init__(self, x, w, b):\n        self.y = x @ w.T + b\n"),
    Hostile("a number in place of a function", "there is no function linear_forward", whole="linear_forward = 3\n"),
    Hostile("no return", "got None: is a return missing", body="return None"),
    Hostile("a generator", "must not return a value of type generator", body="return (v for v in x)"),
    Hostile("a coroutine", "must not return a value of type coroutine",
            whole="async def linear_forward(x, w, b):\n    return x\n"),
    Hostile("an array of objects", "dtype object", body="return (x @ w.T + b).astype(object)"),
    Hostile("an array of texts", "dtype <U", body="return (x @ w.T + b).astype(str)"),
    Hostile("a huge array", "bytes; at most|MemoryError", body="import numpy as np\nreturn np.zeros((10_000, 8_000))"),
    Hostile("a list in a list in a list ...", "something that contains itself|cannot be sent",
            body="a = []\nfor _ in range(100_000):\n    a = [a]\nreturn a"),
    Hostile("a list that contains itself", "contains itself", body="a = []\na.append(a)\nreturn a"),
    Hostile("NaN", "holds NaN or infinity", body="return (x @ w.T + b) * float('nan')"),
    Hostile("float16", "rounded to float16: keep the dtype", body="return (x @ w.T + b).astype('float16')"),
    Hostile("complex numbers", "complex numbers, expected real", body="return x @ w.T + b + 0j"),
    Hostile("lists in place of arrays", "linear|y |dtype", body="return (x @ w.T + b).tolist()"),
    Hostile("works only once", "zero everywhere|raised|differ", top="calls = []\n",
            body="calls.append(1)\nif len(calls) > 1:\n    return 0 * (x @ w.T + b)"),
    Hostile("random answers", "^linear: y ", body="import numpy as np\nreturn np.random.randn(len(x), len(w))"),
    Hostile("changes its inputs", "changes its argument x", body="x *= 2\nreturn x @ w.T / 2 + b", most=90),
    Hostile("Windows newlines and a byte order mark", "all right", least=100, most=100, layout="windows"),
    Hostile("a misspelt file name", "did you mean linear.py", layout="lineer.py", whole="x = 1\n"),
    Hostile("a file name that says it twice", r"Linear \(1\).py was taken for linear.py", layout="Linear (1).py",
            least=100, most=100),
    Hostile("an empty folder", "nothing was handed in", layout="empty folder"),
    Hostile("a linked file", "links are not followed", layout="link"),
    Hostile("a linked folder", "links are not followed", layout="linked folder"),
    Hostile("an archive that is none", "cannot be read", layout="archive", whole=b"PK junk"),
    Hostile("an archive that unpacks to 50 MB", "was not read", layout="bomb"),
    Hostile("an archive that climbs", "nothing was handed in", layout="climbing"),
)


def try_all(chosen=HOSTILE, jobs=2):
    """[(Hostile, Grade, whether the verdict is as it should be)], from one grading with honest students among them.

    Where there is no bubblewrap the second wall alone stands.
    Raises RuntimeError where an honest student was harmed, or a file stands where none should.
    """
    with tempfile.TemporaryDirectory(prefix="hostile-") as home:
        folder = Path(home, "submissions")
        folder.mkdir()
        honest = [f"{HONEST} {i}" for i in range(3)]
        for student in honest:
            (folder / student).mkdir()
            (folder / student / "linear.py").write_text(load(EXERCISE).source, encoding="utf-8")
        students = {}
        for number, hostile in enumerate(chosen):
            students[f"{number:03}"] = hostile
            try:
                hostile.place(folder, f"{number:03}")
            except OSError:  # a system on which nobody may make links
                del students[f"{number:03}"]
        before = _tree(home)
        trusted = bool(trouble_with(Bubblewrap()))
        grading = grade(folder, Path(home, "out", "grades.csv"), exercises=[EXERCISE], jobs=jobs, trusted=trusted, **LIMITS)
        harmed = [g.student for g in grading.grades if g.student in honest and g.points != {EXERCISE: 100}]
        planted = [path for path in _tree(home) - before if not path.startswith("out")]
        if harmed or planted:
            raise RuntimeError(f"harmed: {harmed}; planted: {planted}")
        return [(students[g.student], g, _as_it_should(students[g.student], g, home)) for g in grading.grades
                if g.student in students]


def _as_it_should(hostile, grade, home):
    points = grade.points[EXERCISE] or 0
    feedback = Path(home, "out", "grades-feedback", f"{grade.student}.md").read_text(encoding="utf-8")
    said = re.search(hostile.says, grade.remark or "all right") or re.search(hostile.says, feedback)
    return hostile.least <= points <= hostile.most and bool(said) and "4711" not in feedback


def _tree(folder):
    return {path.relative_to(folder).as_posix() for path in Path(folder).rglob("*")}
