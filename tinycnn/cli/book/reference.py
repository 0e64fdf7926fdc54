"""The reference: every public name with its signature, its words and its source; and where tinycnn differs from PyTorch."""
import importlib
import inspect
import re
from html import escape

from ...engine.tensor import Tensor
from .files import Pages, page_of
from .prose import html_of, inline
from .site import Page
from .source import Definition, docstring_of

PLACES = ("", "nn", "nn.functional", "nn.init", "nn.utils", "nn.utils.parametrize", "nn.utils.parametrizations", "optim",
          "optim.lr_scheduler", "optim.swa_utils", "utils.data", "data", "vision.transforms", "vision.datasets", "models",
          "train", "viz", "gradcheck", "exercises", "distributed", "autograd", "func", "linalg", "special", "amp", "hub",
          "jit", "cuda", "random", "profiler")  # the modules of the package that users import from


def reference_pages(source):
    """A page for every place of public names, and one for the methods of Tensor."""
    known = {}  # id of what a name stands for: (page, name) where it is explained
    places = [f"tinycnn.{place}".rstrip(".") for place in PLACES]
    for place in (places[0], "tinycnn.Tensor", *places[1:]):
        owner = Tensor if place == "tinycnn.Tensor" else importlib.import_module(place)
        page = f"reference/{place}"
        entries, names = [], []
        for name, thing in sorted(_public(owner).items(), key=lambda pair: (pair[0].lower(), pair[0])):
            entries.append(_entry(source, Pages(source, page), name, thing, known.get(id(thing))))
            if id(thing) not in known:
                known[id(thing)] = page, name
                names.append((f"{place}.{name}", "class" if inspect.isclass(thing) else "function", name))
        head = html_of(inspect.getdoc(owner) or "", Pages(source, page).named(source.find(place))) if place in (
            source.modules) else ""
        yield Page(page, f"`{place}`", place.removeprefix("tinycnn.") or place, head + "".join(entries), names=names)


def _public(owner):
    """{name: function or class} of what a module or class offers; properties count."""
    found = {}
    for name in dir(owner):
        thing = inspect.getattr_static(owner, name) if inspect.isclass(owner) else getattr(owner, name)
        thing = getattr(thing, "__func__", thing)
        is_ours = getattr(inspect.unwrap(thing) if callable(thing) else thing, "__module__", None) or ""
        if name[0] != "_" and (isinstance(thing, property) or is_ours.startswith("tinycnn") and (
                inspect.isfunction(thing) or inspect.isclass(thing))):
            found[name] = thing
    return found


def _entry(source, pages, name, thing, elsewhere):
    """One name: its signature, its docstring, and where it is defined. RuntimeError where nothing is said about it."""
    if elsewhere:
        page, other = elsewhere
        where = f"{page.removeprefix('reference/')}.{other}"
        return (f'<section class="entry" id="{name}"><h3><code>{name}</code></h3><p>is <a href="{pages.to(page, other)}">'
                f"<code>{where}</code></a></p></section>")
    doc = inspect.getdoc(thing)
    thing = thing.fget if isinstance(thing, property) else thing
    if not doc:
        raise RuntimeError(f"book: the public name {pages.page.removeprefix('reference/')}.{name} has no docstring")
    code = inspect.unwrap(thing)
    target = source.find(f"{code.__module__}.{code.__qualname__}") or source.modules.get(code.__module__)
    inside = target.name.rpartition(".")[0] if isinstance(target, Definition) else ""
    module = target and source.modules[target.module if isinstance(target, Definition) else target.name]
    words = html_of(doc, pages.named(module, inside)) if module else html_of(doc)
    where = f'<p class="where"><a href="{pages.of(target)}">{module.path}</a></p>' if target else ""
    title = f"<h3><code>{escape(name + _signature(thing))}</code></h3>"
    return f'<section class="entry" id="{name}">{title}{words}{where}</section>'


def _signature(thing):
    """(x, dim=-1), as far as Python can tell."""
    try:
        return re.sub(r"<([\w.]+) object at 0x\w+>", r"\1", str(inspect.signature(thing)))
    except (TypeError, ValueError):
        return "(...)"


def differences_page(source):
    """Every sentence of a docstring that speaks of PyTorch, gathered: what is the same, and what differs."""
    page, parts = "reference/pytorch", []
    pages = Pages(source, page)
    for module in source.modules.values():
        docs = [(module, module.tree), *((d, d.node) for d in module.definitions.values())]
        rows = []
        for target, node in docs:
            doc = docstring_of(node)
            sentences = [s for s in re.split(r"(?<=[.:;])\s+(?=[A-Z`])|\n\n", doc)
                         if "PyTorch" in s and "    " not in s]
            name = target.name if isinstance(target, Definition) else ""
            link = f'<a href="{pages.of(target)}"><code>{name}</code></a>' if name else ""
            rows += [f"<tr><td>{link}</td>"
                     f"<td>{inline(' '.join(s.split()), pages.named(module))}</td></tr>" for s in sentences]
        if rows:
            parts.append(f'<h2><a href="{pages.to(page_of(module))}"><code>{module.path}</code></a></h2>'
                         f"<table><tbody>{''.join(rows)}</tbody></table>")
    return Page(page, "tinycnn and PyTorch", "PyTorch", "<p>The names are PyTorch's. Here is every sentence of the package "
                "that mentions it: what is the same where one might doubt it, and what is not.</p>" + "".join(parts))
