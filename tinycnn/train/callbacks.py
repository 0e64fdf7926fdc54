"""Things to do between epochs. A callback is a plain function of the history; one that returns True ends the training.

None of these remembers anything: what it does follows from the history, so a training that is continued from a checkpoint
goes on as if it had never stopped.
"""
import math

from ..files.atomic import remove_rests
from .checkpoint import save_checkpoint
from .history import write_history


def early_stopping(patience, by="val_loss", min_delta=0.0):
    """A callback that ends the training when `by` has not improved for `patience` epochs.

    Losses improve by falling, accuracies (names that end in "acc") by rising, in either case by more than `min_delta`.
    """
    if patience < 1:
        raise ValueError(f"early_stopping: patience must be at least 1 epoch, got {patience}")

    def stop(history):
        best, since = None, 0
        for row in history:
            cost = _cost(row, by)
            if best is None or cost < best - min_delta:
                best, since = cost, 0
            else:
                since += 1
        return since >= patience
    return stop


def save_best(path, model, metadata, by="val_loss"):
    """A callback that keeps `model` as it was after the best epoch so far, with `save_checkpoint`.

    `metadata` as there; the number of the epoch and its numbers are added to it.
    """
    remove_rests(path)

    def keep(history):
        if is_best(history, by):
            save_checkpoint(path, model, {**metadata, **history[-1]})
    return keep


def log_history(path):
    """A callback that writes the history to the CSV file `path`."""
    remove_rests(path)
    return lambda history: write_history(path, history)


def log_tensorboard(folder):
    """A callback that writes the numbers of every epoch into `folder` as TensorBoard reads them, `tensorboard --logdir`.

    ImportError where the package tensorboardX is missing.
    """
    try:
        from tensorboardX import SummaryWriter
    except ImportError as error:
        raise ImportError("log_tensorboard: the package tensorboardX is missing: "
                          "pip install 'tinycnn[tensorboard]'") from error

    def log(history):
        last = history[-1]  # in a file of its own, for only closing one makes sure that it is written
        with SummaryWriter(str(folder), filename_suffix=f".{last['epoch']:06}") as writer:
            for name, number in last.items():
                if name != "epoch" and number is not None:
                    writer.add_scalar(name, number, last["epoch"])
    return log


def is_best(history, by="val_loss"):
    """Whether the last epoch is the first one to be so good."""
    *earlier, last = (_cost(row, by) for row in history)
    return all(last < cost for cost in earlier)


def _cost(row, by):
    """The number `by` of a row such that lower is better; what is no number is worse than all numbers."""
    if row.get(by) is None:
        raise ValueError(f"the history has no {by!r}, only {', '.join(row)}: was fit called without validation data?")
    cost = -row[by] if by.endswith("acc") else row[by]
    return math.inf if math.isnan(cost) else cost
