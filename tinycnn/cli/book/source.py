"""The package as its syntax trees tell it: files, definitions, what each name means, who calls whom."""
import ast
import builtins
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

PACKAGE = Path(__file__).parents[2]
ROOT = PACKAGE.parent


@dataclass(frozen=True)
class Definition:
    """A function, class or method, or a name that a file assigns: where it stands, and its name, as `Conv.forward`."""
    module: str
    name: str
    node: ast.AST = field(compare=False, repr=False)
    line: int = field(compare=False)  # where the name itself stands

    @property
    def doc(self):
        """Its docstring, without the indentation; "" where there is none."""
        return docstring_of(self.node)

    @property
    def start(self):
        """The line of its first decorator, or its own."""
        return min([self.node.lineno, *(d.lineno for d in getattr(self.node, "decorator_list", []))])


class Module:
    """One file of the package."""

    def __init__(self, path):
        self.path = path.relative_to(PACKAGE)
        self.text = path.read_text(encoding="utf-8")
        self.lines = self.text.split("\n")
        self.tree = ast.parse(self.text)
        parts = path.relative_to(ROOT).with_suffix("").parts
        self.package = path.name == "__init__.py"
        self.name = ".".join(parts[:-1] if self.package else parts)
        self.definitions = {d.name: d for d in (*self._assigned(), *self._definitions(self.tree.body, ""))}

    @property
    def room(self):
        """The folder at the top of the package in which it lies; "" for the two files there."""
        return self.path.parts[0] if len(self.path.parts) > 1 else ""

    def _definitions(self, body, prefix):
        for node in body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                yield Definition(self.name, prefix + node.name, node, node.lineno)
                if isinstance(node, ast.ClassDef):
                    yield from self._definitions(node.body, f"{prefix}{node.name}.")

    def _assigned(self):
        for node in self.tree.body:
            if isinstance(node, ast.Assign):
                for target in node.targets:
                    for name in getattr(target, "elts", [target]):
                        if isinstance(name, ast.Name) and name.id != "__all__":
                            yield Definition(self.name, name.id, node, name.lineno)

    @cached_property
    def imports(self):
        """{local name: dotted name} of all that is imported, inside functions, too; `*` has the list of its modules."""
        found = {"*": []}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.ImportFrom):
                inside = self.name.split(".") if self.package else self.name.split(".")[:-1]
                base = inside[:len(inside) - node.level + 1] if node.level else []
                base = ".".join([*base, *([node.module] if node.module else [])])
                for alias in node.names:
                    if alias.name == "*":
                        found["*"].append(base)
                    else:
                        found[alias.asname or alias.name] = f"{base}.{alias.name}"
            elif isinstance(node, ast.Import):
                for alias in node.names:
                    found[alias.asname or alias.name.partition(".")[0]] = alias.name if alias.asname else (
                        alias.name.partition(".")[0])
        return found


class Source:
    """All files of the package, by their dotted names."""

    def __init__(self):
        modules = [Module(path) for path in sorted(PACKAGE.rglob("*.py"))]
        self.modules = {module.name: module for module in modules}
        self._found = {}

    def find(self, dotted):
        """The Definition or Module that a dotted name means, through imports; None for what is not of this package."""
        if dotted not in self._found:
            self._found[dotted] = None  # what is looked for while it is looked for leads nowhere
            self._found[dotted] = self._look_for(dotted)
        return self._found[dotted]

    def _look_for(self, dotted):
        name, rest = self._module(dotted)
        if name is None:
            return None
        module = self.modules[name]
        if not rest:
            return module
        if rest in module.definitions:
            return module.definitions[rest]
        first, _, more = rest.partition(".")
        if first in module.definitions:
            return self._inherited(module, first, more)
        target = module.imports.get(first) or next(
            (f"{star}.{first}" for star in module.imports["*"] if self.find(f"{star}.{first}")), None)
        return target and self.find(f"{target}.{more}" if more else target)

    def _module(self, dotted):
        """(the longest beginning of a dotted name that is a module, the rest); `tinycnn.jit` is `tinycnn.torch.jit`."""
        parts = dotted.split(".")
        for end in range(len(parts), 0, -1):
            for beginning in (parts[:end], ["tinycnn", "torch", *parts[1:end]]):
                name = ".".join(beginning)
                if name in self.modules and (end > 1 or beginning == parts[:1]) and parts[0] == "tinycnn":
                    return name, ".".join(parts[end:])
        return None, dotted

    def _inherited(self, module, name, attribute):
        """The method `attribute` of a class, looked for in what it inherits from."""
        for base in getattr(module.definitions[name].node, "bases", []):
            found = self.resolve(module, ast.unparse(base))
            method = isinstance(found, Definition) and self.find(f"{found.module}.{found.name}.{attribute}")
            if method:
                return method
        return None

    def resolve(self, module, dotted):
        """What a dotted name means inside a file."""
        return self.find(f"{module.name}.{dotted}")

    def links(self, module):
        """{(line, column): what the name that begins there means} for a whole file."""
        found = {}
        for node in ast.walk(module.tree):
            for alias in node.names if isinstance(node, ast.ImportFrom) else ():
                target = None if alias.name == "*" else self.resolve(module, alias.asname or alias.name)
                if target is not None:
                    found[alias.lineno, alias.col_offset] = target
        for node in module.tree.body:
            parts = [(node, "")]
            if isinstance(node, ast.ClassDef):
                parts = [*((part, "") for part in (*node.decorator_list, *node.bases)), *((p, node.name) for p in node.body)]
            for part, inside in parts:
                for line, end, name, target in self.uses(module, part, inside):
                    found[line, len(module.lines[line - 1].encode()[:end].decode()) - len(name)] = target
        return found

    def uses(self, module, node, inside=""):
        """(line, column, name, target) of every name in a syntax tree that means something of this package.

        `inside` is the class around it, for `self.method`.
        """
        local = _local_names(node) if isinstance(node, ast.FunctionDef) else set()
        for part in ast.walk(node):
            dotted = _dotted(part)
            if dotted is None:
                continue
            first, _, rest = dotted.partition(".")
            if first in ("self", "cls", "ctx") and inside and rest:
                target = self.resolve(module, f"{inside}.{rest}")
            elif first in local or hasattr(builtins, first) and first not in module.definitions and (
                    first not in module.imports):
                continue
            else:
                target = self.resolve(module, dotted)
            if target is not None:
                yield part.end_lineno, part.end_col_offset, dotted.rpartition(".")[2], target

    @cached_property
    def calls(self):
        """{definition: the definitions that it uses}."""
        found = {}
        for module in self.modules.values():
            for definition in module.definitions.values():
                if isinstance(definition.node, ast.FunctionDef):
                    inside = definition.name.rpartition(".")[0]
                    targets = [t for *_, t in self.uses(module, definition.node, inside)
                               if isinstance(t, Definition) and t != definition
                               and not isinstance(t.node, ast.Assign)]
                    found[definition] = list(dict.fromkeys(targets))
        return found

    @cached_property
    def callers(self):
        """{definition: those that use it}."""
        found = {}
        for caller, targets in self.calls.items():
            for target in targets:
                found.setdefault(target, []).append(caller)
        return found


def docstring_of(node):
    """The docstring of a syntax tree, without the indentation; "" where there is none."""
    return isinstance(node, (ast.Module, ast.FunctionDef, ast.ClassDef)) and ast.get_docstring(node) or ""


def _dotted(node):
    """`a.b.c` of a tree of attributes; None for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        before = _dotted(node.value)
        return before and f"{before}.{node.attr}"
    return None


def _local_names(function):
    """The names that a function binds, its parameters among them."""
    names = set()
    for node in ast.walk(function):
        if isinstance(node, ast.arg):
            names.add(node.arg)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
    return names
