"""Build lessons: the notebook NN_name.ipynb from its source NN_name.py, run from top to bottom, with outputs and pictures.

    python notebooks/build.py            # all
    python notebooks/build.py 01 05      # those whose names begin so

Needs the extra `lessons` (pip install -e '.[lessons]'). Each lesson runs in a fresh kernel, in an empty folder. A cell that
raises an error or writes to stderr (a warning, for instance) ends the build with its text, and the old notebook stays. What
would differ from one machine or one build to the next is left out, so that a lesson without measured times gives the same
file again.
"""
import argparse
import base64
import io
import os
import re
import sys
import tempfile
from pathlib import Path

FOLDER = Path(__file__).parent
CELL = re.compile(r"^# %%", re.M)
LIMIT = 300_000  # bytes of a notebook: what web pages show without complaint, and a repository carries easily
SETUP = '%config InlineBackend.rc = {"figure.dpi": 90}'
METADATA = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"}}


class BuildError(Exception):
    """A lesson cannot be built; the text says which, where and why."""


def lessons(prefixes):
    """The sources of the lessons whose names begin with one of `prefixes`, of all where there are none."""
    found = sorted(FOLDER.glob("[0-9][0-9]_*.py"))
    for prefix in prefixes:
        if not any(path.name.startswith(prefix) for path in found):
            raise BuildError(f"no lesson begins with {prefix!r}; there are {', '.join(path.stem for path in found)}")
    return [path for path in found if not prefixes or path.name.startswith(tuple(prefixes))]


def read(path):
    """The lesson as a notebook without outputs. What stands above the first cell is for tools, and left out."""
    import jupytext
    text = path.read_text(encoding="utf-8")
    start = CELL.search(text)
    if not start:
        raise BuildError(f"{path.name}: no line begins with '# %%', so there are no cells")
    return jupytext.reads(text[start.start():], fmt="py:percent")


def run(notebook, name):
    """Run the cells in a fresh kernel, in an empty folder, with a line of progress."""
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError
    from nbformat.v4 import new_code_cell
    notebook.cells.insert(0, new_code_cell(SETUP))
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        client = NotebookClient(notebook, timeout=600, record_timing=False, resources={"metadata": {"path": folder}},
                                coalesce_streams=True, extra_arguments=["--IPKernelApp.log_level=40"])
        client.on_cell_start = lambda cell, cell_index: progress(f"{name}: cell {cell_index} of {len(notebook.cells) - 1}")
        try:
            client.execute(env={**os.environ, "PYDEVD_DISABLE_FILE_VALIDATION": "1"})
        except CellExecutionError as error:
            raise BuildError(re.sub(r"\x1b\[[0-9;]*m", "", f"{name}: a cell failed\n{error}")) from None
    del notebook.cells[0]


def tidy(notebook, name):
    """Leave out what depends on the machine or the moment. BuildError for what a cell wrote to stderr."""
    count = 0
    for i, cell in enumerate(notebook.cells):
        cell.id, cell.metadata = f"cell-{i:02}", {}
        if cell.cell_type != "code":
            continue
        count += 1
        cell.execution_count = count
        for output in cell.outputs:
            if output.get("name") == "stderr":
                raise BuildError(f"{name}: cell {i} wrote to stderr\n{cell.source}\n\n{output.text}")
            if "execution_count" in output:
                output.execution_count = count
            if "metadata" in output:
                output.metadata = {}
            if "image/png" in output.get("data", {}):
                output.data = {"image/png": smaller(output.data["image/png"])}
    notebook.metadata = METADATA


def smaller(png):
    """A picture (base64) of 256 colours, which takes half the bytes, and without metadata."""
    from PIL import Image
    picture = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB")
    file = io.BytesIO()
    picture.quantize(256, Image.Quantize.MAXCOVERAGE, kmeans=1, dither=Image.Dither.NONE).save(file, "png", optimize=True)
    return base64.b64encode(file.getvalue()).decode()


def build(path):
    """Write the notebook of the lesson `path` and return its size in bytes."""
    import nbformat
    notebook = read(path)
    run(notebook, path.stem)
    tidy(notebook, path.stem)
    nbformat.validate(notebook)
    text = nbformat.writes(notebook) + "\n"
    size = len(text.encode())
    if size > LIMIT:
        raise BuildError(f"{path.stem}: the notebook would have {size:,} bytes, {LIMIT:,} are allowed: fewer or smaller "
                         "pictures")
    path.with_suffix(".ipynb").write_text(text, encoding="utf-8")
    return size


def progress(text):
    """Renew the line of progress, where somebody watches."""
    if sys.stderr.isatty():
        print(f"\r{text:70}", end="", file=sys.stderr, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("lesson", nargs="*", help="the beginning of its name, such as 01; all by default")
    try:
        for path in lessons(parser.parse_args().lesson):
            size = build(path)
            progress("")
            print(f"{path.stem}: {size / 1000:.0f} kB", flush=True)
    except BuildError as error:
        sys.exit(f"\n{error}")
    except ImportError as error:
        sys.exit(f"{error}: building lessons needs pip install -e '.[lessons]'")


if __name__ == "__main__":
    main()
