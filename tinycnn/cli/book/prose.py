"""Docstrings as HTML: paragraphs, lists and blocks, formulas as MathML, names as links."""
import re
from html import escape

from .notation import find

CODE = re.compile(r"`+([^`]+)`+")
_SIZE = r"(?:\*?[A-Z]\w*(?:[/*][A-Z]\w*)?|\.\.\.|\*\w+)"
SHAPE = re.compile(rf"\b[a-z]\w* \({_SIZE}(?:, ?{_SIZE})*,?\)")
ADDRESS = re.compile(r"https?://[^\s)>]+[^\s)>.,;]|arXiv:(\d{4}\.\d{4,5})")
STRESS = re.compile(r"(?<![\w*])\*(\w[\w ]*)\*(?![\w*])")
ITEM = re.compile(r"^[-*] ")
TITLE = re.compile(r"^(Derivation|Cost|Source|Sources|Saved|Saves|Keeps|Kept|Forward)\b(?=[:.,])")


def html_of(docstring, link=lambda name: None):
    """The HTML of a docstring. `link(name)` is the address of the page that explains a name, or None."""
    blocks = [block for block in re.split(r"\n[ \t]*\n", docstring) if block.strip()]
    return "\n".join(part for block in blocks for part in _block(block, link))


def mathml(latex, display="inline"):
    """A formula as MathML. ValueError where it does not render."""
    from latex2mathml.converter import convert
    if len(re.findall(r"(?<!\\)\{", latex)) != len(re.findall(r"(?<!\\)\}", latex)):  # which the converter overlooks
        raise ValueError(f"book: the formula {latex!r} does not render: its braces do not match")
    try:
        drawn = convert(latex, display=display)
    except Exception as error:  # the converter has a class for every mistake, and no common one
        raise ValueError(f"book: the formula {latex!r} does not render: {error!r}") from error
    unknown = re.search(r"\\[A-Za-z]+", drawn)
    if unknown:
        raise ValueError(f"book: the formula {latex!r} does not render: {unknown[0]} is not known")
    return drawn


def inline(text, link=lambda name: None):
    """A line of a docstring as HTML: code in backticks with its link, shapes as code, formulas typeset."""
    parts, at = [], 0
    for piece in re.finditer(f"{CODE.pattern}|({SHAPE.pattern})|{ADDRESS.pattern}", text):
        parts += _formulas(text[at:piece.start()])
        parts.append(_piece(piece, link))
        at = piece.end()
    return "".join([*parts, *_formulas(text[at:])])


def _piece(piece, link):
    """Code, a shape or an address."""
    code, shape, arxiv = piece.groups()
    if code:
        target = link(code)
        return f'<a href="{target}"><code>{escape(code)}</code></a>' if target else f"<code>{escape(code)}</code>"
    if shape:
        return f"<code>{escape(shape)}</code>"
    return f'<a href="{escape("https://arxiv.org/abs/" + arxiv if arxiv else piece[0])}">{escape(piece[0])}</a>'


def _formulas(text):
    """The pieces of a text with its formulas typeset."""
    return [mathml(piece) if kind == "formula" else _words(piece) for kind, piece in find(text)]


def _words(text):
    """Plain words as HTML: *stress*, and arrows."""
    return STRESS.sub(r"<em>\1</em>", escape(text, quote=False).replace("-&gt;", "&rarr;"))


def _block(block, link):
    """The HTML of what stands between two empty lines: a paragraph, with what is indented below it; or a list."""
    lines = block.strip("\n").split("\n")
    part, parts = [], []
    kind = _kind(lines[0], None)
    for line in lines:
        now = _kind(line, kind)
        if part and (now != kind or now == "item" and ITEM.match(line) or now == "text" and TITLE.match(line)):
            parts.append((kind, part))
            part = []
        kind = now
        part.append(line)
    parts.append((kind, part))
    for kind, part in parts:
        if kind == "indented":
            yield _indented(part, link)
        elif kind == "item":
            yield f"<ul><li>{inline(' '.join(line.strip() for line in part)[2:], link)}</li></ul>"
        else:
            yield _paragraph(part, link)


def _kind(line, before):
    """What a line is: of a "text", an "item" of a list (its further lines are indented by 2), or "indented"."""
    indent = len(line) - len(line.lstrip())
    if ITEM.match(line):
        return "item"
    if before == "item" and 0 < indent < 4:
        return "item"
    return "indented" if indent >= 2 else "text"


def _paragraph(lines, link):
    """A paragraph; one that is nothing but a formula stands free."""
    if len(lines) == 1 and [kind for kind, _ in find(lines[0].rstrip("."))] == ["formula"]:
        return f'<p class="formula">{mathml(find(lines[0].rstrip("."))[0][1], "block")}</p>'
    text = " ".join(line.strip() for line in lines)
    title = TITLE.match(text)
    if title:
        return f"<p><strong>{title[0]}</strong>{inline(text[title.end():], link)}</p>"
    return f"<p>{inline(text, link)}</p>"


def _indented(lines, link):
    """Indented lines: a table of formulas where every line has one, and else as they stand."""
    indent = min(len(line) - len(line.lstrip()) for line in lines)
    lines = [line[indent:] for line in lines]
    if all(any(kind == "formula" for kind, _ in find(line)) for line in lines):
        rows = "".join(f"<li>{_columns(line, link)}</li>" for line in lines)
        return f'<ul class="formulas">{rows}</ul>'
    return f"<pre>{escape(chr(10).join(lines), quote=False)}</pre>"


def _columns(line, link):
    """A line of formulas; what stands apart by a wide gap stays apart."""
    columns = re.split(r"(?<=\S) {3,}(?![=<>])", line)
    return '<span class="gap"></span>'.join(inline(column, link) for column in columns)
