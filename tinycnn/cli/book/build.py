"""The whole book, chapter by chapter."""
from .site import broken_links, code_pages, hand_written, lesson_pages, sources, write
from .source import Source


def build(out):
    """Make the site in the folder `out`; the number of its pages. RuntimeError where something is wrong with it."""
    source = Source()
    with sources() as folder:
        chapters = [("Start", [*hand_written(folder, "index.md")]),
                    ("Tour", [*hand_written(folder, "tour/*.md")]),
                    ("Code", [*code_pages(source, ())]),
                    ("Lessons", [*lesson_pages(folder)])]
        write(folder, out, chapters)
    broken = broken_links(out)
    if broken:
        raise RuntimeError("book: " + "\n".join(broken))
    return sum(len(members) for _, members in chapters)
