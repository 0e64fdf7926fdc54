"""The text of what somebody hands in: of a Python file as it stands, of a Jupyter notebook its code cells.

A text that was a notebook says so in its first line. What it defines is run, and nothing else of it: see `wire.execute`.
"""
import codecs
import io
import json
import re
import tokenize
from pathlib import PurePath

from .wire import CELLS

SUFFIXES = (".py", ".ipynb")
TRANSPARENT = ("time", "timeit", "capture", "prun")     # magics of a whole cell that leave it Python
MAGIC = re.compile(r"(?m)^([ \t]*)(?:%\w|!(?!=)|\w+[ \t]*=[ \t]*[%!]|[\w.]+\?{1,2}[ \t]*$).*$")


def decoded(content, path):
    """The text of a Python file, which may start with a byte order mark or say in which encoding it is.

    Raises ValueError where it is no text.
    """
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
        if not codecs.lookup(encoding).name.startswith(("utf-8", "ascii", "iso8859", "cp1")):  # some take hours to decode
            raise LookupError
        return io.TextIOWrapper(io.BytesIO(content), encoding).read()
    except (UnicodeDecodeError, LookupError, SyntaxError):
        raise ValueError(f"{path} is not a text in UTF-8: save it as one") from None


def source_of(content, path):
    """The Python text in `content`, the bytes of the file `path`: of an .ipynb the code cells.

    Raises ValueError for what is no text, and for an .ipynb that is no notebook or has no code.
    """
    if PurePath(path).suffix.lower() != ".ipynb":
        return decoded(content, path)
    try:
        cells = [cell for cell in json.loads(content)["cells"] if cell["cell_type"] == "code"]
        texts = ["".join(cell["source"]) for cell in cells]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ValueError(f"{path} is no notebook of Jupyter (version 4 or later): save it again, or as a .py") from None
    parts = [part for part in map(_python, texts) if part.strip()]
    if not parts:
        raise ValueError(f"{path} is a notebook without code")
    return CELLS + "\n\n".join(parts) + "\n"


def _python(cell):
    """A cell without its magics: the lines of %, ! and ?, and all of a cell that is in another language."""
    first, _, rest = cell.partition("\n")
    if first.startswith("%%"):
        cell = rest if first[2:].split()[:1] in ([name] for name in TRANSPARENT) else ""
    return MAGIC.sub(lambda match: f"{match[1]}pass", cell)
