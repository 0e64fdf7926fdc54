"""The chapters that are neither code nor operations: exercises, and the zoo."""
import re
from html import escape

from ... import exercises, models
from ...exercises import course
from ...nn.utils import skip_init
from .files import Pages, page_of
from .prose import html_of, inline
from .site import Page
from .source import PACKAGE, docstring_of

ROW = re.compile(r"^\| \[(?P<title>[^]]+)\]\((?P<file>\w+)\.py\) \| `(?P<model>\w+)` \| (?P<idea>.*?) \| (?P<paper>.*?) \| "
                 r"(?P<weights>[\d,]+) \| (?P<work>[\d,]+) \| (?P<input>\S+) \|", re.M)
LINK = re.compile(r"\[([^]]+)\]\((https?://[^)]+)\)")


def exercise_pages(source):
    """A page for every exercise: its statement, and the file that one fills in."""
    for lecture, names in course.LECTURES:
        for name in names:
            exercise = exercises.load(name)
            statement, _, code = exercise.stub.strip().removeprefix('"""').partition('"""')
            title, _, statement = statement.partition("\n")
            body = (f"<p>{lecture}. About {exercise.minutes} minutes. <code>tinycnn exercises start {name}</code> writes "
                    f"<code>{name}.py</code>, <code>tinycnn exercises check {name}</code> says what is wrong with it, "
                    f"<code>tinycnn exercises hint {name}</code> helps.</p>{html_of(statement)}<h2>The file</h2>"
                    f'<pre class="code"><code>{escape(code.strip(), quote=False)}</code></pre>')
            yield Page(f"exercises/{name}", title, title, body)


def zoo_pages(source):
    """A page for every family of models."""
    families = {}
    for row in ROW.finditer((PACKAGE / "models" / "README.md").read_text(encoding="utf-8")):
        families.setdefault(row["file"], []).append(row.groupdict())
    for file, rows in families.items():
        page = f"zoo/{file}"
        pages, module = Pages(source, page), source.modules[f"tinycnn.models.{file}"]
        parts = [html_of(docstring_of(module.tree), pages.named(module)),
                 f'<p>The code: <a href="{pages.to(page_of(module))}"><code>{module.path}</code></a>.</p>']
        for row in rows:
            paper = LINK.sub(r'<a href="\2">\1</a>', escape(row["paper"]))
            parts.append(f'<h2>{escape(row["title"])}</h2><p>{inline(row["idea"])}. {paper}.</p>'
                         f'<p><code>models.{row["model"]}()</code>: {row["weights"]} weights, {row["work"]} multiply-adds '
                         f'for an input of {row["input"]}.</p>{_drawing(row["model"])}')
        yield Page(page, ", ".join(row["title"] for row in rows), rows[0]["title"], "\n".join(parts))


def _drawing(name):
    """The parts of a model from the input down, each as wide as its share of the weights; drawn from the model itself."""
    model = skip_init(models.get_model, name)
    total = max(_weights(model), 1)
    return f'<figure class="model" aria-label="the parts of {name}">{"".join(_parts(model, total, 2))}</figure>'


def _parts(model, total, depth):
    """A line for every part of a module, and below it its own parts, to a depth."""
    for name, part in model.named_children():
        weights = _weights(part)
        inner = "".join(_parts(part, total, depth - 1)) if depth > 1 and len(list(part.children())) > 1 else ""
        line = (f'<span class="share" style="width:{100 * weights / total:.1f}%"></span><code>{escape(name)}</code> '
                f"{escape(type(part).__name__)} <small>{weights:,}</small>")
        yield f"<details><summary>{line}</summary>{inner}</details>" if inner else f"<div>{line}</div>"


def _weights(module):
    """How many weights a module has."""
    return sum(p.numel() for p in module.parameters())
