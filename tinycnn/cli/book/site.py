"""The site: which pages there are, in which order, how they are written, and that every link leads somewhere."""
import contextlib
import io
import json
import re
import shutil
import tempfile
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from .files import file_page, page_of
from .source import ROOT

BOOK, LESSONS = ROOT / "notebooks" / "book", ROOT / "notebooks"
TEXTBOOK = ("engine", "ops", "nn", "optim", "train", "gradcheck")  # the rooms of the reading path, in its order
FIRST = ("engine/tensor", "engine/function", "engine/autograd", "engine/formula", "ops/elementwise", "ops/unfold",
         "ops/conv", "ops/pool", "ops/pool_max", "ops/pool_average", "ops/norm", "ops/softmax", "ops/dropout", "nn/module",
         "nn/parameter", "nn/functional", "nn/container", "nn/conv", "optim/optimizer", "optim/sgd", "optim/adam",
         "train/loop", "gradcheck/checker", "gradcheck/numeric")  # what a room begins with; the rest by name
FENCE = "`````"


class Page:
    """One page that is made: its name, its title, how its chapter calls it, its body as HTML."""

    def __init__(self, name, title, short, body, *, part="", kind="", names=()):
        self.name, self.title, self.short, self.body = name, title, short, body
        self.part, self.kind, self.names = part, kind, names

    def write(self, folder):
        """Write the page where Sphinx will find it."""
        path = folder / f"{self.name}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        body = "" if self.body is None else f"# {self.title}\n\n{FENCE}{{raw}} html\n{self.body}\n{FENCE}\n"
        if body:
            path.write_text(body, encoding="utf-8")


def code_pages(source, operations):
    """A page for every file of the package that holds code, the rooms of the textbook first."""
    def order(module):
        name = module.path.with_suffix("").as_posix()
        room = TEXTBOOK.index(module.room) if module.room in TEXTBOOK else len(TEXTBOOK)
        return room, module.room, FIRST.index(name) if name in FIRST else len(FIRST), name
    for module in sorted(source.modules.values(), key=order):
        path = module.path.as_posix()
        yield Page(page_of(module), f"`{path}`", path.partition("/")[2] or path, file_page(source, module, operations),
                   part=module.room or "the package", kind="code")


def hand_written(folder, pattern):
    """The pages that lie in the book's own folder as they are, such as the stops of the tour."""
    for path in sorted(folder.glob(pattern)):
        text = path.read_text(encoding="utf-8")
        title = next(line[2:] for line in text.split("\n") if line.startswith("# "))
        yield Page(str(path.relative_to(folder).with_suffix("").as_posix()), title, title, None)


def lesson_pages(folder):
    """The lessons' notebooks, copied beside the other pages."""
    (folder / "lessons").mkdir()
    for path in sorted(LESSONS.glob("[0-9][0-9]_*.ipynb")):
        shutil.copy(path, folder / "lessons")
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        title = "".join(cells[0]["source"]).partition("\n")[0].lstrip("# ")
        yield Page(f"lessons/{path.stem}", title, f"{path.stem[:2]} {title}", None)


def contents(chapters):
    """What the layout needs: the chapters, and of each page its neighbours and those of its part."""
    pages, names = {}, {}
    for title, members in chapters:
        for i, page in enumerate(members):
            around = [members[j] if 0 <= j < len(members) else None for j in (i - 1, i + 1)]
            before, after = [other and (other.name, other.short) for other in around]
            siblings = [(p.name, p.short) for p in members if p.part == page.part]
            pages[page.name] = dict(chapter=title, part=page.part, kind=page.kind, previous=before, next=after,
                                    siblings=siblings)
            names[page.name] = page.names
    return dict(chapters=[dict(title=title, first=members[0].name) for title, members in chapters], pages=pages, names=names)


def write(folder, out, chapters):
    """Write the sources into `folder` and let Sphinx make the site in `out`. RuntimeError with what it complains of."""
    for _, members in chapters:
        for page in members:
            page.write(folder)
    (folder / "contents.json").write_text(json.dumps(contents(chapters)), encoding="utf-8")
    from sphinx.cmd.build import build_main
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = build_main(["-q", "-W", "--keep-going", "-b", "html", "-d", str(folder / ".trees"), str(folder), str(out)])
    if code:
        raise RuntimeError(f"book: Sphinx says\n{said.getvalue().strip()}")
    for left in (".buildinfo", "objects.inv"):
        (out / left).unlink(missing_ok=True)


@contextlib.contextmanager
def sources():
    """A folder with the book's own pages, for the time of the `with` block."""
    if not BOOK.is_dir():
        raise RuntimeError(f"book: {BOOK} is not there: the book is made in a checkout of the repository, not of an "
                           "installed package")
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(BOOK, Path(folder) / "book")
        yield Path(folder) / "book"


# ---- links -----------------------------------------------------------------------------------------------------------

class _Links(HTMLParser):
    """The places of a page to which one can link, and where its own links lead."""

    def __init__(self):
        super().__init__()
        self.places, self.targets = set(), []

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.places |= {attributes[name] for name in ("id", "name") if attributes.get(name)}
        self.targets += [attributes[name] for name in ("href", "src") if attributes.get(name)]


def broken_links(out):
    """[text, ...]: every link of the site that leads to no file or no place in it, and every script from elsewhere."""
    pages = {}
    for path in sorted(out.rglob("*.html")):
        pages[path.resolve()] = links = _Links()
        links.feed(path.read_text(encoding="utf-8"))
    found = []
    for path, links in pages.items():
        for target in dict.fromkeys(links.targets):
            parts = urlsplit(target)
            if parts.scheme or parts.netloc:
                continue
            to = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            lost = not to.exists() or parts.fragment and to in pages and unquote(parts.fragment) not in pages[to].places
            if lost:
                found.append(f"{path.relative_to(out.resolve())}: there is no {target}")
        text = path.read_text(encoding="utf-8")
        found += [f"{path.relative_to(out.resolve())}: loads {address} from elsewhere"
                  for address in re.findall(r'<(?:script|link|img)[^>]+(?:src|href)="(https?:[^"]+)"', text)]
    return found
