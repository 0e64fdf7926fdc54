"""`tinycnn book`: the engine as a textbook in the browser, made from the code itself.

The package is read as syntax trees (`source.py`). A page is made for every file, words beside code (`files.py`, `prose.py`,
`notation.py`), and for every operation (`operations.py`); the rest is written by hand in `notebooks/book/`. Sphinx puts the
pages together (`site.py`, `extension.py`).
"""
import importlib.util
import shutil
from pathlib import Path


def add_book(commands):
    """`tinycnn book`."""
    p = commands.add_parser("book", help="make the book: the engine as a textbook in the browser",
                            description="Make a static site of the package, its lessons and its models, that works from the "
                            "disk and without a network. Open index.html in its folder.")
    p.add_argument("--out", type=Path, default=Path("site"), metavar="FOLDER", help="where to (default: %(default)s)")
    p.set_defaults(run=book, forwards=False)


def book(args):
    """`tinycnn book`: say how many pages there are, and how large they are together."""
    missing = [name for name in ("sphinx", "myst_nb", "latex2mathml") if not importlib.util.find_spec(name)]
    if missing:
        raise RuntimeError(f"book: {', '.join(missing)} cannot be imported: pip install 'tinycnn[book]'")
    if args.out.exists() and any(args.out.iterdir()):
        if not (args.out / "searchindex.js").exists():
            raise RuntimeError(f"book: --out {args.out} is not empty, and no book that was made before: name another folder")
        shutil.rmtree(args.out)
    from .build import build
    pages = build(args.out)
    size = sum(path.stat().st_size for path in args.out.rglob("*") if path.is_file())
    print(f"{pages} pages, {size / 1e6:.1f} MB: open {args.out / 'index.html'}")
