"""The walls of the house: what may import what, and what `import tinycnn` may load."""
import ast
import subprocess
import sys
from pathlib import Path

import pytest

import tinycnn

PACKAGE = Path(tinycnn.__file__).parent
FLOORS = {
    "cpu": 2, "gpu": 2, "engine": 2, "ops": 2, "nn": 3, "optim": 3, "data": 3, "files": 3, "models": 4,
    "train": 5, "viz": 5, "gradcheck": 5, "exercises": 6, "cli": 7, "torch": 8, "__main__": 8, "__init__": 9,
}
FILES = sorted(PACKAGE.rglob("*.py"))


def imported_rooms(path):
    """The names directly below tinycnn that the file imports, anywhere in its code, with line numbers."""
    inside = path.relative_to(PACKAGE.parent).with_suffix("").parts
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            base = list(inside[:-node.level]) if node.level else []
            target = base + (node.module.split(".") if node.module else [])
            if target[:1] == ["tinycnn"]:
                rooms = target[1:2] or [alias.name for alias in node.names]
                yield from ((room, node.lineno) for room in rooms)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == "tinycnn":
                    yield (alias.name.split(".") + ["__init__"])[1], node.lineno


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_file_imports_only_from_its_own_floor_or_below(path):
    room = path.relative_to(PACKAGE).with_suffix("").parts[0]
    assert room in FLOORS, f"{path} stands on no floor: name it in FLOORS and in CONTRIBUTING.md"
    upward = [(other, line) for other, line in imported_rooms(path)
              if other in FLOORS and FLOORS[other] > FLOORS[room] and path != PACKAGE / "__init__.py"]
    assert not upward, f"{path.name} (floor {FLOORS[room]}) imports from above: {upward}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_only_the_backend_names_cupy(path):
    names = {n.name.split(".")[0] for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Import)
             for n in node.names}
    names |= {node.module.split(".")[0] for node in ast.walk(ast.parse(path.read_text()))
              if isinstance(node, ast.ImportFrom) and node.module and not node.level}
    assert path.parent.name in ("gpu", "engine") or not names & {"cupy", "cupyx"} or path.name == "error_function.py"


def test_floors_two_and_below_import_only_numpy_from_outside():
    for path in FILES:
        room = path.relative_to(PACKAGE).with_suffix("").parts[0]
        if FLOORS.get(room, 9) > 2:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            names = ([a.name for a in node.names] if isinstance(node, ast.Import)
                     else [node.module] if isinstance(node, ast.ImportFrom) and not node.level else [])
            for name in names:
                top = name.split(".")[0]
                assert top in sys.stdlib_module_names or top in ("numpy", "cupy", "cupy_backends"), (path, name)


def test_files_of_one_floor_import_each_other_without_a_circle():
    graph = {}
    for path in FILES:
        name = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
        graph[name] = set()
        inside = path.relative_to(PACKAGE.parent).with_suffix("").parts
        for node in path.read_text() and ast.parse(path.read_text()).body:  # imports that run when the file is loaded
            if isinstance(node, ast.ImportFrom) and node.level:
                base = ".".join([*inside[:-node.level], *(node.module.split(".") if node.module else [])])
                graph[name] |= {base} | {f"{base}.{alias.name}" for alias in node.names}
    done, path = set(), []

    def visit(name):
        assert name not in path, "circle: " + " -> ".join([*path[path.index(name):], name])
        if name in done or name not in graph:
            return
        path.append(name)
        for other in graph[name]:
            if other != name and not name.startswith(other + "."):
                visit(other)
        path.pop()
        done.add(name)

    for name in graph:
        visit(name)


def test_import_loads_nothing_heavy():
    code = ("import sys, tinycnn; heavy = {'matplotlib', 'PIL', 'pooch', 'tqdm', 'safetensors', 'cupy', 'torch'}; "
            "print(sorted(heavy & set(sys.modules)))")
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
