"""A page for every file of the package: its words on the left, the code that they are about on the right."""
import ast
import posixpath
from html import escape

from .prose import html_of
from .source import Module, docstring_of


def page_of(module):
    """The name of the page of a file, `code/ops/conv`."""
    return "code/" + str(module.path.with_suffix("").as_posix())


class Pages:
    """What knows the address of every file, definition and operation, as seen from one page."""

    def __init__(self, source, page, operations=()):
        self.source, self.page, self.operations = source, page, operations

    def to(self, page, anchor=""):
        """The address of another page."""
        path = posixpath.relpath(page + ".html", posixpath.dirname(self.page) or ".")
        path = "" if page == self.page and anchor else path
        return f"{path}#{anchor}" if anchor else path

    def of(self, target):
        """The address of a Definition or Module."""
        if isinstance(target, Module):
            return self.to(page_of(target))
        return self.to(page_of(self.source.modules[target.module]), target.name)

    def named(self, module, inside=""):
        """A function from a name in a docstring of `module` to its address, or None."""
        def link(name):
            name = name.removesuffix("()").partition("(")[0]
            if name.endswith((".py", "/")):
                return self._file(module, name.rstrip("/"))
            if not all(part.isidentifier() for part in name.split(".")):
                return None
            for dotted in (f"{module.name}.{inside}.{name}" if inside else "", f"{module.name}.{name}", name):
                target = dotted and self.source.find(dotted)
                if target:
                    return self.of(target)
            return None
        return link

    def _file(self, module, name):
        """The page of a file that a docstring of `module` names by its path."""
        for path in (module.path.parent / name, name):
            found = [m for m in self.source.modules.values() if str(m.path) in (str(path), f"{path}/__init__.py")]
            if found:
                return self.of(found[0])
        return None


# ---- steps -----------------------------------------------------------------------------------------------------------

def steps(module):
    """[(definition or None, first line, last line)]: a file cut where the words change; lines count from 1."""
    found, at = [], _after_docstring(module.tree, 0) + 1
    for node in module.tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            start = _with_comments(module, node)
            if start > at:
                found.append((None, at, start - 1))
            found += _parts(module, node, start)
            at = node.end_lineno + 1
    if at <= len(module.lines):
        found.append((None, at, len(module.lines)))
    return [step for step in found if any(line.strip() for line in module.lines[step[1] - 1:step[2]])]


def _parts(module, node, start):
    """A function is one step; a class one for itself, and one for each method that has a docstring."""
    definition, end, at = module.definitions[node.name], node.end_lineno, start
    if isinstance(node, ast.ClassDef):
        for part in node.body:
            if isinstance(part, ast.FunctionDef) and docstring_of(part):
                cut = _with_comments(module, part)
                yield definition, at, cut - 1
                definition, at = module.definitions[f"{node.name}.{part.name}"], cut
    yield definition, at, end


def _with_comments(module, node):
    """The first line of a definition, with its decorators and the comments directly above."""
    line = min([node.lineno, *(d.lineno for d in node.decorator_list)])
    while line > 1 and module.lines[line - 2].lstrip().startswith("#"):
        line -= 1
    return line


def _after_docstring(node, otherwise):
    """The last line of the docstring of a definition or file."""
    return node.body[0].end_lineno if docstring_of(node) else otherwise


def docstring_lines(node):
    """The numbers of the lines that hold the docstring of a definition."""
    return range(node.body[0].lineno, node.body[0].end_lineno + 1) if docstring_of(node) else range(0)


# ---- code ------------------------------------------------------------------------------------------------------------

def code_of(module, first, last, pages, links, anchors=True):
    """Lines `first` to `last` of a file as HTML, without docstrings of definitions: coloured, every known name a link."""
    from pygments.formatters.html import _get_ttype_class
    from pygments.lexers import PythonLexer
    text = "\n".join(module.lines[first - 1:last])
    hidden = {line for d in module.definitions.values() for line in docstring_lines(d.node)}
    defined = {(d.line, d.name.rpartition(".")[2]): d for d in module.definitions.values()}
    rows, line, column = [[]], first, 0
    for kind, value in PythonLexer(stripnl=False, ensurenl=False).get_tokens(text):
        for i, part in enumerate(value.split("\n")):
            if i:
                rows.append([])
                line, column = line + 1, 0
            if part:
                html = escape(part, quote=False)
                css = _get_ttype_class(kind)
                html = f'<span class="{css}">{html}</span>' if css not in ("", "w", "n", "p", "o") else html
                if anchors and (line, part) in defined and "Name" in str(kind):
                    html = f'<span id="{defined.pop((line, part)).name}">{html}</span>'
                elif (line, column) in links:
                    html = f'<a href="{pages.of(links[line, column])}">{html}</a>'
                rows[-1].append(html)
                column += len(part)
    kept = [f"{''.join(row)}" for number, row in enumerate(rows, first) if number not in hidden]
    while kept and not kept[0].strip():
        del kept[0]
    return f'<pre class="code"><code>{chr(10).join(kept).rstrip()}</code></pre>'


# ---- the page --------------------------------------------------------------------------------------------------------

def file_page(source, module, operations):
    """The HTML of the page of a file."""
    pages, links = Pages(source, page_of(module), operations), source.links(module)
    rows = []
    head = html_of(docstring_of(module.tree), pages.named(module))
    for definition, first, last in steps(module):
        words = words_of(definition, pages, module) if definition else ""
        rows.append(f'<section class="step"><div class="words">{words}</div>'
                    f'{code_of(module, first, last, pages, links)}</section>')
    return f'<div class="head">{head}</div>\n' + "\n".join(rows)


def words_of(definition, pages, module, doc=None):
    """What stands beside a definition: its name, its docstring (or `doc`), what it calls and who calls it."""
    inside = definition.name if isinstance(definition.node, ast.ClassDef) else definition.name.rpartition(".")[0]
    title = escape(definition.name)
    if (definition.module, definition.name) in pages.operations:
        title = f'<a href="{pages.to("operations/" + definition.name)}" title="all about this operation">{title}</a>'
    source = pages.source
    calls, callers = source.calls.get(definition, []), source.callers.get(definition, [])
    if isinstance(definition.node, ast.ClassDef):
        methods = [d for d in module.definitions.values() if d.name.startswith(definition.name + ".")]
        calls = list(dict.fromkeys(t for m in methods for t in source.calls.get(m, []) if t not in methods))
    return (f"<h3>{title}</h3>{html_of(doc or definition.doc, pages.named(module, inside))}"
            f"{_names('calls', calls, pages)}{_names('called by', callers, pages)}")


def _names(title, definitions, pages):
    """A folded list of definitions, each a link."""
    if not definitions:
        return ""
    items = ", ".join(f'<a href="{pages.of(d)}"><code>{escape(d.name)}</code></a>' for d in definitions)
    return f'<details class="names"><summary>{title} {len(definitions)}</summary><p>{items}</p></details>'
