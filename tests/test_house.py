"""The laws of the house: what may import what, and that a road is never more than a faster way to the same numbers."""
import ast
import functools
import importlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tinycnn
from tests.helpers import emulated, roads
from tests.helpers.cases import PROGRAMS, close, run_case, tensors_of
from tests.helpers.strict_array import StrictArray, install
from tinycnn.engine import formula
from tinycnn.gradcheck import registry
from tinycnn.gradcheck.watch import nodes

registry.load()
ROOT, PACKAGE = Path(__file__).parents[1], Path(tinycnn.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
FLOORS = [{"engine"}, {"ops"}, {"distributed"}, {"nn", "optim", "data", "files"}, {"models"}, {"train", "viz"},
          {"gradcheck"}, {"exercises", "explore"}, {"cli"}, {"torch"}]
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
PLAIN = {"engine", "ops", "nn", "optim"}  # the rooms of the textbook, which know of no road
ROADS = {"cpu", "gpu"}                    # which stand on these four, and are named by the package itself and its facade
LIKE_USERS = {"models", "exercises", "cli"}  # say `from .. import relu`, as users do; models so run on PyTorch, too
ROOMS = {*FLOOR, *ROADS}
TEXTBOOK = [path for path in FILES if path.relative_to(PACKAGE).parts[0] in PLAIN]
each_file = pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
each_file_of_the_textbook = pytest.mark.parametrize("path", TEXTBOOK, ids=lambda path: str(path.relative_to(PACKAGE)))


# ---- rooms and floors ------------------------------------------------------------------------------------------------

def room_of(path):
    """The room in which a file lies; "" for the two files at the top of the package."""
    return path.relative_to(PACKAGE).parts[0] if path.parent != PACKAGE else ""


def imports(tree, inside):
    """(line, dotted name) of everything that a syntax tree imports: `inside` are the parts of the file's own dotted name.

    Inside functions, too, and by `import_module` where the name is written down. `from a import b` gives a.b, whether that
    is a module or a name in one.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            base = [*inside[:-node.level]] if node.level else []
            base += node.module.split(".") if node.module else []
            yield from ((node.lineno, ".".join([*base, alias.name])) for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.Call) and node.args and ast.unparse(node.func) in (
                "importlib.import_module", "import_module", "__import__"):
            name = "".join(part.value if isinstance(part, ast.Constant) else "*"
                           for part in getattr(node.args[0], "values", [node.args[0]]))
            dots = len(name) - len(name.lstrip("."))
            yield node.lineno, ".".join([*inside[:-dots], name.lstrip(".")] if dots else [name])


def imported(path):
    """`imports` of a file of the package."""
    inside = list(path.relative_to(PACKAGE.parent).with_suffix("").parts)
    return imports(ast.parse(path.read_text()), inside)


def imported_rooms(path):
    """(line, room) for everything that a file imports from the package; the room of a name in the package itself is ""."""
    for line, name in imported(path):
        top, _, rest = name.partition(".")
        if top == "tinycnn":
            name = rest.partition(".")[0]
            facade = PACKAGE / "torch" / name
            yield line, name if name in ROOMS else "torch" if facade.is_dir() or facade.with_suffix(".py").exists() else ""


def test_the_package_has_seventeen_rooms_and_nothing_else():
    entries = {path.name for path in PACKAGE.iterdir() if path.name != "__pycache__"}
    assert len(ROOMS) == 17 and entries == {*ROOMS, "__init__.py", "__main__.py"}


@each_file
def test_no_arrow_points_upward(path):
    room = room_of(path)
    for line, other in imported_rooms(path):
        if room in ("", "torch") or other == room:
            continue
        where = f"{path.relative_to(PACKAGE)}:{line} imports from {other or 'the package itself'}"
        assert other not in ROADS, f"{where}: roads are imported by the package itself and by torch/ only"
        if room in ROADS:
            assert other in PLAIN, f"{where}: roads stand on {sorted(PLAIN)} only"
        elif other or room not in LIKE_USERS:
            assert FLOOR.get(other, len(FLOORS)) <= FLOOR[room], f"{where}, which lies above {room}"


def test_rooms_import_each_other_without_a_circle():
    arrows = {room: set() for room in ROOMS}
    for path in FILES:
        if room_of(path):
            arrows[room_of(path)] |= {other for _, other in imported_rooms(path)} - {"", room_of(path)}
    assert_no_circle(arrows)


def test_files_import_each_other_without_a_circle():
    """Imports that run when a file is loaded. A package is loaded before what lies in it, and may be only half made then."""
    def name_of(path):
        return ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
    names = {name_of(path) for path in FILES}
    arrows = {name: set() for name in names}
    for path in FILES:
        inside = list(path.relative_to(PACKAGE.parent).with_suffix("").parts)
        body = [node for node in ast.parse(path.read_text()).body
                if not isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.Expr))]
        for _, target in imports(ast.Module(body, []), inside):
            target = target if target in names else target.rpartition(".")[0]
            if target in names and not (name_of(path) + ".").startswith(target + "."):
                arrows[name_of(path)].add(target)
    assert_no_circle(arrows)


def assert_no_circle(arrows):
    done, path = set(), []

    def visit(name):
        assert name not in path, "circle: " + " -> ".join([*path[path.index(name):], name])
        if name not in done:
            path.append(name)
            for other in sorted(arrows[name]):
                visit(other)
            path.pop()
            done.add(name)
    for name in arrows:
        visit(name)


def test_a_circle_is_found():
    with pytest.raises(AssertionError, match="circle: b -> c -> b"):
        assert_no_circle({"a": {"b"}, "b": {"c"}, "c": {"b"}})


def test_imports_are_found_wherever_they_hide():
    text = ("from . import a\nfrom ..b import c\nimport d.e\ndef f():\n    from tinycnn import g\n"
            "    importlib.import_module('..h', __package__)\n    importlib.import_module(f'.{x}.i', __name__)")
    found = [name for _, name in imports(ast.parse(text), ["tinycnn", "room", "file"])]
    assert sorted(found) == sorted(["tinycnn.room.a", "tinycnn.b.c", "d.e", "tinycnn.g", "tinycnn.h", "tinycnn.room.*.i"])


@each_file
def test_only_arrays_and_the_roads_of_gpus_name_cupy(path):
    names = {name.partition(".")[0] for _, name in imported(path)}
    allowed = room_of(path) == "gpu" or path in (PACKAGE / "engine" / "arrays.py", PACKAGE / "distributed" / "nccl.py")
    assert allowed or not names & {"cupy", "cupyx", "cupy_backends"}


@each_file
def test_only_distributed_names_mpi(path):
    assert room_of(path) == "distributed" or not {name.partition(".")[0] for _, name in imported(path)} & {"mpi4py"}


@each_file_of_the_textbook
def test_the_textbook_imports_only_numpy_from_outside(path):
    for line, name in imported(path):
        top = name.partition(".")[0]
        assert top in sys.stdlib_module_names or top in ("tinycnn", "numpy") or path.name == "arrays.py" and top == "cupy", (
            f"{path.relative_to(PACKAGE)}:{line} imports {name}")


def test_import_loads_nothing_heavy():
    code = ("import sys, tinycnn; heavy = {'matplotlib', 'PIL', 'pooch', 'tqdm', 'safetensors', 'cupy', 'torch'}; "
            "print(sorted(heavy & set(sys.modules)))")
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


# ---- the first law: the textbook knows of no road --------------------------------------------------------------------

WORDS = re.compile(r"\bthreads?\b|\bcores\b|\bpieces\b|\bkernel(s\.|/)|\bblas\b|\bnumba\b|\bcaches?\b|\bcached\b|\blaunch\w*"
                   r"|\bfast roads?\b|\bcompiled loops?\b", re.IGNORECASE)
OTHERWISE_MEANT = {  # file -> what the words mean there
    "engine/formula.py": "a switch that every thread of a program has for itself",
    "engine/grad_mode.py": "a switch that every thread of a program has for itself",
    "engine/generators.py": "a stream that a thread of a program has for itself",
}


@each_file_of_the_textbook
def test_the_textbook_does_not_speak_of_roads(path):
    if str(path.relative_to(PACKAGE)) in OTHERWISE_MEANT:
        return
    text = re.sub(r"@?functools\.(lru_)?cache(\(.*\))?|import .*\bcache\b", "", path.read_text())
    found = [(nr, match[0]) for nr, line in enumerate(text.split("\n"), 1) for match in WORDS.finditer(line)]
    assert not found, f"{path.relative_to(PACKAGE)}: words of the roads' machinery, in lines {found}"


# ---- the second law: without the roads everything works --------------------------------------------------------------

TRAINING = """
import importlib.util, pathlib, sys
import tinycnn
from tinycnn import nn, optim
from tinycnn.engine.formula import ROADS
from tinycnn.gradcheck import registry
from tinycnn.gradcheck.checker import check_case
assert pathlib.Path(tinycnn.__file__).parent == pathlib.Path.cwd() / "tinycnn" and not ROADS
assert importlib.util.find_spec("tinycnn.cpu") is importlib.util.find_spec("tinycnn.gpu") is None
tinycnn.manual_seed(0)
net = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
                    nn.Dropout(0.2), nn.Linear(64, 10), nn.LayerNorm(10), nn.GELU())
x, y = tinycnn.randn(12, 1, 8, 8), tinycnn.randint(10, (12,))
optimizer = optim.AdamW(net.parameters(), 0.01)
losses = []
for step in range(3):
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(net(x), y)
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
assert losses[-1] < losses[0] and tinycnn.get_num_threads() == 1
registry.load()
seen = set()
for case in registry.CASES:
    if case.function not in seen:
        seen.add(case.function)
        report = check_case(case)
        assert report, str(report)
print(len(seen), "operations")
"""


NOT_EDITABLE = """
import sys  # without what `pip install -e` put here, which would find the missing rooms where they are
sys.meta_path[:] = [finder for finder in sys.meta_path if "__editable__" not in getattr(finder, "__module__", "")]
"""


@pytest.fixture
def textbook(tmp_path):
    """A folder with a copy of the package in which `cpu/` and `gpu/` are missing, and of the tests."""
    leave = shutil.ignore_patterns("__pycache__", "*.pyc")
    shutil.copytree(PACKAGE, tmp_path / "tinycnn", ignore=leave)
    for room in ROADS:
        shutil.rmtree(tmp_path / "tinycnn" / room)
    shutil.copytree(ROOT / "tests", tmp_path / "tests", ignore=leave)
    shutil.copy(ROOT / "setup.cfg", tmp_path)
    (tmp_path / "sitecustomize.py").write_text(NOT_EDITABLE)
    return tmp_path


def python(*arguments, cwd=ROOT, **variables):
    """Python in a process of its own: (exit status, what it printed)."""
    run = subprocess.run([sys.executable, *map(str, arguments)], cwd=cwd, text=True, stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, env={**os.environ, "PYTHONPATH": str(cwd), **variables})
    return run.returncode, run.stdout


def test_without_the_roads_a_network_learns_and_every_operation_passes_the_gradient_check(textbook):
    status, output = python("-c", TRAINING, cwd=textbook)
    assert status == 0, output
    assert int(output.split()[-2]) > 90


@pytest.mark.slow
@pytest.mark.parametrize("room", ["engine", "ops", "nn", "optim"])
def test_without_the_roads_the_tests_pass(room, textbook):
    ours = re.compile(r"tinycnn\.(cpu|gpu)|tinycnn import [^\n]*\b(cpu|gpu)\b|strict_array|emulated|tests\.gpu")
    files = sorted((textbook / "tests" / room).glob("test_*.py"))
    skipped = [f"--ignore={path}" for path in files if ours.search(path.read_text())]
    status, output = python("-m", "pytest", f"tests/{room}", "-p", "no:cacheprovider", *skipped, cwd=textbook)
    assert status == 0, output[-4000:]


# ---- the third law: a road computes what its formula computes ---------------------------------------------------------

@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.id)
def test_a_road_computes_what_its_formula_computes(program, dtype, monkeypatch):
    roads.make_small(monkeypatch)
    try:
        with tinycnn.plainly():
            expected = program.run(dtype)
    except (TypeError, RuntimeError):
        assert dtype == "float16"
        pytest.skip("is not for float16")
    for found, right in zip(program.run(dtype), expected, strict=True):
        close(found, right, dtype)


def test_every_road_of_processors_is_taken_by_a_case(monkeypatch):
    """Those of loops with Numba, those that loops replace without: CI runs both."""
    roads.make_small(monkeypatch)
    with roads.noted() as taken:
        roads.run_all(PROGRAMS)
    never, never_here = roads.in_reach() - taken, taken & roads.roads_of("cpu") - roads.in_reach()
    assert not never, "no case takes these roads:\n" + "\n".join(sorted(never))
    assert not never_here, "these are said to be closed or replaced here, and taken:\n" + "\n".join(sorted(never_here))


@pytest.mark.skipif(emulated.COMPILER is None, reason="needs a C++ compiler, which runs the CUDA kernels on the CPU")
def test_every_road_of_gpus_is_taken_by_a_case(monkeypatch):
    install(monkeypatch, kernels=emulated.RawModule)
    with roads.noted() as taken:
        roads.run_all(PROGRAMS, lambda a: StrictArray(a.copy()), until=lambda: roads.roads_of("gpu") <= taken)
    missing = sorted(roads.roads_of("gpu") - taken)
    assert not missing, "no case takes these roads:\n" + "\n".join(missing)


# ---- the fourth law: a road saves what its formula saves --------------------------------------------------------------

@pytest.mark.parametrize("case", registry.CASES, ids=lambda case: case.id)
def test_a_road_of_forward_saves_what_the_formula_saves_or_brings_its_own_backward(case, monkeypatch):
    roads.make_small(monkeypatch)

    def graph():
        tinycnn.manual_seed(0)
        inputs = [tinycnn.from_numpy(a).requires_grad_(s.differentiable) for a, s in zip(case.draw(), case.inputs)]
        return sorted(nodes(tensors_of(case.call(tinycnn, *inputs))), key=lambda node: node.order)
    with tinycnn.plainly():
        plain = graph()
    for node, other in zip(graph(), plain, strict=True):
        assert type(node) is type(other)
        if "backward" not in vars(node):
            assert len(node.saved_tensors) == len(other.saved_tensors), f"the road of {node.name()} saves other arrays"
            for a, b in zip(node.saved_tensors, other.saved_tensors):
                close(a, b, "float64")


@pytest.mark.parametrize("case", registry.CASES, ids=lambda case: case.id)
def test_the_formula_of_backward_goes_on_where_a_road_of_forward_ended(case, monkeypatch):
    roads.make_small(monkeypatch)
    with tinycnn.plainly():
        expected = run_case(case)
    for found, right in zip(run_case(case, backward=tinycnn.plainly), expected, strict=True):
        close(found, right, "float64")


# ---- plainly ---------------------------------------------------------------------------------------------------------

def which_road():
    """"formula" or "road": what a formula with a road that always serves computes just now."""
    return _ways()


@formula.formula
def _ways():
    return "formula"


@pytest.fixture
def road():
    """`which_road` has one, until the test ends."""
    _ways.road(lambda: True)(lambda: "road")
    yield
    _ways.roads.clear()
    formula.ROADS.pop()


def test_plainly_is_a_context_and_a_decorator_and_ends_with_an_error(road):
    assert which_road() == "road"
    with tinycnn.plainly():
        assert which_road() == "formula"
        with tinycnn.plainly():
            pass
        assert which_road() == "formula"
    assert tinycnn.plainly()(which_road)() == "formula"
    with pytest.raises(KeyError), tinycnn.plainly():
        raise KeyError
    assert which_road() == "road"


def test_plainly_is_for_the_thread_that_says_so(road):
    import threading
    seen = []
    with tinycnn.plainly():
        thread = threading.Thread(target=lambda: seen.append(which_road()))
        thread.start()
        thread.join()
        assert which_road() == "formula"
    assert seen == ["road"]


def test_a_variable_closes_the_roads_and_leaves_blas_and_malloc_alone():
    code = ("import ctypes\nasked, load = [], ctypes.CDLL\n"
            "class Library:\n"
            "    def __init__(self, *rest):\n        self.__dict__['real'] = load(*rest)\n"
            "    def __getattr__(self, name):\n        asked.append(name)\n        return getattr(self.real, name)\n"
            "ctypes.CDLL = Library\n"
            "import tinycnn\nfrom tinycnn.engine.formula import takes_roads\n"
            "called = [n for n in asked if n == 'mallopt' or 'set_num_threads' in n]\n"
            "print(takes_roads(), bool(called), sum(tinycnn.ones(3)).item())")
    assert python("-c", code, TINYCNN_ROADS="0") == (0, "False False 3.0\n")
    assert python("-c", code, TINYCNN_ROADS="1")[1].startswith("True True" if sys.platform == "linux" else "True")


# ---- the facade ------------------------------------------------------------------------------------------------------

NAMES = """
accelerator amp autograd backends backends.cuda backends.cudnn backends.mps cli cuda cuda.amp data distributed distributions
einops exercises func functional gradcheck hub jit linalg models models.weights multiprocessing nn nn.attention
nn.functional nn.init nn.modules nn.modules.batchnorm nn.parameter nn.utils nn.utils.parametrizations
nn.utils.parametrize nn.utils.rnn optim
optim.lr_scheduler optim.optimizer optim.swa_utils profiler random serialization special storage train train.recipes utils
utils.checkpoint utils.data utils.data.dataloader utils.data.dataset utils.data.distributed utils.data.sampler utils.hooks
utils.model_zoo version vision
vision.datasets vision.io vision.models vision.ops vision.transforms vision.transforms.functional
vision.transforms.v2 vision.transforms.v2.functional vision.utils viz
""".split()


# places, and the library that each of them needs
OF_AN_EXTRA = {"cli.book.extension": "docutils", "einops": "einops", "onnx": "onnx", "utils.tensorboard": "tensorboardX",
               **{f"gradcheck.foreign.of_{name}": name for name in ("torch", "jax", "autograd")}}


@pytest.mark.parametrize("name", NAMES)
def test_a_public_place_is_where_it_was(name):
    if name in OF_AN_EXTRA:
        pytest.importorskip(name)
    place = importlib.import_module(f"tinycnn.{name}")
    assert functools.reduce(getattr, name.split("."), tinycnn) is place


def test_no_file_of_the_package_is_loaded_under_two_names():
    for path in FILES:
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        parts = parts[parts[0] == "torch":]
        if parts and "__main__" not in parts and "sources" not in parts and "sandbox" not in parts:
            name = ".".join(["tinycnn", *parts]).removesuffix(".__init__")
            needed = [library for place, library in OF_AN_EXTRA.items() if f"{name}.".startswith(f"tinycnn.{place}.")]
            if all(map(importlib.util.find_spec, needed)):
                importlib.import_module(name)
    files = {}
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] == "tinycnn" and getattr(module, "__file__", None):
            assert files.setdefault(module.__file__, module) is module, f"{module.__file__} is loaded twice: {name}"
    for name in ("tinycnn.torch", "tinycnn.torch.jit", "tinycnn.torch.utils.data"):
        with pytest.raises(ImportError):
            importlib.import_module(name)


def test_numbers_are_compared_at_all():
    with pytest.raises(AssertionError):
        close(np.array([1.0, 2]), np.array([1.0, 2 + 1e-9]), "float64")
    with pytest.raises(AssertionError):
        close(np.array([np.nan, 2]), np.array([np.inf, 2]), "float64")
