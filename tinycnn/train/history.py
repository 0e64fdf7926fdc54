"""What happened in training: a list with one dictionary an epoch, and the file it is kept in."""
import csv

from ..engine.checks import check_path
from ..files.atomic import write_atomically

COLUMNS = ("epoch", "train_loss", "train_acc", "val_loss", "val_acc", "lr", "seconds")


def write_history(path, history):
    """Write the rows of `history` as a CSV file with the columns COLUMNS; what a row lacks stays empty.

    Numbers are written so that reading gives back the very same ones. With the same seed on the same machine two runs
    agree in every bit of every column but the last, `seconds`.
    """
    check_path("write_history", path=path)
    lines = [",".join(COLUMNS)]
    lines += [",".join("" if row.get(c) is None else repr(plain(row[c])) for c in COLUMNS) for row in history]
    write_atomically(path, ("\n".join(lines) + "\n").encode())


def plain(number):
    """A number of NumPy or a Tensor of one number as Python's; anything else as it is."""
    return number.item() if hasattr(number, "item") else number


def read_history(path):
    """The rows that `write_history` wrote; ValueError for another file."""
    check_path("read_history", path=path)
    with open(path, newline="", encoding="utf-8", errors="replace") as file:
        reader = csv.DictReader(file)
        if tuple(reader.fieldnames or ()) != COLUMNS:
            raise ValueError(f"{path}: no history: the first line must be {','.join(COLUMNS)}")
        try:
            return [{c: (int if c == "epoch" else float)(v) for c, v in row.items() if v} for row in reader]
        except (TypeError, ValueError):
            raise ValueError(f"{path}: line {reader.line_num} is no row of numbers") from None
