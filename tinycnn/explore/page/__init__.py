"""The page, one file of HTML: its style, its scripts and, where it is saved, all that it needs to know."""
import base64
import hashlib
from importlib import resources

STYLE = "style.css"
SCRIPTS = ("numbers.js", "engine.js", "sources.js", "drawing.js", "picture.js", "derivatives.js", "unit.js", "views.js",
           "overview.js", "learning.js", "main.js")


def page(saved):
    """The HTML, with `saved`, bytes as `wire.packed` makes them, inside; None for the page that asks a server.

    A browser runs no other script in it than this one, and lets it ask nobody but its server; a saved page nobody at all.
    """
    style = _read(STYLE)
    content = "null" if saved is None else f'"{base64.b64encode(saved).decode()}"'
    script = f'"use strict";\nconst SAVED = {content};\n' + "\n".join(map(_read, SCRIPTS))
    policy = (f"default-src 'none'; script-src {_digest(script)}; style-src {_digest(style)}; img-src blob: data:; "
              f"connect-src {'none' if saved else 'self'!r}; base-uri 'none'; form-action 'none'")
    html = _read("page.html")
    for mark, text in (("<!--policy-->", policy), ("/*style*/", style), ("/*script*/", script)):
        html = html.replace(mark, text)
    return html


def _read(name):
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _digest(text):
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
