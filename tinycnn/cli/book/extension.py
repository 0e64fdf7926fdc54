"""What Sphinx must know to make the book: formulas as MathML, code by name, and where each page belongs."""
import functools
import json
from html import escape
from pathlib import Path

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from ... import __version__
from .files import Pages, code_of
from .prose import mathml
from .source import Source


class CodeOf(SphinxDirective):
    """```{code-of} tinycnn.ops.conv.convolve```: the code of a definition, with its names as links."""
    required_arguments = 1

    def run(self):
        """The code as HTML, and below it where it stands."""
        source = the_source()
        definition = source.find(self.arguments[0])
        if not hasattr(definition, "node"):
            raise self.error(f"code-of: there is no {self.arguments[0]} in the package")
        module, pages = source.modules[definition.module], Pages(source, self.env.docname)
        code = code_of(module, definition.start, definition.node.end_lineno, pages, source.links(module), anchors=False)
        where = f'<p class="where"><a href="{pages.of(definition)}">{escape(str(module.path))}</a></p>'
        return [nodes.raw("", code + where, format="html")]


@functools.cache
def the_source():
    """The package, read once."""
    return Source()


def inline_math(writer, node):
    """A formula within a line."""
    writer.body.append(mathml(node.astext()))
    raise nodes.SkipNode


def block_math(writer, node):
    """A formula that stands free."""
    writer.body.append(f'<p class="formula">{mathml(node.astext(), "block")}</p>')
    raise nodes.SkipNode


def place(app, page, template, context, doctree):
    """What the layout shows around a page: the chapters, its neighbours, and those of its part."""
    contents = app.contents
    here = contents["pages"].get(page, {})
    context.update(chapters=contents["chapters"], here=here, kind=here.get("kind", ""), tinycnn_version=__version__)


def note_names(app, doctree):
    """Tell the search where the names are that a page explains."""
    page = app.env.current_document.docname
    domain = app.env.get_domain("py")
    for name, kind, anchor in app.contents["names"].get(page, []):
        domain.note_object(name, kind, anchor)


def setup(app):
    """Called by Sphinx."""
    app.contents = json.loads((Path(app.srcdir) / "contents.json").read_text(encoding="utf-8"))
    app.add_directive("code-of", CodeOf)
    app.add_html_math_renderer("mathml", (inline_math, None), (block_math, None))
    app.connect("html-page-context", place)
    app.connect("doctree-read", note_names)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
