"""A page for every operation: what the project knows of it, and what the checker says to it while the book is made."""
import ast
import inspect
import re
from html import escape

from ... import exercises
from ...engine.formula import ROADS, plainly
from ...gradcheck import registry
from ...gradcheck.checker import check_case
from ...gradcheck.command import catch
from ...gradcheck.roads import difference
from .files import Pages, code_of, words_of
from .prose import html_of, inline
from .site import LESSONS, Page
from .source import docstring_of

DERIVED = re.compile(r"\bd[a-zA-Z]\w*\b|\bgrad|f'|\badjoint\b|\bbackward\b")  # how a docstring speaks of a gradient
EXERCISES = {  # operation: the exercises in which it is written by hand
    "Add": ("unbroadcast",), "AvgPool": ("average_pool",), "Attention": ("attention",), "Conv": (
        "conv_forward", "conv_backward", "conv_stride_padding", "grouped_conv", "nhwc_conv"),
    "ConvTranspose": ("conv_transpose",), "CrossEntropy": ("softmax_cross_entropy",), "Dropout": ("dropout",),
    "Expand": ("unbroadcast",), "Fold": ("col2im",), "Linear": ("linear",), "MaxPool": ("max_pool", "pool_ties_split"),
    "MatMul": ("linear",), "Mul": ("value", "unbroadcast"), "Normalize": ("batch_norm", "batch_norm_backward", "layer_norm"),
    "ReLU": ("activations",), "RMSNorm": ("rms_norm",), "Sigmoid": ("activations",), "Softmax": ("softmax_cross_entropy",),
    "Tanh": ("activations", "value"), "Unfold": ("im2col",)}


def operations():
    """The Functions of the registry, in the order of files and names."""
    registry.load()
    found = {case.function for case in registry.CASES if case.function.__module__.startswith("tinycnn.")}
    return sorted(found, key=lambda f: (f.__module__, f.__name__))


def operation_page(source, function, known):
    """The Page of one operation. RuntimeError where its docstring derives no gradient or a check fails."""
    module = source.modules[function.__module__]
    definition = module.definitions[function.__qualname__]
    doc = inspect.cleandoc(function.__doc__)
    if not DERIVED.search(doc):
        raise RuntimeError(f"book: the docstring of {function.__name__} in {module.path} says nothing of a gradient")
    name = f"operations/{function.__name__}"
    pages = Pages(source, name, known - {(definition.module, definition.name)})
    code = code_of(module, definition.start, definition.node.end_lineno, pages, source.links(module), anchors=False)
    parts = [f'<section class="step"><div class="words">{words_of(definition, pages, module, doc)}</div>{code}</section>',
             f'<h2>From the beginning of <a href="{pages.of(module)}"><code>{module.path}</code></a></h2>'
             f'<div class="head">{html_of(docstring_of(module.tree), pages.named(module))}</div>',
             _callers(definition, pages), _roads(source, definition, pages), _cases(function, source, pages),
             _mutants(function), _exercises(function, pages)]
    first = doc.partition("\n")[0]
    return Page(name, function.__name__, function.__name__, "\n".join(parts), part=module.path.stem, kind="code"), first


def _table(title, heads, rows, note=""):
    """A heading and a table below it, of HTML; nothing where there are no rows."""
    if not rows:
        return ""
    head = "".join(f"<th>{h}</th>" for h in heads)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<h2>{title}</h2>{note and f'<p>{note}</p>'}<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _callers(definition, pages):
    """Who uses the operation: the functions with PyTorch's names."""
    callers = [d for d in pages.source.callers.get(definition, []) if d.module == definition.module]
    public = [d for d in callers if d.name in _public(pages.source.modules[d.module])]
    items = ", ".join(f'<a href="{pages.of(d)}"><code>{escape(d.name)}</code></a>' for d in public)
    return f"<h2>PyTorch's names</h2><p>The operation runs in {items}.</p>" if items else ""


def _public(module):
    """The names in `__all__` of a file."""
    for node in module.tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return {c.value for c in ast.walk(node.value) if isinstance(c, ast.Constant)}
    return set()


def _roads(source, definition, pages):
    """The faster ways to the operation, and to the formulas that its methods call."""
    methods = [d for d in source.modules[definition.module].definitions.values() if d.name.startswith(definition.name + ".")]
    formulas = {(d.module, d.name) for d in (*methods, *(t for m in methods for t in source.calls.get(m, [])))}
    rows = []
    for formula, serves, way in ROADS:
        if (formula.__module__, formula.__qualname__) in formulas:
            target = source.find(f"{way.__module__}.{way.__qualname__}")
            name = f"{way.__module__.removeprefix('tinycnn.')}.{way.__name__}"
            rows.append([f"<code>{formula.__qualname__}</code>",
                         f'<a href="{pages.of(target)}"><code>{name}</code></a>' if target else f"<code>{name}</code>",
                         _line(serves), _line(way)])
    return _table("Roads", ("formula", "road", "serves", "how it is faster"), rows, "Other ways to the same numbers. "
                  "<code>tinycnn roads</code> says which of them are open on a machine; a road that stands further down is "
                  "asked first.")


def _line(function):
    """The first line of a docstring as HTML."""
    return inline((function.__doc__ or "").partition("\n")[0])


def _cases(function, source, pages):
    """Every case of the registry, with the worst error of its gradients and the roads that it takes."""
    rows = []
    for case in registry.cases_of(function):
        with plainly():
            report = check_case(case)
        if not report:
            raise RuntimeError(f"book: {report}")
        _, taken = difference(case)
        roads = ", ".join(f"<code>{way.__name__}</code>" for way in sorted(taken, key=lambda w: w.__name__))
        rows.append([escape(case.name), f"{report.error:.1e}", report.kinks or "", roads])
    return _table("Cases", ("case", "worst error", "entries at kinks", "roads taken"), rows, "Each gradient against finite "
                  "differences, in float64 and computed plainly, when this page was made.")


def _mutants(function):
    """Every wrong backward of the registry, and what the checker says to it."""
    rows = []
    for mutant in registry.mutants_of(function):
        case, report = catch(mutant)
        if case is None:
            raise RuntimeError(f"book: no case of {function.__name__} notices {mutant.name!r}")
        rows.append([escape(mutant.name), escape(report.cause), escape(case.name)])
    return _table("Mistakes", ("put in its place", "the checker says", "caught by"), rows)


def _exercises(function, pages):
    """The exercises in which the operation is written by hand, and the lessons that end with them."""
    names = EXERCISES.get(function.__name__, ())
    if not names:
        return ""
    items = "".join(f'<li><a href="{pages.to(f"exercises/{name}")}">{escape(exercises.load(name).title)}</a></li>'
                    for name in names)
    lessons = "".join(f'<li><a href="{pages.to("lessons/" + path.stem)}">lesson {path.stem[:2]}</a></li>'
                      for path in sorted(LESSONS.glob("[0-9][0-9]_*.py"))
                      if any(f"exercises start {name}`" in path.read_text(encoding="utf-8") for name in names))
    return f"<h2>To write it yourself</h2><ul>{items}{lessons}</ul>"


def overview(source, pages_and_lines):
    """The page that lists the operations, a family a table."""
    pages, parts, family = Pages(source, "operations"), [], None
    for page, first in pages_and_lines:
        if page.part != family:
            parts.append(f"</tbody></table><h2>{page.part}</h2><table><tbody>")
            family = page.part
        parts.append(f'<tr><td><a href="{pages.to(page.name)}">{page.title}</a></td><td>{inline(first)}</td></tr>')
    body = "".join(parts).removeprefix("</tbody></table>") + "</tbody></table>"
    return Page("operations", "Operations", "All operations", f"<p>{len(pages_and_lines)} operations. Each page has the "
                "formula and its derivation beside the code, the roads, what the checker says to every case and every known "
                f"mistake, and the exercises.</p>{body}")
