"""Lessons as web pages that need no network: python notebooks/pages.py FOLDER [01 05 ...]

Each page is one file: formulas are MathML, which browsers draw, pictures lie within, and long lines of code are
folded at the edge of the window, on the screen and on paper. Needs the extra `lessons` (pip install -e '.[lessons]').
"""
import argparse
import re
import sys
from html import escape
from pathlib import Path

from build import BuildError, lessons

PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><style>
body {{ max-width: 54rem; margin: 2rem auto; padding: 0 1rem; font: 16px/1.5 sans-serif; color: #202020; }}
pre, code {{ font: 14px/1.45 monospace; white-space: pre-wrap; overflow-wrap: anywhere; }}
.input {{ background: #F6F6F6; border-left: 3px solid #0072B2; margin: 1rem 0; padding: 0 .8rem; }}
.prompt, .anchor-link {{ display: none; }}
img {{ max-width: 100%; }}
table {{ border-collapse: collapse; }} th, td {{ border: 1px solid #D8D8D8; padding: .2rem .6rem; }}
math[display=block] {{ margin: 1rem 0; overflow-x: auto; }}
{colours}
</style></head><body>
{body}
</body></html>
"""
CODE = re.compile(r"(```.*?```|`[^`\n]*`)", re.S)
FORMULA = re.compile(r"\$\$(.+?)\$\$|\$([^$\n]+(?:\n[^$\n]+)?)\$", re.S)


def with_mathml(text):
    """A markdown text with its formulas, $...$ and $$...$$, as MathML; what stands in code is left alone."""
    from latex2mathml.converter import convert

    def drawn(match):
        return convert(match[1] or match[2], display="block" if match[1] else "inline")
    parts = CODE.split(text)
    return "".join(part if i % 2 else FORMULA.sub(drawn, part) for i, part in enumerate(parts))


def page(path):
    """The web page of the notebook that belongs to the lesson `path`."""
    import nbformat
    from nbconvert import HTMLExporter
    from pygments.formatters import HtmlFormatter
    notebook = nbformat.read(path.with_suffix(".ipynb"), as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = with_mathml(cell.source)
    body, _ = HTMLExporter(template_name="basic").from_notebook_node(notebook)
    title = next(line.lstrip("# ") for line in notebook.cells[0].source.splitlines() if line.startswith("#"))
    return PAGE.format(title=escape(title), colours=HtmlFormatter().get_style_defs(".highlight"), body=body)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, help="where the pages are written")
    parser.add_argument("lesson", nargs="*", help="the beginning of its name, such as 01; all by default")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    try:
        for path in lessons(args.lesson):
            (args.folder / f"{path.stem}.html").write_text(page(path), encoding="utf-8")
    except BuildError as error:
        sys.exit(f"{error}")
    except ImportError as error:
        sys.exit(f"{error}: web pages of lessons need pip install -e '.[lessons]'")


if __name__ == "__main__":
    main()
