"""`python -m benchmarks.zoo [--counts] [--only MODEL]`: the tables of `tinycnn/models/README.md`, between their markers.

The first table has a row for each family, with the time of one forward pass of one example on this machine; the second has
the parameters and multiply-adds of every model. About five minutes on two cores. `--counts` measures no times and keeps
those that the page has; `--only MODEL` measures the time of that family's model again and keeps everything else.
"""
import argparse
import re
import sys
from pathlib import Path

from tqdm import tqdm

from tinycnn import models, no_grad, randn_like
from tinycnn.files.atomic import write_atomically
from tinycnn.nn.utils import skip_init
from tinycnn.train.table import layers_run
from tinycnn.cpu.workers import get_num_threads

from . import report
from .families import FAMILIES
from .measure import repeat

PAGE = Path(models.__file__).parent / "README.md"
BEGIN, END = "<!-- written by python -m benchmarks.zoo -->", "<!-- end of what it wrote -->"
FAMILY_HEAD = ["architecture", "model", "the idea", "paper", "parameters", "multiply-adds", "input", "ms"]
MODEL_HEAD = ["model", "parameters", "multiply-adds", "input"]


def counts(name):
    """(parameters, multiply-adds, input) of a model, as the cells of the table."""
    model, inputs = skip_init(models.get_model, name), models.example_inputs(name)
    multiply_adds = sum(row.multiply_adds for row in layers_run(model, inputs)[0])
    sizes = " and ".join("x".join(map(str, x.shape[1:])) for x in inputs)
    return f"{sum(p.numel() for p in model.parameters()):,}", f"{multiply_adds:,}", sizes


def forward_time(name, seconds=1.0):
    """Milliseconds of one forward pass of one example in evaluation mode: the shortest of those that `seconds` allow."""
    model = models.get_model(name).eval()
    inputs = [randn_like(x) if x.is_floating_point() else x for x in models.example_inputs(name)]
    with no_grad():
        return f"{min(repeat(lambda: model(*inputs), seconds)) * 1e3:,.1f}"


def read(text):
    """What the page says: (cells of the families by model, cells of all models, the line about the machine)."""
    families, all_models = {}, {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if line.startswith("| ") and cells[0] not in (FAMILY_HEAD[0], MODEL_HEAD[0]):
            if len(cells) == len(FAMILY_HEAD):
                families[cells[1].strip("`")] = cells
            elif len(cells) == len(MODEL_HEAD):
                all_models[cells[0].strip("`")] = cells
    machine = re.search(r"^Times: .*?(?=\n\n)", text, re.M | re.S)
    return families, all_models, machine.group() if machine else ""


def family_row(family, counted, ms):
    """The cells of a family."""
    file = getattr(models, family.model).__module__.rsplit(".", 1)[1] + ".py"
    paper = f"[{family.paper}](https://arxiv.org/abs/{family.arxiv})" if family.arxiv else family.paper
    parameters, multiply_adds, size = counted
    return [f"[{family.title}]({file})", f"`{family.model}`", family.idea, paper, parameters, multiply_adds, size, ms]


def machine():
    """The line that says when and where the times were measured."""
    m = report.machine()
    return (f"Times: forward in milliseconds, one example, evaluation, float32, the best of a second's repetitions on "
            f"{m['date']}\nwith Python {m['python']}, NumPy {m['versions']['numpy']}, {m['system']} ({m['processor']}), "
            f"{get_num_threads()} threads.")


def table(head, rows, right):
    """A Markdown table; the columns named in `right` are flush right."""
    rule = "|".join("---:" if name in right else "---" for name in head)
    return "\n".join(["| " + " | ".join(head) + " |", f"|{rule}|", *("| " + " | ".join(row) + " |" for row in rows)])


def page(text, families, all_models, note):
    """The `text` of the page with new tables between the markers."""
    numbers = ("parameters", "multiply-adds", "ms")
    new = "\n\n".join([BEGIN, table(FAMILY_HEAD, families, numbers), *[note] * bool(note),
                       f"<details><summary>All {len(all_models)} models</summary>",
                       table(MODEL_HEAD, all_models, numbers), "</details>", END])
    return text[:text.index(BEGIN)] + new + text[text.index(END) + len(END):]


def main(argv=None):
    """Count, measure, and write the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.zoo", description="Write the tables of the zoo.")
    parser.add_argument("--counts", action="store_true", help="keep the times that the page has")
    parser.add_argument("--only", metavar="MODEL", choices=[family.model for family in FAMILIES],
                        help="measure the time of this model only, and keep all others")
    parser.add_argument("--page", type=Path, default=PAGE, help="the page to write (default: that of the models)")
    args = parser.parse_args(argv)
    text = args.page.read_text()
    families, known, note = read(text)
    names = [] if args.only else models.list_models()
    counted = {name: cells[1:] for name, cells in known.items()} if args.only else {}
    for name in tqdm(names, desc="counting", unit=" models", file=sys.stderr):
        counted[name] = counts(name)
    ms = {name: cells[-1] for name, cells in families.items()}
    timed = [] if args.counts else [args.only] if args.only else [family.model for family in FAMILIES]
    for name in tqdm(timed, desc="timing", unit=" models", file=sys.stderr, disable=not timed):
        ms[name] = forward_time(name)
    rows = [family_row(family, counted[family.model], ms.get(family.model, "")) for family in FAMILIES]
    all_models = [[f"`{name}`", *counted[name]] for name in sorted(counted)]
    note = note if args.counts or args.only else machine()
    write_atomically(args.page, page(text, rows, all_models, note).encode())


if __name__ == "__main__":
    main()
