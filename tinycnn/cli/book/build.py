"""The whole book, chapter by chapter."""
from .chapters import exercise_pages, zoo_pages
from .operations import operation_page, operations, overview
from .reference import differences_page, reference_pages
from .site import broken_links, code_pages, hand_written, lesson_pages, sources, write
from .source import Source


def build(out):
    """Make the site in the folder `out`; the number of its pages. RuntimeError where something is wrong with it."""
    source = Source()
    with sources() as folder:
        chapters = [(title, [*pages]) for title, pages in _chapters(source, folder)]
        write(folder, out, chapters)
    broken = broken_links(out)
    if broken:
        raise RuntimeError("book: " + "\n".join(broken))
    return sum(len(members) for _, members in chapters)


def _chapters(source, folder):
    """(title, pages) of every chapter, in the order of the book."""
    functions = operations()
    known = {(f.__module__, f.__qualname__) for f in functions}
    yield "Start", hand_written(folder, "*.md")
    yield "Tour", hand_written(folder, "tour/*.md")
    yield "Code", code_pages(source, known)
    made = [operation_page(source, function, known) for function in functions]
    yield "Operations", [overview(source, made), *(page for page, _ in made)]
    yield "Lessons", lesson_pages(folder)
    yield "Exercises", exercise_pages(source)
    yield "Zoo", zoo_pages(source)
    yield "Reference", [*reference_pages(source), differences_page(source)]
